"""Blocks of tokens, which the kernel takes as so many texts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["Places", "over"]


@dataclass(frozen=True, eq=False)
class Places:
    """Blocks along the tokens of a tensor, all of one length, which the kernel takes as so many texts."""

    starts: tuple[int, ...]
    length: int
    index: Int[Tensor, "blocks length"] | None = None
    """The tokens of each block where they are not one run from its start."""

    def __len__(self) -> int:
        return len(self.starts)

    def numbers(self, device: torch.device) -> Int[Tensor, "blocks length"]:
        """The tokens of each block."""
        if self.index is not None:
            return self.index
        return torch.tensor(self.starts, device=device)[:, None] + torch.arange(self.length, device=device)

    @property
    def step(self) -> int | None:
        """How far the blocks are apart, where that is the same for all and each is one run."""
        if self.index is not None:
            return None
        steps = {after - before for before, after in pairwise(self.starts)}
        step = steps.pop() if len(steps) == 1 else -1
        return None if step < 0 else step  # tensors have no negative strides

    def take(self, x: Float[Tensor, "texts heads n width"]) -> Float[Tensor, "texts_or_blocks heads length width"]:
        """The blocks of x; where they lie at equal distances nothing is copied, even if they overlap."""
        if len(self) == 1:
            if self.index is not None:
                return x.index_select(2, self.index[0])
            return x[:, :, self.starts[0] : self.starts[0] + self.length]
        x = x[0]
        size = (len(self), x.shape[0], self.length, x.shape[2])
        if (step := self.step) is not None:
            strides = (step * x.stride(1), *x.stride())
            return x.as_strided(size, strides, x.storage_offset() + self.starts[0] * x.stride(1))
        found = x.index_select(1, self.numbers(x.device).flatten())
        blocks: Tensor = found.unflatten(1, (len(self), self.length)).transpose(0, 1)
        return blocks

    def put(self, into: Tensor, part: Tensor) -> None:
        """Write the blocks, which do not overlap."""
        if len(self) == 1 and self.index is None:
            self.take(into).copy_(part)
        elif len(self) == 1 and self.index is not None:
            into.index_copy_(2, self.index[0], part)
        elif self.step == self.length:
            run = into[0, :, self.starts[0] : self.starts[0] + len(self) * self.length]
            run.unflatten(1, (len(self), self.length)).copy_(part.transpose(0, 1))
        else:
            into[0].index_copy_(1, self.numbers(into.device).flatten(), part.transpose(0, 1).flatten(1, 2))

    def add(self, into: Tensor, part: Tensor) -> None:
        """Add the blocks, which may overlap."""
        part = part.to(into.dtype)
        if len(self) > 1:
            into[0].index_add_(1, self.numbers(into.device).flatten(), part.transpose(0, 1).flatten(1, 2))
        elif self.index is not None:
            into.index_add_(2, self.index[0], part)
        else:
            into[:, :, self.starts[0] : self.starts[0] + self.length] += part


def over(run: range) -> Places:
    """One block: the tokens of ``run``."""
    return Places((run.start,), len(run))
