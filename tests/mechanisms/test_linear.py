"""Linear attention in its three forms against all pairs and against the recurrence, in float64."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import hypothesis
import pytest
import torch
from hypothesis import strategies as st
from linear_oracle import differs_by, elu, pairs, token_by_token, weights_of
from memory import Largest
from plain import printed
from torch import Tensor

import clearhead as ch
from clearhead import LinearState, PositiveRandomFeatures, linear_attention, linear_prefill, linear_step
from clearhead.errors import InputError, ShapeError
from clearhead.masks import Causal, Explicit, Padding
from clearhead.mechanisms import recurrence
from clearhead.mechanisms.feature_maps import FEATURE_MAPS, Elu, FeatureMap

TOLERANCE = {torch.float64: 1e-12, torch.float32: 3e-6, torch.bfloat16: 2**-7, torch.float16: 2**-10}
DECAYS = ("none", "number", "head", "token", "feature")


def random(
    batch: int = 2, heads: int = 6, kv_heads: int = 3, tokens: int = 67, head_dim: int = 5, value_dim: int = 7
) -> tuple[Tensor, Tensor, Tensor]:
    q = torch.randn(batch, heads, tokens, head_dim, dtype=torch.float64)
    k = torch.randn(batch, kv_heads, tokens, head_dim, dtype=torch.float64)
    return q, k, torch.randn(batch, kv_heads, tokens, value_dim, dtype=torch.float64)


def by_head(x: Tensor, heads: int) -> Tensor:
    return torch.stack([x[:, h // (heads // x.shape[1])] for h in range(heads)], 1)


def gate(kind: str, k: Tensor, features: int, strength: float = 3.0) -> tuple[Any, Tensor | None]:
    """A decay as a caller gives it, and (batch, kv_heads, keys, 1 or features)."""
    batch, kv_heads, keys, _ = k.shape
    if kind == "none":
        return None, None
    if kind == "number":
        return 0.7, torch.full((batch, kv_heads, keys, 1), 0.7, dtype=torch.float64)
    if kind == "head":
        given = torch.rand(kv_heads, dtype=torch.float64) * 0.9 + 0.1
        return given, given[None, :, None, None].expand(batch, -1, keys, 1)
    width = () if kind == "token" else (features,)
    given = torch.exp(-strength * torch.rand(batch, kv_heads, keys, *width, dtype=torch.float64))
    return given, given if kind == "feature" else given[..., None]


# The forms.


@pytest.mark.parametrize("kind", DECAYS)
@pytest.mark.parametrize("tokens", [1, 2, 15, 16, 17, 63, 64, 65, 131])
def test_causal_is_the_masked_product_with_decays(tokens: int, kind: str) -> None:
    q, k, v = random(tokens=tokens)
    given, decay = gate(kind, k, 5)
    heads = q.shape[1]
    decay = None if decay is None else by_head(decay, heads)
    weights = weights_of(elu(q), by_head(elu(k), heads), causal=True, decay=decay)
    found = linear_attention(q, k, v, causal=True, decay=given)
    assert differs_by(found, pairs(weights, by_head(v, heads))) < 1e-13


def test_bidirectional_is_the_whole_product() -> None:
    q, k, v = random()
    weights = weights_of(elu(q), by_head(elu(k), 6))
    assert differs_by(linear_attention(q, k, v), pairs(weights, by_head(v, 6))) < 1e-13


@pytest.mark.parametrize("kind", DECAYS)
@pytest.mark.parametrize("tokens", [1, 16, 65, 1031])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_delta_rule_is_the_loop(tokens: int, kind: str, dtype: torch.dtype) -> None:
    q, k, v = random(tokens=tokens)
    k = k / k.norm(dim=-1, keepdim=True)
    rate = torch.rand(k.shape[:3], dtype=torch.float64)
    q, k, v, rate = (x.to(dtype) for x in (q, k, v, rate))
    given, decay = gate(kind, k, 5)
    decay = None if decay is None else by_head(decay, 6)
    exact = token_by_token(
        q.double() * 5**-0.5,
        by_head(k.double(), 6),
        by_head(v, 6),
        decay=decay,
        rate=by_head(rate.double(), 6),
        normalize=False,
    )[0]
    found = linear_attention(q, k, v, causal=True, feature_map="none", decay=given, update_rate=rate)
    assert differs_by(found, exact) < TOLERANCE[dtype]


def test_update_rates_as_numbers() -> None:
    q, k, v = random(tokens=37)
    k = k / k.norm(dim=-1, keepdim=True)
    options: dict[str, Any] = {"causal": True, "feature_map": "none"}
    found = linear_attention(q, k, v, update_rate=0.5, **options)
    each = linear_attention(q, k, v, update_rate=torch.full((3,), 0.5, dtype=torch.float64), **options)
    all_ = linear_attention(q, k, v, update_rate=torch.full(k.shape[:3], 0.5, dtype=torch.float64), **options)
    assert torch.equal(found, each)
    assert torch.equal(found, all_)


@pytest.mark.parametrize("kind", DECAYS)
@pytest.mark.parametrize("feature_map", ["elu", "relu", "none", PositiveRandomFeatures(5, 11)], ids=str)
def test_pieces_and_steps_give_the_output_of_the_whole(feature_map: str | FeatureMap, kind: str) -> None:
    q, k, v = random(tokens=79)
    given, _ = gate(kind, k, 11 if isinstance(feature_map, FeatureMap) else 5)
    options: dict[str, Any] = {"feature_map": feature_map}

    def part(start: int, stop: int) -> dict[str, Any]:
        if kind in ("token", "feature"):
            return options | {"decay": given[:, :, start:stop]}
        return options | {"decay": given}

    whole = linear_attention(q, k, v, causal=True, decay=given, **options)
    outputs, state = [], None
    for start, stop in ((0, 3), (3, 70), (70, 71)):
        output, state = linear_prefill(
            q[:, :, start:stop], k[:, :, start:stop], v[:, :, start:stop], state, **part(start, stop)
        )
        outputs.append(output)
    assert state is not None
    for i in range(71, 79):
        output, state = linear_step(q[:, :, i : i + 1], k[:, :, i : i + 1], v[:, :, i : i + 1], state, **part(i, i + 1))
        outputs.append(output)
    assert differs_by(torch.cat(outputs, 2), whole) < 1e-11  # without normalizing, sums of any sign cancel


def test_steps_of_the_delta_rule() -> None:
    q, k, v = random(tokens=23)
    k = k / k.norm(dim=-1, keepdim=True)
    rate, decay = torch.rand(2, 3, 23, dtype=torch.float64), torch.rand(2, 3, 23, dtype=torch.float64) / 2 + 0.5
    whole, after = linear_prefill(q, k, v, feature_map="none", decay=decay, update_rate=rate)
    state, outputs = LinearState.zeros(2, 3, 5, 7, normalize=False, dtype=torch.float64), []
    for i in range(23):
        at = (..., slice(i, i + 1))
        output, state = linear_step(
            q[:, :, i : i + 1],
            k[:, :, i : i + 1],
            v[:, :, i : i + 1],
            state,
            feature_map="none",
            decay=decay[at],
            update_rate=rate[at],
        )
        outputs.append(output)
    assert differs_by(torch.cat(outputs, 2), whole) < 1e-12
    assert differs_by(state.values, after.values) < 1e-12


def test_the_state_is_the_sum() -> None:
    q, k, v = random(heads=3, tokens=131)
    given, decay = gate("token", k, 5)
    _, values, keys = token_by_token(elu(q), elu(k), v, decay=decay)
    state = linear_prefill(q, k, v, decay=given)[1]
    assert state.keys is not None
    assert differs_by(state.values, values) < 1e-12
    assert differs_by(state.keys, keys) < 1e-12


@pytest.mark.parametrize(("queries", "keys"), [(3, 71), (71, 3), (1, 5), (64, 65)])
@pytest.mark.parametrize("kind", DECAYS)
def test_the_last_query_stands_at_the_last_key(queries: int, keys: int, kind: str) -> None:
    k, v = random(tokens=keys)[1:]
    q = random(tokens=queries)[0]
    given, decay = gate(kind, k, 5)
    decay = None if decay is None else by_head(decay, 6)
    weights = weights_of(elu(q), by_head(elu(k), 6), causal=True, decay=decay)
    found = linear_attention(q, k, v, causal=True, decay=given)
    assert differs_by(found, pairs(weights, by_head(v, 6))) < 1e-13
    if kind == "none":
        crossed = linear_attention(q, k, v)
        assert differs_by(crossed, pairs(weights_of(elu(q), by_head(elu(k), 6)), by_head(v, 6))) < 1e-13


@hypothesis.settings(max_examples=40)
@hypothesis.given(
    heads=st.sampled_from([(1, 1), (2, 1), (3, 3), (6, 2)]),
    tokens=st.sampled_from([1, 2, 3, 13, 61, 67, 127, 257]),
    widths=st.lists(st.sampled_from([1, 2, 3, 5, 7]), min_size=2, max_size=2),
    kind=st.sampled_from(DECAYS),
    dtype=st.sampled_from(list(TOLERANCE)),
    chunk=st.sampled_from([1, 5, 16, 64]),
    segment=st.sampled_from([1, 3, 16]),
    seed=st.integers(0, 2**16),
)
def test_shapes_dtypes_and_chunks(
    heads: tuple[int, int],
    tokens: int,
    widths: list[int],
    kind: str,
    dtype: torch.dtype,
    chunk: int,
    segment: int,
    seed: int,
) -> None:
    torch.manual_seed(seed)
    q, k, v = (x.to(dtype) for x in random(1, *heads, tokens, *widths))
    given, decay = gate(kind, k, widths[0], strength=30.0)
    decay = None if decay is None else by_head(decay, heads[0])
    exact = token_by_token(elu(q.double()), elu(by_head(k, heads[0]).double()), by_head(v, heads[0]), decay=decay)[0]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("CHUNK", chunk), ("FINE_CHUNK", min(chunk, 16)), ("SEGMENT", segment)):
            patch.setattr(recurrence, name, value)
        found = linear_attention(q, k, v, causal=True, decay=given)
    assert found.dtype == dtype
    assert differs_by(found, exact) < TOLERANCE[dtype]


def test_leading_axes() -> None:
    q, k, v = random(batch=6, tokens=19)
    wanted = linear_attention(q, k, v, causal=True)
    split = [x.unflatten(0, (2, 3)) for x in (q, k, v)]
    assert torch.equal(linear_attention(*split, causal=True).flatten(0, 1), wanted)
    assert differs_by(linear_attention(q[0], k[0], v[0], causal=True), wanted[0]) < 1e-14
    alone = linear_attention(q[0, 0], k[0, 0], v[0, 0], causal=True, decay=torch.ones(19, dtype=torch.float64))
    assert differs_by(alone, wanted[0, 0]) < 1e-14


# Decays.


def test_decays_far_below_what_can_be_divided_by() -> None:
    q, k, v = random(1, 1, 1, 211)
    for decay in (1e-300, 1e-30, 0.5, 1.0):
        gates = torch.full((1, 1, 211, 1), decay, dtype=torch.float64)
        exact = token_by_token(elu(q), elu(k), v, decay=gates)[0]
        assert differs_by(linear_attention(q, k, v, causal=True, decay=decay), exact) < 1e-12
    mixed = torch.where(torch.rand(1, 1, 211, 1, dtype=torch.float64) < 0.3, 1e-30, 0.999)
    exact = token_by_token(elu(q), elu(k), v, decay=mixed)[0]
    found = linear_attention(q.float(), k.float(), v.float(), causal=True, decay=mixed[..., 0])
    assert differs_by(found, exact) < 1e-5


# Masks.


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("feature_map", ["elu", PositiveRandomFeatures(5, 11)], ids=str)
def test_padding_changes_nothing(causal: bool, feature_map: str | FeatureMap) -> None:
    q, k, v = random(tokens=89)
    present = torch.zeros(2, 89, dtype=torch.bool)
    present[0, 11:], present[1, 3:71] = True, True
    options: dict[str, Any] = {"causal": causal, "feature_map": feature_map}
    decay = torch.rand(2, 3, 89, dtype=torch.float64) * 0.5 + 0.5 if causal else None
    found = linear_attention(q, k, v, mask=Padding(present), decay=decay, **options)
    for n, there in enumerate(present):
        alone = linear_attention(
            *(x[n, :, there] for x in (q, k, v)), decay=None if decay is None else decay[n, :, there], **options
        )
        assert differs_by(found[n, :, there], alone) < 1e-13
    assert torch.equal(found, linear_attention(q, k, v, mask=present[:, None, None], decay=decay, **options))


@pytest.mark.parametrize("filler", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("case", ["bidirectional", "causal", "decay", "delta"])
@pytest.mark.parametrize("feature_map", ["elu", "none", PositiveRandomFeatures(5, 11)], ids=str)
def test_what_is_not_there_may_be_anything(case: str, feature_map: str | FeatureMap, filler: float) -> None:
    q, k, v = random(tokens=89)
    k = torch.nn.functional.normalize(k, dim=-1)
    present = torch.ones(2, 89, dtype=torch.bool)
    present[0, :11], present[1, 30:70] = False, False
    absent = ~present[:, None, :, None]
    options: dict[str, Any] = {"feature_map": feature_map, "mask": Padding(present), "causal": case != "bidirectional"}
    options |= {"decay": {"decay": 0.9}, "delta": {"update_rate": 0.5}}.get(case, {})
    clean = [x.clone().requires_grad_() for x in (q, k, v)]
    filled = [x.masked_fill(absent & (n > 0), filler).requires_grad_() for n, x in enumerate((q, k, v))]
    wanted, found = linear_attention(*clean, **options), linear_attention(*filled, **options)
    assert torch.equal(found, wanted)
    by_filled = torch.autograd.grad(found.square().sum(), filled)
    for one, two in zip(torch.autograd.grad(wanted.square().sum(), clean), by_filled, strict=True):
        assert torch.equal(one, two)
    if options.pop("causal"):
        found, state = linear_prefill(*filled, **options)
        assert torch.equal(found, wanted)
        assert state.values.isfinite().all()


def test_a_text_without_tokens_gives_0() -> None:
    q, k, v = random(tokens=13)
    q.requires_grad_()
    for feature_map in ("elu", "relu", "none", PositiveRandomFeatures(5, 11)):
        for causal in (True, False):
            found = linear_attention(q, k, v, causal=causal, mask=Padding([13, 0]), feature_map=feature_map)
            assert not found[1].any()
            (gradient,) = torch.autograd.grad(found.sum(), q)
            assert gradient.isfinite().all()
            assert not gradient[1].any()


def test_features_that_are_all_0_give_0() -> None:
    q, k, v = random(tokens=7)
    found = linear_attention(-q.abs(), k, v, feature_map="relu")
    assert not found.any()


# Random features.


def test_random_features_are_unbiased_and_their_error_falls_as_the_root() -> None:
    q, k = torch.randn(2, 7, 8, dtype=torch.float64) * 0.5
    exact = (q @ k.T).exp()
    deviation = {}
    for features in (16, 256):
        draws = []
        for seed in range(400):
            phi = PositiveRandomFeatures(8, features, seed=seed, orthogonal=False)
            draws.append(phi(q) @ phi(k).T)
        found = torch.stack(draws)
        error = found.std(0) / 400**0.5
        assert ((found.mean(0) - exact).abs() < 5 * error).all()
        deviation[features] = (found - exact).square().mean().sqrt()
    assert 3.2 < deviation[16] / deviation[256] < 5  # √(256 / 16) = 4


def test_orthogonal_features_err_less_and_are_unbiased_too() -> None:
    q, k = torch.randn(2, 7, 8, dtype=torch.float64) * 0.2  # small, so that single draws are not far off
    exact = (q @ k.T).exp()

    def draws(orthogonal: bool) -> Tensor:
        each = (PositiveRandomFeatures(8, 12, seed=seed, orthogonal=orthogonal) for seed in range(1500))
        return torch.stack([phi(q) @ phi(k).T for phi in each])

    found, independent = draws(True), draws(False)
    assert ((found.mean(0) - exact).abs() < 5 * found.std(0) / 1500**0.5).all()
    assert (found - exact).square().mean() < 0.95 * (independent - exact).square().mean()


def test_a_projection_is_orthogonal_in_blocks_with_lengths_of_gaussians() -> None:
    phi = PositiveRandomFeatures(7, 7 * 500 + 3)
    assert phi.projection.shape == (3503, 7)
    block = phi.projection[7:14]
    products = block @ block.T
    assert (products - products.diag().diag()).abs().max() < 1e-5
    squares = phi.projection.square().sum(-1)  # chi-squared of 7 degrees of freedom: mean 7, variance 14
    assert abs(squares.mean() - 7) < 0.3
    assert abs(squares.var() - 14) < 2.5
    assert abs(phi.projection.mean()) < 0.05


def test_random_features_come_near_softmax_attention() -> None:
    q, k, v = random(1, 2, 2, 31, 8)
    q, k = q * 0.4, k * 0.4
    exact = ch.attention(q, k, v)
    errors = []
    for features in (32, 2048):
        found = [linear_attention(q, k, v, feature_map=PositiveRandomFeatures(8, features, seed=n)) for n in range(12)]
        errors.append((torch.stack(found) - exact).square().mean().sqrt())
    assert 5 < errors[0] / errors[1] < 13  # √64 = 8


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("size", [1.0, 30.0])
def test_random_features_of_large_q_and_k_stay_finite(causal: bool, size: float) -> None:
    q, k, v = random(tokens=131)
    phi = PositiveRandomFeatures(5, 11)
    found = linear_attention(*(size * x.float() for x in (q, k)), v.float(), feature_map=phi, causal=causal)
    assert found.isfinite().all()
    exact = linear_attention(q * size, k * size, v, feature_map=phi, causal=causal)
    if size == 1.0:
        assert differs_by(found, exact) < 1e-4


def steps(q: Tensor, k: Tensor, v: Tensor, **options: Any) -> Tensor:
    """Token by token."""
    phi, normalize = options["feature_map"], options.get("update_rate") is None
    sizes = (*k.shape[:2], phi.width(k.shape[3]), v.shape[3])
    state, outputs = LinearState.zeros(*sizes, normalize=normalize, dtype=q.dtype), []
    for i in range(q.shape[2]):
        output, state = linear_step(*(x[:, :, i : i + 1] for x in (q, k, v)), state, **options)
        outputs.append(output)
    return torch.cat(outputs, 2)


def exactly(phi: FeatureMap, q: Tensor, k: Tensor, v: Tensor, decay: float = 1.0) -> Tensor:
    """Causal attention by logarithms of weights, none of which can vanish."""
    root, tokens = q.shape[3] ** -0.25, torch.arange(q.shape[2], dtype=torch.float64)
    one, two = (phi.features(x.double() * root) for x in (q, k))
    logs = (one[:, :, :, None] + two[:, :, None]).logsumexp(-1)
    logs = logs + (tokens[:, None] - tokens) * math.log(decay)
    return logs.masked_fill(tokens[:, None] < tokens, -torch.inf).softmax(-1) @ v.double()


@pytest.mark.parametrize("decay", [None, 0.7])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [5, 6, 8, 16])
@pytest.mark.parametrize("start", [0, 30])
def test_random_features_know_nothing_of_later_keys(
    start: int, size: int, dtype: torch.dtype, decay: float | None
) -> None:
    phi = PositiveRandomFeatures(64, 32)
    q, k, v = (torch.randn(1, 1, 90, 64).to(dtype) for _ in range(3))
    k[:, :, start : start + 50] *= size  # features e^−200 and less of those of other keys
    options: dict[str, Any] = {"feature_map": phi, "decay": decay}
    whole = linear_attention(q, k, v, causal=True, **options)
    for stop in (20, 70):
        part = linear_attention(q[:, :, :stop], k[:, :, :stop], v[:, :, :stop], causal=True, **options)
        assert differs_by(whole[:, :, :stop], part.double()) < 1e-6
    close = 1e-11 if dtype == torch.float64 else 2e-4
    exact = exactly(phi, q, k, v, 1.0 if decay is None else decay)
    assert differs_by(whole, exact) < close
    assert differs_by(steps(q, k, v, **options), exact) < close


def test_a_large_key_that_has_faded_hides_no_later_one() -> None:
    phi = PositiveRandomFeatures(5, 11)
    q, k, v = random(1, 1, 1, 141)
    k[:, :, 20:] *= 30  # later keys have by far the smallest features
    exact = exactly(phi, q, k, v, 1e-9)
    assert (
        differs_by(linear_attention(q.float(), k.float(), v.float(), feature_map=phi, causal=True, decay=1e-9), exact)
        < 1e-2
    )
    assert differs_by(linear_attention(q, k, v, feature_map=phi, causal=True, decay=1e-9), exact) < 1e-11


def test_the_delta_rule_of_random_features_is_the_loop() -> None:
    phi, root = PositiveRandomFeatures(5, 11), 5**-0.25
    q, k, v = random(1, 2, 2, 71)
    rate = torch.rand(1, 2, 71, dtype=torch.float64)
    exact = token_by_token(phi(q * root), phi(k * root), v, rate=rate, normalize=False)[0]
    found = linear_attention(q, k, v, feature_map=phi, causal=True, update_rate=rate)
    assert differs_by(found, exact) < 1e-11
    first, state = linear_prefill(q[:, :, :9], k[:, :, :9], v[:, :, :9], feature_map=phi, update_rate=rate[..., :9])
    second = linear_prefill(q[:, :, 9:], k[:, :, 9:], v[:, :, 9:], state, feature_map=phi, update_rate=rate[..., 9:])
    assert differs_by(torch.cat([first, second[0]], 2), exact) < 1e-11


@pytest.mark.parametrize("causal", [True, False])
def test_random_features_without_normalizing(causal: bool) -> None:
    q, k, v = random(tokens=131)
    phi, root = PositiveRandomFeatures(5, 11), 5**-0.25
    weights = weights_of(phi(q * root), by_head(phi(k * root), 6), causal=causal, normalize=False)
    found = linear_attention(q, k, v, feature_map=phi, causal=causal, normalize=False)
    assert differs_by(found, pairs(weights, by_head(v, 6))) < 1e-12


def test_random_features_are_values() -> None:
    one = PositiveRandomFeatures(5, 11)
    assert one == PositiveRandomFeatures(5, 11) == one.to("cpu")
    assert hash(one) == hash(PositiveRandomFeatures(5, 11))
    assert one != PositiveRandomFeatures(5, 11, seed=1)
    assert one != Elu()
    assert repr(one) == "PositiveRandomFeatures(5, 11)"
    before = one.projection
    one.redraw(torch.Generator().manual_seed(1))
    assert one == PositiveRandomFeatures(5, 11, seed=1)
    assert not torch.equal(before, one.projection)
    with pytest.raises(ShapeError, match="head_dim of 5"):
        one(torch.zeros(2, 3))
    assert Elu() == FEATURE_MAPS["elu"] != FEATURE_MAPS["relu"]


def test_a_redraw_before_the_backward_pass_changes_nothing() -> None:
    q, k, v = random(1, 1, 1, 67)
    phi = PositiveRandomFeatures(5, 11)
    q.requires_grad_()
    found = linear_attention(q, k, v, feature_map=phi, causal=True)
    (wanted,) = torch.autograd.grad(found.square().sum(), q, retain_graph=True)
    phi.redraw()
    (after,) = torch.autograd.grad(found.square().sum(), q)
    assert torch.equal(wanted, after)


def test_elu_keeps_what_elu_plus_1_would_round_away() -> None:
    x = torch.tensor([-30.0, -1.0, 0.0, 2.0])
    torch.testing.assert_close(Elu()(x), torch.tensor([math.exp(-30), math.exp(-1), 1.0, 3.0]))


# Gradients.


@pytest.mark.parametrize(
    "case", ["whole", "causal", "token", "feature", "delta", "gated delta", "random", "random all"]
)
def test_gradients(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("CHUNK", 3), ("FINE_CHUNK", 2), ("SEGMENT", 2)):
        monkeypatch.setattr(recurrence, name, value)
    q, k, v = random(1, 2, 1, 7, 2, 3)
    more: list[Tensor] = []
    options: dict[str, Any] = {"causal": case not in ("whole", "random all")}
    names: list[str] = []
    if case.startswith("random"):
        options["feature_map"] = PositiveRandomFeatures(2, 3)
    if case in ("token", "feature", "gated delta"):
        more.append(torch.rand(1, 1, 7, *((2,) if case == "feature" else ()), dtype=torch.float64) * 0.8 + 0.1)
        names.append("decay")
    if "delta" in case:
        options["feature_map"] = "none"
        more.append(torch.rand(1, 1, 7, dtype=torch.float64))
        names.append("update_rate")
    leaves = [x.requires_grad_() for x in (q, k, v, *more)]

    def function(q: Tensor, k: Tensor, v: Tensor, *rest: Tensor) -> Tensor:
        return linear_attention(q, k, v, **options, **dict(zip(names, rest, strict=True)))

    assert torch.autograd.gradcheck(function, leaves, fast_mode=True)
    assert torch.autograd.gradgradcheck(function, leaves, fast_mode=True)


def test_gradients_through_a_state() -> None:
    q, k, v = random(1, 2, 1, 11, 2, 3)
    leaves = [x.requires_grad_() for x in (q, k, v)]

    def function(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        first, state = linear_prefill(q[:, :, :6], k[:, :, :6], v[:, :, :6], decay=0.8)
        second, state = linear_prefill(q[:, :, 6:10], k[:, :, 6:10], v[:, :, 6:10], state, decay=0.8)
        third = linear_step(q[:, :, 10:], k[:, :, 10:], v[:, :, 10:], state, decay=0.8)[0]
        return torch.cat([first, second, third], 2)

    assert torch.autograd.gradcheck(function, leaves, fast_mode=True)


# Memory.


@pytest.mark.parametrize("kind", DECAYS)
@pytest.mark.parametrize("delta", [False, True])
def test_nothing_is_larger_than_the_tokens(kind: str, delta: bool) -> None:
    tokens = 4099
    q, k, v = (x.float().requires_grad_() for x in random(1, 1, 1, tokens, 3, 3))
    given, _ = gate(kind, k, 3)
    options: dict[str, Any] = {"feature_map": "none", "update_rate": 0.5} if delta else {}
    with Largest() as seen:
        linear_attention(q, k / 4, v, causal=True, decay=given, **options).sum().backward()
    # The pairs of a segment are the largest: 8 chunks of 64 × 64, or of 16 × 16 × features.
    assert seen.numbers <= max(recurrence.SEGMENT * recurrence.CHUNK**2, tokens * 4)
    assert seen.numbers < tokens**2 / 100


def test_the_largest_tensor_would_be_noticed() -> None:
    with Largest() as seen:
        torch.ones(71, 1) @ torch.ones(1, 73)
    assert seen.numbers == 71 * 73


def test_only_the_inputs_the_output_and_a_state_a_segment_are_kept() -> None:
    kept = 0
    for tokens in (2048, 4096):
        q, k, v = (x.float().requires_grad_() for x in random(1, 1, 1, tokens, 8, 8))
        saved: dict[int, int] = {}

        def pack(x: Tensor, saved: dict[int, int] = saved) -> Tensor:
            saved[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes() // x.itemsize
            return x

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            output = linear_attention(q, k, v, causal=True)
        more = sum(saved.values()) - kept
        kept = sum(saved.values())
        assert output.requires_grad
    assert more < 2048 * (8 * 5)


# Devices, dtypes, and empty axes.


def test_empty_axes() -> None:
    for shape in ((0, 2, 5), (2, 2, 0)):
        q = torch.zeros(shape[0], shape[1], shape[2], 3)
        for causal in (True, False):
            assert linear_attention(q, q, q, causal=causal).shape == q.shape
    q, k = torch.randn(1, 2, 5, 3, requires_grad=True), torch.randn(1, 2, 0, 3)
    for causal in (True, False):
        found = linear_attention(q, k, k, causal=causal)
        found.sum().backward()
        assert found.shape == (1, 2, 5, 3)
        assert not found.any()
    assert linear_attention(k, q, q).shape == (1, 2, 0, 3)
    output, state = linear_prefill(k, k, k)
    assert output.shape == k.shape
    assert not state.values.any()


@pytest.mark.parametrize("delta", [False, True])
def test_meta(delta: bool) -> None:
    q, k, v = (x.to("meta") for x in random(tokens=131))
    decay = torch.empty(2, 3, 131, dtype=torch.float64, device="meta")
    options: dict[str, Any] = {"feature_map": "none", "update_rate": decay} if delta else {}
    assert linear_attention(q, k, v, causal=True, decay=decay, **options).shape == (2, 6, 131, 7)
    assert linear_attention(q, k, v).is_meta


def test_autocast_computes_in_float32() -> None:
    q, k, v = (x.float() for x in random(tokens=131))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = linear_attention(q, k, v, causal=True)
    low = linear_attention(*(x.bfloat16() for x in (q, k, v)), causal=True)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, low)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_sums_in_float32(dtype: torch.dtype) -> None:
    q, k = torch.zeros(2, 1, 4099, 1, dtype=dtype)  # features 1: the mean of all values so far
    v = torch.randn(1, 4099, 1).to(dtype)
    found = linear_attention(q, k, v, causal=True)
    wanted = v.double().cumsum(1) / torch.arange(1, 4100)[:, None]
    assert differs_by(found, wanted) < 2 * torch.finfo(dtype).eps
    assert linear_prefill(q, k, v)[1].values.dtype == torch.float32


SCRIPT = """
import torch, clearhead as ch

torch.manual_seed(0)
q, k, v = torch.randn(1, 2, 67, 5), torch.randn(1, 1, 67, 5) / 3, torch.randn(1, 1, 67, 7)
random = ch.PositiveRandomFeatures(5, 11)
for options in ({"causal": True}, {}, {"causal": True, "decay": 0.9}, {"causal": True, "feature_map": random},
                {"causal": True, "feature_map": "none", "update_rate": 0.5}):
    compiled = torch.compile(lambda q, k, v: ch.linear_attention(q, k, v, **options), fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(q, k, v), ch.linear_attention(q, k, v, **options))

layer = ch.LinearAttention(8, 2, causal=True, decay=[0.9, 0.8])
compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
x, gradients = torch.randn(2, 71, 8), []
for call in (compiled, layer):
    layer.zero_grad()
    call(x).square().sum().backward()
    gradients.append(layer.key.weight.grad.clone())
torch.testing.assert_close(*gradients)
print("done")
"""


def test_compiled() -> None:
    assert printed(SCRIPT) == "done\n"


# Errors.


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"feature_map": "exp"}, InputError, "there are elu, relu, none, and PositiveRandomFeatures"),
        ({"feature_map": PositiveRandomFeatures(3, 4)}, ShapeError, "head_dim of 3"),
        ({"decay": 0.5}, InputError, "causal=True"),
        ({"decay": 1.5, "causal": True}, InputError, r"decay is in \(0, 1\]; got 1\.5; a logarithm"),
        ({"decay": 0.0, "causal": True}, InputError, "got 0"),
        ({"decay": -0.1, "causal": True}, InputError, "got -0.1"),
        ({"decay": torch.tensor([0.5, math.nan, 0.5]).double(), "causal": True}, InputError, "got nan"),
        ({"decay": math.nan, "causal": True}, InputError, r"decay is in \(0, 1\]; got nan"),
        ({"decay": 1e-60, "causal": True, "dtype": torch.float32}, InputError, r"decay is in \(0, 1\]; got 0"),
        (
            {"decay": [0.5, 0.6, 0.7], "causal": True},
            InputError,
            r"in \(0, 1\] .* got a list: give it as torch\.tensor",
        ),
        ({"decay": True, "causal": True}, InputError, r"decay is a number in \(0, 1\] or a tensor of them; got True"),
        ({"decay": torch.ones(5), "causal": True}, ShapeError, r"one a key head \(3,\)"),
        ({"decay": torch.ones(3, dtype=torch.int64), "causal": True}, InputError, "floating-point"),
        ({"update_rate": 0.5}, InputError, "causal=True"),
        ({"update_rate": math.inf, "causal": True}, InputError, r"update_rate is in \[0, 2\]; got inf"),
        ({"update_rate": math.nan, "causal": True}, InputError, r"update_rate is in \[0, 2\]; got nan"),
        ({"update_rate": 2.5, "causal": True}, InputError, r"update_rate is in \[0, 2\]; got 2\.5"),
        ({"update_rate": -0.5, "causal": True}, InputError, r"update_rate is in \[0, 2\]; got -0\.5"),
        ({"update_rate": torch.tensor([0.0, 2.0, 2.1]), "causal": True}, InputError, r"\[0, 2\]; got 2\.1"),
        ({"update_rate": torch.tensor([0.0, math.nan, 2.0]), "causal": True}, InputError, r"\[0, 2\]; got nan"),
        ({"update_rate": [0.5] * 3, "causal": True}, InputError, r"\[0, 2\] .* got a list: give it as torch\.tensor"),
        ({"update_rate": torch.ones(5), "causal": True}, ShapeError, "update_rate is a number"),
        ({"update_rate": 0.5, "causal": True, "normalize": True}, InputError, "leave normalize out"),
        ({"mask": Causal()}, InputError, "say causal=True"),
        ({"mask": Explicit(torch.ones(7, 7, dtype=torch.bool))}, InputError, r"clearhead\.attention"),
        ({"mask": torch.ones(7, 7, dtype=torch.bool)}, InputError, "which keys are there"),
        ({"mask": torch.ones(7)}, InputError, "booleans"),
        ({"mask": Padding([7, 7, 7])}, ShapeError, "for batch 3"),
        ({"mask": Padding([[True] * 5] * 2)}, ShapeError, "5 keys"),
        ({"scale": math.inf}, InputError, "scale is a finite number"),
        ({"feature_map": ["elu"]}, InputError, r"no feature map \['elu'\]"),
        ({"normalize": "yes"}, InputError, "normalize is True, False or None; got 'yes'"),
        ({"causal": "no"}, InputError, "causal is True or False; got 'no'"),
        ({"causal": 1}, InputError, "got 1"),
    ],
)
def test_errors(options: dict[str, Any], error: type[Exception], words: str, as_for_users: None) -> None:
    dtype = options.get("dtype", torch.float64)
    q, k, v = (x.to(dtype) for x in random(tokens=7))
    with pytest.raises(error, match=words):
        linear_attention(q, k, v, **{name: x for name, x in options.items() if name != "dtype"})


def test_the_ends_of_the_ranges_are_allowed() -> None:
    q, k, v = random(tokens=7)
    k = torch.nn.functional.normalize(k, dim=-1)
    for rate in (0, 2, torch.tensor([0.0, 1.0, 2.0])):
        found = linear_attention(q, k, v, feature_map="none", causal=True, update_rate=rate)
        assert found.isfinite().all()
    assert torch.equal(
        linear_attention(q, k, v, causal=True, decay=1), linear_attention(q, k, v, causal=True, decay=1.0)
    )


def test_the_delta_rule_wants_keys_of_at_most_1() -> None:
    q, k, v = (x.float() for x in random(tokens=300, head_dim=16))
    options: dict[str, Any] = {"causal": True, "update_rate": 1.0}
    assert not linear_attention(q, k, v, **options).isfinite().all()
    k = torch.nn.functional.normalize(k, dim=-1)
    assert linear_attention(q, k, v, feature_map="none", **options).isfinite().all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seed": None}, "the seed is a whole number of at least 0; got None"),
        ({"seed": -1}, "the seed is a whole number of at least 0; got -1"),
        ({"orthogonal": "no"}, "orthogonal is True or False; got 'no'"),
    ],
)
def test_errors_of_random_features(options: dict[str, Any], words: str, as_for_users: None) -> None:
    with pytest.raises(InputError, match=words):
        PositiveRandomFeatures(4, 8, **options)


def test_errors_of_states(as_for_users: None) -> None:
    q, k, v = random(tokens=1)
    with pytest.raises(InputError, match=r"start from LinearState\.zeros"):
        linear_step(q, k, v, None)
    with pytest.raises(ShapeError, match=r"\(2, 3, 5, 8\)"):
        linear_step(q, k, v, LinearState.zeros(2, 3, 5, 8, dtype=torch.float64))
    with pytest.raises(InputError, match=r"torch\.float32"):
        linear_step(q, k, v, LinearState.zeros(2, 3, 5, 7))
    without = LinearState.zeros(2, 3, 5, 7, normalize=False, dtype=torch.float64)
    with pytest.raises(InputError, match="without the sum of keys"):
        linear_step(q, k, v, without)
    with pytest.raises(ShapeError, match="linear_prefill"):
        linear_step(*random(tokens=2), LinearState.zeros(2, 3, 5, 7, dtype=torch.float64))
    with pytest.raises(ShapeError, match="same tokens"):
        linear_prefill(q, *random(tokens=2)[1:])
    with pytest.raises(InputError, match="least 1"):
        LinearState.zeros(1, 0, 5, 7)
    good = LinearState.zeros(2, 3, 5, 7, dtype=torch.float64)
    assert good.keys is not None
    for changed, error, words in (
        ({"keys": good.keys[..., :4]}, ShapeError, r"keys of this state are of the shape \(2, 3, 5\)"),
        ({"shift": torch.zeros(2, dtype=torch.float64)}, ShapeError, r"shift of this state are of the shape \(2, 3\)"),
        ({"shift": 0.0}, ShapeError, r"got 0\.0"),
        ({"keys": good.keys.float()}, InputError, r"keys of a state are of torch\.float64"),
        ({"shift": torch.zeros(2, 3)}, InputError, r"shift of a state are of torch\.float64"),
        ({"values": None}, InputError, "values of a state are a tensor; got NoneType"),
    ):
        with pytest.raises(error, match=words):
            linear_step(q, k, v, replace(good, **changed))
    assert linear_step(q, k, v, replace(good, shift=None))[0].shape == (2, 6, 1, 7)


def test_explanations_count_one_token_as_one() -> None:
    assert "chunks, 1 token each" in str(ch.linear_explain(*random(tokens=1), causal=True))
    assert "chunks, 2 tokens each" in str(ch.linear_explain(*random(tokens=2), causal=True))


def test_costs_count_what_is_given_a_token() -> None:
    q, k, v = (x.float() for x in random(tokens=67))
    assert ch.linear_explain(q, k, v, causal=True).form == "chunks"
    decay, rate = torch.rand(2, 3, 67, 5) / 2 + 0.5, torch.rand(2, 3, 67)
    options: dict[str, Any] = {"causal": True, "feature_map": "none"}
    for more, numbers in (({"decay": decay}, 2010), ({"update_rate": rate}, 402)):
        for name in ("bytes_read", "bytes_kept"):
            without = getattr(ch.linear_explain(q, k, v, **options), name)
            assert getattr(ch.linear_explain(q, k, v, **options, **more), name) - without == 4 * numbers


def test_states_are_values() -> None:
    state = LinearState.zeros(2, 3, 5, 7)
    assert state.nbytes == 4 * (2 * 3 * 5 * 7 + 2 * 3 * 5 + 2 * 3)
    assert repr(state) == "LinearState(batch=2, kv_heads=3, features=5, value_dim=7, torch.float32, cpu, 984 bytes)"
    q, k, v = (x.float() for x in random(tokens=1))
    before = state.values.clone()
    linear_step(q, k, v, state)
    assert torch.equal(state.values, before)
    assert not linear_prefill(q.requires_grad_(), k, v)[1].detach().values.requires_grad


# The assertions themselves.


def test_the_oracles_agree_and_notice_what_is_wrong() -> None:
    q, k, v = random(heads=3, tokens=11)
    _, decay = gate("feature", k, 5)
    weights = weights_of(elu(q), elu(k), causal=True, decay=decay)
    exact = token_by_token(elu(q), elu(k), v, decay=decay)[0]
    assert differs_by(pairs(weights, v), exact) < 1e-14
    wrong = exact.clone()
    wrong[0, 0, 3, 0] += 0.1
    assert differs_by(wrong, exact) > 0.01
    assert differs_by(exact[:, :1], exact) == math.inf
    wrong[0, 0, 3, 0] = math.nan
    assert differs_by(wrong, exact) == math.inf
