"""One call from a text to its attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

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
        InputError: An empty text, or one past the model's length.
        ModelError: The model cannot be found or loaded.
        NotFiniteError: The attention is NaN; the message names the weights that are.

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
    pretrained = load(model) if isinstance(model, str) else model
    network = pretrained.model
    limit = _limit(pretrained)
    encoded = _encode(pretrained.tokenizer, texts, limit if truncate else None)
    tokens = [Tokens.from_encoding(t, encoded[n]) for n, t in enumerate(texts)]
    longest = max(len(t) for t in tokens)
    if limit is not None and longest > limit:
        raise InputError(
            f"the text has {longest} tokens, and {pretrained.name} takes at most {limit}; shorten it, or let its end be "
            "cut off with truncate=True (--truncate)"
        )
    if getattr(network.config, "is_encoder_decoder", False):
        network = network.get_encoder()
    accepted = {name: encoded[name] for name in ("input_ids", "attention_mask", "token_type_ids") if name in encoded}
    if not any(any(t.padding) for t in tokens):
        accepted.pop("attention_mask", None)  # nothing is padded: models have faster paths without a mask
    device = next(network.parameters()).device
    inputs = {name: torch.tensor(value, device=device) for name, value in accepted.items()}
    with torch.inference_mode(), watch(network, tokens=tokens) as capture:
        network(**inputs)
    capture.provenance |= {
        "model": pretrained.name,
        "truncated": truncate and _was_cut(pretrained.tokenizer, texts, tokens),
        "random_weights": list(pretrained.missing),
    }
    _check_finite(capture, pretrained)
    return capture


def _encode(tokenizer: Any, texts: list[str], limit: int | None) -> Any:
    if tokenizer.pad_token is None and len(texts) > 1:
        # What stands in padding is never attended to; any token will do where the tokenizer has none for it.
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)
    options = {"truncation": True, "max_length": limit} if limit is not None else {"truncation": False}
    return tokenizer(
        texts, padding=len(texts) > 1, padding_side="right", return_attention_mask=True, verbose=False, **options
    )


def _limit(pretrained: Pretrained) -> int | None:
    """The most tokens that the model takes, special ones included; None where it has no limit."""
    config: Any = getattr(pretrained.model, "config", None)
    positions = getattr(config, "max_position_embeddings", None)
    if positions is not None and getattr(config, "model_type", "") in ("roberta", "xlm-roberta", "camembert"):
        positions -= config.pad_token_id + 1  # their positions count from the padding token's number
    stated = pretrained.tokenizer.model_max_length
    limits = [n for n in (positions, stated) if isinstance(n, int) and 0 < n < 10**9]
    return min(limits) if limits else None


def _was_cut(tokenizer: Any, texts: list[str], tokens: list[Tokens]) -> bool:
    whole = tokenizer(texts, truncation=False, verbose=False)["input_ids"]
    return any(len(ids) > sum(not x for x in t.padding) for ids, t in zip(whole, tokens, strict=True))


def _check_finite(capture: Capture, pretrained: Pretrained) -> None:
    for layer in capture.layers:
        if any(not bool(torch.isfinite(x).all()) for name, x in layer.map.tensors().items() if name in ("q", "k")):
            bad = [name for name, x in pretrained.model.named_parameters() if not bool(torch.isfinite(x).all())]
            where = f"; weights with NaN or infinite numbers: {', '.join(bad[:3])}" if bad else ""
            more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
            raise NotFiniteError(
                f"the attention of {pretrained.name} is not finite from layer {layer.number} ({layer.name}) on{where}{more}"
            )
