"""``attention``: the one mechanism, on the fastest path that computes what is asked for."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from clearhead.masks import Mask
from clearhead.mechanisms import decoding, dense, flex, fused, streamed
from clearhead.mechanisms.calls import calls_under
from clearhead.mechanisms.normalizers import Normalizer
from clearhead.mechanisms.plan import Plan, choose
from clearhead.mechanisms.request import Request, prepare
from clearhead.mechanisms.rule import ScoreRule
from clearhead.positions import Bias
from clearhead.shapes import exact_dtype, may_be_asked

__all__ = ["attention", "compute"]


def attention(
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
) -> Tensor:
    """``Attention(Q, K, V) = softmax(scale · Q·Kᵀ + bias)·V`` (Vaswani et al. 2017, arXiv:1706.03762).

    A query that may attend to nothing gives 0, and its gradient is 0, on every path. PyTorch's own function has no
    gradients of gradients on the CPU; where :func:`clearhead.explain` says ``sdpa``, take :func:`clearhead.attend`,
    which has them. NaN in q, k or v is not looked for
    (:func:`clearhead.layers.check_finite` does), and what a kernel makes of it may be any number.
    :func:`clearhead.attend` returns the map as well; :func:`clearhead.explain` says which path a call takes, and why.

    Args:
        q: ``(…, heads, queries, head_dim)``; any axes before, or none: ``(queries, head_dim)`` is one head.
        k: ``(…, kv_heads, keys, head_dim)``; kv_heads divides heads, and query head h uses key head
            ``h // (heads // kv_heads)``: grouped queries (Ainslie et al. 2023, arXiv:2305.13245).
        v: ``(…, kv_heads, keys, value_dim)``; value_dim may differ from head_dim.
        mask: Who may attend to whom: a rule like ``ch.Causal() & ch.Window(255, 0)``, or a boolean tensor that
            broadcasts to ``(batch, heads, queries, keys)``, True = may attend; all axes before heads count as one
            batch. ``ch.Causal()`` lets the last query stand at the last key; ``is_causal=True`` of PyTorch lets the
            first stand at the first, which differs where there are more keys than queries. ``clearhead.masks`` reads
            the masks of others: ``from_sdpa``, ``from_multihead``, ``from_huggingface``, ``from_additive``,
            ``from_mask_mod``.
        bias: Added to the scores: a tensor that broadcasts likewise, or a function of positions, ``ch.ALiBi`` or
            ``ch.RelativeBias``, which is never written out whole. A bias may be trained.
        scale: Factor of q·k; ``1/√head_dim`` if it is not given.
        normalizer: From scores to weights: ``"softmax"``, ``"sparsemax"``, ``"entmax15"``, ``"sigmoid"``, ``"relu"``,
            ``"none"`` (the weighted sum by the raw scores), or a :class:`Normalizer`.
        dropout: Share of weights that are set to 0 at random, the others being divided by 1 − dropout. Whoever calls
            this in evaluation leaves it 0.
        softcap: Bounds scores: ``softcap · tanh(score / softcap)``, before the bias (Gemma 2, arXiv:2408.00118).
        sinks: ``(heads,)``, one more logit a head that takes part in the softmax and nowhere else (gpt-oss).

    Returns:
        ``(…, heads, queries, value_dim)``, of q's dtype.

    Raises:
        ShapeError: Shapes that do not fit; the message names the axis.
        InputError: Dtypes or devices that differ, or an argument of the wrong kind.

    Example:
        Two tokens, one head of dimension 1, scale 1: the second query scores 0 and ln 3, so gives the weights 1/4 and
        3/4 to the values 0 and 4.

        >>> import math, torch, clearhead as ch
        >>> q = torch.tensor([[0.0], [1.0]])
        >>> k = torch.tensor([[0.0], [math.log(3)]])
        >>> v = torch.tensor([[0.0], [4.0]])
        >>> ch.attention(q, k, v, scale=1.0)
        tensor([[2.0000],
                [3.0000]])

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
    plan = choose(request, with_map=False)
    rule = None if plan.path in ("sdpa", "dense", "flex") else request.rule()
    return request.restore(compute(request, plan, rule, with_map=False)[0])


def compute(
    request: Request, plan: Plan, rule: ScoreRule | None, *, with_map: bool = True
) -> tuple[Tensor, Tensor | None]:
    """``(output, statistic)`` on the path that was chosen; the statistic (the LSE) where the path gives it."""
    if plan.path == "sdpa":
        return _sdpa(request), None
    if plan.path == "dense":
        return _dense(request), None
    if plan.path == "flex":
        return flex.attend(request), None
    if plan.path == "fused" and request.is_plain:
        return fused.attend(request.q, request.k, request.v, causal=request.is_square_causal, scale=request.scale)
    assert rule is not None
    if plan.path == "streamed":
        return streamed.attend(request.q, request.k, request.v, rule, dropout=request.dropout, with_map=with_map)
    return _fused(request, rule)


def _fused(request: Request, rule: ScoreRule) -> tuple[Tensor, Tensor]:
    q, k, v = request.q, request.k, request.v
    output, lse = fused.attend_calls(q, k, v, calls_under(rule, q, k), scale=rule.scale)
    empty = rule.empty_rows(q.shape[2], k.shape[2])
    if empty is not None:
        # Kernels store different numbers for a row that may attend to nothing: 0 on the CPU.
        lse = lse.masked_fill(empty, -math.inf)
    if rule.sinks is not None:
        with_sinks = rule.with_sinks(lse)
        return output * decoding.share(lse, with_sinks).to(output.dtype)[..., None], with_sinks
    return output, lse


def _sdpa(request: Request) -> Tensor:
    """PyTorch's own function, with mask and bias written out as one tensor if there are any."""
    q, k, v = request.q, request.k, request.v
    queries, keys = request.shape[2:]
    causal = request.is_square_causal and request.bias is None and request.position_bias is None
    added: Tensor | None = None
    empty: Tensor | None = None
    if request.mask is not None and not causal:
        allowed = request.mask.dense(queries, keys, device=q.device)
        # Kernels differ in what they make of a row without keys: here it attends to all, and its output is set to 0.
        empty = ~allowed.any(-1, keepdim=True)
        if may_be_asked(empty) and not bool(empty.any()):
            added, empty = allowed, None
        else:
            added = allowed | empty
    bias = _written_out(request)
    if bias is not None:
        # The kernel of the CPU takes a float32 bias beside bfloat16, and rounds nothing; others want one dtype.
        keeps = q.device.type == "cpu" and q.dtype.itemsize < 4
        bias = bias.to(torch.float32 if keeps else q.dtype)
        added = bias if added is None else bias.masked_fill(~added, -math.inf)
    width = v.shape[-1]
    if width != q.shape[-1] and q.device.type != "cuda":  # the kernel of the CPU has one width for all
        most = max(width, q.shape[-1])
        q, k, v = (torch.nn.functional.pad(x, (0, most - x.shape[-1])) for x in (q, k, v))
    shape, kv_heads = q.shape[:3], k.shape[1]
    if decoding.is_grouped(q.shape[1], kv_heads, q.shape[2]) and not causal and request.dropout == 0:
        q, added = decoding.by_key_head(q, added, kv_heads)
    output = torch.nn.functional.scaled_dot_product_attention(
        q,
        k,
        v,
        attn_mask=added,
        dropout_p=request.dropout,
        is_causal=causal,
        scale=request.scale,
        enable_gqa=q.shape[1] != kv_heads,
    )
    if output.shape != (*shape, width):
        output = output[..., :width].reshape(*shape, width)
    return output if empty is None else output.masked_fill(empty, 0.0)


def _dense(request: Request) -> Tensor:
    """The specification, where no other path can go."""
    queries, keys = request.shape[2:]
    dtype = exact_dtype(request.q.dtype)
    bias = _written_out(request)
    if request.mask is not None:
        allowed = request.mask.dense(queries, keys, device=request.q.device)
        bias = torch.zeros_like(allowed, dtype=dtype) if bias is None else bias.to(dtype)
        bias = bias.masked_fill(~allowed, -math.inf)
    rule = ScoreRule(
        request.scale, bias=bias, softcap=request.softcap, sinks=request.sinks, normalizer=request.normalizer
    )
    q, k, v = (x.to(dtype) for x in (request.q, request.k, request.v))
    return dense.attention(q, k, v, rule, dropout=request.dropout).to(request.q.dtype)


def _written_out(request: Request) -> Tensor | None:
    """All that is added to the scores, as one tensor."""
    queries, keys = request.shape[2:]
    bias = request.bias
    if request.position_bias is not None:
        query = torch.arange(keys - queries, keys, device=request.q.device)
        by_position = request.position_bias.tile(query, torch.arange(keys, device=request.q.device))
        bias = by_position if bias is None else bias + by_position
    return bias
