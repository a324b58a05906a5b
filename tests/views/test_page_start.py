"""What `to_html` selects is what the page shows, in a real browser."""

from pathlib import Path

from browser import Visit, chromium

import clearhead as ch


def test_the_page_begins_with_what_was_asked_for(tmp_path: Path) -> None:
    capture = ch.look(["A short text.", "The animal didn't cross the street because it was too tired."])
    path = tmp_path / "out.html"
    capture.to_html(path, heads="L3H1", source="it", target="animal", text=1, theme="dark")
    with chromium() as browser:
        seen = Visit(browser, path.as_uri())
        seen.settle()
        assert seen.page.locator(".inspector h2").inner_text().startswith("it → animal")
        seen.page.locator(".inspector strong", has_text="0.677").wait_for()
        assert "L3H1" in seen.page.locator(".head.is-chosen").inner_text()
        assert seen.page.locator(".clearhead").get_attribute("data-theme") == "dark"
        seen.close()
