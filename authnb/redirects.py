"""How the browser's answer comes back: a listener on this machine's loopback interface.

RFC 8252 section 7.3: an HTTP server on 127.0.0.1, open only while a sign-in waits. It knows one request,
``GET /callback`` with the state of this sign-in; all else is told, briefly, that it is in the wrong place,
and the sign-in goes on waiting.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from authnb.answers import AuthorizationResponse
from authnb.errors import LoginFailed
from authnb.exchange import Seen, tell
from authnb.neighbours import is_stranger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PATH = "/callback"
_LONGEST_TARGET = 16_384  # bytes of an address; no honest answer is longer
_LONGEST_REQUEST = 65_536  # bytes of a request with its headers
_REQUEST_TIMEOUT = 5  # seconds in which a browser has sent its request and taken the page
_MOST_VISITS = 128  # connections at a time
_MOST_DROPPED = 1 << 20  # bytes that are read and dropped after the page
_PAUSE = 0.1  # seconds before the next try to take a connection
_BACKLOG = 128  # connections that wait to be taken

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
    "Perhaps it was used already, or belongs to an earlier try. Open the page from your notebook again.",
)
_DONE = ("Go back to your notebook", "It has the answer and goes on by itself. You can close this tab.")
_STRANGER = (
    "Another user of this computer sent this",
    "Whoever began a sign-in has to answer it. If that was you, copy this page's address into your notebook.",
)
_DECLINED = ("You were not signed in", "Go back to your notebook. It says why, and what to do.")
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Connection": "close",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class LoopbackListener:
    """Waits on 127.0.0.1 for the answer to one authorization request.

    ``ports`` are tried in turn; 0 takes any free one. ``notify`` is called, on a thread of the listener,
    when the answer is there. Opened on construction; `close` frees the port. Raises `LoginFailed` if no
    port can be had.
    """

    def __init__(self, ports: Iterable[int] = (0,), notify: Callable[[], None] = lambda: None) -> None:
        self._door = _open(tuple(ports), notify)

    @property
    def redirect_uri(self) -> str:
        """The address the provider sends the browser to."""
        return f"http://{self._door.host}{PATH}"

    def expect(self, state: str) -> None:
        """From now on take the answer to the request with this state."""
        self._door.state = state

    def answer(self) -> AuthorizationResponse | None:
        """The answer, if it has come. The first one counts."""
        return self._door.answer

    def close(self) -> None:
        """Stop listening and free the port; done twice, it does nothing more."""
        self._door.close()


def hand_over(address: str, redirect_uri: str) -> None:
    """Give the listener the address a browser ended on that could not reach it.

    Raises `LoginFailed` if it is not the answer to the sign-in that waits there.
    """
    place, _, query = address.strip().partition("?")
    if place != redirect_uri or not query:
        raise LoginFailed(
            "invalid_request",
            f"This is not the address your browser ended on: that one begins with {redirect_uri}?",
        )
    connection = HTTPConnection("127.0.0.1", urlsplit(redirect_uri).port or 80, timeout=_REQUEST_TIMEOUT)
    try:
        connection.request("GET", f"{PATH}?{query}")
        status = connection.getresponse().status
    except (OSError, HTTPException, ValueError):
        status = HTTPStatus.SERVICE_UNAVAILABLE
    finally:
        connection.close()
    if status != HTTPStatus.OK:
        raise LoginFailed(
            "invalid_request",
            "This address belongs to another sign-in, or was used before. Open the sign-in page again.",
        )


class _Door:
    """One thread that answers whoever knocks: no more connections, bytes and seconds than there are above."""

    def __init__(self, port: int, notify: Callable[[], None]) -> None:
        self.state: str | None = None
        self.answer: AuthorizationResponse | None = None
        self.notify = notify
        self.visits: dict[_Visit, None] = {}  # the oldest first
        self._socket = _listen(port)
        self.host = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._loop = asyncio.SelectorEventLoop()
        # Silent: what an event loop logs could hold the code
        self._loop.set_exception_handler(lambda *_: None)
        self._closed = asyncio.Event()
        self._coming: set[asyncio.Task[Any]] = set()
        self._thread = threading.Thread(target=self._run, name="authnb-listener", daemon=True)
        self._thread.start()

    def close(self) -> None:
        with suppress(RuntimeError):  # it is closed already
            self._loop.call_soon_threadsafe(self._closed.set)
        self._thread.join()

    def _run(self) -> None:
        with closing(self._loop), self._socket:
            self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._attend()
        await self._closed.wait()
        self._loop.remove_reader(self._socket)
        await asyncio.gather(*self._coming, return_exceptions=True)
        for visit in tuple(self.visits):
            visit.transport.abort()
        await asyncio.sleep(0)  # in which they are closed

    def _attend(self) -> None:
        if not self._closed.is_set():
            self._loop.add_reader(self._socket, self._take_in)

    def _take_in(self) -> None:
        try:
            connection, _ = self._socket.accept()
        except OSError:  # no more files to be had, or gone again
            self._loop.remove_reader(self._socket)
            self._loop.call_later(_PAUSE, self._attend)
            return
        connection.setblocking(False)
        coming = self._loop.create_task(self._loop.connect_accepted_socket(lambda: _Visit(self), connection))
        self._coming.add(coming)
        coming.add_done_callback(self._coming.discard)

    def enter(self, visit: _Visit) -> None:
        """Let somebody in; whoever has dawdled longest makes room."""
        self.visits[visit] = None
        if len(self.visits) > _MOST_VISITS:
            next(iter(self.visits)).leave()

    def page_for(self, request: _Request | None, visitor: tuple[str, int]) -> bytes:
        """What the visitor is told."""
        if request is None:
            return _page(HTTPStatus.BAD_REQUEST, *_NOTHING)
        if request.method != "GET":
            return _page(HTTPStatus.METHOD_NOT_ALLOWED, *_NOTHING)
        path, _, query = request.target.partition("?")
        # A page elsewhere can make a browser call us under its own name (DNS rebinding)
        if path != PATH or request.host != self.host or len(request.target) > _LONGEST_TARGET:
            return _page(HTTPStatus.NOT_FOUND, *_NOTHING)
        answer = AuthorizationResponse.parse(query, self.state) if self.state else None
        if answer is None or self.answer is not None:
            return _page(HTTPStatus.BAD_REQUEST, *_NOT_OURS)
        if is_stranger(visitor, self._socket.getsockname()):
            return _page(HTTPStatus.FORBIDDEN, *_STRANGER)
        url = f"http://{self.host}{request.target}"
        tell(Seen(sender="browser", method="GET", url=url, status=HTTPStatus.OK))
        self.answer = answer
        return _page(HTTPStatus.OK, *(_DONE if answer.error is None else _DECLINED))


class _Visit(asyncio.Protocol):
    """One connection: one request, one page."""

    transport: asyncio.Transport

    def __init__(self, door: _Door) -> None:
        self._door = door
        self._came = bytearray()
        self._size = 0
        self._told = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment] # a stream's
        self._end = asyncio.get_running_loop().call_later(_REQUEST_TIMEOUT, self.leave)
        self._door.enter(self)

    def data_received(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > (_MOST_DROPPED if self._told else _LONGEST_REQUEST):
            self.leave()
        elif not self._told:  # to hang up on what comes after would take the page away again
            start = max(0, len(self._came) - 3)
            self._came += data
            end = self._came.find(b"\r\n\r\n", start)
            if end >= 0:
                self._tell(_Request.parse(bytes(self._came[:end])))

    def _tell(self, request: _Request | None) -> None:
        self._told = True
        self._came.clear()
        page = self._door.page_for(request, self.transport.get_extra_info("peername"))
        try:  # the page first: once somebody has the news, the process may end
            self.transport.write(page)
            self.transport.write_eof()
        finally:
            if self._door.answer is not None:
                self._door.notify()

    def leave(self) -> None:
        """Hang up."""
        self._door.visits.pop(self, None)
        self.transport.abort()

    def connection_lost(self, _error: Exception | None) -> None:
        self._end.cancel()
        self._door.visits.pop(self, None)


@dataclass(frozen=True, kw_only=True)
class _Request:
    """What is looked at in a request (RFC 9112 section 3); its target holds the code."""

    method: str
    target: str = field(repr=False)
    host: str

    @classmethod
    def parse(cls, head: bytes) -> _Request | None:
        """The request with this head, or None if it is none, or has not one ``Host`` (section 3.2)."""
        first, *lines = head.decode("latin-1").split("\r\n")
        words = first.split(" ")
        hosts = [
            value.strip()
            for name, _, value in (line.partition(":") for line in lines)
            if name.lower() == "host"
        ]
        if len(words) != 3 or not words[2].startswith("HTTP/1.") or len(hosts) != 1:  # noqa: PLR2004 - a request line's three
            return None
        return cls(method=words[0], target=words[1], host=hosts[0])


def _page(status: HTTPStatus, title: str, text: str) -> bytes:
    body = _PAGE.format(title=title, text=text).encode()
    fields = {**_HEADERS, "Content-Length": str(len(body))}
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        fields["Allow"] = "GET"
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status.value} {status.phrase}\r\n{lines}\r\n".encode() + body


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":  # elsewhere nobody can share a port without being let
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def _open(ports: tuple[int, ...], notify: Callable[[], None]) -> _Door:
    for port in ports:
        try:
            return _Door(port, notify)
        except (OSError, OverflowError):
            continue
    raise LoginFailed(
        "port_in_use",
        f"Waiting for the browser's answer failed: port {', '.join(map(str, ports))} on 127.0.0.1 is in use or "
        "not allowed. Close what uses it, or give other ports with redirect_port=; registered with the "
        "provider they must be.",
    )
