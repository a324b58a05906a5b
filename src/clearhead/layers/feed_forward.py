"""The feed-forward layer of a Transformer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from clearhead.errors import InputError
from clearhead.layers.dropout import Dropout
from clearhead.shapes import whole_number

__all__ = ["ACTIVATIONS", "FeedForward"]

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "gelu": functional.gelu,
    "gelu_tanh": partial(functional.gelu, approximate="tanh"),
    "silu": functional.silu,
}
"""By name: max(0, x); x·Φ(x), exact and by tanh (Hendrycks & Gimpel 2016, arXiv:1606.08415); x·sigmoid(x)."""


class FeedForward(nn.Module):
    """Two linear maps with a nonlinearity between them, for each token by itself.

    ``down(activation(up(x)))`` (Vaswani et al. 2017, arXiv:1706.03762, section 3.3), or, gated,
    ``down(activation(gate(x)) · up(x))`` (Shazeer 2020, arXiv:2002.05202).

    Args:
        dim: Width of x and of the output.
        hidden: Width between the maps.
        activation: A name of :data:`ACTIVATIONS`, or a function of a tensor.
        gated: Whether a third map decides how much of each hidden number goes on.
        bias: Whether the maps add a bias.
        dropout: Share of hidden numbers that training drops.

    Raises:
        InputError: An activation that there is not, or a width that is no whole number of at least 1.

    Example:
        >>> import torch
        >>> layer = FeedForward(8, 32, activation="silu", gated=True, bias=False)
        >>> layer(torch.randn(2, 5, 8)).shape
        torch.Size([2, 5, 8])

    """

    def __init__(
        self,
        dim: int,
        hidden: int,
        *,
        activation: str | Callable[[Tensor], Tensor] = "gelu",
        gated: bool = False,
        bias: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        whole_number("dim", dim)
        whole_number("hidden", hidden)
        if isinstance(activation, str):
            if activation not in ACTIVATIONS:
                raise InputError(f"there is no activation {activation!r}; there are {', '.join(ACTIVATIONS)}")
            activation = ACTIVATIONS[activation]
        self.activation = activation
        self.up = nn.Linear(dim, hidden, bias=bias)
        self.gate = nn.Linear(dim, hidden, bias=bias) if gated else None
        self.down = nn.Linear(hidden, dim, bias=bias)
        self.dropout = Dropout(dropout)

    def forward(self, x: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """The output for each token."""
        if self.gate is None:
            hidden = self.activation(self.up(x))
        else:
            hidden = self.activation(self.gate(x)) * self.up(x)
        found: Tensor = self.down(self.dropout(hidden))
        return found
