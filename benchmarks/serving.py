"""The viewer's server on a long text.

One layer of 12 heads, head_dim 64, 100,000 tokens, float32, not causal, in a process of its own that serves it and
asks over HTTP on one connection. *A finest tile* is 256 × 256 weights of a head and place drawn at random; by word,
about three words take four tokens. *The overview pass* pools the whole map of one head to blocks of 64 × 64, mean and
maximum, in the threads that the server gives it; the peer is one forward pass of ``scaled_dot_product_attention`` over
that head's q, k and v, in as many threads, in turn with it. The LSE is its expected value for normally distributed
keys, since no time depends on it. Memory is the most that was resident at once beyond PyTorch: the capture and the
client are in it.
"""

from __future__ import annotations

import http.client
import math
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

import clearhead as ch
from clearhead.analysis.cells import Cells, Lens
from clearhead.capture.capture import Layer
from clearhead.views import server as serving
from clearhead.views.tiles import Pass
from measure import Result, Say, Timings, fresh, held, interleave, megabytes, peak, reset_peak

HEADS, HEAD_DIM = 12, 64
TILE_TARGET, PASS_TARGET = 30.0, 2.5


def make(tokens: int) -> ch.Capture:
    """A capture of random queries and keys, with pieces in words."""
    generator = torch.Generator().manual_seed(0)
    q, k = (torch.randn(1, HEADS, tokens, HEAD_DIM, generator=generator) for _ in range(2))
    lse = math.log(tokens) + q.square().sum(-1) / (2 * HEAD_DIM)
    amap = ch.AttentionMap.from_qk(q, k, lse=lse)
    starts = torch.rand(tokens, generator=generator) < 0.75
    pieces = [f"w{n}" for n in range(tokens)]
    written, offsets, at = [], [], 0
    for piece, is_start in zip(pieces, starts.tolist(), strict=True):
        written.append(f" {piece}" if is_start else piece)
        at += len(written[-1])
        offsets.append((at - len(piece), at))
    no = (False,) * tokens
    return ch.Capture(
        [Layer("layer", 0, 0, tuple(range(HEADS)), amap.shape, lambda: amap)],
        [ch.Tokens("".join(written), tuple(pieces), tuple(offsets), no, no)],
    )


def ask(connection: http.client.HTTPConnection, path: str) -> tuple[float, bytes]:
    """Seconds until the whole answer was there, and the answer."""
    start = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200, body
    return time.perf_counter() - start, body


def serve(tokens: int, tiles: int) -> dict[str, Any]:
    """Serve and ask: seconds of tiles by piece, by word, and while a pass goes on; the most memory."""
    before = held()
    reset_peak()
    capture = make(tokens)
    server = serving.ViewerServer([capture])
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.is_started:
        time.sleep(0.01)
    base = "/" + server.addresses[0].split("/", 3)[3]
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    ask(connection, f"{base}info")
    generator = torch.Generator().manual_seed(1)

    def finest(unit: str, *, during_pass: bool = False) -> list[float]:
        found = []
        count = Cells(capture, Lens(((0, 0),), "words" if unit == "words" else "pieces")).shape[0] // 256
        for number in range(tiles + 5):
            if during_pass and number % 20 == 0:
                ask(connection, f"{base}progress?heads=0.1&unit=pieces")
            head, y, x = (int(torch.randint(n, (1,), generator=generator)) for n in (HEADS, count, count))
            found.append(ask(connection, f"{base}tile?heads=0.{head}&unit={unit}&level=0&y={y}&x={x}")[0])
        return found[5:]

    times = {"pieces": finest("pieces"), "words": finest("words"), "busy": finest("pieces", during_pass=True)}
    top = max(0, (tokens - 1).bit_length() - 8)
    preview = ask(connection, f"{base}tile?heads=0.2&unit=pieces&level={top}&y=0&x=0")[0]
    statistic = ask(connection, f"{base}statistics?heads=0.3&unit=pieces")[0]
    kept = server.store.nbytes
    connection.close()
    server.stop()
    thread.join()
    found = {"times": times, "preview": preview, "statistic": statistic, "kept": kept, "capture": capture.nbytes}
    return {**found, "peak": peak() - before}


def overview(tokens: int, rounds: int) -> Timings:
    """Seconds of the pass over one head, by pieces and by words, and of the attention of one head."""
    capture = make(tokens).select(heads=0)
    amap: Any = capture.layers[0].map
    q, k = amap.q.clone(), amap.k.clone()
    v = torch.randn_like(k)
    pools = torch.get_num_threads()

    def run(unit: str) -> float:
        cells = Cells(capture, Lens(((0, 0),), "words" if unit == "words" else "pieces"))
        made = Pass(cells, 6)

        def work() -> None:
            while (band := made.take()) is not None:
                made.make(band)

        with ThreadPoolExecutor(pools, initializer=serving._prepare) as pool:
            for future in [pool.submit(work) for _ in range(pools)]:
                future.result()
        return float(made.mean.sum())

    attention = torch.nn.functional.scaled_dot_product_attention
    cases = {
        "SDPA": lambda: attention(q, k, v),
        "pieces": lambda: run("pieces"),
        "words": lambda: run("words"),
    }
    with torch.no_grad():
        attention(q[:, :, :64], k, v)
        return interleave(cases, rounds, warmups=0)


def measure(say: Say, *, quick: bool) -> Iterator[Result]:
    """All results, one by one."""
    tokens, tiles, rounds = (8192, 40, 2) if quick else (100_000, 400, 3)
    area = f"{tokens:,} tokens, {HEADS} heads"
    say(f"serving {area}")
    found = fresh("serving", "serve", tokens=tokens, tiles=tiles)
    names = {"pieces": "a finest tile", "words": "a finest tile by word", "busy": "a finest tile during a pass"}
    for kind, name in names.items():
        seconds = found["times"][kind]
        late = 1e3 * statistics.quantiles(seconds, n=20)[-1]
        middle = 1e3 * statistics.median(seconds)
        measured = f"{late:.3g} ms at the 95th percentile, median {middle:.3g} ms"
        target = f"≤ {TILE_TARGET:g} ms" if kind == "pieces" else "–"
        met = late <= TILE_TARGET if kind == "pieces" else None
        yield Result(f"{area}: {name}, {tiles} of them", measured, "HTTP on this computer", target, met)
    measured = f"{1e3 * found['preview']:.3g} ms; a thumbnail with statistics {1e3 * found['statistic']:.3g} ms"
    yield Result(f"{area}: preview of the whole", measured, "HTTP on this computer")
    more = f"{megabytes(found['peak'])}, {megabytes(found['kept'])} of it tiles that are kept (at most 536.9 MB)"
    yield Result(f"{area}: the most memory", more, f"q, k, LSE: {megabytes(found['capture'])}")
    say(f"the overview pass over {tokens:,} tokens")
    times = overview(tokens, rounds)
    for unit in ("pieces", "words"):
        ratio = times.ratio(unit, "SDPA")
        what = f"{tokens:,} tokens, one head: overview pass by {unit}, {times.median(unit)}"
        yield Result(
            what, str(ratio), f"SDPA: {times.median('SDPA')}", f"≤ {PASS_TARGET:g}×", ratio.median <= PASS_TARGET
        )
