"""Runs what Markdown documents show: their code, and what it prints."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

__all__ = ["Block", "blocks", "links", "run_python"]


class Block(NamedTuple):
    """A fenced block of a document."""

    kind: str
    """What stands after the fence: python, bash, text."""
    text: str
    line: int
    """In which line of the document its first line is, from 1."""


def blocks(document: str) -> list[Block]:
    return [
        Block(found[1], found[2], document.count("\n", 0, found.start(2)) + 1)
        for found in re.finditer(r"```(\w*)\n(.*?)```", document, flags=re.DOTALL)
    ]


def links(document: str) -> list[str]:
    """The targets of links and pictures, without those on the web."""
    return [target for target in re.findall(r"\]\(([^)#]+)\)", document) if not target.startswith("http")]


def run_python(block: Block, path: Path, names: dict[str, object]) -> None:
    """Run a block; ``names`` is its globals. What it raises names the document's own line."""
    exec(compile("\n" * (block.line - 1) + block.text, path, "exec"), names)  # noqa: S102  # the documentation is the test
