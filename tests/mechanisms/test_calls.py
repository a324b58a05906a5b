"""Which tiles are computed, and that they make up the whole."""

from __future__ import annotations

import math
import operator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import clearhead as ch
from clearhead.maps.factored import FactoredMap
from clearhead.masks import (
    Blocks,
    Causal,
    Dilated,
    Documents,
    Explicit,
    Global,
    Mask,
    Padding,
    Predicate,
    Prefix,
    Tile,
    Window,
    spans,
)
from clearhead.mechanisms import calls, fused
from clearhead.mechanisms.places import Places, over
from clearhead.mechanisms.rule import ScoreRule

BATCH, HEADS, KV_HEADS, QUERIES, KEYS, WIDTH = 2, 6, 3, 71, 83, 5
SIDE = 4

MASKS: dict[str, Mask] = {
    "band": Causal() & Window(11, 0),
    "window": Window(7, 13),
    "band and padding": Causal() & Window(11, 0) & Padding([53, KEYS]),
    "band and documents": Causal() & Window(11, 0) & Documents(torch.arange(KEYS) // 29),
    "documents by text": Documents(torch.stack([torch.arange(KEYS) // 7, torch.arange(KEYS) // 13])),
    "shuffled documents": Documents(torch.arange(KEYS) * 37 % 11),
    "global": Window(5, 5) | Global([0, 50]),
    "blocks by head": Blocks(torch.rand(HEADS, 15, 15, generator=torch.Generator().manual_seed(0)) < 0.3, 8),
    "blocks before": Blocks(torch.ones(29, 29, dtype=torch.bool).tril(), SIDE),
    "documents in whole tiles": Documents(torch.arange(KEYS) // (3 * SIDE)),
    "dilated": Dilated(3, 5),
    "prefix": Prefix([13, 31]),
    "backwards": ~Causal() & Window(0, 17),
    "explicit": Explicit(torch.rand(QUERIES, KEYS, generator=torch.Generator().manual_seed(0)) < 0.02),
    "function": Predicate(lambda b, h, i, j: (i - j).abs() < 4 + h, 1, HEADS),
    "wider than the text": Causal() & Window(1000, 1000),
    "many empty rows": Window(3, 3) & Documents(torch.where(torch.arange(KEYS) % 23 < 9, -1, 0)),
    "nothing": Window(0, 0) & ~Causal(),
}


@pytest.fixture(autouse=True, params=["whole", "parts", "tall"])
def small_tiles(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Small texts have many tiles; a block's keys are taken together or in parts, or blocks are tall."""
    monkeypatch.setattr(calls, "_SIDE", SIDE)
    monkeypatch.setattr(calls, "_SMALL", 0)
    monkeypatch.setattr(calls, "_PRICE", 1e6 if request.param == "tall" else 0)
    monkeypatch.setattr(calls, "_GATHERED", 2**9)
    monkeypatch.setattr(calls, "_COPY", 1e9 if request.param == "parts" else 0)
    monkeypatch.setattr(calls, "_MERGE", 0 if request.param == "parts" else 1e9)


def tensors(dtype: torch.dtype, queries: int = QUERIES, keys: int = KEYS) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    shapes = (HEADS, queries), (KV_HEADS, keys), (KV_HEADS, keys)
    q, k, v = (torch.randn(BATCH, *shape, WIDTH, dtype=dtype, requires_grad=True) for shape in shapes)
    return q, k, v


BIASES = {
    "none": None,
    "alibi": ch.ALiBi(HEADS),
    "relative": ch.RelativeBias(HEADS).requires_grad_(False),
    "by text": torch.randn(BATCH, 1, QUERIES, KEYS, generator=torch.Generator().manual_seed(1)),
    "by head": torch.randn(1, HEADS, 1, KEYS, generator=torch.Generator().manual_seed(2)),
}


def dense(q: Tensor, k: Tensor, v: Tensor, mask: Mask, bias: Tensor | ch.ALiBi | None) -> tuple[Tensor, Tensor]:
    """Output and LSE by the formula, all pairs at once."""
    queries, keys = q.shape[2], k.shape[2]
    k, v = (x.repeat_interleave(HEADS // KV_HEADS, 1) for x in (k, v))
    scores = q @ k.mT * WIDTH**-0.5
    if isinstance(bias, Tensor):
        scores = scores + bias
    elif bias is not None:
        scores = scores + bias.tile(torch.arange(keys - queries, keys), torch.arange(keys))
    scores = scores.masked_fill(~mask.dense(queries, keys), -math.inf)
    return scores.softmax(-1).nan_to_num(0.0) @ v, scores.logsumexp(-1)


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("name", MASKS)
def test_blocks_make_up_the_whole(name: str, bias: str) -> None:
    exactness = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 0.06}
    for dtype, close in exactness.items() if bias == "none" else [(torch.float64, 1e-12)]:
        q, k, v = tensors(dtype)
        output, amap = ch.attend(q, k, v, mask=MASKS[name], bias=BIASES[bias])
        exact = [x.detach().double().requires_grad_() for x in (q, k, v)]
        wanted, lse = dense(*exact, MASKS[name], BIASES[bias])
        none = lse == -math.inf
        assert ((amap.lse == -math.inf) == none).all()  # type: ignore[attr-defined]
        weights, more = torch.randn_like(wanted), torch.randn_like(lse)

        more = more.masked_fill(none, 0.0)

        def loss(output: Tensor, lse: Tensor, weights: Tensor = weights, more: Tensor = more) -> Tensor:
            return (output.double() * weights).sum() + (lse.double().clamp(min=-1e9) * more).sum()

        found = torch.autograd.grad(loss(output, amap.lse), (q, k, v))  # type: ignore[attr-defined]
        gradients = torch.autograd.grad(loss(wanted, lse), exact)
        pairs = [(output, wanted), (amap.lse.masked_fill(none, 0.0), lse.masked_fill(none, 0.0))]  # type: ignore[attr-defined]
        for one, other in [*pairs, *zip(found, gradients, strict=True)]:
            torch.testing.assert_close(
                one.double(), other, rtol=close, atol=close * (1 + float(other.detach().abs().max()))
            )


def computed(rule: ScoreRule, q: Tensor, k: Tensor) -> tuple[Tensor, set[int]]:
    """How often each (batch, head, query, key) is computed, and the heights of blocks."""
    count = torch.zeros(*q.shape[:3], k.shape[2])
    sizes = set()
    for call in calls.calls_under(rule, q, k)():
        row, column = (place.numbers(q.device) for place in (call.rows, call.columns))
        part = call.own(count)
        for rows, columns in zip(row, column, strict=True):
            square = torch.ones(len(rows), len(columns))
            part[:, :, rows[:, None], columns] += square.tril() if call.causal else square
        sizes.add(call.rows.length)
    return count, sizes


def check_tiles(mask: Mask, q: Tensor, k: Tensor) -> None:
    """No tile is computed that the mask calls EMPTY, and every pair that may attend is computed, once."""
    queries, keys = q.shape[2], k.shape[2]
    rule = ScoreRule(1.0, mask.bind(queries, keys))
    count, sizes = computed(rule, q, k)
    allowed = mask.dense(queries, keys).expand(count.shape)
    assert (count <= 1).all()
    assert (count[allowed] == 1).all(), "a pair that may attend is left out"
    # One height was chosen, save for the last block, which may be shorter.
    height = -(-max(sizes, default=1) // calls._SIDE) * calls._SIDE
    if sizes and height < queries:
        tiles = mask.tiles(queries, keys, (height, calls._SIDE)).expand(*count.shape[:2], -1, -1)
        empty = (tiles == Tile.EMPTY).repeat_interleave(height, 2).repeat_interleave(calls._SIDE, 3)
        assert not count[empty[..., :queries, :keys]].any(), "an empty tile is computed"
    # Then the smallest blocks are the cheapest. Keys that all queries see are read in one run.
    if calls._PRICE == calls._COPY == 0 and not rule.is_same_for_all_queries:
        tiles = (mask.tiles(queries, keys, SIDE) > 0).expand(*count.shape[:2], -1, -1)
        needed = tiles.repeat_interleave(SIDE, 2).repeat_interleave(SIDE, 3)[..., :queries, :keys]
        last = SIDE * keys * count.shape[0] * count.shape[1]  # the last block may be shorter than its price
        assert count.sum() <= needed.sum() + last, "an empty tile is computed"


@pytest.mark.parametrize("name", MASKS)
def test_empty_tiles_are_left_out(name: str) -> None:
    q, k, _ = tensors(torch.float32)
    check_tiles(MASKS[name], q, k)


RULES = st.sampled_from([mask for name, mask in MASKS.items() if name != "explicit"])


def composed(inner: st.SearchStrategy[Mask]) -> st.SearchStrategy[Mask]:
    pairs = [st.builds(combine, inner, inner) for combine in (operator.and_, operator.or_)]
    return st.one_of(*pairs, st.builds(operator.invert, inner))


@settings(max_examples=30)
@given(st.recursive(RULES, composed, max_leaves=4), st.integers(1, QUERIES))
def test_any_composition(mask: Mask, queries: int) -> None:
    q, k, v = tensors(torch.float64, queries)
    check_tiles(mask, q, k)
    found = ch.attention(q, k, v, mask=mask)
    torch.testing.assert_close(found, dense(q, k, v, mask, None)[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("small_tiles", ["whole", "parts"], indirect=True)
def test_a_missing_tile_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, _ = tensors(torch.float32)
    whole = calls._Tiles.groups
    monkeypatch.setattr(calls._Tiles, "groups", lambda self, *settings: list(whole(self, *settings))[1:])
    with pytest.raises(AssertionError, match="is left out"):
        check_tiles(MASKS["band"], q, k)


def test_an_empty_tile_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, _ = tensors(torch.float32)
    seen = calls._Tiles.of_blocks
    monkeypatch.setattr(calls._Tiles, "of_blocks", lambda self, *x: seen(self, *x) | True)
    monkeypatch.setattr(calls._Tiles, "cost", lambda self, *x: 0.0)
    with pytest.raises(AssertionError, match="an empty tile is computed"):
        check_tiles(MASKS["band"], q, k)


@pytest.mark.parametrize("small_tiles", ["parts"], indirect=True)
@pytest.mark.parametrize("name", ["global", "longformer", "big bird"])
def test_parts_copy_only_what_is_scattered(name: str) -> None:
    q, k, _ = tensors(torch.float32)
    number = torch.arange(KEYS)
    near = (number[:, None] - number).abs() <= 3
    near[:, [0, -1]] = True
    masks = MASKS | {"longformer": Window(5, 5) | Global([0]), "big bird": Explicit(near[:QUERIES])}
    found = list(calls.calls_under(ScoreRule(1.0, masks[name].bind(QUERIES, KEYS)), q, k)())
    assert {call.part for call in found} >= {0, 1}
    assert all(call.columns.copied == 0 for call in found if call.part == 0 and len(call.rows) > 2)
    shared = [call for call in found if call.part == 1 and len(call.rows) > 2]
    assert shared
    assert all(call.columns.copied <= call.columns.length for call in shared)


@pytest.mark.parametrize("small_tiles", ["whole"], indirect=True)
@pytest.mark.parametrize("name", ["band", "global", "blocks by head", "documents by text"])
def test_leaving_nothing_out_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, _ = tensors(torch.float32)
    monkeypatch.setattr(calls, "_SMALL", 10**9)
    with pytest.raises(AssertionError, match="an empty tile is computed"):
        check_tiles(MASKS[name], q, k)


@pytest.mark.parametrize("name", MASKS)
def test_the_backward_pass_computes_the_same_tiles(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, v = tensors(torch.float32)
    found: dict[str, list[tuple[int, ...]]] = {"_run": [], "_run_backward": []}
    for way, seen in found.items():
        whole = getattr(fused, way)

        def count(call: calls.KernelCall, *rest: Any, whole: Any = whole, seen: Any = seen) -> Any:
            q, k = rest[0][:2] if isinstance(rest[0], list) else rest[:2]
            seen.append((*q.shape[:3], k.shape[2], call.rows.starts[0]))
            return whole(call, *rest)

        monkeypatch.setattr(fused, way, count)
    ch.attention(q, k, v, mask=MASKS[name]).sum().backward()
    assert found["_run"] == found["_run_backward"]
    assert len(found["_run"]) > 0 or name == "nothing"


@pytest.mark.parametrize("small_tiles", ["whole"], indirect=True)
@pytest.mark.parametrize("lengths", [[19, 1, 30, 0, 33], [[19, 64], [83]]], ids=["one row", "by text"])
@pytest.mark.parametrize("causal", [False, True])
def test_packed_documents_are_one_call_each(lengths: list[Any], causal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "_FEW", 1)
    rows = lengths if isinstance(lengths[0], list) else [lengths]
    ids = torch.stack([torch.repeat_interleave(torch.arange(len(row)), torch.tensor(row)) for row in rows])
    mask = Documents(ids) & Causal() if causal else Documents(ids)
    q, k, v = tensors(torch.float64, KEYS, KEYS)
    found = list(calls.calls_under(ScoreRule(1.0, mask.bind(KEYS, KEYS)), q, k)())
    assert [call.rows.length for call in found] == [n for row in rows for n in row if n]
    assert all(call.added is None and call.causal == (causal and call.rows.length > 1) for call in found)
    count, _ = computed(ScoreRule(1.0, mask.bind(KEYS, KEYS)), q, k)
    assert torch.equal(count, mask.dense(KEYS, KEYS).expand(count.shape).float())
    output, amap = ch.attend(q, k, v, mask=mask)
    wanted, lse = dense(q, k, v, mask, None)
    assert isinstance(amap, FactoredMap)
    torch.testing.assert_close(amap.lse, lse)
    torch.testing.assert_close(output, wanted)
    loss = torch.randn_like(output)
    for one, other in zip(*(torch.autograd.grad((x * loss).sum(), (q, k, v)) for x in (output, wanted)), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("small_tiles", ["whole"], indirect=True)
def test_packed_documents_with_something_added_are_cut_into_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "_FEW", 1)
    q, k, v = tensors(torch.float64, KEYS, KEYS)
    mask = Documents.from_lengths([19, 1, 30, 33]) & Causal()
    for setting in ({"bias": ch.ALiBi(HEADS)}, {"bias": torch.randn(1, HEADS, 1, KEYS)}, {"scale": 0.0}):
        found = ch.attention(q, k, v, mask=mask, **setting)
        exact = ch.attention(q, k, v, mask=Explicit(mask.dense(KEYS, KEYS)), **setting)
        torch.testing.assert_close(found, exact)


def test_texts_that_end_at_different_places() -> None:
    q, k, v = tensors(torch.float64)
    for mask in (
        Padding([31, KEYS]),
        Padding([0, 5]),
        Padding(torch.arange(KEYS) % torch.tensor([[3], [50]]) > 0),
        Padding(torch.arange(KEYS) >= torch.tensor([[0], [67]])),
    ):
        output, amap = ch.attend(q, k, v, mask=mask)
        wanted, lse = dense(q, k, v, mask, None)
        torch.testing.assert_close(output, wanted, rtol=0, atol=1e-12)
        assert isinstance(amap, FactoredMap)
        torch.testing.assert_close(amap.lse, lse, rtol=0, atol=1e-12)
    found = list(calls.calls_under(ScoreRule(1.0, Padding([31, KEYS]).bind(QUERIES, KEYS)), q, k)())
    assert [(call.text, call.columns.length, call.added) for call in found] == [(0, 31, None), (1, KEYS, None)]


def test_a_scale_of_zero_is_the_mean_of_what_is_seen() -> None:
    q, k, v = tensors(torch.float64, 7, 7)
    found = ch.attention(q, k, v, mask=Causal(), scale=0.0)
    wanted = v.cumsum(2) / torch.arange(1, 8)[:, None]
    torch.testing.assert_close(found, wanted.repeat_interleave(HEADS // KV_HEADS, 1))


@pytest.mark.parametrize("mask", [Window(5, 0), Window(5, 0) | Global([0]), Padding([31, KEYS])], ids=repr)
def test_a_detached_map_of_a_trained_bias(mask: Mask) -> None:
    q, k, v = tensors(torch.float64)
    amap = ch.attend(q, k, v, mask=mask, bias=ch.RelativeBias(HEADS).double())[1].detach()
    weights = amap.dense()
    torch.testing.assert_close(amap.received(), weights.sum(2))
    torch.testing.assert_close(
        amap.apply(v.repeat_interleave(HEADS // KV_HEADS, 1)), weights @ v.repeat_interleave(HEADS // KV_HEADS, 1)
    )


@pytest.mark.parametrize("small_tiles", ["whole", "parts"], indirect=True)
def test_keys_of_a_band_are_read_where_they_lie() -> None:
    q, k, _ = tensors(torch.float32)
    found = list(calls.calls_under(ScoreRule(1.0, MASKS["band"].bind(QUERIES, KEYS)), q, k)())
    inside = [call for call in found if len(call.rows) > 2]
    assert inside
    for call in inside:
        assert call.columns.index is None
        assert call.columns.take(call.own(k, 2)).untyped_storage().data_ptr() == k.untyped_storage().data_ptr()
        assert call.added is not None
        assert call.added.shape[0] == 1  # one mask for all of them


@pytest.mark.parametrize(
    "places",
    [
        over(range(3, 8)),
        Places((2,), 3, torch.tensor([[2, 5, 6]])),
        Places((1, 3, 5), 4),
        Places((0, 4, 8), 4),
        Places((5, 5), 3),
        Places((0, 7, 9), 2),
        Places((0, 0), 3, torch.tensor([[0, 2, 4], [1, 2, 11]])),
    ],
    ids=["run", "some", "overlapping", "next to each other", "the same", "apart", "some of each"],
)
def test_places(places: Places) -> None:
    x = torch.randn(1, 2, 13, 3)
    numbers = places.numbers(x.device)
    wanted = torch.stack([x[0, :, place] for place in numbers])
    assert torch.equal(places.take(x), wanted)
    total, expected = torch.zeros_like(x), torch.zeros_like(x)
    places.add(total, wanted)
    for place, part in zip(numbers, wanted, strict=True):
        expected[0, :, place] += part
    torch.testing.assert_close(total, expected)
    if len(numbers.unique()) == numbers.numel():
        into = torch.zeros_like(x)
        places.put(into, wanted)
        assert torch.equal(into, expected)


def test_gradients_of_gradients_through_blocks() -> None:
    q, k, v = tensors(torch.float64, 7, 11)
    q, k, v = (x[:1, :2].detach().requires_grad_() for x in (q, k, v))

    def output(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return ch.attention(q, k, v, mask=Window(1, 2) | Global([0]))

    assert torch.autograd.gradcheck(output, (q, k, v), fast_mode=True)
    assert torch.autograd.gradgradcheck(output, (q, k, v), fast_mode=True)
