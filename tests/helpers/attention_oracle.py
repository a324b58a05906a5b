"""Attention written out in float64 under every mask, bias and normalizer, and compared with every path.

Independent of the package on purpose: masks are functions of plain numbers, what has no formula is found by bisection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

import clearhead as ch
from clearhead.masks import Causal, Documents, Explicit, Mask, Padding, Prefix, Window
from clearhead.mechanisms.attention import compute
from clearhead.mechanisms.plan import Path, Plan
from clearhead.mechanisms.request import prepare
from clearhead.positions import ALiBi, RelativeBias


@dataclass(frozen=True)
class Sizes:
    """Distinct primes, save for heads, which is a product of primes."""

    batch: int = 2
    heads: int = 6
    kv_heads: int = 3
    queries: int = 13
    keys: int = 17
    head_dim: int = 5
    value_dim: int = 7


# Masks: the rule, and what it means for one text, query position and key.

Allows = Callable[[int, int, int, int], bool]


def _checkerboard(s: Sizes) -> Tensor:
    shift = s.keys - s.queries
    return torch.tensor([[(i + shift + j) % 3 == 0 for j in range(s.keys)] for i in range(s.queries)])


MASKS: dict[str, Callable[[Sizes], tuple[Mask | Tensor | None, Allows]]] = {
    "none": lambda s: (None, lambda b, h, i, j: True),
    "causal": lambda s: (Causal(), lambda b, h, i, j: j <= i),
    "causal window": lambda s: (Causal() & Window(3, 0), lambda b, h, i, j: i - 3 <= j <= i),
    "window": lambda s: (Window(2, 5), lambda b, h, i, j: i - 2 <= j <= i + 5),
    "padding": lambda s: (
        Padding(torch.tensor([s.keys - 3, 0, s.keys][: s.batch])),
        lambda b, h, i, j: j < [s.keys - 3, 0, s.keys][b],
    ),
    "causal padding": lambda s: (
        Causal() & Padding(torch.tensor([s.keys - 3, 2, s.keys][: s.batch])),
        lambda b, h, i, j: j <= i and j < [s.keys - 3, 2, s.keys][b],
    ),
    "documents": lambda s: (
        Causal() & Documents(torch.arange(s.keys) // 5),
        lambda b, h, i, j: j <= i and i // 5 == j // 5,
    ),
    "prefix": lambda s: (Prefix(9), lambda b, h, i, j: j <= i or j < 9),
    "either": lambda s: (
        Window(1, 1) | Explicit(_checkerboard(s)),
        lambda b, h, i, j: i - 1 <= j <= i + 1 or (i + j) % 3 == 0,
    ),
    "not": lambda s: (~Window(1, 1), lambda b, h, i, j: not i - 1 <= j <= i + 1),
    "tensor": lambda s: (_checkerboard(s), lambda b, h, i, j: (i + j) % 3 == 0),
    "tensor by head": lambda s: (
        torch.stack([_checkerboard(s).roll(h, 0) for h in range(s.heads)]),
        lambda b, h, i, j: ((i - (s.keys - s.queries) - h) % s.queries + s.keys - s.queries + j) % 3 == 0,
    ),
    "nothing": lambda s: (torch.zeros(s.queries, s.keys, dtype=torch.bool), lambda b, h, i, j: False),
}


def allowed(allows: Allows, s: Sizes) -> Tensor:
    """Every pair asked one by one."""
    shift = s.keys - s.queries
    answers = [
        allows(b, h, i + shift, j)
        for b in range(s.batch)
        for h in range(s.heads)
        for i in range(s.queries)
        for j in range(s.keys)
    ]
    return torch.tensor(answers).view(s.batch, s.heads, s.queries, s.keys)


# Biases: what is given, and the numbers that it stands for.


def _distance(s: Sizes) -> Tensor:
    return torch.arange(s.queries)[:, None] + s.keys - s.queries - torch.arange(s.keys)


def _alibi(s: Sizes, symmetric: bool) -> tuple[Any, Tensor]:
    bias = ALiBi(s.heads, symmetric=symmetric)
    distance = _distance(s).double()
    return bias, -bias.slopes.double()[:, None, None] * (distance.abs() if symmetric else distance)


def _relative(s: Sizes) -> tuple[Any, Tensor]:
    bias = RelativeBias(s.heads, buckets=8, furthest=11)
    bias.requires_grad_(False)
    query = torch.arange(s.keys - s.queries, s.keys)
    return bias, bias.tile(query, torch.arange(s.keys)).double()


def _tensor(s: Sizes, *shape: int) -> tuple[Any, Tensor]:
    bias = torch.randn(shape)
    return bias, bias.double()


BIASES: dict[str, Callable[[Sizes], tuple[Any, Tensor | None]]] = {
    "no bias": lambda s: (None, None),
    "bias": lambda s: _tensor(s, s.batch, s.heads, s.queries, s.keys),
    "bias by key": lambda s: _tensor(s, s.batch, 1, 1, s.keys),
    "bias of a matrix": lambda s: _tensor(s, s.queries, s.keys),
    "ALiBi": lambda s: _alibi(s, symmetric=False),
    "symmetric ALiBi": lambda s: _alibi(s, symmetric=True),
    "relative": _relative,
}


# Normalizers, by bisection where there is no formula. Scores that are not allowed are −inf, and rows are not empty.


def _bisect(scores: Tensor, weights: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """The weights under the threshold with which each row sums to 1; no gradient comes of it."""
    scores = scores.detach()
    high = scores.amax(-1, keepdim=True)
    low = scores.masked_fill(scores == -torch.inf, torch.inf).amin(-1, keepdim=True) - 2
    while True:
        middle = (low + high) / 2
        if ((middle <= low) | (middle >= high)).all():  # no number lies between them
            return weights(scores, middle)
        above = weights(scores, middle).sum(-1, keepdim=True) > 1
        low, high = torch.where(above, middle, low), torch.where(above, high, middle)


def _count(scores: Tensor) -> Tensor:
    return (scores > -torch.inf).sum(-1, keepdim=True, dtype=scores.dtype)


def _softmax(scores: Tensor) -> Tensor:
    shares = torch.exp(scores - scores.amax(-1, keepdim=True))
    return shares / shares.sum(-1, keepdim=True)


NORMALIZERS: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": _softmax,
    "sparsemax": lambda s: _bisect(s, lambda x, t: (x - t).clamp(min=0)),
    "entmax15": lambda s: _bisect(s, lambda x, t: (x / 2 - t / 2).clamp(min=0) ** 2),
    "sigmoid": lambda s: 1 / (1 + torch.exp(-(s - torch.log(_count(s))))),
    "relu": lambda s: s.clamp(min=0) / _count(s),
    "none": lambda s: s,
}


def normalized(scores: Tensor, allowed: Tensor, name: str) -> Tensor:
    """Each row over the keys that are allowed; 0 elsewhere."""
    some = allowed.any(-1)
    among = allowed[some]
    weights = NORMALIZERS[name](torch.where(among, scores[some], -torch.inf))
    return torch.zeros_like(scores).masked_scatter(allowed, weights[among])


@dataclass
class Call:
    """One attention call, as a caller writes it, and what should come out of it in float64."""

    tensors: tuple[Tensor, Tensor, Tensor]
    settings: dict[str, Any]
    allowed: Tensor
    bias: Tensor | None
    weights: Tensor = field(init=False)
    output: Tensor = field(init=False)
    exact: tuple[Tensor, Tensor, Tensor] = field(init=False)
    """The same q, k and v in float64, with gradients."""

    def __post_init__(self) -> None:
        q, k, v = self.exact = tuple(x.detach().double().requires_grad_() for x in self.tensors)  # type: ignore[assignment]
        groups = q.shape[1] // k.shape[1]
        heads = [h // groups for h in range(q.shape[1])]
        scores = torch.einsum("bhid,bhjd->bhij", q, k[:, heads])
        scores = scores * (self.settings.get("scale") or q.shape[-1] ** -0.5)
        softcap, sinks = self.settings.get("softcap"), self.settings.get("sinks")
        if softcap is not None:
            scores = softcap * torch.tanh(scores / softcap)
        if self.bias is not None:
            scores = scores + self.bias
        if self.settings.get("normalizer", "softmax") == "softmax":
            # In one piece, so that gradients are fast: −1e4 vanishes in float64 beside any real score.
            shares = torch.exp((scores - scores.detach().amax()) / 1).masked_fill(~self.allowed, 0.0)
            total = shares.sum(-1, keepdim=True)
            if sinks is not None:
                total = total + torch.exp(sinks.double()[:, None, None] - scores.detach().amax())
            some = self.allowed.any(-1, keepdim=True)
            self.weights = torch.where(some, shares / torch.where(some, total, 1.0), 0.0)
        else:
            self.weights = normalized(scores, self.allowed, self.settings["normalizer"])
        self.output = self.weights @ v[:, heads]


def make(
    mask: str = "none",
    bias: str = "no bias",
    *,
    sizes: Sizes | None = None,
    dtype: torch.dtype = torch.float64,
    gradients: bool = True,
    **settings: Any,
) -> Call:
    """A call with random q, k and v."""
    s = Sizes() if sizes is None else sizes
    given_mask, allows = MASKS[mask](s)
    given_bias, numbers = BIASES[bias](s)
    if isinstance(given_bias, Tensor):
        given_bias = given_bias.to(torch.float64 if dtype == torch.float64 else torch.float32)
    q = torch.randn(s.batch, s.heads, s.queries, s.head_dim).to(dtype).requires_grad_(gradients)
    k = torch.randn(s.batch, s.kv_heads, s.keys, s.head_dim).to(dtype).requires_grad_(gradients)
    v = torch.randn(s.batch, s.kv_heads, s.keys, s.value_dim).to(dtype).requires_grad_(gradients)
    return Call((q, k, v), {"mask": given_mask, "bias": given_bias, **settings}, allowed(allows, s), numbers)


# Paths.

PATHS: tuple[Path, ...] = ("sdpa", "fused", "streamed", "dense")

_DEFAULTS: dict[str, Any] = {
    "mask": None,
    "bias": None,
    "scale": None,
    "normalizer": "softmax",
    "dropout": 0.0,
    "softcap": None,
    "sinks": None,
}


def by_path(call: Call, path: Path) -> Tensor:
    """The output by this path, whether or not it would be chosen."""
    request = prepare(*call.tensors, **{**_DEFAULTS, **call.settings})
    return request.restore(compute(request, Plan(path, ("asked for",)), request.rule())[0])


TOLERANCE = {torch.float64: 1e-11, torch.float32: 2e-5, torch.bfloat16: 4e-2, torch.float16: 6e-3}


def assert_close(found: Tensor, wanted: Tensor, dtype: torch.dtype, what: str) -> None:
    """Within the tolerance of ``dtype``, relative to numbers above 1; NaN is never close."""
    assert found.shape == wanted.shape, f"{what}: {tuple(found.shape)} instead of {tuple(wanted.shape)}"
    deviation = (found.detach().double() - wanted.detach()).abs() / wanted.detach().abs().clamp(min=1.0)
    worst = float(deviation.max()) if deviation.numel() else 0.0
    assert worst <= TOLERANCE[dtype], f"{what}: off by {worst}"


def assert_right(call: Call, output: Tensor, what: str = "output", *, gradients: bool = True) -> None:
    """The output, and the gradients with respect to q, k and v, are those of the float64 reference."""
    dtype = call.tensors[0].dtype
    assert output.dtype == dtype
    assert_close(output, call.output, dtype, what)
    if gradients:
        wish = torch.randn_like(call.output)
        wanted = torch.autograd.grad(call.output, call.exact, wish, retain_graph=True, allow_unused=True)
        found = torch.autograd.grad(output, call.tensors, wish.to(dtype), retain_graph=True, allow_unused=True)
        for name, a, b, x in zip("qkv", found, wanted, call.exact, strict=True):
            b = torch.zeros_like(x) if b is None else b
            a = torch.zeros_like(b) if a is None else a
            assert_close(a, b, dtype, f"{what}: gradient of {name}")


def attend(call: Call) -> tuple[Tensor, ch.AttentionMap]:
    """The output and the map."""
    return ch.attend(*call.tensors, **call.settings)
