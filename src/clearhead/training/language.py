"""Language modelling: the next character or byte pair of a text, by a decoder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from clearhead.analysis.statistics import Observed
from clearhead.capture.look import look
from clearhead.errors import InputError
from clearhead.models.fresh import fresh
from clearhead.models.load import LoadedModel
from clearhead.shapes import whole_number
from clearhead.training.base import Probe, Settings, Task, write_start

__all__ = ["Language"]

_EVALUATED = 64  # windows at once
_BYTES = 256
_SHOWN, _PROBED = 4, 16


class Language(Task):
    """The next token of a text, learnt by a decoder (GPT-2's parts) from windows at random places.

    The last tenth of the text is the validation set, of which the loss is the mean over all its tokens, read window by
    window without overlap.

    Args:
        text: What is learnt.
        unit: ``characters``, or ``byte-pairs``: a vocabulary of pieces that is made of the text (Sennrich et al. 2016,
            arXiv:1508.07909, of bytes as in GPT-2).
        context: Tokens of a window.
        layers: Blocks.
        heads: Of each.
        dim: Width.
        dropout: Share of numbers that training drops.
        vocabulary: At most as many tokens, where they are byte pairs; at least the 256 bytes.
        validation: The share of the text, at its end, that is not learnt from.

    Raises:
        InputError: The text is too short for two windows, or a size that is out of bounds.

    """

    name = "text"
    unit = "windows"
    best = "loss"
    is_more_better = False
    defaults = Settings(steps=2000, batch=12, learning_rate=3e-3, weight_decay=0.1, evaluate_every=250)

    def __init__(
        self,
        text: str,
        *,
        unit: Literal["characters", "byte-pairs"] = "characters",
        context: int = 64,
        layers: int = 4,
        heads: int = 4,
        dim: int = 128,
        dropout: float = 0.0,
        vocabulary: int = 4096,
        validation: float = 0.1,
    ) -> None:
        self._text, self._unit, self._context, self._vocabulary = text, unit, context, vocabulary
        self._shape: dict[str, float] = {"context": context, "layers": layers, "heads": heads, "dim": dim}
        for name, value in (*self._shape.items(), ("vocabulary", vocabulary)):
            whole_number(name, value)
        if unit not in ("characters", "byte-pairs"):
            raise InputError(f"the unit is {unit!r}; there are 'characters' and 'byte-pairs'")
        if dim % heads:
            raise InputError(f"a width of {dim} cannot be shared by {heads} heads")
        if not 0 <= dropout < 1:
            raise InputError(f"dropout is {dropout}, and a share is wanted, from 0 to less than 1")
        if not 0 < validation < 1:
            raise InputError(f"validation is {validation}, and a share of the text is wanted, between 0 and 1")
        if unit == "byte-pairs" and vocabulary < _BYTES:
            raise InputError(f"a vocabulary of {vocabulary} has no room for the {_BYTES} bytes that pairs are made of")
        self._share = validation
        self._shape["dropout"] = dropout
        cut = int(len(text) * (1 - validation))
        if not text[:cut]:
            raise InputError(f"the text has {len(text)} characters: more than a window of {context} is wanted")
        self._tokenizer = _characters(text) if unit == "characters" else _byte_pairs(text[:cut], vocabulary)
        self._train, self._validation = (
            torch.tensor(self._tokenizer.encode(part).ids) for part in (text[:cut], text[cut:])
        )
        if min(len(self._train), len(self._validation)) <= context:
            raise InputError(
                f"the text has {len(self._train)} tokens to learn from and {len(self._validation)} to check with: more "
                f"than a window of {context} is wanted of each; take a longer text or a shorter context"
            )

    @property
    def examples(self) -> Sequence[Any]:
        """The windows that begin at each place."""
        return _Windows(self._train, self._context)

    def order(self, settings: Settings) -> list[int]:
        """Places at random."""
        generator = torch.Generator().manual_seed(settings.seed)
        places = torch.randint(len(self.examples), (settings.steps * settings.batch,), generator=generator)
        found: list[int] = places.tolist()
        return found

    def model(self, folder: Path) -> LoadedModel:
        """A new GPT-2 of that shape."""
        config: dict[str, Any] = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}
        config |= {name: self._shape[own] for name, own in _NAMES.items()}
        config["vocab_size"] = self._tokenizer.get_vocab_size()
        config |= {"bos_token_id": None, "eos_token_id": None}  # a published GPT-2 has one, at 50256
        write_start(folder, config, self._tokenizer)
        return fresh(folder)

    def collate(self, examples: Sequence[Tensor]) -> dict[str, Tensor]:
        """Windows, and of each token the next."""
        whole = torch.stack(list(examples))
        return {"ids": whole[:, :-1], "labels": whole[:, 1:]}

    @torch.no_grad()
    def judge(self, model: LoadedModel, of: str = "validation") -> dict[str, float]:  # noqa: ARG002  # there is one set
        """The loss on the validation set, in nats a token."""
        was_training = model.training
        model.eval()
        total, count = 0.0, 0
        usable = self._usable().to(next(model.parameters()).device)
        ids, labels = (x.view(-1, self._context) for x in (usable[:-1], usable[1:]))
        for rows, wanted in zip(ids.split(_EVALUATED), labels.split(_EVALUATED), strict=True):
            logits = model(rows)
            total += float(torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="sum"))
            count += wanted.numel()
        model.train(was_training)
        return {"loss": total / count}

    def baselines(self, of: str = "validation") -> dict[str, dict[str, float]]:  # noqa: ARG002  # there is one set
        """The loss of single tokens by their frequency in training, one more each: about their entropy, in nats."""
        counts = torch.bincount(self._train, minlength=self._tokenizer.get_vocab_size()) + 1
        loss = -float((counts / counts.sum()).log()[self._usable()[1:]].mean())
        return {"frequency of single tokens": {"loss": loss}}

    def _usable(self) -> Tensor:
        """The whole windows of the validation set, and a token more."""
        return self._validation[: (len(self._validation) - 1) // self._context * self._context + 1]

    def probe(self, model: LoadedModel, texts: Sequence[str] | None = None) -> Probe:
        """Windows of the validation set."""
        windows = self._validation[: _PROBED * self._context].split(self._context)
        some = [text for window in windows if (text := self._tokenizer.decode(window.tolist())).strip()]
        given = some[:_SHOWN] if texts is None else texts
        return Probe(lambda: look(given, model, truncate=True), lambda: [Observed(look(some, model, truncate=True))])

    def describe(self) -> dict[str, Any]:
        """Which text, and of what shape the model is."""
        digest = hashlib.sha256(self._text.encode()).hexdigest()[:16]
        return {
            "text": digest,
            "unit": self._unit,
            "vocabulary": self._vocabulary,
            "validation": self._share,
            **self._shape,
        }


_NAMES = {
    "n_layer": "layers",
    "n_head": "heads",
    "n_embd": "dim",
    "n_positions": "context",
    "embd_pdrop": "dropout",
    "attn_pdrop": "dropout",
    "resid_pdrop": "dropout",
}
"""GPT-2's configuration, by our own names."""


class _Windows(Sequence[Tensor]):
    """The windows of a text, each with one token more."""

    def __init__(self, ids: Tensor, context: int) -> None:
        self._ids, self._context = ids, context

    def __len__(self) -> int:
        return len(self._ids) - self._context

    def __getitem__(self, place: Any) -> Any:
        return self._ids[place : place + self._context + 1]


def _characters(text: str) -> Any:
    """A tokenizer of the characters that a text has; no token stands for others, which it refuses."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    vocabulary = {letter: number for number, letter in enumerate(sorted(set(text)))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return tokenizer


def _byte_pairs(text: str, vocabulary: int) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(text.splitlines(keepends=True), trainer)
    return tokenizer
