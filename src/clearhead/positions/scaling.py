"""How rotary angles are changed so that a model reaches beyond the length that it was trained on.

Pair i of ``pairs`` turns by base^(−i/pairs) radians a token: the first pairs are fast and tell neighbours apart, the
last ones slow and tell far from near. Each part here says how fast the pairs turn instead.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clearhead.errors import InputError
from clearhead.positions.base import check_at_least_1
from clearhead.shapes import whole_number

__all__ = ["LinearScaling", "Llama3Scaling", "NTKScaling", "RotaryScaling", "YaRNScaling"]


class RotaryScaling(ABC):
    """A change of the frequencies at which pairs turn."""

    @property
    def amplitude(self) -> float:
        """The factor of what is turned, in q and in k, so that the scores of turned numbers get its square."""
        return 1.0

    @abstractmethod
    def frequencies(
        self, plain: Float[Tensor, "pairs"], base: float, positions: Int[Tensor, "*any"]
    ) -> Float[Tensor, "pairs"]:
        """The frequencies to use instead of the ``plain`` ones, base^(−i/pairs), in radians a token.

        ``positions`` are those that are about to be turned to, for a part that looks at how far they go.
        """


@dataclass(frozen=True)
class LinearScaling(RotaryScaling):
    """Position interpolation: all pairs turn ``factor`` times slower, as if positions were divided by it.

    Raises:
        InputError: ``factor`` is below 1.

    Source: Chen et al. 2023, arXiv:2306.15595; ``rope_type="linear"`` in transformers.

    >>> LinearScaling(4.0).frequencies(torch.tensor([1.0, 0.01]), 10000.0, torch.arange(3))
    tensor([0.2500, 0.0025])

    """

    factor: float

    def __post_init__(self) -> None:
        check_at_least_1("factor", self.factor)

    def frequencies(
        self,
        plain: Float[Tensor, "pairs"],
        base: float,  # noqa: ARG002
        positions: Int[Tensor, "*any"],  # noqa: ARG002
    ) -> Float[Tensor, "pairs"]:
        """All of them divided by the factor."""
        return plain / self.factor


@dataclass(frozen=True)
class NTKScaling(RotaryScaling):
    """NTK-aware scaling: a larger base, so that the slowest pair turns ``factor`` times slower, the fastest as ever.

    base' = base · s^(dim / (dim − 2)), that is, pair i turns s^(i / (pairs − 1)) times slower.

    * Without ``original_length``, s = factor, whatever the positions ("NTK-aware").
    * With it, s = factor · length / original_length − (factor − 1), where length is the largest position + 1 and at
      least ``original_length``: nothing changes within that length ("dynamic NTK", ``rope_type="dynamic"`` in
      transformers, where ``original_length`` is ``max_position_embeddings``). The angles then depend on how long
      the sequence is: a key that was turned and kept in a cache stays at the frequencies of its time, so that beyond
      ``original_length`` decoding step by step differs from the full pass, here as in transformers.

    Raises:
        InputError: ``factor`` is below 1, or what is turned has one pair alone, which is fastest and slowest at once.

    Source: bloc97 and emozilla, reported in section 3 of Peng et al. 2023, arXiv:2309.00071.

    >>> NTKScaling(4.0).frequencies(torch.tensor([1.0, 0.01]), 10000.0, torch.arange(3))
    tensor([1.0000, 0.0025])

    """

    factor: float
    original_length: int | None = None

    def __post_init__(self) -> None:
        check_at_least_1("factor", self.factor)
        if self.original_length is not None:
            whole_number("original_length", self.original_length)

    def frequencies(
        self,
        plain: Float[Tensor, "pairs"],
        base: float,  # noqa: ARG002
        positions: Int[Tensor, "*any"],
    ) -> Float[Tensor, "pairs"]:
        """The fastest as it is, the others slower and slower."""
        pairs = len(plain)
        if pairs < 2:
            raise InputError("NTK scaling needs two pairs at least, 4 numbers of each head; one pair is turned")
        exponents = torch.arange(pairs, dtype=plain.dtype, device=plain.device) / (pairs - 1)
        if self.original_length is None:
            return plain / self.factor**exponents
        if positions.numel() == 0:
            return plain
        excess = (positions.max().long() + 1).to(plain.dtype) / self.original_length - 1
        return plain / (1 + self.factor * excess.clamp(min=0)) ** exponents


@dataclass(frozen=True)
class YaRNScaling(RotaryScaling):
    """YaRN: pairs that turn often within the trained length stay, slow ones are interpolated, a ramp lies between.

    Pair i makes r_i = original_length · base^(−i/pairs) / 2π turns within the trained length. With r_i above
    ``beta_fast`` it is left alone, below ``beta_slow`` it turns ``factor`` times slower, and between the two the
    frequency goes over linearly in i. Scores are sharpened by the square of ``attention_factor``.

    Args:
        factor: How many times longer than trained.
        original_length: The trained length, in tokens.
        beta_fast: Turns within the trained length above which nothing changes.
        beta_slow: Turns below which all is interpolated.
        attention_factor: The factor of what is turned; ``None`` for the paper's 0.1 · ln(factor) + 1.
        truncate: Whether the ramp's ends are moved outwards to whole pairs, as the authors' code does (gpt-oss: no).

    Raises:
        InputError: ``factor`` is below 1, or ``beta_fast`` not above ``beta_slow``.

    Source: Peng et al. 2023, arXiv:2309.00071, sections 3.2 to 3.4; ``rope_type="yarn"`` in transformers.

    >>> scaling = YaRNScaling(4.0, original_length=2048)
    >>> plain = 10000.0 ** -(torch.arange(8.0) / 8)
    >>> (plain / scaling.frequencies(plain, 10000.0, torch.arange(3))).round(decimals=2)  # how much slower
    tensor([1.0000, 1.0000, 1.0000, 1.2300, 1.6000, 2.2900, 4.0000, 4.0000])
    >>> round(scaling.amplitude, 4)
    1.1386

    """

    factor: float
    original_length: int
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    attention_factor: float | None = None
    truncate: bool = True

    def __post_init__(self) -> None:
        check_at_least_1("factor", self.factor)
        whole_number("original_length", self.original_length)
        if not self.beta_fast > self.beta_slow > 0:
            raise InputError(
                f"beta_fast is {self.beta_fast} and beta_slow {self.beta_slow}; wanted is beta_fast > beta_slow > 0"
            )
        if not math.isfinite(self.beta_fast):
            raise InputError("beta_fast is infinite; it counts turns within the original length")
        if self.attention_factor is not None and not 0 < self.attention_factor < math.inf:
            raise InputError(f"attention_factor is {self.attention_factor}; it has to be above 0 and finite")

    @property
    def amplitude(self) -> float:
        """The attention factor."""
        return 0.1 * math.log(self.factor) + 1.0 if self.attention_factor is None else self.attention_factor

    def frequencies(
        self,
        plain: Float[Tensor, "pairs"],
        base: float,
        positions: Int[Tensor, "*any"],  # noqa: ARG002
    ) -> Float[Tensor, "pairs"]:
        """The fast ones as they are, the slow ones divided by the factor, a ramp between."""
        pairs = len(plain)
        first, last = (
            pairs * math.log(self.original_length / (2 * math.pi * turns)) / math.log(base)
            for turns in (self.beta_fast, self.beta_slow)
        )
        if self.truncate:
            first, last = math.floor(first), math.ceil(last)
        # The bounds are those of the authors' code; 2 · pairs − 1 lies beyond the last pair.
        first, last = max(first, 0), min(last, 2 * pairs - 1)
        number = torch.arange(pairs, dtype=plain.dtype, device=plain.device)
        ramp = ((number - first) / (last - first if last != first else 0.001)).clamp(0, 1)
        return plain / self.factor * ramp + plain * (1 - ramp)


@dataclass(frozen=True)
class Llama3Scaling(RotaryScaling):
    """Llama 3.1's: long wavelengths grow by the factor, short ones stay, and between the two it goes over smoothly.

    A pair makes r = original_length / wavelength turns within the trained length. Its frequency is multiplied by
    w + (1 − w) / factor with w = (r − low) / (high − low), cut off at 0 and 1.

    Args:
        factor: By how much the long wavelengths grow (Llama 3.1: 8).
        low_frequency_factor: Turns up to which a pair is slowed by the whole factor (1).
        high_frequency_factor: Turns from which on a pair stays as it is (4).
        original_length: The trained length, in tokens (8,192).

    Raises:
        InputError: ``factor`` is below 1, or ``high_frequency_factor`` not above ``low_frequency_factor``.

    Source: Grattafiori et al. 2024, arXiv:2407.21783, and the published model code; ``rope_type="llama3"`` in
    transformers.

    >>> plain = torch.tensor([1.0, 0.002, 0.0001])  # 1304, 2.6 and 0.13 turns
    >>> Llama3Scaling(8.0, 1.0, 4.0, 8192).frequencies(plain, 500000.0, torch.arange(3)) / plain
    tensor([1.0000, 0.5939, 0.1250])

    """

    factor: float
    low_frequency_factor: float
    high_frequency_factor: float
    original_length: int

    def __post_init__(self) -> None:
        check_at_least_1("factor", self.factor)
        whole_number("original_length", self.original_length)
        low, high = self.low_frequency_factor, self.high_frequency_factor
        if not high > low > 0:
            raise InputError(
                f"high_frequency_factor is {high} and low_frequency_factor {low}; wanted is high > low > 0"
            )

    def frequencies(
        self,
        plain: Float[Tensor, "pairs"],
        base: float,  # noqa: ARG002
        positions: Int[Tensor, "*any"],  # noqa: ARG002
    ) -> Float[Tensor, "pairs"]:
        """The fast ones as they are, the slow ones divided by the factor, and all between."""
        turns = self.original_length * plain / (2 * math.pi)
        low, high = self.low_frequency_factor, self.high_frequency_factor
        kept = ((turns - low) / (high - low)).clamp(0, 1)
        return plain * (kept + (1 - kept) / self.factor)
