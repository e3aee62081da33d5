"""The listener under fire: a real sign-in passes through, and threads, memory and time stay bounded."""

from __future__ import annotations

import socket
import struct
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import psutil
import pytest
import requests
from support import wait_for

import authnb
from authnb.flows.listener import LoopbackListener

if TYPE_CHECKING:
    from authnb.demo import DemoProvider
    from authnb.storage.base import MemoryStorage

SHOTS = 10_000
HOST = b"Host: 127.0.0.1:%d\r\n"
HOSTILE = [
    b"GET /favicon.ico HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /callback?code=stolen&state=guess HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /callback?error=access_denied HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /callback?state=guess HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    b"GET /callback?state=guess HTTP/1.1\r\n" + HOST + b"Host: evil.example\r\n\r\n",
    b"GET http://evil.example/callback HTTP/1.1\r\n" + HOST + b"\r\n",
    b"POST /callback HTTP/1.1\r\n" + HOST + b"Content-Length: 1000000000\r\n\r\nx",
    b"CONNECT evil.example:443 HTTP/1.1\r\n\r\n",
    b"GET /callback?state=" + b"x" * 70_000,
    b"A: b\r\n" * 20_000,
    b"GET /callback",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    b"\r\n\r\n",
    b"\x00\xff" * 1000 + b"\r\n\r\n",
    b"",
]


def shoot(port: int, number: int) -> tuple[bytes, int]:
    """One hostile request, whose sender may not wait for the answer; and how many threads there are."""
    shot = HOSTILE[number % len(HOSTILE)].replace(b"%d", b"%d" % port)
    answer = b""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=10) as one:
        one.sendall(shot)
        if number % 2 and shot.endswith(b"\r\n\r\n"):
            answer = one.recv(4096)
    return answer, threading.active_count()


def test_a_sign_in_survives_ten_thousand_hostile_requests(demo: DemoProvider, storage: MemoryStorage) -> None:
    """Slow clients hold as many connections as they can, eight threads shoot, and a person signs in."""
    login = authnb.login(demo.issuer, client_id=demo.client_id, view=None, mode="loopback", storage=storage)
    address = login.verification().uri
    port = urlsplit(parse_qs(urlsplit(address).query)["redirect_uri"][0]).port or 0
    before = threading.active_count()
    idle = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(300)]
    for number, one in enumerate(idle):
        with suppress(OSError):  # the oldest have made room
            one.sendall(b"GET /callback HTTP/1.1\r\nHost: "[: number % 30])
    with ThreadPoolExecutor(8) as pool:
        shots = list(pool.map(lambda number: shoot(port, number), range(SHOTS)))
        assert login.status == "waiting"
        more = [pool.submit(shoot, port, number) for number in range(500)]  # while the answer comes
        demo.visit(address)
        assert login.wait(30).user is not None
        for last in more:
            last.result()
    for one in idle:
        one.close()
    assert not [answer for answer, _ in shots if answer.startswith(b"HTTP/1.0 200")]
    assert max(threads for _, threads in shots) - before <= 8 + 64 + 8, "with some that are just ending"
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize(
    ("options", "addresses"),
    [
        ({}, {"127.0.0.1"}),
        ({"host": "localhost"}, {"127.0.0.1", "::1"}),
        ({"proxy_base": "https://hub.example.org/user/ada/proxy/"}, {"127.0.0.1", "::1"}),
    ],
)
def test_the_listener_is_bound_to_loopback_addresses_only(
    options: dict[str, str], addresses: set[str]
) -> None:
    """Whatever the redirect URI is: no other machine can connect."""
    with closing(LoopbackListener(**options)) as listener:  # type: ignore[arg-type] # of text alone
        sockets = psutil.Process().net_connections("tcp")
        bound = {one.laddr.ip for one in sockets if one.laddr.port == listener.port and not one.raddr}
    assert "127.0.0.1" in bound
    assert bound <= addresses, "::1 where the machine has it"


def test_the_listeners_page_headers() -> None:
    """The code is in the page's URL: no referrer, no subresource, no cache may leak it."""
    with closing(LoopbackListener()) as listener:
        listener.expect("s")
        for query in ("?code=c&state=wrong", "?code=c&state=s"):
            answer = requests.get(listener.redirect_uri + query, timeout=10)
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "src=" not in answer.text
            assert "href=" not in answer.text


def test_the_path_of_the_probe_is_its_own() -> None:
    """Any page may ask there whether its browser reaches the listener, so that only ours must know where."""
    with closing(LoopbackListener()) as one, closing(LoopbackListener()) as other:
        paths = {urlsplit(listener.probe).path for listener in (one, other)}
    assert len(paths) == 2
    assert min(map(len, paths)) > 20


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    """A code is in the request: no log line names it, and no traceback where the browser hangs up."""
    with closing(LoopbackListener()) as listener:
        listener.expect("s")
        with socket.create_connection(_address(listener), timeout=30) as broken:
            broken.sendall(b"GET /callback?code=c&state=s")
            broken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for state in ("wrong", "s"):
            requests.get(f"{listener.redirect_uri}?code=c&state={state}", timeout=30)
        wait_for(
            lambda: not any("process_request_thread" in one.name for one in threading.enumerate()),
            "the listener to end its connections",
        )
    assert capfd.readouterr() == ("", "")


def test_idle_connections_time_out() -> None:
    """A byte now and then does not lengthen the time; what an idle client holds, it loses."""
    with (
        closing(LoopbackListener()) as listener,
        socket.create_connection(_address(listener), timeout=30) as slow,
    ):
        stop = threading.Event()

        def drip() -> None:
            with suppress(OSError):
                while not stop.wait(0.2):
                    slow.send(b"x")

        dripping = threading.Thread(target=drip)
        dripping.start()
        with suppress(ConnectionResetError):
            assert slow.recv(1) == b""
        stop.set()
        dripping.join()


def test_the_oldest_connection_is_closed_for_a_new_one() -> None:
    """The callback is accepted however many wait, and few threads serve them."""
    with closing(LoopbackListener()) as listener:
        listener.expect("s")
        idle = [socket.create_connection(_address(listener), timeout=30) for _ in range(400)]
        answer = requests.get(f"{listener.redirect_uri}?code=c&state=s", timeout=10)
        assert answer.status_code == 200
        assert threading.active_count() < 200
        for one in idle:
            one.close()


def test_long_requests_are_not_kept() -> None:
    """Of each request there is room for its beginning, whatever is sent and however many send it."""
    header = b"A: " + b"a" * 60_000 + b"\r\n"
    with closing(LoopbackListener()) as listener:
        tracemalloc.start()
        senders = [socket.create_connection(_address(listener), timeout=30) for _ in range(32)]
        for one in senders:
            with suppress(OSError):  # hung up on, as it should be
                one.sendall(b"GET /callback?code=c&state=s HTTP/1.1\r\n")
                for _ in range(90):
                    one.sendall(header)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        for one in senders:
            one.close()
        listener.expect("s")
        answer = requests.get(f"{listener.redirect_uri}?code=c&state=s", timeout=30)
    assert answer.status_code == 200, "it still listens"
    assert most < 32 << 20


def _address(listener: LoopbackListener) -> tuple[str, int]:
    return "127.0.0.1", urlsplit(listener.redirect_uri).port or 0
