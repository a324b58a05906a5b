"""Linear attention.

Causal ``ch.linear_attention`` with elu + 1 features: 1 text, 8 heads, head_dim 64, float32, without gradient and as a
step (forward and backward, gradients for q, k and v). Eight times the tokens should take eight times the time. Memory
is the highest in a fresh process above what q, k and v take. Peers in the same run: causal softmax attention by SDPA,
and, where it is importable, flash-linear-attention's chunked PyTorch code (``fla.ops.linear_attn.naive``; its own
operations need a GPU), whose output is compared with ours before it is timed. *Least time* is what reading q, k, v
and writing the output once takes at the speed of a copy of one tensor: what memory bandwidth allows. *The products
alone* are the four of each chunk of 64 tokens, scores, values, reading and updating the state, on matrices that lie in
the cache. A compiled kernel would write neither features nor scores nor states to memory between them, so the greater
of the two is what it could come down to on these cores.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

import clearhead as ch
from clearhead.mechanisms.recurrence import CHUNK
from measure import Result, Say, Timings, at_most, fresh, interleave, megabytes, peak, reset_peak

HEADS, HEAD_DIM = 8, 64
STEPS = 100


def tensors(tokens: int, *, gradients: bool = False) -> list[Tensor]:
    """Random q, k and v of a batch of one."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(1, HEADS, tokens, HEAD_DIM, generator=generator).requires_grad_(gradients) for _ in range(3)]


def run(tokens: int, *, gradients: bool) -> Callable[[], Any]:
    """One causal call, or one step of training."""
    q, k, v = leaves = tensors(tokens, gradients=gradients)
    if not gradients:
        return lambda: ch.linear_attention(q, k, v, causal=True)

    def step() -> None:
        ch.linear_attention(q, k, v, causal=True).sum().backward()
        for leaf in leaves:
            leaf.grad = None

    return step


def memory(tokens: int, gradients: bool) -> dict[str, int]:
    """Bytes above those of q, k and v; runs in a process of its own."""
    with torch.set_grad_enabled(gradients):
        run(64, gradients=gradients)()
        work = run(tokens, gradients=gradients)
        reset_peak()
        before = peak()
        work()
        return {"bytes": peak() - before}


def chunked_peer() -> Callable[[Tensor, Tensor, Tensor], Any] | None:
    """flash-linear-attention's chunked code in PyTorch: (batch, tokens, heads, head_dim), not normalized."""
    try:
        found = importlib.import_module("fla.ops.linear_attn.naive")
    except ImportError:
        return None
    function: Callable[[Tensor, Tensor, Tensor], Any] = found.naive_chunk_linear_attn
    return function


def compare(found: Tensor, peers: Any, name: str) -> None:
    """Nothing is timed that computes something else; the peer's heads come after its tokens."""
    wanted = (peers[0] if isinstance(peers, tuple) else peers).transpose(1, 2)
    worst = float((found - wanted).abs().max() / wanted.abs().max()) if found.shape == wanted.shape else float("inf")
    if not worst <= 1e-3:
        raise SystemExit(f"{name} differs by {worst:.2g}: it does not compute the same")


def measure(say: Say, *, quick: bool) -> Iterator[Result]:
    """All results, one by one."""
    short, long = (128, 1024) if quick else (16384, 131072)
    rounds = 2 if quick else 5
    yield from _time(say, short, long, rounds)
    yield from _memory(say, short, long)
    yield from _peers(say, short, rounds)


def _ratio_to_eight(times: Timings) -> Timings:
    """The long call against eight short ones."""
    return Timings({"long": times["long"], "eight short": [8 * x for x in times["short"]]})


def _time(say: Say, short: int, long: int, rounds: int) -> Iterator[Result]:
    for gradients in (False, True):
        kind = "step" if gradients else "forward"
        say(f"linear attention, {kind}")
        with torch.set_grad_enabled(gradients):
            cases = {"short": run(short, gradients=gradients), "long": run(long, gradients=gradients)}
            times = interleave(cases, rounds)
        ratio = _ratio_to_eight(times).ratio("long", "eight short")
        peer = f"8 × {short:,} tokens: 8 × {times.median('short')}"
        yield at_most(1.25, f"linear attention, {kind}, {long:,} tokens: {times.median('long')}", ratio, peer)
    say("linear attention, decoding")
    q, k, v = tensors(short)
    with torch.no_grad():
        state = ch.linear_prefill(q, k, v)[1]
        token = [x[:, :, -1:] for x in (q, k, v)]
        times = interleave({"step": lambda: ch.linear_step(*token, state)}, rounds, repeat=STEPS)
    yield Result(f"linear_step at any length: {state.nbytes:,} bytes of state", times.median("step"), "–")


def _memory(say: Say, short: int, long: int) -> Iterator[Result]:
    for gradients in (False, True):
        kind = "step" if gradients else "forward"
        say(f"linear attention, memory, {kind}")
        found = [fresh("linear", "memory", tokens=n, gradients=gradients)["bytes"] for n in (short, long)]
        each = (found[1] - found[0]) / (long - short)
        own = HEADS * HEAD_DIM * 4
        what = f"memory, {kind}, {long:,} tokens: {megabytes(found[1])} above q, k and v"
        yield Result(what, f"{each:,.0f} bytes a token", f"the output: {own:,} bytes a token")


def _peers(say: Say, tokens: int, rounds: int) -> Iterator[Result]:
    say("linear attention and its peers")
    q, k, v = tensors(tokens)
    plain = [x.transpose(1, 2).contiguous() for x in (q, k, v)]
    whole = torch.empty_like(q)
    chunk = torch.randn(2, 16, CHUNK, HEAD_DIM)  # so few that they stay in the cache
    cases: dict[str, Callable[[], Any]] = {
        "elu": lambda: ch.linear_attention(q, k, v, causal=True),
        "none": lambda: ch.linear_attention(q, k, v, causal=True, feature_map="none"),
        "copy": lambda: whole.copy_(q),
        "products": lambda: [torch.bmm(*chunk) for _ in range(4 * HEADS * tokens // CHUNK // len(chunk[0]))],
    }
    peer = chunked_peer()
    if peer is not None:
        cases["chunked"] = lambda: peer(*plain)
    with torch.no_grad():
        if peer is not None:
            compare(cases["none"](), peer(*plain), "flash-linear-attention")
        times = interleave(cases, rounds)
        times |= interleave({"SDPA": lambda: scaled_dot_product_attention(q, k, v, is_causal=True)}, 1)
    if peer is not None:
        text = f"flash-linear-attention, chunked PyTorch: {times.median('chunked')}"
        yield at_most(1.0, f"feature map none, {tokens:,} tokens", times.ratio("none", "chunked"), text)
    else:
        text = "flash-linear-attention is not installed here: pip install fla-core"
        yield Result(f"feature map none, {tokens:,} tokens", str(times.median("none")), text, "≤ 1×")
    # A copy reads one tensor and writes another; here three are read and one is written.
    times["least"] = [2 * x for x in times["copy"]]
    text = f"least time: {times.median('least')}"
    yield Result(f"linear attention, {tokens:,} tokens: {times.median('elu')}", str(times.ratio("elu", "least")), text)
    text = f"the products alone: {times.median('products')}"
    what = f"linear attention against its products, {tokens:,} tokens"
    yield Result(what, str(times.ratio("elu", "products")), text)
    once = Timings({"elu": times["elu"][:1], "SDPA": times["SDPA"]})
    text = f"SDPA with is_causal: {times.median('SDPA')}"
    yield Result(f"linear attention against softmax, {tokens:,} tokens", str(once.ratio("elu", "SDPA")), text)
