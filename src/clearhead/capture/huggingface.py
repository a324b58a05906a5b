"""What the attention functions of Hugging Face's transformers are called with, read into an attention call."""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import Tensor, nn

from clearhead.capture.recorder import AttentionCall

__all__ = ["attention_interface", "call"]


def attention_interface() -> Any:
    """The class ``AttentionInterface``, if transformers' models are loaded and have one."""
    loaded = sys.modules.get("transformers.modeling_utils")
    interface = getattr(loaded, "AttentionInterface", None)
    return interface if hasattr(interface, "get_interface") else None


def call(
    implementation: str,
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    output: Tensor,
    given: dict[str, Any],
    inner: AttentionCall | None,
) -> AttentionCall:
    """One call of a registered attention function.

    Args:
        implementation: ``eager``, ``sdpa``, ``flex_attention``, ``flash_attention_2``, …
        module: The layer that calls.
        query: (batch, heads, queries, head_dim); keys and values are those before any repetition for grouped queries.
        key: (batch, kv_heads, keys, head_dim).
        value: (batch, kv_heads, keys, value_dim).
        output: (batch, queries, heads, value_dim), as these functions return it.
        given: The other arguments.
        inner: The ``scaled_dot_product_attention`` call that the function made, if it made one.

    """
    mask = given.get("attention_mask")
    scale = given.get("scaling")
    dropout = float(given.get("dropout") or 0.0)
    softcap, sinks = given.get("softcap"), given.get("s_aux")
    if sinks is None and implementation == "eager":
        sinks = getattr(module, "sinks", None)  # eager functions read them off the layer
    result = AttentionCall(
        query,
        key,
        query.shape[-1] ** -0.5 if scale is None else float(scale),
        bias=given.get("position_bias"),
        softcap=softcap,
        sinks=sinks if isinstance(sinks, Tensor) else None,
        values=value,
        output=output.transpose(1, 2) if dropout == 0.0 else None,
    )
    if inner is not None:
        return _inside(result, inner, mask)
    if implementation == "flex_attention" and mask is not None and not isinstance(mask, Tensor):
        result.predicate = mask.mask_mod
    elif isinstance(mask, Tensor) and mask.dim() == 2:  # flash kernels: which tokens exist
        result.mask = mask.bool()[:, None, None, -key.shape[2] :]
    elif isinstance(mask, Tensor):
        result.mask = mask
    if "flash" in implementation:
        # Their window goes to both sides, and being causal cuts the right one off.
        causal = given.get("is_causal")
        causal = getattr(module, "is_causal", True) if causal is None else causal
        reach = key.shape[2] if given.get("sliding_window") is None else int(given["sliding_window"]) - 1
        result.window = (reach, 0 if causal else reach)
    return result


def _inside(result: AttentionCall, inner: AttentionCall, mask: Any) -> AttentionCall:
    """Complete the call with what its kernel was given: the kernel's numbers, in the layer's shapes."""
    keys = inner.k.shape[2]
    result.k, result.causal, result.scale = result.k[:, :, :keys], inner.causal, inner.scale
    if result.values is not None:
        result.values = result.values[:, :, :keys]
    if inner.q.dtype != result.q.dtype:  # autocast
        result.q, result.k = result.q.to(inner.q.dtype), result.k.to(inner.q.dtype)
    result.lse = inner.lse
    if isinstance(mask, Tensor):
        result.mask = mask
    elif result.bias is None and inner.mask is not None:
        result.mask = inner.mask
    if result.bias is not None and inner.mask is not None and mask is None:
        # A causal triangle was written into the bias, since a kernel takes one or the other.
        lowest = torch.finfo(inner.mask.dtype).min / 2 if inner.mask.is_floating_point() else None
        result.causal = lowest is not None and bool((inner.mask[..., 0, 1:] <= lowest).all()) and keys > 1
    return result
