"""The texts' O(n²·d) operations and O(h·n²) bytes, counted and fitted."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

import clearhead as ch

Count = Callable[[int, int, int], int]
"""Of (tokens, dim, heads)."""

BASE = (64, 64, 8)
SIZES = ((32, 64, 128, 256), (32, 64, 128, 256), (2, 4, 8, 16))


def heads_of(tokens: int, dim: int, heads: int) -> Tensor:
    return torch.zeros(1, heads, tokens, dim // heads)


def counted(tokens: int, dim: int, heads: int) -> int:
    """Operations of attention written out, counted by PyTorch."""
    q = heads_of(tokens, dim, heads)
    with FlopCounterMode(display=False) as counter:
        (q @ q.mT).softmax(-1) @ q
    return counter.get_total_flops()


def explained(tokens: int, dim: int, heads: int) -> int:
    q = heads_of(tokens, dim, heads)
    return ch.explain(q, q).flops


def dense_bytes(tokens: int, dim: int, heads: int) -> int:
    q = heads_of(tokens, dim, heads)
    return ch.attend(q, q, q)[1].dense().nbytes


def kept_bytes(tokens: int, dim: int, heads: int) -> int:
    q = heads_of(tokens, dim, heads)
    return ch.attend(q, q, q)[1].nbytes


def exponent(count: Count, axis: int) -> float:
    """The slope of log(count) against log(size), one size varied."""
    x = [math.log(size) for size in SIZES[axis]]
    y = [math.log(count(*BASE[:axis], size, *BASE[axis + 1 :])) for size in SIZES[axis]]
    x_mean, y_mean = sum(x) / len(x), sum(y) / len(y)
    above = sum((a - x_mean) * (b - y_mean) for a, b in zip(x, y, strict=True))
    return above / sum((a - x_mean) ** 2 for a in x)


def test_exponent_by_hand() -> None:
    assert abs(exponent(lambda tokens, dim, heads: 3 * tokens**2 * dim, 0) - 2) < 1e-12
    assert abs(exponent(lambda tokens, dim, heads: tokens + 64, 0) - 1) > 0.3  # a sum is no power


@pytest.mark.parametrize("count", [counted, explained])
def test_operations_are_n_squared_times_d_whatever_the_heads(count: Count) -> None:
    assert count(*BASE) == 4 * 64 * 64 * 64
    assert [round(exponent(count, axis), 6) for axis in range(3)] == [2, 1, 0]


def test_weights_written_out_are_heads_times_n_squared() -> None:
    assert dense_bytes(*BASE) == 4 * 8 * 64 * 64
    assert [round(exponent(dense_bytes, axis), 6) for axis in range(3)] == [2, 0, 1]


def test_a_map_keeps_n_times_d() -> None:
    """q, k and one number a row and head: 4·(2·n·d + h·n) bytes, so nearly n¹ d¹ h⁰."""
    for tokens, dim, heads in (BASE, (256, 32, 4)):
        assert kept_bytes(tokens, dim, heads) == 4 * (2 * tokens * dim + heads * tokens)
    found = [exponent(kept_bytes, axis) for axis in range(3)]
    assert abs(found[0] - 1) < 1e-6
    assert 0.9 < found[1] < 1
    assert 0 < found[2] < 0.1
