"""The map that keeps q, k and one number a row, and rebuilds any weight from them.

How each statistic comes out of a fused kernel that never shows its weights: P is the map of one head, s the scores.

* ``entropy``: ``H_i = lse_i·Σ_j P_ij − Σ_j P_ij·s_ij``, and without a bias ``Σ_j P_ij·s_ij = scale·q_i·(P·K)_i``:
  one call with the keys as values.
* ``moments``, ``apply``, ``pooled``: linear in a row, so one call with designed columns as values.
* ``received``: the columns' sums are the row sums of the swapped call, whose queries are ``[k, 1]`` and whose keys are
  ``[scale·q, −lse]``: ``log Σ_i P_ij`` is that call's LSE.
* ``topk`` and maxima need every score once: they stream over tiles.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial, reduce
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from clearhead.errors import ShapeError
from clearhead.maps.base import AttentionMap, Check, Distance, Groups, Moments, Tile, TopK, by_block
from clearhead.maps.held import Held, keep
from clearhead.maps.indexing import pick
from clearhead.masks import BoundMask, Mask, Spans, read_additive, read_boolean
from clearhead.masks.bound import closed_over
from clearhead.mechanisms import ScoreRule, fused
from clearhead.mechanisms.calls import KeyRuns, calls_swapped, calls_under, key_runs
from clearhead.mechanisms.fused import product
from clearhead.mechanisms.normalizers import Normalizer, Softmax, as_normalizer
from clearhead.mechanisms.recompute import Place, in_blocks
from clearhead.mechanisms.rule import PlacedBias, ScoreModifier
from clearhead.mechanisms.streamed import blocks, of_bias, rows_and_keys, run_scores, tile_scores
from clearhead.positions import Bias
from clearhead.shapes import Keys, PerQuery, Queries, exact_dtype

__all__ = ["FactoredMap"]

_ROWS = 256  # queries whose distances are worked out at once
_FAR = 64.0  # an LSE beyond this leaves the fused entropy fewer than 5 digits after the point in float32
_OWN = ("q", "k", "lse", "values", "output")  # of what it holds; the others are those of the rule
_ABSENT = -1e30  # a log weight that vanishes, without the NaN that −inf could make in a kernel


class FactoredMap(AttentionMap):
    """An :class:`AttentionMap` kept as q, k and LSE. :meth:`AttentionMap.from_qk` makes one."""

    def __init__(
        self,
        q: Queries,
        k: Keys,
        rule: ScoreRule | Callable[[], ScoreRule],
        *,
        lse: PerQuery | None = None,
        values: Float[Tensor, "batch kv_heads keys c"] | None = None,
        output: Float[Tensor, "batch heads queries c"] | None = None,
        attached: bool = False,
    ) -> None:
        self._attached = attached
        held = {"q": q, "k": k, "lse": lse, "values": values, "output": output}
        self._held = Held(held, attached=attached)
        self._made: ScoreRule | None = None
        self._make = rule
        if isinstance(rule, ScoreRule):
            self._rule  # noqa: B018  # its tensors are watched from now on
        self._lse_is_normal = False
        self.shape = (q.shape[0], q.shape[1], q.shape[2], k.shape[2])
        self.device = q.device
        self.dtype = exact_dtype(q.dtype)

    @property
    def _rule(self) -> ScoreRule:
        """The rule, of tensors that are watched for changes."""
        if self._made is None:
            given = self._make if isinstance(self._make, ScoreRule) else self._make()
            self._made = given.change(partial(keep, attached=self._attached))
            self._make = self._made  # and nothing more of what it was made from
            for name, tensor in self._made.tensors().items():
                self._held.put(name, tensor)
            read = enumerate(self._made.borrowed())
            self._read = Held({f"tensors that the mask's or score's function reads ({n})": x for n, x in read})
        return self._made

    @classmethod
    def build(
        cls,
        q: Tensor,
        k: Tensor,
        *,
        scale: float | None,
        mask: Mask | Tensor | None,
        causal: bool,
        bias: Tensor | Bias | None,
        normalizer: str | Normalizer = "softmax",
        softcap: float | None,
        sinks: Tensor | None,
        modify: ScoreModifier | None,
        lse: Tensor | None,
        values: Tensor | None,
        output: Tensor | None,
    ) -> FactoredMap:
        """See :meth:`AttentionMap.from_qk`."""
        q, k = _four_axes(q, "q"), _four_axes(k, "k")
        _check_shapes(q, k)
        batch, heads, queries, keys = q.shape[0], q.shape[1], q.shape[2], k.shape[2]
        rule_mask: BoundMask | None = None
        if isinstance(mask, Mask):
            rule_mask = mask.bind(queries, keys, q.device)
        elif mask is not None:
            if mask.is_floating_point():
                raise ShapeError(
                    f"a mask says True where a query may attend; got {mask.dtype}. Numbers that are added to the "
                    "scores are given as bias"
                )
            rule_mask = read_boolean(_broadcast(mask, (batch, heads, queries, keys), "mask").bool(), queries)
        if causal:
            triangle = Spans.causal(queries, keys, device=q.device)
            rule_mask = triangle if rule_mask is None else rule_mask & triangle
        placed = PlacedBias(bias, keys - queries) if isinstance(bias, Bias) else None
        if isinstance(bias, Bias):
            bias = None
        elif bias is not None:
            forbidden, bias = read_additive(_broadcast(bias, (batch, heads, queries, keys), "bias"), queries)
            if forbidden is not None:
                rule_mask = forbidden if rule_mask is None else rule_mask & forbidden
        if sinks is not None and sinks.shape != (heads,):
            raise ShapeError(f"sinks hold one logit a head, ({heads},); got {tuple(sinks.shape)}")
        if lse is not None and not lse.requires_grad and (q.requires_grad or k.requires_grad):
            lse = None  # it is computed again where gradients have to flow through it
        lse = None if lse is None else lse[None] if lse.dim() == 2 else lse.flatten(0, -3)
        values = None if values is None else _four_axes(values, "values")
        output = None if output is None else _four_axes(output, "output")
        width = output.shape[3] if output is not None else values.shape[3] if values is not None else 0
        for name, tensor, wanted in (
            ("lse", lse, (batch, heads, queries)),
            ("values", values, (batch, k.shape[1], keys, width)),
            ("output", output, (batch, heads, queries, width)),
        ):
            if tensor is not None and tuple(tensor.shape) != wanted:
                raise ShapeError(f"{name} has the shape {wanted} here; got {tuple(tensor.shape)}")
        if softcap is not None and not softcap > 0:
            raise ShapeError(f"a softcap bounds scores to ±softcap and is above 0; got {softcap}")
        scale = 1.0 / math.sqrt(q.shape[-1]) if scale is None else float(scale)
        rule = ScoreRule(
            scale,
            rule_mask,
            bias,
            softcap,
            sinks,
            modify,
            position_bias=placed,
            normalizer=as_normalizer(normalizer),
        )
        return cls(q, k, rule, lse=lse, values=values, output=output, attached=True)

    # What it holds.

    @property
    def q(self) -> Queries:
        """The queries, as the kernel saw them."""
        return self._held["q"]

    @property
    def k(self) -> Keys:
        """The keys, as the kernel saw them, once a key head."""
        return self._held["k"]

    @property
    def rule(self) -> ScoreRule:
        """Scale, mask, bias, soft-cap and sinks."""
        rule = self._rule
        self._held.all()
        self._read.all()
        return rule

    @property
    def lse(self) -> PerQuery:
        """The log of each row's normalizer, natural; −inf where a query may attend to nothing.

        With another normalizer than softmax, the number that stands in its place (its ``statistic``).

        What the kernel gave is used, and otherwise it is computed by one fused pass when it is first needed. Kernels
        store different numbers for a row without keys (0 on the CPU), so those are set here.
        """
        if not self._lse_is_normal:
            given, _ = self._held.get("lse"), self.rule
            lse = self._statistic() if given is None else given
            if self._rule.is_linear:
                lse = lse.to(self.dtype)
                empty = self._rule.empty_rows(*self.shape[2:])
                lse = lse if empty is None else lse.masked_fill(empty, -torch.inf)
            if self._wants_gradient and not lse.requires_grad:
                return lse  # no gradient was asked for now; it may be the next time
            self._held.put("lse", lse)
            self._lse_is_normal = True
        return self._held["lse"]

    @property
    def nbytes(self) -> int:
        self._rule  # noqa: B018  # whose tensors count
        return self._held.nbytes

    def tensors(self) -> Mapping[str, Tensor]:
        return {"lse": self.lse, **self._held.all()}

    def __repr__(self) -> str:
        rule = self._rule
        parts = [repr(rule.mask)] if rule.mask is not None else []
        parts += [repr(rule.position_bias.bias)] if rule.position_bias is not None else []
        parts += [name for name in ("bias", "sinks", "modify") if getattr(rule, name) is not None]
        parts += [] if type(rule.normalizer) is Softmax else [repr(rule.normalizer)]
        parts += [f"softcap={rule.softcap:g}"] if rule.softcap is not None else []
        kept = str(self._held.dtype("q")).removeprefix("torch.")
        return f"{super().__repr__()[:-1]} for q, k of {kept} and the LSE{''.join(f'; {part}' for part in parts)})"

    def to(self, device: torch.device | str) -> FactoredMap:
        device = torch.device(device)
        held = self._held.all()
        moved = {name: tensor.to(device) for name, tensor in held.items() if name in _OWN}
        return self._with(self._rule.to(device), moved)

    def select_heads(self, heads: Sequence[int]) -> FactoredMap:
        chosen, held = self._check_heads(heads), self._held.all()
        shared = [h // self._groups for h in chosen]
        picked = {
            name: held[name][:, heads_of_it]
            for names, heads_of_it in ((("q", "lse", "output"), chosen), (("k", "values"), shared))
            for name in names
            if name in held
        }
        return self._with(self._rule.select_heads(chosen, self.shape[1]), picked)

    def detach(self) -> FactoredMap:
        result = FactoredMap(
            rule=self._rule.change(Tensor.detach),
            attached=False,
            **{name: x for name, x in self._held.all().items() if name in _OWN},
        )
        result._lse_is_normal = self._lse_is_normal
        return result

    def _with(self, rule: ScoreRule, tensors: Mapping[str, Tensor]) -> FactoredMap:
        result = FactoredMap(rule=rule, attached=self._attached, **tensors)
        result._lse_is_normal = self._lse_is_normal
        return result

    @property
    def _groups(self) -> int:
        """Query heads a key head."""
        return self.shape[1] // self._held.shape("k")[1]

    # Single weights and tiles.

    def outer(
        self,
        batch: Int[Tensor, "b"],
        head: Int[Tensor, "h"],
        query: Int[Tensor, "i"],
        key: Int[Tensor, "j"],
    ) -> Float[Tensor, "b h i j"]:
        shape = tuple(len(x) for x in (batch, head, query, key))
        if 0 in shape:  # torch.vmap, which masks given as functions run under, knows no empty batch
            return torch.zeros(shape, dtype=self.dtype, device=self.device)
        seen = self._seen(range(int(query.min()), int(query.max()) + 1))
        inside = (key >= seen.start) & (key < seen.stop)
        if not bool(inside.all()):  # nothing is computed of keys that none of these queries may see
            result = torch.zeros(shape, dtype=self.dtype, device=self.device)
            result[..., inside] = self.outer(batch, head, query, key[inside])
            return result
        q = pick(pick(pick(self.q, 0, batch), 1, head), 2, query).to(self.dtype)
        k = pick(pick(self.k, 0, batch), 2, key)
        if self._groups == 1 or k.shape[1] == 1:
            k = pick(k, 1, head // self._groups)
            scaled = product(q, k.to(self.dtype).transpose(-1, -2))
        else:  # keys are converted and read once for all the query heads that share them
            scaled = q.new_empty((*q.shape[:3], k.shape[2]))
            shared = head // self._groups
            for number in shared.unique().tolist():
                mine = (shared == number).nonzero()[:, 0]
                scaled[:, mine] = product(q[:, mine], k[:, number, None].to(self.dtype).transpose(-1, -2))
        at = (batch.view(-1, 1, 1, 1), head.view(1, -1, 1, 1), query.view(1, 1, -1, 1), key.view(1, 1, 1, -1))
        # Scaled after the product, as the kernels do, so that scores round the way that their LSE did.
        scores = self.rule.finish_points(scaled.mul_(self._rule.scale), *at)
        return self._weights(scores, self.lse[at[0][..., 0], at[1][..., 0], at[2][..., 0]])

    def part(self, batch: int, head: int, rows: range, columns: range) -> Float[Tensor, "rows columns"]:
        rule = self.rule
        if not rows or not columns or not rule.is_linear or rule.has_bias:
            return super().part(batch, head, rows, columns)
        # One product and two passes over what it gives; powers of 2 take half as long as those of e.
        to_two = 1 / math.log(2)
        q = self.q[batch, head, rows.start : rows.stop].to(self.dtype) * (rule.scale * to_two)
        k = self.k[batch, head // self._groups, columns.start : columns.stop].to(self.dtype)
        lse = self.lse[batch, head, rows.start : rows.stop] * to_two
        weights = product(q, k.t()).sub_(lse.masked_fill(lse == -torch.inf, torch.inf)[:, None]).exp2_()
        allowed = None if rule.mask is None else rule.mask.tile(rows, columns)
        if allowed is None:
            return weights
        texts, heads = allowed.shape[:2]
        return weights.masked_fill_(~allowed[batch if texts > 1 else 0, head if heads > 1 else 0], 0.0)

    def columns_for(self, rows: range) -> range:
        return self.rule.columns_for(rows, self.shape[3])

    def points(
        self,
        batch: Int[Tensor, "*points"],
        head: Int[Tensor, "*points"],
        query: Int[Tensor, "*points"],
        key: Int[Tensor, "*points"],
    ) -> Float[Tensor, "*points"]:
        flat = [x.reshape(-1) for x in (batch, head, query, key)]
        result = torch.empty(flat[0].shape, dtype=self.dtype, device=self.device)
        for start in range(0, len(result), 2**16):
            b, h, i, j = (x[start : start + 2**16] for x in flat)
            products = (self.q[b, h, i].to(self.dtype) * self.k[b, h // self._groups, j].to(self.dtype)).sum(-1)
            scores = self.rule.finish_points(products * self._rule.scale, b, h, i, j)
            result[start : start + 2**16] = self._weights(scores[:, None], self.lse[b, h, i])[:, 0]
        return result.view(batch.shape)

    def tiles(self, *, whole_rows: bool = False) -> Iterator[Tile]:
        lse = self.lse
        for rows, columns, scores in self._whole_rows() if whole_rows else self._score_tiles():
            yield Tile(rows, columns, self._weights(scores, lse[..., rows.start : rows.stop]))

    def _whole_rows(self) -> Iterator[Tile]:
        for rows in self._row_blocks(2**21, self.shape[3], self.shape[2]):
            yield Tile(rows, range(self.shape[3]), self._scores(rows, range(self.shape[3])))

    def _weights(self, scores: Tensor, lse: Tensor) -> Tensor:
        """From scores to weights. What the rule closes over may want a gradient; only an attached map has one."""
        if not self._attached:
            scores = scores.detach()
        if scores.requires_grad or lse.requires_grad or type(self._rule.normalizer) is not Softmax:
            return self._rule.normalizer.weights(scores, lse)
        return (scores - lse.masked_fill(lse == -torch.inf, 0.0)[..., None]).exp_()

    @property
    def _wants_gradient(self) -> bool:
        """Whether a gradient is wanted for any of what it holds."""
        read = [] if self._rule.position_bias is None else self._rule.position_bias.tensors()
        return self._attached and any(x.requires_grad for x in (*self._held.all().values(), *read))

    @property
    def _learns(self) -> bool:
        """Whether statistics are to be differentiable."""
        return torch.is_grad_enabled() and self._wants_gradient

    def _sum_tiles(self, function: Callable[[Tile], Tensor], axis: int) -> Tensor:
        if not self._learns:
            return super()._sum_tiles(function, axis)
        if not self.shape[2]:
            return super()._sum_tiles(function, axis)
        seen = self._key_runs()
        parts = blocks((*self.shape[:3], seen.widest), seen.height)
        return self._in_row_blocks(parts, function, [len(part) for part in parts] if axis == 2 else None, seen)

    def _in_row_blocks(
        self,
        parts: Sequence[range],
        function: Callable[[Tile], Tensor],
        rows: Sequence[int] | None,
        seen: KeyRuns,
        join: Callable[[Tensor, Tensor], Tensor] = torch.add,
    ) -> Tensor:
        """``function`` of blocks of rows of weights, joined or added up, with a gradient.

        What it gives for the runs of keys that a block sees goes through ``join``. Each block is computed again in the
        backward pass: what is kept for it is q, k and the LSE.
        """

        def compute(part: range, q: Tensor, k: Tensor, lse: Tensor, *bias: Tensor) -> tuple[Tensor]:
            runs = seen.at_least_one(part)
            weights = self._weights(run_scores(self.rule, q, k, bias[0] if bias else None, part, runs), lse)
            found = []
            for run, own in zip(runs, weights.split([len(run) for run in runs], -1), strict=True):
                one = function(Tile(part, run, own))
                if rows is None:  # sums by key: 0 for those that are not seen
                    beside = (run.start, self.shape[3] - run.stop)
                    one = torch.nn.functional.pad(one, (*(0, 0) * (one.dim() - 3), *beside))
                found.append(one)
            return (reduce(join, found),)

        read = [*self._rule.trained(), *(x for x in closed_over(function) if x.requires_grad)]
        return self._by_rows(parts, [self.lse], compute, rows, read, seen)[0]

    def _by_rows(
        self,
        parts: Sequence[range],
        per_query: Sequence[Tensor],
        compute: Callable[..., tuple[Tensor, ...]],
        rows: Sequence[int] | None,
        read: Sequence[Tensor],
        seen: KeyRuns,
    ) -> tuple[Tensor, ...]:
        """``compute`` of blocks of rows, given their queries, the keys they see, numbers per query, and their bias."""
        bias = [] if self._rule.bias is None else [self._rule.bias]

        def places(rows: range) -> list[Place]:
            row, key = rows_and_keys(rows, seen.at_least_one(rows), self.device)
            return [row, key, *(row for _ in per_query), *(of_bias(x, row, key) for x in bias)]

        return in_blocks(compute, parts, [self.q, self.k, *per_query, *bias], places, rows=rows, read=read)

    def _key_runs(self) -> KeyRuns:
        return key_runs(self._rule, self.shape[2], self.shape[3])

    def _seen(self, rows: range) -> range:
        """A run of keys, at least one, outside of which these queries see nothing."""
        return self._rule.columns_for(rows, self.shape[3]) or range(min(1, self.shape[3]))

    def _scores(self, rows: range, columns: range) -> Tensor:
        """The scores of a tile, −inf where the mask forbids."""
        row, key = rows_and_keys(rows, [columns], self.device)
        return tile_scores(self.rule, self.q[row], self.k[key], None, rows, columns)

    def _score_tiles(self) -> Iterator[Tile]:
        """All scores, a tile at a time, −inf where the mask forbids; tiles that it forbids whole are left out."""
        seen = self._key_runs()
        for rows in self._row_blocks(2**19, min(seen.widest, 1024), seen.height):
            for run in seen.of(rows):
                for j in range(run.start, run.stop, 1024):
                    columns = range(j, min(j + 1024, run.stop))
                    yield Tile(rows, columns, self._scores(rows, columns))

    def _score_rows(self) -> Iterator[tuple[range, Int[Tensor, "seen"], Float[Tensor, "batch heads rows seen"]]]:
        """Rows, which keys they may see, and their scores of those; rows that may see none are left out."""
        seen = self._key_runs()
        for rows in self._row_blocks(2**21, seen.widest, seen.height):
            runs = seen.of(rows)
            if runs:
                keys = torch.cat([torch.arange(run.start, run.stop, device=self.device) for run in runs])
                scores = [self._scores(rows, run) for run in runs]
                yield rows, keys, scores[0] if len(scores) == 1 else torch.cat(scores, -1)

    def _row_blocks(self, scores: int, width: int, most: int) -> Iterator[range]:
        """The queries in runs of at most ``most``, of which this many scores fit ``width`` keys."""
        batch, heads, queries, _ = self.shape
        height = max(1, min(most, scores // max(1, batch * heads * width)))
        return (range(start, min(start + height, queries)) for start in range(0, queries, height))

    # Statistics from the fused kernel.

    def _fused(self, columns: Tensor) -> tuple[Tensor, Tensor]:
        """``(P · columns, LSE)`` by the fused kernel: P normalised over the real keys, without sinks."""
        rule = self.rule
        q, k, columns = self.q.to(self.dtype), self.k.to(self.dtype), columns.to(self.dtype)
        return fused.attend_calls(q, k, columns, calls_under(rule, q, k), scale=rule.scale)

    def _weighted(self, columns: Tensor) -> tuple[Tensor, Tensor]:
        """``(P · columns, Σ_j P_ij)``, with the normalizer that this map holds."""
        output, real = self._fused(columns)
        lse = self.lse
        none = lse == -torch.inf
        total = (real.masked_fill(none, 0.0) - lse.masked_fill(none, 0.0)).exp().masked_fill(none, 0.0)
        return output * total[..., None], total

    def _statistic(self) -> PerQuery:
        """The LSE from q and k, with the sinks if there are any, or what another normalizer has in its place."""
        rule = self.rule
        if rule.is_linear and not (self._learns and self._trains_bias):
            return rule.with_sinks(self._fused(self.k[..., :1])[1])
        if self._learns and self.shape[2]:
            sinks = [] if rule.sinks is None else [rule.sinks]

            def compute(rows: range, q: Tensor, k: Tensor, *bias: Tensor) -> tuple[Tensor]:
                runs = seen.at_least_one(rows)
                return (rule.statistic(run_scores(rule, q, k, bias[0] if bias else None, rows, runs)),)

            seen = self._key_runs()
            parts = blocks((*self.shape[:3], seen.widest), seen.height)
            counts = [len(part) for part in parts]
            return self._by_rows(parts, [], compute, counts, [*rule.trained(), *sinks], seen)[0]
        lse = torch.full(self.shape[:3], rule.normalizer.empty, dtype=self.dtype, device=self.device)
        for rows, _, scores in self._score_rows():
            part = rule.statistic(scores)
            lse = lse.to(part.dtype)  # some normalizers need float64
            lse[..., rows.start : rows.stop] = part
        return lse

    @property
    def _trains_bias(self) -> bool:
        """Whether a gradient is wanted that no kernel gives."""
        rule = self._rule
        by_position = rule.position_bias is not None and rule.position_bias.bias.is_trained
        return by_position or (rule.bias is not None and rule.bias.requires_grad)

    def entropy(self) -> PerQuery:
        # H is the difference of two numbers of the LSE's size, and loses the digits that they share.
        lse = self.lse.detach()
        far = bool((lse.abs().masked_fill(lse == -torch.inf, 0.0) > _FAR).any())
        if not self._rule.is_linear or self._rule.has_bias or (far and self.dtype == torch.float32):
            return super().entropy()
        if self._learns and self._trains_bias:
            return super().entropy()
        seen, total = self._weighted(self.k)
        lse = self.lse.masked_fill(self.lse == -torch.inf, 0.0)
        scores = (self.q.to(self.dtype) * seen).sum(-1) * self._rule.scale
        return (lse * total - scores).clamp(min=0.0)

    def apply(self, columns: Float[Tensor, "#batch #heads keys c"]) -> Float[Tensor, "batch heads queries c"]:
        self._check_columns(columns)
        if (
            not self._rule.is_linear
            or columns.shape[1] not in (1, self.k.shape[1])
            or (self._learns and self._trains_bias)
        ):
            return super().apply(columns)
        return self._weighted(columns)[0]

    def received(
        self, weights: Float[Tensor, "#batch #heads queries"] | None = None
    ) -> Float[Tensor, "batch heads keys"]:
        rule = self.rule
        if not rule.is_linear or self._learns:
            return super().received(weights)
        self._check_not_negative(weights)
        batch, heads, queries, keys = self.shape
        lse = self.lse
        log_weight = torch.where(lse == -torch.inf, _ABSENT, -lse)
        if weights is not None:
            log_weight = log_weight + weights.to(self.dtype).log().clamp(min=_ABSENT)
        # The kernels are fastest where the width is a multiple of 8.
        width = -(-(self.q.shape[-1] + 1) // 8) * 8
        swapped_k = lse.new_zeros((batch, heads, queries, width))
        swapped_k[..., :-1].narrow(-1, 0, self.q.shape[-1]).copy_(self.q).mul_(rule.scale)
        swapped_k[..., -1] = log_weight
        swapped_q = lse.new_zeros((batch, heads, keys, width))
        swapped_q.view(batch, self.k.shape[1], self._groups, keys, width)[..., : self.k.shape[-1]].copy_(
            self.k[:, :, None]
        )
        swapped_q[..., -1] = 1.0
        one = lse.new_ones((1, 1, queries, 1))  # a column of values that tells whether any query counted
        if rule.is_same_for_all_queries:
            found, log_sum = fused.attend(swapped_q, swapped_k, one, scale=1.0)
            added = rule.additive_tile(range(1), range(keys), self.dtype)
            if added is not None:
                log_sum = log_sum + added[..., 0, :]
            return log_sum.exp() * found[..., 0]
        if not rule.has_bias and rule.mask is not None and rule.mask.is_causal:
            found, log_sum = fused.attend(swapped_q.flip(2), swapped_k.flip(2), one, causal=True, scale=1.0)
            return (log_sum.exp() * found[..., 0]).flip(2)
        found, log_sum = fused.attend_calls(
            swapped_q, swapped_k, one, calls_swapped(rule, swapped_q, swapped_k), scale=1.0
        )
        return log_sum.exp() * found[..., 0]

    def moments(self, groups: Groups | None = None) -> Moments:
        rule = self.rule
        if not rule.is_linear or self._learns:
            return super().moments(groups)
        queries, keys = self.shape[2:]
        indicator = self._indicator(groups)
        # The kernel is as fast with head_dim columns as with one: the keys are cut into as many buckets as fit, and
        # each bucket's moments are taken about its own middle, which keeps the digits that E[j²] − E[j]² would lose.
        count = max(3, (self.q.shape[-1] - indicator.shape[-1]) // 3)
        width = max(1, -(-keys // count))
        key = torch.arange(keys, device=self.device)
        middle = torch.arange(count, device=self.device, dtype=torch.float64) * width + (width - 1) / 2
        offset = (key - middle[key // width]).to(self.dtype)[:, None]
        member = torch.nn.functional.one_hot(key // width, count).to(self.dtype)
        columns = torch.cat([member, member * offset, member * offset.square()], -1)
        columns = columns.expand(indicator.shape[0], 1, -1, -1)
        found = self._weighted(torch.cat([columns, indicator], -1))[0]
        back_only = rule.mask is not None and rule.mask.looks_back_only
        parts = [
            self._distance(
                range(i, min(i + _ROWS, queries)), found[..., : 3 * count], middle, 0 if back_only else width
            )
            for i in range(0, max(1, queries), _ROWS)
        ]
        mean, signed, spread = (torch.cat(x, -1) for x in zip(*parts, strict=True))
        return Moments(Distance(mean, signed, spread), found[..., 3 * count :])

    def _distance(self, rows: range, found: Tensor, middle: Tensor, width: int) -> tuple[Tensor, Tensor, Tensor]:
        """(mean, signed, spread) of the distance of ``rows``, from the moments of each bucket of keys about its middle.

        i − j has one sign in every bucket of ``width`` keys but the query's own: that part of the mean comes from the
        weights of small tiles on the diagonal. Where no query looks ahead (``width`` 0) there is no need.
        """
        queries, keys = self.shape[2:]
        zeroth, first, second = found[..., rows.start : rows.stop, :].double().chunk(3, -1)
        sums = zeroth.sum(-1)
        norm = sums.clamp(min=torch.finfo(torch.float64).tiny)
        looked_at = (first + zeroth * middle).sum(-1) / norm
        away = middle - looked_at[..., None]
        spread = ((second + 2 * away * first + away.square() * zeroth).sum(-1) / norm).clamp(min=0).sqrt()
        position = torch.arange(rows.start, rows.stop, device=self.device, dtype=torch.float64) + (keys - queries)
        signed = torch.where(sums > 0, position - looked_at, 0.0)
        mean = signed
        if width:
            own = torch.div(position, width, rounding_mode="floor")[:, None]
            side = (torch.arange(len(middle), device=self.device) - own).sign()
            apart = ((zeroth * (middle - position[:, None]) + first) * side).sum(-1)
            mean = (apart + self._nearby(rows, width)) / norm
        return mean.to(self.dtype), signed.to(self.dtype), spread.to(self.dtype)

    def _nearby(self, rows: range, width: int) -> Float[Tensor, "batch heads rows"]:
        """``Σ_j P_ij·|i − j|`` over the keys j of the bucket in which query i stands."""
        queries, keys = self.shape[2:]
        shift = keys - queries
        texts, heads = (torch.arange(n, device=self.device) for n in self.shape[:2])
        result = torch.zeros((*self.shape[:2], len(rows)), dtype=torch.float64, device=self.device)
        start = max(rows.start, -shift)
        while start < rows.stop:
            first = (start + shift) // width * width
            stop = min(rows.stop, first + width - shift)
            row = torch.arange(start, stop, device=self.device)
            key = torch.arange(first, min(first + width, keys), device=self.device)
            between = (row[:, None] + shift - key).abs().to(self.dtype)
            near = self.outer(texts, heads, row, key).mul_(between).sum(-1)
            result[..., start - rows.start : stop - rows.start] = near
            start = stop
        return result

    def pooled(
        self, size: int, reduce: Literal["mean", "max"] = "mean"
    ) -> Float[Tensor, "batch heads query_blocks key_blocks"]:
        self._check_pooled(size, reduce)
        blocks = -(-self.shape[3] // size)
        if self._learns and blocks > 0 and self.shape[2]:
            return self._pooled_by_rows(size, reduce)
        if reduce != "mean" or not 0 < blocks <= self.q.shape[-1] or not self._rule.is_linear:
            return super().pooled(size, reduce)
        number = torch.arange(max(self.shape[2:]), device=self.device) // size
        member = torch.nn.functional.one_hot(number[: self.shape[3]], blocks).to(self.dtype)
        across = self._weighted(member[None, None])[0]
        sums = across.new_zeros((*self.shape[:2], -(-self.shape[2] // size), blocks))
        return sums.index_add_(2, number[: self.shape[2]], across) / self._block_counts(size)

    def _pooled_by_rows(self, size: int, reduce: Literal["mean", "max"]) -> Tensor:
        """:meth:`pooled` with a gradient: a row of blocks at a time."""

        def whole(tile: Tile) -> Tensor:
            across = by_block(tile.weights, -1, tile.columns, size, reduce)
            before = tile.columns.start // size
            across = torch.nn.functional.pad(across, (before, count - before - across.shape[-1]))
            return across.sum(2, keepdim=True) if reduce == "mean" else across.amax(2, keepdim=True)

        count = -(-self.shape[3] // size)
        starts = range(0, self.shape[2], size)
        rows = [range(start, min(start + size, self.shape[2])) for start in starts]
        join = torch.add if reduce == "mean" else torch.maximum
        found = self._in_row_blocks(rows, whole, [1] * len(rows), self._key_runs(), join)
        return found / self._block_counts(size) if reduce == "mean" else found

    def topk(self, k: int) -> TopK:
        self._check_k(k)
        lse = self.lse
        if self._learns:
            with torch.no_grad():
                keys = self.topk(k).keys
            at = torch.meshgrid(*(torch.arange(n, device=self.device) for n in keys.shape), indexing="ij")
            weights = checkpoint(self.points, *at[:3], keys.clamp(min=0), use_reentrant=False)
            return TopK(weights.masked_fill(keys < 0, 0.0), keys)
        weights = torch.zeros((*self.shape[:3], k), dtype=self.dtype, device=self.device)
        keys = torch.full(weights.shape, -1, dtype=torch.int64, device=self.device)
        for rows, seen, scores in self._score_rows():
            best = scores.topk(min(k, scores.shape[-1]))
            place = (..., slice(rows.start, rows.stop), slice(best.values.shape[-1]))
            found = self._weights(best.values, lse[..., rows.start : rows.stop])
            weights[place] = found
            keys[place] = torch.where(found > 0, seen[best.indices], -1)
        return TopK(weights, keys)

    def check(self) -> Check:
        with torch.no_grad():
            values, output = self._held.get("values"), self._held.get("output")
            ones = torch.ones((1, 1, self.shape[3], 1), dtype=self.dtype, device=self.device)
            if values is None or output is None:
                columns = ones
            else:
                shared = values.to(self.dtype).repeat_interleave(self._groups, 1)
                columns = torch.cat([shared, ones.expand(*shared.shape[:2], -1, -1)], -1)
            # From the weights themselves: the fused kernel would normalise once more, and hide what is wrong.
            again = AttentionMap.apply(self, columns)
            again, total = again[..., :-1], again[..., -1]
            # By the mask and not by the LSE, so that an LSE of −inf in a row that does attend is found.
            some = torch.full(self.shape[:3], self.shape[3] > 0, device=self.device)
            empty = self._rule.empty_rows(*self.shape[2:])
            some = some if empty is None else some & ~empty
            if self._rule.sinks is not None:
                total = total + (self._rule.sinks.to(self.dtype)[:, None] - self.lse).exp()
            row_sum = _worst((total - 1)[some]) if self._rule.normalizer.sums_to_one else 0.0
            if values is None or output is None:
                return Check(row_sum, None, 0)
            return Check(row_sum, _worst((again - output.to(self.dtype))[some]), values.shape[-1])


def _worst(deviation: Tensor) -> float:
    return float(deviation.abs().max()) if deviation.numel() else 0.0


def _four_axes(tensor: Tensor, name: str) -> Tensor:
    if tensor.dim() == 3:
        return tensor[None]
    if tensor.dim() < 3:
        raise ShapeError(f"{name} has the axes (batch, heads, tokens, head_dim); got the shape {tuple(tensor.shape)}")
    return tensor.flatten(0, -4)


def _check_shapes(q: Tensor, k: Tensor) -> None:
    seen = f"q {tuple(q.shape)} and k {tuple(k.shape)}, both (batch, heads, tokens, head_dim)"
    if q.shape[0] != k.shape[0]:
        raise ShapeError(f"q and k need the same batch size; got {seen}")
    if q.shape[-1] != k.shape[-1] or q.shape[-1] == 0:
        raise ShapeError(f"q and k need the same head_dim, at least 1; got {seen}")
    if k.shape[1] == 0 or q.shape[1] % k.shape[1]:
        raise ShapeError(f"the heads of k must divide those of q; got {seen}")
    if q.dtype != k.dtype or not q.dtype.is_floating_point:
        raise ShapeError(f"q and k need one floating-point dtype; got {q.dtype} and {k.dtype}")


def _broadcast(tensor: Tensor, shape: tuple[int, int, int, int], name: str) -> Tensor:
    """With four axes, of size 1 wherever one number serves all, and every key written out."""
    tensor = tensor.reshape((1,) * (4 - tensor.dim()) + tuple(tensor.shape)) if tensor.dim() < 4 else tensor
    if tensor.dim() > 4 or any(have not in (1, want) for have, want in zip(tensor.shape, shape, strict=False)):
        raise ShapeError(
            f"the {name} must broadcast to (batch, heads, queries, keys) = {shape}; got {tuple(tensor.shape)}"
        )
    return tensor.expand(-1, -1, -1, shape[3])
