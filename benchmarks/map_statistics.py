"""Statistics of a map.

One map of 8 heads, head_dim 64, 4,096 × 4,096, float32, made as users make it: by watching a module that calls
``torch.nn.functional.scaled_dot_product_attention``. The peer is that very call, one forward pass over the same q, k
and v, causal for the causal map. Everything on one line of a round takes turns with it.

*Moments* is ``amap.moments(groups)`` with 8 groups of keys: distance, signed distance, spread and the mass on each
group, together. *One row* is ``amap[0, :, i]``, the row of all heads at once, for another query each time.
*Dense* is the same entropy with every weight written out by plain PyTorch, for orientation.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

import clearhead as ch
from measure import Result, Say, at_most, interleave, megabytes

HEADS, HEAD_DIM = 8, 64


class Attention(torch.nn.Module):
    """A module that does nothing but attend."""

    def __init__(self, *, causal: bool) -> None:
        super().__init__()
        self.causal = causal

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """One fused call."""
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)


def tensors(heads: int, tokens: int) -> list[Tensor]:
    """Random q, k and v of a batch of one."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(1, heads, tokens, HEAD_DIM, generator=generator) for _ in range(3)]


def dense_entropy(q: Tensor, k: Tensor, *, causal: bool) -> Tensor:
    """The entropy of each row, with the whole map in memory."""
    scores = (q @ k.transpose(-1, -2)) * HEAD_DIM**-0.5
    if causal:
        scores.masked_fill_(torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1), -torch.inf)
    weights = scores.softmax(-1)
    return -torch.special.xlogy(weights, weights).sum(-1)


@torch.no_grad()
def measure(say: Say, *, quick: bool) -> Iterator[Result]:
    """All results, one by one."""
    tokens, rounds = (512, 5) if quick else (4096, 15)
    q, k, v = tensors(HEADS, tokens)
    groups = torch.arange(tokens) * 8 // tokens
    for causal in (False, True):
        name = "causal map" if causal else "plain map"
        say(f"statistics of a {name}, {tokens:,} tokens")
        attention = Attention(causal=causal)
        with ch.watch(attention) as capture:
            attention(q, k, v)
        amap = next(iter(capture.values()))
        numbers = itertools.cycle(range(tokens // 3, tokens, 97))
        peer = "causal SDPA" if causal else "SDPA"

        def row(amap: ch.AttentionMap = amap, numbers: Iterator[int] = numbers) -> Tensor:
            return amap[0, :, next(numbers)]

        targets: dict[str, tuple[float, Callable[[], Any]]] = {
            "entropy()": (1.4, amap.entropy),
            "received()": (1.4, amap.received),
            "moments(groups)": (1.3, lambda amap=amap: amap.moments(groups)),
            "topk(8)": (2.5, lambda amap=amap: amap.topk(8)),
        }
        cases: dict[str, Callable[[], Any]] = {peer: lambda attention=attention: attention(q, k, v)}
        cases |= {what: case for what, (_, case) in targets.items()}
        times = interleave(cases, rounds)
        named = f"{peer}: {times.median(peer)}"
        for what, (limit, _) in targets.items():
            yield at_most(limit, f"{name}: {what}", times.ratio(what, peer), named)

        times = interleave({peer: cases[peer], "row": lambda row=row: [row() for _ in range(20)]}, rounds)
        times["row"] = [seconds / 20 for seconds in times["row"]]
        yield at_most(0.01, f"{name}: one row of all heads, {times.median('row')}", times.ratio("row", peer), named)

        say(f"the {name} written out")
        written = partial(dense_entropy, q, k, causal=causal)
        times = interleave({peer: cases[peer], "dense": written}, 2 if quick else 5)
        size = f"{megabytes(amap.nbytes)} kept against {megabytes(4 * HEADS * tokens**2)} a dense map"
        yield Result(f"{name}: entropy, dense; {size}", str(times.ratio("dense", peer)), named)
