"""The interactive page in a real browser."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from browser import Visit, chromium
from PIL import Image

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


def saved(seen: Visit, kind: str) -> bytes:
    """What the page lets one keep."""
    with seen.page.expect_download() as download:
        seen.page.get_by_role("button", name=kind, exact=True).click()
    return Path(download.value.path()).read_bytes()


def table(seen: Visit) -> list[list[str]]:
    return list(csv.reader(saved(seen, "CSV").decode().splitlines()))


def numbers(seen: Visit) -> torch.Tensor:
    """The weights of the matrix in sight."""
    seen.settle()
    return torch.tensor([[float(x) for x in row[1:]] for row in table(seen)[1:]])


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
    assert first.inner_text().split() == ["L3H1", "animal", "0.677"]
    first.click()
    assert page.locator(".inspector strong").inner_text() == "0.677"
    assert "rank 1 of 14" in page.locator(".inspector").inner_text()
    assert "h=3.1" in page.url
    seen.close()


@pytest.mark.parametrize("unit", ["words", "pieces"])
def test_the_numbers_are_those_of_python(unit: str, browser: Any, capture: ch.Capture, address: str) -> None:
    shown = capture.words() if unit == "words" else capture
    seen = Visit(browser, f"{address}#h=4.5&u={unit}")
    seen.settle()
    header, *rows = table(seen)
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
    found = numbers(seen)
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
        text = saved(seen, "SVG").decode()
        ElementTree.fromstring(text)
        assert "<script" not in text
    assert seen.page.evaluate("window.wrong") is None
    seen.close()


@pytest.mark.parametrize("sizes", [(1, 1), (3, 3), (2, 7), (301, 301), (4099, 4099)], ids=str)
def test_any_size(sizes: tuple[int, int], browser: Any, tmp_path: Path) -> None:
    seen = visit(browser, small(*sizes), tmp_path)
    seen.settle()
    assert seen.page.locator("canvas[role=grid]").get_attribute("aria-rowcount") == str(sizes[0])
    seen.close()


def test_a_page_of_more_tiles_than_are_kept(browser: Any, tmp_path: Path) -> None:
    tokens = 16_411  # 272 tiles of 1,024 × 1,024 are made, and 192 kept
    capture = small(tokens, tokens)
    seen = visit(browser, capture, tmp_path, start="#h=0.0")
    seen.settle()
    assert int(seen.page.locator("canvas[role=grid]").get_attribute("data-level")) > 4
    shown = seen.page.evaluate(
        "() => { const c = document.querySelector('canvas[role=grid]'); const d = c.getContext('2d')"
        ".getImageData(c.width / 4, c.height / 2, 40, 40).data; return new Set(d).size; }"
    )
    assert shown > 10  # shades
    seen.close()


def test_everything_by_keyboard(browser: Any, address: str) -> None:
    seen = Visit(browser, address)
    page = seen.page

    def press(*keys: str) -> str:
        for key in keys:
            page.keyboard.press(key)
        return page.evaluate("location.hash")

    assert press("ArrowRight", "ArrowRight") == "#q=1"
    assert press("ArrowLeft") == "#q=0"
    assert press("ArrowRight", "ArrowDown") == "#q=1&k=0"
    assert press("ArrowDown", "ArrowDown", "ArrowUp") == "#q=1&k=1"
    assert press("ArrowUp", "]") == "#h=0.1&q=1&k=0"
    assert press("}") == "#h=1.1&q=1&k=0"
    assert press("2") == "#h=1.1&q=1&k=0&v=arcs"
    assert press("3") == "#h=1.1&q=1&k=0&v=products"
    assert press("4") == "#h=1.1&q=1&k=0&v=products"  # there is no picture
    assert press("l", "s", "m") == "#h=1.1&q=1&k=0&v=products&log=1&hide=special&pool=max"
    assert press("Escape", "w") == "#h=1.1&v=products&u=pieces&log=1&hide=special&pool=max"
    assert press("[", "{", "1") == "#u=pieces&log=1&hide=special&pool=max"
    assert press("/", *"tire", "Enter", "Escape") == "#q=13&u=pieces&log=1&hide=special&pool=max"
    assert press("ArrowDown", "Escape") == "#u=pieces&log=1&hide=special&pool=max"
    page.keyboard.press("e")
    assert page.evaluate("document.activeElement.textContent") == "PNG"
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()
    assert axe(seen) == []
    assert "arXiv:1902.10186" in page.get_by_role("dialog").inner_text()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    seen.close()


def test_arrows_go_from_tab_to_tab(browser: Any, address: str) -> None:
    seen = Visit(browser, f"{address}#h=3.1&q=8")
    tab = seen.page.get_by_role("tab", name="Matrix")
    tab.focus()
    for key, name in (
        ("ArrowRight", "Arcs"),
        ("End", "q·k"),
        ("ArrowRight", "Matrix"),
        ("ArrowLeft", "q·k"),
        ("Home", "Matrix"),
    ):
        seen.page.keyboard.press(key)
        focused = seen.page.evaluate("[document.activeElement.innerText, document.activeElement.ariaSelected]")
        assert focused == [name, "true"]
    assert seen.page.locator("[role=tab][tabindex='0']").count() == 1
    assert "q=8" in seen.page.url  # where arrows did not move the selection
    seen.close()


def test_zooming_by_keyboard(browser: Any, tmp_path: Path) -> None:
    seen = visit(browser, small(1031, 1031), tmp_path)
    seen.settle()
    canvas = seen.page.locator("canvas[role=grid]")
    assert canvas.get_attribute("data-level") == "1"
    assert "mean" in seen.page.locator("figcaption").inner_text()
    for keys, level in ("++", "0"), ("0", "1"), ("++", "0"), ("--", "1"):
        for key in keys:
            seen.page.keyboard.press(key)
        seen.page.wait_for_function(f"() => document.querySelector('canvas[role=grid]').dataset.level === '{level}'")
    seen.close()


def test_a_link_restores_the_state(browser: Any, address: str) -> None:
    seen = Visit(browser, f"{address}#h=3.1,5.11&q=8&k=2&v=arcs&theme=dark&log=1")
    page = seen.page
    page.locator(".arcs path").first.wait_for(state="attached")
    assert page.locator(".head.is-chosen").count() == 2
    assert page.locator(".clearhead").get_attribute("data-theme") == "dark"
    assert "it → animal" in page.locator(".inspector h2").inner_text()
    seen.close()
    beyond = Visit(browser, f"{address}#h=99.0&q=1000-2000&k=77&t=9&v=image")
    beyond.settle()
    assert beyond.page.locator("canvas[role=grid]").is_visible()
    beyond.close()


@pytest.mark.parametrize("hide", ["special", "first"])
def test_hidden_keys_leave_rows_that_sum_to_one(hide: str, browser: Any, capture: ch.Capture, address: str) -> None:
    seen = Visit(browser, f"{address}#h=2.3&u=pieces&hide={hide}")
    found = numbers(seen)
    weights = capture["encoder.layer.2.attention.self"][0, 3].clone()
    hidden = capture.special() if hide == "special" else [True] + [False] * (len(weights) - 1)
    weights[:, torch.tensor(hidden)] = 0
    torch.testing.assert_close(found, weights / weights.sum(-1, keepdim=True), rtol=0, atol=1e-4)
    assert "rows renormalised" in seen.page.locator(".chosen").inner_text()
    assert "rows renormalised" in saved(seen, "SVG").decode()
    seen.close()


@pytest.mark.parametrize(
    "letter", ["h", "q", "k", "z", "v", "t", "u", "log", "hide", "pool", "sort", "sorted", "theme"]
)
def test_a_broken_link_leaves_what_it_breaks_as_it_was(letter: str, browser: Any, address: str) -> None:
    seen = Visit(browser, address)
    usual = numbers(seen)
    for value in ("", "x", "-3", "1-2.5", "0.0,0.0", "NaN", "%00"):
        seen.page.goto(f"{address}#{letter}={value}")
        seen.settle()
        torch.testing.assert_close(numbers(seen), usual, rtol=0, atol=0)
        assert seen.page.locator(".chosen").inner_text() == "L0H0"
        assert seen.page.get_by_role("alert").count() == 0
    seen.close()


def test_back_leads_back(browser: Any, address: str) -> None:
    seen = Visit(browser, f"{address}#q=8&h=3.1")  # not in the order in which the page writes it
    seen.settle()
    assert seen.page.evaluate("location.hash") == "#h=3.1&q=8"
    before = seen.page.evaluate("history.length")
    seen.page.keyboard.press("2")
    seen.page.wait_for_timeout(500)  # two changes are two steps where some time lies between
    seen.page.keyboard.press("3")
    assert seen.page.evaluate("history.length") == before + 2
    for _ in range(10):
        seen.page.keyboard.press("ArrowRight")  # held down: one step
    assert seen.page.evaluate("history.length") <= before + 3
    while "v=" in seen.page.evaluate("location.hash"):
        seen.page.go_back()
    assert seen.page.evaluate("location.hash") == "#h=3.1&q=8"
    seen.close()


def test_zoom_stays_and_is_in_the_address(browser: Any, tmp_path: Path) -> None:
    seen = visit(browser, small(1031, 1031), tmp_path)
    seen.settle()
    canvas = seen.page.locator("canvas[role=grid]")
    box = canvas.bounding_box()
    seen.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    for _ in range(6):
        seen.page.mouse.wheel(0, -200)
    seen.page.wait_for_timeout(500)  # the end of a turn of the wheel is that no other follows
    address = seen.page.evaluate("location.hash")
    shown = [row[0] for row in table(seen)]
    assert len(shown) < 500
    for key in ("ArrowRight", "l", "]"):
        seen.page.keyboard.press(key)
        seen.settle()
        assert canvas.get_attribute("data-level") == "0"
        assert address[1:] in seen.page.evaluate("location.hash")
    assert [row[0] for row in table(seen)][1:] == shown[1:]
    again = Visit(browser, f"{(tmp_path / 'page.html').as_uri()}{address}")
    again.settle()
    found = [int(row[0]) for row in table(again)[1:]]
    assert abs(found[0] - int(shown[1])) <= 1
    assert abs(found[-1] - int(shown[-1])) <= 1
    for each in (seen, again):
        each.close()


def test_a_key_by_itself_is_looked_at(browser: Any, capture: ch.Capture, address: str) -> None:
    seen = Visit(browser, f"{address}#h=5.11&k=13")
    seen.page.locator(".bars").nth(1).wait_for()
    weights = capture.words()["encoder.layer.5.attention.self"][0, :, :, 13]
    assert float(seen.page.locator(".inspector strong").inner_text()) == pytest.approx(
        float(weights[11].mean()), abs=6e-4
    )
    first = seen.page.locator(".bars").nth(1).locator("li").first.inner_text().split()
    assert first[0] == f"L5H{int(weights.mean(-1).argmax())}" or float(first[1]) > float(weights.mean(-1).max())
    seen.page.get_by_label("a click chooses").select_option("key")
    seen.page.get_by_role("button", name="street", exact=True).click()
    assert seen.page.evaluate("location.hash") == "#h=5.11&k=6"
    seen.close()


def test_the_unit_keeps_the_selection(browser: Any, address: str) -> None:
    seen = Visit(browser, f"{address}#q=3&k=2")
    seen.page.keyboard.press("w")
    assert seen.page.evaluate("location.hash") == "#q=3-5&k=2&u=pieces"  # didn't is three pieces
    seen.page.keyboard.press("w")
    assert seen.page.evaluate("location.hash") == "#q=3&k=2"
    seen.close()


def test_several_heads_are_averaged(browser: Any, capture: ch.Capture, address: str) -> None:
    seen = Visit(browser, address)
    for number, name in enumerate(["L3H1", "L0H2", "L5H11"]):
        seen.page.get_by_role("button", name=name, exact=True).click(modifiers=["Control"] if number else [])
    words = capture.words()
    maps = [words[f"encoder.layer.{layer}.attention.self"][0, head] for layer, head in ((3, 1), (0, 2), (5, 11))]
    torch.testing.assert_close(numbers(seen), torch.stack(maps).mean(0), rtol=0, atol=1e-5)
    assert "mean of 3 heads" in seen.page.locator(".chosen").inner_text()
    seen.close()


def test_spans_of_words_are_averaged_from_and_summed_to(browser: Any, capture: ch.Capture, address: str) -> None:
    seen = Visit(browser, f"{address}#h=1.2&q=1-4&k=8-9")
    seen.settle()
    weights = capture.words()["encoder.layer.1.attention.self"][0, 2]
    wanted = float(weights[1:5, 8:10].sum(-1).mean())
    shown = seen.page.locator(".inspector strong")
    shown.wait_for()
    assert float(shown.inner_text()) == pytest.approx(wanted, abs=6e-4)
    first = seen.page.get_by_role("button", name="The", exact=True).bounding_box()
    last = seen.page.get_by_role("button", name="didn't", exact=True).bounding_box()
    for place, action in ((first, seen.page.mouse.down), (last, seen.page.mouse.up)):
        seen.page.mouse.move(place["x"] + 5, place["y"] + 5)
        action()
    assert "q=1-3" in seen.page.url
    seen.close()


def test_the_overview_tells_the_statistics(browser: Any, capture: ch.Capture, address: str) -> None:
    seen = Visit(browser, f"{address}#u=pieces")
    seen.settle()
    amap = capture["encoder.layer.4.attention.self"]
    weights = amap[0, 7]
    head = seen.page.get_by_role("button", name=re.compile("L4H7"))
    wanted = {
        "entropy": float(amap.entropy()[0, 7].mean()),
        "distance": float(amap.distance().mean[0, 7].mean()),
        "first token": float(weights[:, 0].mean()),
        "token before": float(weights.diagonal(-1).sum() / len(weights)),
    }
    for name, value in wanted.items():
        shown = re.search(rf"{name} ([\d.e-]+)", head.get_attribute("title"))
        assert shown is not None
        assert float(shown[1]) == pytest.approx(value, abs=0.06 if name == "distance" else 0.006)
    order = sorted(range(72), key=lambda n: float(capture.layers[n // 12].map.entropy()[0, n % 12].mean()))
    seen.page.get_by_label("Heads by").select_option("entropy")
    assert [x.split()[0] for x in seen.page.locator(".head").all_inner_texts()[:3]] == [
        f"L{n // 12}H{n % 12}" for n in order[:3]
    ]
    largest = max(float(layer.map.entropy()[0, head].mean()) for layer in capture.layers for head in range(12))
    ends = seen.page.locator(".overview .legend").inner_text()
    assert [float(x) for x in ends.split()] == pytest.approx([0, largest], abs=0.006)
    seen.page.get_by_label("in this order").uncheck()
    assert seen.page.locator(".heads.is-grid").count() == 1
    assert len(set(seen.page.locator(".head .name").evaluate_all("all => all.map(x => x.style.background)"))) > 20
    seen.close()


def test_products_add_up_to_the_score(browser: Any, capture: ch.Capture, address: str) -> None:
    seen = Visit(browser, f"{address}#h=3.1&q=8&k=2&v=products")
    seen.page.locator(".products rect").first.wait_for()
    rows = table(seen)
    assert rows[0] == ["dimension", "scale · q · k"]
    amap = capture["encoder.layer.3.attention.self"]
    q, k = (amap.tensors()[name][0, 1] for name in ("q", "k"))
    at = [capture.tokens[0].word_of.index(word) for word in (8, 2)]
    wanted = q[at[0]] * k[at[1]] / q.shape[-1] ** 0.5
    torch.testing.assert_close(torch.tensor([float(x[1]) for x in rows[1:]]), wanted, rtol=0, atol=1e-5)
    assert f"{float(wanted.sum()):.3f}" in seen.page.locator("figcaption").inner_text()
    seen.close()


def test_arcs_are_the_strongest_weights(browser: Any, capture: ch.Capture, address: str) -> None:
    seen = Visit(browser, f"{address}#h=3.1,5.11&v=arcs")
    seen.page.locator(".arcs path").first.wait_for(state="attached")
    header, *rows = table(seen)
    assert header == ["head", "query", "key", "from", "to", "weight"]
    words = capture.words()
    for head, query, key, source, target, weight in rows[:50]:
        layer, place = words.head(head)
        assert float(weight) == pytest.approx(float(layer.map[0, place, int(query), int(key)]), abs=1e-5)
        assert (source, target) == (words.labels()[int(query)], words.labels()[int(key)])
    seen.page.locator(".arcs text").filter(has_text="street").first.hover()
    lit = seen.page.locator(".arcs path").evaluate_all("all => all.map(x => +x.getAttribute('stroke-opacity') > 0.04)")
    assert 0 < sum(lit) < len(lit)
    seen.close()


def test_a_picture_is_shown_under_its_patches(browser: Any, tmp_path: Path) -> None:
    picture = ch.Picture.of(np.random.default_rng(0).integers(0, 255, (36, 60, 3), np.uint8), (3, 5), 1)
    capture = small(16, 16, picture.labels())
    capture.tokens = [ch.Tokens.from_pieces(picture.labels(), [True] + [False] * 15)]
    capture.pictures = [picture]
    seen = visit(browser, capture, tmp_path, start="v=image&h=0.1&q=4")
    patches = seen.page.locator(".patch")
    patches.first.wait_for()
    assert patches.count() == 30
    assert seen.page.locator(".chip").all_inner_texts() == ["[CLS]"]  # the others are in the picture
    rows = table(seen)
    torch.testing.assert_close(
        torch.tensor([float(x[1]) for x in rows[1:]]), capture["layer"][0, 1, 4], rtol=0, atol=1e-5
    )
    veils = patches.evaluate_all("all => all.slice(15).map(x => +x.getAttribute('fill-opacity'))")
    weights = capture["layer"][0, 1, 4, 1:]
    assert int(np.argmin(veils)) == int(weights.argmax())
    assert axe(seen) == []
    patches.nth(7).click()
    assert "q=8" in seen.page.url
    ElementTree.fromstring(saved(seen, "SVG"))
    seen.page.keyboard.press("1")
    seen.page.keyboard.press("4")
    assert seen.page.get_by_role("tab", name="Image").get_attribute("aria-selected") == "true"
    seen.close()


def test_steps_of_a_written_text(browser: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    layers = []
    for call, (queries, keys) in enumerate([(3, 3), (1, 4), (1, 5)]):
        amap = ch.AttentionMap.from_qk(torch.randn(1, 2, queries, 5), torch.randn(1, 2, keys, 5), causal=True)
        layers.append(Layer("layer", call, 0, (0, 1), amap.shape, lambda amap=amap: amap))
    capture = ch.Capture(layers, [ch.Tokens.from_pieces(["a", "b", "c", "d", "e", "f"])])
    seen = visit(browser, capture, tmp_path)
    seen.settle()
    slider = seen.page.get_by_label(re.compile("step"))
    assert [row[0] for row in table(seen)[1:]] == ["a", "b", "c"]
    slider.fill("2")
    seen.settle()
    assert "h=2.0" in seen.page.url
    header, *rows = table(seen)
    assert header[1:] == ["a", "b", "c", "d", "e"]
    assert [row[0] for row in rows] == ["e"]
    torch.testing.assert_close(numbers(seen), layers[2].map[0, 0], rtol=0, atol=1e-5)
    seen.close()


def test_cross_attention_has_two_texts(browser: Any, tmp_path: Path) -> None:
    amap = ch.AttentionMap.from_qk(torch.randn(1, 2, 2, 5), torch.randn(1, 2, 3, 5))
    layer = Layer("decoder.0.EncDecAttention", 0, 0, (0, 1), amap.shape, lambda: amap)
    texts = [[ch.Tokens.from_pieces(x)] for x in (["le", "chat"], ["the", "cat", "sat"])]
    capture = ch.Capture([layer], texts[0], source_tokens=texts[1])
    seen = visit(browser, capture, tmp_path)
    seen.settle()
    assert seen.page.locator(".chip").all_inner_texts() == ["le", "chat", "the", "cat", "sat"]
    seen.page.locator(".chip", has_text="chat").click()
    seen.page.locator(".chip", has_text="sat").click()
    shown = seen.page.locator(".inspector strong")
    shown.wait_for()
    assert float(shown.inner_text()) == pytest.approx(float(amap[0, 0, 1, 2]), abs=6e-4)
    assert "chat → sat" in seen.page.locator(".inspector h2").inner_text()
    # Between two texts there is no distance, and heads without a number are the last.
    title = seen.page.locator(".head").first.get_attribute("title")
    entropy, first = amap.entropy()[0, 0].mean(), amap[0, 0, :, 0].mean()
    assert title == f"L0H0: entropy {entropy:.2f} nats, distance –, first token {first:.3f}, token before –"
    seen.page.get_by_label("Heads by").select_option("distance")
    assert seen.page.locator(".head .says").all_inner_texts() == ["–", "–"]
    # Each text has a scale of its own.
    ramps = [x.split() for x in seen.page.locator(".below > .legend").all_inner_texts()]
    most = float(amap[0, 0, :, 2].max()), float(amap[0, 0, 1].max())
    assert ramps == [["from", "0.000", f"{most[0]:.3f}"], ["to", "0.000", f"{most[1]:.3f}"]]
    seen.close()


VIEWS = {
    "matrix": "h=3.1&q=8",
    "arcs": "h=3.1,4.5&q=8&v=arcs",
    "products": "h=3.1&q=8&k=2&v=products",
    "grid": "sort=entropy&sorted=0&u=pieces",
}
SCREENS = Path(__file__).parent / "screens"
MOST_DIFFERENT = 0.0006  # of the blocks: 8 of 14,250


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", VIEWS)
def test_it_looks_as_it_did_and_axe_finds_nothing(name: str, theme: str, browser: Any, address: str) -> None:
    seen = Visit(browser, f"{address}#{VIEWS[name]}&theme={theme}", viewport={"width": 1200, "height": 760})
    seen.settle()
    difference = compare(seen.page.screenshot(), SCREENS / f"{name}-{theme}.png")
    assert difference < MOST_DIFFERENT, (
        f"look at the page, and if it is right: python tests/views/test_page.py {name}-{theme}"
    )
    assert axe(seen) == []
    seen.close()


def axe(seen: Visit) -> list[Any]:
    """What axe-core finds to be wrong."""
    source = Path(__file__).parents[2] / "viewer" / "node_modules" / "axe-core" / "axe.min.js"
    seen.page.evaluate(source.read_text(encoding="utf-8"))
    found: list[Any] = seen.page.evaluate("axe.run().then(x => x.violations.map(v => [v.id, v.nodes[0].html]))")
    return found


def compare(screen: bytes, reference: Path) -> float:
    """The share of blocks of 8 × 8 pixels that differ visibly: of blocks, since fonts differ between machines."""
    found, wanted = (
        np.asarray(Image.open(x).convert("RGB").reduce(8), np.float32) / 255 for x in (io.BytesIO(screen), reference)
    )
    assert found.shape == wanted.shape
    return float((np.abs(found - wanted).max(-1) > 0.1).mean())


def test_the_comparison_finds_a_difference(browser: Any, address: str) -> None:
    seen = Visit(browser, f"{address}#{VIEWS['arcs']}&theme=light", viewport={"width": 1200, "height": 760})
    seen.settle()
    reference = SCREENS / "arcs-light.png"
    assert compare(seen.page.screenshot(), reference) < MOST_DIFFERENT
    for name in (".legend", ".chosen", ".find", ".export", "h1"):
        style = "([name, value]) => document.querySelectorAll(name).forEach(x => (x.style.visibility = value))"
        seen.page.evaluate(style, [name, "hidden"])
        assert compare(seen.page.screenshot(), reference) > MOST_DIFFERENT
        seen.page.evaluate(style, [name, ""])
    seen.page.evaluate("document.querySelector('.tabs button').innerHTML = ''")
    assert [x[0] for x in axe(seen)] == ["button-name"]
    seen.close()


def test_narrow_screens_and_still_ones(browser: Any, address: str) -> None:
    seen = Visit(browser, f"{address}#h=3.1&q=8", viewport={"width": 400, "height": 800}, reduced_motion="reduce")
    seen.settle()
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= 400
    assert seen.page.evaluate("document.getAnimations().length") == 0
    assert axe(seen) == []
    seen.close()


def test_png_is_what_is_seen(browser: Any, address: str) -> None:
    seen = Visit(browser, f"{address}#h=3.1&theme=light")
    seen.settle()
    picture = Image.open(io.BytesIO(saved(seen, "PNG"))).convert("RGB")
    colours = np.asarray(picture).reshape(-1, 3)
    assert (colours == [10, 35, 80]).all(-1).sum() > 500  # the strongest ink
    assert (colours == 255).all(-1).mean() > 0.2
    seen.close()


def test_the_address_is_copied(browser: Any, address: str) -> None:
    seen = Visit(browser, f"{address}#h=3.1&q=8", permissions=["clipboard-read", "clipboard-write"])
    seen.page.get_by_role("button", name="Link").click()
    seen.page.get_by_text("The link is on the clipboard.").wait_for()
    assert seen.page.evaluate("navigator.clipboard.readText()") == seen.page.url
    seen.close()


if __name__ == "__main__":  # makes the reference pictures anew
    import sys
    import tempfile

    with tempfile.TemporaryDirectory() as folder, chromium() as driven:
        file = Path(folder) / "page.html"
        write_page(ch.look(SENTENCE), file)
        SCREENS.mkdir(exist_ok=True)
        for name, state in VIEWS.items():
            for theme in ("light", "dark"):
                if sys.argv[1:] and f"{name}-{theme}" not in sys.argv[1:]:
                    continue
                visited = Visit(
                    driven, f"{file.as_uri()}#{state}&theme={theme}", viewport={"width": 1200, "height": 760}
                )
                visited.settle()
                visited.page.screenshot(path=SCREENS / f"{name}-{theme}.png")
                visited.close()
