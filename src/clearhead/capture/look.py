"""One call from a text to its attention."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from clearhead.capture.capture import Capture
from clearhead.capture.sources import DEFAULT_MODEL, Pretrained, load
from clearhead.capture.tokens import Tokens
from clearhead.capture.watch import watch
from clearhead.errors import InputError, NotFiniteError

__all__ = ["look"]


def look(
    text: str | Sequence[str],
    model: str | Pretrained = DEFAULT_MODEL,
    *,
    truncate: bool = False,
) -> Capture:
    """Run a pretrained Transformer on a text, or on several at once, and capture its attention.

    Args:
        text: A text, or a list of them; shorter ones are padded, and padding receives no attention.
        model: A model id, a folder, or what :func:`clearhead.load_pretrained` gave.
        truncate: Let a text that is too long for the model lose its end; ``capture.provenance["truncated"]`` says so.

    Of an encoder–decoder model the encoder is run.

    Raises:
        InputError: An empty text, one that is not Unicode, or one past the model's length.
        ModelError: The model cannot be found or loaded.
        NotFiniteError: The attention or the output is NaN; the message names the weights that are.

    Example:
        >>> import clearhead as ch
        >>> capture = ch.look("The animal didn't cross the street because it was too tired.").words()
        >>> words = capture.labels()
        >>> round(float(capture["encoder.layer.3.attention.self"][0, 1, words.index("it"), words.index("animal")]), 3)
        0.677

    """
    texts = [text] if isinstance(text, str) else list(text)
    if not texts or any(not t.strip() for t in texts):
        raise InputError("the text is empty: there is nothing to look at")
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as error:  # bytes of a command line or file that were not UTF-8
        raise InputError(f"the text is not Unicode: {error}") from None
    pretrained = load(model) if isinstance(model, str) else model
    network = pretrained.model
    limit = _limit(pretrained)
    inputs, tokens = _encode(pretrained.tokenizer, texts, limit if truncate else None)
    longest = max(len(t) for t in tokens)
    if longest == 0 or any(all(t.padding) for t in tokens):
        raise InputError(f"the tokenizer of {pretrained.name} makes no token of the text: there is nothing to look at")
    if limit is not None and longest > limit:
        raise InputError(
            f"the text has {longest} tokens, and {pretrained.name} takes at most {limit}; shorten it, or let its end "
            "be cut off with truncate=True (--truncate)"
        )
    if getattr(network.config, "is_encoder_decoder", False):
        network = network.get_encoder()
    if not any(any(t.padding) for t in tokens):
        inputs.pop("attention_mask", None)  # nothing is padded: models have faster paths without a mask
    takes = inspect.signature(network.forward).parameters  # DistilBERT shares BERT's tokenizer, and has no token types
    device = next(network.parameters()).device
    with torch.no_grad(), watch(network, tokens=tokens) as capture:
        output = network(
            **{name: torch.tensor(value, device=device) for name, value in inputs.items() if name in takes}
        )
    capture.provenance |= {
        "model": pretrained.name,
        "truncated": truncate and _was_cut(pretrained.tokenizer, texts, tokens),
        "random_weights": list(pretrained.missing),
    }
    _check_finite(capture, output[0], pretrained)
    return capture


def _encode(tokenizer: Any, texts: list[str], limit: int | None) -> tuple[dict[str, list[list[int]]], list[Tokens]]:
    """What the model is called with, shorter texts padded at their end, and the tokens that this is."""
    options = {"truncation": True, "max_length": limit} if limit is not None else {"truncation": False}
    encoded = tokenizer(texts, padding=False, return_attention_mask=True, verbose=False, **options)
    encodings = encoded.encodings
    longest = max(len(encoding) for encoding in encodings)
    for encoding in encodings:
        # Not the tokenizer's own padding, which some tokenizers lack and some do on the left: nothing attends to
        # what stands here, so any token will do.
        encoding.pad(longest, pad_id=tokenizer.pad_token_id or 0, pad_token=tokenizer.pad_token or "[PAD]")
    columns = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
    inputs = {name: [getattr(x, of) for x in encodings] for name, of in columns.items() if name in encoded}
    return inputs, [Tokens.from_encoding(text, encoding) for text, encoding in zip(texts, encodings, strict=True)]


def _limit(pretrained: Pretrained) -> int | None:
    """The most tokens that the model takes, special ones included; None where it has no limit."""
    positions = getattr(pretrained.model.config, "max_position_embeddings", None)
    for name, module in pretrained.model.named_modules():
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            positions = module.num_embeddings - module.padding_idx - 1  # RoBERTa counts from the padding's number on
    stated = pretrained.tokenizer.model_max_length
    limits = [n for n in (positions, stated) if isinstance(n, int) and 0 < n < 10**9]
    return min(limits) if limits else None


def _was_cut(tokenizer: Any, texts: list[str], tokens: list[Tokens]) -> bool:
    whole = tokenizer(texts, truncation=False, verbose=False)["input_ids"]
    return any(len(ids) > sum(not x for x in t.padding) for ids, t in zip(whole, tokens, strict=True))


def _check_finite(capture: Capture, output: Tensor, pretrained: Pretrained) -> None:
    """Raise where NaN shows up: in the queries and keys of a layer, or else in what the model makes of them."""
    where = None
    for layer in capture.layers:
        if any(not _is_finite(x) for name, x in layer.map.tensors().items() if name in ("q", "k", "weights")):
            where = f"the attention of {pretrained.name} is not finite from layer {layer.number} ({layer.name}) on"
            break
    if where is None and not _is_finite(output):
        where = f"the output of {pretrained.name} is not finite, though its attention is"
    if where is not None:
        bad = [name for name, x in pretrained.model.named_parameters() if not _is_finite(x)]
        more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
        named = f"; weights with NaN or infinite numbers: {', '.join(bad[:3])}{more}" if bad else ""
        raise NotFiniteError(f"{where}{named}")


def _is_finite(tensor: Tensor) -> bool:
    return bool(torch.isfinite(tensor).all())
