"""Tables and bars: plain where there is no colour, whole where there is little room."""

import io

import pytest
import torch
from rich.console import Console

from clearhead.analysis import Look, Looks
from clearhead.views.terminal import bar, render


def looks_of(heads: int) -> Looks:
    weights = torch.linspace(0, 1, heads)
    found = tuple(Look(f"L0H{n}", "layer.0", 1, "[bold]animal", float(weights[n])) for n in reversed(range(heads)))
    return Looks(0, "it", found, ((found[0], found[1]), (found[1],)), weights[None], ("L0",))


def printed(looks: Looks, **options: object) -> str:
    console = Console(file=io.StringIO(), width=80, **options)  # type: ignore[arg-type]
    console.print(render(looks, unit="words", top=3))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_bars_are_as_long_as_the_weight() -> None:
    assert [bar(x, 4) for x in (0.0, 0.125, 0.5, 1.0)] == ["", "▌", "██", "████"]
    assert bar(float("nan"), 4) == "?"
    assert bar(7.0, 4) == "████"


def test_plain_where_there_is_no_colour() -> None:
    text = printed(looks_of(12))
    assert "\x1b" not in text
    assert "L0H11   1.000  ████████████████████████  [bold]animal" in text
    assert "L0H8" not in text  # the fourth, and three were asked for
    assert "Jain & Wallace" in text


def test_coloured_where_there_is() -> None:
    text = printed(looks_of(12), force_terminal=True, color_system="truecolor", no_color=False)
    assert "\x1b[" in text


def test_a_long_word_takes_no_room_from_heads_and_weights() -> None:
    word = "pneumonoultramicroscopicsilicovolcanoconiosis" * 2
    look = Look("L10H11", "layer.10", 1, word, 0.5)
    text = printed(Looks(0, "it", (look,), ((look, look),), torch.tensor([[0.5]]), ("L10",)))
    rows = [line for line in text.splitlines() if "pneumono" in line]
    assert len(rows) == 2
    assert all("L10H11" in row and "0.500" in row and "…" in row for row in rows)


@pytest.mark.parametrize("heads", [12, 24, 64])
def test_the_overview_fits(heads: int) -> None:
    lines = [line for line in printed(looks_of(heads)).splitlines() if line.startswith("L0 ")]
    assert len(lines) == 1
    if heads > 24:
        assert lines[0][5:].rstrip("█▁▂▃▄▅▆▇ ") == ""
        assert len(lines[0]) == 5 + heads
    elif heads == 12:
        assert lines[0].split() == ["L0", "·", "9", "18", "27", "36", "45", "55", "64", "73", "82", "91", "100"]
