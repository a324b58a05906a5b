"""The interactive page: one HTML file with the viewer and the capture in it, which needs no network."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Literal
from urllib.parse import urlencode

from clearhead.analysis.looks import find_label
from clearhead.analysis.shown import check_choice, check_text, names_of
from clearhead.capture import Capture
from clearhead.errors import InputError
from clearhead.files import write_whole
from clearhead.views.carried import carried
from clearhead.views.formats import check_page

__all__ = ["page", "page_writer", "start_of", "title_of", "write_page"]

# In base64. Chromium holds no text of more than 2²⁹ characters, and it is read as one.
_MOST_CHARACTERS = 500_000_000


def page(capture: Capture, *, start: str = "") -> str:
    """The page as text.

    Args:
        capture: What is to be looked at.
        start: What is selected at first, as the page's own address says it after #; :func:`start_of` writes it.

    Raises:
        InputError: No maps, or more than a browser can open.
        NotFiniteError: Weights that are NaN, for which the page has no sign.

    """
    if not capture.layers:
        raise InputError("the capture holds no maps: there is nothing to look at")
    held = {x.data_ptr(): x.nbytes for layer in capture.layers for part, x in layer.map.tensors().items()
            if part not in ("values", "output")}  # fmt: skip
    _check_size(
        sum(held.values())
    )  # before anything is written; what functions compute is written out and counted then
    bundle = files("clearhead.views") / "bundle"
    script = (bundle / "viewer.js").read_text(encoding="utf-8")
    style = (bundle / "viewer.css").read_text(encoding="utf-8") + "html, body, #clearhead { height: 100%; margin: 0; }"
    content, beside = carried(capture)
    _check_size(len(content))
    data = base64.b64encode(content).decode()
    options = json.dumps(beside | {"start": start}).replace("<", "\\u003c")
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {_digest(script)}",
            f"style-src {_digest(style)}",
            "worker-src blob:",
            "img-src data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    return f"""<!doctype html>
<html lang="en" data-host="page">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title_of(capture)} – clearhead</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<div id="clearhead">This page draws attention maps with JavaScript, which is switched off.</div>
<script type="application/json" id="options">{options}</script>
<script type="application/octet-stream" id="capture">{data}</script>
<script type="module">{script}</script>
</body>
</html>
"""


def title_of(capture: Capture) -> str:
    """The name of the model, as HTML."""
    model = str(capture.provenance.get("model") or "a model")
    return html.escape(model.encode(errors="replace").decode())  # a folder's name need not be Unicode


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _check_size(count: int) -> None:
    if count * 4 // 3 > _MOST_CHARACTERS:
        raise InputError(
            f"a page of this capture would have {count * 4 / 3e6:,.0f} MB, and browsers open none of more than "
            f"{_MOST_CHARACTERS // 10**6} MB: select() fewer layers or heads, or save() it and use clearhead serve"
        )


def page_writer(capture: Capture, *, start: str = "") -> Callable[[str], None]:
    """What writes the page to the path that it is called with; all that can be wrong with it is found before."""
    text = page(capture, start=start)

    def write(part: str) -> None:
        Path(part).write_text(text, encoding="utf-8")

    return write


def write_page(capture: Capture, path: str | Path, *, start: str = "") -> None:
    """Write the page; the file appears whole, or what was there stays. Raises InputError unless it ends in .html."""
    check_page(Path(path))
    write_whole(Path(path), page_writer(capture, start=start))


def start_of(
    capture: Capture,
    *,
    heads: str | Sequence[str] | None = None,
    source: int | str | None = None,
    target: int | str | None = None,
    view: Literal["matrix", "arcs", "products", "image"] = "matrix",
    text: int = 0,
    unit: Literal["words", "pieces"] = "words",
    log: bool = False,
    hide: Literal["nothing", "special", "first"] = "nothing",
    theme: Literal["system", "light", "dark"] = "system",
) -> str:
    """What is selected, as the address of the page says it after #: its numbers are those of the capture.

    Args:
        capture: What the page shows.
        heads: ``L3H1``, or several.
        source: The query, by number or word.
        target: The key, by number or word.
        view: Of the chosen heads.
        text: Which text of the batch.
        unit: Words, or the model's tokens.
        log: Whether colours are by the logarithm.
        hide: Keys to take out.
        theme: Of the page.

    Raises:
        UnknownLayerError: No such head.
        UnknownWordError: No such word.
        InputError: No maps or no such text.

    """
    if not capture.layers:
        raise InputError("the capture holds no maps: there is nothing to look at")
    for name, value, known in (
        ("view", view, ("matrix", "arcs", "products", "image")),
        ("unit", unit, ("words", "pieces")),
        ("hide", hide, ("nothing", "special", "first")),
        ("theme", theme, ("system", "light", "dark")),
    ):
        check_choice(name, value, known)
    names = [heads] if isinstance(heads, str) else list(heads or ())
    found = [capture.head(name) for name in names]
    chosen = [layer for layer, _ in found] or capture.layers[:1]
    check_text(text, chosen)
    parts: dict[str, str] = {}
    if found:
        numbers = [next(n for n, x in enumerate(capture.layers) if x is layer) for layer, _ in found]
        parts["h"] = ",".join(f"{number}.{place}" for number, (_, place) in zip(numbers, found, strict=True))
    for letter, axis, wanted in (("q", 2, source), ("k", 3, target)):
        if wanted is not None:
            labels = names_of(capture, text, chosen[0], axis, unit)
            parts[letter] = str(find_label(wanted, labels, list(range(len(labels)))))
    switches = {"v": (view, "matrix"), "t": (str(text), "0"), "u": (unit, "words"), "hide": (hide, "nothing"),
                "theme": (theme, "system")}  # fmt: skip
    parts |= {letter: value for letter, (value, usual) in switches.items() if value != usual}
    if log:
        parts["log"] = "1"
    return urlencode(parts, safe=",")
