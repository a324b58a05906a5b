"""The node tests of ONNX for attention, taken from the installed package, and how each operator is said in clearhead.

https://onnx.ai/onnx/operators: Attention (opsets 23 to 25), RotaryEmbedding (23), FlexAttention (preview).
"""

from __future__ import annotations

import functools
import importlib
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor

from clearhead import LinearState, attend, attention, linear_prefill
from clearhead.masks import Causal, Explicit, Mask, Padding, Window
from clearhead.positions.rotary import turn

__all__ = ["ADAPTERS", "CASES", "EXPANDED", "LEFT_OUT", "Case", "compare"]

Values = Mapping[str, Tensor]

LEFT_OUT: dict[str, tuple[int, str]] = {}
"""Operators whose cases are not run: how many there are, and why."""

SOURCES = ("attention", "flexattention", "linear_attention", "rotaryembedding")


@dataclass(frozen=True)
class Case:
    """One node, its inputs and its expected outputs by the names that ONNX gives them."""

    name: str
    operator: str
    attributes: Mapping[str, Any]
    inputs: Values
    outputs: Values
    rtol: float
    atol: float


# Collecting.


def _tensor(array: np.ndarray) -> Tensor:
    """The array in torch's dtype of the same name; numpy has no bfloat16 that torch can read."""
    dtype: torch.dtype = getattr(torch, array.dtype.name)
    return torch.tensor(array.astype(np.float64) if dtype.is_floating_point else array).to(dtype)


def _attribute(attribute: onnx.AttributeProto) -> Any:
    return onnx.helper.get_attribute_value(attribute)


def _names(formal: Sequence[Any], given: Sequence[str]) -> list[str]:
    """The operator's own names of the inputs or outputs that are there: a node leaves some out by an empty name."""
    return [parameter.name for parameter, name in zip(formal, given, strict=False) if name]


def _read(case: Any) -> Case:
    (node,) = case.model.graph.node
    ((inputs, outputs),) = case.data_sets
    versions = {opset.domain: opset.version for opset in case.model.opset_import}
    schema = onnx.defs.get_schema(node.op_type, versions[node.domain], node.domain)
    return Case(
        case.name,
        node.op_type,
        {attribute.name: _attribute(attribute) for attribute in node.attribute},
        dict(zip(_names(schema.inputs, node.input), map(_tensor, inputs), strict=True)),
        dict(zip(_names(schema.outputs, node.output), map(_tensor, outputs), strict=True)),
        case.rtol,
        case.atol,
    )


def _collect() -> tuple[dict[str, Case], list[tuple[str, str]]]:
    """Every case by name; and every repetition of one of them as a graph of smaller operators, with whose data."""
    for source in SOURCES:
        importlib.import_module(f"onnx.backend.test.case.node.{source}")  # importing such a module registers its cases
    registered = importlib.import_module("onnx.backend.test.case.node")._NodeTestCases
    cases: dict[str, Case] = {}
    owner: dict[int, str] = {}
    expanded = []
    for case in registered:
        data = case.data_sets[0][0]
        if len(case.model.graph.node) == 1:
            owner[id(data)] = case.name
            cases[case.name] = _read(case)
        else:
            expanded.append((case.name, owner[id(data)]))
    return cases, expanded


CASES, EXPANDED = _collect()


# Attention.


def _by_head(x: Tensor, heads: int | None) -> Tensor:
    """(batch, tokens, heads · width) to (batch, heads, tokens, width); four axes stay as they are."""
    return x if x.dim() == 4 else x.unflatten(-1, (heads, -1)).transpose(1, 2)


def _shifted(rule: Mask, queries: int, keys: int, offset: Tensor) -> Mask:
    """The rule with query i at key ``offset + i``, by text, and not where clearhead puts it, at i + keys − queries."""
    if bool((offset == keys - queries).all()):
        return rule
    position = offset[:, None, None, None] + torch.arange(queries)[:, None]
    batch, head = torch.arange(len(offset))[:, None, None, None], torch.zeros(1, 1, 1, 1, dtype=torch.int64)
    return Explicit(rule.allows(batch, head, position, torch.arange(keys)))


def _four_axes(x: Tensor, keys: int) -> Tensor:
    """Aligned at the right as numpy broadcasts, and the missing last keys forbidden."""
    x = x[(None,) * (4 - x.dim())]
    missing = x.new_full((*x.shape[:-1], keys - x.shape[-1]), False if x.dtype == torch.bool else -torch.inf)
    return torch.cat([x, missing], -1)


def _attention(attributes: Mapping[str, Any], inputs: Values) -> dict[str, Tensor]:
    """ONNX Attention, opsets 23 to 25.

    ``is_causal`` puts the first query at the key after the past ones, and without a past at the first key; given
    ``nonpad_kv_seqlen`` the last query at the last key that counts. The soft-cap comes before the mask.
    ``softmax_precision`` changes nothing: the softmax is in float32 at least, and in float64 for float64.
    """
    q = _by_head(inputs["Q"], attributes.get("q_num_heads"))
    k, v = (_by_head(inputs[name], attributes.get("kv_num_heads")) for name in "KV")
    offset = torch.zeros(len(q), dtype=torch.int64)
    if "past_key" in inputs:
        offset += inputs["past_key"].shape[2]
        k, v = torch.cat([inputs["past_key"], k], 2), torch.cat([inputs["past_value"], v], 2)
    queries, keys = q.shape[2], k.shape[2]
    masks: list[Mask] = []
    bias = None
    if "nonpad_kv_seqlen" in inputs:
        offset = inputs["nonpad_kv_seqlen"] - queries
        masks.append(Padding(inputs["nonpad_kv_seqlen"]))
    if attributes.get("is_causal"):
        masks.append(_shifted(Causal(), queries, keys, offset))
    sides = [attributes.get(f"{side}_window_size", -1) for side in ("left", "right")]
    window = Window(*(None if side < 0 else side for side in sides))
    if window != Window(None, None):
        masks.append(_shifted(window, queries, keys, offset))
    if "attn_mask" in inputs:
        given = _four_axes(inputs["attn_mask"], keys)
        masks.append(Explicit(given if given.dtype == torch.bool else given > -torch.inf))
        bias = None if given.dtype == torch.bool else given.masked_fill(given == -torch.inf, 0.0)
    scale, softcap = attributes.get("scale"), attributes.get("softcap") or None
    mask = functools.reduce(operator.and_, masks) if masks else None
    output, amap = attend(q, k, v, mask=mask, bias=bias, scale=scale, softcap=softcap)
    mode = attributes.get("qk_matmul_output_mode", 0)
    if mode in (0, 1):  # before mask and bias, and 0 before the soft-cap too
        amap = attend(q, k, v, scale=scale, softcap=softcap if mode == 1 else None)[1]
    weights = amap.dense()
    # A score is the logarithm of its weight, as high above 0 as its row's LSE: −inf where the mask forbids it.
    shown = weights if mode == 3 else weights.log() + amap.lse[..., None]
    if inputs["Q"].dim() == 3:
        output = output.transpose(1, 2).flatten(2)
    return {"Y": output, "present_key": k, "present_value": v, "qk_matmul_output": shown.to(q.dtype)}


# FlexAttention.


def _difference(queries: int, keys: int) -> Tensor:
    return (torch.arange(queries)[:, None] - torch.arange(keys)).float()


SCORE_MODS: dict[str, Callable[[Mapping[str, float], int, int], dict[str, Any]]] = {
    "score_mod_bias": lambda constants, queries, keys: {"bias": torch.full((1, keys), constants["bias"])},
    "score_mod_causal_mask": lambda constants, queries, keys: {"mask": Causal()},
    "score_mod_soft_cap": lambda constants, queries, keys: {"softcap": constants["cap"]},
    "score_mod_relative_positional": lambda constants, queries, keys: {"bias": _difference(queries, keys)},
}
"""What the graph of that name does to the scores, with the parts that clearhead has for it."""


def _constants(graph: onnx.GraphProto) -> dict[str, float]:
    return {x.name: onnx.numpy_helper.to_array(x).item() for x in graph.initializer if not x.dims}


def _flex_attention(attributes: Mapping[str, Any], inputs: Values) -> dict[str, Tensor]:
    """ONNX FlexAttention: graphs that change scores and weights."""
    q, k, v = (inputs[name] for name in "QKV")
    parts: dict[str, Any] = {}
    if "score_mod" in attributes:
        graph = attributes["score_mod"]
        parts = SCORE_MODS[graph.name](_constants(graph), q.shape[2], k.shape[2])
    if "prob_mod" in attributes:
        graph = attributes["prob_mod"]
        assert graph.name == "prob_mod_scale", "only weights times a constant are values times that constant"
        v = v * _constants(graph)["scale"]
    return {"Y": attention(q, k, v, scale=attributes.get("scale"), **parts)}


# RotaryEmbedding.


def _rotary_embedding(attributes: Mapping[str, Any], inputs: Values) -> dict[str, Tensor]:
    """ONNX RotaryEmbedding: cosines and sines come as tables, by position or by token."""
    x = _by_head(inputs["X"], attributes.get("num_heads"))
    cos, sin = (inputs[f"{name}_cache"] for name in ("cos", "sin"))
    if "position_ids" in inputs:
        cos, sin = cos[inputs["position_ids"]], sin[inputs["position_ids"]]
    pairing = "adjacent" if attributes.get("interleaved") else "half"
    turned = turn(x, cos[:, None], sin[:, None], pairing=pairing)
    return {"Y": turned.transpose(1, 2).flatten(2) if inputs["X"].dim() == 3 else turned}


# LinearAttention.


def _linear_attention(attributes: Mapping[str, Any], inputs: Values) -> dict[str, Tensor]:
    """ONNX LinearAttention: no feature map and no normalizing; decays are given as logarithms.

    A scale of 0 stands for none. Its state has the dtype of the past one, or of the query; here it is float32.
    """
    q = _by_head(inputs["query"], attributes["q_num_heads"])
    k, v = (_by_head(inputs[name], attributes["kv_num_heads"]) for name in ("key", "value"))
    batch, kv_heads, tokens, width = k.shape
    options: dict[str, Any] = {}
    if attributes.get("update_rule", b"gated_delta") in (b"gated", b"gated_delta"):
        gate = inputs["decay"].to(torch.promote_types(q.dtype, torch.float32)).exp()
        by_feature = gate.shape[-1] == kv_heads * width != kv_heads
        options["decay"] = _by_head(gate, kv_heads) if by_feature else gate.mT
    if attributes.get("update_rule", b"gated_delta") in (b"delta", b"gated_delta"):
        options["update_rate"] = inputs["beta"].mT.expand(batch, kv_heads, tokens)
    past = inputs.get("past_state")
    kind = q.dtype if past is None else past.dtype
    state = None if past is None else LinearState(past.to(torch.promote_types(q.dtype, torch.float32)))
    scale = attributes.get("scale") or None
    output, after = linear_prefill(q, k, v, state, feature_map="none", scale=scale, **options)
    return {"output": output.transpose(1, 2).flatten(2), "present_state": after.values.to(kind)}


ADAPTERS: dict[str, Callable[[Mapping[str, Any], Values], dict[str, Tensor]]] = {
    "Attention": _attention,
    "FlexAttention": _flex_attention,
    "LinearAttention": _linear_attention,
    "RotaryEmbedding": _rotary_embedding,
}
"""By operator: its attributes and inputs to all the outputs that it can have."""


# Comparing.

TOLERANCE = {torch.float64: 1e-11, torch.float32: 1e-5, torch.float16: 2**-9, torch.bfloat16: 2**-6}
"""Relative. ONNX allows 1e-3, and two units in the last place of bfloat16. In float16 1e-3 is one unit, which its
reference, rounding every step, is off by itself; so two here, and 1e-3 for what is computed in float64."""


LEAST = {"LinearAttention": 1e-6}
"""Absolute: weights of any sign cancel in a sum of numbers around 5, and the reference computes in float32 too."""


def compare(case: Case, found: Values, rtol: float | None = None) -> None:
    """Every output that the case expects, its dtype and shape too; NaN equals nothing, −inf only itself."""
    for name, wanted in case.outputs.items():
        torch.testing.assert_close(
            found[name],
            wanted,
            rtol=TOLERANCE[wanted.dtype] if rtol is None else rtol,
            atol=max(case.atol, LEAST.get(case.operator, 0.0)),
            msg=lambda text, name=name: f"{name} of {case.name}: {text}",
        )
