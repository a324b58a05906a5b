"""Samples on the way: they change nothing that is learnt, and none is there twice."""

from __future__ import annotations

import os
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import TrainerCallback

from clearhead.errors import InputError
from clearhead.models import load
from clearhead.training import Settings, train
from clearhead.training.language import Language
from clearhead.training.written import Samples, write_on

TEXT = "the animal didn't cross the street\nbecause it was too tired. " * 23
SETTINGS = Settings(steps=9, batch=5, learning_rate=1e-2, evaluate_every=3)


def task() -> Language:
    return Language(TEXT, context=13, layers=2, heads=2, dim=14, dropout=0.1)


class Stop(TrainerCallback):
    """As if Ctrl-C came in step 6."""

    def on_step_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        if state.global_step == 5:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    train(task(), folder, SETTINGS, callbacks=[Samples(folder)])
    return folder


def test_samples_change_nothing_that_is_learnt(whole: Path, tmp_path: Path) -> None:
    train(task(), tmp_path / "without", SETTINGS)
    one, other = (load_file(folder / "model" / "model.safetensors") for folder in (whole, tmp_path / "without"))
    assert all(torch.equal(one[name], other[name]) for name in other)


def test_they_are_kept_by_step(whole: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = (whole / "samples.txt").read_text(encoding="utf-8")
    assert re.findall(r"^\S.*", text, flags=re.MULTILINE) == ["step 3", "step 6", "step 9"]
    for part in re.split(r"^step \d\n", text, flags=re.MULTILINE)[1:]:
        written = "\n".join(line.removeprefix("  ") for line in part.split("\n")[:-1])
        assert len(written) == 200
        assert set(written) <= set(TEXT)


def test_a_run_that_goes_on_has_none_twice(whole: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It was killed after the second sample, and before its checkpoint."""
    folder = tmp_path / "killed"
    train(task(), folder, SETTINGS, callbacks=[Samples(folder), Stop()])
    shutil.rmtree(folder / "checkpoints" / "checkpoint-6")
    assert "step 6" in (folder / "samples.txt").read_text(encoding="utf-8")
    capfd.readouterr()
    train(task(), folder, SETTINGS, resume=True, callbacks=[Samples(folder)])
    assert (folder / "samples.txt").read_bytes() == (whole / "samples.txt").read_bytes()
    assert [line for line in capfd.readouterr().err.splitlines() if re.fullmatch(r"step \d", line)] == [
        "step 6",
        "step 9",
    ]


def test_a_text_is_longer_than_the_window_and_drawn_by_its_seed(whole: Path) -> None:
    model = load(whole / "model").train()
    state = torch.get_rng_state()
    texts = [write_on(model, "the", 41, seed) for seed in (0, 0, 1)]
    assert [len(text) for text in texts] == [41, 41, 41]
    assert texts[0] == texts[1] != texts[2]
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training


def test_only_decoders_write_on() -> None:
    with pytest.raises(InputError, match="writes no text on: it is a BertModel"):
        write_on(load(), "a", 3, 0)
