"""Weights through a lens, against the same worked out on the dense matrix in float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from dense_blocks import blocks
from torch import Tensor

import clearhead as ch
from clearhead.analysis.cells import Cells, Lens
from clearhead.capture.capture import Layer
from clearhead.errors import InputError

TEXT = "unbelievably the animals didn't cross, because it was 3.50 too tired"
WORDS = "un believ ably the animal s didn ' t cross , because it was 3 . 50 too tired"
PIECES = ["[CLS]", *WORDS.split(), "[SEP]"]


def tokens(padding: int = 0) -> ch.Tokens:
    """Words of one to three pieces between special tokens, and padding."""
    offsets, at = [(0, 0)], 0
    for piece in PIECES[1:-1]:
        at = TEXT.index(piece, at)
        offsets.append((at, at + len(piece)))
        at += len(piece)
    pieces = (*PIECES, *("[PAD]",) * padding)
    special = tuple(piece.startswith("[") for piece in pieces)
    padded = tuple(piece == "[PAD]" for piece in pieces)
    return ch.Tokens(TEXT, pieces, (*offsets, (0, 0), *((0, 0),) * padding), special, padded)


N = len(PIECES)
MAPS: dict[str, dict[str, Any]] = {
    "plain": {},
    "causal": {"causal": True},
    "window and padding": {"mask": ch.Causal() & ch.Window(5, 0) & ch.Padding(torch.tensor([N - 2]))},
    "any pairs": {"mask": ch.Explicit(torch.rand(N, N, generator=torch.Generator().manual_seed(1)) > 0.4)},
    "a row that sees nothing": {"mask": ch.Explicit(torch.arange(N)[:, None].expand(N, N) != 4)},
    "bias": {"bias": torch.randn(1, 6, N, N, generator=torch.Generator().manual_seed(2))},
    "soft-cap and sinks": {"softcap": 2.0, "sinks": torch.linspace(0, 2, 6)},
    "ALiBi": {"bias": ch.ALiBi(6)},
    "sparsemax": {"normalizer": "sparsemax"},
    "stored": {},
}
LENSES = [
    Lens(((0, 2),), "pieces"),
    Lens(((0, 2),), "words"),
    Lens(((0, 5), (1, 1), (0, 0)), "words", "special"),
    Lens(((1, 3),), "pieces", "first"),
    Lens(((0, 3), (0, 4)), "pieces", "special"),
]


def capture(name: str) -> ch.Capture:
    torch.manual_seed(0)
    layers = []
    for number in range(2):
        q, k = torch.randn(1, 6, N, 7), torch.randn(1, 2, N, 7)  # three query heads a key head
        amap = ch.AttentionMap.from_qk(q, k, **MAPS[name])
        if name == "stored":
            amap = ch.AttentionMap.from_weights(amap.dense())
        layers.append(Layer(f"layer{number}", 0, number, tuple(range(6)), amap.shape, lambda amap=amap: amap))
    return ch.Capture(layers, [tokens()])


def wanted(of: ch.Capture, lens: Lens) -> Tensor:
    """What a lens shows, from the definition."""
    text = of.tokens[lens.text]
    number = torch.arange(N) if lens.unit == "pieces" else torch.tensor(text.word_of)
    special = torch.tensor(text.special if lens.unit == "pieces" else text.word_special)
    hidden = special if lens.hide == "special" else torch.arange(len(special)) == (0 if lens.hide == "first" else -1)
    member = (number == torch.arange(len(special))[:, None]).double()
    total = torch.zeros(len(special), len(special), dtype=torch.float64)
    for layer, head in lens.heads:
        weights = of.layers[layer].map.dense()[lens.text, head].double()
        left = 1 - weights @ member.t() @ hidden.double()
        weights = torch.where(left > 1e-6, 1 / left, 0.0)[:, None] * weights
        total += member / member.sum(1, keepdim=True) @ weights @ member.t()
    total[:, hidden] = 0
    return total / len(lens.heads)


@pytest.mark.parametrize("lens", LENSES, ids=str)
@pytest.mark.parametrize("name", MAPS)
def test_every_lens_is_the_dense_matrix_worked_out(name: str, lens: Lens) -> None:
    of = capture(name)
    cells, whole = Cells(of, lens), wanted(of, lens)
    close = {"rtol": 0, "atol": 2e-5, "check_dtype": False}
    height, width = cells.shape
    assert (height, width) == whole.shape
    torch.testing.assert_close(cells.block(range(height), range(width)), whole, **close)
    torch.testing.assert_close(cells.block(range(3, 8), range(2, 11)), whole[3:8, 2:11], **close)
    torch.testing.assert_close(cells.mean_of_rows(range(2, 7)), whole[2:7].mean(0), **close)
    torch.testing.assert_close(cells.sum_of_columns(range(1, 6)), whole[:, 1:6].sum(1), **close)
    for size in (1, 2, 3, 7, 64):
        for found, want in zip(cells.pooled(range(height), range(width), size), blocks(whole, size), strict=True):
            torch.testing.assert_close(found, want, **close)
    part = cells.pooled(range(6, height), range(3, 12), 3)
    torch.testing.assert_close(part.max, blocks(whole[6:, 3:12], 3)[1], **close)
    preview = cells.sampled(range(height), range(width), 3)
    middles = whole[[int(x[0] + x[-1]) // 2 for x in torch.arange(height).split(3)]]
    torch.testing.assert_close(preview.mean, _along_columns(middles, 3), **close)


def _along_columns(rows: Tensor, size: int) -> Tensor:
    return torch.stack([x.mean(1) for x in rows.split(size, 1)], 1)


@pytest.mark.parametrize("lens", LENSES[:2], ids=str)
def test_statistics_of_a_short_map_are_of_all_rows(lens: Lens) -> None:
    of = capture("causal")
    cells, whole = Cells(of, lens), wanted(of, lens)
    found = cells.statistics()
    place = torch.arange(len(whole))
    assert found.sampled == (len(whole), len(whole))
    assert found.entropy == pytest.approx(float(-torch.xlogy(whole, whole).sum(1).mean()), abs=1e-5)
    assert found.distance == pytest.approx(float((whole * (place - place[:, None]).abs()).sum(1).mean()), abs=1e-5)
    assert found.first == pytest.approx(float(whole[:, 0].mean()), abs=1e-6)
    assert found.previous == pytest.approx(float(whole.diagonal(-1).sum() / len(whole)), abs=1e-6)
    torch.testing.assert_close(found.thumbnail.double(), whole, rtol=0, atol=1e-5)


def test_a_look_leaves_out_special_tokens_and_the_word_itself() -> None:
    of = capture("plain")
    cells, whole = Cells(of, LENSES[1]), wanted(of, LENSES[1])
    weight, key = cells.look(range(4, 6), None)
    row = whole[4:6].mean(0)
    row[torch.tensor(of.tokens[0].word_special)] = -1
    row[4:6] = -1
    assert (key, weight) == (int(row.argmax()), pytest.approx(float(row.max()), abs=1e-6))
    weight, key = cells.look(range(4, 6), range(1, 4))
    assert (key, weight) == (1, pytest.approx(float(whole[4:6, 1:4].sum() / 2), abs=1e-6))


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_belongs_to_no_word(side: str) -> None:
    torch.manual_seed(0)
    text = tokens(3)
    if side == "left":
        order = [*range(N, N + 3), *range(N)]
        names = ("pieces", "offsets", "special", "padding")
        text = ch.Tokens(TEXT, *(tuple(getattr(text, name)[n] for n in order) for name in names))
    amap = ch.AttentionMap.from_qk(torch.randn(1, 1, N + 3, 5), torch.randn(1, 1, N + 3, 5))
    of = ch.Capture([Layer("layer", 0, 0, (0,), amap.shape, lambda: amap)], [text])
    cells = Cells(of, Lens(((0, 0),)))
    by_word = of.words()["layer"].dense()[0, 0]
    assert cells.shape == by_word.shape
    torch.testing.assert_close(cells.block(range(len(by_word)), range(len(by_word))), by_word)
    # The first token is the first that is no padding.
    begin = 3 if side == "left" else 0
    whole = of.layers[0].map.dense()[0, 0]
    pieces = Cells(of, Lens(((0, 0),), "pieces", "first")).block(range(N + 3), range(N + 3))
    assert (pieces[:, begin] == 0).all()
    torch.testing.assert_close(pieces[:, 7], whole[:, 7] / (1 - whole[:, begin]))
    statistics = Cells(of, Lens(((0, 0),), "pieces")).statistics()
    assert statistics.first == pytest.approx(float(whole[:, begin].mean()), abs=1e-6)


def test_a_query_of_unknown_text_may_look_at_the_key_of_its_number() -> None:
    weights = torch.full((1, 1, 3, 3), 0.1) + 0.7 * torch.eye(3)
    amap = ch.AttentionMap.from_weights(weights)
    of = ch.Capture([Layer("layer", 0, 0, (0,), amap.shape, lambda: amap)])
    assert Cells(of, Lens(((0, 0),))).look(range(1, 2), None) == (pytest.approx(0.8), 1)


def test_a_map_larger_than_any_tile() -> None:
    torch.manual_seed(0)
    queries, keys = 607, 1301
    amap = ch.AttentionMap.from_qk(torch.randn(1, 1, queries, 5), torch.randn(1, 1, keys, 5), mask=ch.Window(211, 13))
    of = ch.Capture([Layer("layer", 0, 0, (0,), amap.shape, lambda: amap)])
    cells, whole = Cells(of, Lens(((0, 0),))), amap.dense()[0, 0].double()
    for size in (41, 64, 300):
        for found, want in zip(cells.pooled(range(queries), range(keys), size), blocks(whole, size), strict=True):
            torch.testing.assert_close(found.double(), want, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(cells.mean_of_rows(range(100, 419)).double(), whole[100:419].mean(0))
    torch.testing.assert_close(cells.sum_of_columns(range(5, 9)).double(), whole[:, 5:9].sum(1))
    rows = torch.tensor([3, 600, 41])
    for columns, found in cells.some_rows(rows):
        torch.testing.assert_close(found.double(), whole[rows, columns.start : columns.stop])


@pytest.mark.parametrize(
    ("lens", "says"),
    [
        (Lens(()), "at least one head"),
        (Lens(((0, 6),)), "no head 6"),
        (Lens(((2, 0),)), "number 2"),
        (Lens(((0, 0),), text=1), "no text 1"),
    ],
)
def test_what_is_not_there_is_said(lens: Lens, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Cells(capture("plain"), lens)
