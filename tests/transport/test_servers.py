"""The servers that the tests talk to: what they print of a connection that failed."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from servers import Server
from support import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest
    from servers import Request

    Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def asked(server: Server) -> Iterator[socket.socket]:
    """A connection on which ``/`` was requested; afterwards, wait until the server has done with it."""
    before = {*threading.enumerate()}
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        yield client
    wait_for(lambda: {*threading.enumerate()} <= before, "the thread of the connection to end")


def test_a_client_that_leaves_early_is_no_error(capfd: pytest.CaptureFixture[str]) -> None:
    gone = threading.Event()

    def answer(_: Request) -> Answer:
        gone.wait(60)
        return 200, {}, bytes(1 << 24)

    with Server() as server:
        server.routes["/"] = answer
        with asked(server) as client:
            wait_for(lambda: server.requests, "the request")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset
            client.close()
            gone.set()
    assert capfd.readouterr().err == ""


def test_a_route_that_fails_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with Server() as server:
        server.routes["/"] = lambda _: (200, {}, b"x" * len(server.paths()[7]))
        with asked(server) as client:
            assert client.recv(1) == b""
    assert "IndexError: list index out of range" in capfd.readouterr().err
