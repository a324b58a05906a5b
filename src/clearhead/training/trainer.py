"""The trainer of ``transformers``, told about a task."""

from __future__ import annotations

import math
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import distributed
from torch.utils.data import Dataset
from transformers import EarlyStoppingCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback, TrainerState
from transformers.utils import logging

from clearhead.errors import InputError, NotFiniteError
from clearhead.files import write_whole
from clearhead.models.load import LoadedModel
from clearhead.training.base import Settings, Task, WithLoss

__all__ = ["TaskTrainer"]

_SMALLER = "begin anew with a smaller learning rate, in another folder"


class _Schedule(Dataset[Any]):
    """The examples of a whole training, in their order."""

    def __init__(self, examples: Sequence[Any], order: Sequence[int]) -> None:
        self._examples, self._order = examples, order

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, place: int) -> Any:
        return self._examples[self._order[place]]


class TaskTrainer(Trainer):  # type: ignore[misc]  # transformers is not checked
    """Draws no order of its own, judges by the task, and keeps weights as safetensors.

    Args:
        task: What is learnt.
        model: What learns it.
        folder: Of the run.
        settings: How long and how fast.
        callbacks: More callbacks.

    """

    def __init__(
        self, task: Task, model: LoadedModel, folder: Path, settings: Settings, callbacks: Sequence[TrainerCallback]
    ) -> None:
        logging.set_verbosity_error()  # what goes on is said by the progress
        logging.disable_progress_bar()
        processes = int(os.environ.get("WORLD_SIZE", "1"))
        if processes == 1 and torch.cuda.device_count() > 1:  # transformers would take them all, with a batch for each
            raise InputError(
                f"there are {torch.cuda.device_count()} GPUs and one process: start one for each (torchrun "
                "--nproc-per-node), or choose a GPU (CUDA_VISIBLE_DEVICES=0)"
            )
        part = processes * settings.accumulate
        if settings.batch % part:
            raise InputError(
                f"a batch of {settings.batch} cannot be shared by {processes} processes in {settings.accumulate} parts "
                f"each: take a multiple of {part}"
            )
        self.task, self.loaded = task, model
        self.patience = EarlyStoppingCallback(settings.patience or 1)
        stops = [] if settings.patience is None else [self.patience]
        self.stopping, self.progress = _Stopping(), _Progress()
        super().__init__(
            model=WithLoss(model),
            args=TrainingArguments(
                output_dir=str(folder / "checkpoints"),
                max_steps=settings.steps,
                per_device_train_batch_size=settings.batch // part,
                gradient_accumulation_steps=settings.accumulate,
                train_sampling_strategy="sequential",
                learning_rate=settings.learning_rate,
                lr_scheduler_type="cosine",
                warmup_steps=math.ceil(settings.warmup * settings.steps),
                weight_decay=settings.weight_decay,
                max_grad_norm=settings.clip,
                bf16=settings.precision == "bf16",
                use_cpu=not torch.cuda.is_available(),
                eval_strategy="steps",
                eval_steps=settings.evaluate_every,
                save_strategy="steps",
                save_steps=settings.evaluate_every,
                save_total_limit=2,
                load_best_model_at_end=True,
                metric_for_best_model=task.best,
                greater_is_better=task.is_more_better,
                logging_steps=max(1, min(50, settings.steps // 20)),
                logging_nan_inf_filter=False,
                report_to=["tensorboard"],
                remove_unused_columns=False,
                disable_tqdm=True,
                dataloader_pin_memory=torch.cuda.is_available(),
                seed=settings.seed,
                ddp_find_unused_parameters=False,
            ),
            data_collator=task.collate,
            train_dataset=_Schedule(task.examples, task.order(settings)),
            eval_dataset=_Schedule([], []),  # which the task has
            callbacks=[self.stopping, self.progress, _Found(), *stops, *callbacks],
        )
        self.remove_callback(PrinterCallback)

    def fit(self, checkpoint: Path | None) -> None:
        """Train, from a checkpoint on if there is one."""
        if checkpoint is not None:
            # transformers restores all callbacks or none, and one of them knows that the run was interrupted.
            state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
            if known := state.stateful_callbacks.get(EarlyStoppingCallback.__name__):
                counter = known["attributes"]["early_stopping_patience_counter"]
                self.patience.early_stopping_patience_counter = counter
                if counter >= self.patience.early_stopping_patience:  # it had stopped
                    self.state = state
                    self._load_best_model()
                    return
        with self.stopping, self.progress, _failing_once():
            self.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))

    def evaluate(self, *_: Any, metric_key_prefix: str = "eval", **__: Any) -> dict[str, float]:
        """The task's own measures."""
        self._check_finite()
        found = {f"{metric_key_prefix}_{name}": value for name, value in self.task.judge(self.loaded).items()}
        for name, value in found.items():
            _check_number(name, value, self.state)
        self.log(dict(found))
        self.control: Any = self.callback_handler.on_evaluate(self.args, self.state, self.control, found)
        return found

    def _check_finite(self) -> None:
        # No checkpoint has NaN, so that there is always one to go on from.
        bad = next((name for name, x in self.loaded.named_parameters() if not bool(x.isfinite().all())), None)
        if bad is not None:
            raise NotFiniteError(
                f"weights are not finite at step {self.state.global_step}, among them {bad}: {_SMALLER}"
            )

    def _save_checkpoint(self, *given: Any, **options: Any) -> None:
        self._check_finite()
        try:
            super()._save_checkpoint(*given, **options)
        except (OSError, SafetensorError, RuntimeError) as error:  # the last one is torch's of a file half written
            why = getattr(error, "strerror", None) or f"{str(error).partition(chr(10))[0]} (is the disk full?)"
            raise InputError(
                f"cannot write a checkpoint into {self.args.output_dir}: {why}; the last whole one is from before: go "
                "on with --resume once that is put right"
            ) from None

    def _load_best_model(self) -> None:
        self._load_from_checkpoint(_best(self.args, self.state))  # where one that is missing is an error

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        # Every weight has to be there, which transformers does not ask for.
        path = Path(resume_from_checkpoint) / "model.safetensors"
        try:
            (self.model if model is None else model).load_state_dict(load_file(path))
        except (OSError, SafetensorError, RuntimeError) as error:
            why = getattr(error, "strerror", None) or " ".join(str(error).split())[:200]
            raise InputError(f"{path} has not the weights of this model: {why}") from None

    def _save(self, output_dir: str | None = None, state_dict: dict[str, torch.Tensor] | None = None) -> None:
        # No weight is pickled; what two stacks share is there under both names.
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        state = state_dict or self.accelerator.unwrap_model(self.model).state_dict()
        tensors = {name: tensor.detach().clone() for name, tensor in state.items()}
        write_whole(folder / "model.safetensors", lambda part: save_file(tensors, part, {"format": "pt"}))


def _check_number(name: str, value: float, state: Any) -> None:
    if not math.isfinite(value):
        raise NotFiniteError(f"{name} is {value} at step {state.global_step}: {_SMALLER}")


def _best(args: Any, state: Any) -> str:
    """Where the best checkpoint is now, also when the run was moved since that was noted."""
    return str(Path(args.output_dir) / f"checkpoint-{state.best_global_step}")


@contextmanager
def _failing_once() -> Iterator[None]:
    """What TensorBoard's thread cannot write is not said by it: the trainer is told at the next event."""
    before = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        if not (isinstance(args.exc_value, OSError) and "tensorboard" in type(args.thread).__module__):
            before(args)

    threading.excepthook = hook
    yield
    # After a failure it stays, since the thread may come to it only then; of other threads it hides nothing.
    threading.excepthook = before


class _Stopping(TrainerCallback):  # type: ignore[misc]  # transformers is not checked
    """Ctrl-C ends the training after the step and its checkpoint; a second one at once. NaN ends it, too.

    The loss is logged with each checkpoint: what was summed since the last log is not kept in it, and a curve that goes
    on from there would miss it.
    """

    def __init__(self) -> None:
        self.has_stopped = False
        self._is_asked = False
        self._before: Any = None

    def __enter__(self) -> _Stopping:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self._is_asked:
            raise KeyboardInterrupt
        self._is_asked = True

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop, with a checkpoint; after the last step there is nothing to stop."""
        self.has_stopped = self._is_asked_anywhere(args.device) and state.global_step < state.max_steps
        if self.has_stopped:
            control.should_save = control.should_training_stop = True
        control.should_log |= control.should_save

    def _is_asked_anywhere(self, device: torch.device) -> bool:
        """In any process: a signal comes to one in another step than to the next, and all have to stop in the same."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return self._is_asked
        asked = torch.tensor(float(self._is_asked), device=device)
        distributed.all_reduce(asked, distributed.ReduceOp.MAX)
        return bool(asked)

    def on_log(self, _args: Any, state: Any, _control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        """Refuse to go on with NaN."""
        for name in ("loss", "grad_norm"):
            _check_number(name, (logs or {}).get(name, 0.0), state)


class _Found(TrainerCallback):  # type: ignore[misc]  # transformers is not checked
    """Tells a run that goes on where its best checkpoint is, which transformers forgets if the run was moved."""

    def on_train_begin(self, args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Set it right."""
        if state.best_global_step:
            state.best_model_checkpoint = _best(args, state)


class _Progress(TrainerCallback):  # type: ignore[misc]  # transformers is not checked
    """A bar where stderr is a terminal; a line an evaluation everywhere."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("steps · {task.description}"), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, disable=not console.is_terminal)
        self._task = self._bar.add_task("", total=None)
        self._is_first = True

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def on_train_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        """How far it is."""
        self._is_first = state.is_world_process_zero
        self._bar.update(self._task, total=state.max_steps, completed=state.global_step)

    def on_step_end(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Move on."""
        self._bar.update(self._task, completed=state.global_step)

    def on_log(self, _args: Any, state: Any, _control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        """What is measured."""
        if not logs or not self._is_first:
            return
        if "loss" in logs:
            self._bar.update(self._task, description=f"loss {logs['loss']:.3f}")
        said = {name.removeprefix("eval_"): x for name, x in logs.items() if name.startswith("eval_")}
        if said:
            measures = ", ".join(f"{name} {value:.4f}" for name, value in said.items())
            self._bar.console.print(f"step {state.global_step}: {measures}", highlight=False)
