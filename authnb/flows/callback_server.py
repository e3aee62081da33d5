"""The HTTP server for callbacks at one address and port, shared by the sign-ins that wait there.

It accepts one request for each of them, ``GET`` of its redirect URI's path with its ``state``; any other gets a short
error page, and the sign-ins go on waiting.
"""

from __future__ import annotations

import secrets
import socket
import threading
import time
from contextlib import suppress
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl

from authnb import compat
from authnb.messages import N_, current_language, gettext
from authnb.oauth.error_responses import REMEDIES
from authnb.oauth.responses import AuthorizationResponse
from authnb.transport.exchange import HTTPExchange, notify

if TYPE_CHECKING:
    from collections.abc import Callable

SERVER_NAME = "authnb"  # in the header Server of each response
REQUEST_TIMEOUT = 5  # seconds for a whole request and its response
_MAX_REQUEST_LINE = 16_384  # bytes of a request line
_MAX_REQUEST = 65_536  # bytes of a request line and headers
_MAX_PARAMETERS = 100  # of a query that is looked through for an error
_MAX_CONNECTIONS = 64  # at a time; each has a thread
_POLL_INTERVAL = 0.05  # seconds between checks of the deadlines
_PAGE = """<!doctype html>
<html lang="{language}"><meta charset="utf-8"><title>{title}</title><meta name="viewport" content="width=device-width">
<style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 30rem; margin: 20vh auto; padding: 0 1rem }}
h1 {{ font-size: 1.25rem }}
</style>
<main><h1>{title}</h1><p>{text}</p></main></html>"""

_NOT_FOUND_PAGE = (
    N_("Nothing here"),
    N_("This address takes the answer to a sign-in, and nothing else."),
)
_WRONG_STATE_PAGE = (
    N_("Not the sign-in your notebook waits for"),
    N_(
        "Open the page from your notebook again. If you said no at the provider, cancel the sign-in in your notebook."
    ),
)
_REFUSED_PAGE = (
    N_("The provider refused the sign-in"),
    N_(
        "Its answer is {code}, without the state that shows that it is meant for your notebook. Cancel the sign-in "
        "there. {step}"
    ),
)
_PREFETCH_PAGE = (
    N_("Not yet"),
    N_("This address takes the answer to a sign-in once your browser opens it."),
)
_FORM_PAGE = (
    N_("The answer came as a form"),
    N_(
        "Your notebook takes it in the address only. Cancel the sign-in there, and begin it with "
        "Provider.discover(…, quirks=Quirks(parameters={{'response_mode': 'query'}}))."
    ),
)
_DONE_PAGE = (
    N_("Go back to your notebook"),
    N_("It has the answer, and shows what came of it. You can close this tab."),
)
_DECLINED_PAGE = (
    N_("You were not signed in"),
    N_("Go back to your notebook. It says why, and what to do."),
)


class CallbackReceiver:
    """What one sign-in takes: the callback with its host, ``path`` and ``state``, and no other (RFC 9700 section 4.4).

    ``host``: host and port of the redirect URI; ``allowed_hosts``: those that a request may name. ``notify`` is called
    when the callback has arrived; ``probe``: the path at which a page tests whether its browser reaches the server;
    ``delivered``: set once the browser has received the page for the callback.
    """

    def __init__(self, host: str, allowed_hosts: set[str], path: str, notify: Callable[[], None]) -> None:
        self.host: str = host
        self.allowed_hosts: set[str] = allowed_hosts
        self.path: str = path
        self.notify: Callable[[], None] = notify
        self.probe: str = f"/{secrets.token_urlsafe(16)}"
        self.state: str | None = None
        self.answer: AuthorizationResponse | None = None
        self.delivered: threading.Event = threading.Event()
        self._lock = threading.Lock()

    def take(self, query: str) -> AuthorizationResponse | None:
        """Accept the callback with this query, if its ``state`` is right and it is the first."""
        answer = AuthorizationResponse.parse(query, self.state) if self.state else None
        with self._lock:
            if answer is None or self.answer is not None:
                return None
            self.answer = answer
            return answer

    def has_answer_to(self, query: str) -> bool:
        """Whether a callback with this query comes after the one that was accepted: a page that is loaded again."""
        return (
            self.answer is not None
            and self.state is not None
            and AuthorizationResponse.parse(query, self.state) is not None
        )


class CallbackServer(ThreadingTCPServer):
    """The HTTP server, with the limits above. ``receivers``: of the sign-ins; the tuple is replaced as a whole."""

    daemon_threads = True
    allow_reuse_address = compat.REUSE_ADDRESS
    request_queue_size = 128

    def __init__(self, address: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.receivers: tuple[CallbackReceiver, ...] = ()
        self.lock: threading.Condition = threading.Condition()
        self.connections: dict[Any, float] = {}  # open connections, oldest first, and their deadlines
        self._thread: threading.Thread | None = None
        super().__init__((address, port), _Handler)
        self.key: tuple[str, int] = (address, self.server_address[1])

    def start(self) -> None:
        """Start serving, unless it has; RuntimeError if the system refuses a thread."""
        if self._thread is None:
            thread = threading.Thread(target=self.serve_forever, args=(_POLL_INTERVAL,), daemon=True)
            thread.start()
            self._thread = thread

    def stop(self) -> None:
        """Stop serving and free the port."""
        with suppress(OSError):  # wakes the thread on Linux; elsewhere it polls
            self.socket.shutdown(socket.SHUT_RDWR)
        if self._thread is not None:
            self.shutdown()
        self.server_close()
        if self._thread is not None:
            self._thread.join()

    def server_bind(self) -> None:
        """Bind exclusively, on Windows too."""
        compat.bind_exclusively(self.socket)
        super().server_bind()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Accept a connection; at the limit the oldest is closed."""
        with self.lock:
            while len(self.connections) >= _MAX_CONNECTIONS:
                _disconnect(next(iter(self.connections)))
                self.lock.wait()
            self.connections[request] = time.monotonic() + REQUEST_TIMEOUT
        super().process_request(request, client_address)

    def service_actions(self) -> None:
        """Close connections past their deadline. Called after each request and 20 times a second."""
        with self.lock:
            for connection, end in self.connections.items():
                if end < time.monotonic():
                    _disconnect(connection)

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection that has ended."""
        super().shutdown_request(request)
        with self.lock:
            self.connections.pop(request, None)
            self.lock.notify_all()

    def server_close(self) -> None:
        """Free the port and close open connections."""
        super().server_close()
        with self.lock:
            for connection in self.connections:
                _disconnect(connection)

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing: a disconnected browser is no error, and a traceback could hold the code."""


class _Handler(BaseHTTPRequestHandler):
    server: CallbackServer
    server_version, sys_version = SERVER_NAME, ""
    timeout = REQUEST_TIMEOUT
    wbufsize = -1  # a response is buffered: a closed connection has sent all of it or nothing
    headers_sent: ClassVar = {
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }

    def setup(self) -> None:
        """Limit the size of a request."""
        super().setup()
        self.rfile = _LimitedReader(self.rfile, _MAX_REQUEST)  # type: ignore[assignment] # http.server calls only readline

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        # By DNS rebinding a page elsewhere can make a browser send requests here under its own host name
        hosts = self.headers.get_all("Host", [])
        addressed = [
            each for each in self.server.receivers if len(hosts) == 1 and hosts[0] in each.allowed_hosts
        ]
        if any(path == each.probe for each in addressed):
            self.send_response(HTTPStatus.NO_CONTENT)
            self.send_header(
                "Access-Control-Allow-Origin", "*"
            )  # the path is random, known to our page alone
            self.end_headers()
            return None
        addressed = [each for each in addressed if path == each.path]
        if not addressed or len(self.path) > _MAX_REQUEST_LINE:
            return self._page(HTTPStatus.NOT_FOUND, *_NOT_FOUND_PAGE)
        if "prefetch" in self.headers.get("Sec-Purpose", self.headers.get("Purpose", "")).lower():
            # Nobody sees what a browser loads in advance; it asks again when it shows the page
            return self._page(HTTPStatus.SERVICE_UNAVAILABLE, *_PREFETCH_PAGE)
        for receiver in addressed:
            if (answer := receiver.take(query)) is not None:
                return self._accept(receiver, failed=answer.error is not None)
            if receiver.has_answer_to(query):
                return self._page(HTTPStatus.BAD_REQUEST, *_DONE_PAGE)
        return self._refuse(query)

    def _refuse(self, query: str) -> None:
        """The page for a callback that no sign-in waits for."""
        if (code := _known_error(query)) is not None:
            step = gettext(REMEDIES[code])
            return self._page(HTTPStatus.BAD_REQUEST, *_REFUSED_PAGE, code=code, step=step)
        return self._page(HTTPStatus.BAD_REQUEST, *_WRONG_STATE_PAGE)

    def do_POST(self) -> None:
        with suppress(ValueError):  # a body that is not read resets the connection, and the page is lost
            self.rfile.readline(max(0, int(self.headers.get("Content-Length", "0"))))
        path = self.path.partition("?")[0]
        if any(path == each.path for each in self.server.receivers):
            return self._page(HTTPStatus.NOT_IMPLEMENTED, *_FORM_PAGE)
        return self._page(HTTPStatus.NOT_FOUND, *_NOT_FOUND_PAGE)

    def _accept(self, receiver: CallbackReceiver, *, failed: bool) -> None:
        url = f"http://{receiver.host}{self.path}"
        notify(HTTPExchange(sender="browser", method="GET", url=url, status=HTTPStatus.OK))
        try:  # send the page before notifying, as the process may exit then
            self._page(HTTPStatus.OK, *(_DECLINED_PAGE if failed else _DONE_PAGE))
        finally:
            receiver.delivered.set()
            receiver.notify()

    def send_error(self, code: int, *_: Any, **__: Any) -> None:
        """The error page for any other request, which repeats nothing of it."""
        self._page(HTTPStatus(code), *_NOT_FOUND_PAGE)

    def _page(self, status: HTTPStatus, title: str, text: str, **values: str) -> None:
        """A page in the language of the notebook; ``values``: of the text, in which nothing of a request may be."""
        page = _PAGE.format(
            language=current_language(),
            title=escape(gettext(title), quote=False),
            text=escape(gettext(text, **values), quote=False),
        )
        body = page.encode()
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


def _known_error(query: str) -> str | None:
    """The error code in a callback that no sign-in waits for, if it is one that authnb knows."""
    with suppress(ValueError):
        for name, value in parse_qsl(query, max_num_fields=_MAX_PARAMETERS):
            if name == "error" and value in REMEDIES:
                return value
    return None


class _LimitedReader:
    """Reads at most so many bytes of a stream, line by line."""

    def __init__(self, stream: Any, size: int) -> None:
        self._stream, self._remaining = stream, size
        self.close = stream.close

    def readline(self, limit: int) -> bytes:
        line: bytes = self._stream.readline(min(limit, self._remaining))
        self._remaining -= len(line)
        return line


def _disconnect(connection: socket.socket) -> None:
    with suppress(OSError):  # already closed by the other side
        connection.shutdown(socket.SHUT_RDWR)
