"""The specification against a loop over positions and against PyTorch; the kernels and the rule against it."""

import math
from dataclasses import dataclass

import pytest
import torch
from oracle import SETTINGS, Sizes, close, make, reference
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from clearhead.masks import Explicit, Predicate, Spans, read_boolean
from clearhead.mechanisms import ScoreRule, dense, fused
from clearhead.mechanisms.normalizers import NORMALIZERS
from clearhead.mechanisms.rule import PlacedBias
from clearhead.positions import Bias

CPU = torch.device("cpu")
SIZES = Sizes(batch=2, heads=2, kv_heads=1, queries=5, keys=7, head_dim=3)


@dataclass
class Loop:
    """Attention a number at a time, in Python's own floats."""

    weights: Tensor
    lse: Tensor
    output: Tensor


def loop(q: Tensor, k: Tensor, v: Tensor, rule: ScoreRule, allowed: Tensor) -> Loop:
    batch, heads, queries, _ = q.shape
    keys, groups = k.shape[2], heads // k.shape[1]
    weights = torch.zeros(batch, heads, queries, keys, dtype=torch.float64)
    lse = torch.full((batch, heads, queries), -torch.inf, dtype=torch.float64)
    output = torch.zeros(batch, heads, queries, v.shape[-1], dtype=torch.float64)
    for b in range(batch):
        for h in range(heads):
            for i in range(queries):
                parts: dict[int, float] = {}
                for j in range(keys):
                    if allowed[b, h, i, j]:
                        pairs = zip(q[b, h, i].tolist(), k[b, h // groups, j].tolist(), strict=True)
                        score = rule.scale * sum(x * y for x, y in pairs)
                        if rule.softcap is not None:
                            score = rule.softcap * math.tanh(score / rule.softcap)
                        if rule.modify is not None:
                            numbers = (torch.tensor(n) for n in (b, h, i, j))
                            score = float(rule.modify(torch.tensor(score, dtype=torch.float64), *numbers))
                        if rule.bias is not None:
                            score += float(rule.bias.expand(batch, heads, queries, keys)[b, h, i, j])
                        parts[j] = math.exp(score)
                if not parts:
                    continue
                total = sum(parts.values())
                if rule.sinks is not None:
                    total += math.exp(float(rule.sinks[h]))
                lse[b, h, i] = math.log(total)
                for j, part in parts.items():
                    weights[b, h, i, j] = part / total
                    output[b, h, i] += weights[b, h, i, j] * v[b, h // groups, j].double()
    return Loop(weights, lse, output)


RULES = [
    name
    for name in SETTINGS
    if name in ("everything", "causal", "random", "bias", "softcap", "sinks and random", "nothing", "predicate")
    or name.startswith("modify")
]


def rule_of(setting_name: str) -> tuple[ScoreRule, Tensor]:
    setting = SETTINGS[setting_name](SIZES)
    whole = (SIZES.batch, SIZES.heads, SIZES.queries, SIZES.keys)
    allowed = torch.ones(whole, dtype=torch.bool) if setting.allowed is None else setting.allowed.expand(whole)
    options = {name: x for name, x in setting.options.items() if name not in ("mask", "causal")}
    if "bias" in options:
        options["bias"] = options["bias"].view((1,) * (4 - options["bias"].dim()) + options["bias"].shape)
    mask = setting.mask if setting.mask is not None else read_boolean(allowed.clone(), SIZES.queries)
    return ScoreRule(0.7, mask, **options), allowed


@pytest.mark.parametrize("name", RULES)
def test_the_specification_is_a_loop_over_positions(name: str) -> None:
    rule, allowed = rule_of(name)
    q = torch.randn(SIZES.batch, SIZES.heads, SIZES.queries, SIZES.head_dim, dtype=torch.float64)
    k = torch.randn(SIZES.batch, SIZES.kv_heads, SIZES.keys, SIZES.head_dim, dtype=torch.float64)
    v = torch.randn(SIZES.batch, SIZES.kv_heads, SIZES.keys, 11, dtype=torch.float64)
    wanted = loop(q, k, v, rule, allowed)
    close(dense.weights(q, k, rule), wanted.weights, 1e-12)
    close(dense.attention(q, k, v, rule), wanted.output, 1e-12)
    torch.testing.assert_close(dense.log_sum_exp(q, k, rule), wanted.lse, rtol=0, atol=1e-12)
    scores = dense.scores(q, k, rule)
    assert ((scores == -torch.inf) == ~allowed).all()
    # And the reference of all other tests agrees with the loop.
    weights, lse = reference(
        q,
        k,
        scale=rule.scale,
        allowed=allowed,
        bias=rule.bias,
        softcap=rule.softcap,
        sinks=rule.sinks,
        modify=rule.modify,
    )
    close(weights, wanted.weights, 1e-12)
    torch.testing.assert_close(lse, wanted.lse, rtol=0, atol=1e-12)


def test_the_comparison_notices_a_difference() -> None:
    rule, allowed = rule_of("causal")
    q, k = (torch.randn(2, 2, n, 3, dtype=torch.float64) for n in (5, 7))
    wrong = allowed.clone()
    wrong[0, 0, 0, 0] = False
    with pytest.raises(AssertionError, match=r"differs by"):
        close(dense.weights(q, k, rule), loop(q, k, k, rule, wrong).weights, 1e-12)
    with pytest.raises(AssertionError):
        close(torch.zeros(3), torch.zeros(5), 1.0)
    with pytest.raises(AssertionError, match=r"nan"):
        close(torch.tensor([torch.nan]), torch.zeros(1), 1.0)


def test_the_example_of_the_docstring() -> None:
    # The scores 0.5, 1 and 0.2: 1.2214 / (1.6487 + 2.7183 + 1.2214) = 0.2186.
    k = torch.tensor([0.5, 1.0, 0.2]).view(1, 1, 3, 1)
    weights = dense.weights(torch.ones(1, 1, 1, 1), k, ScoreRule(1.0))
    assert [round(x, 4) for x in weights.flatten().tolist()] == [0.295, 0.4864, 0.2186]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_specification_is_what_pytorch_computes(dtype: torch.dtype, causal: bool) -> None:
    q = torch.randn(2, 6, 13, 5, dtype=dtype)
    k, v = (torch.randn(2, 3, 13, 5, dtype=dtype) for _ in range(2))
    rule = ScoreRule(5**-0.5, Spans.causal(13, 13, device=CPU) if causal else None)
    wanted = scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=True)
    close(dense.attention(q, k, v, rule), wanted, 1e-12 if dtype == torch.float64 else 2e-6)


def test_masks_and_biases_are_what_pytorch_computes() -> None:
    q, k, v = (torch.randn(2, 3, n, 5, dtype=torch.float64) for n in (11, 13, 13))
    allowed = torch.rand(2, 1, 11, 13) < 0.5
    allowed[..., 0] = True
    close(
        dense.attention(q, k, v, ScoreRule(0.5, Explicit(allowed).bind(11, 13))),
        scaled_dot_product_attention(q, k, v, allowed, scale=0.5),
        1e-12,
    )
    bias = torch.randn(1, 3, 11, 13, dtype=torch.float64)
    close(
        dense.attention(q, k, v, ScoreRule(0.5, bias=bias)),
        scaled_dot_product_attention(q, k, v, bias, scale=0.5),
        1e-12,
    )


# The rule, whole tiles against single points.


@pytest.mark.parametrize("name", SETTINGS)
def test_points_have_the_scores_of_tiles(name: str) -> None:
    s = Sizes(batch=2, heads=4, kv_heads=2, queries=11, keys=13, head_dim=3)
    setting = SETTINGS[name](s)
    options = {n: x for n, x in setting.options.items() if n not in ("mask", "causal", "written")}
    if "normalizer" in options:
        options["normalizer"] = NORMALIZERS[options["normalizer"]]
    if isinstance(options.get("bias"), Bias):
        options["position_bias"] = PlacedBias(options.pop("bias"), s.keys - s.queries)
    elif "bias" in options:
        options["bias"] = options["bias"].view((1,) * (4 - options["bias"].dim()) + options["bias"].shape)
    mask = setting.mask
    if mask is None and setting.allowed is not None:
        allowed = setting.allowed.expand(-1, -1, -1, s.keys) if setting.allowed.dim() == 4 else setting.allowed
        allowed = allowed.view((1,) * (4 - allowed.dim()) + allowed.shape).expand(-1, -1, s.queries, s.keys)
        mask = read_boolean(allowed, s.queries)
    whole = ScoreRule(0.5, mask, **options)
    for heads in (list(range(4)), [3, 1]):
        rule = whole.select_heads(heads, 4)
        products = torch.randn(s.batch, len(heads), s.queries, s.keys)
        rows, columns = range(2, 7), range(3, 11)
        part = products[..., 2:7, 3:11]
        tile = rule.finish_tile(part.clone(), rows, columns)
        index = torch.meshgrid(
            torch.arange(s.batch), torch.arange(len(heads)), torch.tensor(rows), torch.tensor(columns), indexing="ij"
        )
        torch.testing.assert_close(rule.finish_points(part, *index), tile)
        if rule.is_linear:
            added = rule.additive_tile(rows, columns, torch.float32)
            torch.testing.assert_close(part if added is None else part + added, tile)
            assert added is None or added.shape[0] * added.shape[1] <= rule.breadth
        seen, seers = rule.columns_for(rows, s.keys), rule.rows_for(columns, s.queries)
        outside = [j for j in columns if j not in seen]
        assert (tile[..., [j - 3 for j in outside]] == -torch.inf).all()
        assert (tile[..., [i - 2 for i in rows if i not in seers], :] == -torch.inf).all()
        torch.testing.assert_close(rule.to(CPU).finish_points(part, *index), tile)


def test_selected_heads_keep_their_numbers_twice_over() -> None:
    rule = ScoreRule(1.0, modify=lambda score, b, h, i, j: score + h)
    chosen = rule.select_heads([4, 2, 0], 5).select_heads([2, 0], 3)
    assert chosen.finish_tile(torch.zeros(1, 2, 1, 1), range(1), range(1)).flatten().tolist() == [0, 4]


# The kernels.


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("width", [0, 1, 5, 11, 23])
@pytest.mark.parametrize("kind", ["none", "causal", "added", "added by key"])
def test_the_kernels_give_output_and_lse(kind: str, width: int, plain: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if plain:
        monkeypatch.setattr(fused, "has_fused_kernel", lambda tensor: False)
        monkeypatch.setattr(fused, "_BLOCK", 200)
    assert fused.has_fused_kernel(torch.zeros(1)) != plain
    q, k = torch.randn(2, 6, 13, 5), torch.randn(2, 3, 13, 5)
    v = torch.randn(1, 1, 13, width)
    added = {"added": torch.randn(2, 1, 13, 13), "added by key": torch.randn(1, 6, 1, 13)}.get(kind)
    if kind == "added":
        assert added is not None
        added[1, 0, 4] = -torch.inf  # a row without keys
    output, lse = fused.attend(q, k, v, added=added, causal=kind == "causal", scale=0.3)
    allowed = torch.ones(13, 13).tril().bool() if kind == "causal" else None
    weights, wanted = reference(q, k, scale=0.3, allowed=allowed, bias=added)
    close(output, weights @ v.double(), 1e-5)
    some = wanted > -torch.inf
    torch.testing.assert_close(lse[some].double(), wanted[some], rtol=0, atol=1e-5)


def test_tensors_in_any_layout() -> None:
    q, k, v = (torch.randn(2, 13, 5, 3).permute(0, 3, 1, 2).transpose(-1, -2).contiguous().mT for _ in range(3))
    assert q.stride(-1) != 1
    output, _ = fused.attend(q, k, v, scale=0.3)
    close(output, reference(q, k, scale=0.3)[0] @ v.double(), 1e-5)


@pytest.mark.parametrize(
    "options", [{}, {"is_causal": True}, {"scale": 0.3}, {"attn_mask": "bool"}, {"attn_mask": "float"}]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_watched_kernel_has_pytorchs_bits(options: dict, dtype: torch.dtype) -> None:
    q, k, v = (torch.randn(2, 3, 13, 8, dtype=dtype) for _ in range(3))
    if options.get("attn_mask") == "bool":
        options = {"attn_mask": torch.rand(2, 1, 13, 13) < 0.8}
    elif options.get("attn_mask") == "float":
        options = {"attn_mask": torch.randn(2, 1, 13, 13, dtype=dtype)}
    output, lse = fused.sdpa_with_lse(scaled_dot_product_attention, q, k, v, **options)
    assert torch.equal(output, scaled_dot_product_attention(q, k, v, **options))
    assert lse is not None
    mask = options.get("attn_mask")
    weights, wanted = reference(
        q,
        k,
        scale=options.get("scale"),
        allowed=torch.ones(13, 13).tril().bool()
        if options.get("is_causal")
        else mask
        if mask is not None and mask.dtype == torch.bool
        else None,
        bias=None if mask is None or mask.dtype == torch.bool else mask,
    )
    some = wanted > -torch.inf
    torch.testing.assert_close(lse.double()[some], wanted[some], rtol=0, atol=1e-2 if dtype == torch.bfloat16 else 1e-5)
    close(output, weights @ v.double(), 3e-2 if dtype == torch.bfloat16 else 1e-5)


def test_where_no_kernel_gives_an_lse_the_original_is_called() -> None:
    q = torch.randn(1, 2, 5, 8)
    calls = []

    def original(*args, **rest):
        calls.append(args)
        return scaled_dot_product_attention(*args, **rest)

    for given in ({"dropout_p": 0.1}, {}):
        tensor = q if given else q[0]  # with dropout, or without a batch
        assert fused.sdpa_with_lse(original, tensor, tensor, tensor, **given)[1] is None
    assert len(calls) == 2


def test_products_are_not_rounded_by_autocast() -> None:
    a, b = torch.randn(7, 11), torch.randn(11, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (a @ b).dtype == torch.bfloat16
        assert fused.product(a, b).dtype == torch.float32
        assert torch.equal(fused.product(a, b), a.matmul(b).to(torch.float32)) is False
    assert torch.equal(fused.product(a, b), a @ b)


def test_the_specification_is_not_rounded_by_autocast() -> None:
    case = make("causal")
    rule = ScoreRule(5**-0.5, Spans.causal(29, 31, device=CPU))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        close(dense.weights(case.q, case.k, rule), case.weights, 1e-5)


def test_a_predicate_of_constant_value() -> None:
    mask = Predicate(lambda b, h, i, j: j >= 0).bind(3, 5)
    assert mask.tile(range(3), range(5)) is None
    assert dense.weights(torch.zeros(1, 1, 3, 2), torch.zeros(1, 1, 5, 2), ScoreRule(1.0, mask)).unique().tolist() == [
        pytest.approx(0.2)
    ]
