"""A world of hosts on this machine: a real forward proxy behind which every name, at every port, is a real server.

Clients speak real HTTP and real TLS with it; each host shows a certificate for its own name, from an authority that
`World.trust` names. What arrives is noted as it came, with the host it came to.
"""

from __future__ import annotations

import ssl
import threading
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import trustme

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Arrived:
    """A request: the origin it came to as ``scheme://host:port``, and all that was in it."""

    origin: str
    path: str
    whole: str


class World:
    """Answers 200 to everything but what ``redirects`` names: by origin and path, a status and a location."""

    def __init__(self, folder: Path) -> None:
        self.arrived: list[Arrived] = []
        self.redirects: dict[str, tuple[int, str]] = {}
        self.authority = trustme.CA()
        self.ca_file = str(folder / "ca.pem")
        self.authority.cert_pem.write_to_path(self.ca_file)
        self.trust = ssl.create_default_context(cafile=self.ca_file)  # for clients: whom to believe
        self.tls = cache(self._tls)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.world = self
        self.proxy = f"http://127.0.0.1:{self._server.server_port}"

    def _tls(self, host: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        name = host.strip("[]")
        self.authority.issue_cert(*{name, name.rstrip(".")}).configure_cert(context)
        return context

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    world: World
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that does not like what it finds goes away."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 20  # seconds for a client that says nothing
    behind: str | None = None  # the origin, once a tunnel to it was asked for

    def do_CONNECT(self) -> None:
        """From here on it is that host which speaks (RFC 9110 section 9.3.6)."""
        self.send_response(200)
        self.end_headers()
        host = self.path.rpartition(":")[0]
        self.request = self.server.world.tls(host).wrap_socket(self.connection, server_side=True)
        self.behind = f"https://{self.path}"
        self.setup()
        self.close_connection = False

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = (self.behind or "") + self.path
        parts = urlsplit(url)
        here = f"{parts.scheme}://{parts.netloc}"
        if self.behind is None and parts.port is None:
            here += ":80"
        path = url[len(f"{parts.scheme}://{parts.netloc}") :]
        whole = f"{self.requestline}\n{self.headers}\n{body!r}"
        self.server.world.arrived.append(Arrived(here, path, whole))
        status, location = self.server.world.redirects.get(here + path, (200, ""))
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def finish(self) -> None:
        """Close what was opened on top of the connection."""
        try:
            super().finish()
        finally:
            self.request.close()

    do_GET = do_POST = _answer  # noqa: N815 - the standard library's names

    def log_message(self, *_: object) -> None:
        pass
