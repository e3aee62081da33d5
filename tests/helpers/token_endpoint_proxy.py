"""An HTTP proxy in front of a provider's token endpoint that counts renewals and injects faults."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from servers import OnThread

if TYPE_CHECKING:
    from collections.abc import Callable

# Responses that replace the provider's: status, content type, body.
RESPONSES = {
    "500": (500, "text/html", b"<h1>Internal Server Error</h1>"),
    "503": (503, "application/json", b'{"error": "temporarily_unavailable"}'),
    "html": (200, "text/html", b"<html>Sign in to the hotel's network</html>"),
    "message": (400, "application/json", b'{"message": "no"}'),
    "empty": (200, "application/json", b"{}"),
    "list": (200, "application/json", b"[1]"),
    "no token": (200, "application/json", b'{"access_token": null, "expires_in": 5}'),
    "bad_refresh_token": (200, "application/json", b'{"error": "bad_refresh_token"}'),  # GitHub
    "interaction_required": (400, "application/json", b'{"error": "interaction_required"}'),  # Entra
    "invalid_request": (400, "application/json", b'{"error": "invalid_request"}'),
    "invalid_token": (401, "application/json", b'{"error": "invalid_token"}'),
    "unauthorized": (401, "text/plain", b""),
    "gone": (404, "text/html", b"<h1>Not Found</h1>"),
    "denied": (400, "application/json", b'{"error": "invalid_grant"}'),
    "redirect": (307, "text/html", b""),
}

WAIT_TIMEOUT = 60.0  # seconds


class TokenEndpointProxy(OnThread):
    """Forwards to ``target``. ``outcome`` is called for each renewal and names what happens to it.

    ``pass``, a name in `RESPONSES`, ``reset`` (the connection is reset), ``half`` (it is reset in the middle of the
    response body), ``stall`` (no response; ``over`` ends the connection), or ``lost``: the provider renews, and its
    response never arrives.
    """

    def __init__(self, target: str, outcome: Callable[[], str] = lambda: "pass") -> None:
        self.outcome = outcome
        self.outcomes: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.elsewhere = ""
        self.over = threading.Event()
        self._changed = threading.Condition()
        self.host = urlsplit(target).netloc
        self._server = ProxyServer(("127.0.0.1", 0), Handler)
        self._server.proxy = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def record(self, headers: dict[str, str]) -> str:
        """Record a renewal; what happens to it."""
        outcome = self.outcome()
        with self._changed:
            self.outcomes.append(outcome)
            self.headers.append(headers)
            self._changed.notify_all()
        return outcome

    def wait_for(self, renewals: int, outcome: str | None = None, seconds: float = WAIT_TIMEOUT) -> bool:
        """Wait for that many renewals, or that many with this outcome; whether they arrived in time."""

        def enough() -> bool:
            return (len(self.outcomes) if outcome is None else self.outcomes.count(outcome)) >= renewals

        with self._changed:
            return self._changed.wait_for(enough, seconds)

    def __exit__(self, *_: object) -> None:
        self.over.set()
        super().__exit__()


class Handler(BaseHTTPRequestHandler):
    """Forwards one request, or injects a fault."""

    server: ProxyServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """One request."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        renewal = b"refresh_token" in body and self.path.endswith("/token")
        outcome = self.server.proxy.record(dict(self.headers)) if renewal else "pass"
        if outcome == "stall":
            self.server.proxy.over.wait(60)
            self.close_connection = True
        elif outcome == "reset":
            self._reset()
        elif outcome in RESPONSES:
            self._respond(*RESPONSES[outcome])
        else:
            self._forward(body, outcome)

    def _forward(self, body: bytes, outcome: str) -> None:
        upstream = http.client.HTTPConnection(self.server.proxy.host, timeout=30)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in {"host", "connection"}}
        upstream.request("POST", self.path, body, headers)
        response = upstream.getresponse()
        content = response.read()
        upstream.close()
        if outcome == "lost":
            self._reset()
        elif outcome == "half":
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
            self._reset()
        else:
            self._respond(response.status, response.getheader("Content-Type", ""), content)

    def _respond(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if status == RESPONSES["redirect"][0]:
            self.send_header("Location", self.server.proxy.elsewhere)
        self.end_headers()
        self.wfile.write(content)

    def _reset(self) -> None:
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.rfile.close()
        self.wfile.close()
        self.connection.close()

    def finish(self) -> None:
        """Nothing is left to flush on a connection that was reset."""
        if self.connection.fileno() >= 0:
            super().finish()

    def log_message(self, *_: object) -> None:
        """Keep test output clean."""


class ProxyServer(ThreadingHTTPServer):
    """One thread per connection; connection errors are not printed."""

    proxy: TokenEndpointProxy
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """A client that disconnects is expected here."""
