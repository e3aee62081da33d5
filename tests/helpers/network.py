"""A simulated network on this machine: a forward proxy behind which every host and port is a real HTTP server.

Clients use real HTTP and TLS; each host has a certificate for its name, issued by the authority in `Network.trust`.
Requests are recorded with their origin and full text.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import trustme
from servers import OnThread

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class ReceivedRequest:
    """A request: its origin as ``scheme://host:port``, its path and its full text."""

    origin: str
    path: str
    text: str


class Network(OnThread):
    """Responds 200 everywhere with ``{}``, but for two tables by origin and path.

    ``redirects``: a status and a Location. ``documents``: a body and response headers.
    """

    def __init__(self, folder: Path) -> None:
        self.received: list[ReceivedRequest] = []
        self.redirects: dict[str, tuple[int, str]] = {}
        self.documents: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.authority = trustme.CA()
        self.ca_file = str(folder / "ca.pem")
        self.authority.cert_pem.write_to_path(self.ca_file)
        self.trust = ssl.create_default_context(cafile=self.ca_file)  # for clients
        self.tls = cache(self._tls)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.network = self
        self.proxy = f"http://127.0.0.1:{self._server.server_port}"

    def _tls(self, host: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        name = host.strip("[]")
        self.authority.issue_cert(*{name, name.rstrip(".")}).configure_cert(context)
        return context


class _Server(ThreadingHTTPServer):
    network: Network
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Ignore clients that disconnect."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 20  # seconds for an idle client
    behind: str | None = None  # the origin, once a tunnel to it is open

    def do_CONNECT(self) -> None:
        """Become the named host (RFC 9110 section 9.3.6)."""
        self.send_response(200)
        self.end_headers()
        host = self.path.rpartition(":")[0]
        self.request = self.server.network.tls(host).wrap_socket(self.connection, server_side=True)
        self.behind = f"https://{self.path}"
        self.setup()
        self.close_connection = False

    def _respond(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = (self.behind or "") + self.path
        parts = urlsplit(url)
        here = f"{parts.scheme}://{parts.netloc}"
        if self.behind is None and parts.port is None:
            here += ":80"
        path = url[len(f"{parts.scheme}://{parts.netloc}") :]
        text = f"{self.requestline}\n{self.headers}\n{body!r}"
        self.server.network.received.append(ReceivedRequest(here, path, text))
        status, location = self.server.network.redirects.get(here + path, (200, ""))
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        content, headers = self.server.network.documents.get(here + path, (b"{}", {}))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def finish(self) -> None:
        """Close what was opened on top of the connection."""
        try:
            super().finish()
        finally:
            self.request.close()

    do_GET = do_POST = _respond  # noqa: N815 - the standard library's names

    def log_message(self, *_: object) -> None:
        pass
