"""The fused kernels, and all use that this package makes of PyTorch's private operators.

PyTorch's public ``scaled_dot_product_attention`` computes the log-sum-exp (LSE) of every row and throws it away.
On the CPU the operator underneath returns both at the same cost. Where there is none, the same result comes from
plain operations over blocks of queries, so that n×n numbers never exist at once: slower, and said by
:func:`has_fused_kernel`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["attend", "has_fused_kernel", "product", "sdpa_with_lse"]

_FLASH = 1  # torch.nn.attention.SDPBackend.FLASH_ATTENTION, whose import costs more than this line
_BLOCK = 2**22  # scores that the plain path holds at once


def _cpu_kernel() -> Callable[..., tuple[Tensor, Tensor]] | None:
    return getattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu", None)


def has_fused_kernel(tensor: Tensor) -> bool:
    """Whether :func:`attend` runs one fused kernel for tensors like this one."""
    return tensor.device.type == "cpu" and tensor.dtype.is_floating_point and _cpu_kernel() is not None


def product(a: Tensor, b: Tensor) -> Tensor:
    """``a @ b`` in the dtype of both, also where autocast would round it: a map is exact wherever it is looked at."""
    with torch.autocast(a.device.type, enabled=False):
        return a @ b


def attend(
    q: Float[Tensor, "batch heads queries head_dim"],
    k: Float[Tensor, "batch kv_heads keys head_dim"],
    v: Float[Tensor, "#batch #kv_heads keys value_dim"],
    *,
    added: Float[Tensor, "#batch #heads #queries keys"] | None = None,
    causal: bool = False,
    scale: float,
) -> tuple[Float[Tensor, "batch heads queries value_dim"], Float[Tensor, "batch heads queries"]]:
    """``softmax(scale · q·kᵀ + added) · v`` and the LSE of each row, in one pass over the keys.

    ``causal`` is the triangle of a square map. A row whose scores are all −inf gives output 0 and an LSE that is
    whatever the kernel stores for it (0 on the CPU): the caller knows its mask and normalises that.

    Values may be of any width: the CPU kernel wants the width of the keys, so they are padded or taken in turns.
    """
    v = v.expand(k.shape[0], k.shape[1], -1, -1)
    if 0 in q.shape or 0 in k.shape:  # the kernel would divide by the size
        return q.new_zeros((*q.shape[:3], v.shape[-1])), q.new_full(q.shape[:3], -math.inf)
    if not has_fused_kernel(q):
        return _attend_plain(q, k, v, added=added, causal=causal, scale=scale)
    kernel = _cpu_kernel()
    assert kernel is not None
    width = q.shape[-1]
    outputs: list[Tensor] = []
    lse = None
    for start in range(0, max(1, v.shape[-1]), width):
        part = v[..., start : start + width]
        count = part.shape[-1]
        if count < width:
            part = torch.nn.functional.pad(part, (0, width - count))
        output, lse = kernel(
            _unit_stride(q), _unit_stride(k), _unit_stride(part), 0.0, causal, attn_mask=added, scale=scale
        )
        outputs.append(output[..., :count])
    assert lse is not None
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1), lse


def _unit_stride(tensor: Tensor) -> Tensor:
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()


def _attend_plain(
    q: Tensor, k: Tensor, v: Tensor, *, added: Tensor | None, causal: bool, scale: float
) -> tuple[Tensor, Tensor]:
    """The same by plain operations, a block of queries at a time."""
    batch, heads, queries, _ = q.shape
    groups = heads // k.shape[1]
    k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
    keys = k.shape[2]
    step = max(1, _BLOCK // max(1, batch * heads * keys))
    outputs, sums = [], []
    for row in range(0, queries, step):
        scores = product(q[:, :, row : row + step] * scale, k.transpose(-1, -2))
        if added is not None:
            scores = scores + (added if added.shape[-2] == 1 else added[..., row : row + step, :])
        if causal:
            last = torch.arange(row, row + scores.shape[-2], device=q.device)[:, None]
            scores = scores.masked_fill(torch.arange(keys, device=q.device) > last, -torch.inf)
        lse = scores.logsumexp(-1)
        weights = (scores - lse.nan_to_num(neginf=0.0)[..., None]).exp()
        outputs.append(product(weights, v))
        sums.append(lse)
    return torch.cat(outputs, -2), torch.cat(sums, -1)


def sdpa_with_lse(
    original: Callable[..., Tensor],
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Exactly ``original(…)``, with the LSE where the kernel that PyTorch chooses for this call gives it away.

    The output has the bits of ``scaled_dot_product_attention``: either the very operator that it would dispatch to
    is called (the CPU flash kernel, whose arguments are prepared the same way), or the original itself, and then the
    LSE is ``None`` and can be recomputed later from q and k.
    """
    kernel = _cpu_kernel()
    rest: dict[str, Any] = {"scale": scale, "enable_gqa": enable_gqa}
    tensors = [query, key, value] + ([attn_mask] if attn_mask is not None else [])
    if (
        kernel is None
        or dropout_p > 0.0
        or any(type(x) not in (Tensor, torch.nn.Parameter) or x.device.type != "cpu" or x.dim() != 4 for x in tensors)
        or query.dtype != key.dtype
        or query.dtype != value.dtype
        or torch._fused_sdp_choice(query, key, value, attn_mask, dropout_p, is_causal, **rest) != _FLASH
    ):
        return original(query, key, value, attn_mask, dropout_p, is_causal, **rest), None
    if torch.is_autocast_enabled("cpu") and query.dtype != torch.float64:
        # What autocast does to the arguments of scaled_dot_product_attention, which is on its list.
        lower = torch.get_autocast_dtype("cpu")
        query, key, value = query.to(lower), key.to(lower), value.to(lower)
        if attn_mask is not None and attn_mask.is_floating_point() and attn_mask.dtype != torch.float64:
            attn_mask = attn_mask.to(lower)
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        added = torch.zeros(attn_mask.shape, dtype=query.dtype, device=query.device)
        attn_mask = added.masked_fill_(attn_mask.logical_not(), -math.inf)
    return kernel(query, key, value, dropout_p, is_causal, attn_mask=attn_mask, scale=scale)
