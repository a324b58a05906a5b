"""The recurrence of linear attention, in chunks: ``S_i = decay_i · S_{i−1} + φ(k_i)·u_iᵀ``, output ``φ(q_i)·S_i``.

Within a chunk of C tokens the sum over earlier tokens is a masked product, C × C; what came before the chunk is in the
state, features × width. Nothing is ever tokens × tokens or tokens × features × width. Some chunks are computed together
as a segment, which is made again in the backward pass, so that one state a segment is all that is kept.

Decays are products, and are kept as sums of logarithms. Only differences of such sums from a later to an earlier token
are raised to a power of e, so nothing ever overflows, or divides by what has vanished.

Features in logarithms (random ones) are divided by the largest so far before they are raised to a power of e. A query
may know nothing of later keys, so the largest so far is one number a token; when it grows, the state shrinks, which is
one decay more. What stays out of reach in float32 are products φ(q)·φ(k) below e^−87 of the largest feature of q times
the largest of all keys so far, in float64 those below e^−745: they become 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import pad
from torch.utils.checkpoint import checkpoint

from clearhead.mechanisms.feature_maps import FeatureMap

__all__ = ["Recurrence", "Tokens", "divide", "one_step"]

CHUNK = 64
"""Tokens whose pairs are written out together."""
FINE_CHUNK = 16
"""Likewise with one decay a feature, where pairs × features are written out."""
SEGMENT = 8
"""Chunks that are computed together."""


@dataclass(frozen=True, eq=False)
class Tokens:
    """The keys' side of some tokens in a row."""

    k: Float[Tensor, "batch kv_heads keys head_dim"]
    v: Float[Tensor, "batch kv_heads keys value_dim"]
    present: Bool[Tensor, "#batch 1 keys 1"] | None = None
    log_decay: Float[Tensor, "batch kv_heads keys #features"] | None = None
    rate: Float[Tensor, "batch kv_heads keys 1"] | None = None
    """Of the delta rule."""
    log_weight: Float[Tensor, "batch kv_heads keys 1"] | None = None
    """What is added to features in logarithms."""

    def parts(self) -> tuple[Tensor | None, ...]:
        """All tensors, in the order of the fields."""
        return self.k, self.v, self.present, self.log_decay, self.rate, self.log_weight

    def split(self, size: int | list[int]) -> list[Tokens]:
        """Runs of ``size`` tokens, or of these sizes; by ``split``, whose backward pass writes each gradient once."""
        count = len(self.k.split(size, 2))
        found = [[None] * count if x is None else list(x.split(size, 2)) for x in self.parts()]
        return [Tokens(*parts) for parts in zip(*found, strict=True)]


@dataclass(frozen=True, eq=False)
class Keys:
    """The features of some tokens in a row, and what becomes of the state from each to the next."""

    features: Float[Tensor, "batch kv_heads keys features"]
    log_decay: Float[Tensor, "batch kv_heads keys #features"] | None
    shifts: Float[Tensor, "batch kv_heads keys"] | None
    """The logarithm of what has been taken out of the state that the query of each token reads."""
    shift: Float[Tensor, "batch kv_heads"]
    """The last of them."""


State = tuple[Tensor, Tensor]
"""``(batch, kv_heads, features, width)``, and ``(batch, kv_heads)``: what is to be added to its logarithm."""


@dataclass(frozen=True)
class Recurrence:
    """How tokens enter the state, and how queries read it."""

    feature_map: FeatureMap
    query_factor: float
    key_factor: float
    normalize: bool
    """Whether the last column of the state sums the features, by which what is read is divided."""
    logs: bool = False
    """Of features in logarithms and values above 0: give the logarithm of what is read, which never underflows."""

    def causal(
        self, q: Float[Tensor, "batch kv_heads groups queries head_dim"], tokens: Tokens, state: State
    ) -> tuple[Float[Tensor, "batch kv_heads groups queries value_dim"], State]:
        """Each query reads the state after its own token."""
        outputs = []
        chunk = _chunk(tokens)
        size = chunk * SEGMENT
        for query, part in zip(q.split(size, 3), tokens.split(size), strict=True):
            output, *state_ = _made_again(self._segment, query, *part.parts(), *state)
            state = (state_[0], state_[1])
            outputs.append(output)
        return torch.cat(outputs, 3) if len(outputs) > 1 else outputs[0], state

    def gather(self, tokens: Tokens, state: State) -> State:
        """The state after all these tokens."""
        for part in tokens.split(_chunk(tokens) * SEGMENT):
            _, *state_ = _made_again(self._segment, None, *part.parts(), *state)
            state = (state_[0], state_[1])
        return state

    def read(
        self, q: Float[Tensor, "batch kv_heads groups queries head_dim"], state: State
    ) -> Float[Tensor, "batch kv_heads groups queries value_dim"]:
        """Every query reads the same state."""
        found = [_made_again(self._read, query, *state) for query in q.split(CHUNK * SEGMENT, 3)]
        return torch.cat(found, 3) if len(found) > 1 else found[0]

    # The features.

    def query_features(self, q: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor | None]:
        """φ(q), of which a factor e^shift a query has been taken out where features are in logarithms."""
        found = self.feature_map.features(_times(q.to(dtype), self.query_factor))
        if not self.feature_map.in_logs:
            return found, None
        # The largest feature of each query becomes 1. It cancels when the query's weights are divided by their sum, and
        # is multiplied back otherwise; so it has no gradient.
        shift = found.detach().amax(-1, keepdim=True)
        return (found - shift).exp(), shift

    def key_features(self, tokens: Tokens, dtype: torch.dtype, shift: Tensor) -> Keys:
        """φ(k) of some tokens in a row, after tokens that left the state with this shift."""
        found = self._key_logs(tokens, dtype)
        log_decay = tokens.log_decay
        if not self.feature_map.in_logs:
            absent = None if tokens.present is None else ~tokens.present
            return Keys(found if absent is None else found.masked_fill(absent, 0.0), log_decay, None, shift)
        if tokens.rate is not None:
            # The delta rule is not linear in φ(k), so nothing can be taken out: all stays as it is. The first token
            # finds the state multiplied out.
            after = torch.zeros_like(shift)
            shifts = torch.cat([shift[..., None], after[..., None].expand(*shift.shape, found.shape[2])], -1)
        else:
            # A state fades by its slowest feature at most, and so does the largest that it has to be compared with.
            fading = torch.zeros_like(found[..., 0], dtype=torch.float64)
            if log_decay is not None:
                fading = fading + log_decay.detach().double().amax(-1).cumsum(-1)
            own = found.detach().amax(-1).double() - fading
            largest = torch.cat([shift.double()[..., None], own], -1).cummax(-1).values
            shifts = (largest + pad(fading, (1, 0))).to(dtype)
        features = (found - _finite(shifts[..., 1:, None])).exp()
        before, now = shifts[..., :-1, None].double(), shifts[..., 1:, None].double()
        # Before the first key there is nothing that could shrink.
        shrinks = (before - now).masked_fill(before == -torch.inf, 0.0)
        log_decay = shrinks if log_decay is None else shrinks + log_decay
        return Keys(features, log_decay, shifts[..., 1:], shifts[..., -1])

    def all_key_features(self, tokens: Tokens, dtype: torch.dtype, shift: Tensor) -> tuple[Tensor, Tensor]:
        """φ(k), and the shift, where nothing is read between these tokens, so that one serves all of them."""
        found = self._key_logs(tokens, dtype)
        if not self.feature_map.in_logs:
            return (found if tokens.present is None else found.masked_fill(~tokens.present, 0.0)), shift
        largest = torch.maximum(shift, found.detach().flatten(2).amax(-1))
        return (found - _finite(largest)[..., None, None]).exp(), largest

    def _key_logs(self, tokens: Tokens, dtype: torch.dtype) -> Tensor:
        """φ(k), or ln φ(k), which is −∞ for keys that are not there."""
        found = self.feature_map.features(_times(_here(tokens.k.to(dtype), tokens.present), self.key_factor))
        if not self.feature_map.in_logs:
            return found
        if tokens.log_weight is not None:
            found = found + tokens.log_weight.to(dtype)
        return found if tokens.present is None else found.masked_fill(~tokens.present, -torch.inf)

    def finish(self, total: Tensor, query_shift: Tensor | None, shift: Tensor) -> Tensor:
        """From what the queries read to the output; the shift is that of the state that each has read."""
        if self.normalize:
            return divide(total[..., :-1], total[..., -1:])
        if query_shift is None:
            return total
        factor = query_shift + _finite(shift)
        if self.logs:
            none = total == 0
            return (total.masked_fill(none, 1.0).log() + factor).masked_fill(none, -torch.inf)
        return total * factor.exp()

    # One segment.

    def _read(self, q: Tensor, matrix: Tensor, shift: Tensor) -> Tensor:
        with torch.autocast(_real(q.device), enabled=False):
            features, query_shift = self.query_features(q, matrix.dtype)
            total = (features.flatten(2, 3) @ matrix).unflatten(2, q.shape[2:4])
            return self.finish(total, query_shift, shift[:, :, None, None, None]).to(q.dtype)

    def _segment(
        self,
        q: Tensor | None,
        k: Tensor,
        v: Tensor,
        present: Tensor | None,
        log_decay: Tensor | None,
        rate: Tensor | None,
        log_weight: Tensor | None,
        matrix: Tensor,
        shift: Tensor,
    ) -> tuple[Tensor | None, Tensor, Tensor]:
        """The outputs of q, if there are any, and the state afterwards; tensors singly, as checkpoints want them."""
        tokens = Tokens(k, v, present, log_decay, rate, log_weight)
        with torch.autocast(_real(tokens.k.device), enabled=False):
            return self._segment_in(matrix.dtype, q, tokens, matrix, shift)

    def _segment_in(
        self, dtype: torch.dtype, q: Tensor | None, tokens: Tokens, matrix: Tensor, shift: Tensor
    ) -> tuple[Tensor | None, Tensor, Tensor]:
        values = _here(tokens.v.to(dtype), tokens.present)
        if self.normalize:
            values = pad(values, (0, 1), value=1.0)
        if q is None and tokens.log_decay is None and tokens.rate is None:
            features, after = self.all_key_features(tokens, dtype, shift)
            if self.feature_map.in_logs:
                matrix = matrix * (shift - _finite(after)).exp()[..., None, None]
            return None, matrix + features.mT @ values, after
        found = self.key_features(tokens, dtype, shift)
        length = tokens.k.shape[2]
        chunk = min(length, FINE_CHUNK if _is_fine(found.log_decay) else CHUNK)
        rest = -length % chunk

        def chunks(x: Tensor) -> Tensor:
            """(batch, kv_heads, tokens, …) to (batch · kv_heads · chunks, chunk, …); tokens that fill up are 0."""
            whole = pad(x, (0, 0, 0, rest)) if rest else x
            return whole.reshape(-1, chunk, x.shape[-1])

        keys, values = chunks(found.features), chunks(values)
        total = None if found.log_decay is None else chunks(found.log_decay).double().cumsum(1)
        query, query_shift, groups = None, None, 1
        if q is not None:
            groups = q.shape[2]
            query, query_shift = self.query_features(q, dtype)
            query = pad(query, (0, 0, 0, rest)) if rest else query
            query = query.unflatten(3, (-1, chunk)).transpose(2, 3).reshape(-1, groups * chunk, query.shape[-1])
        rate = None if tokens.rate is None else chunks(tokens.rate.to(dtype))
        scan = _Scan(query, keys, values, total, rate, groups)
        count = keys.shape[0] // max(1, matrix.shape[0] * matrix.shape[1])
        read, matrix = scan.run(matrix, count)
        if q is None or read is None:
            return None, matrix, found.shift
        read = read.view(*q.shape[:2], count, groups, chunk, -1).transpose(2, 3).flatten(3, 4)[..., :length, :]
        shifts = found.shift if found.shifts is None else found.shifts[:, :, None, :, None]
        return self.finish(read, query_shift, shifts).to(q.dtype), matrix, found.shift


@dataclass(frozen=True, eq=False)
class _Scan:
    """The chunks of one segment, side by side: (batch · kv_heads · chunks, chunk, …), queries groups · chunk."""

    query: Tensor | None
    keys: Tensor
    values: Tensor
    total: Tensor | None
    """Sums of log decays since the chunk began, in float64: differences of large sums are wanted."""
    rate: Tensor | None
    groups: int

    def run(self, matrix: Tensor, count: int) -> tuple[Tensor | None, Tensor]:
        """What the queries read, and the state after ``count`` chunks."""
        shape, dtype = matrix.shape, matrix.dtype
        since, until, through = None, None, None
        if self.total is not None:
            since = self.total.to(dtype).exp()  # from the chunk's beginning to each token
            until = (self.total[:, -1:] - self.total).to(dtype).exp()  # from each token to the chunk's end
            through = since[:, -1, :, None].unflatten(0, (-1, count))
        leaving = self.keys if until is None else self.keys * until
        state = matrix.flatten(0, 1)
        if self.rate is None:
            added = torch.bmm(leaving.mT, self.values).unflatten(0, (-1, count))
            states = []
            for n in range(count):
                states.append(state)
                state = (state if through is None else state * through[:, n]) + added[:, n]
            before = torch.stack(states, 1).flatten(0, 1)
            values = self.values
        else:
            before, values, state = self._corrected(state, count, since, leaving, through)
        read = None
        if self.query is not None:
            weights = self._pairs(self.query, self.groups, strictly=False)
            entering = self.query if since is None else self.query * since.repeat(1, self.groups, 1)
            read = torch.baddbmm(torch.bmm(weights, values), entering, before)
        return read, state.view(shape)

    def _corrected(
        self, state: Tensor, count: int, since: Tensor | None, leaving: Tensor, through: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The delta rule: the state before each chunk, what each token writes, and the state afterwards.

        A token writes ``u = rate · (v − what its key reads)``. What it reads of its own chunk are the u of tokens
        before it, so the u of a chunk solve a triangular system (Yang et al. 2024, arXiv:2406.06484).
        """
        assert self.rate is not None
        system = self.rate * self._pairs(self.keys, 1, strictly=True)
        entering = self.keys if since is None else self.keys * since
        wanted = self.rate * torch.cat([self.values, entering], -1)
        solved = torch.linalg.solve_triangular(system, wanted, upper=False, unitriangular=True)
        own, read = solved.unflatten(0, (-1, count)).split([self.values.shape[-1], self.keys.shape[-1]], -1)
        leaving = leaving.unflatten(0, (-1, count))
        states, written = [], []
        for n in range(count):
            states.append(state)
            written.append(torch.baddbmm(own[:, n], read[:, n], state, alpha=-1))
            state = (state if through is None else state * through[:, n]) + torch.bmm(leaving[:, n].mT, written[-1])
        return torch.stack(states, 1).flatten(0, 1), torch.stack(written, 1).flatten(0, 1), state

    def _pairs(self, rows: Tensor, groups: int, *, strictly: bool) -> Tensor:
        """Row i times key j and all decays between them for j ≤ i, or strictly j < i; 0 elsewhere."""
        chunk, last = self.keys.shape[1], -1 if strictly else 0
        if self.total is None:
            found = torch.bmm(rows, self.keys.mT)
            found.unflatten(1, (groups, chunk)).tril_(last)
            return found
        later = torch.ones(chunk, chunk, dtype=torch.bool, device=rows.device).triu(1 + last)
        if self.total.shape[-1] == 1:
            between = (self.total - self.total.mT).masked_fill(later, -torch.inf).to(rows.dtype).exp()
            return torch.bmm(rows, self.keys.mT) * between.repeat(1, groups, 1)
        apart = (self.total[:, :, None] - self.total[:, None]).to(rows.dtype)
        decayed = apart.masked_fill(later[..., None], -torch.inf).exp() * self.keys[:, None]
        by_row = rows.unflatten(1, (groups, chunk)).transpose(1, 2) @ decayed.mT
        weights: Tensor = by_row.transpose(1, 2).flatten(1, 2)
        return weights


def one_step(
    how: Recurrence, q: Float[Tensor, "batch kv_heads groups 1 head_dim"], token: Tokens, state: State
) -> tuple[Float[Tensor, "batch kv_heads groups 1 value_dim"], State]:
    """The recurrence itself: one token enters the state, and its queries read it."""
    matrix, before = state
    with torch.autocast(_real(q.device), enabled=False):
        found = how.key_features(token, matrix.dtype, before)
        key = found.features
        if found.log_decay is not None:
            matrix = matrix * found.log_decay.to(matrix.dtype).exp().mT
        value = token.v.to(matrix.dtype)
        if token.rate is not None:
            value = token.rate.to(matrix.dtype) * (value - key @ matrix)
        if how.normalize:
            value = pad(value, (0, 1), value=1.0)
        matrix = matrix + key.mT * value
        features, query_shift = how.query_features(q, matrix.dtype)
        total = (features.flatten(2, 3) @ matrix)[:, :, :, None]
        output = how.finish(total, query_shift, found.shift[:, :, None, None, None])
        return output.to(q.dtype), (matrix, found.shift)


def divide(total: Tensor, by: Tensor) -> Tensor:
    """``total / by``, and 0 with the gradient 0 where there is nothing to divide by."""
    none = by == 0
    return total.masked_fill(none, 0.0) / by.masked_fill(none, 1.0)


def _made_again(function: Callable[..., Any], *tensors: Tensor | None) -> Any:
    """``function(*tensors)``, of which only the tensors are kept for the backward pass."""
    if torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in tensors):
        return checkpoint(function, *tensors, use_reentrant=False, preserve_rng_state=False)
    return function(*tensors)


def _chunk(tokens: Tokens) -> int:
    return FINE_CHUNK if _is_fine(tokens.log_decay) else CHUNK


def _is_fine(log_decay: Tensor | None) -> bool:
    return log_decay is not None and log_decay.shape[-1] > 1


def _here(x: Tensor, present: Tensor | None) -> Tensor:
    """The numbers, 0 where a token is not there: NaN or infinity times a feature of 0 would be NaN."""
    return x if present is None else x.masked_fill(~present, 0.0)


def _times(x: Tensor, factor: float) -> Tensor:
    return x if factor == 1.0 else x * factor


def _finite(shift: Tensor) -> Tensor:
    """0 for −inf, where there was no key yet."""
    return shift.masked_fill(shift == -torch.inf, 0.0)


def _real(device: torch.device) -> str:
    """A type of device that autocast knows."""
    return "cpu" if device.type == "meta" else device.type
