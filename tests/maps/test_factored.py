"""The map that is kept as q, k and LSE: what it takes, what it holds, what it notices."""

import math

import pytest
import torch
from oracle import SETTINGS, STATISTICS, Sizes, close, make, reference

from clearhead import AttentionMap
from clearhead.errors import LargeMapError, ShapeError, StaleMapError
from clearhead.maps import base
from clearhead.maps.factored import FactoredMap
from clearhead.masks import Explicit, Spans
from clearhead.mechanisms import ScoreRule, fused


def build(q, k, **given) -> FactoredMap:
    """``from_qk`` below its signature, whose shapes are checked while tests run: the errors that users see."""
    names = ["scale", "mask", "bias", "softcap", "sinks", "modify", "lse", "values", "output"]
    return FactoredMap.build(q, k, **{**dict.fromkeys(names), "causal": False, **given})


def test_two_tokens_by_hand() -> None:
    # The second query scores 0 and ln 3: weights 1/4 and 3/4, LSE ln 4, entropy ln 4 − 3/4 ln 3, mean distance 1/4.
    q, k = torch.tensor([0.0, 1.0]).view(1, 1, 2, 1), torch.tensor([0.0, math.log(3)]).view(1, 1, 2, 1)
    amap = AttentionMap.from_qk(q, k, scale=1.0)
    close(amap[0, 0], torch.tensor([[0.5, 0.5], [0.25, 0.75]]), 1e-7)
    close(amap.lse[0, 0], torch.tensor([math.log(2), math.log(4)]), 1e-6)
    close(amap.entropy()[0, 0], torch.tensor([math.log(2), math.log(4) - 0.75 * math.log(3)]), 1e-6)
    close(amap.distance().mean[0, 0], torch.tensor([0.5, 0.25]), 1e-6)
    close(amap.distance().signed[0, 0], torch.tensor([-0.5, 0.25]), 1e-6)
    close(amap.distance().spread[0, 0], torch.tensor([0.5, math.sqrt(3) / 4]), 1e-6)
    close(amap.received()[0, 0], torch.tensor([0.75, 1.25]), 1e-6)
    assert amap.topk(1).keys[0, 0, 1].tolist() == [1]
    close(amap.mass([[1]])[0, 0, :, 0], torch.tensor([0.5, 0.75]), 1e-6)


def test_every_row_that_may_attend_to_nothing() -> None:
    for kind in ("random", "random by head", "nothing", "bias of −inf", "sinks and random", "predicate"):
        case = make(kind)
        empty = case.lse == -torch.inf
        assert empty.any()
        amap = case.amap
        assert (amap.dense()[empty] == 0).all()
        assert (amap.lse[empty] == -torch.inf).all()
        for found in (amap.entropy(), *amap.distance(), amap.mass([[0, 1]])[..., 0], amap.topk(3).weights[..., 0]):
            assert (found[empty] == 0).all()
        assert (amap.topk(3).keys[empty] == -1).all()
        assert not amap.received().isnan().any()
        assert amap.check().row_sum < 1e-5


def test_shape_device_dtype_bytes_and_repr() -> None:
    for dtype, wanted in (
        (torch.float64, torch.float64),
        (torch.float32, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
    ):
        amap = make("causal", dtype=dtype).amap
        assert amap.shape == (2, 6, 29, 31)
        assert amap.device == torch.device("cpu")
        assert amap.dtype == amap[0, 0, 0].dtype == amap.entropy().dtype == wanted
    amap = make("sinks", Sizes(queries=31), torch.bfloat16).amap
    before = amap.nbytes
    assert before == 2 * (2 * 6 * 31 * 5 + 2 * 3 * 31 * 5) + 6 * 4 + 2 * 31 * 4  # q and k, sinks, runs of keys
    assert amap.lse.shape == (2, 6, 31)
    assert amap.nbytes == before + 2 * 6 * 31 * 4
    shown = repr(amap)
    for part in (
        "FactoredMap(batch=2, heads=6, queries=31, keys=31, torch.float32, cpu, 7.34 kB for",
        "q, k of bfloat16 and the LSE",
        "Spans(31 queries × 31 keys, causal)",
        "sinks",
    ):
        assert part in shown, shown
    assert "softcap=1.5" in repr(make("softcap").amap)
    assert "bias" in repr(make("bias").amap)
    assert "modify" in repr(make("modify").amap)


def test_keys_are_kept_once_a_key_head_and_never_copied() -> None:
    q, k = torch.randn(1, 6, 7, 5), torch.randn(1, 2, 11, 5)
    amap = build(q, k)
    assert amap.k.data_ptr() == k.data_ptr()
    assert amap.q.data_ptr() == q.data_ptr()
    assert amap.k.shape == (1, 2, 11, 5)


def test_a_bias_that_is_only_repeated_is_counted_once() -> None:
    q, k = torch.randn(64, 8, 5, 4), torch.randn(64, 8, 7, 4)
    bias = torch.randn(1, 8, 5, 7)
    assert build(q, k, bias=bias.expand(64, -1, -1, -1)).nbytes == build(q, k, bias=bias).nbytes


def test_without_a_batch_it_is_a_batch_of_one() -> None:
    q, k, v = torch.randn(6, 7, 5), torch.randn(2, 11, 5), torch.randn(2, 11, 3)
    weights, lse = reference(q[None], k[None])
    output = weights[0] @ v.double().repeat_interleave(3, 0)
    amap = AttentionMap.from_qk(q, k, lse=lse[0].float(), values=v, output=output.float())
    assert amap.shape == (1, 6, 7, 11)
    close(amap.dense(), weights, 1e-6)
    assert amap.check().ok()
    five = AttentionMap.from_qk(q.view(1, 1, 6, 7, 5), k.view(1, 1, 2, 11, 5))
    close(five.dense(), weights, 1e-6)


@pytest.mark.parametrize(
    ("q", "k", "given", "message"),
    [
        ((2, 4, 5, 3), (3, 4, 5, 3), {}, r"same batch size; got q \(2, 4, 5, 3\) and k \(3, 4, 5, 3\), both \(batch"),
        ((2, 4, 5, 3), (2, 4, 5, 7), {}, r"same head_dim"),
        ((2, 4, 5, 3), (2, 3, 5, 3), {}, r"heads of k must divide"),
        ((2, 4, 5, 3), (2, 0, 5, 3), {}, r"heads of k must divide"),
        ((5, 3), (5, 3), {}, r"q has the axes \(batch, heads, tokens, head_dim\); got the shape \(5, 3\)"),
        (
            (2, 4, 5, 3),
            (2, 4, 7, 3),
            {"mask": (5, 5)},
            r"the mask must broadcast to .* = \(2, 4, 5, 7\); got \(1, 1, 5",
        ),
        ((2, 4, 5, 3), (2, 4, 7, 3), {"bias": (3, 1, 1, 7)}, r"the bias must broadcast"),
        ((2, 4, 5, 3), (2, 4, 7, 3), {"bias": (1, 2, 4, 5, 7)}, r"the bias must broadcast"),
        ((2, 4, 5, 3), (2, 4, 7, 3), {"sinks": (3,)}, r"one logit a head, \(4,\); got \(3,\)"),
        ((2, 4, 5, 3), (2, 4, 7, 3), {"lse": (2, 4, 7)}, r"lse has the shape \(2, 4, 5\) here; got \(2, 4, 7\)"),
        ((2, 4, 5, 3), (2, 4, 7, 3), {"lse": (2, 4, 5, 1)}, r"lse has the shape"),
        ((2, 4, 5, 3), (2, 2, 7, 3), {"values": (2, 4, 7, 9)}, r"values has the shape \(2, 2, 7, 9\)"),
        ((2, 4, 5, 3), (2, 4, 7, 3), {"values": (2, 4, 7, 9), "output": (2, 4, 5, 8)}, r"values has the shape"),
        ((2, 4, 5, 3), (2, 4, 7, 3), {"output": (2, 4, 7, 9)}, r"output has the shape \(2, 4, 5, 9\)"),
    ],
    ids=str,
)
def test_tensors_that_do_not_fit_are_named(q, k, given, message: str) -> None:
    tensors = {name: torch.ones(shape, dtype=torch.bool if name == "mask" else None) for name, shape in given.items()}
    with pytest.raises(ShapeError, match=message):
        build(torch.randn(q), torch.randn(k), **tensors)


def test_dtypes_that_do_not_fit_are_named() -> None:
    q = torch.randn(1, 2, 5, 3)
    with pytest.raises(ShapeError, match=r"one floating-point dtype; got torch.float32 and torch.bfloat16"):
        build(q, q.bfloat16())
    with pytest.raises(ShapeError, match=r"one floating-point dtype; got torch.int64"):
        build(q.long(), q.long())
    # Zeros mean "nothing is added" in one convention and "nothing may attend" in the other.
    with pytest.raises(ShapeError, match=r"True where a query may attend; got torch.float32.*given as bias"):
        build(q, q, mask=torch.zeros(5, 5))


def test_integers_are_a_mask_too() -> None:
    q = torch.randn(1, 2, 5, 3)
    weights, _ = reference(q, q, allowed=torch.tensor([True, True, True, False, False]))
    close(build(q, q, mask=torch.tensor([1, 1, 1, 0, 0])).dense(), weights, 1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a: a.topk(0), r"1 ≤ k ≤ 31 keys; got k=0"),
        (lambda a: a.topk(32), r"got k=32"),
        (lambda a: a.pooled(0), r"size ≥ 1 and 'mean' or 'max'; got 0"),
        (lambda a: a.apply(torch.ones(1, 1, 7, 3)), r"\(batch, heads, keys, any\) = .* got \(1, 1, 7, 3\)"),
        (lambda a: a.select_heads([99]), r"heads are numbered from 0 to \d+; got 99"),
        (lambda a: a.mass([[31]]), r"group 0 holds key 31, but there are 31 keys"),
        (lambda a: a.mass(torch.zeros(7, dtype=torch.int64)), r"\(keys,\) = \(31,\).*got torch.int64 \(7,\)"),
    ],
)
@pytest.mark.parametrize("stored", [False, True])
def test_questions_that_make_no_sense(call, message: str, stored: bool) -> None:
    case = make("causal")
    amap = AttentionMap.from_weights(case.weights.float()) if stored else case.amap
    with pytest.raises(ShapeError, match=message):
        call(amap)


def test_the_whole_is_refused_above_a_size_unless_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    assert base.MOST_ENTRIES == 2**28
    n = 2**14 + 1
    huge = AttentionMap.from_qk(torch.randn(1, 1, n, 1), torch.randn(1, 1, n, 1))
    with pytest.raises(LargeMapError, match=r"268,468,225 weights at once \(1.07 GB\)"):
        huge.dense()
    case = make("causal")
    monkeypatch.setattr(base, "MOST_ENTRIES", case.weights.numel() - 1)
    for amap in (case.amap, AttentionMap.from_weights(case.weights.float())):
        with pytest.raises(LargeMapError):
            amap.dense()
        close(amap.dense(force=True), case.weights, 1e-5)
    monkeypatch.setattr(base, "MOST_ENTRIES", case.weights.numel())
    case.amap.dense()


# Changes in place.

ASKED = {
    "index": lambda a: a[0, 0, 0],
    "points": lambda a: a[0, 0, [0, 1], [0, 1]],
    "dense": lambda a: a.dense(),
    "cpu": lambda a: a.cpu(),
    "select_heads": lambda a: a.select_heads([0]),
    "tensors": lambda a: a.tensors(),
    "entropy": lambda a: a.entropy(),
    "moments": lambda a: a.moments(),
    "received": lambda a: a.received(),
    "pooled": lambda a: a.pooled(16),
    "max": lambda a: a.pooled(4, "max"),
    "topk": lambda a: a.topk(2),
    "apply": lambda a: a.apply(torch.ones(1, 1, a.shape[3], 2)),
    "check": lambda a: a.check(),
}


def changeable() -> tuple[FactoredMap, dict[str, torch.Tensor]]:
    q, k = torch.randn(1, 2, 23, 3), torch.randn(1, 2, 29, 3)
    held = {
        "q": q,
        "k": k,
        "lse": torch.zeros(1, 2, 23),
        "mask.allowed": torch.rand(1, 1, 23, 29) < 0.5,
        "bias": torch.randn(1, 2, 23, 29),
        "sinks": torch.randn(2),
        "values": torch.randn(1, 2, 29, 3),
        "output": torch.randn(1, 2, 23, 3),
    }
    given = {name: x for name, x in held.items() if "mask" not in name}
    return build(**given, mask=held["mask.allowed"]), held


@pytest.mark.parametrize("ask", ASKED)
@pytest.mark.parametrize("name", ["q", "k", "mask.allowed", "bias", "sinks"])
def test_a_tensor_that_was_changed_in_place_is_never_shown(name: str, ask: str) -> None:
    amap, held = changeable()
    ASKED[ask](amap)  # whatever it may keep of the answer
    held[name].logical_not_() if held[name].dtype == torch.bool else held[name].mul_(1)
    with pytest.raises(StaleMapError, match=rf"the {name} of this map were changed in place"):
        ASKED[ask](amap)


def test_the_lse_of_a_kernel_may_not_change_either() -> None:
    q, lse = torch.randn(1, 2, 5, 3), torch.zeros(1, 2, 5)
    for asked in (False, True):
        amap = build(q, q, lse=lse)
        if asked:
            amap[0, 0]
        lse.add_(1)
        with pytest.raises(StaleMapError, match=r"the lse"):
            amap[0, 0]


@pytest.mark.parametrize("name", ["values", "output"])
def test_values_and_output_only_matter_to_the_check(name: str) -> None:
    amap, held = changeable()
    held[name].zero_()
    with pytest.raises(StaleMapError, match=name):
        amap.check()


def test_an_optimizer_makes_a_map_of_its_parameters_stale() -> None:
    parameter = torch.nn.Parameter(torch.randn(1, 2, 5, 3))
    amap = build(parameter, parameter)
    amap[0, 0]
    parameter.square().sum().backward()
    torch.optim.SGD([parameter], 0.1).step()
    with pytest.raises(StaleMapError):
        amap[0, 0]


def test_a_mask_that_was_read_into_runs_is_the_maps_own() -> None:
    q = torch.randn(1, 2, 5, 3)
    allowed = torch.ones(5, 5).tril().bool()
    amap = build(q, q, mask=allowed)
    before = amap.dense()
    allowed.fill_(True)
    assert torch.equal(amap.dense(), before)


def test_spans_and_predicates_given_as_masks_can_go_stale() -> None:
    q, starts = torch.randn(1, 2, 5, 3), torch.zeros(1, 1, 5, dtype=torch.int32)
    amap = FactoredMap(q, q, ScoreRule(1.0, Spans(starts, starts + 2, 5, 5)))
    starts.add_(1)
    with pytest.raises(StaleMapError, match=r"mask.starts"):
        amap.entropy()


def test_tensors_of_inference_mode_are_copied() -> None:
    # They have no count of changes, so that a map of them could show another step without a sign.
    with torch.inference_mode():
        q, k, bias = torch.randn(1, 2, 5, 3), torch.randn(1, 2, 7, 3), torch.randn(2, 5, 7)
        allowed = torch.rand(1, 1, 5, 7) < 0.5
        amap = build(q, k, mask=allowed, bias=bias)
        weights, _ = reference(q, k, allowed=allowed, bias=bias)
        for tensor in (q, k, bias):
            tensor.zero_()
        allowed.logical_not_()
        close(amap.dense(), weights, 1e-6)
    close(amap.dense(), weights, 1e-6)
    close(amap.entropy(), -torch.special.xlogy(weights, weights).sum(-1), 1e-5)
    assert not any(tensor.is_inference() for name, tensor in amap.tensors().items() if name != "lse")


def test_the_lse_may_first_be_asked_for_in_inference_mode() -> None:
    case = make("causal")
    with torch.inference_mode():
        case.amap.entropy()
    close(case.amap.dense(), case.weights, 1e-5)
    case.amap.cpu().check()


def test_a_detached_map_leaves_gradients_behind() -> None:
    q, k = (torch.randn(1, 2, 5, 3, requires_grad=True) for _ in range(2))
    slope = torch.tensor(0.5, requires_grad=True)
    bias, sinks = torch.randn(2, 5, 5, requires_grad=True), torch.randn(2, requires_grad=True)
    for given in (
        {"bias": bias, "sinks": sinks, "causal": True},
        {"modify": lambda score, b, h, i, j: score - slope * (i - j).abs()},
        {"softcap": 2.0, "bias": bias},
    ):
        amap = build(q, k, **given).detach()
        weights, _ = reference(
            q,
            k,
            allowed=torch.ones(5, 5).tril().bool() if "causal" in given else None,
            **{n: x for n, x in given.items() if n != "causal"},
        )
        assert not any(x.requires_grad for x in amap.tensors().values())
        for check in STATISTICS.values():
            check(amap, weights.detach(), 1e-5)
        assert not amap.dense().requires_grad


def test_weights_are_exact_under_autocast() -> None:
    case = make("causal, left padding")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for check in STATISTICS.values():
            check(case.amap, case.weights, 1e-5)


def test_the_plain_path_gives_the_same_as_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "has_fused_kernel", lambda tensor: False)
    monkeypatch.setattr(fused, "_BLOCK", 2**8)
    for name in ("causal", "random by head", "window", "sinks", "bias by key"):
        case = make(name, Sizes(1, 2, 1, 11, 13, 3), torch.float64)
        for check in STATISTICS.values():
            check(case.amap, case.weights, 1e-10)


# The check.


def recorded(kind: str = "causal", **changed) -> AttentionMap:
    case = make(kind)
    torch.manual_seed(0)
    lse = torch.where(case.lse == -torch.inf, 0.0, case.lse).float()  # as the CPU kernel stores it
    given = {"lse": lse, "values": case.values, "output": case.output.float(), **changed}
    return make(kind, **given).amap


def test_a_right_map_passes() -> None:
    torch.manual_seed(0)
    found = recorded().check()
    assert found.ok()
    assert found.columns == 5
    bare = make("causal").amap.check()
    assert bare.output is None
    assert bare.columns == 0
    assert bare.ok()


@pytest.mark.parametrize("kind", ["causal", "random", "softcap", "sinks"])
def test_a_wrong_lse_is_found(kind: str) -> None:
    torch.manual_seed(0)
    case = make(kind)
    row = int((case.lse[1, 2] > -torch.inf).nonzero()[-1])
    # ln 2 is what one kernel's LSE was off by.
    for error, wanted in ((math.log(2), 0.5), (-math.log(2), 1.0), (-torch.inf, 1.0), (torch.nan, torch.nan)):
        wrong = case.lse.float().clone()
        wrong[1, 2, row] += error
        torch.manual_seed(0)
        found = make(kind, lse=wrong).amap.check()
        assert found.row_sum == pytest.approx(wanted, rel=1e-3, nan_ok=True) or error == -torch.inf
        assert not found.ok()


def test_a_wrong_mask_is_found() -> None:
    torch.manual_seed(0)
    case = make("causal")
    for mask in (
        None,
        Spans.causal(29, 31, device=torch.device("cpu"), offset=1),
        Explicit(torch.ones(29, 31).tril(1).bool()).bind(29, 31),
    ):
        rule = ScoreRule(5**-0.5, mask)
        assert not FactoredMap(case.q, case.k, rule, lse=case.lse.float()).check().ok()
        # Without an LSE rows sum to 1 under any mask; the output tells.
        unsure = FactoredMap(case.q, case.k, rule, values=case.values, output=case.output.float()).check()
        assert unsure.row_sum < 1e-5
        assert not unsure.ok()


@pytest.mark.parametrize("kind", ["causal", "softcap", "sinks", "everything"])
def test_a_wrong_output_is_found(kind: str) -> None:
    torch.manual_seed(0)
    case = make(kind)
    wrong = case.output.float().clone()
    wrong[1, 2, 28, 3] += 0.25
    torch.manual_seed(0)
    found = make(kind, values=case.values, output=wrong).amap.check()
    assert found.row_sum < 1e-5
    assert found.output == pytest.approx(0.25, abs=1e-5)
    assert not found.ok()
    assert found.ok(output_tolerance=0.3)


def test_a_wrong_weight_of_a_stored_map_is_found() -> None:
    case = make("causal")
    weights = case.weights.float()
    given = {"values": case.values, "output": case.output.float()}
    assert AttentionMap.from_weights(weights, **given).check().ok()
    assert AttentionMap.from_weights(weights).check().output is None
    weights[0, 0, 4, 4] += 0.125
    found = AttentionMap.from_weights(weights, **given).check()
    assert found.row_sum == pytest.approx(0.125, abs=1e-5)
    assert found.output is not None
    assert found.output > 1e-3
    weights[0, 0, 4, 4] = torch.nan
    assert math.isnan(AttentionMap.from_weights(weights).check().row_sum)
    assert not AttentionMap.from_weights(weights).check().ok()


def test_the_lse_of_a_bf16_kernel_passes_at_its_own_precision() -> None:
    q, k, v = (torch.randn(1, 4, 61, 16).bfloat16() for _ in range(3))
    output, lse = fused.sdpa_with_lse(torch.nn.functional.scaled_dot_product_attention, q, k, v, is_causal=True)
    found = AttentionMap.from_qk(q, k, causal=True, lse=lse, values=v, output=output).check()
    assert found.ok(tolerance=1e-4, output_tolerance=2e-2)


# Moving and choosing.


@pytest.mark.parametrize("kind", SETTINGS)
def test_moving_keeps_everything(kind: str) -> None:
    case = make(kind, dtype=torch.float64)
    close(case.amap.cpu().to("cpu").dense(), case.weights, 1e-11)
    lse = case.amap.tensors()["lse"]
    moved = case.amap.cpu()
    assert torch.equal(moved.tensors()["lse"], lse)
    assert moved.nbytes == case.amap.nbytes
    assert sorted(moved.tensors()) == sorted(case.amap.tensors())


def test_heads_chosen_twice_keep_values_and_output() -> None:
    torch.manual_seed(0)
    chosen = recorded().select_heads([5, 1, 0]).select_heads([2, 0])
    assert chosen.shape == (2, 2, 29, 31)
    assert chosen.check().ok()
    assert chosen.check().columns == 5
    case = make("causal")
    stored = AttentionMap.from_weights(case.weights.float(), values=case.values, output=case.output.float())
    close(stored.select_heads([5, 1]).dense(), case.weights[:, [5, 1]], 1e-6)
    assert stored.select_heads([5, 1]).check().ok()
    assert stored.cpu().check().columns == 5


def test_stored_maps_hold_their_weights() -> None:
    weights = torch.rand(1, 2, 3, 5)
    amap = AttentionMap.from_weights(weights)
    assert (amap.shape, amap.dtype, amap.nbytes) == ((1, 2, 3, 5), torch.float32, 120)
    assert repr(amap) == "StoredMap(batch=1, heads=2, queries=3, keys=5, torch.float32, cpu, 120 B)"
    assert AttentionMap.from_weights(weights.double())[0, 0].dtype == torch.float64
    half = AttentionMap.from_weights(weights.half())
    assert half[0, 0].dtype == half.entropy().dtype == torch.float32
    assert list(amap.tensors()) == ["weights"]
    weights.mul_(2)
    with pytest.raises(StaleMapError, match=r"the weights"):
        amap[0, 0]
    with pytest.raises(StaleMapError):
        amap.entropy()
