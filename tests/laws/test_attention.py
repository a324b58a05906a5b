"""One semantics: every mask × bias × normalizer × path × dtype obeys the float64 reference."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import hypothesis
import pytest
import torch
from attention_oracle import (
    BIASES,
    MASKS,
    NORMALIZERS,
    PATHS,
    Sizes,
    assert_close,
    assert_right,
    attend,
    by_path,
    make,
)
from hypothesis import strategies as st

import clearhead as ch
from clearhead.errors import InputError, ShapeError
from clearhead.masks import Causal, Explicit, Padding

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("mask", MASKS)
def test_every_path_under_every_mask_and_bias(mask: str, bias: str) -> None:
    call = make(mask, bias)
    for path in PATHS:
        assert_right(call, by_path(call, path), path)
    output, amap = attend(call)
    assert_right(call, output, "attend")
    assert_close(amap.dense(), call.weights, torch.float64, "map")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mask", MASKS)
def test_every_dtype(mask: str, dtype: torch.dtype) -> None:
    for bias in ("no bias", "ALiBi"):
        call = make(mask, bias, dtype=dtype)
        assert_right(call, ch.attention(*call.tensors, **call.settings))


@pytest.mark.parametrize("normalizer", NORMALIZERS)
@pytest.mark.parametrize("mask", ["none", "causal", "padding", "either", "nothing"])
def test_every_normalizer_and_its_map(mask: str, normalizer: str) -> None:
    call = make(mask, "bias", normalizer=normalizer)
    assert_right(
        call, ch.attention(*call.tensors, **call.settings), gradients=normalizer not in ("sparsemax", "entmax15")
    )
    assert_close(by_path(call, "dense"), call.output, torch.float64, "dense")
    output, amap = attend(call)
    assert_close(output, call.output, torch.float64, "attend")
    assert_close(amap.dense(), call.weights, torch.float64, "map")
    assert_close(amap[1, 2, 3], call.weights[1, 2, 3], torch.float64, "row")
    columns = torch.randn(1, 1, 17, 3, dtype=torch.float64)
    assert_close(amap.apply(columns), call.weights @ columns, torch.float64, "apply")
    assert amap.check().ok()


@pytest.mark.parametrize(
    "settings", [{"softcap": 1.5}, {"sinks": True}, {"scale": 0.7}, {"softcap": 2.0, "sinks": True}]
)
@pytest.mark.parametrize("mask", ["none", "causal", "padding", "nothing"])
def test_softcaps_sinks_and_scales(mask: str, settings: dict) -> None:
    if "sinks" in settings:
        settings = {**settings, "sinks": torch.randn(6, dtype=torch.float64, requires_grad=True)}
    call = make(mask, "ALiBi", **settings)
    output, amap = attend(call)
    assert_right(call, output)
    assert_right(call, ch.attention(*call.tensors, **call.settings))
    assert_close(by_path(call, "dense"), call.output, torch.float64, "dense")
    assert_close(amap.dense(), call.weights, torch.float64, "map")
    if "sinks" in settings:
        wish = torch.randn_like(call.output)
        wanted = torch.autograd.grad(call.output, settings["sinks"], wish, retain_graph=True, materialize_grads=True)
        found = torch.autograd.grad(output, settings["sinks"], wish, materialize_grads=True)
        assert_close(found[0], wanted[0], torch.float64, "gradient of the sinks")


sizes = st.builds(
    Sizes,
    batch=st.sampled_from([1, 2, 3]),
    heads=st.sampled_from([2, 4]),
    kv_heads=st.sampled_from([1, 2]),
    queries=st.sampled_from([1, 3, 7, 19, 53]),
    keys=st.sampled_from([1, 5, 11, 23, 59]),
    head_dim=st.sampled_from([1, 3, 8, 13]),
    value_dim=st.sampled_from([1, 5, 8, 17]),
)


@hypothesis.given(
    sizes,
    st.sampled_from(sorted(MASKS)),
    st.sampled_from(sorted(BIASES)),
    st.sampled_from(PATHS),
    st.sampled_from(DTYPES),
)
@hypothesis.settings(max_examples=80)
def test_any_sizes(s: Sizes, mask: str, bias: str, path: str, dtype: torch.dtype) -> None:
    if mask == "documents" and s.queries > s.keys:
        s = dataclasses.replace(s, queries=s.keys)  # what stands before the first key belongs to no document
    call = make(mask, bias, sizes=s, dtype=dtype)
    assert_right(call, by_path(call, path), path)  # type: ignore[arg-type]


# Rows that may attend to nothing.


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("mask", ["nothing", "padding"])
def test_rows_that_may_attend_to_nothing(mask: str, path: str) -> None:
    call = make(mask)
    empty = ~call.allowed.any(-1)
    assert empty.any()
    output = by_path(call, path)  # type: ignore[arg-type]
    assert not output[empty].any()
    gradients = torch.autograd.grad(output, call.tensors, torch.randn_like(output))
    assert all(bool(g.isfinite().all()) for g in gradients)
    assert not gradients[0][empty].any()
    amap = attend(call)[1]
    assert not amap.dense()[empty].any()
    assert (amap.lse[empty] == -torch.inf).all()  # type: ignore[attr-defined]
    assert not amap.entropy()[empty].any()


# Identities.


def test_keys_in_another_order_change_nothing() -> None:
    call = make("either", "bias")
    q, k, v = call.tensors
    order = torch.randperm(17)
    found = ch.attention(
        q, k[:, :, order], v[:, :, order], mask=call.allowed[..., order], bias=call.settings["bias"][..., order]
    )
    assert_close(found, call.output, torch.float64, "permuted")


@pytest.mark.parametrize("normalizer", NORMALIZERS)
def test_padding_changes_nothing(normalizer: str) -> None:
    q, k, v = (torch.randn(2, 3, n, 5, dtype=torch.float64) for n in (7, 11, 11))
    wanted = ch.attention(q, k, v, normalizer=normalizer)
    padded = [torch.cat([x, torch.randn(2, 3, 4, 5, dtype=torch.float64)], 2) for x in (k, v)]
    found = ch.attention(q, *padded, mask=Padding(torch.tensor([11, 11])), normalizer=normalizer)
    assert_close(found, wanted, torch.float64, "padded")


@pytest.mark.parametrize("path", PATHS)
def test_no_gradient_reaches_a_later_key(path: str) -> None:
    call = make("causal", sizes=Sizes(queries=13, keys=13))
    output = by_path(call, path)  # type: ignore[arg-type]
    for i in (0, 5, 12):
        for x in torch.autograd.grad(output[:, :, i].sum(), call.tensors[1:], retain_graph=True):
            assert not x[:, :, i + 1 :].any()
            assert x[:, :, : i + 1].any() or i == 0  # one key alone has weight 1 whatever it is


def test_grouped_queries_are_repeated_keys() -> None:
    q = torch.randn(2, 6, 7, 5, dtype=torch.float64)
    k, v = (torch.randn(2, 2, 11, 5, dtype=torch.float64) for _ in range(2))
    repeated = ch.attention(q, k.repeat_interleave(3, 1), v.repeat_interleave(3, 1), mask=Causal())
    assert_close(ch.attention(q, k, v, mask=Causal()), repeated, torch.float64, "grouped")


def test_parts_of_the_keys_merge_by_their_lse() -> None:
    q, k, v = (torch.randn(2, 3, n, 5, dtype=torch.float64) for n in (7, 19, 19))
    parts = [ch.attend(q, k[:, :, part], v[:, :, part]) for part in (slice(0, 11), slice(11, 19))]
    lse = torch.stack([amap.lse for _, amap in parts])  # type: ignore[attr-defined]
    shares = (lse - lse.logsumexp(0)).exp()
    merged = sum(share[..., None] * output for share, (output, _) in zip(shares, parts, strict=True))
    assert_close(merged, ch.attention(q, k, v), torch.float64, "merged")


@pytest.mark.parametrize("path", PATHS)
def test_prefill_and_decode_are_the_full_pass(path: str) -> None:
    call = make("causal", "ALiBi", sizes=Sizes(queries=13, keys=13))
    q, k, v = call.tensors
    found = []
    for start, stop in itertools.pairwise([0, 5, 6, 7, 11, 13]):
        step = dataclasses.replace(
            call,
            tensors=(q[:, :, start:stop], k[:, :, :stop], v[:, :, :stop]),
            allowed=call.allowed[:, :, start:stop, :stop],
            bias=None,
        )
        found.append(by_path(step, path))  # type: ignore[arg-type]
    assert_close(torch.cat(found, 2), call.output, torch.float64, "decoded")


def test_any_leading_axes() -> None:
    q, k, v = (torch.randn(2, 3, 4, n, 5, dtype=torch.float64) for n in (7, 11, 11))
    wanted = ch.attention(q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1), mask=Causal()).view(2, 3, 4, 7, 5)
    assert_close(ch.attention(q, k, v, mask=Causal()), wanted, torch.float64, "five axes")
    assert_close(ch.attention(q[0, 0], k[0, 0], v[0, 0], mask=Causal()), wanted[0, 0], torch.float64, "three axes")
    alone = ch.attend(q[0, 0, 1], k[0, 0, 1], v[0, 0, 1], mask=Causal())
    assert_close(alone[0], wanted[0, 0, 1], torch.float64, "two axes")
    assert alone[1].shape == (1, 1, 7, 11)


@pytest.mark.parametrize("shape", [(0, 2, 5, 7), (2, 3, 0, 5), (2, 3, 5, 0), (2, 3, 0, 0)])
@pytest.mark.parametrize("normalizer", NORMALIZERS)
@pytest.mark.parametrize("learns", [False, True])
@pytest.mark.parametrize("mask", [None, Causal(), Causal() & ch.Window(2, 0)], ids=repr)
def test_empty_axes(shape: tuple[int, int, int, int], normalizer: str, learns: bool, mask: ch.Mask | None) -> None:
    batch, heads, queries, keys = shape
    q, k, v = (torch.randn(batch, heads, n, 5, requires_grad=learns) for n in (queries, keys, keys))
    output, amap = ch.attend(q, k, v, mask=mask, normalizer=normalizer)
    assert output.shape == (batch, heads, queries, 5)
    assert not output.any()
    assert amap.shape == shape
    statistics = {
        "entropy": (amap.entropy(), (queries,)),
        "received": (amap.received(), (keys,)),
        "apply": (amap.apply(torch.ones(1, 1, keys, 2)), (queries, 2)),
        "distance": (amap.distance().mean, (queries,)),
        "mass": (amap.mass(torch.zeros(keys, dtype=torch.int64)), (queries, min(1, keys))),
        "pooled": (amap.pooled(2), (-(-queries // 2), -(-keys // 2))),
        "pooled maximum": (amap.pooled(2, "max"), (-(-queries // 2), -(-keys // 2))),
        "dense": (amap.dense(), (queries, keys)),
    }
    for name, (found, size) in statistics.items():
        assert found.shape == (batch, heads, *size), name
        assert not found.any(), name
    assert amap.check().ok()
    if learns:
        (output.sum() + sum(found.sum() for found, _ in statistics.values())).backward()


def test_no_heads_are_refused() -> None:
    x = torch.zeros(2, 0, 3, 5)
    with pytest.raises(ShapeError, match="at least one head"):
        ch.attention(x, x, x)


def test_the_map_of_half_precision_sums_to_1() -> None:
    for dtype in (torch.bfloat16, torch.float16):
        q, k, v = (torch.randn(1, 4, 307, 16).to(dtype) for _ in range(3))
        check = ch.attend(q, k, v, mask=Causal())[1].check()
        assert check.row_sum < 3e-6, (dtype, check)


def test_autocast_brings_dtypes_together() -> None:
    q, k, v = torch.randn(1, 2, 5, 8), torch.randn(1, 2, 7, 8).bfloat16(), torch.randn(1, 2, 7, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert ch.attention(q, k, v).dtype == torch.bfloat16
    with pytest.raises(InputError, match="one dtype"):
        ch.attention(q, k, v)


@pytest.mark.parametrize("settings", [{}, {"mask": Causal() & ch.Window(3, 0)}, {"softcap": 2.0}], ids=repr)
def test_functional_gradients(settings: dict[str, Any]) -> None:
    q, k, v = (torch.randn(1, 2, 7, 5, dtype=torch.float64, requires_grad=True) for _ in range(3))

    def loss(q: torch.Tensor) -> torch.Tensor:
        return ch.attention(q, k, v, **settings).square().sum()

    assert_close(torch.func.grad(loss)(q), torch.autograd.grad(loss(q), q)[0], torch.float64, "torch.func.grad")


# Dropout.


def test_dropout_is_the_same_in_both_directions_and_not_in_the_map() -> None:
    q, k, v = (torch.randn(2, 2, n, 3, dtype=torch.float64, requires_grad=True) for n in (5, 7, 7))

    def dropped(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(7)
        return ch.attention(q, k, v, dropout=0.4)

    assert torch.equal(dropped(q, k, v), dropped(q, k, v))
    torch.autograd.gradcheck(dropped, (q, k, v), fast_mode=True)
    output, amap = ch.attend(q, k, v, dropout=0.4)
    assert not torch.allclose(output, ch.attention(q, k, v))
    assert_close(amap.dense(), ch.attend(q, k, v)[1].dense().detach(), torch.float64, "map before dropout")


def test_dropout_keeps_the_mean() -> None:
    q, k, v = (torch.randn(1, 2, n, 3, dtype=torch.float64) for n in (3, 5, 5))
    many = (x.expand(4000, -1, -1, -1) for x in (q, k, v))
    mean = ch.attention(*many, dropout=0.5).mean(0, keepdim=True)
    torch.testing.assert_close(mean, ch.attention(q, k, v), rtol=0, atol=0.1)


# The helpers notice what they are for.


def test_the_comparison_notices() -> None:
    call = make("causal")
    right = by_path(call, "dense")
    assert_right(call, right)
    with pytest.raises(AssertionError, match="off by"):
        assert_right(call, right + 1e-9)
    with pytest.raises(AssertionError, match="off by"):
        assert_close(torch.tensor([torch.nan]), torch.zeros(1, dtype=torch.float64), torch.float64, "NaN")
    with pytest.raises(AssertionError, match="gradient of q"):
        assert_right(call, right + (call.tensors[0] * 0.1).sum() - (call.tensors[0] * 0.1).sum().detach())
    with pytest.raises(AssertionError, match="instead of"):
        assert_close(right[:1], call.output, torch.float64, "shape")


def test_the_masks_of_the_catalogue_say_different_things() -> None:
    s = Sizes()
    said = [tuple(make(mask, sizes=s).allowed.flatten().tolist()) for mask in MASKS if mask != "tensor"]
    assert len(set(said)) == len(said)


def test_a_boolean_tensor_is_an_explicit_mask() -> None:
    call = make("tensor")
    wanted = ch.attention(*call.tensors, mask=Explicit(call.settings["mask"]))
    assert torch.equal(ch.attention(*call.tensors, mask=call.settings["mask"]), wanted)
