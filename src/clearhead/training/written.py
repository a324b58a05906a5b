"""What a language model writes while it is trained."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from clearhead.errors import InputError
from clearhead.files import write_whole
from clearhead.models.generation import Sampling, generate
from clearhead.models.heads import LanguageModel
from clearhead.models.load import LoadedModel

__all__ = ["Samples", "write_on"]

_TOKENS = 200


@torch.no_grad()
def write_on(model: LoadedModel, start: str, tokens: int, seed: int) -> str:
    """A text drawn token by token, of any length: at its limit the model reads on from the last half of its window.

    Args:
        model: A language model.
        start: What comes before; it is not given out.
        tokens: How many are drawn.
        seed: Draws the same again, and leaves PyTorch's own random numbers as they are.

    """
    network = model.network
    if not isinstance(network, LanguageModel):
        raise InputError(f"{model.name} writes no text on: it is a {model.published_class}")
    where = next(model.parameters()).device
    generator = torch.Generator(where).manual_seed(seed)
    limit = model.limit or tokens
    ids: list[int] = model.tokenizer.encode(start).ids[-max(1, limit // 2) :]
    before = len(ids)
    was_training = model.training
    model.eval()
    while len(ids) < before + tokens:
        known = ids[-max(1, limit // 2) :]
        most = min(limit - len(known) + 1, before + tokens - len(ids))
        prompt = torch.tensor([known], device=where)
        steps = generate(network, prompt, max_new_tokens=most, sampling=Sampling(temperature=1.0), generator=generator)
        ids += [int(step) for step in steps]
    model.train(was_training)
    text: str = model.tokenizer.decode(ids[before:], skip_special_tokens=False)
    return text


class Samples(TrainerCallback):  # type: ignore[misc]  # transformers is not checked
    """After each evaluation of :class:`~clearhead.training.language.Language`, a text that the model writes.

    It goes to stderr, and into ``samples.txt``, where its lines are indented below the step.

    Args:
        folder: Of the run.
        start: What it goes on from.
        seed: The same samples again.

    """

    def __init__(self, folder: str | Path, *, start: str = "\n", seed: int = 0) -> None:
        self._path, self._start, self._seed = Path(folder) / "samples.txt", start, seed
        self._before: list[str] = []

    def on_train_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Keep what was written up to the checkpoint that is gone on from."""
        text = self._path.read_text(encoding="utf-8") if self._path.is_file() and state.global_step else ""
        for sample in re.findall(r"^step \d+\n(?:(?!step ).*\n)*", text, flags=re.MULTILINE):
            if int(sample.split()[1]) <= state.global_step:
                self._before.append(sample)

    def on_evaluate(self, _args: Any, state: Any, _control: Any, model: Any = None, **_: Any) -> None:
        """Write one."""
        if not state.is_world_process_zero:
            return
        text = write_on(model.model, self._start, _TOKENS, self._seed + state.global_step)
        # Indented, so that no line of it is taken for that of a step; \v and others would end lines, too.
        lines = [f"  {line}" for line in re.sub(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]", " ", text).split("\n")]
        sample = "\n".join([f"step {state.global_step}", *lines, ""])
        self._before.append(sample)
        content = "".join(self._before)
        write_whole(self._path, lambda part: Path(part).write_text(content, encoding="utf-8"))
        sys.stderr.write(sample)
