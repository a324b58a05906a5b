"""What a model is asked: the next word, a missing word, a class of the text, of each token, of an image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from clearhead.layers.cache import Cache
from clearhead.layers.dropout import Dropout
from clearhead.layers.multihead import KeyValues
from clearhead.masks import Mask
from clearhead.models.transformer import Decoder, Encoder, EncoderDecoder, VisionEncoder

__all__ = [
    "ImageClassifier",
    "LanguageModel",
    "MaskedLanguageModel",
    "Sequence2Sequence",
    "TextClassifier",
    "TokenClassifier",
]

Ids = Int[Tensor, "batch tokens"]
Target = Int[Tensor, "batch targets"]
Logits = Float[Tensor, "batch tokens vocabulary"]


class LanguageModel(nn.Module):
    """A decoder, and the logits of the next token after each.

    Args:
        decoder: The stack.
        head: From hidden states to logits; the embedding's own matrix if it is not given (Press & Wolf 2017,
            arXiv:1608.05859).

    """

    def __init__(self, decoder: Decoder, head: nn.Linear | None = None) -> None:
        super().__init__()
        self.decoder, self.head = decoder, head

    def forward(
        self,
        ids: Ids,
        *,
        mask: Mask | Tensor | None = None,
        caches: Sequence[Cache] | None = None,
        states: list[Tensor] | None = None,
        last: bool = False,
    ) -> Float[Tensor, "batch #tokens vocabulary"]:
        """The logits after each token, or after the last one only."""
        x = self.decoder(ids, mask=mask, caches=caches, states=states)
        return self.logits(x[:, -1:] if last else x)

    def logits(self, x: Float[Tensor, "batch tokens dim"]) -> Logits:
        """From hidden states to logits."""
        return _logits(x, self.head or self.decoder.embedding.tokens)


def _logits(x: Tensor, words: nn.Linear | nn.Embedding) -> Tensor:
    return nn.functional.linear(x, words.weight) if isinstance(words, nn.Embedding) else words(x)


class Sequence2Sequence(nn.Module):
    """An encoder–decoder, and the logits of the next target token after each.

    Args:
        model: Both stacks.
        head: From hidden states to logits; the target embedding's own matrix if it is not given.
        scale: Factor of the hidden states before the head; T5 with a tied head has 1/√dim.
        bias: Whether something fixed, 0 at first, is added to the logits (BART).

    """

    bias: Tensor | None

    def __init__(
        self, model: EncoderDecoder, head: nn.Linear | None = None, *, scale: float = 1.0, bias: bool = False
    ) -> None:
        super().__init__()
        self.model, self.head, self.scale = model, head, scale
        words = model.decoder.embedding.tokens.num_embeddings
        self.register_buffer("bias", torch.zeros(1, words) if bias else None)

    @property
    def decoder(self) -> Decoder:
        """The stack that writes."""
        return self.model.decoder

    def forward(
        self,
        ids: Ids,
        target: Target,
        *,
        mask: Mask | Tensor | None = None,
        target_mask: Mask | Tensor | None = None,
        states: list[Tensor] | None = None,
        target_states: list[Tensor] | None = None,
    ) -> Float[Tensor, "batch targets vocabulary"]:
        """The logits after each target token."""
        return self.logits(
            self.model(ids, target, mask=mask, target_mask=target_mask, states=states, target_states=target_states)
        )

    def step(
        self,
        target: Target,
        context: Sequence[KeyValues],
        *,
        caches: Sequence[Cache],
        context_mask: Mask | Tensor | None = None,
        target_mask: Mask | Tensor | None = None,
    ) -> Float[Tensor, "batch 1 vocabulary"]:
        """The logits after the last of the newest target tokens, given what ``decoder.project`` made of the text."""
        x = self.model.decoder(target, mask=target_mask, caches=caches, context=context, context_mask=context_mask)
        return self.logits(x[:, -1:])

    def logits(self, x: Float[Tensor, "batch tokens dim"]) -> Logits:
        """From hidden states to logits."""
        x = x * self.scale if self.scale != 1.0 else x
        found = _logits(x, self.head or self.model.decoder.embedding.tokens)
        return found if self.bias is None else found + self.bias


class MaskedLanguageModel(nn.Module):
    """An encoder, and the logits of the word at each token (BERT's first task).

    Args:
        encoder: The stack.
        transform: What hidden states go through first.

    Attributes:
        bias: Added to the logits, ``(vocabulary,)``.

    """

    def __init__(self, encoder: Encoder, transform: nn.Module) -> None:
        super().__init__()
        self.encoder, self.transform = encoder, transform
        self.bias = nn.Parameter(torch.zeros(encoder.embedding.tokens.num_embeddings))

    def forward(
        self,
        ids: Ids,
        *,
        mask: Mask | Tensor | None = None,
        types: Ids | None = None,
        states: list[Tensor] | None = None,
    ) -> Logits:
        """The logits at each token."""
        x = self.transform(self.encoder(ids, mask=mask, types=types, states=states))
        return nn.functional.linear(x, self.encoder.embedding.tokens.weight, self.bias)


class TextClassifier(nn.Module):
    """An encoder, and the logits of the text's class from its first token.

    Args:
        encoder: The stack.
        head: From the first hidden state to logits.

    """

    def __init__(self, encoder: Encoder, head: nn.Module) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(
        self,
        ids: Ids,
        *,
        mask: Mask | Tensor | None = None,
        types: Ids | None = None,
        states: list[Tensor] | None = None,
    ) -> Float[Tensor, "batch classes"]:
        """The logits of the classes."""
        found: Tensor = self.head(self.encoder(ids, mask=mask, types=types, states=states)[:, 0])
        return found


class TokenClassifier(nn.Module):
    """An encoder, and the logits of each token's class.

    Args:
        encoder: The stack.
        head: From hidden states to logits.
        dropout: Share of each hidden state that training drops before the head.

    """

    def __init__(self, encoder: Encoder, head: nn.Module, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.encoder, self.head, self.dropout = encoder, head, Dropout(dropout)

    def forward(
        self,
        ids: Ids,
        *,
        mask: Mask | Tensor | None = None,
        types: Ids | None = None,
        states: list[Tensor] | None = None,
    ) -> Float[Tensor, "batch tokens classes"]:
        """The logits of the classes at each token."""
        found: Tensor = self.head(self.dropout(self.encoder(ids, mask=mask, types=types, states=states)))
        return found


class ImageClassifier(nn.Module):
    """A vision encoder, and the logits of the image's class from its first vector.

    Args:
        encoder: The stack.
        head: From the first hidden state to logits.

    """

    def __init__(self, encoder: VisionEncoder, head: nn.Module) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(
        self, pixels: Float[Tensor, "batch channels height width"], *, states: list[Tensor] | None = None
    ) -> Float[Tensor, "batch classes"]:
        """The logits of the classes."""
        found: Tensor = self.head(self.encoder(pixels, states=states)[:, 0])
        return found
