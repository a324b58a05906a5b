"""``clearhead generate`` and ``clearhead models``."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_models import word_model

import clearhead as ch
from clearhead.cli.app import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    word_model(tmp_path)
    return tmp_path


def run(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = 0
    try:
        main(list(arguments))
    except SystemExit as stop:
        code = int(stop.code or 0)
    return (code, *capfd.readouterr())


def test_it_writes_on(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = "".join(token.text for token in ch.load(folder).generate("be a cat", max_new_tokens=9))
    given = ["--model", str(folder), "--max-new-tokens", "9"]
    assert run(capfd, "generate", "be a cat", *given) == (0, f"be a cat{text}\n", "")
    (folder / "prompt.txt").write_text("be a cat\n")
    assert run(capfd, "generate", "--file", str(folder / "prompt.txt"), *given)[1] == f"be a cat{text}\n"
    sampled = ["generate", "be a cat", *given, "--temperature", "2", "--top-k", "9"]
    drawn = [run(capfd, *sampled, "--seed", x)[1] for x in "112"]
    assert drawn[0] == drawn[1] != drawn[2]
    stopped = run(capfd, *sampled, "--seed", "1", "--stop", drawn[0][12:15], "--stop", "never")[1]
    assert stopped == drawn[0][: drawn[0].find(drawn[0][12:15], 8)] + "\n"


def test_a_token_is_shown_as_soon_as_it_is_there(folder: Path) -> None:
    """As a process; whoever reads may go away."""
    command = [sys.executable, "-m", "clearhead", "generate", "be a cat", "--model", str(folder)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, env={**os.environ, "NO_COLOR": "1"}) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(9).startswith(b"be a cat")
        process.stdout.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["be a cat", "--temperature", "0"], "temperature is 0.0; it has to be above 0"),
        (["be a cat", "--max-new-tokens", "0"], "--max-new-tokens"),
        (["be a cat", "--top-p", "2"], "top_p is 2.0"),
        (["x" * 80], "takes 67 in all; shorten it"),
        ([""], "the prompt is empty"),
        ([], "give either a text or --file"),
    ],
    ids=str,
)
def test_bad_input(arguments: list[str], said: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capfd, "generate", *arguments, "--model", str(folder))
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_models_that_write_no_text(capfd: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capfd, "generate", "a", "--model", ch.DEFAULT_MODEL)
    assert code == 2
    assert "writes no text: it is a BertModel" in err
    code, _, err = run(capfd, "generate", "a")
    assert code == 2
    assert "--model" in err


def test_what_can_be_loaded(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capfd, "models")
    assert (code, err) == (0, "")
    for name in ("bert", "roberta", "gpt2", "t5", "vit", "llama", "GPT2LMHeadModel", "arXiv:1810.04805"):
        assert name in out
    assert f"{ch.DEFAULT_MODEL}  (bert)" in out
