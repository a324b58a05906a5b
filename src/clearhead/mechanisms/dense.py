"""The specification: attention with every number written out, and the oracle of all faster paths.

Plain, quadratic in memory, exact in float64. Nothing else in this package computes a whole map on purpose.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from clearhead.mechanisms.fused import product
from clearhead.mechanisms.rule import ScoreRule
from clearhead.shapes import Keys, PerQuery, Queries, Weights

__all__ = ["attention", "log_sum_exp", "scores", "weights"]


def scores(q: Queries, k: Keys, rule: ScoreRule) -> Weights:
    """``score_ij = modify(cap(scale · q_i·k_j)) + bias_ij``, −inf where the mask forbids it.

    Shapes: q ``(batch, heads, queries, head_dim)``, k ``(batch, kv_heads, keys, head_dim)``; query head h uses key
    head ``h // (heads // kv_heads)``.
    """
    k = k.repeat_interleave(q.shape[1] // k.shape[1], dim=1)
    products = product(q, k.transpose(-1, -2))
    return rule.finish_tile(products * rule.scale, range(q.shape[2]), range(k.shape[2]))


def log_sum_exp(q: Queries, k: Keys, rule: ScoreRule) -> PerQuery:
    """The natural log of each row's normaliser, with the sink if there is one; −inf where nothing may be attended."""
    total = scores(q, k, rule).logsumexp(-1)
    if rule.sinks is None:
        return total
    return torch.logaddexp(total, rule.sinks.to(total.dtype)[None, :, None]).masked_fill(
        total == -torch.inf, -torch.inf
    )


def weights(q: Queries, k: Keys, rule: ScoreRule) -> Weights:
    """``weight_ij = exp(score_ij − lse_i)``: each row sums to 1 (less with a sink), to 0 if it may attend to nothing.

    The example of the texts: the second of three words has the scores 0.5, 1 and 0.2, and so gives the third word
    exp(0.2) / (exp(0.5) + exp(1) + exp(0.2)) = 1.2214 / 5.5884 = 0.2186.
    """
    lse = log_sum_exp(q, k, rule)
    return (scores(q, k, rule) - lse.masked_fill(lse == -torch.inf, 0.0)[..., None]).exp()


def attention(
    q: Queries, k: Keys, v: Float[Tensor, "batch kv_heads keys value_dim"], rule: ScoreRule
) -> Float[Tensor, "batch heads queries value_dim"]:
    """``Attention(Q, K, V) = softmax(Q·Kᵀ/√d_k)·V`` (Vaswani et al. 2017, arXiv:1706.03762), under ``rule``."""
    v = v.repeat_interleave(q.shape[1] // v.shape[1], dim=1)
    return product(weights(q, k, rule), v)
