"""Who looks at whom, with answers worked out by hand."""

import math
from dataclasses import replace

import pytest
import torch

import clearhead as ch
from clearhead.analysis import strongest_looks
from clearhead.capture import Capture, Layer, Tokens
from clearhead.errors import InputError, NotFiniteError, UnknownWordError


def capture_of(*layers: list[list[list[float]]], pieces: tuple[str, ...] = ("[S]", "a", "b", "a")) -> Capture:
    """A capture with the given weights, (heads, queries, keys) a layer."""
    made = []
    for number, weights in enumerate(layers):
        amap = ch.AttentionMap.from_weights(torch.tensor(weights)[None])
        heads = tuple(range(amap.shape[1]))
        made.append(Layer(f"layer.{number}", 0, number, heads, amap.shape, lambda amap=amap: amap))
    tokens = Tokens.from_pieces(pieces, [piece.startswith("[") for piece in pieces])
    return Capture(made, [tokens])


FIRST = [
    [[1.0, 0.0, 0.0, 0.0], [0.7, 0.1, 0.2, 0.0], [0.0, 0.3, 0.6, 0.1], [0.25, 0.25, 0.25, 0.25]],
    [[1.0, 0.0, 0.0, 0.0], [0.1, 0.1, 0.3, 0.5], [0.0, 0.0, 1.0, 0.0], [0.0, 0.1, 0.1, 0.8]],
]
SECOND = [[[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.4, 0.6], [0.0, 0.9, 0.0, 0.1], [1.0, 0.0, 0.0, 0.0]]]


def test_the_hardest_look_of_every_head_without_special_tokens_and_the_word_itself() -> None:
    looks = strongest_looks(capture_of(FIRST, SECOND), "b")
    assert [(x.head, x.word, x.target) for x in looks.heads] == [("L1H0", "a", 1), ("L0H0", "a", 1), ("L0H1", "a", 1)]
    assert [round(x.weight, 6) for x in looks.heads] == [0.9, 0.3, 0.0]
    assert looks.heads[0].path == "layer.1"


def test_each_word_with_its_two_heads() -> None:
    looks = strongest_looks(capture_of(FIRST, SECOND), 1)
    found = [[(x.word, x.target, x.head, round(x.weight, 6)) for x in pair] for pair in looks.targets]
    assert found == [
        [("a", 3, "L1H0", 0.6), ("a", 3, "L0H1", 0.5)],
        [("b", 2, "L1H0", 0.4), ("b", 2, "L0H1", 0.3)],
    ]


def test_the_grid_has_no_number_where_there_is_no_head() -> None:
    looks = strongest_looks(capture_of(FIRST, SECOND), "b")
    assert looks.layers == ("L0", "L1")
    torch.testing.assert_close(looks.grid[:, 0], torch.tensor([0.3, 0.9]))
    assert math.isnan(looks.grid[1, 1])


def test_the_default_word_has_the_strongest_single_look() -> None:
    assert strongest_looks(capture_of(FIRST, SECOND)).source == 2
    assert strongest_looks(capture_of(FIRST)).source == 1  # 0.5 from the first a to the second


def test_a_target_counts_alone() -> None:
    looks = strongest_looks(capture_of(FIRST, SECOND), "a#2", "b")
    assert looks.source == 3
    assert [(x.head, round(x.weight, 6)) for x in looks.heads] == [("L0H0", 0.25), ("L0H1", 0.1), ("L1H0", 0.0)]
    assert strongest_looks(capture_of(FIRST, SECOND), None, "b").source == 1


def test_words_are_found_by_number_text_and_occurrence() -> None:
    capture = capture_of(FIRST)
    assert strongest_looks(capture, "a").source == 1
    assert strongest_looks(capture, "a#2").source == 3
    assert strongest_looks(capture, "B").source == 2
    assert strongest_looks(capture_of(FIRST, pieces=("[S]", "A", "a", "x#2")), "a").source == 2
    assert strongest_looks(capture_of(FIRST, pieces=("[S]", "A", "a", "x#2")), "x#2").source == 3


@pytest.mark.parametrize(
    ("source", "says"),
    [("c", "no word 'c'; its words are a, b"), ("a#3", "'a' 2 times"), (0, "no word number 0"), ("[S]", "no word")],
)
def test_a_word_that_is_not_there_lists_those_that_are(source: int | str, says: str) -> None:
    with pytest.raises(UnknownWordError, match=says):
        strongest_looks(capture_of(FIRST), source)


def test_a_look_needs_two_words() -> None:
    with pytest.raises(InputError, match="one word to another"):
        strongest_looks(capture_of(FIRST, pieces=("[S]", "a", "[E]", "[E]")))
    with pytest.raises(InputError, match="choose two"):
        strongest_looks(capture_of(FIRST), "a", "a")


def test_a_second_call_is_named() -> None:
    capture = capture_of(FIRST, SECOND)
    capture.layers[1] = replace(capture.layers[1], number=0, call=1, path="layer.0")
    looks = strongest_looks(capture, "b")
    assert looks.heads[0].head == "L0H0@1"
    assert looks.layers == ("L0", "L0@1")
    layer, place = capture.head("L0H0@1")
    assert (layer.call, place) == (1, 0)


def test_nan_is_no_look() -> None:
    weights = torch.tensor(FIRST)
    weights[0, 2, 1] = torch.nan
    with pytest.raises(NotFiniteError, match="L0"):
        strongest_looks(capture_of(weights.tolist()), "b")


def test_maps_must_cover_the_tokens() -> None:
    capture = capture_of(FIRST, pieces=("a", "b", "c", "d", "e"))
    with pytest.raises(InputError, match="self-attention"):
        strongest_looks(capture)


def test_selected_heads_keep_their_names() -> None:
    looks = strongest_looks(capture_of(FIRST, SECOND).select(layers=0, heads=[1]), "b")
    assert [x.head for x in looks.heads] == ["L0H1"]
