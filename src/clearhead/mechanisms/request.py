"""One call of attention: its arguments, checked and brought to one form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from clearhead.errors import InputError, ShapeError
from clearhead.masks import Causal, Explicit, Mask
from clearhead.mechanisms.normalizers import Normalizer, Softmax, as_normalizer
from clearhead.mechanisms.rule import PlacedBias, ScoreRule
from clearhead.positions import Bias

__all__ = ["MASK", "Request", "check_bias", "check_settings", "mask_hint", "prepare"]


@dataclass(frozen=True, eq=False)
class Request:
    """What :func:`clearhead.attention` was asked for, with tensors of four axes."""

    q: Float[Tensor, "batch heads queries head_dim"]
    k: Float[Tensor, "batch kv_heads keys head_dim"]
    v: Float[Tensor, "batch kv_heads keys value_dim"]
    leading: tuple[int, ...]
    """The axes of q before (queries, head_dim), as they were given."""
    mask: Mask | None
    bias: Float[Tensor, "#batch #heads #queries keys"] | None
    position_bias: Bias | None
    scale: float
    normalizer: Normalizer
    dropout: float
    softcap: float | None
    sinks: Float[Tensor, "heads"] | None

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of the map: (batch, heads, queries, keys)."""
        batch, heads, queries, _ = self.q.shape
        return batch, heads, queries, self.k.shape[2]

    @property
    def is_square_causal(self) -> bool:
        """Whether the mask is the triangle for which kernels have a flag."""
        # The kernel makes −inf · 0 of a scale of 0.
        return type(self.mask) is Causal and self.q.shape[2] == self.k.shape[2] and self.scale != 0

    @property
    def is_plain(self) -> bool:
        """Whether one call of a kernel computes it: no bias, no sinks, and no mask but the triangle."""
        return (
            (self.mask is None or self.is_square_causal)
            and self.bias is None
            and self.position_bias is None
            and self.sinks is None
        )

    def rule(self) -> ScoreRule:
        """Everything between q·k and the weights."""
        queries, keys = self.shape[2:]
        return ScoreRule(
            self.scale,
            mask=None if self.mask is None else self.mask.bind(queries, keys, self.q.device),
            bias=self.bias,
            softcap=self.softcap,
            sinks=self.sinks,
            position_bias=None if self.position_bias is None else PlacedBias(self.position_bias, keys - queries),
            normalizer=self.normalizer,
        )

    def restore(self, output: Float[Tensor, "batch heads queries value_dim"]) -> Tensor:
        """The output with the leading axes that q came with."""
        return output if len(self.leading) == 2 else output.reshape(*self.leading, *output.shape[2:])


def prepare(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    mask: Mask | Tensor | None,
    bias: Tensor | Bias | None,
    scale: float | None,
    normalizer: str | Normalizer,
    dropout: float,
    softcap: float | None,
    sinks: Tensor | None,
) -> Request:
    """Check the arguments of :func:`clearhead.attention` and bring them to four axes."""
    q, k, v = _as_autocast(q, k, v)
    _check_tensors(q, k, v)
    leading = tuple(q.shape[:-2])
    if q.dim() != 4:
        q, k, v = (x[(None,) * max(0, 4 - x.dim())].flatten(0, -4) for x in (q, k, v))
    batch, heads, _, head_dim = q.shape
    keys = k.shape[2]
    if isinstance(mask, Tensor):
        mask = _tensor_mask(mask)
    elif mask is not None and not isinstance(mask, Mask):
        raise InputError(f"a mask is {MASK}; got {_name(mask)}{mask_hint(mask)}")
    if mask is not None:
        _check_breadth(mask.breadth, batch, heads)
    position_bias = bias if isinstance(bias, Bias) else None
    if position_bias is not None and position_bias.heads not in (1, heads):
        raise ShapeError(f"q has {heads} heads and the bias {position_bias.heads}: {position_bias!r}")
    if bias is not None:
        check_bias(bias, q.device)
    added = _tensor_bias(bias, q, keys) if isinstance(bias, Tensor) else None
    chosen = as_normalizer(normalizer)
    if sinks is not None and not isinstance(sinks, Tensor):
        raise InputError(f"sinks are a tensor of one logit a head, ({heads},); got {_name(sinks)}")
    if sinks is not None and sinks.shape != (heads,):
        raise ShapeError(f"sinks are one logit a head, ({heads},); got {tuple(sinks.shape)}")
    if sinks is not None and (not sinks.is_floating_point() or sinks.device != q.device):
        raise InputError(f"sinks are floating-point and where q is, on {q.device}; got {sinks.dtype} on {sinks.device}")
    if sinks is not None and type(chosen) is not Softmax:
        raise InputError(f"sinks take part in a softmax; the normalizer here is {chosen!r}")
    check_settings(scale=scale, softcap=softcap, dropout=dropout)
    scale = 1.0 / math.sqrt(head_dim) if scale is None else float(scale)
    return Request(q, k, v, leading, mask, added, position_bias, scale, chosen, dropout, softcap, sinks)


def _name(thing: Any) -> str:
    return f"{type(thing).__name__} {thing!r}"[:80]


def _as_autocast(q: Any, k: Any, v: Any) -> tuple[Tensor, Tensor, Tensor]:
    """What autocast does to the arguments of scaled_dot_product_attention, so that all paths agree."""
    if not isinstance(q, Tensor) or q.device.type == "meta" or not torch.is_autocast_enabled(q.device.type):
        return q, k, v
    tensors: tuple[Any, ...] = (q, k, v)
    if not all(isinstance(x, Tensor) and x.is_floating_point() and x.dtype != torch.float64 for x in tensors):
        return q, k, v
    lower = torch.get_autocast_dtype(q.device.type)
    return q.to(lower), k.to(lower), v.to(lower)


def _check_tensors(q: Tensor, k: Tensor, v: Tensor) -> None:
    for name, x in (("q", q), ("k", k), ("v", v)):
        if not isinstance(x, Tensor):
            raise InputError(f"{name} is a torch.Tensor; got {_name(x)}")
    if not q.dim() == k.dim() == v.dim() >= 2:
        wanted = "q, k and v have the same number of axes, (…, heads, tokens, head_dim)"
    elif q.shape[-1] != k.shape[-1] or q.shape[-1] == 0:
        wanted = "q and k agree in their last axis, head_dim, which is at least 1"
    elif k.shape[-2] != v.shape[-2]:
        wanted = "k and v agree in their last axis but one, keys"
    elif k.shape[:-2] != v.shape[:-2] or q.shape[:-3] != k.shape[:-3]:
        wanted = "q, k and v agree in the axes before heads, and k and v in heads too; .expand() one that serves all"
    elif q.dim() > 2 and (q.shape[-3] == 0 or k.shape[-3] == 0):
        wanted = "there is at least one head (axis −3)"
    elif q.dim() > 2 and q.shape[-3] % k.shape[-3]:
        wanted = "the heads of k and v (axis −3) divide those of q"
    else:
        wanted = ""
    if wanted:
        raise ShapeError(f"{wanted}; got q {tuple(q.shape)}, k {tuple(k.shape)}, v {tuple(v.shape)}")
    if not q.dtype == k.dtype == v.dtype:
        raise InputError(f"q, k and v are of one dtype; got {q.dtype}, {k.dtype} and {v.dtype}; convert with .to()")
    if not q.dtype.is_floating_point:
        raise InputError(f"q, k and v are floating-point; got {q.dtype}; convert with .float()")
    if not q.device == k.device == v.device:
        raise InputError(f"q, k and v are on one device; got {q.device}, {k.device} and {v.device}; move with .to()")


def _tensor_mask(mask: Tensor) -> Mask:
    if mask.dtype != torch.bool:
        raise InputError(
            f"a mask tensor is boolean, True = may attend; got {mask.dtype}. Numbers to add to the scores go to bias; "
            "for 0 and 1 say mask.bool()"
        )
    return Explicit(mask)


MASK = "a rule such as clearhead.Causal(), or a boolean tensor, True = may attend"


def mask_hint(mask: object) -> str:
    """What to do about what is no mask."""
    if isinstance(mask, type):
        return f"; make one of it: {mask.__name__}(…)"
    return "; a reader of other masks gives (mask, bias): unpack it" if isinstance(mask, tuple) else ""


def check_settings(*, scale: object, softcap: object, dropout: object) -> None:
    """Raise :class:`~clearhead.errors.InputError` for a number that no attention can have."""
    for name, value in (("scale", scale), ("softcap", softcap), ("dropout", dropout)):
        if isinstance(value, Tensor) and value.requires_grad:
            raise InputError(f"{name} is a plain number, which has no gradient; for a trained scale multiply q by it")
        try:
            number = 0.5 if value is None else float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            raise InputError(f"{name} is a number; got {value!r}") from None
        if name == "scale" and not math.isfinite(number):
            raise InputError(f"scale is a finite number; got {value}")
        if name == "softcap" and not number > 0:
            raise InputError(f"a softcap bounds scores to ±softcap and is above 0; got {value}")
        if name == "dropout" and not 0.0 <= number < 1.0:
            raise InputError(f"dropout is the share of weights that are dropped, 0 ≤ dropout < 1; got {value}")


def _check_breadth(breadth: tuple[int, int], batch: int, heads: int) -> None:
    for axis, have, want in zip(("batch", "heads"), breadth, (batch, heads), strict=True):
        if have not in (1, want):
            remedy = "; a mask of (batch, queries, keys) is mask[:, None]" if axis == "heads" and have == batch else ""
            raise ShapeError(f"the mask is for {axis} {have}, and q has {axis} {want}{remedy}")


def check_bias(bias: object, device: torch.device) -> None:
    """Raise :class:`~clearhead.errors.InputError` for what cannot be added to scores on ``device``."""
    if not isinstance(bias, Bias | Tensor):
        raise InputError(f"a bias is a tensor, ALiBi or RelativeBias; got {_name(bias)}")
    if isinstance(bias, Tensor) and not bias.dtype.is_floating_point:
        raise InputError(f"a bias is added to the scores and floating-point; got {bias.dtype}. A mask goes to mask")
    held = [bias] if isinstance(bias, Tensor) else [*bias.parameters(), *bias.buffers()]
    for tensor in held:
        if tensor.device != device:
            raise InputError(f"the bias is on {tensor.device} and q on {device}; move one of them with .to()")


def _tensor_bias(bias: Tensor, q: Tensor, keys: int) -> Tensor:
    wanted = (*q.shape[:3], keys)
    if bias.dim() > 4 or any(have not in (1, want) for have, want in zip(bias.shape[::-1], wanted[::-1], strict=False)):
        raise ShapeError(f"the bias broadcasts to (batch, heads, queries, keys) = {wanted}; got {tuple(bias.shape)}")
    bias = bias[(None,) * (4 - bias.dim())]
    return bias.expand(-1, -1, -1, keys)
