"""Reading the masks that models use into the shortest form that says the same."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from clearhead.errors import InputError
from clearhead.masks.bound import BoundMask
from clearhead.masks.explicit import Explicit
from clearhead.masks.spans import Spans

__all__ = ["forbidden", "read_additive", "read_boolean"]

_BLOCK = 2**26  # entries looked at together


def read_boolean(allowed: Bool[Tensor, "#batch #heads #queries keys"], queries: int) -> BoundMask | None:
    """A boolean mask (True = may attend) as :class:`Spans` if it is one, ``None`` if it forbids nothing.

    One pass over the tensor, in blocks of rows; what is kept is O(queries + keys), save for masks in which some
    query sees several separate runs of keys: those stay the tensor that they are.
    """
    allowed = _own_axes(allowed)
    if bool(allowed.all()):
        return None
    if allowed.shape[-2] == 1:
        return Spans.all_present(allowed[..., 0, :], queries)
    present = allowed.any(-2)
    alike = present[..., None, :]
    if bool((allowed[..., :1, :] == alike).all()) and bool((allowed == alike).all()):
        return Spans.all_present(present, queries)
    spans = _runs(allowed, present)
    if spans is None:
        return Explicit(allowed).bind(queries, allowed.shape[-1])
    starts, stops = spans
    # A run may begin earlier where only absent keys are added: this way a padded causal mask starts at 0 too.
    before = torch.nn.functional.pad(present.cumsum(-1), (1, 0)).expand(*starts.shape[:2], -1)
    starts = torch.where(before.gather(-1, starts) == 0, 0, starts)
    return Spans(
        starts.to(torch.int32),
        stops.to(torch.int32),
        queries,
        allowed.shape[-1],
        None if bool(present.all()) else present,
    )


def _own_axes(tensor: Tensor) -> Tensor:
    """The tensor with size 1 where it was expanded over batch, heads or queries: what is not there is not read."""
    for axis in range(3):
        if tensor.stride(axis) == 0 and tensor.shape[axis] > 1:
            tensor = tensor.narrow(axis, 0, 1)
    return tensor


def _runs(
    allowed: Bool[Tensor, "batch heads queries keys"], present: Bool[Tensor, "batch heads keys"]
) -> tuple[Int[Tensor, "batch heads queries"], Int[Tensor, "batch heads queries"]] | None:
    """First key and one past the last key of each row; ``None`` if a row leaves out a present key between them."""
    batch, heads, queries, keys = allowed.shape
    before = torch.nn.functional.pad(present.cumsum(-1), (1, 0))
    step = max(1, _BLOCK // max(1, batch * heads * keys))
    starts, stops = [], []
    for row in range(0, queries, step):
        block = allowed[..., row : row + step, :].to(torch.uint8)
        count = block.sum(-1)
        some = count > 0
        start = torch.where(some, block.argmax(-1), 0)
        stop = torch.where(some, keys - block.flip(-1).argmax(-1), 0)
        if not bool((before.gather(-1, stop) - before.gather(-1, start) == count).all()):
            return None
        starts.append(start)
        stops.append(stop)
    return torch.cat(starts, -1), torch.cat(stops, -1)


def forbidden(added: Float[Tensor, "..."]) -> Bool[Tensor, "..."]:
    """Where added numbers mean that a pair may not attend; NaN does not, and stays a (bad) bias."""
    if not added.is_floating_point():
        raise InputError(f"numbers that are added to scores are floating-point; got {added.dtype}; of 0 and 1 .bool()")
    return added <= torch.finfo(added.dtype).min / 2


def read_additive(
    added: Float[Tensor, "#batch #heads #queries keys"], queries: int
) -> tuple[BoundMask | None, Float[Tensor, "#batch #heads #queries keys"] | None]:
    """A mask that is added to the scores, split into (mask, bias).

    A pair may not attend where the added number is −inf or at most half the lowest number of its dtype: models write
    ``finfo.min`` for it, sometimes with a bias added. What remains is the bias: the tensor itself, or ``None`` where
    it adds nothing.
    """
    added = _own_axes(added)
    allowed = ~forbidden(added)
    mask = read_boolean(allowed, queries)
    adds = added.requires_grad or bool((added.masked_fill(~allowed, 0.0) if mask is not None else added).any())
    return mask, added if adds else None
