"""BERT (Devlin et al. 2019, arXiv:1810.04805) and what is built like it, such as MiniLM."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from clearhead.errors import NotBuiltError
from clearhead.layers import ACTIVATIONS, FeedForward, MultiHeadAttention
from clearhead.layers.dropout import Dropout
from clearhead.models.heads import MaskedLanguageModel, TextClassifier, TokenClassifier
from clearhead.models.pretrained.tables import (
    Architecture,
    Config,
    Head,
    Ignored,
    Kept,
    Named,
    Only,
    Repeats,
    Weights,
    labels,
)
from clearhead.models.transformer import Block, Embedding, Encoder
from clearhead.positions import Learned

KEYS = {
    "vocab_size": 30522,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": Named("gelu"),
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "initializer_range": Ignored("the weights are there"),
    "layer_norm_eps": 1e-12,
    "classifier_dropout": None,
    "position_embedding_type": Only("absolute", "positions in the scores"),
    "pooler_fc_size": Ignored("of a pooler that was never built"),
    "pooler_num_attention_heads": Ignored("of a pooler that was never built"),
    "pooler_num_fc_layers": Ignored("of a pooler that was never built"),
    "pooler_size_per_head": Ignored("of a pooler that was never built"),
    "pooler_type": Ignored("of a pooler that was never built"),
    "directionality": Ignored("of another library"),
}

WEIGHTS: Weights = {
    "embedding.tokens": "embeddings.word_embeddings",
    "embedding.position.table": "embeddings.position_embeddings.weight",
    "embedding.types": "embeddings.token_type_embeddings",
    "embedding.norm": "embeddings.LayerNorm",
    "blocks.{i}.attention.query": "encoder.layer.{i}.attention.self.query",
    "blocks.{i}.attention.key": "encoder.layer.{i}.attention.self.key",
    "blocks.{i}.attention.value": "encoder.layer.{i}.attention.self.value",
    "blocks.{i}.attention.output": "encoder.layer.{i}.attention.output.dense",
    "blocks.{i}.attention_norm": "encoder.layer.{i}.attention.output.LayerNorm",
    "blocks.{i}.feed_forward.up": "encoder.layer.{i}.intermediate.dense",
    "blocks.{i}.feed_forward.down": "encoder.layer.{i}.output.dense",
    "blocks.{i}.feed_forward_norm": "encoder.layer.{i}.output.LayerNorm",
    "pooler.dense": Kept("the bare model gives hidden states"),
    "embeddings.position_ids": Ignored("0, 1, 2, …"),
}


def build(config: Config, *, padding: int | None = None) -> Encoder:
    """The encoder: post-norm, learned positions, token types.

    With ``padding``, RoBERTa's way of counting: that token stands at that row of the table, others in the rows after.
    """
    c, first = config, 0 if padding is None else padding + 1
    norm = partial(nn.LayerNorm, c.hidden_size, eps=c.layer_norm_eps)

    def block() -> Block:
        attention = MultiHeadAttention(c.hidden_size, c.num_attention_heads, dropout=c.attention_probs_dropout_prob)
        feed_forward = FeedForward(c.hidden_size, c.intermediate_size, activation=c.hidden_act)
        return Block(attention, feed_forward, norm, norm_first=False, dropout=c.hidden_dropout_prob)

    embedding = Embedding(
        c.vocab_size,
        c.hidden_size,
        position=Learned(c.max_position_embeddings - first, c.hidden_size, first=first),
        padding=padding,
        types=c.type_vocab_size,
        norm=norm(),
        dropout=c.hidden_dropout_prob,
    )
    return Encoder(embedding, [block() for _ in range(c.num_hidden_layers)])


class Transform(nn.Module):
    """What BERT does to hidden states before it looks for words."""

    def __init__(self, config: Config, activation: str) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.activation = ACTIVATIONS[activation]
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        """The hidden states that are compared with every word's vector."""
        found: Tensor = self.norm(self.activation(self.dense(x)))
        return found


class Pooled(nn.Module):
    """A class from a hidden state by way of one more layer with tanh."""

    def __init__(self, config: Config, first: float = 0.0) -> None:
        super().__init__()
        self.first = Dropout(first)
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.dropout = Dropout(dropout(config))
        self.classes = nn.Linear(config.hidden_size, labels(config))

    def forward(self, x: Tensor) -> Tensor:
        """The logits."""
        found: Tensor = self.classes(self.dropout(self.dense(self.first(x)).tanh()))
        return found


def dropout(config: Config) -> float:
    """Before a head's last layer."""
    given = config.classifier_dropout
    return float(config.hidden_dropout_prob if given is None else given)


def token_classifier(config: Config, encoder: Encoder, _apart: bool) -> TokenClassifier:
    """A class for each token."""
    classes = nn.Linear(config.hidden_size, labels(config))
    return TokenClassifier(encoder, classes, dropout=dropout(config))


def words(config: Config, encoder: Encoder, apart: bool, *, activation: str) -> MaskedLanguageModel:
    """The word at each token.

    Raises:
        NotBuiltError: Words have vectors of their own there.

    """
    if apart:
        raise NotBuiltError(
            "a masked language model, whose head has another matrix than the embedding, is not built here"
        )
    return MaskedLanguageModel(encoder, Transform(config, activation))


_WORDS = Head(
    build=lambda config, encoder, apart: words(config, encoder, apart, activation=config.hidden_act),
    holds="encoder",
    weights={
        "transform.dense": "cls.predictions.transform.dense",
        "transform.norm": "cls.predictions.transform.LayerNorm",
        "bias": "cls.predictions.bias",
        "cls.predictions.decoder.weight": Repeats("they are tied", "embeddings.word_embeddings.weight"),
        "cls.predictions.decoder.bias": Repeats("they are tied", "cls.predictions.bias"),
        "cls.seq_relationship": Kept("whether two sentences follow one another is not asked"),
    },
)

BERT = Architecture(
    name="bert",
    source="Devlin et al. 2019, arXiv:1810.04805",
    keys=KEYS,
    weights=WEIGHTS,
    build=build,
    bare=("BertModel",),
    prefix="bert.",
    heads={
        "BertForMaskedLM": _WORDS,
        "BertForPreTraining": _WORDS,
        "BertForSequenceClassification": Head(
            build=lambda config, encoder, _: TextClassifier(encoder, Pooled(config)),
            holds="encoder",
            weights={"head.dense": "bert.pooler.dense", "head.classes": "classifier"},
        ),
        "BertForTokenClassification": Head(build=token_classifier, holds="encoder", weights={"head": "classifier"}),
    },
    renamed={"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"},
    limit=lambda config: int(config.max_position_embeddings),
)
