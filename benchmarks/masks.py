"""What a mask leaves to compute.

``tiles`` says for every tile of 128 × 128 whether it is empty, mixed or full:
``(Causal() & Window(1023, 0) & Documents(ids)).tiles(tokens, tokens, 128)``, 1,000 documents of different lengths, at
131,072 tokens. Beside it ``create_block_mask`` of PyTorch's FlexAttention with the same rule as a function, which
evaluates every pair, at 16,384 tokens (1/64 of the pairs), as it is called on a CPU; and ``to_block_mask``, which makes
the same object from the tiles.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from clearhead.masks import Causal, Documents, Mask, Window, to_block_mask
from measure import Result, Say, interleave

LIMIT = 0.05  # seconds


def documents(tokens: int, count: int) -> Tensor:
    """Ids of ``count`` documents of random lengths, one after the other."""
    cuts = torch.randperm(tokens - 1, generator=torch.Generator().manual_seed(0))[: count - 1] + 1
    starts = torch.zeros(tokens, dtype=torch.int64)
    starts[cuts] = 1
    return starts.cumsum(0)


def rule(tokens: int) -> Mask:
    """The mask that is measured."""
    return Causal() & Window(1023, 0) & Documents(documents(tokens, min(1000, tokens // 4)))


def measure(say: Say, *, quick: bool) -> Iterator[Result]:
    """All results, one by one."""
    from torch.nn.attention.flex_attention import create_block_mask

    long, short, rounds = (1024, 512, 2) if quick else (131072, 16384, 9)
    mask, brief, ids = rule(long), rule(short), documents(short, min(1000, short // 4))

    def allowed(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        del batch, head
        return (key <= query) & (query - key <= 1023) & (ids[query] == ids[key])

    say(f"tiles of {long:,} tokens")
    peer = "create_block_mask"
    times = interleave(
        {"long": lambda: mask.tiles(long, long, 128), "short": lambda: brief.tiles(short, short, 128)}, rounds
    )
    times |= interleave({"block mask": lambda: to_block_mask(brief, short, short)}, rounds)
    say(f"create_block_mask of {short:,} tokens")
    times |= interleave(
        {peer: lambda: create_block_mask(allowed, None, None, short, short, device="cpu")}, 1 if quick else 3
    )
    of_peer = f"create_block_mask at {short:,}: {times.median(peer)}"
    seconds = sorted(times["long"])[len(times["long"]) // 2]
    met = None if quick else seconds <= LIMIT
    yield Result(
        f"tiles of {long:,} tokens, {min(1000, long // 4):,} documents", times.median("long"), of_peer, "≤ 50 ms", met
    )
    yield Result(f"tiles of {short:,} tokens", times.median("short"), of_peer)
    yield Result(f"to_block_mask of {short:,} tokens", times.median("block mask"), of_peer)
