"""Transformers: stacks of attention and feed-forward layers, and the published models that are made of them."""

from clearhead.models.generation import Sampling, Token, generate
from clearhead.models.heads import (
    ImageClassifier,
    LanguageModel,
    MaskedLanguageModel,
    Sequence2Sequence,
    TextClassifier,
    TokenClassifier,
)
from clearhead.models.load import LoadedModel, load
from clearhead.models.original import original_transformer
from clearhead.models.transformer import (
    Block,
    Decoder,
    Embedding,
    Encoder,
    EncoderDecoder,
    PatchEmbedding,
    Stack,
    VisionEncoder,
)

__all__ = [
    "Block",
    "Decoder",
    "Embedding",
    "Encoder",
    "EncoderDecoder",
    "ImageClassifier",
    "LanguageModel",
    "LoadedModel",
    "MaskedLanguageModel",
    "PatchEmbedding",
    "Sampling",
    "Sequence2Sequence",
    "Stack",
    "TextClassifier",
    "Token",
    "TokenClassifier",
    "VisionEncoder",
    "generate",
    "load",
    "original_transformer",
]
