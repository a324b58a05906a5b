"""Long sequences.

Sparse attention, 1 text, 8 heads, head_dim 64, without gradient unless it says *step* (forward and backward, gradients
for q, k and v). A window of 512: each query sees itself and the 512 keys before it, as ``local-attention`` has it;
outputs are compared before anything is timed. Peers: SDPA with the mask as a dense tensor; ``flex_attention`` compiled
with its ``BlockMask``, whose compiling and mask are timed apart; the ``local-attention`` package; the Longformer and
BigBird attention of ``transformers`` in float32, with projections of q, k and v on both sides, Longformer's own for its
global tokens besides. *Share* is the part of all pairs that is computed; what a pattern should cost is that share of
dense SDPA's time.

Decoding is one query on 32,768 cached keys. Memory is the highest in a fresh process above what q, k and v take, and
the exponent is the slope of log(bytes) against log(tokens).

![Time and memory against length](images/long-sequences.png)
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import create_block_mask, flex_attention
from torch.nn.functional import scaled_dot_product_attention

import clearhead as ch
from clearhead.masks import Blocks, Mask, big_bird, longformer
from cost_of_attention import exponent
from measure import Result, Say, Timings, at_least, at_most, fresh, interleave, megabytes, peak, reset_peak

HEADS, HEAD_DIM, WINDOW = 8, 64, 512
BAND = ch.Causal() & ch.Window(WINDOW, 0)
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
CLOSE = {torch.float32: 1e-5, torch.bfloat16: 2e-2}

Curves = dict[str, dict[int, float]]
SECONDS: Curves = {}
BYTES: Curves = {}
"""What the picture shows: by name and tokens."""


def tensors(tokens: int, dtype: torch.dtype = torch.float32, *, gradients: bool = False) -> list[Tensor]:
    """Random q, k and v of a batch of one."""
    generator = torch.Generator().manual_seed(0)
    shape = (1, HEADS, tokens, HEAD_DIM)
    return [torch.randn(shape, generator=generator).to(dtype).requires_grad_(gradients) for _ in range(3)]


def documents(tokens: int, count: int) -> list[int]:
    """Random lengths that add up to ``tokens``."""
    cut = torch.randperm(tokens - 1, generator=torch.Generator().manual_seed(0))[: count - 1].sort().values + 1
    return torch.diff(torch.cat([torch.tensor([0]), cut, torch.tensor([tokens])])).tolist()


def patterns(tokens: int) -> dict[str, Mask]:
    """The masks, by name."""
    return {
        "window": BAND,
        "Longformer": longformer(WINDOW, list(range(16))),
        "BigBird": big_bird(tokens, heads=HEADS),
        "documents": ch.Documents.from_lengths(documents(tokens, max(1, tokens * 1000 // 65536))),
    }


def step(forward: Callable[..., Tensor], leaves: list[Tensor]) -> Callable[[], None]:
    """Forward and backward; the gradients are dropped."""

    def run() -> None:
        forward(*leaves).sum().backward()
        for leaf in leaves:
            leaf.grad = None

    return run


def local_attention(dtype: torch.dtype) -> Callable[..., Tensor]:
    """The package's module for that window; tokens are multiples of it."""
    from local_attention import LocalAttention

    module = LocalAttention(WINDOW, causal=True, exact_windowsize=True, use_rotary_pos_emb=False).to(dtype)

    def run(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        found: Tensor = module(q, k, v)
        return found

    return run


def attend_under(mask: Mask) -> Callable[..., Tensor]:
    """``ch.attention`` with a mask."""
    return partial(ch.attention, mask=mask)


def _in_window(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
    """The same window as flex_attention's ``mask_mod``."""
    del batch, head
    return (key <= query) & (query - key <= WINDOW)


def compare(found: Tensor, wanted: Tensor, name: str) -> None:
    """Nothing is timed that computes something else."""
    worst = float((found.float() - wanted.float()).abs().max())
    if not worst <= CLOSE[found.dtype]:
        raise SystemExit(f"{name} differs by {worst:.2g}: it does not compute the same")


def measure(say: Say, *, quick: bool) -> Iterator[Result]:
    """All results, one by one."""
    tokens, rounds = (1024, 2) if quick else (16384, 5)
    for name in DTYPES:  # the package takes half a minute a call in half precision
        yield from _window(say, tokens, rounds if name == "float32" else 2, name)
    yield from _lengths(say, tokens, rounds)
    for name in DTYPES:
        yield from _shares(say, tokens, rounds, name)
    yield from _transformers(say, max(tokens, 2048), rounds)  # at 1,024 it draws blocks that it counts twice
    yield from _packed(say, tokens * 4, rounds)
    yield from _decoding(say, 4096 if quick else 32768, rounds)
    yield from _memory(say, tokens)


@torch.no_grad()
def _window(say: Say, tokens: int, rounds: int, name: str) -> Iterator[Result]:
    """A window against everything that can do one."""
    dtype = DTYPES[name]
    q, k, v = tensors(tokens, dtype)
    ours, local = attend_under(BAND), local_attention(dtype)
    what = f"window 512, {tokens:,} tokens, {name}"
    say(f"{what}: flex_attention compiles")
    start = time.perf_counter()
    block_mask = create_block_mask(_in_window, None, None, tokens, tokens, "cpu")
    between = time.perf_counter()
    flex = torch.compile(flex_attention)
    found = flex(q, k, v, block_mask=block_mask)
    after = time.perf_counter()
    wanted = ours(q, k, v)
    compare(found, wanted, "flex_attention")
    compare(local(q, k, v), wanted, "local-attention")
    say(what)
    cases: dict[str, Callable[[], Any]] = {
        "ours": lambda: ours(q, k, v),
        "flex": lambda: flex(q, k, v, block_mask=block_mask),
        "local": lambda: local(q, k, v),
    }
    times = interleave(cases, rounds)
    first = f"mask {between - start:.1f} s, compiling {after - between:.0f} s"
    peer = f"flex_attention, compiled: {times.median('flex')}; {first}"
    ratio = times.ratio("flex", "ours")
    yield at_least(2.5, f"{what}: {times.median('ours')}, faster than", ratio, peer)
    peer = f"local-attention: {times.median('local')}"
    yield at_least(3.0, f"{what}: faster than", times.ratio("local", "ours"), peer)
    say(f"{what}: dense mask")
    allowed = BAND.dense(tokens, tokens).contiguous()
    compare(scaled_dot_product_attention(q, k, v, allowed), wanted, "SDPA")
    dense = interleave(
        {"ours": cases["ours"], "dense": lambda: scaled_dot_product_attention(q, k, v, allowed)}, max(2, rounds // 2)
    )
    peer = f"SDPA, dense mask: {dense.median('dense')}"
    yield at_least(15.0, f"{what}: faster than", dense.ratio("dense", "ours"), peer)
    del allowed
    if dtype == torch.float32:
        for label, key in (
            ("clearhead, window", "ours"),
            ("flex_attention, window", "flex"),
            ("local-attention", "local"),
        ):
            SECONDS.setdefault(label, {})[tokens] = statistics.median(times[key])
        SECONDS.setdefault("SDPA, dense mask", {})[tokens] = statistics.median(dense["dense"])
    say(f"{what}: training")
    with torch.enable_grad():
        leaves = tensors(tokens, dtype, gradients=True)
        trained = interleave(
            {"ours": step(ours, leaves), "local": step(local, leaves), "forward": lambda: ours(*leaves)}, rounds
        )
    peer = f"the forward pass: {trained.median('forward')}"
    yield at_most(5.0, f"{what}: step, {trained.median('ours')}", trained.ratio("ours", "forward"), peer)
    peer = f"local-attention: {trained.median('local')}"
    yield Result(f"{what}: step, faster than", str(trained.ratio("local", "ours")), peer)


@torch.no_grad()
def _lengths(say: Say, tokens: int, rounds: int) -> Iterator[Result]:
    """How the time of a window grows, and those of its peers for the picture."""
    say("window 512, longer texts")
    own = {n: tensors(n) for n in (tokens, 4 * tokens, 8 * tokens)}
    ours = attend_under(BAND)
    times = interleave({str(n): partial(ours, *x) for n, x in own.items()}, rounds)
    peer = f"{tokens:,} tokens: {times.median(str(tokens))}"
    what = f"window 512, {4 * tokens:,} tokens: {times.median(str(4 * tokens))}"
    yield at_most(4.4, what, times.ratio(str(4 * tokens), str(tokens)), peer)
    what = f"window 512, {8 * tokens:,} tokens: {times.median(str(8 * tokens))}"
    yield Result(what, str(times.ratio(str(8 * tokens), str(tokens))), peer)
    for n in own:
        SECONDS.setdefault("clearhead, window", {})[n] = statistics.median(times[str(n)])
    local = local_attention(torch.float32)
    flex = torch.compile(flex_attention, dynamic=False)
    for n in (tokens // 8, tokens // 4, tokens // 2, tokens, 2 * tokens, 4 * tokens):
        say(f"{n:,} tokens, for the picture")
        q, k, v = tensors(n)
        cases = {"clearhead, linear": partial(ch.linear_attention, q, k, v, causal=True)}
        if n != tokens:  # at which the others were measured above
            cases["clearhead, window"] = partial(ours, q, k, v)
            if n % WINDOW == 0:
                cases["local-attention"] = partial(local, q, k, v)
        if n < tokens:
            allowed = BAND.dense(n, n).contiguous()
            cases["SDPA, dense mask"] = partial(scaled_dot_product_attention, q, k, v, allowed)
            block_mask = create_block_mask(_in_window, None, None, n, n, "cpu")
            cases["flex_attention, window"] = partial(flex, q, k, v, block_mask=block_mask)
        found = interleave(cases, 2)
        for name, seconds in found.items():
            SECONDS.setdefault(name, {})[n] = statistics.median(seconds)


@torch.no_grad()
def _shares(say: Say, tokens: int, rounds: int, name: str) -> Iterator[Result]:
    """Every pattern against the share of dense attention that it computes."""
    q, k, v = tensors(tokens, DTYPES[name])
    say(f"dense, {name}")
    whole = interleave({"dense": lambda: scaled_dot_product_attention(q, k, v)}, max(2, rounds // 2))
    dense = statistics.median(whole["dense"])
    for pattern, mask in patterns(tokens).items():
        say(f"{pattern}, {name}")
        share = ch.explain(q, k, v, mask=mask).share
        times = interleave({"ours": partial(ch.attention, q, k, v, mask=mask)}, rounds)
        times["share"] = [dense * share] * len(times["ours"])
        what = f"{pattern}, {tokens:,} tokens, {name}: {times.median('ours')}"
        peer = f"{share:.1%} of dense SDPA: {share:.4f} × {whole.median('dense')}"
        ratio = times.ratio("ours", "share")
        # Documents of 65 tokens are as many calls; they are measured against those below.
        yield Result(what, str(ratio), peer) if pattern == "documents" else at_most(2.0, what, ratio, peer)


@torch.no_grad()
def _transformers(say: Say, tokens: int, rounds: int) -> Iterator[Result]:
    """Longformer and BigBird as ``transformers`` computes them."""
    from transformers import BigBirdConfig, BigBirdModel, LongformerConfig
    from transformers.models.big_bird.modeling_big_bird import BigBirdBlockSparseAttention
    from transformers.models.longformer.modeling_longformer import LongformerSelfAttention

    dim = HEADS * HEAD_DIM
    x = torch.randn(1, tokens, dim, generator=torch.Generator().manual_seed(0))
    sizes = {"hidden_size": dim, "num_attention_heads": HEADS, "max_position_embeddings": tokens}

    def ours(layer: torch.nn.Module, mask: Mask) -> Callable[[], Tensor]:
        def run() -> Tensor:
            parts = (projection(x) for projection in (layer.query, layer.key, layer.value))
            return ch.attention(*(y.unflatten(-1, (HEADS, HEAD_DIM)).transpose(1, 2) for y in parts), mask=mask)

        return run

    say("Longformer of transformers")
    there = LongformerSelfAttention(LongformerConfig(attention_window=[WINDOW], **sizes), 0).eval()
    number = torch.zeros(1, tokens)
    number[:, :16] = 10000.0
    is_global = number > 0
    given = (x, number, number < 0, is_global, True)
    cases = {"ours": ours(there, longformer(WINDOW, list(range(16)))), "theirs": lambda: there(*given)}
    for name in ("query", "key", "value"):  # it has projections of its own for global tokens, which a mask has not
        getattr(there, f"{name}_global").load_state_dict(getattr(there, name).state_dict())
    compare(there(*given)[0].unflatten(-1, (HEADS, -1)).transpose(1, 2), cases["ours"](), "LongformerSelfAttention")
    times = interleave(cases, rounds)
    yield Result(
        f"Longformer with projections, {tokens:,} tokens: {times.median('ours')}, faster than",
        str(times.ratio("theirs", "ours")),
        f"LongformerSelfAttention: {times.median('theirs')}",
    )
    say("BigBird of transformers")
    config = BigBirdConfig(block_size=64, num_random_blocks=3, attention_probs_dropout_prob=0.0, **sizes)
    bird = BigBirdBlockSparseAttention(config, seed=0)
    blocked, band, rows, columns = BigBirdModel.create_masks_for_block_sparse_attn(torch.ones(1, tokens), 64)

    def theirs() -> Tensor:
        found: Tensor = bird(x, band, rows, columns, blocked, blocked)[0]
        return found

    # It draws blocks only while it trains: its draw makes the mask that it is compared under.
    drawn: list[Tensor] = []
    random_mask = bird._create_rand_mask_from_inputs
    bird._create_rand_mask_from_inputs = lambda *args: (drawn.append(args[2]), random_mask(*args))[1]
    found = bird.train()(x, band, rows, columns, blocked, blocked)[0].unflatten(-1, (HEADS, -1)).transpose(1, 2)
    bird.eval()._create_rand_mask_from_inputs = random_mask
    layout = big_bird(tokens, random=0, heads=HEADS).layout.clone()
    layout[:, :, 1:-1].scatter_(3, drawn[0], value=True)
    compare(found, ours(bird, Blocks(layout, 64))(), "BigBirdBlockSparseAttention")
    times = interleave({"ours": ours(bird, big_bird(tokens, heads=HEADS)), "theirs": theirs}, rounds)
    yield Result(
        f"BigBird with projections, {tokens:,} tokens: {times.median('ours')}, faster than",
        str(times.ratio("theirs", "ours")),
        f"BigBirdBlockSparseAttention: {times.median('theirs')}",
    )


@torch.no_grad()
def _packed(say: Say, tokens: int, rounds: int) -> Iterator[Result]:
    """Packed documents against the same documents one by one."""
    lengths = documents(tokens, tokens * 1000 // 65536)
    mask = ch.Documents.from_lengths(lengths)
    for name, dtype in DTYPES.items():
        say(f"packed documents, {name}")
        q, k, v = tensors(tokens, dtype)
        parts = list(zip(*(x.split(lengths, 2) for x in (q, k, v)), strict=True))

        def alone(parts: list[tuple[Tensor, ...]] = parts) -> list[Tensor]:
            return [scaled_dot_product_attention(*part) for part in parts]

        def packed(q: Tensor = q, k: Tensor = k, v: Tensor = v) -> Tensor:
            return ch.attention(q, k, v, mask=mask)

        compare(packed(), torch.cat(alone(), 2), "one by one")
        times = interleave({"ours": packed, "alone": alone}, rounds)
        what = f"{len(lengths):,} documents in {tokens:,} tokens, {name}: {times.median('ours')}"
        peer = f"SDPA one by one: {times.median('alone')}"
        yield at_most(1.5, what, times.ratio("ours", "alone"), peer)


def read(k: Tensor, v: Tensor) -> None:
    """Read keys and values once: the least that decoding has to."""
    k.sum()
    v.sum()


@torch.no_grad()
def _decoding(say: Say, keys: int, rounds: int) -> Iterator[Result]:
    """One query on a long cache."""
    for name, dtype in DTYPES.items():
        for heads, kv_heads in ((32, 8), (32, 1), (8, 8)):
            say(f"decoding, {heads} heads on {kv_heads}, {name}")
            q = torch.randn(1, heads, 1, 128).to(dtype)
            k, v = (torch.randn(1, kv_heads, keys, 128).to(dtype) for _ in range(2))
            ours = partial(ch.attention, q, k, v, mask=ch.Causal())
            theirs = partial(scaled_dot_product_attention, q, k, v, enable_gqa=True)
            compare(ours(), theirs(), "SDPA")
            times = interleave({"ours": ours, "theirs": theirs, "read": partial(read, k, v)}, rounds, repeat=3)
            what = f"decoding, {heads} heads on {kv_heads}, {keys:,} keys, {name}: {times.median('ours')}, faster than"
            peer = f"SDPA with enable_gqa: {times.median('theirs')}; summing keys and values: {times.median('read')}"
            ratio = times.ratio("theirs", "ours")
            yield at_least(2.0, what, ratio, peer) if kv_heads == 8 and heads == 32 else Result(what, str(ratio), peer)


def memory(pattern: str, tokens: int, gradients: bool) -> dict[str, int]:
    """Bytes above those of q, k and v; runs in a process of its own."""
    leaves = tensors(tokens, gradients=gradients)
    small = tensors(WINDOW, gradients=gradients)

    def forward(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if pattern == "linear":
            return ch.linear_attention(q, k, v, causal=True)
        if pattern == "SDPA, dense mask":
            return scaled_dot_product_attention(q, k, v, BAND.dense(q.shape[2], q.shape[2]))
        if pattern == "local-attention":
            return local_attention(torch.float32)(q, k, v)
        return ch.attention(q, k, v, mask=patterns(q.shape[2])[pattern])

    def run(given: list[Tensor]) -> Any:
        if gradients:
            return step(forward, given)()
        with torch.no_grad():
            return forward(*given)

    run(small)
    reset_peak()
    before = peak()
    run(leaves)
    return {"bytes": peak() - before}


def _memory(say: Say, tokens: int) -> Iterator[Result]:
    """The most bytes of each, fitted."""
    sizes = [tokens, 2 * tokens, 4 * tokens]
    for pattern in ("window", "Longformer", "BigBird", "documents", "linear", "local-attention", "SDPA, dense mask"):
        for gradients in (False, True):
            if pattern == "SDPA, dense mask" and gradients:
                continue
            own = [n // 8 for n in sizes] if pattern == "SDPA, dense mask" else sizes
            say(f"memory, {pattern}")
            found = [
                fresh("long_sequences", "memory", pattern=pattern, tokens=n, gradients=gradients)["bytes"] for n in own
            ]
            kind = "step" if gradients else "forward"
            label = pattern if pattern in ("local-attention", "SDPA, dense mask") else f"clearhead, {pattern}"
            if not gradients:
                BYTES[label] = dict(zip(own, map(float, found), strict=True))
            least = HEADS * HEAD_DIM * 4 * own[-1]
            yield Result(
                f"memory, {label}, {kind}, {own[-1]:,} tokens: {megabytes(found[-1])}",
                f"n^{exponent(own, [float(x) for x in found]):.2f}",
                f"the output: {megabytes(least)}",
            )


def draw(path: Path) -> None:
    """Time and memory against the number of tokens, on logarithmic axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    axes = figure.subplots(1, 2)
    names = list(dict.fromkeys([*SECONDS, *BYTES]))
    markers = dict(zip(names, "osD^vP*X<>", strict=False))
    for ax, curves, label, unit in (
        (axes[0], SECONDS, "forward pass, milliseconds", 1e3),
        (axes[1], BYTES, "forward pass, MB above q, k and v", 1e-6),
    ):
        for name, points in curves.items():
            x = sorted(points)
            color = f"C{names.index(name)}"
            ax.plot(x, [points[n] * unit for n in x], marker=markers[name], color=color, label=name)
        ax.set_xscale("log", base=2)
        ax.set_yscale("log")
        ax.set_xlabel("tokens")
        ax.set_ylabel(label)
        ax.grid(alpha=0.3)
        ax.legend(fontsize=8)
    figure.savefig(path, dpi=150)


__all__ = ["Timings", "draw", "measure", "memory"]
