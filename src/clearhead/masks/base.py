"""What every rule answers: a mask without lengths."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Int, Int8
from torch import Tensor

from clearhead.errors import InputError
from clearhead.masks.grid import Grid, SomeEvery, pool

if TYPE_CHECKING:
    from clearhead.masks.bound import BoundMask

__all__ = ["FARTHEST", "Mask", "Runs", "as_lengths", "shown"]

_ENTRIES = 2**22  # pairs that are evaluated together
FARTHEST = 2**48  # tokens: no window need be wider, and sums with positions do not overflow
_SIDE = 128  # of the tiles in which rows without a closed form are looked at


class Runs(NamedTuple):
    """One run of keys for each query, ``starts ≤ key < stops``, and the keys that exist (``None`` for all)."""

    starts: Int[Tensor, "#batch #heads #queries"]
    stops: Int[Tensor, "#batch #heads #queries"]
    present: Bool[Tensor, "#batch #heads keys"] | None = None


class Mask(ABC):
    """Which query may attend to which key, for any number of queries and keys. True = may attend.

    A rule speaks of *positions*: a key's is its number, and a query stands at the key of the same text that it is.
    The last query stands at the last key, query i thus at position i + keys − queries. With as many queries as keys
    that is its number, and in a step of cached decoding the new token's position among all keys. More queries than
    keys stand at negative positions, before the first key.

    Rules combine: ``a & b`` allows what both allow, ``a | b`` what either allows, ``~a`` what a does not. They compare
    equal when they say the same in the same words, and print as what makes them:

    >>> from clearhead.masks import Causal, Padding, Window
    >>> Causal() & Window(3, 0) & ~Padding(2)
    Causal() & Window(3, 0) & ~Padding(2)
    >>> print((Causal() & Window(3, 0) & ~Padding(2)).draw())
        k0 k1 k2 k3 k4 k5
    q0   .  .  .  .  .  .
    q1   .  .  .  .  .  .
    q2   .  .  #  .  .  .
    q3   .  .  #  #  .  .
    q4   .  .  #  #  #  .
    q5   .  .  #  #  #  #

    A new rule is a subclass with :meth:`allows`; everything else then works by evaluating it. One that says different
    things of different texts or heads gives :attr:`breadth` too, and of heads :meth:`select_heads`. :meth:`in_tiles`
    makes it fast, :meth:`runs` makes maps fast.
    """

    _strength: ClassVar[int] = 4
    """How tightly the outermost operator of the repr binds."""

    @abstractmethod
    def allows(
        self,
        batch: Int[Tensor, "..."],
        head: Int[Tensor, "..."],
        query: Int[Tensor, "..."],
        key: Int[Tensor, "..."],
    ) -> Bool[Tensor, "..."]:
        """Whether each (batch, head, query's position, key) may attend; the index tensors broadcast together.

        An answer that is the same along an axis may have size 1 there.
        """

    @property
    def breadth(self) -> tuple[int, int]:
        """For how many texts and heads it speaks apart: (batch, heads), where 1 serves all."""
        return 1, 1

    @property
    def is_same_for_all_queries(self) -> bool:
        """Whether every query may attend to the same keys, as with padding. True is a promise."""
        return False

    @property
    def looks_back_only(self) -> bool:
        """Whether no query may attend past its own position. True is a promise."""
        return False

    @property
    def is_relative(self) -> bool:
        """Whether it asks for nothing but how far a key is from the query. True is a promise."""
        parts = self._parts()
        return bool(parts) and all(part.is_relative for part in parts)

    def fits(self, queries: int, keys: int) -> None:
        """Raise :class:`~clearhead.errors.ShapeError` where it cannot speak of so many queries and keys."""
        for part in self._parts():
            part.fits(queries, keys)

    # For a call.

    def dense(
        self, queries: int, keys: int, *, device: torch.device | str | None = None
    ) -> Bool[Tensor, "#batch #heads {queries} {keys}"]:
        """All pairs, by tensor operations alone: it can be traced by torch.compile and torch.export.

        Axes along which nothing changes are expanded, not written out: clone it before writing into it.

        Args:
            queries: How many queries there are; the last one stands at the last key.
            keys: How many keys there are.
            device: Where to; by default where the rule's tensors are, else on the CPU.

        Raises:
            ShapeError: The rule holds a tensor for other lengths.
            InputError: Its tensors are on another device.

        """
        self.fits(queries, keys)
        if keys == 0:  # where rules would look up what there is none of
            return torch.zeros(1, 1, queries, 0, dtype=torch.bool, device=self._place(device))
        part = self.block(keys - queries, queries, 0, keys, self._place(device))
        return part.expand(-1, -1, queries, keys)

    def block(
        self, position: int, rows: int, key: int, columns: int, device: torch.device
    ) -> Bool[Tensor, "#batch #heads #rows #columns"]:
        """The pairs of ``rows`` queries from ``position`` on and ``columns`` keys from ``key`` on."""
        batch, heads = self.breadth
        found = self.allows(
            torch.arange(batch, device=device)[:, None, None, None],
            torch.arange(heads, device=device)[:, None, None],
            torch.arange(position, position + rows, device=device)[:, None],
            torch.arange(key, key + columns, device=device),
        )
        return found.reshape((1,) * (4 - found.dim()) + tuple(found.shape))

    def tiles(
        self, queries: int, keys: int, size: int | tuple[int, int] = 128, *, device: torch.device | str | None = None
    ) -> Int8[Tensor, "#batch #heads query_blocks key_blocks"]:
        """What each tile of ``size`` (or ``(rows, columns)``) is: :class:`Tile` EMPTY 0, MIXED 1 or FULL 2.

        Exact for a single rule and for ``~`` of one. For ``&`` and ``|`` it is three-valued logic on the parts' tiles:
        what is called EMPTY or FULL is so, and a tile called MIXED may yet be either. No pair is evaluated, save in
        :class:`Explicit` and :class:`Predicate` rules.

        >>> from clearhead.masks import Causal
        >>> Causal().tiles(6, 6, 2)[0, 0]
        tensor([[1, 0, 0],
                [2, 1, 0],
                [2, 2, 1]], dtype=torch.int8)
        """
        self.fits(queries, keys)
        grid = Grid(queries, keys, size, self._place(device))
        some, every = self.in_tiles(grid)
        found: Tensor = some.view(torch.int8) + every.view(torch.int8)
        return found.expand(-1, -1, len(grid.first_query), len(grid.first_key))

    def in_tiles(self, grid: Grid) -> SomeEvery:
        """Whether some pair, and whether every pair of each tile may attend.

        Here by evaluating all pairs, in blocks of rows.
        """
        rows, columns = grid.size
        step = max(1, _ENTRIES // (rows * max(1, grid.keys))) * rows
        found = []
        for start in range(0, max(1, grid.queries), step):
            count = min(step, grid.queries - start)
            part = self.block(grid.offset + start, count, 0, grid.keys, grid.device).expand(-1, -1, count, grid.keys)
            some, every = pool(part, columns, False).any(-1), pool(part, columns, True).all(-1)
            some, every = pool(some.mT, rows, False).any(-1).mT, pool(every.mT, rows, True).all(-1).mT
            found.append((some, every))
        return torch.cat([some for some, _ in found], -2), torch.cat([every for _, every in found], -2)

    def runs(self, queries: int, keys: int, device: torch.device) -> Runs | None:
        """The keys of each query as one run, ``None`` where the rule has not that form."""
        del queries, keys, device
        return None

    def empty_rows(
        self, queries: int, keys: int, *, device: torch.device | str | None = None
    ) -> Bool[Tensor, "#batch #heads {queries}"]:
        """Which queries may attend to nothing at all. Exact, and without n² pairs where the rule has a form."""
        self.fits(queries, keys)
        where = self._place(device)
        if keys == 0:
            return torch.ones(1, 1, queries, dtype=torch.bool, device=where)
        if torch.compiler.is_compiling() or where.type == "meta":  # no question whose answer decides what to do next
            return ~self.dense(queries, keys, device=where).any(-1)
        return ~self.some_in_rows(Grid(queries, keys, (1, keys), where)).expand(-1, -1, queries, 1)[..., 0]

    def some_in_rows(self, grid: Grid) -> Bool[Tensor, "#batch #heads #queries 1"]:
        """Whether each query of a grid of single rows may attend to some key: exact."""
        return self.in_tiles(grid)[0]

    def every_in_rows(self, grid: Grid) -> Bool[Tensor, "#batch #heads #queries 1"]:
        """Whether each query of a grid of single rows may attend to every key: exact."""
        return self.in_tiles(grid)[1]

    @property
    def has_form(self) -> bool:
        """Whether its tiles are found without evaluating all pairs."""
        parts = self._parts()
        return all(part.has_form for part in parts) if parts else type(self).in_tiles is not Mask.in_tiles

    def bind(self, queries: int, keys: int, device: torch.device | str | None = None) -> BoundMask:
        """The mask of one call: :class:`Spans` where each query sees one run of keys, else the rule itself, bound.

        In a bound mask a query is named by its number, not by its position.
        """
        from clearhead.masks.bound_rule import BoundRule
        from clearhead.masks.spans import Spans

        self.fits(queries, keys)
        where = self._place(device)
        runs = self.runs(queries, keys, where)
        if runs is None:
            return BoundRule(self, queries, keys, where)
        return Spans(runs.starts, runs.stops, queries, keys, runs.present)

    def draw(self, queries: int = 6, keys: int | None = None, *, batch: int = 0, head: int = 0) -> str:
        """The pairs of one batch and head as a table: ``#`` may attend, ``.`` may not; as many keys as queries.

        >>> from clearhead.masks import Padding
        >>> print(Padding([3, 1]).draw(3, batch=1))
            k0 k1 k2
        q0   #  .  .
        q1   #  .  .
        q2   #  .  .
        """
        keys = queries if keys is None else keys
        whole = self.dense(queries, keys)
        place = []
        for name, number, size in (("batch", batch, whole.shape[0]), ("head", head, whole.shape[1])):
            if number < 0 or number >= size > 1:
                raise InputError(f"{self!r} says something of {name} 0 to {size - 1}; asked for {number}")
            place.append(number if size > 1 else 0)
        allowed = whole[tuple(place)].tolist()
        width = len(f"q{max(queries, keys) - 1}") + 1
        heading = " " * width + "".join(f"k{j}".rjust(width) for j in range(keys))
        rows = (
            f"q{i}".ljust(width) + "".join(("#" if x else ".").rjust(width) for x in row)
            for i, row in enumerate(allowed)
        )
        return "\n".join([heading, *rows])

    # Tensors, and the rules that it is made of.

    def _parts(self) -> list[Mask]:
        return [x for x in vars(self).values() if isinstance(x, Mask)]

    def tensors(self) -> Mapping[str, Tensor]:
        """The tensors it holds, by name."""
        found: dict[str, Tensor] = {}
        for name, value in vars(self).items():
            if isinstance(value, Mask):
                found |= {f"{name}.{below}": x for below, x in value.tensors().items()}
            elif isinstance(value, Tensor):
                found[name] = value
        return found

    def borrowed(self) -> list[Tensor]:
        """The tensors that its answers depend on, also those that a function in it reads."""
        own = [x for x in vars(self).values() if isinstance(x, Tensor)]
        return own + [x for part in self._parts() for x in part.borrowed()]

    def _with(self, tensor: Callable[[Tensor], Tensor], part: Callable[[Mask], Mask]) -> Mask:
        """The same rule with something done to each tensor and each rule that it is made of."""
        changed = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(changed, name, tensor(value))
            elif isinstance(value, Mask):
                setattr(changed, name, part(value))
        return changed

    def change(self, how: Callable[[Tensor], Tensor]) -> Mask:
        """The same rule with ``how`` done to each of its tensors."""
        return self._with(how, lambda part: part.change(how))

    def to(self, device: torch.device | str) -> Mask:
        """The same rule on another device."""
        return self._with(lambda x: x.to(device), lambda part: part.to(device))

    def select_heads(self, heads: Sequence[int]) -> Mask:
        """The same rule for these heads only."""
        if self.breadth[1] > 1 and not self._parts():
            raise InputError(f"{type(self).__name__} says different things of different heads and has no select_heads")
        return self._with(lambda x: x, lambda part: part.select_heads(heads))

    def _place(self, device: torch.device | str | None) -> torch.device:
        """Where to answer."""
        there = {x.device for x in self.tensors().values()}
        where = torch.device(device) if device is not None else next(iter(there), torch.device("cpu"))
        wrong = [x for x in there if x.type != where.type or where.index not in (None, x.index)]
        if wrong:
            raise InputError(
                f"{self!r} has a tensor on {wrong[0]} and was asked on {where}; move it: mask.to({str(where)!r})"
            )
        return where

    # Values.

    def __bool__(self) -> bool:
        """No answer: ``a and b`` would be b alone."""
        raise InputError(f"a mask is neither true nor false; combine masks with &, | and ~, not and, or, not: {self!r}")

    def __and__(self, other: object) -> Mask:
        from clearhead.masks.algebra import And

        return And(self, _operand(other, "&"))

    def __or__(self, other: object) -> Mask:
        from clearhead.masks.algebra import Or

        return Or(self, _operand(other, "|"))

    def __invert__(self) -> Mask:
        from clearhead.masks.algebra import Not

        return Not(self)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return False
        one, two = vars(self), vars(other)
        return one.keys() == two.keys() and all(_same(value, two[name]) for name, value in one.items())

    def __hash__(self) -> int:
        # By the shapes of tensors, not by what they hold, which may change and lies on a device.
        values = (tuple(x.shape) if isinstance(x, Tensor) else x for x in vars(self).values())
        return hash((type(self), *values))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(shown(x) for x in vars(self).values())})"


def _operand(other: object, sign: str) -> Mask:
    if isinstance(other, Mask):
        return other
    hint = "; a boolean tensor becomes one by Explicit(tensor)" if isinstance(other, Tensor) else ""
    raise InputError(f"{sign} stands between two masks; got {type(other).__name__}{hint}")


def _same(one: object, two: object) -> bool:
    if one is two or not (isinstance(one, Tensor) and isinstance(two, Tensor)):
        return bool(one is two or one == two)
    alike = (one.shape, one.dtype, one.device) == (two.shape, two.dtype, two.device)
    return alike and one.device.type != "meta" and torch.equal(one, two)


def shown(value: object) -> str:
    """A rule's part as its repr shows it: small tensors as the list that makes them, others by their shape."""
    if not isinstance(value, Tensor):
        return repr(value)
    if value.numel() <= 16 and value.device.type != "meta":
        return repr(value.tolist())
    return f"<{str(value.dtype).removeprefix('torch.')}: {' × '.join(map(str, value.shape))}>"


def as_tensor(what: str, given: object) -> Tensor:
    """A tensor, or lists of numbers as one."""
    try:
        return torch.as_tensor(given)
    except (TypeError, ValueError, RuntimeError):
        raise InputError(f"{what} is a tensor, or lists of numbers of equal lengths; got {given!r:.80}") from None


def as_lengths(lengths: Int[Tensor, "..."], given: object) -> Int[Tensor, "batch"]:
    """Lengths as one axis of int64. Those in a tensor are not looked at, which a compiler could not follow."""
    numbers = [] if isinstance(given, Tensor) else given if isinstance(given, Sequence) else [given]
    if any(isinstance(number, int) and number < 0 for number in numbers):
        raise InputError(f"a length is at least 0; got {given!r}")
    return lengths.reshape(-1).long().clamp(min=0)
