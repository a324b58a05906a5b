"""The viewer's page.

One HTML file with all maps of a capture, against BertViz's head view of the same maps and tokens, which is the lighter
of its two views: MiniLM (6 layers of 12 heads) reads texts of 128 and 512 tokens. Both files are opened from disk in
a fresh headless Chromium of 1280 × 800 pixels without a GPU, in turn. BertViz loads require.js, d3 and jQuery from the
network; here it gets require.js 2.3.6 and d3 5.7.0, which it names, and jQuery 2.1.0, the nearest to its 2.0.0 that
npm has, from this machine, which takes no network's time. BertViz writes all weights twice, once into a comment of its
script, which names the template's marker too; that copy is taken out before size and time are measured, since Chromium
takes no script of more than 2²⁹ characters.

*First view* counts from the start of the navigation until the frame after the one in which the chosen view is there:
for BertViz the lines of the first layer, which it draws all at once; for clearhead the chosen head's map at the
resolution of the screen, and the thumbnails of the first layer. *Everything* is all 72 thumbnails as well. Longer than
512 tokens MiniLM cannot read, so the longer maps are of random q and k in the same shape. What BertViz gets for them is
limited in memory and time, and what came of it is said.

Frames are the times between two calls of requestAnimationFrame, while the wheel zooms into a map of 4,096 × 4,096, the
mouse drags it about at a pixel a weight and at single weights, and the wheel zooms out again: first over tiles that
were never seen (*cold*), then along the same way again (*warm*).
"""

from __future__ import annotations

import gzip
import itertools
import re
import resource
import shutil
import signal
import statistics
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

import clearhead as ch
from clearhead.capture.capture import Layer
from clearhead.views.page import write_page
from measure import Result, Say, Timings, fresh, megabytes

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
BUNDLE = Path(ch.__file__).parent / "views" / "bundle"
SENTENCE = "the animal did not cross the street because it was too tired and the road was very wide"  # a piece each
LAYERS, HEADS, WIDTH = 6, 12, 32

MOST_MEMORY = 12 * 2**30
MOST_SECONDS = 120
"""What BertViz may take, to write a page and to show it."""

# What BertViz's page asks the network for: the npm package, its version, and the file in it.
SCRIPTS = {
    "require.min.js": ("requirejs", "2.3.6", "package/require.js"),
    "d3.min.js": ("d3", "5.7.0", "package/dist/d3.min.js"),
    "jquery.min.js": ("jquery", "2.1.0", "package/dist/jquery.min.js"),
}

# Each is true where that much is drawn.
FIRST = """() => document.querySelector('canvas[role=grid]')?.dataset.waiting === 'false'
    && [...document.querySelectorAll('.thumbnail')].slice(0, %d).every((x) => x.dataset.waiting !== 'true')"""
EVERYTHING = """() => document.querySelector('canvas[role=grid]')?.dataset.waiting === 'false'
    && !document.querySelector('.thumbnail[data-waiting=true]')"""
LINES = "() => document.querySelectorAll('#vis > svg > g').length === 4"  # two texts, the lines, the heads' boxes
WATCH = """
window.seen = {};
for (const [name, isDrawn] of Object.entries({%s})) {
  const look = () => requestAnimationFrame(
    isDrawn() ? () => { window.seen[name] = performance.now() / 1000; } : look);
  requestAnimationFrame(look);
}
"""
COLLECT = """() => {
  window.frames_seen = [];
  const look = (now) => { window.frames_seen.push(now); window.next = requestAnimationFrame(look); };
  window.next = requestAnimationFrame(look);
}"""
COLLECTED = "() => { cancelAnimationFrame(window.next); return window.frames_seen; }"


# Captures and pages.


def text_of(tokens: int) -> str:
    """A text that MiniLM reads as so many tokens, two special ones included."""
    return " ".join(words(tokens - 2))


def words(count: int) -> list[str]:
    """The sentence over and over."""
    known = SENTENCE.split()
    return [known[i % len(known)] for i in range(count)]


def drawn(tokens: int) -> ch.Capture:
    """A capture in MiniLM's shape that no model made."""
    torch.manual_seed(0)
    layers = []
    for number in range(LAYERS):
        q, k = torch.randn(2, 1, HEADS, tokens, WIDTH)
        amap = ch.AttentionMap.from_qk(q, k)
        layers.append(Layer(f"layer.{number}", 0, number, tuple(range(HEADS)), amap.shape, lambda amap=amap: amap))
    return ch.Capture(layers, [ch.Tokens.from_pieces(words(tokens))])


def write_bertviz(capture: str, path: str, layers: int) -> dict[str, Any]:
    """Write BertViz's page of the first ``layers``; what happened, within the limits."""
    from bertviz import head_view

    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    signal.alarm(MOST_SECONDS)  # kills
    found = ch.open(capture)
    tokens = list(found.tokens[0].pieces)
    try:
        maps = [amap.dense() for amap in list(found.values())[:layers]]
        html = head_view(maps, tokens, html_action="return").data
        as_written = len(html)
        start = html.index("// HACK")  # the comment with the second copy
        html = html[:start] + html[html.index("\n", start) :]
        Path(path).write_text(f'<!doctype html><meta charset="utf-8">{html}', encoding="utf-8")
    except (MemoryError, RuntimeError) as error:
        return {"failed": f"out of memory at {megabytes(MOST_MEMORY)} ({type(error).__name__})"}
    return {"size": Path(path).stat().st_size, "as written": as_written}


def bertviz(capture: Path, path: Path, layers: int = LAYERS) -> dict[str, Any]:
    """``write_bertviz`` in a process of its own."""
    try:
        return fresh("viewer", "write_bertviz", capture=str(capture), path=str(path), layers=layers)
    except subprocess.CalledProcessError as error:
        if error.returncode == -signal.SIGALRM:
            return {"failed": f"no page within {MOST_SECONDS} s"}
        return {"failed": f"the process ended with {error.returncode}"}


# The browser.


def peers_scripts(folder: Path) -> dict[str, bytes]:
    """The scripts that BertViz's page names, from npm."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("BertViz's page needs d3, jQuery and require.js, which npm fetches; npm was not found")
    found = {}
    for name, (package, version, member) in SCRIPTS.items():
        subprocess.run([npm, "pack", f"{package}@{version}", "--silent"], cwd=folder, check=True, capture_output=True)
        with tarfile.open(folder / f"{package}-{version}.tgz") as archive:
            part = archive.extractfile(member)
            assert part is not None
            found[name] = part.read()
    return found


@contextmanager
def visit(address: str, scripts: dict[str, bytes], watched: dict[str, str]) -> Iterator[Any]:
    """A page in a browser of its own, which notes when each of ``watched`` was first true."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.route(re.compile("^https:"), lambda route: _serve(route, scripts))
            page.add_init_script(WATCH % ", ".join(f"{name}: {test}" for name, test in watched.items()))
            page.goto(address, wait_until="commit", timeout=1000 * MOST_SECONDS)
            yield page
        finally:
            browser.close()


def _serve(route: Any, scripts: dict[str, bytes]) -> None:
    script = scripts[route.request.url.rsplit("/", 1)[-1]]
    route.fulfill(body=script, content_type="text/javascript")


def opened(path: Path, scripts: dict[str, bytes], watched: dict[str, str]) -> dict[str, float]:
    """Seconds from the navigation until each of ``watched`` was true and drawn."""
    with visit(path.as_uri(), scripts, watched) as page:
        count = f"() => Object.keys(window.seen).length === {len(watched)}"
        page.wait_for_function(count, timeout=1000 * MOST_SECONDS)
        seen: dict[str, float] = page.evaluate("window.seen")
        return seen


def tried(path: Path, scripts: dict[str, bytes]) -> tuple[float | None, str]:
    """Seconds until BertViz's page is drawn, or None, and what is to be said of it."""
    from playwright.sync_api import Error
    from playwright.sync_api import TimeoutError as TooLate

    wrong: list[str] = []
    try:
        with visit(path.as_uri(), scripts, {"first": LINES}) as page:
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on("crash", lambda: wrong.append("the tab crashed"))
            page.wait_for_function("() => window.seen.first", timeout=1000 * MOST_SECONDS)
            seconds: float = page.evaluate("window.seen.first")
            return seconds, f"{seconds:.1f} s"
    except TooLate:
        return None, f"nothing drawn within {MOST_SECONDS} s" + "".join(f" ({x[:80]})" for x in wrong[:1])
    except Error as error:
        return None, (wrong or [str(error).splitlines()[0]])[0][:80]


def wheel(page: Any, place: tuple[float, float], step: int, times: int) -> None:
    """Turn the wheel at a place."""
    page.mouse.move(*place)
    for _ in range(times):
        page.mouse.wheel(0, step)


def drag(page: Any, place: tuple[float, float], way: tuple[int, int], steps: int) -> None:
    """Drag what is at a place, so far."""
    (x, y), (across, down) = place, way
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, steps + 1):
        page.mouse.move(x + across * step / steps, y + down * step / steps)
    page.mouse.up()


def frames(path: Path, moves: int) -> dict[str, list[float]]:
    """Milliseconds between frames while the map is moved about, cold and warm."""
    found = {}
    with visit(path.as_uri(), {}, {"everything": EVERYTHING}) as page:
        page.wait_for_function("() => window.seen.everything", timeout=1000 * MOST_SECONDS)
        box = page.locator("canvas[role=grid]").bounding_box()
        x, y = box["x"] + 110 + (box["width"] - 110) / 2, box["y"] + 110 + (box["height"] - 110) / 2
        for name in ("cold", "warm"):
            page.evaluate(COLLECT)
            wheel(page, (x, y), -60, moves // 4)  # to about a pixel a weight
            for way in ((-300, -150), (-300, 0), (300, 100), (0, 300)):
                drag(page, (x, y), way, moves // 4)
            wheel(page, (x, y), -60, moves // 2)  # to single weights
            drag(page, (x, y), (300, 150), moves // 4)
            wheel(page, (x, y), 60, moves)
            times = page.evaluate(COLLECTED)
            found[name] = [b - a for a, b in itertools.pairwise(times)]
            page.wait_for_function("() => document.querySelector('canvas[role=grid]').dataset.waiting === 'false'")
    return found


# The results.


def measure(say: Say, *, quick: bool) -> Iterator[Result]:
    """All results, one by one."""
    size = sum(len(gzip.compress(path.read_bytes())) for path in BUNDLE.iterdir())
    yield Result("the viewer's script and style, compressed", f"{size / 1e3:.1f} KB", "–", "≤ 200 KB", size <= 200_000)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scripts = peers_scripts(folder)
        for tokens in (32, 64) if quick else (128, 512):
            say(f"BertViz, {tokens} tokens")
            yield from against_bertviz(folder, scripts, tokens, 2 if quick else 5 if tokens < 512 else 3, say)
        yield from long(folder, scripts, 256 if quick else 2048, 2 if quick else 5, say)
        yield from moved(folder, 512 if quick else 4096, 40 if quick else 120, say)


def first(heads: int = HEADS) -> dict[str, str]:
    """What is watched on clearhead's page."""
    return {"first": FIRST % heads, "everything": EVERYTHING}


def against_bertviz(folder: Path, scripts: dict[str, bytes], tokens: int, rounds: int, say: Say) -> Iterator[Result]:
    """One text, in both pages."""
    capture = ch.look(text_of(tokens))
    assert len(capture.tokens[0].pieces) == tokens
    capture.save(folder / "capture.safetensors")
    ours, theirs = folder / "ours.html", folder / "theirs.html"
    write_page(capture, ours)
    written = bertviz(folder / "capture.safetensors", theirs)
    if "failed" in written:
        raise RuntimeError(f"BertViz at {tokens} tokens: {written['failed']}")
    what, limit = f"page of {tokens} tokens, {LAYERS} × {HEADS} heads", tokens >= 512
    times = Timings({"ours": [], "everything": [], "theirs": []})
    failed = ""
    for number in range(rounds):
        say(f"opening pages of {tokens} tokens, round {number + 1} of {rounds}")
        for case in ("ours", "theirs")[:: 1 if number % 2 else -1]:
            if case == "theirs":
                seconds, said = (None, failed) if failed else tried(theirs, scripts)  # it fails once, not every round
                failed = "" if seconds else said
                times[case].append(seconds or MOST_SECONDS)
            else:
                seen = opened(ours, scripts, first())
                times[case].append(seen["first"])
                times["everything"].append(seen["everything"])
    smaller = written["size"] / ours.stat().st_size
    size = f"{what}: size, {megabytes(ours.stat().st_size)}"
    goal = "≥ 20× smaller" if limit else "–"
    peer = f"BertViz: {megabytes(written['size'])} (as it comes {megabytes(written['as written'])})"
    yield Result(size, f"{smaller:.1f}× smaller", peer, goal, smaller >= 20 if limit else None)
    done = f"{what}: first view, {times.median('ours')} (everything, {times.median('everything')})"
    sooner = times.ratio("theirs", "ours")
    peer = f"BertViz: {f'{failed}; counted as {MOST_SECONDS} s' if failed else times.median('theirs')}"
    found = f"more than {sooner.median:.0f}×" if failed else str(sooner)
    yield Result(done, found, peer, "≥ 10×" if limit else "–", sooner.median >= 10 if limit else None)


def long(folder: Path, scripts: dict[str, bytes], tokens: int, rounds: int, say: Say) -> Iterator[Result]:
    """A page that BertViz cannot show."""
    capture = drawn(tokens)
    capture.save(folder / "capture.safetensors")
    ours, theirs = folder / "ours.html", folder / "theirs.html"
    write_page(capture, ours)
    said = []
    for layers in (LAYERS, 1):
        say(f"BertViz, {tokens:,} tokens, {layers} layers")
        theirs.unlink(missing_ok=True)
        written = bertviz(folder / "capture.safetensors", theirs, layers)
        what = written.get("failed") or f"{megabytes(written['size'])}, then {tried(theirs, scripts)[1]}"
        said.append(f"{'one layer alone' if layers == 1 else f'{layers} layers'}: {what}")
        if "failed" not in written and layers == LAYERS:
            break
    theirs.unlink(missing_ok=True)
    times = Timings({"first": [], "everything": []})
    for number in range(rounds):
        say(f"opening a page of {tokens:,} tokens, round {number + 1} of {rounds}")
        for name, seconds in opened(ours, scripts, first()).items():
            times[name].append(seconds)
    seconds = statistics.median(times["first"])
    what = f"page of {tokens:,} tokens, {megabytes(ours.stat().st_size)}: first view"
    done = f"{times.median('first')} (everything, {times.median('everything')})"
    yield Result(what, done, f"BertViz, {'; '.join(said)}", "≤ 2 s", seconds <= 2)


def moved(folder: Path, tokens: int, moves: int, say: Say) -> Iterator[Result]:
    """Panning and zooming."""
    say(f"panning and zooming over {tokens:,} tokens")
    write_page(drawn(tokens), folder / "ours.html")
    for name, found in frames(folder / "ours.html", moves).items():
        median, late = statistics.median(found), statistics.quantiles(found, n=20, method="inclusive")[-1]
        what = f"panning and zooming at {tokens:,} tokens, {name} tiles: {len(found)} frames"
        # A frame at 60 Hz is 16.67 ms, and two are 33.3: both are as good as the targets can be kept.
        is_met = round(median, 1) <= 16.7 and round(late) <= 33
        target = "median ≤ 16.7 ms, 95th percentile ≤ 33 ms"
        yield Result(what, f"{median:.1f} ms, {late:.1f} ms", f"most: {max(found):.0f} ms", target, is_met)
