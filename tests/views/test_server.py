"""The viewer's server, as it answers on a real port."""

from __future__ import annotations

import gc
import http.client
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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
from clearhead.errors import InputError
from clearhead.views import server as module
from clearhead.views.server import ViewerServer
from clearhead.views.tiles import Pass

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


@contextmanager
def serving(*captures: ch.Capture, **options: Any) -> Iterator[ViewerServer]:
    made = ViewerServer(captures, **options)
    thread = threading.Thread(target=made.run)
    thread.start()
    try:
        while not made.is_started:
            time.sleep(0.01)
        yield made
    finally:
        made.stop()
        thread.join(30)
        assert not thread.is_alive()


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


def test_slow_and_killed_clients_hold_nobody_up(server: ViewerServer, monkeypatch: pytest.MonkeyPatch) -> None:
    base = "/" + server.addresses[0].split("/", 3)[3]
    slow = [socket.create_connection(("127.0.0.1", server.port), 30) for _ in range(40)]
    for number, connection in enumerate(slow):
        # Some say nothing, some stop in the middle, some ask for what they never read.
        if number % 3 == 1:
            connection.sendall(f"GET {base}info HTTP/1.1\r\nHo".encode())
        elif number % 3 == 2:
            connection.sendall(f"GET {base}tile?heads=0.0&level=1&y=0&x=0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    assert ask(server, "tile?heads=0.1&level=0&y=1&x=1")[0] == 200
    for number, connection in enumerate(slow):
        if number % 2:  # killed: the system answers with a reset
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    assert ask(server, "info")[0] == 200


def test_whoever_connects_and_asks_nothing_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FIRST_BYTE", 0.2)
    with serving(capture_of(7)) as server, socket.create_connection(("127.0.0.1", server.port), 30) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        connection.settimeout(20)
        assert connection.recv(1000) == b""


def test_what_nobody_waits_for_any_more_is_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    computed = []
    entered, may_go_on = threading.Event(), threading.Event()
    tile = module._made

    def made(room: Any, lens: Lens, at: tuple[int, int, int]) -> Any:
        computed.append(at)
        entered.set()
        may_go_on.wait(30)
        return tile(room, lens, at)

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
        time.sleep(0.2)
        gone.close()
        time.sleep(0.2)
        may_go_on.set()
        assert stays.recv(12) == b"HTTP/1.1 200"
        for connection in (*first, stays):
            connection.close()
    assert sorted(computed) == [(0, 4, 0), (0, 4, 1), (0, 4, 3)]


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
    monkeypatch.setattr(module, "base_level", lambda shape, most: 2)
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
        assert bar.count() == 0
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
