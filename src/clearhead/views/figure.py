"""Figures for papers and screens, by matplotlib: of one head, of all, and arcs from tokens to tokens."""

from __future__ import annotations

import builtins
import sys
import unicodedata
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from clearhead.analysis.looks import find_label
from clearhead.analysis.shown import Hide, Shown, check_text, shown, side_of
from clearhead.capture.capture import Capture
from clearhead.errors import InputError, MissingPackageError, UnknownWordError
from clearhead.files import write_whole
from clearhead.views.formats import check_format

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["arcs", "figure_writer", "grid", "heatmap", "plain_figure", "save_figure"]

MOST_LABELS = 96  # more tokens than this at one side are pooled for a heatmap
MOST_PANELS = 2_000
MOST_LINES = 400
MOST_LISTED = 120  # tokens in a column of arcs
LEAST_LINE = 1e-3
# Okabe and Ito's colours that stand out on white, as on the page.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_PANEL = 64  # rows and columns of one of many heatmaps
SEQUENTIAL = "Blues"  # 0 is the paper; one hue, darker for more, safe for the colour-blind (ColorBrewer)
SIGNED = "RdBu_r"  # 0 is the paper, both signs alike (ColorBrewer)
_NEARLY_ALL = 0.995  # of the weights of a pooled map lie within the scale
_DECADES = 4  # of a logarithmic scale, below which nothing is shown
NAN = "#b8b8b8"
MARK = "#d9480f"
_MOST_TICKS = 48
PLAIN: dict[str, Any] = {"parse_math": False, "usetex": False}  # a $ in a text is a $

New = Callable[[tuple[float, float]], Any]
"""Makes a figure of so many inches."""


def plain_figure(size: tuple[float, float]) -> Figure:
    """A figure that pyplot knows nothing of: it is gone with its last name.

    Raises:
        MissingPackageError: matplotlib is not installed.

    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingPackageError("figures need matplotlib: pip install 'clearhead[plot]'") from None
    return Figure(figsize=size, layout="constrained")


def shown_figure(size: tuple[float, float]) -> Figure:
    """A figure that is shown as people expect it: by a notebook under its cell, and by ``plt.show()``.

    So it is pyplot's where that is imported or IPython runs; else nothing would show it, and it is a plain one.
    """
    if "matplotlib.pyplot" not in sys.modules and not hasattr(builtins, "__IPYTHON__"):
        return plain_figure(size)
    plain_figure(size)  # says what to install
    from matplotlib import pyplot

    figure: Figure = pyplot.figure(figsize=size, layout="constrained")
    return figure


# What is drawn.


def heatmap(
    capture: Capture,
    heads: str | Sequence[str],
    *,
    text: int = 0,
    source: int | str | None = None,
    queries: range | None = None,
    keys: range | None = None,
    log: bool = False,
    hide: Hide = "nothing",
    pool: Literal["mean", "max"] = "mean",
    ax: Axes | None = None,
    cmap: Any = None,
    figsize: tuple[float, float] | None = None,
    legend: bool = True,
    new: New = shown_figure,
) -> Axes:
    """The heatmap of one head or the mean of several; see :meth:`Capture.heatmap`.

    Args:
        capture: What is drawn, by token or by word.
        heads: ``L3H1``, or several.
        text: Which text of the batch.
        source: The row to mark.
        queries: Which rows.
        keys: Which columns.
        log: A logarithmic scale.
        hide: Keys to take out, after which rows sum to 1 again.
        pool: What stands for a block of a long map.
        ax: Where to draw.
        cmap: Colours.
        figsize: Inches.
        legend: Whether there is a bar of colours.
        new: Makes a figure, where there is no ``ax``.

    """
    names = [heads] if isinstance(heads, str) else list(heads)
    cells = shown(capture, names, text=text, hide=hide, queries=queries, keys=keys, most=MOST_LABELS, pool=pool)
    row = None if source is None else _row(capture, cells, text, source)
    height, width = cells.weights.shape
    said = _says(cells, hide=hide, pool=pool, log=log)
    axes = ax
    if axes is None:
        sides = [min(9.0, max(3.2, 1.6 + 0.27 * count)) for count in (width, height)]
        # A map of few rows and many columns has cells as high as they are wide.
        high = max(2.4, min(sides[1], 2.2 + 0.27 * height)) if width > 2 * height else sides[1]
        wide = sides[0] + 1.0 + 0.2 * said.count("\n")
        axes = new(figsize or (wide, high)).add_subplot()
    colours, norm, extend = _scale(cells.weights, log, cmap, pooled=cells.block > 1)
    image = axes.imshow(cells.weights.numpy(), cmap=colours, norm=norm, aspect="equal", interpolation="nearest")
    axes.set_title(_title(capture, cells), fontsize=9, loc="left", pad=10, **PLAIN)
    ticks(axes.xaxis, cells.keys, cells.block, width, rotation=90)
    ticks(axes.yaxis, cells.queries, cells.block, height)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_ylabel("from (query)")
    axes.set_xlabel("to (key)", labelpad=7)
    axes.xaxis.set_label_position("top")
    if row is not None:
        _mark_row(axes, row // cells.block, width)
    if legend:
        bar = axes.figure.colorbar(image, ax=axes, fraction=0.046, pad=0.03, extend=extend)
        bar.set_label(said)
    return axes


def grid(
    capture: Capture,
    *,
    text: int = 0,
    source: int | str | None = None,
    log: bool = False,
    hide: Hide = "nothing",
    cmap: Any = None,
    figsize: tuple[float, float] | None = None,
    new: New = shown_figure,
) -> NDArray[Any]:
    """All heads of all layers as small heatmaps on one scale: layers down, heads across; see :meth:`Capture.grid`.

    Args:
        capture: What is drawn, by token or by word.
        text: Which text of the batch.
        source: The row to mark in every map.
        log: A logarithmic scale.
        hide: Keys to take out, after which rows sum to 1 again.
        cmap: Colours.
        figsize: Inches.
        new: Makes a figure.

    """
    if not capture.layers:
        raise InputError("the capture holds no maps: there is no head to draw")
    check_text(text, capture.layers)
    numbers = sorted({head for layer in capture.layers for head in layer.heads})
    rows, columns = len(capture.layers), len(numbers)
    if rows * columns > MOST_PANELS:
        raise InputError(
            f"a grid of {rows} layers × {columns} heads is more than {MOST_PANELS:,} pictures: select() fewer"
        )
    marked = None if source is None else _marked(capture, text, source)
    per_layer = [
        {head: shown(capture, [layer.label(head)], text=text, hide=hide, most=_PANEL) for head in layer.heads}
        for layer in capture.layers
    ]
    all_cells = [cells for of_layer in per_layer for cells in of_layer.values()]
    # The scale ends at 1, so that grids can be compared, unless weights do not: those without a normalizer.
    weights = torch.cat([cells.weights.flatten() for cells in all_cells])
    colours, norm, extend = _scale(torch.cat([weights, torch.ones(1)]), log, cmap, pooled=False)

    most = max(rows, columns)
    side = min(2.4, max(1.0, 4.8 / most)) if most <= 16 else 16.0 / most
    left, right, bottom = 0.75, 1.0, 0.15
    width = columns * side + left + right
    title = _grid_title(capture, text, None if marked is None else marked[0], width)
    top = 0.5 + 0.17 * (title.count("\n") + 1)
    height = rows * side + top + bottom
    figure = new(figsize or (width, height))
    figure.set_layout_engine("none")  # which would take minutes over hundreds of axes
    places = figure.add_gridspec(
        rows, columns, left=left / width, right=1 - right / width, top=1 - top / height, bottom=bottom / height,
        wspace=0.09, hspace=0.09,
    )  # fmt: skip
    panels = np.full((rows, columns), None, dtype=object)
    image = None
    for row, (layer, of_layer) in enumerate(zip(capture.layers, per_layer, strict=True)):
        for head, cells in of_layer.items():
            column = numbers.index(head)
            axes = panels[row, column] = figure.add_subplot(places[row, column])
            image = axes.imshow(cells.weights.numpy(), cmap=colours, norm=norm, aspect="equal", interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_linewidth(0.4)
            if all(panel is None for panel in panels[:row, column]):
                axes.set_title(f"H{head}", fontsize=8, pad=3)
            if head == layer.heads[0]:
                axes.set_ylabel(layer.label(), fontsize=8, rotation=0, ha="right", va="center")
            if marked is not None and row in marked[1]:
                _mark_row(axes, marked[1][row] // cells.block, cells.weights.shape[1], linewidth=0.6)
    figure.suptitle(title, fontsize=9, x=0.15 / width, y=1 - 0.1 / height, ha="left", va="top", **PLAIN)
    long = min(1.0, 4.0 / (height - top - bottom)) * (height - top - bottom)
    place = [1 - (right - 0.18) / width, 1 - (top + long) / height, 0.14 / width, long / height]
    bar = figure.colorbar(image, cax=figure.add_axes(place), extend=extend)
    largest = max(all_cells, key=lambda cells: cells.block)
    hidden = max(all_cells, key=lambda cells: cells.hidden)
    bar.set_label(_says(largest, hide=hide if hidden.hidden else "nothing", pool="mean", log=log, hidden=hidden.hidden),
                  fontsize=8)  # fmt: skip
    bar.ax.tick_params(labelsize=8)
    return panels


def arcs(
    capture: Capture,
    heads: str | Sequence[str],
    *,
    text: int = 0,
    source: int | str | None = None,
    queries: range | None = None,
    keys: range | None = None,
    hide: Hide = "nothing",
    ax: Axes | None = None,
    figsize: tuple[float, float] | None = None,
    legend: bool = True,
    new: New = shown_figure,
) -> Axes:
    """Tokens in two columns, joined by lines as strong as the weights; see :meth:`Capture.arcs`.

    Args:
        capture: What is drawn, by token or by word.
        heads: ``L3H1``, or several, each in a colour of its own.
        text: Which text of the batch.
        source: The query whose lines stand out.
        queries: Which queries.
        keys: Which keys.
        hide: Keys to take out, after which rows sum to 1 again.
        ax: Where to draw.
        figsize: Inches.
        legend: Whether the colours are explained, where there are several heads.
        new: Makes a figure, where there is no ``ax``.

    """
    names = [heads] if isinstance(heads, str) else list(heads)
    if len(names) > len(COLOURS):
        raise InputError(f"colours tell at most {len(COLOURS)} heads apart; got {len(names)}")
    layers = [capture.head(name)[0] for name in names]
    if layers:
        check_text(text, layers)
        sides = [len(side_of(capture, text, layers[0], axis)) for axis in (2, 3)]
        queries = range(min(sides[0], MOST_LISTED)) if queries is None else queries
        keys = range(min(sides[1], MOST_LISTED)) if keys is None else keys
        if max(len(queries), len(keys)) > MOST_LISTED:
            raise InputError(f"a column has room for {MOST_LISTED} tokens; got {max(len(queries), len(keys))}")
    drawn = [shown(capture, [name], text=text, hide=hide, queries=queries, keys=keys) for name in names]
    if not drawn:
        drawn = [shown(capture, [])]  # says how heads are called
    sizes = {cells.size for cells in drawn}
    if len(sizes) > 1:
        raise InputError(f"{', '.join(names)} have maps of different sizes, and stand at different tokens")
    cells = drawn[0]
    row = None if source is None else _row(capture, cells, text, source)
    weights = torch.stack([x.weights for x in drawn])
    above = weights > LEAST_LINE
    count = min(int(above.sum()), MOST_LINES)
    # From the weakest to the strongest, so that these lie on top; NaN has no line.
    order = torch.where(above, weights, 0.0).flatten().topk(count).indices.flip(0)

    listed = max(weights.shape[1:])
    axes = ax
    if axes is None:
        axes = new(figsize or (4.8, max(2.0, 1.3 + (0.21 if listed <= 60 else 0.15) * listed))).add_subplot()
    _lines(axes, weights, order, row)
    font = 9 if listed <= 60 else 6.5
    right = axes.secondary_yaxis("right")
    for axis, labels in ((axes.yaxis, cells.queries), (right.yaxis, cells.keys)):
        axis.set_ticks(range(len(labels)), [_visible(label) for label in labels], fontsize=font, **PLAIN)
    axes.tick_params(length=0)
    right.tick_params(length=0)
    axes.set(xlim=(0, 1), ylim=(listed - 0.5, -0.5), ylabel="from (query)")
    axes.set_xticks([])
    right.set_ylabel("to (key)")
    axes.spines[:].set_visible(False)
    right.spines[:].set_visible(False)
    if row is not None:
        axes.get_yticklabels()[row].set_fontweight("bold")
    axes.set_xlabel(_caption(drawn, int(above.sum()), weights, order, hide), fontsize=8)
    over = _legend(axes, [x.heads[0] for x in drawn]) if legend and len(drawn) > 1 else 0
    title = short(_model(capture), 40) if len(drawn) > 1 else _title(capture, cells)
    axes.set_title(title, fontsize=9, loc="left", pad=6 + 13 * over, **PLAIN)
    return axes


# Files.


def save_figure(figure: Figure, path: Path | str) -> None:
    """Write a figure as PNG, SVG or PDF by its suffix, whole or not at all.

    Raises:
        InputError: Another suffix, or a folder that cannot be written.

    """
    path = Path(path)
    write_whole(path, figure_writer(figure, path))


def figure_writer(figure: Figure, path: Path) -> Callable[[str], None]:
    """What writes the figure, in the format of ``path``'s suffix, to the path that it is called with.

    Raises:
        InputError: Another suffix.

    """
    check_format(path)
    kind = path.suffix.lower().removeprefix(".")
    # No date, so that the same figure gives the same file.
    metadata: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})

    def write(part: str) -> None:
        with warnings.catch_warnings():
            # What the font lacks is drawn as a box, and is seen to be missing.
            warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
            figure.savefig(part, format=kind, dpi=160, metadata=metadata)

    return write


# Parts of figures.


def _scale(weights: torch.Tensor, log: bool, cmap: Any, *, pooled: bool) -> tuple[Any, Any, str]:
    """Colours, what places weights on them, and at which end of the scale there are more."""
    from matplotlib import colormaps
    from matplotlib.colors import LogNorm, Normalize

    finite = weights[weights.isfinite()]
    most = max(float(finite.max()) if len(finite) else 0.0, 1e-9)
    least = min(float(finite.min()) if len(finite) else 0.0, 0.0)
    if least < 0 and log:
        raise InputError("some weights are below 0, where there is no logarithm: draw them without log=True")
    colours = cmap or (SIGNED if least < 0 else SEQUENTIAL)
    colours = (colormaps[colours] if isinstance(colours, str) else colours).with_extremes(bad=NAN)
    if log:
        # Clipped, since 0 has no place on the scale and would look like NaN.
        end = most / 10**_DECADES
        return colours, LogNorm(end, most, clip=True), "min" if bool((finite < end).any()) else "neither"
    if pooled and least == 0 and bool((finite > 0).any()):
        # The first rows of a long causal map would leave nothing to see of the others.
        positive = finite[finite > 0].float().sort().values
        most = float(positive[int((len(positive) - 1) * _NEARLY_ALL)])
        return colours, Normalize(0.0, most), "max" if float(positive[-1]) > most else "neither"
    most = max(most, -least)
    return colours, Normalize(-most if least < 0 else 0.0, most), "neither"


def _says(cells: Shown, *, hide: Hide, pool: Literal["mean", "max"], log: bool, hidden: int | None = None) -> str:
    """What a cell's colour means, with everything that was done to the weights."""
    said = ["attention weight"]
    if cells.block > 1:
        said.append(f"{'mean' if pool == 'mean' else 'largest'} of {cells.block}×{cells.block}")
    if len(cells.heads) > 1:
        said.append(f"mean of {len(cells.heads)} heads")
    if log:
        said.append("log scale")
    if bool(cells.weights.isnan().any()):
        said.append("NaN in grey")
    lines = [fill(", ".join(said), 30), _hides(hide, cells.hidden if hidden is None else hidden).replace(", ", ",\n")]
    return "\n".join(line for line in lines if line)


def _hides(hide: Hide, count: int) -> str:
    if hide == "nothing" or not count:
        return ""
    return f"{'special tokens' if hide == 'special' else 'first token'} hidden, rows renormalised"


def _caption(drawn: Sequence[Shown], above: int, weights: torch.Tensor, order: torch.Tensor, hide: Hide) -> str:
    """Which lines are there, and which are not."""
    cells, shown = drawn[0], len(order)
    said = [f"the strongest {shown} of {above:,} lines above {LEAST_LINE}" if above > shown
            else f"{shown} line{'' if shown == 1 else 's'} above {LEAST_LINE}"]  # fmt: skip
    if above > shown:
        said[0] += f", down to {float(weights.flatten()[order[0]]):.3f}"
    for name, labels, first, size in zip(
        ("queries", "keys"), (cells.queries, cells.keys), cells.first, cells.size, strict=True
    ):
        if len(labels) < size:
            said.append(f"{name} {first}–{first + len(labels) - 1} of {size:,}")
    said += [hidden for hidden in [_hides(hide, cells.hidden)] if hidden]
    if bool(weights.isnan().any()):
        said.append("some weights are NaN and have no line")
    return "\n".join(said)


def _title(capture: Capture, cells: Shown) -> str:
    name = cells.heads[0]
    if len(cells.heads) > 1:
        name = short(f"mean of {len(cells.heads)} heads: {', '.join(cells.heads)}", 48)
    return f"{name}\n{short(_model(capture), 32)}".rstrip()


def _model(capture: Capture) -> str:
    return str(capture.provenance.get("model") or "").rpartition("/")[2]


def _grid_title(capture: Capture, text: int, source: str | None, width: float) -> str:
    words = capture.tokens[text].text if capture.tokens is not None and text < len(capture.tokens) else ""
    parts = [short(words), str(capture.provenance.get("model") or ""), f"marked: the row of “{source}”"]
    characters = max(24, int(13 * (width - 0.4)))
    return "\n".join(fill(part, characters) for part in (parts if source is not None else parts[:2]) if part)


def _row(capture: Capture, cells: Shown, text: int, source: int | str) -> int:
    """The row of the query called ``source`` among those in sight."""
    labels = side_of(capture, text, capture.head(cells.heads[0])[0], 2)
    number = find_label(source, labels, list(range(len(labels)))) - cells.first[0]
    if not 0 <= number < len(cells.queries):
        raise InputError(f"{source!r} is not among the queries that are drawn")
    return number


def _marked(capture: Capture, text: int, source: int | str) -> tuple[str, dict[int, int]]:
    """What the marked row is called, and its number in each layer that has it: not all attend from the same text."""
    rows: dict[int, int] = {}
    name, error = "", UnknownWordError("")
    for number, layer in enumerate(capture.layers):
        labels = side_of(capture, text, layer, 2)
        try:
            rows[number] = find_label(source, labels, list(range(len(labels))))
            name = name or _visible(labels[rows[number]])
        except UnknownWordError as unknown:
            error = unknown
    if not rows:
        raise error
    return name, rows


def ticks(
    axis: Any, labels: Sequence[str], block: int, count: int, rotation: int = 0, *, most: int = _MOST_TICKS
) -> None:
    """Labels at one side, thinned out where there are more than ``most``: each says where its block starts."""
    places = list(range(0, count, -(-count // most)))
    shown = [_visible(labels[place * block]) for place in places]
    axis.set_ticks(places, shown, rotation=rotation, fontsize=9 if count <= 32 else 7, **PLAIN)


def _mark_row(axes: Axes, row: int, count: int, linewidth: float = 1.4) -> None:
    axes.plot([-0.5, count - 0.5, count - 0.5, -0.5, -0.5], [row - 0.5] * 2 + [row + 0.5] * 2 + [row - 0.5],
              color=MARK, linewidth=linewidth, clip_on=False)  # fmt: skip


def _lines(axes: Axes, weights: torch.Tensor, order: torch.Tensor, row: int | None) -> None:
    """Curves for these numbers of the weights (heads, queries, keys); those that are not from ``row`` are faint."""
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgba

    heads, _, width = weights.shape
    head, place = order // weights[0].numel(), order % weights[0].numel()
    query, key, strength = place // width, place % width, weights.flatten()[order]
    t = np.linspace(0, 1, 25)
    x = 1.5 * t * (1 - t) + t**3  # Bézier curves that leave and arrive level: control points at 0.5
    rise = 3 * t**2 * (1 - t) + t**3
    y = query.numpy()[:, None] * (1 - rise) + key.numpy()[:, None] * rise
    # Heads side by side, so that one does not cover another between the same two tokens.
    y += 0.14 * (head.numpy()[:, None] - (heads - 1) / 2)
    curves = np.stack([np.broadcast_to(x, y.shape), y], -1)
    weight = strength.double().numpy()
    opacity = np.minimum(1.0, 0.1 + weight)
    if row is not None:
        opacity = np.where(query.numpy() == row, np.minimum(1.0, 0.25 + weight), 0.05)
    inks = [
        to_rgba(colour, float(alpha))
        for colour, alpha in zip([COLOURS[n] for n in head.tolist()], opacity, strict=True)
    ]
    lines = LineCollection(list(curves), colors=inks, linewidths=np.maximum(0.4, 5 * weight), capstyle="butt")
    axes.add_collection(lines)


def _legend(axes: Axes, names: Sequence[str]) -> int:
    """A line of each head's colour above the axes; gives how many rows they take."""
    from matplotlib.lines import Line2D

    keys = [Line2D([], [], color=COLOURS[n], linewidth=3) for n in range(len(names))]
    axes.legend(
        keys, names, loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3, fontsize=8, frameon=False,
        borderpad=0.0, borderaxespad=0.2, handlelength=1.2, columnspacing=1.2,
    )  # fmt: skip
    return -(-len(names) // 3)


def _visible(label: str) -> str:
    """The label with its white space shown, on one line, and cut where it would push the map off the paper."""
    stripped = label.strip(" ")
    if not stripped:
        return "␣" * min(len(label), 4) or "∅"
    shown = label.replace("Ġ", "·").replace("▁", "·").replace("Ċ", "⏎")
    shown = "".join(_SIGNS.get(c, "\ufffd" if _is_control(c) else c) for c in shown[:40])
    return shown if len(shown) <= 18 else shown[:17] + "…"


_SIGNS = {"\n": "⏎", "\r": "⏎", "\t": "⇥"}


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def short(text: str, most: int = 90) -> str:
    """The text on one line, cut where it is too long for a title."""
    one_line = "".join("\ufffd" if _is_control(c) else c for c in " ".join(text.split()))
    return one_line if len(one_line) <= most else one_line[: most - 1] + "…"
