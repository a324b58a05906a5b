"""Keys that no token gave, which every query may attend to."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from clearhead.shapes import Keys

__all__ = ["LearnedKey", "ZeroKey"]


class LearnedKey(nn.Module):
    """One learned key and value a head, after all others: what ``torch.nn.MultiheadAttention`` calls ``add_bias_kv``.

    Args:
        kv_heads: How many heads k and v have.
        head_dim: Width of a key.
        value_head_dim: Width of a value; head_dim if it is not given.
        device: Where the parameters are.
        dtype: What they are.

    Attributes:
        key: ``(kv_heads, head_dim)``.
        value: ``(kv_heads, value_head_dim)``. Both start as N(0, 1 / (kv_heads · width)), as there.

    Example:
        >>> k, v = LearnedKey(2, 3, 5)(torch.zeros(1, 2, 7, 3), torch.zeros(1, 2, 7, 5))
        >>> k.shape, v.shape
        (torch.Size([1, 2, 8, 3]), torch.Size([1, 2, 8, 5]))

    """

    def __init__(
        self,
        kv_heads: int,
        head_dim: int,
        value_head_dim: int | None = None,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        widths = (head_dim, head_dim if value_head_dim is None else value_head_dim)
        self.key, self.value = (
            nn.Parameter(torch.empty(kv_heads, width, device=device, dtype=dtype)) for width in widths
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start the key and the value anew."""
        for parameter in (self.key, self.value):
            nn.init.normal_(parameter, std=parameter.numel() ** -0.5)

    def forward(
        self, k: Keys, v: Float[Tensor, "batch kv_heads keys value_dim"]
    ) -> tuple[
        Float[Tensor, "batch kv_heads keys+1 head_dim"],
        Float[Tensor, "batch kv_heads keys+1 value_dim"],
    ]:
        """K and v with one key more."""
        key, value = (x[None, :, None].expand(k.shape[0], -1, -1, -1).to(k.dtype) for x in (self.key, self.value))
        return torch.cat((k, key), 2), torch.cat((v, value), 2)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.key.shape[0]}, {self.key.shape[1]}, {self.value.shape[1]}"


class ZeroKey(nn.Module):
    """One key and value of zeros after all others: its score is 0, so a query can attend to nothing in particular.

    What ``torch.nn.MultiheadAttention`` calls ``add_zero_attn``.

    Example:
        >>> k, v = ZeroKey()(torch.ones(1, 1, 2, 1), torch.ones(1, 1, 2, 1))
        >>> k.flatten().tolist()
        [1.0, 1.0, 0.0]

    """

    def forward(
        self, k: Keys, v: Float[Tensor, "batch kv_heads keys value_dim"]
    ) -> tuple[
        Float[Tensor, "batch kv_heads keys+1 head_dim"],
        Float[Tensor, "batch kv_heads keys+1 value_dim"],
    ]:
        """K and v with one key more."""
        return nn.functional.pad(k, (0, 0, 0, 1)), nn.functional.pad(v, (0, 0, 0, 1))
