"""A real HTTP server with routes defined by a test, for what the embedded provider never does."""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    Route = Callable[["Request"], tuple[int, dict[str, str], bytes]]


class Request:
    """A request: method, path with query, headers, body."""

    def __init__(self, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        self.method, self.path, self.headers, self.body = method, path, headers, body


class ThreadedServer(ThreadingHTTPServer):
    """One thread per connection. A client that leaves early is no error; what else goes wrong is printed."""

    daemon_threads = True
    request_queue_size = 64  # connections at once

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print the error, unless it says that the client has closed the connection."""
        if not isinstance(sys.exception(), (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)):
            super().handle_error(request, client_address)


class OnThread:
    """Runs ``_server`` on a thread of its own while the ``with`` block runs."""

    _server: ThreadingHTTPServer

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Server(OnThread):
    """Answers each path from ``routes``; keeps every request in ``requests``; its clock is off by ``clock_offset``."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.clock_offset = 0.0
        self.routes: dict[str, Route] = {}
        self.requests: list[Request] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _respond(self) -> None:
                request = Request(self.command, self.path, dict(self.headers), self._body())
                outer.requests.append(request)
                route = outer.routes.get(self.path.partition("?")[0])
                status, headers, body = route(request) if route else (404, {}, b"not here")
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _body(self) -> bytes:
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length") or 0))
                chunks = []
                while length := int(self.rfile.readline(), 16):
                    chunks.append(self.rfile.read(length))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(chunks)

            do_GET = do_POST = do_DELETE = _respond  # noqa: N815 - the standard library's names

            def date_time_string(self, timestamp: float | None = None) -> str:
                return super().date_time_string((timestamp or time.time()) + outer.clock_offset)

            def log_message(self, *_: object) -> None:
                pass

        class HTTPServer(ThreadedServer):
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        self._server = HTTPServer((host, port), Handler)
        self.port = self._server.server_port
        self.url = f"http{'s' if tls else ''}://{f'[{host}]' if ':' in host else host}:{self.port}"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)

    def json(self, path: str, value: Any, status: int = 200, **headers: str) -> None:
        """Serve JSON at this path."""
        body = json.dumps(value).encode()
        self.routes[path] = lambda _: (status, {"Content-Type": "application/json", **headers}, body)

    def text(self, path: str, value: str, status: int = 200, **headers: str) -> None:
        """Serve text at this path."""
        self.routes[path] = lambda _: (status, {"Content-Type": "text/html", **headers}, value.encode())

    def paths(self) -> list[str]:
        """The paths requested so far."""
        return [request.path.partition("?")[0] for request in self.requests]
