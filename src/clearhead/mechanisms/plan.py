"""Which path an attention call takes, and why not a faster one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch

from clearhead.masks import Padding
from clearhead.mechanisms import decoding, flex, fused
from clearhead.mechanisms.normalizers import Softmax
from clearhead.mechanisms.request import Request

__all__ = ["Path", "Plan", "choose"]

Path = Literal["sdpa", "fused", "flex", "streamed", "dense"]


@dataclass(frozen=True)
class Plan:
    """The path of one call, and the reasons for it."""

    path: Path
    """``sdpa``: PyTorch's own function in one call. ``fused``: the kernel below it, which also gives the LSE, in one
    call or several, on the tiles that a mask leaves. ``flex``: PyTorch's compiled FlexAttention on those tiles.
    ``streamed``: plain operations, a block of queries at a time. ``dense``: plain operations with all n×n scores at
    once."""
    reasons: tuple[str, ...]


def choose(request: Request, *, with_map: bool) -> Plan:
    """The fastest path that computes what is asked for.

    It depends on settings and shapes alone, never on numbers in tensors, so that it is the same each time and a
    compiler can follow it.
    """
    if 0 in request.q.shape or 0 in request.k.shape or 0 in request.v.shape:
        return Plan("dense", ("an axis is empty, so there is next to nothing to compute",))
    slow = tuple(_not_linear(request))
    if torch.compiler.is_compiling():
        return _written_out(request, slow, "while a compiler traces, masks are written out")
    if request.q.device.type == "meta":
        return _written_out(request, slow, "tensors without numbers")
    if slow:
        return Plan("streamed", slow)
    if not fused.has_fused_kernel(request.q):
        if flex.is_usable(request):
            return Plan("flex", ("the tiles that the mask leaves become FlexAttention's BlockMask",))
        if request.sinks is not None:
            return Plan("streamed", (f"sinks need the LSE of each row, which no kernel gives on {request.q.device}",))
        return Plan("sdpa", (f"on {request.q.device} PyTorch chooses the kernel; a mask or bias is written out whole",))
    parts = _parts(request)
    if request.is_plain and not with_map and parts == 1:
        return _PLAIN
    if not with_map and parts == 1 and _is_short_and_learns(request):
        return _SHORT
    return Plan("fused", tuple(_needs(request, with_map=with_map, parts=parts)))


_PLAIN = Plan("sdpa", ("nothing stands in the way",))
_SHORT = Plan("sdpa", ("the padding of short texts is written out, and kept for the gradients",))
_SHORT_MASK = 2**18  # entries


def _is_short_and_learns(request: Request) -> bool:
    """Whether there is nothing but padding, which costs less written out once than made again for the gradients."""
    q, k, v = request.q, request.k, request.v
    if type(request.mask) is not Padding or request.bias is not None or request.position_bias is not None:
        return False
    learns = torch.is_grad_enabled() and (q.requires_grad or k.requires_grad or v.requires_grad)
    return learns and request.sinks is None and q.shape[0] * q.shape[2] * k.shape[2] <= _SHORT_MASK


def _written_out(request: Request, slow: tuple[str, ...], where: str) -> Plan:
    """Where no loop may depend on numbers."""
    if request.sinks is not None and not slow:
        slow = ("sinks need the LSE of each row",)
    return Plan("dense", (*slow, where)) if slow else Plan("sdpa", (where,))


def _parts(request: Request) -> int:
    """Into how many parts the keys of a decoding step are cut."""
    batch, heads, queries, keys = request.shape
    kv_heads = request.k.shape[1]
    rows = heads // kv_heads * queries if decoding.is_grouped(heads, kv_heads, queries) else queries
    return decoding.parts_for(batch, kv_heads, rows, keys)


def _needs(request: Request, *, with_map: bool, parts: int) -> Iterator[str]:
    """Why PyTorch's own function will not do."""
    if parts > 1:
        yield f"fewer key heads than cores: the keys are cut into {parts} parts, put together by their LSE"
    if with_map:
        yield "the LSE is kept for the map"
    if request.sinks is not None:
        yield "sinks need the LSE of each row"
    if request.mask is not None and not request.is_square_causal:
        yield "a mask is written out a block at a time"
    if request.bias is not None or request.position_bias is not None:
        yield "a bias is added a block at a time"


def _not_linear(request: Request) -> Iterator[str]:
    """Why no fused kernel computes this."""
    if type(request.normalizer) is not Softmax:
        yield f"no kernel has the normalizer {request.normalizer!r}"
    if request.softcap is not None:
        yield f"no kernel that is used on {request.q.device.type} bounds scores by a softcap"
    if request.dropout > 0 and request.q.device.type == "cpu":
        yield "no kernel on the CPU drops weights"
    if _is_trained(request):
        yield "no kernel gives a gradient for the bias"


def _is_trained(request: Request) -> bool:
    if not torch.is_grad_enabled():
        return False
    by_position = request.position_bias is not None and request.position_bias.is_trained
    return by_position or (request.bias is not None and request.bias.requires_grad)
