"""Tensors that belong to somebody else and must not change under a map."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from clearhead.errors import StaleMapError

__all__ = ["Held", "keep"]


class Held:
    """Tensors by name, each with the version that PyTorch had counted when it was taken.

    PyTorch counts every change in place. Asking for a tensor that has changed since raises StaleMapError, so that a
    map never shows the numbers of another step. Tensors made in inference mode have no counter: they are copied.
    """

    def __init__(self, tensors: Mapping[str, Tensor | None], *, attached: bool = False) -> None:
        self._attached = attached  # keep what the tensors were computed from, for gradients
        self._tensors: dict[str, Tensor] = {}
        self._versions: dict[str, int | None] = {}
        for name, tensor in tensors.items():
            if tensor is not None:
                self.put(name, tensor)

    def put(self, name: str, tensor: Tensor) -> None:
        """Hold this tensor under ``name``, as it is now."""
        self._tensors[name] = kept = keep(tensor, attached=self._attached)
        # A compiler follows every change itself, and knows no counter.
        self._versions[name] = None if torch.compiler.is_compiling() else kept._version

    def __getitem__(self, name: str) -> Tensor:
        tensor = self._tensors[name]
        if self._versions[name] is None and not torch.compiler.is_compiling():
            self._versions[name] = tensor._version  # counted from the first look, where a compiled function made it
        if self._versions[name] is not None and tensor._version != self._versions[name]:
            raise StaleMapError(
                f"the {name} of this map were changed in place after it was made, so its weights are lost; "
                "copy the tensors before they change, or look at the map before that"
            )
        return tensor

    def get(self, name: str) -> Tensor | None:
        """The tensor, or None where there is none of this name."""
        return self[name] if name in self._tensors else None

    def all(self) -> dict[str, Tensor]:
        """All of them, each checked."""
        return {name: self[name] for name in self._tensors}

    @property
    def nbytes(self) -> int:
        """Bytes of all of them together; what is only repeated along an axis is counted once."""
        return sum(
            x.itemsize * math.prod(size for size, stride in zip(x.shape, x.stride(), strict=True) if stride)
            for x in self._tensors.values()
        )

    def dtype(self, name: str) -> torch.dtype:
        """The dtype of one of them, which outlives a change in place."""
        return self._tensors[name].dtype

    def shape(self, name: str) -> torch.Size:
        """The shape of one of them."""
        return self._tensors[name].shape


def keep(tensor: Tensor, *, attached: bool = False) -> Tensor:
    """The tensor without its gradient history, unless ``attached``; a copy where it is an inference tensor."""
    if not torch.compiler.is_compiling() and tensor.is_inference():
        with torch.inference_mode(False):
            return tensor.clone()
    return tensor if attached and tensor.requires_grad else tensor.detach()
