"""``clearhead serve``: what it shows, what it refuses, how it stops."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
import webbrowser
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import clearhead as ch
from clearhead.capture.capture import Layer
from clearhead.cli.app import main
from clearhead.views.server import ViewerServer

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command in this process, as if it was stopped at once; gives exit code, stdout, stderr."""
    monkeypatch.setattr(ViewerServer, "run", lambda server: None)

    def command(*arguments: str) -> tuple[int, str, str]:
        code = 0
        try:
            main(["serve", *arguments])
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capfd.readouterr()
        return code, out, err

    return command


def save(path: Path, weights: torch.Tensor, tokens: list[ch.Tokens] | None = None) -> str:
    amap = ch.AttentionMap.from_weights(weights)
    heads = tuple(range(amap.shape[1]))
    ch.Capture([Layer("layer", 0, 0, heads, amap.shape, lambda: amap)], tokens).save(path)
    return str(path)


def a_map(tokens: int = 3, heads: int = 2) -> torch.Tensor:
    return torch.softmax(torch.randn(1, heads, tokens, tokens, generator=torch.Generator().manual_seed(0)), -1)


@pytest.mark.parametrize(("tokens", "heads"), [(3, 2), (1, 2), (3, 1)])
def test_any_capture_is_shown_at_an_address_of_its_own(run: Run, tmp_path: Path, tokens: int, heads: int) -> None:
    paths = [save(tmp_path / f"{n}.safetensors", a_map(tokens, heads)) for n in range(2)]
    code, out, err = run(*paths)
    assert code == 0
    addresses = out.split()
    assert len(set(addresses)) == 2
    assert all(re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", x) for x in addresses)
    # Each is named before its address.
    assert (
        err == "".join(f"{path}:\n" for path in paths) + "at most 512 MB of what was computed are kept; Ctrl-C stops\n"
    )


def test_a_short_text_begins_with_its_strongest_look(run: Run, tmp_path: Path) -> None:
    path = save(
        tmp_path / "run.safetensors", torch.eye(3)[[1, 0, 0]].expand(1, 2, 3, 3), [ch.Tokens.from_pieces("abc")]
    )
    code, out, _ = run(path)
    assert code == 0
    assert out.endswith("/#h=0.0&q=0\n")


def damaged(path: Path) -> str:
    save(path, a_map(40))
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    return str(path)


def cut(path: Path) -> str:
    save(path, a_map(40))
    path.write_bytes(path.read_bytes()[:-100])
    return str(path)


def other(path: Path) -> str:
    path.write_text("<html></html>", encoding="utf-8")
    return str(path)


def not_a_capture(path: Path) -> str:
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(3)}, str(path))
    return str(path)


def without_maps(path: Path) -> str:
    ch.Capture().save(path)
    return str(path)


def with_nan(path: Path) -> str:
    weights = a_map()
    weights[0, 1, 2, 0] = torch.nan
    return save(path, weights)


def with_nan_in_keys(path: Path) -> str:
    q, k = torch.randn(1, 1, 40, 4), torch.randn(1, 1, 40, 4)
    k[0, 0, 3, 1] = torch.nan
    amap = ch.AttentionMap.from_qk(q, k)
    ch.Capture([Layer("layer", 0, 0, (0,), amap.shape, lambda: amap)]).save(path)
    return str(path)


BAD: list[tuple[Callable[[Path], str], str]] = [
    (damaged, "was altered: the checksum of tensor"),
    (cut, "is no whole safetensors file"),
    (other, "is no clearhead capture: it is no safetensors file"),
    (not_a_capture, "no clearhead capture"),
    (without_maps, "holds no maps: there is nothing to look at"),
    (with_nan, "L0 (layer) is not finite"),
    (with_nan_in_keys, "L0 (layer) is not finite"),
    (lambda path: f"{path}-nowhere", "No such file"),
]


@pytest.mark.parametrize(("make", "says"), BAD, ids=[says for _, says in BAD])
def test_what_cannot_be_shown_is_one_line_and_exit_code_2(
    make: Callable[[Path], str], says: str, run: Run, tmp_path: Path
) -> None:
    code, out, err = run(make(tmp_path / "run.safetensors"))
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert err.startswith("clearhead: ")
    assert says in err


def test_wrong_options_are_one_line_and_exit_code_2(run: Run, tmp_path: Path) -> None:
    path = save(tmp_path / "run.safetensors", a_map())
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = str(busy.getsockname()[1])
        for arguments, says in (
            ([path, "--port", port], f"port {port} is in use"),
            ([path, "--port", "70000"], "--port"),
            ([path, "--host", "192.0.2.1"], "cannot listen on '192.0.2.1'"),
            ([path, "--host", "no such host"], "cannot listen on 'no such host'"),
            ([], "give a capture"),
            (
                ["some text"],
                "cannot open some text: No such file or directory; to look at a text, give it with --model",
            ),
            (["some text " * 99], "File name too long; to look at a text, give it with --model"),
            (["--model", "nobody/nothing", "a text"], "cannot load 'nobody/nothing'"),
            (["--model", "nobody/nothing"], "either a text or --file"),
            (["--model", "nobody/nothing", "a", "b"], "give one text"),
            (["--file", "nothing.txt"], "cannot read nothing.txt"),
        ):
            code, out, err = run(*arguments)
            assert (code, out, err.count("\n")) == (2, "", 1), err
            assert says in err


def test_other_hosts_and_a_missing_browser_are_said(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(webbrowser, "open", lambda address: bool(asked.append(address)))
    path = save(tmp_path / "run.safetensors", a_map())
    code, out, err = run(path, "--host", "0.0.0.0", "--open")  # noqa: S104
    assert code == 0
    assert "other computers can reach 0.0.0.0" in err
    assert "no browser to open was found" in err
    assert asked == [out.strip()]


def test_a_missing_package_is_said(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    code, _, err = run(save(tmp_path / "run.safetensors", a_map()))
    assert (code, err) == (
        2,
        "clearhead: the server needs starlette and uvicorn: pip install 'clearhead[serve]'\n",
    )


def test_it_answers_until_it_is_interrupted(tmp_path: Path) -> None:
    path = save(tmp_path / "run.safetensors", a_map())
    command = [sys.executable, "-m", "clearhead", "serve", path]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip().partition("#")[0]
            with urllib.request.urlopen(f"{address}info", timeout=60) as answer:  # noqa: S310
                assert b'"queries":3' in answer.read()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0
    assert (out, err) == ("", "at most 512 MB of what was computed are kept; Ctrl-C stops\n")
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", int(address.split(":")[2].split("/")[0])), 5)
