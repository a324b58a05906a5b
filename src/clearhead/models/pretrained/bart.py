"""BART (Lewis et al. 2020, arXiv:1910.13461)."""

from __future__ import annotations

from functools import partial

from torch import nn

from clearhead.layers import FeedForward, MultiHeadAttention
from clearhead.models.heads import Sequence2Sequence
from clearhead.models.pretrained.tables import Architecture, Config, Head, Ignored, Named, Only, Part, Repeats, Weights
from clearhead.models.transformer import Block, Decoder, Embedding, Encoder, EncoderDecoder
from clearhead.positions import Learned

KEYS = {
    "vocab_size": 50265,
    "max_position_embeddings": 1024,
    "encoder_layers": 12,
    "encoder_ffn_dim": 4096,
    "encoder_attention_heads": 16,
    "decoder_layers": 12,
    "decoder_ffn_dim": 4096,
    "decoder_attention_heads": 16,
    "num_hidden_layers": Ignored("each stack says its own"),
    "encoder_layerdrop": Ignored("a choice of training"),
    "decoder_layerdrop": Ignored("a choice of training"),
    "activation_function": Named("gelu"),
    "d_model": 1024,
    "dropout": 0.1,
    "attention_dropout": 0.0,
    "activation_dropout": 0.0,
    "init_std": Ignored("the weights are there"),
    "classifier_dropout": Ignored("of a head that is not built"),
    "classif_dropout": Ignored("of a head that is not built"),
    "scale_embedding": False,
    "add_bias_logits": Ignored("the file's final_logits_bias says it"),
    "add_final_layer_norm": Only(False, "a norm after each stack"),
    "normalize_before": Only(False, "pre-norm blocks"),
    "normalize_embedding": Only(True, "embeddings that are not normalised"),
    "static_position_embeddings": Only(False, "positions that are not learned"),
    "force_bos_token_to_be_generated": Ignored("how text is generated is said in the call"),
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "decoder_start_token_id": 2,
}

_FIRST = 2  # row of position 0
_PARTS = {
    "attention.query": "self_attn.q_proj",
    "attention.key": "self_attn.k_proj",
    "attention.value": "self_attn.v_proj",
    "attention.output": "self_attn.out_proj",
    "attention_norm": "self_attn_layer_norm",
    "feed_forward.up": "fc1",
    "feed_forward.down": "fc2",
    "feed_forward_norm": "final_layer_norm",
}
_CROSS = {
    "cross_attention.query": "encoder_attn.q_proj",
    "cross_attention.key": "encoder_attn.k_proj",
    "cross_attention.value": "encoder_attn.v_proj",
    "cross_attention.output": "encoder_attn.out_proj",
    "cross_attention_norm": "encoder_attn_layer_norm",
}


def _weights() -> Weights:
    found: dict[str, str | Part | Ignored] = {}
    for stack, parts in (("encoder", _PARTS), ("decoder", _PARTS | _CROSS)):
        found |= {
            f"{stack}.embedding.tokens": "shared",
            f"{stack}.embed_tokens.weight": Repeats("both stacks share it", "shared.weight"),
            f"{stack}.embedding.position.table": f"{stack}.embed_positions.weight",
            f"{stack}.embedding.norm": f"{stack}.layernorm_embedding",
            f"{stack}.version": Ignored("of another library's file"),
        }
        for ours, theirs in parts.items():
            found[f"{stack}.blocks.{{i}}.{ours}"] = f"{stack}.layers.{{i}}.{theirs}"
    return found


def build(c: Config) -> EncoderDecoder:
    """Both stacks: post-norm, learned positions, one table of tokens."""
    norm = partial(nn.LayerNorm, c.d_model)

    def attention(heads: int) -> MultiHeadAttention:
        return MultiHeadAttention(c.d_model, heads, dropout=c.attention_dropout)

    def block(heads: int, inner: int, across: bool) -> Block:
        feed_forward = FeedForward(c.d_model, inner, activation=c.activation_function, dropout=c.activation_dropout)
        cross_attention = attention(heads) if across else None
        return Block(
            attention(heads), feed_forward, norm, cross_attention=cross_attention, norm_first=False, dropout=c.dropout
        )

    def embedding() -> Embedding:
        return Embedding(
            c.vocab_size,
            c.d_model,
            position=Learned(c.max_position_embeddings, c.d_model, first=_FIRST),
            norm=norm(),
            scale=c.d_model**0.5 if c.scale_embedding else 1.0,
            dropout=c.dropout,
        )

    first, second = embedding(), embedding()
    second.tokens = first.tokens
    sizes = c.encoder_attention_heads, c.encoder_ffn_dim
    encoder = Encoder(first, [block(*sizes, False) for _ in range(c.encoder_layers)])
    sizes = c.decoder_attention_heads, c.decoder_ffn_dim
    return EncoderDecoder(encoder, Decoder(second, [block(*sizes, True) for _ in range(c.decoder_layers)]))


def _head(config: Config, model: EncoderDecoder, apart: bool) -> Sequence2Sequence:
    head = nn.Linear(config.d_model, config.vocab_size, bias=False) if apart else None
    return Sequence2Sequence(model, head, bias=True)


BART = Architecture(
    name="bart",
    source="Lewis et al. 2020, arXiv:1910.13461",
    keys=KEYS,
    weights=_weights(),
    build=build,
    bare=("BartModel",),
    prefix="model.",
    heads={
        "BartForConditionalGeneration": Head(
            build=_head,
            weights={
                "head": "lm_head",
                "bias": "final_logits_bias",
                "lm_head.weight": Repeats("they are tied", "shared.weight"),
            },
            holds="model",
        )
    },
    limit=lambda config: int(config.max_position_embeddings),
)
