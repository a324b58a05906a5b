"""Numbers of the interactive page where keys are hidden, and of maps that are unlike most."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from browser import Visit, chromium

import clearhead as ch
from clearhead.analysis.cells import Cells, Lens
from clearhead.capture.capture import Layer
from clearhead.views.page import write_page

SENTENCE = "The animal didn't cross the street because it was too tired."


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


def one_map(amap: ch.AttentionMap) -> ch.Capture:
    return ch.Capture([Layer("layer", 0, 0, tuple(range(amap.shape[1])), amap.shape, lambda: amap)])


def numbers(seen: Visit, address: str) -> torch.Tensor:
    """The weights of the matrix at an address."""
    seen.page.goto(address)
    seen.settle()
    with seen.page.expect_download() as download:
        seen.page.get_by_role("button", name="CSV", exact=True).click()
    rows = list(csv.reader(Path(download.value.path()).read_text(encoding="utf-8").splitlines()))
    return torch.tensor([[float(x) for x in row[1:]] for row in rows[1:]])


@pytest.mark.parametrize("hide", ["special", "first"])
def test_hidden_keys_leave_the_numbers_of_heads_right(hide: Any, browser: Any, tmp_path: Path) -> None:
    capture = ch.look(SENTENCE)
    write_page(capture, tmp_path / "page.html")
    address = (tmp_path / "page.html").as_uri()
    hidden = torch.tensor(capture.tokens[0].special) if hide == "special" else torch.tensor([0])
    for number in (0, 3):  # L0H2 looks at hidden keys almost only
        layer = capture.layers[number]
        seen = Visit(browser, address)
        for head in range(len(layer.heads)):
            if head % 6 == 5:  # the browser lets one page save about ten files
                seen.close()
                seen = Visit(browser, address)
            found = numbers(seen, f"{address}#h={number}.{head}&u=pieces&hide={hide}")
            weights = layer.map.dense()[0, head].double()
            weights[:, hidden] = 0
            whole = weights / weights.sum(1, keepdim=True)
            cells = Cells(capture, Lens(((number, head),), "pieces", hide))
            close = {"rtol": 0, "atol": 1e-4, "check_dtype": False}
            torch.testing.assert_close(found, whole, **close)
            torch.testing.assert_close(found, cells.block(*map(range, cells.shape)), **close)
        seen.close()


MAPS: dict[str, dict[str, Any]] = {
    "sinks": {"sinks": torch.tensor([3.0, -1.0])},
    "sinks and causal": {"sinks": torch.tensor([3.0, 9.0]), "causal": True},
    "sigmoid": {"normalizer": "sigmoid"},
    "ReLU": {"normalizer": "relu"},
    "none": {"normalizer": "none"},
}


@pytest.mark.parametrize("name", MAPS)
def test_rows_of_any_sum_sum_to_1_without_the_hidden_key(name: str, browser: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    capture = one_map(ch.AttentionMap.from_qk(torch.randn(1, 2, 11, 5), torch.randn(1, 2, 11, 5), **MAPS[name]))
    write_page(capture, tmp_path / "page.html")
    address = (tmp_path / "page.html").as_uri()
    seen = Visit(browser, address)
    for head in range(2):
        found = numbers(seen, f"{address}#h=0.{head}&hide=first")
        weights = capture["layer"][0, head].double()
        weights[:, 0] = 0
        left = weights.sum(1, keepdim=True)
        wanted = torch.where(left == 0, 0.0, weights / left)
        torch.testing.assert_close(found.double(), wanted, rtol=1e-3, atol=1e-4)
    seen.close()


def test_a_text_that_only_some_layers_have_is_not_offered(browser: Any, tmp_path: Path) -> None:
    maps = [ch.AttentionMap.from_qk(torch.randn(n, 1, 4, 5), torch.randn(n, 1, 4, 5)) for n in (2, 1)]
    layers = [Layer("layer", call, 0, (0,), amap.shape, lambda amap=amap: amap) for call, amap in enumerate(maps)]
    write_page(ch.Capture(layers), tmp_path / "page.html")
    address = (tmp_path / "page.html").as_uri()
    seen = Visit(browser, address)
    found = numbers(seen, f"{address}#t=1&h=1.0")
    torch.testing.assert_close(found, maps[1].dense()[0, 0], rtol=0, atol=1e-5)
    seen.close()


def test_weights_below_0_have_no_entropy(browser: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    write_page(
        one_map(ch.AttentionMap.from_qk(torch.randn(1, 2, 6, 5), torch.randn(1, 2, 6, 5), normalizer="none")),
        tmp_path / "page.html",
    )
    seen = Visit(browser, f"{(tmp_path / 'page.html').as_uri()}#sort=entropy")
    seen.settle()
    assert "entropy –" in (seen.page.locator("button.head").first.get_attribute("title") or "")
    seen.close()
