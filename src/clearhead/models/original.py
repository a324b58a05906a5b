"""The Transformer of 2017 (Vaswani et al., arXiv:1706.03762), as one configuration of the parts."""

from __future__ import annotations

from functools import partial

from torch import nn

from clearhead.layers import FeedForward, MultiHeadAttention
from clearhead.models.heads import Sequence2Sequence
from clearhead.models.transformer import Block, Decoder, Embedding, Encoder, EncoderDecoder
from clearhead.positions import Sinusoidal
from clearhead.shapes import whole_number

__all__ = ["original_transformer"]


def original_transformer(
    vocabulary: int,
    *,
    dim: int = 512,
    heads: int = 8,
    blocks: int = 6,
    hidden: int = 2048,
    dropout: float = 0.1,
    source_vocabulary: int | None = None,
) -> Sequence2Sequence:
    """An encoder and a decoder of six blocks each, with the norm after each part, ReLU and sinusoidal positions.

    Embeddings are multiplied by √dim, and one matrix is both embeddings and the head (section 3.4); the settings are
    those of the base model (table 3).

    Args:
        vocabulary: How many words there are.
        dim: Width of the model.
        heads: Heads of each attention.
        blocks: Blocks of the encoder, and of the decoder.
        hidden: Width within the feed-forward layers.
        dropout: Share of the embeddings and of each part's output that training drops.
        source_vocabulary: How many words the encoder has, if they are others: then its embedding is one of its own.

    Example:
        >>> import torch
        >>> model = original_transformer(100, dim=16, heads=2, blocks=2, hidden=32).eval()
        >>> model(torch.tensor([[5, 7, 9]]), torch.tensor([[1, 4]])).shape
        torch.Size([1, 2, 100])
        >>> sum(parameter.numel() for parameter in original_transformer(37000).parameters())  # 65 · 10⁶ in table 3
        63082496

    """
    for name, value in (("vocabulary", vocabulary), ("dim", dim), ("heads", heads), ("blocks", blocks)):
        whole_number(name, value)
    norm = partial(nn.LayerNorm, dim)

    def embedding(words: int) -> Embedding:
        return Embedding(words, dim, position=Sinusoidal(dim), scale=dim**0.5, dropout=dropout)

    def block(*, across: bool) -> Block:
        return Block(
            MultiHeadAttention(dim, heads),
            FeedForward(dim, hidden, activation="relu"),
            norm,
            cross_attention=MultiHeadAttention(dim, heads) if across else None,
            norm_first=False,
            dropout=dropout,
        )

    target = embedding(vocabulary)
    source = embedding(source_vocabulary or vocabulary)
    if source_vocabulary is None:
        source.tokens = target.tokens
    encoder = Encoder(source, [block(across=False) for _ in range(blocks)])
    decoder = Decoder(target, [block(across=True) for _ in range(blocks)])
    return Sequence2Sequence(EncoderDecoder(encoder, decoder))
