"""A local server for the viewer: the page, and the answers to what it asks, for maps of any length.

Only this computer can reach it unless it is told otherwise, and only somebody who knows the random token in the address
gets an answer. Names of other hosts are refused (a site whose name points here must not read along), and so are
requests that other sites' pages make.
"""

from __future__ import annotations

import asyncio
import errno
import gzip
import ipaddress
import json
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from clearhead.analysis.cells import Cells, Groups, Lens, StoppedError, by_token, check_finite
from clearhead.capture import Capture, Tokens
from clearhead.errors import ClearheadError, InputError, MissingPackageError
from clearhead.maps.factored import FactoredMap
from clearhead.views.page import title_of
from clearhead.views.tiles import Pass, Store, Tile, base_level, coarse_tile, fine_tile, preview_tile, sides

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

__all__ = ["MEMORY", "ViewerServer"]

MEMORY = 512 * 2**20
"""Bytes of what was computed that are kept by default."""

_MOST_ROWS = 4096  # rows or columns that are summed for one question
_MOST_HEADS = 1024
_MOST_WEIGHTS = 2**31  # rows × columns × heads that are summed for one question: some seconds
# The same for a tile: the whole of one head of 100,000 tokens. It ends before where nobody waits for it any more.
_MOST_IN_TILE = 2**34
_MOST_QUERY = 8192  # characters of an address after the ?
_MOST_WAITING = 2048  # questions of one kind that wait for their turn
_MOST_CONNECTIONS = 1024
_MOST_STRANGERS = 256  # of these, that have not shown a token yet
_BURST, _A_SECOND = 2000.0, 500.0  # requests at once, and for long
_PATIENCE = 5.0  # seconds after which a pass that nobody asked about stops
_ASK_WITHIN = 10.0  # seconds that a client has for a request, from connecting or the request's first byte
_READ_WITHIN = 20.0  # seconds in which a client must have read something of an answer
_STOP_WITHIN = 2  # seconds that answers under way have when the server stops
_OPEN_PASSES = 4  # of a capture, that are worked on
_TRY_AGAIN = 30.0  # seconds after which a pass that failed may be begun again
_MOST_FAILED = 64  # of a capture, that are remembered

_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src data: blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class _RefusedError(Exception):
    """A request that gets a 4xx or 5xx, and why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class ViewerServer:
    """The viewer of one or several captures on a port of this computer.

    Args:
        captures: What is to be looked at; each gets an address of its own.
        host: The network address to listen on: 127.0.0.1 is reached from this computer only.
        port: 0 for any that is free.
        memory: How many bytes of what was computed are kept.

    Raises:
        InputError: The port is in use, the host is no address of this computer, or a capture holds no maps.
        NotFiniteError: A map is NaN.
        MissingPackageError: starlette or uvicorn is not installed.

    """

    def __init__(
        self, captures: Sequence[Capture], *, host: str = "127.0.0.1", port: int = 0, memory: int = MEMORY
    ) -> None:
        try:
            import starlette  # noqa: F401
            import uvicorn
        except ImportError:
            raise MissingPackageError(
                "the server needs starlette and uvicorn: pip install 'clearhead[serve]'"
            ) from None
        self.host = host
        self.store = Store(memory)
        self._rooms: dict[str, _Room] = {}
        self.add(captures)
        self._socket = _listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        # Whoever looks waits for the first kind of work; thumbnails and passes over long maps get what is left.
        self._lanes = {"soon": _Lane(2), "later": _Lane(1), "passes": _Lane(cores)}
        self._bucket = _Bucket()
        self._strangers: _Strangers = {}
        config = uvicorn.Config(
            self._app(),
            http=cast("Any", _protocol(self._strangers)),
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=_STOP_WITHIN,
        )
        self._server = uvicorn.Server(config)

    def add(self, captures: Sequence[Capture]) -> None:
        """Show these as well.

        Raises:
            InputError: A capture holds no maps.
            NotFiniteError: A map is NaN, for which the page has no sign.

        """
        for capture in captures:
            if not capture.layers:
                raise InputError("the capture holds no maps: there is nothing to look at")
            check_finite(capture)
        for capture in captures:
            self._rooms[secrets.token_urlsafe(24)] = _Room(capture, len(self._rooms), self.store, self._is_stopping)

    @property
    def addresses(self) -> list[str]:
        """Where each capture is shown, in order; whoever knows one may look."""
        host = self.host
        if host in ("0.0.0.0", "::", ""):  # noqa: S104  # what it listens on, and no address to go to
            host = "127.0.0.1" if host != "::" else "::1"
        host = f"[{host}]" if ":" in host else host
        return [f"http://{host}:{self.port}/{token}/" for token in self._rooms]

    @property
    def is_started(self) -> bool:
        """Whether it answers by now."""
        return self._server.started

    def run(self) -> None:
        """Answer until :meth:`stop`, or until Ctrl-C; then everything is closed."""
        try:
            self._server.run(sockets=[self._socket])
        except KeyboardInterrupt:
            pass  # the way to end it
        finally:
            self.close()

    def stop(self) -> None:
        """Let :meth:`run` return, from another thread."""
        self._server.should_exit = True

    def _is_stopping(self) -> bool:
        return self._server.should_exit

    def close(self) -> None:
        """Let go of the port, the captures and all that was computed."""
        self.stop()  # what is being computed ends at its next block
        self._socket.close()
        for lane in self._lanes.values():
            lane.executor.shutdown(wait=True, cancel_futures=True)
        self._rooms.clear()
        self.store.clear()

    # Requests.

    def _app(self) -> Starlette:
        from starlette.applications import Starlette
        from starlette.routing import Route

        async def handle(request: Request) -> Response:
            try:
                room = self._check(request)
                found = await self._answer(request, room)
            except _RefusedError as refused:
                found = _json({"error": refused.reason}, refused.status)
            except ClearheadError as error:
                found = _json({"error": str(error)}, 400)
            except (StoppedError, RuntimeError, asyncio.CancelledError):
                if not self._is_stopping():
                    raise
                found = _json({"error": "the server stops"}, 503)  # the pools are closed, or who was slow is cancelled
            found.headers.update(_HEADERS)
            return _packed(request, found)

        async def failed(request: Request, error: Exception) -> Response:
            del request
            found = _json({"error": f"{type(error).__name__}: {error}"}, 500)
            found.headers.update(_HEADERS)
            return found

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            tasks = [asyncio.create_task(self._work()) for _ in range(self._lanes["passes"].threads)]
            yield
            for task in tasks:
                task.cancel()

        methods = [
            "GET",
            "HEAD",
            "POST",
            "PUT",
            "PATCH",
            "DELETE",
            "OPTIONS",
        ]  # all but the first are refused with a reason
        return Starlette(
            routes=[Route("/{path:path}", handle, methods=methods)],
            lifespan=lifespan,
            exception_handlers={Exception: failed},
        )

    def _check(self, request: Request) -> _Room:
        """Refuse what should not be answered, whatever it asks; else the capture that it is about."""
        if request.method not in ("GET", "HEAD"):
            raise _RefusedError(405, f"there is nothing to {request.method}: ask with GET")
        hosts = request.headers.getlist("host")
        if len(hosts) != 1 or not self._is_here(hosts[0]):
            raise _RefusedError(403, "this server does not go by that name: use the address that it printed")
        origin = request.headers.get("origin")
        if origin is not None and origin not in (f"http://{hosts[0]}", f"https://{hosts[0]}"):
            raise _RefusedError(403, "pages of other sites get no answer here")
        is_page = request.url.path.count("/") == 2 and request.url.path.endswith("/")
        if not is_page and request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            raise _RefusedError(403, "pages of other sites get no answer here")
        room = self._room(request)
        self._strangers.pop(_client(request.scope), None)
        # Counted only now: strangers must not use up what whoever knows the address may ask.
        if not self._bucket.take():
            raise _RefusedError(429, "too many requests: wait a moment")
        if len(request.url.query) > _MOST_QUERY:
            raise _RefusedError(414, f"the question has more than {_MOST_QUERY} characters")
        if request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers:
            raise _RefusedError(413, "questions have no body")
        return room

    def _room(self, request: Request) -> _Room:
        """The capture whose token the address begins with."""
        token = request.url.path.removeprefix("/").partition("/")[0]
        room = None
        for known, found in self._rooms.items():
            if secrets.compare_digest(known.encode(), token.encode("utf-8", "replace")):
                room = found
        if room is None:
            raise _RefusedError(404, "there is nothing at this address: use the whole one that was printed")
        return room

    def _is_here(self, host: str) -> bool:
        """Whether a Host header names this server: by number, which no other site's name can stand for, or by name."""
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host
        if name.lower() in ("localhost", self.host.lower()):
            return True
        try:
            ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
        except ValueError:
            return False
        return True

    async def _answer(self, request: Request, room: _Room) -> Response:
        from starlette.responses import Response

        name = request.url.path.removeprefix("/").partition("/")[2]
        if name in _STATIC:
            return Response(_STATIC[name][1](room), media_type=_STATIC[name][0])
        if name not in _QUESTIONS:
            raise _RefusedError(404, f"there is nothing called {name[:40]!r} here")
        kind, question = _QUESTIONS[name]
        given = _Given(request.query_params)
        if kind == "now":
            return question(room, given)
        await request.body()
        lane = self._lanes[kind]
        if lane.waiting >= _MOST_WAITING:
            raise _RefusedError(503, "too many questions wait for an answer: wait a moment")
        lane.waiting += 1
        try:
            async with lane.turns:
                if self._is_stopping():
                    raise _RefusedError(503, "the server stops")
                if not await request.is_disconnected():
                    work = asyncio.get_running_loop().run_in_executor(lane.executor, question, room, given)
                    if await _is_wanted(request, work, given.is_over):
                        return work.result()
                return Response(status_code=499)  # which nobody reads
        finally:
            lane.waiting -= 1

    async def _work(self) -> None:
        """Make bands of the passes that somebody waits for."""
        loop, lane = asyncio.get_running_loop(), self._lanes["passes"]
        while True:
            taken = next((t for room in self._rooms.values() if (t := room.next_band()) is not None), None)
            if taken is None:
                await asyncio.sleep(0.05)
                continue
            room, lens, made, band = taken
            try:
                await loop.run_in_executor(lane.executor, made.make, band)
            except Exception as error:  # noqa: BLE001  # whatever it is, other passes go on
                room.fail(lens, error)


async def _is_wanted(request: Request, work: asyncio.Future[Response], is_over: threading.Event) -> bool:
    """Wait for an answer; where its client hangs up before it is there, stop computing it."""

    async def hang_up() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    gone = asyncio.create_task(hang_up())
    both: list[asyncio.Future[Any]] = [work, gone]
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return True
        is_over.set()
        await asyncio.wait([work])  # the turn ends when the thread is free
        work.exception()  # which nobody wants to know
    except asyncio.CancelledError:
        is_over.set()
        work.cancel()  # nobody is told how it ends: by then there may be no loop
        raise
    else:
        return False
    finally:
        gone.cancel()


class _Room:
    """One capture, and what was computed of it."""

    def __init__(self, capture: Capture, number: int, store: Store, is_stopping: Callable[[], bool]) -> None:
        self.capture, self.number, self.store, self.is_stopping = capture, number, store, is_stopping
        self.groups: dict[Hashable, Groups] = {}
        self.asked: dict[Lens, float] = {}  # the passes to work on, with the time when somebody last asked
        self.failed: dict[Lens, tuple[str, float]] = {}  # the passes that cannot be made, why, and since when

    def cells(self, lens: Lens, is_over: threading.Event | None = None) -> Cells:
        """What a lens shows, for as long as the server runs and the question is not over."""

        def keep(head: tuple[int, int], make: Callable[[], Tensor]) -> Tensor:
            key = (self.number, "factors", replace(lens, heads=(head,)))
            found: Tensor = self.store.ask(key, lambda: ((x := make()), x.nbytes))
            return found

        return Cells(
            self.capture,
            lens,
            self.groups,
            lambda: self.is_stopping() or (is_over is not None and is_over.is_set()),
            keep,
        )

    def begun(self, lens: Lens) -> Pass | None:
        """The pass over what a lens shows, if there is one."""
        found: Pass | None = self.store.get((self.number, "pass", lens))
        return found

    def finished(self, lens: Lens) -> Pass | None:
        """The pass over what a lens shows, if it is complete."""
        made = self.begun(lens)
        return made if made is not None and made.is_done else None

    def want(self, lens: Lens) -> tuple[int, int]:
        """Go on with the pass over what a lens shows; how many of its bands there are by now, and of how many."""
        made = self.begun(lens)
        if made is None:
            why, since = self.failed.get(lens, ("", -_TRY_AGAIN))
            if why and time.monotonic() - since < _TRY_AGAIN:
                raise _RefusedError(500, f"the overview could not be made: {why}")
            cells = self.cells(lens)
            made = Pass(cells, self.base(cells))
            # Kept from the beginning on, so that its bytes count.
            self.store.put((self.number, "pass", lens), made, made.nbytes)
        if not made.is_done:
            self.asked.pop(lens, None)
            self.asked[lens] = time.monotonic()
            _keep_latest(self.asked, _OPEN_PASSES)
        return made.done, made.of

    def base(self, cells: Cells) -> int:
        """The level that a pass pools to."""
        return base_level(cells.shape, self.store.most // 4)

    def next_band(self) -> tuple[_Room, Lens, Pass, int] | None:
        """A band to make, of the pass that was asked about last; None if nobody waits."""
        since = time.monotonic() - _PATIENCE
        for lens, asked in reversed(list(self.asked.items())):
            if asked <= since:
                break
            made = self.begun(lens)
            if made is not None and (band := made.take()) is not None:
                return self, lens, made, band
        return None

    def fail(self, lens: Lens, error: Exception) -> None:
        """Remember why a pass cannot be made."""
        self.asked.pop(lens, None)
        self.store.drop((self.number, "pass", lens))
        self.failed.pop(lens, None)
        self.failed[lens] = (f"{type(error).__name__}: {error}", time.monotonic())
        _keep_latest(self.failed, _MOST_FAILED)


def _keep_latest(known: dict[Lens, Any], most: int) -> None:
    while len(known) > most:
        del known[next(iter(known))]


class _Lane:
    """Threads for one kind of work, one operation of PyTorch in each at a time."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.waiting = 0
        self.turns = asyncio.Semaphore(threads)
        self.executor = ThreadPoolExecutor(threads, "clearhead", initializer=_prepare)


def _prepare() -> None:
    """What each thread that computes begins with."""
    torch.set_num_threads(1)
    # Weights below 1e-38 are 0 here: numbers that processors call denormal take forty times as long.
    torch.set_flush_denormal(True)


class _Bucket:
    """So many requests at once, and so many a second for long."""

    def __init__(self) -> None:
        self._left, self._at = _BURST, time.monotonic()

    def take(self) -> bool:
        """Whether there may be one more."""
        now = time.monotonic()
        self._left, self._at = min(_BURST, self._left + (now - self._at) * _A_SECOND), now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class _Given:
    """The parameters of a question, each checked, and whether it is over: nobody waits for its answer."""

    def __init__(self, given: Any) -> None:
        self.is_over = threading.Event()
        self._given: Mapping[str, str] = given
        for name, times in ((name, len(given.getlist(name))) for name in given):
            if times > 1:
                raise _RefusedError(400, f"{name[:40]} is given {times} times")

    def number(self, name: str, most: int = 2**31) -> int:
        """A whole number from 0 to below ``most``."""
        text = self._given.get(name, "")
        if not (text.isascii() and text.isdigit()) or len(text) > 10 or int(text) >= most:
            raise _RefusedError(400, f"{name} is a whole number from 0 to {most - 1}; got {text[:40]!r}")
        return int(text)

    def span(self, start: str, stop: str, most: int) -> range:
        """From one number to another, the second not included, at least one."""
        first, last = self.number(start, most), self.number(stop, most + 1)
        if not first < last:
            raise _RefusedError(400, f"{stop} is above {start}; got {first} and {last}")
        if last - first > _MOST_ROWS:
            raise _RefusedError(400, f"at most {_MOST_ROWS} pieces or words are taken together; got {last - first}")
        return range(first, last)

    def has(self, name: str) -> bool:
        """Whether it is given."""
        return name in self._given

    def lens(self) -> Lens:
        """Through what the weights are seen."""
        unit, hide = (cast("Any", self._given.get(x, y)) for x, y in (("unit", "words"), ("hide", "nothing")))
        if unit not in ("words", "pieces"):
            raise _RefusedError(400, f"unit is words or pieces; got {unit[:40]!r}")
        if hide not in ("nothing", "special", "first"):
            raise _RefusedError(400, f"hide is nothing, special or first; got {hide[:40]!r}")
        heads = []
        for text in self._given.get("heads", "").split(","):
            layer, dot, head = text.partition(".")
            if not dot or not all(x.isascii() and x.isdigit() and len(x) < 10 for x in (layer, head)):
                raise _RefusedError(400, f"heads are written layer.head, with commas between; got {text[:40]!r}")
            heads.append((int(layer), int(head)))
        if len(heads) > _MOST_HEADS:
            raise _RefusedError(400, f"at most {_MOST_HEADS} heads are averaged")
        for twice in (head for number, head in enumerate(heads) if head in heads[:number]):
            raise _RefusedError(400, f"the head {twice[0]}.{twice[1]} is given twice")
        return Lens(tuple(heads), unit, hide, self.number("text") if self.has("text") else 0)


# What can be asked.


def _floats(*tensors: Tensor, numbers: Sequence[int] = ()) -> Response:
    """Whole numbers (unsigned, 4 bytes) and then float32, all little-endian."""
    from starlette.responses import Response

    head = torch.tensor(numbers, dtype=torch.int32).numpy().astype("<i4").tobytes()
    data = b"".join(x.contiguous().numpy().astype("<f4", copy=False).tobytes() for x in tensors)
    return Response(head + data, media_type="application/octet-stream")


def _json(data: Any, status: int = 200) -> Response:
    from starlette.responses import Response

    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return Response(text.encode("utf-8", "replace"), status, media_type="application/json")


def _info(room: _Room, given: _Given) -> Response:
    del given
    capture = room.capture
    many = {layer.number for layer in capture.layers if layer.call}
    layers = []
    for layer in capture.layers:
        amap = by_token(layer)
        described = {
            "path": layer.path,
            "call": layer.call,
            "number": layer.number,
            "heads": layer.heads,
            "label": f"L{layer.number}" + (f"@{layer.call}" if layer.number in many else ""),
            "queries": amap.shape[2],
            "keys": amap.shape[3],
            "hasProducts": isinstance(amap, FactoredMap),
            "sides": [None if side is None else [side.of, side.first] for side in capture.sides(layer)],
        }
        layers.append(described)
    texts = {"tokens": _sent(capture.tokens), "source_tokens": _sent(capture.source_tokens)}
    pictures = None if capture.pictures is None else [picture.to_json() for picture in capture.pictures]
    batch = min(by_token(layer).shape[0] for layer in capture.layers)
    title = str(capture.provenance.get("model") or "a model")
    provenance = _finite(json.loads(json.dumps(capture.provenance, default=str)))
    return _json(
        {
            "title": title,
            "provenance": provenance,
            "layers": layers,
            "texts": texts,
            "pictures": pictures,
            "batch": batch,
        }
    )


def _sent(texts: list[Tokens] | None) -> list[dict[str, Any]] | None:
    """Tokens and words; marks as the numbers of those that have them, which are few."""
    if texts is None:
        return None
    return [
        {
            "pieces": text.pieces,
            "special": [n for n, is_special in enumerate(text.special) if is_special],
            "word_of": text.word_of,
            "words": text.words,
            "word_special": [n for n, is_special in enumerate(text.word_special) if is_special],
        }
        for text in texts
    ]


def _rows(room: _Room, given: _Given) -> Response:
    cells = room.cells(given.lens(), given.is_over)
    rows = given.span("from", "to", cells.shape[0])
    _check_work(len(rows), cells.shape[1], len(cells.lens.heads))
    return _floats(cells.mean_of_rows(rows))


def _columns(room: _Room, given: _Given) -> Response:
    cells = room.cells(given.lens(), given.is_over)
    columns = given.span("from", "to", cells.shape[1])
    _check_work(cells.shape[0], len(columns), len(cells.lens.heads))
    return _floats(cells.sum_of_columns(columns))


def _check_work(rows: int, columns: int, heads: int, most: int | None = None) -> None:
    most = _MOST_WEIGHTS if most is None else most
    if rows * columns * heads > most:
        raise _RefusedError(
            400,
            f"at most {most:,} weights are summed for one question; {rows:,} rows × {columns:,} columns × "
            f"{heads:,} heads are more: choose fewer",
        )


def _tile(room: _Room, given: _Given) -> Response:
    lens = given.lens()
    at = (given.number("level", 64), given.number("y"), given.number("x"))
    key = (room.number, "tile", lens, at)
    tile: Tile | None = room.store.get(key)
    if tile is None:
        tile = _made(room, lens, at, given.is_over)
        if not tile.sampled:
            room.store.put(key, tile, tile.mean.nbytes + tile.max.nbytes)
    numbers = (*tile.mean.shape, tile.sampled, int(at[0] > 0))
    return _floats(tile.mean, *([tile.max] if at[0] else []), numbers=numbers)


def _made(room: _Room, lens: Lens, at: tuple[int, int, int], is_over: threading.Event) -> Tile:
    made = room.finished(lens)
    if made is not None and at[0] >= made.level:
        return coarse_tile(made, *at)
    cells = room.cells(lens, is_over)
    is_fine = at[0] < room.base(cells)
    rows, columns = sides(cells.shape, *at)
    # A preview is of one row for each row of pixels.
    _check_work(len(rows) if is_fine else -(-len(rows) // 2 ** at[0]), len(columns), len(lens.heads), _MOST_IN_TILE)
    if is_fine:
        return fine_tile(cells, *at)
    key = (room.number, "preview", lens, at)
    return cast("Tile", room.store.ask(key, lambda: ((x := preview_tile(cells, *at)), 2 * x.mean.nbytes)))


def _progress(room: _Room, given: _Given) -> Response:
    done, of = room.want(given.lens())
    return _json({"done": done, "of": of})


def _products(room: _Room, given: _Given) -> Response:
    layer, head = given.number("layer", max(1, len(room.capture.layers))), given.number("head")
    amap = by_token(room.capture.layers[layer])
    batch, heads, queries, keys = amap.shape
    if head >= heads:
        raise _RefusedError(400, f"layer {layer} has the heads 0 to {heads - 1}")
    text, query, key = given.number("text", batch), given.number("query", queries), given.number("key", keys)
    products = None
    if isinstance(amap, FactoredMap):
        shared = head // (heads // amap.k.shape[1])
        pair = amap.q[text, head, query].to(amap.dtype) * amap.k[text, shared, key].to(amap.dtype)
        products = (pair * amap.rule.scale).tolist()
    return _json(_finite({"products": products, "weight": float(amap[text, head, query, key])}))


def _looks(room: _Room, given: _Given) -> Response:
    lens = given.lens()
    shape = room.cells(lens).shape
    query = given.span("from", "to", shape[0])
    key = given.span("first", "last", shape[1]) if given.has("first") else None
    like = by_token(room.capture.layers[lens.heads[0][0]]).shape
    heads = [
        (number, head)
        for number, layer in enumerate(room.capture.layers)
        if by_token(layer).shape[2:] == like[2:]
        for head in range(len(layer.heads))
    ]
    _check_work(len(query), shape[1] if key is None else len(key), len(heads))
    found = []
    for number, head in heads:
        cells = room.cells(Lens(((number, head),), lens.unit, lens.hide, lens.text), given.is_over)
        weight, at = cells.look(query, key)
        found.append({"head": [number, head], "weight": weight, "key": at})
    return _json(_finite(found))


def _statistics(room: _Room, given: _Given) -> Response:
    lens = given.lens()

    def make() -> tuple[Any, int]:
        found = room.cells(lens, given.is_over).statistics()
        numbers = torch.tensor([found.entropy, found.distance, found.first, found.previous])
        return (found, numbers), found.thumbnail.nbytes + 256

    found, numbers = room.store.ask((room.number, "statistics", lens), make)
    return _floats(numbers, found.thumbnail, numbers=(*found.sampled, *found.thumbnail.shape))


def _finite(data: Any) -> Any:
    """JSON has no NaN: such numbers are null."""
    if isinstance(data, float):
        return data if data - data == 0 else None
    if isinstance(data, dict):
        return {name: _finite(value) for name, value in data.items()}
    return [_finite(value) for value in data] if isinstance(data, list) else data


_QUESTIONS: dict[str, tuple[str, Callable[[_Room, _Given], Response]]] = {
    "info": ("soon", _info),
    "rows": ("soon", _rows),
    "columns": ("soon", _columns),
    "tile": ("soon", _tile),
    "products": ("soon", _products),
    "looks": ("soon", _looks),
    "statistics": ("later", _statistics),
    "progress": ("now", _progress),
}


def _page(room: _Room) -> str:
    return f"""<!doctype html>
<html lang="en" data-host="server">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title_of(room.capture)} – clearhead</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="viewer.css">
<script type="module" src="viewer.js"></script>
</head>
<body>
<div id="clearhead">This page draws attention maps with JavaScript.</div>
</body>
</html>
"""


def _bundled(name: str, more: str, room: _Room) -> str:
    del room
    return (files("clearhead.views") / "bundle" / name).read_text(encoding="utf-8") + more


_STATIC: dict[str, tuple[str, Callable[[_Room], str]]] = {
    "": ("text/html", _page),
    "viewer.js": ("text/javascript", partial(_bundled, "viewer.js", "")),
    "viewer.css": (
        "text/css",
        partial(_bundled, "viewer.css", "html, body, #clearhead { height: 100%; margin: 0; }"),
    ),
}


def _packed(request: Request, found: Response) -> Response:
    """Compressed where that pays: over a network, and if it gets much smaller."""
    client = request.scope.get("client") or ("",)
    if client[0] in ("127.0.0.1", "::1") or "gzip" not in request.headers.get("accept-encoding", ""):
        return found
    data = bytes(found.body)
    if len(data) < 2048 or len(gzip.compress(data[:16384], 1)) > 0.7 * len(data[:16384]):
        return found
    found.body = gzip.compress(data, 1)
    more = {"Content-Encoding": "gzip", "Content-Length": f"{len(found.body)}", "Vary": "Accept-Encoding"}
    found.headers.update(more)
    return found


# The network.


def _listen(host: str, port: int) -> socket.socket:
    try:
        place = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot listen on {host!r}, port {port}: {reason}") from None
    found = socket.socket(place[0], socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":  # where it would let two servers share a port
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(place[4])
        found.listen(1024)
    except OSError as error:
        found.close()
        if error.errno == errno.EADDRINUSE:
            raise InputError(f"port {port} is in use: choose another, or 0 for any that is free") from None
        raise InputError(f"cannot listen on {host!r}, port {port}: {error.strerror or error}") from None
    return found


_Strangers = dict[tuple[str, int] | None, asyncio.Transport]
"""The connections that have shown no token yet, by the client's address, the oldest first."""


def _client(scope: Mapping[str, Any]) -> tuple[str, int] | None:
    """Who asks: the address and port at the other end of the connection."""
    client = scope.get("client")
    return None if client is None else (client[0], client[1])


def _protocol(strangers: _Strangers) -> type[H11Protocol]:
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Impatient(H11Protocol):
        """HTTP that hangs up on whoever is slow to ask or to read.

        Of those who have shown no token it keeps some, and hangs up on the oldest when more come: whoever knows the
        address always finds a place.
        """

        _asking: asyncio.TimerHandle | None = None
        _reading: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            transport.set_write_buffer_limits(0)
            self._asking = self.loop.call_later(_ASK_WITHIN, transport.abort)
            strangers[self.client] = transport
            while len(strangers) > _MOST_STRANGERS:
                strangers.pop(next(iter(strangers))).abort()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            for timer in (self._asking, self._reading):
                if timer is not None:
                    timer.cancel()
            if strangers.get(self.client) is self.transport:
                del strangers[self.client]

        def data_received(self, data: bytes) -> None:
            before: RequestResponseCycle | None = self.cycle
            super().data_received(data)
            is_new = self.cycle is not before
            if is_new or (before is not None and not before.response_complete):
                if self._asking is not None:
                    self._asking.cancel()
                    self._asking = None
            elif self._asking is None:  # a part of a request, or of a body that nobody reads
                self._asking = self.loop.call_later(_ASK_WITHIN, self.transport.abort)

        # The transport calls these when it keeps something that the client has not taken, and when all is taken.

        def pause_writing(self) -> None:
            super().pause_writing()
            self._watch_reading()

        def resume_writing(self) -> None:
            super().resume_writing()
            if self._reading is not None:
                self._reading.cancel()

        def _watch_reading(self, before: int | None = None) -> None:
            """Hang up unless ever less remains to be taken."""
            left = self.transport.get_write_buffer_size()
            if before is not None and left >= before:
                self.transport.abort()
            else:
                self._reading = self.loop.call_later(_READ_WITHIN, self._watch_reading, left)

        def shutdown(self) -> None:
            super().shutdown()
            self.loop.call_later(_STOP_WITHIN / 2, self.transport.abort)

    return Impatient
