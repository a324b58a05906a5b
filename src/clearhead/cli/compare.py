"""``clearhead compare``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clearhead.cli.shared import busy, check_figure, check_place, say, text_of
from clearhead.errors import InputError

if TYPE_CHECKING:
    from clearhead.analysis.comparison import Comparison, HeadChange
    from clearhead.capture.capture import Capture
    from clearhead.capture.runners import Runner

__all__ = ["compare"]

_TOKENS = 4096  # of the texts that are run together

_Kind = Annotated[str, typer.Argument(help="A capture (.safetensors), a model id or folder, a run, or a checkpoint.")]


def compare(
    before: _Kind,
    after: _Kind,
    text: Annotated[str | None, typer.Argument(help="The text to run both models on; or use --file.")] = None,
    file: Annotated[
        str | None,
        typer.Option("--file", metavar="F|-", help="Read the text from a file, or -; of a .conllu all sentences."),
    ] = None,
    lines: Annotated[bool, typer.Option("--lines", help="Each line of the file is a text of its own.")] = False,
    words: Annotated[bool, typer.Option("--words", help="Compare words instead of the models' tokens.")] = False,
    top: Annotated[int, typer.Option("--top", min=1, help="How many heads to list.")] = 8,
    figure: Annotated[
        Path | None,
        typer.Option(
            "--figure", metavar="OUT", help="Draw what changed, with maps of the first text: .png, .svg, .pdf."
        ),
    ] = None,
    parquet: Annotated[
        Path | None, typer.Option("--parquet", metavar="OUT", help="Write a table, a row a head: OUT.parquet.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON of all heads for programs.")] = False,
    truncate: Annotated[bool, typer.Option("--truncate", help="Cut off what is too long for a model.")] = False,
) -> None:
    """Show which heads changed from one model, training step or capture to another.

    Of each head the Jensen–Shannon divergence of its weights, the mean over all queries of all texts, padding left out.
    """
    if figure is not None:
        check_figure(figure)
    write_table = None if parquet is None else _table_writer(parquet)
    for path in (figure, parquet):
        if path is not None:
            check_place(path)
    with busy("Loading …"):
        one, other = _open(before), _open(after)
    if isinstance(one, _Captured) and isinstance(other, _Captured):
        if text is not None or file is not None or lines or truncate:
            raise InputError("two captures have their texts: leave TEXT, --file, --lines and --truncate out")
        found, pair, notes = _of_captures(one.capture, other.capture, words=words)
    elif isinstance(one, _Captured) or isinstance(other, _Captured):
        capture, model = (before, after) if isinstance(one, _Captured) else (after, before)
        raise InputError(
            f"{capture} is a capture and {model} is a model: make a capture of it on the same text (clearhead look "
            "TEXT --model ID --save OUT.safetensors), and compare the two captures"
        )
    else:
        if text is None and file is None:
            raise InputError(
                "two models are compared on a text: give TEXT or --file; models of pictures are compared by their "
                "captures (clearhead look --image F --model ID --save OUT.safetensors)"
            )
        found, pair, notes = _of_models(one, other, _texts(text, file, lines), words=words, truncate=truncate)
    files: list[tuple[Path, Callable[[str], Any]]] = []
    if figure is not None:
        from clearhead.views.comparison import changes
        from clearhead.views.figure import figure_writer, plain_figure

        drawn = changes(found, *pair, most=min(top, 4), names=(before, after), new=plain_figure)
        files.append((figure, figure_writer(drawn, figure)))
    if parquet is not None and write_table is not None:
        files.append((parquet, write_table(found)))
    from clearhead.files import write_together

    write_together(files)
    for note in notes:
        say(f"note: {note}")
    for kind, path in (("picture", figure), ("table", parquet)):
        if path is not None:
            say(f"{kind}: {path}")
    if as_json:
        record = _record(found, before, after)
        typer.echo(json.dumps(record, ensure_ascii=False, indent=2, allow_nan=False))
        return
    from rich.console import Console

    from clearhead.views.terminal import render_comparison

    Console().print(render_comparison(found, before=before, after=after, top=top), highlight=False)


# What is compared.


class _Captured:
    def __init__(self, capture: Capture) -> None:
        self.capture = capture


def _open(name: str) -> _Captured | Runner:
    """A capture, or what runs a model: of the hub or a folder, of a run, or of one of its checkpoints."""
    path = Path(name)
    if path.suffix == ".safetensors":
        from clearhead.capture.format import open_capture

        return _Captured(open_capture(path))
    from clearhead.capture.runners import runner_of

    if (path / "run.json").is_file():
        from clearhead.training.run import open_run

        return runner_of(open_run(path).model())
    whole = path.absolute()
    if whole.parent.name == "checkpoints" and (whole.parents[1] / "run.json").is_file():
        from clearhead.training.run import open_checkpoint

        return runner_of(open_checkpoint(path))
    return runner_of(name)


def _texts(text: str | None, file: str | None, lines: bool) -> list[str]:
    if text is None and file is not None and file.endswith(".conllu"):
        if lines:
            raise InputError("the texts of a .conllu file are its sentences: leave --lines out")
        from clearhead.training.conllu import read_conllu

        return [" ".join(sentence.words) for sentence in read_conllu(file)]
    whole = text_of(text, file)
    found = [line for line in whole.splitlines() if line.strip()] if lines else [whole]
    if not found:
        raise InputError(f"{file or 'the text'} has no line with a text in it")
    try:
        whole.encode()
    except UnicodeEncodeError as error:  # bytes of a command line that were not UTF-8
        raise InputError(f"the text is not Unicode: {error}") from None
    return found


# Comparing.


def _of_captures(
    before: Capture, after: Capture, *, words: bool
) -> tuple[Comparison, tuple[Capture, Capture], list[str]]:
    from clearhead.analysis.comparison import compare as run

    notes = []
    pair = before, after
    texts = [capture.tokens or [] for capture in pair]
    differ = all(texts) and [x.pieces for x in texts[0]] != [x.pieces for x in texts[1]]
    if words or differ or before.unit != after.unit:
        notes = _by_word(differ and not words)
        pair = before.words(), after.words()
    return run(*pair), pair, notes


def _by_word(is_needed: bool) -> list[str]:
    return ["the models cut the texts into different tokens, so words are compared"] if is_needed else []


def _of_models(
    before: Runner, after: Runner, texts: Sequence[str], *, words: bool, truncate: bool
) -> tuple[Comparison, tuple[Capture, Capture], list[str]]:
    """Over all texts, a batch at a time, and the captures of the first text."""
    from clearhead.analysis.comparison import compare as run
    from clearhead.analysis.comparison import merge
    from clearhead.capture.look import look

    encoded = [model.encode(list(texts), model.limit if truncate else None) for model in (before, after)]
    differ = any(one.tokens != other.tokens for one, other in zip(*encoded, strict=True))
    lengths = [max(len(one), len(other)) for one, other in zip(*encoded, strict=True)]
    del encoded
    cut: set[str] = set()

    def pair_of(numbers: Sequence[int]) -> tuple[Capture, Capture]:
        captures = []
        for model in (before, after):
            capture = look([texts[number] for number in numbers], model, truncate=truncate)
            cut.update([model.name] if capture.provenance["truncated"] else [])
            captures.append(capture.words() if words or differ else capture)
        return captures[0], captures[1]

    batches = _batches(lengths)
    if len(texts) == 1:
        with busy("Comparing …"):
            pair = pair_of([0])
            found = run(*pair)
    else:
        found = merge(run(*pair_of(batch)) for batch in _progress(batches, len(texts)))
        pair = pair_of([0])
    notes = []
    if before.is_both or after.is_both:
        notes.append(
            "of an encoder–decoder the encoder is compared; captures (those of a film, too) hold its decoder as well"
        )
    notes += [f"what is too long for {' and '.join(sorted(cut))} was cut off"] if cut else []
    for model in (before, after):
        if model.missing:
            count, first = len(model.missing), model.missing[0]
            notes.append(
                f"{count} weights of {model.name} are not in the checkpoint and are random, among them {first}"
            )
    return found, pair, notes + _by_word(differ and not words)


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """The numbers of texts of about the same length, the longest first: what is too long is said at once."""
    found: list[list[int]] = []
    for number in sorted(range(len(lengths)), key=lambda n: -lengths[n]):
        if not found or (len(found[-1]) + 1) * lengths[found[-1][0]] > _TOKENS:
            found.append([])
        found[-1].append(number)
    return found


def _progress(batches: Sequence[Sequence[int]], texts: int) -> Iterator[Sequence[int]]:
    """The batches, with a bar on stderr where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("texts"), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=texts)
        for batch in batches:
            yield batch
            progress.advance(task, len(batch))


# What is given out.


def _record(found: Comparison, before: str, after: str) -> dict[str, Any]:
    return {
        "before": before,
        "after": after,
        "unit": found.unit,
        "texts": found.texts,
        "divergence": "Jensen–Shannon, in nats: 0 the same, 0.693 no key in common; the mean over all queries",
        "mean": found.mean(),
        "layers": {layer: found.mean(layer) for layer in found.layers},
        "heads": [_row(change) for change in found.heads],
    }


def _row(change: HeadChange) -> dict[str, Any]:
    before, after = change.distance or (None, None)
    return {
        "head": change.head,
        "layer": change.layer,
        "path": change.path,
        "divergence": change.divergence,
        "entropy_before": change.entropy[0],
        "entropy_after": change.entropy[1],
        "distance_before": before,
        "distance_after": after,
        "queries": change.queries,
    }


def _table_writer(path: Path) -> Callable[[Comparison], Callable[[str], Any]]:
    if path.suffix.lower() != ".parquet":
        raise InputError(f"a table is written as .parquet; got {path.name!r}")
    from clearhead.analysis.film import need_polars

    polars = need_polars()
    return lambda found: (
        polars.DataFrame(
            [_row(change) for change in found.heads],
            schema_overrides={"distance_before": float, "distance_after": float},
        ).write_parquet
    )
