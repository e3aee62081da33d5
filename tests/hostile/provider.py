"""A hostile OpenID Provider: a real HTTP server with one issuer for each behaviour.

`Scenario` is a conforming provider in a few fields and functions. A behaviour changes one of them and nothing else, so
that a refusal has one possible reason.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import trustme
from joserfc import jwk, jws
from servers import OnThread

CLIENT = "notebook"
KEY = jwk.generate_key("RSA", 2048, {"kid": "one"}, private=True)
SECOND = jwk.generate_key("RSA", 2048, {"kid": "two"}, private=True)
FORGER = jwk.generate_key("RSA", 2048, {"kid": "one"}, private=True)
CURVE = jwk.generate_key("EC", "P-256", {"kid": "curve"}, private=True)
FORGED_CURVE = jwk.generate_key("EC", "P-256", {"kid": "curve"}, private=True)
with warnings.catch_warnings(action="ignore"):
    SHORT = jwk.generate_key("RSA", 1024, {"kid": "one"}, private=True)
OTHER_CURVE = jwk.generate_key("EC", "P-384", {"kid": "curve"}, private=True)
FAR_HOST = "id.example.org"  # of issuers that are not on this machine
ACCESS_TOKEN, REFRESH_TOKEN, CODE, DEVICE_CODE = "at-SECRET", "rt-SECRET", "code-SECRET", "dc-SECRET"
PASSWORD = "pw-SECRET"
CLIENT_SECRET, REGISTRATION_TOKEN = "cs-SECRET", "rat-SECRET"

WELL_KNOWN = "/.well-known/oauth-protected-resource"

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


class ForeignOrigin:
    """An origin no client should contact. Connections are counted and closed."""

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


FOREIGN_ORIGIN = ForeignOrigin()


class Scenario:
    """One issuer, conforming until a behaviour changes it."""

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
            "registration_endpoint": f"{issuer}/register",
            "authorization_response_iss_parameter_supported": True,
            "authnb_signup": {
                "endpoint": f"{issuer}/signup",
                "fields": [{"name": "name"}, {"name": "password", "kind": "password"}],
            },
        }
        # Of the API, whose address is the issuer's
        self.resource: dict[str, Any] = {"resource": issuer, "authorization_servers": [issuer]}
        self.registration: dict[str, Any] = {"client_id": CLIENT}
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
        self.pushed_answer: dict[str, Any] = {
            "request_uri": "urn:ietf:params:oauth:request_uri:{}",
            "expires_in": 60,
        }
        self.pushed: dict[str, str] = {}  # the parameters of pushed requests, each until it is used
        self.bodies: list[tuple[str, dict[str, str], str]] = []  # path, headers and body of each POST
        self.latest: dict[str, dict[str, str]] = {}  # the headers of the latest request to each endpoint
        self.dpop: bool | None = (
            True  # what the sign-in says of proofs of possession, in the mode of that name
        )
        # What the browser is sent to, one address after the other
        self.callbacks: Callable[[str, list[tuple[str, str]]], list[str]] = self.honest_callback
        # Whole answers in place of the honest ones, by the last part of the path
        self.overrides: dict[str, Callable[[], Answer]] = {}

    def all_claims(self) -> dict[str, Any]:
        """The claims of the ID token: honest ones, changed by the behaviour; None removes one."""
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
        payload = json.dumps(self.all_claims())  # escapes lone surrogates
        registry = Signing(strict_check_header=False)
        return jws.serialize_compact(present(self.header), payload, self.key, registry=registry)

    def unsigned(self, alg: str, signature: str = "") -> str:
        """An ID token without a signature that means anything."""
        return f"{encode({**self.header, 'alg': alg})}.{encode(self.all_claims())}.{signature}"

    def honest_callback(self, redirect_uri: str, pairs: list[tuple[str, str]]) -> list[str]:
        """One answer, with code, state and iss."""
        return [f"{redirect_uri}?{urlencode(pairs)}"]

    def answer(self, name: str, query: str, body: str) -> Answer:
        """The answer to a request."""
        honest: dict[str, Callable[[], Any]] = {
            "openid-configuration": lambda: self.metadata,
            "oauth-authorization-server": lambda: self.metadata,
            "jwks": lambda: {"keys": self.jwks},
            "device": lambda: present(self.device),
            "signup": lambda: {"name": "ada"},
            "token": lambda: present({**self.token, "id_token": self.id_token()}),
            "authorize": lambda: self.authorized(query),
            "par": lambda: self.push(body),
            "oauth-protected-resource": lambda: present(self.resource),
            "register": lambda: present(self.registration),
        }
        if name in self.overrides:
            return self.overrides[name]()
        if not name:
            return Answer(401, b"", {"WWW-Authenticate": self.challenge()})
        if name not in honest:
            return Answer(404, b"not here")
        return as_json(honest[name](), 201 if name == "par" else 200)

    def take_pushed_requests(self, *, required: bool = False) -> None:
        """Name the endpoint for pushed authorization requests (RFC 9126 section 5)."""
        self.metadata["pushed_authorization_request_endpoint"] = f"{self.issuer}/par"
        self.metadata["require_pushed_authorization_requests"] = required

    def push(self, body: str) -> dict[str, Any]:
        """Take a pushed authorization request (RFC 9126 section 2.2), each under a name of its own."""
        answer = present(self.pushed_answer)
        if isinstance(answer.get("request_uri"), str):
            answer["request_uri"] = answer["request_uri"].format(secrets.token_urlsafe(8))
            self.pushed[answer["request_uri"]] = body
        return answer

    def bind_tokens(self) -> None:
        """Offer tokens that are bound to a key (RFC 9449 section 5.1); the API takes each call with the token."""
        self.metadata["dpop_signing_alg_values_supported"] = ["ES256"]
        self.token["token_type"] = "DPoP"
        self.overrides[""] = self.called

    def called(self) -> Answer:
        """What the API says to a call: the scheme is that of the token, and a bound one comes with a proof."""
        scheme = "DPoP" if "DPoP" in self.latest[""] else "Bearer"
        proven = self.latest[""].get("Authorization") == f"{scheme} {ACCESS_TOKEN}"
        return as_json({}) if proven else Answer(403, b"another token, or another scheme")

    def claims_of_proof(self, endpoint: str) -> dict[str, Any]:
        """What the proof in the latest request to this endpoint says; nothing if it had none."""
        payload = self.latest[endpoint].get("DPoP", "..").split(".")[1]
        decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "==") or "{}")
        return decoded

    def challenge(self) -> str:
        """What the API says to who has no token."""
        base, _, name = self.issuer.rpartition("/")
        return f'Bearer resource_metadata="{base}{WELL_KNOWN}/{name}", scope="openid profile"'

    def authorized(self, query: str) -> list[str]:
        """Where the browser is to go, told instead of sent: the test is the browser."""
        asked = {key: values[0] for key, values in parse_qs(query).items()}
        if "request_uri" in asked:
            whole = self.pushed.pop(asked["request_uri"], None)
            if whole is None:  # used before: an error page, and no redirect
                return []
            asked = {key: values[0] for key, values in parse_qs(whole).items()}
        self.nonce = asked.get("nonce", "")
        pairs = [("code", CODE), ("state", asked["state"]), ("iss", self.issuer)]
        return self.callbacks(asked["redirect_uri"], pairs)


def present(members: dict[str, Any]) -> dict[str, Any]:
    """The members whose value is not None."""
    return {name: value for name, value in members.items() if value is not None}


def jwt(claims: dict[str, Any]) -> str:
    """An access token as of RFC 9068."""
    return f"{encode({'alg': 'RS256', 'typ': 'at+jwt'})}.{encode(claims)}.c2lnbmF0dXJl"


def at_hash(value: str) -> str:
    """OpenID Connect Core section 3.1.3.6, with SHA-256."""
    return base64.urlsafe_b64encode(hashlib.sha256(value.encode()).digest()[:16]).rstrip(b"=").decode()


class Server(OnThread):
    """Serves any number of scenarios on one port; as a proxy, those of `FAR_HOST` too."""

    def __init__(self) -> None:
        outer = self
        self.scenarios: dict[str, Scenario] = {}
        self.authority = trustme.CA()  # of FAR_HOST's certificate
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(FAR_HOST).configure_cert(tls)

        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                outer.serve(self)

            def do_CONNECT(self) -> None:
                """Become the far host (RFC 9110 section 9.3.6)."""
                if self.path != f"{FAR_HOST}:443":
                    FOREIGN_ORIGIN.visits += 1
                    self.send_error(502)
                    return
                self.send_response(200)
                self.end_headers()
                self.request = tls.wrap_socket(self.connection, server_side=True)
                self.setup()
                self.close_connection = False

            def finish(self) -> None:
                """Close what was opened on top of the connection."""
                try:
                    super().finish()
                finally:
                    self.request.close()

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

    def scenario(self, name: str, *, far: bool = False) -> Scenario:
        """A new issuer of that name, on this machine or on `FAR_HOST`."""
        self.scenarios[name] = Scenario(f"{f'https://{FAR_HOST}' if far else self.url}/{name}")
        return self.scenarios[name]

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        path, query = urlsplit(handler.path).path, urlsplit(handler.path).query
        length = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(length).decode(errors="replace")
        parts = [part for part in path.split("/") if part not in {"", ".well-known"}]
        name = next((part for part in parts if part in self.scenarios), "")
        if not name:
            handler.send_error(404)
            return
        scenario = self.scenarios[name]
        scenario.requests.append((handler.command, path))
        if handler.command == "POST":
            scenario.bodies.append((path, dict(handler.headers), body))
        endpoint = next((part for part in reversed(parts) if part != name), "")
        scenario.latest[endpoint] = dict(handler.headers)
        answer = scenario.answer(endpoint, query, body)
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

    def __exit__(self, *_: object) -> None:
        for scenario in self.scenarios.values():
            scenario.stopped.set()
        super().__exit__()


def forever(piece: bytes, stopped: threading.Event, pause: float = 0) -> Iterator[bytes]:
    """The same piece again and again, until the scenario is over."""
    while not stopped.wait(pause):
        yield piece
