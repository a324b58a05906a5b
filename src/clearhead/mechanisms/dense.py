"""The specification: attention with every number written out, and the oracle of all faster paths.

Plain, quadratic in memory, exact in float64. Twice: in matrix form, and in the loops that the texts begin with.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from clearhead.mechanisms.fused import product
from clearhead.mechanisms.rule import ScoreRule
from clearhead.shapes import Keys, PerQuery, Queries, Weights

__all__ = ["attention", "attention_by_position", "log_sum_exp", "scores", "weights"]


def scores(q: Queries, k: Keys, rule: ScoreRule) -> Weights:
    """``score_ij = modify(cap(scale · q_i·k_j)) + bias_ij``, −inf where the mask forbids it.

    Shapes: q ``(batch, heads, queries, head_dim)``, k ``(batch, kv_heads, keys, head_dim)``; query head h uses key
    head ``h // (heads // kv_heads)``.
    """
    k = k.repeat_interleave(q.shape[1] // k.shape[1], dim=1)
    products = product(q, k.transpose(-1, -2))
    return rule.finish_tile(products * rule.scale, range(q.shape[2]), range(k.shape[2]))


def log_sum_exp(q: Queries, k: Keys, rule: ScoreRule) -> PerQuery:
    """The natural log of each row's normalizer, with the sink if there is one; −inf where nothing may be attended.

    With another normalizer than softmax, the number that stands in its place.
    """
    return rule.statistic(scores(q, k, rule))


def weights(q: Queries, k: Keys, rule: ScoreRule) -> Weights:
    """``weight_ij = exp(score_ij − lse_i)``: each row sums to 1 (less with a sink), to 0 if it may attend to nothing.

    The example of the texts: the second of three words has the scores 0.5, 1 and 0.2, and so gives the third word
    exp(0.2) / (exp(0.5) + exp(1) + exp(0.2)) = 1.2214 / 5.5884 = 0.2186.
    """
    every = scores(q, k, rule)
    return rule.normalizer.weights(every, rule.statistic(every))


def attention(
    q: Queries, k: Keys, v: Float[Tensor, "batch kv_heads keys value_dim"], rule: ScoreRule, *, dropout: float = 0.0
) -> Float[Tensor, "batch heads queries value_dim"]:
    """``Attention(Q, K, V) = softmax(Q·Kᵀ/√d_k)·V`` (Vaswani et al. 2017, arXiv:1706.03762), under ``rule``."""
    v = v.repeat_interleave(q.shape[1] // v.shape[1], dim=1)
    return product(torch.dropout(weights(q, k, rule), dropout, train=dropout > 0), v)


def attention_by_position(
    q: Float[Tensor, "queries head_dim"],
    k: Float[Tensor, "keys head_dim"],
    v: Float[Tensor, "keys value_dim"],
    scale: float | None = None,
) -> Float[Tensor, "queries value_dim"]:
    """The same, one position at a time, as the texts build it up before they write it with matrices.

    For query i: the relevance of every key, ``α_ij = q_i·k_j``; their softmax, ``α'_ij = exp(α_ij) / Σ_t exp(α_it)``;
    and the weighted sum ``b_i = Σ_j α'_ij·v_j``. Numbers are added one by one, so that each can be followed.

    Example:
        >>> import torch
        >>> q = k = v = torch.eye(2, dtype=torch.float64)
        >>> attention_by_position(q, k, v, scale=1.0)  # e / (e + 1) and 1 / (e + 1)
        tensor([[0.7311, 0.2689],
                [0.2689, 0.7311]], dtype=torch.float64)

    """
    scale = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    rows = []
    for query in q:
        relevance = [scale * sum(a * b for a, b in zip(query.tolist(), key.tolist(), strict=True)) for key in k]
        highest = max(relevance)  # any number may be taken off all of them; this one keeps exp() in range
        shares = [math.exp(score - highest) for score in relevance]
        total = sum(shares)
        row = torch.zeros_like(v[0])
        for share, value in zip(shares, v, strict=True):
            row = row + share / total * value
        rows.append(row)
    return torch.stack(rows)
