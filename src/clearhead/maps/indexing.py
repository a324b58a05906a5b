"""From what stands in brackets to the entries that are wanted, with the meaning that PyTorch gives it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["read"]

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
    tensors = [axis for axis, part in enumerate(parts) if isinstance(part, Tensor)]
    if len(tensors) < 2:
        return _read_outer(parts, device, outer, check)
    together = torch.broadcast_tensors(*(parts[axis] for axis in tensors))
    kept = [axis for axis, part in enumerate(parts) if not isinstance(part, int)]
    positions = [kept.index(axis) for axis in tensors]
    neighbours = positions == list(range(positions[0], positions[0] + len(positions)))
    front = kept.index(tensors[0]) if neighbours else 0
    sliced = [axis for axis in kept if axis not in tensors]
    layout = [*sliced[:front], None, *sliced[front:]]  # None: where the broadcast axes go
    rank = len(sliced) + together[0].dim()
    result: list[int] = []
    placed: dict[int, Tensor] = {}
    for axis in layout:
        if axis is None:
            for tensor_axis, tensor in zip(tensors, together, strict=True):
                after = rank - len(result) - tensor.dim()
                placed[tensor_axis] = tensor.reshape(*tensor.shape, *[1] * after)
            result += together[0].shape
        else:
            values = torch.tensor(parts[axis], dtype=torch.int64, device=device)
            placed[axis] = values.view(-1, *[1] * (rank - len(result) - 1))
            result.append(len(parts[axis]))
    for axis, part in enumerate(parts):
        if isinstance(part, int):
            placed[axis] = torch.tensor(part, device=device)
    check(math.prod(result))
    return points(*(placed[axis].expand(result) for axis in range(4)))


def _read_outer(parts: list[Any], device: torch.device, outer: Outer, check: Callable[[int], None]) -> Tensor:
    vectors: list[Tensor] = []
    shape: list[int] = []
    for part in parts:
        if isinstance(part, int):
            vectors.append(torch.tensor([part], device=device))
        elif isinstance(part, Tensor):
            vectors.append(part.reshape(-1))
            shape += part.shape
        else:
            vectors.append(torch.arange(part.start, part.stop, part.step, device=device))
            shape.append(len(part))
    check(math.prod(len(vector) for vector in vectors))
    return outer(vectors[0], vectors[1], vectors[2], vectors[3]).reshape(shape)


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
    if not isinstance(item, bool) and hasattr(item, "__index__") and not (isinstance(item, Tensor) and item.dim()):
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
