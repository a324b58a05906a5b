"""Tables and bars: plain where there is no colour, whole where there is little room."""

import io

import pytest
import torch
from rich.console import Console

from clearhead.analysis import Look, Looks
from clearhead.analysis.comparison import Comparison, HeadChange
from clearhead.views.terminal import bar, render, render_comparison


def looks_of(heads: int) -> Looks:
    weights = torch.linspace(0, 1, heads)
    found = tuple(Look(f"L0H{n}", "layer.0", 1, "[bold]animal", float(weights[n])) for n in reversed(range(heads)))
    return Looks(0, "it", found, ((found[0], found[1]), (found[1],)), weights[None], ("L0",))


def printed(looks: Looks, **options: object) -> str:
    console = Console(file=io.StringIO(), width=80, **options)
    console.print(render(looks, unit="words", top=3))
    text: str = console.file.getvalue()
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


def comparison_of(heads: int, texts: int = 1) -> Comparison:
    """Two layers, of which the second has no head 0, with divergences from 0 to 0.5."""
    names = [(0, n) for n in range(heads)] + [(1, n) for n in range(1, heads)]
    step = 0.5 / (len(names) - 1)
    changes = [
        HeadChange(f"L{layer}H{n}", f"L{layer}", n, "a", place * step, (1.25, 0.5), (10.0, 2.0), 1234)
        for place, (layer, n) in enumerate(names)
    ]
    return Comparison(tuple(changes), texts)


def printed_comparison(comparison: Comparison, **options: object) -> str:
    console = Console(file=io.StringIO(), width=80, **options)
    console.print(render_comparison(comparison, before="runs/[bold]a", after="runs/b", top=2))
    text: str = console.file.getvalue()
    return text


def test_a_comparison() -> None:
    text = printed_comparison(comparison_of(6, texts=2001))
    assert "\x1b" not in text
    lines = [line.rstrip() for line in text.splitlines()]
    assert lines[:2] == ["before  runs/[bold]a", "after   runs/b"]
    assert lines[2] == "Jensen–Shannon divergence, in nats: 0 the same, 0.693 no key in common"
    assert lines[3] == "Mean over 11 heads, 2,001 texts and 1,234 queries: 0.2500"
    assert lines[6].split() == ["head", "divergence", "entropy", "distance,", "tokens"]
    assert lines[7].split() == ["L1H5", "0.5000", "███████████▌", "1.25", "→", "0.50", "10.00", "→", "2.00"]
    assert lines[8].startswith("L1H4")
    assert lines[9] == ""
    assert lines[12].split() == ["L0", "0.1250", "·", "50", "100", "150", "200", "250"]
    assert lines[13].split() == ["L1", "0.4000", "300", "350", "400", "450", "500"]
    assert [line.index("300") - line.index("0.4") for line in lines[13:14]] == [8 + 3 + 1]  # H0 is left blank
    assert "in thousandths of a nat" in lines[14]
    assert "\x1b[" in printed_comparison(
        comparison_of(6), force_terminal=True, color_system="truecolor", no_color=False
    )


def test_a_comparison_of_many_heads_fits() -> None:
    text = printed_comparison(comparison_of(64))
    line = next(line for line in text.splitlines() if line.startswith("L0 "))
    assert len(line) == 5 + 7 + 64
    assert line.endswith("▄")
    assert "a full bar is 0.500" in text
