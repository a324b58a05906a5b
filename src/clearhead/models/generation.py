"""Text from a decoder, token by token."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from clearhead.errors import InputError, NotFiniteError, ShapeError
from clearhead.layers import PreallocatedCache
from clearhead.models.heads import LanguageModel, Sequence2Sequence
from clearhead.models.stepping import stepper_for
from clearhead.shapes import whole_number

__all__ = ["Sampling", "Token", "generate", "written"]


# New tokens of all texts together from which on laying out the weights once more is made up for: it takes 0.57 s for
# GPT-2 small, where a step then takes 15 ms less for one text and 62 ms less for eight.
_WORTH_A_STEPPER = 64


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the next token is chosen from its logits: the likeliest one, or one drawn at random.

    In this order: logits of tokens that are there already are divided by ``repetition_penalty`` if they are above 0,
    else multiplied by it (Keskar et al. 2019, arXiv:1909.05858); all are divided by ``temperature``; those outside the
    ``top_k`` largest are left out; and of the rest, by falling probability, those after the first whose probabilities
    sum to ``top_p`` or more (nucleus sampling, Holtzman et al. 2020, arXiv:1904.09751).

    Args:
        temperature: Above 0; below 1 the likely tokens get likelier. Without it, ``top_k`` and ``top_p`` the likeliest
            token is taken (greedy).
        top_k: How many tokens to draw from.
        top_p: Above 0 and at most 1.
        repetition_penalty: Above 0; 1 changes nothing.

    Raises:
        InputError: A number that is outside of these bounds.

    """

    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float = 1.0

    def __post_init__(self) -> None:
        for name in ("temperature", "top_p", "repetition_penalty"):
            value = getattr(self, name)
            if not (isinstance(value, int | float) or (value is None and name != "repetition_penalty")):
                raise InputError(f"{name} is {value!r}, and a number is wanted")
        if self.temperature is not None and not 0 < self.temperature < math.inf:
            raise InputError(
                f"temperature is {self.temperature}; it has to be above 0 and finite: for the likeliest token every "
                "time, leave it out"
            )
        if self.top_k is not None:
            whole_number("top_k", self.top_k)
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise InputError(f"top_p is {self.top_p}; it has to be above 0 and at most 1")
        if not 0 < self.repetition_penalty < math.inf:
            raise InputError(f"repetition_penalty is {self.repetition_penalty}; it has to be above 0, and 1 is none")

    @property
    def is_greedy(self) -> bool:
        """Whether the likeliest token is taken."""
        return self.temperature is None and self.top_k is None and self.top_p is None

    def choose(
        self,
        logits: Float[Tensor, "batch vocabulary"],
        before: Int[Tensor, "batch tokens"],
        there: Bool[Tensor, "batch tokens"] | None,
        generator: torch.Generator | None,
    ) -> Int[Tensor, "batch"]:
        """The next token of each text, of which ``before`` are the tokens so far, those that are ``there``.

        Raises:
            NotFiniteError: There is a logit that is no number.

        """
        logits = logits.float()
        if bool(logits.isnan().any()):
            raise NotFiniteError(
                "the model's logits are NaN: a weight is no number, or numbers grew beyond its dtype; nothing can be "
                "chosen from them"
            )
        if self.repetition_penalty != 1.0:
            logits = self._penalized(logits, before, there)
        if self.is_greedy:
            return logits.argmax(-1)
        return torch.multinomial(self.probabilities(logits), 1, generator=generator)[:, 0]

    def probabilities(self, logits: Float[Tensor, "batch vocabulary"]) -> Float[Tensor, "batch vocabulary"]:
        """From which the next token is drawn."""
        if self.temperature is not None:  # from the largest, so that none of them leaves what float32 can hold
            logits = (logits - logits.amax(-1, keepdim=True)) / self.temperature
        if self.top_k is not None and self.top_k < logits.shape[-1]:
            least = logits.topk(self.top_k).values[:, -1:]
            logits = logits.masked_fill(logits < least, -math.inf)
        if self.top_p is not None and self.top_p < 1:
            ordered, place = logits.sort(descending=True, stable=True)
            before = ordered.softmax(-1).cumsum(-1).roll(1, -1)
            before[:, 0] = 0.0
            kept = ordered.masked_fill(before >= self.top_p, -math.inf)
            logits = torch.empty_like(logits).scatter_(-1, place, kept)
        return logits.softmax(-1)

    def _penalized(self, logits: Tensor, before: Tensor, there: Tensor | None) -> Tensor:
        there = torch.ones_like(before, dtype=torch.bool) if there is None else there
        appears = torch.zeros_like(logits, dtype=torch.uint8).scatter_reduce_(1, before, there.to(torch.uint8), "amax")
        changed = torch.where(logits > 0, logits / self.repetition_penalty, logits * self.repetition_penalty)
        return torch.where(appears.bool(), changed, logits)


def generate(
    network: LanguageModel | Sequence2Sequence,
    ids: Int[Tensor, "..."],
    *,
    max_new_tokens: int,
    mask: Bool[Tensor, "..."] | None = None,
    sampling: Sampling | None = None,
    ends: Collection[int] = (),
    start: int = 0,
    generator: torch.Generator | None = None,
) -> Iterator[Int[Tensor, "batch"]]:
    """The tokens that follow each text, one of each text at a time.

    The prompt goes through the network at once, then each new token by itself, with the keys and values of those before
    in :class:`~clearhead.layers.PreallocatedCache`. Of an encoder–decoder the prompt is what the encoder reads, and it
    is read once.

    Args:
        network: A language model.
        ids: The prompts. Shorter ones are filled up in front, where ``mask`` is False.
        max_new_tokens: After how many tokens to stop.
        mask: Which of the prompts' tokens there are; all of them if it is not given.
        sampling: How tokens are chosen; the likeliest if it is not given.
        ends: Tokens after which a text has ended.
        start: The token that an encoder–decoder's answer starts with; it is not given out.
        generator: Where random numbers come from.

    Numbers are those of calling the network with the whole text, but for the order of sums: steps may run on a copy of
    the weights that is laid out for them. What is changed in ``.data`` while a text is written is not seen.

    Yields:
        The next token of each text, −1 for texts that have ended; nothing more when all have.

    Raises:
        ShapeError: ids or mask are not ``(batch, tokens)``, or the last token of a text is not there.
        InputError: ``max_new_tokens`` is not a whole number of at least 1, or this writes no text.

    """
    if not isinstance(network, LanguageModel | Sequence2Sequence):
        raise InputError(
            f"a LanguageModel or Sequence2Sequence writes text, and this is a {type(network).__name__}; of a loaded "
            "model it is model.network"
        )
    whole_number("max_new_tokens", max_new_tokens)
    if ids.dim() != 2 or 0 in ids.shape:
        raise ShapeError(f"a prompt is (batch, tokens), of at least one token; got {tuple(ids.shape)}")
    if mask is not None and mask.shape != ids.shape:
        raise ShapeError(f"the mask is {tuple(mask.shape)}, and the prompts are {tuple(ids.shape)}")
    if mask is not None and bool(mask.all()):
        mask = None
    if isinstance(network, LanguageModel) and mask is not None and not bool(mask[:, -1].all()):
        raise ShapeError("a prompt ends before its last column: shorter prompts are filled up in front")
    return _answers(network, ids, mask, max_new_tokens, sampling or Sampling(), ends, start, generator)


def _answers(
    network: LanguageModel | Sequence2Sequence,
    ids: Tensor,
    mask: Tensor | None,
    most: int,
    sampling: Sampling,
    ends: Collection[int],
    start: int,
    generator: torch.Generator | None,
) -> Iterator[Tensor]:
    so_far, there = ids, mask
    if isinstance(network, Sequence2Sequence):
        with torch.no_grad():
            known = network.decoder.project(network.model.encoder(ids, mask=mask))
        so_far, there = ids.new_full((len(ids), 1), start), None
    caches = [PreallocatedCache(so_far.shape[1] + most - 1) for _ in network.decoder.blocks]
    stepper = stepper_for(network) if most * len(ids) >= _WORTH_A_STEPPER else None

    def logits(newest: Tensor) -> Tensor:
        if stepper is not None and newest is not so_far and stepper.may_run:
            context = None if isinstance(network, LanguageModel) else known
            return stepper(newest, caches, there=there, known=context, context_there=mask)
        if isinstance(network, LanguageModel):
            found: Tensor = network(newest, mask=there, caches=caches, last=True)
        else:
            found = network.step(newest, known, caches=caches, context_mask=mask)
        return found[:, -1]

    newest, ended = so_far, torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
    closing = torch.tensor(sorted(ends), dtype=ids.dtype, device=ids.device)
    for _ in range(most):
        with torch.no_grad():  # not around the yield, which would be for the caller as well
            chosen = sampling.choose(logits(newest), so_far, there, generator)
        yield chosen.masked_fill(ended, -1)
        ended = ended | torch.isin(chosen, closing)
        if bool(ended.all()):
            return
        newest = chosen[:, None]
        so_far = torch.cat([so_far, newest], 1)
        there = None if there is None else torch.nn.functional.pad(there, (0, 1), value=True)


class Token(NamedTuple):
    """One token of a text that is being written."""

    id: int
    text: str
    """What it adds to the text: nothing for an end token, or while a character or what may be a stop is incomplete."""


def written(
    steps: Iterator[Int[Tensor, "batch"]],
    tokenizer: Any,
    prompts: Sequence[list[int]],
    *,
    most: int,
    ends: Collection[int],
    stops: Sequence[str],
) -> Iterator[tuple[Token | None, ...]]:
    """The tokens of :func:`generate` with their text, until each text has ended or come to one of ``stops``.

    Args:
        steps: What :func:`generate` gives.
        tokenizer: A ``tokenizers.Tokenizer``.
        prompts: The ids before those of each text, on which it depends how they are written.
        most: How many steps there are at most.
        ends: Tokens with which a text ends.
        stops: Texts at which to end.

    """
    texts = [_Text(tokenizer, prompt, stops) for prompt in prompts]
    for count, step in enumerate(steps, 1):
        ids = step.tolist()
        yield tuple(
            text.add(number, last=count == most or number in ends) for text, number in zip(texts, ids, strict=True)
        )
        if all(text.has_ended for text in texts):
            return


class _Text:
    """One text that is being written; what may be the beginning of a stop is held back."""

    def __init__(self, tokenizer: Any, prompt: list[int], stops: Sequence[str]) -> None:
        from tokenizers.decoders import DecodeStream

        self._tokenizer, self._stops, self._held = tokenizer, [stop for stop in stops if stop], ""
        self._stream = DecodeStream(ids=prompt, skip_special_tokens=True)
        self.has_ended = False

    def add(self, number: int, *, last: bool) -> Token | None:
        if number < 0 or self.has_ended:
            self.has_ended = True
            return None
        self._held += self._stream.step(self._tokenizer, number) or ""
        found = [place for stop in self._stops if (place := self._held.find(stop)) >= 0]
        if found:
            self.has_ended = True
            return Token(number, self._held[: min(found)])
        self.has_ended = last
        if last:
            return Token(number, self._held)
        kept = max((n for stop in self._stops for n in range(1, len(stop)) if self._held.endswith(stop[:n])), default=0)
        text, self._held = self._held[: len(self._held) - kept], self._held[len(self._held) - kept :]
        return Token(number, text)
