"""A mischievous OpenID Provider: a real HTTP server with one issuer for each misdeed.

`Play` is an honest provider in a few fields and functions. A misdeed changes one of them and nothing else, so
that what is refused is refused for that.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwk, jws, jwt

CLIENT = "notebook"
KEY = jwk.generate_key("RSA", 2048, {"kid": "one"}, private=True)
SECOND = jwk.generate_key("RSA", 2048, {"kid": "two"}, private=True)
FORGER = jwk.generate_key("RSA", 2048, {"kid": "one"}, private=True)
CURVE = jwk.generate_key("EC", "P-256", {"kid": "curve"}, private=True)
FORGED_CURVE = jwk.generate_key("EC", "P-256", {"kid": "curve"}, private=True)
ACCESS_TOKEN, REFRESH_TOKEN, CODE, DEVICE_CODE = "at-SECRET", "rt-SECRET", "code-SECRET", "dc-SECRET"

Body = bytes | Iterable[bytes]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; a body that is no bytes is sent piece by piece, without a length."""

    status: int = 200
    body: Body = b""
    headers: dict[str, str] = field(default_factory=dict)
    raw: bool = False  # the body is all that is sent: status line, headers and what follows


def as_json(value: Any, status: int = 200, **headers: str) -> Answer:
    """An answer in JSON."""
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})


class Signing(jws.JWSRegistry):
    """Signs with any algorithm."""

    max_header_length = 100_000

    def get_alg(self, name: str) -> Any:
        """Whatever is asked for."""
        return self.algorithms[name]

    def check_header(self, header: Any) -> None:
        """Whatever it holds."""


def encode(part: Any) -> str:
    """A part of a compact JWS."""
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


class Elsewhere:
    """Another origin, where nobody has any business. Whoever comes is counted, and hung up on."""

    def __init__(self) -> None:
        self.visits = 0
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        while True:
            visitor, _ = self._socket.accept()
            self.visits += 1  # before they can know
            visitor.close()


ELSEWHERE = Elsewhere()


class Play:
    """One issuer, honest until a misdeed changes it."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.stopped = threading.Event()
        self.nonce = ""
        self.requests: list[tuple[str, str]] = []
        self.metadata: dict[str, Any] = {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "device_authorization_endpoint": f"{issuer}/device",
            "userinfo_endpoint": f"{issuer}/userinfo",
            "jwks_uri": f"{issuer}/jwks",
            "authorization_response_iss_parameter_supported": True,
        }
        self.claims: dict[str, Any] = {}
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "one"}
        self.key: Any = KEY
        self.jwks: list[Any] = [KEY.as_dict(private=False)]
        self.id_token: Callable[[], Any] = self.signed
        self.token: dict[str, Any] = {
            "access_token": ACCESS_TOKEN,
            "refresh_token": REFRESH_TOKEN,
            "token_type": "Bearer",
            "expires_in": 3600,
        }
        self.device: dict[str, Any] = {
            "device_code": DEVICE_CODE,
            "user_code": "WDJB-MJHT",
            "verification_uri": "https://id.example.org/device",
            "expires_in": 600,
            "interval": 1,
        }
        # What the browser is sent to, one address after the other
        self.callbacks: Callable[[str, list[tuple[str, str]]], list[str]] = self.honest_callback
        # Whole answers in place of the honest ones, by the last part of the path
        self.instead: dict[str, Callable[[], Answer]] = {}

    def all_claims(self) -> dict[str, Any]:
        """The claims of the ID token: honest ones, changed by the misdeed; None takes one out."""
        now = int(time.time())
        whole = {
            "iss": self.issuer,
            "sub": "ada",
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": self.nonce,
            "at_hash": at_hash(ACCESS_TOKEN),
            **self.claims,
        }
        return present({name: value(now) if callable(value) else value for name, value in whole.items()})

    def signed(self) -> str:
        """The ID token as this key and header sign it."""
        header = present(self.header)
        return jwt.encode(header, self.all_claims(), self.key, registry=Signing(strict_check_header=False))

    def unsigned(self, alg: str, signature: str = "") -> str:
        """An ID token without a signature that means anything."""
        return f"{encode({**self.header, 'alg': alg})}.{encode(self.all_claims())}.{signature}"

    def honest_callback(self, redirect_uri: str, pairs: list[tuple[str, str]]) -> list[str]:
        """One answer, with code, state and iss."""
        return [f"{redirect_uri}?{urlencode(pairs)}"]

    def answer(self, name: str, query: str) -> Answer:
        """The answer to a request."""
        honest: dict[str, Callable[[], Any]] = {
            "openid-configuration": lambda: self.metadata,
            "oauth-authorization-server": lambda: self.metadata,
            "jwks": lambda: {"keys": self.jwks},
            "device": lambda: present(self.device),
            "token": lambda: present({**self.token, "id_token": self.id_token()}),
            "authorize": lambda: self.authorized(query),
        }
        if name in self.instead:
            return self.instead[name]()
        return as_json(honest[name]()) if name in honest else Answer(404, b"not here")

    def authorized(self, query: str) -> list[str]:
        """Where the browser is to go, told instead of sent: the test is the browser."""
        asked = {key: values[0] for key, values in parse_qs(query).items()}
        self.nonce = asked.get("nonce", "")
        pairs = [("code", CODE), ("state", asked["state"]), ("iss", self.issuer)]
        return self.callbacks(asked["redirect_uri"], pairs)


def present(members: dict[str, Any]) -> dict[str, Any]:
    """The members but for those a misdeed has taken out by setting them to None."""
    return {name: value for name, value in members.items() if value is not None}


def at_hash(value: str) -> str:
    """OpenID Connect Core section 3.1.3.6, with SHA-256."""
    return base64.urlsafe_b64encode(hashlib.sha256(value.encode()).digest()[:16]).rstrip(b"=").decode()


class Server:
    """Serves any number of plays on one port, and tells what else was asked there."""

    def __init__(self) -> None:
        outer = self
        self.plays: dict[str, Play] = {}

        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                outer.serve(self)

            do_GET = do_POST = _serve  # noqa: N815 - the standard library's names

            def log_message(self, *_: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that hangs up on nonsense does well."""

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def play(self, name: str) -> Play:
        """A new issuer of that name."""
        self.plays[name] = Play(f"{self.url}/{name}")
        return self.plays[name]

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        path, query = urlsplit(handler.path).path, urlsplit(handler.path).query
        length = int(handler.headers.get("Content-Length") or 0)
        handler.rfile.read(length)
        parts = [part for part in path.split("/") if part not in {"", ".well-known"}]
        name = next((part for part in parts if part in self.plays), "")
        if not name:
            handler.send_error(404)
            return
        play = self.plays[name]
        play.requests.append((handler.command, path))
        answer = play.answer(next((part for part in reversed(parts) if part != name), ""), query)
        if answer.raw:
            for piece in answer.body:
                handler.wfile.write(piece)  # type: ignore[arg-type] # raw: pieces of bytes
            return
        handler.send_response(answer.status)
        for header, value in answer.headers.items():
            handler.send_header(header, value)
        if isinstance(answer.body, bytes):
            handler.send_header("Content-Length", str(len(answer.body)))
            handler.end_headers()
            handler.wfile.write(answer.body)
            return
        handler.end_headers()
        for piece in answer.body:
            handler.wfile.write(piece)
            handler.wfile.flush()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for play in self.plays.values():
            play.stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def forever(piece: bytes, stopped: threading.Event, pause: float = 0) -> Iterator[bytes]:
    """The same piece again and again, until the play is over."""
    while not stopped.wait(pause):
        yield piece
