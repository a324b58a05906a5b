"""Which example stands where, for a whole training: drawn beforehand, so that a run can go on where it stopped."""

from __future__ import annotations

from collections.abc import Sequence

import torch

__all__ = ["by_length", "shuffled"]

_POOL = 50  # batches that are sorted by length together


def shuffled(examples: int, wanted: int, seed: int) -> list[int]:
    """Every example once, in random order, then once more, until there are enough.

    >>> sorted(shuffled(3, 6, seed=0))
    [0, 0, 1, 1, 2, 2]
    """
    generator = torch.Generator().manual_seed(seed)
    rounds = max(1, -(-wanted // examples))
    return torch.cat([torch.randperm(examples, generator=generator) for _ in range(rounds)])[:wanted].tolist()


def by_length(lengths: Sequence[int], batch: int, wanted: int, seed: int) -> list[int]:
    """As :func:`shuffled`, with examples of about the same length in a batch, so that little of it is padding.

    Of every 50 batches in a row the examples are sorted by length, and the batches shuffled again.
    """
    order = shuffled(len(lengths), wanted, seed)
    generator = torch.Generator().manual_seed(seed + 1)
    found: list[int] = []
    for start in range(0, len(order), _POOL * batch):
        pool = sorted(order[start : start + _POOL * batch], key=lambda number: lengths[number])
        batches = [pool[first : first + batch] for first in range(0, len(pool), batch)]
        last = [batches.pop()] if batches and len(batches[-1]) < batch else []  # the last of all may be smaller
        places = torch.randperm(len(batches), generator=generator).tolist()
        for part in [batches[place] for place in places] + last:
            found += part
    return found
