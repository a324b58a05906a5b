"""Training into a folder: what it leaves, and that it goes on as if nothing had happened."""

from __future__ import annotations

import json
import math
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from processes import launch
from safetensors.torch import load_file, save_file

import clearhead as ch
from clearhead.errors import InputError, ModelError, NotFiniteError
from clearhead.training.base import Settings
from clearhead.training.language import Language
from clearhead.training.run import open_run, train

TEXT = "the animal didn't cross the street because it was too tired. " * 23


def task(**changes: Any) -> Language:
    return Language(TEXT, **{"context": 13, "layers": 2, "heads": 2, "dim": 16, "dropout": 0.1, **changes})


def settings(**changes: Any) -> Settings:
    return Settings(**{"steps": 24, "batch": 6, "learning_rate": 1e-2, "evaluate_every": 8, **changes})


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model" / "model.safetensors")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return set(one) == set(other) and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that nothing interrupted."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    train(task(), folder, settings())
    return folder


def test_a_run_leaves_a_model_that_transformers_reads(whole: Path) -> None:
    run = open_run(whole)
    assert run.description["task"] == "text"
    assert run.measures["loss"] < 2.9
    assert len(run.checkpoints()) == 2
    model = run.model()
    ids, mask = model.encode("the animal")
    theirs = transformers.GPT2LMHeadModel.from_pretrained(whole / "model").eval()
    with torch.no_grad():
        torch.testing.assert_close(model(ids, mask=mask), theirs(ids).logits, rtol=1e-4, atol=1e-5)
    assert ch.look("the animal", str(whole / "model")).layers
    files = {path.suffix for path in whole.rglob("*") if path.is_file()}
    assert ".bin" not in files
    assert list((whole / "checkpoints").rglob("events.out.tfevents.*"))


def test_the_same_seed_gives_the_same_run(whole: Path, tmp_path: Path) -> None:
    train(task(), tmp_path / "again", settings())
    assert same(weights(whole), weights(tmp_path / "again"))
    train(task(), tmp_path / "other", settings(seed=1))
    assert not same(weights(whole), weights(tmp_path / "other"))


def test_parts_of_a_batch_are_the_batch(tmp_path: Path) -> None:
    """With nothing dropped, whose random numbers would be others."""
    for parts in (1, 3):
        train(task(dropout=0.0), tmp_path / str(parts), settings(accumulate=parts))
    one, other = weights(tmp_path / "1"), weights(tmp_path / "3")
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-3, atol=1e-4)


KILLED = """
import os, signal, sys
sys.path[:0] = {paths}
from transformers import TrainerCallback
from test_run_helper import task, settings, train

class Kill(TrainerCallback):
    def on_step_end(self, args, state, control, **_):
        if state.global_step == {step} and os.environ.get("RANK") in (None, "1"):
            os.kill(os.getpid(), signal.{signal})

run = train(task(), {folder!r}, settings(), callbacks=[Kill()])
# In one write, newline and all: of two processes, one may print between the two writes of the other's print.
sys.stdout.write(f"{{sorted(run.measures)}}\\n")
"""


def killed(folder: Path, script: str, launcher: Sequence[str] = (), **how: Any) -> subprocess.CompletedProcess[str]:
    helper = folder.parent / "test_run_helper.py"
    helper.write_text(Path(__file__).read_text(encoding="utf-8"), encoding="utf-8")
    script = script.format(paths=[str(folder.parent), *sys.path], folder=str(folder), **how)
    file = folder.parent / "killed.py"
    file.write_text(script, encoding="utf-8")
    return subprocess.run([sys.executable, *launcher, str(file)], capture_output=True, text=True, timeout=300)


def test_a_killed_run_goes_on_as_if_nothing_had_happened(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    ended = killed(folder, KILLED, step=19, signal="SIGKILL")
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert open_run(folder).checkpoints() == [8, 16]
    with pytest.raises(ModelError, match="is not finished"):
        open_run(folder).model()
    # A kill may come while a checkpoint is written: then it goes on from the one before.
    part = folder / "checkpoints" / "checkpoint-24"
    part.mkdir()
    (part / "model.safetensors").write_bytes(b"half")
    assert open_run(folder).checkpoints() == [8, 16]
    run = train(task(), folder, settings(), resume=True)
    assert same(weights(whole), weights(folder))
    assert run.measures == open_run(whole).measures


def test_an_interrupted_run_keeps_what_it_had(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "interrupted"
    ended = killed(folder, KILLED, step=11, signal="SIGINT")
    assert (ended.returncode, ended.stdout) == (0, "[]\n"), ended.stderr
    assert open_run(folder).checkpoints() == [8, 12]  # the step that was going on is finished
    train(task(), folder, settings(), resume=True)
    assert same(weights(whole), weights(folder))


def test_processes_stop_in_the_same_step(tmp_path: Path) -> None:
    """Of two, one alone gets the signal: if it left alone, the other would wait for it."""
    ended = killed(tmp_path / "interrupted", KILLED, launch(), step=11, signal="SIGINT")
    assert (ended.returncode, ended.stdout) == (0, "[]\n[]\n"), ended.stderr
    assert open_run(tmp_path / "interrupted").checkpoints() == [8, 12]


def test_only_the_same_run_is_gone_on_with(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has a run already"):
        train(task(), whole, settings())
    with pytest.raises(InputError, match=r"begun with other settings .batch 6 there, 12 now"):
        train(task(), whole, settings(batch=12), resume=True)
    with pytest.raises(InputError, match=r"begun with other data or sizes .dim 16 there, 32 now"):
        train(task(dim=32), whole, settings(), resume=True)
    with pytest.raises(InputError, match="is no run of clearhead train"):
        train(task(), tmp_path, settings(), resume=True)


def test_it_stops_early_when_nothing_gets_better(tmp_path: Path) -> None:
    run = train(task(), tmp_path / "run", settings(steps=200, learning_rate=1e-9, patience=2, evaluate_every=2))
    assert max(run.checkpoints()) <= 8
    assert run.measures


def test_nan_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFiniteError, match=r"at step .*smaller learning rate"):
        train(task(), tmp_path / "run", settings(learning_rate=1e30, warmup=0.0, steps=40, clip=0.0))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"steps": 0}, "steps"),
        ({"accumulate": 4}, "a batch of 6 cannot be cut into 4 equal parts"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0"),
        ({"learning_rate": math.inf}, "learning_rate is inf"),
        ({"weight_decay": -1.0}, "weight_decay is -1.0"),
        ({"clip": math.nan}, "clip is nan"),
        ({"warmup": 2.0}, "warmup is 2.0"),
        ({"precision": "fp8"}, "precision is 'fp8'"),
    ],
)
@pytest.mark.usefixtures("as_for_users")
def test_settings_out_of_bounds_are_said(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        settings(**changes)


def test_a_text_that_is_too_short_is_said() -> None:
    for text in ("", "a", TEXT[:100]):
        with pytest.raises(InputError, match="more than a window of 13"):
            Language(text, context=13)


FULL = """
import resource, sys
sys.path[:0] = {paths}
from transformers import TrainerCallback
from test_run_helper import task, settings, train

class Full(TrainerCallback):
    def on_step_end(self, args, state, control, **_):
        if state.global_step == 15:
            resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))

train(task(), {folder!r}, settings(), callbacks=[Full()])
"""


def test_a_full_disk_is_said_and_takes_no_checkpoint(whole: Path, tmp_path: Path) -> None:
    """The system writes no file beyond 60,000 bytes: the optimizer's state is half there."""
    folder = tmp_path / "full"
    ended = killed(folder, FULL)
    assert re.search(
        r"InputError: cannot write a checkpoint into .*/full/checkpoints: .*go on with --resume", ended.stderr
    )
    assert (folder / "checkpoints" / "checkpoint-16" / "model.safetensors").is_file()
    assert open_run(folder).checkpoints() == [8]
    train(task(), folder, settings(), resume=True)
    assert same(weights(whole), weights(folder))


@pytest.mark.parametrize("how", ["wide", "lacking", "damaged"])
def test_a_checkpoint_of_another_model_is_said(whole: Path, tmp_path: Path, how: str) -> None:
    folder = tmp_path / "other"
    shutil.copytree(whole, folder)
    (folder / "measures.json").unlink()  # so that it is not finished
    path = folder / "checkpoints" / "checkpoint-24" / "model.safetensors"
    tensors = load_file(path)
    first = sorted(tensors)[0]
    if how == "wide":
        tensors[first] = torch.zeros(3, 5)
    else:
        del tensors[first]
    save_file(tensors, path)
    if how == "damaged":
        path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(InputError, match=r"checkpoint-24/model.safetensors has not the weights of this model: "):
        train(task(), folder, settings(), resume=True)
    assert same(weights(whole), weights(folder))


def test_a_text_has_the_loss_of_its_frequencies_as_a_baseline() -> None:
    text = "ab" * 50  # the last tenth is the validation set: ten characters, one window of seven
    [(_, found)] = Language(text, context=7, layers=1, heads=1, dim=2).baselines().items()
    assert found == {"loss": pytest.approx(math.log(2))}


def test_bfloat16_learns_about_the_same(whole: Path, tmp_path: Path) -> None:
    run = train(task(), tmp_path / "bf16", settings(precision="bf16"))
    assert run.measures["loss"] == pytest.approx(open_run(whole).measures["loss"], abs=0.05)
    assert run.measures["loss"] != open_run(whole).measures["loss"]
    assert {tensor.dtype for tensor in weights(tmp_path / "bf16").values()} == {torch.float32}


def test_what_a_run_cannot_begin_with_leaves_its_folder_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("WORLD_SIZE", "7")
        with pytest.raises(InputError, match="cannot be shared by 7 processes"):
            train(task(), tmp_path / "run", settings())
    with pytest.raises(InputError, match="is no run"):
        open_run(tmp_path / "run")


def test_the_description_is_json(whole: Path) -> None:
    assert json.loads((whole / "run.json").read_text(encoding="utf-8"))["settings"]["seed"] == 0


class Fails(transformers.TrainerCallback):
    """Ends a training in the middle of a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        if state.global_step == self.step:
            raise MemoryError


def test_the_curve_of_a_run_that_goes_on_is_that_of_a_whole_one(tmp_path: Path) -> None:
    """Its points are means over three steps, some of them from before the checkpoint."""
    long = settings(steps=60, evaluate_every=20)
    train(task(), tmp_path / "whole", long)
    with pytest.raises(MemoryError):
        train(task(), tmp_path / "killed", long, callbacks=[Fails(33)])
    train(task(), tmp_path / "killed", long, resume=True)
    one, other = (
        json.loads((tmp_path / name / "checkpoints" / "checkpoint-60" / "trainer_state.json").read_text())[
            "log_history"
        ]
        for name in ("whole", "killed")
    )
    assert len(one) > 20
    assert other == one


def test_a_run_that_was_moved_has_its_best_weights(tmp_path: Path) -> None:
    """Killed after the last step, while it is judged."""
    one = task()
    losses = iter([3.0, 1.0, 2.0, 1.0])
    one.judge = lambda model, of="validation": {"loss": next(losses)}
    train(one, tmp_path / "run", settings())
    before = weights(tmp_path / "run")
    assert open_run(tmp_path / "run").checkpoints() == [16, 24]
    shutil.rmtree(tmp_path / "run" / "model")
    (tmp_path / "run" / "measures.json").unlink()
    shutil.move(tmp_path / "run", tmp_path / "moved")
    shutil.copytree(tmp_path / "moved", tmp_path / "lacking")
    train(task(), tmp_path / "moved", settings(), resume=True)
    assert same(weights(tmp_path / "moved"), before)
    shutil.rmtree(tmp_path / "lacking" / "checkpoints" / "checkpoint-16")
    with pytest.raises(InputError, match=r"checkpoint-16/model.safetensors has not the weights"):
        train(task(), tmp_path / "lacking", settings(), resume=True)


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_a_checkpoint_that_lost_something_is_none(whole: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    path = folder / "checkpoints" / "checkpoint-24" / name
    path.write_bytes(path.read_bytes()[:-9])
    assert open_run(folder).checkpoints() == [16]
    path.unlink()
    assert open_run(folder).checkpoints() == [16]
    (folder / "measures.json").unlink()
    train(task(), folder, settings(), resume=True)
    assert same(weights(whole), weights(folder))


def test_another_division_of_the_text_is_another_run(whole: Path) -> None:
    with pytest.raises(InputError, match=r"other data or sizes .validation 0.1 there, 0.4 now"):
        train(task(validation=0.4), whole, settings(), resume=True)


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "start").write_text("a file", encoding="utf-8")
    with pytest.raises(InputError, match=r"cannot write into .*: File exists$"):
        train(task(), tmp_path, settings())


def test_patience_goes_on_where_it_was(tmp_path: Path) -> None:
    """Evaluations without improvement before a kill are counted after it."""
    constant = task()
    constant.judge = lambda model, of="validation": {"loss": 1.0}
    patient = settings(steps=24, evaluate_every=2, patience=3)
    train(constant, tmp_path / "whole", patient)
    with pytest.raises(MemoryError):
        train(constant, tmp_path / "killed", patient, callbacks=[Fails(7)])
    train(constant, tmp_path / "killed", patient, resume=True)
    assert open_run(tmp_path / "whole").checkpoints()[-1] == 8
    assert open_run(tmp_path / "killed").checkpoints()[-1] == 8


def test_a_run_that_stopped_early_does_not_go_on(tmp_path: Path) -> None:
    """Killed after its last step, while it is judged."""
    constant = task()
    constant.judge = lambda model, of="validation": {"loss": 1.0}
    patient = settings(evaluate_every=2, patience=2)
    train(constant, tmp_path / "run", patient)
    before = weights(tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "model")
    (tmp_path / "run" / "measures.json").unlink()
    train(constant, tmp_path / "run", patient, resume=True)
    assert open_run(tmp_path / "run").checkpoints()[-1] == 6
    assert same(weights(tmp_path / "run"), before)
    assert open_run(tmp_path / "run").measures == {"loss": 1.0}


def test_a_character_that_was_not_learnt_is_said(whole: Path) -> None:
    with pytest.raises(InputError, match="has never seen '2', 'ü'"):
        ch.look("the ü2", open_run(whole).model())
    with pytest.raises(InputError, match="has never seen '2', 'ü'"):
        open_run(whole).model().encode("the ü2")


def test_several_gpus_want_several_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(InputError, match="2 GPUs and one process"):
        train(task(), tmp_path / "run", settings())
    assert not (tmp_path / "run" / "run.json").exists()


def test_no_checkpoint_has_nan(tmp_path: Path) -> None:
    with pytest.raises(NotFiniteError, match="a smaller learning rate"):
        train(task(), tmp_path / "run", settings(steps=1000, evaluate_every=3, learning_rate=1e38))
    for path in (tmp_path / "run" / "checkpoints").glob("checkpoint-*/model.safetensors"):
        assert all(bool(x.isfinite().all()) for x in load_file(path).values())


def test_a_finished_run_is_not_trained_again(whole: Path) -> None:
    before = (whole / "model" / "model.safetensors").stat().st_mtime_ns
    assert train(task(), whole, settings(), resume=True).measures == open_run(whole).measures
    assert (whole / "model" / "model.safetensors").stat().st_mtime_ns == before


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_have_bounds(seed: int) -> None:
    with pytest.raises(InputError, match="seed is"):
        settings(seed=seed)


def test_a_run_that_says_nothing_is_none(tmp_path: Path) -> None:
    for text, measures in (
        ("{}", "{}"),
        ("[]", "{}"),
        ('{"task": "text", "of": null, "settings": {}}', "{}"),
        ('{"task": "text", "of": {}, "settings": {}}', "[]"),
    ):
        (tmp_path / "run.json").write_text(text, encoding="utf-8")
        (tmp_path / "measures.json").write_text(measures, encoding="utf-8")
        with pytest.raises(InputError, match="are those of none"):
            open_run(tmp_path)
