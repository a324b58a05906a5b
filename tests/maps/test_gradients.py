"""Gradients flow through the map's weights and statistics, and nothing of n×n is kept for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import oracle
import pytest
import torch
from attention_oracle import Sizes, assert_close, make
from torch import Tensor

import clearhead as ch
from clearhead.positions import RelativeBias

GROUPS = [[0], [2, 5, 6]]
COLUMNS = torch.randn(1, 1, 17, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def _mass(weights: Tensor) -> Tensor:
    return torch.stack([weights[..., members].sum(-1) for members in GROUPS], -1)


def _topk(weights: Tensor) -> Tensor:
    best = weights.topk(3)
    return best.values.masked_fill(best.values == 0, 0.0)


STATISTICS: dict[str, tuple[Callable[[Any], Tensor], Callable[[Tensor], Tensor]]] = {
    "entropy": (lambda m: m.entropy(), lambda w: -(w * w.masked_fill(w == 0, 1.0).log()).sum(-1)),
    "received": (lambda m: m.received(), lambda w: w.sum(-2)),
    "apply": (lambda m: m.apply(COLUMNS), lambda w: w @ COLUMNS),
    "mean distance": (lambda m: m.distance().mean, lambda w: oracle.distance(w)[0]),
    "signed distance": (lambda m: m.distance().signed, lambda w: oracle.distance(w)[1]),
    "mass": (lambda m: m.mass(GROUPS), _mass),
    "top-k": (lambda m: m.topk(3).weights, _topk),
    "pooled mean": (lambda m: m.pooled(4), lambda w: oracle.pooled(w, 4, "mean")),
    "pooled maximum": (lambda m: m.pooled(4, "max"), lambda w: oracle.pooled(w, 4, "max")),
    "a row": (lambda m: m[1, 2, 3], lambda w: w[1, 2, 3]),
    "a tile": (lambda m: m[:, 2, 3:7, ::3], lambda w: w[:, 2, 3:7, ::3]),
    "points": (lambda m: m[0, [1, 2], [3, 5], [7, 0]], lambda w: w[0, [1, 2], [3, 5], [7, 0]]),
    "all of it": (lambda m: m.dense(), lambda w: w),
}

CALLS: dict[str, dict[str, Any]] = {
    "plain": {},
    "causal": {"mask": "causal"},
    "padding": {"mask": "padding"},
    "either": {"mask": "either"},
    "ALiBi": {"mask": "causal", "bias": "ALiBi"},
    "bias": {"bias": "bias"},
    "softcap": {"mask": "causal", "softcap": 1.5},
    "sinks": {"sinks": torch.zeros(6, dtype=torch.float64)},
    "sigmoid": {"mask": "padding", "normalizer": "sigmoid"},
}


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("kind", CALLS)
def test_gradients_of_every_statistic(kind: str, statistic: str) -> None:
    call = make(**CALLS[kind])
    q, k, v = call.tensors
    found = STATISTICS[statistic][0](ch.attend(q, k, v, **call.settings)[1])
    wanted = STATISTICS[statistic][1](call.weights)
    assert_close(found, wanted, torch.float64, statistic)
    wish = torch.randn_like(wanted)
    for name, a, b in zip(
        "qk",
        torch.autograd.grad(found, (q, k), wish),
        torch.autograd.grad(wanted, call.exact[:2], wish),
        strict=True,
    ):
        assert_close(a, b, torch.float64, f"gradient of {name}")


def test_the_spread_has_a_gradient_too() -> None:
    # Apart, since the reference's root has none where all of a row's weight lies on one key.
    call = make()
    q, k, v = call.tensors
    found, wanted = ch.attend(q, k, v)[1].distance().spread, oracle.distance(call.weights)[2]
    for a, b in zip(
        torch.autograd.grad(found.sum(), (q, k)), torch.autograd.grad(wanted.sum(), call.exact[:2]), strict=True
    ):
        assert_close(a, b, torch.float64, "spread")
    one = make("causal", sizes=Sizes(queries=13, keys=13))
    spread = ch.attend(*one.tensors, mask=ch.Causal())[1].distance().spread
    assert torch.autograd.grad(spread.sum(), one.tensors[0])[0].isfinite().all()


@pytest.mark.parametrize("statistic", ["entropy", "received", "apply", "a row", "top-k"])
def test_gradients_of_what_else_is_trained(statistic: str) -> None:
    q, k, v = (torch.randn(2, 6, n, 5, dtype=torch.float64) for n in (13, 17, 17))
    bias = torch.randn(1, 6, 13, 17, dtype=torch.float64, requires_grad=True)
    sinks = torch.randn(6, dtype=torch.float64, requires_grad=True)
    relative = RelativeBias(6, buckets=8, furthest=11).double()
    amap = ch.attend(q, k, v, bias=bias, sinks=sinks)[1]
    by_position = ch.attend(q, k, v, bias=relative)[1]
    scores = q @ k.mT * 5**-0.5
    total = torch.cat([scores + bias, sinks[:, None, None].expand(2, -1, 13, 1)], -1)
    table = relative.tile(torch.arange(4, 17), torch.arange(17))
    for one, weights, trained in (
        (amap, total.softmax(-1)[..., :-1], (bias, sinks)),
        (by_position, (scores + table).softmax(-1), (relative.table,)),
    ):
        found, wanted = STATISTICS[statistic][0](one), STATISTICS[statistic][1](weights)
        wish = torch.randn_like(wanted)
        for a, b in zip(
            torch.autograd.grad(found, trained, wish), torch.autograd.grad(wanted, trained, wish), strict=True
        ):
            assert_close(a, b, torch.float64, statistic)


def test_gradcheck_of_an_entropy_penalty_and_a_supervised_row() -> None:
    q, k, v = (torch.randn(1, 2, n, 3, dtype=torch.float64, requires_grad=True) for n in (5, 7, 7))

    def loss(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        output, amap = ch.attend(q, k, v, mask=ch.Causal())
        return output.square().sum() + 0.1 * amap.entropy().mean() - amap[0, 1, 3, 4].log()

    torch.autograd.gradcheck(loss, (q, k, v), fast_mode=True)


def kept_for_backward(make_loss: Callable[[], Tensor]) -> tuple[Tensor, int]:
    """The loss, and the bytes of all tensors that its graph holds on to, each storage once."""
    storages: dict[int, int] = {}
    held = []

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        held.append(tensor)  # so that no address is used twice
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = make_loss()
    return loss, sum(storages.values())


@pytest.mark.parametrize("statistic", ["entropy", "received", "apply", "mean distance", "mass", "top-k", "pooled mean"])
@pytest.mark.parametrize("kind", ["plain", "softcap", "bias"])
def test_nothing_of_queries_times_keys_is_kept(kind: str, statistic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from clearhead.mechanisms import streamed

    monkeypatch.setattr(streamed, "_SCORES", 2**16)  # several blocks, as a long map has
    n, width = 769, 8
    q, k, v = (torch.randn(1, 2, n, width, dtype=torch.float64, requires_grad=True) for _ in range(3))
    settings: dict[str, Any] = {"softcap": {"softcap": 2.0}, "bias": {"bias": ch.RelativeBias(2).double()}}.get(
        kind, {}
    )
    monkeypatch.setitem(globals(), "COLUMNS", torch.randn(1, 1, n, 3, dtype=torch.float64))

    def loss() -> Tensor:
        output, amap = ch.attend(q, k, v, mask=ch.Causal(), **settings)
        return output.sum() + STATISTICS[statistic][0](amap).sum()

    found, kept = kept_for_backward(loss)
    assert kept < 40 * q.nbytes < 2 * n * n * 8
    found.backward()


def test_the_count_of_what_is_kept_notices() -> None:
    q = torch.randn(1, 2, 769, 8, dtype=torch.float64, requires_grad=True)
    kept = kept_for_backward(lambda: (q @ q.mT).softmax(-1).square().sum())[1]
    assert kept > 2 * 769 * 769 * 8
