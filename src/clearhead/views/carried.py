"""What the viewer is given, by a page or a notebook: the bytes of a capture file, and what such a file does not say."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch

from clearhead.capture import Capture, Tokens
from clearhead.capture.format import writer
from clearhead.capture.sides import Side
from clearhead.errors import InputError, NotFiniteError

__all__ = ["beside", "carried"]


def carried(capture: Capture) -> tuple[bytes, dict[str, Any]]:
    """The capture as a file without what verifies weights, and what goes :func:`beside` it.

    Raises:
        InputError: There is no room for a temporary file.
        NotFiniteError: A weight is NaN or infinite.

    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "capture"
            writer(capture, checks=False)(str(path))
            _check_finite(capture, path)
            return path.read_bytes(), beside(capture)
    except OSError as error:
        raise InputError(f"cannot write the capture to a temporary file: {error.strerror or error}") from None


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


def _check_finite(capture: Capture, path: Path) -> None:
    """Raise where a weight is NaN or infinite. Weights are computed only where something in the file is."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        tensors = ((name.partition(".")[2], file.get_tensor(name)) for name in file.keys())  # noqa: SIM118
        # −∞ is no oddity in what is added to scores, nor as the normalizer of a row that may attend to nothing.
        usual = ("lse", "bias")
        odd = any(bool((~x.isfinite() & ~((x == -torch.inf) & (part in usual))).any()) for part, x in tensors)
    for layer in capture.layers if odd else ():
        if any(not bool(tile.weights.isfinite().all()) for tile in layer.map.tiles()):
            raise NotFiniteError(
                f"the attention of {layer.label()} ({layer.path}) is not finite, and the viewer has no sign for that: "
                "select() the other layers; heatmap() shows where it is NaN"
            )
