"""A long map, and its file.

Attention of 1 text, 2 heads, head_dim 64 and up to 65,536 tokens, float32. One process watches the forward pass and
saves the capture; another opens the file, reads a tile of 256 × 256 from the middle and computes the entropy of every
row. *Extra memory* of either is its highest resident memory, less what it had after its imports and a first small
attention call. The exponent is the slope of log(extra memory) over log(tokens) by least squares, through all lengths:
1 is linear, 2 would be a dense map. SDPA is timed in the process that opened the file, in turn with the entropy.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

import clearhead as ch
from map_statistics import Attention, tensors
from measure import Result, Say, Timings, fresh, held, interleave, megabytes, peak, reset_peak

HEADS = 2
TILE = 256


@torch.no_grad()
def _warm_up(folder: str) -> None:
    """Load every kernel and module that the measured part uses, on a map of 64 tokens."""
    path = Path(folder) / "warm.safetensors"
    _watch_and_save(path, 64)
    amap = next(iter(ch.open(path).values()))
    amap[0, :, :8, :8]
    amap.entropy()
    path.unlink()


def _watch_and_save(path: Path, tokens: int) -> None:
    attention = Attention(causal=False)
    with ch.watch(attention) as capture:
        attention(*tensors(HEADS, tokens))
    capture.save(path)


@torch.no_grad()
def write(folder: str, tokens: int) -> dict[str, Any]:
    """Watch one forward pass and save its capture."""
    _warm_up(folder)
    before = held()
    reset_peak()
    _watch_and_save(Path(folder) / f"{tokens}.safetensors", tokens)
    return {"extra": peak() - before}


@torch.no_grad()
def read(folder: str, tokens: int, rounds: int) -> dict[str, Any]:
    """Open the capture, read a tile, compute the entropy; then time the entropy against SDPA."""
    _warm_up(folder)
    before = held()
    reset_peak()
    start = time.perf_counter()
    amap = next(iter(ch.open(Path(folder) / f"{tokens}.safetensors").values()))
    opened = time.perf_counter()
    middle = tokens // 2
    tile = amap[0, :, middle : middle + TILE, middle : middle + TILE]
    tiled = time.perf_counter()
    entropy = amap.entropy()
    extra = peak() - before
    assert tile.shape == (HEADS, TILE, TILE)
    assert bool(torch.isfinite(entropy).all()), "entropy of a long map"
    attention, (q, k, v) = Attention(causal=False), tensors(HEADS, tokens)
    cases = {"SDPA": lambda: attention(q, k, v), "entropy": amap.entropy}
    times = interleave(cases, rounds, warmups=0) if rounds else {}
    return {"extra": extra, "open": opened - start, "tile": tiled - opened, "times": times}


def exponent(sizes: Sequence[int], used: Sequence[int]) -> float:
    """The slope of log(used) over log(sizes), by least squares."""
    x, y = ([math.log(n) for n in numbers] for numbers in (sizes, used))
    middle = sum(x) / len(x)
    return sum((a - middle) * b for a, b in zip(x, y, strict=True)) / sum((a - middle) ** 2 for a in x)


def measure(say: Say, *, quick: bool) -> Iterator[Result]:
    """All results, one by one."""
    sizes = [1024, 2048, 4096] if quick else [8192, 16384, 32768, 65536]
    last = sizes[-1]
    written, opened = [], []
    with tempfile.TemporaryDirectory() as folder:
        for tokens in sizes:
            say(f"watching and saving {tokens:,} tokens")
            written.append(fresh("long_map", "write", folder=folder, tokens=tokens)["extra"])
            say(f"opening {tokens:,} tokens")
            found = fresh("long_map", "read", folder=folder, tokens=tokens, rounds=3 if tokens == last else 0)
            opened.append(found["extra"])
        size = (Path(folder) / f"{last}.safetensors").stat().st_size

    area = f"{last:,} × {last:,}, {HEADS} heads"
    done = f"{1e3 * (found['open']):.3g} ms; its first {TILE} × {TILE} tile after {1e3 * found['tile']:.3g} ms"
    peer = f"a dense map: {megabytes(4 * HEADS * last**2)}"
    yield Result(f"map of {area}: a file of {megabytes(size)}, opened", done, peer, "works", met=True)
    times = Timings(found["times"])
    yield Result(
        f"map of {area}: entropy, {times.median('entropy')}",
        str(times.ratio("entropy", "SDPA")),
        f"SDPA: {times.median('SDPA')}",
        "works",
        met=True,
    )
    for what, used in (("watched and saved", written), ("opened, tile, entropy", opened)):
        slope = exponent(sizes, used)
        steps = ", ".join(f"{n:,}: {megabytes(x)}" for n, x in zip(sizes, used, strict=True))
        each = f"{(used[-1] - used[0]) / (last - sizes[0]):,.0f} B a token"
        dense = f"a dense map has {4 * HEADS * last:,} B a token at {last:,}"
        name = f"memory, {what} ({steps})"
        yield Result(name, f"tokens^{slope:.2f}, {each}", dense, "linear: ≤ tokens^1.1", slope <= 1.1)
