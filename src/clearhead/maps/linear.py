"""``linear_attend``: linear attention together with the map of the weights that it never writes out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from clearhead.errors import InputError
from clearhead.maps.base import AttentionMap, Check, Distance, Groups, Moments, Tile, by_block
from clearhead.maps.held import Held
from clearhead.maps.indexing import pick
from clearhead.masks import Mask
from clearhead.mechanisms.feature_maps import FeatureMap
from clearhead.mechanisms.fused import product
from clearhead.mechanisms.linear_request import LinearRequest, prepare_linear
from clearhead.mechanisms.recurrence import Recurrence, Tokens, divide

__all__ = ["LinearMap", "linear_attend"]

_COLUMNS = 64  # that one pass takes along


def linear_attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    feature_map: str | FeatureMap = "elu",
    causal: bool = False,
    mask: Mask | Tensor | None = None,
    scale: float | int | None = None,
    decay: float | int | Tensor | None = None,
    normalize: bool | None = None,
) -> tuple[Tensor, LinearMap]:
    """:func:`clearhead.linear_attention` and the lazy map of its weights, at the same cost.

    Args:
        q: ``(…, heads, queries, head_dim)``; see :func:`clearhead.linear_attention` for all arguments. With the delta
            rule a value is changed by later ones, and what a query takes of it is no product of a q and a k: that has
            no map, and so no ``update_rate`` here.
        k: ``(…, kv_heads, keys, head_dim)``.
        v: ``(…, kv_heads, keys, value_dim)``.
        feature_map: φ.
        causal: Whether a query sees only the keys up to its own.
        mask: Which keys are there.
        scale: Factor of q·k.
        decay: What becomes of the state from token to token.
        normalize: Whether weights are divided by their sum.

    Returns:
        The output, ``(…, heads, queries, value_dim)``, and the map, ``(batch, heads, queries, keys)``.

    Raises:
        ShapeError: Shapes that do not fit.
        InputError: Dtypes or devices that differ, or an argument of the wrong kind.

    Example:
        >>> import torch, clearhead as ch
        >>> q, k = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [2.0]])
        >>> output, amap = ch.linear_attend(q, k, torch.tensor([[0.0], [4.0]]), causal=True)
        >>> amap[0, 0]
        tensor([[1.0000, 0.0000],
                [0.2500, 0.7500]])

    """
    request = prepare_linear(
        q,
        k,
        v,
        feature_map=feature_map,
        causal=causal,
        mask=mask,
        scale=scale,
        decay=decay,
        update_rate=None,
        normalize=normalize,
    )
    return request.restore(request.output()), LinearMap(request)


class LinearMap(AttentionMap):
    """The map of linear attention: ``weight_ij = φ(q_i)·φ(k_j) · Π_{j<t≤i} decay_t / Σ_j`` of the same.

    It keeps q, k and what decays. The sum of a row is computed in linear time when it is first needed. ``apply``,
    ``moments``, ``mass``, ``received`` and the mean of ``pooled`` take linear time too; the others stream over tiles.

    Weights of the feature map ``none`` may have any sign, and do not sum to 1. ``entropy`` is NaN in a row that has one
    below 0; and ``distance`` divides sums over weights of both signs by their sum, so that it is no mean: it may be
    negative, or larger than the text is long.
    """

    def __init__(self, request: LinearRequest, *, attached: bool = True) -> None:
        if request.tokens.rate is not None:
            raise InputError(
                "the delta rule changes values that are there already, so what a query takes of a key is no product of "
                "the two: it has no map; leave update_rate out, or call linear_attention"
            )
        batch, kv_heads, groups, queries, _ = request.q.shape
        self._how: Recurrence = request.how
        self._causal, self._groups = request.is_causal, groups
        self._attached = attached
        tokens = request.tokens
        held = {"q": request.q.flatten(1, 2), "k": tokens.k, "present": tokens.present, "log_decay": tokens.log_decay}
        self._held = Held(held, attached=attached)
        self.shape = (batch, kv_heads * groups, queries, tokens.k.shape[2])
        self.device = request.q.device
        self.dtype = request.dtype

    @property
    def feature_map(self) -> FeatureMap:
        """φ."""
        return self._how.feature_map

    @property
    def q(self) -> Float[Tensor, "batch heads queries head_dim"]:
        """The queries."""
        return self._held["q"]

    @property
    def k(self) -> Float[Tensor, "batch kv_heads keys head_dim"]:
        """The keys, once a key head."""
        return self._held["k"]

    @property
    def sums(self) -> Float[Tensor, "batch heads queries"]:
        """What each row is divided by, ``φ(q_i)·z_i``, in float64; 1 for every row where nothing is normalized.

        Those of random features may be 0 or infinite here, as numbers, where no weight is: these maps divide by
        :attr:`log_sums`.
        """
        if self._how.normalize and self.feature_map.in_logs:
            found: Tensor = self.log_sums.exp()
            return found
        held = self._held.get("sums")
        if held is None:
            held = torch.ones(self.shape[:3], dtype=torch.float64, device=self.device)
            if self._how.normalize:
                held = self._summed(self._ones)[..., 0]
            self._put("sums", held)
        return held

    @property
    def log_sums(self) -> Float[Tensor, "batch heads queries"]:
        """The logarithm of :attr:`sums`; −inf for a row without keys, NaN for a sum below 0."""
        if not (self._how.normalize and self.feature_map.in_logs):
            return self.sums.log()
        found = self._held.get("log_sums")
        if found is None:
            found = self._log_summed()
            self._put("log_sums", found)
        return found

    @property
    def _ones(self) -> Tensor:
        return torch.ones((1, 1, self.shape[3], 1), dtype=torch.float64, device=self.device)

    def _put(self, name: str, found: Tensor) -> None:
        """Hold what was computed, unless it lacks the gradient that somebody may want later."""
        if torch.is_grad_enabled() or not self._wants_gradient:
            self._held.put(name, found)

    @property
    def nbytes(self) -> int:
        return self._held.nbytes

    def tensors(self) -> Mapping[str, Tensor]:
        by = {"log_sums": self.log_sums} if self.feature_map.in_logs else {"sums": self.sums}
        return by | self._held.all()

    def __repr__(self) -> str:
        parts = [repr(self.feature_map)]
        parts += ["causal"] if self._causal else []
        parts += [name for name in ("log_decay", "present") if self._held.get(name) is not None]
        parts += [] if self._how.normalize else ["not normalized"]
        words = ", ".join(parts).replace("log_decay", "decay").replace("present", "mask")
        return f"{super().__repr__()[:-1]} of linear attention; {words})"

    def to(self, device: torch.device | str) -> LinearMap:
        return self._with({name: x.to(device) for name, x in self._held.all().items()}, self._attached)

    def detach(self) -> LinearMap:
        return self._with(self._held.all(), attached=False)

    def select_heads(self, heads: Sequence[int]) -> LinearMap:
        chosen, held = self._check_heads(heads), self._held.all()
        shared = [h // self._groups for h in chosen]
        by = {"q": chosen, "sums": chosen, "log_sums": chosen, "k": shared, "log_decay": shared}
        return self._with({name: x[:, by[name]] if name in by else x for name, x in held.items()}, self._attached)

    def _with(self, held: Mapping[str, Tensor], attached: bool) -> LinearMap:
        """The same map of other tensors."""
        tokens = Tokens(held["k"], held["k"], held.get("present"), held.get("log_decay"))
        q = held["q"].unflatten(1, (tokens.k.shape[1], -1)) if tokens.k.shape[1] else held["q"][:, :, None]
        result = LinearMap(LinearRequest(q, tokens, self._how, self._causal, ()), attached=attached)
        for name in ("sums", "log_sums"):
            if name in held:
                result._held.put(name, held[name])
        return result

    @property
    def _wants_gradient(self) -> bool:
        return self._attached and any(x.requires_grad for x in self._held.all().values())

    # Weights.

    def outer(
        self,
        batch: Int[Tensor, "b"],
        head: Int[Tensor, "h"],
        query: Int[Tensor, "i"],
        key: Int[Tensor, "j"],
    ) -> Float[Tensor, "b h i j"]:
        shared = head // self._groups
        q = pick(pick(pick(self.q, 0, batch), 1, head), 2, query)
        k = pick(pick(pick(self.k, 0, batch), 1, shared), 2, key)
        q_features, q_shift, k_features, k_shift = self._features(q, k)
        position = query + self.shape[3] - self.shape[2]
        total = self._total
        if total is None:
            weights = product(q_features, k_features.mT)
        else:
            mine = pick(pick(total, 0, batch), 1, shared)
            here, there = mine[:, :, position.clamp(min=0)], mine[:, :, key]
            weights = self._decayed(q_features, k_features, here, there)
        sums = pick(pick(pick(self._divisor, 0, batch), 1, head), 2, query)[..., None]
        weights = self._divided(weights, q_shift, None if k_shift is None else k_shift.mT, sums)
        if self._causal:
            weights = weights.masked_fill(key > position[:, None], 0.0)
        present = self._held.get("present")
        if present is not None:
            there = present.expand(self.shape[0], -1, -1, -1)[batch][:, :, key]
            weights = weights.masked_fill(~there.mT, 0.0)
        return weights

    def points(
        self,
        batch: Int[Tensor, "*points"],
        head: Int[Tensor, "*points"],
        query: Int[Tensor, "*points"],
        key: Int[Tensor, "*points"],
    ) -> Float[Tensor, "*points"]:
        flat = [x.reshape(-1) for x in (batch, head, query, key)]
        result = torch.empty(flat[0].shape, dtype=self.dtype, device=self.device)
        total, present, divisor = self._total, self._held.get("present"), self._divisor
        for start in range(0, len(result), 2**12):
            b, h, i, j = (x[start : start + 2**12] for x in flat)
            q_features, q_shift, k_features, k_shift = self._features(self.q[b, h, i], self.k[b, h // self._groups, j])
            products, position = q_features * k_features, i + self.shape[3] - self.shape[2]
            if total is not None:
                mine = total[b, h // self._groups, position.clamp(min=0)] - total[b, h // self._groups, j]
                products = products * mine.clamp(max=0.0).to(products.dtype).exp()
            found = self._divided(products.sum(-1, keepdim=True), q_shift, k_shift, divisor[b, h, i, None])[:, 0]
            if self._causal:
                found = found.masked_fill(j > position, 0.0)
            if present is not None:
                found = found.masked_fill(~present.expand(self.shape[0], -1, -1, -1)[b, 0, j, 0], 0.0)
            result[start : start + 2**12] = found
        return result.view(batch.shape)

    def tiles(self, *, whole_rows: bool = False) -> Iterator[Tile]:
        ahead = self.shape[3] - self.shape[2]
        for tile in super().tiles(whole_rows=whole_rows):
            if not self._causal or tile.columns.start < tile.rows.stop + ahead:
                yield tile

    def _features(self, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor | None, Tensor, Tensor | None]:
        """φ(q) and φ(k), and of each row the logarithm of a factor that was taken out."""
        how = self._how
        # q and k may have their largest features far apart, so that products of powers of e want float64's range.
        dtype = torch.float64 if self.feature_map.in_logs else self.dtype
        q_features, q_shift = how.query_features(q, dtype)
        # Of single keys, each with a shift of its own, as of queries: the factors of q and k change places.
        k_features, k_shift = replace(how, query_factor=how.key_factor).query_features(k, dtype)
        return q_features, q_shift, k_features, k_shift

    @property
    def _divisor(self) -> Tensor:
        """The sums, or of random features their logarithms."""
        return self.log_sums if self.feature_map.in_logs else self.sums

    def _divided(self, weights: Tensor, q_shift: Tensor | None, k_shift: Tensor | None, divisor: Tensor) -> Tensor:
        if q_shift is None or k_shift is None:
            return divide(weights, divisor.to(self.dtype))
        # One logarithm: of the factors alone each may be out of range. A row without keys is 0 anyway.
        none = (weights == 0) | (divisor == -torch.inf)
        found = weights.masked_fill(none, 1.0).log() + q_shift + k_shift - divisor.masked_fill(none, 0.0)
        if self._how.normalize:
            # A later key, which the caller sets to 0, may be anything: an infinite one would have a gradient of NaN.
            found = found.clamp(max=1.0)
        return found.masked_fill(none, 0.0).exp().masked_fill(none, 0.0).to(self.dtype)

    def _decayed(self, q: Tensor, k: Tensor, here: Tensor, there: Tensor) -> Tensor:
        """φ(q)·φ(k) and the decays between; keys that come later are set to 0 by the caller."""
        if here.shape[-1] == 1:
            between = (here - there.mT).clamp(max=0.0).to(q.dtype).exp()
            return product(q, k.mT) * between
        result = torch.zeros((), dtype=q.dtype, device=self.device)
        for f in range(here.shape[-1]):  # a feature at a time: together they would be many times the tile
            between = (here[..., f, None] - there[..., None, :, f]).clamp(max=0.0).to(q.dtype).exp()
            result = result + q[..., f, None] * between * k[..., None, :, f]
        return result

    @property
    def _total(self) -> Tensor | None:
        """The sum of log decays up to each token, of which differences are wanted: float64."""
        found = self._held.get("log_decay")
        return None if found is None else found.double().cumsum(2)

    # Statistics in linear time.

    def apply(self, columns: Float[Tensor, "#batch #heads keys c"]) -> Float[Tensor, "batch heads queries c"]:
        return self._applied(self._check_columns(columns).to(self.dtype)).to(self.dtype)

    def received(
        self, weights: Float[Tensor, "#batch #heads queries"] | None = None
    ) -> Float[Tensor, "batch heads keys"]:
        if self._causal and self.shape[2] != self.shape[3]:
            return super().received(weights)
        self._check_not_negative(weights)
        share = torch.ones(self.shape[:3], dtype=torch.float64, device=self.device)
        share = share if weights is None else share * weights
        log_weight = None
        if self.feature_map.in_logs:  # a query is divided by its sum before it is raised to a power of e
            none = self.log_sums == -torch.inf
            share, log_weight = share.masked_fill(none, 0.0), -self.log_sums.masked_fill(none, 0.0)[..., None]
        else:
            share = divide(share, self.sums)
        share = share[..., None]
        # The columns' sums are what keys read of queries, from the last token to the first.
        q, k, decay = self.q.double(), self._by_head(self.k).double(), self._decay_by_head()
        if self._causal:
            q, k, share = q.flip(2), k.flip(2), share.flip(2)
            log_weight = None if log_weight is None else log_weight.flip(2)
            # A token's decay stands between it and the one before, which in this order comes after it.
            decay = None if decay is None else decay.flip(2).roll(1, 2)
            if decay is not None:
                decay = torch.cat([torch.zeros_like(decay[:, :, :1]), decay[:, :, 1:]], 2)
        how = replace(self._how, query_factor=self._how.key_factor, key_factor=self._how.query_factor, normalize=False)
        request = LinearRequest(k[:, :, None], Tokens(q, share, None, decay, None, log_weight), how, self._causal, ())
        found = request.output()[:, :, 0, :, 0]
        found = found.flip(2) if self._causal else found
        present = self._held.get("present")
        return (found if present is None else found.masked_fill(~present[..., 0], 0.0)).to(self.dtype)

    def moments(self, groups: Groups | None = None) -> Moments:
        queries, keys = self.shape[2:]
        if not self._causal and queries != keys:
            return super().moments(groups)
        indicator = self._indicator(groups).double()
        key = torch.arange(keys, device=self.device, dtype=torch.float64) - keys / 2
        powers = torch.stack([torch.ones_like(key), key, key.square()], -1)[None, None]
        columns = torch.cat([powers.expand(indicator.shape[0], -1, -1, -1), indicator], -1)
        found = self._applied(columns)
        total, first, second = found[..., :3].unbind(-1)
        here = torch.arange(keys - queries, keys, device=self.device, dtype=torch.float64) - keys / 2
        signed = here * total - first
        far = signed
        if not self._causal:  # what looks back, twice, less all
            back = self._applied(powers[..., :2], causal=True)
            far = 2 * (here * back[..., 0] - back[..., 1]) - signed
        away = here.square() * total - 2 * here * first + second
        far, mean, square = (divide(x, total) for x in (far, signed, away))
        spread = (square - mean.square()).clamp(min=0.0)
        # Less than the rounding of the squares above is nothing; its root would have any gradient.
        none = spread <= 8 * torch.finfo(spread.dtype).eps * (keys / 2) ** 2
        spread = spread.masked_fill(none, 1.0).sqrt().masked_fill(none, 0.0)
        return Moments(Distance(*(x.to(self.dtype) for x in (far, mean, spread))), found[..., 3:].to(self.dtype))

    def pooled(
        self, size: int, reduce: Literal["mean", "max"] = "mean"
    ) -> Float[Tensor, "batch heads query_blocks key_blocks"]:
        self._check_pooled(size, reduce)
        queries, keys = self.shape[2:]
        if not queries or not keys:
            return torch.zeros((*self.shape[:2], -(-queries // size), -(-keys // size)), dtype=self.dtype).to(
                self.device
            )
        if reduce == "max":
            return self._pooled_max(size) if self._learns else super().pooled(size, reduce)
        rows, blocks = -(-queries // size), torch.arange(keys, device=self.device) // size
        parts = []
        for first in range(0, -(-keys // size), _COLUMNS):
            last = min(first + _COLUMNS, -(-keys // size))
            hit = (blocks[:, None] == torch.arange(first, last, device=self.device)).to(self.dtype)
            found = self._applied(hit[None, None]).to(self.dtype)
            found = torch.nn.functional.pad(found, (0, 0, 0, rows * size - queries))
            parts.append(found.unflatten(2, (rows, size)).sum(3))
        return torch.cat(parts, -1) / self._block_counts(size)

    def check(self) -> Check:
        """How far the weights of a row are from 1 in sum: every weight is computed, by tiles."""
        if not self._how.normalize:
            return Check(0.0, None, 0)
        with torch.no_grad():
            total, some = self._sum_by_query(lambda tile: tile.weights.sum(-1)), self._has_keys
            return Check(float((total - 1).abs()[some].max()) if bool(some.any()) else 0.0, None, 0)

    @property
    def _has_keys(self) -> Bool[Tensor, "batch heads queries"]:
        """Which queries see a key that shares a feature with them: said by the mask and by q and k, not by any sum."""
        queries, keys = self.shape[2:]
        if not queries or not keys:
            return torch.zeros(self.shape[:3], dtype=torch.bool, device=self.device)
        if self.feature_map.in_logs:  # powers of e are all above 0
            there = torch.ones((*self.k.shape[:3], 1), dtype=torch.bool, device=self.device)
            wanted = torch.ones((*self.q.shape[:3], 1), dtype=torch.bool, device=self.device)
        else:
            one, _, two, _ = self._features(self.q, self.k)
            wanted, there = one != 0, two != 0
        present = self._held.get("present")
        there = self._by_head(there if present is None else there & present)
        if not self._causal:
            return (wanted & there.any(2, keepdim=True)).any(-1)
        there = there.to(torch.uint8).cummax(2).values.bool()
        position = torch.arange(keys - queries, keys, device=self.device)
        found = (wanted & there[:, :, position.clamp(min=0)]).any(-1)
        return found & (position >= 0)

    @property
    def _learns(self) -> bool:
        return torch.is_grad_enabled() and self._wants_gradient

    def _pooled_max(self, size: int) -> Tensor:
        """The maximum of blocks with a gradient; each tile is computed again in the backward pass."""
        rows, blocks = (-(-n // size) for n in self.shape[2:])
        everything = [torch.arange(n, device=self.device) for n in self.shape]
        parts, places = [], []
        _ = self._divisor  # held from now on, and not computed again with every tile
        for tile in self.detach().tiles():  # of which only the places are wanted

            def whole(at: Tile = tile) -> Tensor:
                own = (everything[2][at.rows.start : at.rows.stop], everything[3][at.columns.start : at.columns.stop])
                across = by_block(self.outer(everything[0], everything[1], *own), -1, at.columns, size, "max")
                return by_block(across, -2, at.rows, size, "max").flatten(2)

            parts.append(checkpoint(whole, use_reentrant=False))
            row, column = (
                torch.arange(x.start // size, (x.stop - 1) // size + 1, device=self.device)
                for x in (tile.rows, tile.columns)
            )
            places.append((row[:, None] * blocks + column).flatten())
        result = torch.zeros((*self.shape[:2], rows * blocks), dtype=self.dtype, device=self.device)
        if parts:
            found = torch.cat(parts, -1)
            result = result.scatter_reduce(2, torch.cat(places).expand_as(found), found, "amax")
        return result.view(*self.shape[:2], rows, blocks)

    def _applied(self, columns: Tensor, *, causal: bool | None = None) -> Tensor:
        """Weights times columns, in float64 or in the columns' dtype; causal: only those up to each query."""
        if not self.feature_map.in_logs:
            return divide(self._summed(columns, causal=causal), self.sums[..., None].to(columns.dtype))
        found = self._summed(columns, causal=causal, normalize=self._how.normalize)
        if causal in (None, self._causal) or not self._how.normalize:
            return found
        # They were divided by the sum of these keys, which is a share of the sum of all.
        share = self._log_summed(causal=causal) - self.log_sums.masked_fill(self.log_sums == -torch.inf, 0.0)
        return found * share[..., None].exp()

    def _log_summed(self, *, causal: bool | None = None) -> Tensor:
        """The logarithm of the sums of weights before they are divided by them."""
        if 0 in self.shape:
            return torch.full(self.shape[:3], -torch.inf, dtype=torch.float64, device=self.device)
        found = self._summed(self._ones, causal=causal, logs=True)[..., 0]
        if self._causal if causal is None else causal:  # queries before the first key, for which 0 is no logarithm
            before = torch.arange(self.shape[3] - self.shape[2], self.shape[3], device=self.device) < 0
            found = found.masked_fill(before, -torch.inf)
        return found

    def _summed(
        self, columns: Tensor, *, causal: bool | None = None, normalize: bool = False, logs: bool = False
    ) -> Tensor:
        """Weights times columns, divided or not by the sum of weights. In float64 where features are powers of e."""
        dtype = torch.float64 if self.feature_map.in_logs else columns.dtype
        columns = columns.to(dtype).expand(self.shape[0], -1, -1, -1)
        q, k, decay = self.q.to(dtype), self.k.to(dtype), self._held.get("log_decay")
        if columns.shape[1] == 1:
            columns = columns.expand(-1, k.shape[1], -1, -1)
        else:
            k, decay = self._by_head(k), self._decay_by_head()
        tokens = Tokens(k, columns, self._held.get("present"), decay)
        how, is_causal = replace(self._how, normalize=normalize, logs=logs), self._causal if causal is None else causal
        q = q.unflatten(1, (k.shape[1], -1))
        return LinearRequest(q, tokens, how, is_causal, ()).output().flatten(1, 2).to(columns.dtype)

    def _by_head(self, x: Tensor) -> Tensor:
        """Of each key head to each query head."""
        return x if self._groups == 1 else x.repeat_interleave(self._groups, 1)

    def _decay_by_head(self) -> Tensor | None:
        found = self._held.get("log_decay")
        return None if found is None else self._by_head(found)
