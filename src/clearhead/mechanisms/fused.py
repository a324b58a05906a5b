"""The fused kernels, and all use that this package makes of PyTorch's private operators.

PyTorch's public ``scaled_dot_product_attention`` computes the log-sum-exp (LSE) of every row and throws it away.
On the CPU the operator underneath returns both at the same cost. Where there is none, the same result comes from
plain operations over blocks of queries, so that n×n numbers never exist at once: slower, and said by
:func:`has_fused_kernel`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from clearhead.mechanisms import decoding
from clearhead.mechanisms.calls import KernelCall, KernelCalls
from clearhead.mechanisms.normalizers import Softmax
from clearhead.mechanisms.places import over

__all__ = [
    "attend",
    "attend_calls",
    "call_width",
    "has_fused_kernel",
    "product",
    "sdpa_with_lse",
]

_FLASH = 1  # torch.nn.attention.SDPBackend.FLASH_ATTENTION, whose import costs more than this line
_BLOCK = 2**22  # scores that the plain path holds at once


@cache
def _cpu_kernel() -> Callable[..., tuple[Tensor, Tensor]] | None:
    return getattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu", None)


def has_fused_kernel(tensor: Tensor) -> bool:
    """Whether :func:`attend` runs one fused kernel for tensors like this one."""
    return tensor.device.type == "cpu" and tensor.dtype.is_floating_point and _cpu_kernel() is not None


def product(a: Tensor, b: Tensor) -> Tensor:
    """``a @ b`` in the dtype of both, also where autocast would round it: a map is exact wherever it is looked at."""
    if a.device.type == "meta":  # autocast knows nothing of it
        return a @ b
    with torch.autocast(a.device.type, enabled=False):
        return a @ b


Run = Callable[[KernelCall, Tensor, Tensor, Tensor, float], tuple[Tensor, Tensor]]


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
    whatever the kernel stores for it (0 on the CPU): the caller knows its mask and normalises that. Gradients flow
    through both results to q, k and v, not to ``added``.

    Values may be of any width: the CPU kernel wants the width of the keys, so they are padded or taken in turns.
    """
    kernel = _cpu_kernel()
    if (
        kernel is not None
        and q.device.type == "cpu"
        and q.shape[:2] == k.shape[:2] == v.shape[:2]
        and q.shape[3] == v.shape[3]
        and q.stride(3) == k.stride(3) == v.stride(3) == 1
        and 0 not in q.shape
        and 0 not in k.shape
        and not (torch.is_grad_enabled() and (q.requires_grad or k.requires_grad or v.requires_grad))
    ):
        # Nothing but the call: for short texts all else is a share of the time that shows.
        return kernel(q, k, v, 0.0, causal, attn_mask=added, scale=scale)

    def calls() -> Iterator[KernelCall]:
        yield KernelCall(over(range(q.shape[2])), over(range(k.shape[2])), added, causal)

    return attend_calls(q, k, v, calls, scale=scale)


def attend_calls(
    q: Float[Tensor, "batch heads queries head_dim"],
    k: Float[Tensor, "batch kv_heads keys head_dim"],
    v: Float[Tensor, "#batch #kv_heads keys value_dim"],
    calls: KernelCalls,
    *,
    scale: float,
) -> tuple[Float[Tensor, "batch heads queries value_dim"], Float[Tensor, "batch heads queries"]]:
    """:func:`attend`, put together from several calls; a query in none of them gives 0 and −inf.

    The backward pass makes its masks again, so what is kept for it is q, k, v, the output and the LSE.
    """
    v = v.expand(k.shape[0], k.shape[1], -1, -1)
    if 0 in q.shape or 0 in k.shape:  # the kernel would divide by the size
        return q.new_zeros((*q.shape[:3], v.shape[-1])), q.new_full(q.shape[:3], -math.inf)
    width = call_width(q.shape[-1], v.shape[-1])
    if width > q.shape[-1] and has_fused_kernel(q):
        q, k = (torch.nn.functional.pad(x, (0, width - x.shape[-1])) for x in (q, k))
    q, k = _unit_stride(q), _unit_stride(k)
    learns = torch.is_grad_enabled() and (q.requires_grad or k.requires_grad or v.requires_grad)
    outputs: list[Tensor] = []
    lse = None
    for start in range(0, max(1, v.shape[-1]), width):
        part = v[..., start : start + width]
        count = part.shape[-1]
        if count < width and has_fused_kernel(q):
            part = torch.nn.functional.pad(part, (0, width - count))
        if learns:
            output, sums = _Attend.apply(q, k, part, calls, scale)  # type: ignore[no-untyped-call]
        else:
            output, sums = _run_all(q, k, part, calls, scale)
        lse = sums if lse is None else lse
        outputs.append(output[..., :count])
    assert lse is not None
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1), lse


def call_width(head_dim: int, value_dim: int) -> int:
    """The width of one call: values that are wider than twice the keys are taken in turns."""
    return max(head_dim, value_dim) if value_dim <= 2 * head_dim else head_dim


class _Attend(torch.autograd.Function):
    """The calls of the kernel, forward and backward, through the output and through the LSE."""

    @staticmethod
    def forward(q: Tensor, k: Tensor, v: Tensor, calls: KernelCalls, scale: float) -> tuple[Tensor, Tensor]:
        return _run_all(q, k, v, calls, scale)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        q, k, v, ctx.calls, ctx.scale = inputs
        ctx.save_for_backward(q, k, _unit_stride(v), *output)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor | None, grad_lse: Tensor | None) -> tuple[Tensor | None, ...]:
        if grad_output is None and grad_lse is None:
            return (None,) * 5
        q, k, v, output, lse = ctx.saved_tensors
        lse = lse.masked_fill(lse == -math.inf, 0.0)  # the kernel subtracts it
        if torch.is_grad_enabled():  # gradients of gradients are wanted, which kernels have none of
            return (*_again(q, k, v, ctx, grad_output, grad_lse), None, None)
        sums: tuple[Tensor, ...] | None = None
        for call in ctx.calls():
            places = (call.rows, call.columns, call.columns)
            results = [_of_rows(call, x) for x in (output, lse)]
            wishes = [None if x is None else _of_rows(call, x) for x in (grad_output, grad_lse)]
            tensors = list(_parts(call, q, k, v))
            if _is_slow_in(q):
                tensors, results = ([x.float() for x in several] for several in (tensors, results))
                wishes = [None if x is None else x.float() for x in wishes]
            found = _run_backward(call, tensors, results, wishes, ctx.scale)
            if _is_whole(call, q, k):
                return (*(part.to(q.dtype) for part in found), None, None)
            if sums is None:
                sums = tuple(torch.zeros_like(_exact(x)) for x in (q, k, v))
            for x, total, part, place in zip((q, k, v), sums, found, places, strict=True):
                place.add(call.own(total, q.shape[1] // x.shape[1]), part)
        sums = sums or tuple(torch.zeros_like(x) for x in (q, k, v))
        return (*(total.to(x.dtype) for total, x in zip(sums, (q, k, v), strict=True)), None, None)


@cache
def _has_matrix_tiles() -> bool:
    return bool(getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)())


def _is_slow_in(tensor: Tensor) -> bool:
    """Whether the kernel's backward pass takes longer in this dtype than in float32, conversion included.

    Five times longer on CPUs that multiply no matrices of half precision.
    """
    return tensor.device.type == "cpu" and tensor.dtype.itemsize < 4 and not _has_matrix_tiles()


def _is_whole(call: KernelCall, q: Tensor, k: Tensor) -> bool:
    """Whether there is no other call besides this one."""
    one = call.text is None and call.head is None and call.columns.index is None
    return one and call.rows.length == q.shape[2] and call.columns.length == k.shape[2]


def _again(
    q: Tensor, k: Tensor, v: Tensor, ctx: Any, grad_output: Tensor | None, grad_lse: Tensor | None
) -> tuple[Tensor, ...]:
    """The gradients by plain operations, through which gradients flow in their turn; all scores are kept for that."""
    # Through other names, so that what one of them was computed from another counts once, outside; and with numbers of
    # their own, since the gradient of an overlapping view is shared out among equal places.
    q, k, v = (x.contiguous() if 0 in x.stride() else x.view_as(x) for x in (q, k, v))
    results = _run_all(q, k, v, ctx.calls, ctx.scale, _plain)
    pairs = [(x, grad) for x, grad in zip(results, (grad_output, grad_lse), strict=True) if grad is not None]
    outputs, wishes = zip(*pairs, strict=True)
    wanted = [x for x in (q, k, v) if x.requires_grad]
    found = iter(torch.autograd.grad(outputs, wanted, wishes, create_graph=True, materialize_grads=True))
    return tuple(next(found) if x.requires_grad else torch.zeros_like(x) for x in (q, k, v))


def _run_all(
    q: Tensor, k: Tensor, v: Tensor, calls: KernelCalls, scale: float, run: Run | None = None
) -> tuple[Tensor, Tensor]:
    """All calls, put together; each by the kernel, or by ``run``."""
    v = _unit_stride(v)
    found: tuple[Tensor, Tensor] | None = None
    for call in calls():
        folded = _folded(call, *_parts(call, q, k, v), scale)
        output, lse = (run or _run)(call, *folded, scale)
        output = output[..., : v.shape[-1]]
        if _is_whole(call, q, k):
            return output, lse
        if found is None:
            found = q.new_zeros((*q.shape[:3], v.shape[-1])), lse.new_full(q.shape[:3], -math.inf)
        if call.part is not None:
            lse = decoding.without_keys(lse, call.added)
        if call.part:
            _merge(call, found, output, lse)
        else:
            call.rows.put(call.own(found[0]), output)
            call.rows.put(call.own(found[1][..., None]), lse[..., None])
    if found is None:  # no query may attend to anything
        found = q.new_zeros((*q.shape[:3], v.shape[-1])), _exact(q).new_full(q.shape[:3], -math.inf)
    return found


def _merge(call: KernelCall, found: tuple[Tensor, Tensor], output: Tensor, lse: Tensor) -> None:
    """Put together what earlier calls found for the queries of this one, and what this one has."""
    into, sums = call.own(found[0]), call.own(found[1][..., None])
    before, old = call.rows.take(into), call.rows.take(sums)[..., 0]
    total = torch.logaddexp(old, lse)
    share, own = (decoding.share(x, total)[..., None] for x in (old, lse))
    if torch.is_grad_enabled() or call.rows.copied or output.dtype != lse.dtype:
        call.rows.put(into, (before.clone() * share + output * own).to(output.dtype))
    else:  # in place, where that loses no digits and nobody needs the old numbers
        before.mul_(share).addcmul_(output, own)
    call.rows.put(sums, total[..., None])


def _parts(call: KernelCall, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The queries, keys and values of one call."""
    groups = q.shape[1] // k.shape[1]
    k, v = (call.columns.take(call.own(x, groups)) for x in (k, v))
    return call.rows.take(call.own(q)), k, v


def _of_rows(call: KernelCall, x: Tensor) -> Tensor:
    """What belongs to the queries of one call; the LSE and its gradient have one number for each."""
    if x.dim() == 3:
        return call.rows.take(call.own(x[..., None]))[..., 0]
    return call.rows.take(call.own(x))


def _exact(tensor: Tensor) -> Tensor:
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def _folded(call: KernelCall, q: Tensor, k: Tensor, v: Tensor, scale: float) -> tuple[Tensor, Tensor, Tensor]:
    """ALiBi's slopes, where there are any, in two more columns of q and k."""
    if call.slope is None:
        return q, k, v
    slopes, shift = call.slope
    slopes = (slopes if call.head is None else slopes[call.head : call.head + 1]).to(q)
    row, key = (place.numbers(q.device) for place in (call.rows, call.columns))
    # Counted from the middle of each block of queries, which keeps the digits of near keys.
    middle = (row[:, :1] + row[:, -1:]) // 2 + shift
    row, key = (row + shift - middle)[:, None], (key - middle)[:, None]
    # slope·(j − i) = [slope, −slope·i]·[j, 1], all over scale, which the kernel multiplies by.
    slopes = (slopes / scale)[:, None]
    q_columns = torch.stack(torch.broadcast_tensors(slopes, -slopes * row), -1)
    k_columns = torch.stack([key, torch.ones_like(key)], -1).to(k)
    wide = -(-(q.shape[-1] + 2) // 8) * 8  # the kernels are fastest where the width is a multiple of 8
    q = torch.cat([q, q_columns.expand(*q.shape[:3], -1)], -1)
    k = torch.cat([k, k_columns.expand(*k.shape[:3], -1)], -1)
    q, k, v = (torch.nn.functional.pad(x, (0, wide - x.shape[-1])) for x in (q, k, v))
    return q, k, v


def _run(call: KernelCall, q: Tensor, k: Tensor, v: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    if call.added is not None:  # a kernel has no gradient for it, and refuses what wants one
        call = call._replace(added=call.added.detach())
    kernel = _cpu_kernel()
    if kernel is None or not has_fused_kernel(q):
        return _plain(call, q, k, v, scale)

    def run(q: Tensor, k: Tensor, v: Tensor, added: Tensor | None) -> tuple[Tensor, Tensor]:
        return kernel(q, k, v, 0.0, call.causal, attn_mask=added, scale=scale)

    if call.causal:
        return run(q, k, v, None)
    return decoding.run(run, q, k, v, call.added)


def _run_backward(
    call: KernelCall,
    tensors: Sequence[Tensor],
    results: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    scale: float,
) -> tuple[Tensor, ...]:
    """Gradients of one call with respect to its queries, keys and values."""
    (q, k, v), (output, lse), (grad_output, grad_lse) = tensors, results, gradients
    widths = [x.shape[-1] for x in (q, k, v)]
    q, k, v = _folded(call, q, k, v, scale)
    if grad_output is None:
        grad_output = torch.zeros_like(output)
    if grad_lse is not None:
        # dscore_ij = weight_ij·(dweight_ij − Σ_d doutput·output + dlse_i), where a kernel has no last term: it comes
        # in by one more column with output gradient 1, output −dlse and value 0.
        spare = max(v.shape[-1] - output.shape[-1], 8)
        output, grad_output = (torch.nn.functional.pad(x, (0, spare)) for x in (output, grad_output))
        q, k, v = (torch.nn.functional.pad(x, (0, output.shape[-1] - x.shape[-1])) for x in (q, k, v))
        output[..., -1], grad_output[..., -1] = -grad_lse.to(output.dtype), 1.0
    elif v.shape[-1] > output.shape[-1]:
        output, grad_output = (
            torch.nn.functional.pad(x, (0, v.shape[-1] - x.shape[-1])) for x in (output, grad_output)
        )
    grad_output = _unit_stride(grad_output)
    kernel = getattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu_backward", None)
    if kernel is None or not has_fused_kernel(q):
        grads = _plain_backward(call, q, k, v, output, lse, grad_output, scale)
    else:
        grads = kernel(grad_output, q, k, v, output, lse, 0.0, call.causal, attn_mask=call.added, scale=scale)
    return tuple(grad[..., :width] for grad, width in zip(grads, widths, strict=True))


def _unit_stride(tensor: Tensor) -> Tensor:
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()


def _scores(call: KernelCall, q: Tensor, k: Tensor, scale: float) -> Tensor:
    """The scores of some rows of a call, in float32 or better."""
    scores = product(_exact(q), _exact(k).repeat_interleave(q.shape[1] // k.shape[1], 1).transpose(-1, -2)) * scale
    if call.added is not None:
        scores = scores + call.added
    if call.causal:
        last = call.rows.numbers(q.device).mT
        scores = scores.masked_fill(torch.arange(k.shape[2], device=q.device) > last, -torch.inf)
    return scores


def _row_blocks(call: KernelCall, q: Tensor, keys: int) -> Iterator[tuple[slice, KernelCall]]:
    """A call cut into blocks of queries, so that no more than a block of scores exists at once."""
    step = max(1, _BLOCK // max(1, q.shape[0] * q.shape[1] * keys))
    for start in range(0, q.shape[2], step):
        place = slice(start, min(start + step, q.shape[2]))
        added = call.added if call.added is None or call.added.shape[-2] == 1 else call.added[..., place, :]
        yield place, call._replace(rows=over(range(place.start, place.stop)), added=added)


def _plain(call: KernelCall, q: Tensor, k: Tensor, v: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """What the kernel computes, by plain operations, a block of queries at a time."""
    v = _exact(v).repeat_interleave(q.shape[1] // v.shape[1], 1)
    outputs, sums = [], []
    for place, part in _row_blocks(call, q, k.shape[2]):
        scores = _scores(part, q[:, :, place], k, scale)
        lse = Softmax().statistic(scores)
        outputs.append(product(Softmax().weights(scores, lse), v))
        sums.append(lse)
    return torch.cat(outputs, -2).to(q.dtype), torch.cat(sums, -1)


def _plain_backward(
    call: KernelCall,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    output: Tensor,
    lse: Tensor,
    grad_output: Tensor,
    scale: float,
) -> tuple[Tensor, ...]:
    """What the kernel's backward pass computes, by plain operations, a block of queries at a time."""
    groups = q.shape[1] // k.shape[1]
    every_k, every_v = (_exact(x).repeat_interleave(groups, 1) for x in (k, v))
    grad_q = torch.zeros_like(_exact(q))
    grad_k, grad_v = torch.zeros_like(every_k), torch.zeros_like(every_v)
    for place, part in _row_blocks(call, q, k.shape[2]):
        scores = _scores(part, q[:, :, place], k, scale)
        weights = (scores - lse[:, :, place].nan_to_num(neginf=0.0)[..., None]).exp()
        grad = _exact(grad_output[:, :, place])
        grad_v += product(weights.transpose(-1, -2), grad)
        taken = (grad * _exact(output[:, :, place])).sum(-1, keepdim=True)
        grad_scores = weights * (product(grad, every_v.transpose(-1, -2)) - taken) * scale
        grad_q[:, :, place] = product(grad_scores, every_k)
        grad_k += product(grad_scores.transpose(-1, -2), _exact(q[:, :, place]))
    grad_k, grad_v = (x.unflatten(1, (-1, groups)).sum(2) for x in (grad_k, grad_v))
    return grad_q.to(q.dtype), grad_k.to(k.dtype), grad_v.to(v.dtype)


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
