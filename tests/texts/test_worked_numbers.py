"""Numbers that the texts work out or print, against answers by hand or by plain floats."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

import clearhead as ch
from clearhead.mechanisms.dense import attention_by_position

SCORES = [[1.0, 0.5, 0.0], [0.5, 1.0, 0.2], [0.0, 0.2, 1.0]]


def close(found: Tensor, expected: object, tolerance: float = 1e-12) -> None:
    torch.testing.assert_close(found, torch.tensor(expected, dtype=found.dtype), rtol=0, atol=tolerance)


def softmax(scores: list[float]) -> list[float]:
    total = sum(math.exp(score) for score in scores)
    return [math.exp(score) / total for score in scores]


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def test_close_notices_a_difference() -> None:
    with pytest.raises(AssertionError):
        close(torch.tensor([1.0]), [1.0 + 1e-6])


# Softmax of scores.


def test_the_second_word_gives_the_third_0_2186() -> None:
    """The texts' 0.218 is of numbers rounded to two decimals: 1.22 / 5.59 = 0.21825."""
    queries, words = torch.tensor(SCORES, dtype=torch.float64), torch.eye(3, dtype=torch.float64)
    output, amap = ch.attend(queries, words, words, scale=1.0)
    close(amap.dense()[0, 0], [softmax(row) for row in SCORES])
    close(output, [softmax(row) for row in SCORES])
    assert round(float(amap[0, 0, 1, 2]), 4) == 0.2186
    assert abs(float(amap[0, 0, 1, 2]) - 0.218) < 1e-3


# The mean of heads.


def test_the_mean_of_heads_is_one_output_projection_and_loses_the_rest() -> None:
    """Heads with the scores (1, 0, 2) and (0, 1, 1), the texts' example, on the same values (1, 0), (0, 1), (1, 1).

    Of the first, weights e/s, 1/s and e²/s with s = e + 1 + e²; of the second 1/t, e/t and e/t with t = 1 + 2e.
    """
    scores, values = [[1.0, 0.0, 2.0], [0.0, 1.0, 1.0]], [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    e = math.e
    s, t = e + 1 + e**2, 1 + 2 * e
    first, second = [(e + e**2) / s, (1 + e**2) / s], [(1 + e) / t, 2 * e / t]
    keys = torch.eye(3, dtype=torch.float64).expand(2, 3, 3)
    v = torch.tensor(values, dtype=torch.float64).expand(2, 3, 2)
    q = torch.tensor(scores, dtype=torch.float64)[:, None]
    output, amap = ch.attend(q, keys, v, scale=1.0)
    close(output[:, 0], [first, second])

    mean = amap.dense()[0, :, 0].mean(0)
    close(mean, [(e / s + 1 / t) / 2, (1 / s + e / t) / 2, (e**2 / s + e / t) / 2])
    concatenated = output.transpose(0, 1).flatten(1)
    identity = torch.eye(2, dtype=torch.float64)
    projected = concatenated @ torch.cat([identity, identity]) / 2
    close(mean @ v[0], projected[0].tolist())
    swapped = output.flip(0).transpose(0, 1).flatten(1)  # other heads, the same mean
    assert not torch.allclose(swapped, concatenated)
    close(swapped @ torch.cat([identity, identity]) / 2, projected.tolist())


def test_one_sum_for_the_whole_array_is_right_for_a_vector_only() -> None:
    for scores, right in ((torch.tensor([1.0, 0.0, 2.0]), True), (torch.tensor(SCORES), False)):
        of_all = scores.exp() / scores.exp().sum()
        assert torch.allclose(of_all.sum(-1), torch.ones(scores.shape[:-1])) == right


# The weighted sum.

A = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [-1.0, 2.0]]


def test_the_weighted_sum_without_a_normalizer() -> None:
    """b¹ = 5a¹ + 2a² + a³ + 2a⁴ = (5 + 1 − 2, 2 + 1 + 4)."""
    q, k = torch.tensor([[5.0, 2.0, 1.0, 2.0]], dtype=torch.float64), torch.eye(4, dtype=torch.float64)
    b, amap = ch.attend(q, k, torch.tensor(A, dtype=torch.float64), normalizer="none", scale=1.0)
    close(b, [[4.0, 7.0]])
    close(amap[0, 0, 0], [5.0, 2.0, 1.0, 2.0])


@pytest.mark.parametrize(
    ("normalizer", "weights"),
    [
        ("softmax", softmax([1.25, 0.5, 0.25, 0.5])),
        ("sparsemax", [5 / 6, 1 / 12, 0.0, 1 / 12]),  # 5/12 taken off: 1.25 − 5/12 + 2·(0.5 − 5/12) = 1
        ("sigmoid", [1 / (1 + 4 * math.exp(-x)) for x in (1.25, 0.5, 0.25, 0.5)]),  # of x − ln(keys)
        ("relu", [1.25 / 4, 0.5 / 4, 0.25 / 4, 0.5 / 4]),  # divided by the number of keys
        ("none", [1.25, 0.5, 0.25, 0.5]),
    ],
)
def test_the_weighted_sum_with_others(normalizer: str, weights: list[float]) -> None:
    """A quarter of the scores; 1.25 for 5 and so on."""
    q, k = torch.tensor([[5.0, 2.0, 1.0, 2.0]], dtype=torch.float64), torch.eye(4, dtype=torch.float64)
    b, amap = ch.attend(q, k, torch.tensor(A, dtype=torch.float64), normalizer=normalizer, scale=0.25)
    close(amap[0, 0, 0], weights)
    close(b[0], [sum(w * a[i] for w, a in zip(weights, A, strict=True)) for i in range(2)])


# Columns and rows.


def test_columns_are_rows_transposed() -> None:
    """The text's O = V·softmax(KᵀQ) with vectors as columns is softmax(QKᵀ)·V with vectors as rows."""
    d, d_k, d_v, n = 3, 5, 2, 7
    inputs, w_q, w_k, w_v = random(d, n), random(d_k, d), random(d_k, d), random(d_v, d)
    q, k, v = w_q @ inputs, w_k @ inputs, w_v @ inputs
    scores = [[sum(float(a * b) for a, b in zip(q[:, i], k[:, j], strict=True)) for j in range(n)] for i in range(n)]
    in_columns = torch.tensor([softmax(row) for row in scores], dtype=torch.float64).T  # A'[j, i] = α'_ij
    close((k.T @ q).softmax(0), in_columns.tolist())
    output, amap = ch.attend(q.T, k.T, v.T, scale=1.0)
    close(amap.dense()[0, 0], in_columns.T.tolist())
    close(output, (v @ in_columns).T.tolist())
    assert not torch.allclose((k.T @ q).softmax(1).T, in_columns.T)  # the other axis is another thing


@pytest.mark.parametrize("scale", [None, 1.0])
def test_loops_are_matrices(scale: float | None) -> None:
    q, k, v = random(5, 3), random(7, 3), random(7, 2)
    close(ch.attention(q, k, v, scale=scale), attention_by_position(q, k, v, scale).tolist())
