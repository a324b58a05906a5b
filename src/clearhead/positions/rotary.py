"""Rotary positions: q and k are turned by angles proportional to their positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clearhead.errors import InputError, ShapeError
from clearhead.positions.base import check_base, check_even, check_positions
from clearhead.positions.scaling import RotaryScaling

__all__ = ["Rotary", "turn"]

Pairing = Literal["half", "adjacent"]


@dataclass(frozen=True, kw_only=True)
class Rotary:
    """Turn pair i of q and k by the angle position · base^(−2i/dim), so that q·k depends on the distance alone.

    A pair (a, b) at angle t becomes (a·cos t − b·sin t, b·cos t + a·sin t). It holds no tensor and keeps no table:
    angles are computed for the positions that are given, in float32 (float64 for float64), and their sines and cosines
    rounded to the dtype of what is turned, as in transformers.

    Args:
        base: Wavelengths are 2π … 2π·base tokens, the longest one excluded.
        pairing: ``"half"`` pairs x[i] with x[i + dim/2] (GPT-NeoX, Llama and what Hugging Face stores);
            ``"adjacent"`` pairs x[2i] with x[2i + 1] (the paper, GPT-J).
        dim: How many of a head's leading numbers are turned, even; the others are left alone. ``None`` for all.
        scaling: How the angles are changed to reach beyond the length of training, such as
            :class:`~clearhead.positions.scaling.YaRNScaling`.

    Raises:
        InputError: ``dim`` is odd, ``pairing`` is unknown, or ``base`` is not above 1.

    Source: Su et al. 2021, arXiv:2104.09864; ``dim`` below head_dim as in GPT-J and GPT-NeoX.

    >>> x = torch.tensor([1.0, 2.0, 3.0, 4.0]).view(1, 1, 1, 4)
    >>> Rotary(pairing="adjacent", dim=2).rotate(x, torch.tensor([1]))  # (1, 2) by one radian
    tensor([[[[-1.1426,  1.9221,  3.0000,  4.0000]]]])

    """

    base: float = 10000.0
    pairing: Pairing = "half"
    dim: int | None = None
    scaling: RotaryScaling | None = None

    def __post_init__(self) -> None:
        check_base(self.base)
        if self.pairing not in ("half", "adjacent"):
            raise InputError(f"pairing is {self.pairing!r}; it has to be 'half' or 'adjacent'")
        if self.dim is not None:
            check_even("dim", self.dim)
        if self.scaling is not None and not isinstance(self.scaling, RotaryScaling):
            raise InputError(f"scaling is a part such as LinearScaling(factor); got {self.scaling!r}")

    def rotate(
        self,
        x: Float[Tensor, "batch heads tokens head_dim"],
        positions: Int[Tensor, "tokens"] | Int[Tensor, "#batch tokens"],
    ) -> Float[Tensor, "batch heads tokens head_dim"]:
        """The queries or keys ``x``, turned to these positions.

        Raises:
            InputError: Positions are not integers, more is to be turned than a head has, or an odd number.
            ShapeError: Positions are not one a token.

        """
        if x.ndim != 4 or tuple(positions.shape) not in ((x.shape[2],), (1, x.shape[2]), (x.shape[0], x.shape[2])):
            raise ShapeError(
                f"x is {tuple(x.shape)} and positions are {tuple(positions.shape)}; wanted are x as "
                "(batch, heads, tokens, head_dim) and positions as (tokens,) or (batch, tokens)"
            )
        cosine, sine = self.cosine_sine(positions, x.shape[-1], dtype=x.dtype)
        if positions.ndim == 2:
            cosine, sine = cosine[:, None], sine[:, None]
        return turn(x, cosine, sine, pairing=self.pairing)

    def cosine_sine(
        self, positions: Int[Tensor, "*any"], head_dim: int, *, dtype: torch.dtype = torch.float32
    ) -> tuple[Float[Tensor, "*any pairs"], Float[Tensor, "*any pairs"]]:
        """What :func:`turn` needs, amplitude included: for q and k at the same positions it is made once.

        Raises:
            InputError: As for :meth:`rotate`.

        """
        angles = self.angles(positions, head_dim, dtype=torch.promote_types(dtype, torch.float32))
        amplitude = 1.0 if self.scaling is None else self.scaling.amplitude
        return (angles.cos() * amplitude).to(dtype), (angles.sin() * amplitude).to(dtype)

    def angles(
        self, positions: Int[Tensor, "*any"], head_dim: int, *, dtype: torch.dtype = torch.float32
    ) -> Float[Tensor, "*any pairs"]:
        """By how much each pair of a head of this width is turned at each position, in radians.

        Raises:
            InputError: As for :meth:`rotate`.

        """
        check_positions(positions)
        dim = check_even("head_dim", head_dim) if self.dim is None else self.dim
        if dim > head_dim:
            raise InputError(f"dim is {dim}, but the heads have {head_dim} numbers; turn {head_dim} of them at most")
        frequencies = 1.0 / self.base ** (torch.arange(0, dim, 2, dtype=dtype, device=positions.device) / dim)
        if self.scaling is not None:
            frequencies = self.scaling.frequencies(frequencies, self.base, positions)
        return positions[..., None].to(dtype) * frequencies


def turn(
    x: Float[Tensor, "*any head_dim"], cosine: Float[Tensor, "*#any pairs"], sine: Float[Tensor, "*#any pairs"],
    *, pairing: Pairing = "half",
) -> Float[Tensor, "*any head_dim"]:  # fmt: skip
    """Turn the leading 2 · pairs numbers of x by angles of which these are cosine and sine.

    >>> turn(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.0]), torch.tensor([1.0]))  # a quarter turn
    tensor([-2.,  1.,  3.])

    """
    pairs = cosine.shape[-1]
    if pairing == "half":
        first, second = x[..., :pairs], x[..., pairs : 2 * pairs]
    else:
        first, second = x[..., : 2 * pairs : 2], x[..., 1 : 2 * pairs : 2]
    turned = (first * cosine - second * sine, second * cosine + first * sine)
    rest = x[..., 2 * pairs :]
    if pairing == "half":
        return torch.cat((*turned, rest), -1)
    both = torch.stack(turned, -1).flatten(-2)
    return torch.cat((both, rest), -1) if rest.shape[-1] else both
