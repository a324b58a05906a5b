"""From what stands in brackets to the entries that are wanted, with the meaning that PyTorch gives it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["pick", "read"]

_AXES = ("batch", "heads", "queries", "keys")

Outer = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def read(
    index: Any, shape: tuple[int, ...], device: torch.device, outer: Outer, points: Outer, check: Callable[[int], None]
) -> Tensor:
    """Evaluate ``map[index]`` by one call to ``outer`` (index vectors of all axes) or to ``points`` (broadcast pairs).

    As in PyTorch: integers drop their axis; one index tensor stays where it stands; several broadcast together,
    and their result stands at the first of them if they are neighbours, else in front.
    """
    parts = _four(index, shape, device)
    result, placed = _place(parts, device)
    check(math.prod(result))
    # Which axes of the result each of the map's axes runs along. Where no two share one, the index is a grid.
    along = [[n for n, size in enumerate(own.shape) if size != 1] for own in placed]
    order = [n for axes in along for n in axes]
    if len(set(order)) < len(order):
        return points(*(own.expand(result) for own in placed))
    found = outer(*(own.reshape(-1) for own in placed)).reshape([result[n] for n in order])
    return found.permute([order.index(n) for n in sorted(order)]).reshape(result)


def _place(parts: list[Any], device: torch.device) -> tuple[list[int], list[Tensor]]:
    """The shape of the result, and for each axis of the map its index with the rank of the result."""
    tensors = [axis for axis, part in enumerate(parts) if isinstance(part, Tensor)]
    kept = [axis for axis, part in enumerate(parts) if not isinstance(part, int)]
    sliced = [axis for axis in kept if axis not in tensors]
    layout: list[int | None] = [*sliced]  # None: where the axes that all index tensors share go
    shared: tuple[int, ...] = ()
    if tensors:
        try:
            # Of the tensors, since torch.broadcast_shapes imports the compiler's symbols, 0.7 s of a cold start.
            shared = torch.broadcast_tensors(*(parts[axis] for axis in tensors))[0].shape
        except RuntimeError:
            shapes = ", ".join(f"{_AXES[axis]} {tuple(parts[axis].shape)}" for axis in tensors)
            raise IndexError(f"index tensors must broadcast together; got {shapes}") from None
        positions = [kept.index(axis) for axis in tensors]
        neighbours = positions == list(range(positions[0], positions[0] + len(positions)))
        layout.insert(positions[0] if neighbours else 0, None)
    rank = len(sliced) + len(shared)
    result: list[int] = []
    placed = [torch.tensor(part if isinstance(part, int) else 0, device=device).view([1] * rank) for part in parts]
    for place in layout:
        after = rank - len(result)
        if place is None:
            for axis in tensors:
                placed[axis] = parts[axis].reshape(*parts[axis].shape, *[1] * (after - len(shared)))
                placed[axis] = placed[axis].view(*[1] * (rank - placed[axis].dim()), *placed[axis].shape)
            result += shared
        else:
            part = parts[place]
            values = torch.arange(part.start, max(part.start, part.stop), part.step, device=device)
            placed[place] = values.view(*[1] * len(result), -1, *[1] * (after - 1))
            result.append(len(part))
    return result, placed


def pick(tensor: Tensor, axis: int, index: Tensor) -> Tensor:
    """``index_select``, without a copy where the index is a run."""
    count = len(index)
    if count == 0:
        return tensor.narrow(axis, 0, 0)
    first = int(index[0])
    if count == 1 or bool((index[1:] - index[:-1] == 1).all()):
        return tensor.narrow(axis, first, count)
    return tensor.index_select(axis, index)


def _four(index: Any, shape: tuple[int, ...], device: torch.device) -> list[Any]:
    """One int, range or index tensor for each of the four axes, all non-negative."""
    items = list(index) if isinstance(index, tuple) else [index]
    if sum(item is Ellipsis for item in items) > 1:
        raise IndexError("a map can be indexed with one ellipsis (...) at most")
    if any(item is Ellipsis for item in items):
        at = next(i for i, item in enumerate(items) if item is Ellipsis)
        items[at : at + 1] = [slice(None)] * (4 - (len(items) - 1))
    if len(items) > 4:
        raise IndexError(f"a map has the four axes {', '.join(_AXES)}; got {len(items)} indices")
    items += [slice(None)] * (4 - len(items))
    return [_one(item, size, name, device) for item, size, name in zip(items, shape, _AXES, strict=True)]


def _one(item: Any, size: int, name: str, device: torch.device) -> Any:
    if isinstance(item, slice):
        if item.step is not None and item.step < 0:
            raise IndexError(f"a slice of {name} must step forwards; got a step of {item.step}")
        return range(size)[item]
    if _is_whole_number(item):
        number = item.__index__()
        if not -size <= number < size:
            raise IndexError(f"{name} has {size} entries; {number} is out of range")
        return number % size
    try:
        tensor = torch.as_tensor(item, device=device)
    except (TypeError, ValueError, RuntimeError):
        raise IndexError(f"{name} cannot be indexed with {type(item).__name__}; use ints, slices or tensors") from None
    if tensor.dtype == torch.bool:
        if tensor.shape != (size,):
            raise IndexError(f"a boolean index for {name} has the shape ({size},); got {tuple(tensor.shape)}")
        tensor = tensor.nonzero()[:, 0]
    if tensor.is_floating_point() or tensor.is_complex():
        if tensor.numel():
            raise IndexError(f"{name} is indexed with whole numbers; got {tensor.dtype}")
        tensor = tensor.long()
    tensor = tensor.long()
    if bool(((tensor < -size) | (tensor >= size)).any()):
        raise IndexError(f"{name} has {size} entries; an index out of range was among {tensor.flatten()[:8].tolist()}")
    return torch.where(tensor < 0, tensor + size, tensor)


def _is_whole_number(item: Any) -> bool:
    if isinstance(item, Tensor):  # True and 1.0 in a tensor are no places, though the first can be read as one
        return item.dim() == 0 and not (item.is_floating_point() or item.is_complex() or item.dtype == torch.bool)
    return hasattr(item, "__index__") and not isinstance(item, bool) and getattr(item, "ndim", 0) == 0
