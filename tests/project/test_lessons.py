"""Every Python block of docs/lessons runs, in order, prints what is shown below it, and draws the pictures shown."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from documents import Block, blocks, links, run_python

FOLDER = Path(__file__).parents[2] / "docs" / "lessons"
LESSONS = sorted(FOLDER.glob("[0-9]*.md"))


def follow(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Run a lesson's blocks, with one set of names, and compare what each prints with the text block that follows."""
    found = blocks(path.read_text(encoding="utf-8"))
    names: dict[str, object] = {"__name__": "lesson"}
    for block, after in pairwise([*found, Block("", "", 0)]):
        if block.kind == "python":
            run_python(block, path, names)
            shown = after.text if after.kind == "text" else ""
            assert capsys.readouterr().out.splitlines() == shown.splitlines(), f"{path.name}:{block.line}"


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    follow(path, capsys)
    pictures = {Path(target) for target in links(path.read_text(encoding="utf-8")) if target.endswith(".png")}
    assert {picture.name for picture in pictures} == {made.name for made in tmp_path.iterdir()}
    for picture in pictures:
        assert difference(FOLDER / picture, tmp_path / picture.name) < 0.002, f"draw {picture} again"


def difference(one: Path, other: Path) -> float:
    """The mean difference of two pictures' pixels, whose colours go from 0 to 1; 1 for pictures of different sizes."""
    from matplotlib.image import imread

    first, second = imread(one), imread(other)
    return float(abs(first - second).mean()) if first.shape == second.shape else 1.0


def test_blocks_are_of_kinds_that_are_tested() -> None:
    for path in LESSONS:
        kinds = [block.kind for block in blocks(path.read_text(encoding="utf-8"))]
        assert set(kinds) <= {"python", "text"}, path.name
        assert ("text", "text") not in pairwise(kinds), f"{path.name}: a text block that no code printed"
        assert kinds[0] == "python", path.name


def test_the_table_of_contents_lists_every_lesson_in_order() -> None:
    contents = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [target for target in links(contents) if re.match(r"\d", target)] == [path.name for path in LESSONS]


def test_links_exist() -> None:
    for path in FOLDER.glob("*.md"):
        for target in links(path.read_text(encoding="utf-8")):
            assert (path.parent / target).is_file(), (path.name, target)


@pytest.mark.parametrize(
    "wrong",
    [
        "```python\nprint(1)\n```\n```text\n2\n```\n",
        "```python\nprint(1)\n```\n",
        "```python\n1\n```\n```text\n1\n```\n",
    ],
)
def test_a_wrong_lesson_is_noticed(wrong: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "wrong.md"
    path.write_text(wrong, encoding="utf-8")
    with pytest.raises(AssertionError, match=r"wrong\.md:2"):
        follow(path, capsys)


def test_an_error_names_the_line_of_the_lesson(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "raises.md"
    path.write_text("# A title\n\n```python\nx = 1\nx / 0\n```\n", encoding="utf-8")
    with pytest.raises(ZeroDivisionError) as raised:
        follow(path, capsys)
    assert raised.traceback[-1].lineno + 1 == 5


def test_another_picture_is_noticed(tmp_path: Path) -> None:
    from matplotlib.image import imsave

    for name, shape, value in (("black", (7, 11), 0.0), ("grey", (7, 11), 0.5), ("small", (5, 11), 0.0)):
        imsave(tmp_path / f"{name}.png", [[[value] * 3] * shape[1]] * shape[0])
    black, grey, small = (tmp_path / f"{name}.png" for name in ("black", "grey", "small"))
    assert difference(black, black) == 0
    assert difference(black, grey) > 0.3
    assert difference(black, small) == 1
