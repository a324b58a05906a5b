"""clearhead: attention you can see through, at the speed of attention you can't.

    import clearhead as ch

    with ch.watch(model) as capture:      # any PyTorch model, unchanged
        model(**inputs)
    capture["encoder.layer.3.attention.self"][0, 1]

Names are resolved when they are first used: importing the package loads neither torch nor transformers.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from clearhead._version import __version__

if TYPE_CHECKING:
    from clearhead.analysis.looks import strongest_looks
    from clearhead.capture.capture import Capture, Layer
    from clearhead.capture.format import open_capture as open  # noqa: A004  # the surface says ch.open
    from clearhead.capture.look import look
    from clearhead.capture.sources import DEFAULT_MODEL, Pretrained
    from clearhead.capture.sources import load as load_pretrained
    from clearhead.capture.tokens import Tokens
    from clearhead.capture.watch import watch
    from clearhead.maps.base import AttentionMap

_HOMES = {
    "AttentionMap": "clearhead.maps.base:AttentionMap",
    "Capture": "clearhead.capture.capture:Capture",
    "DEFAULT_MODEL": "clearhead.capture.sources:DEFAULT_MODEL",
    "Layer": "clearhead.capture.capture:Layer",
    "Pretrained": "clearhead.capture.sources:Pretrained",
    "Tokens": "clearhead.capture.tokens:Tokens",
    "load_pretrained": "clearhead.capture.sources:load",
    "look": "clearhead.capture.look:look",
    "open": "clearhead.capture.format:open_capture",
    "strongest_looks": "clearhead.analysis.looks:strongest_looks",
    "watch": "clearhead.capture.watch:watch",
}

__all__ = [
    "DEFAULT_MODEL",
    "AttentionMap",
    "Capture",
    "Layer",
    "Pretrained",
    "Tokens",
    "__version__",
    "load_pretrained",
    "look",
    "open",
    "strongest_looks",
    "watch",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'clearhead' has no attribute {name!r}")
    module, attribute = home.split(":")
    value = getattr(importlib.import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
