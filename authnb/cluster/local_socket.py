"""Requests between processes of this machine: over a Unix socket, or loopback TCP where its path would be too long.

A message is a line: an HMAC (RFC 2104, SHA-256) by the key that both ends have, and JSON. That of an answer covers
the request's as well. So neither end believes one who does not know the key, even if a port changes hands.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import socket
import socketserver
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from authnb import compat

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    Address = str | tuple[str, int]

_MAX_MESSAGE = 1 << 20  # bytes
_MAX_PATH = 100  # bytes of a Unix socket's address; systems take 104 or more
_TIMEOUT = 10.0  # seconds for which the server waits for the rest of a request, or to send an answer
_POLL = 0.1  # seconds between two looks at whether to stop
_MAC = 64  # hexadecimal digits


class NotAuthentic(ValueError):
    """A message from one who does not know the key."""


def _seal(key: bytes, context: bytes, message: Mapping[str, Any]) -> bytes:
    body = json.dumps(message).encode()
    return _mac(key, context, body) + b" " + body + b"\n"


def _unseal(key: bytes, context: bytes, line: bytes) -> dict[str, Any]:
    body = line[_MAC + 1 : -1]
    if not hmac.compare_digest(line[:_MAC], _mac(key, context, body)):
        raise NotAuthentic
    message: dict[str, Any] = json.loads(body)
    return message


def _mac(key: bytes, context: bytes, body: bytes) -> bytes:
    # Not hmac.digest: it lets other threads run while OpenSSL holds its locks, one of which may fork
    return hmac.new(key, context + b"\n" + body, "sha256").hexdigest().encode()


class _Sockets:
    """The sockets of this process, closed in one that is forked from it.

    Else the other end would not be told when this process ends, and requests would wait for one that does not answer.
    """

    def __init__(self) -> None:
        self._open: set[socket.socket] = set()
        compat.register_fork_aware(self)

    def add(self, connection: socket.socket) -> None:
        """Note a socket, in the same `compat.no_fork` in which it is made."""
        self._open.add(connection)

    def close(self, connection: socket.socket) -> None:
        """Close a socket."""
        with compat.no_fork():
            self._open.discard(connection)
            connection.close()

    def after_fork(self) -> None:
        """Close the copies of all, also of those that a file object keeps open."""
        for each in self._open:
            with suppress(OSError):
                socket.close(each.detach())
        self._open.clear()


_sockets = _Sockets()


class Call:
    """A request that was sent. Raises `OSError` as sockets do; `ConnectionRefusedError` if nobody listens there."""

    def __init__(self, address: Address, key: bytes, request: Mapping[str, Any], timeout: float) -> None:
        self._key = key
        with compat.no_fork():
            self._socket = socket.socket(_family(address))
            _sockets.add(self._socket)
        try:
            self._socket.settimeout(timeout)
            self._socket.connect(address)
            line = _seal(key, b"request", {**request, "nonce": secrets.token_hex(16)})
            self._context = line[:_MAC]
            self._socket.sendall(line)
        except BaseException:
            _sockets.close(self._socket)
            raise
        self._file = self._socket.makefile("rb")

    def receive(self, timeout: float | None) -> dict[str, Any]:
        """The next answer; `ConnectionError` at the end, and `NotAuthentic` for one without the key."""
        self._socket.settimeout(timeout)
        line = self._file.readline(_MAX_MESSAGE)
        if not line.endswith(b"\n"):
            raise ConnectionResetError
        return _unseal(self._key, self._context, line)

    def close(self) -> None:
        """End the connection."""
        self._file.close()
        _sockets.close(self._socket)


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Calls ``answer`` with each request, on a thread; one with the member ``watch`` is answered again at the end.

    Who watches takes no thread.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def __init__(
        self, address: Address, key: bytes, answer: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> None:
        self.key: bytes = key
        self.answer: Callable[[dict[str, Any]], dict[str, Any]] = answer
        vars(self)["address_family"] = _family(address)
        self._lock = threading.Lock()
        self._pending: dict[socket.socket, bytes] = {}  # requests in work, with the context of the answer
        self._watchers: dict[socket.socket, tuple[bytes, int]] = {}  # the same, and the process
        self._last: Mapping[str, Any] | None = None
        self._stopped = threading.Event()
        with compat.no_fork():
            super().__init__(address, _Handler)  # type: ignore[arg-type] # of the type stubs: no path of a socket
            _sockets.add(self.socket)
        self.socket.setblocking(False)  # for one that is gone before it is accepted

    def start(self) -> None:
        """Answer, on a thread. Raises `RuntimeError` if the system refuses another."""
        threading.Thread(target=self.serve_forever, args=(_POLL,), name="authnb-share", daemon=True).start()

    def end(self, last: Mapping[str, Any]) -> None:
        """Tell those who watch or wait for an answer, and stop."""
        with self._lock:
            self._last = last
            told = self._pending | {each: context for each, (context, _) in self._watchers.items()}
            self._pending, self._watchers = {}, {}
        for connection, context in told.items():
            self._tell(connection, context, last)
        self._stopped.set()
        self.shutdown()
        self.server_close()

    def watching(self) -> set[int]:
        """The processes that watch, and still run."""
        with self._lock:
            for watcher in [each for each in self._watchers if _has_ended(each)]:
                del self._watchers[watcher]
                _sockets.close(watcher)
            return {process for _, process in self._watchers.values()}

    def respond(self, connection: socket.socket, line: bytes) -> None:
        """Answer a request, unless the end comes first. Raises `NotAuthentic`."""
        request, context = _unseal(self.key, b"request", line), line[:_MAC]
        watches, process = bool(request.get("watch")), int(request["process"])
        if watches:
            self.watching()  # closes the connections of those who are gone
        with self._lock:
            last = self._last
            if last is None and watches:
                self._watchers[connection] = context, process
            elif last is None:
                self._pending[connection] = context
        if last is not None:
            self._tell(connection, context, last)
            return
        try:
            answer = {} if watches else self.answer(request)
        finally:
            with self._lock:
                told = not watches and self._pending.pop(connection, None) is None
        if not told:
            connection.sendall(_seal(self.key, context, answer))

    def _tell(self, connection: socket.socket, context: bytes, message: Mapping[str, Any]) -> None:
        with suppress(OSError):
            connection.sendall(_seal(self.key, context, message))
        _sockets.close(connection)

    def server_bind(self) -> None:
        """Bind a port that nobody else can bind."""
        compat.bind_exclusively(self.socket)
        super().server_bind()

    def server_close(self) -> None:
        """Close the listening socket."""
        _sockets.close(self.socket)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection."""
        try:
            with compat.no_fork():
                connection, address = super().get_request()
                _sockets.add(connection)
        except BlockingIOError:
            raise
        except OSError:
            self._stopped.wait(_POLL)  # no more descriptors: it will be there again at once
            raise
        connection.settimeout(_TIMEOUT)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """Close a connection, unless it watches."""
        with self._lock:
            if request in self._watchers:
                return
        _sockets.close(request)

    def handle_error(self, *_: object) -> None:
        """Print nothing: the other end is gone, knows no key, or there is no thread for it and it asks again."""


class _Handler(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        """Answer one request."""
        self.server.respond(self.request, self.rfile.readline(_MAX_MESSAGE))


def listen(folder: Path, key: bytes, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> Server:
    """A server for requests with this key, in this folder if a socket can be there."""
    path = str(folder / "socket")
    short = compat.UNIX_SOCKETS is not None and len(os.fsencode(path)) <= _MAX_PATH
    return Server(path if short else ("127.0.0.1", 0), key, answer)


def _family(address: Address) -> socket.AddressFamily:
    return (
        socket.AF_INET if compat.UNIX_SOCKETS is None or isinstance(address, tuple) else compat.UNIX_SOCKETS
    )


def _has_ended(connection: socket.socket) -> bool:
    """Whether the other end is closed; it sends nothing."""
    try:
        connection.setblocking(False)
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
