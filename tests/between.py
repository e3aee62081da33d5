"""A real server between a client and a token endpoint: it passes requests on, counts them, and does harm."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

# What may happen to a request instead of its being passed on: status, content type, body.
ANSWERS = {
    "500": (500, "text/html", b"<h1>Internal Server Error</h1>"),
    "503": (503, "application/json", b'{"error": "temporarily_unavailable"}'),
    "html": (200, "text/html", b"<html>Sign in to the hotel's network</html>"),
    "message": (400, "application/json", b'{"message": "no"}'),
    "empty": (200, "application/json", b"{}"),
    "list": (200, "application/json", b"[1]"),
    "no token": (200, "application/json", b'{"access_token": null, "expires_in": 5}'),
    "denied": (400, "application/json", b'{"error": "invalid_grant"}'),
    "redirect": (307, "text/html", b""),
}

PATIENCE = 60.0  # seconds


class Between:
    """Stands before ``target``. ``fate`` says for each renewal what becomes of it.

    ``pass``, a name in `ANSWERS`, ``reset`` (the connection breaks), ``half`` (it breaks in the middle of the
    answer's body), ``stall`` (no answer until the test is over), or ``lost``: the provider did it, and the answer
    never arrives.
    """

    def __init__(self, target: str, fate: Callable[[], str] = lambda: "pass") -> None:
        self.fate = fate
        self.fates: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.elsewhere = ""
        self.over = threading.Event()
        self._noted = threading.Condition()
        self.host = urlsplit(target).netloc
        self._server = Quiet(("127.0.0.1", 0), Handler)
        self._server.between = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def note(self, headers: dict[str, str]) -> str:
        """Count a renewal, and say what becomes of it."""
        fate = self.fate()
        with self._noted:
            self.fates.append(fate)
            self.headers.append(headers)
            self._noted.notify_all()
        return fate

    def wait_for(self, renewals: int, fate: str | None = None, seconds: float = PATIENCE) -> bool:
        """Wait until so many renewals came here, or so many of this fate; whether they did."""

        def enough() -> bool:
            return (len(self.fates) if fate is None else self.fates.count(fate)) >= renewals

        with self._noted:
            return self._noted.wait_for(enough, seconds)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Handler(BaseHTTPRequestHandler):
    """Passes on, or does harm."""

    server: Quiet
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """One request."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        renewal = b"refresh_token" in body and self.path.endswith("/token")
        fate = self.server.between.note(dict(self.headers)) if renewal else "pass"
        if fate == "stall":
            self.server.between.over.wait(60)
        elif fate == "reset":
            self._break_off()
        elif fate in ANSWERS:
            self._answer(*ANSWERS[fate])
        else:
            self._pass_on(body, fate)

    def _pass_on(self, body: bytes, fate: str) -> None:
        upstream = http.client.HTTPConnection(self.server.between.host, timeout=30)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in {"host", "connection"}}
        upstream.request("POST", self.path, body, headers)
        answer = upstream.getresponse()
        content = answer.read()
        upstream.close()
        if fate == "lost":
            self._break_off()
        elif fate == "half":
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
            self._break_off()
        else:
            self._answer(answer.status, answer.getheader("Content-Type", ""), content)

    def _answer(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if status == ANSWERS["redirect"][0]:
            self.send_header("Location", self.server.between.elsewhere)
        self.end_headers()
        self.wfile.write(content)

    def _break_off(self) -> None:
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.rfile.close()
        self.wfile.close()
        self.connection.close()

    def finish(self) -> None:
        """Nothing is left to send on a connection that was broken off."""
        if self.connection.fileno() >= 0:
            super().finish()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Quiet(ThreadingHTTPServer):
    """One thread a connection, and no word about those that break."""

    between: Between
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """A client that gave up is no news here."""
