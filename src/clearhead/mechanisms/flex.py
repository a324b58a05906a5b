"""FlexAttention, where PyTorch compiles it for a GPU: the tiles that a mask leaves become its ``BlockMask``.

On the CPU the calls of :mod:`clearhead.mechanisms.calls` take its place: there it compiles no backward pass and gives
no LSE. The mask is written from its tiles, so nothing of queries × keys is evaluated.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from clearhead.masks import to_block_mask
from clearhead.mechanisms.request import Request

__all__ = ["SIDE", "attend", "is_usable"]

SIDE = 128  # of its tiles
_DEVICES = ("cuda",)
_PAIRS = 2**20  # of a head, from which on it pays to leave some out
_NARROWEST = 16  # head_dim that its kernels take


@cache
def _kernel() -> Callable[..., Any]:
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention, dynamic=False)


def is_usable(request: Request) -> bool:
    """Whether FlexAttention computes this, and a mask leaves tiles out that are known without evaluating all pairs."""
    _, _, queries, keys = request.shape
    return (
        request.q.device.type in _DEVICES
        and request.mask is not None
        and request.mask.has_form
        and not request.is_square_causal  # for which kernels have a flag
        and request.bias is None
        and request.position_bias is None
        and request.sinks is None
        and queries * keys >= _PAIRS
        and min(request.q.shape[-1], request.v.shape[-1]) >= _NARROWEST
    )


def attend(request: Request) -> Tensor:
    """The output; a query that may attend to nothing gives 0."""
    assert request.mask is not None
    queries, keys = request.shape[2:]
    block_mask = to_block_mask(request.mask, queries, keys, size=SIDE, device=request.q.device)
    found: Tensor = _kernel()(
        request.q,
        request.k,
        request.v,
        block_mask=block_mask,
        scale=request.scale,
        enable_gqa=request.q.shape[1] != request.k.shape[1],
    )
    return found
