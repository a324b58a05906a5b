"""T5's relative bias: one trained number a head for each class of distances."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import embedding

from clearhead.errors import InputError
from clearhead.positions.base import Bias, check_positions
from clearhead.shapes import whole_number

__all__ = ["RelativeBias", "relative_bucket"]


class RelativeBias(Bias):
    """A trained bias for each head and each bucket of distances: bias = table[bucket(query − key), head].

    Near distances have a bucket each, far ones share it, see :func:`relative_bucket`. Of the n × n biases only
    2·furthest + 1 differ, so a tile and its gradient pass through those.

    Args:
        heads: How many heads.
        buckets: Rows of the table.
        furthest: From this distance on all keys share the last bucket, in tokens.
        bidirectional: Whether keys ahead have buckets of their own, half of all (encoders); else they share the one
            of distance 0 (decoders, where the mask forbids them).

    Attributes:
        table: (buckets, heads), trained; what T5 calls ``relative_attention_bias.weight``. It starts as N(0, 0.02²).

    Raises:
        InputError: Too few buckets, an odd number of them for both directions, or ``furthest`` within the distances
            that have a bucket each.

    Source: Raffel et al. 2020, arXiv:1910.10683.

    >>> bias = RelativeBias(2, buckets=8, furthest=16)
    >>> _ = bias.table.data.copy_(torch.arange(16.0).view(8, 2))
    >>> bias.tile(torch.tensor([2]), torch.arange(5))[0, 0].tolist()  # two and one behind, itself, one and two ahead
    [[4.0, 2.0, 0.0, 10.0, 12.0]]

    """

    def __init__(self, heads: int, *, buckets: int = 32, furthest: int = 128, bidirectional: bool = True) -> None:
        super().__init__()
        self.heads = whole_number("heads", heads)
        _check(buckets, furthest, bidirectional)
        self.buckets, self.furthest, self.bidirectional = buckets, furthest, bidirectional
        self.table = nn.Parameter(torch.empty(buckets, heads))
        nn.init.normal_(self.table, std=0.02)

    @property
    def is_relative(self) -> bool:
        """It depends on the distance."""
        return True

    def points(
        self, head: Int[Tensor, "*#points"], query: Int[Tensor, "*#points"], key: Int[Tensor, "*#points"]
    ) -> Float[Tensor, "*points"]:
        """The bias of single pairs; the three tensors broadcast."""
        return self._by_distance()[head, self._place(query - key)]

    def tile(
        self, query: Int[Tensor, "rows"], key: Int[Tensor, "columns"]
    ) -> Float[Tensor, "1 {self.heads} rows columns"]:
        """The bias of all heads at the outer product of two lists of positions."""
        place = self._place(query[:, None] - key)
        # Two to three times faster than indexing, and gradients are gathered by distance first.
        return self._by_distance().index_select(1, place.flatten()).view(1, self.heads, *place.shape)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.heads}, buckets={self.buckets}, furthest={self.furthest}, bidirectional={self.bidirectional}"

    def _by_distance(self) -> Float[Tensor, "heads distances"]:
        """The biases of the distances −furthest … furthest."""
        distance = torch.arange(-self.furthest, self.furthest + 1, device=self.table.device)
        bucket = relative_bucket(
            distance, buckets=self.buckets, furthest=self.furthest, bidirectional=self.bidirectional
        )
        return embedding(bucket, self.table).T.contiguous()

    def _place(self, distance: Int[Tensor, "*any"]) -> Int[Tensor, "*any"]:
        return distance.clamp(-self.furthest, self.furthest) + self.furthest


def relative_bucket(
    distance: Int[Tensor, "*any"], *, buckets: int = 32, furthest: int = 128, bidirectional: bool = True
) -> Int[Tensor, "*any"]:
    """The bucket of each distance query − key, which is positive for keys behind, in tokens.

    With n buckets a direction (half of ``buckets`` if there are two) and e = n // 2, distances d below e have bucket
    d; those from e on have ``e + floor(log(d / e) / log(furthest / e) · (n − e))``, and n − 1 at most. Keys ahead come
    n buckets later, or, with one direction, all fall into bucket 0.

    Raises:
        InputError: As for :class:`RelativeBias`.

    Source: Raffel et al. 2020, arXiv:1910.10683; its code speaks of key − query.

    >>> relative_bucket(torch.tensor([0, 1, 7, 8, 127, 128, -1, -128])).tolist()
    [0, 1, 7, 8, 15, 15, 17, 31]

    """
    check_positions(distance)
    _check(buckets, furthest, bidirectional)
    side = buckets // 2 if bidirectional else buckets
    exact = side // 2
    far = distance.abs() if bidirectional else distance.clamp(min=0)
    # In float64, and with more than its rounding error, so that d at the very edge of a bucket is in it everywhere.
    steps = (far.clamp(min=exact).double() / exact).log() * ((side - exact) / math.log(furthest / exact)) + 1e-9
    shared = (exact + steps.long()).clamp(max=side - 1)
    bucket = torch.where(far < exact, far, shared)
    return bucket + (distance < 0).long() * side if bidirectional else bucket


def _check(buckets: int, furthest: int, bidirectional: bool) -> None:
    whole_number("buckets", buckets, 4 if bidirectional else 2)
    if bidirectional and buckets % 2:
        raise InputError(f"buckets is {buckets}, which is odd; both directions need equally many")
    exact = buckets // (4 if bidirectional else 2)
    if whole_number("furthest", furthest) <= exact:
        raise InputError(
            f"furthest is {furthest}, but distances up to {exact - 1} have a bucket each; it has to be over {exact}"
        )
