"""``clearhead compare``."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import polars
import pytest
import torch
from safetensors.torch import load_file, save_file
from scipy.spatial.distance import jensenshannon
from tiny_models import word_model

import clearhead as ch
from clearhead.capture import runners
from clearhead.cli.app import main
from clearhead.training.base import Settings
from clearhead.training.language import Language
from clearhead.training.run import open_checkpoint, open_run, train

TEXT = "a cabbage be a deaf badge"
TEXTS = [TEXT, "cafe", "feed a bad cab"]
TREEBANK = "\n".join(
    "".join(f"{n}\t{word}\t{word}\tX\t_\t_\t_\t_\t_\t_\n" for n, word in enumerate(text.split(), 1)) for text in TEXTS
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny models: ``before``; ``after`` with other weights; ``letters`` like it, but cutting texts into letters."""
    folder = tmp_path_factory.mktemp("models")
    word_model(folder / "before")
    after = word_model(folder / "after")
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in after.parameters():
            weight += 0.3 * torch.randn_like(weight)
    after.save(folder / "after")
    after.save(folder / "letters")
    tokenizer = folder / "letters" / "tokenizer.json"
    description = json.loads(tokenizer.read_text(encoding="utf-8"))
    description["model"]["merges"] = []
    tokenizer.write_text(json.dumps(description), encoding="utf-8")
    for name in ("before", "after", "letters"):
        ch.look(TEXT, str(folder / name)).save(folder / f"{name}.safetensors")
    (folder / "lines.txt").write_text("\n".join([*TEXTS, " ", ""]), encoding="utf-8")
    (folder / "texts.conllu").write_text(TREEBANK, encoding="utf-8")
    (folder / "empty.txt").write_text("\n \n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training of a few steps."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    task = Language("the animal didn't cross the street. " * 17, context=13, layers=2, heads=2, dim=16)
    train(task, folder, Settings(steps=6, batch=3, learning_rate=1e-2, evaluate_every=2))
    return folder


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = 0
    try:
        main(["compare", *map(str, arguments)])
    except SystemExit as stop:
        code = int(stop.code or 0)
    return (code, *capfd.readouterr())


def divergences(before: str, after: str, texts: list[str], words: bool = False) -> dict[str, list[float]]:
    """Of every query of all texts, by scipy, from dense weights of each text alone."""
    found: dict[str, list[float]] = {}
    for text in texts:
        pair = [ch.look(text, model) for model in (before, after)]
        pair = [x.words() if words else x for x in pair]
        for layer, other in zip(*(x.layers for x in pair), strict=True):
            for head in layer.heads:
                p, q = (x.map.dense()[0, head].double().numpy() for x in (layer, other))
                found.setdefault(layer.label(head), []).extend(jensenshannon(p, q, axis=1) ** 2)
    return found


def test_it_lists_the_heads_that_changed_most(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capfd, place / "before", place / "after", TEXT, "--top", 3)
    assert (code, err) == (0, "")
    assert "\x1b" not in out
    wanted = {head: sum(rows) / len(rows) for head, rows in divergences(*names(place), [TEXT]).items()}
    order = sorted(wanted, key=lambda head: -wanted[head])
    lines = out.splitlines()
    assert "Jensen–Shannon divergence, in nats: 0 the same, 0.693 no key in common" in lines
    assert any(line.startswith("Mean over 8 heads, 1 text and 20 queries: 0.") for line in lines)
    start = next(n for n, line in enumerate(lines) if line.startswith("head "))
    rows = [line.split() for line in lines[start + 1 : start + 4]]
    assert [row[0] for row in rows] == order[:3]
    assert [float(row[1]) for row in rows] == pytest.approx([wanted[head] for head in order[:3]], abs=6e-5)
    assert "entropy" in lines[start]
    assert "distance, tokens" in lines[start]
    assert not lines[start + 4].strip()
    of_layer = next(line.split() for line in lines if line.startswith("L1 "))
    assert float(of_layer[1]) == pytest.approx(sum(wanted[f"L1H{n}"] for n in range(4)) / 4, abs=6e-5)
    assert [int(x) for x in of_layer[2:]] == [round(1000 * wanted[f"L1H{n}"]) for n in range(4)]


def names(place: Path) -> tuple[str, str]:
    return str(place / "before"), str(place / "after")


@pytest.mark.parametrize("corpus", [["lines.txt", "--lines"], ["texts.conllu"]], ids=str)
@pytest.mark.parametrize("words", [False, True])
def test_a_corpus(
    corpus: list[str], words: bool, place: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clearhead.cli.compare._TOKENS", 25)  # so that it takes two batches
    given = ["--file", place / corpus[0], *corpus[1:], *(["--words"] if words else [])]
    code, out, err = run(capfd, *names(place), *given, "--json")
    assert (code, err) == (0, "")
    record = json.loads(out)
    assert (record["unit"], record["texts"]) == ("words" if words else "tokens", 3)
    wanted = divergences(*names(place), TEXTS, words)
    assert [change["head"] for change in record["heads"]] == list(wanted)
    for change in record["heads"]:
        rows = wanted[change["head"]]
        assert change["queries"] == len(rows)
        assert change["divergence"] == pytest.approx(sum(rows) / len(rows), rel=1e-4)
    every = [change["divergence"] for change in record["heads"]]
    assert record["mean"] == pytest.approx(sum(every) / 8)
    assert record["layers"] == {"L0": pytest.approx(sum(every[:4]) / 4), "L1": pytest.approx(sum(every[4:]) / 4)}


def test_a_table_and_a_picture(place: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    picture, table = tmp_path / "out.png", tmp_path / "out.parquet"
    given = [*names(place), "--file", place / "lines.txt", "--lines", "--json"]
    code, out, err = run(capfd, *given, "--figure", picture, "--parquet", table)
    assert (code, err) == (0, f"picture: {picture}\ntable: {table}\n")
    assert picture.stat().st_size > 5_000
    assert polars.read_parquet(table).to_dicts() == json.loads(out)["heads"]


def test_models_that_cut_texts_otherwise_are_compared_by_word(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capfd, place / "before", place / "letters", TEXT, "--json")
    assert (code, err.count("\n")) == (0, 1)
    assert err.startswith("note: the models cut the texts into different tokens")
    record = json.loads(out)
    assert record["unit"] == "words"
    wanted = divergences(str(place / "before"), str(place / "letters"), [TEXT], words=True)
    for change in record["heads"]:
        rows = wanted[change["head"]]
        assert change["divergence"] == pytest.approx(sum(rows) / len(rows), rel=1e-4)
    captures = [place / "before.safetensors", place / "letters.safetensors"]
    again = json.loads(run(capfd, *captures, "--json")[1])
    assert again["unit"] == "words"
    for one, other in zip(again["heads"], record["heads"], strict=True):
        assert one["divergence"] == pytest.approx(other["divergence"], rel=1e-4)


def test_captures(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    of_models = json.loads(run(capfd, *names(place), TEXT, "--json")[1])
    code, out, err = run(capfd, place / "before.safetensors", place / "after.safetensors", "--json")
    assert (code, err) == (0, "")
    record = json.loads(out)
    assert record["before"] == str(place / "before.safetensors")
    for one, other in zip(record["heads"], of_models["heads"], strict=True):
        assert one["divergence"] == pytest.approx(other["divergence"], rel=1e-4)
    by_word = json.loads(run(capfd, place / "before.safetensors", place / "after.safetensors", "--words", "--json")[1])
    assert by_word["unit"] == "words"


def test_a_run_and_its_checkpoints(
    trained: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = open_run(trained).checkpoints()
    monkeypatch.chdir(trained / "checkpoints")
    code, out, err = run(capfd, f"checkpoint-{steps[0]}", trained, "the animal", "--json")
    assert (code, err) == (0, "")
    first, last = json.loads(out)["heads"], open_run(trained).model()
    pair = [ch.look("the animal", model) for model in (open_checkpoint(f"checkpoint-{steps[0]}"), last)]
    for change in first:
        p, q = (x[change["path"]].dense()[0, int(change["head"][-1])].double().numpy() for x in pair)
        assert change["divergence"] == pytest.approx(float((jensenshannon(p, q, axis=1) ** 2).mean()), abs=1e-7)
    assert max(change["divergence"] for change in first) > 1e-6
    # The best checkpoint is the model of the run.
    means = [json.loads(run(capfd, f"checkpoint-{n}", trained, "the animal", "--json")[1])["mean"] for n in steps]
    assert min(means) < 1e-9


def test_truncate_cuts_and_says_so(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capfd, *names(place), "x" * 80, "--truncate", "--json")
    assert code == 0
    assert err == f"note: what is too long for {place / 'after'} and {place / 'before'} was cut off\n"
    assert json.loads(out)["heads"][0]["queries"] == 67


def test_random_weights_are_said(
    place: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners.Runner, "missing", ("h.0.attn.weight",))
    err = run(capfd, *names(place), TEXT)[2]
    assert err.count("1 weights of") == 2
    assert "are random, among them h.0.attn.weight" in err


BAD = [
    (["{before}", "{after}"], "two models are compared on a text: give TEXT or --file"),
    (["{before}", "{after}", ""], "the text is empty"),
    (["{before}", "{after}", "a", "--file", "{place}/lines.txt"], "either a text or --file"),
    (["{before}", "{after}", "--file", "nothing.txt"], "cannot read nothing.txt"),
    (["{before}", "{after}", "--file", "nothing.conllu"], "cannot read nothing.conllu"),
    (["{before}", "{after}", "--file", "{place}/empty.txt", "--lines"], "has no line with a text in it"),
    (["{before}", "{after}", "--file", "{place}/texts.conllu", "--lines"], "leave --lines out"),
    (["{before}", "{after}", "x" * 80], "80 tokens"),
    (["{before}", "{after}", "\udcff"], "the text is not Unicode"),
    (["{before}", "nobody/nothing", "a"], "cannot load 'nobody/nothing'"),
    (["{before}", ch.DEFAULT_MODEL, "a"], "one capture has 2 layers and the other 6"),
    (["{before}", "{run}", "a"], "L0 has the heads 0, 1, 2, 3 in one capture and 0, 1 in the other"),
    (["{before}.safetensors", "{after}", "a"], "is a capture and {after} is a model"),
    (["{before}", "{after}.safetensors"], "clearhead look TEXT --model ID --save OUT.safetensors"),
    (["{before}.safetensors", "{after}.safetensors", "a"], "two captures have their texts: leave TEXT"),
    (["{before}.safetensors", "{after}.safetensors", "--truncate"], "leave TEXT"),
    (["{before}.safetensors", "nothing.safetensors"], "cannot open nothing.safetensors"),
    (["{before}.safetensors", "{after}/model.safetensors"], "no clearhead capture"),
    (
        ["{before}", "{run}/checkpoints/checkpoint-3", "a"],
        "there is no model.safetensors in it; the run has checkpoint-",
    ),
    (["{before}", "{after}", "a", "--parquet", "out.csv"], "a table is written as .parquet; got 'out.csv'"),
    (["{before}", "{after}", "a", "--parquet", "no/out.parquet"], "there is no folder no"),
    (["{before}", "{after}", "a", "--figure", "out.bmp"], ".png, .svg, .pdf"),
    (["{before}", "{after}", "a", "--top", "0"], "clearhead compare --help"),
    (["{before}"], "clearhead compare --help"),
]


@pytest.mark.parametrize(("arguments", "says"), BAD, ids=[" ".join(x)[:60] for x, _ in BAD])
def test_bad_input_is_one_line_on_stderr_and_exit_code_2(
    arguments: list[str],
    says: str,
    place: Path,
    trained: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    where = {"before": place / "before", "after": place / "after", "place": place, "run": trained}
    code, out, err = run(capfd, *(x.format(**where) for x in arguments))
    assert (code, out) == (2, "")
    assert err.count("\n") == 1, err
    assert err.startswith("clearhead: ")
    assert says.format(**where) in err
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_checkpoint_is_said(trained: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    step = open_run(trained).checkpoints()[-1]
    folder = tmp_path / "run"
    shutil.copytree(trained, folder)
    checkpoint = folder / "checkpoints" / f"checkpoint-{step}"
    weights = checkpoint / "model.safetensors"
    state = load_file(weights)
    first = sorted(state)[0]
    for change, says in (
        ({name: x for name, x in state.items() if name != first}, f'Missing key(s) in state_dict: "{first[6:]}'),
        ({**state, first: torch.zeros(3, 5)}, "size mismatch"),
        ({**state, "model.other": torch.zeros(3)}, "Unexpected key(s)"),
    ):
        save_file(change, weights)
        code, out, err = run(capfd, trained, checkpoint, "the")
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "is of another model" in err
        assert says in err
    weights.write_bytes(b"half")
    code, out, err = run(capfd, trained, checkpoint, "the")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "is damaged" in err
    (folder / "model" / "model.safetensors").unlink()
    assert "is not finished" in run(capfd, folder, trained, "the")[2]


def test_nan_free_json(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    record = json.loads(run(capfd, *names(place), "a", "--json")[1])  # one token, whose entropy and distance are 0
    numbers = [x for change in record["heads"] for x in change.values() if isinstance(x, float)]
    assert len(numbers) == 40
    assert all(math.isfinite(x) for x in numbers)
