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
    """The tokens of each block where they are not one run from its start; expanded where all blocks have the same."""

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

    @property
    def copied(self) -> int:
        """How many tokens :meth:`take` copies."""
        if self.index is None and (len(self) == 1 or self.step is not None):
            return 0
        return self.length * (1 if self._are_the_same else len(self))

    @property
    def _are_the_same(self) -> bool:
        return self.index is not None and self.index.stride(0) == 0

    def take(self, x: Float[Tensor, "texts heads n width"]) -> Float[Tensor, "texts_or_blocks heads length width"]:
        """The blocks of x; where they lie at equal distances nothing is copied, even if they overlap."""
        if len(self) == 1 and self.index is None:
            return x[:, :, self.starts[0] : self.starts[0] + self.length]
        if (step := self.step) is not None:
            x = x[0]
            size, strides = (len(self), x.shape[0], self.length, x.shape[2]), (step * x.stride(1), *x.stride())
            return x.as_strided(size, strides, x.storage_offset() + self.starts[0] * x.stride(1))
        # Along the first axis: along others torch first copies the whole of a tensor that is not contiguous.
        numbers = self.numbers(x.device)
        if len(self) == 1 or self._are_the_same:
            found: Tensor = x.transpose(0, 2).index_select(0, numbers[0]).transpose(0, 2)
            return found.expand(max(len(self), x.shape[0]), -1, -1, -1)
        found = x[0].transpose(0, 1).index_select(0, numbers.flatten())
        blocks: Tensor = found.unflatten(0, (len(self), self.length)).transpose(1, 2)
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
        if len(self) > 1 and into.shape[1] == 1:  # several times faster than along the second axis
            into[0, 0].index_add_(0, self.numbers(into.device).flatten(), part.flatten(0, 2))
        elif len(self) > 1:
            into[0].index_add_(1, self.numbers(into.device).flatten(), part.transpose(0, 1).flatten(1, 2))
        elif self.index is not None:
            into.index_add_(2, self.index[0], part)
        else:
            into[:, :, self.starts[0] : self.starts[0] + self.length] += part


def over(run: range) -> Places:
    """One block: the tokens of ``run``."""
    return Places((run.start,), len(run))
