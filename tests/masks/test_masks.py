"""Every mask gives, to every question, the answer of the boolean matrix that it stands for."""

import inspect
import itertools

import hypothesis
import pytest
import torch
from hypothesis import strategies as st
from mask_oracle import assert_stands_for
from torch import Tensor

from clearhead.errors import ShapeError
from clearhead.masks import BoundMask, BoundRule, Causal, Explicit, Global, Predicate, Spans, Window
from clearhead.masks.both import Both

CPU = torch.device("cpu")
BATCH, HEADS, QUERIES, KEYS = 2, 3, 11, 13


def grid() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    sizes = (BATCH, HEADS, QUERIES, KEYS)
    return torch.meshgrid(*(torch.arange(n) for n in sizes), indexing="ij")


def causal() -> tuple[BoundMask, Tensor]:
    _, _, i, j = grid()
    return Spans.causal(QUERIES, KEYS, device=CPU), j <= i + KEYS - QUERIES


def causal_from_the_corner() -> tuple[BoundMask, Tensor]:
    _, _, i, j = grid()
    return Spans.causal(QUERIES, KEYS, device=CPU, offset=0), j <= i


def padding() -> tuple[BoundMask, Tensor]:
    present = torch.arange(KEYS) < torch.tensor([[KEYS], [5]])
    return Spans.padding(present, QUERIES), present[:, None, None].expand(BATCH, HEADS, QUERIES, KEYS)


def nothing_is_present() -> tuple[BoundMask, Tensor]:
    present = torch.zeros(1, KEYS, dtype=torch.bool)
    return Spans.padding(present, QUERIES), present.expand(BATCH, HEADS, QUERIES, KEYS)


def present_by_head() -> tuple[BoundMask, Tensor]:
    b, h, _, j = grid()
    allowed = (j + h) % 3 != b
    return Spans.all_present(allowed[:, :, 0], QUERIES), allowed


def window() -> tuple[BoundMask, Tensor]:
    _, _, i, j = grid()
    middle = torch.arange(QUERIES)[None, None]
    # Runs may reach over both ends: the first query's starts before the first key.
    return Spans(middle - 2, middle + 6, QUERIES, KEYS), (j >= i - 2) & (j < i + 6)


def runs_by_text_and_head() -> tuple[BoundMask, Tensor]:
    b, h, i, j = grid()
    starts, stops = (b + h + i)[..., 0] - 3, (h * i)[..., 0]
    return Spans(starts, stops, QUERIES, KEYS), (j >= starts[..., None]) & (j < stops[..., None])


def causal_and_padding() -> tuple[BoundMask, Tensor]:
    (first, a), (second, b) = causal(), padding()
    return first & second, a & b


def explicit() -> tuple[BoundMask, Tensor]:
    allowed = torch.rand(BATCH, 1, QUERIES, KEYS) < 0.5
    allowed[:, :, 4] = False
    return Explicit(allowed).bind(QUERIES, KEYS), allowed.expand(-1, HEADS, -1, -1)


def explicit_by_head() -> tuple[BoundMask, Tensor]:
    allowed = torch.rand(BATCH, HEADS, QUERIES, KEYS) < 0.1
    return Explicit(allowed).bind(QUERIES, KEYS), allowed


def predicate() -> tuple[BoundMask, Tensor]:
    b, h, i, j = grid()
    rule = Predicate(lambda b, h, i, j: (i * j + b) % (h + 2) == 0, BATCH, HEADS)
    # It is told the query's number, as FlexAttention does.
    return BoundRule(rule, QUERIES, KEYS, CPU, first=0), (i * j + b) % (h + 2) == 0


def predicate_of_the_key() -> tuple[BoundMask, Tensor]:
    _, _, _, j = grid()
    return Predicate(lambda b, h, i, j: j != 3).bind(QUERIES, KEYS), (j != 3).expand(BATCH, HEADS, QUERIES, KEYS)


def spans_and_explicit() -> tuple[BoundMask, Tensor]:
    (first, a), (second, b) = causal(), explicit()
    return first & second, a & b


def predicate_and_padding() -> tuple[BoundMask, Tensor]:
    (first, a), (second, b) = predicate(), padding()
    return first & second, a & b


def three_at_once() -> tuple[BoundMask, Tensor]:
    (first, a), (second, b), (third, c) = explicit_by_head(), predicate(), window()
    return first & second & third, a & b & c


MAKERS = [
    causal,
    causal_from_the_corner,
    padding,
    nothing_is_present,
    present_by_head,
    window,
    runs_by_text_and_head,
    causal_and_padding,
    explicit,
    explicit_by_head,
    predicate,
    predicate_of_the_key,
    spans_and_explicit,
    predicate_and_padding,
    three_at_once,
]


@pytest.mark.parametrize("maker", MAKERS, ids=lambda f: f.__name__)
def test_a_mask_answers_as_its_matrix_does(maker) -> None:
    mask, allowed = maker()
    assert_stands_for(mask, allowed)
    assert_stands_for(mask.to(CPU), allowed)
    assert_stands_for(mask.change(lambda tensor: tensor.clone()), allowed)
    assert f"{QUERIES}" in repr(mask)
    heads = [2, 0, 2]
    assert_stands_for(mask.select_heads(heads), allowed[:, heads])
    assert_stands_for(mask.select_heads(heads).select_heads([1, 0]), allowed[:, [0, 2]])


@pytest.mark.parametrize(
    ("one", "other"), list(itertools.combinations_with_replacement(MAKERS, 2)), ids=lambda f: f.__name__
)
def test_and_is_what_both_allow(one, other) -> None:
    (first, a), (second, b) = one(), other()
    assert_stands_for(first & second, a & b)


@pytest.mark.parametrize("maker", MAKERS, ids=lambda f: f.__name__)
def test_the_assertion_notices_a_single_wrong_pair(maker) -> None:
    mask, allowed = maker()
    for place in ((0, 0, 0, 0), (1, 2, QUERIES - 1, KEYS - 1), (0, 1, 5, 6)):
        wrong = allowed.clone()
        wrong[place] = ~wrong[place]
        with pytest.raises(AssertionError):
            assert_stands_for(mask, wrong)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("tile", lambda self, rows, columns: None),
        ("columns_for", lambda self, rows: range(1)),
        ("rows_for", lambda self, columns: range(1)),
        ("empty_rows", lambda self: torch.ones(1, 1, 1, dtype=torch.bool)),
        ("is_same_for_all_queries", property(lambda self: True)),
        ("looks_back_only", property(lambda self: True)),
        ("is_causal", property(lambda self: True)),
        ("breadth", property(lambda self: (1, 1))),
    ],
)
def test_the_assertion_notices_each_wrong_answer(name: str, answer, monkeypatch: pytest.MonkeyPatch) -> None:
    mask, allowed = runs_by_text_and_head()
    monkeypatch.setattr(Spans, name, answer)
    with pytest.raises(AssertionError):
        assert_stands_for(mask, allowed)


def test_spans_are_both_spans_and_everything_else_is_both() -> None:
    assert isinstance(causal()[0] & padding()[0], Spans)
    assert isinstance(causal()[0] & explicit()[0], Both)
    assert isinstance(predicate()[0] & predicate()[0], Both)
    assert type((Causal() & Explicit(explicit()[1])).bind(QUERIES, KEYS)) is Both


def test_masks_of_other_lengths_cannot_be_combined() -> None:
    with pytest.raises(ShapeError, match=r"5 × 7 and 5 × 11"):
        Spans.causal(5, 7, device=CPU) & Spans.causal(5, 11, device=CPU)


@pytest.mark.parametrize(("queries", "keys"), [(7, 7), (1, 1), (1, 5), (5, 7), (7, 5), (7, 1)])
def test_causal_of_all_lengths(queries: int, keys: int) -> None:
    allowed = torch.arange(keys) <= torch.arange(queries)[:, None] + keys - queries
    mask = Spans.causal(queries, keys, device=CPU)
    assert_stands_for(mask, allowed[None, None])
    assert mask.looks_back_only
    assert mask.is_causal == (queries == keys)


def test_which_masks_look_back_only() -> None:
    # Soundness is part of every test above; these are those that kernels depend on to be fast.
    square = Spans.causal(7, 7, device=CPU)
    present = Spans.padding(torch.arange(7)[None] > 1, 7)
    position = torch.arange(7)[None, None]
    assert (square & present).looks_back_only
    assert Spans(position - 2, position + 1, 7, 7).looks_back_only
    assert (square & Explicit(torch.rand(7, 7) < 0.5).bind(7, 7)).looks_back_only
    assert not Spans(position - 2, position + 2, 7, 7).looks_back_only
    assert not present.looks_back_only
    assert square.is_causal
    assert not (square & present).is_causal
    assert not Spans((position - 2).clamp(min=0), position + 1, 7, 7).is_causal
    assert present.is_same_for_all_queries
    assert not square.is_same_for_all_queries
    assert (present & present).is_same_for_all_queries


@hypothesis.given(
    data=st.data(),
    batch=st.integers(1, 2),
    heads=st.integers(1, 2),
    queries=st.integers(1, 7),
    keys=st.integers(1, 7),
)
def test_any_runs_of_keys(data: st.DataObject, batch: int, heads: int, queries: int, keys: int) -> None:
    def runs(low: int, high: int) -> Tensor:
        numbers = st.lists(st.integers(low, high), min_size=batch * queries, max_size=batch * queries)
        return torch.tensor(data.draw(numbers)).view(batch, 1, queries)

    starts, stops = runs(-2, keys + 1), runs(-1, keys + 2)
    present = torch.tensor(data.draw(st.lists(st.booleans(), min_size=heads * keys, max_size=heads * keys)))
    present = present.view(1, heads, keys) if data.draw(st.booleans()) else None
    key = torch.arange(keys)
    allowed = ((key >= starts[..., None]) & (key < stops[..., None])).expand(-1, heads, -1, -1)
    allowed = allowed if present is None else allowed & present[..., None, :]
    assert_stands_for(Spans(starts, stops, queries, keys, present), allowed)


# The tables that docstrings draw.


def drawn(docstring: str) -> Tensor:
    """The 6×6 table of a docstring: # may attend, . may not."""
    lines = [line.split() for line in docstring.splitlines()]
    head = next(n for n, words in enumerate(lines) if words == [f"k{j}" for j in range(6)])
    rows = lines[head + 1 : head + 7]
    assert [words[0] for words in rows] == [f"q{i}" for i in range(6)]
    assert all(len(words) == 7 and set(words[1:]) <= {"#", "."} for words in rows)
    return torch.tensor([[mark == "#" for mark in words[1:]] for words in rows])


def six_by_six(cls: type[BoundMask]) -> BoundMask:
    if cls is Spans:
        return Spans.causal(6, 6, device=CPU) & Spans.padding(torch.arange(6)[None] > 0, 6)
    if cls is BoundRule:
        return (Window(1, 0) | Global([0])).bind(6, 6)
    assert cls is Both, f"{cls.__name__} has no drawing here yet"
    checkerboard = Explicit((torch.arange(6)[:, None] + torch.arange(6)) % 2 == 0).bind(6, 6)
    return Spans.causal(6, 6, device=CPU) & checkerboard


@pytest.mark.parametrize("cls", [Spans, BoundRule, Both])
def test_a_mask_is_drawn_as_it_is(cls: type[BoundMask]) -> None:
    mask = six_by_six(cls)
    assert type(mask) is cls
    assert_stands_for(mask, drawn(inspect.getdoc(cls) or "")[None, None])


def test_every_kind_of_mask_is_drawn() -> None:
    def kinds(cls: type) -> set[type]:
        return {cls} | {kind for below in cls.__subclasses__() for kind in kinds(below)}

    assert {kind for kind in kinds(BoundMask) if not inspect.isabstract(kind)} == {Spans, BoundRule, Both}


def test_a_wrong_drawing_is_noticed() -> None:
    text = inspect.getdoc(Spans) or ""
    with pytest.raises(AssertionError):
        assert_stands_for(six_by_six(Spans), drawn(text.replace("q3   .  #", "q3   #  #"))[None, None])
    with pytest.raises(StopIteration):
        drawn("no table")
