"""``clearhead train`` with its four tasks, and ``clearhead tag``."""

from __future__ import annotations

import inspect
import json
import re
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from clearhead.cli.shared import busy, text_of
from clearhead.errors import InputError

if TYPE_CHECKING:
    from clearhead.training import Recording, Run, Settings, Task

__all__ = ["app", "tag"]

_RUNS = Path("runs")

app = typer.Typer(help="Train or fine-tune a Transformer.", rich_markup_mode=None)


@dataclass(frozen=True)
class Options:
    """What all tasks take. A setting that is not given is the task's own, or that of the run that is resumed."""

    out: Annotated[
        Path | None, typer.Option("--out", metavar="RUN", help="The folder of the run. [default: runs/ and the task]")
    ] = None
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint of that folder.")] = False
    steps: Annotated[int | None, typer.Option("--steps", help="How many updates of the weights.")] = None
    batch: Annotated[int | None, typer.Option("--batch", help="Examples an update, of all processes together.")] = None
    learning_rate: Annotated[float | None, typer.Option("--learning-rate", help="At its highest.")] = None
    accumulate: Annotated[
        int | None, typer.Option("--accumulate", help="Compute a batch in so many parts, for less memory.")
    ] = None
    precision: Annotated[str | None, typer.Option("--precision", metavar="fp32|bf16", help="Of the products.")] = None
    evaluate_every: Annotated[
        int | None, typer.Option("--evaluate-every", help="Steps between two evaluations, each with a checkpoint.")
    ] = None
    patience: Annotated[
        int | None, typer.Option("--patience", help="Stop after so many evaluations that are no better.")
    ] = None
    seed: Annotated[int | None, typer.Option("--seed", help="Learn the same again.")] = None
    film_every: Annotated[
        int | None,
        typer.Option(
            "--film-every", min=0, help="Steps between two recordings of the heads, 0 for none. [default: 200]"
        ),
    ] = None
    film_layers: Annotated[
        str | None,
        typer.Option("--film-layers", metavar="0,3", help="Layers whose maps are recorded. [default: all]"),
    ] = None
    probe: Annotated[
        Path | None,
        typer.Option(
            "--probe",
            metavar="F",
            help="Texts whose maps are recorded, one a line; what is too long is cut off. Statistics are always those "
            "of validation examples. [default: some of these, and two sentences for tags]",
        ),
    ] = None
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False

    def recording(self, task: str) -> Recording | None:
        """How the heads are filmed."""
        from clearhead.training import Recording, open_run

        film = open_run(self.folder(task)).description.get("film", {}) if self.resume else {}
        given: dict[str, Any] = {"every": self.film_every}
        given["texts"] = None if self.probe is None else tuple(text_of(None, str(self.probe)).splitlines())
        given["layers"] = None if self.film_layers is None else tuple(map(_layer, self.film_layers.split(",")))
        given = {name: value for name, value in given.items() if value is not None}
        if film is None and not given:
            return None
        return None if self.film_every == 0 else Recording(**{**(film or {}), **given})

    def folder(self, task: str) -> Path:
        """Where the run is."""
        return _RUNS / task if self.out is None else self.out

    def check(self, task: str) -> None:
        """What would fail after the data were read fails now."""
        from clearhead.training.run import check_free, check_packages

        check_packages()
        if not self.resume:
            check_free(self.folder(task))
        if self.probe is not None and not text_of(None, str(self.probe)).strip():
            raise InputError(f"{self.probe} has no probe sentence to film the heads on: write one a line")
        if self.film_every == 0 and (self.probe is not None or self.film_layers is not None):
            raise InputError("--film-every 0 records nothing: leave it out, or --probe and --film-layers")

    def known(self, task: str) -> dict[str, Any]:
        """What the run that is resumed is of; nothing of a new one."""
        if not self.resume:
            return {}
        from clearhead.training import open_run

        description = open_run(self.folder(task)).description
        return dict(description["of"]) if description.get("task") == task else {}

    def settings(self, task: Task) -> Settings:
        """What is given, and the rest."""
        from clearhead.training import Settings, open_run

        rest = open_run(self.folder(task.name)).description["settings"] if self.resume else asdict(task.defaults)
        names = {field.name for field in fields(Settings)}
        given = {name: value for name, value in asdict(self).items() if name in names and value is not None}
        return Settings(**{name: value for name, value in rest.items() if name in names} | given)


def _layer(name: str) -> int | str:
    """A layer by number, also written L3, or by path."""
    number = re.fullmatch(r"\s*L?(\d+)\s*", name)
    return int(number[1]) if number else name.strip()


def _with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command, besides its own, the fields of :class:`Options` on the command line."""
    own = inspect.signature(command, eval_str=True)
    hints = get_type_hints(Options, include_extras=True)
    shared = [
        inspect.Parameter(x.name, inspect.Parameter.KEYWORD_ONLY, default=x.default, annotation=hints[x.name])
        for x in fields(Options)
    ]

    @wraps(command)
    def run(**given: Any) -> None:
        options = Options(**{x.name: given.pop(x.name) for x in shared})
        command(**given, options=options)

    kept = [x.replace(kind=inspect.Parameter.KEYWORD_ONLY) for x in own.parameters.values() if x.name != "options"]
    run.__signature__ = own.replace(parameters=[*kept, *shared])  # type: ignore[attr-defined]  # which typer reads
    run.__annotations__ = {x.name: x.annotation for x in (*kept, *shared)}
    return run


Treebank = Annotated[
    Path | None,
    typer.Argument(
        metavar="DATA",
        help="A folder of a Universal Dependencies treebank, or a .conllu file. [default: a small sample]",
    ),
]


@app.command("tag")
@_with_options
def train_tag(
    options: Options,
    data: Treebank = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="ID|PATH", help="What to fine-tune. [default: sentence-transformers/all-MiniLM-L6-v2]"
        ),
    ] = None,
    new: Annotated[bool, typer.Option("--new", help="Begin with new weights instead.")] = False,
) -> None:
    """Learn the part of speech of each word: an encoder is fine-tuned.

    By default 600 steps of 32 sentences; with --new, 2,500.
    """
    if new and model is not None:
        raise InputError("give either --model, which is fine-tuned, or --new")
    options.check("tag")
    from clearhead.models.files import DEFAULT_MODEL
    from clearhead.training.tagging import Tagging

    known = options.known(Tagging.name).get("start", DEFAULT_MODEL)
    start = None if new else known if model is None else model
    train, validation, test = _treebank(data)
    task = Tagging(train, validation, held_out=test, start=start)
    _run(task, options, data, 'clearhead tag --run {run} "I saw a saw"')


@app.command("lemma")
@_with_options
def train_lemma(options: Options, data: Treebank = None) -> None:
    """Learn the dictionary form of each word, letter by letter: an encoder–decoder.

    By default 2,500 steps of 128 words.
    """
    options.check("lemma")
    from clearhead.training.lemmas import Lemmas

    train, validation, test = _treebank(data)
    task = Lemmas(train, validation, held_out=test)
    _run(task, options, data, 'clearhead generate --model {run}/model "<VERB>crossed"')


@app.command("text")
@_with_options
def train_text(
    options: Options,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A text, in UTF-8. [default: a part of a play]")
    ] = None,
    unit: Annotated[
        str | None, typer.Option("--unit", metavar="characters|byte-pairs", help="What a token is.")
    ] = None,
    context: Annotated[int | None, typer.Option("--context", help="Tokens that are read at once.")] = None,
    layers: Annotated[int | None, typer.Option("--layers", help="Blocks.")] = None,
    heads: Annotated[int | None, typer.Option("--heads", help="Heads of each.")] = None,
    dim: Annotated[int | None, typer.Option("--dim", help="Width.")] = None,
    dropout: Annotated[float | None, typer.Option("--dropout", help="Share of numbers that training drops.")] = None,
    vocabulary: Annotated[
        int | None, typer.Option("--vocabulary", help="At most so many byte pairs, from 256 on.")
    ] = None,
) -> None:
    """Learn to write a text on, with samples on the way: a decoder.

    By default 2,000 steps of 12 windows of 64 characters; 4 layers, 4 heads, width 128.
    """
    options.check("text")
    from clearhead.training.language import Language
    from clearhead.training.samples import TEXT
    from clearhead.training.written import Samples

    sizes: dict[str, Any] = {"unit": unit, "context": context, "layers": layers, "heads": heads, "dim": dim}
    sizes |= {"dropout": dropout, "vocabulary": vocabulary}
    known = options.known(Language.name)
    chosen = {name: known.get(name) if value is None else value for name, value in sizes.items()}
    content = text_of(None, str(TEXT if file is None else file))
    task = Language(content, **{name: value for name, value in chosen.items() if value is not None})
    samples = Samples(options.folder(task.name), start="\n" if "\n" in content else content[0])
    prompt = shlex.quote(" ".join(content.split()[:1]))
    follow = f"clearhead generate --model {{run}}/model --temperature 1 {prompt}"
    _run(task, options, file, follow, [samples])


@app.command("digits")
@_with_options
def train_digits(
    options: Options,
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER", help="Pictures of one size, in a folder a class. [default: handwritten digits]"
        ),
    ] = None,
    patch: Annotated[int | None, typer.Option("--patch", help="Height and width of a patch in pixels.")] = None,
) -> None:
    """Learn the class of pictures, such as a handwritten digit: a vision Transformer.

    By default 4,000 steps of 64 pictures.
    """
    options.check("digits")
    from clearhead.training.digits import Digits, handwritten_digits, read_folder

    parts = handwritten_digits() if folder is None else read_folder(folder)
    task = Digits(*parts, patch=options.known(Digits.name).get("patch") if patch is None else patch)
    _run(task, options, folder, "clearhead look --model {run}/model --image PICTURE")


def tag(
    text: Annotated[str | None, typer.Argument(help="A sentence; or use --file.")] = None,
    run: Annotated[
        Path | None,
        typer.Option(
            "--run", metavar="RUN", help="A run of clearhead train tag, or a model id or folder. [default: runs/tag]"
        ),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(
            "--file", metavar="F|-", help="Read sentences from a file, one a line, or from -; of a .conllu its words."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Tag the words of TEXT with their parts of speech."""
    folder = _RUNS / "tag" if run is None else run
    if run is None and not folder.is_dir():
        raise InputError(f"there is no folder {folder}: train a tagger (clearhead train tag), or name one with --run")
    with busy("Loading the model …"):
        from clearhead.models import load
        from clearhead.training import open_run, tagging
        from clearhead.training.conllu import read_conllu

        if text is None and file is not None and file.endswith(".conllu"):
            sentences = [list(sentence.words) for sentence in read_conllu(file)]
        else:
            given = text_of(text, file)
            sentences = [words for line in given.splitlines() if (words := tagging.split_text(line))]
        model = open_run(folder).model() if (folder / "run.json").is_file() else load(str(folder))
        if not sentences:
            raise InputError("there is no word in the text")
        tags = tagging.tag(model, sentences)
    if as_json:
        _print_json([{"words": words, "tags": own} for words, own in zip(sentences, tags, strict=True)])
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    shown = [_columns(words, own, width) for words, own in zip(sentences, tags, strict=True)]
    typer.echo("\n\n".join(shown))


def _columns(words: Sequence[str], tags: Sequence[str], width: int | None) -> str:
    r"""Each word above its tag, in lines of some width; without one, a word and its tag a line.

    >>> print(_columns(["I", "saw"], ["PRON", "VERB"], 80))
    I     saw
    PRON  VERB
    >>> _columns(["I", "saw"], ["PRON", "VERB"], None)
    'I\tPRON\nsaw\tVERB'
    """
    if width is None:
        return "\n".join(f"{word}\t{tag}" for word, tag in zip(words, tags, strict=True))
    from rich.cells import cell_len

    rows: list[list[list[str]]] = []
    used = width
    for pair in zip(words, tags, strict=True):
        wide = max(map(cell_len, pair))
        if used + wide > width:
            rows.append([[], []])
            used = 0
        for line, cell in zip(rows[-1], pair, strict=True):
            line.append(cell + " " * (wide - cell_len(cell)))
        used += wide + 2
    return "\n\n".join("\n".join("  ".join(line).rstrip() for line in row) for row in rows)


def _treebank(data: Path | None) -> tuple[Any, Any, Any]:
    from clearhead.training.conllu import read_treebank
    from clearhead.training.samples import TREEBANK

    return read_treebank(TREEBANK if data is None else data)


def _run(task: Task, options: Options, data: Path | None, follow: str, callbacks: Sequence[Any] = ()) -> None:
    """Train, and say what came of it.

    Args:
        task: What is learnt.
        options: How.
        data: What it was read from.
        follow: A command for the finished model, in which ``{run}`` stands for its folder.
        callbacks: More callbacks of the trainer.

    """
    from clearhead.training import open_run, train
    from clearhead.training.run import is_first_process

    folder = options.folder(task.name)
    was_finished = options.resume and bool(open_run(folder).measures)
    begun = time.perf_counter()
    try:
        run = train(
            task,
            folder,
            options.settings(task),
            resume=options.resume,
            recording=options.recording(task.name),
            callbacks=callbacks,
        )
    except KeyboardInterrupt:  # a second Ctrl-C
        if not (folder / "run.json").is_file():
            raise
        run = open_run(folder)
    if not run.measures:
        if is_first_process():
            given = [] if data is None else [str(data)]
            again = shlex.join(["clearhead", "train", task.name, *given, "--out", str(folder), "--resume"])
            typer.echo(f"interrupted; go on with: {again}", err=True)
        sys.exit(130)
    if is_first_process():
        seconds = None if was_finished else time.perf_counter() - begun
        _print_run(task, run, seconds, options, follow)


def _print_run(task: Task, run: Run, seconds: float | None, options: Options, follow: str) -> None:
    found = {of: {"model": dict(run.measures if of == "validation" else run.test)} for of in task.sets}
    for of, rows in found.items():
        rows |= task.baselines(of)
    if options.as_json:
        record = {"task": task.name, "run": str(run.folder), "model": str(run.folder / "model"), "measures": found}
        _print_json(record | {"left_out": task.left_out, "seconds": None if seconds is None else round(seconds, 1)})
        return
    from rich.console import Console

    console = Console()
    console.print(_table(found))
    console.print()
    quoted = shlex.quote(str(run.folder))
    if task.left_out:
        typer.echo(f"{task.left_out} sentences were left out of the training: the other sets have them, too")
    if seconds is not None:
        settings, last = run.description["settings"], run.checkpoints()[-1]
        typer.echo(f"learnt by {last * settings['batch']:,} draws from {len(task.examples):,} {task.unit}")
        if last < settings["steps"]:
            patience = f"{settings['patience']} evaluation{'s' * (settings['patience'] > 1)} without a better one"
            typer.echo(f"stopped at step {last:,} of {settings['steps']:,}, after {patience}")
    since = " since it went on" if options.resume else ""
    ended = "finished before" if seconds is None else f"after {_time(seconds)}{since}"
    typer.echo(f"model: {run.folder / 'model'}, {ended}")
    typer.echo(f"try it: {follow.format(run=quoted)}")
    if (run.folder / "film").is_dir():
        typer.echo(f"what its heads came to do: clearhead film {quoted}")
    typer.echo(f"how it went: tensorboard --logdir {quoted}/checkpoints")


def _table(found: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Any:
    """Rows for the model and each baseline, columns for each measure on each set."""
    from rich.table import Table

    columns = [(of, name) for of, rows in found.items() for name in rows["model"]]
    table = Table("", box=None, pad_edge=False, header_style="bold")
    for of, name in columns:
        table.add_column(f"{of}\n{name.replace('_', '-')}", justify="right")
    for who in found["validation"]:
        table.add_row(who, *(f"{found[of][who][name]:.4f}" for of, name in columns))
    return table


def _time(seconds: float) -> str:
    """A duration as it is said.

    >>> _time(8.25), _time(83.0), _time(7384.0)
    ('8.2 s', '1 min 23 s', '2 h 3 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _print_json(content: Any) -> None:
    typer.echo(json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False))
