"""What a film shows: curves of each head's statistics over the steps of a training, and its map at some of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clearhead.analysis.comparison import HeadChange
from clearhead.analysis.film import Film
from clearhead.analysis.shown import check_text, side_of
from clearhead.capture.capture import Capture, Layer
from clearhead.errors import InputError
from clearhead.views.figure import COLOURS, New, heatmap, plain_figure, short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["curves", "head_film", "render"]

_LABELS = {
    "entropy": "entropy (nats)",
    "distance": "distance (tokens)",
    "first": "on the first token",
    "special": "on special tokens",
}
_SPARKS = "▁▂▃▄▅▆▇█"
_MOST_SPARKS = 8
_MOST_MAPS = 6
_MOST_LAYERS = 48
_TOKENS_NAMED = 32  # beside a map of the strip
_FLAT = 0.02


def render(film: Film, changes: Sequence[HeadChange], kinds: Mapping[str, str] | None = None) -> RenderableType:
    """What ``clearhead film`` prints: heads, and how they changed.

    Args:
        film: What was recorded.
        changes: From its first step to its last, of some heads.
        kinds: Of which stack each layer is, by its path, where there are several.

    """
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1 if kinds else 2, 0, 0))
    for title in ("head", "JS", "entropy", "", "distance", "first", "special"):
        table.add_column(title, no_wrap=True)
    of_all = series(film)
    values = [value for own in of_all.values() for value in own["entropy"]]
    low, high = min(values), max(values)
    if kinds:
        table.add_column("of", no_wrap=True)
    for change in changes:
        own = of_all[change.head]
        table.add_row(
            change.head,
            f"{change.divergence:.3f}",
            _from_to(own["entropy"], 2),
            sparks(own["entropy"], low, high),
            _from_to(own["distance"], 1),
            _from_to(own["first"], 2),
            _from_to(own["special"], 2),
            *([kinds[change.path]] if kinds else []),
        )
    none = ", but for cross-attention, which is between two texts" if kinds else ""
    first, last = film.steps[0], film.steps[-1]
    who = "the heads that changed most between them" if len(changes) > 1 else "and what changed between them"
    steps = f"{len(film.steps)} recordings, from step {first} to step {last}; {who}"
    return Group(
        Text(steps if len(film.steps) > 1 else f"One recording, of step {first}: nothing has changed yet"),
        table,
        "",
        Text(
            "JS: Jensen–Shannon divergence, in nats, of the maps that were recorded: 0 the same, 0.693 no key in "
            "common. All else are means over the probe set (in clearhead train: of the validation set): entropy in "
            f"nats, its course on one scale for all heads ({low:.2f} to {high:.2f}); distance in tokens{none}; first "
            "and special: the share of the weight on the first token and on special tokens.",
            style="dim",
        ),
    )


def _labels(table: Any) -> dict[str, str]:
    """The statistics that are drawn: without special tokens, where there are none or the first token alone is one."""
    tells = any(table["special"]) and not table["special"].equals(table["first"])
    return {name: label for name, label in _LABELS.items() if name != "special" or tells}


def _from_to(values: Sequence[float | None], digits: int) -> str:
    if None in (values[0], values[-1]):
        return "–"
    return f"{values[0]:.{digits}f} → {values[-1]:.{digits}f}"


def sparks(values: Sequence[float], low: float, high: float) -> str:
    """A line of blocks, one for each value, or for some of many, of which the first and the last are two.

    >>> sparks([0.0, 0.5, 1.0], 0.0, 1.0)
    '▁▅█'
    """
    count = min(len(values), _MOST_SPARKS)
    some = [values[round(n * (len(values) - 1) / max(1, count - 1))] for n in range(count)]
    return "".join(_SPARKS[round((value - low) / ((high - low) or 1.0) * (len(_SPARKS) - 1))] for value in some)


def series(film: Film) -> dict[str, dict[str, list[Any]]]:
    """For each head the values of each statistic, step by step; None where it has none."""
    table = film.statistics().sort("layer", "number", "step")
    return {
        str(head): {name: own[name].to_list() for name in _LABELS}
        for (head,), own in table.group_by("head", maintain_order=True)
    }


def curves(film: Film, *, new: New = plain_figure) -> Figure:
    """Each statistic of each head over the steps: statistics down, layers across, a line for each head.

    Args:
        film: What was recorded.
        new: Makes a figure.

    Raises:
        InputError: More layers than have room beside each other.
        MissingPackageError: matplotlib is not installed.

    """
    table = film.statistics()
    layers = table["layer"].unique().sort().to_list()
    if len(layers) > _MOST_LAYERS:
        raise InputError(f"there is room for {_MOST_LAYERS} layers, and the film has {len(layers)}: name one --head")
    numbers = table["number"].unique().sort().to_list()
    rows = _labels(table)
    figure: Figure = new((1.2 + 1.7 * max(2, len(layers)), 0.6 + 1.7 * len(rows)))
    from matplotlib import colormaps

    shades = colormaps["viridis"]
    panels = figure.subplots(len(rows), len(layers), sharex=True, sharey="row", squeeze=False)
    for row, (name, label) in enumerate(rows.items()):
        for column, layer in enumerate(layers):
            axes = panels[row, column]
            for place, number in enumerate(numbers):
                own = table.filter(layer=layer, number=number).sort("step")
                colour = shades(0.92 * place / max(1, len(numbers) - 1))
                marker = {"marker": "o", "markersize": 2.5} if len(film.steps) < 2 else {}
                axes.plot(own["step"], own[name], color=colour, linewidth=1.0, label=f"H{number}", **marker)
            if table.filter(layer=layer)[name].null_count():
                axes.text(0.5, 0.5, "none: keys are those\nof another text", transform=axes.transAxes, ha="center",
                          va="center", fontsize=7, color="#666666")  # fmt: skip
            if row == 0:
                axes.set_title(f"L{layer}", fontsize=9)
            if column == 0:
                axes.set_ylabel(label, fontsize=8)
            if row == len(rows) - 1:
                axes.set_xlabel("training step", fontsize=8)
        for axes in panels[row]:  # now that the row's common scale is known
            _plain(axes)
    figure.align_ylabels()
    figure.supxlabel("means over the probe set", fontsize=8, x=0.01, ha="left")
    lines, names = panels[0, 0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside right upper", fontsize=7, frameon=False, ncols=1 + len(names) // 33)
    return figure


def head_film(film: Film, capture: Capture, head: str, *, text: int = 0, new: New = plain_figure) -> Figure:
    """One head: its statistics over the steps among those of its layer, and its map at up to six of the steps.

    Args:
        film: What was recorded.
        capture: ``film.capture()``, or that by word.
        head: ``L3H1``
        text: Which of the texts that were shown.
        new: Makes a figure.

    Raises:
        UnknownLayerError: No such head.
        InputError: No such text.
        MissingPackageError: matplotlib is not installed.

    """
    layer, place = capture.head(head)
    head = layer.label(layer.heads[place])
    count = min(len(film.steps), _MOST_MAPS)
    calls = sorted({round(n * (len(film.steps) - 1) / max(1, count - 1)) for n in range(count)})
    check_text(text, [layer])
    rows, columns = (
        range(len(side_of(capture, text, layer, axis)) - _padding(capture, layer, text, axis)) for axis in (2, 3)
    )
    named = max(len(rows), len(columns)) <= _TOKENS_NAMED
    side = 3.0 if named else 2.4
    high = side * min(1.5, len(rows) / len(columns)) + (0.8 if named else 0.4)
    figure: Figure = new((max(7.0, 0.6 + side * len(calls)), 2.3 + high))
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(2.3, high))[:, 0]
    table = film.statistics()
    own = table.filter(layer=layer.number)
    known = {name: label for name, label in _labels(table).items() if not own[name].null_count()}
    for axes, (name, label) in zip(above.subplots(1, len(known)), known.items(), strict=True):
        for number in sorted(own["number"].unique().to_list(), key=lambda n: n == layer.heads[place]):
            this = number == layer.heads[place]
            line = own.filter(number=number).sort("step")
            axes.plot(line["step"], line[name], color=COLOURS[1] if this else "#c4c4c4", linewidth=1.8 if this else 0.8)
        for call in calls:
            axes.axvline(film.steps[call], color="#888888", linewidth=0.5, linestyle=":")
        _plain(axes)
        axes.set_title(label, fontsize=8)
        axes.set_xlabel("training step", fontsize=8)
    grey = "means over the probe set; grey: the other heads of its layer"
    above.suptitle(f"{head} ({layer.path}), {grey}", fontsize=9, parse_math=False)
    sides = [getattr(capture, side.of)[text].text for side in capture.sides(layer) if side is not None]
    said = " → ".join(dict.fromkeys(short(x, 100) for x in sides if x))
    if said and not capture.pictures:
        below.suptitle(said, fontsize=9, parse_math=False, x=0.01, ha="left")  # not above a step, as if of it alone
    panels = below.subplots(1, len(calls), squeeze=False)[0]
    for axes, call in zip(panels, calls, strict=True):
        name = head if call == 0 else f"{head}@{call}"
        heatmap(capture, name, text=text, queries=rows, keys=columns, ax=axes, legend=False)
        axes.set_title("", loc="left")
        axes.set_title(f"step {film.steps[call]}", fontsize=9, pad=4)
        axes.set(xlabel="", ylabel="")
        for axis in (axes.xaxis, axes.yaxis):
            if not named or (axis is axes.yaxis and axes is not panels[0]):
                axis.set_ticks([])
            for label in axis.get_ticklabels():
                label.set_fontsize(6)
    panels[0].set_ylabel("from (query) ↓ to (key) →", fontsize=8)
    images = [axes.images[0] for axes in panels]
    for image in images:  # on one scale
        image.set_clim(min(x.norm.vmin for x in images), max(x.norm.vmax for x in images))
    bar = below.colorbar(images[-1], ax=list(panels), fraction=0.02, pad=0.01, shrink=0.7)
    bar.set_label("attention weight", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    return figure


def _padding(capture: Capture, layer: Layer, text: int, axis: int) -> int:
    """How many of the tokens at the end of a side are padding, which nothing attends to."""
    side = capture.sides(layer)[axis - 2]
    if side is None or capture.unit == "words":
        return 0
    return sum(getattr(capture, side.of)[text].padding)


def _plain(axes: Any) -> None:
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.03)
    axes.ticklabel_format(axis="y", useOffset=False, style="plain")
    low, high = axes.get_ylim()
    if high - low < _FLAT:  # what is all but flat looks so
        axes.set_ylim((low + high - _FLAT) / 2, (low + high + _FLAT) / 2)
