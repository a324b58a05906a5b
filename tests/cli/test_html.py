"""The page from the command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import torch

import clearhead as ch
from clearhead.capture import Layer
from clearhead.cli.app import main

SENTENCE = "The animal didn't cross the street because it was too tired."
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process; gives exit code, stdout, stderr."""

    def command(*arguments: str) -> tuple[int, str, str]:
        code = 0
        try:
            main(list(arguments))
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capfd.readouterr()
        return code, out, err

    return command


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "run.safetensors"
    ch.look([SENTENCE, "I saw a saw"]).save(path)
    return path


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that a browser was asked to open."""
    addresses: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: not addresses.append(address))
    return addresses


def capture_file(folder: Path, weights: torch.Tensor, tokens: list[str] | None = None) -> Path:
    amap = ch.AttentionMap.from_weights(weights)
    texts = None if tokens is None else [ch.Tokens.from_pieces(tokens)]
    path = folder / "run.safetensors"
    ch.Capture([Layer("a", 0, 0, tuple(range(amap.shape[1])), amap.shape, lambda: amap)], texts).save(path)
    return path


def start(path: Path) -> str:
    options = re.search(r'id="options">(.*?)</script>', path.read_text(encoding="utf-8"))
    assert options is not None
    found: str = json.loads(options[1])["start"]
    return found


def test_look_writes_a_page_that_begins_with_what_it_prints(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "out.html"
    code, out, err = run("look", SENTENCE, "--from", "it", "--html", str(path))
    assert (code, err) == (0, f"page: {path}\n")
    assert "From “it”" in out
    assert out.splitlines()[2].split()[0] == "L0H2"
    assert start(path) == "h=0.2&q=8"


def test_the_page_has_the_head_the_word_and_the_unit_that_were_asked_for(run: Run, saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.htm"
    assert run("open", str(saved), "--from", "it", "--to", "animal", "--html", str(path))[0] == 0
    assert start(path) == "h=3.1&q=8&k=2"
    assert run("open", str(saved), "--from", "it", "--head", "L5H11", "--html", str(path))[0] == 0
    assert start(path) == "h=5.11&q=8"
    assert run("open", str(saved), "--pieces", "--from", "it", "--head", "L5H11", "--html", str(path))[0] == 0
    assert start(path) == "h=5.11&q=10&u=pieces"
    assert run("open", str(saved), "--text", "1", "--from", "saw#2", "--to", "saw", "--html", str(path))[0] == 0
    assert start(path).endswith("q=4&k=2&t=1")


def test_open_shows_the_page(run: Run, saved: Path, tmp_path: Path, opened: list[str]) -> None:
    path = tmp_path / "a page.html"
    code, out, _ = run("open", str(saved), "--html", str(path), "--open")
    assert (code, opened) == (0, [path.as_uri()])
    assert "the heads that look hardest" in out


def test_open_alone_keeps_the_page_in_a_temporary_file(
    run: Run, saved: Path, tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code, _, err = run("open", str(saved), "--open")
    assert code == 0
    found = Path(unquote(urlsplit(opened[0]).path))
    assert err == f"page: {found}\n"
    assert found.is_relative_to(tmp_path)
    assert found.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_no_browser_is_said_and_the_page_stays(
    run: Run, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    path = tmp_path / "out.html"
    code, out, err = run("open", str(saved), "--html", str(path), "--open")
    assert code == 2
    assert err.splitlines() == [
        f"page: {path}",
        f"clearhead: there is no browser to open {path} with: open it yourself, or name a browser in BROWSER",
    ]
    assert "the heads that look hardest" in out
    assert path.exists()


def test_no_browser_in_a_process(saved: Path, tmp_path: Path) -> None:
    """As on a server: no display, and no program on the path that is a browser."""
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path), "BROWSER": "no-such-browser"}
    environment |= {name: os.environ[name] for name in ("PYTHONPATH", "VIRTUAL_ENV") if name in os.environ}
    command = [sys.executable, "-m", "clearhead", "open", str(saved), "--html", str(tmp_path / "out.html"), "--open"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert done.returncode == 2
    assert "there is no browser to open" in done.stderr.splitlines()[-1]
    assert (tmp_path / "out.html").exists()


def test_all_files_are_written_or_none(run: Run, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full)
    code, out, err = run(
        "open", str(saved), "--html", str(tmp_path / "out.html"), "--figure", str(tmp_path / "out.png")
    )
    assert (code, out) == (2, "")
    assert err == f"clearhead: cannot write {tmp_path / 'out.png'}: No space left on device\n"
    assert list(tmp_path.iterdir()) == []


def test_json_and_files_go_together(run: Run, saved: Path, tmp_path: Path) -> None:
    code, out, err = run("open", str(saved), "--json", "--html", str(tmp_path / "out.html"))
    assert (code, err) == (0, f"page: {tmp_path / 'out.html'}\n")
    assert json.loads(out)["unit"] == "words"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--html", "out.pdf"], "a page is written as .html; got 'out.pdf'"),
        (["--html", "no/such/out.html"], "there is no folder no/such"),
        (["--html", "folder.html"], "cannot write folder.html: it is a folder"),
    ],
)
def test_where_no_page_can_be_is_said_before_any_work(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.html").mkdir()
    for command in (["look", "a cat sat", "--model", "nobody/nothing"], ["open", "nothing.safetensors"]):
        code, out, err = run(*command, *arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert says in err


@pytest.mark.parametrize(("tokens", "is_said"), [(8_192, False), (8_193, True)])
def test_a_long_page_names_the_faster_way(run: Run, tmp_path: Path, tokens: int, is_said: bool) -> None:
    path, page = capture_file(tmp_path, torch.ones(1, 1, 1, tokens)), tmp_path / "out.html"
    code, _, err = run("open", str(path), "--html", str(page))
    assert code == 0
    assert page.exists()
    assert (f"a page of {tokens:,} tokens is slow; clearhead serve RUN.safetensors" in err) == is_said


def damaged(folder: Path) -> Path:
    path = capture_file(folder, torch.softmax(torch.randn(1, 2, 3, 3), -1))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    return path


def cut(folder: Path) -> Path:
    path = capture_file(folder, torch.softmax(torch.randn(1, 2, 3, 3), -1))
    path.write_bytes(path.read_bytes()[:-5])
    return path


def no_capture(folder: Path) -> Path:
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(3)}, folder / "run.safetensors")
    return folder / "run.safetensors"


def other(folder: Path) -> Path:
    (folder / "run.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    return folder / "run.png"


def empty(folder: Path) -> Path:
    ch.Capture().save(folder / "run.safetensors")
    return folder / "run.safetensors"


def nan(folder: Path) -> Path:
    return capture_file(folder, torch.full((1, 1, 2, 2), torch.nan))


BAD: list[tuple[Callable[[Path], Path], str]] = [
    (damaged, "was altered: the checksum of tensor"),
    (cut, "is no whole safetensors file"),
    (no_capture, "is a safetensors file, but no clearhead capture"),
    (other, "is no clearhead capture: it is no safetensors file"),
    (empty, "the capture holds no maps: there is nothing to look at"),
    (nan, "the attention of L0 (a) is not finite"),
]


@pytest.mark.parametrize(("make", "says"), BAD, ids=[make.__name__ for make, _ in BAD])
def test_what_cannot_be_shown_is_one_line_and_no_page(
    run: Run, tmp_path: Path, opened: list[str], make: Callable[[Path], Path], says: str
) -> None:
    path, page = make(tmp_path), tmp_path / "out.html"
    code, out, err = run("open", str(path), "--html", str(page), "--open")
    assert (code, out) == (2, "")
    assert says in err.splitlines()[-1]
    assert [line for line in err.splitlines() if not line.startswith("note: ")] == err.splitlines()[-1:]
    assert not page.exists()
    assert opened == []


ODD: dict[str, tuple[tuple[int, ...], list[str] | None, str]] = {
    "one token": ((1, 2, 1, 1), ["cat"], "one word to another, and the text has 1"),
    "one token, no text": ((1, 1, 1, 1), None, "one word to another, and the text has 1"),
    "cross-attention": ((1, 2, 3, 5), ["a", "cat", "sat"], "only self-attention over all tokens"),
    "cross-attention, no text": ((1, 2, 3, 5), None, "looks need maps of self-attention"),
}


@pytest.mark.parametrize("name", ODD)
def test_maps_without_looks_have_pictures(run: Run, tmp_path: Path, name: str) -> None:
    shape, tokens, says = ODD[name]
    path = capture_file(tmp_path, torch.softmax(torch.randn(shape), -1), tokens)
    page, picture = tmp_path / "out.html", tmp_path / "out.png"
    code, out, err = run("open", str(path), "--html", str(page), "--figure", str(picture))
    assert (code, out) == (0, "")
    assert says in err.splitlines()[0]
    assert err.splitlines()[0].startswith("note: there is no table: ")
    assert page.exists()
    assert picture.exists()
    assert start(page) == ""
    assert run("open", str(path), "--html", str(page), "--head", "L0H0")[0] == 0
    assert start(page) == "h=0.0"
    for more in ([], ["--html", str(page), "--json"], ["--html", str(page), "--from", "0"]):
        assert run("open", str(path), *more)[0] == 2


def test_one_head_and_no_text_are_shown_with_numbers(run: Run, tmp_path: Path) -> None:
    path = capture_file(tmp_path, torch.softmax(torch.randn(1, 1, 3, 3), -1))
    page = tmp_path / "out.html"
    code, out, _ = run("open", str(path), "--html", str(page), "--from", "2")
    assert code == 0
    assert "From “2”" in out
    assert start(page) == "h=0.0&q=2"


def test_the_page_loads_no_matplotlib(saved: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None; sys.modules['transformers'] = None\n"
        "from clearhead.cli.app import main; main(sys.argv[1:])"
    )
    arguments: list[Any] = [sys.executable, "-c", code, "open", saved, "--html", tmp_path / "out.html"]
    done = subprocess.run(arguments, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
