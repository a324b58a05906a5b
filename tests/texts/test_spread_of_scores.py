"""Standard deviations of Q·Kᵀ with and without √d_k: the text's two experiments, 123 × 456, against theory.

For independent numbers of means μ and deviations σ one score has variance d·(σ_q²σ_k² + μ_q²σ_k² + σ_q²μ_k²). In the
matrix the last two terms are the same down a column or along a row, so that of n × n scores they count (1 − 1/n) times.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

import clearhead as ch

TOKENS, D_K, RUNS = 123, 456, 100


class Experiment(NamedTuple):
    mean_q: float
    deviation_q: float
    mean_k: float
    deviation_k: float
    measured: float
    """By the text, in one run."""
    expected: float
    """√ of the formula above, by hand."""
    uncertainty: float
    """Standard deviation of one run."""


# 456 · 1 = 456. The variance of one run, relatively: 2/n² for n² numbers, and 2/(n·d) for each of the two matrices.
CENTRED = Experiment(0.0, 1.0, 0.0, 1.0, 21.24, 21.354, 0.152)
# 456 · (0.1296·1.44 + 122/123 · (2.4336·1.44 + 0.1296·0.1156)) = 456 · (0.186624 + 0.991870 · 3.519366) = 1676.87.
# Uncertain by the variance of 123 numbers, √(2/122), of the term of the columns: 0.128 · 456 · 3.504384 / (2 · 40.95).
SHIFTED = Experiment(1.56, 0.36, -0.34, 1.2, 37.78, 40.95, 2.50)
EXPERIMENTS = pytest.mark.parametrize("experiment", [CENTRED, SHIFTED], ids=["centred", "shifted"])


def draw(experiment: Experiment) -> tuple[Tensor, Tensor]:
    q, k = torch.randn(2, TOKENS, D_K, dtype=torch.float64)
    return (
        experiment.mean_q + experiment.deviation_q * q,
        experiment.mean_k + experiment.deviation_k * k,
    )


def spread(scores: Tensor) -> float:
    return float(scores.std(correction=0))


@EXPERIMENTS
def test_the_expected_spread_is_that_of_the_formula(experiment: Experiment) -> None:
    product = (experiment.deviation_q * experiment.deviation_k) ** 2
    column, row = (experiment.mean_q * experiment.deviation_k) ** 2, (experiment.deviation_q * experiment.mean_k) ** 2
    variance = D_K * (product + (column + row) * (1 - 1 / TOKENS))
    assert abs(math.sqrt(variance) - experiment.expected) < 0.005


@EXPERIMENTS
def test_runs_scatter_about_the_expected_spread(experiment: Experiment) -> None:
    """The mean of 100 runs within 4 of its own deviations, and their scatter within 30 % (4 deviations) of theory."""
    runs = torch.tensor([spread(q @ k.T) for q, k in (draw(experiment) for _ in range(RUNS))])
    assert abs(float(runs.mean()) - experiment.expected) < 4 * experiment.uncertainty / math.sqrt(RUNS)
    assert abs(float(runs.std()) / experiment.uncertainty - 1) < 0.3


@EXPERIMENTS
def test_what_the_text_measured_is_within_two_deviations(experiment: Experiment) -> None:
    """37.78 is 1.3 deviations below what the experiment gives on average: a draw, not the value."""
    assert abs(experiment.measured - experiment.expected) < 2 * experiment.uncertainty


@EXPERIMENTS
def test_the_division_takes_out_d_k(experiment: Experiment) -> None:
    """The scores that attention uses, seen by the raw normalizer: 21.24 → 1 and 41 → 1.92 (the text's 37.78 → 1.77)."""
    q, k = draw(experiment)
    _, amap = ch.attend(q, k, k, normalizer="none")
    _, undivided = ch.attend(q, k, k, normalizer="none", scale=1.0)
    divided = spread(amap.dense())
    assert abs(spread(undivided.dense()) - experiment.expected) < 4 * experiment.uncertainty
    assert abs(divided * math.sqrt(D_K) / spread(undivided.dense()) - 1) < 1e-12
    assert abs(divided - experiment.expected / math.sqrt(D_K)) < 4 * experiment.uncertainty / math.sqrt(D_K)


def test_large_scores_make_softmax_a_choice() -> None:
    """Mean entropy of normal scores of deviation s over n keys: ln n − s²/2 for s = 1 (within 0.1), near 0 for 456."""
    q, k = draw(CENTRED)
    _, divided = ch.attend(q, k, k)
    _, undivided = ch.attend(q, k, k, scale=1.0)
    assert abs(float(divided.entropy().mean()) - (math.log(TOKENS) - 0.5)) < 0.1
    assert float(undivided.entropy().mean()) < 0.4
    assert float(divided.topk(1).weights.mean()) < 0.15
    assert float(undivided.topk(1).weights.mean()) > 0.8
