"""Training a task by the trainer of ``transformers``, into a folder that a run can go on from."""

from __future__ import annotations

import json
import os
import re
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError

from clearhead._version import __version__
from clearhead.errors import InputError, MissingPackageError, ModelError
from clearhead.files import write_whole
from clearhead.models.fresh import fresh
from clearhead.models.load import LoadedModel, load
from clearhead.shapes import whole_number
from clearhead.training.base import Settings, Task

if TYPE_CHECKING:
    from clearhead.training.trainer import TaskTrainer

__all__ = [
    "Recording",
    "Run",
    "check_free",
    "check_packages",
    "is_first_process",
    "open_checkpoint",
    "open_run",
    "train",
]

_DESCRIPTION = "run.json"
_STATE = "trainer_state.json"  # which the trainer writes last
_ARCHIVES = ("optimizer.pt", "scheduler.pt", "rng_state*.pth")  # without which it goes on as another
_KINDS = {
    "task": "another task",
    "of": "other data or sizes",
    "settings": "other settings",
    "film": "another film",
}
_MEASURES = {"validation": "measures.json", "test": "test.json"}
_WEIGHTS = "model.safetensors"
_PREFIX = "model."  # of the names in a checkpoint: the trainer trains a WithLoss


@dataclass(frozen=True)
class Recording:
    """How a training is filmed: see :class:`~clearhead.training.recorder.Recorder`.

    Attributes:
        every: Steps between two recordings.
        layers: Numbers or paths of the layers whose maps are kept; None keeps all.
        texts: What is shown to the model; by default examples of the task's validation set.

    Raises:
        InputError: ``every`` is no whole number above 0.

    """

    every: int = 200
    layers: Sequence[int | str] | None = None
    texts: Sequence[str] | None = None

    def __post_init__(self) -> None:
        whole_number("every", self.every)


@dataclass(frozen=True)
class Run:
    """What a training left in its folder.

    Attributes:
        folder: Where it is.
        description: ``run.json``: the task, its settings, and the version of clearhead that it began with.
        measures: Those of the best checkpoint on the validation set; empty while it is not finished.
        test: The same on the test set; empty where there is none.

    """

    folder: Path
    description: Mapping[str, Any]
    measures: Mapping[str, float]
    test: Mapping[str, float]

    def model(self) -> LoadedModel:
        """The model of the best checkpoint, which :func:`clearhead.load` and ``transformers`` read, too.

        Raises:
            ModelError: The training is not finished.

        """
        if not (self.folder / "model" / _WEIGHTS).is_file():
            raise ModelError(f"{self.folder} is not finished: go on with --resume")
        return load(self.folder / "model")

    def checkpoints(self) -> list[int]:
        """The steps of which there is a whole checkpoint."""
        return [step for step, _ in _checkpoints(self.folder)]


def open_run(folder: str | Path) -> Run:
    """A run that was trained before.

    Raises:
        InputError: There is none.

    """
    folder = Path(folder)
    try:
        description = json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8"))
        measures, test = (
            json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
            for path in (folder / _MEASURES[of] for of in ("validation", "test"))
        )
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"{folder} is no run of clearhead train: {_DESCRIPTION}: {why}") from None
    is_run = isinstance(description, dict) and "task" in description
    parts = (description.get("of"), description.get("settings"), measures, test) if is_run else (None,)
    if not all(isinstance(part, dict) for part in parts):
        raise InputError(f"{folder} is no run of clearhead train: its {_DESCRIPTION} or its measures are those of none")
    return Run(folder, description, measures, test)


def open_checkpoint(folder: str | Path) -> LoadedModel:
    """The model as it was at a step of a training, also of one that is still going on.

    Args:
        folder: ``RUN/checkpoints/checkpoint-200``, of a run with its ``RUN/start``.

    Returns:
        The model in ``eval()`` mode.

    Raises:
        InputError: There is no such checkpoint; the message names those that there are.
        ModelError: It is damaged, or of another model than that of ``RUN/start``.

    Example:
        >>> import tempfile
        >>> import clearhead as ch
        >>> from clearhead.training.language import Language
        >>> task = Language("to be or not to be, that is the question. " * 20, context=8, layers=1, heads=2, dim=8)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run = train(task, folder, Settings(steps=4, batch=2, learning_rate=1e-2, evaluate_every=2))
        ...     model = open_checkpoint(run.folder / "checkpoints" / "checkpoint-2")
        ...     ch.look("to be", model).paths
        ['h.0.attn']

    """
    from safetensors.torch import load_file

    folder = Path(folder).absolute()
    run = open_run(folder.parent.parent)
    weights = folder / _WEIGHTS
    if not weights.is_file():
        known = ", ".join(f"checkpoint-{step}" for step in run.checkpoints()) or "none yet"
        raise InputError(f"{folder} is no checkpoint: there is no {_WEIGHTS} in it; the run has {known}")
    model = fresh(run.folder / "start")
    try:
        state = load_file(weights)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{weights} is damaged: {error}; take another checkpoint") from None
    try:
        model.load_state_dict({name.removeprefix(_PREFIX): tensor for name, tensor in state.items()})
    except RuntimeError as error:
        reason = " ".join(str(error).split("\n", 2)[1].split())
        raise ModelError(f"{weights} is of another model than {model.folder}: {reason}") from None
    model.name = str(folder)
    return model.eval()


def train(
    task: Task,
    folder: str | Path,
    settings: Settings,
    *,
    resume: bool = False,
    recording: Recording | None = None,
    callbacks: Sequence[Any] = (),
) -> Run:
    """Train a task, by the trainer of ``transformers``; processes that ``torchrun`` or ``accelerate`` launch share it.

    Args:
        task: What is learnt.
        folder: What gets the run: ``run.json``, ``start/`` (configuration and tokenizer), ``checkpoints/`` (and
            what TensorBoard shows), and, once it is finished, ``model/`` (the best weights), ``measures.json`` and,
            where there is a test set, ``test.json``.
        settings: How long and how fast.
        resume: Go on from the last whole checkpoint of that folder, as if nothing had happened between.
        recording: Films the heads into ``film/``, which :func:`clearhead.analysis.film.open_film` reads.
        callbacks: More callbacks of class ``transformers.TrainerCallback``.

    Returns:
        The run; without measures if it was interrupted, which leaves a checkpoint.

    Raises:
        InputError: The folder has a run already, or, to resume, none of this task with these settings; or it cannot be
            written, such as when the disk is full.
        MissingPackageError: ``transformers`` or ``accelerate`` is not installed.

    """
    trainer_of = _trainer_class()
    folder = Path(folder)
    description: dict[str, Any] = {
        "task": task.name,
        "of": task.describe(),
        "settings": asdict(settings),
        "film": None if recording is None else asdict(recording),
        "clearhead": __version__,
    }
    last = _prepare(folder, description, resume=resume)
    if resume and (finished := open_run(folder)).measures:
        return finished
    if resume and last is None and is_first_process():  # it begins once more
        shutil.rmtree(folder / "film", ignore_errors=True)
    try:
        torch.manual_seed(settings.seed)
        model = task.model(folder / "start").train()
        model.name = str(folder)  # what films call it
        if recording is not None:
            callbacks = [*callbacks, _recorder(task, model, folder, recording)]
        trainer = trainer_of(task, model, folder, settings, callbacks)
        if not resume and trainer.is_world_process_zero():  # only now, when there is something to go on with
            _write_json(folder / _DESCRIPTION, description)
        trainer.fit(last)
        if not trainer.stopping.has_stopped:
            if trainer.is_world_process_zero():
                model.save(folder / "model")
                for of in reversed(task.sets):  # with the measures on the validation set it is finished
                    _write_json(folder / _MEASURES[of], task.judge(model, of))
            trainer.accelerator.wait_for_everyone()
    except (OSError, SafetensorError) as error:
        why = getattr(error, "strerror", None) or error
        again = "; go on with --resume once that is put right" if (folder / _DESCRIPTION).is_file() else ""
        raise InputError(f"cannot write into {folder}: {why}{again}") from None
    return open_run(folder)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    write_whole(path, lambda part: Path(part).write_text(text, encoding="utf-8"))


def check_packages() -> None:
    """See that what training needs is installed.

    Raises:
        MissingPackageError: It is not.

    """
    missing = [name for name in ("transformers", "accelerate", "tensorboard") if find_spec(name) is None]
    if missing:
        raise MissingPackageError(f"training needs {', '.join(missing)}: pip install 'clearhead[train]'")


def _trainer_class() -> type[TaskTrainer]:
    check_packages()
    from clearhead.training.trainer import TaskTrainer

    return TaskTrainer


def _recorder(task: Task, model: LoadedModel, folder: Path, recording: Recording) -> Any:
    from clearhead.training.recorder import Recorder

    texts = recording.texts
    if texts is not None and not any(text.strip() for text in texts):
        raise InputError("there is no probe sentence to film the heads on: give one at least")
    probe = task.probe(model, None if texts is None else [text for text in texts if text.strip()])
    recorder = Recorder(
        folder / "film", model, probe.shown, probe.counted, every=recording.every, layers=recording.layers
    )
    recorder.look()  # so that what cannot be filmed is said before there is a run
    return recorder


def _prepare(folder: Path, description: Mapping[str, Any], *, resume: bool) -> Path | None:
    """See that the folder is free, or that its run is the same; the checkpoint to go on from."""
    if resume:
        before = dict(open_run(folder).description)
        for key, what in _KINDS.items():
            now = json.loads(json.dumps(description[key]))
            if before.get(key) != now:
                changed = _changed(before.get(key), now)
                raise InputError(
                    f"{folder} was begun with {what} ({changed}): go on with what it was begun with, or take "
                    "another folder"
                )
        whole = _checkpoints(folder)
        return whole[-1][1] if whole else None
    check_free(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror}") from None
    return None


def is_first_process() -> bool:
    """Whether this one speaks and writes, of those that torchrun or accelerate launch."""
    return os.environ.get("RANK", "0") == "0"


def check_free(folder: Path) -> None:
    """See that a run can begin in a folder.

    Raises:
        InputError: It has one already or the film of one, or is a file.

    """
    if not is_first_process():  # it is the first that begins the run, perhaps before the others look
        return
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: name a folder for the run")
    if (folder / _DESCRIPTION).exists():
        raise InputError(
            f"{folder} has a run already: go on with it (--resume, in Python resume=True), or take another folder"
        )
    if any((folder / "film").glob("*.parquet")):
        raise InputError(f"{folder} has the film of another training: take another folder")


def _changed(before: Any, now: Any) -> str:
    if not isinstance(before, dict) or not isinstance(now, dict):
        return f"{before!r} there, {now!r} now"
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return ", ".join(_other(name, before.get(name), now.get(name)) for name in names[:3])


def _other(name: str, before: Any, now: Any) -> str:
    is_digest = all(re.fullmatch(r"[0-9a-f]{16}", str(x)) for x in (before, now))
    return f"{name} differs" if is_digest else f"{name} {before!r} there, {now!r} now"


def _is_whole(checkpoint: Path) -> bool:
    archives = [list(checkpoint.glob(name)) for name in _ARCHIVES]
    # Of a file that was cut off, the end is missing, and that is where its table of contents is.
    return all(found and all(map(zipfile.is_zipfile, found)) for found in archives)


def _checkpoints(folder: Path) -> list[tuple[int, Path]]:
    """The whole checkpoints, by step: those that the trainer came to the end of writing, with nothing lost since."""
    found = []
    for path in (folder / "checkpoints").glob("checkpoint-*"):
        try:
            json.loads((path / _STATE).read_text(encoding="utf-8"))
            if not _is_whole(path):
                continue
            found.append((int(path.name.removeprefix("checkpoint-")), path))
        except (OSError, ValueError):
            continue  # a kill or a full disk came between
    return sorted(found)
