"""Any attention at all by plain operations, a block of queries at a time.

Several times slower than a fused kernel, and needed where none fits: soft-caps, other normalizers than softmax,
dropout, biases that are trained. Each block is computed again in the backward pass, so that n×n numbers exist neither
then nor in between.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from clearhead.mechanisms.calls import key_runs
from clearhead.mechanisms.dropout import dropout as dropped
from clearhead.mechanisms.fused import product
from clearhead.mechanisms.recompute import Place, in_blocks
from clearhead.mechanisms.rule import ScoreRule
from clearhead.shapes import Keys, PerQuery, Queries, exact_dtype

__all__ = ["attend", "blocks", "of_bias", "rows_and_keys", "run_scores", "tile_scores"]

_SCORES = 2**22  # scores of one block
_KEPT = 2**20  # scores of short texts, which take less memory than the layers around them


def blocks(shape: tuple[int, ...], most: int | None = None) -> list[range]:
    """Queries in runs, of at most ``most``, of which the scores of all heads and keys fit in memory with ease."""
    batch, heads, queries, keys = shape
    step = max(1, min(most or queries, _SCORES // max(1, batch * heads * keys)))
    return [range(start, min(start + step, queries)) for start in range(0, queries, step)]


def attend(
    q: Queries,
    k: Keys,
    v: Float[Tensor, "batch kv_heads keys value_dim"],
    rule: ScoreRule,
    *,
    dropout: float = 0.0,
    with_map: bool = True,
) -> tuple[Float[Tensor, "batch heads queries value_dim"], PerQuery | None]:
    """The output, and what the weights of each row share: with softmax, the LSE. Everything is differentiable.

    Without a map nobody wants the latter, and it is not computed where the weights can do without.
    """
    with_statistic = with_map or rule.sinks is not None
    keys, versions = k.shape[2], rule.versions() if torch.is_grad_enabled() else None
    sinks = [] if rule.sinks is None else [rule.sinks]
    bias = [] if rule.bias is None else [rule.bias]

    seen = key_runs(rule, q.shape[2], keys)

    def places(rows: range) -> list[Place]:
        row, key = rows_and_keys(rows, seen.at_least_one(rows), q.device)
        return [row, key, key, *(of_bias(x, row, key) for x in bias), *((slice(None),) for _ in sinks)]

    def block(rows: range, q: Tensor, k: Tensor, v: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        if versions is not None:
            rule.check_unchanged(versions)
        own = rule if rule.sinks is None else replace(rule, sinks=rest[-1])
        scores = run_scores(own, q, k, rest[0] if bias else None, rows, seen.at_least_one(rows))
        if with_statistic:
            statistic = own.statistic(scores)
            weights = own.normalizer.weights(scores, statistic)
        else:
            weights = own.normalizer.of_rows(scores)
        weights = dropped(weights, dropout)
        folded = weights.reshape(v.shape[0], v.shape[1], q.shape[1] // v.shape[1] * len(rows), v.shape[2])
        output = product(folded, v.to(scores.dtype)).reshape(*q.shape[:3], v.shape[-1])
        return (output.to(q.dtype), statistic) if with_statistic else (output.to(q.dtype),)

    parts = blocks((*q.shape[:3], seen.widest), seen.height)
    tensors, counts = [q, k, v, *bias, *sinks], [len(part) for part in parts]
    output, *rest = in_blocks(
        block,
        parts,
        tensors,
        places,
        rows=counts,
        read=rule.trained(),
        random=dropout > 0,
        keep=math.prod((*q.shape[:3], seen.widest)) <= _KEPT,
    )
    return output, rest[0] if rest else None


def rows_and_keys(rows: range, runs: list[range], device: torch.device) -> tuple[Place, Place]:
    """Where these queries and keys are."""
    every = slice(None)
    keys: slice | Tensor = slice(runs[0].start, runs[0].stop)
    if len(runs) > 1:
        keys = torch.cat([torch.arange(run.start, run.stop, device=device) for run in runs])
    return (every, every, slice(rows.start, rows.stop)), (every, every, keys)


def of_bias(bias: Tensor, row: Place, key: Place) -> Place:
    """Where what is added to their scores is; a bias may have one number for all queries."""
    return slice(None), slice(None), slice(None) if bias.shape[2] == 1 else row[2], key[2]


def run_scores(
    rule: ScoreRule,
    q: Float[Tensor, "batch heads rows head_dim"],
    k: Float[Tensor, "batch kv_heads seen head_dim"],
    bias: Float[Tensor, "#batch #heads #rows seen"] | None,
    rows: range,
    runs: list[range],
) -> Float[Tensor, "batch heads rows seen"]:
    """The scores of some runs of keys, side by side; k and bias hold those keys."""
    if len(runs) == 1:
        return tile_scores(rule, q, k, bias, rows, runs[0])
    lengths = [len(run) for run in runs]
    biases = [None] * len(runs) if bias is None else bias.split(lengths, 3)
    parts = zip(k.split(lengths, 2), biases, runs, strict=True)
    return torch.cat([tile_scores(rule, q, part, own, rows, run) for part, own, run in parts], -1)


def tile_scores(
    rule: ScoreRule,
    q: Float[Tensor, "batch heads rows head_dim"],
    k: Float[Tensor, "batch kv_heads columns head_dim"],
    bias: Float[Tensor, "#batch #heads #rows columns"] | None,
    rows: range,
    columns: range,
) -> Float[Tensor, "batch heads rows columns"]:
    """The scores of a tile from its own queries, keys and bias, −inf where the mask forbids."""
    dtype = exact_dtype(q.dtype)
    # Query heads that share a key head are rows of one product, so that keys are not repeated.
    folded = q.to(dtype).reshape(*k.shape[:2], q.shape[1] // k.shape[1] * len(rows), q.shape[-1])
    scaled = product(folded, k.to(dtype).transpose(-1, -2)).mul_(rule.scale)
    return rule.finish_tile(scaled.view(*q.shape[:3], len(columns)), rows, columns, bias)
