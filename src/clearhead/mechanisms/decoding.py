"""A few queries on many keys, as when a text is generated token by token: what costs is reading the keys once.

Two rearrangements, of shapes alone. Query heads that share a key head become rows of one product, so that their keys
are read once and not once a head. Where there are fewer key heads than cores, the keys are cut into as many parts, each
a text of its own, and the parts are put together by their LSE.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["by_key_head", "is_grouped", "parts_for", "run", "share", "without_keys"]

_FEW = 64  # rows of one product that the kernel takes as readily as one
_LONG = 4096  # keys from which on parts pay

Kernel = Callable[[Tensor, Tensor, Tensor, Tensor | None], tuple[Tensor, Tensor]]


def is_grouped(heads: int, kv_heads: int, queries: int) -> bool:
    """Whether query heads that share a key head are few enough to become rows of one product."""
    if kv_heads == heads:
        return False
    # A compiler takes any other comparison for a bound on the number of tokens.
    return queries == 1 if torch.compiler.is_compiling() else heads // kv_heads * queries <= _FEW


def by_key_head(q: Tensor, added: Tensor | None, kv_heads: int) -> tuple[Tensor, Tensor | None]:
    """``(batch, heads, queries, …)`` to ``(batch, kv_heads, heads / kv_heads · queries, …)``, and what is added."""
    batch, heads, queries, width = q.shape
    groups = heads // kv_heads
    folded = q.reshape(batch, kv_heads, groups * queries, width)
    if added is not None and (added.shape[1] > 1 or added.shape[2] > 1):
        wide = added.expand(added.shape[0], added.shape[1] if added.shape[1] == 1 else heads, queries, -1)
        if wide.shape[1] == 1:
            added = wide.repeat(1, 1, groups, 1)
        else:
            added = wide.reshape(wide.shape[0], kv_heads, groups * queries, wide.shape[3])
    return folded, added


def parts_for(batch: int, kv_heads: int, queries: int, keys: int) -> int:
    """Into how many parts keys are cut: one for each core that would have nothing to do."""
    if batch > 1 or queries > _FEW or keys < _LONG:
        return 1
    return max(1, torch.get_num_threads() // kv_heads)


def run(kernel: Kernel, q: Tensor, k: Tensor, v: Tensor, added: Tensor | None) -> tuple[Tensor, Tensor]:
    """``kernel(q, k, v, added)``: output and LSE, rearranged where that is faster."""
    shape, kv_heads = q.shape[:3], k.shape[1]
    grouped = is_grouped(q.shape[1], kv_heads, q.shape[2])
    if grouped:
        q, added = by_key_head(q, added, kv_heads)
    parts = parts_for(q.shape[0], kv_heads, q.shape[2], k.shape[2])
    output, lse = kernel(q, k, v, added) if parts == 1 else _in_parts(kernel, q, k, v, added, parts)
    if not grouped:
        return output, lse
    return output.reshape(*shape, output.shape[-1]), lse.reshape(shape)


def _in_parts(
    kernel: Kernel, q: Tensor, k: Tensor, v: Tensor, added: Tensor | None, parts: int
) -> tuple[Tensor, Tensor]:
    """``kernel(q, k, v, added)`` of one text, by as many parts of the keys at once; what is left over by itself."""
    each = k.shape[2] // parts
    whole = each * parts

    def cut(x: Tensor, axis: int) -> Tensor:
        """Parts of the keys as so many texts, which copies nothing."""
        apart: Tensor = x.narrow(axis, 0, whole).unflatten(axis, (parts, each))
        return apart.movedim(axis, 0)[:, 0]

    wide = None if added is None else added.expand(*added.shape[:-1], k.shape[2])
    mask = None if wide is None else cut(wide, 3)
    output, lse = kernel(q.expand(parts, -1, -1, -1), cut(k, 2), cut(v, 2), mask)
    lse = without_keys(lse, mask)
    if whole < k.shape[2]:
        mask = None if wide is None else wide[..., whole:]
        last, rest = kernel(q, k[:, :, whole:], v[:, :, whole:], mask)
        output, lse = torch.cat([output, last]), torch.cat([lse, without_keys(rest, mask)])
    total = lse.logsumexp(0, keepdim=True)
    merged = (output.to(lse.dtype) * share(lse, total)[..., None]).sum(0, keepdim=True)
    return merged.to(output.dtype), total


def share(lse: Tensor, total: Tensor) -> Tensor:
    """What part of all weights, whose LSE is ``total``, those of ``lse`` are; 0 where there are none at all."""
    return (lse - total.masked_fill(total == -torch.inf, 0.0)).exp()


def without_keys(lse: Tensor, mask: Tensor | None) -> Tensor:
    """−inf where a query may attend to nothing, for which kernels store any number."""
    return lse if mask is None else lse.masked_fill(mask.amax(-1) == -torch.inf, -torch.inf)
