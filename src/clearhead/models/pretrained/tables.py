"""What is said of a published architecture: its configuration keys, its weights, and the parts they make."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from torch import Tensor, nn

from clearhead.errors import ModelError, NotBuiltError
from clearhead.models.heads import LanguageModel
from clearhead.models.transformer import Decoder

__all__ = [
    "Architecture",
    "Head",
    "Ignored",
    "Kept",
    "Named",
    "Only",
    "Part",
    "Repeats",
    "labels",
    "language_model",
    "read_config",
]


@dataclass(frozen=True)
class Ignored:
    """A configuration key or a weight that is not used, and why."""

    reason: str


@dataclass(frozen=True)
class Kept(Ignored):
    """A weight that is not used, but written again where the model is saved."""


@dataclass(frozen=True)
class Repeats(Ignored):
    """A published weight that is another one once more. A head whose weight is not has its own, as in transformers."""

    of: str


@dataclass(frozen=True)
class Only:
    """A configuration key of which one value is understood, also meant where the key is missing."""

    value: Any
    otherwise: str
    """What another value would mean."""


_ACTIVATIONS = {
    "relu": "relu",
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "silu": "silu",
    "swish": "silu",
}
"""What published configurations call the activations of :data:`clearhead.layers.ACTIVATIONS`."""


@dataclass(frozen=True)
class Named:
    """A configuration key that names an activation; its value is our name of it."""

    value: str
    """Where the key is missing."""

    @staticmethod
    def read(name: object) -> str:
        """Our name.

        Raises:
            NotBuiltError: There is none.

        """
        if not isinstance(name, str) or name not in _ACTIVATIONS:
            raise NotBuiltError(f"there is no activation {name!r} here; there are {', '.join(_ACTIVATIONS)}")
        return _ACTIVATIONS[name]


@dataclass(frozen=True)
class Part:
    """Where a weight of ours is in a published one."""

    name: str
    number: int = 0
    of: int = 1
    """Which of how many equal parts along the output, as where q, k and v are one matrix."""
    transposed: bool = False
    """Whether the published matrix is (inputs, outputs), as in GPT-2."""
    leading: int = 0
    """How many axes of size 1 the published tensor has in front."""

    def take(self, tensor: Tensor) -> Tensor:
        """Our weight, as a view of the published one."""
        for _ in range(self.leading):
            tensor = tensor[0]
        if self.transposed:
            tensor = tensor.mT if tensor.dim() == 2 else tensor
        return tensor.chunk(self.of, 0)[self.number] if self.of > 1 else tensor

    def shape(self, ours: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the published tensor, where ours is this."""
        whole = (ours[0] * self.of, *ours[1:])
        return (1,) * self.leading + (whole[::-1] if self.transposed and len(whole) == 2 else whole)

    def put(self, into: Tensor, ours: Tensor) -> None:
        """Write our weight where it is in the published one."""
        self.take(into).copy_(ours)


Weights = Mapping[str, "str | Part | Ignored"]
Config = SimpleNamespace


@dataclass(frozen=True)
class Head:
    """What a published model has on top of the bare one."""

    build: Callable[[Config, Any, bool], nn.Module]
    """From the configuration, the bare model, and whether the head's matrix is another than the embedding's."""
    weights: Weights
    """Of what the head adds."""
    holds: str
    """The attribute of the whole that is the bare model."""


@dataclass(frozen=True)
class Architecture:
    """A published architecture: two tables, and what makes the parts of them."""

    name: str
    """``model_type`` in config.json."""
    source: str
    """Where it was published."""
    keys: Mapping[str, Any]
    """Each configuration key: its default value, :class:`Named`, :class:`Only` or :class:`Ignored`."""
    weights: Weights
    """Our weights or modules by name, ``{i}`` being a block's number: what they are called in published files.

    A name with :class:`Ignored` is a published one that we have no use for.
    """
    build: Callable[[Config], nn.Module]
    """From a configuration with all keys to the bare model."""
    bare: tuple[str, ...]
    """The classes in ``architectures`` of config.json that are the bare model."""
    heads: Mapping[str, Head]
    """The classes that are more than that."""
    applies: Callable[[Mapping[str, Any]], bool] = lambda _given: True
    """Of architectures with one name, whether a config.json means this one."""
    prefix: str = ""
    """What stands before the names of the bare model where it has a head."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Ends of published names that older files have, and what they are called now."""
    limit: Callable[[Config], int | None] = lambda _config: None
    """The most tokens of a text."""

    def place(self, head: Head | None, name: str, prefix: str) -> Part:
        """Where the weight ``name`` of a network, with or without a head, is in published files."""
        if head is not None and not name.startswith(f"{head.holds}."):
            part = _row(head.weights, name)
        else:
            part = _row(self.weights, name if head is None else name.removeprefix(f"{head.holds}."))
            part = None if part is None else replace(part, name=prefix + part.name)
        if part is None:
            raise KeyError(f"no table of {self.name} has {name}")
        return part

    def attention_path(self, name: str) -> str:
        """The path of the published module that has the queries of the bare model's attention layer ``name``."""
        return self.place(None, f"{name}.query.weight", "").name.rpartition(".")[0].rpartition(".")[0]

    def is_of_a_head(self, name: str, prefix: str) -> bool:
        """Whether a published weight belongs to what some model has on top of the bare one."""
        rows = [row for head in self.heads.values() for row in head.weights.values()]
        theirs = [row.name if isinstance(row, Part) else row for row in rows if not isinstance(row, Ignored)]
        return not name.startswith(prefix) or any(f"{name}.".startswith(f"{x}.") for x in theirs)

    def ignored(self, head: Head | None, name: str, prefix: str) -> Ignored | None:
        """Why a published weight has no place in the network, if a table says."""
        if head is not None and (found := _ignored(head.weights, name)) is not None:
            return found
        return _ignored(self.weights, name.removeprefix(prefix)) if name.startswith(prefix) else None


def _ignored(weights: Weights, name: str) -> Ignored | None:
    pattern = re.sub(r"\.\d+\.", ".{i}.", name)
    for key in (pattern, pattern.rpartition(".")[0], name, name.rpartition(".")[0]):
        if isinstance(found := weights.get(key), Ignored):
            return found
    return None


def _row(weights: Weights, name: str) -> Part | None:
    number = re.search(r"\.(\d+)\.", name)
    pattern = name if number is None else name.replace(number[0], ".{i}.", 1)
    module, _, leaf = pattern.rpartition(".")
    for key, end in ((pattern, ""), (module, f".{leaf}")):
        row = weights.get(key)
        if row is not None and not isinstance(row, Ignored):
            part = row if isinstance(row, Part) else Part(row)
            theirs = part.name if number is None else part.name.replace("{i}", number[1])
            return replace(part, name=theirs + end)
    return None


def language_model(width: str, embedding: str) -> Head:
    """A decoder's next word: by the embedding's matrix where they are tied, else by one of its own."""

    def build(config: Config, decoder: Decoder, apart: bool) -> LanguageModel:
        head = nn.Linear(getattr(config, width), config.vocab_size, bias=False) if apart else None
        return LanguageModel(decoder, head)

    weights: Weights = {"head": "lm_head", "lm_head.weight": Repeats("they are tied", embedding)}
    return Head(build=build, weights=weights, holds="decoder")


def labels(config: Config) -> int:
    """How many classes a head has."""
    return len(config.id2label or ()) or config.num_labels or 2


_COMMON_KEYS: Mapping[str, Any] = {
    "model_type": Ignored("it chose the architecture"),
    "architectures": None,
    "transformers_version": Ignored("which version wrote the file"),
    "torch_dtype": Ignored("weights are what they are in the file"),
    "dtype": Ignored("weights are what they are in the file"),
    "_name_or_path": Ignored("where the model once lay"),
    "name_or_path": Ignored("where the model once lay"),
    "_attn_implementation_autoset": Ignored("how transformers computes it"),
    "_commit_hash": Ignored("where the model once lay"),
    "use_cache": Ignored("whether there is a cache is said in the call"),
    "output_attentions": Ignored("attention is looked at by watch"),
    "output_hidden_states": Ignored("hidden states are asked for in the call"),
    "return_dict": Ignored("what transformers returns"),
    "torchscript": Ignored("another way to run it"),
    "chunk_size_feed_forward": Ignored("how transformers computes it"),
    "gradient_checkpointing": Ignored("a choice of training"),
    "is_decoder": Only(False, "an encoder that is used as a decoder"),
    "add_cross_attention": Only(False, "cross-attention in a stack of one text"),
    "cross_attention_hidden_size": Only(None, "cross-attention in a stack of one text"),
    "tie_encoder_decoder": Only(False, "an encoder and a decoder with the same weights"),
    "is_encoder_decoder": Ignored("the architecture says it"),
    "is_llama_config": Ignored("how another library converted it"),
    "output_past": Ignored("how transformers computes it"),
    "use_bfloat16": Ignored("how transformers computed it"),
    "xla_device": Ignored("where it was trained"),
    "summary_hidden_size": Ignored("of a head that is not built"),
    "tie_word_embeddings": True,
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": None,
    "sep_token_id": Ignored("tokenizer.json puts it there"),
    "decoder_start_token_id": None,
    "id2label": None,
    "num_labels": None,
    "_num_labels": Ignored("id2label says it"),
    "label2id": Ignored("id2label the other way round"),
    "problem_type": Ignored("a choice of training"),
    "finetuning_task": Ignored("what it was trained for"),
    "task_specific_params": Ignored("how pipelines call it"),
    "tokenizer_class": Ignored("tokenizer.json says it all"),
    "prefix": Ignored("how pipelines call it"),
    "pruned_heads": Only({}, "heads that were taken out"),
}
"""Keys that any configuration may have."""

# fmt: off
_GENERATION = (
    "max_length", "min_length", "do_sample", "early_stopping", "num_beams", "num_beam_groups", "diversity_penalty",
    "temperature", "top_k", "top_p", "typical_p", "repetition_penalty", "length_penalty", "no_repeat_ngram_size",
    "encoder_no_repeat_ngram_size", "bad_words_ids", "num_return_sequences", "output_scores",
    "return_dict_in_generate", "forced_bos_token_id", "forced_eos_token_id", "remove_invalid_values",
    "exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens",
)
# fmt: on


def read_config(architecture: Architecture, given: Mapping[str, Any], where: str) -> Config:
    """The configuration with every key of the tables, defaults where the file has none.

    Raises:
        NotBuiltError: A key that no table has, or a value that is not understood.
        ModelError: A value of the wrong type.

    """
    generation = {name: Ignored("how text is generated is said in the call") for name in _GENERATION}
    table = {**generation, **_COMMON_KEYS, **architecture.keys}
    unknown = sorted(set(given) - set(table))
    if unknown:
        raise NotBuiltError(
            f"{where} has {', '.join(map(repr, unknown))}, which {architecture.name} is not known to have; it could "
            "change what the model computes, so the model is not loaded: remove what has no effect, or use "
            "clearhead.load_pretrained, which asks transformers"
        )
    found: dict[str, Any] = {}
    for name, known in table.items():
        if isinstance(known, Ignored):
            continue
        default = known.value if isinstance(known, Only | Named) else known
        value = given.get(name, default)
        if isinstance(known, Only) and value != known.value:
            raise NotBuiltError(
                f"{where} has {name} = {value!r}: {known.otherwise}, which is not built here; only {known.value!r} is"
            )
        if isinstance(known, Named):
            value = Named.read(value)
        elif name in given and not _fits(value, name, known):
            raise ModelError(f"{where} has {name} = {value!r}, and {_wanted(name, known)} is wanted")
        found[name] = value
    return SimpleNamespace(**found)


_MAY_BE_PAIRS = ("image_size", "patch_size")
_MAY_BE_LISTS = ("eos_token_id",)


def _fits(value: object, name: str, default: object) -> bool:
    """Whether a value is of the kind of the key's default; where that is None, only numbers of tokens are known."""
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, int | float):
        is_number = type(value) is int or (type(value) is float and isinstance(default, float))
        is_pair = name in _MAY_BE_PAIRS and isinstance(value, list) and len(value) == 2
        return is_number or is_pair
    if name.endswith("_token_id") and value is not None:
        several = value if name in _MAY_BE_LISTS and isinstance(value, list) else [value]
        return all(type(x) is int for x in several)
    return not isinstance(default, str) or isinstance(value, str)


def _wanted(name: str, default: object) -> str:
    if isinstance(default, bool):
        return "true or false"
    if name in _MAY_BE_PAIRS:
        return "a whole number or a pair of them"
    if isinstance(default, str):
        return "a name"
    return "a number" if isinstance(default, float) else "a whole number"
