"""Filming the heads while a model learns."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import TrainerCallback

from clearhead.analysis.film import STATISTICS, TAGS, frame_path, need_polars
from clearhead.analysis.statistics import Observed, head_statistics
from clearhead.capture.capture import Capture
from clearhead.capture.format import writer
from clearhead.errors import InputError
from clearhead.files import write_together
from clearhead.shapes import whole_number

__all__ = ["Recorder"]


class Recorder(TrainerCallback):  # type: ignore[misc]  # transformers is not checked
    """A callback of the trainer of ``transformers`` that captures heads every so many steps, into one folder.

    For each step that is recorded the folder gets ``000200.safetensors``, a capture that :func:`clearhead.open` reads,
    ``000200.heads.parquet`` and ``000200.tags.parquet``, the records of
    :func:`~clearhead.analysis.statistics.head_statistics`. The first step is recorded before anything is learnt, and
    the last one after all. :func:`clearhead.analysis.film.open_film` reads the folder.

    The model's weights, its mode and the random numbers of the training are as if nothing were recorded.

    Args:
        folder: What gets the film.
        model: What learns; it is in ``eval()`` mode while it is captured.
        shown: Gives the capture of which every map is kept, always of the same texts.
        counted: Gives the captures that statistics are taken of; without it they are those of ``shown``.
        every: Steps between two recordings.
        layers: Which layers are kept, as :meth:`Capture.select` takes them; statistics are of all.

    Attributes:
        seconds: What recording has taken so far.

    Raises:
        InputError: ``every`` is no whole number above 0, ``shown`` gives a capture without maps or of layers that ran
            several times, or the folder has the film of another training.
        MissingPackageError: polars is not installed.

    Example:
        >>> import clearhead as ch
        >>> pretrained = ch.load_pretrained("bert-base-uncased")  # doctest: +SKIP
        >>> recorder = Recorder(  # doctest: +SKIP
        ...     "film", pretrained.model, lambda: ch.look(["I saw a saw.", "It was sharp."], pretrained)
        ... )
        >>> transformers.Trainer(pretrained.model, callbacks=[recorder], ...).train()  # doctest: +SKIP

        Of a model that :func:`clearhead.load_pretrained` does not know, ``shown`` watches a call of it:

        >>> def shown():  # doctest: +SKIP
        ...     with torch.no_grad(), ch.watch(model) as capture:
        ...         model(**inputs)
        ...     return capture

    """

    def __init__(
        self,
        folder: str | Path,
        model: nn.Module,
        shown: Callable[[], Capture],
        counted: Callable[[], Iterable[Observed]] | None = None,
        *,
        every: int = 200,
        layers: int | str | Sequence[int | str] | None = None,
    ) -> None:
        whole_number("every", every)
        self._polars = need_polars()
        self._folder, self._model, self._every, self._layers = Path(folder), model, every, layers
        self._shown, self._counted = shown, counted
        self.seconds = 0.0
        self._latest: int | None = None

    def on_train_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        """The heads before anything is learnt; a run that goes on has them already."""
        is_begun = any(self._folder.glob(f"*.{STATISTICS}"))
        if is_begun and state.global_step == 0 and state.is_world_process_zero:
            raise InputError(f"{self._folder} has the film of another training: take another folder")
        if not is_begun:
            self._record(state)
        elif state.is_world_process_zero:
            # Where it was interrupted there is one recording more than where it was not.
            for kind in ("safetensors", STATISTICS, TAGS):
                for path in self._folder.glob(f"*.{kind}"):
                    name = path.name.removesuffix(f".{kind}")
                    step = int(name) if name.isdecimal() else 0
                    if state.global_step <= step < state.max_steps and step % self._every:
                        path.unlink()

    def on_step_end(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        """The heads, where it is time."""
        if state.global_step % self._every == 0 or state.global_step >= state.max_steps:
            self._record(state)

    def on_epoch_end(self, _args: Any, state: Any, control: Any, **_: Any) -> None:
        """The heads where training stops early: after it, the trainer loads the best weights."""
        if control.should_training_stop:
            self._record(state)

    def _record(self, state: Any) -> None:
        if not state.is_world_process_zero or state.global_step == self._latest:
            return
        self._latest = state.global_step
        began = time.perf_counter()
        with self._aside():
            self._write(int(state.global_step))
        self.seconds += time.perf_counter() - began

    def look(self) -> Capture:
        """What would be kept of the model as it is now.

        Raises:
            InputError: ``shown`` gives no capture, one without maps, or one of layers that ran several times.
            UnknownLayerError: There is no such layer.

        """
        with self._aside():
            return self._captured().select(self._layers)

    def _captured(self) -> Capture:
        capture: Any = self._shown()
        if not isinstance(capture, Capture) or not capture.layers:
            seen = "a capture without maps" if isinstance(capture, Capture) else type(capture).__name__
            raise InputError(f"shown() gives the capture of the heads that are filmed; it gave {seen}")
        again = next((layer for layer in capture.layers if layer.call), None)
        if again is not None:
            raise InputError(
                f"{again.path} ran several times in shown(), as in ALBERT, whose layers share one module: films are of "
                "layers that run once"
            )
        return capture

    @contextmanager
    def _aside(self) -> Iterator[None]:
        """The training notices nothing of what is done here; watching draws random signs."""
        device = next(self._model.parameters()).device
        modes = [(module, module.training) for module in self._model.modules()]
        self._model.eval()
        try:
            with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), torch.no_grad():
                yield
        finally:
            for module, mode in modes:
                module.training = mode

    def _write(self, step: int) -> None:
        capture = self._captured()
        heads, tags = head_statistics([Observed(capture)] if self._counted is None else self._counted())
        kept = capture.select(self._layers)
        kept.provenance["training_step"] = step
        rows = [{"step": step, **vars(record)} for record in heads]
        records = self._polars.DataFrame(rows, schema_overrides={"distance": float})
        self._folder.mkdir(parents=True, exist_ok=True)
        files: list[tuple[Path, Callable[[str], Any]]] = [
            (frame_path(self._folder, step, "safetensors"), writer(kept, checks=False)),
            (frame_path(self._folder, step, STATISTICS), records.write_parquet),
        ]
        if tags:
            between = self._polars.DataFrame([{"step": step, **vars(record)} for record in tags])
            files.append((frame_path(self._folder, step, TAGS), between.write_parquet))
        write_together(files)
