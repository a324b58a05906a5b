"""What a task is: examples, a model, and how its answers are judged."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from clearhead.analysis.statistics import Observed
from clearhead.capture.capture import Capture
from clearhead.errors import InputError
from clearhead.files import write_together
from clearhead.models.load import LoadedModel
from clearhead.shapes import whole_number

__all__ = ["IGNORED", "Probe", "Settings", "Task", "WithLoss", "padded", "write_start"]

IGNORED = -100
"""The label of what is not learnt, such as padding (that of :class:`torch.nn.CrossEntropyLoss`)."""


@dataclass(frozen=True)
class Settings:
    """How long and how fast is learnt.

    Attributes:
        steps: How many updates of the weights.
        batch: Examples an update, on all processes together.
        learning_rate: Of AdamW, at its highest: it rises over ``warmup`` and falls to 0 as a cosine.
        accumulate: In how many parts a batch is computed, one after the other, for less memory.
        warmup: The share of the steps over which the learning rate rises.
        weight_decay: Of AdamW, on all but biases and norms.
        clip: The longest gradient; longer ones are shortened; with 0 none is.
        precision: ``fp32``, or ``bf16``: autocast to bfloat16.
        evaluate_every: Steps between two evaluations on the validation set; a checkpoint follows each.
        patience: Evaluations without improvement after which to stop; None never stops early.
        seed: Repeats the same run.

    Raises:
        InputError: A setting that is out of bounds.

    """

    steps: int
    batch: int
    learning_rate: float
    accumulate: int = 1
    warmup: float = 0.05
    weight_decay: float = 0.01
    clip: float = 1.0
    precision: Literal["fp32", "bf16"] = "fp32"
    evaluate_every: int = 200
    patience: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "accumulate", "evaluate_every"):
            whole_number(name, getattr(self, name))
        if self.patience is not None:
            whole_number("patience", self.patience)
        if self.batch % self.accumulate:
            raise InputError(f"a batch of {self.batch} cannot be cut into {self.accumulate} equal parts")
        if not 0 <= whole_number("seed", self.seed, 0) < 2**32:
            raise InputError(f"seed is {self.seed}, and a whole number below 2³² is wanted")
        if not 0 < self.learning_rate < math.inf:
            raise InputError(f"learning_rate is {self.learning_rate}, and a finite number above 0 is wanted")
        for name in ("weight_decay", "clip"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"{name} is {getattr(self, name)}, and a finite number of at least 0 is wanted")
        if not 0 <= self.warmup <= 1:
            raise InputError(f"warmup is {self.warmup}, and a share of the steps is wanted, from 0 to 1")
        if self.precision not in ("fp32", "bf16"):
            raise InputError(f"precision is {self.precision!r}; there are 'fp32' and 'bf16'")


def write_start(folder: Path, config: Mapping[str, Any], tokenizer: Any) -> None:
    """Write what a model with new weights is made from: its configuration and its tokenizer, both or neither."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(config, indent=2)
    write_together(
        [
            (folder / "config.json", lambda part: Path(part).write_text(text, encoding="utf-8")),
            (folder / "tokenizer.json", lambda part: tokenizer.save(part)),
        ]
    )


def padded(rows: Sequence[Sequence[int]], padding: int = 0) -> tuple[Tensor, Tensor]:
    """Rows of ids as one tensor, filled up on the right, and which of them there are."""
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[padding] * (longest - len(row))] for row in rows])
    return ids, torch.arange(longest) < torch.tensor([len(row) for row in rows])[:, None]


class Probe(NamedTuple):
    """What a model is asked again and again while it learns."""

    shown: Callable[[], Capture]
    """The attention to a few examples, of which every map is kept."""
    counted: Callable[[], Iterable[Observed]]
    """That to more of them, of which statistics are kept."""


class Task(ABC):
    """Something to be learnt. Everything that it draws at random follows from a seed."""

    name: ClassVar[str]
    """As on the command line."""
    best: ClassVar[str]
    """The measure of :meth:`judge` by which the best checkpoint is chosen."""
    is_more_better: ClassVar[bool] = True
    """Whether that is the one with the most of it."""
    defaults: Settings
    """How it is learnt where nothing else is said."""
    unit: ClassVar[str] = "examples"
    """What :attr:`examples` are."""
    left_out: int = 0
    """How many training sentences are left out, since they are in the other sets as well."""

    @property
    def sets(self) -> tuple[str, ...]:
        """What it can be judged on: ``validation``, and ``test`` where there is one."""
        return ("validation",)

    @property
    @abstractmethod
    def examples(self) -> Sequence[Any]:
        """What is learnt from."""

    @abstractmethod
    def order(self, settings: Settings) -> list[int]:
        """The number of the example at each place of each batch, of the whole training."""

    @abstractmethod
    def model(self, folder: Path) -> LoadedModel:
        """A model with its first weights; ``folder`` gets its configuration, its tokenizer and what else it needs."""

    @abstractmethod
    def collate(self, examples: Sequence[Any]) -> dict[str, Tensor]:
        """A batch: what the model is called with, and ``labels``."""

    @abstractmethod
    def judge(self, model: LoadedModel, of: str = "validation") -> dict[str, float]:
        """Measures on one of :attr:`sets`."""

    @abstractmethod
    def baselines(self, of: str = "validation") -> dict[str, dict[str, float]]:
        """By name, what is reached on that set without a Transformer, in the measures of :meth:`judge`."""

    @abstractmethod
    def probe(self, model: LoadedModel, texts: Sequence[str] | None = None) -> Probe:
        """What its heads are filmed on.

        Args:
            model: What learns.
            texts: What is shown; by default some of the validation set.

        Raises:
            InputError: No text, or one that the task cannot take.

        """

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What the run was made of, as JSON: a run goes on only with the same."""


class WithLoss(nn.Module):
    """A model, called as a trainer calls it.

    The loss is the cross-entropy in nats, ``−Σ log p(label) / n``, over the labels that are not :data:`IGNORED`; n is
    how many of those the whole batch has, also where it is computed in parts or by several processes.
    """

    accepts_loss_kwargs = True  # the trainer counts the labels of all parts, and tells

    def __init__(self, model: LoadedModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, labels: Tensor, num_items_in_batch: Tensor | int | None = None, **inputs: Tensor
    ) -> dict[str, Tensor]:
        """The loss and the logits."""
        logits = self.model.network(**inputs)
        total = nn.functional.cross_entropy(
            logits.flatten(0, -2).float(), labels.flatten(), ignore_index=IGNORED, reduction="sum"
        )
        count = (labels != IGNORED).sum() if num_items_in_batch is None else num_items_in_batch
        return {"loss": total / torch.as_tensor(count, device=total.device).clamp(min=1), "logits": logits}
