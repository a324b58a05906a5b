"""Maps under sparse masks: the same numbers, and tiles that the mask forbids are not computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

import clearhead as ch
from clearhead.maps import factored
from clearhead.masks import (
    Causal,
    Documents,
    Explicit,
    Mask,
    Padding,
    Window,
    big_bird,
    longformer,
    strided,
)
from clearhead.mechanisms import calls, fused, streamed

N, HEADS, KV_HEADS, SIDE = 103, 4, 2, 8
SEEDED = torch.Generator().manual_seed(0)
MASKS: dict[str, Mask] = {
    "band": Causal() & Window(17, 0),
    "longformer": longformer(12, [0, 71]),
    "big bird": big_bird(N, block=SIDE, heads=HEADS),
    "strided": strided(31),
    "documents": Causal() & Documents(torch.stack([torch.arange(N) // 19, torch.arange(N) // 23])),
    "shuffled documents": Documents(torch.arange(N) * 37 % 41),
    "padding": Window(9, 3) & Padding([61, N]),
    "random": Explicit(torch.rand(N, N, generator=SEEDED) < 0.01),
    "nothing": Window(0, 0) & ~Causal(),
}
KINDS: dict[str, dict[str, Any]] = {
    "softmax": {},
    "bias": {"bias": torch.randn(1, HEADS, N, N, generator=SEEDED)},
    "bias of keys": {"bias": torch.randn(2, 1, 1, N, generator=SEEDED)},
    "ALiBi": {"bias": ch.ALiBi(HEADS)},
    "softcap": {"softcap": 1.5},
    "entmax": {"normalizer": "entmax15"},
    "sigmoid": {"normalizer": "sigmoid"},
    "sinks": {"sinks": torch.tensor([0.0, 1.0, -1.0, 2.0])},
}


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(calls, "_SIDE", SIDE)
    monkeypatch.setattr(calls, "_SMALL", 0)
    monkeypatch.setattr(calls, "_PRICE", 0)
    monkeypatch.setattr(calls, "_COPY", 0)
    return


def tensors(n: int = N) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    shapes = (HEADS, n, 5), (KV_HEADS, n, 5), (KV_HEADS, n, 5)
    q, k, v = (torch.randn(2, *shape, generator=generator) for shape in shapes)
    return q, k, v


def reference(q: Tensor, k: Tensor, mask: Mask, settings: dict[str, Any]) -> Tensor:
    """All weights in float64, from a map that holds the mask as a tensor and computes every pair."""
    dense = mask.dense(q.shape[2], k.shape[2])
    given = {name: x.double() if isinstance(x, Tensor | ch.Bias) else x for name, x in settings.items()}
    everything = torch.meshgrid(*(torch.arange(n) for n in (*q.shape[:3], k.shape[2])), indexing="ij")
    amap = ch.attend(q.double(), k.double(), k.double(), mask=dense, **given)[1]
    return amap.points(*everything)


WEIGHTS = torch.rand(2, HEADS, N, generator=SEEDED)


def _pooled(weights: Tensor) -> Tensor:
    return torch.nn.functional.pad(weights, (0, -N % 16, 0, -N % 16)).unflatten(3, (-1, 16)).unflatten(2, (-1, 16))


def _mean(weights: Tensor) -> Tensor:
    counts = torch.bincount(torch.arange(N) // 16).double()
    return _pooled(weights).sum((3, 5)) / (counts[:, None] * counts)


def _distance(weights: Tensor) -> Tensor:
    far = (torch.arange(N)[:, None] - torch.arange(N)).abs().double()
    total = weights.sum(-1)
    return (weights * far).sum(-1) / total.masked_fill(total == 0, 1.0)


STATISTICS: dict[str, tuple[Callable[[Any], Tensor], Callable[[Tensor], Tensor]]] = {
    "rows": (lambda m: m[:, :, 100], lambda w: w[:, :, 100]),
    "tiles": (lambda m: m.dense(), lambda w: w),
    "top-k": (lambda m: m.topk(3).weights, lambda w: w.topk(3).values),
    "entropy": (lambda m: m.entropy(), lambda w: -(w * w.masked_fill(w == 0, 1.0).log()).sum(-1)),
    "distance": (lambda m: m.distance().mean, _distance),
    "received": (lambda m: m.received(), lambda w: w.sum(-2)),
    "received by weight": (lambda m: m.received(WEIGHTS), lambda w: (w * WEIGHTS[..., None]).sum(-2)),
    "pooled": (lambda m: m.pooled(16), _mean),
    "maxima": (lambda m: m.pooled(16, "max"), lambda w: _pooled(w).amax((3, 5))),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", MASKS)
def test_every_statistic_under_every_mask(name: str, kind: str) -> None:
    q, k, v = tensors()
    amap = ch.attend(q, k, v, mask=MASKS[name], **KINDS[kind])[1]
    weights = reference(q, k, MASKS[name], KINDS[kind])
    for statistic, (ours, theirs) in STATISTICS.items():
        found, wanted = ours(amap), theirs(weights)
        worst = float((found - wanted).abs().max() / wanted.abs().max().clamp(min=1.0))
        assert worst < 2e-5, statistic
    keys = amap.topk(3).keys
    assert torch.equal(keys >= 0, amap.topk(3).weights > 0)
    if kind not in ("sigmoid", "sinks"):
        assert amap.check().ok()


@pytest.mark.parametrize("kind", ["softmax", "softcap", "bias"])
@pytest.mark.parametrize("name", ["band", "longformer", "big bird", "documents", "random", "nothing"])
def test_gradients_under_every_mask(name: str, kind: str) -> None:
    q, k, v = (x.double().requires_grad_() for x in tensors())
    settings = {name: x.double() if isinstance(x, Tensor) else x for name, x in KINDS[kind].items()}
    output, amap = ch.attend(q, k, v, mask=MASKS[name], **settings)
    groups = HEADS // KV_HEADS
    scores = q @ k.repeat_interleave(groups, 1).mT * 5**-0.5
    if "softcap" in settings:
        scores = 1.5 * torch.tanh(scores / 1.5)
    scores = scores + settings.get("bias", torch.zeros(()))
    # A row that sees nothing has weights and gradients 0.
    allowed = MASKS[name].dense(N, N)
    weights = scores.masked_fill(~allowed, -1e30).softmax(-1).masked_fill(~allowed, 0.0)
    pairs = [(output, weights @ v.repeat_interleave(groups, 1))]
    pairs += [(ours(amap), theirs(weights)) for ours, theirs in STATISTICS.values()]
    for number, (found, wanted) in enumerate(pairs):
        wish = torch.randn(wanted.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(number))
        worst = [
            float((a - b).abs().max())
            for a, b in zip(
                torch.autograd.grad(found, (q, k), wish, retain_graph=True, materialize_grads=True),
                torch.autograd.grad(wanted, (q, k), wish, retain_graph=True),
                strict=True,
            )
        ]
        assert max(worst) < 1e-9, ("output", *STATISTICS)[number]


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pairs of each head each call computed, by plain operations or by the kernel."""
    found: list[int] = []
    scores, run, product = streamed.tile_scores, fused._run, factored.product

    def count_scores(rule: Any, q: Tensor, k: Tensor, *rest: Any) -> Tensor:
        found.append(q.shape[0] * q.shape[2] * k.shape[2])
        return scores(rule, q, k, *rest)

    def count_run(call: Any, q: Tensor, k: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
        found.append(q.shape[0] * q.shape[1] * q.shape[2] * k.shape[2] // HEADS)
        return run(call, q, k, *rest)

    def count_product(a: Tensor, b: Tensor) -> Tensor:  # of single rows
        found.append(a.shape[0] * a.shape[1] * a.shape[2] * b.shape[-1] // HEADS)
        return product(a, b)

    monkeypatch.setattr(factored, "tile_scores", count_scores)
    monkeypatch.setattr(streamed, "tile_scores", count_scores)
    monkeypatch.setattr(factored, "product", count_product)
    monkeypatch.setattr(fused, "_run", count_run)
    return found


def needed(mask: Mask) -> int:
    """Pairs of each head, of both texts, in tiles that are not EMPTY."""
    return int((mask.tiles(N, N, SIDE) > 0).expand(2, HEADS, -1, -1).sum()) * SIDE**2 // HEADS


@pytest.mark.parametrize("learns", [False, True])
@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("name", ["band", "longformer", "big bird", "documents"])
def test_tiles_that_the_mask_forbids_are_not_computed(
    name: str, statistic: str, learns: bool, computed: list[int]
) -> None:
    q, k, v = (x.requires_grad_(learns) for x in tensors())
    mask = big_bird(N, block=SIDE) if name == "big bird" else MASKS[name]
    for settings in ({}, {"softcap": 2.0}):
        amap = ch.attend(q, k, v, mask=mask, **settings)[1]
        assert amap.lse.shape == (2, HEADS, N)  # computed now, not within the statistic
        computed.clear()
        STATISTICS[statistic][0](amap)
        most = 2 * N if statistic == "rows" else 1.3 * needed(mask) + 2 * N * SIDE
        if statistic == "distance":  # besides, tiles on the diagonal, as wide as a bucket of keys, of which there are 3
            most += 2 * N * -(-N // 3)
        assert 0 < sum(computed) <= most


@pytest.mark.parametrize("settings", [{"softcap": 2.0}, {"normalizer": "entmax15"}, {"dropout": 0.1}], ids=repr)
@pytest.mark.parametrize("name", ["band", "longformer", "big bird", "documents"])
def test_what_is_streamed_leaves_them_out_too(name: str, settings: dict[str, Any], computed: list[int]) -> None:
    q, k, v = tensors()
    mask = big_bird(N, block=SIDE) if name == "big bird" else MASKS[name]
    ch.attention(q, k, v, mask=mask, **settings)
    assert 0 < sum(computed) <= 1.3 * needed(mask)
    share = ch.explain(q, k, v, mask=mask, **settings).share
    assert abs(share - sum(computed) / (2 * N * N)) < 1e-6


@pytest.mark.parametrize("small", [0, 10**9], ids=["in tiles", "whole"])
@pytest.mark.parametrize("statistic", STATISTICS)
def test_where_nothing_may_be_seen(statistic: str, small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "_SMALL", small)
    q, k, v = (x.requires_grad_() for x in tensors())
    amap = ch.attend(q, k, v, mask=Window(0, 0) & ~Causal())[1]
    found = STATISTICS[statistic][0](amap)
    assert not found.any()
    if found.requires_grad:
        gradients = torch.autograd.grad(found.sum(), (q, k), allow_unused=True)
        assert not any(x is not None and x.any() for x in gradients)


def test_a_row_of_a_window_computes_its_window(computed: list[int]) -> None:
    q, k, v = tensors()
    amap = ch.attend(q, k, v, mask=MASKS["band"])[1]
    assert amap.lse.shape == (2, HEADS, N)  # computed now, not with the row
    computed.clear()
    row = amap[0, 1, 100]
    assert 0 < sum(computed) <= 18 + 2 * SIDE
    assert int((row > 0).sum()) == 18


def test_padding_alone_leaves_out_what_no_text_has(computed: list[int]) -> None:
    q, k, v = tensors()
    ch.attention(q, k, v, mask=Padding([30, 50]))
    assert sum(computed) == N * (30 + 50)
    assert ch.explain(q, k, v, mask=Padding([30, 50])).pairs == N * 40


def test_the_count_notices(computed: list[int]) -> None:
    q, k, v = tensors()
    amap = ch.attend(q, k, v, mask=torch.ones(N, N, dtype=torch.bool))[1]
    amap.received()
    amap.pooled(16, "max")
    assert sum(computed) >= 2 * 2 * N * N
