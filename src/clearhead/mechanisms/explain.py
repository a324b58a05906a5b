"""``explain``: which path an attention call takes, why, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from clearhead.masks import Mask, Tile
from clearhead.mechanisms import flex, fused, streamed
from clearhead.mechanisms.calls import calls_under, foldable, key_runs
from clearhead.mechanisms.normalizers import Normalizer
from clearhead.mechanisms.plan import Path, choose
from clearhead.mechanisms.request import Request, prepare
from clearhead.positions import Bias

__all__ = ["Explanation", "engineering", "explain"]


@dataclass(frozen=True)
class Explanation:
    """What one call of attention does. Printing it gives a few lines to read."""

    path: Path
    """``sdpa``, ``fused``, ``flex``, ``streamed`` or ``dense``; see :class:`clearhead.mechanisms.plan.Plan`."""
    reasons: tuple[str, ...]
    """Why not a faster path."""
    calls: int
    """How many calls of the kernel, or blocks of queries, follow one another."""
    pairs: int
    """(query, key) pairs that are computed, of one head of one text."""
    share: float
    """These pairs as a share of queries × keys."""
    bytes_copied: int
    """Bytes of keys and values of scattered tiles that are copied together, a few blocks at a time; those of windows
    are read where they lie."""
    flops: int
    """Floating-point operations of the forward pass: 2 for each pair and column of keys and of values."""
    bytes_read: int
    """Bytes of q, k, v and the output: the least that has to move through memory."""
    bytes_extra: int
    """The most bytes of masks, biases and scores that exist at once besides."""
    bytes_kept: int
    """Bytes that stay until the backward pass, where there is one; with ``with_map``, what the map keeps as well."""

    def __str__(self) -> str:
        calls = "one call" if self.calls == 1 else f"{self.calls:,} calls"
        # The kernels compute the scores again; what is streamed computes the output again as well.
        back = {"dense": 2.0, "streamed": 3.0}.get(self.path, 2.5)
        work = (self.flops, round(self.flops * back))
        forward, backward = (engineering(x, "FLOP") for x in work)
        sizes = (self.bytes_read, self.bytes_extra, self.bytes_kept, self.bytes_copied)
        read, extra, kept, copied = (engineering(x, "B") for x in sizes)
        lines = [
            f"path: {self.path}, {calls}",
            *(f"  because {reason}" for reason in self.reasons),
            f"pairs: {self.pairs:,} of each head computed, {self.share:.1%} of queries × keys",
            *([f"copied: {copied} of keys and values"] if self.bytes_copied else []),
            f"forward: {forward}; backward: {backward}",
            f"bytes: {read} of q, k, v and output, {extra} of masks or scores at once, {kept} kept for the backward",
        ]
        return "\n".join(lines)


def explain(
    q: Tensor,
    k: Tensor,
    v: Tensor | None = None,
    *,
    mask: Mask | Tensor | None = None,
    bias: Tensor | Bias | None = None,
    scale: float | None = None,
    normalizer: str | Normalizer = "softmax",
    dropout: float = 0.0,
    softcap: float | None = None,
    sinks: Tensor | None = None,
    with_map: bool = False,
) -> Explanation:
    """Which path :func:`clearhead.attention` takes for these arguments, why not a faster one, and what it costs.

    Nothing is computed but shapes and which tiles a mask leaves. ``with_map=True`` explains :func:`clearhead.attend`.

    Args:
        q: As in :func:`clearhead.attention`, like all others.
        k: Keys.
        v: Values; if they are left out they are taken to have the shape of the keys.
        mask: Who may attend to whom.
        bias: Added to the scores.
        scale: Factor of q·k.
        normalizer: From scores to weights.
        dropout: Share of weights dropped.
        softcap: Bounds scores.
        sinks: One more logit a head.
        with_map: Explain ``attend`` instead.

    Raises:
        ShapeError: Shapes that do not fit.
        InputError: An argument of the wrong kind.

    Example:
        >>> import torch, clearhead as ch
        >>> q = torch.zeros(1, 8, 1024, 64)
        >>> print(ch.explain(q, q, mask=ch.Causal()))
        path: sdpa, one call
          because nothing stands in the way
        pairs: 524,800 of each head computed, 50.0% of queries × keys
        forward: 1.07 GFLOP; backward: 2.69 GFLOP
        bytes: 8.39 MB of q, k, v and output, 0 B of masks or scores at once, 8.42 MB kept for the backward

    """
    request = prepare(
        q,
        k,
        k if v is None else v,
        mask=mask,
        bias=bias,
        scale=scale,
        normalizer=normalizer,
        dropout=dropout,
        softcap=softcap,
        sinks=sinks,
    )
    plan = choose(request, with_map=with_map)
    parts = list(_parts(request, plan.path))
    batch, heads, queries, keys = request.shape
    width = _width(request, plan.path)
    pairs = round(sum(part.pairs for part in parts))
    output = batch * heads * queries * request.v.shape[-1]
    size = request.q.itemsize
    read = (request.q.numel() + request.k.numel() + request.v.numel() + output) * size
    lse = batch * heads * queries * (8 if request.q.dtype == torch.float64 else 4)
    return Explanation(
        path=plan.path,
        reasons=plan.reasons,
        calls=len(parts),
        pairs=pairs,
        share=pairs / max(1, queries * keys),
        bytes_copied=sum(part.bytes_copied for part in parts),
        flops=2 * batch * heads * pairs * width,
        bytes_read=read,
        bytes_extra=max((part.bytes_extra for part in parts), default=0),
        bytes_kept=read + (lse if plan.path in ("fused", "flex", "streamed") else lse + parts[0].bytes_extra),
    )


def _width(request: Request, path: Path) -> int:
    """Columns of keys and of values that are multiplied for each pair."""
    head_dim, value_dim = request.q.shape[-1], request.v.shape[-1]
    if path not in ("sdpa", "fused"):
        return head_dim + value_dim
    if path == "sdpa":
        return 2 * max(head_dim, value_dim)
    # ALiBi is two more columns, and the width of a call then a multiple of 8.
    folded = foldable(request.rule(), request.q.dtype) is not None
    width = fused.call_width(head_dim, value_dim)
    wide = -(-(width + 2) // 8) * 8 if folded else width
    return 2 * wide * -(-value_dim // width)


@dataclass(frozen=True)
class _Part:
    pairs: float | int
    bytes_extra: int
    bytes_copied: int = 0


def _parts(request: Request, path: Path) -> Iterator[_Part]:
    batch, heads, queries, keys = request.shape
    if request.is_square_causal and path == "sdpa" and request.bias is None and request.position_bias is None:
        yield _Part(queries * (queries + 1) // 2, 0)
        return
    if path in ("sdpa", "dense"):
        wide = [1, 1] if request.mask is None else list(request.mask.breadth)
        if request.bias is not None:
            wide = [max(wide[0], request.bias.shape[0]), max(wide[1], request.bias.shape[1])]
        if request.position_bias is not None:
            wide[1] = heads
        written = request.mask is not None or request.bias is not None or request.position_bias is not None
        whole = queries * keys * 4
        yield _Part(queries * keys, batch * heads * whole if path == "dense" else wide[0] * wide[1] * whole * written)
        return
    if path == "flex":
        assert request.mask is not None
        tiles = request.mask.tiles(queries, keys, flex.SIDE) > Tile.EMPTY
        yield _Part(float(tiles.double().mean()) * queries * keys, tiles.numel() * 8)
        return
    rule = request.rule()
    if path == "streamed":
        seen = key_runs(rule, queries, keys)
        for rows in streamed.blocks((batch, heads, queries, seen.widest), seen.height):
            pairs = len(rows) * sum(len(run) for run in seen.of(rows))
            yield _Part(pairs, batch * heads * pairs * 4)
        return
    for call in calls_under(rule, request.q, request.k)():
        # Pairs of one head of one text, on average where they differ.
        share = (1 if call.text is None else batch) * (1 if call.head is None else heads)
        own = (call.own(x, heads // x.shape[1]).shape for x in (request.k, request.v))
        copied = sum(texts * some * width for texts, some, _, width in own) * call.columns.copied * request.k.itemsize
        yield _Part(call.pairs / share, 0 if call.added is None else call.added.nbytes, copied)


def engineering(count: int, unit: str) -> str:
    """A number of a unit, in three digits."""
    size = float(count)
    for prefix in ("", "k", "M", "G", "T", "P"):
        if size < 1000:
            return f"{size:.3g} {prefix}{unit}"
        size /= 1000
    return f"{size:.3g} E{unit}"
