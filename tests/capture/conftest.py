"""What the tests of watching share: a comparison of maps, and one of outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from clearhead.maps import AttentionMap


def maps_agree(
    maps: Iterable[AttentionMap],
    expected: Iterable[Tensor],
    allowed: Iterable[Tensor | None] | None = None,
    compared: Iterable[Tensor | None] | None = None,
    *,
    within: float = 1e-5,
    output: bool = True,
) -> None:
    """Each map is its expected weights, 0 wherever it is not allowed to attend, and passes its own check.

    Rows that may attend to nothing are 0 in a map; models put other numbers there, which are not compared. Keys that
    a map has beyond the expected ones (the free places of a static cache) have weight 0.

    Args:
        maps: What was captured.
        expected: What an independent computation gives, ``(batch, heads, queries, keys)``.
        allowed: True = may attend, broadcasting to the weights; ``None`` for all.
        compared: ``(batch, queries)``, which rows mean something; ``None`` for all.
        within: The largest deviation of a weight.
        output: Whether weights times values must have been compared with the output, or must not have been.

    """
    maps, expected = list(maps), list(expected)
    masks = [None] * len(expected) if allowed is None else list(allowed)
    texts = [None] * len(expected) if compared is None else list(compared)
    assert maps, "nothing to compare"
    assert len(maps) == len(expected) == len(masks), f"{len(maps)} maps, {len(expected)} expected, {len(masks)} masks"
    for number, (amap, weights, mask, rows) in enumerate(zip(maps, expected, masks, texts, strict=True)):
        dense = amap.dense()
        assert dense.shape[:3] == weights.shape[:3], f"map {number} is {amap.shape}, expected {tuple(weights.shape)}"
        keys = weights.shape[3]
        assert not dense[..., keys:].any(), f"map {number} has weight past the {keys} expected keys"
        may = torch.ones_like(weights, dtype=torch.bool) if mask is None else mask.expand(weights.shape)
        assert not dense[..., :keys][~may].any(), f"map {number} has weight where it may not attend"
        some = may.any(-1)
        some = some if rows is None else some & rows[:, None]
        assert some.any(), f"map {number} has no row to compare"
        deviation = (dense[..., :keys] - weights.to(dense))[some].abs().max()
        assert deviation <= within, f"map {number} deviates by {float(deviation):.1e}"
        check = amap.check()
        assert check.row_sum <= within, f"rows of map {number}: {check}"
        if output:
            assert check.output is not None, f"map {number} was not compared with its output"
            # Of a value's columns it is the sum, which is rounded more often than a weight.
            assert check.output <= 4 * within, f"output of map {number}: {check}"
        else:
            assert check.output is None, f"map {number}: {check}"


def same_bits(first: Any, second: Any) -> None:
    """Two outputs of a model are the same tensors bit for bit, however they are nested."""
    if isinstance(first, Tensor):
        assert isinstance(second, Tensor)
        assert first.dtype == second.dtype
        assert torch.equal(first.nan_to_num(nan=7.0), second.nan_to_num(nan=7.0)), "the output changed"
        assert torch.equal(first.isnan(), second.isnan()), "the output changed"
    elif isinstance(first, Mapping):
        assert list(first) == list(second)
        for key in first:
            same_bits(first[key], second[key])
    elif isinstance(first, Sequence) and not isinstance(first, str):
        assert len(first) == len(second)
        for a, b in zip(first, second, strict=True):
            same_bits(a, b)
    else:
        assert type(first) is type(second)


def reference(
    q: Tensor,
    k: Tensor,
    *,
    allowed: Tensor | None = None,
    bias: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """softmax(scale · q·kᵀ + bias), written out; 0 in rows that may attend to nothing."""
    if q.dim() > 3 and q.shape[-3] > k.shape[-3]:  # grouped queries
        k = k.repeat_interleave(q.shape[-3] // k.shape[-3], -3)
    scores = q @ k.transpose(-1, -2) * (q.shape[-1] ** -0.5 if scale is None else scale)
    if bias is not None:
        scores = scores + bias
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -torch.inf)
    return scores.softmax(-1).nan_to_num(nan=0.0)


def traces() -> list[Any]:
    """Everything that watching replaces while it lasts, to be compared by identity before and after."""
    from torch.nn.attention import flex_attention
    from transformers.modeling_utils import AttentionInterface

    functional, hooks = torch.nn.functional, nn.modules.module
    return [
        functional.scaled_dot_product_attention,
        functional.multi_head_attention_forward,
        functional._in_projection_packed,
        functional._in_projection,
        torch._native_multi_head_attention,
        torch._transformer_encoder_layer_fwd,
        flex_attention.flex_attention,
        AttentionInterface.get_interface,
        *hooks._global_forward_pre_hooks.values(),
        *hooks._global_forward_hooks.values(),
    ]


@pytest.fixture(name="maps_agree")
def _maps_agree() -> Callable[..., None]:
    return maps_agree


@pytest.fixture(name="same_bits")
def _same_bits() -> Callable[..., None]:
    return same_bits


@pytest.fixture(name="reference")
def _reference() -> Callable[..., Tensor]:
    return reference


@pytest.fixture(name="traces")
def _traces() -> Callable[[], list[Any]]:
    return traces
