"""Weights through a lens, against the same worked out on the dense matrix in float64."""

from __future__ import annotations

import math
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
    "sigmoid": {"normalizer": "sigmoid"},
    "ReLU": {"normalizer": "relu"},
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
        if lens.hide != "nothing":
            left = weights @ member.t() @ (~hidden).double()
            weights = torch.where(left > 0, 1 / left, 0.0)[:, None] * weights
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


@pytest.mark.parametrize("hide", ["special", "first"])
def test_rows_that_look_almost_only_at_hidden_keys_keep_their_digits(hide: Any) -> None:
    of = ch.look("The animal didn't cross the street because it was too tired.")
    for number, layer in enumerate(of.layers):
        for head in range(len(layer.heads)):
            cells = Cells(of, Lens(((number, head),), "pieces", hide))
            weights = layer.map.dense()[0, head].double()
            weights[:, torch.tensor(of.tokens[0].special) if hide == "special" else 0] = 0
            found = cells.block(*map(range, cells.shape))
            whole = weights / weights.sum(1, keepdim=True)
            torch.testing.assert_close(found.double(), whole, rtol=0, atol=1e-4)


def sinking(count: int, strength: float) -> ch.Capture:
    """Queries that look almost only at the first key, the more so the stronger it is."""
    torch.manual_seed(0)
    q, k = torch.randn(1, 1, count, 4), torch.randn(1, 1, count, 4)
    q[..., 0], k[..., 0], k[..., 0, 0] = 8, 0, strength
    amap = ch.AttentionMap.from_qk(q, k)
    return ch.Capture([Layer("layer", 0, 0, (0,), amap.shape, lambda: amap)])


@pytest.mark.parametrize("strength", [2.0, 4.0, 10.0])
def test_what_is_left_of_a_row_has_its_digits_however_little_it_is(strength: float) -> None:
    of = sinking(300, strength)
    cells = Cells(of, Lens(((0, 0),), "pieces", "first"))
    amap: Any = of.layers[0].map
    kept = (amap.q[0, 0].double() @ amap.k[0, 0, 1:].double().t() / 2).softmax(-1)
    whole = torch.cat([torch.zeros(300, 1), kept], 1)
    close = {"rtol": 0, "atol": 1e-4, "check_dtype": False}
    torch.testing.assert_close(cells.block(range(300), range(300)), whole, **close)
    torch.testing.assert_close(cells.sum_of_columns(range(7, 9)), whole[:, 7:9].sum(1), **close)
    [(_, rows)] = cells.some_rows(torch.tensor([3, 250, 41]))
    torch.testing.assert_close(rows, whole[[3, 250, 41]], **close)


def test_only_rows_of_which_little_is_left_are_summed(monkeypatch: pytest.MonkeyPatch) -> None:
    of, asked = sinking(300, 0.0), []
    cells = Cells(of, Lens(((0, 0),), "pieces", "first"))
    outer = cells._outer
    monkeypatch.setattr(cells, "_outer", lambda *of: asked.append(of[2:]) or outer(*of))
    for columns in (range(5, 9), range(9, 20)):
        cells.block(range(10, 20), columns)
    [(query, key)] = asked  # the hidden key of these rows, once
    assert (query.tolist(), key.tolist()) == (list(range(10, 20)), [0])


def test_rows_of_any_sum_sum_to_1_without_the_hidden_keys() -> None:
    torch.manual_seed(0)
    q, k = torch.randn(1, 1, N, 7), torch.randn(1, 1, N, 7)
    for amap in (
        ch.AttentionMap.from_qk(q, k, normalizer="none"),
        ch.AttentionMap.from_weights(torch.rand(1, 1, N, N)),
        ch.AttentionMap.from_qk(q, k, sinks=torch.tensor([5.0])),
    ):
        of = ch.Capture([Layer("layer", 0, 0, (0,), amap.shape, lambda amap=amap: amap)], [tokens()])
        for hide in ("special", "first"):
            rows = Cells(of, Lens(((0, 0),), "words", hide)).sum_of_columns(range(len(tokens().words)))
            torch.testing.assert_close(rows, torch.ones_like(rows), rtol=0, atol=1e-4)


def test_weights_below_0_have_no_entropy() -> None:
    torch.manual_seed(0)
    amap = ch.AttentionMap.from_qk(torch.randn(1, 1, 9, 7), torch.randn(1, 1, 9, 7), normalizer="none")
    of = ch.Capture([Layer("layer", 0, 0, (0,), amap.shape, lambda: amap)])
    assert math.isnan(Cells(of, Lens(((0, 0),))).statistics().entropy)


def test_between_two_texts_nothing_is_far_or_before() -> None:
    amap = ch.AttentionMap.from_weights(torch.rand(1, 1, 5, 7).softmax(-1))
    texts = [[ch.Tokens.from_pieces([str(n) for n in range(count)])] for count in (5, 7)]
    of = ch.Capture([Layer("cross_attn", 0, 0, (0,), amap.shape, lambda: amap)], texts[0], source_tokens=texts[1])
    found = Cells(of, Lens(((0, 0),))).statistics()
    assert math.isnan(found.distance)
    assert math.isnan(found.previous)
    assert found.first == pytest.approx(float(amap[0, 0, :, 0].mean()), abs=1e-6)


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
    # Words are all that is shown: without the hidden ones each row sums to 1, wherever padding may be looked at.
    rows = Cells(of, Lens(((0, 0),), "words", "first")).sum_of_columns(range(len(by_word)))
    torch.testing.assert_close(rows, torch.ones(len(by_word)))
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


@pytest.mark.parametrize("hide", ["special", "first"])
def test_hidden_keys_leave_every_head_of_a_pretrained_model_right(hide: Any) -> None:
    of = ch.look("The animal didn't cross the street because it was too tired.")
    hidden = torch.tensor(of.tokens[0].special) if hide == "special" else torch.tensor([0])
    for number, layer in enumerate(of.layers):
        for head in range(len(layer.heads)):
            weights = layer.map.dense()[0, head].double()
            weights[:, hidden] = 0
            cells = Cells(of, Lens(((number, head),), "pieces", hide))
            found = cells.block(*map(range, cells.shape))
            wanted = weights / weights.sum(1, keepdim=True)
            torch.testing.assert_close(found, wanted, rtol=0, atol=1e-4, check_dtype=False)
