"""What stands in a figure of what changed."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba

import clearhead as ch
from clearhead.analysis.comparison import compare, merge
from clearhead.errors import InputError
from clearhead.views.comparison import changes
from clearhead.views.figure import MARK, save_figure


@pytest.fixture(autouse=True)
def _no_pyplot(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where nobody imported it, whatever tests ran before."""
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)


def capture(seed: int, tokens: int = 5, layers: int = 3, heads: int = 2, texts: int = 1, **options: Any) -> ch.Capture:
    torch.manual_seed(seed)
    shape = texts, heads, tokens, 7
    maps = {f"layer.{n}": ch.AttentionMap.from_qk(torch.randn(shape), torch.randn(shape)) for n in range(layers)}
    pieces = options.get("pieces", [f"$w{n}_" for n in range(tokens)])
    return ch.Capture.from_maps(maps, [ch.Tokens.from_pieces(pieces)] * texts)


def drawn(figure: Any) -> tuple[Any, list[Any]]:
    """The axes of the heads, and those of the maps."""
    with_images = [axes for axes in figure.axes if axes.images]
    return with_images[0], with_images[1:]


def numbers(axes: Any) -> torch.Tensor:
    return torch.tensor(axes.images[0].get_array().data)


def labels(ticks: Any) -> list[str]:
    return [tick.get_text() for tick in ticks]


def test_it_shows_the_divergence_of_every_head_and_what_changed_in_the_maps() -> None:
    before, after = capture(0), capture(1)
    found = compare(before, after)
    grid, maps = drawn(changes(found, before, after, names=("runs/a", "runs/b")))
    torch.testing.assert_close(numbers(grid), found.grid)
    assert labels(grid.get_yticklabels()) == ["L0", "L1", "L2"]
    assert labels(grid.get_xticklabels()) == ["H0", "H1"]
    assert len(maps) == 4
    limits = {axes.images[0].get_clim() for axes in maps}
    differences = []
    for axes, change in zip(maps, found.most_changed(4), strict=True):
        wanted = (after[change.path].dense() - before[change.path].dense())[0, change.number]
        torch.testing.assert_close(numbers(axes), wanted)
        differences.append(wanted)
        assert axes.get_title(loc="left") == f"{change.head}: JS {change.divergence:#.2g}"
        assert labels(axes.get_yticklabels()) == labels(axes.get_xticklabels()) == [f"$w{n}_" for n in range(5)]
        assert not any(tick.get_parse_math() for tick in axes.get_yticklabels())
        assert axes.images[0].get_cmap().name == "RdBu_r"
    largest = float(torch.stack(differences).abs().max())
    [(low, high)] = limits
    assert (-low, high) == pytest.approx((largest, largest), rel=1e-5)
    outlined = {(round(x.get_x() + 0.5), round(x.get_y() + 0.5)) for x in grid.patches}
    assert outlined == {(x.number, int(x.layer[1:])) for x in found.most_changed(4)}
    assert all(patch.get_edgecolor() == to_rgba(MARK) for patch in grid.patches)


def test_it_says_what_is_shown() -> None:
    before, after = capture(0, texts=2), capture(1, texts=2)
    found = merge([compare(before, after)] * 3)
    figure = changes(found, before, after, text=1, most=1, names=("runs/a", "runs/b"))
    assert figure.get_suptitle() == "runs/a → runs/b"
    said = " ".join(figure.get_supxlabel().split())
    assert said.startswith("Divergence over 6 texts. Maps of “$w0_ $w1_ $w2_ $w3_ $w4_”, by token.")
    assert said.endswith("Nothing is hidden, not even special tokens.")
    [axes] = drawn(figure)[1]
    change = found.most_changed(1)[0]
    wanted = (after[change.path].dense() - before[change.path].dense())[1, change.number]
    torch.testing.assert_close(numbers(axes), wanted)
    assert "nats" in " ".join(axes.get_xlabel() for axes in figure.axes)
    assert "after − before" in " ".join(axes.get_xlabel() for axes in figure.axes)


def test_a_long_text_is_averaged_and_says_so() -> None:
    before, after = capture(0, tokens=101, layers=1), capture(1, tokens=101, layers=1)
    found = compare(before, after)
    figure = changes(found, before, after)
    maps = drawn(figure)[1]
    assert len(maps) == 2
    change = found.most_changed(1)[0]
    wanted = (after[change.path].dense() - before[change.path].dense())[0, change.number]
    assert numbers(maps[0]).shape == (51, 51)
    torch.testing.assert_close(numbers(maps[0])[0, 1], wanted[:2, 2:4].mean())
    assert labels(maps[0].get_yticklabels())[1] == "$w4_"
    assert "means of 2×2" in figure.get_supxlabel()


def test_by_word() -> None:
    tokens = ch.Tokens("unhappy cat", ("un", "##happy", "cat"), ((0, 2), (2, 7), (8, 11)), (False,) * 3, (False,) * 3)
    pair = [capture(seed, tokens=3) for seed in (0, 1)]
    for x in pair:
        x.tokens = [tokens]
    before, after = (x.words() for x in pair)
    figure = changes(compare(before, after), before, after, most=1)
    [axes] = drawn(figure)[1]
    assert labels(axes.get_xticklabels()) == ["unhappy", "cat"]
    assert "by word" in figure.get_supxlabel()


def test_the_same_twice_is_white_and_said() -> None:
    before = capture(0)
    figure = changes(compare(before, before), before, before)
    assert figure.get_supxlabel().startswith("No head changed. Maps of")
    grid, maps = drawn(figure)
    assert float(numbers(grid).abs().max()) == 0
    assert all(float(numbers(axes).abs().max()) == 0 for axes in maps)
    assert all(math.isfinite(x) for axes in (grid, *maps) for x in axes.images[0].get_clim())


@pytest.mark.parametrize(
    ("layers", "heads", "pieces"),
    [
        (1, 1, ["<script>", "$a_1$", "\n", "x" * 1000, "שלום"]),
        (2, 2, ["a", "b", "c"]),
        (6, 12, [f"word{n}" for n in range(61)]),
        (30, 41, ["a", "b"]),
    ],
    ids=lambda x: str(len(x) if isinstance(x, list) else x),
)
def test_nothing_stands_on_top_of_anything_else(layers: int, heads: int, pieces: list[str], tmp_path: Path) -> None:
    pair = [capture(seed, len(pieces), layers, heads, pieces=pieces) for seed in (0, 1)]
    figure = changes(compare(*pair), *pair)
    save_figure(figure, tmp_path / "out.png")  # as which it is laid out
    renderer = FigureCanvasAgg(figure).get_renderer()
    whole = figure.bbox
    boxes = [axes.get_tightbbox(renderer) for axes in figure.axes if axes.images or axes.get_xlabel()]
    for number, box in enumerate(boxes):
        assert min(box.x0, box.y0) > -2
        assert box.x1 < whole.x1 + 2
        assert box.y1 < whole.y1 + 2
        for other in boxes[:number]:
            across = min(box.x1, other.x1) - max(box.x0, other.x0)
            along = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert min(across, along) < 2


def test_what_cannot_be_drawn_is_said() -> None:
    before, after = capture(0), capture(1)
    found = compare(before, after)
    with pytest.raises(InputError, match="most"):
        changes(found, before, after, most=0)
    with pytest.raises(InputError, match="there is no text 1"):
        changes(found, before, after, text=1)
    with pytest.raises(InputError, match="stands at other tokens in one capture"):
        changes(found, before, capture(1, pieces=list("abcde")))
