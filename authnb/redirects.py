"""How the browser's answer comes back: a listener on this machine's loopback interface.

RFC 8252 section 7.3: an HTTP server on 127.0.0.1, open only while a sign-in waits. It knows one request,
``GET /callback`` with the state of this sign-in; all else is told, briefly, that it is in the wrong place,
and the sign-in goes on waiting.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
import threading
import time
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from authnb.answers import AuthorizationResponse
from authnb.errors import LoginFailed
from authnb.exchange import Seen, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PATH = "/callback"
_LONGEST_LINE = 16_384  # bytes of a request line; no honest answer is longer
_LONGEST_REQUEST = 65_536  # bytes of a request with its headers
_REQUEST_TIMEOUT = 5  # seconds in which a browser has sent its request and taken the page
_MOST_VISITS = 64  # connections, and so threads, at a time

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title><meta name="viewport" content="width=device-width">
<style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 30rem; margin: 20vh auto; padding: 0 1rem }}
h1 {{ font-size: 1.25rem }}
</style>
<main><h1>{title}</h1><p>{text}</p></main></html>"""

_NOTHING = ("Nothing here", "This address takes the answer to a sign-in, and nothing else.")
_NOT_OURS = (
    "Not the sign-in your notebook waits for",
    "Open the page from your notebook again. If you said no at the provider, cancel the sign-in in your notebook.",
)
_DONE = ("Go back to your notebook", "It has the answer and goes on by itself. You can close this tab.")
_DECLINED = ("You were not signed in", "Go back to your notebook. It says why, and what to do.")


class LoopbackListener:
    """Waits on 127.0.0.1 for the answer to one authorization request.

    ``ports`` are tried in turn; 0 takes any free one. ``host`` is what redirect addresses call it. ``notify`` is
    called, on a thread of the listener, when the answer is there. ``below``: the address below which a proxy passes
    requests on to the port, where the browser cannot reach it. Opened on construction; `close` frees the port.
    Raises `LoginFailed` if no port can be had.
    """

    def __init__(
        self,
        ports: Iterable[int] = (0,),
        notify: Callable[[], None] = lambda: None,
        host: str = "127.0.0.1",
        below: str | None = None,
    ) -> None:
        self._server = _open(tuple(ports))
        self._server.host = f"{host}:{self._server.port}"
        self._server.names = {self._server.host}
        self._server.notify = notify
        self._below = below
        if below is not None:  # the proxy may pass on the name it was asked for, or give us its own for us
            self._server.names |= {urlsplit(below).netloc, f"localhost:{self._server.port}"}
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.port

    @property
    def redirect_uri(self) -> str:
        """The address the provider sends the browser to."""
        if self._below is not None:
            return f"{self._below}{self._server.port}{PATH}"
        return f"http://{self._server.host}{PATH}"

    @property
    def probe(self) -> str:
        """An address at which a page may find out whether its browser reaches this listener."""
        return f"http://{self._server.host}{self._server.probe}"

    def expect(self, state: str) -> None:
        """From now on take the answer to the request with this state."""
        self._server.state = state

    def answer(self) -> AuthorizationResponse | None:
        """The answer, if it has come. The first one counts."""
        return self._server.answer

    def close(self) -> None:
        """Stop listening and free the port; done twice, it does nothing more."""
        with suppress(OSError):  # wakes the thread on Linux; elsewhere it looks by itself 20 times a second
            self._server.socket.shutdown(socket.SHUT_RDWR)
        if self._server.answer is not None:
            self._server.delivered.wait(_REQUEST_TIMEOUT)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingTCPServer):
    """Answers whoever knocks, with no more connections, bytes and seconds than there are above."""

    daemon_threads = True
    # Nobody else may share our port. Elsewhere than on Windows that holds all the same, and without it a port is
    # closed to the next sign-in for a minute.
    allow_reuse_address = os.name == "posix"
    request_queue_size = 128
    state: str | None = None
    answer: AuthorizationResponse | None = None
    notify: Callable[[], None]

    def __init__(self, port: int) -> None:
        self.lock = threading.Condition()
        self.delivered = threading.Event()  # whether the browser that brought the answer has its page
        self.visits: dict[Any, float] = {}  # open connections, the oldest first, and when each has to end
        super().__init__(("127.0.0.1", port), _Handler)
        self.port = self.server_address[1]
        self.host = f"127.0.0.1:{self.port}"
        self.names = {self.host}
        self.probe = f"/{secrets.token_urlsafe(16)}"

    def server_bind(self) -> None:
        """Bind so that nobody else can, on Windows too."""
        if sys.platform == "win32":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        super().server_bind()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Let somebody in; who has been here longest makes room."""
        with self.lock:
            while len(self.visits) >= _MOST_VISITS:
                _hang_up(next(iter(self.visits)))
                self.lock.wait()
            self.visits[request] = time.monotonic() + _REQUEST_TIMEOUT
        super().process_request(request, client_address)

    def service_actions(self) -> None:
        """Hang up on whoever takes too long. Called after each visitor, and several times a second."""
        with self.lock:
            for visit, end in self.visits.items():
                if end < time.monotonic():
                    _hang_up(visit)

    def shutdown_request(self, request: Any) -> None:
        """The end of a visit."""
        super().shutdown_request(request)
        with self.lock:
            self.visits.pop(request, None)
            self.lock.notify_all()

    def server_close(self) -> None:
        """Free the port, and hang up on whoever is still here."""
        super().server_close()
        with self.lock:
            for visit in self.visits:
                _hang_up(visit)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a browser that hangs up is no news, and a traceback could hold the code."""

    def take(self, query: str) -> AuthorizationResponse | None:
        """The answer in this query if it is ours and the first."""
        answer = AuthorizationResponse.parse(query, self.state) if self.state else None
        with self.lock:
            if answer is None or self.answer is not None:
                return None
            self.answer = answer
            return answer


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "authnb", ""
    timeout = _REQUEST_TIMEOUT
    wbufsize = -1  # a page goes in one piece: whoever is hung up on has all of it or nothing
    headers_sent: ClassVar = {
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }

    def setup(self) -> None:
        """Read no more than a request may have."""
        super().setup()
        self.rfile = _Beginning(self.rfile, _LONGEST_REQUEST)  # type: ignore[assignment] # all that is read of it

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        # A page elsewhere can make a browser call us under its own name (DNS rebinding)
        own_name = len(names := self.headers.get_all("Host", [])) == 1 and names[0] in self.server.names
        if path == self.server.probe and own_name:
            self.send_response(HTTPStatus.NO_CONTENT)
            self.send_header("Access-Control-Allow-Origin", "*")  # only who was told of this address asks
            self.end_headers()
            return None
        if path != PATH or not own_name or len(self.path) > _LONGEST_LINE:
            return self._page(HTTPStatus.NOT_FOUND, *_NOTHING)
        answer = self.server.take(query)
        if answer is None:
            return self._page(HTTPStatus.BAD_REQUEST, *_NOT_OURS)
        url = f"http://{self.server.host}{self.path}"
        tell(Seen(sender="browser", method="GET", url=url, status=HTTPStatus.OK))
        try:  # the page first: once somebody has the news, the process may end
            self._page(HTTPStatus.OK, *(_DONE if answer.error is None else _DECLINED))
        finally:
            self.server.delivered.set()
            self.server.notify()

    def send_error(self, code: int, *_: Any, **__: Any) -> None:
        """The same page for whatever is no such request: nothing of it is repeated."""
        self._page(HTTPStatus(code), *_NOTHING)

    def _page(self, status: HTTPStatus, title: str, text: str) -> None:
        body = _PAGE.format(title=title, text=text).encode()
        self.send_response(status)
        for name, value in self.headers_sent.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Log nothing: request lines hold codes."""


class _Beginning:
    """So many bytes of a stream, line by line."""

    def __init__(self, stream: Any, size: int) -> None:
        self._stream, self._left = stream, size
        self.close = stream.close

    def readline(self, limit: int) -> bytes:
        line: bytes = self._stream.readline(min(limit, self._left))
        self._left -= len(line)
        return line


def _hang_up(visit: socket.socket) -> None:
    with suppress(OSError):  # they have done so already
        visit.shutdown(socket.SHUT_RDWR)


def _open(ports: tuple[int, ...]) -> _Server:
    for port in ports:
        try:
            return _Server(port)
        except (OSError, OverflowError):
            continue
    raise LoginFailed(
        "port_in_use",
        f"Waiting for the browser's answer failed: port {', '.join(map(str, ports))} on 127.0.0.1 is in use or "
        "not allowed. Close what uses it, or give other ports with redirect_port=; registered with the "
        "provider they must be.",
    )
