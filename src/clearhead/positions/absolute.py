"""Codes of positions that are added to the embeddings of tokens."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from clearhead.errors import InputError
from clearhead.positions.base import check_base, check_even, check_positions
from clearhead.shapes import whole_number

__all__ = ["Learned", "Sinusoidal"]


class Sinusoidal(nn.Module):
    """Sines and cosines of the position: code[2i] = sin(p / base^(2i/dim)), code[2i + 1] = cos(p / base^(2i/dim)).

    Every position has a code of its own, also beyond any length seen in training, and going ``offset`` tokens further
    is the same linear map from anywhere: ``code(p + offset) = shift(offset) @ code(p)``. Nothing is stored and nothing
    trained; angles are computed in float64.

    Args:
        dim: Numbers in a code, even.
        base: Wavelengths are 2π … 2π·base tokens, the longest one excluded.

    Raises:
        InputError: ``dim`` is odd or not positive, or ``base`` not above 1.

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.5, and the texts.

    >>> code = Sinusoidal(4)
    >>> code(torch.tensor([0, 1]))
    tensor([[0.0000, 1.0000, 0.0000, 1.0000],
            [0.8415, 0.5403, 0.0100, 0.9999]])
    >>> torch.allclose(code.shift(7) @ code(torch.tensor(100)), code(torch.tensor(107)))
    True

    """

    def __init__(self, dim: int, *, base: float = 10000.0) -> None:
        super().__init__()
        self.dim = check_even("dim", dim)
        self.base = check_base(base)

    def forward(self, positions: Int[Tensor, "*any"], *, dtype: torch.dtype | None = None) -> Float[Tensor, "*any dim"]:
        """The codes of these positions, rounded to ``dtype`` (by default PyTorch's default one).

        Raises:
            InputError: Positions are not integers.

        """
        check_positions(positions)
        angles = positions[..., None] * self._frequencies(positions.device)
        return torch.stack((angles.sin(), angles.cos()), -1).flatten(-2).to(dtype or torch.get_default_dtype())

    def shift(
        self, offset: int, *, dtype: torch.dtype | None = None, device: torch.device | str | None = None
    ) -> Float[Tensor, "dim dim"]:
        """The matrix that takes the code of any position to that of the position ``offset`` tokens further on.

        Block-diagonal: each pair (sin, cos) is turned by [[cos a, sin a], [−sin a, cos a]], a = offset / base^(2i/dim).
        """
        angles = offset * self._frequencies(device)
        sine, cosine = angles.sin(), angles.cos()
        matrix = torch.diag(cosine.repeat_interleave(2))
        matrix[::2, 1::2] = torch.diag(sine)
        matrix[1::2, ::2] = torch.diag(-sine)
        return matrix.to(dtype or torch.get_default_dtype())

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.dim}, base={self.base:g}"

    def _frequencies(self, device: torch.device | str | None) -> Float[Tensor, "pairs"]:
        """Radians a token."""
        return self.base ** -(torch.arange(0, self.dim, 2, dtype=torch.float64, device=device) / self.dim)


class Learned(nn.Module):
    """A trained code for each of the positions 0 … length − 1, and none beyond.

    Args:
        length: How many positions.
        dim: Numbers in a code.
        first: The row of position 0; those before it are positions −1, −2, … (RoBERTa has two, of which its padding
            uses the second).

    Attributes:
        table: (first + length, dim), trained. It starts as N(0, 0.02²), as in BERT and GPT-2.

    Raises:
        InputError: ``length`` or ``dim`` is not a positive whole number.

    Source: Gehring et al. 2017, arXiv:1705.03122; Devlin et al. 2019, arXiv:1810.04805.

    >>> code = Learned(512, 16)
    >>> code(torch.arange(3)).shape
    torch.Size([3, 16])
    >>> code(torch.tensor([0, 512]))
    Traceback (most recent call last):
    clearhead.errors.InputError: position 512 has no learned code: there are 512, for the positions 0 … 511

    """

    def __init__(self, length: int, dim: int, *, first: int = 0) -> None:
        super().__init__()
        self.length = whole_number("length", length)
        self.dim = whole_number("dim", dim)
        self.first = whole_number("first", first, 0)
        self.table = nn.Parameter(torch.empty(first + length, dim))
        nn.init.normal_(self.table, std=0.02)

    def forward(self, positions: Int[Tensor, "*any"]) -> Float[Tensor, "*any dim"]:
        """The codes of these positions.

        Raises:
            InputError: Positions are not integers, or one is beyond the table. In compiled code the latter is left to
                PyTorch's own index check, since asking would split the graph.

        """
        check_positions(positions)
        if not (torch.compiler.is_compiling() or positions.is_meta):
            low, high = (int(x) for x in positions.aminmax()) if positions.numel() else (0, 0)
            if low < -self.first or high >= self.length:
                raise InputError(
                    f"position {low if low < -self.first else high} has no learned code: there are {self.length}, "
                    f"for the positions 0 … {self.length - 1}"
                )
        rows = positions.long()
        return nn.functional.embedding(rows + self.first if self.first else rows, self.table)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.length}, {self.dim}" + (f", first={self.first}" if self.first else "")
