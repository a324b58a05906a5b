"""The interactive page in a real browser."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from browser import Visit, chromium

import clearhead as ch
from clearhead.capture.capture import Layer
from clearhead.views.page import write_page

SENTENCE = "The animal didn't cross the street because it was too tired."
HOSTILE = [
    "<script>window.wrong = 1</script>",
    "\"quoted\" & 'this'",
    "שלום",
    "👩‍👩‍👧‍👦",
    "e\u0301\u0323",
    "x" * 1000,
    "</script><img src=x onerror=alert(1)>",
    "\n",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def capture() -> ch.Capture:
    return ch.look(SENTENCE)


@pytest.fixture(scope="module")
def address(capture: ch.Capture, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "page.html"
    write_page(capture, path)
    return path.as_uri()


def small(queries: int, keys: int, pieces: list[str] | None = None, **options: Any) -> ch.Capture:
    """A capture of two heads that no model made."""
    torch.manual_seed(0)
    q, k = torch.randn(1, 2, queries, 5), torch.randn(1, 2, keys, 5)
    amap = ch.AttentionMap.from_qk(q, k, **options)
    tokens = [ch.Tokens.from_pieces(pieces)] if pieces else None
    return ch.Capture([Layer("layer", 0, 0, (0, 1), amap.shape, lambda: amap)], tokens)


def visit(browser: Any, capture: ch.Capture, folder: Path, *, start: str = "") -> Visit:
    write_page(capture, folder / "page.html", start=start)
    return Visit(browser, (folder / "page.html").as_uri())


def test_a_word_shows_the_head_that_links_it(browser: Any, address: str) -> None:
    seen = Visit(browser, address)
    page = seen.page
    page.get_by_role("button", name="it", exact=True).click()
    page.locator(".bars").first.wait_for()
    page.get_by_role("button", name="animal", exact=True).click(modifiers=["Alt"])
    page.get_by_label("Heads by").select_option("look")
    page.locator(".head .says").first.wait_for()
    first = page.locator(".head").first
    assert first.get_attribute("aria-label") == "L3H1, animal 0.677"
    first.click()
    assert page.locator(".inspector strong").inner_text() == "0.677"
    assert "rank 1 of 14" in page.locator(".inspector").inner_text()
    assert "h=3.1" in page.url
    seen.close()


@pytest.mark.parametrize("unit", ["words", "pieces"])
def test_the_numbers_are_those_of_python(
    unit: str, browser: Any, capture: ch.Capture, address: str, tmp_path: Path
) -> None:
    shown = capture.words() if unit == "words" else capture
    seen = Visit(browser, f"{address}#h=4.5&u={unit}")
    seen.settle()
    with seen.page.expect_download() as download:
        seen.page.get_by_role("button", name="CSV").click()
    download.value.save_as(tmp_path / "map.csv")
    header, *rows = csv.reader((tmp_path / "map.csv").read_text(encoding="utf-8").splitlines())
    assert header[1:] == [row[0] for row in rows] == list(shown.labels())
    found = torch.tensor([[float(x) for x in row[1:]] for row in rows])
    wanted = shown["encoder.layer.4.attention.self"][0, 5]
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)
    seen.close()


MAPS: dict[str, dict[str, Any]] = {
    "plain": {},
    "causal": {"causal": True},
    "window and padding": {"mask": ch.Causal() & ch.Window(3, 0) & ch.Padding(torch.tensor([9]))},
    "any pairs": {"mask": ch.Explicit(torch.rand(11, 11, generator=torch.Generator().manual_seed(1)) > 0.4)},
    "bias": {"bias": torch.randn(1, 2, 11, 11, generator=torch.Generator().manual_seed(2))},
    "soft-cap and sinks": {"softcap": 2.0, "sinks": torch.tensor([0.5, 2.0])},
    "ALiBi": {"bias": ch.ALiBi(2)},
    "sparsemax": {"normalizer": "sparsemax"},
}


@pytest.mark.parametrize("name", MAPS)
def test_every_kind_of_map(name: str, browser: Any, tmp_path: Path) -> None:
    capture = small(11, 11, **MAPS[name])
    seen = visit(browser, capture, tmp_path)
    seen.page.goto(f"{(tmp_path / 'page.html').as_uri()}#h=0.1")
    seen.settle()
    with seen.page.expect_download() as download:
        seen.page.get_by_role("button", name="CSV").click()
    download.value.save_as(tmp_path / "map.csv")
    _, *rows = csv.reader((tmp_path / "map.csv").read_text(encoding="utf-8").splitlines())
    found = torch.tensor([[float(x) for x in row[1:]] for row in rows])
    torch.testing.assert_close(found, capture["layer"][0, 1], rtol=0, atol=1e-5)
    seen.close()


def test_tokens_are_text_never_markup(browser: Any, tmp_path: Path) -> None:
    seen = visit(browser, small(len(HOSTILE), len(HOSTILE), HOSTILE), tmp_path, start="u=pieces")
    seen.settle()
    chips = seen.page.locator(".chip").all_inner_texts()
    assert chips[0] == HOSTILE[0]
    assert len(chips) == len(HOSTILE)
    for view in ("arcs", "matrix"):
        seen.page.get_by_role("tab", name=view).click()
        with seen.page.expect_download() as download:
            seen.page.get_by_role("button", name="SVG").click()
        assert "<script" not in Path(download.value.path()).read_text(encoding="utf-8")
    assert seen.page.evaluate("window.wrong") is None
    seen.close()


@pytest.mark.parametrize("sizes", [(1, 1), (3, 3), (2, 7), (301, 301), (1031, 1031)], ids=str)
def test_any_size(sizes: tuple[int, int], browser: Any, tmp_path: Path) -> None:
    seen = visit(browser, small(*sizes), tmp_path)
    seen.settle()
    assert seen.page.locator("canvas[role=grid]").get_attribute("aria-rowcount") == str(sizes[0])
    seen.close()


def test_everything_by_keyboard(browser: Any, address: str) -> None:
    seen = Visit(browser, address)
    page = seen.page

    def press(*keys: str) -> str:
        for key in keys:
            page.keyboard.press(key)
        return page.evaluate("location.hash")

    assert press("ArrowRight", "ArrowRight") == "#q=1"
    assert press("ArrowDown") == "#q=1&k=0"
    assert press("]") == "#h=0.1&q=1&k=0"
    assert press("}") == "#h=1.1&q=1&k=0"
    assert press("2") == "#h=1.1&q=1&k=0&v=arcs"
    assert press("l", "s", "m") == "#h=1.1&q=1&k=0&v=arcs&log=1&hide=special&pool=max"
    assert press("w") == "#h=1.1&v=arcs&u=pieces&log=1&hide=special&pool=max"
    assert press("[", "{", "1") == "#u=pieces&log=1&hide=special&pool=max"
    page.keyboard.press("?")
    assert page.get_by_role("dialog").is_visible()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    page.go_back()
    assert page.evaluate("location.hash") != "#u=pieces&log=1&hide=special&pool=max"
    seen.close()


def test_a_link_restores_the_state(browser: Any, address: str) -> None:
    seen = Visit(browser, f"{address}#h=3.1,5.11&q=8&k=2&v=arcs&theme=dark&log=1")
    page = seen.page
    page.locator(".arcs path").first.wait_for(state="attached")
    assert page.locator(".head.is-chosen").count() == 2
    assert page.locator(".clearhead").get_attribute("data-theme") == "dark"
    assert "it → animal" in page.locator(".inspector h2").inner_text()
    seen.close()
    broken = Visit(browser, f"{address}#h=x&q=-3&v=nothing&u=")
    broken.page.locator(".clearhead").wait_for()
    broken.close()
