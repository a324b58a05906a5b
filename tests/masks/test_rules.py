"""Every rule, and everything made of rules, says what its definition says: pair by pair, tile by tile, row by row."""

import functools
import inspect
import itertools
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import hypothesis
import pytest
import torch
from hypothesis import strategies as st
from mask_oracle import assert_stands_for
from plain import printed
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import clearhead.masks
from clearhead.errors import InputError, ShapeError
from clearhead.masks import (
    Blocks,
    BoundMask,
    BoundRule,
    Causal,
    Dilated,
    Documents,
    Explicit,
    Global,
    Mask,
    Padding,
    Predicate,
    Prefix,
    Spans,
    Tile,
    Window,
    big_bird,
    longformer,
    spans,
    strided,
)
from clearhead.shapes import whole_number

BATCH, HEADS = 2, 3


@dataclass
class Case:
    """A rule beside its definition, in plain Python: (batch, head, position of the query, key)."""

    make: Callable[[], Mask]
    means: Callable[[int, int, int, int], bool]
    is_single: bool = True

    @cached_property
    def rule(self) -> Mask:
        """Made when it is asked for: what checks shapes draws random numbers, which no strategy may."""
        return self.make()

    def matrix(self, queries: int, keys: int) -> Tensor:
        places = itertools.product(range(BATCH), range(HEADS), range(queries), range(keys))
        flat = [self.means(b, h, i + keys - queries, j) for b, h, i, j in places]
        return torch.tensor(flat, dtype=torch.bool).view(BATCH, HEADS, queries, keys)


# Each rule by its definition.


def booleans(draw: st.DrawFn, *shape: int) -> list:
    if not shape:
        return draw(st.booleans())
    return [booleans(draw, *shape[1:]) for _ in range(shape[0])]


def some(draw: st.DrawFn, low: int, high: int, count: int) -> list[int]:
    return draw(st.lists(st.integers(low, high), min_size=count, max_size=count))


def causal(draw: st.DrawFn, queries: int, keys: int) -> Case:
    return Case(lambda: Causal(), lambda b, h, p, j: j <= p)


def window(draw: st.DrawFn, queries: int, keys: int) -> Case:
    left, right = (draw(st.none() | st.integers(0, 5)) for _ in range(2))
    return Case(
        lambda: Window(left, right),
        lambda b, h, p, j: (left is None or j >= p - left) and (right is None or j <= p + right),
    )


def padding(draw: st.DrawFn, queries: int, keys: int) -> Case:
    lengths = some(draw, 0, keys + 1, draw(st.sampled_from([1, BATCH])))
    return Case(lambda: Padding(lengths), lambda b, h, p, j: j < lengths[b % len(lengths)])


def padding_anywhere(draw: st.DrawFn, queries: int, keys: int) -> Case:
    present = booleans(draw, draw(st.sampled_from([1, BATCH])), keys)
    return Case(lambda: Padding(present), lambda b, h, p, j: present[b % len(present)][j])


def documents(draw: st.DrawFn, queries: int, keys: int) -> Case:
    ids = [some(draw, -1, 3, keys) for _ in range(draw(st.sampled_from([1, BATCH])))]
    if draw(st.booleans()):
        ids = [sorted(row) for row in ids]
    return Case(
        lambda: Documents(ids),
        lambda b, h, p, j: p >= 0 and ids[b % len(ids)][j] >= 0 and ids[b % len(ids)][p] == ids[b % len(ids)][j],
    )


def prefix(draw: st.DrawFn, queries: int, keys: int) -> Case:
    lengths = some(draw, 0, keys + 1, draw(st.sampled_from([1, BATCH])))
    return Case(lambda: Prefix(lengths), lambda b, h, p, j: j <= p or j < lengths[b % len(lengths)])


def globally(draw: st.DrawFn, queries: int, keys: int) -> Case:
    places = [some(draw, -1, keys + 1, 2) for _ in range(draw(st.sampled_from([1, BATCH])))]
    return Case(
        lambda: Global(places),
        lambda b, h, p, j: (p >= 0 and p in places[b % len(places)]) or j in places[b % len(places)],
    )


def dilated(draw: st.DrawFn, queries: int, keys: int) -> Case:
    reach, step = draw(st.integers(0, 3)), draw(st.integers(1, 3))
    return Case(lambda: Dilated(reach, step), lambda b, h, p, j: j - p in [m * step for m in range(-reach, reach + 1)])


def blocks(draw: st.DrawFn, queries: int, keys: int) -> Case:
    size = draw(st.integers(1, 4))
    shape = [draw(st.sampled_from([1, BATCH])), draw(st.sampled_from([1, HEADS]))]
    shape += [-(-keys // size) + draw(st.integers(0, 2)) or 1 for _ in range(2)]
    layout = booleans(draw, *shape)
    return Case(
        lambda: Blocks(torch.tensor(layout), size),
        lambda b, h, p, j: p >= 0 and layout[b % shape[0]][h % shape[1]][p // size][j // size],
    )


def explicit(draw: st.DrawFn, queries: int, keys: int) -> Case:
    shape = [draw(st.sampled_from([1, n])) for n in (BATCH, HEADS, queries)] + [keys]
    allowed = booleans(draw, *shape)
    return Case(
        lambda: Explicit(torch.tensor(allowed)),
        lambda b, h, p, j: allowed[b % shape[0]][h % shape[1]][(p + queries - keys) % shape[2]][j],
    )


def predicate(draw: st.DrawFn, queries: int, keys: int) -> Case:
    many = draw(st.booleans())
    breadth = (BATCH, HEADS) if many else (1, 1)
    make = lambda: Predicate(lambda b, h, p, j: (p * 3 + j + b) % (h + 2) != 0, *breadth)  # noqa: E731
    return Case(make, lambda b, h, p, j: (p * 3 + j + many * b) % (many * h + 2) != 0)


SINGLE = [
    causal,
    window,
    padding,
    padding_anywhere,
    documents,
    prefix,
    globally,
    dilated,
    blocks,
    explicit,
    predicate,
]


@st.composite
def cases(draw: st.DrawFn, queries: int, keys: int, depth: int) -> Case:
    kind = draw(st.sampled_from(["single", "&", "|", "~"])) if depth else "single"
    if kind == "single":
        return draw(st.sampled_from(SINGLE))(draw, queries, keys)
    one = draw(cases(queries, keys, depth - 1))
    if kind == "~":
        return Case(lambda: ~one.rule, lambda *place: not one.means(*place), one.is_single)
    two = draw(cases(queries, keys, depth - 1))
    if kind == "&":
        return Case(lambda: one.rule & two.rule, lambda *place: one.means(*place) and two.means(*place), False)
    return Case(lambda: one.rule | two.rule, lambda *place: one.means(*place) or two.means(*place), False)


# What is asked of every rule.


def assert_rule(case: Case, queries: int, keys: int, size: tuple[int, int]) -> None:
    rule, wanted = case.rule, case.matrix(queries, keys)
    dense = rule.dense(queries, keys)
    assert dense.shape[2:] == (queries, keys)
    assert all(have in (1, most) for have, most in zip(dense.shape[:2], rule.breadth, strict=True))
    assert torch.equal(dense.expand_as(wanted), wanted), "dense"
    sizes = (range(BATCH), range(HEADS), range(keys - queries, keys), range(keys))
    place = torch.meshgrid(*(torch.tensor(part) for part in sizes), indexing="ij")
    assert torch.equal(rule.allows(*place).expand_as(wanted), wanted), "allows"
    assert torch.equal(rule.empty_rows(queries, keys).expand(wanted.shape[:3]), ~wanted.any(-1)), "empty_rows"
    assert_tiles(case, wanted, size)


def assert_tiles(case: Case, wanted: Tensor, size: tuple[int, int]) -> None:
    queries, keys = wanted.shape[2:]
    rows, columns = -(-queries // size[0]), -(-keys // size[1])
    found = case.rule.tiles(queries, keys, size).expand(BATCH, HEADS, rows, columns)
    assert found.dtype == torch.int8
    for b, h, row, column in itertools.product(*map(range, found.shape)):
        tile = wanted[b, h, row * size[0] : (row + 1) * size[0], column * size[1] : (column + 1) * size[1]]
        truth = Tile.FULL if tile.all() else Tile.MIXED if tile.any() else Tile.EMPTY
        said = Tile(int(found[b, h, row, column]))
        assert said == truth or (said == Tile.MIXED and not case.is_single), f"{case.rule} calls {truth!r} {said!r}"


lengths = st.integers(1, 7)
tile_sizes = st.tuples(st.integers(1, 4), st.integers(1, 4))


@pytest.mark.parametrize("single", SINGLE, ids=lambda f: f.__name__)
@hypothesis.settings(max_examples=60)
@hypothesis.given(data=st.data(), queries=lengths, keys=lengths, size=tile_sizes, negated=st.booleans())
def test_each_rule_is_its_definition_and_its_tiles_are_exact(
    single, data: st.DataObject, queries: int, keys: int, size: tuple[int, int], negated: bool
) -> None:
    case = data.draw(st.composite(lambda draw: single(draw, queries, keys))())
    if negated:
        make, means = case.make, case.means
        case = Case(lambda: ~make(), lambda *place: not means(*place))
    assert_rule(case, queries, keys, size)
    assert_stands_for(case.rule.bind(queries, keys), case.matrix(queries, keys))


@hypothesis.settings(max_examples=120)
@hypothesis.given(data=st.data(), queries=lengths, keys=lengths, size=tile_sizes, depth=st.integers(1, 3))
def test_what_is_made_of_rules_is_their_logic(
    data: st.DataObject, queries: int, keys: int, size: tuple[int, int], depth: int
) -> None:
    case = data.draw(cases(queries, keys, depth))
    assert_rule(case, queries, keys, size)
    wanted = case.matrix(queries, keys)
    assert_stands_for(case.rule.bind(queries, keys), wanted)
    heads = data.draw(st.lists(st.integers(0, HEADS - 1), min_size=HEADS, max_size=HEADS))
    chosen = case.rule.select_heads(heads)
    assert torch.equal(chosen.dense(queries, keys).expand_as(wanted), wanted[:, heads]), "select_heads"
    again = case.rule.change(lambda tensor: tensor.clone())
    assert again == case.rule
    assert hash(again) == hash(case.rule)
    assert all(a is not b for a, b in zip(again.tensors().values(), case.rule.tensors().values(), strict=True))
    assert again.tensors().keys() == case.rule.tensors().keys()
    there = case.rule.to("meta")
    assert there.dense(queries, keys, device="meta").shape == case.rule.dense(queries, keys).shape
    assert there.empty_rows(queries, keys, device="meta").device.type == "meta"
    if "function" not in repr(case.rule) and "<lambda>" not in repr(case.rule) and "<bool" not in repr(case.rule):
        read = eval(repr(case.rule), vars(clearhead.masks))  # noqa: S307
        assert torch.equal(read.dense(queries, keys).expand_as(wanted), wanted), "repr"
        assert repr(read) == repr(case.rule)


@pytest.mark.parametrize("wrong", ["dense", "allows", "empty_rows", "tiles"])
def test_the_assertion_notices_a_single_wrong_answer(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(lambda: Window(2, 1), lambda b, h, p, j: p - 2 <= j <= p + 1)
    assert_rule(case, 5, 7, (2, 3))
    right = getattr(Window, wrong)

    def answer(self: Mask, *arguments: object) -> Tensor:
        found = right(self, *arguments).clone()
        found.view(-1)[-1] = ~found.view(-1)[-1] if found.dtype == torch.bool else 0
        return found

    monkeypatch.setattr(Window, wrong, answer)
    with pytest.raises(AssertionError):
        assert_rule(case, 5, 7, (2, 3))


# Larger, where rows are looked for tile by tile.


def large() -> dict[str, Mask]:
    n = 523
    torch.manual_seed(3)
    ids, keep = torch.randint(-1, 40, (BATCH, n)), torch.rand(HEADS, n, n) < 0.004
    return {
        "unsorted documents": Causal() & Documents(ids),
        "global or window": (Window(3, 0) | Global([7, 300])) & ~Padding([n - 100, 250]),
        "explicit": Causal() & Explicit(keep) & ~Padding(40),
        "function": Predicate(lambda b, h, i, j: (i * j) % (7 + h) == 3, 1, HEADS) & Dilated(40, 3) & Documents(ids),
        "nothing": Causal() & ~Causal(),
        "neither": ~(Dilated(4, 2) | Blocks(torch.rand(1, 1, 9, 9) < 0.5, 61)),
    }


@pytest.mark.parametrize("name", large())
@pytest.mark.parametrize("queries", [523, 131])
def test_empty_rows_and_tiles_of_many_keys(name: str, queries: int) -> None:
    rule = large()[name]
    if name == "explicit" and queries != 523:
        with pytest.raises(ShapeError, match=r"523 × 523 \(queries × keys\) was asked for 131 × 523"):
            rule.dense(queries, 523)
        return
    dense = rule.dense(queries, 523)
    found = rule.empty_rows(queries, 523)
    assert torch.equal(found.expand(dense.shape[:3]), ~dense.any(-1))
    tiles = rule.tiles(queries, 523, (32, 64)).repeat_interleave(32, -2).repeat_interleave(64, -1)
    tiles = tiles[..., :queries, :523].expand_as(dense)
    assert not dense[tiles == Tile.EMPTY].any()
    assert dense[tiles == Tile.FULL].all()
    assert (tiles != Tile.MIXED).any()
    bound = rule.bind(queries, 523)
    for rows in (range(64), range(100, 131)):
        seen, there = bound.columns_for(rows), dense[..., rows.start : rows.stop, :].flatten(0, 2).any(0).nonzero()
        assert not len(there) or (seen.start <= int(there[0]) and int(there[-1]) < seen.stop)


class Largest(TorchDispatchMode):
    """The most entries that any tensor had."""

    entries = 0

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        found = function(*arguments, **(options or {}))
        for x in found if isinstance(found, tuple | list) else [found]:
            self.entries = max(self.entries, x.numel() if isinstance(x, Tensor) else 0)
        return found


N = 65_536
WITHOUT_PAIRS = {
    "causal": Causal(),
    "window": Window(100, 7),
    "lengths": Padding([N, 1000]),
    "present": Padding(torch.arange(N) % 1000 > 7),
    "documents": Documents(torch.arange(N) // 100),
    "unsorted documents": Documents(torch.arange(N) % 100),
    "prefix": Prefix(1000),
    "global": Global([0, 40_000]),
    "dilated": Dilated(100, 3),
    "blocks": Blocks(torch.ones(64, 64).tril().bool(), 1024),
    "composite": (Causal() & Window(1023, 0) & Documents(torch.arange(N) // 77)) | ~Padding([4000, N]),
}


@pytest.mark.parametrize("name", WITHOUT_PAIRS)
def test_tiles_are_found_without_evaluating_pairs(name: str) -> None:
    rule = WITHOUT_PAIRS[name]
    with Largest() as largest:
        tiles = rule.tiles(N, N, 512)
    assert tiles.shape[2:] == (128, 128)
    assert largest.entries <= 4 * N, "tiles have n²/2¹⁸ entries, and what is written out for a token is O(n)"
    assert rule.has_form


def test_rows_are_looked_for_without_evaluating_pairs() -> None:
    for rule in (rule for name, rule in WITHOUT_PAIRS.items() if name != "composite"):
        with Largest() as largest:
            rule.empty_rows(N, N)
        assert largest.entries <= 100 * N
    rule = (Causal() & Documents(torch.arange(4096) % 3)) | Global([5])
    with Largest() as largest:
        assert not rule.empty_rows(4096, 4096).any()
    assert largest.entries < 4096**2 / 8


def test_the_count_sees_pairs() -> None:
    with Largest() as largest:
        Causal().dense(256, 256)
    assert largest.entries == 256**2


# Which bound mask it becomes.


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        (Causal(), Spans),
        (Window(3, None), Spans),
        (Padding([5, 11]), Spans),
        (Padding(torch.arange(11) > 3), Spans),
        (Prefix([2, 3]), Spans),
        (Documents([0, 0, 1, 1, 1, 4, 4, 2, 2, -1, -1]), Spans),
        (Documents([0, 0, 1, 1, 0, 4, 4, 2, 2, -1, -1]), BoundRule),
        (Causal() & Window(3, 0) & Padding([5, 11]) & Documents.from_lengths([5, 6]), Spans),
        (Dilated(1, 2), BoundRule),
        (Global([0]), BoundRule),
        (Explicit(torch.ones(11, 11).bool()), BoundRule),
        (~Causal(), BoundRule),
    ],
    ids=str,
)
def test_runs_of_keys_become_spans(rule: Mask, kind: type) -> None:
    assert type(rule.bind(11, 11)) is kind


@hypothesis.given(st.data())
def test_solid_parts_make_up_the_map(data: st.DataObject) -> None:
    queries, keys = data.draw(lengths), data.draw(lengths)
    some = [data.draw(st.sampled_from([causal, padding, padding_anywhere, documents, prefix]))]
    some += [causal] * data.draw(st.integers(0, 1))
    mask = functools.reduce(Mask.__and__, [one(data.draw, queries, keys).rule for one in some]).bind(queries, keys)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spans, "_FEW", 1)
        assert_solid(mask)


def assert_solid(mask: BoundMask) -> bool:
    """What a mask says of its solid parts; gives whether it says anything."""
    texts, apart = mask.breadth
    wanted = mask.tile(range(mask.queries), range(mask.keys))
    for text, head in itertools.product(range(texts), range(apart)):
        parts = mask.solid(text, head)
        if parts is None:
            return False
        count = torch.zeros(mask.queries, mask.keys, dtype=torch.int64)
        for rows, columns, is_causal in parts:
            square = torch.ones(len(rows), len(columns), dtype=torch.int64)
            assert not is_causal or len(rows) == len(columns)
            count[rows.start : rows.stop, columns.start : columns.stop] += square.tril() if is_causal else square
        allowed = torch.ones(()) if wanted is None else wanted[text % len(wanted), head % wanted.shape[1]]
        assert torch.equal(count, allowed.expand(mask.queries, mask.keys).long())
    return True


@pytest.mark.parametrize(
    ("rule", "parts"),
    [
        (Documents.from_lengths([3, 0, 1, 5, 2]), 4),
        (Causal() & Documents.from_lengths([3, 0, 1, 5, 2]), 4),
        (Documents([-1, 0, 0, 0, -1, 3, 3, -1, -1, -1, 4]), 3),
        (Causal() & Documents([-1, 0, 0, 0, -1, 3, 3, -1, -1, -1, 4]), 3),
        (Documents([0, 0, -1, 0, 1, 1, 1, 1, 1, 1, 1]), None),
        (Causal() & Documents([0, -1, 0, 0, 1, 1, 1, 1, 1, 1, 1]), None),
        (Causal(), 1),
        (Prefix([5]), None),
        (Causal() & Window(3, 0), 8),
        (Window(1, 1), None),
    ],
    ids=str,
)
def test_which_maps_have_solid_parts(rule: Mask, parts: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "_FEW", 1)
    mask = rule.bind(11, 11)
    assert assert_solid(mask) == (parts is not None)
    assert parts is None or len(mask.solid(0, 0) or []) == parts


def test_a_wrong_solid_part_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Spans.solid
    monkeypatch.setattr(spans, "_FEW", 1)
    monkeypatch.setattr(Spans, "solid", lambda self, *place: whole(self, *place)[1:])
    with pytest.raises(AssertionError):
        assert_solid(Documents.from_lengths([3, 8]).bind(11, 11))


def test_many_small_parts_are_not_listed() -> None:
    assert Documents.from_lengths([3] * 20).bind(60, 60).solid(0, 0) is None
    assert Documents.from_lengths([30] * 2).bind(60, 60).solid(0, 0) is not None


def test_what_kernels_have_a_flag_for_is_known() -> None:
    assert Causal().bind(7, 7).is_causal
    assert (Causal() & Causal()).bind(7, 7).is_causal
    assert not Causal().bind(5, 7).is_causal
    assert (Causal() & Padding(3)).bind(7, 7).looks_back_only
    assert (Causal() & Global([0])).bind(7, 7).looks_back_only
    assert ((Causal() & Global([0])) | Window(2, 0)).bind(7, 7).looks_back_only
    assert not (~Causal()).bind(7, 7).looks_back_only
    assert Padding([3, 5]).bind(7, 7).is_same_for_all_queries
    assert (~Padding([3, 5])).bind(7, 7).is_same_for_all_queries


def test_a_step_of_decoding_is_the_last_row() -> None:
    rule = (Causal() & Window(4, 0)) | Global([0])
    assert torch.equal(rule.dense(1, 11), rule.dense(11, 11)[..., -1:, :])
    assert torch.equal(rule.dense(3, 11), rule.dense(11, 11)[..., -3:, :])


def test_no_queries_and_no_keys() -> None:
    for rule in (Causal(), Window(1, 1), Padding([2, 3]), Prefix(2), Global([0]), Dilated(1, 1), Causal() | Prefix(1)):
        assert rule.dense(0, 5).shape[2:] == (0, 5)
        assert rule.dense(3, 0).shape[2:] == (3, 0)
        assert rule.tiles(0, 5, 2).shape[2:] == (0, 3)
        assert rule.empty_rows(3, 0).all()
        assert rule.empty_rows(0, 3).shape[-1] == 0


# Values.


def test_rules_that_say_the_same_are_equal() -> None:
    def made() -> list[Mask]:
        return [
            Causal(),
            Window(1, None),
            Window(1, 0),
            Padding([3, 5]),
            Padding([[True, False]]),
            Documents([0, 1]),
            Global([0, 1]),
            Prefix([0, 1]),
            Dilated(1, 2),
            Blocks([[True]], 2),
            Blocks([[True]], 3),
            Explicit(torch.tensor([[True]])),
            Causal() & Window(1, 0),
            Causal() | Window(1, 0),
            ~Causal(),
            (Causal() & Window(1, 0)) & Prefix(2),
            Causal() & (Window(1, 0) & Prefix(2)),
        ]

    for (n, one), (m, two) in itertools.product(enumerate(made()), enumerate(made())):
        assert (one == two) == (n == m), (one, two)
        assert n != m or hash(one) == hash(two)
    assert len(set(made() + made())) == len(made())
    assert Causal() != "Causal()"
    assert pickle.loads(pickle.dumps(Causal() & Padding([3, 5]))) == Causal() & Padding([3, 5])  # noqa: S301


def test_a_rule_prints_as_what_makes_it() -> None:
    assert repr(Causal() & Window(255, 0)) == "Causal() & Window(255, 0)"
    assert repr((Causal() | Prefix(3)) & ~Padding([2, 5])) == "(Causal() | Prefix(3)) & ~Padding([2, 5])"
    assert repr(~(Causal() & Global([0]))) == "~(Causal() & Global([0]))"
    assert repr(Causal() | Causal() & Causal()) == "Causal() | Causal() & Causal()"
    assert repr(Causal() & (Causal() & Causal())) == "Causal() & (Causal() & Causal())"
    assert repr(Documents(torch.zeros(3, 1000).long())) == "Documents(<int64: 3 × 1000>)"
    assert repr(Explicit(torch.ones(5, 7).bool())) == "Explicit(<bool: 5 × 7>)"
    assert repr(Predicate(predicate, 2, 3)) == "Predicate(predicate, 2, 3)"
    assert repr(Padding([1, 2]).to("meta")) == "Padding(<int64: 2>)"
    assert repr(Dilated(1, 2).bind(5, 7)) == "Dilated(1, 2) at 5 queries × 7 keys"
    assert repr(BoundRule(Dilated(1, 2), 5, 7, torch.device("cpu"), first=0)).endswith(", query 0 at position 0")


def test_lists_numbers_and_tensors_say_the_same() -> None:
    assert Padding(3) == Padding([3]) == Padding(torch.tensor(3)) == Padding(torch.tensor([3], dtype=torch.int32))
    assert Prefix(3) == Prefix(torch.tensor([3]))
    assert Documents([[0, 1]]) == Documents(torch.tensor([0, 1]))
    assert Global([]) == Global(torch.zeros(0, dtype=torch.int64))
    assert not Global([]).dense(3, 3).any()


# Traced.


TRACED = """
import torch
from clearhead.masks import *

def many(x):
    rule = Causal() & Window(3, 0) & Padding(x.sum(-1).long().clamp(0, 5)) & Documents([0, 0, 0, 1, 1])
    return rule | Global([0]) | Prefix([2, 1]) | (Dilated(1, 2) & Not(Blocks([[True, False], [False, True]], 3)))

def tensor(x):
    return Explicit(x[:, None, None, :] > x[:, None, :, None]) & Causal()

def function(x):
    return Predicate(lambda b, h, i, j: (i * 3 + j) % (h + 2) > 0, 1, 3) & Causal()

x = torch.rand(2, 5)
for made in (many, tensor, function):
    def both(x):
        rule = made(x)
        return rule.dense(5, 5).clone(), rule.empty_rows(5, 5).clone()

    for options in ({"backend": "eager"}, {"backend": "aot_eager", "dynamic": True}):
        torch._dynamo.reset()
        found = torch.compile(both, fullgraph=True, **options)(x)
        assert all(torch.equal(a, b) for a, b in zip(found, both(x), strict=True)), (made, options)
    made_before = made(x)
    torch._dynamo.reset()
    found = torch.compile(lambda x: made_before.dense(5, 5) & (x > 0), fullgraph=True, backend="eager")(x[0])
    assert torch.equal(found, made_before.dense(5, 5) & (x[0] > 0))
print("traced")
"""


def test_dense_and_empty_rows_are_traced_whole() -> None:
    assert printed(TRACED, "error") == "traced\n"


class Layer(torch.nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        rule = (Causal() & Window(3, 0) & Padding(x[:, 0].long())) | Global([0])
        return x + rule.dense(x.shape[1], x.shape[1])[:, 0, -1]


def test_dense_is_exported_for_any_length(as_for_users: None) -> None:
    tokens = torch.export.Dim("tokens", min=3, max=100)
    exported = torch.export.export(Layer(), (torch.ones(2, 7),), dynamic_shapes=({1: tokens},)).module()
    x = torch.arange(22.0).view(2, 11)
    assert torch.equal(exported(x), Layer()(x))


# What is refused.


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: Window(-1, 0), InputError, "left side is a whole number of at least 0; got -1"),
        (lambda: Window(0, -2), InputError, "right side is a whole number of at least 0; got -2"),
        (
            lambda: whole_number("a window's left side", 1.5, 0),
            InputError,
            "left side is a whole number of at least 0; got 1.5",
        ),
        (lambda: Dilated(-1, 1), InputError, "dilated window is a whole number of at least 0; got -1"),
        (lambda: Dilated(1, 0), InputError, "step of a dilated window is a whole number of at least 1; got 0"),
        (lambda: Blocks([[True]], 0), InputError, "size of a block is a whole number of at least 1; got 0"),
        (lambda: Blocks(torch.ones(2, 2), 3), InputError, r"boolean, True = may attend; got torch.float32.*\.bool\(\)"),
        (
            lambda: Blocks([[True], [True, False]], 2),
            InputError,
            r"a layout of blocks is a tensor, or lists.*\[\[True\], ",
        ),
        (lambda: Blocks([[True]], 2).dense(2, 3), ShapeError, "1 × 1 blocks of 2 reaches to 2 tokens.*3 keys.*2 × 2"),
        (lambda: (Causal() & Blocks([[True]], 2)).bind(3, 3), ShapeError, "there are 3 keys"),
        (lambda: longformer(3, [0]), InputError, "half of the window lies on each side, so it is even; got 3"),
        (lambda: longformer(-2, [0]), InputError, "a window is a whole number of at least 0; got -2"),
        (lambda: longformer(2, [[0], [1, 2]]), InputError, "a list of positions is a tensor, or lists of numbers"),
        (lambda: big_bird(10, window=2), InputError, "the window is odd, its own block included; got 2"),
        (lambda: big_bird(10, block=0), InputError, "size of a block is a whole number of at least 1; got 0"),
        (lambda: big_bird(10, seed=-1), InputError, "the seed is a whole number of at least 0; got -1"),
        (lambda: strided(0), InputError, "the stride is a whole number of at least 1; got 0"),
        (lambda: Blocks(torch.ones(2).bool(), 3), ShapeError, r"got the shape \(2,\)"),
        (lambda: Explicit(torch.ones(2, 2)), InputError, "float32: for 0 and 1 call .bool.*from_additive"),
        (lambda: Explicit(torch.ones(2, 2).long()), InputError, r"int64: call \.bool\(\)"),
        (lambda: Explicit(torch.ones(2).bool()), ShapeError, r"got the shape \(2,\)"),
        (lambda: Padding(torch.ones(2, 3).long()), InputError, r"must be boolean.*int64: call \.bool\(\)"),
        (lambda: Padding(torch.ones(2)), InputError, "got torch.float32 of shape"),
        (lambda: Padding(torch.ones(2, 3, 5).bool()), InputError, r"shape \(2, 3, 5\)"),
        (lambda: Documents(torch.ones(3)), InputError, "integers; got torch.float32"),
        (lambda: Documents(torch.ones(2, 2, 2).long()), ShapeError, r"got the shape \(2, 2, 2\)"),
        (lambda: Prefix(torch.ones(3)), InputError, "integers; got torch.float32"),
        (lambda: Prefix(torch.ones(3, 2).long()), ShapeError, r"got the shape \(3, 2\)"),
        (lambda: Global(torch.ones(3)), InputError, "integers; got torch.float32"),
        (lambda: Global(torch.ones(1, 1, 1).long()), ShapeError, r"got the shape \(1, 1, 1\)"),
        (lambda: Predicate(max, 0), InputError, "batch is a whole number of at least 1; got 0"),
        (lambda: Padding([1, 2]) & Padding([1, 2, 3]), ShapeError, "one has batch 2, the other 3"),
        (lambda: Padding([[True, False]]).dense(3, 3), ShapeError, "speaks of 2 keys, and there are 3"),
        (lambda: (Causal() & Documents([0, 1])).tiles(3, 3), ShapeError, "numbers 2 keys, and there are 3"),
        (lambda: (~Documents([0, 1])).bind(3, 3), ShapeError, "numbers 2 keys, and there are 3"),
        (lambda: Causal().tiles(3, 3, 0), InputError, "at least 1 query and 1 key.* got the size 0"),
        (lambda: Padding([1]).dense(3, 3, device="meta"), InputError, r"on cpu and was asked on meta.*\.to\('meta'\)"),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], object], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        make()


def test_only_rules_are_combined() -> None:
    with pytest.raises(InputError, match="& stands between two masks; got bool"):
        Causal() & True
    with pytest.raises(InputError, match=r"\| stands .* got Tensor; .* Explicit\(tensor\)"):
        Causal() | torch.ones(3, 3).bool()


def test_and_or_and_not_do_not_drop_a_mask() -> None:
    for operation in (lambda: Causal() and Window(1, 0), lambda: Causal() or Window(1, 0), lambda: not Causal()):
        with pytest.raises(InputError, match=r"combine masks with &, \| and ~"):
            operation()


def test_another_text_and_head_are_drawn() -> None:
    mask = Padding([3, 1]) & Explicit(torch.tensor([True, False])[:, None, None].expand(2, 3, 3))
    assert mask.draw(3, batch=1, head=0).count("#") == 3
    assert mask.draw(3, 3, batch=1, head=1).count("#") == 0
    assert Causal().draw(2, batch=7).count("#") == 3  # one for all
    with pytest.raises(InputError, match=r"something of batch 0 to 1; asked for 2"):
        mask.draw(3, batch=2)


def test_a_function_stays_where_what_it_reads_is() -> None:
    allowed = torch.rand(5) < 0.5
    rule = Predicate(lambda b, h, i, j: allowed[j])
    assert rule.borrowed()[0] is allowed
    assert (Causal() & rule).borrowed()[0] is allowed
    assert rule.to("cpu") == rule
    with pytest.raises(InputError, match=r"stays on cpu.*Explicit\(mask\.dense"):
        (Causal() & rule).to("meta")


# Drawings.


def rules() -> list[type[Mask]]:
    def kinds(cls: type[Mask]) -> set[type[Mask]]:
        return {cls} | {kind for below in cls.__subclasses__() for kind in kinds(below)}

    return sorted((kind for kind in kinds(Mask) if not kind.__name__.startswith("_")), key=lambda kind: kind.__name__)


@pytest.mark.parametrize("cls", rules(), ids=lambda cls: cls.__name__)
def test_every_rule_is_drawn_by_its_docstring(cls: type[Mask]) -> None:
    lines = (inspect.getdoc(cls) or "").splitlines()
    (line,) = [n for n, text in enumerate(lines) if text.startswith(">>> print(") and text.endswith(".draw())")]
    drawing = eval(lines[line][len(">>> print(") : -1], {"torch": torch, **vars(clearhead.masks)})  # noqa: S307
    assert "\n".join(lines[line + 1 : line + 8]) == drawing
    assert drawing.splitlines()[0] == "    k0 k1 k2 k3 k4 k5"
    assert {"#", "."} <= set(drawing)


def test_larger_drawings_are_aligned() -> None:
    drawn = Causal().draw(12, 11).splitlines()
    assert len({len(line) for line in drawn}) == 1
    assert drawn[0].split() == [f"k{j}" for j in range(11)]
    assert drawn[1].split() == ["q0"] + ["."] * 11  # it stands before the first key
    assert drawn[12].split() == ["q11"] + ["#"] * 11


# A rule of one's own.


class Diagonal(Mask):
    """Only what is written is needed.

    >>> print(Window(0, 0).draw())
        k0 k1 k2 k3 k4 k5
    q0   #  .  .  .  .  .
    q1   .  #  .  .  .  .
    q2   .  .  #  .  .  .
    q3   .  .  .  #  .  .
    q4   .  .  .  .  #  .
    q5   .  .  .  .  .  #
    """

    def allows(self, batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        del batch, head
        return query == key


@pytest.mark.parametrize(("queries", "keys"), [(5, 5), (3, 7), (7, 3)])
def test_a_rule_of_ones_own_needs_nothing_but_its_pairs(
    queries: int, keys: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case(Diagonal, lambda b, h, p, j: p == j)
    assert_rule(case, queries, keys, (2, 3))
    monkeypatch.setattr("clearhead.masks.base._ENTRIES", 1)  # in blocks of few rows
    assert_rule(case, queries, keys, (2, 3))
    case = Case(lambda: Causal() & ~Diagonal(), lambda b, h, p, j: j < p, is_single=False)
    assert_rule(case, queries, keys, (2, 3))
    assert not case.rule.has_form
    assert repr(case.rule) == "Causal() & ~Diagonal()"


@pytest.mark.parametrize("rule", [Padding, Prefix])
@pytest.mark.parametrize("lengths", [-3, [2, -1]])
def test_a_length_below_0_is_refused(rule: type, lengths: object) -> None:
    with pytest.raises(InputError, match="at least 0; got"):
        rule(lengths)


HUGE = [2**31, 2**62, 2**63 - 1, 2**64]


@pytest.mark.parametrize("side", HUGE)
def test_a_side_of_any_length_is_no_side(side: int) -> None:
    for window, same in ((Window(side, 0), Causal()), (Window(side, side), Window(None, None))):
        for queries, keys in ((3, 5), (5, 3)):
            wanted = same.dense(queries, keys)
            assert torch.equal(window.dense(queries, keys), wanted)
            assert_stands_for(window.bind(queries, keys), wanted)
            assert torch.equal(window.tiles(queries, keys, 2), same.tiles(queries, keys, 2))
    assert torch.equal(Dilated(side, 2).dense(3, 5), Dilated(5, 2).dense(3, 5))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32])
def test_ids_of_any_integers_say_the_same(dtype: torch.dtype) -> None:
    ids = [0, 0, 127, 127, 1]
    small, wide = Documents(torch.tensor(ids, dtype=dtype)), Documents(ids)
    assert small == wide
    assert torch.equal(small.dense(7, 5), wide.dense(7, 5))
    assert not small.dense(7, 5)[..., :2, :].any()  # these stand before the first key


def test_nothing_to_attend_from_or_to() -> None:
    for rule in (Causal() & Global([0]), Causal() & Predicate(lambda b, h, i, j: j >= i), Documents([0, 0, 1])):
        assert rule.bind(0, 3).empty_rows().shape[-1] == 0
    assert Documents([]).dense(2, 0).shape[-2:] == (2, 0)
    assert Documents.from_lengths([]) == Documents([])
    assert Padding([]).breadth[0] == Prefix([]).breadth[0] == 0
    assert Padding(torch.ones(0, 3, dtype=torch.bool)).bind(3, 3).empty_rows().shape[0] == 0


def test_and_is_as_quick_as_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = Causal() & Global([3])
    monkeypatch.setattr(Global, "block", lambda *place: pytest.fail("all pairs were evaluated"))
    empty = rule.bind(512, 512).empty_rows()
    assert torch.equal(empty[0, 0], torch.arange(512) < 3)


class ByHead(Mask):
    """As many keys back as the head says."""

    def __init__(self, reach: list[int]) -> None:
        self.reach = torch.tensor(reach)

    @property
    def breadth(self) -> tuple[int, int]:
        return 1, len(self.reach)

    def allows(self, batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        del batch
        return (query - key).abs() <= self.reach[head]


def test_a_rule_of_ones_own_by_head() -> None:
    rule = ByHead([0, 2])
    assert_stands_for(rule.bind(5, 7), rule.dense(5, 7))
    with pytest.raises(InputError, match="ByHead says different things of different heads and has no select_heads"):
        rule.select_heads([1])
    other = ByHead([0, 2])
    other.found_before = True  # type: ignore[attr-defined]
    assert rule != other


def test_what_functions_read_is_found() -> None:
    one, two = torch.tensor(1), torch.tensor(2)

    class Held:
        def __init__(self) -> None:
            self.tensor = one

        def __call__(self, *point: Tensor) -> Tensor:
            return point[3] < self.tensor

        def method(self, *point: Tensor) -> Tensor:
            return point[3] < self.tensor

    def near(b: Tensor, h: Tensor, i: Tensor, j: Tensor, reach: Tensor) -> Tensor:
        return i - j < reach

    for function, read in ((Held(), one), (Held().method, one), (functools.partial(near, reach=two), two)):
        assert any(x is read for x in Predicate(function).borrowed()), function


def test_a_predicate_must_be_one() -> None:
    with pytest.raises(InputError, match=r"says True or False; <lambda> gave torch.int64"):
        Predicate(lambda b, h, i, j: i - j).dense(3, 3)
