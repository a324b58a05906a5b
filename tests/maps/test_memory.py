"""Only what was asked for is computed: no tensor ever has the size of the map."""

import gc
from collections.abc import Callable
from typing import Any

import pytest
import torch
from memory import Largest
from torch import Tensor

from clearhead import AttentionMap
from clearhead.maps.factored import FactoredMap
from clearhead.maps.words import WordMap
from clearhead.masks import Predicate
from clearhead.mechanisms import ScoreRule


def largest(action: Callable[[], Any]) -> int:
    with Largest() as seen:
        action()
    return seen.numbers


N = 4099


def qk(n: int = N, heads: int = 1, width: int = 3) -> tuple[Tensor, Tensor]:
    return torch.randn(1, heads, n, width), torch.randn(1, 1, n, width)


def everything() -> AttentionMap:
    return AttentionMap.from_qk(*qk())


def causal() -> AttentionMap:
    return AttentionMap.from_qk(*qk(), causal=True)


def window() -> AttentionMap:
    i, j = torch.arange(N)[:, None], torch.arange(N)
    return AttentionMap.from_qk(*qk(), mask=(j <= i) & (j > i - 64))


def window_around() -> AttentionMap:
    i, j = torch.arange(N)[:, None], torch.arange(N)
    return AttentionMap.from_qk(*qk(), mask=(j - i).abs() <= 2000)


def left_padding() -> AttentionMap:
    return AttentionMap.from_qk(*qk(), mask=torch.arange(N) > 500, causal=True)


def predicate() -> AttentionMap:
    mask = Predicate(lambda b, h, i, j: (i + j) % 3 > 0).bind(N, N)
    return FactoredMap(*qk(), ScoreRule(1.0, mask))


def softcap() -> AttentionMap:
    return AttentionMap.from_qk(*qk(), softcap=2.0, causal=True)


def modify() -> AttentionMap:
    return AttentionMap.from_qk(*qk(), modify=lambda score, b, h, i, j: score - (i - j).abs() * 0.01)


def words() -> AttentionMap:
    number = torch.arange(N)[None] // 2
    return WordMap(causal(), number, number)


def one_word() -> AttentionMap:
    number = torch.zeros(1, N, dtype=torch.int64)
    return WordMap(causal(), number, number)


STATISTICS: dict[str, Callable[[AttentionMap], Any]] = {
    "tile": lambda amap: amap[0, 0, :7, :5],
    "entropy": lambda amap: amap.entropy(),
    "moments": lambda amap: amap.moments([[0], [amap.shape[3] - 1]]),
    "received": lambda amap: amap.received(),
    "pooled mean": lambda amap: amap.pooled(512),
    "pooled small": lambda amap: amap.pooled(64, "max"),
    "pooled whole": lambda amap: amap.pooled(N + 7, "max"),
    "topk": lambda amap: amap.topk(min(8, amap.shape[3])),
    "check": lambda amap: amap.check(),
}


@pytest.mark.parametrize("kind", [causal, window_around, words], ids=lambda f: f.__name__)
@pytest.mark.parametrize("statistic", STATISTICS)
def test_no_statistic_makes_a_tensor_of_the_size_of_the_map(kind: Callable[[], AttentionMap], statistic: str) -> None:
    amap = kind()
    assert largest(lambda: STATISTICS[statistic](amap)) < N * N / 4


@pytest.mark.parametrize(
    "kind", [everything, window, left_padding, predicate, softcap, modify, one_word], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("statistic", ["entropy", "moments"])
def test_nor_under_other_masks_and_rules(kind: Callable[[], AttentionMap], statistic: str) -> None:
    amap = kind()
    assert largest(lambda: STATISTICS[statistic](amap)) < N * N / 4


def test_a_part_of_a_huge_map_costs_as_much_as_the_part() -> None:
    n = 65_536
    q, k = torch.randn(1, 4, n, 2), torch.randn(1, 2, n, 2)
    lse = torch.zeros(1, 4, n)
    amap = AttentionMap.from_qk(q, k, causal=True, lse=lse)
    held = q.numel()
    for index in (
        (0, 3, 7),
        (0, 1, slice(100, 200), slice(50)),
        (0, slice(None), -1, slice(0, 64)),
        (..., -1, -1),
        (0, 0, [1, 5, 65_535], [0, 3, 7]),
        (0, 0, torch.arange(64)[:, None], torch.arange(64)),
    ):
        assert largest(lambda index=index: amap[index]) <= held
    # What is computed, beside what is converted: the tile itself is the largest tensor when it is larger than q.
    assert largest(lambda: amap[0, 0, :2000, :1000]) <= 2000 * 1000
    assert amap.nbytes == 4 * n * (4 * 2 + 2 * 2 + 4 + 2)  # q, k, LSE, and a run of keys a query


def test_the_measure_sees_a_whole_map() -> None:
    amap = AttentionMap.from_qk(*qk(257), causal=True)
    assert largest(lambda: amap.dense()) >= 257 * 257
    assert largest(lambda: torch.zeros(1).expand(1000, 1000)) == 1
    gc.collect()
