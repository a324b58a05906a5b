"""What the layers ask of the tensors that they are called with."""

from __future__ import annotations

import torch
from torch import Tensor

from clearhead.errors import InputError, ShapeError

__all__ = ["check_input"]


def check_input(name: str, x: Tensor, width: int, weight: Tensor) -> None:
    """``x`` is (batch, tokens, width), of the dtype and on the device of the layer's ``weight``."""
    if x.dim() != 3:
        remedy = "; for a single text say x[None]" if x.dim() == 2 else ""
        raise ShapeError(f"{name} is (batch, tokens, {width}); got {tuple(x.shape)}{remedy}")
    if x.shape[2] != width:
        raise ShapeError(f"{name} is {width} wide, its last axis; got {tuple(x.shape)}")
    if x.dtype != weight.dtype and not torch.is_autocast_enabled(x.device.type):
        raise InputError(f"{name} is {x.dtype} and the layer {weight.dtype}; convert one of them with .to()")
    if x.device != weight.device:
        raise InputError(f"{name} is on {x.device} and the layer on {weight.device}; move one of them with .to()")
