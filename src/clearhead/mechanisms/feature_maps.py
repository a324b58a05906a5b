"""Feature maps φ of linear attention: what q and k go through, so that φ(q)·φ(k) stands in for exp(scale · q·k)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from clearhead.errors import InputError, ShapeError
from clearhead.shapes import check_flag, whole_number

__all__ = ["FEATURE_MAPS", "Elu", "FeatureMap", "Identity", "PositiveRandomFeatures", "Relu", "as_feature_map"]


class FeatureMap(ABC):
    """A function φ of the last axis. Instances without settings are equal to each other."""

    name: ClassVar[str]
    normalizes: ClassVar[bool] = True
    """Whether weights are divided by their sum unless the caller says otherwise: where features cannot be negative."""
    in_logs: ClassVar[bool] = False
    """Whether :meth:`features` gives ln φ, of which a maximum is subtracted before it is raised to a power of e."""

    @abstractmethod
    def features(self, x: Float[Tensor, "*rows head_dim"]) -> Float[Tensor, "*rows features"]:
        """φ(x), or ln φ(x) where :attr:`in_logs`."""

    def __call__(self, x: Float[Tensor, "*rows head_dim"]) -> Float[Tensor, "*rows features"]:
        """φ(x)."""
        found = self.features(x)
        return found.exp() if self.in_logs else found

    def width(self, head_dim: int) -> int:
        """How many features a q or k of this width has."""
        return head_dim

    def usual_scale(self, head_dim: int) -> float:
        """The scale where none is given."""
        del head_dim
        return 1.0

    def factors(self, scale: float) -> tuple[float, float]:
        """What q and k are multiplied by before φ, so that together it is ``scale``."""
        return scale, 1.0

    def as_now(self) -> FeatureMap:
        """The map as it is now, which no later redraw changes: a backward pass computes features again."""
        return self

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Elu(FeatureMap):
    """``φ(x) = elu(x) + 1``: x + 1 above 0, exp(x) below (Katharopoulos et al. 2020, arXiv:2006.16236).

    >>> import torch
    >>> Elu()(torch.tensor([-1.0, 0.0, 2.0]))
    tensor([0.3679, 1.0000, 3.0000])
    """

    name = "elu"

    def features(self, x: Float[Tensor, "*rows head_dim"]) -> Float[Tensor, "*rows features"]:
        # Not elu(x) + 1, which would round exp(x) beside 1 to nothing for x below −17.
        return x.clamp(max=0.0).exp() + x.relu()  # relu has the gradient 0 at 0, where that of exp(clamp) is 1


class Relu(FeatureMap):
    """``φ(x) = max(x, 0)``. A query all of whose features are 0 attends to nothing: output 0.

    >>> import torch
    >>> Relu()(torch.tensor([-1.0, 0.0, 2.0]))
    tensor([0., 0., 2.])
    """

    name = "relu"

    def features(self, x: Float[Tensor, "*rows head_dim"]) -> Float[Tensor, "*rows features"]:
        return x.relu()


class Identity(FeatureMap):
    """``φ(x) = x``: the plain ``scale · q·k``, which may be negative, and is not normalized by default.

    >>> import torch
    >>> Identity()(torch.tensor([-1.0, 0.0, 2.0]))
    tensor([-1.,  0.,  2.])
    """

    name = "none"
    normalizes = False

    def features(self, x: Float[Tensor, "*rows head_dim"]) -> Float[Tensor, "*rows features"]:
        return x

    def usual_scale(self, head_dim: int) -> float:
        """``1/√head_dim``, as in :func:`clearhead.attention` with ``normalizer="none"``."""
        return 1.0 / math.sqrt(head_dim)


class PositiveRandomFeatures(FeatureMap):
    """``φ(x) = exp(ω·x − |x|²/2) / √features``, ω random: the mean of φ(q)·φ(k) over draws is exp(q·k).

    The features of Performer (Choromanski et al. 2020, arXiv:2009.14794). With each of q and k multiplied by √scale the
    mean is exp(scale · q·k), the softmax kernel, and the error falls as 1/√features. Rows of the projection are
    orthogonal in blocks of head_dim, with the lengths of Gaussian vectors, which lowers the error.

    They stand in for the softmax only where q and k, each multiplied by √scale, are short: of lengths up to about 1.
    Above, the mean is still right and a single draw far from it. With q and k of ``torch.randn``, head_dim 16 and 256
    tokens, lengths of about 2, the error is from 1.5 times the output (64 features) to 0.9 times (4,096); with half of
    q and k, lengths of about 1, it is 0.33 to 0.05. Lesson 10, ``docs/lessons/10-what-approximations-give-up.md``, has
    the errors in a trained model.

    Args:
        head_dim: Width of q and k.
        features: How many random features; about head_dim · ln(head_dim) is usual.
        seed: Draws the projection; the same seed gives the same features. A whole number of at least 0.
        generator: Draws it instead of the seed.
        orthogonal: Whether rows are orthogonal in blocks, or all independent.

    Attributes:
        projection: ω, ``(features, head_dim)``, float32.

    Raises:
        InputError: A width that is no whole number of at least 1, a seed that is none of at least 0, or an orthogonal
            that is neither True nor False.

    Example:
        >>> import torch
        >>> phi = PositiveRandomFeatures(2, 4096)
        >>> q, k = torch.tensor([0.3, 0.1]), torch.tensor([0.5, -0.2])
        >>> bool((phi(q) @ phi(k) - (q @ k).exp()).abs() < 0.05)
        True

    """

    name = "positive random features"
    in_logs = True

    def __init__(
        self,
        head_dim: int,
        features: int,
        *,
        seed: int = 0,
        generator: torch.Generator | None = None,
        orthogonal: bool = True,
    ) -> None:
        self.head_dim, self.count = whole_number("head_dim", head_dim), whole_number("features", features)
        check_flag("orthogonal", orthogonal)
        self.orthogonal = orthogonal
        self.projection: Tensor = torch.empty(0)
        if generator is None:
            generator = torch.Generator().manual_seed(whole_number("the seed", seed, 0))
        self.redraw(generator)

    def redraw(self, generator: torch.Generator | None = None) -> None:
        """Draw another projection, as training does now and then; by PyTorch's own generator if none is given."""
        where = self.projection.device
        on = torch.device("cpu") if generator is None else generator.device
        if not self.orthogonal:
            self.projection = torch.randn(self.count, self.head_dim, generator=generator, device=on).to(where)
            return
        blocks = -(-self.count // self.head_dim)
        drawn = torch.randn(2, blocks, self.head_dim, self.head_dim, generator=generator, device=on)
        directions, triangle = torch.linalg.qr(drawn[0])
        # With the signs of R's diagonal, Q is uniform among the orthogonal matrices (Mezzadri 2006).
        directions = directions * triangle.diagonal(dim1=-2, dim2=-1).sign()[:, None, :]
        lengths = drawn[1].norm(dim=-1, keepdim=True)  # of independent Gaussian vectors: chi distributed
        self.projection = (lengths * directions.mT).flatten(0, 1)[: self.count].to(where)

    def features(self, x: Float[Tensor, "*rows head_dim"]) -> Float[Tensor, "*rows features"]:
        if x.shape[-1] != self.head_dim:
            raise ShapeError(f"these random features are for a head_dim of {self.head_dim}; q and k have {x.shape[-1]}")
        along = x @ self.projection.to(device=x.device, dtype=x.dtype).mT
        return along - (x.square().sum(-1, keepdim=True) / 2 + math.log(self.count) / 2)

    def width(self, head_dim: int) -> int:
        if head_dim != self.head_dim:
            raise ShapeError(f"these random features are for a head_dim of {self.head_dim}; q and k have {head_dim}")
        return self.count

    def usual_scale(self, head_dim: int) -> float:
        """``1/√head_dim``, as in softmax attention."""
        return 1.0 / math.sqrt(head_dim)

    def factors(self, scale: float) -> tuple[float, float]:
        """√scale each; a scale below 0 turns q round."""
        root = math.sqrt(abs(scale))
        return math.copysign(root, scale), root

    def to(self, device: torch.device | str) -> PositiveRandomFeatures:
        """The same features with their projection on another device."""
        return self.with_projection(self.projection.to(device))

    def as_now(self) -> PositiveRandomFeatures:
        """With the projection of now; :meth:`redraw` makes a new one and leaves the old one as it is."""
        return self.with_projection(self.projection)

    def with_projection(self, projection: Float[Tensor, "features head_dim"]) -> PositiveRandomFeatures:
        """The same kind of features with this projection."""
        other = object.__new__(PositiveRandomFeatures)
        other.count, other.head_dim = projection.shape
        other.orthogonal, other.projection = self.orthogonal, projection
        return other

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PositiveRandomFeatures):
            return False
        one, two = self.projection, other.projection
        return one.shape == two.shape and one.device == two.device and torch.equal(one, two)

    def __hash__(self) -> int:
        return hash((self.head_dim, self.count))

    def __repr__(self) -> str:
        return f"PositiveRandomFeatures({self.head_dim}, {self.count}{'' if self.orthogonal else ', orthogonal=False'})"


FEATURE_MAPS: dict[str, FeatureMap] = {kind.name: kind() for kind in (Elu, Relu, Identity)}
"""By the name that ``linear_attention(feature_map=…)`` takes."""


def as_feature_map(given: str | FeatureMap) -> FeatureMap:
    """The feature map of this name, or the one that is given.

    Raises:
        InputError: If there is none of this name.

    """
    if isinstance(given, FeatureMap):
        return given
    if given not in list(FEATURE_MAPS):  # a list, since what cannot be hashed is told the names too
        names = ", ".join(FEATURE_MAPS)
        raise InputError(f"there is no feature map {given!r}; there are {names}, and PositiveRandomFeatures(…)")
    return FEATURE_MAPS[given]
