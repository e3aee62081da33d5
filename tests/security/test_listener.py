"""The listener under fire: a real sign-in passes through, and threads, memory and time stay bounded."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

import authnb
from authnb.redirects import LoopbackListener

if TYPE_CHECKING:
    from authnb.demo import DemoProvider
    from authnb.storage import MemoryStorage

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


def shoot(port: int, number: int) -> bytes:
    """One hostile request, whose sender may not wait for the answer."""
    shot = HOSTILE[number % len(HOSTILE)].replace(b"%d", b"%d" % port)
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=10) as one:
        one.sendall(shot)
        return one.recv(4096) if number % 2 and shot.endswith(b"\r\n\r\n") else b""
    return b""


def test_a_sign_in_passes_through_ten_thousand_shots(demo: DemoProvider, storage: MemoryStorage) -> None:
    """Slow clients hold as many connections as they can, eight threads shoot, and a person signs in."""
    threads = threading.active_count()
    login = authnb.login(demo.issuer, client_id=demo.client_id, view=None, mode="loopback", storage=storage)
    address = login.verification().uri
    port = urlsplit(parse_qs(urlsplit(address).query)["redirect_uri"][0]).port or 0
    idle = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(300)]
    for number, one in enumerate(idle):
        with suppress(OSError):  # the oldest have made room
            one.sendall(b"GET /callback HTTP/1.1\r\nHost: "[: number % 30])
    tracemalloc.start()
    with ThreadPoolExecutor(8) as pool:
        before = threading.active_count()
        answers = list(pool.map(lambda number: shoot(port, number), range(SHOTS)))
        crowd = threading.active_count() - before
        assert login.status == "waiting"
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
        tracemalloc.stop()
        more = [pool.submit(shoot, port, number) for number in range(500)]  # while the answer comes
        demo.visit(address)
        assert login.wait(30).user is not None
        for one in more:
            one.result()
    for one in idle:
        one.close()
    assert crowd <= 8, "the listener needs one thread, however many come"
    assert not [answer for answer in answers if answer.startswith(b"HTTP/1.1 200")]
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    assert threading.active_count() <= threads + 1


def test_nobody_can_hold_a_connection() -> None:
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


def test_the_oldest_connection_makes_room() -> None:
    with closing(LoopbackListener()) as listener:
        listener.expect("s")
        idle = [socket.create_connection(_address(listener), timeout=30) for _ in range(400)]
        answer = requests.get(f"{listener.redirect_uri}?code=c&state=s", timeout=10)
        assert answer.status_code == 200
        for one in idle:
            one.close()


def _address(listener: LoopbackListener) -> tuple[str, int]:
    return "127.0.0.1", urlsplit(listener.redirect_uri).port or 0


WAITING = """
import os, sys
from contextlib import closing
from authnb.redirects import LoopbackListener
os.setuid(int(sys.argv[1]))
with closing(LoopbackListener()) as listener:
    listener.expect("s")
    print(listener.redirect_uri, flush=True)
    sys.stdin.readline()
    print(listener.answer() is not None, flush=True)
"""
ASKING = """
import os, socket, sys
os.setuid(int(sys.argv[3]))
family, host = socket.AF_INET, "127.0.0.1"
if sys.argv[2] == "as IPv6":
    family, host = socket.AF_INET6, "::ffff:127.0.0.1"
port = int(sys.argv[1])
with socket.socket(family) as one:
    one.connect((host, port))
    one.sendall(b"GET /callback?code=c&state=s HTTP/1.1\\r\\nHost: 127.0.0.1:%d\\r\\n\\r\\n" % port)
    if sys.argv[2] == "and gone":
        sys.exit()
    print(one.recv(20).decode())
"""


OWNER, NEIGHBOUR, ROOT = 65_001, 65_002, 0


@pytest.mark.parametrize(
    ("user", "how", "taken"),
    [
        (OWNER, "", True),
        (ROOT, "", True),
        (NEIGHBOUR, "", False),
        (NEIGHBOUR, "as IPv6", False),
        (NEIGHBOUR, "and gone", False),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells whose a connection is")
def test_another_user_cannot_answer(user: int, how: str, taken: bool) -> None:  # noqa: FBT001
    """Not even with the right state, which a list of processes may have told."""
    if os.getuid() != ROOT:
        pytest.skip("only root can start programs as others")
    with subprocess.Popen(
        [sys.executable, "-c", WAITING, str(OWNER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as waiting:
        assert waiting.stdin is not None
        assert waiting.stdout is not None
        port = urlsplit(waiting.stdout.readline().strip()).port
        asking = [sys.executable, "-c", ASKING, str(port), how, str(user)]
        said = subprocess.run(asking, capture_output=True, text=True, timeout=30, check=True).stdout
        waiting.stdin.write("\n")
        waiting.stdin.flush()
        assert waiting.stdout.readline().strip() == str(taken)
    if how != "and gone":
        assert said.split()[1] == ("200" if taken else "403")
