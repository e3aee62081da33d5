"""The loopback listener, which receives the callback (RFC 8252 section 7.3).

Open on 127.0.0.1 only while a sign-in waits. The sign-ins of a process that use the same port share one socket: a
callback is given to the one whose redirect URI and ``state`` it carries.
"""

from __future__ import annotations

import errno
import socket
import threading
import time
from contextlib import suppress
from itertools import product
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from authnb import compat
from authnb.errors import LoginFailed
from authnb.flows.callback_server import REQUEST_TIMEOUT, SERVER_NAME, CallbackReceiver, CallbackServer
from authnb.flows.redirect_uris import CALLBACK_PATH
from authnb.messages import gettext
from authnb.transport.localhost import localhost_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from authnb.oauth.responses import AuthorizationResponse

_LOCALHOST = ("127.0.0.1", "::1")  # a browser asked for localhost may try either first
_NO_SUCH_ADDRESS = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}  # on a machine without IPv6, or without IPv4
_FREE_PORT_TRIES = 20  # a port that is free at one address may be in use at the other
_PROBE_TIMEOUT = 1.0  # seconds for a response from whatever has the port
_PROBE_SIZE = 1024  # bytes of it that are kept

_servers: dict[tuple[str, int], CallbackServer] = {}  # of this process, by address and port
_lock = threading.Lock()  # held while they are opened and closed


class LoopbackListener:
    """Receives the callback of one authorization request on 127.0.0.1, or [::1] on a machine without IPv4.

    Where it comes to localhost, it is received on both.

    ``ports`` are tried in turn; 0 takes any free one. ``host`` is the host in the redirect URI. ``notify`` is
    called, on a thread of the listener, when the callback has arrived. ``proxy_base``: the URL below which a proxy
    forwards requests to the port, where the browser cannot reach it. ``path``: the redirect URI's. Opened
    on construction; `close` frees the port, once no other listener of the process uses it. Raises `LoginFailed` if no
    port is available, or no thread.
    """

    def __init__(
        self,
        ports: Iterable[int] = (0,),
        notify: Callable[[], None] = lambda: None,
        host: str = "127.0.0.1",
        proxy_base: str | None = None,
        path: str = CALLBACK_PATH,
    ) -> None:
        self._proxy_base = proxy_base
        if host == "127.0.0.1":
            host = localhost_address()  # [::1] on a machine without IPv4 (RFC 8252 section 7.3)
        with _lock:
            self._servers = _open(tuple(ports), _addresses(host, proxy_base))
            self.port: int = self._servers[0].key[1]
            netloc = f"{host}:{self.port}"
            allowed_hosts = {netloc}
            if proxy_base is not None:  # a proxy forwards the browser's Host header, or sends its own
                allowed_hosts |= {urlsplit(proxy_base).netloc, f"localhost:{self.port}"}
            self._receiver = CallbackReceiver(netloc, allowed_hosts, path, notify)
            for server in self._servers:
                server.receivers += (self._receiver,)
            try:
                for server in self._servers:
                    server.start()
            except RuntimeError:  # as the interpreter reports limits of the system
                self._leave()
                raise LoginFailed(
                    "no_threads",
                    gettext(
                        "Waiting for the callback failed: the system refuses another thread. Close other programs or "
                        "kernels, or raise the limit (ulimit -u), then try again."
                    ),
                ) from None

    @property
    def redirect_uri(self) -> str:
        """The redirect URI for the authorization request."""
        if self._proxy_base is not None:
            return f"{self._proxy_base}{self.port}{self._receiver.path}"
        return f"http://{self._receiver.host}{self._receiver.path}"

    @property
    def probe(self) -> str:
        """A URL at which a page can test whether its browser reaches this listener."""
        return f"http://{self._receiver.host}{self._receiver.probe}"

    def expect(self, state: str) -> None:
        """Accept the callback with this ``state``."""
        self._receiver.state = state

    def answer(self) -> AuthorizationResponse | None:
        """The response in the first accepted callback, if one has arrived."""
        return self._receiver.answer

    def close(self) -> None:
        """Stop listening; idempotent. The last listener of the process at its port frees it."""
        if self._receiver.answer is not None:
            self._receiver.delivered.wait(REQUEST_TIMEOUT)
        with _lock:
            self._leave()

    def _leave(self) -> None:
        for server in self._servers:
            server.receivers = tuple(each for each in server.receivers if each is not self._receiver)
            if not server.receivers and _servers.get(server.key) is server:
                del _servers[server.key]
                server.stop()


def other_sign_ins(ports: Iterable[int], host: str, proxy_base: str | None) -> list[int]:
    """Those of the ports at which sign-ins of other processes listen."""
    found = product(filter(None, ports), _addresses(host, proxy_base))
    return list(dict.fromkeys(port for port, address in found if _has_listener(port, address)))


def _has_listener(port: int, address: str) -> bool:
    """Whether the response from this port names authnb as its server; another one is read for a second at most."""
    request = f"HEAD / HTTP/1.0\r\nHost: {address}:{port}\r\n\r\n"
    deadline, response = time.monotonic() + _PROBE_TIMEOUT, b""
    with (
        suppress(OSError, OverflowError),
        socket.create_connection((address, port), _PROBE_TIMEOUT) as connection,
    ):
        connection.sendall(request.encode())
        while time.monotonic() < deadline and (received := connection.recv(_PROBE_SIZE)):
            response = (response + received)[:_PROBE_SIZE]
            if f"\r\nServer: {SERVER_NAME}".encode() in response:
                return True
    return False


def _addresses(host: str, proxy_base: str | None) -> tuple[str, ...]:
    """The addresses at which the callback to this host arrives."""
    if host == "localhost" or proxy_base is not None:  # a proxy asks for localhost too
        return _LOCALHOST
    return (localhost_address().strip("[]"),)


def _open(ports: tuple[int, ...], addresses: tuple[str, ...]) -> list[CallbackServer]:
    """A server at each of these addresses that this machine has, all on one of the ports."""
    for port in ports:
        for _ in range(1 if port else _FREE_PORT_TRIES):
            with suppress(OSError, OverflowError):
                return _open_all(port, addresses)
    where = addresses[0]
    for address in addresses[1:]:
        where = gettext("{first} and {last}", first=where, last=address)
    raise LoginFailed(
        "port_in_use",
        gettext(
            "Waiting for the callback failed: port {ports} on {addresses} is in use or not allowed. Close what uses "
            "it, or give other ports with redirect_port=; they must be registered with the provider.",
            ports=", ".join(map(str, ports)),
            addresses=where,
        ),
    )


def _open_all(port: int, addresses: tuple[str, ...]) -> list[CallbackServer]:
    servers: list[CallbackServer] = []
    opened: list[CallbackServer] = []
    for address in addresses:
        wanted = servers[0].key[1] if servers else port
        try:
            if (server := _servers.get((address, wanted))) is None:
                server = CallbackServer(address, wanted)
                opened.append(server)
            servers.append(server)
        except (OSError, OverflowError) as error:
            if getattr(error, "errno", None) in _NO_SUCH_ADDRESS and len(addresses) > 1:
                continue
            for each in opened:
                each.stop()
            raise
    if not servers:
        raise OSError(errno.EADDRNOTAVAIL, "no loopback address")
    _servers.update({server.key: server for server in opened})
    return servers


def _forget_servers() -> None:
    """In a forked process: leave the ports to the parent, where a copy of a socket would keep one open."""
    global _lock  # noqa: PLW0603 - another thread of the parent may hold it
    _lock = threading.Lock()
    for server in _servers.values():
        server.receivers = ()
        server.socket.close()
    _servers.clear()


compat.after_fork(_forget_servers)
