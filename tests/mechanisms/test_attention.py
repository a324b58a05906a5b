"""What ``attention`` takes and refuses, which path it takes, and that it says so."""

from __future__ import annotations

import gc
import re
import weakref
from typing import Any

import pytest
import torch
from plain import printed
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

import clearhead as ch
from clearhead.errors import InputError, ShapeError
from clearhead.mechanisms import calls, dense, fused
from clearhead.mechanisms.calls import calls_under
from clearhead.mechanisms.rule import ScoreRule

pytestmark = pytest.mark.usefixtures("as_for_users")


def tensors(queries: int = 7, keys: int = 11, **options: Any) -> tuple[Tensor, Tensor, Tensor]:
    return tuple(torch.randn(2, 6, n, 5, **options) for n in (queries, keys, keys))  # type: ignore[return-value]


# Errors.

Q, K = torch.zeros(2, 6, 7, 5), torch.zeros(2, 3, 11, 5)


@pytest.mark.parametrize(
    ("arguments", "settings", "error", "said"),
    [
        ((Q, K[0], K), {}, ShapeError, r"same number of axes.*k \(3, 11, 5\)"),
        ((Q, K.double(), K), {}, InputError, "one dtype; got torch.float32, torch.float64"),
        ((Q.long(), K.long(), K.long()), {}, InputError, "floating-point"),
        ((Q, K.to("meta"), K), {}, InputError, "one device; got cpu, meta"),
        ((Q, K[..., :3], K), {}, ShapeError, "head_dim"),
        ((Q, K, K[:, :, :4]), {}, ShapeError, "keys"),
        ((Q, K[:1], K[:1]), {}, ShapeError, "axes before heads"),
        ((Q[:, :4], K, K), {}, ShapeError, r"heads of k and v .* divide those of q; got q \(2, 4, 7, 5\)"),
        ((Q, K, K), {"mask": torch.zeros(7, 11)}, InputError, "a mask tensor is boolean.*go to bias"),
        ((Q, K, K), {"mask": torch.zeros(7, 11).int()}, InputError, r"mask\.bool\(\)"),
        ((Q, K, K), {"mask": "causal"}, InputError, r"a rule such as clearhead.Causal\(\).*got str 'causal'"),
        ((Q, K, K), {"mask": torch.zeros(7, 10).bool()}, ShapeError, "7"),
        ((Q, K, K), {"mask": ch.Padding(torch.tensor([3, 4, 5]))}, ShapeError, "for batch 3, and q has batch 2"),
        ((Q, K, K), {"mask": torch.ones(5, 7, 11).bool()}, ShapeError, "for heads 5, and q has heads 6"),
        ((Q, K, K), {"bias": torch.zeros(7, 10)}, ShapeError, r"\(2, 6, 7, 11\); got \(7, 10\)"),
        ((Q, K, K), {"bias": torch.zeros(7, 11).bool()}, InputError, "A mask goes to mask"),
        ((Q, K, K), {"bias": 3.0}, InputError, "ALiBi or RelativeBias; got float 3.0"),
        ((Q, K, K), {"bias": ch.ALiBi(4)}, ShapeError, "q has 6 heads and the bias 4"),
        ((Q, K, K), {"normalizer": "hardmax"}, InputError, "no normalizer 'hardmax'"),
        ((Q, K, K), {"dropout": 1.0}, InputError, "0 ≤ dropout < 1; got 1.0"),
        ((Q, K, K), {"softcap": 0.0}, InputError, "above 0; got 0.0"),
        ((Q, K, K), {"sinks": torch.zeros(3)}, ShapeError, r"\(6,\).*got \(3,\)"),
        ((Q, K, K), {"sinks": torch.zeros(6), "normalizer": "relu"}, InputError, "the normalizer here is ReLU"),
        ((Q.long(), K.long(), K.long()), {}, InputError, "floating-point; got torch.int64"),
        ((Q.numpy(), K, K), {}, InputError, "q is a torch.Tensor; got ndarray"),
        ((Q, K, K), {"scale": float("nan")}, InputError, "scale is a finite number; got nan"),
        ((Q, K, K), {"scale": "x"}, InputError, "scale is a number; got 'x'"),
        ((Q, K, K), {"mask": ch.Causal}, InputError, r"make one of it: Causal\(…\)"),
        ((Q, K, K), {"mask": (ch.Causal(), None)}, InputError, r"gives \(mask, bias\): unpack it"),
    ],
)
def test_what_does_not_fit_is_said(arguments: tuple, settings: dict, error: type, said: str) -> None:
    for function in (ch.attention, ch.attend, ch.explain):
        with pytest.raises(error, match=said):
            function(*arguments, **settings)


# Paths.


@pytest.mark.parametrize(
    ("settings", "path", "reason"),
    [
        ({}, "sdpa", "nothing stands in the way"),
        ({"mask": ch.Causal()}, "fused", "a mask is written out a block at a time"),
        ({"mask": ch.Padding(torch.tensor([3, 4]))}, "fused", "mask"),
        ({"bias": ch.ALiBi(6)}, "fused", "a bias is added a block at a time"),
        ({"bias": torch.zeros(7, 11)}, "fused", "a bias"),
        ({"bias": torch.zeros(7, 11, requires_grad=True)}, "streamed", "no kernel gives a gradient for the bias"),
        ({"bias": ch.RelativeBias(6)}, "streamed", "no kernel gives a gradient for the bias"),
        ({"sinks": torch.zeros(6)}, "fused", "sinks need the LSE"),
        ({"softcap": 3.0}, "streamed", "softcap"),
        ({"dropout": 0.1}, "streamed", "no kernel on the CPU drops weights"),
        ({"normalizer": "sparsemax"}, "streamed", r"no kernel has the normalizer Sparsemax\(\)"),
        ({"with_map": True}, "fused", "the LSE is kept for the map"),
    ],
)
def test_the_path_and_its_reason_are_said(settings: dict, path: str, reason: str) -> None:
    found = ch.explain(*tensors(), **settings)
    assert found.path == path
    assert any(re.search(reason, said) for said in found.reasons)
    assert path in str(found)
    assert all(said in str(found) for said in found.reasons)


def test_square_causal_attention_is_one_call_with_a_flag() -> None:
    q, k, v = tensors(7, 7)
    assert ch.explain(q, k, v, mask=ch.Causal()).path == "sdpa"
    assert torch.equal(ch.attention(q, k, v, mask=ch.Causal()), scaled_dot_product_attention(q, k, v, is_causal=True))
    assert torch.equal(ch.attention(q, k, v), scaled_dot_product_attention(q, k, v))
    assert torch.equal(ch.attend(q, k, v)[0], scaled_dot_product_attention(q, k, v))


def test_costs_are_counted() -> None:
    q, k, v = (torch.zeros(2, 3, n, d) for n, d in ((5, 8), (7, 8), (7, 8)))
    found = ch.explain(q, k, v)
    assert found.pairs == 35
    assert found.flops == 4 * 2 * 3 * 35 * 8
    assert found.bytes_read == 4 * (2 * 3 * (5 + 7 + 7 + 5) * 8)
    assert found.bytes_extra == 0
    assert found.bytes_kept == found.bytes_read + 4 * 2 * 3 * 5
    assert ch.explain(q, q, q, mask=ch.Causal()).pairs == 15
    assert ch.explain(q, q, q, mask=ch.Causal(), with_map=True).pairs == 15
    dense_bytes = ch.explain(q, k, v, softcap=1.0).bytes_extra
    assert dense_bytes == 4 * 2 * 3 * 35
    mask = ch.Causal() & ch.Window(100, 0)
    long = torch.zeros(1, 1, 4099, 8)
    found = ch.explain(long, long, long, mask=mask)
    needed = int(mask.dense(4099, 4099).sum())
    assert needed < found.pairs < 3 * needed  # whole tiles of 64 × 64 are computed
    assert abs(found.share - found.pairs / 4099**2) < 1e-9


def test_values_of_another_width_stay_fused() -> None:
    q, k, _ = tensors()
    for width in (1, 3, 8, 17):
        v = torch.randn(2, 6, 11, width)
        assert ch.explain(q, k, v).path == "sdpa"
        wanted = dense.attention(q, k, v, ScoreRule(5**-0.5))
        torch.testing.assert_close(ch.attention(q, k, v), wanted, rtol=0, atol=1e-5)
        torch.testing.assert_close(ch.attend(q, k, v)[0], wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("plain", [False, True])
def test_without_a_fused_kernel_the_same_comes_from_plain_operations(
    plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    q, k, v = (x.requires_grad_() for x in tensors(7, 7, dtype=torch.float64))
    wanted = [ch.attend(q, k, v, mask=mask)[0] for mask in (None, ch.Causal(), ch.Causal() & ch.Window(2, 0))]
    gradients = [torch.autograd.grad(x.square().sum(), (q, k, v)) for x in wanted]
    monkeypatch.setattr(fused, "has_fused_kernel", lambda tensor: not plain)
    monkeypatch.setattr(fused, "_BLOCK", 200)
    for mask, output, expected in zip(
        (None, ch.Causal(), ch.Causal() & ch.Window(2, 0)), wanted, gradients, strict=True
    ):
        rule = ScoreRule(5**-0.5, None if mask is None else mask.bind(7, 7, q.device))
        found, lse = fused.attend_calls(q, k, v, calls_under(rule, q, k), scale=5**-0.5)
        torch.testing.assert_close(found, output, rtol=0, atol=1e-12)
        for a, b in zip(torch.autograd.grad(found.square().sum(), (q, k, v), retain_graph=True), expected, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-12)
        by_lse = torch.autograd.grad(lse.sum(), (q, k))
        again = ch.attend(q, k, v, mask=mask)[1].lse  # type: ignore[attr-defined]
        monkeypatch.setattr(fused, "has_fused_kernel", lambda tensor: True)
        for a, b in zip(by_lse, torch.autograd.grad(again.sum(), (q, k)), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-12)
        monkeypatch.setattr(fused, "has_fused_kernel", lambda tensor: not plain)


def test_long_masks_are_written_out_a_block_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, v = (torch.randn(1, 2, n, 8, dtype=torch.float64, requires_grad=True) for n in (67, 71, 71))
    mask = ch.Causal() & ch.Documents(torch.arange(71) // 13)
    wanted = dense.attention(q, k, v, ScoreRule(8**-0.5, mask.bind(67, 71, q.device)))
    gradients = torch.autograd.grad(wanted.square().sum(), (q, k, v))
    monkeypatch.setattr(calls, "_ROWS", 5)
    monkeypatch.setattr(calls, "_FOLDED_ROWS", 3)
    assert ch.explain(q, k, v, mask=mask).calls == 14
    found = ch.attention(q, k, v, mask=mask)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
    for a, b in zip(torch.autograd.grad(found.square().sum(), (q, k, v)), gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)
    for rows in (1, 7):
        monkeypatch.setattr(calls, "_FOLDED_ROWS", rows)
        alibi = ch.attention(q, k, v, mask=mask, bias=ch.ALiBi(2).double())
        bias = ch.ALiBi(2).double().tile(torch.arange(4, 71), torch.arange(71))
        torch.testing.assert_close(alibi, ch.attention(q, k, v, mask=mask, bias=bias), rtol=0, atol=1e-12)


def test_alibi_stays_exact_far_from_the_first_key() -> None:
    # Positions count from the middle of a block: counted from the first key, slope · 5,000 would leave 3 digits.
    q, k, v = (torch.randn(1, 2, n, 8) for n in (300, 5003, 5003))
    bias = ch.ALiBi(2, slopes=[0.5, 0.25])
    found = ch.attention(q, k, v, mask=ch.Causal(), bias=bias)
    wanted = ch.attention(
        q.double(), k.double(), v.double(), mask=ch.Causal(), bias=ch.ALiBi(2, slopes=[0.5, 0.25]).double()
    )
    torch.testing.assert_close(found.double(), wanted, rtol=0, atol=1e-5)


# Modes of PyTorch.


def test_autocast_lowers_it_as_it_lowers_pytorchs_own() -> None:
    q, k, v = tensors(7, 7)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        wanted = scaled_dot_product_attention(q, k, v)
        assert torch.equal(ch.attention(q, k, v), wanted)
        output, amap = ch.attend(q, k, v, softcap=1e6)
        assert output.dtype == torch.bfloat16
        torch.testing.assert_close(output, wanted, rtol=0, atol=2e-2)
        assert amap.dense().dtype == torch.float32
        assert ch.attention(q.double(), k.double(), v.double()).dtype == torch.float64


def test_backward_is_deterministic() -> None:
    torch.use_deterministic_algorithms(True)
    try:
        for settings in (
            {},
            {"mask": ch.Causal()},
            {"bias": ch.ALiBi(6)},
            {"bias": ch.RelativeBias(6)},
            {"softcap": 2.0},
        ):
            found = []
            for _ in range(2):
                torch.manual_seed(3)
                q, k, v = (x.requires_grad_() for x in tensors())
                output, amap = ch.attend(q, k, v, **settings)
                found.append(torch.autograd.grad(output.square().sum() + amap.entropy().sum(), (q, k, v)))
            assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("loss", ["output", "lse", "both"])
@pytest.mark.parametrize("name", ["plain", "causal", "rules", "ALiBi", "sinks", "softcap"])
def test_gradients_have_gradients(name: str, loss: str) -> None:
    # Kernels have none, so plain operations step in, and are never left out in silence.
    settings: dict[str, Any] = {
        "plain": {},
        "causal": {"mask": ch.Causal()},
        "rules": {"mask": ch.Causal() & ch.Window(2, 0)},
        "ALiBi": {"mask": ch.Causal(), "bias": ch.ALiBi(2).double()},
        "sinks": {"sinks": torch.randn(2, dtype=torch.float64)},
        "softcap": {"softcap": 2.0},
    }[name]

    def function(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        output, amap = ch.attend(q, k, v, **settings)
        if loss == "output":
            return ch.attention(q, k, v, **{**settings, "scale": 0.5}).sum() if name != "plain" else output.sum()
        return amap.entropy().sum() if loss == "lse" else output.square().sum() + amap.entropy().sum()

    q, k, v = (torch.randn(1, 2, n, 3, dtype=torch.float64, requires_grad=True) for n in (3, 5, 5))
    first = torch.autograd.grad(function(q, k, v), (q, k), create_graph=True)
    assert torch.autograd.gradgradcheck(function, (q, k, v), fast_mode=True)
    assert all(x.requires_grad for x in first)


def test_training_and_evaluation_are_the_same() -> None:
    q, k, v = tensors()
    for settings in (
        {},
        {"mask": ch.Causal()},
        {"bias": ch.RelativeBias(6)},
        {"softcap": 2.0},
        {"mask": torch.zeros(7, 11).bool()},
    ):
        with torch.inference_mode():
            evaluated = ch.attention(q, k, v, **settings)
        trained = ch.attention(*(x.clone().requires_grad_() for x in (q, k, v)), **settings)
        torch.testing.assert_close(evaluated, trained.detach(), rtol=0, atol=1e-6)


def test_tensors_without_numbers_give_the_shape() -> None:
    q, k, v = (x.to("meta") for x in tensors())
    v = v[..., :3]
    for settings in (
        {},
        {"mask": ch.Causal()},
        {"mask": ch.Window(2, 3) | ch.Prefix(2).to("meta")},
        {"softcap": 2.0},
        {"normalizer": "entmax15"},
    ):
        found = ch.attention(q, k, v, **settings)
        assert found.device.type == "meta"
        assert found.shape == (2, 6, 7, 3)
    assert ch.explain(q, k, v, mask=ch.Causal()).path == "sdpa"


COMPILED = """
import torch, clearhead as ch

torch.manual_seed(0)
q, k, v = (torch.randn(2, 4, n, 8) for n in (13, 17, 17))
settings = {
    "plain": {},
    "causal": {"mask": ch.Causal()},
    "rules": {"mask": ch.Causal() & ch.Window(3, 0) | ch.Prefix(2)},
    "padding": {"mask": ch.Padding(torch.tensor([17, 5]))},
    "documents": {"mask": ch.Documents(torch.arange(17) // 4)},
    "ALiBi": {"mask": ch.Causal(), "bias": ch.ALiBi(4)},
    "relative": {"bias": ch.RelativeBias(4)},
    "bias": {"bias": torch.randn(4, 13, 17)},
    "softcap": {"softcap": 2.0},
    "sinks": {"sinks": torch.randn(4)},
    "entmax": {"normalizer": "entmax15", "mask": ch.Causal()},
    "empty": {"mask": torch.zeros(13, 17, dtype=torch.bool)},
}
for name, given in settings.items():
    def attention(q, k, v):
        return ch.attention(q, k, v, **given)

    class Module(torch.nn.Module):
        def forward(self, q, k, v):
            return ch.attention(q, k, v, **given)

    def attend(q, k, v):
        return ch.attend(q, k, v, **given)

    inputs = [x.clone().requires_grad_() for x in (q, k, v)]
    wanted = attention(*inputs)
    wish = torch.randn_like(wanted)
    gradients = torch.autograd.grad(wanted, inputs, wish, materialize_grads=True)
    torch._dynamo.reset()
    found = torch.compile(attention, fullgraph=True, backend="aot_eager")(*inputs)
    torch.testing.assert_close(found, wanted, rtol=0, atol=2e-6)
    for a, b in zip(torch.autograd.grad(found, inputs, wish, materialize_grads=True), gradients):
        torch.testing.assert_close(a, b, rtol=0, atol=5e-6)
    exported = torch.export.export(Module(), (q, k, v)).module()(q, k, v)
    torch.testing.assert_close(exported, wanted, rtol=0, atol=2e-6)
    torch._dynamo.reset()
    output, amap = torch.compile(attend, fullgraph=True, backend="aot_eager")(*inputs)
    torch.testing.assert_close(output, wanted, rtol=0, atol=2e-6)
    torch.testing.assert_close(amap.dense(), attend(*inputs)[1].dense(), rtol=0, atol=2e-6)
    amap.entropy().sum().backward()
    torch._dynamo.reset()
print(len(settings), "compiled")
"""


def test_it_compiles_to_one_graph_and_is_exported() -> None:
    assert printed(COMPILED, "ignore") == "12 compiled\n"


def test_a_map_that_a_compiled_function_made_notices_changes_after_the_first_look() -> None:
    code = """
import torch, clearhead as ch
q = torch.randn(1, 2, 5, 8)
output, amap = torch.compile(ch.attend, fullgraph=True, backend="eager")(q, q, q)
amap.entropy()
q.zero_()
try:
    amap.entropy()
except RuntimeError as error:
    print(type(error).__name__)
"""
    assert printed(code, "ignore") == "StaleMapError\n"


# The loops of the texts.


def test_the_loops_and_the_matrices_are_the_same() -> None:
    q, k, v = (torch.randn(n, d, dtype=torch.float64) for n, d in ((5, 3), (7, 3), (7, 4)))
    for scale in (None, 1.0):
        torch.testing.assert_close(dense.attention_by_position(q, k, v, scale), ch.attention(q, k, v, scale=scale))


@pytest.mark.parametrize("kind", ["one for all", "k of q", "k is v"])
@pytest.mark.parametrize("mask", [None, ch.Causal() & ch.Window(5, 0)], ids=["plain", "window"])
def test_gradients_with_a_graph_count_each_way_once(kind: str, mask: ch.Mask | None) -> None:
    x, y = (torch.randn(1, 2, 7, 5, dtype=torch.float64, requires_grad=True) for _ in range(2))
    tensors = {"one for all": (x, x, x), "k of q": (x, 2 * x, 3 * x), "k is v": (x, y, y)}[kind]
    output = ch.attend(*tensors, mask=mask)[0].square().sum()
    once = torch.autograd.grad(output, x, retain_graph=True)[0]
    torch.testing.assert_close(torch.autograd.grad(output, x, create_graph=True)[0], once, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("normalizer", ["softmax", "sparsemax"])
@pytest.mark.parametrize("what", ["mask", "bias"])
def test_what_is_made_again_must_not_change(normalizer: str, what: str) -> None:
    length = 5 if normalizer == "softmax" else 733  # shorter ones are kept by plain operations
    q = torch.randn(1, 2, length, 3, requires_grad=True)
    given = torch.ones(length, length).bool() if what == "mask" else torch.randn(length, length)
    output = ch.attention(q, q, q, **{what: given}, normalizer=normalizer)  # type: ignore[arg-type]
    given[:, 1:] = 0
    with pytest.raises((InputError, RuntimeError), match=r"changed in place between|modified by an inplace operation"):
        output.sum().backward()


@pytest.mark.parametrize("options", [{"normalizer": "sparsemax"}, {"softcap": 3.0}], ids=str)
def test_what_is_kept_may_change(options: dict[str, Any]) -> None:
    """The mask of short texts: gradients are those of the mask that there was."""
    found = []
    for changes in (False, True):
        torch.manual_seed(0)
        q = torch.randn(2, 2, 5, 3, requires_grad=True)
        there = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
        output = ch.attention(q, q, q, mask=ch.Padding(there), **options)
        if changes:
            there[:] = True
        output.square().sum().backward()
        found.append(q.grad)
    assert torch.equal(*found)


@pytest.mark.parametrize("sinks", [None, torch.zeros(2)])
@pytest.mark.parametrize("mask", [None, ch.Causal()])
def test_a_row_that_a_bias_empties_is_empty(mask: ch.Mask | None, sinks: Tensor | None) -> None:
    q = torch.randn(1, 2, 5, 3)
    bias = torch.randn(5, 5)
    bias[2, :3] = -torch.inf
    bias[2, 3:] = bias[2, 3:] if mask is not None else -torch.inf
    output, amap = ch.attend(q, q, q, mask=mask, bias=bias, sinks=sinks)
    assert (output[:, :, 2] == 0).all()
    assert (amap.lse[:, :, 2] == -torch.inf).all()  # type: ignore[attr-defined]
    assert bool(amap.check().ok())


def test_a_scale_of_0_leaves_the_bias() -> None:
    q = torch.randn(1, 2, 5, 3, dtype=torch.float64)
    bias = ch.ALiBi(2)
    wanted = bias.tile(torch.arange(5), torch.arange(5)).double().softmax(-1) @ q
    torch.testing.assert_close(ch.attention(q, q, q, bias=bias, scale=0.0), wanted, rtol=0, atol=1e-12)


def test_rows_of_many_equal_scores_sum_to_1() -> None:
    torch.manual_seed(0)
    q, k = torch.full((1, 1, 7, 16), 3.0), 2 + 1e-4 * torch.randn(1, 1, 4096, 16)
    for normalizer in ("sparsemax", "entmax15"):
        output, amap = ch.attend(q, k, torch.ones_like(k), normalizer=normalizer)
        assert float((output - 1).abs().max()) < 1e-5
        assert amap.check().row_sum < 1e-5


def test_rows_without_weight_look_no_distance() -> None:
    q = torch.zeros(1, 1, 5, 3, requires_grad=True)
    distance = ch.attend(q, q, q, normalizer="relu")[1].distance()
    assert (distance.mean == 0).all()
    gradient = torch.autograd.grad(distance.mean.sum(), q)[0]
    assert torch.isfinite(gradient).all()


def test_a_map_lets_go_of_what_it_does_not_need() -> None:
    q, v = torch.randn(1, 2, 5, 3), torch.randn(1, 2, 5, 3)
    amap = ch.attend(q, q, v)[1]
    held = weakref.ref(v)
    del v
    gc.collect()
    assert held() is None
    q, sinks = q.requires_grad_(), torch.zeros(2, requires_grad=True) * 1
    amap = ch.attend(q, q, q, sinks=sinks)[1].detach()
    held = weakref.ref(sinks)
    del sinks
    gc.collect()
    assert held() is None
    assert not amap.entropy().requires_grad


def test_a_trained_scale_is_refused() -> None:
    q = torch.randn(1, 2, 5, 3)
    with pytest.raises(InputError, match="for a trained scale multiply q by it"):
        ch.attention(q, q, q, scale=torch.tensor(0.3, requires_grad=True))  # type: ignore[arg-type]
