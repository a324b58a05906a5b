"""What every bias of positions answers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from clearhead.errors import InputError
from clearhead.shapes import whole_number

__all__ = ["Bias", "check_at_least_1", "check_base", "check_even", "check_heads", "check_positions"]


class Bias(nn.Module, ABC):
    """A part that is added to the scores and depends on head, query and key alone.

    Nothing of queries × keys is kept: a tile is made when it is asked for. ``query`` and ``key`` are positions: a key's
    is its number, and query i stands at key i + keys − queries. A subclass sets ``heads`` and gives :meth:`points`;
    it may override :meth:`tile` where that is faster.

    Attributes:
        heads: How many heads it serves.

    """

    heads: int

    @abstractmethod
    def points(
        self, head: Int[Tensor, "*#points"], query: Int[Tensor, "*#points"], key: Int[Tensor, "*#points"]
    ) -> Float[Tensor, "*points"]:
        """The bias of single pairs; the three tensors broadcast. Differentiable with respect to the parameters."""

    def tile(
        self, query: Int[Tensor, "rows"], key: Int[Tensor, "columns"]
    ) -> Float[Tensor, "1 {self.heads} rows columns"]:
        """The bias of all heads at the outer product of two lists of positions."""
        return self.points(torch.arange(self.heads, device=key.device)[:, None, None], query[:, None], key)[None]

    @property
    def is_relative(self) -> bool:
        """Whether it depends on nothing but the head and how far the key is from the query. True is a promise."""
        return False

    @property
    def is_trained(self) -> bool:
        """Whether a gradient is wanted for any of its parameters."""
        return any(parameter.requires_grad for parameter in self.parameters())

    def select_heads(self, heads: Sequence[int]) -> Bias:
        """The bias of these heads alone, in this order; parameters are shared.

        Raises:
            InputError: There is no such head.

        """
        return _SelectedHeads(self, heads)


class _SelectedHeads(Bias):
    """Some of the heads of another bias, by reference to it."""

    def __init__(self, bias: Bias, heads: Sequence[int]) -> None:
        super().__init__()
        self.bias = bias
        self.chosen = check_heads(heads, bias.heads)
        self.heads = len(self.chosen)

    def points(
        self, head: Int[Tensor, "*#points"], query: Int[Tensor, "*#points"], key: Int[Tensor, "*#points"]
    ) -> Float[Tensor, "*points"]:
        """The bias of single pairs."""
        return self.bias.points(torch.tensor(self.chosen, device=head.device)[head], query, key)

    @property
    def is_relative(self) -> bool:
        return self.bias.is_relative

    def extra_repr(self) -> str:
        """The heads' numbers."""
        return f"heads={list(self.chosen)}"


def check_heads(heads: Sequence[int], count: int) -> tuple[int, ...]:
    """The heads' numbers, all of which exist."""
    for head in heads:
        if not 0 <= head < count:
            raise InputError(f"there is no head {head}: the bias has {count}, numbered from 0")
    return tuple(heads)


def check_even(name: str, value: int) -> int:
    """A width that is divided into pairs."""
    if whole_number(name, value, 2) % 2:
        raise InputError(f"{name} is {value}, which is odd; its numbers come in pairs: use {value - 1} or {value + 1}")
    return value


def check_at_least_1(name: str, value: float) -> float:
    """A factor that makes longer, not shorter."""
    try:
        fits = 1 <= value < math.inf
    except TypeError:
        fits = False
    if not fits:
        raise InputError(f"{name} is {value!r}; it has to be a finite number of at least 1")
    return value


def check_base(base: float) -> float:
    """The base of a geometric series of wavelengths."""
    if check_at_least_1("base", base) == 1:
        raise InputError("base is 1, which gives all pairs the same wavelength; it has to be above 1")
    return base


def check_positions(positions: Tensor) -> None:
    """Positions have to be whole numbers: 0.5 is no token's, and True is no 1."""
    if positions.is_floating_point() or positions.is_complex() or positions.dtype == torch.bool:
        raise InputError(f"positions are {positions.dtype}; they have to be integers, as torch.arange(tokens) gives")
