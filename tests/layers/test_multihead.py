"""Every form of the layer against its formula written out in float64."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from plain import printed
from torch import Tensor, nn
from torch.nn.utils import prune

import clearhead as ch
from clearhead.errors import ClearheadError, InputError, NotFiniteError, ShapeError
from clearhead.layers import (
    GrowingCache,
    KeyValues,
    LearnedKey,
    MultiHeadAttention,
    SelfAttention,
    ZeroKey,
    check_finite,
)
from clearhead.masks import Causal, Explicit, Padding
from clearhead.mechanisms.normalizers import Softmax
from clearhead.positions import ALiBi, RelativeBias, Rotary

BATCH, QUERIES, KEYS, DIM, HEADS = 2, 7, 11, 12, 6

FORMS: dict[str, Callable[[], dict[str, Any]]] = {
    "plain": dict,
    "no biases": lambda: {"bias": False},
    "an output bias": lambda: {"bias": False, "output_bias": True},
    "grouped queries": lambda: {"kv_heads": 3},
    "multi-query, other widths": lambda: {"kv_heads": 1, "head_dim": 5, "value_head_dim": 3, "output_dim": 13},
    "other inputs": lambda: {"key_input_dim": 5, "value_input_dim": 17},
    "shared projection": lambda: {"shared_projection": True, "kv_heads": 3, "head_dim": 5},
    "rotary": lambda: {"position": Rotary(), "head_dim": 4},
    "ALiBi": lambda: {"position": ALiBi(HEADS)},
    "relative bias": lambda: {"position": RelativeBias(HEADS, buckets=8, furthest=7)},
    "norms": lambda: {"qk_norm": nn.RMSNorm, "head_dim": 3},
    "a norm each": lambda: {"qk_norm": (nn.LayerNorm(2), nn.RMSNorm(2))},
    "soft-cap, sinks, scale": lambda: {"softcap": 2.0, "sinks": True, "scale": 0.7},
    "extra keys": lambda: {"extra_keys": [LearnedKey(3, 2, 5), ZeroKey()], "kv_heads": 3, "value_head_dim": 5},
    "extra keys and a position": lambda: {"extra_keys": [ZeroKey()], "position": ALiBi(HEADS)},
    "sigmoid": lambda: {"normalizer": "sigmoid"},
    "sparsemax": lambda: {"normalizer": "sparsemax", "head_dim": 5},
}


def build(form: str, **changes: Any) -> MultiHeadAttention:
    layer = MultiHeadAttention(DIM, HEADS, **{**FORMS[form](), **changes}).double().eval()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-0.8, 0.8)
    return layer


def linear(layer: nn.Linear, x: Tensor) -> Tensor:
    bias = 0 if layer.bias is None else layer.bias
    return torch.einsum("oi,bti->bto", layer.weight, x) + bias


def heads_of(layer: nn.Linear, x: Tensor, heads: int, shared: bool) -> list[Tensor]:
    """Each head's projection, (batch, tokens, width)."""
    if shared:
        return [linear(layer, piece) for piece in x.chunk(heads, -1)]
    return list(linear(layer, x).chunk(heads, -1))


def rotated(x: Tensor, places: Tensor) -> Tensor:
    """Pairs (x_i, x_{i + d/2}) as complex numbers, turned."""
    half = x.shape[-1] // 2
    angle = places[:, None] * 10000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
    turned = torch.complex(x[..., :half], x[..., half:]) * torch.polar(torch.ones_like(angle), angle)
    return torch.cat((turned.real, turned.imag), -1)


def weights_of(layer: MultiHeadAttention, scores: Tensor, head: int) -> Tensor:
    """From scores, −inf where it may not attend, to weights."""
    if layer.normalizer == "sigmoid":
        count = (scores > -torch.inf).sum(-1, keepdim=True)
        return torch.where(count > 0, 1 / (1 + count * torch.exp(-scores)), 0.0)
    if layer.normalizer == "sparsemax":
        ordered = scores.sort(-1, descending=True).values
        count = torch.arange(1, scores.shape[-1] + 1)
        total = ordered.cumsum(-1)
        support = (1 + count * ordered > total).sum(-1, keepdim=True)
        return (scores - (total.gather(-1, support - 1) - 1) / support).clamp(min=0)
    powers = scores.exp()
    sink = 0.0 if layer.sinks is None else layer.sinks[head].exp()
    total = powers.sum(-1, keepdim=True) + sink
    return torch.where(powers.sum(-1, keepdim=True) > 0, powers / total, 0.0)


def reference(
    layer: MultiHeadAttention, x: Tensor, context: Tensor, value: Tensor, allowed: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor]:
    """(output, weights): head by head, ``allowed`` and ``bias`` being (batch, heads, queries, keys)."""
    queries, keys = x.shape[1], context.shape[1]
    query_at, key_at = torch.arange(queries) + keys - queries, torch.arange(keys)
    shared = layer.shared_projection
    qs = heads_of(layer.query, x, layer.heads, shared)
    ks, vs = (heads_of(p, source, layer.kv_heads, shared) for p, source in ((layer.key, context), (layer.value, value)))
    outputs, maps = [], []
    for head in range(layer.heads):
        group = head * layer.kv_heads // layer.heads
        q, k, v = qs[head], ks[group], vs[group]
        q = q if layer.query_norm is None else layer.query_norm(q)
        k = k if layer.key_norm is None else layer.key_norm(k)
        if isinstance(layer.position, Rotary):
            q, k = rotated(q, query_at), rotated(k, key_at)
        own_bias = bias[:, head]
        if isinstance(layer.position, ALiBi | RelativeBias):
            own_bias = own_bias + layer.position.points(torch.tensor(head), query_at[:, None], key_at)
        extra = len(layer.extra_keys)
        for part in layer.extra_keys:
            learned = isinstance(part, LearnedKey)
            k = torch.cat((k, part.key[group].expand(len(x), 1, -1) if learned else 0 * k[:, :1]), 1)
            v = torch.cat((v, part.value[group].expand(len(x), 1, -1) if learned else 0 * v[:, :1]), 1)
        scores = torch.einsum("bid,bjd->bij", q, k) * (layer.scale or 1 / math.sqrt(layer.head_dim))
        if layer.softcap:
            scores = layer.softcap * torch.tanh(scores / layer.softcap)
        scores = scores + nn.functional.pad(own_bias, (0, extra))
        scores = torch.where(nn.functional.pad(allowed[:, head], (0, extra), value=True), scores, -torch.inf)
        maps.append(weights_of(layer, scores, head))
        outputs.append(maps[-1] @ v)
    return linear(layer.output, torch.cat(outputs, -1)), torch.stack(maps, 1)


def close(found: Tensor, wanted: Tensor, atol: float = 1e-12) -> None:
    assert found.shape == wanted.shape
    assert found.dtype == wanted.dtype
    assert ((found - wanted).abs() < atol).all()


def inputs(layer: MultiHeadAttention, *, cross: bool) -> tuple[Tensor, ...]:
    x = torch.randn(BATCH, QUERIES, DIM, dtype=torch.float64)
    if not cross:
        return (x,)
    widths = (layer.key_input_dim, layer.value_input_dim)
    return (x, *(torch.randn(BATCH, KEYS, n, dtype=torch.float64) for n in widths))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("cross", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_its_formula(form: str, cross: bool, masked: bool) -> None:
    layer = build(form)
    given = inputs(layer, cross=cross or layer.key_input_dim != DIM)
    sources = given if len(given) == 3 else given * 3
    shape = (BATCH, HEADS, QUERIES, sources[1].shape[1])
    allowed, bias = torch.ones(shape, dtype=torch.bool), torch.zeros(shape, dtype=torch.float64)
    options: dict[str, Any] = {}
    if masked:
        allowed, bias = torch.rand(shape) < 0.6, torch.randn(shape, dtype=torch.float64)
        allowed[..., 0] = True
        if layer.normalizer == "softmax":
            allowed[1, 2, 3] = False
        options = {"mask": allowed, "bias": bias}
    with torch.no_grad():
        wanted, weights = reference(layer, *sources, allowed, bias)
        close(layer(*given, **options), wanted)
        output, amap = layer.attend(*given, **options)
        close(output, wanted)
        close(amap.dense(), weights)
        assert amap.shape == (*shape[:3], shape[3] + len(layer.extra_keys))
        if cross:
            known = layer.project(*given[1:])
            assert isinstance(known, KeyValues)
            assert torch.equal(layer(given[0], known, **options), layer(*given, **options))


@pytest.mark.parametrize("form", FORMS)
def test_training_without_dropout_is_evaluation_with_a_graph(form: str) -> None:
    layer = build(form)
    given = inputs(layer, cross=layer.key_input_dim != DIM)
    with torch.no_grad():
        evaluated = layer(*given, mask=Causal())
    close(layer.train()(*given, mask=Causal()).detach(), evaluated)
    with torch.no_grad():
        close(layer(*given, mask=Causal()), evaluated)


@pytest.mark.parametrize("form", FORMS)
def test_state_and_copies_hold_everything(form: str) -> None:
    layer, other = build(form), build(form)
    given = inputs(layer, cross=layer.key_input_dim != DIM)
    with torch.no_grad():
        wanted = layer(*given)
        other.load_state_dict(layer.state_dict())
        close(other(*given), wanted)
        close(copy.deepcopy(layer)(*given), wanted)


def test_the_state_has_the_names_of_the_parts() -> None:
    layer = MultiHeadAttention(DIM, HEADS, sinks=True, qk_norm=nn.RMSNorm, extra_keys=[LearnedKey(HEADS, 2)])
    assert set(layer.state_dict()) == {
        *(f"{part}.{what}" for part in ("query", "key", "value", "output") for what in ("weight", "bias")),
        *("sinks", "query_norm.weight", "key_norm.weight", "extra_keys.0.key", "extra_keys.0.value"),
    }


@pytest.mark.parametrize("form", ["plain", "rotary", "relative bias", "norms", "extra keys", "shared projection"])
def test_gradients(form: str) -> None:
    layer = build(form)
    mask = Padding([3, 0])  # the second text may attend to nothing but extra keys

    def of(x: Tensor, *parameters: Tensor) -> Tensor:
        named = dict(zip(dict(layer.named_parameters()), parameters, strict=True))
        output: Tensor = torch.func.functional_call(layer, named, (x,), {"mask": mask})
        return output

    x = torch.randn(BATCH, 3, DIM, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(of, (x, *layer.parameters()), fast_mode=True)


def test_a_query_that_may_attend_to_nothing_gives_the_output_bias() -> None:
    layer = build("plain")
    x = torch.randn(BATCH, QUERIES, DIM, dtype=torch.float64)
    for mode in (layer.eval(), layer.train()):
        output = mode(x, mask=Padding([QUERIES, 0])).detach()
        close(output[1], mode.output.bias.detach().expand(QUERIES, -1))
        assert not torch.allclose(output[0], output[1])


def test_dropout_is_for_training() -> None:
    layer = build("plain", dropout=0.5)
    x = torch.randn(BATCH, QUERIES, DIM, dtype=torch.float64)
    assert torch.equal(layer(x), layer(x))
    layer.train()
    assert not torch.equal(layer(x), layer(x))
    _, amap = layer.attend(x)
    close(amap.detach().dense(), layer.eval().attend(x)[1].detach().dense())


def test_where_values_come_from() -> None:
    layer = build("plain")
    x, text, values = (torch.randn(BATCH, n, DIM, dtype=torch.float64) for n in (QUERIES, KEYS, KEYS))
    with torch.no_grad():
        assert torch.equal(layer(x, text), layer(x, text, text))
        assert not torch.allclose(layer(x, text), layer(x, text, values))
        assert torch.equal(layer(x, None, 2 * x), layer(x, x, 2 * x))
        close(layer(x, x.clone()), layer(x))


def test_no_tokens_and_inputs_that_are_not_contiguous() -> None:
    for form in ("plain", "shared projection"):
        layer = build(form)
        assert layer(torch.zeros(BATCH, 0, DIM).double()).shape == (BATCH, 0, DIM)
        x = torch.randn(QUERIES, BATCH, DIM, dtype=torch.float64)
        turned = torch.randn(BATCH, DIM, QUERIES, dtype=torch.float64)
        with torch.no_grad():
            close(layer(x.transpose(0, 1)), layer(x.transpose(0, 1).contiguous()))
            close(layer(turned.transpose(1, 2)), layer(turned.transpose(1, 2).contiguous()))


def test_head_h_of_the_map_is_head_h_of_the_projection() -> None:
    layer = build("plain")
    x = torch.randn(BATCH, QUERIES, DIM, dtype=torch.float64)
    with torch.no_grad():
        layer.query.weight[2 * 4 : 2 * 5] = 0
        layer.query.bias[2 * 4 : 2 * 5] = 0
        weights = layer.attend(x)[1].dense()
    uniform = ((weights - 1 / QUERIES).abs() < 1e-12).all(-1).all(-1).all(0)
    assert uniform.tolist() == [False, False, False, False, True, False]


def test_it_starts_as_the_layer_of_torch_does() -> None:
    ours, theirs = MultiHeadAttention(128, 2), nn.MultiheadAttention(128, 2)
    assert theirs.in_proj_weight is not None
    for linear_layer in (ours.query, ours.key, ours.value):
        assert (
            abs(float(linear_layer.weight.detach().abs().max() / theirs.in_proj_weight.detach().abs().max()) - 1) < 0.01
        )
        assert float(linear_layer.bias.detach().abs().max()) == 0
    ratio = ours.output.weight.detach().abs().max() / theirs.out_proj.weight.detach().abs().max()
    assert abs(float(ratio) - 1) < 0.01
    assert float(ours.output.bias.detach().abs().max()) == 0
    assert MultiHeadAttention(12, 2, sinks=True).sinks.tolist() == [0.0, 0.0]  # type: ignore[union-attr]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_and_autocast(dtype: torch.dtype) -> None:
    layer = build("rotary").float()
    x = torch.randn(BATCH, QUERIES, DIM)
    with torch.no_grad():
        wanted = layer(x, mask=Causal())
        half = copy.deepcopy(layer).to(dtype)(x.to(dtype), mask=Causal())
        with torch.autocast("cpu", dtype):
            cast, amap = layer.attend(x, mask=Causal())
            mixed = layer(x.to(dtype), mask=Causal())
    assert half.dtype == cast.dtype == mixed.dtype == dtype
    for found in (half, cast, mixed):
        assert float((found.float() - wanted).abs().max()) < 0.1
    assert float((amap.dense().sum(-1) - 1).abs().max()) < 1e-5


COMPILED = """
import warnings
import torch
from torch import nn
from clearhead.layers import LearnedKey, MultiHeadAttention, SelfAttention, ZeroKey
from clearhead.masks import Causal, Padding, Window
from clearhead.positions import ALiBi, RelativeBias, Rotary

FORMS = {
    "plain": {},
    "grouped, rotary, norms": {"kv_heads": 3, "position": Rotary(), "qk_norm": nn.RMSNorm},
    "ALiBi": {"position": ALiBi(6)},
    "relative bias": {"position": RelativeBias(6)},
    "sinks and soft-cap": {"sinks": True, "softcap": 2.0},
    "extra keys": {"extra_keys": [LearnedKey(6, 4), ZeroKey()]},
    "shared projection": {"shared_projection": True},
}
rule = Causal() & Window(3, 0) & Padding([7, 0])
PLAIN_PATH = ("relative bias", "sinks and soft-cap")
SAME_LENGTHS = ("ALiBi", "shared projection")  # in which other lengths change what they change in other forms
ONE_LENGTH = PLAIN_PATH + SAME_LENGTHS


class Masked(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x, mask=Causal() & Window(3, 0))


for name, options in FORMS.items():
    torch.manual_seed(0)
    layer = MultiHeadAttention(24, 6, **options).double().eval()
    x = torch.randn(2, 7, 24, dtype=torch.float64)
    for mask, backend in ((None, "eager"), (rule, "aot_eager")):
        torch._dynamo.reset()
        found = torch.compile(layer, fullgraph=True, backend=backend)(x, mask=mask)
        assert (found - layer(x, mask=mask)).abs().max() < 1e-12, (name, mask)
    found.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in layer.parameters()), name

    if name in ONE_LENGTH:  # the others are exported for all lengths below
        program = torch.export.export(Masked(layer), (x,))
        assert (program.module()(x) - Masked(layer)(x)).abs().max() < 1e-12, name

single = SelfAttention(3, 5, 4).double()
x = torch.randn(2, 7, 3, dtype=torch.float64)
assert (torch.compile(single, fullgraph=True, backend="eager")(x) - single(x)).abs().max() < 1e-12
assert MultiHeadAttention(24, 6, device="meta")(torch.empty(2, 7, 24, device="meta")).shape == (2, 7, 24)
print("done")
"""


def test_every_form_compiles_into_one_graph_and_exports() -> None:
    assert printed(COMPILED) == "done\n"


LENGTHS = (
    COMPILED.partition("for name")[0]
    + """
for name, options in FORMS.items():
    if name in SAME_LENGTHS:
        continue
    torch._dynamo.reset()
    layer = Masked(MultiHeadAttention(24, 6, **options).double().eval())
    compiled = torch.compile(layer, fullgraph=True, backend="eager")
    short, *longer = (torch.randn(2, tokens, 24, dtype=torch.float64) for tokens in (7, 11, 13))
    for x in (short, *longer):
        assert (compiled(x) - layer(x)).abs().max() < 1e-12, name
    if name not in PLAIN_PATH:  # which writes the scores out, and is exported for one length
        tokens = torch.export.Dim("tokens", min=2, max=64)
        program = torch.export.export(layer, (short,), dynamic_shapes={"x": {1: tokens}}).module()
        assert all((program(x) - layer(x)).abs().max() < 1e-12 for x in (short, *longer)), name
print("done")
"""
)


def test_a_compiled_layer_takes_texts_of_other_lengths() -> None:
    assert printed(LENGTHS) == "done\n"


# What can be wrong.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dim": 10, "heads": 3}, r"dim \(10\) is not divisible by heads \(3\); the nearest that divide 10: 2 and 5"),
        ({"dim": 10, "heads": 11}, r"not divisible by heads \(11\); the nearest that divide 10: 10, or give head_dim"),
        (
            {"heads": 6, "kv_heads": 4},
            r"heads \(6\) is not divisible by kv_heads \(4\); the nearest that divide 6: 3 and 6",
        ),
        (
            {"dim": 10, "heads": 4, "head_dim": 3, "shared_projection": True},
            r"dim \(10\) is not divisible by heads \(4\)",
        ),
        ({"key_input_dim": 11, "shared_projection": True}, r"cuts the input of the key \(11\) into 6 equal pieces"),
        ({"position": ALiBi(5)}, r"the layer has 6 heads, and position is for 5: ALiBi\(5"),
    ],
)
def test_sizes_that_do_not_divide(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        MultiHeadAttention(**{"dim": DIM, "heads": HEADS, **arguments})


@pytest.mark.parametrize("name", ["dim", "heads", "kv_heads", "head_dim", "value_head_dim", "output_dim"])
def test_sizes_are_at_least_one(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} is a whole number of at least 1; got 0"):
        MultiHeadAttention(**{"dim": DIM, "heads": HEADS, name: 0})


def test_a_head_dim_frees_the_heads_from_dividing() -> None:
    assert MultiHeadAttention(10, 3, head_dim=4)(torch.randn(1, 5, 10)).shape == (1, 5, 10)


def x_of(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.zeros(*shape, dtype=dtype)


@pytest.mark.parametrize(
    ("given", "options", "kind", "message"),
    [
        ([x_of(7, DIM)], {}, ShapeError, r"x is \(batch, tokens, 12\); got \(7, 12\); for a single text say x\[None\]"),
        ([x_of(2, 7, 13)], {}, ShapeError, r"x is 12 wide, its last axis; got \(2, 7, 13\)"),
        ([x_of(2, 7, DIM), x_of(2, 5, 13)], {}, ShapeError, "what gives the keys is 12 wide"),
        ([x_of(2, 7, DIM), x_of(3, 5, DIM)], {}, ShapeError, "x has batch 2 and context 3"),
        ([x_of(2, 7, DIM), x_of(2, 5, DIM), x_of(2, 3, DIM)], {}, ShapeError, "one value for each key"),
        ([x_of(2, 7, DIM), x_of(2, 5, DIM), x_of(2, 5, 13)], {}, ShapeError, "gives the values is 12 wide"),
        ([x_of(2, 7, DIM).double()], {}, InputError, r"x is torch.float64 and the layer torch.float32"),
        ([x_of(2, 7, DIM).int()], {}, InputError, "x is torch.int32"),
        ([x_of(2, 7, DIM), x_of(2, 5, DIM).double()], {}, InputError, "what gives the keys is torch.float64"),
        ([x_of(2, 7, DIM).to("meta")], {}, InputError, "x is on meta and the layer on cpu"),
        ([x_of(2, 7, DIM)], {"mask": x_of(7, 7)}, InputError, "a mask tensor is boolean, True = may attend"),
        ([x_of(2, 7, DIM)], {"mask": Padding([1, 2, 3])}, ShapeError, "the mask is for batch 3, and q has batch 2"),
        ([x_of(2, 7, DIM)], {"mask": torch.ones(7, 5).bool()}, ShapeError, "7 × 5"),
        ([x_of(2, 7, DIM)], {"bias": x_of(7, 5)}, ShapeError, r"bias"),
        ([x_of(2, 7, DIM)], {"positions": torch.arange(7)}, InputError, r"for a layer with position=Rotary"),
        ([x_of(2, 7, DIM), x_of(2, 7, DIM)], {"cache": GrowingCache()}, InputError, "for self-attention"),
    ],
)
def test_calls_that_do_not_fit(given: list[Tensor], options: dict[str, Any], kind: type, message: str) -> None:
    with pytest.raises(kind, match=message):
        MultiHeadAttention(DIM, HEADS)(*given, **options)


def test_more_calls_that_do_not_fit() -> None:
    layer = MultiHeadAttention(DIM, HEADS, key_input_dim=5)
    with pytest.raises(ShapeError, match="gives the keys is 5 wide"):
        layer(x_of(2, 7, DIM))
    known = layer.project(x_of(3, 7, 5))
    with pytest.raises(ShapeError, match="x has batch 2 and the projected context 3"):
        layer(x_of(2, 7, DIM), known)
    with pytest.raises(InputError, match="brings its values with it"):
        layer(x_of(3, 7, DIM), known, x_of(3, 7, 5))
    extra = MultiHeadAttention(DIM, HEADS, extra_keys=[ZeroKey()])
    with pytest.raises(InputError, match="an explicit mask is boolean"):
        extra(x_of(2, 7, DIM), mask=x_of(7, 7))
    with pytest.raises(ShapeError, match="7 × 5"):
        extra(x_of(2, 7, DIM), mask=Explicit(torch.ones(7, 5).bool()))
    number = torch.tensor(0.5)  # for every token's key, and not for the extra one
    x = torch.randn(2, 7, DIM)
    assert torch.allclose(extra(x, bias=number), extra(x, bias=number.expand(7, 7)), atol=1e-6)
    assert not torch.allclose(extra(x, bias=number), extra(x), atol=1e-6)
    with pytest.raises(ShapeError, match="its last axis is 7 here"):
        extra(x_of(2, 7, DIM), bias=x_of(7, 5))
    single = SelfAttention(3)
    for wrong, message in (
        (x_of(5, 3), "say x\\[None\\]"),
        (x_of(2, 5, 4), "3 wide"),
        (x_of(2, 5, 3).double(), "float64"),
    ):
        with pytest.raises(ClearheadError, match=message):
            single(wrong)


WRONG = """
import torch
import clearhead as ch
from clearhead.errors import ClearheadError
from clearhead.layers import MultiHeadAttention, SelfAttention, SlidingCache, StaticCache, ZeroKey
from clearhead.positions import Rotary, Sinusoidal

x = torch.zeros(1, 3, 12)
for call, message in (
    (lambda: MultiHeadAttention(12, 6, position=Sinusoidal(12)), "codes such as Sinusoidal are added to x"),
    (lambda: MultiHeadAttention(12, 2.0), "heads is a whole number of at least 1; got 2.0"),
    (lambda: MultiHeadAttention(12, 2)(x, mask="causal"), "a mask is a rule"),
    (lambda: MultiHeadAttention(12, 2, extra_keys=[ZeroKey()])(x, mask="causal"), "a mask is a rule"),
    (lambda: MultiHeadAttention(12, 6, position=Rotary())(x, positions=torch.arange(5)), "positions are (5,)"),
    (lambda: MultiHeadAttention.from_torch(torch.nn.Linear(2, 2)), "reads a torch.nn.MultiheadAttention; got Linear"),
    (lambda: SlidingCache(2.0), "is a whole number of at least 1; got 2.0"),
    (lambda: StaticCache(2, 0, kv_heads=2, head_dim=8), "length is a whole number of at least 1; got 0"),
    (lambda: MultiHeadAttention(12, 2, dropout=2), "0 ≤ dropout < 1; got 2"),
    (lambda: MultiHeadAttention(12, 2, softcap=-1), "above 0; got -1"),
    (lambda: MultiHeadAttention(12, 2, scale="a"), "scale is a number; got 'a'"),
    (lambda: MultiHeadAttention(12, 2, normalizer="sotfmax"), "there is no normalizer 'sotfmax'"),
    (lambda: MultiHeadAttention(12, 2, qk_norm="rms"), "such as torch.nn.RMSNorm; got 'rms'"),
    (lambda: MultiHeadAttention(12, 2, extra_keys=["x"]), "modules such as LearnedKey(heads, head_dim); got 'x'"),
    (lambda: MultiHeadAttention(12, 4, position=Rotary()), "an even count of at most head_dim; head_dim is 3"),
    (lambda: MultiHeadAttention(12, 3, position=Rotary(dim=6)), "an even count of at most head_dim; head_dim is 4"),
    (lambda: Rotary(scaling=4.0), "a part such as LinearScaling(factor); got 4.0"),
    (lambda: MultiHeadAttention(12, 2).attend(x)[1].pooled(3, "median"), "size ≥ 1 and 'mean' or 'max'"),
    (lambda: ch.watch(lambda x: x), "watch wants a torch.nn.Module; got function"),
    (lambda: SelfAttention(3, 0), "key_dim is a whole number of at least 1; got 0"),
    (lambda: MultiHeadAttention(12, 2)(x, cache=True), "a part such as GrowingCache(), one for each layer; got True"),
):
    try:
        call()
    except ClearheadError as error:
        assert message in str(error), error
    else:
        raise AssertionError(message)
print("done")
"""


def test_parts_of_the_wrong_kind() -> None:
    with pytest.raises(InputError, match=r"two modules, one for q .* got RMSNorm"):
        MultiHeadAttention(DIM, HEADS, qk_norm=nn.RMSNorm(2))
    # The check of signatures comes first in this process.
    assert printed(WRONG) == "done\n"


def test_looking_for_what_is_not_finite() -> None:
    layer = MultiHeadAttention(DIM, HEADS)
    x = torch.zeros(2, 7, DIM)
    check_finite(layer=layer, x=x, output=layer(x))
    with torch.no_grad():
        layer.key.weight[3, 5] = math.inf
    with pytest.raises(NotFiniteError, match=r"layer.key.weight is not finite: 1 of 144 .* at \[3, 5\], is inf"):
        check_finite(x=x, layer=layer)
    x[1, 2, 3] = x[1, 5, 0] = math.nan
    with pytest.raises(NotFiniteError, match=r"x is not finite: 2 of 168 numbers, the first at \[1, 2, 3\], is nan"):
        check_finite(x=x, layer=layer)


def test_what_the_layer_shows_of_itself() -> None:
    layer = MultiHeadAttention(12, 6, kv_heads=3, position=Rotary(), softcap=30.0, sinks=True, dropout=0.1)
    assert "12, heads=6, head_dim=2, kv_heads=3, position=Rotary(" in repr(layer)
    assert "sinks=True, softcap=30, dropout=0.1" in repr(layer)
    assert "(position): ALiBi(6" in repr(MultiHeadAttention(12, 6, position=ALiBi(6)))


# To torch.nn.MultiheadAttention; from it and back: tests/conformance.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kv_heads": 3}, r"kv_heads \(3\) is not heads \(6\)"),
        ({"head_dim": 5}, r"heads · head_dim is not dim \(12\)"),
        ({"value_head_dim": 5}, "value_head_dim is not head_dim"),
        ({"output_dim": 5}, "output_dim is not dim"),
        ({"output_bias": False}, "only one of bias and output_bias"),
        ({"position": Rotary()}, "it has a position"),
        ({"qk_norm": nn.RMSNorm}, "it has a qk_norm"),
        ({"shared_projection": True}, "its heads share one projection"),
        ({"sinks": True}, "it has sinks"),
        ({"softcap": 2.0}, "it has a softcap"),
        ({"scale": 2.0}, r"its scale is not 1/√head_dim \(0.707107\)"),
        ({"normalizer": "relu"}, "its normalizer is 'relu'"),
        ({"extra_keys": [ZeroKey(), LearnedKey(HEADS, 2)]}, "one of each in this order"),
        ({"kv_heads": 3, "sinks": True}, r"kv_heads \(3\) is not heads \(6\); it has sinks"),
    ],
)
def test_what_the_layer_of_torch_has_no_place_for(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        MultiHeadAttention(DIM, HEADS, **options).to_torch()


def test_dropout_mode_and_dtype_go_along() -> None:
    module = nn.MultiheadAttention(12, 3, dropout=0.25, dtype=torch.bfloat16).eval()
    layer = MultiHeadAttention.from_torch(module)
    assert (layer.dropout, layer.training, layer.query.weight.dtype) == (0.25, False, torch.bfloat16)
    back = layer.train().to_torch(batch_first=False)
    assert (back.dropout, back.training, back.batch_first) == (0.25, True, False)
    with torch.no_grad():
        layer.output.weight.zero_()
    assert bool(module.out_proj.weight.any())
    assert bool(back.out_proj.weight.any())


# The helpers themselves.


@pytest.mark.parametrize("part", ["query", "key", "value", "output"])
def test_close_fails_when_a_weight_differs(part: str) -> None:
    layer = build("plain")
    (x,) = inputs(layer, cross=False)
    shape = (BATCH, HEADS, QUERIES, QUERIES)
    with torch.no_grad():
        wanted, _ = reference(layer, x, x, x, torch.ones(shape).bool(), torch.zeros(shape).double())
        getattr(layer, part).weight[0, 0] += 1e-3
        with pytest.raises(AssertionError):
            close(layer(x), wanted)


@pytest.mark.parametrize("layer", [MultiHeadAttention(DIM, HEADS), SelfAttention(DIM)], ids=["multi-head", "single"])
def test_a_layer_that_gives_its_map_is_called_as_a_module(layer: nn.Module) -> None:
    stack = nn.ModuleDict({"first": layer})
    seen: list[object] = []
    layer.register_forward_hook(lambda module, inputs, output: seen.append(output))
    x = torch.randn(2, 7, DIM)
    with torch.no_grad(), ch.watch(stack) as capture:
        output, amap = layer.attend(x, mask=ch.Causal())  # type: ignore[operator]
    assert seen[0][0] is output  # type: ignore[index]
    assert list(capture) == ["first"]
    close(capture["first"].dense(), amap.dense())


def test_parts_for_another_layer_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"= \(6, 2, 2\), and the extra key is for \(3, 2, 2\)"):
        MultiHeadAttention(DIM, HEADS, extra_keys=[LearnedKey(3, 2)])
    layer, x = MultiHeadAttention(DIM, HEADS), torch.randn(1, 3, DIM)
    with pytest.raises(ShapeError, match=r"comes from project.. of another layer"):
        layer(x, MultiHeadAttention(DIM, 1, head_dim=2).project(x))
    for bias, error in ((torch.ones(3, 3).bool(), InputError), (torch.ones(3, 3, device="meta"), InputError)):
        for position in (None, ALiBi(HEADS)):
            with pytest.raises(error, match=r"floating-point|is on meta"):
                MultiHeadAttention(DIM, HEADS, position=position)(x, bias=bias)
    with pytest.raises(ShapeError, match="cannot be added"):
        MultiHeadAttention(DIM, HEADS, position=ALiBi(HEADS))(x, bias=torch.ones(2, 5, 3, 3))


def test_norms_are_made_where_and_as_the_layer_is() -> None:
    layer = MultiHeadAttention(DIM, HEADS, qk_norm=nn.LayerNorm, dtype=torch.float64)
    assert {x.dtype for x in layer.parameters()} == {torch.float64}
    assert {x.device.type for x in MultiHeadAttention(DIM, HEADS, qk_norm=nn.RMSNorm, device="meta").parameters()} == {
        "meta"
    }
    with pytest.raises(InputError, match="it has a qk_norm"):
        MultiHeadAttention(DIM, HEADS, qk_norm=(nn.Identity(), nn.RMSNorm(2))).to_torch()


def test_pruned_and_frozen_weights_are_read() -> None:
    theirs = nn.MultiheadAttention(DIM, HEADS, batch_first=True)
    theirs.out_proj.requires_grad_(False)
    prune.random_unstructured(theirs, "in_proj_weight", amount=0.5)
    theirs.eval()
    ours, x = MultiHeadAttention.from_torch(theirs), torch.randn(2, 7, DIM)
    close(ours(x), theirs(x, x, x)[0], 1e-6)
    assert not ours.output.weight.requires_grad
    assert ours.query.weight.requires_grad
    assert isinstance(MultiHeadAttention(DIM, HEADS, normalizer=Softmax()).to_torch(), nn.MultiheadAttention)


def test_a_layer_explains_its_path() -> None:
    layer, x, cache = MultiHeadAttention(DIM, HEADS), torch.randn(2, 7, DIM), GrowingCache()
    assert layer.explain(x, mask=Causal(), cache=cache).path == "sdpa"
    assert layer.explain(x, mask=Causal(), with_map=True).path == "fused"
    assert cache.seen == 0
