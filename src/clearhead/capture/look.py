"""One call from a text to its attention."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from clearhead.capture.capture import Capture
from clearhead.capture.runners import Runner, runner_of
from clearhead.capture.sides import Picture
from clearhead.capture.sources import Pretrained
from clearhead.capture.tokens import Tokens
from clearhead.capture.watch import watch
from clearhead.errors import InputError, NotBuiltError, NotFiniteError
from clearhead.models import LoadedModel, load
from clearhead.models.files import DEFAULT_MODEL

__all__ = ["look"]


def look(
    text: str | Sequence[str] | None = None,
    model: str | LoadedModel | Pretrained | Runner = DEFAULT_MODEL,
    *,
    images: Any = None,
    truncate: bool = False,
) -> Capture:
    """Run a pretrained Transformer on a text, or on several at once, and capture its attention.

    Args:
        text: A text, or a list of them; shorter ones are padded, and padding receives no attention.
        model: A model id, a folder, or what :func:`clearhead.load` or :func:`clearhead.load_pretrained` gave. An id or
            folder is run by our own stack where its architecture is built here, else by transformers.
        images: Instead of a text, for a vision model: a picture or a list of them, each a file, a ``PIL.Image`` or
            whole numbers from 0 to 255, ``(height, width, channels)``. The capture's tokens are the patches.
        truncate: Let a text that is too long for the model lose its end; ``capture.provenance["truncated"]`` says so.

    Of an encoder–decoder model the encoder is run.

    Raises:
        InputError: An empty text, one that is not Unicode, or one past the model's length; no picture; neither a text
            nor a picture, or both.
        ModelError: The model cannot be found or loaded.
        NotFiniteError: The attention or the output is NaN; the message names the weights that are.

    Example:
        >>> import clearhead as ch
        >>> capture = ch.look("The animal didn't cross the street because it was too tired.").words()
        >>> words = capture.labels()
        >>> round(float(capture["encoder.layer.3.attention.self"][0, 1, words.index("it"), words.index("animal")]), 3)
        0.677

    """
    if (text is None) == (images is None):
        raise InputError("look at either a text or images")
    if text is None:
        return _look_at_pictures(images, model)
    texts = [text] if isinstance(text, str) else list(text)
    if not texts or any(not t.strip() for t in texts):
        raise InputError("the text is empty: there is nothing to look at")
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as error:  # bytes of a command line or file that were not UTF-8
        raise InputError(f"the text is not Unicode: {error}") from None
    runner = runner_of(model)
    encodings = runner.encode(texts, runner.limit if truncate else None)
    longest = max(map(len, encodings))
    for encoding in encodings:
        # Not the tokenizer's own padding, which some tokenizers lack and some do on the left: nothing attends to
        # what stands here, so any token will do.
        encoding.pad(longest, pad_id=runner.padding[0], pad_token=runner.padding[1])
    tokens = [Tokens.from_encoding(text, encoding) for text, encoding in zip(texts, encodings, strict=True)]
    if longest == 0 or any(all(t.padding) for t in tokens):
        raise InputError(f"the tokenizer of {runner.name} makes no token of the text: there is nothing to look at")
    if runner.limit is not None and longest > runner.limit:
        raise InputError(
            f"the text has {longest} tokens, and {runner.name} takes at most {runner.limit}; shorten it, or let its "
            "end be cut off with truncate=True (--truncate)"
        )
    with torch.no_grad(), watch(runner.model, tokens=tokens) as capture:
        output = runner.run(encodings, padded=any(any(t.padding) for t in tokens))
    capture.provenance |= {
        "model": runner.name,
        "run_by": runner.run_by,
        "truncated": truncate and _was_cut(runner, texts, tokens),
        "random_weights": list(runner.missing),
    }
    _check_finite(capture, output, runner.name, runner.weights())
    return capture


def _look_at_pictures(images: Any, model: str | LoadedModel | Pretrained | Runner) -> Capture:
    try:
        loaded = load(model, head=False) if isinstance(model, str) else model
    except NotBuiltError as error:
        raise InputError(
            f"look takes pictures for models of our own stack only ({error}); call others within "
            "clearhead.watch(model), and set capture.pictures"
        ) from None
    if not isinstance(loaded, LoadedModel):
        raise InputError("look takes pictures for a model id, a folder, or what clearhead.load gave")
    given = images if isinstance(images, list) else [images]
    pixels = loaded.pixels(given)
    embedding = loaded.stack.embedding
    pictures = [Picture.of(loaded.preprocessing.seen(image), embedding.grid, 1) for image in given]
    tokens = [
        Tokens.from_pieces(picture.labels(), [True] + [False] * (len(picture.labels()) - 1)) for picture in pictures
    ]
    with torch.no_grad(), watch(loaded, tokens=tokens) as capture:
        output = loaded.stack(pixels)
    capture.pictures = pictures
    capture.provenance |= {"model": loaded.name, "run_by": "clearhead", "truncated": False, "random_weights": []}
    _check_finite(capture, output, loaded.name, loaded.named_as_published())
    return capture


def _was_cut(runner: Runner, texts: list[str], tokens: list[Tokens]) -> bool:
    whole = runner.encode(texts, None)
    return any(len(ids) > sum(not x for x in t.padding) for ids, t in zip(whole, tokens, strict=True))


def _check_finite(capture: Capture, output: Tensor, name: str, weights: Iterable[tuple[str, Tensor]]) -> None:
    """Raise where NaN shows up: in the queries and keys of a layer, or else in what the model makes of them."""
    where = None
    for layer in capture.layers:
        if any(not _is_finite(x) for part, x in layer.map.tensors().items() if part in ("q", "k", "weights")):
            where = f"the attention of {name} is not finite from layer {layer.number} ({layer.name}) on"
            break
    if where is None and not _is_finite(output):
        where = f"the output of {name} is not finite, though its attention is"
    if where is not None:
        bad = [of for of, x in weights if not _is_finite(x)]
        more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
        named = f"; weights with NaN or infinite numbers: {', '.join(bad[:3])}{more}" if bad else ""
        raise NotFiniteError(f"{where}{named}")


def _is_finite(tensor: Tensor) -> bool:
    return bool(torch.isfinite(tensor).all())
