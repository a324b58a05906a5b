"""What stands in a figure, and that it is written whole."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import clearhead as ch
from clearhead.capture import Capture, Layer, Tokens
from clearhead.errors import InputError, MissingPackageError, UnknownLayerError, UnknownWordError
from clearhead.views.figure import COLOURS, heatmap, plain_figure, save_figure

HOSTILE = [
    "<script>1</script>",
    "$a_1^2$",
    "$\\frac{",
    "שלום",
    "👩‍👩‍👧‍👦",
    "e\u0301\u0323",
    "x" * 1000,
    "\n",
    "\x00\x07",
    "",
    "   ",
    "%#&_{}\\",
]


@pytest.fixture(autouse=True)
def _no_pyplot(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where nobody imported it, whatever tests ran before."""
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)


def capture_of(queries: int, keys: int | None = None, heads: int = 2, layers: int = 2, **options: Any) -> Capture:
    keys = queries if keys is None else keys
    made = []
    for number in range(layers):
        weights = torch.softmax(torch.randn(1, heads, queries, keys), -1)
        amap = ch.AttentionMap.from_weights(weights)
        made.append(Layer(f"layer.{number}", 0, number, tuple(range(heads)), amap.shape, lambda amap=amap: amap))
    pieces = options.get("pieces", [f"$w{n}_" for n in range(queries)])
    special = [n == 0 for n in range(len(pieces))]
    return Capture(made, [Tokens.from_pieces(pieces, special)], {"model": "tiny"})


def split_word() -> Capture:
    """Four tokens, of which the middle two are one word, and the first is special."""
    tokens = Tokens(
        "unhappy cat",
        ("[CLS]", "un", "##happy", "cat"),
        ((0, 0), (0, 2), (2, 7), (8, 11)),
        (True, False, False, False),
        (False,) * 4,
    )
    return Capture(capture_of(4, layers=1).layers, [tokens])


def drawn(axes: Any) -> Tensor:
    return torch.tensor(axes.images[0].get_array().data)


def says(axes: Any) -> str:
    """The label of a heatmap's bar of colours, on one line."""
    return " ".join(axes.figure.axes[-1].get_ylabel().split())


def names(ticks: Any) -> list[str]:
    return [tick.get_text() for tick in ticks]


# Heatmaps.


def test_the_heatmap_shows_the_weights_with_labels_on_both_sides() -> None:
    capture = capture_of(5)
    axes = capture.heatmap("L1H0", source=3)
    torch.testing.assert_close(drawn(axes), capture["layer.1"][0, 0])
    assert names(axes.get_yticklabels()) == names(axes.get_xticklabels()) == [f"$w{n}_" for n in range(5)]
    assert not any(tick.get_parse_math() for tick in [*axes.get_yticklabels(), *axes.get_xticklabels()])
    assert len(axes.lines) == 1  # the marked row
    assert axes.lines[0].get_ydata().min() == 2.5
    assert says(axes) == "attention weight"
    assert axes.get_title(loc="left") == "L1H0\ntiny"


def test_words_and_rows_by_word() -> None:
    capture = split_word()
    axes = capture.words().heatmap("L0H1", source="unhappy")
    assert names(axes.get_yticklabels()) == ["[CLS]", "unhappy", "cat"]
    torch.testing.assert_close(drawn(axes), capture.words()["layer.0"][0, 1])
    assert axes.lines[0].get_ydata().min() == 0.5
    with pytest.raises(UnknownWordError, match="no word 'dog'; its words are"):
        capture.words().heatmap("L0H1", source="dog")


def test_a_long_map_is_averaged_and_says_so() -> None:
    capture = capture_of(200)
    axes = capture.heatmap("L0H1", source=100)
    shown = drawn(axes)
    assert shown.shape == (67, 67)
    whole = capture["layer.0"][0, 1]
    torch.testing.assert_close(shown[0, 0], whole[:3, :3].mean())
    torch.testing.assert_close(shown[66, 66], whole[198:, 198:].mean())  # what is left over
    assert says(axes) == "attention weight, mean of 3×3"
    assert len(axes.get_yticklabels()) <= 48
    assert axes.lines[0].get_ydata().min() == 32.5
    assert names(axes.get_yticklabels())[1] == "$w6_"
    largest = capture.heatmap("L0H1", pool="max")
    torch.testing.assert_close(drawn(largest)[1, 2], whole[3:6, 6:9].max())
    assert says(largest) == "attention weight, largest of 3×3"


def test_the_first_rows_of_a_long_causal_map_leave_the_others_to_be_seen() -> None:
    torch.manual_seed(0)
    amap = ch.AttentionMap.from_qk(torch.randn(1, 1, 641, 5), torch.randn(1, 1, 641, 5), causal=True)
    axes = ch.Capture([Layer("layer.0", 0, 0, (0,), amap.shape, lambda: amap)]).heatmap("L0H0")
    [image] = axes.images
    shown = drawn(axes)
    assert image.norm.vmax < shown.max() / 3
    assert (shown[shown > 0] <= image.norm.vmax).float().mean() > 0.994
    assert image.colorbar.extend == "max"  # which says that there are more


def test_a_part_of_a_long_map_is_exact() -> None:
    capture = capture_of(200)
    axes = capture.heatmap("L0H1", queries=range(150, 160), keys=range(20, 53), source=155)
    torch.testing.assert_close(drawn(axes), capture["layer.0"][0, 1, 150:160, 20:53])
    assert names(axes.get_yticklabels())[0] == "$w150_"
    assert axes.lines[0].get_ydata().min() == 4.5
    with pytest.raises(InputError, match=r"the map has the keys range\(200\), of which range\(190, 201\) is no part"):
        capture.heatmap("L0H1", keys=range(190, 201))
    with pytest.raises(InputError, match="3 is not among the queries that are drawn"):
        capture.heatmap("L0H1", queries=range(150, 160), source=3)


def test_several_heads_are_averaged_and_say_so() -> None:
    capture = capture_of(5)
    axes = capture.heatmap(["L0H1", "L1H0"])
    torch.testing.assert_close(drawn(axes), (capture["layer.0"][0, 1] + capture["layer.1"][0, 0]) / 2)
    assert says(axes) == "attention weight, mean of 2 heads"
    assert axes.get_title(loc="left").startswith("mean of 2 heads: L0H1, L1H0")
    with pytest.raises(InputError, match="no head is named"):
        capture.heatmap([])
    mixed = Capture([*capture.layers, capture_of(3, layers=3).layers[2]])
    with pytest.raises(InputError, match="L0H0 and L2H0 have maps of 5 × 5 and 3 × 3"):
        mixed.heatmap(["L0H0", "L2H0"])


def test_hidden_tokens_are_renormalised_by_token_and_say_so() -> None:
    capture = split_word()
    weights = capture["layer.0"][0, 0].clone()
    weights[:, 0] = 0
    weights /= weights.sum(-1, keepdim=True)
    axes = capture.heatmap("L0H0", hide="special")
    torch.testing.assert_close(drawn(axes), weights)
    assert says(axes) == "attention weight special tokens hidden, rows renormalised"
    by_word = drawn(capture.words().heatmap("L0H0", hide="special"))
    to_words = torch.stack([weights[:, 0], weights[:, 1] + weights[:, 2], weights[:, 3]], -1)
    torch.testing.assert_close(by_word, torch.stack([to_words[0], to_words[1:3].mean(0), to_words[3]]))
    assert says(capture.heatmap("L0H0", hide="first")).endswith("first token hidden, rows renormalised")
    numbered = Capture(capture.layers)
    assert says(numbered.heatmap("L0H0", hide="special")) == "attention weight"  # nothing there is known to be special


@pytest.mark.usefixtures("as_for_users")
def test_options_that_do_not_exist_are_said() -> None:
    with pytest.raises(InputError, match="hide is one of nothing, special, first; got 'specials'"):
        capture_of(3).arcs("L0H0", hide="specials")
    with pytest.raises(InputError, match="pool is one of mean, max; got 'min'"):
        capture_of(3).heatmap("L0H0", pool="min")


def test_a_row_that_looks_at_hidden_tokens_only_is_0() -> None:
    amap = ch.AttentionMap.from_weights(torch.tensor([[[[1.0, 0.0], [0.5, 0.5]]]]))
    capture = Capture([Layer("a", 0, 0, (0,), amap.shape, lambda: amap)])
    assert drawn(capture.heatmap("L0H0", hide="first")).tolist() == [[0, 0], [0, 1]]


def test_log_scale() -> None:
    weights = torch.tensor([[[[1.0, 0.0], [0.999999, 1e-6]]]])
    amap = ch.AttentionMap.from_weights(weights)
    axes = Capture([Layer("a", 0, 0, (0,), amap.shape, lambda: amap)]).heatmap("L0H0", log=True)
    image = axes.images[0]
    torch.testing.assert_close(drawn(axes), weights[0, 0])
    assert image.norm(0.01) == pytest.approx(0.5)  # four powers of ten
    paper, bad = image.cmap(0.0), image.cmap(float("nan"))
    assert tuple(image.to_rgba([[0.0]])[0, 0]) == paper != bad
    assert says(axes) == "attention weight, log scale"


def test_nan_is_grey_and_said() -> None:
    weights = torch.full((1, 1, 3, 3), 1 / 3)
    weights[0, 0, 1] = torch.nan
    amap = ch.AttentionMap.from_weights(weights)
    capture = Capture([Layer("a", 0, 0, (0,), amap.shape, lambda: amap)])
    for log in (False, True):
        axes = capture.heatmap("L0H0", log=log)
        inks = axes.images[0].to_rgba(axes.images[0].get_array())
        assert len({tuple(ink) for ink in inks[1]}) == 1
        assert tuple(inks[1, 0]) != tuple(inks[0, 0])
        assert "NaN in grey" in says(axes)
    assert len(capture.arcs("L0H0").collections[0].get_paths()) == 6
    assert "some weights are NaN" in capture.arcs("L0H0").get_xlabel()


def test_weights_below_0_have_a_colour_of_their_own() -> None:
    amap = ch.AttentionMap.from_weights(torch.tensor([[[[0.5, -2.0], [1.0, 0.0]]]]))
    capture = Capture([Layer("a", 0, 0, (0,), amap.shape, lambda: amap)])
    image = capture.heatmap("L0H0").images[0]
    assert image.get_clim() == (-2, 2)
    with pytest.raises(InputError, match="below 0, where there is no logarithm"):
        capture.heatmap("L0H0", log=True)


def test_cross_attention_names_the_side_that_has_the_tokens() -> None:
    capture = capture_of(3, 5)
    axes = capture.heatmap("L0H0", source="$w1_", hide="special")
    torch.testing.assert_close(drawn(axes), capture["layer.0"][0, 0])  # the special token is no key
    assert names(axes.get_yticklabels()) == ["$w0_", "$w1_", "$w2_"]
    assert names(axes.get_xticklabels()) == ["0", "1", "2", "3", "4"]
    other = capture_of(3, 5, pieces=list("abcde"))
    assert names(other.heatmap("L0H0").get_yticklabels()) == ["0", "1", "2"]
    assert names(other.heatmap("L0H0").get_xticklabels()) == list("abcde")
    lines = capture.arcs("L0H0", source="$w1_")
    assert names(lines.child_axes[0].get_yticklabels()) == ["0", "1", "2", "3", "4"]
    assert capture.grid(source="$w1_")[1, 1].lines[0].get_ydata().min() == 0.5


@pytest.mark.parametrize("sizes", [(1, 1), (1, 7), (7, 1)], ids=str)
def test_one_token_and_no_tokens(sizes: tuple[int, int], tmp_path: Path) -> None:
    capture = Capture(capture_of(*sizes, heads=1, layers=1).layers)
    for axes in (capture.heatmap("L0H0"), capture.arcs("L0H0"), capture.grid()[0, 0]):
        save_figure(axes.figure, tmp_path / "out.png")
    assert names(capture.heatmap("L0H0").get_yticklabels()) == [str(n) for n in range(sizes[0])]


@pytest.mark.parametrize("kind", ["heatmap", "arcs", "grid"])
def test_tokens_are_text_and_never_mathematics(kind: str, tmp_path: Path) -> None:
    capture = capture_of(len(HOSTILE), pieces=HOSTILE)
    capture.provenance["model"] = "somebody/$x^"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".*Matplotlib currently does not support", UserWarning)
        if kind == "grid":
            figure = capture.grid(source=1)[0, 0].figure
        else:
            axes = getattr(capture, kind)(["L0H0", "L1H1"], source=1)
            figure = axes.figure
            shown = names(axes.get_yticklabels())
            assert shown[1] == "$a_1^2$"
            assert shown[7:11] == ["⏎", "\ufffd\ufffd", "∅", "␣␣␣"]
            assert max(map(len, shown)) == 18
        save_figure(figure, tmp_path / "out.png")
        save_figure(figure, tmp_path / "out.svg")


# Grids.


def test_the_grid_has_every_head_on_one_scale() -> None:
    capture = capture_of(4, heads=3)
    panels = capture.grid(source=1)
    assert panels.shape == (2, 3)
    assert {axes.images[0].get_clim() for axes in panels.flat} == {(0.0, 1.0)}
    torch.testing.assert_close(drawn(panels[1, 1]), capture["layer.1"][0, 1])
    assert all(len(axes.lines) == 1 for axes in panels.flat)
    assert panels[0, 0].figure.get_suptitle() == "$w0_ $w1_ $w2_ $w3_\ntiny\nmarked: the row of “$w1_”"
    assert panels[0, 2].get_title() == "H2"
    assert panels[1, 0].get_ylabel() == "L1"


def test_a_long_grid_is_averaged_and_hidden_tokens_are_said() -> None:
    panels = capture_of(200).grid(hide="special", log=True)
    assert panels[0, 0].images[0].get_array().shape == (50, 50)
    said = says(panels[0, 0])
    assert said == "attention weight, mean of 4×4, log scale special tokens hidden, rows renormalised"


def test_a_grid_has_none_where_there_is_no_head() -> None:
    capture = capture_of(4, heads=5)
    first, second = capture.select(0, [3]), capture.select(1, [1, 3])
    panels = Capture([*first.layers, *second.layers]).grid()
    assert panels.shape == (2, 2)
    assert panels[0, 0] is None
    assert panels[1, 0].get_title() == "H1"
    assert panels[0, 1].get_title() == "H3"
    assert panels[1, 1].get_title() == ""


def test_a_grid_without_maps_or_with_too_many_is_refused() -> None:
    with pytest.raises(InputError, match="the capture holds no maps"):
        Capture().grid()
    many = Capture(capture_of(3).layers * 1001)
    with pytest.raises(InputError, match="2002 layers × 2 heads is more than 2,000 pictures: select"):
        many.grid()
    with pytest.raises(InputError, match="the capture holds 1 text, numbered from 0; there is no text 1"):
        capture_of(3).grid(text=1)
    with pytest.raises(UnknownWordError, match="no word 'dog'"):
        capture_of(3).grid(source="dog")


# Arcs.


def test_arcs_are_as_wide_as_the_weights() -> None:
    capture = capture_of(7, heads=1, layers=1)
    axes = capture.arcs("L0H0")
    lines = axes.collections[0]
    weights = capture["layer.0"][0, 0]
    found = torch.zeros(7, 7)
    for path, width in zip(lines.get_paths(), lines.get_linewidths(), strict=True):
        (x0, start), (x1, stop) = path.vertices[0], path.vertices[-1]
        assert (x0, x1) == (0, 1)
        found[round(start), round(stop)] = width / 5
    thick = weights > 0.08  # thinner ones would not be seen
    torch.testing.assert_close(found[thick], weights[thick])
    assert bool((found[~thick] == torch.tensor(0.4 / 5)).all())
    assert list(lines.get_linewidths()) == sorted(lines.get_linewidths())  # the strongest on top
    assert axes.get_xlabel() == "49 lines above 0.001"


def test_each_head_has_a_colour_and_the_source_stands_out() -> None:
    from matplotlib.colors import to_hex

    capture = capture_of(7)
    axes = capture.arcs(["L0H1", "L1H0"], source="$w3_")
    lines = axes.collections[0]
    assert {to_hex(ink) for ink in lines.get_colors()} == set(COLOURS[:2])
    assert names(axes.get_legend().get_texts()) == ["L0H1", "L1H0"]
    for path, ink in zip(lines.get_paths(), lines.get_colors(), strict=True):
        assert (ink[3] > 0.2) == (round(path.vertices[0, 1]) == 3)
    weights = [tick.get_fontweight() for tick in axes.get_yticklabels()]
    assert [n for n, weight in enumerate(weights) if weight == "bold"] == [3]
    with pytest.raises(InputError, match="at most 6 heads apart; got 7"):
        capture.arcs(["L0H1"] * 7)
    with pytest.raises(InputError, match="no head is named"):
        capture.arcs([])


def test_only_the_strongest_lines_are_drawn_and_it_is_said() -> None:
    capture = capture_of(150, heads=1, layers=1)
    axes = capture.arcs("L0H0", hide="special")
    lines = axes.collections[0]
    assert len(lines.get_paths()) == 400
    seen = capture["layer.0"][0, 0].clone()
    seen[:, 0] = 0
    seen = (seen / seen.sum(-1, keepdim=True))[:120, :120].flatten()
    assert f"the strongest 400 of {int((seen > 1e-3).sum()):,} lines" in axes.get_xlabel()
    assert f"down to {float(seen.topk(400).values[-1]):.3f}" in axes.get_xlabel()
    assert "queries 0–119 of 150\nkeys 0–119 of 150\nspecial tokens hidden" in axes.get_xlabel()
    part = capture.arcs("L0H0", queries=range(130, 150), keys=range(3))
    assert len(part.collections[0].get_paths()) <= 60
    assert names(part.get_yticklabels())[0] == "$w130_"
    with pytest.raises(InputError, match="room for 120 tokens; got 121"):
        capture.arcs("L0H0", queries=range(121))


# Where they are drawn.


def test_they_draw_where_they_are_told() -> None:
    figure = plain_figure((8.0, 4.0))
    left, right = figure.subplots(1, 2)
    capture = capture_of(4)
    assert capture.heatmap("L0H0", ax=left, legend=False) is left
    assert capture.arcs(["L0H0", "L0H1"], ax=right, legend=False) is right
    assert figure.axes == [left, right]
    assert right.get_legend() is None
    assert tuple(figure.get_size_inches()) == (8, 4)
    assert tuple(capture.heatmap("L0H0", figsize=(5.0, 3.0)).figure.get_size_inches()) == (5, 3)
    assert capture.heatmap("L0H0", cmap="viridis").images[0].cmap.name == "viridis"


def test_without_pyplot_it_stays_unloaded() -> None:
    capture_of(3).heatmap("L0H0")
    capture_of(3).grid()
    assert "matplotlib.pyplot" not in sys.modules


def test_figures_are_pyplots_where_that_is_in_use() -> None:
    """In a process of its own, since figures of pyplot stay."""
    code = """
import builtins, sys, matplotlib
matplotlib.use("agg")
import torch, clearhead as ch
amap = ch.AttentionMap.from_weights(torch.ones(1, 1, 1, 1))
capture = ch.Capture([ch.Layer("a", 0, 0, (0,), amap.shape, lambda: amap)])
capture.heatmap("L0H0")
assert "matplotlib.pyplot" not in sys.modules
builtins.__IPYTHON__ = True
axes = capture.heatmap("L0H0")
plt = sys.modules["matplotlib.pyplot"]
assert plt.gcf() is axes.figure and plt.get_fignums() == [1]
del builtins.__IPYTHON__
capture.grid()
assert plt.get_fignums() == [1, 2]
capture.heatmap("L0H0", ax=plt.figure().add_subplot())
assert plt.get_fignums() == [1, 2, 3]
from clearhead.views.figure import heatmap, plain_figure
heatmap(capture, "L0H0", new=plain_figure)
assert plt.get_fignums() == [1, 2, 3]
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_unknown_heads_and_texts() -> None:
    with pytest.raises(UnknownLayerError, match="no head 7 in layer 0"):
        capture_of(3).heatmap("L0H7")
    with pytest.raises(InputError, match="there is no text 3"):
        capture_of(3).heatmap("L0H0", text=3)
    with pytest.raises(InputError, match="there is no text -1"):
        capture_of(3).arcs("L0H0", text=-1)


@pytest.mark.parametrize("side", ["queries", "keys"])
def test_no_rows_or_columns_are_refused(side: str) -> None:
    for draw in (capture_of(3).heatmap, capture_of(3).arcs):
        with pytest.raises(InputError, match=rf"the {side} range\(3\), of which range\(1, 1\) is no part"):
            draw("L0H0", **{side: range(1, 1)})


# Files.


@pytest.mark.parametrize(("suffix", "starts"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_figures_are_written_in_three_formats(tmp_path: Path, suffix: str, starts: bytes) -> None:
    path = tmp_path / f"out.{suffix}"
    save_figure(capture_of(3).heatmap("L0H0").figure, path)
    assert path.read_bytes().startswith(starts)
    assert [x.name for x in tmp_path.iterdir()] == [path.name]


def test_other_formats_and_folders_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    figure = capture_of(3).heatmap("L0H0").figure
    with pytest.raises(InputError, match=r"\.png, \.svg, \.pdf"):
        save_figure(figure, tmp_path / "out.bmp")
    with pytest.raises(InputError, match="cannot write"):
        save_figure(figure, tmp_path / "no" / "out.png")
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingPackageError, match="clearhead\\[plot\\]"):
        heatmap(capture_of(3), "L0H0")
