"""How a product q·k becomes a score: scale, soft-cap, bias, mask, sinks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from clearhead.errors import InputError
from clearhead.masks import BoundMask
from clearhead.masks.bound import closed_over, over_grid, take
from clearhead.mechanisms.normalizers import NORMALIZERS, Normalizer, Softmax
from clearhead.mechanisms.places import Places
from clearhead.positions import Bias

__all__ = ["PlacedBias", "ScoreRule"]

ScoreModifier = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class PlacedBias:
    """A bias that is a function of positions, for one call: query i stands at the key i + ``shift``."""

    bias: Bias
    shift: int

    def tile(self, rows: range, columns: range) -> Float[Tensor, "1 heads rows columns"]:
        """The bias of these queries and keys, computed when it is asked for."""
        device = self.tensors()[0].device
        query = torch.arange(rows.start + self.shift, rows.stop + self.shift, device=device)
        tile: Tensor = self.bias.tile(query, torch.arange(columns.start, columns.stop, device=device))
        return tile

    def select_heads(self, heads: Sequence[int]) -> PlacedBias:
        """The same for these heads only."""
        return PlacedBias(self.bias.select_heads(heads), self.shift)

    def tensors(self) -> list[Tensor]:
        """What the bias is computed from: its parameters and buffers."""
        return [*self.bias.parameters(), *self.bias.buffers()]

    def to(self, device: torch.device) -> PlacedBias:
        """A copy on another device; the module that it came from stays where it is."""
        if all(x.device == device for x in self.tensors()):
            return self
        return PlacedBias(deepcopy(self.bias).to(device), self.shift)


@dataclass(frozen=True, eq=False)
class ScoreRule:
    """Everything between q·k and the weights, the same for every path.

    ``score = modify(softcap · tanh(scale · q·k / softcap)) + bias``, −inf where the mask forbids it;
    ``weight = exp(score) / (Σ_j exp(score_j) + exp(sink))``, or what another normalizer makes of the scores.

    Attributes:
        scale: Factor of q·k, usually 1/√head_dim.
        mask: Who may attend to whom; ``None`` forbids nothing.
        bias: Added to the scores; an axis of size 1 serves all.
        softcap: Bounds the scaled scores to ±softcap (Gemma 2, arXiv:2408.00118); ``None`` for no bound.
        sinks: One more logit a head that takes part in the normalising and nowhere else (gpt-oss): rows then sum to
            less than 1.
        modify: FlexAttention's ``score_mod(score, batch, head, query, key)``.
        head_numbers: Which heads of the original call these are; ``modify`` speaks of those.
        position_bias: Also added to the scores: a function of positions that is never written out whole.
        normalizer: How a row of scores becomes a row of weights.

    """

    scale: float
    mask: BoundMask | None = None
    bias: Float[Tensor, "#batch #heads #queries keys"] | None = None
    softcap: float | None = None
    sinks: Float[Tensor, "heads"] | None = None
    modify: ScoreModifier | None = None
    head_numbers: tuple[int, ...] | None = None
    position_bias: PlacedBias | None = None
    normalizer: Normalizer = Softmax()  # noqa: RUF009  # it has no state

    @property
    def is_linear(self) -> bool:
        """Whether weights are the softmax of scale·q·k plus something, as fused kernels need it."""
        return self.softcap is None and self.modify is None and type(self.normalizer) is Softmax

    @property
    def has_functions(self) -> bool:
        """Whether more than numbers goes into it: a score function, a bias of positions, another normalizer."""
        return self.modify is not None or self.position_bias is not None or type(self.normalizer) is not Softmax

    @property
    def has_bias(self) -> bool:
        """Whether anything is added to the scores."""
        return self.bias is not None or self.position_bias is not None

    @property
    def is_same_for_all_queries(self) -> bool:
        """Whether mask and bias depend on the key alone."""
        return (
            (self.mask is None or self.mask.is_same_for_all_queries)
            and (self.bias is None or self.bias.shape[-2] == 1)
            and self.position_bias is None
        )

    def finish_tile(
        self,
        scaled: Float[Tensor, "batch heads rows columns"],
        rows: range,
        columns: range,
        bias: Float[Tensor, "#batch #heads #rows columns"] | None = None,
    ) -> Float[Tensor, "batch heads rows columns"]:
        """Turn the scaled products of a tile into scores, in place where no gradient needs what was there.

        ``bias`` is the tile's part of :attr:`bias` where the caller has cut it, whose gradient is then no larger.
        """
        if self.softcap is not None:
            if scaled.requires_grad:
                scaled = torch.tanh(scaled / self.softcap) * self.softcap
            else:
                scaled = scaled.div_(self.softcap).tanh_().mul_(self.softcap)
        if self.modify is not None:
            parts = (range(scaled.shape[0]), self.head_numbers or range(scaled.shape[1]), rows, columns)
            index = (torch.tensor(part, device=scaled.device, dtype=torch.int64) for part in parts)
            scaled = over_grid(self.modify, scored=True)(scaled, *index)
        bias = self._with_positions(self._bias_tile(rows, columns) if bias is None else bias, rows, columns)
        if bias is not None:
            scaled = scaled + bias.to(scaled.dtype) if scaled.requires_grad or bias.requires_grad else scaled.add_(bias)
        allowed = None if self.mask is None else self.mask.tile(rows, columns)
        return scaled if allowed is None else scaled.masked_fill_(~allowed, -torch.inf)

    def statistic(self, scores: Float[Tensor, "batch heads rows keys"]) -> Float[Tensor, "batch heads rows"]:
        """What the weights of each row share, sinks included: the LSE; ``scores`` are whole rows."""
        statistic = self.normalizer.statistic(scores)
        return statistic if self.sinks is None else self.with_sinks(statistic)

    def with_sinks(self, lse: Float[Tensor, "batch heads rows"]) -> Float[Tensor, "batch heads rows"]:
        """The LSE of the same rows when the sinks take part; a row that may attend to nothing stays −inf."""
        if self.sinks is None:
            return lse
        none = lse == -torch.inf
        total = torch.logaddexp(lse.masked_fill(none, 0.0), self.sinks.to(lse.dtype)[:, None])
        return total.masked_fill(none, -torch.inf)

    def finish_points(
        self,
        scaled: Float[Tensor, "..."],
        batch: Int[Tensor, "..."],
        head: Int[Tensor, "..."],
        query: Int[Tensor, "..."],
        key: Int[Tensor, "..."],
    ) -> Float[Tensor, "..."]:
        """The same for single pairs, or for any grid of them that the index tensors span together."""
        if self.softcap is not None:
            scaled = torch.tanh(scaled / self.softcap) * self.softcap
        if self.modify is not None:
            number = head if self.head_numbers is None else torch.tensor(self.head_numbers, device=head.device)[head]
            points = torch.broadcast_tensors(scaled, batch, number, query, key)
            modified: Tensor = torch.vmap(self.modify)(*(x.reshape(-1) for x in points))
            scaled = modified.reshape(scaled.shape)
        if self.bias is not None:
            scaled = scaled + take(self.bias, batch, head, query, key).to(scaled.dtype)
        if self.position_bias is not None:
            place = query + self.position_bias.shift
            scaled = scaled + self.position_bias.bias.points(head, place, key).to(scaled.dtype)
        if self.mask is not None:
            scaled = scaled.masked_fill(~self.mask.allows(batch, head, query, key), -torch.inf)
        return scaled

    def additive_tile(
        self, rows: range, columns: range, dtype: torch.dtype
    ) -> Float[Tensor, "#batch #heads #rows #columns"] | None:
        """Bias and mask of a tile as one tensor to add to the scores; ``None`` if that would add nothing."""
        bias = self._with_positions(self._bias_tile(rows, columns), rows, columns)
        allowed = None if self.mask is None else self.mask.tile(rows, columns)
        if allowed is None:
            return None if bias is None else bias.to(dtype)
        if bias is None:
            return torch.zeros(allowed.shape, dtype=dtype, device=allowed.device).masked_fill_(~allowed, -torch.inf)
        return torch.where(allowed, bias.to(dtype), -torch.inf)

    def additive_blocks(
        self,
        rows: Places,
        columns: Places,
        text: int | None,
        head: int | None,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Float[Tensor, "#texts_or_blocks #some_heads #rows #columns"] | None:
        """:meth:`additive_tile` for several blocks of queries and their keys: of one text and head, or of all."""
        one_tile = len(rows) == 1 and rows.index is None and columns.index is None and text is None and head is None
        if one_tile or self._are_alike(rows, columns):
            row, column = (range(x.starts[0], x.starts[0] + x.length) for x in (rows, columns))
            return self.additive_tile(row, column, dtype)
        query, key = rows.numbers(device)[:, None, :, None], columns.numbers(device)[:, None, None]

        def point(breadth: tuple[int, ...]) -> tuple[Tensor, ...]:
            """Indices of all of it, with one text and head where these serve all."""
            numbers = (
                range(size) if one is None else [one if size > 1 else 0]
                for one, size in zip((text, head), breadth, strict=True)
            )
            batch, heads = (torch.tensor(number, device=device) for number in numbers)
            return batch[:, None, None, None], heads[:, None, None], query, key

        added = None
        if self.bias is not None:
            added = take(self.bias, *point(self.bias.shape[:2])).to(dtype)
        if self.position_bias is not None:
            bias, shift = self.position_bias.bias, self.position_bias.shift
            by_position = bias.points(point((1, bias.heads))[1], query + shift, key).to(dtype)
            added = by_position if added is None else added + by_position
        if self.mask is None:
            return added
        allowed = self.mask.allows(*point(self.mask.breadth))
        if added is None:
            return torch.zeros(allowed.shape, dtype=dtype, device=device).masked_fill_(~allowed, -torch.inf)
        return torch.where(allowed, added, -torch.inf)

    def _are_alike(self, rows: Places, columns: Places) -> bool:
        """Whether one tile is known to serve all blocks."""
        distances = {key - query for query, key in zip(rows.starts, columns.starts, strict=True)}
        return (
            rows.index is None
            and columns.index is None
            and self.bias is None
            and (self.position_bias is None or (self.position_bias.bias.is_relative and len(distances) == 1))
            and (self.mask is None or self.mask.are_alike(rows.starts, rows.length, columns.starts, columns.length))
        )

    def columns_for(self, rows: range, keys: int) -> range:
        """A range of keys outside of which no query in ``rows`` has any weight."""
        return range(keys) if self.mask is None else self.mask.columns_for(rows)

    def rows_for(self, columns: range, queries: int) -> range:
        """A range of queries outside of which nothing has any weight on ``columns``."""
        return range(queries) if self.mask is None else self.mask.rows_for(columns)

    def borrowed(self) -> list[Tensor]:
        """The tensors that functions in the rule read: those of ``modify``, and of masks that are functions."""
        read = [] if self.modify is None else closed_over(self.modify)
        if self.position_bias is not None:
            read = read + self.position_bias.tensors()
        return read if self.mask is None else read + self.mask.borrowed()

    def trained(self) -> list[Tensor]:
        """The tensors for which functions in the rule want a gradient: score function, positions, normalizer."""
        functions: list[Callable[..., Tensor]] = [] if self.modify is None else [self.modify]
        if self.normalizer not in NORMALIZERS.values():
            functions += [self.normalizer.statistic, self.normalizer.weights]
        read = [] if self.position_bias is None else self.position_bias.tensors()
        found = [*read, *(x for function in functions for x in closed_over(function))]
        return list({id(x): x for x in found if x.requires_grad}.values())

    def versions(self) -> list[int]:
        """How often each tensor that it is made of was written to."""
        parts = [*self.tensors().values(), *self.borrowed()]
        return [0 if x.is_inference() else x._version for x in parts]

    def check_unchanged(self, versions: list[int]) -> None:
        """Raise :class:`~clearhead.errors.InputError` if a tensor was written to since :meth:`versions`."""
        if versions != self.versions():
            raise InputError(
                "a mask or bias was changed in place between the forward and the backward pass, which makes it again; "
                "change a copy of it: mask.clone()"
            )

    def empty_rows(self, queries: int, keys: int) -> Bool[Tensor, "#batch #heads #queries"] | None:
        """Which queries may attend to nothing, for which a bias of −inf counts as a mask; ``None`` if all may."""
        if self.bias is None or not bool(torch.isneginf(self.bias).any()):
            return None if self.mask is None else self.mask.empty_rows()
        step = max(1, 2**22 // max(1, self.breadth * keys))
        found = []
        for start in range(0, queries, step):
            rows = range(start, min(start + step, queries))
            added = self.additive_tile(rows, range(keys), torch.float32)
            assert added is not None  # there is a bias
            empty = (added == -torch.inf).all(-1)
            found.append(empty.expand(*empty.shape[:2], len(rows)))
        return torch.cat(found, -1)

    def tensors(self) -> Mapping[str, Tensor]:
        """The tensors it holds, by name."""
        held = {} if self.mask is None else {f"mask.{name}": x for name, x in self.mask.tensors().items()}
        return {**held, **{name: x for name in ("bias", "sinks") if (x := getattr(self, name)) is not None}}

    @property
    def breadth(self) -> int:
        """For how many pairs of text and head :meth:`additive_tile` is written out."""
        batch, heads = (1, 1) if self.mask is None else self.mask.breadth
        if self.bias is not None:
            batch, heads = max(batch, self.bias.shape[0]), max(heads, self.bias.shape[1])
        if self.position_bias is not None:
            heads = max(heads, self.position_bias.bias.heads)
        return batch * heads

    def change(self, how: Callable[[Tensor], Tensor]) -> ScoreRule:
        """The same rule with ``how`` done to each of its tensors."""
        return replace(
            self,
            mask=None if self.mask is None else self.mask.change(how),
            bias=None if self.bias is None else how(self.bias),
            sinks=None if self.sinks is None else how(self.sinks),
        )

    def to(self, device: torch.device) -> ScoreRule:
        """The same rule on another device."""
        return replace(
            self,
            mask=None if self.mask is None else self.mask.to(device),
            bias=None if self.bias is None else self.bias.to(device),
            sinks=None if self.sinks is None else self.sinks.to(device),
            position_bias=None if self.position_bias is None else self.position_bias.to(device),
        )

    def select_heads(self, heads: Sequence[int], total: int) -> ScoreRule:
        """The same rule for these heads of ``total`` only."""
        chosen, numbers = list(heads), self.head_numbers or tuple(range(total))
        return replace(
            self,
            mask=None if self.mask is None else self.mask.select_heads(heads),
            bias=self.bias if self.bias is None or self.bias.shape[1] == 1 else self.bias[:, chosen],
            sinks=None if self.sinks is None else self.sinks[chosen],
            head_numbers=tuple(numbers[h] for h in chosen),
            position_bias=None if self.position_bias is None else self.position_bias.select_heads(chosen),
        )

    def _bias_tile(self, rows: range, columns: range) -> Tensor | None:
        if self.bias is None:
            return None
        part = self.bias[..., columns.start : columns.stop]
        return part if part.shape[-2] == 1 else part[..., rows.start : rows.stop, :]

    def _with_positions(self, bias: Tensor | None, rows: range, columns: range) -> Tensor | None:
        by_position = None if self.position_bias is None else self.position_bias.tile(rows, columns)
        return by_position if bias is None else bias if by_position is None else bias + by_position
