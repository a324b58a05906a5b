"""Tiles of every level, against blocks of the dense matrix; passes that stop and go on; what is kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from dense_blocks import blocks
from torch import Tensor

import clearhead as ch
from clearhead.analysis.cells import Cells, Lens
from clearhead.capture.capture import Layer
from clearhead.errors import InputError
from clearhead.views.tiles import TILE, Pass, Store, base_level, coarse_tile, fine_tile, levels, preview_tile


def cells_of(queries: int, keys: int, lens: Lens | None = None, words: bool = False) -> tuple[Cells, Tensor]:
    """The cells of a causal map with a window, and the same written out."""
    torch.manual_seed(0)
    mask = ch.Window(1009, 0)
    amap = ch.AttentionMap.from_qk(2 * torch.randn(1, 2, queries, 5), torch.randn(1, 1, keys, 5), mask=mask)
    tokens = None
    if words:
        pieces = [f"{n}" for n in range(keys)]
        tokens = [ch.Tokens.from_pieces(pieces)]
        of = (torch.arange(keys) // 3).tolist()
        for name, value in (("word_of", tuple(of)), ("words", tuple(pieces[: of[-1] + 1]))):
            object.__setattr__(tokens[0], name, value)
        object.__setattr__(tokens[0], "word_special", (False,) * (of[-1] + 1))
    capture = ch.Capture([Layer("layer", 0, 0, (0, 1), amap.shape, lambda: amap)], tokens)
    lens = lens or Lens(((0, 1),))
    shown = capture.words() if words else capture
    return Cells(capture, lens), shown["layer"].dense()[0, 1].double()


@pytest.mark.parametrize(("queries", "keys", "words"), [(1, 1, False), (257, 613, False), (1543, 1543, True)], ids=str)
def test_tiles_of_all_levels_together_are_the_whole(queries: int, keys: int, words: bool) -> None:
    cells, whole = cells_of(queries, keys, words=words)
    for level in range(levels(cells.shape) + 1):
        size = TILE * 2**level
        counts = [-(-side // size) for side in whole.shape]
        for which, wanted in enumerate(blocks(whole, 2**level) if level else (whole, whole)):
            rows = [[fine_tile(cells, level, y, x)[which] for x in range(counts[1])] for y in range(counts[0])]
            found = torch.cat([torch.cat(row, 1) for row in rows])
            torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=1e-7)


def test_coarse_levels_follow_from_one_pass_of_several_threads() -> None:
    cells, whole = cells_of(1543, 1511)
    made = Pass(cells, 1)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: made.make(made.take()), range(made.of)))
    assert made.is_done
    assert made.take() is None
    for level in (1, 2, 3):
        tile = coarse_tile(made, level, 0, 0)
        for found, wanted in zip(tile, blocks(whole, 2**level), strict=False):
            torch.testing.assert_close(found.double(), wanted[:TILE, :TILE], rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(
        coarse_tile(made, 2, 1, 1).max.double(), blocks(whole, 4)[1][TILE:, TILE:], rtol=1e-5, atol=1e-7
    )


def test_a_pass_knows_how_far_it_is() -> None:
    made = Pass(cells_of(1031, 1031)[0], 6)
    assert (made.done, made.of, made.is_done) == (0, 5, False)
    while (band := made.take()) is not None:
        made.make(band)
    assert (made.done, made.is_done) == (5, True)


def test_a_preview_says_that_it_is_one() -> None:
    cells, whole = cells_of(1031, 1031)
    tile = preview_tile(cells, 3, 0, 0)
    assert tile.sampled == 129
    middles = whole[[(start + min(start + 8, 1031) - 1) // 2 for start in range(0, 1031, 8)]]
    wanted = torch.stack([x.amax(1) for x in middles.split(8, 1)], 1)
    torch.testing.assert_close(tile.max.double(), wanted, rtol=1e-5, atol=1e-7)
    assert fine_tile(cells, 3, 0, 0).sampled == 0


@pytest.mark.parametrize(("side", "level"), [(1, 0), (256, 0), (257, 1), (512, 1), (513, 2), (100_000, 9)])
def test_at_the_coarsest_level_one_tile_holds_the_whole(side: int, level: int) -> None:
    assert levels((side, 1)) == levels((1, side)) == level


@pytest.mark.parametrize("address", [(2, 0, 0), (0, 2, 0), (0, 0, 3), (1, 1, 0), (-1, 0, 0), (0, -1, 0)])
def test_what_is_no_tile_is_said(address: tuple[int, int, int]) -> None:
    cells, _ = cells_of(509, 509)
    with pytest.raises(InputError, match="there is no"):
        fine_tile(cells, *address)


def test_the_base_of_a_pass_fits_its_room() -> None:
    assert base_level((100_000, 100_000), 2**25) == 6
    assert base_level((1_000_000, 1_000_000), 2**25) == 9


def test_what_is_kept_is_bounded_and_the_oldest_goes_first() -> None:
    store = Store(100)
    for name in "abcd":
        store.put(name, name.upper(), 30)
    assert (store.get("a"), store.get("b"), store.nbytes) == (None, "B", 90)
    store.put("e", "E", 30)  # b was looked at since
    assert (store.get("c"), store.get("b")) == (None, "B")
    store.put("b", "BB", 10)
    assert store.nbytes == 70
    store.put("huge", 1, 101)
    assert store.get("huge") is None
    assert store.ask("f", lambda: ("F", 5)) == store.ask("f", lambda: ("G", 5)) == "F"
    store.drop("f")
    store.drop("f")
    assert (store.nbytes, store.get("f")) == (70, None)
    store.clear()
    assert (store.nbytes, store.get("b")) == (0, None)
