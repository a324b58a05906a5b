"""RoBERTa (Liu et al. 2019, arXiv:1907.11692): BERT, whose positions are counted from the padding's number on."""

from __future__ import annotations

from functools import partial

from clearhead.models.heads import TextClassifier
from clearhead.models.pretrained import bert
from clearhead.models.pretrained.tables import Architecture, Config, Head, Repeats
from clearhead.models.transformer import Encoder

KEYS = {**bert.KEYS, "vocab_size": 50265, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}


def build(config: Config) -> Encoder:
    """BERT's encoder. The rows of the position table up to the padding's are never used."""
    return bert.build(config, padding=config.pad_token_id)


ROBERTA = Architecture(
    name="roberta",
    source="Liu et al. 2019, arXiv:1907.11692",
    keys=KEYS,
    weights=bert.WEIGHTS,
    build=build,
    bare=("RobertaModel",),
    prefix="roberta.",
    heads={
        "RobertaForMaskedLM": Head(
            build=partial(bert.words, activation="gelu"),
            holds="encoder",
            weights={
                "transform.dense": "lm_head.dense",
                "transform.norm": "lm_head.layer_norm",
                "bias": "lm_head.bias",
                "lm_head.decoder.weight": Repeats("they are tied", "embeddings.word_embeddings.weight"),
                "lm_head.decoder.bias": Repeats("they are tied", "lm_head.bias"),
            },
        ),
        "RobertaForSequenceClassification": Head(
            build=lambda config, encoder, _: TextClassifier(encoder, bert.Pooled(config, bert.dropout(config))),
            holds="encoder",
            weights={"head.dense": "classifier.dense", "head.classes": "classifier.out_proj"},
        ),
        "RobertaForTokenClassification": Head(
            build=bert.token_classifier, holds="encoder", weights={"head": "classifier"}
        ),
    },
    limit=lambda config: int(config.max_position_embeddings - config.pad_token_id - 1),
)
