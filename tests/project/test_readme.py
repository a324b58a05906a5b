"""Every code block of README.md runs and shows what it says."""

import re
import shlex
from pathlib import Path

import pytest
from documents import Block, blocks, links, run_python

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = blocks(README)
COMMANDS = [
    shlex.split(line, comments=True)
    for block in BLOCKS
    if block.kind == "bash"
    for line in block.text.splitlines()
    if line
]


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    assert {block.kind for block in BLOCKS} == {"bash", "python", "text"}


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.kind == "python"])
def test_python_blocks_run(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_python(block, ROOT / "README.md", {"__name__": "readme"})


def test_bash_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """``make`` targets exist (running them is what runs this test); ``clearhead`` commands run in order."""
    from clearhead.cli.app import main

    monkeypatch.chdir(tmp_path)
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    shown = ""
    for program, *arguments in COMMANDS:
        if program == "make":
            assert set(arguments) <= targets
            continue
        assert program == "clearhead"
        main(arguments)
        shown += capfd.readouterr().out
    for line in next(block.text for block in BLOCKS if block.kind == "text").splitlines():
        assert line == "…" or line.rstrip() in [x.rstrip() for x in shown.splitlines()]
    assert (tmp_path / "out.png").is_file()


def test_links_and_pictures_exist() -> None:
    for target in links(README):
        assert (ROOT / target).is_file(), target


def test_exactly_two_set_up_commands() -> None:
    assert [command for command in COMMANDS if command[0] == "make"] == [["make", "look"], ["make", "test"]]
