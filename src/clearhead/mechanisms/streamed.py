"""Any attention at all by plain operations, a block of queries at a time.

Several times slower than a fused kernel, and needed where none fits: soft-caps, other normalizers than softmax,
dropout, biases that are trained. Each block is computed again in the backward pass, so that n×n numbers exist neither
then nor in between.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from clearhead.mechanisms.fused import product
from clearhead.mechanisms.rule import ScoreRule
from clearhead.shapes import Keys, PerQuery, Queries

__all__ = ["attend", "blocks"]

_SCORES = 2**22  # scores of one block


def blocks(shape: tuple[int, ...]) -> list[range]:
    """Queries in runs of which the scores of all heads and keys fit together in memory with ease."""
    batch, heads, queries, keys = shape
    step = max(1, _SCORES // max(1, batch * heads * keys))
    return [range(start, min(start + step, queries)) for start in range(0, queries, step)]


def attend(
    q: Queries,
    k: Keys,
    v: Float[Tensor, "batch kv_heads keys value_dim"],
    rule: ScoreRule,
    *,
    dropout: float = 0.0,
) -> tuple[Float[Tensor, "batch heads queries value_dim"], PerQuery]:
    """The output, and what the weights of each row share: with softmax, the LSE. Everything is differentiable."""
    shape = (*q.shape[:3], k.shape[2])
    learns = torch.is_grad_enabled() and any(x.requires_grad for x in (q, k, v, *rule.tensors().values(), *_read(rule)))
    versions = rule.versions() if learns else []
    outputs, sums = [], []
    for rows in blocks(shape):
        columns = rule.columns_for(rows, shape[-1])
        part = q[:, :, rows.start : rows.stop]
        some_k, some_v = (x[:, :, columns.start : columns.stop] for x in (k, v))
        if learns:
            # What is random in a block is the same again in the backward pass: checkpoint keeps the generator's state.
            output, statistic = checkpoint(
                _block,
                *(part, some_k, some_v, rule, rows, columns, dropout, versions),
                use_reentrant=False,
                preserve_rng_state=dropout > 0,
            )
        else:
            output, statistic = _block(part, some_k, some_v, rule, rows, columns, dropout)
        outputs.append(output)
        sums.append(statistic)
    return torch.cat(outputs, 2), torch.cat(sums, 2)


def _read(rule: ScoreRule) -> list[Tensor]:
    return [] if rule.position_bias is None else rule.position_bias.tensors()


def _block(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    rule: ScoreRule,
    rows: range,
    columns: range,
    dropout: float,
    versions: list[int] | None = None,
) -> tuple[Tensor, Tensor]:
    if versions is not None:
        rule.check_unchanged(versions)
    dtype = torch.float64 if q.dtype == torch.float64 else torch.float32
    batch, heads, queries, width = q.shape
    shared = heads // k.shape[1] * queries
    # Query heads that share a key head are rows of one product, so that keys and values are not repeated.
    folded = q.to(dtype).reshape(batch, k.shape[1], shared, width)
    scaled = product(folded, k.to(dtype).transpose(-1, -2)) * rule.scale
    scores = rule.finish_tile(scaled.reshape(batch, heads, queries, len(columns)), rows, columns)
    statistic = rule.statistic(scores)
    weights = torch.dropout(rule.normalizer.weights(scores, statistic), dropout, train=dropout > 0)
    folded = weights.reshape(batch, v.shape[1], shared, len(columns))
    output = product(folded, v.to(dtype)).reshape(batch, heads, queries, v.shape[-1])
    return output.to(q.dtype), statistic
