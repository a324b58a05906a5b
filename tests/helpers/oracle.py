"""Attention written out in float64, and every statistic of a map from the whole of its weights.

Independent of the package on purpose: nothing here calls clearhead to find out what is right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from attention_oracle import normalized
from torch import Tensor

from clearhead import AttentionMap
from clearhead.maps.factored import FactoredMap
from clearhead.maps.stored import StoredMap
from clearhead.maps.words import WordMap
from clearhead.masks import BoundMask, BoundRule, Causal, Global, Predicate, Spans, Window
from clearhead.mechanisms import ScoreRule
from clearhead.positions import ALiBi, RelativeBias

TOLERANCE = {torch.float64: 1e-11, torch.float32: 2e-5, torch.bfloat16: 2e-5, torch.float16: 2e-5}
"""Of a weight, by the dtype of q and k. A map is exact for the q and k it holds, so bf16 is as exact as fp32."""


class Sizes(NamedTuple):
    """Distinct primes, save for heads, which is a product of primes."""

    batch: int = 2
    heads: int = 6
    kv_heads: int = 3
    queries: int = 29
    keys: int = 31
    head_dim: int = 5


# Attention.


def reference(
    q: Tensor,
    k: Tensor,
    *,
    scale: float | None = None,
    allowed: Tensor | None = None,
    bias: Tensor | None = None,
    softcap: float | None = None,
    sinks: Tensor | None = None,
    modify: Callable[..., Tensor] | None = None,
    normalizer: str = "softmax",
    written: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """(weights, LSE) in float64 by the definition of softmax, rows that may attend to nothing being 0 and −inf."""
    groups = q.shape[1] // k.shape[1]
    shared = torch.stack([k[:, h // groups] for h in range(q.shape[1])], 1).double()
    scores = (q.double()[..., :, None, :] * shared[..., None, :, :]).sum(-1)
    scores = scores * (q.shape[-1] ** -0.5 if scale is None else scale)
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    if modify is not None:
        at = torch.meshgrid(*(torch.arange(n) for n in scores.shape), indexing="ij")
        scores = modify(scores, *at)
    bias = bias if written is None else written
    if bias is not None:
        scores = scores + bias.double()
    if normalizer != "softmax":
        assert allowed is not None
        every = allowed.expand_as(scores)
        return normalized(scores, every, normalizer), torch.where(every.any(-1), 0.0, -torch.inf)
    if allowed is not None:
        scores = torch.where(allowed, scores, -torch.inf)
    top = scores.amax(-1, keepdim=True)
    empty = top == -torch.inf
    top = torch.where(empty, 0.0, top)
    parts = torch.exp(scores - top)
    total = parts.sum(-1, keepdim=True)
    if sinks is not None:
        total = total + torch.exp(sinks.double()[:, None, None] - top)
    weights = torch.where(empty, 0.0, parts / torch.where(empty, 1.0, total))
    lse = torch.where(empty, -torch.inf, top + torch.log(torch.where(empty, 1.0, total)))[..., 0]
    return weights, lse


# Masks and rules, as a caller writes them and as the booleans that they mean.


@dataclass
class Setting:
    """One rule: the arguments that a caller gives, and the pairs that it allows."""

    options: dict[str, Any] = field(default_factory=dict)
    allowed: Tensor | None = None
    mask: BoundMask | None = None
    """For masks that cannot be given as a tensor."""


def positions(s: Sizes) -> tuple[Tensor, Tensor]:
    """(queries, 1) and (1, keys) positions; the last query stands at the last key."""
    return torch.arange(s.queries)[:, None] + s.keys - s.queries, torch.arange(s.keys)[None]


def _causal(s: Sizes) -> Tensor:
    i, j = positions(s)
    return j <= i


def _present(s: Sizes, *, left: bool) -> Tensor:
    """(batch, 1, 1, keys): the texts have different lengths, and one of them, where there are three, none at all."""
    lengths = torch.tensor([max(1, s.keys * (3 - n) // 3) if n < 2 else 0 for n in range(s.batch)])
    j = torch.arange(s.keys)
    real = j >= s.keys - lengths[:, None] if left else j < lengths[:, None]
    return real[:, None, None]


def _additive(allowed: Tensor) -> Tensor:
    return torch.zeros(allowed.shape).masked_fill(~allowed, torch.finfo(torch.float32).min)


def _window(s: Sizes) -> Tensor:
    i, j = positions(s)
    return (j <= i) & (j > i - 7)


def _around(s: Sizes) -> Tensor:
    i, j = positions(s)
    return (j - i).abs() <= 5


def _prefix(s: Sizes) -> Tensor:
    i, j = positions(s)
    return (j <= i) | (j < 7)


def _documents(s: Sizes) -> Tensor:
    i, j = positions(s)
    return (i.clamp(min=0) // 11 == j // 11) & (j <= i)


def _checkerboard(s: Sizes) -> Tensor:
    i, j = positions(s)
    return (i + j) % 2 == 0


def _random(s: Sizes, heads: int = 1) -> Tensor:
    allowed = torch.rand(s.batch, heads, s.queries, s.keys) < 0.4
    allowed[:, :, ::7] = False  # rows that may attend to nothing
    return allowed


def _slopes(s: Sizes) -> Tensor:
    i, j = positions(s)
    return -(i - j).abs() * (0.5 ** torch.arange(1, s.heads + 1))[:, None, None]


def _minus_infinity(s: Sizes) -> Setting:
    bias = torch.randn(s.heads, s.queries, s.keys)
    bias[:, 3 % s.queries] = -torch.inf
    bias[..., 1 % s.keys] = -torch.inf
    return Setting({"bias": bias}, bias > -torch.inf)


def _per_key(s: Sizes) -> Setting:
    bias = torch.randn(s.batch, 1, 1, s.keys)
    return Setting({"bias": bias.masked_fill(~_present(s, left=False), -torch.inf)}, _present(s, left=False))


def _predicate(s: Sizes) -> Setting:
    i, j = torch.arange(s.queries)[:, None], torch.arange(s.keys)
    head = torch.arange(s.heads)[:, None, None]
    rule = Predicate(lambda b, h, i, j: ((i * 3 + j) % (h + 2) == 0) & (b + i > 0), s.batch, s.heads)
    mask = BoundRule(rule, s.queries, s.keys, torch.device("cpu"), first=0)
    text = torch.arange(s.batch)[:, None, None, None]
    return Setting(mask=mask, allowed=((i * 3 + j) % (head + 2) == 0) & (text + i > 0))


def _both(s: Sizes) -> Setting:
    some = _predicate(s)
    assert some.mask is not None
    assert some.allowed is not None
    return Setting(
        mask=Spans.causal(s.queries, s.keys, device=torch.device("cpu")) & some.mask, allowed=_causal(s) & some.allowed
    )


def _rules(s: Sizes) -> Setting:
    i, j = positions(s)
    allowed = ((j <= i) & (j >= i - 6)) | (j == 2) | (i == 2)
    return Setting({"mask": Causal() & Window(6, 0) | Global([2])}, allowed)


def _relative(s: Sizes) -> Setting:
    bias = RelativeBias(s.heads, buckets=8, furthest=11)
    i, j = positions(s)
    with torch.no_grad():
        return Setting({"bias": bias, "mask": Causal(), "written": bias.tile(i[:, 0], j[0])}, _causal(s))


def _alibi(s: Sizes) -> Setting:
    i, j = positions(s)
    bias = ALiBi(s.heads)
    return Setting({"bias": bias, "mask": Causal(), "written": -bias.slopes[:, None, None] * (i - j)}, _causal(s))


def _normalized(name: str) -> Callable[[Sizes], Setting]:
    return lambda s: Setting({"normalizer": name, "mask": _window(s)}, _window(s))


def _modify(score: Tensor, batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
    return score * (1 + 0.25 * batch) + 0.125 * head - 0.0625 * (query - key).abs()


SETTINGS: dict[str, Callable[[Sizes], Setting]] = {
    "everything": lambda s: Setting(),
    "causal": lambda s: Setting({"causal": True}, _causal(s)),
    "causal tensor": lambda s: Setting({"mask": _causal(s)}, _causal(s)),
    "right padding": lambda s: Setting({"mask": _present(s, left=False)}, _present(s, left=False)),
    "causal, left padding": lambda s: Setting(
        {"mask": _present(s, left=True), "causal": True}, _causal(s) & _present(s, left=True)
    ),
    "additive causal, right padding": lambda s: Setting(
        {"bias": _additive(_causal(s) & _present(s, left=False))}, _causal(s) & _present(s, left=False)
    ),
    "window": lambda s: Setting({"mask": _window(s)}, _window(s)),
    "window around": lambda s: Setting({"mask": _around(s)}, _around(s)),
    "prefix": lambda s: Setting({"mask": _prefix(s)}, _prefix(s)),
    "documents": lambda s: Setting({"mask": _documents(s)}, _documents(s)),
    "checkerboard": lambda s: Setting({"mask": _checkerboard(s)}, _checkerboard(s)),
    "random": lambda s: (lambda x: Setting({"mask": x}, x))(_random(s)),
    "random by head": lambda s: (lambda x: Setting({"mask": x}, x))(_random(s, s.heads)),
    "nothing": lambda s: Setting({"mask": torch.zeros(1, s.keys, dtype=torch.bool)}, torch.zeros(1, 1).bool()),
    "predicate": _predicate,
    "causal and predicate": _both,
    "bias": lambda s: Setting({"bias": torch.randn(s.batch, s.heads, s.queries, s.keys)}),
    "bias by key": _per_key,
    "bias of −inf": _minus_infinity,
    "ALiBi, causal": lambda s: Setting({"bias": _slopes(s), "causal": True}, _causal(s)),
    "softcap": lambda s: Setting({"softcap": 1.5, "mask": _window(s)}, _window(s)),
    "sinks": lambda s: Setting({"sinks": torch.randn(s.heads), "causal": True}, _causal(s)),
    "sinks and random": lambda s: (lambda x: Setting({"sinks": torch.randn(s.heads), "mask": x}, x))(_random(s)),
    "modify": lambda s: Setting({"modify": _modify, "causal": True}, _causal(s)),
    "modify, softcap, bias, sinks": lambda s: Setting(
        {
            "modify": _modify,
            "softcap": 2.0,
            "sinks": torch.randn(s.heads),
            "bias": torch.randn(s.heads, 1, s.keys),
            "mask": _around(s),
        },
        _around(s),
    ),
}
SETTINGS |= {
    "rules": _rules,
    "relative": _relative,
    "ALiBi by position": _alibi,
    **{name: _normalized(name) for name in ("sparsemax", "entmax15", "sigmoid", "relu")},
}
"""Every kind of rule that a map can have."""


@dataclass
class Case:
    """A map, and the weights that it should show."""

    amap: AttentionMap
    weights: Tensor
    lse: Tensor
    q: Tensor
    k: Tensor
    values: Tensor
    output: Tensor
    setting: Setting


def make(kind: str, sizes: Sizes | None = None, dtype: torch.dtype = torch.float32, **extra: Any) -> Case:
    """One attention call of the ``kind``, with random q, k and values."""
    s = Sizes() if sizes is None else sizes
    q = (torch.randn(s.batch, s.heads, s.queries, s.head_dim) * 2).to(dtype)
    k, v = (torch.randn(s.batch, s.kv_heads, s.keys, s.head_dim).to(dtype) for _ in range(2))
    setting = SETTINGS[kind](s)
    weights, lse = reference(
        q, k, allowed=setting.allowed, **{n: x for n, x in setting.options.items() if n not in ("mask", "causal")}
    )
    output = weights @ v.double().repeat_interleave(s.heads // s.kv_heads, 1)
    if setting.mask is None:
        given = {name: x for name, x in setting.options.items() if name != "written"}
        amap = AttentionMap.from_qk(q, k, **given, **extra)
    else:
        amap = FactoredMap(q, k, ScoreRule(s.head_dim**-0.5, setting.mask), **extra)
    return Case(amap, weights, lse, q, k, v, output, setting)


# Statistics.


def entropy(weights: Tensor) -> Tensor:
    """``−Σ_j P_ij ln P_ij``."""
    return -torch.where(weights > 0, weights * weights.clamp(min=1e-300).log(), 0.0).sum(-1)


def distance(weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(mean, signed mean, spread), 0 in empty rows."""
    queries, keys = weights.shape[-2:]
    i, j = torch.arange(queries)[:, None] + keys - queries, torch.arange(keys)
    total = weights.sum(-1)
    shares = weights / torch.where(total > 0, total, 1.0)[..., None]
    mean, signed = (shares * (i - j).abs()).sum(-1), (shares * (i - j)).sum(-1)
    middle = (shares * j).sum(-1, keepdim=True)
    return mean, signed, (shares * (j - middle) ** 2).sum(-1).sqrt()


def pooled(weights: Tensor, size: int, reduce: str) -> Tensor:
    """The rows of each block first, then its columns."""
    for axis in (-2, -1):
        parts = weights.split(size, axis)
        weights = torch.stack([part.mean(axis) if reduce == "mean" else part.amax(axis) for part in parts], axis)
    return weights


def by_word(weights: Tensor, query_words: Sequence[Sequence[int]], key_words: Sequence[Sequence[int]]) -> Tensor:
    """Sum of the weights to the tokens of a word, mean over the tokens of a word that looks."""
    sides = [max(max(words) for words in side) + 1 for side in (query_words, key_words)]
    result = torch.zeros(*weights.shape[:2], *sides, dtype=weights.dtype)
    for text, (rows, columns) in enumerate(zip(query_words, key_words, strict=True)):
        for row in range(sides[0]):
            members = [n for n, word in enumerate(rows) if word == row]
            for n in members:
                for column, word in enumerate(columns):
                    if word >= 0:
                        result[text, :, row, word] += weights[text, :, n, column] / len(members)
    return result


# Every kind of map, each with its dense form.


def as_factored(case: Case) -> tuple[AttentionMap, Tensor]:
    return case.amap, case.weights


def as_some_heads(case: Case) -> tuple[AttentionMap, Tensor]:
    """Heads in another order, one of them twice."""
    heads = [case.weights.shape[1] - 1, 0, case.weights.shape[1] - 1]
    return case.amap.select_heads(heads), case.weights[:, heads]


def as_stored(case: Case) -> tuple[AttentionMap, Tensor]:
    held = case.weights.to(case.amap.dtype)
    return StoredMap(held), held.double()


def words_for(case: Case) -> tuple[list[list[int]], list[list[int]]]:
    """Words of one to four tokens, some tokens without a word, other words in each text of the batch."""
    batch, _, queries, keys = case.weights.shape
    sides = []
    for count in (queries, keys):
        texts = []
        for text in range(batch):
            words = [n // (2 + text) for n in range(count)]
            words[0] = -1 if count > 1 else 0
            words[-1] = words[count // 2]  # a word in two pieces
            texts.append(words)
        sides.append(texts)
    return sides[0], sides[1]


def as_words(case: Case) -> tuple[AttentionMap, Tensor]:
    query_words, key_words = words_for(case)
    amap = WordMap(case.amap, torch.tensor(query_words), torch.tensor(key_words))
    return amap, by_word(case.weights, query_words, key_words)


MAPS: dict[str, Callable[[Case], tuple[AttentionMap, Tensor]]] = {
    "factored": as_factored,
    "some heads": as_some_heads,
    "stored": as_stored,
    "words": as_words,
}


# One assertion for each thing that can be asked of a map.


def close(found: Tensor, wanted: Tensor, atol: float) -> None:
    """Equal within ``atol``, of the same shape; NaN is never equal."""
    assert found.shape == wanted.shape, (found.shape, wanted.shape)
    worst = float((found.detach().double() - wanted.detach()).abs().max()) if wanted.numel() else 0.0
    assert worst <= atol, f"differs by {worst:.3g}, more than {atol:.3g}"


def check_entries(amap: AttentionMap, weights: Tensor, atol: float) -> None:
    close(amap.dense(), weights, atol)
    close(amap[0, -1], weights[0, -1], atol)
    close(amap[..., ::2, 0], weights[..., ::2, 0], atol)
    rows, columns = (torch.arange(0, n, 3) for n in weights.shape[2:])
    count = min(len(rows), len(columns))
    close(amap[:, 0, rows[:count], columns[:count]], weights[:, 0, rows[:count], columns[:count]], atol)
    close(amap[0, 0, rows[:, None], columns], weights[0, 0, rows[:, None], columns], atol)


def check_entropy(amap: AttentionMap, weights: Tensor, atol: float) -> None:
    found = amap.entropy()
    # Entropy is a sum over up to ln(keys)-sized terms, of scores several times larger.
    close(found, entropy(weights), 10 * atol)
    assert (found[weights.sum(-1) == 0] == 0).all(), "the entropy of an empty row is not 0"


def check_distance(amap: AttentionMap, weights: Tensor, atol: float) -> None:
    keys = max(weights.shape[2:])
    mean, signed, spread = distance(weights)
    found = amap.distance()
    close(found.mean, mean, keys * atol)
    close(found.signed, signed, keys * atol)
    close(found.spread.double() ** 2, spread**2, keys**2 * atol)  # the variance: a root magnifies what is near 0


def groups_for(weights: Tensor) -> Tensor:
    """(batch, keys) group numbers, another assignment for each text, −1 among them."""
    batch, _, _, keys = weights.shape
    return (torch.arange(keys) + torch.arange(batch)[:, None]) % 4 - 1


def check_mass(amap: AttentionMap, weights: Tensor, atol: float) -> None:
    keys = weights.shape[3]
    groups = groups_for(weights)
    wanted = [(weights * (groups == n)[:, None, None]).sum(-1) for n in range(int(groups.max()) + 1)]
    close(amap.mass(groups), torch.stack(wanted, -1) if wanted else weights[..., :0], atol)
    several = [[0], [], [keys - 1, 0, keys // 2]]
    wanted = [weights[..., sorted(set(members))].sum(-1) for members in several]
    close(amap.mass(several), torch.stack(wanted, -1), atol)


def check_received(amap: AttentionMap, weights: Tensor, atol: float) -> None:
    queries = weights.shape[2]
    close(amap.received(), weights.sum(-2), queries * atol)
    by_query = torch.rand(weights.shape[0], 1, queries)
    by_query[..., ::3] = 0
    wanted = (weights * by_query[..., None]).sum(-2)
    close(amap.received(by_query.to(amap.dtype)), wanted, queries * atol)


def check_pooled(amap: AttentionMap, weights: Tensor, atol: float) -> None:
    for size in (3, 67, 4096) if max(weights.shape[2:]) > 64 else (1, 2, 13, 4096):
        for reduce in ("mean", "max"):
            close(amap.pooled(size, reduce), pooled(weights, size, reduce), atol)


def check_topk(amap: AttentionMap, weights: Tensor, atol: float) -> None:
    for k in {1, min(7, weights.shape[3]), weights.shape[3]}:
        found = amap.topk(k)
        close(found.weights, weights.sort(-1, descending=True).values[..., :k], atol)
        valid = found.keys >= 0
        # Which key it is may differ where weights tie, but it has the weight that is named beside it.
        there = weights.gather(-1, found.keys.clamp(min=0))
        close(torch.where(valid, found.weights.double(), 0.0), torch.where(valid, there, 0.0), atol)
        assert (found.weights[~valid] == 0).all()
        ordered = found.keys.sort(-1).values
        assert not ((ordered[..., 1:] == ordered[..., :-1]) & (ordered[..., 1:] >= 0)).any(), "a key is there twice"
        assert (valid.sum(-1) >= (weights > 1e-30).sum(-1).clamp(max=k)).all(), "a key is missing"
        assert (valid.sum(-1) <= (weights > 0).sum(-1)).all(), "a key is named that may not be attended to"


def check_apply(amap: AttentionMap, weights: Tensor, atol: float) -> None:
    for batch, heads, width in ((1, 1, 1), (*weights.shape[:2], 3), (1, 1, 0)):
        columns = torch.randn(batch, heads, weights.shape[3], width).to(amap.dtype)
        close(amap.apply(columns), weights @ columns.double(), 10 * atol)


def check_moments(amap: AttentionMap, weights: Tensor, atol: float) -> None:
    groups = groups_for(weights)[0]
    found = amap.moments(groups)
    close(found.distance.signed, distance(weights)[1], max(weights.shape[2:]) * atol)
    close(found.mass, amap.mass(groups).double(), atol)


STATISTICS: dict[str, Callable[[AttentionMap, Tensor, float], None]] = {
    "entries": check_entries,
    "entropy": check_entropy,
    "distance": check_distance,
    "mass": check_mass,
    "moments": check_moments,
    "received": check_received,
    "pooled": check_pooled,
    "topk": check_topk,
    "apply": check_apply,
}
"""Every question, and the assertion that the answer is that of the whole matrix."""
