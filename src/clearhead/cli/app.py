"""The command ``clearhead``, and what it has: ``look`` and ``open`` are here."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clearhead._version import __version__
from clearhead.cli import models as of_models
from clearhead.cli import train as of_training
from clearhead.cli.compare import compare
from clearhead.cli.film import film
from clearhead.cli.serve import serve
from clearhead.cli.shared import busy, check_outputs, kept_page, say, text_of
from clearhead.cli.shared import open_page as open_in_browser
from clearhead.errors import ClearheadError, InputError

if TYPE_CHECKING:
    from clearhead.analysis import Looks
    from clearhead.capture.capture import Capture

__all__ = ["app", "main"]

_MANY_TOKENS = 8_192  # of which a page takes long to compute what it shows

app = typer.Typer(
    name="clearhead",
    help="See what a Transformer's heads look at, with weights rebuilt exactly from the fused kernel.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="WORD",
        help="The word to look from; WORD#2 for its second occurrence. [default: the one with the strongest look]",
    ),
]
To = Annotated[str | None, typer.Option("--to", metavar="WORD", help="Count only looks at this word.")]
Head = Annotated[str | None, typer.Option("--head", metavar="L3H1", help="Show this head alone: layer 3, head 1.")]
Top = Annotated[int, typer.Option("--top", min=1, help="How many heads and words to list.")]
Pieces = Annotated[bool, typer.Option("--pieces", help="Show the model's tokens instead of words.")]
Figure = Annotated[
    Path | None,
    typer.Option("--figure", metavar="OUT", help="Write a picture: .png, .svg or .pdf; one head, or the grid of all."),
]
Html = Annotated[Path | None, typer.Option("--html", metavar="OUT", help="Write the interactive page: OUT.html.")]
Open = Annotated[
    bool, typer.Option("--open", help="Open the page in a browser; without --html it is kept in a temporary file.")
]
Save = Annotated[Path | None, typer.Option("--save", metavar="OUT", help="Write the capture: OUT.safetensors.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    if version:
        typer.echo(f"clearhead {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def look(
    text: Annotated[str | None, typer.Argument(help="The text to look at; or use --file.")] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="ID|PATH", help="A model id or folder. [default: sentence-transformers/all-MiniLM-L6-v2]"
        ),
    ] = None,
    source: From = None,
    target: To = None,
    head: Head = None,
    top: Top = 8,
    pieces: Pieces = False,
    figure: Figure = None,
    html: Html = None,
    open_page: Open = False,
    save: Save = None,
    as_json: Json = False,
    image: Annotated[
        list[Path] | None,
        typer.Option("--image", metavar="F", help="Look at a picture, with a vision model as --model."),
    ] = None,
    file: Annotated[str | None, typer.Option("--file", metavar="F|-", help="Read the text from a file, or -.")] = None,
    truncate: Annotated[bool, typer.Option("--truncate", help="Cut off what is too long for the model.")] = False,
) -> None:
    """Run a pretrained Transformer on TEXT and show which words its heads look at."""
    if image and (text is not None or file is not None):
        raise InputError("give either a text or --image")
    given = None if image else text_of(text, file)
    check_outputs(figure, html, save)
    with busy("Loading the model …"):
        from clearhead.capture.look import look as run
        from clearhead.models.files import DEFAULT_MODEL

        capture = run(given, DEFAULT_MODEL if model is None else model, images=image or None, truncate=truncate)
    if capture.provenance["random_weights"]:
        names = capture.provenance["random_weights"]
        say(f"note: {len(names)} weights are not in the checkpoint and are random, among them {names[0]}")
    if capture.provenance["truncated"]:
        kept = len(capture.labels())
        say(f"note: the text was cut off after {kept} tokens")
    _show(capture, source, target, head, top, pieces, figure, html, open_page, save, as_json)


@app.command("open")
def open_(
    run: Annotated[Path, typer.Argument(help="A capture: RUN.safetensors.")],
    source: From = None,
    target: To = None,
    head: Head = None,
    top: Top = 8,
    pieces: Pieces = False,
    figure: Figure = None,
    html: Html = None,
    open_page: Open = False,
    save: Save = None,
    as_json: Json = False,
    text: Annotated[int, typer.Option("--text", min=0, help="Which text of the capture, from 0.")] = 0,
) -> None:
    """Show a capture that was saved; neither the model nor transformers is needed."""
    check_outputs(figure, html, save)
    from clearhead.capture.format import open_capture

    capture = open_capture(run)
    _show(capture, source, target, head, top, pieces, figure, html, open_page, save, as_json, text)


app.command()(of_models.generate)
app.command()(of_models.models)
app.command()(serve)
app.command()(film)
app.command()(compare)
app.command()(of_training.tag)
app.add_typer(of_training.app, name="train")

# The base class of all errors of usage, wherever typer's version has its click from.
_USAGE_ERRORS: Any = typer.BadParameter.__mro__[2]


def _command(error: Any) -> tuple[str, ...]:
    """What lists the options of the command that the error is about."""
    names: list[str] = []
    context = getattr(error, "ctx", None)
    while context is not None and context.parent is not None:
        names.insert(0, context.info_name)
        context = context.parent
    return (*names, "--help")


def main(arguments: list[str] | None = None) -> None:
    """The command ``clearhead``. An error of the user is one line on stderr and exit code 2."""
    for stream in (sys.stdout, sys.stderr):  # bars and words are Unicode, and not every terminal is
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        if code := app(arguments, standalone_mode=False):  # typer's way to say that it was interrupted
            sys.exit(code)
    except _USAGE_ERRORS as error:
        _fail(f"{error.format_message()} (clearhead {' '.join(_command(error))} lists what there is)")
    except ClearheadError as error:
        _fail(str(error))
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        # The reader has seen enough (``| head``); keep Python from complaining when it flushes at exit.
        sys.stdout = None
        sys.exit(0)


def _fail(message: str) -> None:
    say(f"clearhead: {' '.join(message.split())}")
    sys.exit(2)


def _show(
    capture: Capture,
    source: str | None,
    target: str | None,
    head: str | None,
    top: int,
    pieces: bool,
    figure: Path | None,
    html: Path | None,
    open_page: bool,
    save: Path | None,
    as_json: bool,
    text: int = 0,
) -> None:
    from clearhead.files import write_together

    whole = capture
    if head is not None:
        layer, place = capture.head(head)
        head = layer.label(layer.heads[place])
        capture = capture.select(layers=layer.name, heads=layer.heads[place])
    # Of one token, or of cross-attention, there is a picture though there are no looks.
    has_picture = figure is not None or html is not None or open_page
    capture, looks = _looks(capture, source, target, pieces, text, may_lack=has_picture and not as_json)
    files: list[tuple[Path, Callable[[str], None]]] = []
    if save is not None:
        from clearhead.capture.format import writer

        files.append((save, writer(whole)))
    if figure is not None:
        from clearhead.views.figure import figure_writer, grid, heatmap, plain_figure

        row = None if looks is None else looks.source
        if head is None:
            panels = grid(capture, text=text, source=row, new=plain_figure)
            drawn: Any = next(panel for panel in panels.flat if panel is not None).figure
        else:
            drawn = heatmap(capture, head, text=text, source=row, new=plain_figure).figure
        files.append((figure, figure_writer(drawn, figure)))
    if html is not None or open_page:
        from clearhead.views.page import page_writer, start_of

        start = start_of(
            whole,
            heads=head if looks is None or head is not None else looks.heads[0].head,
            source=None if looks is None else looks.source,
            target=None if looks is None or target is None else looks.heads[0].target,
            text=text,
            unit="pieces" if pieces else "words",
        )
        write_page = page_writer(whole, start=start)
        html = kept_page() if html is None else html
        files.append((html, write_page))
    write_together(files)
    for kind, path in (("capture", save), ("picture", figure), ("page", html)):
        if path is not None:
            say(f"{kind}: {path}")
    if html is not None:
        _advise(whole)
    if looks is not None:
        _print(capture, looks, top, head, pieces, as_json, text)
    if open_page and html is not None:
        sys.stdout.flush()
        open_in_browser(html)


def _advise(capture: Capture) -> None:
    """Say what is faster where a page is slow."""
    from clearhead.analysis.cells import by_token

    tokens = max(max(by_token(layer).shape[2:]) for layer in capture.layers)
    if tokens > _MANY_TOKENS:
        say(
            f"note: a page of {tokens:,} tokens is slow; clearhead serve RUN.safetensors is the faster way (--save "
            "writes RUN.safetensors)"
        )


def _looks(
    capture: Capture, source: str | None, target: str | None, pieces: bool, text: int, *, may_lack: bool
) -> tuple[Capture, Looks | None]:
    """The capture by what is shown of it, and its looks; with ``may_lack`` none where it is of a kind without them."""
    from clearhead.analysis import strongest_looks

    try:
        if not pieces and capture.tokens is not None:
            capture = capture.words()
        return capture, strongest_looks(capture, source, target, text=text)
    except InputError as error:
        if not may_lack or source is not None or target is not None:
            raise
        say(f"note: there is no table: {error}")
        return capture, None


def _print(capture: Capture, looks: Looks, top: int, head: str | None, pieces: bool, as_json: bool, text: int) -> None:
    if as_json:
        typer.echo(json.dumps(_record(capture, looks, top, head, text), ensure_ascii=False, indent=2, allow_nan=False))
        return
    from rich.console import Console

    from clearhead.views.terminal import render

    unit = "tokens" if pieces or capture.tokens is None else "words"
    Console().print(render(looks, unit=unit, top=top, head=head), highlight=False)


def _record(capture: Capture, looks: Looks, top: int, head: str | None, text: int) -> dict[str, Any]:
    grid = [[None if value != value else value for value in row] for row in looks.grid.tolist()]
    return {
        "model": capture.provenance.get("model"),
        "text": None if capture.tokens is None else capture.tokens[text].text,
        "unit": capture.unit,
        "labels": capture.labels(text),
        "from": {"number": looks.source, "word": looks.word},
        "head": head,
        "heads": [asdict(x) for x in looks.heads[:top]],
        "targets": [[asdict(x) for x in pair] for pair in looks.targets[:top]],
        "grid": {"layers": list(looks.layers), "weights": grid},
        "left_out": "special tokens, padding and the word itself; nothing is renormalised",
    }
