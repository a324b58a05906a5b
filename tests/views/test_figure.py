"""What stands in a figure, and that it is written whole."""

from pathlib import Path

import pytest
import torch

import clearhead as ch
from clearhead.capture import Capture, Layer, Tokens
from clearhead.errors import InputError, MissingPackageError
from clearhead.views.figure import grid_figure, head_figure, save_figure


def capture_of(count: int, heads: int = 2, layers: int = 2) -> Capture:
    made = []
    for number in range(layers):
        amap = ch.AttentionMap.from_weights(torch.softmax(torch.randn(1, heads, count, count), -1))
        made.append(Layer(f"layer.{number}", 0, number, tuple(range(heads)), amap.shape, lambda amap=amap: amap))
    return Capture(made, [Tokens.from_pieces([f"$w{n}_" for n in range(count)])], {"model": "tiny"})


def test_the_heatmap_shows_the_weights_with_labels_on_both_sides() -> None:
    capture = capture_of(5)
    figure = head_figure(capture, "L1H0", source=3)
    axes = figure.axes[0]
    shown = torch.tensor(axes.images[0].get_array().data)
    torch.testing.assert_close(shown, capture["layer.1"][0, 0])
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [rf"\$w{n}_" for n in range(5)]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == [rf"\$w{n}_" for n in range(5)]
    assert len(axes.lines) == 1  # the marked row
    assert axes.lines[0].get_ydata().min() == 2.5
    assert figure.axes[1].get_ylabel() == "attention weight"


def test_a_long_map_is_averaged_and_says_so() -> None:
    capture = capture_of(200)
    figure = head_figure(capture, "L0H1")
    shown = torch.tensor(figure.axes[0].images[0].get_array().data)
    assert shown.shape == (67, 67)
    torch.testing.assert_close(shown[0, 0], capture["layer.0"][0, 1, :3, :3].mean())
    assert figure.axes[1].get_ylabel() == "attention weight, mean of 3×3"
    assert len(figure.axes[0].get_yticklabels()) <= 48
    assert "mean of 4×4" in grid_figure(capture).axes[-1].get_ylabel()


def test_the_grid_has_every_head_on_one_scale() -> None:
    capture = capture_of(4, heads=3)
    figure = grid_figure(capture, source=1)
    panels = [axes for axes in figure.axes if axes.images]
    assert len(panels) == 6
    assert {axes.images[0].get_clim() for axes in panels} == {(0.0, 1.0)}
    shown = torch.tensor(panels[4].images[0].get_array().data)
    torch.testing.assert_close(shown, capture["layer.1"][0, 1])
    assert all(len(axes.lines) == 1 for axes in panels)


@pytest.mark.parametrize(("suffix", "starts"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_figures_are_written_in_three_formats_the_same_each_time(tmp_path: Path, suffix: str, starts: bytes) -> None:
    path = tmp_path / f"out.{suffix}"
    save_figure(head_figure(capture_of(3), "L0H0"), path)
    assert path.read_bytes().startswith(starts)
    assert [x.name for x in tmp_path.iterdir()] == [path.name]


def test_other_formats_and_folders_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    figure = head_figure(capture_of(3), "L0H0")
    with pytest.raises(InputError, match=r"\.png, \.svg, \.pdf"):
        save_figure(figure, tmp_path / "out.bmp")
    with pytest.raises(InputError, match="cannot write"):
        save_figure(figure, tmp_path / "no" / "out.png")
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(MissingPackageError, match="clearhead\\[plot\\]"):
        head_figure(capture_of(3), "L0H0")
