"""What runs a text through a model: our own stack, or transformers."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from clearhead.capture.sources import Pretrained, load
from clearhead.errors import InputError, NotBuiltError
from clearhead.models import EncoderDecoder, LoadedModel
from clearhead.models import load as load_own

__all__ = ["Runner", "runner_of"]


class Runner(ABC):
    """A model with its tokenizer."""

    name: str
    model: nn.Module
    """What is watched; of an encoder–decoder the encoder is run."""
    is_both: bool
    """Whether it is an encoder–decoder."""
    limit: int | None
    """The most tokens that the model takes, special ones included; None where it has no limit."""
    missing: tuple[str, ...] = ()
    """Weights that the checkpoint lacks, so that they are random."""
    run_by: str = "clearhead"
    """Whose stack it is, and why not our own."""
    padding: tuple[int, str] = (0, "[PAD]")
    """A token to fill up with."""

    @abstractmethod
    def encode(self, texts: list[str], limit: int | None) -> list[Any]:
        """The ``tokenizers.Encoding`` of each text, cut off after ``limit`` tokens."""

    @abstractmethod
    def run(self, encodings: list[Any], *, padded: bool) -> Tensor:
        """The last hidden state of texts of one length."""

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    def weights(self) -> Iterator[tuple[str, Tensor]]:
        """All weights, by published names."""
        yield from self.model.named_parameters()

    def _column(self, encodings: list[Any], name: str) -> Tensor:
        return torch.tensor([getattr(encoding, name) for encoding in encodings], device=self.device)


def runner_of(model: str | LoadedModel | Pretrained | Runner) -> Runner:
    """What runs this model: our own stack where its architecture is built here, else transformers."""
    if isinstance(model, Runner):
        return model
    reason = ""
    if isinstance(model, str):
        name = model
        try:
            model = load_own(name, head=False)
            if not (model.is_of_pictures or model.has_tokenizer):
                reason = f"{name} has no tokenizer.json"
        except NotBuiltError as error:
            reason = str(error)
        if reason:
            model = load(name)
    if isinstance(model, LoadedModel):
        return _Own(model)
    if not isinstance(model, Pretrained):
        raise InputError(
            "look takes a model id, a folder, or what load or load_pretrained gave; other models, such as this "
            f"{type(model).__name__}, are called within clearhead.watch(model)"
        )
    runner = _Transformers(model)
    runner.run_by = f"transformers: {reason}" if reason else "transformers"
    return runner


class _Own(Runner):
    """A stack of our own parts."""

    def __init__(self, model: LoadedModel) -> None:
        stack = model.stack
        if model.is_of_pictures:
            raise InputError(f"{model.name} looks at pictures, and this is a text")
        self.name, self.model, self.limit = model.name, model, model.limit
        self._model = model
        pad = model.config.pad_token_id
        self.padding = (0, "[PAD]") if pad is None else (pad, model.tokenizer.id_to_token(pad) or "[PAD]")
        self.is_both = isinstance(stack, EncoderDecoder)
        self._stack = stack.encoder if self.is_both else stack
        self._tokenizer = model.tokenizer

    def encode(self, texts: list[str], limit: int | None) -> list[Any]:
        return self._model.encodings(texts, limit)

    def weights(self) -> Iterator[tuple[str, Tensor]]:
        yield from self._model.named_as_published()

    def run(self, encodings: list[Any], *, padded: bool) -> Tensor:
        options = {"mask": self._column(encodings, "attention_mask").bool()} if padded else {}
        if self._stack.embedding.types is not None:
            options["types"] = self._column(encodings, "type_ids")
        found: Tensor = self._stack(self._column(encodings, "ids"), **options)
        return found


class _Transformers(Runner):
    """Any text model that transformers has."""

    def __init__(self, model: Pretrained) -> None:
        self.name, self.model, self.missing = model.name, model.model, model.missing
        self.is_both = bool(getattr(model.model.config, "is_encoder_decoder", False))
        self._stack = model.model.get_encoder() if self.is_both else model.model
        self._tokenizer = model.tokenizer
        self.limit = _limit(model)
        self.padding = (self._tokenizer.pad_token_id or 0, self._tokenizer.pad_token or "[PAD]")

    def encode(self, texts: list[str], limit: int | None) -> list[Any]:
        options = {"truncation": True, "max_length": limit} if limit is not None else {"truncation": False}
        encoded = self._tokenizer(texts, padding=False, return_attention_mask=True, verbose=False, **options)
        self._has_types = "token_type_ids" in encoded
        found: list[Any] = encoded.encodings
        return found

    def run(self, encodings: list[Any], *, padded: bool) -> Tensor:
        inputs = {"input_ids": self._column(encodings, "ids")}
        if padded:  # models have faster paths without a mask
            inputs["attention_mask"] = self._column(encodings, "attention_mask")
        if self._has_types:
            inputs["token_type_ids"] = self._column(encodings, "type_ids")
        takes = inspect.signature(self._stack.forward).parameters  # DistilBERT shares BERT's tokenizer, without types
        found: Tensor = self._stack(**{name: value for name, value in inputs.items() if name in takes})[0]
        return found


def _limit(pretrained: Pretrained) -> int | None:
    positions = getattr(pretrained.model.config, "max_position_embeddings", None)
    for name, module in pretrained.model.named_modules():
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            positions = module.num_embeddings - module.padding_idx - 1  # RoBERTa counts from the padding's number on
    stated = pretrained.tokenizer.model_max_length
    limits = [n for n in (positions, stated) if isinstance(n, int) and 0 < n < 10**9]
    return min(limits) if limits else None
