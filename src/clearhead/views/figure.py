"""Figures for papers and screens, by matplotlib; nothing global is touched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from clearhead.capture.capture import Capture
from clearhead.errors import InputError, MissingPackageError
from clearhead.files import write_whole
from clearhead.views.formats import check_format

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["figure_writer", "grid_figure", "head_figure", "save_figure"]

MOST_LABELS = 96  # more tokens than this at one side are pooled for a figure
_COLOURS = "Blues"  # 0 is the paper; one hue, darker for more, safe for the colour-blind (ColorBrewer)
_MARK = "#d9480f"
_MOST_TICKS = 48


def head_figure(capture: Capture, head: str, *, text: int = 0, source: int | None = None) -> Figure:
    """The heatmap of one head: queries down, keys across, tokens or words at both sides.

    Args:
        capture: Of self-attention, by token or by word.
        head: ``L3H1``.
        text: Which text of the batch.
        source: The row to mark, if any.

    Above 96 tokens blocks are averaged, and the legend says so.

    """
    layer, place = capture.head(head)
    labels = [_visible(label) for label in capture.labels(text)]
    weights, size = _pooled(layer.map.select_heads([place]), text, len(labels))
    count = len(weights[0])
    side = min(9.0, max(3.2, 1.6 + 0.27 * count))
    figure = _figure((side + 0.9, side))
    axes: Axes = figure.add_subplot()
    image = axes.imshow(weights[0], cmap=_COLOURS, vmin=0.0, vmax=max(float(weights.max()), 1e-9), aspect="equal")
    model = str(capture.provenance.get("model") or "").rpartition("/")[2]
    axes.set_title(f"{head}\n{_short(model, 32)}".rstrip(), fontsize=9, loc="left", pad=10)
    _ticks(axes, labels, size, count)
    axes.set_ylabel("from (query)")
    axes.set_xlabel("to (key)")
    axes.xaxis.set_label_position("top")
    if source is not None:
        _mark_row(axes, source // size, count)
    bar = figure.colorbar(image, ax=axes, fraction=0.046, pad=0.03)
    bar.set_label("attention weight" if size == 1 else f"attention weight, mean of {size}×{size}")
    return figure


def grid_figure(capture: Capture, *, text: int = 0, source: int | None = None) -> Figure:
    """All heads of all layers as small heatmaps on one scale: layers down, heads across.

    Args:
        capture: Of self-attention, by token or by word.
        text: Which text of the batch.
        source: The row to mark in every map, if any.

    """
    count = len(capture.labels(text))
    rows = len(capture.layers)
    columns = max(max(layer.heads) for layer in capture.layers) + 1
    size = 1.0 if max(rows, columns) <= 16 else 16.0 / max(rows, columns)
    figure = _figure((columns * size + 1.2, rows * size + 1.2))
    image = None
    for row, layer in enumerate(capture.layers):
        weights, block = _pooled(layer.map, text, count, most=64)
        for place, head in enumerate(layer.heads):
            axes: Axes = figure.add_subplot(rows, columns, row * columns + head + 1)
            image = axes.imshow(weights[place], cmap=_COLOURS, vmin=0.0, vmax=1.0, aspect="equal")
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_linewidth(0.4)
            if row == 0:
                axes.set_title(f"H{head}", fontsize=8, pad=3)
            if head == layer.heads[0]:
                axes.set_ylabel(layer.label(), fontsize=8, rotation=0, ha="right", va="center")
            if source is not None:
                _mark_row(axes, source // block, len(weights[place]), linewidth=0.6)
    if image is None:
        raise InputError("there is no head to draw")
    labels = capture.labels(text)
    title = f"{_short(_text(capture, text))}   {capture.provenance.get('model') or ''}"
    if source is not None:
        title += f"\nmarked: the row of “{_visible(labels[source])}”"
    figure.suptitle(title, fontsize=9, x=0.02, ha="left")
    bar = figure.colorbar(image, ax=figure.axes, fraction=0.02, pad=0.015)
    blocks = -(-count // 64)
    bar.set_label("attention weight" if blocks == 1 else f"attention weight, mean of {blocks}×{blocks}", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    return figure


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
    return lambda part: figure.savefig(part, format=kind, dpi=160, metadata=metadata)


def _figure(size: tuple[float, float]) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingPackageError("figures need matplotlib: pip install 'clearhead[plot]'") from None
    return Figure(figsize=size, layout="constrained")


def _pooled(amap: Any, text: int, count: int, most: int = MOST_LABELS) -> tuple[Any, int]:
    """(heads, rows, columns) of one text as an array, averaged in blocks where it is large, and the block's size."""
    size = -(-count // most)
    weights: Tensor = amap[text, :, :count, :count] if size == 1 else amap.pooled(size)[text]
    blocks = -(-count // size)
    return weights[:, :blocks, :blocks].float().cpu().numpy(), size


def _ticks(axes: Axes, labels: Sequence[str], size: int, count: int) -> None:
    """Labels at both sides, thinned out where there are many: each says where its block starts."""
    step = -(-count // _MOST_TICKS)
    places = list(range(0, count, step))
    shown = [labels[place * size] if place * size < len(labels) else "" for place in places]
    font = 9 if count <= 32 else 7
    axes.set_xticks(places, shown, rotation=90, fontsize=font)
    axes.set_yticks(places, shown, fontsize=font)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)


def _mark_row(axes: Axes, row: int, count: int, linewidth: float = 1.4) -> None:
    axes.plot([-0.5, count - 0.5, count - 0.5, -0.5, -0.5], [row - 0.5] * 2 + [row + 0.5] * 2 + [row - 0.5],
              color=_MARK, linewidth=linewidth, clip_on=False)  # fmt: skip


def _visible(label: str) -> str:
    """The label with its white space shown, and without what matplotlib would read as mathematics."""
    shown = label.replace("\n", "⏎").replace("\t", "⇥")
    shown = shown.replace("Ġ", "·").replace("▁", "·").replace("Ċ", "⏎")
    return (shown if len(shown) <= 18 else shown[:17] + "…").replace("$", r"\$")


def _text(capture: Capture, text: int) -> str:
    return capture.tokens[text].text if capture.tokens is not None else ""


def _short(text: str, most: int = 90) -> str:
    one_line = " ".join(text.split()).replace("$", r"\$")
    return one_line if len(one_line) <= most else one_line[: most - 1] + "…"
