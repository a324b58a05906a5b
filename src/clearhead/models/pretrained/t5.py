"""T5, version 1.0 and 1.1 (Raffel et al. 2020, arXiv:1910.10683)."""

from __future__ import annotations

from functools import partial

from torch import nn

from clearhead.errors import ModelError
from clearhead.layers import FeedForward, MultiHeadAttention
from clearhead.models.heads import Sequence2Sequence
from clearhead.models.pretrained.tables import Architecture, Config, Head, Ignored, Named, Part, Repeats, Weights
from clearhead.models.transformer import Block, Decoder, Embedding, Encoder, EncoderDecoder
from clearhead.positions import RelativeBias

KEYS = {
    "vocab_size": 32128,
    "d_model": 512,
    "d_kv": 64,
    "d_ff": 2048,
    "num_layers": 6,
    "num_decoder_layers": None,
    "num_heads": 8,
    "relative_attention_num_buckets": 32,
    "relative_attention_max_distance": 128,
    "dropout_rate": 0.1,
    "classifier_dropout": Ignored("of a head that is not built"),
    "layer_norm_epsilon": 1e-6,
    "initializer_factor": Ignored("the weights are there"),
    "feed_forward_proj": "relu",
    "dense_act_fn": None,
    "is_gated_act": None,
    "n_positions": Ignored("there is no limit"),
    "pad_token_id": 0,
    "decoder_start_token_id": 0,
    "scale_decoder_outputs": None,
}

_LAYERS = {
    "attention_norm": "layer.0.layer_norm",
    "attention.query": "layer.0.SelfAttention.q",
    "attention.key": "layer.0.SelfAttention.k",
    "attention.value": "layer.0.SelfAttention.v",
    "attention.output": "layer.0.SelfAttention.o",
}
_CROSS = {
    "cross_attention_norm": "layer.1.layer_norm",
    "cross_attention.query": "layer.1.EncDecAttention.q",
    "cross_attention.key": "layer.1.EncDecAttention.k",
    "cross_attention.value": "layer.1.EncDecAttention.v",
    "cross_attention.output": "layer.1.EncDecAttention.o",
}


def _feed_forward(layer: int) -> dict[str, str]:
    return {
        "feed_forward_norm": f"layer.{layer}.layer_norm",
        "feed_forward.up": f"layer.{layer}.DenseReluDense.{{up}}",
        "feed_forward.gate": f"layer.{layer}.DenseReluDense.wi_0",
        "feed_forward.down": f"layer.{layer}.DenseReluDense.wo",
    }


def _weights(up: str) -> Weights:
    """The table, with the name of the feed-forward layer's first matrix: ``wi``, or ``wi_1`` where there is a gate."""
    found: dict[str, str | Part | Ignored] = {
        "encoder.embedding.tokens": "shared",
        "decoder.embedding.tokens": "shared",
        "encoder.embed_tokens.weight": Repeats("both stacks share it", "shared.weight"),
        "decoder.embed_tokens.weight": Repeats("both stacks share it", "shared.weight"),
        "encoder.norm": "encoder.final_layer_norm",
        "decoder.norm": "decoder.final_layer_norm",
    }
    for stack, parts in (("encoder", _LAYERS | _feed_forward(1)), ("decoder", _LAYERS | _CROSS | _feed_forward(2))):
        table = f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        found[f"{stack}.bias.table"] = table
        for ours, theirs in parts.items():
            found[f"{stack}.blocks.{{i}}.{ours}"] = f"{stack}.block.{{i}}.{theirs.replace('{up}', up)}"
    found["decoder.block.0.layer.1.EncDecAttention.relative_attention_bias"] = Ignored("cross-attention has none")
    return found


def build(c: Config) -> EncoderDecoder:
    """Both stacks: pre-norm with RMSNorm, a relative bias that all blocks share, scores without 1/√head_dim."""
    norm = partial(nn.RMSNorm, c.d_model, eps=c.layer_norm_epsilon)
    gated = c.feed_forward_proj.startswith("gated-")
    activation = Named.read(c.feed_forward_proj.removeprefix("gated-"))
    if gated and activation == "gelu":
        activation = "gelu_tanh"  # "gated-gelu" has always meant the approximation
    for key, said in (("dense_act_fn", activation), ("is_gated_act", gated)):  # which newer files say once more
        again = getattr(c, key)
        if again is not None and (Named.read(again) if key == "dense_act_fn" else again) != said:
            raise ModelError(
                f"feed_forward_proj is {c.feed_forward_proj!r}, and {key} is {again!r}: only one can be meant"
            )

    def attention() -> MultiHeadAttention:
        return MultiHeadAttention(
            c.d_model, c.num_heads, head_dim=c.d_kv, bias=False, scale=1.0, dropout=c.dropout_rate
        )

    def block(across: bool) -> Block:
        feed_forward = FeedForward(
            c.d_model, c.d_ff, activation=activation, gated=gated, bias=False, dropout=c.dropout_rate
        )
        cross_attention = attention() if across else None
        return Block(attention(), feed_forward, norm, cross_attention=cross_attention, dropout=c.dropout_rate)

    def bias(bidirectional: bool) -> RelativeBias:
        return RelativeBias(
            c.num_heads,
            buckets=c.relative_attention_num_buckets,
            furthest=c.relative_attention_max_distance,
            bidirectional=bidirectional,
        )

    embedding = Embedding(c.vocab_size, c.d_model, dropout=c.dropout_rate)
    of_decoder = Embedding(c.vocab_size, c.d_model, dropout=c.dropout_rate)
    of_decoder.tokens = embedding.tokens
    rest = {"norm": norm(), "dropout": c.dropout_rate}
    encoder = Encoder(embedding, [block(False) for _ in range(c.num_layers)], bias=bias(True), **rest)
    layers = c.num_layers if c.num_decoder_layers is None else c.num_decoder_layers
    rest = {"norm": norm(), "dropout": c.dropout_rate}
    decoder = Decoder(of_decoder, [block(True) for _ in range(layers)], bias=bias(False), **rest)
    return EncoderDecoder(encoder, decoder)


def _head(config: Config, model: EncoderDecoder, apart: bool) -> Sequence2Sequence:
    # Version 1.0 scales hidden states and has the embedding's matrix; newer files of 1.1 say the first by itself.
    scaled = config.tie_word_embeddings if config.scale_decoder_outputs is None else config.scale_decoder_outputs
    head = nn.Linear(config.d_model, config.vocab_size, bias=False) if apart else None
    return Sequence2Sequence(model, head, scale=config.d_model**-0.5 if scaled else 1.0)


def _architecture(up: str, gated: bool) -> Architecture:
    return Architecture(
        name="t5",
        source="Raffel et al. 2020, arXiv:1910.10683",
        keys=KEYS,
        weights=_weights(up),
        build=build,
        applies=lambda given: str(given.get("feed_forward_proj")).startswith("gated-") == gated,
        bare=("T5Model",),
        heads={
            "T5ForConditionalGeneration": Head(
                build=_head,
                weights={
                    "head": "lm_head",
                    "lm_head.weight": Repeats("they are tied", "shared.weight"),
                },
                holds="model",
            )
        },
    )


T5, T5_GATED = _architecture("wi", False), _architecture("wi_1", True)
