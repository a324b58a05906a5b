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
from clearhead.cli.shared import busy, text_of
from clearhead.errors import ClearheadError, InputError

if TYPE_CHECKING:
    from clearhead.analysis import Looks
    from clearhead.capture.capture import Capture

__all__ = ["app", "main"]

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
        typer.Option("--model", metavar="ID|PATH", help="A model id or folder. [default: all-MiniLM-L6-v2]"),
    ] = None,
    source: From = None,
    target: To = None,
    head: Head = None,
    top: Top = 8,
    pieces: Pieces = False,
    figure: Figure = None,
    save: Save = None,
    as_json: Json = False,
    file: Annotated[str | None, typer.Option("--file", metavar="F|-", help="Read the text from a file, or -.")] = None,
    truncate: Annotated[bool, typer.Option("--truncate", help="Cut off what is too long for the model.")] = False,
) -> None:
    """Run a pretrained Transformer on TEXT and show which words its heads look at."""
    given = text_of(text, file)
    _check_outputs(figure, save)
    with busy("Loading the model …"):
        from clearhead.capture.look import look as run
        from clearhead.models.files import DEFAULT_MODEL

        capture = run(given, DEFAULT_MODEL if model is None else model, truncate=truncate)
    if capture.provenance["random_weights"]:
        names = capture.provenance["random_weights"]
        _say(f"note: {len(names)} weights are not in the checkpoint and are random, among them {names[0]}")
    if capture.provenance["truncated"]:
        kept = len(capture.labels())
        _say(f"note: the text was cut off after {kept} tokens")
    _show(capture, source, target, head, top, pieces, figure, save, as_json)


@app.command("open")
def open_(
    run: Annotated[Path, typer.Argument(help="A capture: RUN.safetensors.")],
    source: From = None,
    target: To = None,
    head: Head = None,
    top: Top = 8,
    pieces: Pieces = False,
    figure: Figure = None,
    save: Save = None,
    as_json: Json = False,
    text: Annotated[int, typer.Option("--text", min=0, help="Which text of the capture, from 0.")] = 0,
) -> None:
    """Show a capture that was saved; neither the model nor transformers is needed."""
    _check_outputs(figure, save)
    from clearhead.capture.format import open_capture

    capture = open_capture(run)
    _show(capture, source, target, head, top, pieces, figure, save, as_json, text)


app.command()(of_models.generate)
app.command()(of_models.models)

# The base class of all errors of usage, wherever typer's version has its click from.
_USAGE_ERRORS: Any = typer.BadParameter.__mro__[2]


def _command(error: Any) -> tuple[str, ...]:
    name = getattr(getattr(error, "ctx", None), "info_name", None)
    return (name, "--help") if name in ("look", "open", "generate", "models") else ("--help",)


def main(arguments: list[str] | None = None) -> None:
    """The command ``clearhead``. An error of the user is one line on stderr and exit code 2."""
    for stream in (sys.stdout, sys.stderr):  # bars and words are Unicode, and not every terminal is
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app(arguments, standalone_mode=False)
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
    _say(f"clearhead: {' '.join(message.split())}")
    sys.exit(2)


def _say(message: str) -> None:
    typer.echo(message, err=True)


def _check_outputs(figure: Path | None, save: Path | None) -> None:
    """What would fail at the end fails before any work is done."""
    if figure is not None:
        import importlib.util

        from clearhead.errors import MissingPackageError
        from clearhead.views.formats import check_format

        check_format(figure)
        if importlib.util.find_spec("matplotlib") is None:
            raise MissingPackageError("figures need matplotlib: pip install 'clearhead[plot]'")
    for path in (figure, save):
        if path is None:
            continue
        if path.is_dir():
            raise InputError(f"cannot write {path}: it is a folder; give a file name in it")
        if not path.parent.is_dir():
            raise InputError(f"cannot write {path}: there is no folder {path.parent}")


def _show(
    capture: Capture,
    source: str | None,
    target: str | None,
    head: str | None,
    top: int,
    pieces: bool,
    figure: Path | None,
    save: Path | None,
    as_json: bool,
    text: int = 0,
) -> None:
    from clearhead.analysis import strongest_looks
    from clearhead.files import write_together

    whole = capture
    if not pieces and capture.tokens is not None:
        capture = capture.words()
    if head is not None:
        layer, place = capture.head(head)
        head = layer.label(layer.heads[place])
        capture = capture.select(layers=layer.name, heads=layer.heads[place])
    looks = strongest_looks(capture, source, target, text=text)
    files: list[tuple[Path, Callable[[str], None]]] = []
    if save is not None:
        from clearhead.capture.format import writer

        files.append((save, writer(whole)))
    if figure is not None:
        from clearhead.views.figure import figure_writer, grid_figure, head_figure

        drawn = (
            grid_figure(capture, text=text, source=looks.source)
            if head is None
            else head_figure(capture, head, text=text, source=looks.source)
        )
        files.append((figure, figure_writer(drawn, figure)))
    write_together(files)
    for kind, path in (("capture", save), ("picture", figure)):
        if path is not None:
            _say(f"{kind}: {path}")
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
