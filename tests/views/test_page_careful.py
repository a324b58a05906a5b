"""What must not happen on the page: views that lose their way, and requests without end."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from browser import Visit, chromium
from PIL import Image

import clearhead as ch
from clearhead.capture.capture import Layer
from clearhead.views.page import write_page
from serving import serving

WORDS = ["unbelievably", "the", "animals", "did", "not", "cross", "because", "it", "was", "too", "tired"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


def capture_of(queries: int, keys: int | None = None, *, pieces: list[str] | None = None) -> ch.Capture:
    torch.manual_seed(0)
    q, k = torch.randn(1, 2, queries, 5), torch.randn(1, 2, keys or queries, 5)
    amap = ch.AttentionMap.from_qk(q, k)
    tokens = [ch.Tokens.from_pieces(pieces)] if pieces else None
    return ch.Capture([Layer("layer", 0, 0, (0, 1), amap.shape, lambda: amap)], tokens)


@pytest.fixture
def text(browser: Any, tmp_path: Path) -> Iterator[Visit]:
    """A page of a short text."""
    write_page(capture_of(len(WORDS), pieces=WORDS), tmp_path / "page.html")
    seen = Visit(browser, (tmp_path / "page.html").as_uri())
    seen.settle()
    yield seen
    seen.close()


def chip(seen: Visit, number: int) -> tuple[float, float]:
    box = seen.page.locator(f".chip[data-at='{number}']").bounding_box()
    assert box is not None
    return box["x"] + 5, box["y"] + 5


def test_arrows_go_where_they_point(text: Visit) -> None:
    page = text.page

    def press(*keys: str) -> str:
        for key in keys:
            page.keyboard.press(key)
        return str(page.evaluate("location.hash"))

    page.locator("canvas[role=grid]").focus()
    assert press("ArrowDown", "ArrowDown") == "#q=1"  # queries are rows there
    assert press("ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft") == "#q=1&k=1"
    page.locator(".head").first.focus()
    assert press("ArrowRight") == "#q=1&k=1"
    assert "L0H1" in page.evaluate("document.activeElement.title")
    assert press("Enter") == "#h=0.1&q=1&k=1"
    assert page.locator(".head[tabindex='0']").count() == 1
    page.evaluate("document.activeElement.blur()")
    assert press("ArrowRight") == "#h=0.1&q=2&k=1"


def test_what_the_pointer_was_on_is_forgotten_with_its_view(text: Visit) -> None:
    page = text.page
    box = page.locator("canvas[role=grid]").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 2)
    page.locator(".matrix output", has_text="→").wait_for()
    page.keyboard.press("2")
    path = page.locator(".arcs path")
    path.first.wait_for(state="attached")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.arcs path')].every((x) => +x.getAttribute('stroke-opacity') > 0.09)"
    )


def test_words_that_are_fewer_than_pieces(browser: Any, tmp_path: Path) -> None:
    capture = ch.look("unbelievably unbelievably unbelievably")
    write_page(capture, tmp_path / "page.html")
    seen = Visit(browser, f"{(tmp_path / 'page.html').as_uri()}#u=pieces")
    seen.settle()
    seen.page.mouse.move(*chip(seen, len(capture.labels()) - 1))
    seen.page.keyboard.press("w")
    seen.settle()
    assert seen.page.get_by_role("alert").count() == 0
    seen.close()


def test_only_a_drag_from_word_to_word_chooses_several(text: Visit) -> None:
    page = text.page
    page.mouse.move(*chip(text, 4))
    page.mouse.down()
    page.mouse.move(*chip(text, 6))
    page.mouse.up()
    assert page.evaluate("location.hash") == "#q=4-6"
    page.mouse.click(*chip(text, 2))
    assert page.evaluate("location.hash") == "#q=2"
    page.mouse.move(600, 15)
    page.mouse.down()
    page.mouse.move(*chip(text, 7))
    page.mouse.up()
    assert page.evaluate("location.hash") == "#q=2"
    page.mouse.click(*chip(text, 6), button="right")
    assert page.evaluate("location.hash") == "#q=2"


@pytest.mark.parametrize("zoom", ["0,0,0", "999999,0,1", "0,999999,1", "0,0,1", "5,5,999999"])
def test_a_link_to_nowhere_shows_something(zoom: str, browser: Any, tmp_path: Path) -> None:
    write_page(capture_of(1031), tmp_path / "page.html")
    seen = Visit(browser, f"{(tmp_path / 'page.html').as_uri()}#z={zoom}")
    seen.settle()
    for key in ("", "-", "-", "+"):
        if key:
            seen.page.keyboard.press(key)
        seen.page.wait_for_timeout(100)
        assert "NaN" not in seen.page.evaluate("location.hash")
        seen.settle()
        shown = Image.open(io.BytesIO(seen.page.locator("canvas[role=grid]").screenshot()))
        inside = shown.crop((60, 60, shown.width // 2, shown.height - 10))
        assert len(inside.getcolors(2**24) or ()) > 8  # more than paper, ink and lines
    seen.close()


def test_a_page_that_was_hidden_has_labels(browser: Any, tmp_path: Path) -> None:
    write_page(capture_of(len(WORDS), pieces=WORDS), tmp_path / "page.html")
    (tmp_path / "frame.html").write_text('<iframe src="page.html" width=1200 height=700 style="display:none"></iframe>')
    page = browser.new_page()
    page.goto((tmp_path / "frame.html").as_uri())
    inside = page.frame_locator("iframe")
    inside.locator(".clearhead").wait_for(state="attached")
    page.wait_for_timeout(300)
    page.evaluate("document.querySelector('iframe').style.display = 'block'")
    canvas = inside.locator("canvas[role=grid]")
    canvas.wait_for()
    page.wait_for_timeout(300)
    ink = canvas.evaluate(  # of the words of the rows, at the left
        "(c) => c.getContext('2d').getImageData(0, 120, 100, 200).data.filter((x, n) => n % 4 === 3 && x > 0).length"
    )
    assert ink > 200
    page.close()


def test_arcs_of_two_heads_do_not_hide_each_other(text: Visit) -> None:
    text.page.evaluate("location.hash = '#v=arcs&h=0.0,0.1&q=3'")
    text.page.locator(".arcs .key").nth(1).wait_for()
    paths = text.page.locator(".arcs path")
    paths.first.wait_for(state="attached")
    drawn = [paths.nth(n).get_attribute("d") for n in range(paths.count())]
    assert len(set(drawn)) == len(drawn)


def test_what_fails_is_not_asked_for_without_end(browser: Any) -> None:
    with serving(capture_of(1031)) as server:
        seen = Visit(browser, server.addresses[0])
        seen.settle()
        asked: list[str] = []
        seen.page.route("**/tile*", lambda route: (asked.append(route.request.url), route.abort()))
        seen.page.evaluate("location.hash = '#z=300,300,100'")
        seen.page.get_by_role("alert").wait_for()
        seen.page.wait_for_timeout(1500)
        assert 0 < len(asked) < 20
        seen.page.close()
