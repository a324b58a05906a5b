"""Many blocks one after the other, each computed again in the backward pass, so that no block is kept.

``torch.utils.checkpoint`` would do for one block. Of many it keeps the nodes of every block's graph, small objects that
lie between the large ones in the heap, so that the memory of a process grows with the square of the length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from clearhead.shapes import exact_dtype

__all__ = ["Place", "in_blocks"]

Place = tuple[slice | Tensor, ...]
"""Where a piece lies; along at most one axis by numbers, none of them twice."""
Compute = Callable[..., tuple[Tensor, ...]]
Random = tuple[Tensor, Tensor | None]


def in_blocks(
    compute: Compute,
    parts: Sequence[range],
    tensors: Sequence[Tensor],
    places: Callable[[range], Sequence[Place]],
    *,
    rows: Sequence[int] | None,
    read: Sequence[Tensor] = (),
    random: bool = False,
    keep: bool = False,
) -> tuple[Tensor, ...]:
    """``compute(part, *pieces)`` of all parts, joined or added up.

    Args:
        compute: From a part and its pieces of ``tensors`` to one or several tensors.
        parts: At least one.
        tensors: What is cut into pieces.
        places: Which piece of each tensor belongs to a part.
        rows: How long the results of each part are along their third axis, on which they follow one another; ``None``
            adds them up.
        read: Tensors that ``compute`` reads whole and by itself, for which a gradient is wanted too. None of them may
            be computed from another.
        random: Whether ``compute`` draws random numbers, which the backward pass then draws again.
        keep: Whether one part alone is kept for the backward pass instead of being computed again.

    """
    job = _Job(compute, parts, places, rows, len(tensors), _random_state(tensors[0].device) if random else None)
    given = (*tensors, *read)
    if not torch.is_grad_enabled() or not any(x.requires_grad for x in given) or (keep and len(parts) == 1):
        return job.run(tensors)
    found: tuple[Tensor, ...] = _InBlocks.apply(job, *given)  # type: ignore[no-untyped-call]
    return found


@dataclass(frozen=True, eq=False)
class _Job:
    compute: Compute
    parts: Sequence[range]
    places: Callable[[range], Sequence[Place]]
    rows: Sequence[int] | None
    cut: int
    """How many of the tensors are cut into pieces; the others are read whole."""
    random: Random | None
    """The state that random numbers are drawn from."""

    def run(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """All parts, joined."""
        found = (self.compute(part, *self.pieces(part, tensors)) for part in self.parts)
        if self.rows is None:
            return reduce(lambda total, more: tuple(a + b for a, b in zip(total, more, strict=True)), found)
        if torch.is_grad_enabled():
            return tuple(torch.cat(results, 2) for results in zip(*found, strict=True))
        # Nothing that is kept is made while a block is there: it would lie where the next block could.
        first = next(found)
        joined = tuple(x.new_empty((*x.shape[:2], sum(self.rows), *x.shape[3:])) for x in first)
        start = 0
        for count, results in zip(self.rows, chain([first], found), strict=True):
            for whole, result in zip(joined, results, strict=True):
                whole[:, :, start : start + count] = result
            start += count
        return joined

    def pieces(self, part: range, tensors: Sequence[Tensor]) -> list[Tensor]:
        """What belongs to one part."""
        return [x[place] for x, place in zip(tensors[: self.cut], self.places(part), strict=True)]


class _InBlocks(torch.autograd.Function):
    @staticmethod
    def forward(job: _Job, *tensors: Tensor) -> tuple[Tensor, ...]:
        return job.run(tensors)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:  # noqa: ARG004
        ctx.job, *tensors = inputs
        ctx.save_for_backward(*tensors)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *wishes: Tensor | None) -> tuple[Tensor | None, ...]:
        job: _Job = ctx.job
        tensors: tuple[Tensor, ...] = ctx.saved_tensors
        if all(wish is None for wish in wishes):
            return (None,) * (1 + len(tensors))
        needed: Sequence[bool] = ctx.needs_input_grad[1:]
        gradients = _all_at_once if torch.is_grad_enabled() else _part_by_part
        with _as_then(job.random, tensors[0].device):
            return (None, *gradients(job, tensors, needed, wishes))


def _part_by_part(
    job: _Job, tensors: Sequence[Tensor], needed: Sequence[bool], wishes: Sequence[Tensor | None]
) -> list[Tensor | None]:
    # Many parts add to the same keys: summed in float32 or better.
    exact = [exact_dtype(x.dtype) for x in tensors]
    sums = [
        torch.zeros_like(x, dtype=dtype) if need else x for x, dtype, need in zip(tensors, exact, needed, strict=True)
    ]
    start = 0
    for part, count in zip(job.parts, job.rows or [0] * len(job.parts), strict=True):
        places = [*job.places(part), *((slice(None),) * x.dim() for x in tensors[job.cut :])]
        with torch.enable_grad():
            pieces = [x.detach().requires_grad_(x.requires_grad) for x in job.pieces(part, tensors)]
            results = job.compute(part, *pieces)
        sources = [x for x, need in zip((*pieces, *tensors[job.cut :]), needed, strict=True) if need]
        own = wishes
        if job.rows is not None:
            own = [None if wish is None else wish[:, :, start : start + count] for wish in wishes]
            start += count
        found = iter(_gradients(results, sources, own))
        for total, place, need in zip(sums, places, needed, strict=True):
            gradient = next(found) if need else None
            if gradient is not None:
                total[place] += gradient
    return [x.to(own.dtype) if need else None for x, own, need in zip(sums, tensors, needed, strict=True)]


def _all_at_once(
    job: _Job, tensors: Sequence[Tensor], needed: Sequence[bool], wishes: Sequence[Tensor | None]
) -> list[Tensor | None]:
    """With a graph, through which gradients flow in their turn; all scores are kept for that."""
    # Through other names, so that what one of them was computed from another counts once, outside.
    own = [*(x.view_as(x) for x in tensors[: job.cut]), *tensors[job.cut :]]
    sources = [x for x, need in zip(own, needed, strict=True) if need]
    found = iter(_gradients(job.run(own), sources, wishes, create_graph=True))
    return [next(found) if need else None for need in needed]


def _gradients(
    results: Sequence[Tensor], sources: Sequence[Tensor], wishes: Sequence[Tensor | None], *, create_graph: bool = False
) -> Sequence[Tensor | None]:
    pairs = [
        (result, wish)
        for result, wish in zip(results, wishes, strict=True)
        if wish is not None and result.requires_grad
    ]
    if not pairs:
        return [None] * len(sources)
    outputs, gradients = zip(*pairs, strict=True)
    return torch.autograd.grad(outputs, sources, gradients, allow_unused=True, create_graph=create_graph)


def _random_state(device: torch.device) -> Random:
    return torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None


@contextmanager
def _as_then(state: Random | None, device: torch.device) -> Iterator[None]:
    """With the random numbers that were drawn from ``state`` on, and afterwards as if none had been drawn."""
    if state is None:
        yield
        return
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.set_rng_state(state[0])
        if state[1] is not None:
            torch.cuda.set_rng_state(state[1], device)
        yield
