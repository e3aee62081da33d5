"""A share with processes of this machine, over a socket whose address and key this user alone can read."""

from __future__ import annotations

import hmac
import json
import os
import secrets
import shutil
import socket
import socketserver
import tempfile
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from authnb.cluster.grant import Grant, error_from_message, error_to_message, share_ended
from authnb.cluster.share import Holder
from authnb.compat import register_fork_aware
from authnb.errors import AuthnbError, ShareError, StorageError, unexpected_error
from authnb.storage import owner_only

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from authnb.cluster import member
    from authnb.cluster.grant import Reference
    from authnb.cluster.supply import TokenSupply

_MAX_MESSAGE = 1 << 16  # bytes
_MARGIN = (
    60.0  # seconds beyond its patience that a process waits for the kernel, whose renewal may take so long
)
_MAX_PATH = 100  # bytes of a Unix socket's address; systems take 104 or more
_POLL = 0.1  # seconds between two looks at whether to stop
_WHERE = "share"  # the file with address and key
_GONE = "the process that shared it has ended."


class ProcessChannel:
    """Answers a request a connection; one that only watches is told of the end."""

    kind = "processes"
    description = "processes of this machine"

    def start(self, name: str, supply: TokenSupply) -> None:  # noqa: ARG002 - the folder names the share
        """Listen, and write down where."""
        self._supply = supply
        self._key = secrets.token_hex(32)
        self._holders: dict[int, float | None] = {}
        self._folder = Path(tempfile.mkdtemp(prefix="authnb-"))
        self.address = str(self._folder)
        self._server = _listen(self._folder, self._answer, self._forget)
        register_fork_aware(self._server)
        threading.Thread(
            target=self._server.serve_forever, args=(_POLL,), name="authnb-share", daemon=True
        ).start()
        where = {"address": self._server.server_address, "key": self._key}
        owner_only.write(self._folder / _WHERE, json.dumps(where).encode())

    def end(self, error: ShareError) -> None:
        """Tell every process that watches, and stop."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._server.shutdown()
        self._server.server_close()
        self._server.tell(error_to_message(error))
        self._holders.clear()

    def holders(self) -> Sequence[Holder]:
        """The processes that asked for a token, and still run."""
        now = time.monotonic()
        return [
            Holder(worker=f"process {pid}", expires_in=None if until is None else until - now)
            for pid, until in tuple(self._holders.items())
        ]

    def _answer(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """The answer to a request; None if it is to watch."""
        if not hmac.compare_digest(str(request["key"]).encode(), self._key.encode()):
            return error_to_message(ShareError("share_not_found", "The share has another key by now."))
        if request["serial"] is None:
            return None
        try:
            grant = self._supply.newer_than(int(request["serial"]), float(request["patience"]))
        except AuthnbError as error:
            return error_to_message(error)
        except Exception as error:  # noqa: BLE001 - raised in the process that asked
            return error_to_message(unexpected_error("Renewing the token", error))
        self._holders[int(request["pid"])] = None if grant.left is None else time.monotonic() + grant.left
        return grant.to_message()

    def _forget(self, pid: int) -> None:
        self._holders.pop(pid, None)


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """A thread for each connection; ``answer`` gives None for one that is to be told of the end."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def __init__(
        self,
        address: Any,
        answer: Callable[[dict[str, Any]], dict[str, Any] | None],
        forget: Callable[[int], None],
    ) -> None:
        self.answer, self.forget = answer, forget
        self.connections: set[socket.socket] = set()
        self.watchers: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer on a thread."""
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        self.connections.discard(request)
        super().shutdown_request(request)

    def tell(self, message: dict[str, Any]) -> None:
        """Tell the watchers that this is the end."""
        for watcher in tuple(self.watchers):
            with suppress(OSError):
                watcher.sendall(json.dumps(message).encode() + b"\n")
                watcher.shutdown(socket.SHUT_RDWR)

    def after_fork(self) -> None:
        """Leave every socket to the parent, so that it is closed when the parent ends."""
        self.socket.close()
        for connection in self.connections:
            connection.close()


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        """Answer one request, a line of JSON, by another."""
        with suppress(
            ValueError, KeyError, TypeError, OSError
        ):  # no request, or from a process that has ended
            request = json.loads(self.rfile.readline(_MAX_MESSAGE))
            message = self.server.answer(request)
            if message is not None:
                self.wfile.write(json.dumps(message).encode() + b"\n")
                return
            self.server.watchers.add(self.request)
            try:
                self.rfile.read(1)  # until either ends
            finally:
                self.server.watchers.discard(self.request)
                self.server.forget(int(request["pid"]))


if hasattr(socket, "AF_UNIX"):

    class _UnixServer(_Server):
        address_family = socket.AF_UNIX


def _listen(folder: Path, *handlers: Any) -> _Server:
    path = str(folder / "socket")
    if hasattr(socket, "AF_UNIX") and len(os.fsencode(path)) <= _MAX_PATH:
        return _UnixServer(path, *handlers)
    return _Server(("127.0.0.1", 0), *handlers)


class _Requests:
    """The channel of a process to the one that shares."""

    def __init__(self, folder: Path, joined: member.Member) -> None:
        self._folder, self._member = folder, joined

    def newer_than(self, serial: int, patience: float) -> Grant:
        """A token with a higher number."""
        request = {"serial": serial, "patience": patience}
        try:
            with closing(self._send(request, patience + _MARGIN)) as connection:
                message = _receive(connection)
        except TimeoutError:
            raise ShareError(
                "timeout",
                f"The process that shares the sign-in did not answer within {patience + _MARGIN:.0f} s: it is stopped, "
                "or its provider is in trouble. Run the task again.",
            ) from None
        except (OSError, ValueError, StorageError):
            raise share_ended(_GONE) from None
        if "error" in message:
            raise error_from_message(message)
        self._watch()
        return Grant.from_message(message)

    def _send(self, request: dict[str, Any], timeout: float | None) -> socket.socket:
        where = json.loads(owner_only.read(self._folder / _WHERE) or b"")
        address = where["address"]
        connection = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        try:
            connection.settimeout(timeout)
            connection.connect(address if isinstance(address, str) else tuple(address))
            message = {**request, "key": where["key"], "pid": os.getpid()}
            connection.sendall(json.dumps(message).encode() + b"\n")
        except BaseException:
            connection.close()
            raise
        return connection

    def _watch(self) -> None:
        """Once for each process: forget the token when the other end says so, or goes."""
        watched = str(self._folder), os.getpid()
        if watched in _watched:
            return
        _watched.add(watched)
        connection = self._send({"serial": None}, None)
        threading.Thread(target=self._wait, args=(connection,), name="authnb-share", daemon=True).start()

    def _wait(self, connection: socket.socket) -> None:
        with closing(connection):
            try:
                error = error_from_message(_receive(connection))
            except (OSError, ValueError):
                error = share_ended(_GONE)
        self._member.end(error)


_watched: set[tuple[str, int]] = set()


def _receive(connection: socket.socket) -> dict[str, Any]:
    with connection.makefile("rb") as file:
        message: dict[str, Any] = json.loads(file.readline(_MAX_MESSAGE))
        return message


def find_channel(reference: Reference, joined: member.Member) -> _Requests | None:
    """The channel of this reference; None if it is not of this machine and user, or has ended."""
    folder = Path(reference.address)
    try:
        found = owner_only.read(folder / _WHERE)
    except StorageError:
        return None
    return None if found is None else _Requests(folder, joined)


def open_channel(target: Any, *, allow_unencrypted: bool) -> ProcessChannel:  # noqa: ARG001 - nothing leaves the machine
    """The channel to processes of this machine."""
    return ProcessChannel()
