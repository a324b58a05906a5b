"""``torch.nn.MultiheadAttention`` in 100 random configurations: the same weights give the same numbers."""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from clearhead.layers import MultiHeadAttention
from clearhead.masks import Explicit

CONFIGURATIONS = 100
TOLERANCE = {torch.float64: 1e-11, torch.float32: 2e-5}
MASKS = ("none", "bool", "float", "bool by head", "float by head", "causal")
PADDINGS = ("none", "none", "bool", "float")


@dataclass(frozen=True)
class Configuration:
    """A module's arguments, and what it is called with. Lengths are distinct primes."""

    module: dict[str, Any]
    mask: str
    padding: str
    batch: int
    queries: int
    keys: int
    self_attention: bool
    need_weights: bool
    average: bool
    inference: bool
    dtype: torch.dtype


def configuration(seed: int) -> Configuration:
    """One configuration; the same for the same seed, on every machine."""
    draw = random.Random(seed)  # noqa: S311  # not for secrets
    heads = draw.choice([1, 2, 3, 5, 7])
    dim = heads * draw.choice([1, 2, 3, 5, 11])
    self_attention = draw.random() < 0.4
    queries, keys = draw.sample([1, 7, 13, 17, 19], 2)
    mask = draw.choice(MASKS)
    batch = draw.choice([1, 2, 3])
    padding = draw.choice(PADDINGS)
    if mask != "none" and padding != "none":  # torch deprecates a bool and a float mask in one call
        padding = "float" if mask.startswith("float") else "bool"
    return Configuration(
        module={
            "embed_dim": dim,
            "num_heads": heads,
            "kdim": None if self_attention else draw.choice([None, dim, 5, 23]),
            "vdim": None if self_attention else draw.choice([None, dim, 3, 29]),
            "bias": draw.random() < 0.7,
            "add_bias_kv": draw.random() < 0.3,
            "add_zero_attn": draw.random() < 0.3,
            "batch_first": draw.random() < 0.5,
            "dropout": draw.choice([0.0, 0.25]),
        },
        mask=mask,
        padding=padding,
        batch=batch,
        queries=queries,
        keys=queries if self_attention or mask == "causal" else keys,
        self_attention=self_attention,
        need_weights=draw.random() < 0.7,
        average=draw.random() < 0.5,
        inference=draw.random() < 0.5,
        dtype=draw.choice([torch.float64, torch.float64, torch.float32]),
    )


def build(c: Configuration) -> nn.MultiheadAttention:
    """The module with every parameter random: torch starts its biases at 0, where a lost one would not show."""
    module = nn.MultiheadAttention(**c.module, dtype=c.dtype).eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(-0.7, 0.7)
    return module


def inputs(c: Configuration) -> tuple[Tensor, Tensor, Tensor]:
    """Query, key and value, (batch, tokens, width)."""
    dim = c.module["embed_dim"]
    query = torch.randn(c.batch, c.queries, dim, dtype=c.dtype)
    if c.self_attention:
        return query, query, query
    key, value = (torch.randn(c.batch, c.keys, c.module[name] or dim, dtype=c.dtype) for name in ("kdim", "vdim"))
    return query, key, value


def masks(c: Configuration) -> tuple[dict[str, Any], Tensor, Tensor]:
    """The arguments of torch's call; who may attend, and what is added, both of shape (batch, heads, queries, keys)."""
    heads = c.module["num_heads"]
    everyone = (c.batch, heads, c.queries, c.keys)
    allowed, added = torch.ones(everyone, dtype=torch.bool), torch.zeros(everyone, dtype=c.dtype)
    options: dict[str, Any] = {}

    def give(name: str, shape: tuple[int, ...], whole: tuple[int, ...], kind: str, forbidden: Tensor) -> None:
        """``forbidden`` has ``shape``, as torch wants it (True = may not); seen as ``whole`` it broadcasts to all."""
        nonlocal allowed, added
        allowed = allowed & ~forbidden.view(whole)
        options[name] = forbidden
        if kind == "float":
            finite = torch.randn(shape, dtype=c.dtype)
            options[name] = finite.masked_fill(forbidden, -torch.inf)
            added = added + finite.masked_fill(forbidden, 0.0).view(whole)

    if c.mask == "causal":
        options["is_causal"] = True
        square = (c.queries, c.keys)
        give("attn_mask", square, square, "bool", torch.ones(square, dtype=torch.bool).triu(1))
    elif c.mask != "none":
        by_head = c.mask.endswith("head")
        shape = (c.batch * heads, c.queries, c.keys) if by_head else (c.queries, c.keys)
        forbidden = torch.rand(shape) < 0.4
        forbidden[..., ::5, :] |= torch.rand(()) < 0.5  # in half of the cases, rows that may attend to nothing
        give("attn_mask", shape, everyone if by_head else shape, c.mask.split()[0], forbidden)
    if c.padding != "none":
        shape = (c.batch, c.keys)
        forbidden = torch.rand(shape) < 0.3
        give("key_padding_mask", shape, (c.batch, 1, 1, c.keys), c.padding, forbidden)
    return options, allowed, added


def reference(
    module: nn.MultiheadAttention, query: Tensor, key: Tensor, value: Tensor, allowed: Tensor, added: Tensor
) -> tuple[Tensor, Tensor]:
    """(output, weights by head) by the formulas, in float64; a row that may attend to nothing has the weights 0."""
    p = {name: x.detach().double() for name, x in module.named_parameters()}
    dim, heads = module.embed_dim, module.num_heads
    if "in_proj_weight" in p:
        projections = list(p["in_proj_weight"].split(dim))
    else:
        projections = [p[f"{name}_proj_weight"] for name in "qkv"]
    biases = p["in_proj_bias"].split(dim) if "in_proj_bias" in p else [torch.zeros(dim, dtype=torch.float64)] * 3
    q, k, v = (x.double() @ w.T + b for x, w, b in zip((query, key, value), projections, biases, strict=True))
    batch = q.shape[0]
    if "bias_k" in p:
        k, v = (torch.cat([x, p[name].expand(batch, 1, dim)], 1) for x, name in ((k, "bias_k"), (v, "bias_v")))
    if module.add_zero_attn:
        k, v = (torch.cat([x, x.new_zeros(batch, 1, dim)], 1) for x in (k, v))
    extra = (0, k.shape[1] - allowed.shape[-1])
    allowed, added = nn.functional.pad(allowed, extra, value=True), nn.functional.pad(added.double(), extra)
    q, k, v = (x.view(batch, -1, heads, dim // heads).transpose(1, 2) for x in (q, k, v))
    scores = (q @ k.mT / math.sqrt(dim // heads) + added).masked_fill(~allowed, -torch.inf)
    empty = ~allowed.any(-1, keepdim=True)
    weights = scores.masked_fill(empty, 0.0).softmax(-1).masked_fill(empty, 0.0)
    output = (weights @ v).transpose(1, 2).flatten(2) @ p["out_proj.weight"].T
    return output + p.get("out_proj.bias", torch.zeros(dim, dtype=torch.float64)), weights


def call(
    module: nn.MultiheadAttention, c: Configuration, given: tuple[Tensor, Tensor, Tensor], options: dict[str, Any]
) -> tuple[Tensor, Tensor | None]:
    """The module's own answer, batch first."""
    if not module.batch_first:
        query, key, value = given
        turned = query.transpose(0, 1)
        # torch looks whether they are the same tensor.
        given = (turned, turned, turned) if key is query else (turned, key.transpose(0, 1), value.transpose(0, 1))
    with torch.inference_mode(c.inference):
        output, weights = module(*given, need_weights=c.need_weights, average_attn_weights=c.average, **options)
    return output if module.batch_first else output.transpose(0, 1), weights


def close(found: Tensor, wanted: Tensor, dtype: torch.dtype) -> None:
    """Equal to float64 within the tolerance of ``dtype``, of numbers above 1 relative; NaN equals nothing."""
    torch.testing.assert_close(found.double(), wanted.double(), rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("seed", range(CONFIGURATIONS))
def test_the_layer_answers_as_the_module_that_it_came_from(seed: int) -> None:
    c = configuration(seed)
    torch.manual_seed(seed)
    module, given = build(c), inputs(c)
    options, allowed, added = masks(c)
    wanted, wanted_weights = reference(module, *given, allowed, added)
    output, weights = call(module, c, given, options)

    # Torch's answer is that of the formulas, save for rows that may attend to nothing (it has NaN there, or 0).
    empty = wanted_weights.sum(-1) == 0
    whole = ~empty.any(1)
    close(output[whole], wanted[whole], c.dtype)
    if weights is not None and c.average:
        close(weights[whole], wanted_weights.mean(1)[whole], c.dtype)
    elif weights is not None:
        close(weights[~empty], wanted_weights[~empty], c.dtype)

    layer = MultiHeadAttention.from_torch(module).eval()
    mask = None if bool(allowed.all()) else Explicit(allowed)
    bias = added if bool(added.any()) else None
    arguments = given[:1] if c.self_attention else given
    found, amap = layer.attend(*arguments, mask=mask, bias=bias)
    close(found, wanted, c.dtype)
    close(amap.dense(), wanted_weights, c.dtype)
    close(layer(*arguments, mask=mask, bias=bias), wanted, c.dtype)

    # And back: the same module again.
    back = layer.to_torch().eval()
    assert back.state_dict().keys() == module.state_dict().keys()
    for name, parameter in module.state_dict().items():
        assert torch.equal(back.state_dict()[name], parameter), name
    again, _ = call(back, c, given, options)
    close(again[whole], output[whole], c.dtype)


def test_the_configurations_are_of_every_kind() -> None:
    found = [configuration(seed) for seed in range(CONFIGURATIONS)]
    assert len({repr(c) for c in found}) == CONFIGURATIONS
    assert set(Counter(c.mask for c in found)) == set(MASKS)
    assert set(Counter(c.padding for c in found)) == set(PADDINGS)
    for name in ("bias", "add_bias_kv", "add_zero_attn", "batch_first"):
        assert {c.module[name] for c in found} == {True, False}
    for name in ("self_attention", "need_weights", "average", "inference"):
        assert {getattr(c, name) for c in found} == {True, False}
    assert {(c.module["kdim"] is None, c.module["vdim"] is None) for c in found} == {
        (first, second) for first in (True, False) for second in (True, False)
    }
    empty = 0
    for seed, c in enumerate(found):
        torch.manual_seed(seed)
        allowed = masks(c)[1]
        empty += not bool(allowed.any(-1).all()) and not (c.module["add_bias_kv"] or c.module["add_zero_attn"])
    assert empty >= 10, "too few have rows that may attend to nothing"


@pytest.mark.parametrize("spoiled", ["in_proj_bias", "bias_k", "out_proj.bias", "out_proj.weight"])
def test_close_fails_when_one_parameter_differs(spoiled: str) -> None:
    torch.manual_seed(0)
    module = nn.MultiheadAttention(6, 3, add_bias_kv=True, batch_first=True, dtype=torch.float64).eval()
    x = torch.randn(2, 7, 6, dtype=torch.float64)
    allowed, added = torch.ones(2, 3, 7, 7, dtype=torch.bool), torch.zeros(2, 3, 7, 7, dtype=torch.float64)
    wanted, _ = reference(module, x, x, x, allowed, added)
    close(module(x, x, x)[0], wanted, torch.float64)
    with torch.no_grad():
        module.get_parameter(spoiled).add_(0.01)
    with pytest.raises(AssertionError):
        close(module(x, x, x)[0], wanted, torch.float64)
