"""What the layers ask of their sizes, and of the tensors that they are called with."""

from __future__ import annotations

import torch
from torch import Tensor

from clearhead.errors import InputError, ShapeError
from clearhead.shapes import whole_number

__all__ = ["check_heads", "check_input", "nearest_divisors"]


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


def check_heads(
    dim: int, heads: int, kv_heads: int | None, head_dim: int | None, *, cuts_input: bool = False
) -> tuple[int, int]:
    """kv_heads and head_dim, by default as many as heads and dim / heads.

    ``cuts_input`` says that heads share the input out among them, so that they have to divide it in any case.
    """
    kv_heads = heads if kv_heads is None else whole_number("kv_heads", kv_heads)
    if heads % kv_heads:
        raise ShapeError(
            f"heads ({heads}) is not divisible by kv_heads ({kv_heads}); {nearest_divisors(heads, kv_heads)}"
        )
    if dim % heads and (head_dim is None or cuts_input):
        remedy = "" if cuts_input else ", or give head_dim"
        raise ShapeError(f"dim ({dim}) is not divisible by heads ({heads}); {nearest_divisors(dim, heads)}{remedy}")
    return kv_heads, dim // heads if head_dim is None else whole_number("head_dim", head_dim)


def nearest_divisors(number: int, divisor: int) -> str:
    """Which divisors of ``number`` are next to one that is not."""
    divisors = [n for n in range(1, number + 1) if number % n == 0]
    near = [max(n for n in divisors if n < divisor), *[n for n in divisors if n > divisor][:1]]
    return f"the nearest that divide {number}: {' and '.join(map(str, near))}"
