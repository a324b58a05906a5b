"""The interactive page: one HTML file with the viewer and the capture in it, which needs no network."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

from clearhead.capture import Capture, Tokens
from clearhead.capture.format import writer
from clearhead.capture.sides import Side
from clearhead.files import write_whole

__all__ = ["beside", "page", "write_page"]


def page(capture: Capture, *, start: str = "") -> str:
    """The page as text.

    Args:
        capture: What is to be looked at.
        start: What is selected at first, as the page's own address says it after #.

    """
    bundle = files("clearhead.views") / "bundle"
    script = (bundle / "viewer.js").read_text(encoding="utf-8")
    style = (bundle / "viewer.css").read_text(encoding="utf-8") + "html, body, #clearhead { height: 100%; margin: 0; }"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "capture"
        writer(capture, checks=False)(str(path))
        data = base64.b64encode(path.read_bytes()).decode()
    options = json.dumps(beside(capture) | {"start": start}, ensure_ascii=False).replace("<", "\\u003c")
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
    title = html.escape(str(capture.provenance.get("model") or "a model"))
    return f"""<!doctype html>
<html lang="en" data-host="page">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} – clearhead</title>
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


def beside(capture: Capture) -> dict[str, Any]:
    """What follows from a capture by rules that the viewer does not have: words, and which tokens stand where."""

    def words(texts: list[Tokens] | None) -> list[dict[str, Any]] | None:
        if texts is None:
            return None
        return [{"words": x.words, "word_of": x.word_of, "word_special": x.word_special} for x in texts]

    def placed(side: Side | None) -> list[Any] | None:
        return None if side is None else [side.of, side.first]

    return {
        "words": {"tokens": words(capture.tokens), "source_tokens": words(capture.source_tokens)},
        "sides": [[placed(side) for side in capture.sides(layer)] for layer in capture.layers],
    }


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def write_page(capture: Capture, path: str | Path, *, start: str = "") -> None:
    """Write the page; the file appears whole, or what was there stays."""
    text = page(capture, start=start)
    write_whole(Path(path), lambda part: Path(part).write_text(text, encoding="utf-8"))
