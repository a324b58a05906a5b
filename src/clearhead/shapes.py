"""The axes' names, and the tensors that most signatures speak of.

``batch, heads, queries, keys, head_dim`` in the order of
:func:`torch.nn.functional.scaled_dot_product_attention`. ``kv_heads`` divides ``heads``: with grouped queries,
query head ``h`` uses key head ``h // (heads // kv_heads)``. A leading ``#`` allows an axis of size 1 that broadcasts.
"""

import operator
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from clearhead.errors import InputError

Queries = Float[Tensor, "batch heads queries head_dim"]
Keys = Float[Tensor, "batch kv_heads keys head_dim"]
Weights = Float[Tensor, "batch heads queries keys"]
PerQuery = Float[Tensor, "batch heads queries"]

__all__ = [
    "Keys",
    "PerQuery",
    "Queries",
    "Weights",
    "breadth",
    "check_flag",
    "exact_dtype",
    "may_be_asked",
    "whole_number",
]


def exact_dtype(dtype: torch.dtype) -> torch.dtype:
    """What numbers of this dtype are computed in: float64 for float64, float32 for all below."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def breadth(*shapes: Sequence[int]) -> tuple[int, int]:
    """The first two axes of tensors that are known to broadcast there.

    ``torch.broadcast_shapes`` takes as long as a small layer, and loads the compiler's symbols first.

    >>> breadth((1, 3, 5), (2, 1))
    (2, 3)
    """
    batch, heads = (next((shape[axis] for shape in shapes if shape[axis] != 1), 1) for axis in (0, 1))
    return batch, heads


def may_be_asked(x: Tensor) -> bool:
    """Whether a branch may depend on the numbers of a tensor: it is a plain one on the CPU, and nothing traces it."""
    if x.device.type != "cpu" or torch.compiler.is_compiling() or is_in_torch_dispatch_mode():
        return False
    try:
        x.data_ptr()  # which stand-ins do not have, such as those of vmap
    except RuntimeError:
        return False
    return True


def whole_number(name: str, value: object, least: int = 1) -> int:
    """An argument that has to be a whole number of at least ``least``."""
    try:
        number = -1 if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = -1
    if number < least:
        raise InputError(f"{name} is a whole number of at least {least}; got {value!r}")
    return number


def check_flag(name: str, given: object, allowed: str = "True or False") -> None:
    """Refuse what is no bool: words such as "no" would count as True.

    Raises:
        InputError: It is something else.

    """
    if not isinstance(given, bool):
        raise InputError(f"{name} is {allowed}; got {given!r}")
