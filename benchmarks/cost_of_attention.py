"""The cost of attention.

How the time of ``ch.attention`` grows: one forward pass in float32, batch 1, without a mask, over *n* tokens of model
width *d* cut into *h* heads. The texts say O(n²·d). Of the three sizes one is varied, the others stay; what is varied
takes turns. An exponent is the slope of the straight line through log(median time) against log(size).

Operations of the matrix products are exactly n²·d ([lesson 7](lessons/07-what-attention-costs.md) counts them). Time
has softmax's n²·h exponentials besides, which do not grow with d, and grow with h: so an exponent of *d* below 1, and
one of *h* above 0.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

import clearhead as ch
from measure import Result, Say, interleave

AXES = ("n", "d", "h")


def call(tokens: int, dim: int, heads: int) -> Callable[[], Tensor]:
    """One forward pass over random q, k and v."""
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, heads, tokens, dim // heads, generator=generator) for _ in range(3))
    return partial(ch.attention, q, k, v)


def exponent(sizes: list[int], seconds: list[float]) -> float:
    """The slope of log(seconds) against log(size), by least squares."""
    return statistics.linear_regression([math.log(x) for x in sizes], [math.log(x) for x in seconds]).slope


@torch.no_grad()
def measure(say: Say, *, quick: bool) -> Iterator[Result]:
    """All results, one by one."""
    base = (256, 128, 4) if quick else (1024, 512, 8)
    rounds = 5 if quick else 9
    factors = ((1, 2, 4), (1, 2, 4), (1, 2, 4)) if quick else ((1, 2, 4, 8), (0.5, 1, 2, 4), (0.5, 1, 2, 4))
    for axis, name in enumerate(AXES):
        say(f"attention against {name}")
        sizes = [int(base[axis] * factor) for factor in factors[axis]]
        cases = {f"{name} = {size:,}": call(*(size if i == axis else x for i, x in enumerate(base))) for size in sizes}
        times = interleave(cases, rounds)
        found = exponent(sizes, [statistics.median(times[case]) for case in cases])
        others = ", ".join(f"{other} = {size:,}" for other, size in zip(AXES, base, strict=True) if other != name)
        medians = ", ".join(f"{case}: {times.median(case)}" for case in cases)
        theory = {"n": "n² in theory", "d": "d¹ in theory", "h": "h⁰ in theory"}[name]
        yield Result(f"time against {name}, at {others}: {medians}", f"{name}^{found:.2f}", theory)
