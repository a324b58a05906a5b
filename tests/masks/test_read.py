"""Masks as models write them are read into their shortest form, and mean what they meant."""

import hypothesis
import pytest
import torch
from hypothesis import strategies as st
from mask_oracle import assert_stands_for
from torch import Tensor

from clearhead.masks import BoundRule, Explicit, Spans, read_additive, read_boolean

N = 13
ROW, KEY = torch.arange(N)[:, None], torch.arange(N)
CAUSAL = (KEY <= ROW)[None, None]
LENGTHS = torch.tensor([N, 7, 2])[:, None, None, None]
RIGHT_PADDING, LEFT_PADDING = LENGTHS > KEY, (N - LENGTHS) <= KEY
DOCUMENT = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3])

RUNS: dict[str, Tensor] = {
    "causal": CAUSAL,
    "window": CAUSAL & (KEY > ROW - 4),
    "window around": ((KEY - ROW).abs() <= 3)[None, None],
    "right padding": RIGHT_PADDING,
    "left padding": LEFT_PADDING,
    "right padding, every query written out": RIGHT_PADDING.expand(-1, 1, N, -1).contiguous(),
    "causal, right padding": CAUSAL & RIGHT_PADDING,
    "causal, left padding": CAUSAL & LEFT_PADDING,
    "window, left padding": CAUSAL & (KEY > ROW - 4) & LEFT_PADDING,
    "prefix": (CAUSAL | (KEY < 5)),
    "packed documents": (DOCUMENT[:, None] == DOCUMENT)[None, None],
    "packed documents, causal": (DOCUMENT[:, None] == DOCUMENT)[None, None] & CAUSAL,
    "packed documents, padding at the end": (DOCUMENT[:, None] == DOCUMENT)[None, None] & (KEY < 10) & (ROW < 10),
    "another window in each head": (ROW - torch.tensor([2, 5])[:, None, None] < KEY)[None] & CAUSAL,
    "one query": (KEY > 3)[None, None, None],
    "nothing": torch.zeros(1, 1, N, N, dtype=torch.bool),
    "holes that no query sees": CAUSAL & (KEY % 3 != 1),
}
NOT_RUNS: dict[str, Tensor] = {
    "checkerboard": ((ROW + KEY) % 2 == 0)[None, None],
    "dilated": ((ROW - KEY) % 3 == 0)[None, None] & CAUSAL,
    "global tokens beside a window": (((ROW - KEY).abs() < 2) | (KEY == 0) | (ROW == 0))[None, None],
}


def written_out(allowed: Tensor, queries: int) -> Tensor:
    return allowed.expand(-1, -1, queries, -1)


@pytest.mark.parametrize("name", RUNS)
def test_the_masks_of_models_are_runs_of_keys(name: str) -> None:
    allowed = RUNS[name]
    queries = 1 if name == "one query" else N
    mask = read_boolean(allowed, queries)
    assert isinstance(mask, Spans)
    assert_stands_for(mask, written_out(allowed, queries))
    kept = sum(x.numel() for x in mask.tensors().values())
    assert kept <= 3 * allowed.shape[0] * allowed.shape[1] * (queries + N), "more than O(queries + keys) is kept"


@pytest.mark.parametrize("name", NOT_RUNS)
def test_other_masks_stay_the_tensor_that_they_are(name: str) -> None:
    mask = read_boolean(NOT_RUNS[name], N)
    assert isinstance(mask, BoundRule)
    assert isinstance(mask.rule, Explicit)
    assert mask.rule.allowed.data_ptr() == NOT_RUNS[name].data_ptr()
    assert_stands_for(mask, NOT_RUNS[name])


def test_what_forbids_nothing_is_no_mask() -> None:
    assert read_boolean(torch.ones(2, 1, 5, 7, dtype=torch.bool), 5) is None
    assert read_additive(torch.zeros(2, 1, 5, 7), 5) == (None, None)


def test_the_triangle_is_known_as_such() -> None:
    mask = read_boolean(CAUSAL, N)
    assert mask is not None
    assert mask.is_causal
    padded = read_boolean(CAUSAL & LEFT_PADDING, N)
    assert padded is not None
    assert padded.looks_back_only
    padding = read_boolean(RUNS["right padding, every query written out"], N)
    assert padding is not None
    assert padding.is_same_for_all_queries


@pytest.mark.parametrize("name", RUNS | NOT_RUNS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("lowest", ["finfo.min", "-inf"])
def test_masks_that_are_added(name: str, dtype: torch.dtype, lowest: str) -> None:
    allowed = (RUNS | NOT_RUNS)[name]
    queries = 1 if name == "one query" else N
    number = torch.finfo(dtype).min if lowest == "finfo.min" else -torch.inf
    mask, bias = read_additive(torch.zeros(allowed.shape, dtype=dtype).masked_fill(~allowed, number), queries)
    assert mask is not None
    assert bias is None
    assert isinstance(mask, Spans if name in RUNS else BoundRule)
    assert_stands_for(mask, written_out(allowed, queries))


def test_a_bias_with_a_mask_in_it_is_both() -> None:
    added = torch.randn(1, 2, N, N)
    forbidden = ~CAUSAL.expand(1, 2, N, N)
    # Models also write finfo.min first and then add a position bias to it.
    mask, bias = read_additive(torch.where(forbidden, torch.finfo(torch.float32).min, 0.0) + added, N)
    assert mask is not None
    assert mask.is_causal
    assert bias is not None
    assert torch.equal(bias[~forbidden], added[~forbidden])


@pytest.mark.parametrize("number", [-1e4, -3e4, 5.0, torch.nan])
def test_large_numbers_that_kernels_add_stay_a_bias(number: float) -> None:
    added = torch.zeros(1, 1, N, N)
    added[0, 0, 3, 4] = number
    mask, bias = read_additive(added, N)
    assert mask is None
    assert bias is added


def test_axes_that_are_only_repeated_are_read_once() -> None:
    wide = CAUSAL.expand(1024, 1024, N, N)
    mask = read_boolean(wide, N)
    assert mask is not None
    assert mask.breadth == (1, 1)
    added = torch.randn(1, 1, N, N).expand(1024, 1024, N, N)
    _, bias = read_additive(added, N)
    assert bias is not None
    assert bias.shape == (1, 1, N, N)


def shapes() -> st.SearchStrategy[tuple[int, int, int, int]]:
    return st.tuples(st.integers(1, 2), st.integers(1, 2), st.integers(1, 5), st.integers(1, 7))


@hypothesis.settings(max_examples=75)
@hypothesis.given(data=st.data(), shape=shapes(), dense=st.booleans())
def test_reading_never_changes_the_meaning(data: st.DataObject, shape: tuple[int, ...], dense: bool) -> None:
    count = int(torch.tensor(shape).prod())
    allowed = torch.tensor(data.draw(st.lists(st.booleans(), min_size=count, max_size=count))).view(shape)
    if dense:  # mostly True: random booleans are hardly ever runs
        allowed |= torch.tensor(data.draw(st.lists(st.booleans(), min_size=count, max_size=count))).view(shape)
        allowed &= torch.tensor(data.draw(st.lists(st.booleans(), min_size=shape[3], max_size=shape[3])))
    for mask in (
        read_boolean(allowed, shape[2]),
        read_additive(torch.zeros(shape).masked_fill(~allowed, -torch.inf), shape[2])[0],
    ):
        if mask is None:
            assert allowed.all()
        else:
            assert_stands_for(mask, allowed)


def test_reading_in_blocks_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clearhead.masks.read._BLOCK", 2 * N)
    for name, allowed in (RUNS | NOT_RUNS).items():
        if name != "one query":
            mask = read_boolean(allowed, N)
            assert mask is not None
            assert_stands_for(mask, written_out(allowed, N))
