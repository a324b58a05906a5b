"""``clearhead film``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from clearhead.cli.shared import busy, check_outputs, kept_page, open_page, say
from clearhead.errors import InputError
from clearhead.files import write_together

if TYPE_CHECKING:
    from clearhead.analysis.comparison import HeadChange
    from clearhead.analysis.film import Film
    from clearhead.capture.capture import Capture

__all__ = ["film"]


def film(
    run: Annotated[Path, typer.Argument(help="The folder of a training, or of a film.")],
    head: Annotated[
        str | None, typer.Option("--head", metavar="L3H1", help="List and draw this head, and begin the page with it.")
    ] = None,
    text: Annotated[
        int | None,
        typer.Option("--text", min=0, help="Draw the maps of this one of the texts that were shown. [default: 0]"),
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="How many heads to list.")] = 8,
    pieces: Annotated[bool, typer.Option("--pieces", help="Draw the model's tokens instead of words.")] = False,
    figure: Annotated[
        Path | None,
        typer.Option("--figure", metavar="OUT", help="Draw the curves of all heads, or one --head and its maps."),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="OUT", help="Write the interactive page, with a slider of steps.")
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show how the heads of a model changed while it learnt."""
    check_outputs(figure, html)
    if text is not None and html is None and not show and (figure is None or head is None):
        raise InputError("--text chooses whose maps are drawn: add --head and --figure, --html or --open")
    if head is not None and "@" in head:
        raise InputError(f"--head names a head at all steps, as in L3H1; got {head}")
    text = text or 0
    from clearhead.analysis.comparison import compare
    from clearhead.analysis.film import open_film

    found = open_film(run)
    whole = found.capture()
    if head is not None:
        layer, place = whole.head(head)
        head = layer.label(layer.heads[place])
    with busy("Reading the film …"):
        changes = compare(found.at(found.steps[0]), found.at(found.steps[-1]))
    files: list[tuple[Path, Any]] = []
    if figure is not None:
        from clearhead.views.figure import figure_writer
        from clearhead.views.film import curves, head_film

        by = whole
        if head is not None and not pieces:
            with suppress(InputError):  # of cross-attention there are tokens only
                by = whole.words()
        drawn = curves(found) if head is None else head_film(found, by, head, text=text)
        files.append((figure, figure_writer(drawn, figure)))
    if html is not None or show:
        from clearhead.views.page import page_writer, start_of

        html = kept_page() if html is None else html
        unit: Literal["words", "pieces"] = "pieces" if pieces or whole.source_tokens else "words"
        start = start_of(whole, heads=head or changes.most_changed(1)[0].head, text=text, unit=unit)
        files.append((html, page_writer(whole, start=start)))
    write_together(files)
    for kind, path in (("picture", figure), ("page", html)):
        if path is not None:
            say(f"{kind}: {path}")
    listed = [x for x in changes.heads if x.head == head] if head is not None else changes.most_changed(top)
    if as_json:
        record = _record(found, changes.heads if head is None else listed)
        typer.echo(json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        from rich.console import Console

        from clearhead.views.film import render

        Console().print(render(found, listed, _kinds(whole)), highlight=False)
    if show and html is not None:
        open_page(html)


def _kinds(capture: Capture) -> dict[str, str] | None:
    """Of which part of an encoder–decoder each layer is; None of other models."""
    if capture.source_tokens is None:
        return None
    known = {
        ("source_tokens", "source_tokens"): "encoder",
        ("tokens", "tokens"): "decoder",
        ("tokens", "source_tokens"): "cross",
    }
    sides = {layer.path: capture.sides(layer) for layer in capture.layers}
    return {path: known.get((of[0].of, of[1].of), "") if of[0] and of[1] else "" for path, of in sides.items()}


def _record(film: Film, changes: Sequence[HeadChange]) -> dict[str, Any]:
    from clearhead.views.film import series

    of_all = series(film)
    return {
        "folder": str(film.folder),
        "steps": list(film.steps),
        "heads": [
            {"head": change.head, "path": change.path, "divergence": change.divergence, **of_all[change.head]}
            for change in changes
        ],
    }
