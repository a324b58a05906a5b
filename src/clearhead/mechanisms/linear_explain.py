"""``linear_explain``: how linear attention is computed, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from torch import Tensor

from clearhead.masks import Mask
from clearhead.mechanisms.explain import engineering
from clearhead.mechanisms.feature_maps import FeatureMap
from clearhead.mechanisms.linear_request import prepare_linear
from clearhead.mechanisms.recurrence import CHUNK, FINE_CHUNK, SEGMENT

__all__ = ["LinearExplanation", "linear_explain"]


@dataclass(frozen=True)
class LinearExplanation:
    """What one call of linear attention does. Printing it gives a few lines to read."""

    form: str
    """``all keys at once`` or ``chunks``."""
    chunk: int
    """Tokens whose pairs are written out together."""
    pairs: int
    """(query, key) pairs that are computed, of one head of one text."""
    share: float
    """These pairs as a share of queries × keys."""
    flops: int
    """Floating-point operations of the matrix products of the forward pass."""
    flops_of_pairs: int
    """The same for softmax attention without a mask."""
    bytes_read: int
    """Bytes of q, k, v, what is given a token (decay, update_rate) and the output: the least that has to move through
    memory."""
    bytes_state: int
    """Bytes of the state: what a text is remembered by, of any length."""
    bytes_kept: int
    """Bytes that stay until the backward pass, where there is one."""

    def __str__(self) -> str:
        size = engineering
        state = f"{size(self.bytes_state, 'B')} of state"
        kept = f"{size(self.bytes_kept, 'B')} kept for the backward pass"
        chunks = f", {self.chunk} token{'' if self.chunk == 1 else 's'} each" if self.form == "chunks" else ""
        return "\n".join(
            [
                f"linear attention: {self.form}{chunks}",
                f"pairs: {self.pairs:,} of each head computed, {self.share:.1%} of queries × keys",
                f"forward: {size(self.flops, 'FLOP')}; softmax attention: {size(self.flops_of_pairs, 'FLOP')}",
                f"bytes: {size(self.bytes_read, 'B')} of q, k, v and output, {state}, {kept}",
            ]
        )


def linear_explain(
    q: Tensor,
    k: Tensor,
    v: Tensor | None = None,
    *,
    feature_map: str | FeatureMap = "elu",
    causal: bool = False,
    mask: Mask | Tensor | None = None,
    scale: float | int | None = None,
    decay: float | int | Tensor | None = None,
    update_rate: float | int | Tensor | None = None,
    normalize: bool | None = None,
) -> LinearExplanation:
    """How :func:`clearhead.linear_attention` computes these arguments, and what it costs; nothing is computed.

    With m features, a state of m × value_dim and chunks of c tokens: ``2·n·m·value_dim`` operations each for what
    enters the state and what is read of it, and where it is causal ``2·n·c·(m + value_dim)`` within the chunks.

    Args:
        q: As in :func:`clearhead.linear_attention`, like all others.
        k: Keys.
        v: Values; if they are left out they are taken to have the shape of the keys.
        feature_map: φ.
        causal: Whether a query sees only the keys up to its own.
        mask: Which keys are there.
        scale: Factor of q·k.
        decay: What becomes of the state from token to token.
        update_rate: β of the delta rule.
        normalize: Whether weights are divided by their sum.

    Raises:
        ShapeError: Shapes that do not fit.
        InputError: An argument of the wrong kind.

    Example:
        >>> import torch, clearhead as ch
        >>> q = torch.zeros(1, 8, 16384, 64)
        >>> print(ch.linear_explain(q, q, causal=True))
        linear attention: chunks, 64 tokens each
        pairs: 1,048,576 of each head computed, 0.4% of queries × keys
        forward: 4.35 GFLOP; softmax attention: 550 GFLOP
        bytes: 134 MB of q, k, v and output, 133 kB of state, 138 MB kept for the backward pass

    """
    request = prepare_linear(
        q,
        k,
        k if v is None else v,
        feature_map=feature_map,
        causal=causal,
        mask=mask,
        scale=scale,
        decay=decay,
        update_rate=update_rate,
        normalize=normalize,
    )
    batch, kv_heads, groups, queries, head_dim = request.q.shape
    keys, value_dim = request.tokens.v.shape[2:]
    features, width = request.how.feature_map.width(head_dim), value_dim + request.how.normalize
    gate = request.tokens.log_decay
    chunk = FINE_CHUNK if gate is not None and gate.shape[-1] > 1 else CHUNK
    chunk = min(chunk, max(1, keys))
    within = min(queries, keys) * chunk if request.is_causal else 0
    delta = 2 if request.tokens.rate is not None else 0
    state = 2 * features * width
    flops = batch * kv_heads * (keys * state + groups * queries * state)
    flops += batch * kv_heads * (groups + delta) * within * 2 * (features + width)
    size = request.q.itemsize
    output = batch * kv_heads * groups * queries * value_dim
    read = (request.q.numel() + request.tokens.k.numel() + request.tokens.v.numel() + output) * size
    # As they are held: what is only repeated from token to token counts once.
    read += sum(_bytes(x) for x in (gate, request.tokens.rate) if x is not None)
    matrix = batch * kv_heads * features * width * request.dtype.itemsize
    segments = -(-keys // (chunk * SEGMENT)) if request.is_causal else 1
    heads = kv_heads * groups
    return LinearExplanation(
        form="chunks" if request.is_causal else "all keys at once",
        chunk=chunk if request.is_causal else keys,
        pairs=within,
        share=within / max(1, queries * keys),
        flops=flops,
        flops_of_pairs=2 * batch * heads * queries * keys * (head_dim + value_dim),
        bytes_read=read,
        bytes_state=matrix,
        bytes_kept=read + segments * matrix,
    )


def _bytes(x: Tensor) -> int:
    """Bytes of a tensor, of which what is repeated along an axis counts once."""
    return x.itemsize * prod(size for size, stride in zip(x.shape, x.stride(), strict=True) if stride)
