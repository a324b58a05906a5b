"""The notebook widget: in a page like a notebook's, and in a real JupyterLab."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import traitlets
from browser import chromium
from jupyter import TIMEOUT, jupyterlab, write_notebook

import clearhead as ch
from clearhead.errors import InputError, LargeMapError, MissingPackageError, UnknownWordError
from clearhead.views import widget as widgets
from clearhead.views.page import write_page

MAKE = """
import torch, clearhead as ch
from clearhead.capture.capture import Layer

torch.manual_seed(0)
q, k = torch.randn(1, 3, 11, 5), torch.randn(1, 3, 11, 5)
amap = ch.AttentionMap.from_qk(q, k)
tokens = ch.Tokens.from_pieces([f"word{n}" for n in range(11)])
capture = ch.Capture([Layer("layer", 0, 0, (0, 1, 2), amap.shape, lambda: amap)], [tokens])
"""


def make() -> ch.Capture:
    """The capture that the notebooks make too."""
    found: dict[str, Any] = {}
    exec(MAKE, found)  # noqa: S102
    return found["capture"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


def test_traits_without_a_notebook(tmp_path: Path) -> None:
    capture = make()
    widget = capture.widget(height=321, selection="h=0.1")
    state = widget.get_state()
    assert (state["height"], state["selection"]) == (321, "h=0.1")
    assert state["_beside"]["words"]["tokens"][0]["words"] == capture.tokens[0].words
    (tmp_path / "capture").write_bytes(state["_capture"])
    torch.testing.assert_close(ch.open(tmp_path / "capture")["layer"].dense(), capture["layer"].dense())

    heard = []
    widget.observe(lambda change: heard.append(change["new"]), "selection")
    widget.set_state({"selection": "h=0.1&q=3"})  # as a message of the notebook's page does
    assert heard == [widget.selection] == ["h=0.1&q=3"]
    assert repr(widget) == "CaptureWidget(height=321, selection='h=0.1&q=3')"


def test_what_is_selected_at_first_is_said_as_for_a_page() -> None:
    capture = make()
    assert capture.widget().selection == ""
    assert capture.widget(heads=["L0H2", "L0H1"], source="word3", target=10).selection == "h=0.2,0.1&q=3&k=10"
    others = {"view": "arcs", "unit": "pieces", "log": True, "hide": "special", "theme": "dark"}
    assert capture.widget(**others).selection == "v=arcs&u=pieces&hide=special&theme=dark&log=1"
    with pytest.raises(UnknownWordError, match="no word 'dog'"):
        capture.widget(source="dog")
    with pytest.raises(InputError, match="there is no text 1"):
        capture.widget(text=1)
    with pytest.raises(InputError, match=r"selection='h=0\.1' says what is selected, .* \(q=3\): give one of both"):
        capture.widget(source="word3", selection="h=0.1")
    with pytest.raises(InputError, match="holds no maps"):
        ch.Capture().widget()


def test_what_cannot_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    capture = make()
    with pytest.raises(InputError, match="height is a whole number of at least 200; got 20"):
        capture.widget(height=20)
    with pytest.raises(traitlets.TraitError, match="200"):
        capture.widget().height = 20
    needed = len(capture.widget()._capture)
    monkeypatch.setattr(widgets, "MOST_BYTES", needed)
    capture.widget()
    monkeypatch.setattr(widgets, "MOST_BYTES", needed - 1)
    with pytest.raises(LargeMapError, match=r"select\(\) fewer layers or heads, or save\(\) it .*clearhead serve FILE"):
        capture.widget()
    monkeypatch.setattr(widgets, "MOST_BYTES", 7)
    monkeypatch.setattr(widgets, "carried", None)  # what is far too large is not even written
    with pytest.raises(LargeMapError, match="select"):
        capture.widget()


def test_anywidget_is_wanted_only_by_widgets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "clearhead.views.widget")
    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'clearhead\[notebook\]'"):
        make().widget()


# A page like a notebook's, whose styles, names and keys would disturb a viewer that minds them.
NOTEBOOK = """
<html><head><style>
  * { font-size: 40px !important; color: red !important; background: lime !important; letter-spacing: 9px !important; }
  .clearhead, button, dialog { display: none !important; }
</style></head>
<body data-jp-theme-light="true">
<p id="cell" tabindex="0">cell</p><div id="one"></div><div id="two"></div>
</body></html>
"""
# What anywidget gives to a widget, as far as ours asks for it.
SHOW = """
async ([script, place, state, bytes]) => {
  window.keys ??= (document.addEventListener("keydown", (event) => window.keys.push(event.key)), []);
  const address = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  const { default: { render } } = await import(address);
  const listeners = {};
  const content = Uint8Array.from(atob(bytes), (x) => x.charCodeAt(0));
  const traits = { ...state, _capture: new DataView(content.buffer) };
  const model = {
    get: (name) => traits[name],
    set: (name, value) => (traits[name] = value),
    save_changes: () => (model.saved += 1),
    on: (event, listen) => (listeners[event] ??= []).push(listen),
    off: (event, listen) => (listeners[event] = listeners[event].filter((x) => x !== listen)),
    saved: 0,
  };
  window[place] = {
    model,
    end: await render({ model, el: document.getElementById(place) }),
    change: (name, value) => { traits[name] = value; for (const listen of listeners[`change:${name}`]) listen(); },
    listening: () => Object.values(listeners).flat().length,
  };
}
"""


@pytest.fixture
def notebook(browser: Any) -> Iterator[Any]:
    """Two widgets on one page."""
    from base64 import b64encode

    page = browser.new_page(viewport={"width": 1000, "height": 600})
    wrong: list[str] = []
    page.on("console", lambda m: m.type in ("error", "warning") and wrong.append(m.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.set_content(NOTEBOOK)
    for place, selection in (("one", ""), ("two", "h=0.2&q=3&k=4")):
        state = make().widget(height=400, selection=selection).get_state()
        shared = {name: state[name] for name in ("_beside", "selection", "height")}
        page.evaluate(SHOW, [state["_esm"], place, shared, b64encode(state["_capture"]).decode()])
    yield page
    page.close()
    assert wrong == []


def test_two_widgets_do_not_disturb_each_other_nor_the_notebook(notebook: Any) -> None:
    one, two = notebook.locator("#one .clearhead"), notebook.locator("#two .clearhead")
    weights = make()["layer"][0]
    two.get_by_text(f"{weights[2, 3, 4]:.3f} in L0H2").wait_for()
    one.get_by_role("button", name="word7", exact=True).click()
    for key in ("ArrowDown", "l", "]"):
        notebook.keyboard.press(key)
    assert notebook.evaluate("one.model.get('selection')") == "h=0.1&q=7&k=0&log=1"
    assert notebook.evaluate("two.model.get('selection')") == "h=0.2&q=3&k=4"
    assert notebook.evaluate("two.model.saved") == 0
    assert notebook.evaluate("window.keys") == []  # what the widget has heard is no command of the notebook's
    notebook.locator("body > p").focus()
    notebook.keyboard.press("l")
    assert notebook.evaluate("[window.keys, one.model.get('selection')]") == [["l"], "h=0.1&q=7&k=0&log=1"]
    assert notebook.evaluate("location.hash") == ""


def test_a_selection_that_is_not_there_is_put_right(notebook: Any) -> None:
    selection = "() => one.model.get('selection')"
    notebook.evaluate("one.change('selection', 'h=7.9,0.1&q=4&k=11&v=arcs&t=3&log=1')")
    assert notebook.evaluate(selection) == "h=0.1&q=4&v=arcs&log=1"
    notebook.locator("#one .arcs path").first.wait_for(state="attached")
    notebook.evaluate("one.change('selection', 'nothing')")
    assert notebook.evaluate(selection) == ""
    assert notebook.evaluate("two.model.get('selection')") == "h=0.2&q=3&k=4"


def test_size_style_and_theme_are_its_own(notebook: Any) -> None:
    one = notebook.locator("#one .clearhead")
    assert one.is_visible()
    style = "(x) => ['fontSize', 'letterSpacing', 'color'].map((name) => getComputedStyle(x)[name])"
    assert one.evaluate(style) == ["14px", "normal", "rgb(21, 24, 28)"]
    assert notebook.locator("#one").bounding_box()["height"] == 400
    notebook.evaluate("one.change('height', 333)")
    assert notebook.locator("#one").bounding_box()["height"] == 333
    assert one.get_attribute("data-theme") == "light"
    notebook.evaluate("document.body.dataset.jpThemeLight = 'false'")
    notebook.wait_for_function("() => document.querySelector('#one > *').shadowRoot.querySelector('[data-theme=dark]')")
    notebook.evaluate("one.change('selection', 'theme=light')")
    assert one.get_attribute("data-theme") == "light"


def test_the_wheel_scrolls_the_notebook_until_the_widget_has_the_focus(notebook: Any) -> None:
    notebook.set_viewport_size({"width": 1200, "height": 600})
    notebook.evaluate("one.change('height', 600)")  # so that nothing in it has to be scrolled
    matrix = notebook.locator("#one canvas[role=grid]")
    box = matrix.bounding_box()
    notebook.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    notebook.evaluate("addEventListener('wheel', (x) => (window.wheel = x), { capture: true, passive: true })")
    notebook.mouse.wheel(0, 100)
    notebook.wait_for_function("() => scrollY > 0 && !wheel.defaultPrevented")
    matrix.focus()
    notebook.evaluate("delete window.wheel")
    notebook.mouse.wheel(0, -100)
    notebook.wait_for_function("() => window.wheel?.defaultPrevented")  # the matrix took it, to zoom


def test_the_end_of_a_widget_ends_its_worker(notebook: Any) -> None:
    assert len(notebook.workers) == 2
    with notebook.workers[0].expect_event("close"):
        notebook.evaluate("one.end()")
    assert notebook.evaluate("[one.listening(), document.getElementById('one').children.length]") == [0, 0]
    assert len(notebook.workers) == 1
    two = notebook.locator("#two .clearhead")
    two.get_by_role("button", name="word7", exact=True).click()
    two.get_by_text(f"{make()['layer'][0, 2, 7, 4]:.3f} in L0H2").wait_for()


def test_without_a_worker_the_page_answers(browser: Any, tmp_path: Path) -> None:
    write_page(make(), tmp_path / "page.html", start="h=0.2&q=3&k=4")
    text = (tmp_path / "page.html").read_text()
    (tmp_path / "page.html").write_text(text.replace("worker-src blob:", "worker-src 'none'"))
    page = browser.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    page.get_by_text(f"{make()['layer'][0, 2, 3, 4]:.3f} in L0H2").wait_for()
    assert page.workers == []
    page.close()


def test_in_a_real_jupyterlab(browser: Any, tmp_path: Path) -> None:
    cells = [
        f"{MAKE}\nwidget = capture.widget()\nwidget",
        'widget.selection = "h=0.1&q=2&k=4"',
        'print("now", widget.selection)',
        "widget.close()",
    ]
    write_notebook(tmp_path / "widget.ipynb", cells)
    weights = make()["layer"][0]
    with jupyterlab(tmp_path) as address:
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(1000 * TIMEOUT)
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto(address.format("widget.ipynb"))
        page.get_by_text("here | Idle").wait_for()  # the kernel is there
        wrong: list[str] = []  # from here on: JupyterLab has something to say when it starts
        page.on("console", lambda m: m.type == "error" and wrong.append(m.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))

        def run(number: int) -> Any:
            cell = page.locator(".jp-CodeCell").nth(number)
            cell.locator(".jp-InputPrompt").click()
            page.keyboard.press("Shift+Enter")
            cell.locator(".jp-InputPrompt", has_text=re.compile(r"\[\d+\]")).wait_for()
            return cell

        run(0)
        viewer = page.locator(".clearhead")
        viewer.get_by_role("button", name="word3", exact=True).click()
        for key in ("ArrowDown", "m"):  # m would make JupyterLab's cell Markdown
            page.keyboard.press(key)
        viewer.get_by_text(f"{weights[0, 3, 0]:.3f} in L0H0").wait_for()
        assert "q=3" not in page.url
        run(2).get_by_text("now q=3&k=0&pool=max").wait_for()
        run(1)
        viewer.get_by_text(f"{weights[1, 2, 4]:.3f} in L0H1").wait_for()
        assert len(page.workers) == 1
        run(3)
        viewer.wait_for(state="detached")
        page.wait_for_function("() => !document.querySelector('.jp-OutputArea-output [data-lm-suppress-shortcuts]')")
        assert page.workers == []
        page.close()
        assert wrong == []
        own = address.partition("/doc/")[0]
        assert [x for x in requests if not x.startswith((own, "blob:", "data:"))] == []
    written = json.loads((tmp_path / "widget.ipynb").read_text())
    assert [cell["cell_type"] for cell in written["cells"]] == ["code"] * 4
