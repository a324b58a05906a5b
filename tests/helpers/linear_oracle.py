"""Linear attention written out in float64: all pairs, and token by token. Nothing here calls clearhead.

Features and decays are given, so that each of them is the caller's to get right.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["differs_by", "elu", "pairs", "token_by_token", "weights_of"]


def elu(x: Tensor) -> Tensor:
    return torch.where(x > 0, x + 1, x.exp())


def weights_of(
    q: Tensor,
    k: Tensor,
    *,
    causal: bool = False,
    decay: Tensor | None = None,
    present: Tensor | None = None,
    normalize: bool = True,
) -> Tensor:
    """From features (batch, heads, tokens, features) and decays (batch, heads, keys, 1 or features), all pairs."""
    queries, keys = q.shape[2], k.shape[2]
    place = torch.arange(queries)[:, None] + keys - queries
    weights = torch.zeros(*q.shape[:3], keys, dtype=torch.float64)
    for j in range(keys):
        between = torch.ones(*q.shape[:2], 1, dtype=torch.float64)
        for i in range(queries):
            product = q[:, :, i] * k[:, :, j]
            if decay is not None and causal:
                at = int(place[i])
                between = decay[:, :, j + 1 : at + 1].double().prod(2) if at > j else torch.ones_like(decay[:, :, 0])
            weights[:, :, i, j] = (product * between).sum(-1)
    if causal:
        weights = weights * (torch.arange(keys) <= place)
    if present is not None:
        weights = weights * present[:, None, None]
    if normalize:
        total = weights.sum(-1, keepdim=True)
        weights = torch.where(total == 0, 0.0, weights / torch.where(total == 0, 1.0, total))
    return weights


def pairs(weights: Tensor, v: Tensor) -> Tensor:
    return weights @ v.double()


def token_by_token(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    decay: Tensor | None = None,
    rate: Tensor | None = None,
    normalize: bool = True,
) -> tuple[Tensor, Tensor, Tensor]:
    """The recurrence as it is written in the papers, and the last S and z."""
    matrix = torch.zeros(*k.shape[:2], k.shape[-1], v.shape[-1], dtype=torch.float64)
    total = torch.zeros(*k.shape[:2], k.shape[-1], dtype=torch.float64)
    outputs = []
    for i in range(q.shape[2]):
        if decay is not None:
            matrix, total = matrix * decay[:, :, i, :, None], total * decay[:, :, i]
        key, value = k[:, :, i], v[:, :, i].double()
        if rate is not None:
            value = rate[:, :, i, None] * (value - torch.einsum("bhf,bhfv->bhv", key, matrix))
        matrix = matrix + torch.einsum("bhf,bhv->bhfv", key, value)
        total = total + key
        output = torch.einsum("bhf,bhfv->bhv", q[:, :, i], matrix)
        if normalize:
            output = output / (q[:, :, i] * total).sum(-1, keepdim=True)
        outputs.append(output)
    return torch.stack(outputs, 2), matrix, total


def differs_by(found: Tensor, wanted: Tensor) -> float:
    """The largest difference, relative to the largest number that is wanted; infinity for NaN and other shapes."""
    if found.shape != wanted.shape or bool(found.isnan().any()):
        return float("inf")
    if not found.numel():
        return 0.0
    return float((found.double() - wanted).abs().max() / wanted.abs().max().clamp(min=1e-300))
