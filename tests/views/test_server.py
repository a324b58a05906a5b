"""The viewer's server, as it answers on a real port."""

from __future__ import annotations

import gc
import http.client
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from browser import Visit, chromium
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import clearhead as ch
from clearhead.analysis.cells import Cells, Lens
from clearhead.capture.capture import Layer
from clearhead.errors import InputError, NotFiniteError
from clearhead.maps.factored import FactoredMap
from clearhead.views import server as module
from clearhead.views.server import ViewerServer
from clearhead.views.tiles import Pass
from serving import serving

SIZE = 1031


def capture_of(size: int = SIZE, *, seed: int = 0, layers: int = 2) -> ch.Capture:
    torch.manual_seed(seed)
    made = []
    for number in range(layers):
        q, k = torch.randn(1, 2, size, 5), torch.randn(1, 1, size, 5)
        amap = ch.AttentionMap.from_qk(q, k, causal=True)
        made.append(Layer(f"layer{number}", 0, number, (0, 1), amap.shape, lambda amap=amap: amap))
    pieces = ["[CLS]", *(f"w{n}" for n in range(size - 1))]
    tokens = ch.Tokens.from_pieces(pieces, [n == 0 for n in range(size)])
    return ch.Capture(made, [tokens], {"model": f"model <{seed}>"})


@pytest.fixture(scope="module")
def capture() -> ch.Capture:
    return capture_of()


@pytest.fixture(scope="module")
def server(capture: ch.Capture) -> Iterator[ViewerServer]:
    with serving(capture, capture_of(509, seed=1)) as made:
        yield made


def ask(
    server: ViewerServer, path: str, headers: dict[str, str] | None = None, *, method: str = "GET", number: int = 0
) -> tuple[int, bytes, Any]:
    """Status, body and headers; ``path`` is what follows the address."""
    base = "/" + server.addresses[number].split("/", 3)[3]
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request(method, path if path.startswith("/") else base + path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def floats(data: bytes, whole: int = 0) -> tuple[tuple[int, ...], torch.Tensor]:
    return struct.unpack(f"<{whole}i", data[: 4 * whole]), torch.tensor(np.frombuffer(data[4 * whole :], "<f4").copy())


def test_every_answer_is_what_python_has(server: ViewerServer, capture: ch.Capture) -> None:
    whole = capture["layer1"][0, 1]
    lens = "heads=1.1&unit=pieces"
    (rows, columns, sampled, has_max), found = floats(ask(server, f"tile?{lens}&level=0&y=2&x=1")[1], 4)
    assert (rows, columns, sampled, has_max) == (256, 256, 0, 0)
    torch.testing.assert_close(found.view(256, 256), whole[512:768, 256:512])
    (rows, columns, _, has_max), found = floats(ask(server, f"tile?{lens}&level=3&y=0&x=0")[1], 4)
    assert (rows, columns, has_max) == (129, 129, 1)
    mean, most = found.view(2, 129, 129)
    torch.testing.assert_close(mean[5, 3], whole[40:48, 24:32].mean())
    torch.testing.assert_close(most[5, 3], whole[40:48, 24:32].max())
    torch.testing.assert_close(floats(ask(server, f"rows?{lens}&from=3&to=9")[1])[1], whole[3:9].mean(0))
    torch.testing.assert_close(floats(ask(server, f"columns?{lens}&from=3&to=9")[1])[1], whole[:, 3:9].sum(1))
    looks = json.loads(ask(server, f"looks?{lens}&from=7&to=8&first=2&last=4")[1])
    assert [look["head"] for look in looks] == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert looks[3]["weight"] == pytest.approx(float(whole[7, 2:4].sum()), abs=1e-6)
    pair = json.loads(ask(server, "products?layer=1&head=1&text=0&query=9&key=4")[1])
    amap: Any = capture["layer1"]
    assert pair["weight"] == pytest.approx(float(whole[9, 4]))
    assert pair["products"] == pytest.approx((amap.q[0, 1, 9] * amap.k[0, 0, 4] * 5**-0.5).tolist(), abs=1e-6)
    (count, of, *side), numbers = floats(ask(server, f"statistics?{lens}")[1], 4)
    statistics = Cells(capture, Lens(((1, 1),), "pieces")).statistics()
    assert (count, of, side) == (96, SIZE, [48, 48])
    assert numbers[:2].tolist() == pytest.approx([statistics.entropy, statistics.distance])
    info = json.loads(ask(server, "info")[1])
    assert info["texts"]["tokens"][0]["pieces"][:2] == ["[CLS]", "w0"]
    assert info["texts"]["tokens"][0]["special"] == [0]
    assert [layer["label"] for layer in info["layers"]] == ["L0", "L1"]


def test_a_long_map_shows_a_preview_until_its_pass_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "base_level", lambda shape, most: 2)
    may_go_on = threading.Event()
    make = Pass.make
    monkeypatch.setattr(Pass, "make", lambda made, band: may_go_on.wait(30) and make(made, band))
    with serving(capture := capture_of()) as server:
        question = "heads=0.1&unit=pieces"
        assert json.loads(ask(server, f"progress?{question}")[1]) == {"done": 0, "of": 5}
        (_, _, sampled, _), _ = floats(ask(server, f"tile?{question}&level=3&y=0&x=0")[1], 4)
        assert sampled == 129
        (_, _, sampled, _), _ = floats(ask(server, f"tile?{question}&level=1&y=0&x=0")[1], 4)
        assert sampled == 0  # fine levels wait for nothing
        may_go_on.set()
        while (now := json.loads(ask(server, f"progress?{question}")[1]))["done"] < now["of"]:
            time.sleep(0.02)
        (_, _, sampled, _), found = floats(ask(server, f"tile?{question}&level=3&y=0&x=0")[1], 4)
    assert sampled == 0
    torch.testing.assert_close(found.view(2, 129, 129)[0, 100, 7], capture["layer0"][0, 1][800:808, 56:64].mean())


def test_a_pass_that_nobody_asks_about_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.0)
    monkeypatch.setattr(module, "base_level", lambda shape, most: 2)
    with serving(capture_of()) as server:
        ask(server, "progress?heads=0.1")
        time.sleep(0.3)
        assert json.loads(ask(server, "progress?heads=0.1")[1])["done"] == 0


def test_two_captures_have_an_address_each(server: ViewerServer) -> None:
    one, two = (json.loads(ask(server, "info", number=number)[1]) for number in (0, 1))
    assert (one["title"], two["title"]) == ("model <0>", "model <1>")
    assert (one["layers"][0]["keys"], two["layers"][0]["keys"]) == (SIZE, 509)
    assert "model &lt;1&gt;" in ask(server, "", number=1)[1].decode()
    tiles = [ask(server, "tile?heads=0.0&level=0&y=0&x=0", number=number)[1] for number in (0, 1)]
    assert tiles[0] != tiles[1]


@pytest.mark.parametrize(
    ("path", "headers", "status", "says"),
    [
        ("/", {}, 404, "the whole one"),
        ("/wrong-token/info", {}, 404, "the whole one"),
        ("/%E2%82%AC/info", {}, 404, "the whole one"),
        ("info", {"Host": "example.org"}, 403, "by that name"),
        ("info", {"Host": "127.0.0.1.example.org:80"}, 403, "by that name"),
        ("info", {"Host": ""}, 403, "by that name"),
        ("info", {"Origin": "https://example.org"}, 403, "other sites"),
        ("info", {"Origin": "null"}, 403, "other sites"),
        ("info", {"Sec-Fetch-Site": "cross-site"}, 403, "other sites"),
        ("info", {"Content-Length": "5"}, 413, "no body"),
        ("info?" + "x" * 9000, {}, 414, "more than 8192"),
        ("secrets", {}, 404, "nothing called 'secrets'"),
        ("../../etc/passwd", {}, 404, ""),
        ("tile", {}, 400, "layer.head"),
        ("tile?heads=0.0&level=0&y=0&x=99", {}, 400, "no tile 0/99"),
        ("tile?heads=0.0&level=99&y=0&x=0", {}, 400, "level is a whole number"),
        ("tile?heads=0.0&level=-1&y=0&x=0", {}, 400, "level is a whole number"),
        ("tile?heads=0.0&level=0&level=1&y=0&x=0", {}, 400, "2 times"),
        ("tile?heads=0.7&level=0&y=0&x=0", {}, 400, "no head 7"),
        ("rows?heads=0.0&from=5&to=5", {}, 400, "to is above from"),
        ("rows?heads=0.0&from=0&to=1032", {}, 400, ""),
        ("rows?heads=0.0,1.1,0.0&from=0&to=1", {}, 400, "the head 0.0 is given twice"),
        ("rows?heads=0.0&from=0&to=1&unit=letters", {}, 400, "words or pieces"),
        ("rows?heads=0.0&from=0&to=1&hide=all", {}, 400, "nothing, special or first"),
        ("rows?heads=0.0&from=0&to=1&text=3", {}, 400, "no text 3"),
        ("products?layer=0&head=2&text=0&query=0&key=0", {}, 400, "heads 0 to 1"),
        ("products?layer=0&head=0&text=0&query=0&key=1031", {}, 400, "from 0 to 1030"),
    ],
)
def test_what_is_wrong_is_refused_with_a_reason(
    path: str, headers: dict[str, str], status: int, says: str, server: ViewerServer
) -> None:
    found, body, sent = ask(server, path, headers)
    assert (found, says in json.loads(body)["error"]) == (status, True), body
    assert sent["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_there_is_only_get(method: str, server: ViewerServer) -> None:
    assert ask(server, "info", method=method)[0] == 405


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:8000", "LOCALHOST"])
def test_this_computer_goes_by_its_names(host: str, server: ViewerServer) -> None:
    assert ask(server, "info", {"Host": host, "Origin": f"http://{host}"})[0] == 200


def test_the_page_brings_only_what_it_came_with(server: ViewerServer) -> None:
    status, body, headers = ask(server, "")
    assert status == 200
    assert b'data-host="server"' in body
    policy = headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert ask(server, "viewer.js")[2]["Content-Type"].startswith("text/javascript")
    assert ask(server, "viewer.css")[0] == 200


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="# "), max_size=40),
    query=st.dictionaries(
        st.sampled_from(["heads", "level", "y", "x", "from", "to", "unit", "hide", "text", "first", "last"]),
        st.one_of(
            st.integers(-5, 2**40).map(str), st.sampled_from(["0.0", "1.1,0.0", "words", "", "0.-1", "%00", "²"])
        ),
    ),
    name=st.sampled_from(["tile", "rows", "columns", "looks", "statistics", "progress", "products", ""]),
    header=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
)
def test_no_path_or_header_is_an_error_of_the_server(
    server: ViewerServer, path: str, query: dict[str, str], name: str, header: str
) -> None:
    asked = "&".join(f"{key}={value}" for key, value in query.items()).encode().decode("latin-1")
    with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
        base = "/" + server.addresses[0].split("/", 3)[3]
        for target in (f"/{path}", f"{base}{name}?{asked}", f"{base}{path}"):
            text = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Any: {header}\r\nAccept-Encoding: {header}\r\n\r\n"
            connection.sendall(text.encode("latin-1"))
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            body = answer.read()
            assert answer.status == 200 or 400 <= answer.status < 500, body
            if answer.getheader("connection") == "close":
                break
    assert ask(server, "info")[0] == 200


def test_two_hundred_clients_at_once(capture: ch.Capture) -> None:
    whole = capture["layer0"].dense()[0, 1]
    with serving(capture, memory=16 * 2**20) as server, ThreadPoolExecutor(200) as pool:
        places = [(n % 5, n // 5 % 5) for n in range(200)]
        found = list(pool.map(lambda at: ask(server, f"tile?heads=0.1&level=0&y={at[0]}&x={at[1]}"), places))
        assert server.store.nbytes <= 16 * 2**20
    assert [status for status, _, _ in found] == [200] * 200
    for (y, x), (_, body, _) in list(zip(places, found, strict=True))[::7]:
        (rows, columns, _, _), numbers = floats(body, 4)
        wanted = whole[y * 256 : (y + 1) * 256, x * 256 : (x + 1) * 256]
        torch.testing.assert_close(numbers.view(rows, columns), wanted)


def test_what_was_computed_is_bounded(capture: ch.Capture) -> None:
    with serving(capture, memory=2**20) as server:
        for n in range(25):
            ask(server, f"tile?heads=0.1&level=0&y={n % 5}&x={n // 5}")
            assert server.store.nbytes <= 2**20
        assert server.store.nbytes > 2**19


def test_too_many_requests_are_told_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BURST", 5.0)
    monkeypatch.setattr(module, "_A_SECOND", 0.0)
    with serving(capture_of(7)) as server:
        found = [ask(server, "info")[0] for _ in range(8)]
    assert found == [200] * 5 + [429] * 3


def test_strangers_use_up_nothing_of_what_the_owner_may_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BURST", 2.0)
    monkeypatch.setattr(module, "_A_SECOND", 0.0)
    with serving(capture_of(7)) as server:
        found = [ask(server, "/wrong-token/info")[0] for _ in range(3)]
        found += [ask(server, "info", {"Host": "example.org"})[0] for _ in range(3)]
        found += [ask(server, "info")[0] for _ in range(3)]
    assert found == [404] * 3 + [403] * 3 + [200, 200, 429]


def connect(server: ViewerServer, text: str = "") -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # little is on its way to who does not read
    connection.settimeout(20)
    connection.connect(("127.0.0.1", server.port))
    connection.sendall(text.encode())
    return connection


def question(server: ViewerServer, path: str) -> str:
    return f"GET /{server.addresses[0].split('/', 3)[3]}{path} HTTP/1.1\r\nHost: localhost\r\n\r\n"


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < until, "it never is"
        time.sleep(0.01)


WRONG = "GET /wrong HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_slow_and_killed_clients_hold_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_CONNECTIONS", 30)
    monkeypatch.setattr(module, "_MOST_STRANGERS", 20)
    with serving(capture_of(257)) as server:
        # Some say nothing, some stop in the middle of their first request, some in their second.
        beginnings = ("", "GET / HTTP/1.1\r\nHo", WRONG + "GET /y HTTP/1.1\r\nX: ")
        slow = [connect(server, beginnings[number % 3]) for number in range(60)]
        assert ask(server, "tile?heads=0.1&level=0&y=0&x=0")[0] == 200
        for number, connection in enumerate(slow):
            if number % 2:  # killed: the system answers with a reset
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        assert ask(server, "info")[0] == 200


def test_whoever_stops_in_the_middle_of_a_later_request_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ASK_WITHIN", 0.6)
    with serving(capture_of(7)) as server:
        for first in (WRONG, question(server, "info")):
            with connect(server, first) as connection:
                answer = http.client.HTTPResponse(connection)
                answer.begin()
                answer.read()
                connection.sendall(b"GET /y HTTP/1.1\r\nX: ")
                assert connection.recv(1000) == b""
        # Whoever goes on asking is not.
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        for _ in range(4):
            connection.request("GET", "/wrong")
            connection.getresponse().read()  # raises where the connection was closed
            time.sleep(0.25)
        connection.close()


def test_whoever_does_not_read_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_READ_WITHIN", 0.2)
    with serving(capture_of()) as server:
        with connect(server, 50 * question(server, "tile?heads=0.0&level=0&y=3&x=0")) as connection:
            assert connection.recv(1)
            wait_until(lambda: not server._server.server_state.connections)
        assert ask(server, "info")[0] == 200


def test_whoever_connects_and_asks_nothing_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ASK_WITHIN", 0.2)
    with serving(capture_of(7)) as server, socket.create_connection(("127.0.0.1", server.port), 30) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        connection.settimeout(20)
        assert connection.recv(1000) == b""


def test_what_nobody_waits_for_any_more_is_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    computed = []
    entered, may_go_on = threading.Event(), threading.Event()
    tile = module._made

    def made(room: Any, lens: Lens, at: tuple[int, int, int], is_over: threading.Event) -> Any:
        computed.append(at)
        entered.set()
        may_go_on.wait(30)
        return tile(room, lens, at, is_over)

    monkeypatch.setattr(module, "_made", made)
    with serving(capture_of()) as server:
        base = "/" + server.addresses[0].split("/", 3)[3]

        def begin(x: int) -> socket.socket:
            connection = socket.create_connection(("127.0.0.1", server.port), 30)
            connection.sendall(
                f"GET {base}tile?heads=0.0&level=0&y=4&x={x} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
            )
            return connection

        first = [begin(0), begin(1)]
        while len(computed) < 2:  # both threads are busy
            time.sleep(0.01)
        gone, stays = begin(2), begin(3)
        wait_until(lambda: len(server._server.server_state.connections) == 4)
        time.sleep(0.2)  # for what it asks
        gone.close()
        wait_until(lambda: len(server._server.server_state.connections) == 3)
        time.sleep(0.2)  # for what waits for the connection's end
        may_go_on.set()
        assert stays.recv(12) == b"HTTP/1.1 200"
        for connection in (*first, stays):
            connection.close()
    assert sorted(computed) == [(0, 4, 0), (0, 4, 1), (0, 4, 3)]


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[list[range], threading.Event]]:
    """Which parts of maps are computed, the first of each question not before the event is set."""
    computed: list[range] = []
    may_go_on = threading.Event()
    part = FactoredMap.part

    def slow(amap: FactoredMap, batch: int, head: int, rows: range, columns: range) -> torch.Tensor:
        computed.append(rows)
        may_go_on.wait(30)
        return part(amap, batch, head, rows, columns)

    monkeypatch.setattr(FactoredMap, "part", slow)
    yield computed, may_go_on
    may_go_on.set()


MANY = "heads=0.0,0.1,1.0,1.1&from=0&to=1031"


@pytest.mark.parametrize("path", [f"rows?{MANY}", f"columns?{MANY}", f"looks?{MANY}", "tile?heads=0.0&level=2&y=0&x=0"])
def test_what_nobody_waits_for_any_more_stops(path: str, parts: tuple[list[range], threading.Event]) -> None:
    computed, may_go_on = parts
    with serving(capture_of()) as server:
        abandoned = [connect(server, question(server, path)) for _ in range(2)]
        wait_until(lambda: len(computed) == 2)  # both threads are busy
        for connection in abandoned:
            connection.close()
        wait_until(lambda: not server._server.server_state.connections)
        assert ask(server, "viewer.css")[0] == 200  # by now the server has seen it
        may_go_on.set()
        assert ask(server, "products?layer=0&head=0&text=0&query=9&key=4")[0] == 200
    assert len(computed) == 2


def test_stopping_waits_for_no_answer(
    parts: tuple[list[range], threading.Event], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "base_level", lambda shape, most: 2)
    computed, may_go_on = parts
    with serving(capture_of()) as server:
        asked = connect(server, question(server, f"rows?{MANY}"))
        ask(server, "progress?heads=0.0,0.1")
        wait_until(lambda: len(computed) >= 2)
        server.stop()
        may_go_on.set()
        answer = asked.recv(12)
        asked.close()
    assert answer == b"HTTP/1.1 503"
    assert len(computed) <= 1 + server._lanes["passes"].threads
    assert not [record for record in caplog.records if record.exc_info]


def test_stopping_cancels_what_does_not_end_without_a_traceback(
    parts: tuple[list[range], threading.Event], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_STOP_WITHIN", 0)
    computed, may_go_on = parts
    server = ViewerServer([capture_of()])
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.is_started)
    asked = [connect(server, question(server, f"rows?{MANY}")) for _ in range(4)]  # two are waiting for their turn
    wait_until(lambda: len(computed) == 2)
    server.stop()
    time.sleep(0.5)
    may_go_on.set()
    thread.join(30)
    assert not thread.is_alive()
    for connection in asked:
        connection.close()
    assert len(computed) == 2
    assert not [record for record in caplog.records if record.exc_info]


def test_more_work_than_seconds_is_refused(monkeypatch: pytest.MonkeyPatch, server: ViewerServer) -> None:
    monkeypatch.setattr(module, "_MOST_WEIGHTS", 8 * SIZE)
    for name, fits, too_many in (
        ("rows", "heads=0.0,0.1&from=0&to=4", "heads=0.0,0.1&from=0&to=5"),
        ("columns", "heads=0.0,0.1&from=0&to=4", "heads=0.0,0.1&from=0&to=5"),
        ("looks", "heads=0.0&from=0&to=2", "heads=0.0&from=0&to=3"),
        ("looks", "heads=0.0&from=0&to=3&first=0&last=600", "heads=0.0&from=0&to=4&first=0&last=600"),
    ):
        assert ask(server, f"{name}?{fits}")[0] == 200
        status, body, _ = ask(server, f"{name}?{too_many}")
        assert (status, "weights are summed for one question" in json.loads(body)["error"]) == (400, True)


def test_a_tile_of_more_work_than_a_long_map_is_refused(monkeypatch: pytest.MonkeyPatch, server: ViewerServer) -> None:
    assert module._MOST_IN_TILE >= 100_000**2
    monkeypatch.setattr(module, "_MOST_IN_TILE", 2 * SIZE**2)
    for heads, wanted in (("1.0,0.1", 200), ("1.0,0.1,0.0", 400)):
        status, body, _ = ask(server, f"tile?heads={heads}&level=3&y=0&x=0")
        assert status == wanted
        if status == 400:
            assert "weights are summed for one question" in json.loads(body)["error"]
    # A preview is of fewer rows.
    monkeypatch.setattr(module, "base_level", lambda shape, most: 2)
    assert ask(server, "tile?heads=1.0,0.1,0.0&level=3&y=0&x=0")[0] == 200
    monkeypatch.setattr(module, "_MOST_IN_TILE", 3 * SIZE * 129 - 1)
    assert ask(server, "tile?heads=1.1,0.1,0.0&level=3&y=0&x=0")[0] == 400


def test_what_is_left_of_rows_is_kept_from_one_tile_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    made, factor = [], Cells._factor
    monkeypatch.setattr(Cells, "_factor", lambda cells, *of: made.append(len(of[2])) or factor(cells, *of))
    with serving(capture := capture_of()) as server:
        for x in (1, 2):
            (_, columns, *_), found = floats(ask(server, f"tile?heads=1.1&hide=first&level=0&y=3&x={x}")[1], 4)
    assert made == [256]
    whole = capture["layer1"][0, 1]
    torch.testing.assert_close(
        found.view(256, columns), whole[768:1024, 512:768] / (1 - whole[768:1024, :1]), rtol=0, atol=1e-5
    )


def test_a_capture_with_oddities_is_described() -> None:
    """Provenance that is no number, for which JSON has no sign, and calls of different batches."""
    maps = [ch.AttentionMap.from_qk(torch.randn(n, 1, 4, 5), torch.randn(n, 1, 4, 5)) for n in (2, 1, 3)]
    layers = [Layer("layer", call, 0, (0,), amap.shape, lambda amap=amap: amap) for call, amap in enumerate(maps)]
    provenance = {"model": "tiny", "loss": float("nan"), "more": [{"worst": float("-inf")}, 0.5]}
    with serving(ch.Capture(layers, None, provenance)) as server:
        body = ask(server, "info")[1].decode()
    info = json.loads(body, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert info["provenance"] == {"model": "tiny", "loss": None, "more": [{"worst": None}, 0.5]}
    assert info["batch"] == 1


def test_weights_below_0_have_no_entropy() -> None:
    torch.manual_seed(0)
    amap = ch.AttentionMap.from_qk(torch.randn(1, 1, 9, 5), torch.randn(1, 1, 9, 5), normalizer="none")
    with serving(ch.Capture([Layer("layer", 0, 0, (0,), amap.shape, lambda: amap)])) as server:
        _, numbers = floats(ask(server, "statistics?heads=0.0")[1], 4)
    assert numbers[:4].isnan().tolist() == [True, False, False, False]


def test_what_goes_wrong_in_a_pass_ends_that_pass_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "base_level", lambda shape, most: 2)
    make = Pass.make
    is_bad = threading.Event()
    is_bad.set()

    def made(one: Pass, band: int) -> None:
        if one.cells.lens.heads == ((0, 0),) and is_bad.is_set():
            raise KeyError("gone")
        make(one, band)

    monkeypatch.setattr(Pass, "make", made)

    def progress(server: ViewerServer, head: str) -> tuple[int, Any]:
        status, body, _ = ask(server, f"progress?heads={head}")
        return status, json.loads(body)

    with serving(capture_of()) as server:
        for _ in range(8):  # more of them than there are threads
            monkeypatch.setattr(module, "_TRY_AGAIN", 0.0)
            assert progress(server, "0.0")[0] == 200
            monkeypatch.setattr(module, "_TRY_AGAIN", 1e9)
            wait_until(lambda: progress(server, "0.0")[0] == 500)
        assert "KeyError" in progress(server, "0.0")[1]["error"]
        wait_until(lambda: progress(server, "0.1") == (200, {"done": 5, "of": 5}))
        is_bad.clear()
        assert progress(server, "0.0")[0] == 500
        monkeypatch.setattr(module, "_TRY_AGAIN", 0.0)
        wait_until(lambda: progress(server, "0.0") == (200, {"done": 5, "of": 5}))


def test_passes_that_were_begun_count_as_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.0)  # none of them goes on
    monkeypatch.setattr(module, "_MOST_FAILED", 2)
    memory = 2**12
    with serving(capture_of(), memory=memory) as server:
        room = next(iter(server._rooms.values()))
        size = Pass(cells := room.cells(Lens(((0, 0),))), room.base(cells)).nbytes
        for number, heads in enumerate(("0.0", "0.1", "1.0", "1.1", "0.0,0.1", "0.0,1.0", "0.0,1.1")):
            ask(server, f"progress?heads={heads}")
            assert server.store.nbytes == min(number + 1, memory // size) * size
        for head in range(4):
            room.fail(Lens(((head, 0),)), ValueError("no"))
        assert list(room.failed) == [Lens(((2, 0),)), Lens(((3, 0),))]


def test_a_name_need_not_be_unicode() -> None:
    capture = capture_of(7)
    capture.provenance["model"] = "a\udcff<b"
    with serving(capture) as server:
        status, body, _ = ask(server, "")
        assert (status, b"<title>a?&lt;b " in body) == (200, True)
        assert json.loads(ask(server, "info")[1])["title"] == "a?<b"


def test_what_cannot_be_shown_is_refused() -> None:
    amap = ch.AttentionMap.from_weights(torch.full((1, 1, 3, 3), torch.nan))
    capture = ch.Capture([Layer("layer", 0, 0, (0,), amap.shape, lambda: amap)])
    with pytest.raises(NotFiniteError, match=r"L0 \(layer\) is not finite"):
        ViewerServer([capture])
    with pytest.raises(InputError, match="holds no maps"):
        ViewerServer([ch.Capture([])])


def test_stopping_closes_the_file_and_the_port(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    capture_of(257).save(path)
    with serving(ch.open(path)) as server:
        assert ask(server, "tile?heads=0.0&level=0&y=0&x=0")[0] == 200
        port = server.port
    del server
    gc.collect()
    assert str(path) not in Path("/proc/self/maps").read_text()
    assert not [x for x in Path("/proc/self/fd").iterdir() if x.exists() and x.resolve() == path]
    again = ViewerServer([], port=port)
    with pytest.raises(InputError, match=f"port {port} is in use"):
        ViewerServer([], port=port)
    again.close()


def test_a_host_that_is_not_here_is_said() -> None:
    with pytest.raises(InputError, match=r"cannot listen on '192\.0\.2\.1'"):
        ViewerServer([], host="192.0.2.1")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


def test_the_page_says_preview_until_the_overview_is_exact(browser: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "base_level", lambda shape, most: 1)
    may_go_on = threading.Event()
    make = Pass.make
    monkeypatch.setattr(Pass, "make", lambda made, band: may_go_on.wait(60) and make(made, band))
    with serving(capture_of(layers=1)) as server:
        try:
            seen = Visit(browser, f"{server.addresses[0]}#u=pieces", viewport={"width": 800, "height": 600})
            legend = seen.page.locator(".legend")
            legend.get_by_text("sampled preview").wait_for()
            bar = legend.get_by_role("progressbar")
            bar.wait_for()
            assert bar.get_attribute("max") == "5"
        finally:
            may_go_on.set()
        legend.get_by_text("sampled preview").wait_for(state="detached")
        bar.wait_for(state="detached")
        seen.requests = [x for x in seen.requests if not x.startswith(server.addresses[0])]
        seen.close()


def test_the_page_shows_the_numbers_of_python(browser: Any) -> None:
    capture = capture_of(4099, layers=1)
    whole = capture["layer0"]
    with serving(capture) as server:
        seen = Visit(browser, f"{server.addresses[0]}#u=pieces&h=0.1&q=4000&k=17")
        seen.settle()
        strong = seen.page.locator(".inspector strong")
        strong.wait_for()
        shown = float(strong.inner_text())
        assert shown == pytest.approx(float(whole[0, 1, 4000, 17]), rel=0.05, abs=5e-4)
        bars = seen.page.locator(".bars").first.locator(".number").all_inner_texts()
        best = whole[0, 1, 4000].topk(len(bars)).values
        assert [float(x) for x in bars] == pytest.approx(best.tolist(), abs=6e-4)
        seen.page.wait_for_function("() => [...document.querySelectorAll('.thumbnail')].every(x => x.width === 48)")
        assert seen.page.locator("canvas[role=grid]").get_attribute("aria-rowcount") == "4099"
        seen.requests = [x for x in seen.requests if not x.startswith(server.addresses[0])]
        seen.close()


def test_the_page_asks_again_when_the_server_has_no_time(browser: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    refused: list[int] = []
    kind, info = module._QUESTIONS["info"]

    def busy(room: Any, given: Any) -> Any:
        if len(refused) < 2:
            refused.append((429, 503)[len(refused)])
            raise module._RefusedError(refused[-1], "wait a moment")
        return info(room, given)

    monkeypatch.setitem(module._QUESTIONS, "info", (kind, busy))
    with serving(capture_of(257)) as server:
        seen = Visit(browser, f"{server.addresses[0]}#u=pieces")
        seen.page.locator("canvas[role=grid]").wait_for()
        seen.settle()
        assert refused == [429, 503]
        assert all("429" in x or "503" in x for x in seen.wrong)  # which the browser itself says
        seen.wrong.clear()
        seen.requests = [x for x in seen.requests if not x.startswith(server.addresses[0])]
        seen.close()
