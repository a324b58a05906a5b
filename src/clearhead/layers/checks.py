"""What the layers ask of the tensors that they are called with."""

from __future__ import annotations

import torch
from torch import Tensor

from clearhead.errors import InputError, ShapeError

__all__ = ["at_least_one", "check_input"]


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


def at_least_one(name: str, value: int) -> int:
    """``value``, a whole number of at least 1."""
    if type(value) is not int or value < 1:
        raise InputError(f"{name} is a whole number of at least 1; got {value!r}")
    return value
