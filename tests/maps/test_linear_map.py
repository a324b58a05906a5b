"""The map of linear attention against all its weights, written out in float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from linear_oracle import differs_by, elu, weights_of
from memory import Largest
from oracle import STATISTICS
from torch import Tensor

import clearhead as ch
from clearhead import LinearMap, PositiveRandomFeatures, linear_attend, linear_attention
from clearhead.errors import InputError, StaleMapError
from clearhead.mechanisms.linear_request import prepare_linear

PHI = PositiveRandomFeatures(5, 11)
ROOT = 5**-0.25
CASES = {
    "whole": {},
    "whole, random": {"feature_map": PHI},
    "causal": {"causal": True},
    "decay by head": {"causal": True, "decay": torch.tensor([0.5, 0.9, 1.0], dtype=torch.float64)},
    "decay by token": {"causal": True, "decay": torch.rand(2, 3, 29, dtype=torch.float64) * 0.9 + 0.1},
    "decay by feature": {"causal": True, "decay": torch.rand(2, 3, 29, 5, dtype=torch.float64) * 0.9 + 0.1},
    "random, decay by feature": {
        "causal": True,
        "feature_map": PHI,
        "decay": torch.rand(2, 3, 29, 11, dtype=torch.float64) * 0.9 + 0.1,
    },
    "padding": {"mask": ch.Padding([29, 17]), "causal": True},
    "not normalized": {"causal": True, "normalize": False},
}


def make(options: dict[str, Any], dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """q, k, v and the weights that they should have."""
    q, k, v = torch.randn(2, 6, 29, 5), torch.randn(2, 3, 29, 5), torch.randn(2, 3, 29, 7)
    q, k, v = (x.to(dtype) for x in (q, k, v))
    shared = k.repeat_interleave(2, 1).double()
    decay = options.get("decay")
    if decay is not None:
        decay = decay[None, :, None, None].expand(2, -1, 29, 1) if decay.dim() == 1 else decay
        decay = (decay[..., None] if decay.dim() == 3 else decay).repeat_interleave(2, 1)
    features = (elu(q.double()), elu(shared)) if "feature_map" not in options else (PHI(q * ROOT), PHI(shared * ROOT))
    present = None
    if "mask" in options:
        present = torch.arange(29) < torch.tensor([29, 17])[:, None]
    weights = weights_of(
        *features,
        causal=options.get("causal", False),
        decay=decay,
        present=present,
        normalize=options.get("normalize", True),
    )
    return q, k, v, weights


@pytest.mark.parametrize("case", CASES)
def test_every_statistic(case: str) -> None:
    q, k, v, weights = make(CASES[case])
    output, amap = linear_attend(q, k, v, **CASES[case])
    assert differs_by(output, weights @ v.repeat_interleave(2, 1)) < 1e-12
    for statistic in STATISTICS.values():
        statistic(amap, weights, 1e-10)
    assert amap.check().row_sum < 1e-12


@pytest.mark.parametrize("case", ["causal", "whole", "decay by token"])
def test_low_precision_is_exact_for_the_q_and_k_it_holds(case: str) -> None:
    q, k, v, weights = make(CASES[case], torch.bfloat16)
    _, amap = linear_attend(q, k, v, **CASES[case])
    assert amap.dtype == torch.float32
    for statistic in STATISTICS.values():
        statistic(amap, weights, 2e-5)


@pytest.mark.parametrize(("queries", "keys"), [(7, 29), (29, 7)])
@pytest.mark.parametrize("causal", [True, False])
def test_other_lengths(queries: int, keys: int, causal: bool) -> None:
    q, k = torch.randn(1, 2, queries, 5).double(), torch.randn(1, 2, keys, 5).double()
    weights = weights_of(elu(q), elu(k), causal=causal)
    _, amap = linear_attend(q, k, k, causal=causal)
    for statistic in STATISTICS.values():
        statistic(amap, weights, 1e-10)


def test_heads_chosen_and_moved() -> None:
    q, k, v, weights = make(CASES["decay by token"])
    _, amap = linear_attend(q, k, v, **CASES["decay by token"])
    assert differs_by(amap.select_heads([4, 1]).dense(), weights[:, [4, 1]]) < 1e-12
    assert differs_by(amap.select_heads([4, 1]).received(), weights[:, [4, 1]].sum(2)) < 1e-12
    assert differs_by(amap.cpu().dense(), weights) < 1e-12
    assert set(amap.tensors()) == {"q", "k", "log_decay", "sums"}


def test_weights_of_any_sign() -> None:
    q, k, v, _ = make({})
    output, amap = linear_attend(q, k, v, feature_map="none", causal=True)
    weights = weights_of(q * 5**-0.5, k.repeat_interleave(2, 1), causal=True, normalize=False)
    assert differs_by(amap.dense(), weights) < 1e-12
    assert differs_by(amap.apply(v.repeat_interleave(2, 1)), output) < 1e-12
    assert amap.entropy().isnan().any()
    assert amap.check().row_sum == 0


def test_gradients_flow_through_the_map() -> None:
    q, k = make({})[:2]
    leaves = [q[:1, :2, :5].clone().requires_grad_(), k[:1, :1, :5].clone().requires_grad_()]

    def function(q: Tensor, k: Tensor) -> tuple[Tensor, ...]:
        amap = linear_attend(q, k, k, causal=True, decay=0.7)[1]
        return amap.entropy(), amap.received(), amap[0, 1, 3], amap.distance().mean

    assert torch.autograd.gradcheck(function, leaves, fast_mode=True)
    _, amap = linear_attend(*leaves, leaves[1])
    with torch.no_grad():
        assert not amap.entropy().requires_grad
    assert amap.entropy().requires_grad
    assert not amap.detach().entropy().requires_grad


@pytest.mark.parametrize("feature_map", ["elu", PHI], ids=str)
@pytest.mark.parametrize("causal", [True, False])
def test_gradients_of_distances_and_of_maxima(causal: bool, feature_map: Any) -> None:
    q, k = make({})[:2]
    leaves = [q[:1, :2, :7].clone().requires_grad_(), k[:1, :1, :7].clone().requires_grad_()]

    def function(q: Tensor, k: Tensor) -> tuple[Tensor, ...]:
        amap = linear_attend(q, k, k, causal=causal, feature_map=feature_map)[1]
        return *amap.distance(), amap.pooled(3, "max")  # a causal map's first row has no spread

    assert torch.autograd.gradcheck(function, leaves, fast_mode=True)
    amap = linear_attend(*leaves, leaves[1], causal=causal, feature_map=feature_map)[1]
    assert torch.equal(amap.pooled(3, "max"), amap.detach().pooled(3, "max"))


def test_rows_of_one_key_have_no_spread_and_no_gradient_of_it() -> None:
    q, k = torch.randn(2, 1, 1, 1001, 3)
    spread = linear_attend(q.requires_grad_(), k, k, causal=True)[1].distance().spread
    assert spread[0, 0, 0] == 0
    (gradient,) = torch.autograd.grad(spread[0, 0, :2].sum(), q)
    assert not gradient[0, 0, 0].any()
    assert gradient[0, 0, 1].any()


@pytest.mark.parametrize("learns", [False, True])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("feature_map", ["elu", PHI], ids=str)
@pytest.mark.parametrize("sizes", [(0, 2, 5, 5), (1, 2, 0, 5), (1, 2, 5, 0), (1, 2, 0, 0)])
def test_empty_axes(sizes: tuple[int, int, int, int], feature_map: Any, causal: bool, learns: bool) -> None:
    batch, heads, queries, keys = sizes
    q, k = torch.randn(batch, heads, queries, 5, requires_grad=learns), torch.randn(batch, 1, keys, 5)
    amap = linear_attend(q, k, k, causal=causal, feature_map=feature_map)[1]
    assert amap.dense().shape == sizes
    for found in (amap.entropy(), amap.sums, amap.log_sums, *amap.distance()):
        assert found.shape == sizes[:3]
    assert amap.received().shape == (batch, heads, keys)
    assert amap.apply(torch.zeros(1, 1, keys, 4)).shape == (*sizes[:3], 4)
    for pooled in (amap.pooled(2, "mean"), amap.pooled(2, "max")):
        assert pooled.shape == (batch, heads, -(-queries // 2), -(-keys // 2))
    assert amap.check().row_sum == 0


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("size", [4, 12, 30])
def test_maps_of_random_features_of_large_q_and_k(size: int, causal: bool) -> None:
    phi = PositiveRandomFeatures(64, 32)
    q, k = (size * torch.randn(1, 2, 70, 64) for _ in range(2))
    v = torch.randn(1, 2, 70, 3)
    q, k = (x.double() for x in (q, k))
    one, two = (phi.features(x * 64**-0.25) for x in (q, k))
    logs = (one[:, :, :, None] + two[:, :, None]).logsumexp(-1)
    if causal:
        logs = logs.masked_fill(torch.ones(70, 70, dtype=torch.bool).triu(1), -torch.inf)
    weights = logs.softmax(-1)
    output, amap = linear_attend(q, k, v.double(), feature_map=phi, causal=causal)
    assert differs_by(output, weights @ v.double()) < 1e-9
    for statistic in STATISTICS.values():
        statistic(amap, weights, 1e-9)
    assert differs_by(amap.log_sums, logs.logsumexp(-1)) < 1e-12
    assert amap.check().row_sum < 1e-10
    for name, x in linear_attend(q.float(), k.float(), v, feature_map=phi, causal=causal)[1].tensors().items():
        assert x.isfinite().all(), name


def test_check_sees_rows_that_sum_to_nothing() -> None:
    for feature_map in ("elu", PHI):
        q, k, v, _ = make({})
        amap = linear_attend(q, k, v, feature_map=feature_map, causal=True, mask=ch.Padding([29, 17]))[1]
        assert amap.check().row_sum < 1e-12
        name = "sums" if feature_map == "elu" else "log_sums"
        broken = amap.tensors()[name].clone()
        broken[0, 0, 3] = 0.0 if feature_map == "elu" else -torch.inf
        amap._held.put(name, broken)
        assert amap.check().row_sum == 1
    q, k, v, _ = make({})  # queries without a feature, and texts without a key, attend to nothing
    assert linear_attend(-q.abs(), k, v, feature_map="relu", causal=True)[1].check().row_sum == 0
    assert linear_attend(q, k, v, mask=ch.Padding([0, 0]))[1].check().row_sum == 0


def test_repr() -> None:
    q, k, v, _ = make({})
    shown = repr(linear_attend(q, k, v, causal=True, decay=0.5, mask=ch.Padding([29, 17]))[1])
    assert shown.startswith("LinearMap(batch=2, heads=6, queries=29, keys=29, torch.float64, cpu, ")
    assert shown.endswith("of linear attention; Elu(), causal, decay, mask)")
    assert repr(linear_attend(q, k, v, feature_map=PHI)[1]).endswith("; PositiveRandomFeatures(5, 11))")


def test_a_map_of_changed_tensors_says_so() -> None:
    q, k, v, _ = make({})
    _, amap = linear_attend(q, k, v)
    q.add_(1)
    with pytest.raises(StaleMapError):
        amap.dense()


def test_the_delta_rule_has_no_map() -> None:
    q, k, v, _ = make({})
    options: dict[str, Any] = {"mask": None, "scale": None, "decay": None, "normalize": None}
    request = prepare_linear(q, k, v, feature_map="none", causal=True, update_rate=0.5, **options)
    with pytest.raises(InputError, match="has no map"):
        LinearMap(request)


@pytest.mark.parametrize("decay", [None, 0.99])
def test_statistics_in_linear_memory(decay: float | None) -> None:
    q, k, v = torch.randn(3, 1, 1, 8209, 3)
    with Largest() as seen:
        output, amap = linear_attend(q, k, v, causal=True, decay=decay)
        amap.distance()
        amap.received()
        amap.mass([[0], [5, 6]])
        assert differs_by(amap.apply(v), output.double()) < 1e-5
        assert amap[0, 0, 8000].shape == (8209,)
    assert seen.numbers < 8209 * 64
    assert torch.equal(output, linear_attention(q, k, v, causal=True, decay=decay))
