"""``clearhead serve``."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clearhead.cli.shared import browse, busy, say, text_of
from clearhead.errors import CaptureFormatError, ClearheadError, InputError

if TYPE_CHECKING:
    from clearhead.capture.capture import Capture

__all__ = ["serve"]

_SHORT = 1024  # tokens, of which it takes no time to say where to begin


def serve(
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="RUN…|TEXT", help="Captures: RUN.safetensors; with --model, the text to look at."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="ID|PATH", help="Run this model on the text first.")
    ] = None,
    file: Annotated[str | None, typer.Option("--file", metavar="F|-", help="Read the text from a file, or -.")] = None,
    truncate: Annotated[bool, typer.Option("--truncate", help="Cut off what is too long for the model.")] = False,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 for any port that is free.")] = 0,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Where to listen; by default only this computer can look.")
    ] = "127.0.0.1",
    memory: Annotated[
        int, typer.Option("--memory", metavar="MB", min=16, help="How much of what was computed is kept.")
    ] = 512,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Show captures of any length in a browser, until Ctrl-C."""
    from clearhead.views.server import ViewerServer

    given = list(runs or ())
    if model is None and file is None:
        if not given:
            raise InputError("give a capture, RUN.safetensors, or --model with a text or --file")
    elif len(given) > 1:
        raise InputError("with --model, give one text, or --file")
    # The port first: a model may take long, and what would fail then should fail now.
    with_port = ViewerServer([], host=host, port=port, memory=memory * 2**20)
    try:
        if model is None and file is None:
            captures = [_read(Path(run)) for run in given]
        else:
            captures = [_look(text_of(given[0] if given else None, file), model, truncate)]
        with_port.add(captures)
        names, starts = given or [str(file)], [_start(capture) for capture in captures]
        del captures
        if not _is_loopback(host):
            say(f"note: other computers can reach {host}; whoever knows the address can look")
        for name, start, address in zip(names, starts, with_port.addresses, strict=True):
            if len(names) > 1:
                say(f"{name}:")
            typer.echo(f"{address}#{start}" if start else address)
        say(f"at most {memory} MB of what was computed are kept; Ctrl-C stops")
        if open_ and not browse(with_port.addresses[0] + (f"#{starts[0]}" if starts[0] else "")):
            say("note: no browser to open was found; go to the address above")
        with_port.run()
    finally:
        with_port.close()


def _read(path: Path) -> Capture:
    from clearhead.capture.format import open_capture

    with busy(f"Reading {path} …"):
        try:
            capture = open_capture(path)
        except CaptureFormatError as error:
            if os.path.lexists(path):
                raise
            raise CaptureFormatError(f"{error}; to look at a text, give it with --model") from None
        for layer in capture.layers:
            layer.map.tensors()  # read and verified now, so that nothing damaged is found while somebody looks
    return capture


def _look(text: str, model: str | None, truncate: bool) -> Capture:
    with busy("Loading the model …"):
        from clearhead.capture.look import look
        from clearhead.models.files import DEFAULT_MODEL

        return look(text, DEFAULT_MODEL if model is None else model, truncate=truncate)


def _start(capture: Capture) -> str:
    """The word and the head that ``look`` begins with, as the part of an address after #; of a long text nothing."""
    from clearhead.analysis.looks import strongest_looks
    from clearhead.views.page import start_of

    if not capture.tokens or max(len(text) for text in capture.tokens) > _SHORT:
        return ""
    try:
        looks = strongest_looks(capture.words())
    except ClearheadError:  # fewer than two words, or attention to another text
        return ""
    return start_of(capture, heads=looks.heads[0].head, source=looks.source)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
