"""Which path an attention call takes, and why not a faster one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from clearhead.mechanisms import fused
from clearhead.mechanisms.normalizers import Softmax
from clearhead.mechanisms.request import Request

__all__ = ["Path", "Plan", "choose"]

Path = Literal["sdpa", "fused", "streamed", "dense"]


@dataclass(frozen=True)
class Plan:
    """The path of one call, and the reasons for it."""

    path: Path
    """``sdpa``: PyTorch's own function in one call. ``fused``: the kernel below it, which also gives the LSE, in one
    call or one for each block of queries. ``streamed``: plain operations, a block of queries at a time. ``dense``:
    plain operations with all n×n scores at once."""
    reasons: tuple[str, ...]


def choose(request: Request, *, with_map: bool) -> Plan:
    """The fastest path that computes what is asked for.

    It depends on settings and shapes alone, never on numbers in tensors, so that it is the same each time and a
    compiler can follow it.
    """
    slow = _not_linear(request)
    compiled = torch.compiler.is_compiling()
    abstract = compiled or request.q.device.type == "meta"
    where = "while a compiler traces, masks are written out" if compiled else "tensors without numbers"
    if 0 in request.q.shape or 0 in request.k.shape or 0 in request.v.shape:
        return Plan("dense", ("an axis is empty, so there is next to nothing to compute",))
    if abstract:
        if slow or request.sinks is not None:
            slow = slow or ("sinks need the LSE of each row",)
            return Plan("dense", (*slow, where))
        return Plan("sdpa", (where,))
    if slow:
        return Plan("streamed", slow)
    if not fused.has_fused_kernel(request.q):
        if request.sinks is not None:
            return Plan("streamed", (f"sinks need the LSE of each row, which no kernel gives on {request.q.device}",))
        return Plan("sdpa", (f"on {request.q.device} PyTorch chooses the kernel; a mask or bias is written out whole",))
    asked = [
        reason
        for wanted, reason in (
            (with_map, "the LSE is kept for the map"),
            (request.sinks is not None, "sinks need the LSE of each row"),
            (request.mask is not None and not request.is_square_causal, "a mask is written out a block at a time"),
            (request.bias is not None or request.position_bias is not None, "a bias is added a block at a time"),
        )
        if wanted
    ]
    return Plan("fused", tuple(asked)) if asked else Plan("sdpa", ("nothing stands in the way",))


def _not_linear(request: Request) -> tuple[str, ...]:
    """Why no fused kernel computes this."""
    dropped = request.dropout > 0 and request.q.device.type == "cpu"
    reasons = (
        (not isinstance(request.normalizer, Softmax), f"no kernel has the normalizer {request.normalizer!r}"),
        (request.softcap is not None, "no kernel on the CPU bounds scores by a softcap"),
        (dropped, "no kernel on the CPU drops weights"),
        (_is_trained(request), "no kernel gives a gradient for the bias"),
    )
    return tuple(reason for applies, reason in reasons if applies)


def _is_trained(request: Request) -> bool:
    if not torch.is_grad_enabled():
        return False
    by_position = request.position_bias is not None and request.position_bias.is_trained
    return by_position or (request.bias is not None and request.bias.requires_grad)
