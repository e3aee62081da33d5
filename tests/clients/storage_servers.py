"""Servers for the tests of storage clients: they admit a request by its access token, and answer as a cloud does."""

from __future__ import annotations

from collections.abc import Callable
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import requests
from servers import OnThread, ThreadedServer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from authnb.demo import DemoProvider

Response = tuple[int, dict[str, str], bytes]
Handle = Callable[[str, str, "Mapping[str, str]", bytes], Response]  # method, path with query, headers, body

UNAUTHORIZED: Response = (401, {"WWW-Authenticate": "Bearer", "Content-Type": "text/plain"}, b"Unauthorized")
NOT_FORWARDED = {"connection", "transfer-encoding", "content-length", "server", "date"}


class TokenServer(OnThread):
    """Hands a request on to ``handle`` if the demo's API accepts its access token; ``tokens``: one for each request.

    The token is in the Authorization header (RFC 6750) or, as STS takes it, in the form's WebIdentityToken.
    """

    def __init__(self, demo: DemoProvider, handle: Handle, tls: ssl.SSLContext | None = None) -> None:
        self.tokens: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _respond(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                token = outer.token_of(self.headers, body)
                outer.tokens.append(token)
                status, headers, content = UNAUTHORIZED
                if outer.accepts(demo, token):
                    status, headers, content = handle(self.command, self.path, self.headers, body)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _respond  # noqa: N815 - the standard library's names

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadedServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)

    @staticmethod
    def token_of(headers: Mapping[str, str], body: bytes) -> str:
        """The access token of a request."""
        if b"WebIdentityToken" in body:
            return parse_qs(body.decode())["WebIdentityToken"][0]
        return (headers.get("Authorization") or "").removeprefix("Bearer ")

    @staticmethod
    def accepts(demo: DemoProvider, token: str) -> bool:
        """Whether the demo's API accepts the token."""
        headers = {"Authorization": f"Bearer {token}"}
        return requests.get(f"{demo.api}/stations", headers=headers, timeout=30).ok


def forward_to(target: str) -> Handle:
    """Hand requests on to an emulator that looks at no token."""

    def handle(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Response:
        upstream = HTTPConnection(urlsplit(target).netloc, timeout=30)
        upstream.request(method, path, body, dict(headers))
        response = upstream.getresponse()
        content = response.read()
        upstream.close()
        return (
            response.status,
            {k: v for k, v in response.getheaders() if k.lower() not in NOT_FORWARDED},
            content,
        )

    return handle


def azure_blobs(blobs: Mapping[str, bytes]) -> Handle:
    """Azure's Blob service with these blobs in its only container: Get Blob Properties, Get Blob."""

    def handle(method: str, path: str, headers: Mapping[str, str], _body: bytes) -> Response:
        parts = urlsplit(path)
        blob = blobs.get(parts.path.rpartition("/")[2])
        if blob is None:
            return 404, {"x-ms-error-code": "BlobNotFound"}, b""
        found = {
            "Last-Modified": "Sun, 01 Nov 2026 00:00:00 GMT",
            "ETag": '"0x8D1"',
            "Content-Type": "application/octet-stream",
            "x-ms-blob-type": "BlockBlob",
        }
        if method == "HEAD":
            return 200, {**found, "Content-Length": str(len(blob))}, b""
        wanted = headers.get("x-ms-range") or headers.get("Range")
        if wanted is None:
            return 200, found, blob
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        start, end = int(first), min(int(last or len(blob) - 1), len(blob) - 1)
        found["Content-Range"] = f"bytes {start}-{end}/{len(blob)}"
        return 206, found, blob[start : end + 1]

    return handle
