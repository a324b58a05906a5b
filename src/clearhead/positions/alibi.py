"""ALiBi: the further away a key, the lower its score."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clearhead.errors import InputError
from clearhead.positions.base import Bias, check_heads
from clearhead.shapes import whole_number

__all__ = ["ALiBi", "alibi_slopes"]


class ALiBi(Bias):
    """Attention with linear biases: bias = −slope · (query − key), with a fixed slope for each head.

    Written for causal attention: a key ahead of its query gets a bias above 0, which the mask is expected to forbid.
    The bias is linear in the key, so it can be folded into q and k (one more column each) without any n × n.
    ``symmetric=True`` is −slope · abs(query − key) for attention that looks both ways, which cannot be folded.

    Args:
        heads: How many heads.
        symmetric: Whether keys ahead are as far as keys behind.
        slopes: Slopes other than the paper's, one a head.

    Attributes:
        slopes: (heads,), 2^(−8·1/heads) … 2^(−8) for a power of two, see :func:`alibi_slopes`. A buffer, so that it
            moves with the model; not persistent, since it follows from the arguments and no checkpoint holds it; and
            never below float32, since slopes rounded to bfloat16 would be off by up to 0.4 %.

    Raises:
        InputError: ``heads`` is not a positive whole number, or there are not as many slopes as heads.

    Source: Press, Smith, Lewis 2022, arXiv:2108.12409.

    >>> bias = ALiBi(2)
    >>> bias.slopes.tolist()
    [0.0625, 0.00390625]
    >>> bias.tile(torch.tensor([2]), torch.arange(3))[0, 0].tolist()
    [[-0.125, -0.0625, 0.0]]

    """

    slopes: Float[Tensor, "heads"]

    def __init__(self, heads: int, *, symmetric: bool = False, slopes: Sequence[float] | None = None) -> None:
        super().__init__()
        self.heads = whole_number("heads", heads)
        self.symmetric = symmetric
        self._numbers = alibi_slopes(heads) if slopes is None else tuple(float(slope) for slope in slopes)
        if not all(map(math.isfinite, self._numbers)):
            raise InputError(f"slopes are finite numbers; got {self._numbers}")
        if len(self._numbers) != heads:
            raise InputError(f"there are {len(self._numbers)} slopes for {heads} heads; give one a head")
        dtype = torch.promote_types(torch.get_default_dtype(), torch.float32)
        self.register_buffer("slopes", torch.tensor(self._numbers, dtype=dtype), persistent=False)

    @property
    def is_relative(self) -> bool:
        """It depends on the distance."""
        return True

    def points(
        self, head: Int[Tensor, "*#points"], query: Int[Tensor, "*#points"], key: Int[Tensor, "*#points"]
    ) -> Float[Tensor, "*points"]:
        """The bias of single pairs; the three tensors broadcast."""
        distance = query - key
        return self.slopes[head] * -(distance.abs() if self.symmetric else distance)

    def select_heads(self, heads: Sequence[int]) -> ALiBi:
        """These heads alone, in this order: ALiBi again, so that it folds as before."""
        chosen = check_heads(heads, self.heads)
        picked = ALiBi(len(chosen), symmetric=self.symmetric, slopes=[self._numbers[head] for head in chosen])
        return picked.to(self.slopes)

    def extra_repr(self) -> str:
        """The arguments."""
        own = "" if self._numbers == alibi_slopes(self.heads) else f", slopes={list(self._numbers)}"
        return f"{self.heads}, symmetric={self.symmetric}{own}"

    def _apply(self, fn: Callable[..., Tensor], recurse: bool = True) -> ALiBi:
        # What moves or casts a module ends here. The slopes are made anew from their exact values: in float32 after
        # .bfloat16(), and with values at all after .to_empty().
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        dtype = torch.promote_types(self.slopes.dtype, torch.float32)
        self.slopes = torch.tensor(self._numbers, dtype=dtype, device=self.slopes.device)
        return self


def alibi_slopes(heads: int) -> tuple[float, ...]:
    """The slopes of the paper: a geometric series that starts at its ratio, 2^(−8/heads), for a power of two.

    For other counts, the series of the next lower power of two, and then every second one, from the first, of the
    series that is twice as long.

    >>> alibi_slopes(3)
    (0.0625, 0.00390625, 0.25)

    """
    whole_number("heads", heads)
    lower = 1 << (heads.bit_length() - 1)
    series = [2.0 ** (-8 * number / lower) for number in range(1, lower + 1)]
    between = [2.0 ** (-4 * number / lower) for number in range(1, 2 * lower, 2)]
    return tuple((series + between)[:heads])
