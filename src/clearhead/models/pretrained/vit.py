"""The vision Transformer (Dosovitskiy et al. 2021, arXiv:2010.11929)."""

from __future__ import annotations

from functools import partial

from torch import nn

from clearhead.layers import FeedForward, MultiHeadAttention
from clearhead.models.heads import ImageClassifier
from clearhead.models.pretrained.tables import Architecture, Config, Head, Ignored, Kept, Named, Part, Weights, labels
from clearhead.models.transformer import Block, PatchEmbedding, VisionEncoder

KEYS = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": Named("gelu"),
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "initializer_range": Ignored("the weights are there"),
    "layer_norm_eps": 1e-12,
    "image_size": 224,
    "patch_size": 16,
    "num_channels": 3,
    "qkv_bias": True,
    "encoder_stride": Ignored("of a head that is not built"),
    "pooler_output_size": Ignored("the bare model gives hidden states"),
    "pooler_act": Ignored("the bare model gives hidden states"),
}

WEIGHTS: Weights = {
    "embedding.first": Part("embeddings.cls_token", leading=2),
    "embedding.position": Part("embeddings.position_embeddings", leading=1),
    "embedding.patches": "embeddings.patch_embeddings.projection",
    "blocks.{i}.attention_norm": "encoder.layer.{i}.layernorm_before",
    "blocks.{i}.attention.query": "encoder.layer.{i}.attention.attention.query",
    "blocks.{i}.attention.key": "encoder.layer.{i}.attention.attention.key",
    "blocks.{i}.attention.value": "encoder.layer.{i}.attention.attention.value",
    "blocks.{i}.attention.output": "encoder.layer.{i}.attention.output.dense",
    "blocks.{i}.feed_forward_norm": "encoder.layer.{i}.layernorm_after",
    "blocks.{i}.feed_forward.up": "encoder.layer.{i}.intermediate.dense",
    "blocks.{i}.feed_forward.down": "encoder.layer.{i}.output.dense",
    "norm": "layernorm",
    "pooler.dense": Kept("the bare model gives hidden states"),
}


def build(c: Config) -> VisionEncoder:
    """The encoder: pre-norm, patches with learned positions."""
    norm = partial(nn.LayerNorm, c.hidden_size, eps=c.layer_norm_eps)

    def block() -> Block:
        attention = MultiHeadAttention(
            c.hidden_size,
            c.num_attention_heads,
            bias=c.qkv_bias,
            output_bias=True,
            dropout=c.attention_probs_dropout_prob,
        )
        feed_forward = FeedForward(c.hidden_size, c.intermediate_size, activation=c.hidden_act)
        return Block(attention, feed_forward, norm, dropout=c.hidden_dropout_prob)

    def sides(size: int | list[int]) -> tuple[int, int]:
        return (size, size) if isinstance(size, int) else (size[0], size[1])

    embedding = PatchEmbedding(
        sides(c.image_size), sides(c.patch_size), c.num_channels, c.hidden_size, dropout=c.hidden_dropout_prob
    )
    return VisionEncoder(embedding, [block() for _ in range(c.num_hidden_layers)], norm=norm())


VIT = Architecture(
    name="vit",
    source="Dosovitskiy et al. 2021, arXiv:2010.11929",
    keys=KEYS,
    weights=WEIGHTS,
    build=build,
    bare=("ViTModel",),
    prefix="vit.",
    heads={
        "ViTForImageClassification": Head(
            build=lambda config, encoder, _: ImageClassifier(encoder, nn.Linear(config.hidden_size, labels(config))),
            holds="encoder",
            weights={"head": "classifier"},
        )
    },
)
