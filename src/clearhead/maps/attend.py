"""``attend``: attention together with its map."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from clearhead.maps.base import AttentionMap
from clearhead.maps.factored import FactoredMap
from clearhead.masks import Mask
from clearhead.mechanisms.attention import compute
from clearhead.mechanisms.normalizers import Normalizer
from clearhead.mechanisms.plan import choose
from clearhead.mechanisms.request import prepare
from clearhead.mechanisms.rule import ScoreRule
from clearhead.positions import Bias

__all__ = ["attend"]


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    mask: Mask | Tensor | None = None,
    bias: Tensor | Bias | None = None,
    scale: float | None = None,
    normalizer: str | Normalizer = "softmax",
    dropout: float = 0.0,
    softcap: float | None = None,
    sinks: Tensor | None = None,
) -> tuple[Tensor, AttentionMap]:
    """:func:`clearhead.attention` and the lazy map of its weights, at the same cost.

    The map keeps q, k and one number a row, O(tokens · head_dim). It shows the weights before dropout. Where q or k
    want a gradient, it flows through the map's weights and statistics too: an entropy penalty is
    ``amap.entropy().mean()``, a row to be supervised ``amap[0, 3, 10]``; add it to the loss and call
    ``backward`` once. ``amap.detach()`` lets go of that. ``amap.check()`` tests that rows sum to 1; to compare
    weights · values with the output as well, make the map with
    ``AttentionMap.from_qk(q, k, …, values=v, output=output)``.

    A function that calls ``attend`` compiles to one graph and may return the map; the map is looked at outside.

    Args:
        q: ``(…, heads, queries, head_dim)``; see :func:`clearhead.attention` for all arguments.
        k: ``(…, kv_heads, keys, head_dim)``.
        v: ``(…, kv_heads, keys, value_dim)``.
        mask: Who may attend to whom.
        bias: Added to the scores.
        scale: Factor of q·k, 1/√head_dim by default.
        normalizer: From scores to weights; every normalizer has a map.
        dropout: Share of weights dropped in the output.
        softcap: Bounds scores.
        sinks: One more logit a head.

    Returns:
        The output, ``(…, heads, queries, value_dim)``, and the map, ``(batch, heads, queries, keys)``, all axes before
        heads being one.

    Raises:
        ShapeError: Shapes that do not fit.
        InputError: Dtypes or devices that differ, or an argument of the wrong kind.

    Example:
        >>> import math, torch, clearhead as ch
        >>> q = torch.tensor([[0.0], [1.0]])
        >>> k = torch.tensor([[0.0], [math.log(3)]])
        >>> output, amap = ch.attend(q, k, torch.tensor([[0.0], [4.0]]), scale=1.0)
        >>> amap[0, 0, 1]
        tensor([0.2500, 0.7500])

    """
    request = prepare(
        q,
        k,
        v,
        mask=mask,
        bias=bias,
        scale=scale,
        normalizer=normalizer,
        dropout=dropout,
        softcap=softcap,
        sinks=sinks,
    )
    plan = choose(request, with_map=True)
    # Without tensors that could change, the rule is made when the map is first looked at.
    rule = None if request.is_plain and plan.path == "fused" else request.rule()
    output, statistic = compute(request, plan, rule)
    if request.q.itemsize < 4:  # the kernel rounds its sums; the map computes its own when it is first looked at
        statistic = None
    later = partial(_plain_rule, request.mask, request.scale, request.shape, request.q.device)
    amap = FactoredMap(request.q, request.k, rule or later, lse=statistic, attached=True)
    return request.restore(output), amap


def _plain_rule(mask: Mask | None, scale: float, shape: tuple[int, ...], device: torch.device) -> ScoreRule:
    return ScoreRule(scale, None if mask is None else mask.bind(shape[2], shape[3], device))
