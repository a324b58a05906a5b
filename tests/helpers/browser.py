"""Debian's Chromium, driven by Playwright, that notices whatever a page should not do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser without a screen."""
    from playwright.sync_api import sync_playwright

    assert Path(CHROMIUM).exists(), "Chromium is missing: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Visit:
    """One page, and what went wrong on it."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.wrong: list[str] = []
        self.requests: list[str] = []
        self.page = browser.new_page(accept_downloads=True, **options)
        self.page.on("console", lambda m: m.type in ("error", "warning") and self.wrong.append(m.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(address)
        self.page.locator(".clearhead").wait_for()

    def settle(self) -> None:
        """Until all thumbnails are there and the matrix waits for nothing."""
        self.page.wait_for_function("() => !document.querySelector('canvas[data-waiting=true]')")

    def close(self) -> None:
        """Refuse what no page should do."""
        self.page.close()
        assert self.wrong == []
        assert [x for x in self.requests if not x.startswith(("file:", "blob:"))] == []
