"""To and from ``torch.nn.MultiheadAttention``."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from clearhead.errors import InputError
from clearhead.layers.extra_keys import LearnedKey, ZeroKey
from clearhead.layers.multihead import MultiHeadAttention
from clearhead.mechanisms.normalizers import Softmax, as_normalizer

__all__ = ["from_torch", "to_torch"]


def from_torch(module: nn.MultiheadAttention) -> MultiHeadAttention:
    """See :meth:`MultiHeadAttention.from_torch`."""
    if not isinstance(module, nn.MultiheadAttention):
        raise InputError(f"from_torch reads a torch.nn.MultiheadAttention; got {type(module).__name__}")
    dim, heads = module.embed_dim, module.num_heads
    device, dtype = module.out_proj.weight.device, module.out_proj.weight.dtype
    extra: list[nn.Module] = []
    if module.bias_k is not None and module.bias_v is not None:
        extra.append(LearnedKey(heads, module.head_dim, device=device, dtype=dtype))
    if module.add_zero_attn:
        extra.append(ZeroKey())
    layer = MultiHeadAttention(
        dim,
        heads,
        key_input_dim=module.kdim,
        value_input_dim=module.vdim,
        bias=module.in_proj_bias is not None,
        extra_keys=extra,
        dropout=module.dropout,
        device=device,
        dtype=dtype,
    )
    with torch.no_grad():
        for ours, theirs in _pairs(layer, module):
            ours.copy_(theirs)
            ours.requires_grad_(theirs.requires_grad)
    return layer.train(module.training)


def to_torch(layer: MultiHeadAttention, *, batch_first: bool) -> nn.MultiheadAttention:
    """See :meth:`MultiHeadAttention.to_torch`."""
    kinds = [type(x) for x in layer.extra_keys]
    has_bias = layer.query.bias is not None
    standard = 1.0 / math.sqrt(layer.head_dim)
    obstacles = [
        reason
        for is_so, reason in (
            (layer.kv_heads != layer.heads, f"kv_heads ({layer.kv_heads}) is not heads ({layer.heads})"),
            (layer.heads * layer.head_dim != layer.dim, f"heads · head_dim is not dim ({layer.dim})"),
            (layer.value_head_dim != layer.head_dim, "value_head_dim is not head_dim"),
            (layer.output_dim != layer.dim, "output_dim is not dim"),
            ((layer.output.bias is not None) != has_bias, "only one of bias and output_bias is there"),
            (layer.position is not None, "it has a position"),
            (layer.query_norm is not None or layer.key_norm is not None, "it has a qk_norm"),
            (layer.shared_projection, "its heads share one projection"),
            (layer.sinks is not None, "it has sinks"),
            (layer.softcap is not None, "it has a softcap"),
            (layer.scale not in (None, standard), f"its scale is not 1/√head_dim ({standard:g})"),
            (as_normalizer(layer.normalizer) != Softmax(), f"its normalizer is {layer.normalizer!r}"),
            (
                kinds not in ([], [LearnedKey], [ZeroKey], [LearnedKey, ZeroKey]),
                "its extra keys are not a LearnedKey, a ZeroKey, or one of each in this order",
            ),
        )
        if is_so
    ]
    if obstacles:
        raise InputError(f"torch.nn.MultiheadAttention has no place for this layer: {'; '.join(obstacles)}")
    module = nn.MultiheadAttention(
        layer.dim,
        layer.heads,
        dropout=layer.dropout,
        bias=has_bias,
        add_bias_kv=LearnedKey in kinds,
        add_zero_attn=ZeroKey in kinds,
        kdim=layer.key_input_dim,
        vdim=layer.value_input_dim,
        batch_first=batch_first,
        device=layer.output.weight.device,
        dtype=layer.output.weight.dtype,
    )
    with torch.no_grad():
        for ours, theirs in _pairs(layer, module):
            theirs.copy_(ours)
    return module.train(layer.training)


def _pairs(layer: MultiHeadAttention, module: nn.MultiheadAttention) -> list[tuple[Tensor, Tensor]]:
    """The tensors of both that are the same, of the same shape."""
    packed: Tensor | None = module.in_proj_weight  # as an attribute also where pruning computes it from parameters
    weights: Sequence[Tensor] = (
        (module.q_proj_weight, module.k_proj_weight, module.v_proj_weight) if packed is None else packed.chunk(3)
    )
    projections = (layer.query, layer.key, layer.value)
    pairs: list[tuple[Tensor, Tensor]] = [(layer.output.weight, module.out_proj.weight)]
    pairs += [(x.weight, weight) for x, weight in zip(projections, weights, strict=True)]
    if module.in_proj_bias is not None:
        pairs += [(x.bias, bias) for x, bias in zip(projections, module.in_proj_bias.chunk(3), strict=True)]
        pairs.append((layer.output.bias, module.out_proj.bias))
    if module.bias_k is not None and module.bias_v is not None:
        learned = layer.extra_keys[0]
        assert isinstance(learned, LearnedKey)
        pairs += [(x, y.view_as(x)) for x, y in ((learned.key, module.bias_k), (learned.value, module.bias_v))]
    return pairs
