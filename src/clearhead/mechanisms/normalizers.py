"""How a row of scores becomes a row of weights: softmax and what can stand in its place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from clearhead.errors import InputError
from clearhead.shapes import may_be_asked

__all__ = [
    "NORMALIZERS",
    "Entmax15",
    "Normalizer",
    "Raw",
    "ReLU",
    "Sigmoid",
    "Softmax",
    "Sparsemax",
    "as_normalizer",
]


class Normalizer(ABC):
    """A row of scores to a row of weights, by one number a row that all its weights share.

    ``weight_ij = weights(score_ij, statistic_i)``, so that any single weight can be had again from its score and that
    number, as with softmax and its LSE. A score of −inf gives weight 0; a row of nothing else has the
    :attr:`empty` statistic. Instances without settings are equal to each other.
    """

    name: ClassVar[str]
    empty: ClassVar[float]
    """The statistic of a row that may attend to nothing."""
    sums_to_one: ClassVar[bool] = True
    """Whether the weights of a row that attends to something sum to 1."""

    @abstractmethod
    def statistic(self, scores: Float[Tensor, "*rows keys"]) -> Float[Tensor, "*rows"]:
        """The number that the weights of a row share; it needs the whole row."""

    @abstractmethod
    def weights(
        self, scores: Float[Tensor, "*rows keys"], statistic: Float[Tensor, "*rows"]
    ) -> Float[Tensor, "*rows keys"]:
        """The weights of these keys of each row, given the row's statistic."""

    def of_rows(self, scores: Float[Tensor, "*rows keys"]) -> Float[Tensor, "*rows keys"]:
        """The weights of whole rows."""
        return self.weights(scores, self.statistic(scores))

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Softmax(Normalizer):
    """``weight_ij = exp(score_ij − lse_i)``, ``lse_i = ln Σ_j exp(score_ij)`` (Vaswani et al. 2017, arXiv:1706.03762).

    Example:
        The second of three words in the texts' example:

        >>> import torch
        >>> scores = torch.tensor([0.5, 1.0, 0.2])
        >>> Softmax().weights(scores, Softmax().statistic(scores))
        tensor([0.2950, 0.4864, 0.2186])

    """

    name = "softmax"
    empty = -torch.inf

    def statistic(self, scores: Float[Tensor, "*rows keys"]) -> Float[Tensor, "*rows"]:
        # A row without keys has no gradient either; logsumexp's own would be NaN.
        none = (scores == -torch.inf).all(-1)
        return scores.masked_fill(none[..., None], 0.0).logsumexp(-1).masked_fill(none, -torch.inf)

    def weights(
        self, scores: Float[Tensor, "*rows keys"], statistic: Float[Tensor, "*rows"]
    ) -> Float[Tensor, "*rows keys"]:
        return (scores - statistic.masked_fill(statistic == -torch.inf, 0.0)[..., None]).exp()

    def of_rows(self, scores: Float[Tensor, "*rows keys"]) -> Float[Tensor, "*rows keys"]:
        found = torch.softmax(scores, -1)
        # A row without keys is NaN there; NaN that was there before comes out of the other way as well.
        if may_be_asked(scores) and not bool(found[..., :1].isnan().any()):
            return found
        return self.weights(scores, self.statistic(scores))


class Sparsemax(Normalizer):
    """``weight_ij = max(0, score_ij − τ_i)``, τ such that the row sums to 1: the nearest point of the simplex.

    Source: Martins and Astudillo 2016, arXiv:1602.02068. Many weights are exactly 0.

    Example:
        τ = (0.5 + 1.0 − 1) / 2 = 0.25, and 0.2 lies below it:

        >>> import torch
        >>> scores = torch.tensor([0.5, 1.0, 0.2])
        >>> Sparsemax().weights(scores, Sparsemax().statistic(scores))
        tensor([0.2500, 0.7500, 0.0000])

    """

    name = "sparsemax"
    empty = 0.0

    def statistic(self, scores: Float[Tensor, "*rows keys"]) -> Float[Tensor, "*rows"]:
        # In float64: rounded beside a score of 24, τ would be off by 1e-6, and a row of 4,096 keys by 4e-3.
        scores = scores.double()
        if not scores.shape[-1]:
            return scores.sum(-1)
        top = scores.detach().sort(-1, descending=True).values
        count = torch.arange(1, scores.shape[-1] + 1, device=scores.device)
        threshold = (top.masked_fill(top == -torch.inf, 0.0).cumsum(-1) - 1) / count
        support = _last(threshold, top > threshold)
        # The threshold is (Σ of the supported scores − 1) / their number: written so, its gradient is autograd's.
        chosen = scores > support[..., None]
        total = scores.masked_fill(~chosen, 0.0).sum(-1)
        number = chosen.sum(-1)
        return ((total - 1) / number.clamp(min=1)).masked_fill(number == 0, 0.0)

    def weights(
        self, scores: Float[Tensor, "*rows keys"], statistic: Float[Tensor, "*rows"]
    ) -> Float[Tensor, "*rows keys"]:
        return (scores.to(statistic.dtype) - statistic[..., None]).clamp(min=0.0).to(scores.dtype)


class Entmax15(Normalizer):
    """``weight_ij = max(0, score_ij/2 − τ_i)²``, τ such that the row sums to 1: between softmax and sparsemax.

    Source: Peters, Niculae and Martins 2019, arXiv:1905.05702: α-entmax with α = 1.5, by its exact algorithm.

    Example:
        Two keys of the scores 0 and 1: τ = 1/4 − √(1/2 − 1/16) = −0.4114.

        >>> import torch
        >>> scores = torch.tensor([0.0, 1.0])
        >>> Entmax15().weights(scores, Entmax15().statistic(scores))
        tensor([0.1693, 0.8307])

    """

    name = "entmax15"
    empty = 0.0

    def statistic(self, scores: Float[Tensor, "*rows keys"]) -> Float[Tensor, "*rows"]:
        scores = scores.double()  # as for Sparsemax
        if not scores.shape[-1]:
            return scores.sum(-1)
        halves = scores.detach() / 2
        peak = halves.amax(-1, keepdim=True)
        # About the row's maximum, since squares of large scores would lose the digits that matter.
        peak = peak.masked_fill(peak == -torch.inf, 0.0)
        top = (halves - peak).sort(-1, descending=True).values
        count = torch.arange(1, scores.shape[-1] + 1, device=scores.device)
        finite = top.masked_fill(top == -torch.inf, 0.0)
        threshold = _entmax_threshold(finite.cumsum(-1), finite.square().cumsum(-1), count)
        support = _last(threshold, top >= threshold)
        chosen = (halves - peak) > support[..., None]
        part = (scores / 2 - peak).masked_fill(~chosen, 0.0)
        number = chosen.sum(-1)
        exact = _entmax_threshold(part.sum(-1), part.square().sum(-1), number.clamp(min=1))
        return (exact + peak[..., 0]).masked_fill(number == 0, 0.0)

    def weights(
        self, scores: Float[Tensor, "*rows keys"], statistic: Float[Tensor, "*rows"]
    ) -> Float[Tensor, "*rows keys"]:
        return (scores.to(statistic.dtype) / 2 - statistic[..., None]).clamp(min=0.0).square().to(scores.dtype)


class Sigmoid(Normalizer):
    """``weight_ij = 1 / (1 + exp(−(score_ij − ln n_i)))``, n_i the number of keys that the row may attend to.

    Source: Ramapuram et al. 2024, arXiv:2409.04431, with their bias −ln n, counting only what the mask allows, so
    that padding changes nothing. Rows need not sum to 1.

    Example:
        >>> import torch
        >>> scores = torch.tensor([0.0, 0.0, 2.0])
        >>> Sigmoid().weights(scores, Sigmoid().statistic(scores))
        tensor([0.2500, 0.2500, 0.7112])

    """

    name = "sigmoid"
    empty = -torch.inf
    sums_to_one = False

    def statistic(self, scores: Float[Tensor, "*rows keys"]) -> Float[Tensor, "*rows"]:
        return (scores != -torch.inf).sum(-1).to(scores.dtype).log()

    def weights(
        self, scores: Float[Tensor, "*rows keys"], statistic: Float[Tensor, "*rows"]
    ) -> Float[Tensor, "*rows keys"]:
        return (scores - statistic.masked_fill(statistic == -torch.inf, 0.0)[..., None]).sigmoid()


class ReLU(Normalizer):
    """``weight_ij = max(0, score_ij) / n_i``, n_i the number of keys that the row may attend to.

    Source: Wortsman et al. 2023, arXiv:2309.08586. Rows need not sum to 1.

    Example:
        >>> import torch
        >>> scores = torch.tensor([-1.0, 1.0, 2.0, 5.0])
        >>> ReLU().weights(scores, ReLU().statistic(scores))
        tensor([0.0000, 0.2500, 0.5000, 1.2500])

    """

    name = "relu"
    empty = 0.0
    sums_to_one = False

    def statistic(self, scores: Float[Tensor, "*rows keys"]) -> Float[Tensor, "*rows"]:
        return (scores != -torch.inf).sum(-1).to(scores.dtype)

    def weights(
        self, scores: Float[Tensor, "*rows keys"], statistic: Float[Tensor, "*rows"]
    ) -> Float[Tensor, "*rows keys"]:
        return scores.clamp(min=0.0) / statistic.clamp(min=1.0)[..., None]


class Raw(Normalizer):
    """``weight_ij = score_ij``: no normalising at all, the plain weighted sum with which the texts begin.

    Example:
        The texts' b¹ = 5·a¹ + 2·a² + 1·a³ + 2·a⁴ has the weights

        >>> import torch
        >>> scores = torch.tensor([5.0, 2.0, 1.0, 2.0])
        >>> Raw().weights(scores, Raw().statistic(scores))
        tensor([5., 2., 1., 2.])

    """

    name = "none"
    empty = 0.0
    sums_to_one = False

    def statistic(self, scores: Float[Tensor, "*rows keys"]) -> Float[Tensor, "*rows"]:
        return scores.new_zeros(scores.shape[:-1])

    def weights(
        self, scores: Float[Tensor, "*rows keys"], statistic: Float[Tensor, "*rows"]
    ) -> Float[Tensor, "*rows keys"]:
        del statistic
        return scores.masked_fill(scores == -torch.inf, 0.0)


NORMALIZERS: dict[str, Normalizer] = {kind.name: kind() for kind in (Softmax, Sparsemax, Entmax15, Sigmoid, ReLU, Raw)}
"""By the name that ``attention(normalizer=…)`` takes."""


def as_normalizer(given: str | Normalizer) -> Normalizer:
    """The normalizer of this name, or the one that is given.

    Raises:
        InputError: If there is none of this name.

    """
    if isinstance(given, Normalizer):
        return given
    if given not in NORMALIZERS:
        raise InputError(f"there is no normalizer {given!r}; there are {', '.join(NORMALIZERS)}")
    return NORMALIZERS[given]


def _last(values: Tensor, true: Tensor) -> Tensor:
    """The value at the last place of each row that is true; the first where none is."""
    place = (true.sum(-1, keepdim=True) - 1).clamp(min=0)
    return values.gather(-1, place)[..., 0]


def _entmax_threshold(total: Tensor, squares: Tensor, count: Tensor) -> Tensor:
    """τ with Σ (x − τ)² = 1 over ``count`` numbers of this sum and sum of squares."""
    mean = total / count
    spread = squares - total * mean
    inside = (1 - spread) / count
    # The root has no gradient at 0, where all the weight lies on the boundary of the support.
    return mean - inside.clamp(min=0.0).sqrt()
