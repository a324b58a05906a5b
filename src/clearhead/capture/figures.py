"""What a capture shows itself as: figures and a page. The drawing is done by the views."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["Figures"]


def _views(module: str) -> Any:
    """A module of the views, found by its name when it is first used.

    Views import captures and not the other way round, as everywhere in the package. These methods are only a second
    name for what the views do, put where people look for it.
    """
    return importlib.import_module(f"clearhead.views.{module}")


class Figures:
    """The methods of a capture that make pictures of it.

    Where no ``ax`` is given they draw in a new figure. It belongs to pyplot where pyplot is imported or IPython runs,
    so that notebooks and ``plt.show()`` show it; else it is ``axes.figure``, to be saved, and pyplot stays unloaded.
    The font is ``matplotlib.rcParams["font.family"]``; characters that it lacks are drawn as boxes.
    """

    def heatmap(
        self,
        heads: str | Sequence[str],
        *,
        text: int = 0,
        source: int | str | None = None,
        queries: range | None = None,
        keys: range | None = None,
        log: bool = False,
        hide: Literal["nothing", "special", "first"] = "nothing",
        pool: Literal["mean", "max"] = "mean",
        ax: Axes | None = None,
        cmap: Any = None,
        figsize: tuple[float, float] | None = None,
        legend: bool = True,
    ) -> Axes:
        """The map of a head as a matplotlib figure: queries down, keys across, tokens at both sides, or words.

        It is by token, and of :meth:`Capture.words` by word. A side whose length is not that of the text, such as the
        keys of cross-attention, has numbers. Above 96 queries or keys, blocks of equal size are shown. Whatever was
        done to the weights stands at the bar of colours: averaged, log scale, hidden and renormalised.

        Args:
            heads: ``L3H1``; of several the mean is shown.
            text: Which text of the batch.
            source: The row to mark: a number, or a word as in ``it``, or ``it#2`` for its second occurrence.
            queries: Which rows to draw, as ``range(10, 40)``.
            keys: Which columns.
            log: Whether colours are by the logarithm, over four powers of ten below the largest weight.
            hide: Keys to take out, ``special`` tokens or the ``first`` key; the rest of each token's row is divided by
                its sum.
            pool: What stands for a block of a long map: its mean or its largest weight.
            ax: Where to draw, in a figure of your own.
            cmap: A colour map of matplotlib. [default: blue by weight; blue and red where weights can be below 0]
            figsize: Width and height of a new figure, in inches.
            legend: Whether there is a bar of colours.

        Raises:
            UnknownLayerError: No such head.
            UnknownWordError: No such word.
            InputError: No such text, rows or columns, or heads with maps of different sizes.
            MissingPackageError: matplotlib is not installed.

        Example:
            >>> import clearhead as ch
            >>> words = ch.look("The animal didn't cross the street because it was too tired.").words()
            >>> axes = words.heatmap("L3H1", source="it", hide="special")
            >>> axes.figure.savefig("l3h1.pdf")  # doctest: +SKIP
            >>> [label.get_text() for label in axes.get_yticklabels()][1:4]
            ['The', 'animal', "didn't"]

        """
        axes: Axes = _views("figure").heatmap(
            self, heads, text=text, source=source, queries=queries, keys=keys, log=log, hide=hide, pool=pool, ax=ax,
            cmap=cmap, figsize=figsize, legend=legend,
        )  # fmt: skip
        return axes

    def grid(
        self,
        *,
        text: int = 0,
        source: int | str | None = None,
        log: bool = False,
        hide: Literal["nothing", "special", "first"] = "nothing",
        cmap: Any = None,
        figsize: tuple[float, float] | None = None,
    ) -> NDArray[Any]:
        """All heads of all layers as small heatmaps in one matplotlib figure, on one scale of colours from 0 to 1.

        Above 64 queries or keys, blocks are averaged, and the bar of colours says so.

        Args:
            text: Which text of the batch.
            source: The row to mark in every map, by number or word.
            log: Whether colours are by the logarithm.
            hide: Keys to take out, as in :meth:`heatmap`.
            cmap: A colour map of matplotlib.
            figsize: Width and height in inches.

        Returns:
            An object array of Axes, (layers, heads): a column for each head number that occurs, and None where a layer
            has no such head. The figure is ``array[0, 0].figure``, or that of any other.

        Raises:
            UnknownWordError: No such word.
            InputError: No maps, more than 2,000, or no such text.
            MissingPackageError: matplotlib is not installed.

        Example:
            >>> import clearhead as ch
            >>> panels = ch.look("I saw a saw").words().grid()
            >>> panels.shape, panels[3, 1].images[0].get_array().shape
            ((6, 12), (6, 6))

        """
        panels: NDArray[Any] = _views("figure").grid(
            self, text=text, source=source, log=log, hide=hide, cmap=cmap, figsize=figsize
        )
        return panels

    def arcs(
        self,
        heads: str | Sequence[str],
        *,
        text: int = 0,
        source: int | str | None = None,
        queries: range | None = None,
        keys: range | None = None,
        hide: Literal["nothing", "special", "first"] = "nothing",
        ax: Axes | None = None,
        figsize: tuple[float, float] | None = None,
        legend: bool = True,
    ) -> Axes:
        """Queries in a column, keys in another, and lines as wide and dark as the weights, as a matplotlib figure.

        Each head has a colour (Okabe and Ito's, safe for the colour-blind). Lines are drawn for weights above 0.001,
        the 400 strongest of them; the line below the figure says what is left out. Of a side of more than 120 tokens
        the first 120 are drawn.

        Args:
            heads: ``L3H1``, or up to 6.
            text: Which text of the batch.
            source: The query whose lines stand out, by number or word.
            queries: Which queries to draw, as ``range(10, 40)``.
            keys: Which keys.
            hide: Keys to take out, as in :meth:`heatmap`.
            ax: Where to draw, in a figure of your own.
            figsize: Width and height of a new figure, in inches.
            legend: Whether colours are explained, where there are several heads.

        Raises:
            UnknownLayerError: No such head.
            UnknownWordError: No such word.
            InputError: No such text, queries or keys, more than 6 heads, or heads with maps of different sizes.
            MissingPackageError: matplotlib is not installed.

        Example:
            >>> import clearhead as ch
            >>> axes = ch.look("I saw a saw").words().arcs(["L3H1", "L5H11"], source="saw#2", hide="special")
            >>> axes.get_xlabel().splitlines()[-1]
            'special tokens hidden, rows renormalised'

        """
        axes: Axes = _views("figure").arcs(
            self, heads, text=text, source=source, queries=queries, keys=keys, hide=hide, ax=ax, figsize=figsize,
            legend=legend,
        )  # fmt: skip
        return axes

    def to_html(
        self,
        path: str | Path | None = None,
        *,
        heads: str | Sequence[str] | None = None,
        source: int | str | None = None,
        target: int | str | None = None,
        view: Literal["matrix", "arcs", "products", "image"] = "matrix",
        text: int = 0,
        unit: Literal["words", "pieces"] = "words",
        log: bool = False,
        hide: Literal["nothing", "special", "first"] = "nothing",
        theme: Literal["system", "light", "dark"] = "system",
    ) -> str | None:
        """The interactive viewer as one HTML file: the capture is in it, and it needs neither a server nor the network.

        The page holds q, k and one number a row, and computes weights where they are looked at. The arguments after
        ``path`` say what it shows at first; all can be changed there.

        Args:
            path: Where to write it, whole or not at all: ``.html``; None to get it as text.
            heads: ``L3H1``; several are averaged, or drawn in colours as arcs. [default: the first]
            source: The query that is selected: a number, or a word as in ``it``, or ``it#2`` for its second occurrence.
            target: The key that is selected; in cross-attention it is of the text that the encoder reads.
            view: Of the chosen heads.
            text: Which text of the batch.
            unit: Words, or the model's tokens. ``source`` and ``target`` are of these.
            log: Whether colours are by the logarithm.
            hide: Keys to take out, after which rows sum to 1 again.
            theme: Of the page; ``system`` is what the reader's computer has.

        Returns:
            The page, if ``path`` is None.

        Raises:
            UnknownLayerError: No such head.
            UnknownWordError: No such word.
            InputError: No maps, no such text, a page that no browser could open for its size, or a file that cannot be
                written or is not called ``.html``.
            NotFiniteError: The attention of a layer is NaN, for which the page has no sign.

        Example:
            >>> import clearhead as ch
            >>> capture = ch.look("The animal didn't cross the street because it was too tired.")
            >>> capture.to_html("animal.html", heads="L3H1", source="it")  # doctest: +SKIP
            >>> capture.to_html().startswith("<!doctype html>")
            True

        """
        page = _views("page")
        start = page.start_of(
            self, heads=heads, source=source, target=target, view=view, text=text, unit=unit, log=log, hide=hide,
            theme=theme,
        )  # fmt: skip
        if path is not None:
            page.write_page(self, path, start=start)
            return None
        made: str = page.page(self, start=start)
        return made
