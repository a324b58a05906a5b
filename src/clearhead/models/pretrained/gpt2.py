"""GPT-2 (Radford et al. 2019)."""

from __future__ import annotations

from functools import partial

from torch import nn

from clearhead.layers import FeedForward, MultiHeadAttention
from clearhead.models.pretrained.tables import Architecture, Config, Ignored, Named, Only, Part, Weights, language_model
from clearhead.models.transformer import Block, Decoder, Embedding
from clearhead.positions import Learned

KEYS = {
    "vocab_size": 50257,
    "n_positions": 1024,
    "n_ctx": Ignored("n_positions once more"),
    "n_embd": 768,
    "n_layer": 12,
    "n_head": 12,
    "n_inner": None,
    "activation_function": Named("gelu_new"),
    "resid_pdrop": 0.1,
    "embd_pdrop": 0.1,
    "attn_pdrop": 0.1,
    "layer_norm_epsilon": 1e-5,
    "initializer_range": Ignored("the weights are there"),
    "scale_attn_weights": Only(True, "scores without the factor 1/√head_dim"),
    "scale_attn_by_inverse_layer_idx": Only(False, "scores divided by the layer's number"),
    "reorder_and_upcast_attn": Ignored("scores are in float32 at least"),
    "summary_type": Ignored("of a head that is not built"),
    "summary_use_proj": Ignored("of a head that is not built"),
    "summary_activation": Ignored("of a head that is not built"),
    "summary_proj_to_labels": Ignored("of a head that is not built"),
    "summary_first_dropout": Ignored("of a head that is not built"),
}

_ATTENTION = "h.{i}.attn.c_attn"
WEIGHTS: Weights = {
    "embedding.tokens": "wte",
    "embedding.position.table": "wpe.weight",
    "blocks.{i}.attention_norm": "h.{i}.ln_1",
    "blocks.{i}.attention.query": Part(_ATTENTION, 0, 3, transposed=True),
    "blocks.{i}.attention.key": Part(_ATTENTION, 1, 3, transposed=True),
    "blocks.{i}.attention.value": Part(_ATTENTION, 2, 3, transposed=True),
    "blocks.{i}.attention.output": Part("h.{i}.attn.c_proj", transposed=True),
    "blocks.{i}.feed_forward_norm": "h.{i}.ln_2",
    "blocks.{i}.feed_forward.up": Part("h.{i}.mlp.c_fc", transposed=True),
    "blocks.{i}.feed_forward.down": Part("h.{i}.mlp.c_proj", transposed=True),
    "norm": "ln_f",
    "h.{i}.attn.bias": Ignored("the causal mask, written out"),
    "h.{i}.attn.masked_bias": Ignored("the causal mask, written out"),
}


def build(c: Config) -> Decoder:
    """The decoder: pre-norm, learned positions."""
    norm = partial(nn.LayerNorm, c.n_embd, eps=c.layer_norm_epsilon)

    def block() -> Block:
        attention = MultiHeadAttention(c.n_embd, c.n_head, dropout=c.attn_pdrop)
        hidden = 4 * c.n_embd if c.n_inner is None else c.n_inner
        feed_forward = FeedForward(c.n_embd, hidden, activation=c.activation_function)
        return Block(attention, feed_forward, norm, dropout=c.resid_pdrop)

    position = Learned(c.n_positions, c.n_embd)
    embedding = Embedding(c.vocab_size, c.n_embd, position=position, dropout=c.embd_pdrop)
    return Decoder(embedding, [block() for _ in range(c.n_layer)], norm=norm())


GPT2 = Architecture(
    name="gpt2",
    source="Radford et al. 2019",
    keys=KEYS,
    weights=WEIGHTS,
    build=build,
    bare=("GPT2Model",),
    prefix="transformer.",
    heads={"GPT2LMHeadModel": language_model("n_embd", "wte.weight")},
    limit=lambda config: int(config.n_positions),
)
