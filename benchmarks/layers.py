"""Multi-head attention as a layer.

``ch.MultiHeadAttention(512, 8)``, made by ``from_torch`` of the ``torch.nn.MultiheadAttention`` that it is measured
against, so with the same weights: 1 text, float32, self-attention. *Forward* is in eval() without gradient, where
PyTorch's layer has an inference fast path of its own; a *step* is forward and backward in train().

The map of all heads: ``layer.attend(x)`` against ``need_weights=True, average_attn_weights=False``, which writes all
heads × n × n weights; in eval() without gradient, where PyTorch's layer again has a path of its own, with gradients
enabled (PyTorch's default), and as a training step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

import clearhead as ch
from measure import Result, Say, at_least, at_most, interleave

DIM, HEADS = 512, 8


def step(forward: Callable[[], Tensor], module: nn.Module) -> Callable[[], None]:
    """Forward and backward; the gradients are dropped."""

    def run() -> None:
        forward().sum().backward()
        module.zero_grad(set_to_none=True)

    return run


def measure(say: Say, *, quick: bool) -> Iterator[Result]:
    """All results, one by one."""
    torch.manual_seed(0)
    theirs = nn.MultiheadAttention(DIM, HEADS, batch_first=True)
    ours = ch.MultiHeadAttention.from_torch(theirs)
    for tokens, rounds in ({64: 5} if quick else {512: 60, 2048: 16, 4096: 8}).items():
        x = torch.randn(1, tokens, DIM)
        say(f"layers, forward, {tokens:,} tokens")
        theirs.eval()
        ours.eval()
        with torch.no_grad():
            times = interleave(
                {"ours": lambda x=x: ours(x), "theirs": lambda x=x: theirs(x, x, x, need_weights=False)[0]},
                rounds,
                warmups=3,
                repeat=4 if tokens <= 512 else 1,
            )
        peer = f"nn.MultiheadAttention, need_weights=False: {times.median('theirs')}"
        yield at_most(1.0, f"MultiHeadAttention, {tokens:,} tokens: forward", times.ratio("ours", "theirs"), peer)
        say(f"layers, step, {tokens:,} tokens")
        theirs.train()
        ours.train()
        times = interleave(
            {
                "ours": step(lambda x=x: ours(x), ours),
                "theirs": step(lambda x=x: theirs(x, x, x, need_weights=False)[0], theirs),
            },
            max(3, rounds // 2),
            warmups=2,
        )
        peer = f"nn.MultiheadAttention, need_weights=False: {times.median('theirs')}"
        yield at_most(1.0, f"MultiHeadAttention, {tokens:,} tokens: step", times.ratio("ours", "theirs"), peer)
    yield from with_map(say, 64 if quick else 4096, ours, theirs)


def with_map(say: Say, tokens: int, ours: ch.MultiHeadAttention, theirs: nn.MultiheadAttention) -> Iterator[Result]:
    """The output together with the map of each head."""
    x = torch.randn(1, tokens, DIM)
    peer = "nn.MultiheadAttention, need_weights=True, average_attn_weights=False"
    what = f"MultiHeadAttention, {tokens:,} tokens: output and map, times faster"
    weights = {"need_weights": True, "average_attn_weights": False}
    theirs.eval()
    ours.eval()
    for enabled in (True, False):
        kind = "gradients enabled" if enabled else "no_grad"
        say(f"layers with their maps, {kind}")
        with torch.set_grad_enabled(enabled):
            times = interleave({"ours": lambda: ours.attend(x), "theirs": lambda: theirs(x, x, x, **weights)}, 5)
        found = times.ratio("theirs", "ours")
        yield at_least(2.5, f"{what}, {kind}, map not yet read", found, f"{peer}: {times.median('theirs')}")
    with torch.no_grad():
        times = interleave(
            {"read": lambda: ours.attend(x)[1][0, :, tokens // 2], "theirs": lambda: theirs(x, x, x, **weights)}, 5
        )
    found = times.ratio("theirs", "read")
    yield Result(f"{what}, no_grad, one row of all heads read", str(found), f"{peer}: {times.median('theirs')}")
    theirs.train()
    ours.train()
    times = interleave(
        {
            "ours": step(lambda: ours.attend(x)[0], ours),
            "theirs": step(lambda: theirs(x, x, x, **weights)[0], theirs),
        },
        3,
    )
    found = times.ratio("theirs", "ours")
    yield Result(f"{what}, training step", str(found), f"{peer}: {times.median('theirs')}")
