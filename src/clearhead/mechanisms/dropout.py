"""Dropout whose random numbers cost less on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor

from clearhead.shapes import may_be_asked

__all__ = ["dropout"]

_STEPS = 2**16  # of the probability


def dropout(x: Tensor, p: float) -> Tensor:
    """Numbers set to 0 with the probability ``p``, the others divided by 1 − p (Srivastava et al. 2014).

    On a CPU PyTorch draws 32 or 64 random bits for each number, which takes longer than the layers around it. Here 16
    do: four numbers a draw, and a probability that is rounded to a multiple of 2⁻¹⁶. Elsewhere it is PyTorch's own.

    >>> dropped = dropout(torch.ones(1000), 0.5)
    >>> sorted(set(dropped.tolist())), 400 < int((dropped == 0).sum()) < 600
    ([0.0, 2.0], True)
    """
    kept = round((1 - p) * _STEPS)
    if p == 0:
        return x
    if not 0 < kept < _STEPS or not may_be_asked(x) or not x.numel():
        return torch.dropout(x, p, train=True)
    draws = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
    keep = draws.view(torch.int16)[: x.numel()].view(x.shape) < kept - _STEPS // 2
    return x * keep.to(x.dtype).mul_(_STEPS / kept)
