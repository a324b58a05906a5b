"""Llama (Touvron et al. 2023, arXiv:2302.13971; Llama 3, arXiv:2407.21783)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import nn

from clearhead.errors import ModelError, NotBuiltError
from clearhead.layers import FeedForward, MultiHeadAttention
from clearhead.models.pretrained.tables import (
    Architecture,
    Config,
    Ignored,
    Named,
    Only,
    Weights,
    language_model,
)
from clearhead.models.transformer import Block, Decoder, Embedding
from clearhead.positions import LinearScaling, Llama3Scaling, NTKScaling, Rotary, YaRNScaling
from clearhead.positions.scaling import RotaryScaling

_LENGTH = "original_max_position_embeddings"

KEYS = {
    "vocab_size": 32000,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": None,
    "head_dim": None,
    "hidden_act": Named("silu"),
    "max_position_embeddings": 2048,
    "initializer_range": Ignored("the weights are there"),
    "rms_norm_eps": 1e-6,
    "pretraining_tp": Ignored("how training was spread over machines"),
    "rope_theta": 10000.0,
    "rope_scaling": None,
    "rope_parameters": None,
    "attention_bias": False,
    "attention_dropout": 0.0,
    "mlp_bias": False,
    "rope_interleaved": Only(False, "pairs of neighbouring dimensions that are turned together"),
    "tie_word_embeddings": False,
}

WEIGHTS: Weights = {
    "embedding.tokens": "embed_tokens",
    "blocks.{i}.attention_norm": "layers.{i}.input_layernorm",
    "blocks.{i}.attention.query": "layers.{i}.self_attn.q_proj",
    "blocks.{i}.attention.key": "layers.{i}.self_attn.k_proj",
    "blocks.{i}.attention.value": "layers.{i}.self_attn.v_proj",
    "blocks.{i}.attention.output": "layers.{i}.self_attn.o_proj",
    "blocks.{i}.feed_forward_norm": "layers.{i}.post_attention_layernorm",
    "blocks.{i}.feed_forward.gate": "layers.{i}.mlp.gate_proj",
    "blocks.{i}.feed_forward.up": "layers.{i}.mlp.up_proj",
    "blocks.{i}.feed_forward.down": "layers.{i}.mlp.down_proj",
    "norm": "norm",
    "layers.{i}.self_attn.rotary_emb.inv_freq": Ignored("frequencies are computed"),
}


_SCALINGS: dict[str, tuple[Callable[..., RotaryScaling], dict[str, str]]] = {
    "linear": (LinearScaling, {"factor": "factor"}),
    "dynamic": (NTKScaling, {"factor": "factor", _LENGTH: "original_length"}),
    "yarn": (
        YaRNScaling,
        {
            "factor": "factor",
            _LENGTH: "original_length",
            "beta_fast": "beta_fast",
            "beta_slow": "beta_slow",
            "attention_factor": "attention_factor",
            "truncate": "truncate",
        },
    ),
    "llama3": (
        Llama3Scaling,
        {
            "factor": "factor",
            _LENGTH: "original_length",
            "low_freq_factor": "low_frequency_factor",
            "high_freq_factor": "high_frequency_factor",
        },
    ),
}
"""By ``rope_type``: the part, and what its settings are called there and here."""


def rotary(c: Config) -> Rotary:
    """How q and k are turned: ``rope_parameters`` in newer files, ``rope_theta`` and ``rope_scaling`` in older ones.

    Raises:
        NotBuiltError: A kind or a setting of it that is not known.
        ModelError: A setting is missing, or said twice.

    """
    if c.rope_parameters and c.rope_scaling and c.rope_parameters != c.rope_scaling:
        raise ModelError("rope_parameters and rope_scaling say different things; only one of them can be meant")
    asked = c.rope_parameters or c.rope_scaling or {}
    if not isinstance(asked, Mapping):
        raise ModelError(f"rotary scaling is {asked!r}; an object with rope_type and its settings is wanted")
    given: dict[str, Any] = dict(asked)
    base = given.pop("rope_theta", c.rope_theta)
    kinds = [given.pop(name, None) for name in ("rope_type", "type")]
    kind = kinds[0] or kinds[1] or "default"
    if kind == "default":
        part, names = None, dict[str, str]()
    elif kind in _SCALINGS:
        part, names = _SCALINGS[kind]
    else:
        raise NotBuiltError(
            f"rotary scaling {kind!r} is not known; there are 'default', {', '.join(map(repr, _SCALINGS))}"
        )
    if kind == "dynamic":  # its length is always that of the model
        given[_LENGTH] = c.max_position_embeddings
    elif _LENGTH in names:
        given.setdefault(_LENGTH, c.max_position_embeddings)
    given = {name: value for name, value in given.items() if value is not None}
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise NotBuiltError(
            f"rotary scaling {kind!r} has {', '.join(map(repr, unknown))}; it is known to have "
            f"{', '.join(names) or 'no settings'}"
        )
    try:
        scaling = None if part is None else part(**{names[name]: value for name, value in given.items()})
    except TypeError as error:
        raise ModelError(f"rotary scaling {kind!r} lacks a setting: {error}") from None
    return Rotary(base=float(base), scaling=scaling)


def build(c: Config) -> Decoder:
    """The decoder: pre-norm with RMSNorm, rotary positions, grouped queries, gated feed-forward layers."""
    norm = partial(nn.RMSNorm, c.hidden_size, eps=c.rms_norm_eps)

    def block() -> Block:
        attention = MultiHeadAttention(
            c.hidden_size,
            c.num_attention_heads,
            kv_heads=c.num_key_value_heads,
            head_dim=c.head_dim,
            bias=c.attention_bias,
            position=rotary(c),
            dropout=c.attention_dropout,
        )
        feed_forward = FeedForward(
            c.hidden_size, c.intermediate_size, activation=c.hidden_act, gated=True, bias=c.mlp_bias
        )
        return Block(attention, feed_forward, norm)

    return Decoder(Embedding(c.vocab_size, c.hidden_size), [block() for _ in range(c.num_hidden_layers)], norm=norm())


def _limit(c: Config) -> int:
    """Dynamic scaling is for texts that are so much longer than the model's own length."""
    given = c.rope_parameters or c.rope_scaling or {}
    is_dynamic = "dynamic" in (given.get("rope_type"), given.get("type"))
    return int(c.max_position_embeddings * (given["factor"] if is_dynamic else 1))


LLAMA = Architecture(
    name="llama",
    source="Touvron et al. 2023, arXiv:2302.13971",
    keys=KEYS,
    weights=WEIGHTS,
    build=build,
    bare=("LlamaModel",),
    prefix="model.",
    heads={"LlamaForCausalLM": language_model("hidden_size", "embed_tokens.weight")},
    limit=_limit,
)
