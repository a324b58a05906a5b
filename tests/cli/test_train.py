"""``clearhead train`` and ``clearhead tag``: what they print, what they leave, and what they refuse."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tiny_models
import torch
from PIL import Image
from processes import launch
from safetensors.torch import load_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

import clearhead as ch
from clearhead.analysis.film import open_film
from clearhead.cli import train as commands
from clearhead.cli.app import main
from clearhead.training.language import Language
from clearhead.training.samples import TREEBANK
from clearhead.training.written import Samples

TEXT = "the animal didn't cross the street\nbecause it was too tired. " * 23
TINY = ("--context", "13", "--layers", "2", "--heads", "2", "--dim", "14")
SHORT = ("--steps", "4", "--batch", "6", "--evaluate-every", "2")
WORDS = ["the", "a", "dog", "cat", "street", "saw", "crossed", "liked", "and", "."]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("some.txt").write_text(TEXT, encoding="utf-8")


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Any:
    def command(*arguments: str) -> tuple[int, str, str]:
        code = 0
        try:
            main(list(arguments))
        except SystemExit as stop:
            code = int(stop.code or 0)
        return (code, *capfd.readouterr())

    return command


def treebank(path: Path, count: int = 40, tags: str = "DET NOUN VERB DET NOUN PUNCT") -> None:
    lines = []
    for n in range(count):
        words = ["the", WORDS[2 + n % 3], WORDS[5 + n % 3], "a", f"{WORDS[2 + n % 2]}{n}", "."]
        rows = zip(words, tags.split(), strict=True)
        lines += [f"{k}\t{word}\t{word}\t{tag}\t_\t_\t0\troot\t_\t_" for k, (word, tag) in enumerate(rows, 1)]
        lines.append("")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def encoder(folder: Path) -> None:
    """A tiny BERT with pieces of its own."""
    tiny_models.saved("bert", folder)
    pieces = ["[UNK]", "[CLS]", "[SEP]", *WORDS, *(f"##{n}" for n in range(10))]
    tokenizer = Tokenizer(models.WordPiece({piece: n for n, piece in enumerate(pieces)}))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [("[CLS]", 1), ("[SEP]", 2)]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    tokenizer.save(str(folder / "tokenizer.json"))


def test_a_tagger_is_tuned_and_tags(run: Any, capfd: pytest.CaptureFixture[str]) -> None:
    encoder(Path("bert"))
    capfd.readouterr()
    treebank(Path("some.conllu"))
    given = ("--model", "bert", "--steps", "60", "--batch", "8", "--learning-rate", "0.01", "--evaluate-every", "30")
    code, out, err = run("train", "tag", "some.conllu", *given)
    assert code == 0, err
    assert [line.split(":")[0] for line in err.splitlines()] == ["step 30", "step 60"]
    lines = [line.rstrip() for line in out.splitlines()]
    assert lines[0].split() == ["validation", "validation", "test", "test"]
    assert lines[1].split() == ["accuracy", "macro-f1", "accuracy", "macro-f1"]
    measures = [json.loads(Path("runs/tag", name).read_text()) for name in ("measures.json", "test.json")]
    shown = [f"{x[name]:.4f}" for x in measures for name in ("accuracy", "macro_f1")]
    assert lines[2].split() == ["model", *shown]
    assert measures[1]["accuracy"] == 1.0
    # One word of six has a number, is new, and gets DET: F1 of DET 4/5, of NOUN 2/3, of the two others 1.
    assert lines[3].split() == ["most", "frequent", "tag", *["0.8333", "0.8667"] * 2]
    assert "model: runs/tag/model, after " in out
    assert 'try it: clearhead tag --run runs/tag "I saw a saw"' in lines
    assert "how it went: tensorboard --logdir runs/tag/checkpoints" in lines

    code, out, err = run("tag", "The dog crossed a street.".lower())
    assert (code, out, err) == (0, "the\tDET\ndog\tNOUN\ncrossed\tVERB\na\tDET\nstreet\tNOUN\n.\tPUNCT\n", "")
    Path("two.txt").write_text("the dog\n\n  \nthe cat saw\n", encoding="utf-8")
    code, out, err = run("tag", "--file", "two.txt", "--run", "runs/tag/model")
    assert (code, out, err) == (0, "the\tDET\ndog\tNOUN\n\nthe\tDET\ncat\tNOUN\nsaw\tVERB\n", "")
    code, out, _ = run("tag", "--json", "the cat")
    assert json.loads(out) == [{"words": ["the", "cat"], "tags": ["DET", "NOUN"]}]

    # What the run was begun with need not be said again; the last checkpoint is whole, and nothing is left to do.
    before = load_file("runs/tag/model/model.safetensors")
    code, out, err = run("train", "tag", "some.conllu", "--resume", "--json")
    assert code == 0, err
    assert json.loads(out)["measures"]["test"]["model"] == measures[1]
    assert all(
        torch.equal(before[name], tensor) for name, tensor in load_file("runs/tag/model/model.safetensors").items()
    )
    for change, said in (
        (["some.conllu", "--batch", "4"], "begun with other settings (batch 8 there, 4 now)"),
        (["some.conllu", "--new"], "begun with other data or sizes (start 'bert' there, None now)"),
        ([], "begun with other data or sizes (train differs, "),
    ):
        code, out, err = run("train", "tag", *change, "--resume")
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert said in err
    code, _, err = run("train", "text", "some.txt", "--out", "runs/tag", "--resume")
    assert code == 2
    assert "begun with another task ('tag' there, 'text' now)" in err
    assert load_file("runs/tag/model/model.safetensors").keys() == before.keys()


def test_words_wrap_at_the_width_of_a_terminal() -> None:
    words, tags = ["The", "street", "漢字", "because"], ["DET", "NOUN", "X", "SCONJ"]
    assert commands._columns(words, tags, 17) == "The  street  漢字\nDET  NOUN    X\n\nbecause\nSCONJ"
    assert commands._columns(words, tags, 3).count("\n\n") == 3


def test_lemmas_are_learnt_from_the_sample(run: Any) -> None:
    """From new weights, and with sentences left out that another set has."""
    folder = Path("bank")
    folder.mkdir()
    for file in TREEBANK.glob("*.conllu"):
        (folder / file.name).write_text("\n\n".join(file.read_text(encoding="utf-8").split("\n\n")[:7]) + "\n\n")
    train = next(folder.glob("*-train.conllu"))
    train.write_text(train.read_text() + next(folder.glob("*-dev.conllu")).read_text())
    code, out, err = run("train", "lemma", "bank", *SHORT, "--out", "other")
    assert code == 0, err
    assert "7 sentences were left out of the training: the other sets have them, too" in out
    rows = {" ".join(x[:-2]): x[-2:] for x in (line.split() for line in out.splitlines()) if len(x) > 2}
    assert 0.5 < float(rows["the word itself"][0]) < float(rows["dictionary"][0]) < 1
    assert "clearhead generate --model other/model" in out
    assert json.loads(Path("other/run.json").read_text())["settings"]["batch"] == 6


def test_a_text_is_learnt_and_gone_on_with(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C, when the first sample is written."""
    code, out, err = run("train", "text", "some.txt", *TINY, *SHORT, "--out", "whole")
    assert code == 0, err
    assert re.search(r"^frequency of single tokens +2\.\d{4} *$", out, flags=re.MULTILINE)
    assert re.findall(r"^step \d$", err, flags=re.MULTILINE) == ["step 2", "step 4"]
    with monkeypatch.context() as patch:
        patch.setattr(Samples, "on_evaluate", lambda *_, **__: os.kill(os.getpid(), signal.SIGINT))
        code, out, err = run("train", "text", "some.txt", *TINY, *SHORT, "--out", "cut")
    assert (code, out) == (130, "")
    assert err.splitlines()[-1] == "interrupted; go on with: clearhead train text some.txt --out cut --resume"
    # A second one at once, and a text that is another one.
    with monkeypatch.context() as patch:
        patch.setattr(Samples, "on_evaluate", lambda *_, **__: [os.kill(os.getpid(), signal.SIGINT) for _ in "ab"])
        code, out, err = run("train", "text", "some.txt", "--out", "cut", "--resume")
    assert (code, out) == (130, "")
    assert err.splitlines()[-1] == "interrupted; go on with: clearhead train text some.txt --out cut --resume"
    code, _, err = run("train", "text", "--out", "cut", "--resume")
    assert code == 2
    assert "cut was begun with other data or sizes (text differs): go on with" in err
    code, out, err = run("train", "text", "some.txt", "--out", "cut", "--resume")
    assert code == 0, err
    assert "since it went on" in out
    one, other = (load_file(Path(name, "model", "model.safetensors")) for name in ("whole", "cut"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_pictures_are_learnt_from_a_folder(run: Any) -> None:
    for number, name in enumerate(("cat", "dog")):
        Path("pictures", name).mkdir(parents=True)
        for n in range(11):
            Image.new("L", (6, 6), 120 * number + n).save(Path("pictures", name, f"{n}.png"))
    code, out, err = run("train", "digits", "pictures", *SHORT, "--patch", "3", "--json")
    assert code == 0, err
    record = json.loads(out)
    assert record["measures"]["test"]["most frequent class"] == {"accuracy": 0.5}
    assert ch.load("runs/digits/model").config.patch_size == 3
    Image.new("L", (7, 6)).save("pictures/dog/x.png")
    code, _, err = run("train", "digits", "pictures", "--out", "other")
    assert (code, err.count("\n")) == (2, 1)
    assert "pictures/dog/x.png has 7 × 6 pixels, and most have 6 × 6" in err
    assert not Path("other").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train"], "Missing command. (clearhead train --help"),
        (["train", "tag", "--steps", "x"], "(clearhead train tag --help"),
        (["train", "tag", "--new", "--model", "bert"], "give either --model, which is fine-tuned, or --new"),
        (["train", "tag", "none"], "cannot read none: No such file"),
        (["train", "tag", "."], "has no *-train.conllu"),
        (["train", "tag", "some.txt"], "some.txt, line 1: 1 columns, and CoNLL-U has 10"),
        (["train", "lemma", "empty.txt"], "empty.txt has no sentence in it"),
        (["train", "tag", "line.conllu"], "line.conllu has 1 sentences; at least 3 are wanted"),
        (["train", "tag", "unseen.conllu"], "the validation sentences have X, which training never shows"),
        (["train", "tag", "some.conllu", "--new", "--steps", "0"], "steps"),
        (["train", "text", "none.txt"], "cannot read none.txt"),
        (["train", "text", "empty.txt"], "the text has 0 characters"),
        (["train", "text", "line.txt"], "take a longer text or a shorter context"),
        (["train", "text", "some.txt", "--dropout", "1"], "dropout is 1.0, and a share is wanted"),
        (["train", "text", "some.txt", "--heads", "3"], "a width of 128 cannot be shared by 3 heads"),
        (["train", "text", "some.txt", "--unit", "words"], "the unit is 'words'; there are 'characters' and"),
        (["train", "text", "some.txt", "--precision", "fp8"], "precision is 'fp8'; there are 'fp32' and 'bf16'"),
        (["train", "text", "some.txt", "--resume"], "runs/text is no run of clearhead train"),
        (["train", "text", "some.txt", "--out", "some.txt"], "some.txt is a file: name a folder"),
        (["train", "text", "some.txt", "--out", "taken"], "taken has a run already: go on with it (--resume, in"),
        (["train", "text", "some.txt", *TINY, "--learning-rate", "1e30", "--steps", "40"], "smaller learning rate"),
        (
            ["train", "text", "some.txt", *TINY, "--learning-rate", "1e30", "--steps", "4", "--evaluate-every", "2"],
            "smaller learning rate",
        ),
        (["train", "text", "some.txt", "--out", "file-in-it"], "cannot write into file-in-it: File exists"),
        (["train", "text", "some.txt", "--film-every", "0", "--film-layers", "1"], "--film-every 0 records nothing"),
        (["train", "text", "some.txt", "--unit", "byte-pairs", "--vocabulary", "255"], "no room for the 256 bytes"),
        (["train", "digits", "none"], "cannot read none: No such file"),
        (["tag", "a"], "there is no folder runs/tag: train a tagger (clearhead train tag)"),
        (["tag", "a", "--run", "taken"], "taken is not finished: go on with --resume"),
        (["tag", "--run", "taken"], "give either a text or --file"),
    ],
    ids=lambda x: " ".join(x)[:50] if isinstance(x, list) else None,
)
@pytest.mark.usefixtures("as_for_users")
def test_bad_input(arguments: list[str], said: str, run: Any) -> None:
    Path("empty.txt").write_text("", encoding="utf-8")
    Path("line.txt").write_text("only a line\n", encoding="utf-8")
    Path("taken").mkdir()
    Path("file-in-it").mkdir()
    Path("file-in-it/start").touch()
    Path("taken/run.json").write_text('{"task": "text", "of": {}, "settings": {}}', encoding="utf-8")
    treebank(Path("line.conllu"), 1)
    treebank(Path("some.conllu"))
    treebank(Path("unseen.conllu"))
    lines = Path("unseen.conllu").read_text(encoding="utf-8").split("\n")
    Path("unseen.conllu").write_text("\n".join([*lines[:-3], lines[-3].replace("PUNCT", "X"), "", ""]))
    code, out, err = run(*arguments)
    assert (code, out) == (2, ""), err
    assert said in err
    assert "Traceback" not in err
    assert err.count("\n") == 1


def test_two_processes_learn_what_one_does_and_one_of_them_speaks(run: Any) -> None:
    """Each computes half of a batch. Nothing is dropped, whose random numbers would be others."""
    given = ["train", "text", "some.txt", *TINY, *SHORT, "--json", "--out"]
    command = [sys.executable, *launch(), "-m", "clearhead", *given, "two"]
    paths = os.pathsep.join([str(Path(ch.__file__).parents[1]), *sys.path])
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env={**os.environ, "PYTHONPATH": paths})
    assert done.returncode == 0, done.stderr
    two = json.loads(done.stdout)["measures"]
    code, out, err = run(*given, "one")
    assert code == 0, err
    one = json.loads(out)["measures"]
    assert two["validation"]["model"]["loss"] == pytest.approx(one["validation"]["model"]["loss"], rel=1e-4)
    weights = [load_file(Path(name, "model", "model.safetensors")) for name in ("one", "two")]
    for name, tensor in weights[0].items():
        torch.testing.assert_close(weights[1][name], tensor, rtol=1e-3, atol=1e-4)
    assert Path("one/samples.txt").exists()
    assert Path("two/samples.txt").read_text().count("step ") == 2


def test_a_film_goes_on_as_it_was_asked_for(run: Any) -> None:
    Path("probe.txt").write_text("the animal\n\nit was\n", encoding="utf-8")
    film = ("--film-every", "3", "--film-layers", "L1", "--probe", "probe.txt")
    code, _, error = run("train", "text", "some.txt", *TINY, *SHORT, *film, "--out", "filmed")
    assert code == 0, error
    found = open_film("filmed")
    assert found.steps == (0, 3, 4)
    assert {layer.number for layer in found.at(3).layers} == {1}
    assert [text.text for text in found.at(3).tokens or ()] == ["the animal", "it was"]
    for path in Path("filmed/film").glob("00000[34]*"):
        path.unlink()
    shutil.rmtree("filmed/checkpoints/checkpoint-4")
    Path("filmed/measures.json").unlink()
    code, _, error = run("train", "text", "some.txt", "--resume", "--out", "filmed")
    assert code == 0, error
    assert open_film("filmed").steps == (0, 3, 4)
    code, _, error = run("train", "text", "some.txt", *TINY, *SHORT, "--film-every", "0", "--out", "plain")
    assert code == 0, error
    assert not Path("plain/film").exists()
    Path("empty.txt").write_text("\n", encoding="utf-8")
    code, _, error = run("train", "text", "some.txt", *TINY, *SHORT, "--probe", "empty.txt", "--out", "other")
    assert (code, error.count("\n")) == (2, 1)
    assert "no probe sentence" in error


def test_a_run_that_stops_early_says_so(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Language, "judge", lambda *_, **__: {"loss": 1.0})
    given = ("--steps", "40", "--evaluate-every", "2", "--batch", "6", "--patience", "2", "--film-every", "0")
    code, out, err = run("train", "text", "some.txt", *TINY, *given)
    assert code == 0, err
    assert "learnt by 36 draws from " in out
    assert "stopped at step 6 of 40, after 2 evaluations without a better one" in out
