"""Training against transformers.

Each task of ``clearhead train`` on the batches that it trains on, as a model of ours and as that of ``transformers``
with ``sdpa``, made of the same configuration and the same first weights. The loss that both give is compared, then
whole updates are timed (forward, backward, clipping, AdamW), every model with an optimizer of its own. Tokens are
those that are no padding, of both sides of an encoder–decoder. *Filming* is the share of a training's time that
``clearhead.training.recorder.Recorder`` takes at its default rate. float32, 2 threads.

The treebank and the text are the samples that the package carries.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import TrainerCallback

from clearhead.models.files import DEFAULT_MODEL
from clearhead.training import Recording, Task
from clearhead.training.base import IGNORED, WithLoss
from clearhead.training.conllu import read_treebank
from clearhead.training.digits import Digits, handwritten_digits
from clearhead.training.language import Language
from clearhead.training.lemmas import Lemmas
from clearhead.training.recorder import Recorder
from clearhead.training.samples import TEXT, TREEBANK
from clearhead.training.tagging import Tagging
from clearhead.training.trainer import TaskTrainer
from measure import Result, Say, at_most, interleave

THEIRS = {
    "ids": "input_ids",
    "mask": "attention_mask",
    "target": "decoder_input_ids",
    "pixels": "pixel_values",
    "labels": "labels",
}
STEPS = 4  # of one timing
ROUNDS = {"tag, MiniLM": 15, "digits": 150}  # fewer of what takes long, more of what takes 16 ms


def measure(say: Say, *, quick: bool) -> Iterator[Result]:
    """All results, one by one."""
    for name, make in tasks().items():
        say(name)
        yield _updates(name, make(), 2 if quick else ROUNDS.get(name, 60))
    for name, make in tasks().items():
        say(f"filming: {name}")
        yield _filming(name, make(), quick)


def tasks() -> dict[str, Callable[[], Task]]:
    """What is trained, by name."""
    train, validation, test = read_treebank(TREEBANK)
    return {
        "tag, MiniLM": lambda: Tagging(train, validation, held_out=test, start=DEFAULT_MODEL),
        "tag, new weights": lambda: Tagging(train, validation, held_out=test),
        "lemma": lambda: Lemmas(train, validation, held_out=test),
        "text": lambda: Language(TEXT.read_text(encoding="utf-8")),
        "digits": lambda: Digits(*handwritten_digits()),
    }


class Theirs(nn.Module):
    """A model of transformers, with the loss that ours is trained on."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, labels: torch.Tensor, num_items_in_batch: torch.Tensor, **inputs: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """The loss, as transformers computes it where the trainer has counted the labels."""
        given = {THEIRS[name]: tensor for name, tensor in inputs.items()}
        logits = self.model(**given).logits
        total = nn.functional.cross_entropy(
            logits.flatten(0, -2).float(), labels.flatten(), ignore_index=IGNORED, reduction="sum"
        )
        return {"loss": total / num_items_in_batch}


def _updates(name: str, task: Task, rounds: int) -> Result:
    import transformers

    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        model = task.model(Path(folder) / "start")
        model.save(Path(folder) / "model")
        kind = getattr(transformers, model.published_class)
        theirs = Theirs(kind.from_pretrained(Path(folder) / "model", attn_implementation="sdpa"))
    ours = WithLoss(model)
    settings = task.defaults
    order = task.order(replace(settings, steps=STEPS))
    batches = [
        task.collate([task.examples[place] for place in order[start : start + settings.batch]])
        for start in range(0, len(order), settings.batch)
    ]
    for batch in batches:  # as the trainer calls a model
        batch["num_items_in_batch"] = (batch["labels"] != IGNORED).sum()
    losses = [float(x.eval()(**batches[0])["loss"].detach()) for x in (ours, theirs)]
    if abs(losses[0] - losses[1]) > 1e-4 * abs(losses[1]):
        raise SystemExit(f"{name}: the loss is {losses[0]}, and {losses[1]} in transformers: it is another model")
    cases: dict[str, Any] = {}
    for who, network in (("ours", ours.train()), ("theirs", theirs.train())):
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-5)
        cases[who] = partial(_train, network, optimizer, batches)
    timings = interleave(cases, rounds, warmups=2)
    tokens = sum(_tokens(batch) for batch in batches)
    speed = tokens / (sorted(timings["ours"])[rounds // 2])
    peer = f"{model.published_class} of transformers, the same size"
    return at_most(1.0, f"{name}: an update; ours {speed:,.0f} tokens a second", timings.ratio("ours", "theirs"), peer)


def _train(network: nn.Module, optimizer: torch.optim.Optimizer, batches: list[dict[str, torch.Tensor]]) -> None:
    for batch in batches:
        network(**batch)["loss"].backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()


def _tokens(batch: dict[str, torch.Tensor]) -> int:
    """Those that are no padding; of pictures, patches."""
    if "pixels" in batch:
        return int(batch["pixels"].numel() // 4)
    sides = batch["mask"].sum() if "mask" in batch else torch.tensor(batch["ids"].numel())
    return int(sides + ((batch["labels"] != IGNORED).sum() if "target" in batch else 0))


def _filming(name: str, task: Task, quick: bool) -> Result:
    """The share of the time of many steps that is taken by the recordings that belong to them."""
    every = 1 if quick else Recording().every
    settings = replace(task.defaults, steps=2 * every, evaluate_every=10**6)
    clock = _Clock()
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        model = task.model(Path(folder) / "start").train()
        probe = task.probe(model)
        recorder = Recorder(Path(folder) / "film", model, probe.shown, probe.counted, every=every)
        recorder.look()  # as train() does before it begins
        TaskTrainer(task, model, Path(folder), settings, [clock, recorder]).fit(None)
    share = recorder.seconds / 3 / (clock.seconds / 2)  # of three recordings, one for half of the steps
    return Result(f"filming: {name}", f"{share:.1%} of the time", "the same training", "≤ 2 %", share <= 0.02)


class _Clock(TrainerCallback):
    """How long the steps took, without what follows the last one."""

    seconds = 0.0

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Start."""
        self.begun = time.perf_counter()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """So far."""
        self.seconds = time.perf_counter() - self.begun
