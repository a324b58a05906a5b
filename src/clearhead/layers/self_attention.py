"""Self-attention with one head, as the texts introduce it."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from clearhead.layers.checks import check_input
from clearhead.maps.attend import attend
from clearhead.maps.base import AttentionMap
from clearhead.masks import Mask
from clearhead.mechanisms.attention import attention
from clearhead.positions import Bias
from clearhead.shapes import whole_number

__all__ = ["SelfAttention"]


class SelfAttention(nn.Module):
    """``softmax(Q·Kᵀ/√key_dim)·V`` with ``Q = x·Wq, K = x·Wk, V = x·Wv`` (Vaswani et al. 2017, arXiv:1706.03762).

    One head and no output projection: the width of a value is that of the output.

    Args:
        dim: Width of x.
        key_dim: Width of queries and keys; dim if it is not given.
        value_dim: Width of values and of the output; dim if it is not given.
        bias: Whether the projections add a bias.

    Attributes:
        query: ``nn.Linear(dim, key_dim)``.
        key: ``nn.Linear(dim, key_dim)``.
        value: ``nn.Linear(dim, value_dim)``.

    Example:
        >>> import torch
        >>> layer = SelfAttention(3, 5, 4)
        >>> layer(torch.zeros(50, 5, 3)).shape
        torch.Size([50, 5, 4])
        >>> output, amap = layer.attend(torch.zeros(50, 5, 3))
        >>> amap.detach()[0, 0, 0]  # equal scores
        tensor([0.2000, 0.2000, 0.2000, 0.2000, 0.2000])

    """

    def __init__(self, dim: int, key_dim: int | None = None, value_dim: int | None = None, bias: bool = False) -> None:
        super().__init__()
        for name, width in (("dim", dim), ("key_dim", key_dim), ("value_dim", value_dim)):
            if width is not None:
                whole_number(name, width)
        self.query, self.key = (nn.Linear(dim, dim if key_dim is None else key_dim, bias=bias) for _ in range(2))
        self.value = nn.Linear(dim, dim if value_dim is None else value_dim, bias=bias)

    def forward(
        self,
        x: Tensor,
        *,
        mask: Mask | Tensor | None = None,
        bias: Tensor | Bias | None = None,
        with_map: bool = False,
    ) -> Tensor | tuple[Tensor, AttentionMap]:
        """The attention of x to itself.

        Args:
            x: ``(batch, tokens, dim)``.
            mask: Who may attend to whom, as in :func:`clearhead.attention`.
            bias: Added to the scores.
            with_map: Give the map as well: what :meth:`attend` calls.

        Returns:
            ``(batch, tokens, value_dim)``; with the map, a pair.

        Raises:
            ShapeError: Shapes that do not fit; the message names the axis.
            InputError: Dtypes or devices that differ, or an argument of the wrong kind.

        """
        if not with_map:
            return attention(*self._project(x), mask=mask, bias=bias)[:, 0]
        output, amap = attend(*self._project(x), mask=mask, bias=bias)
        return output[:, 0], amap

    def attend(
        self,
        x: Tensor,
        *,
        mask: Mask | Tensor | None = None,
        bias: Tensor | Bias | None = None,
    ) -> tuple[Float[Tensor, "batch tokens value_dim"], AttentionMap]:
        """What ``layer(x, …)`` gives, and the lazy map of the weights, ``(batch, 1, tokens, tokens)``."""
        found: tuple[Tensor, AttentionMap] = self(x, mask=mask, bias=bias, with_map=True)
        return found

    def _project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        check_input("x", x, self.query.in_features, self.query.weight)
        return self.query(x)[:, None], self.key(x)[:, None], self.value(x)[:, None]
