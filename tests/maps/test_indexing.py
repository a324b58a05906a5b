"""``map[index]`` is what ``map.dense()[index]`` would be, and computes no more than that."""

import math
from typing import Any

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from oracle import MAPS, Case, close, make
from torch import Tensor

from clearhead import AttentionMap
from clearhead.errors import LargeMapError
from clearhead.maps import base

SHAPE = (2, 6, 29, 31)
CASE: Case = make("random by head", dtype=torch.float64)


def indices(size: int) -> st.SearchStrategy[Any]:
    """An int or a slice."""
    return st.one_of(
        st.integers(-size, size - 1),
        st.slices(size).filter(lambda s: s.step is None or s.step > 0),
    )


@st.composite
def whole_indices(draw: st.DrawFn) -> tuple[Any, ...]:
    """Up to four ints, slices, lists, tensors and booleans, with an ellipsis here and there."""
    shape = draw(st.sampled_from([(), (1,), (3,), (2, 1), (1, 2), (2, 3), (0,)]))
    items: list[Any] = []
    for size in SHAPE:
        kind = draw(st.sampled_from(["plain", "plain", "tensor", "list", "bool"]))
        if kind == "plain":
            items.append(draw(indices(size)))
            continue
        if kind == "bool":
            # As many True as the other index tensors have along their last axis, so that they go together.
            wanted = shape[-1] if shape else 1
            places = draw(st.lists(st.integers(0, size - 1), min_size=min(wanted, size), max_size=size, unique=True))
            flags = torch.zeros(size, dtype=torch.bool)
            flags[places[: min(wanted, size)]] = True
            items.append(flags)
            continue
        own = draw(st.sampled_from([shape, shape[1:], (1,) * len(shape)]))  # of several ranks, all going together
        numbers = draw(st.lists(st.integers(-size, size - 1), min_size=math.prod(own), max_size=math.prod(own)))
        values = torch.tensor(numbers, dtype=torch.int64).reshape(own)
        items.append(values.tolist() if kind == "list" and own else values)
    items = items[: draw(st.integers(1, 4))]
    if draw(st.booleans()):
        at = draw(st.integers(0, len(items)))
        # What stands behind an ellipsis is meant for the last axes.
        tail = len(items) - at
        items = items[:at] + [...] + [item for item, size in zip(items[at:], SHAPE[4 - tail :], strict=True)]
        assert len(items) <= 5
    return tuple(items)


def assert_indexes_alike(amap: AttentionMap, weights: Tensor, index: Any) -> None:
    """The same values and shape, or an IndexError on both sides."""
    try:
        wanted = weights[index]
    except (IndexError, ValueError, RuntimeError):
        with pytest.raises(IndexError):
            amap[index]
        return
    close(amap[index], wanted, 1e-9)


@hypothesis.settings(max_examples=80)
@hypothesis.given(index=whole_indices())
def test_any_index_means_what_it_means_on_the_whole_tensor(index: tuple[Any, ...]) -> None:
    assert_indexes_alike(CASE.amap, CASE.weights, index)


@pytest.mark.parametrize("kind", MAPS)
@pytest.mark.parametrize(
    "index",
    [
        0,
        -1,
        ...,
        (),
        slice(None),
        (0, 1, 2, 3),
        (-1, -1, -1, -1),
        (0, slice(1, 5, 2)),
        (..., 3),
        (..., slice(2, 2), slice(None)),
        (0, ..., -1),
        (..., [0, 3, -1]),
        (0, [0, 1], slice(None), [2, 3]),
        ([0, 1], [1, 0]),
        (slice(None), [0, 1], [2, 3]),
        (0, slice(None), torch.tensor([[0], [3]]), torch.tensor([1, 2, 5])),
        ([0, 1], 0, [2, 3]),
        ([0, 1], slice(None), [2, 3], 0),
        (..., torch.tensor([True, False] * 2 + [True] * 2)[:3].nonzero()[:, 0]),
        (torch.tensor(1), np.int64(2), np.array([0, 1])),
        ([], slice(None)),
        (slice(None), []),
        (..., torch.zeros((2, 0), dtype=torch.int64)),
        ([[0]], [[1, 0]], slice(None, None, 3), 2),
    ],
    ids=str,
)
def test_indices_of_every_form_on_every_kind_of_map(kind: str, index: Any) -> None:
    amap, weights = MAPS[kind](CASE)
    assert_indexes_alike(amap, weights, index)


def test_a_boolean_vector_chooses_along_its_axis() -> None:
    heads = torch.tensor([True, False, False, True, True, False])
    assert_indexes_alike(CASE.amap, CASE.weights, (slice(None), heads))
    assert_indexes_alike(CASE.amap, CASE.weights, (0, heads.tolist(), 3))
    assert_indexes_alike(CASE.amap, CASE.weights, (0, heads, [0, 1, 2]))


def test_the_assertion_notices_another_value_and_another_shape() -> None:
    for wrong in (CASE.weights + 0.1, CASE.weights[..., :-1]):
        with pytest.raises(AssertionError):
            assert_indexes_alike(CASE.amap, wrong, (0, 0))
    with pytest.raises(pytest.fail.Exception):
        assert_indexes_alike(CASE.amap, CASE.weights[..., :3], (..., 7))


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (2, r"batch has 2 entries; 2 is out of range"),
        ((0, -7), r"heads has 6 entries; -7"),
        ((0, 0, [0, 29]), r"queries has 29 entries; an index out of range was among \[0, 29\]"),
        ((0, 0, 0, 0, 0), r"four axes batch, heads, queries, keys; got 5"),
        ((..., 0, ...), r"one ellipsis"),
        ((0, slice(None, None, -1)), r"heads must step forwards; got a step of -1"),
        ((0, torch.ones(5, dtype=torch.bool)), r"a boolean index for heads has the shape \(6,\); got \(5,\)"),
        ((0, torch.tensor(True)), r"boolean index"),
        (True, r"boolean index"),
        (1.5, r"whole numbers; got torch.float32"),
        (torch.tensor(1.0), r"whole numbers"),
        ("a", r"cannot be indexed with str"),
        (None, r"cannot be indexed with NoneType"),
        ((0, [[0, 1], [2]]), r"heads cannot be indexed with list"),
        (([0, 1], [0, 1, 2]), r"must broadcast together; got batch \(2,\), heads \(3,\)"),
    ],
    ids=str,
)
def test_an_index_that_cannot_be_says_why(index: Any, message: str) -> None:
    with pytest.raises(IndexError, match=message):
        CASE.amap[index]


def test_too_much_at_once_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "MOST_ENTRIES", 29 * 31)
    assert CASE.amap[0, 0].shape == (29, 31)
    for index in (0, (0, slice(2)), (..., [[0] * 29] * 31, [[1] * 29] * 31)):
        with pytest.raises(LargeMapError, match=r"topk\(\), pooled\(\) or another statistic, or dense\(force=True\)"):
            CASE.amap[index]


def test_what_indexing_gives_may_be_written_into() -> None:
    for kind in MAPS.values():
        amap, weights = kind(CASE)
        amap[0, 0].zero_()
        amap.dense().zero_()
        close(amap[0, 0], weights[0, 0], 1e-9)
