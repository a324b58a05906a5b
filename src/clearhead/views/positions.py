"""Pictures of positions: the codes, how far rotations carry, how biases fall with distance."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from clearhead.errors import InputError
from clearhead.positions import ALiBi, Bias, Learned, RelativeBias, Rotary, Sinusoidal
from clearhead.shapes import whole_number
from clearhead.views.figure import plain_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_position"]

_HUE = "Blues"  # heads by number, from light to dark (ColorBrewer, as in the heatmaps of weights)
_SIGNED = "RdBu_r"  # 0 is the paper, both signs alike (ColorBrewer)
_LINE = "#2171b5"
_MOST_NAMES = 12  # heads that the legend names


def plot_position(
    position: Sinusoidal | Learned | Rotary | Bias, *, length: int = 128, head_dim: int | None = None
) -> Figure:
    """A picture of what a position part does, over ``length`` tokens.

    * Codes (:class:`Sinusoidal`, :class:`Learned`): a heatmap of position by number in the code.
    * :class:`Rotary`: cos of the angle by position and pair, and the product q·k of two equal vectors of length 1
      against their distance: how what is alike falls off, from 1 (more where a scaling has an amplitude).
    * A :class:`Bias`: bias against key − query for each head, as lines (:class:`ALiBi`) or a heatmap. Keys ahead are
      left out for those that are meant for causal attention.

    Args:
        position: The part.
        length: How many positions, or how far, in tokens. A learned code ends where its table does.
        head_dim: The width of a head for rotary parts (64, or its ``dim`` if that is more).

    Raises:
        InputError: Something else is given, or ``length`` is below 2.

    >>> plot_position(Sinusoidal(16), length=50).axes[0].get_xlabel()
    'number in the code'

    """
    whole_number("length", length, 2)
    with torch.no_grad():
        if isinstance(position, Sinusoidal | Learned):
            return _codes(position, length)
        if isinstance(position, Rotary):
            return _rotary(position, length, max(64, position.dim or 0) if head_dim is None else head_dim)
        if isinstance(position, Bias):
            return _bias(position, length)
    raise InputError(
        f"a {type(position).__name__} is no position that can be drawn; wanted is Sinusoidal, Learned, Rotary or a Bias"
    )


def _codes(code: Sinusoidal | Learned, length: int) -> Figure:
    if isinstance(code, Learned):
        length = min(length, code.length)
        values = code.table[:length]
    else:
        values = code(torch.arange(length))
    figure = plain_figure((5.6, 4.2))
    axes = figure.add_subplot()
    most = float(values.abs().max()) or 1.0
    image = axes.imshow(_array(values), cmap=_SIGNED, vmin=-most, vmax=most, aspect="auto", interpolation="nearest")
    axes.set_title(f"{code!r}", fontsize=9, loc="left")
    axes.set_xlabel("number in the code")
    axes.set_ylabel("position (tokens)")
    figure.colorbar(image, ax=axes, label="value")
    return figure


def _rotary(rotary: Rotary, length: int, head_dim: int) -> Figure:
    positions = torch.arange(length)
    angles = rotary.angles(positions, head_dim)
    alike = torch.ones(1, 1, length, head_dim, dtype=torch.float64) / head_dim**0.5
    turned = rotary.rotate(alike, positions)[0, 0]
    figure = plain_figure((8.4, 3.8))
    figure.suptitle(fill(f"{rotary!r}, head_dim={head_dim}", 110), fontsize=9, x=0.01, ha="left")
    heat, line = figure.subplots(1, 2)
    image = heat.imshow(_array(angles.cos()), cmap=_SIGNED, vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
    heat.set_xlabel("pair")
    heat.set_ylabel("position (tokens)")
    figure.colorbar(image, ax=heat, label="cos(angle)")
    line.axhline(0, color="0.8", linewidth=0.8)
    line.plot(_array(positions), _array(turned @ turned[0]), color=_LINE, linewidth=1.4)
    line.set_xlabel("distance (tokens)")
    line.set_ylabel("q·k of equal vectors of length 1")
    line.spines[["top", "right"]].set_visible(False)
    return figure


def _bias(bias: Bias, length: int) -> Figure:
    figure = plain_figure((6.4, 3.8))
    from matplotlib.ticker import MaxNLocator

    whole = getattr(bias, "bias", bias)  # of which these may be some heads
    causal = (isinstance(whole, ALiBi) and not whole.symmetric) or (
        isinstance(whole, RelativeBias) and not whole.bidirectional
    )
    keys = torch.arange(1 - length, 1 if causal else length)
    device = next((tensor.device for tensor in (*bias.parameters(), *bias.buffers())), None)
    values = bias.tile(torch.zeros(1, dtype=torch.long, device=device), keys.to(device))[0, :, 0]
    axes = figure.add_subplot()
    axes.set_title(f"{bias!r}", fontsize=9, loc="left")
    axes.set_xlabel("key − query (tokens); below 0 the key is behind")
    if isinstance(bias, ALiBi):
        _lines(axes, keys, values)
    else:
        most = float(values.abs().max()) or 1.0
        edges = (int(keys[0]) - 0.5, int(keys[-1]) + 0.5, bias.heads - 0.5, -0.5)
        image = axes.imshow(
            _array(values), cmap=_SIGNED, vmin=-most, vmax=most, aspect="auto", interpolation="nearest", extent=edges
        )
        axes.set_ylabel("head")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        figure.colorbar(image, ax=axes, label="bias (added to the score)")
    return figure


def _lines(axes: Axes, keys: Tensor, values: Tensor) -> None:
    """A line for each head; the steeper ALiBi's is, the darker, so that shades of one hue tell them apart."""
    from matplotlib import colormaps

    heads = len(values)
    named = range(0, heads, -(-heads // _MOST_NAMES))
    axes.axhline(0, color="0.8", linewidth=0.8)
    rank = values[:, 0].argsort(descending=True).argsort().tolist()
    for head, line in enumerate(_array(values)):
        shade = colormaps[_HUE](0.35 + 0.65 * (rank[head] + 1) / heads)
        axes.plot(_array(keys), line, color=shade, linewidth=1.4, label=f"head {head}" if head in named else None)
    axes.set_ylabel("bias (added to the score)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False)


def _array(values: Tensor) -> Any:
    return values.detach().cpu().float().numpy()
