"""The command line, in process on the real model, and in subprocesses where the process matters."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import clearhead as ch
from clearhead.capture import runners
from clearhead.cli.app import main

SENTENCE = "The animal didn't cross the street because it was too tired."
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def minilm() -> ch.LoadedModel:
    return ch.load(ch.DEFAULT_MODEL)


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, minilm: ch.LoadedModel) -> Run:
    """Run the command in this process with the model loaded once; gives exit code, stdout, stderr."""
    load = runners.load_own
    monkeypatch.setattr(
        runners, "load_own", lambda name, **how: minilm if name == ch.DEFAULT_MODEL else load(name, **how)
    )

    def command(*arguments: str) -> tuple[int, str, str]:
        code = 0
        try:
            main(list(arguments))
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capfd.readouterr()
        return code, out, err

    return command


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory, minilm: ch.LoadedModel) -> Path:
    path = tmp_path_factory.mktemp("saved") / "run.safetensors"
    ch.look([SENTENCE, "I saw a saw"], minilm).save(path)
    return path


def test_it_looks_at_the_animal(run: Run) -> None:
    code, out, err = run("look", SENTENCE, "--from", "it", "--json")
    assert (code, err) == (0, "")
    record = json.loads(out)
    found = {pair[0]["word"]: [(x["head"], round(x["weight"], 3)) for x in pair] for pair in record["targets"]}
    assert found["animal"] == [("L3H1", 0.677), ("L5H11", 0.673)]
    assert found["street"][0][1] <= 0.222
    assert record["from"] == {"number": 8, "word": "it"}
    assert record["labels"][1:4] == ["The", "animal", "didn't"]
    assert len(record["grid"]["weights"]) == 6


def test_to_names_the_heads_that_link_two_words(run: Run) -> None:
    out = run("look", SENTENCE, "--from", "it", "--to", "animal", "--top", "2")[1]
    first, second = (line.split() for line in out.splitlines()[2:4])
    assert (first[0], first[1], first[-1]) == ("L3H1", "0.677", "animal")
    assert (second[0], second[1], second[-1]) == ("L5H11", "0.673", "animal")


def test_one_head(run: Run) -> None:
    code, out, _ = run("look", SENTENCE, "--from", "it", "--head", "l3h1", "--top", "1")
    assert code == 0
    assert out.splitlines()[0].startswith("L3H1 from “it”")
    assert out.splitlines()[2].split()[0] == "0.677"
    assert out.splitlines()[2].split()[-1] == "animal"


def test_the_default_word_has_the_strongest_look(run: Run) -> None:
    record = json.loads(run("look", SENTENCE, "--json")[1])
    strongest = record["heads"][0]["weight"]
    for word in ("animal", "tired", "street", "because"):
        other = json.loads(run("look", SENTENCE, "--json", "--from", word)[1])
        assert other["heads"][0]["weight"] <= strongest


def test_pieces_show_the_models_own_tokens(run: Run) -> None:
    record = json.loads(run("look", SENTENCE, "--pieces", "--json", "--from", "didn")[1])
    assert record["unit"] == "tokens"
    assert record["labels"][3:6] == ["didn", "'", "t"]


def test_output_is_plain_when_piped_and_says_how_to_read_it(run: Run) -> None:
    out = run("look", SENTENCE, "--from", "it")[1]
    assert "\x1b" not in out
    assert "heads from 0 at the left" in out
    assert "Jain & Wallace" in out


def test_text_from_a_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text(SENTENCE + "\n", encoding="utf-8")
    assert json.loads(run("look", "--file", str(path), "--json")[1])["text"] == SENTENCE


def test_save_and_open_show_the_same(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    code, out, err = run("look", SENTENCE, "--from", "it", "--save", str(path))
    assert (code, err) == (0, f"capture: {path}\n")
    assert run("open", str(path), "--from", "it")[1] == out


@pytest.mark.parametrize(("suffix", "more"), [("png", []), ("svg", ["--head", "L3H1"]), ("pdf", ["--head", "L3H1"])])
def test_figures(run: Run, tmp_path: Path, saved: Path, suffix: str, more: list[str]) -> None:
    path = tmp_path / f"out.{suffix}"
    code, _, err = run("open", str(saved), "--figure", str(path), *more)
    assert (code, err) == (0, f"picture: {path}\n")
    assert path.stat().st_size > 5_000


def test_open_shows_any_text_of_a_batch(run: Run, saved: Path) -> None:
    record = json.loads(run("open", str(saved), "--text", "1", "--json", "--from", "saw#2", "--to", "saw")[1])
    assert record["text"] == "I saw a saw"
    assert record["from"]["number"] == 4
    assert record["heads"][0]["target"] == 2


BAD = [
    (["look", ""], "the text is empty"),
    (["look", "  \n "], "the text is empty"),
    (["look"], "either a text or --file"),
    (["look", "a b", "--file", "x"], "either a text or --file"),
    (["look", "--file", "nothing.txt"], "cannot read nothing.txt: No such file"),
    (["look", "word " * 600], "602 tokens, and sentence-transformers/all-MiniLM-L6-v2 takes at most 512"),
    (["look", "a cat sat", "--from", "dog"], "no word 'dog'; its words are a, cat, sat"),
    (["look", "a cat sat", "--from", "cat", "--to", "cat"], "choose two"),
    (["look", "cat"], "one word to another, and the text has 1"),
    (["look", "a cat sat", "--head", "L9H0"], "no layer 9: the capture has the layers 0–5"),
    (["look", "a cat sat", "--head", "L0H77"], "no head 77 in layer 0: it has the heads 0–11"),
    (["look", "a cat sat", "--head", "seven"], "no head name; heads are called like L3H1"),
    (["look", "a cat sat", "--model", "nobody/nothing"], "cannot load 'nobody/nothing'"),
    (["look", "a cat sat", "--figure", "no/such/out.png"], "there is no folder no/such"),
    (["look", "a cat sat", "--figure", "out.bmp"], ".png, .svg, .pdf"),
    (["look", "a cat sat", "--save", "no/such/out.safetensors"], "there is no folder no/such"),
    (["look", "a cat sat", "--top", "0"], "--top"),
    (["look", "a cat sat", "--colour"], "--colour"),
    (["listen"], "listen"),
    (["open", "nothing.safetensors"], "cannot open nothing.safetensors: No such file"),
]


@pytest.mark.parametrize(("arguments", "says"), BAD, ids=[" ".join(x)[:40] for x, _ in BAD])
def test_bad_input_is_one_line_on_stderr_and_exit_code_2(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1, err
    assert err.startswith("clearhead: ")
    assert says in err
    assert list(tmp_path.iterdir()) == []


def test_truncate_cuts_and_says_so(run: Run) -> None:
    code, _, err = run("look", "word " * 600, "--truncate", "--json")
    assert code == 0
    assert err == "note: the text was cut off after 512 tokens\n"


def test_nan_in_the_weights_is_said(run: Run, minilm: ch.LoadedModel) -> None:
    weight = minilm.stack.blocks[2].attention.key.weight
    before = weight.detach().clone()
    try:
        with torch.no_grad():
            weight[3, 5] = torch.nan
        code, out, err = run("look", SENTENCE)
    finally:
        with torch.no_grad():
            weight.copy_(before)
    assert (code, out) == (2, "")
    assert "not finite from layer 2" in err
    assert "encoder.layer.2.attention.self.key.weight" in err


def test_nothing_is_half_written_when_the_picture_fails(
    run: Run, tmp_path: Path, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.figure import Figure

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full)
    picture, capture = tmp_path / "out.png", tmp_path / "out.safetensors"
    picture.write_bytes(b"what was there")
    code, _, err = run("open", str(saved), "--figure", str(picture), "--save", str(capture))
    assert (code, err) == (2, f"clearhead: cannot write {picture}: No space left on device\n")
    assert picture.read_bytes() == b"what was there"
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]


def test_a_picture_and_a_capture_need_names_of_their_own(run: Run, tmp_path: Path, saved: Path) -> None:
    path = tmp_path / "out.png"
    code, _, err = run("open", str(saved), "--figure", str(path), "--save", str(path))
    assert (code, err.count("\n")) == (2, 1)
    assert "a name of its own" in err
    assert not path.exists()


def test_a_place_that_cannot_be_written_is_said(run: Run, saved: Path) -> None:
    code, out, err = run("open", str(saved), "--save", "/proc/run.safetensors")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "cannot write /proc/run.safetensors" in err


def test_nan_in_a_saved_capture_is_said(run: Run, tmp_path: Path) -> None:
    weights = torch.full((1, 1, 2, 2), torch.nan)
    amap = ch.AttentionMap.from_weights(weights)
    path = tmp_path / "nan.safetensors"
    ch.Capture([ch.Layer("a", 0, 0, (0,), amap.shape, lambda: amap)]).save(path)
    code, out, err = run("open", str(path), "--json")
    assert (code, out) == (2, "")
    assert "L0 (a) is not finite" in err


def test_a_capture_without_maps_or_without_that_text_is_said(run: Run, tmp_path: Path, saved: Path) -> None:
    path = tmp_path / "empty.safetensors"
    ch.Capture().save(path)
    assert "holds no maps" in run("open", str(path))[2]
    assert "2 texts, numbered from 0; there is no text 7" in run("open", str(saved), "--text", "7")[2]


def test_texts_without_tokens_can_all_be_shown(run: Run, tmp_path: Path) -> None:
    amap = ch.AttentionMap.from_weights(torch.softmax(torch.randn(2, 1, 3, 3), -1))
    path = tmp_path / "two.safetensors"
    ch.Capture([ch.Layer("a", 0, 0, (0,), amap.shape, lambda: amap)]).save(path)
    record = json.loads(run("open", str(path), "--text", "1", "--from", "2", "--to", "0", "--json")[1])
    assert record["heads"][0]["weight"] == pytest.approx(float(amap[1, 0, 2, 0]))


def test_version_and_help(run: Run) -> None:
    assert run("--version") == (0, f"clearhead {ch.__version__}\n", "")
    assert "look" in run()[1]
    assert "--truncate" in run("look", "--help")[1]


def subprocess_run(*arguments: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "clearhead", *arguments]
    return subprocess.run(command, capture_output=True, check=False, timeout=120, **options)  # type: ignore[call-overload,no-any-return]


def test_as_a_process_from_standard_input_with_colour_refused() -> None:
    environment = os.environ | {"NO_COLOR": "1", "FORCE_COLOR": "1"}
    done = subprocess_run("look", "--file", "-", "--from", "it", input=SENTENCE.encode(), env=environment)
    assert done.returncode == 0
    assert b"L3H1" in done.stdout
    assert b"\x1b[38" not in done.stdout
    assert b"\x1b[48" not in done.stdout


def test_a_saved_capture_opens_without_transformers(saved: Path) -> None:
    code = (
        "import sys; sys.modules['transformers'] = None\n"
        f"import sys; sys.argv = ['clearhead', 'open', {str(saved)!r}, '--from', 'it', '--top', '1']\n"
        "from clearhead.cli import main; main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "L0H2" in done.stdout.decode()


def test_a_terminal_without_unicode_is_no_error() -> None:
    done = subprocess_run("look", SENTENCE, "--from", "it", env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"L3H1    0.677" in done.stdout


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    """More than a pipe holds, so that writing does meet the closed end."""
    amap = ch.AttentionMap.from_weights(torch.softmax(torch.randn(1, 600, 2, 2), -1))
    path = tmp_path / "many.safetensors"
    layers = [ch.Layer(f"a{n}", 0, n, tuple(range(600)), amap.shape, lambda: amap) for n in range(40)]
    ch.Capture(layers).save(path)
    command = f"{sys.executable} -m clearhead open {path} --json | head -c 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"{", b"")
