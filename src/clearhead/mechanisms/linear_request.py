"""One call of linear attention: its arguments, checked and brought to one form, and the state that it goes on from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from clearhead.errors import InputError, ShapeError
from clearhead.masks import Mask
from clearhead.mechanisms.feature_maps import FeatureMap, as_feature_map
from clearhead.mechanisms.recurrence import Recurrence, State, Tokens
from clearhead.mechanisms.request import prepare
from clearhead.shapes import check_flag, exact_dtype, whole_number

__all__ = ["LinearRequest", "LinearState", "prepare_linear"]

_RANGES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "decay": ("(0, 1]", lambda x: (x > 0) & (x <= 1)),
    "update_rate": ("[0, 2]", lambda x: (x >= 0) & (x <= 2)),
}
"""What a number a token may be, in words, and where it is; NaN is nowhere."""


@dataclass(frozen=True, eq=False)
class LinearState:
    """What linear attention remembers of all tokens so far: as much for a million as for one.

    A state remembers neither the feature map nor the seed of random features, nor scale, decay or update_rate, and none
    of them is compared: give every step of a text the same, or what it reads is meaningless.

    Args:
        values: ``S = Σ_j decays · φ(k_j)·v_jᵀ``.
        keys: ``z = Σ_j decays · φ(k_j)``, by which outputs are divided; None where they are not.
        shift: Of random features: the logarithm of a factor that has been taken out of both, −inf before the first key.

    Example:
        >>> LinearState.zeros(1, 8, 64, 64)
        LinearState(batch=1, kv_heads=8, features=64, value_dim=64, torch.float32, cpu, 133,152 bytes)

    """

    values: Float[Tensor, "batch kv_heads features value_dim"]
    keys: Float[Tensor, "batch kv_heads features"] | None = None
    shift: Float[Tensor, "batch kv_heads"] | None = None

    @staticmethod
    def zeros(
        batch: int,
        kv_heads: int,
        features: int,
        value_dim: int,
        *,
        normalize: bool = True,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str | None = None,
    ) -> LinearState:
        """The state before the first token.

        Args:
            batch: How many texts; all axes before heads count as one batch.
            kv_heads: How many key heads.
            features: Width of φ(k): head_dim for ``elu``, ``relu`` and ``none``.
            value_dim: Width of a value.
            normalize: Whether outputs are divided by φ(q)·z.
            dtype: float32 for q, k and v of float32 and below, float64 for float64.
            device: Where q, k and v are.

        """
        sizes = (
            whole_number("batch", batch, 0),
            whole_number("kv_heads", kv_heads),
            whole_number("features", features),
            whole_number("value_dim", value_dim, 0),
        )
        values = torch.zeros(sizes, dtype=dtype, device=device)
        shift = torch.full(sizes[:2], -torch.inf, dtype=dtype, device=device)
        return LinearState(values, values.new_zeros(sizes[:3]) if normalize else None, shift)

    @property
    def nbytes(self) -> int:
        """Bytes of its tensors."""
        return sum(x.numel() * x.itemsize for x in (self.values, self.keys, self.shift) if x is not None)

    def detach(self) -> LinearState:
        """The same numbers, without what gradients would need."""
        keys, shift = (None if x is None else x.detach() for x in (self.keys, self.shift))
        return LinearState(self.values.detach(), keys, shift)

    def __repr__(self) -> str:
        names = ("batch", "kv_heads", "features", "value_dim")
        sizes = ", ".join(f"{name}={size}" for name, size in zip(names, self.values.shape, strict=True))
        return f"LinearState({sizes}, {self.values.dtype}, {self.values.device}, {self.nbytes:,} bytes)"


@dataclass(frozen=True, eq=False)
class LinearRequest:
    """What linear attention was asked for, checked, with queries by key head."""

    q: Float[Tensor, "batch kv_heads groups queries head_dim"]
    tokens: Tokens
    how: Recurrence
    is_causal: bool
    leading: tuple[int, ...]
    """The axes of q before (queries, head_dim), as they were given."""

    @property
    def k(self) -> Float[Tensor, "batch kv_heads keys head_dim"]:
        """The keys."""
        return self.tokens.k

    @property
    def dtype(self) -> torch.dtype:
        """What it computes in."""
        return exact_dtype(self.q.dtype)

    def output(self) -> Float[Tensor, "batch kv_heads groups queries value_dim"]:
        """The output without a state before it."""
        if self.is_causal:
            return self.causal(self.start(None))[0]
        if self._is_empty:
            return self._zeros()
        return self.how.read(self.q, self.how.gather(self.tokens, self.start(None)))

    def causal(self, state: State) -> tuple[Tensor, State]:
        """The causal output and the state after all keys."""
        if self._is_empty:
            return self._zeros(), state
        queries, keys = self.q.shape[3], self.k.shape[2]
        q, tokens, ahead = self.q, self.tokens, keys - queries
        if ahead > 0:  # keys before the first query
            before, tokens = tokens.split([ahead, queries])
            state = self.how.gather(before, state)
        output, state = self.how.causal(q[:, :, :, max(0, -ahead) :], tokens, state)
        if ahead < 0:  # queries that stand before the first key
            output = torch.cat([output.new_zeros((*q.shape[:3], -ahead, output.shape[-1])), output], 3)
        return output, state

    def restore(self, output: Tensor) -> Tensor:
        """The output with the leading axes that q came with."""
        return output.reshape(*self.leading, *output.shape[3:])

    def start(self, state: LinearState | None) -> State:
        """The state to go on from, as one matrix, whose last column is z."""
        batch, kv_heads, _, head_dim = self.k.shape
        sizes = (batch, kv_heads, self.how.feature_map.width(head_dim), self.tokens.v.shape[3])
        if state is None:
            state = LinearState.zeros(*sizes, normalize=self.how.normalize, dtype=self.dtype, device=self.q.device)
        if not isinstance(state, LinearState):
            raise InputError(
                f"a state is a LinearState, from LinearState.zeros(…) or linear_prefill; got {type(state).__name__}"
            )
        if not isinstance(state.values, Tensor):
            raise InputError(f"values of a state are a tensor; got {type(state.values).__name__}")
        if tuple(state.values.shape) != sizes:
            raise ShapeError(
                f"the state has (batch, kv_heads, features, value_dim) = {tuple(state.values.shape)} and these tokens "
                f"{sizes}; a state goes on only with the heads and widths that it was made with"
            )
        if state.values.dtype != self.dtype or state.values.device != self.q.device:
            raise InputError(
                f"q of {self.q.dtype} on {self.q.device} goes with a state of {self.dtype} there; got "
                f"{state.values.dtype} on {state.values.device}"
            )
        if (state.keys is not None) != self.how.normalize:
            raise InputError(
                f"the state was made {'without' if state.keys is None else 'with'} the sum of keys, and normalize "
                f"is {self.how.normalize} here; both go together: LinearState.zeros(…, normalize={self.how.normalize})"
            )
        for name, shape in (("keys", sizes[:3]), ("shift", sizes[:2])):
            part = getattr(state, name)
            if part is None:
                continue
            if not isinstance(part, Tensor) or tuple(part.shape) != shape:
                got = tuple(part.shape) if isinstance(part, Tensor) else repr(part)
                raise ShapeError(f"{name} of this state are of the shape {shape}, as its values say; got {got}")
            if part.dtype != self.dtype or part.device != self.q.device:
                raise InputError(
                    f"{name} of a state are of {self.dtype} on {self.q.device}, as its values; got {part.dtype} on "
                    f"{part.device}"
                )
        matrix = state.values if state.keys is None else torch.cat([state.values, state.keys[..., None]], -1)
        # A state that says nothing of a factor holds the sums themselves.
        shift = state.values.new_zeros(sizes[:2]) if state.shift is None else state.shift
        return matrix, shift

    def state(self, after: State) -> LinearState:
        """A state as it is given out."""
        matrix, shift = after
        if not self.how.normalize:
            return LinearState(matrix, None, shift)
        return LinearState(matrix[..., :-1], matrix[..., -1], shift)

    @property
    def _is_empty(self) -> bool:
        return 0 in self.q.shape or 0 in self.k.shape or self.tokens.v.shape[3] == 0

    def _zeros(self) -> Tensor:
        """The output where there is no key or no query, attached to q so that it has a gradient of 0."""
        return self.q.new_zeros((*self.q.shape[:4], self.tokens.v.shape[3])) + 0 * self.q.sum()


def prepare_linear(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    feature_map: str | FeatureMap,
    causal: bool,
    mask: Mask | Tensor | None,
    scale: float | int | None,
    decay: float | int | Tensor | None,
    update_rate: float | int | Tensor | None,
    normalize: bool | None,
) -> LinearRequest:
    """Check the arguments of :func:`clearhead.linear_attention` and bring them to one form."""
    chosen = as_feature_map(feature_map).as_now()
    check_flag("causal", causal)
    if normalize is not None:
        check_flag("normalize", normalize, "True, False or None")
    if scale is None and hasattr(q, "shape") and len(q.shape):  # what q has to be, prepare says
        scale = chosen.usual_scale(q.shape[-1])
    plain = prepare(
        q, k, v, mask=None, bias=None, scale=scale, normalizer="none", dropout=0.0, softcap=None, sinks=None
    )
    width = chosen.width(plain.q.shape[3])
    if normalize is None:
        normalize = chosen.normalizes and update_rate is None
    elif normalize and update_rate is not None:
        raise InputError("with an update_rate weights may have any sign and are not normalized; leave normalize out")
    for name, given in (("decay", decay), ("update_rate", update_rate)):
        if given is not None and not causal:
            raise InputError(f"{name} says what becomes of a state from token to token: say causal=True")
    gate = None if decay is None else _per_token("decay", decay, q, plain.k, width)
    rate = None if update_rate is None else _per_token("update_rate", update_rate, q, plain.k, None)
    log_decay = None if gate is None else gate.log()
    present = None if mask is None else _present(mask, plain.k, plain.q.shape[1])
    if present is not None and log_decay is not None:
        log_decay = log_decay.masked_fill(~present, 0.0)
    groups = plain.q.shape[1] // plain.k.shape[1]
    how = Recurrence(chosen, *chosen.factors(plain.scale), normalize)
    tokens = Tokens(plain.k, plain.v, present, log_decay, rate)
    return LinearRequest(plain.q.unflatten(1, (-1, groups)), tokens, how, causal, plain.leading)


def _per_token(
    name: str, given: Any, q: Tensor, k: Tensor, width: int | None
) -> Float[Tensor, "batch kv_heads keys #features"]:
    """A number, one a head, a token or a feature, as one tensor of at least float32."""
    batch, kv_heads, keys, _ = k.shape
    dtype = exact_dtype(k.dtype)
    if not isinstance(given, Tensor):
        if isinstance(given, list | tuple):
            raise InputError(
                f"{name} is a number in {_RANGES[name][0]} or a tensor of them; got a {type(given).__name__}: give it "
                "as torch.tensor([…])"
            )
        if isinstance(given, bool) or not isinstance(given, float | int):
            raise InputError(f"{name} is a number in {_RANGES[name][0]} or a tensor of them; got {given!r}")
        if not _RANGES[name][1](given):
            raise _outside(name, given)
        found = torch.full((1, 1, 1, 1), float(given), dtype=dtype, device=k.device)
        _check_range(name, found)  # also as what it is rounded to
        return found.expand(batch, kv_heads, keys, 1)
    if not given.is_floating_point() or given.device != k.device:
        raise InputError(f"{name} is floating-point and where q is, on {k.device}; got {given.dtype} on {given.device}")
    by_token = tuple(q.shape[:-3]) + ((kv_heads,) if q.dim() > 2 else ()) + (keys,)
    if tuple(given.shape) == by_token:
        found = given.reshape(batch, kv_heads, keys, 1)
    elif width is not None and tuple(given.shape) == (*by_token, width):
        found = given.reshape(batch, kv_heads, keys, width)
    elif given.dim() == 0 or tuple(given.shape) == (kv_heads,):
        found = given.reshape(1, -1, 1, 1).expand(batch, kv_heads, keys, 1)
    else:
        forms = f"a number, one a key head ({kv_heads},), one a token {by_token}"
        forms += "" if width is None else f", or one a token and feature {(*by_token, width)}"
        raise ShapeError(f"{name} is {forms}; got {tuple(given.shape)}")
    _check_range(name, found)
    return found.to(torch.promote_types(given.dtype, dtype))


def _check_range(name: str, found: Tensor) -> None:
    """Refuse a number that a decay or an update_rate cannot be, where numbers can be looked at."""
    if not _known(found):
        return
    wrong = ~_RANGES[name][1](found)
    if bool(wrong.any()):
        raise _outside(name, found[wrong][0].item())


def _outside(name: str, number: float) -> InputError:
    hint = "; a logarithm g is given as g.exp()" if name == "decay" else ""
    return InputError(f"{name} is in {_RANGES[name][0]}; got {number:g}{hint}")


def _present(mask: Any, k: Tensor, heads: int) -> Bool[Tensor, "#batch 1 keys 1"]:
    """Which keys are there."""
    batch, _, keys, _ = k.shape
    if isinstance(mask, Tensor):
        if mask.dtype != torch.bool or (tuple(mask.shape) != (keys,) and mask.shape[1:] != (1, 1, keys)):
            raise InputError(
                "linear attention has a state instead of pairs, so its mask says which keys are there: "
                f"clearhead.Padding(…), or booleans ({keys},) or (batch, 1, 1, {keys}); got {mask.dtype} of shape "
                f"{tuple(mask.shape)}"
            )
        if mask.device != k.device:
            raise InputError(f"the mask is on {mask.device} and q on {k.device}; move one of them with .to()")
        found = mask.reshape(-1, 1, keys, 1)
    else:
        if not isinstance(mask, Mask) or not mask.is_same_for_all_queries or mask.breadth[1] != 1:
            raise InputError(
                "linear attention has a state instead of pairs, so its mask says which keys are there, the same for "
                f"all queries and heads: clearhead.Padding(…); got {mask!r}. For Causal() say causal=True; other masks "
                "go to clearhead.attention"
            )
        found = mask.dense(1, keys, device=k.device).reshape(-1, 1, keys, 1)
    if found.shape[0] not in (1, batch):
        raise ShapeError(f"the mask is for batch {found.shape[0]}, and q has batch {batch} and {heads} heads")
    return found


def _known(x: Tensor) -> bool:
    """Whether its numbers can be looked at here."""
    return x.device.type != "meta" and not torch.compiler.is_compiling()
