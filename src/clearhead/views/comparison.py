"""What changed between two captures, as a figure."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

from clearhead.analysis.comparison import Comparison, HeadChange
from clearhead.analysis.shown import Shown, shown
from clearhead.capture.capture import Capture
from clearhead.errors import InputError
from clearhead.shapes import whole_number
from clearhead.views.figure import MARK, MOST_LABELS, NAN, PLAIN, SEQUENTIAL, SIGNED, New, short, shown_figure, ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["changes"]

_LINE = 0.115  # inches that a label takes
_LETTER = 0.075
_LONGEST = 18  # letters of a label
_LONGEST_SIDE = 3.6
_LEAST = 1e-3  # of a scale: what is all but equal looks so
_LINES = 64  # of a grid of heads


def changes(
    comparison: Comparison,
    before: Capture,
    after: Capture,
    *,
    text: int = 0,
    most: int = 4,
    names: tuple[str, str] = ("before", "after"),
    figsize: tuple[float, float] | None = None,
    new: New = shown_figure,
) -> Figure:
    """What changed: the divergence of every head, and maps of the differences of those that changed most.

    At the left each head's Jensen–Shannon divergence, layers down and heads across; those whose maps are drawn are
    outlined. At the right the weights after less those before, red for more and blue for less, all on one scale that is
    the same in both directions. Keys are not hidden and nothing is renormalised. A map of more than 96 tokens is
    averaged over square blocks.

    Args:
        comparison: From :func:`~clearhead.analysis.comparison.compare` or
            :func:`~clearhead.analysis.comparison.merge`.
        before: What maps are drawn of, by token or by word: one of the captures that were compared.
        after: The other one.
        text: Which text of these captures.
        most: Of how many heads maps are drawn.
        names: What the two are called in the title.
        figsize: Inches; by default as large as the maps need.
        new: Makes a figure.

    Raises:
        InputError: No such text, the two captures have different sizes or tokens, or ``most`` is below 1.
        UnknownLayerError: A head that the captures do not have.
        MissingPackageError: matplotlib is not installed.

    Example:
        >>> import torch, clearhead as ch
        >>> from clearhead.analysis.comparison import compare
        >>> before, after = ch.load(), ch.load()
        >>> with torch.no_grad():
        ...     after.stack.blocks[3].attention.query.weight *= 2
        >>> captures = [ch.look("The animal was too tired.", model) for model in (before, after)]
        >>> figure = changes(compare(*captures), *captures)
        >>> [axes.get_title(loc="left").partition("H")[0] for axes in figure.axes if axes.images][1:]
        ['L3', 'L3', 'L3', 'L3']

    """
    whole_number("most", most)
    chosen = comparison.most_changed(most)
    pairs = [[shown(x, [change.head], text=text, most=MOST_LABELS) for x in (before, after)] for change in chosen]
    for change, (one, other) in zip(chosen, pairs, strict=True):
        if one.queries != other.queries or one.keys != other.keys:
            raise InputError(f"{change.head} stands at other {before.unit} in one capture than in the other: draw maps "
                             "of the same text")  # fmt: skip
    across = min(2, len(chosen))
    down = -(-len(chosen) // across)
    sizes = [_size(one) for one, _ in pairs]
    grid = _grid_size(comparison)
    wide, high = across * max(x for x, _ in sizes), down * max(y for _, y in sizes) + 0.6
    size = figsize or (grid[0] + wide, max(grid[1], high) + 0.9)
    figure: Figure = new(size)
    parts: Any = figure.subfigures(1, 2, width_ratios=(grid[0], wide))
    left, right = parts
    _draw_grid(left, comparison, chosen, grid[1] / max(grid[1], high))
    _draw_maps(right, chosen, pairs, (down, across))
    said = fill(_says(comparison, before, pairs[0][0], text), int(13 * size[0]))
    figure.suptitle(f"{short(names[0], 60)} → {short(names[1], 60)}", fontsize=10, x=0.01, ha="left", **PLAIN)
    figure.supxlabel(said, fontsize=8, x=0.01, ha="left", **PLAIN)
    return figure


def _size(cells: Shown) -> tuple[float, float]:
    """Inches of one map with its labels and title."""
    letters = max(min(_LONGEST, max(map(len, side), default=0)) for side in (cells.queries, cells.keys)) * _LETTER
    height, width = (min(_LONGEST_SIDE, max(1.0, 0.2 * count)) for count in cells.weights.shape)
    return width + letters + 0.45, height + letters + 0.55


def _grid_size(comparison: Comparison) -> tuple[float, float]:
    rows, columns = comparison.grid.shape
    cell = min(0.32, 8.0 / max(rows, columns))
    return max(2.8, columns * cell + 0.8), rows * cell + 1.1


def _draw_grid(figure: Any, comparison: Comparison, chosen: list[HeadChange], share: float) -> None:
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    grid = comparison.grid
    # Its own height and no more, at the top.
    axes = figure.add_subplot(figure.add_gridspec(2, 1, height_ratios=(share, 1 - share + 1e-3))[0], anchor="N")
    largest = max(comparison.most_changed(1)[0].divergence, _LEAST)
    colours = colormaps[SEQUENTIAL].with_extremes(bad=NAN)
    image = axes.imshow(grid.numpy(), cmap=colours, vmin=0.0, vmax=largest, aspect="equal", interpolation="nearest")
    rows, columns = grid.shape
    ticks(axes.yaxis, comparison.layers, 1, rows, most=_LINES)
    ticks(
        axes.xaxis, [f"H{number}" for number in comparison.numbers], 1, columns, 90 if columns > 9 else 0, most=_LINES
    )
    axes.xaxis.tick_top()
    axes.tick_params(length=0, labelsize=8 if max(rows, columns) <= 32 else 5)
    for change in chosen:
        row, column = comparison.layers.index(change.layer), comparison.numbers.index(change.number)
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=MARK, linewidth=1.4,
                                 clip_on=False))  # fmt: skip
    bar = figure.colorbar(
        image, ax=axes, location="bottom", fraction=0.08, pad=0.04, panchor=(0.5, 1.0), anchor=(0.5, 1.0)
    )
    bar.set_label("Jensen–Shannon divergence, nats", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    bar.ax.locator_params(nbins=4)


def _draw_maps(figure: Any, chosen: list[HeadChange], pairs: list[list[Shown]], shape: tuple[int, int]) -> None:
    from matplotlib import colormaps

    differences = [(after.weights - before.weights) for before, after in pairs]
    largest = max([float(x[x.isfinite()].abs().max()) for x in differences if bool(x.isfinite().any())], default=0.0)
    largest = max(largest, _LEAST)
    colours = colormaps[SIGNED].with_extremes(bad=NAN)
    panels = figure.subplots(*shape, squeeze=False).ravel()
    image = None
    for axes, change, (cells, _), difference in zip(panels, chosen, pairs, differences, strict=False):
        image = axes.imshow(difference.numpy(), cmap=colours, vmin=-largest, vmax=largest, aspect="equal",
                            interpolation="nearest")  # fmt: skip
        axes.set_title(f"{change.head}: JS {change.divergence:#.2g}", fontsize=9, loc="left", pad=6, **PLAIN)
        height, width = difference.shape
        turned = 90 if max(map(len, cells.keys)) > 2 else 0
        for axis, labels, count, turn in (
            (axes.xaxis, cells.keys, width, turned),
            (axes.yaxis, cells.queries, height, 0),
        ):
            room = min(_LONGEST_SIDE, max(1.0, 0.2 * count))
            ticks(axis, labels, cells.block, count, turn, most=int(room / _LINE))
        axes.xaxis.tick_top()
        axes.tick_params(length=0, labelsize=7)
    for axes in panels[len(chosen) :]:
        axes.set_axis_off()
    bar = figure.colorbar(image, ax=list(panels), location="bottom", fraction=0.05, pad=0.03, aspect=40)
    bar.set_label("weight, after − before\nrows: from, columns: to", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    bar.ax.locator_params(nbins=5)


def _says(comparison: Comparison, capture: Capture, cells: Shown, text: int) -> str:
    shown_text = "" if capture.tokens is None else f" of “{short(capture.tokens[text].text, 60)}”"
    [largest] = comparison.most_changed(1)
    over = "No head changed. " if largest.divergence == 0 else ""
    over += "" if comparison.texts == 1 else f"Divergence over {comparison.texts:,} texts. "
    pooled = "" if cells.block == 1 else f", means of {cells.block}×{cells.block}"
    maps = f"Maps{shown_text}, by {capture.unit.removesuffix('s')}{pooled}"
    return f"{over}{maps}. Nothing is hidden, not even special tokens."
