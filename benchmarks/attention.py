"""Attention against PyTorch's own.

``ch.attention`` and ``ch.attend`` (which also gives the map) against
``torch.nn.functional.scaled_dot_product_attention`` on the same tensors: 1 text, 8 heads, head_dim 64, float32; causal
against its ``is_causal`` flag. *Forward* is without gradient; a *step* is forward and backward, with gradients for q, k
and v. Everything on one line of a round takes turns with it, and so does SDPA itself once more, whose distance from 1
is what the machine's noise makes of two equal calls.

Below that, without a target, what SDPA has no short form for, against SDPA with the mask or bias written out in
advance as n × n (or heads × n × n) numbers, and what no kernel computes against plain PyTorch with all weights in
memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

import clearhead as ch
from measure import Result, Say, Timings, at_most, interleave

HEADS, HEAD_DIM = 8, 64
LIMITS = {"attention": 1.02, "attend": 1.05}


def tensors(tokens: int, *, gradients: bool) -> list[Tensor]:
    """Random q, k and v of a batch of one."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(1, HEADS, tokens, HEAD_DIM, generator=generator).requires_grad_(gradients) for _ in range(3)]


def step(forward: Callable[[], Tensor], leaves: list[Tensor]) -> Callable[[], None]:
    """Forward and backward; the gradients are dropped."""
    wish = torch.ones(1, HEADS, leaves[0].shape[2], HEAD_DIM)

    def run() -> None:
        forward().backward(wish)
        for leaf in leaves:
            leaf.grad = None

    return run


def compare(tokens: int, rounds: int, *, gradients: bool, causal: bool) -> Timings:
    """SDPA, ``attention``, ``attend`` and SDPA again in turn."""
    q, k, v = leaves = tensors(tokens, gradients=gradients)
    mask = ch.Causal() if causal else None
    forwards: dict[str, Callable[[], Any]] = {
        "SDPA": lambda: scaled_dot_product_attention(q, k, v, is_causal=causal),
        "attention": lambda: ch.attention(q, k, v, mask=mask),
        "attend": lambda: ch.attend(q, k, v, mask=mask)[0],
        "control": lambda: scaled_dot_product_attention(q, k, v, is_causal=causal),
    }
    if not gradients:
        # The map is part of what attend gives: it is dropped after the clock has stopped.
        forwards["attend"] = lambda: ch.attend(q, k, v, mask=mask)
        return interleave(forwards, rounds, warmups=3, repeat=4 if tokens <= 512 else 1)
    return interleave({name: step(forward, leaves) for name, forward in forwards.items()}, rounds, warmups=2)


def measure(say: Say, *, quick: bool) -> Iterator[Result]:
    """All results, one by one."""
    sizes = {64: 5} if quick else {512: 60, 2048: 18, 4096: 10, 8192: 5}
    for tokens, rounds in sizes.items():
        for causal in (False, True):
            kind = "causal" if causal else "plain"
            for gradients in (False, True):
                what = "step" if gradients else "forward"
                say(f"{kind} attention, {what}, {tokens:,} tokens")
                with torch.set_grad_enabled(gradients):
                    times = compare(
                        tokens, max(3, rounds // 2) if gradients else rounds, gradients=gradients, causal=causal
                    )
                peer = f"SDPA{' with is_causal' if causal else ''}: {times.median('SDPA')}"
                for name, limit in LIMITS.items():
                    yield at_most(limit, f"{kind}, {tokens:,} tokens: {name}, {what}", times.ratio(name, "SDPA"), peer)
                control = str(times.ratio("control", "SDPA"))
                yield Result(f"{kind}, {tokens:,} tokens: SDPA itself once more, {what}", control, peer)
    yield from others(say, 64 if quick else 4096, 2 if quick else 5)


def others(say: Say, tokens: int, rounds: int) -> Iterator[Result]:
    """What SDPA needs n × n numbers for, or cannot do."""
    q, k, v = tensors(tokens, gradients=False)
    distance = torch.arange(tokens)[:, None] - torch.arange(tokens)
    window = ch.Causal() & ch.Window(511, 0)
    allowed = window.dense(tokens, tokens).contiguous()
    alibi = ch.ALiBi(HEADS)
    slopes = -alibi.slopes[:, None, None] * distance
    sloped = slopes.masked_fill(distance < 0, -torch.inf)[None]
    relative = ch.RelativeBias(HEADS)
    written = torch.zeros(1, HEADS, tokens, tokens)
    lengths = torch.tensor([tokens * 3 // 4])
    present = (torch.arange(tokens) < lengths[0])[None, None, None]
    pairs: dict[str, tuple[Callable[[], Any], str, Callable[[], Any]]] = {
        "causal window of 512": (
            lambda: ch.attention(q, k, v, mask=window),
            "SDPA, dense mask",
            lambda: scaled_dot_product_attention(q, k, v, allowed),
        ),
        "a quarter is padding": (
            lambda: ch.attention(q, k, v, mask=ch.Padding(lengths)),
            "SDPA, mask by key",
            lambda: scaled_dot_product_attention(q, k, v, present),
        ),
        "causal ALiBi": (
            lambda: ch.attention(q, k, v, mask=ch.Causal(), bias=alibi),
            "SDPA, dense bias",
            lambda: scaled_dot_product_attention(q, k, v, sloped),
        ),
        "softcap": (
            lambda: ch.attention(q, k, v, softcap=30.0),
            "dense",
            lambda: torch.tanh(q @ k.mT * (HEAD_DIM**-0.5 / 30)).mul(30).softmax(-1) @ v,
        ),
        "entmax 1.5": (
            lambda: ch.attention(q, k, v, normalizer="entmax15"),
            "dense softmax",
            lambda: (q @ k.mT * HEAD_DIM**-0.5).softmax(-1) @ v,
        ),
    }
    with torch.no_grad():
        for what, (ours, name, theirs) in pairs.items():
            say(what)
            times = interleave({"ours": ours, "theirs": theirs}, rounds)
            yield Result(
                f"{what}, {tokens:,} tokens: attention, forward",
                str(times.ratio("ours", "theirs")),
                f"{name}: {times.median('theirs')}",
            )
    say("a trained bias")
    q, k, v = leaves = tensors(tokens // 2, gradients=True)
    written = written[..., : tokens // 2, : tokens // 2].clone().requires_grad_()
    times = interleave(
        {
            "ours": step(lambda: ch.attention(q, k, v, bias=relative), [*leaves, relative.table]),
            "theirs": step(lambda: scaled_dot_product_attention(q, k, v, written), [*leaves, written]),
        },
        rounds,
    )
    peer = f"SDPA, a dense bias that wants a gradient: {times.median('theirs')}"
    yield Result(
        f"T5's bias, trained, {tokens // 2:,} tokens: attention, step", str(times.ratio("ours", "theirs")), peer
    )
