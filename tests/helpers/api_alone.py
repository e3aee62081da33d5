"""An API that says itself where to sign in, and its authorization server, which registers clients: both on one port.

A real HTTP server; what it answers can be changed by a test, one endpoint at a time.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import requests
from servers import Server

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers import Request

    Answer = tuple[int, dict[str, str], bytes]

WELL_KNOWN = "/.well-known/oauth-protected-resource"
ISSUER_PATH = "/as"
CLIENT_SECRET, REGISTRATION_TOKEN = "cs-SECRET-of-the-client", "rat-SECRET-of-the-registration"
ACCESS_TOKEN, REFRESH_TOKEN = "at-SECRET-for-the-api", "rt-SECRET-for-the-api"


class ApiAlone(Server):
    """``api`` is all that a client is told. The authorization server compares redirect URIs letter by letter."""

    def __init__(self, *, challenged: bool = True) -> None:
        super().__init__()
        self.api = f"{self.url}/v1"
        self.issuer = f"{self.url}{ISSUER_PATH}"
        self.clients: dict[str, dict[str, Any]] = {}  # by identifier, as they were registered
        self.registration: dict[str, Any] = {}  # members of the answer to a registration
        self.token: dict[str, Any] = {}  # members of a token response
        self.device_approved = True
        self.resource_metadata: dict[str, Any] = {
            "resource": self.api,
            "authorization_servers": [self.issuer],
            "scopes_supported": ["read", "write"],
        }
        self.metadata: dict[str, Any] = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "registration_endpoint": f"{self.issuer}/register",
            "device_authorization_endpoint": f"{self.issuer}/device",
            "token_endpoint_auth_methods_supported": ["none"],
            "authorization_response_iss_parameter_supported": True,
        }
        self.challenge = f'Bearer resource_metadata="{self.url}{WELL_KNOWN}/v1"' if challenged else ""
        self.routes |= {
            "/v1": self._api,
            "/v1/rows": self._api,
            f"{WELL_KNOWN}/v1": lambda _: self._json(self.resource_metadata),
            f"/.well-known/oauth-authorization-server{ISSUER_PATH}": lambda _: self._json(self.metadata),
            f"{ISSUER_PATH}/register": self._register,
            f"{ISSUER_PATH}/authorize": self._authorize,
            f"{ISSUER_PATH}/token": self._token,
            f"{ISSUER_PATH}/device": self._device,
        }

    def visit(self, uri: str) -> None:
        """Be the browser of a person who allows it; AssertionError where they would see an error page."""
        response = requests.get(uri, allow_redirects=False, timeout=20)
        assert response.status_code == 302, response.text
        requests.get(response.headers["Location"], timeout=20)

    def asked(self) -> list[str]:
        """The requests since the last call: of clients, not of browsers."""
        paths = [
            request.path.partition("?")[0].removeprefix(ISSUER_PATH)
            for request in self.requests
            if not request.path.startswith(f"{ISSUER_PATH}/authorize") or "prompt=none" in request.path
        ]
        self.requests.clear()
        return paths

    def sent(self, endpoint: str) -> dict[str, Any]:
        """The parameters of the last request to this endpoint."""
        found = [each for each in self.requests if each.path.partition("?")[0] == f"{ISSUER_PATH}/{endpoint}"]
        if endpoint == "register":
            return dict(json.loads(found[-1].body))
        query = found[-1].path.partition("?")[2] if endpoint == "authorize" else found[-1].body.decode()
        return dict(parse_qsl(query))

    def _json(self, value: Any, status: int = 200) -> Answer:
        return status, {"Content-Type": "application/json"}, json.dumps(value).encode()

    def _api(self, request: Request) -> Answer:
        if request.headers.get("Authorization") == f"Bearer {self.token.get('access_token', ACCESS_TOKEN)}":
            return self._json({"rows": [1]})
        return 401, {"WWW-Authenticate": self.challenge} if self.challenge else {}, b""

    def _register(self, request: Request) -> Answer:
        client_id = f"client-{len(self.clients) + 1}"
        answer = {**json.loads(request.body), "client_id": client_id, **self.registration}
        self.clients[answer["client_id"]] = answer
        return self._json(answer, 201)

    def _authorize(self, request: Request) -> Answer:
        asked = {name: values[0] for name, values in parse_qs(request.path.partition("?")[2]).items()}
        client = self.clients.get(asked["client_id"])
        if client is None or asked["redirect_uri"] not in client.get("redirect_uris", []):
            return 400, {}, b"<h1>No such client</h1>"
        answer = {"code": "code-SECRET-of-the-person", "state": asked["state"], "iss": self.issuer}
        if asked.get("prompt") == "none":
            answer = {"error": "login_required", "state": asked["state"], "iss": self.issuer}
        return 302, {"Location": f"{asked['redirect_uri']}?{urlencode(answer)}"}, b""

    def _token(self, request: Request) -> Answer:
        asked = dict(parse_qsl(request.body.decode()))
        client_id, secret = asked.get("client_id", ""), asked.get("client_secret")
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        if scheme == "Basic":
            client_id, _, secret = base64.b64decode(credentials).decode().partition(":")
        client = self.clients.get(client_id)
        if client is None or secret != client.get("client_secret"):
            return self._json({"error": "invalid_client"}, 401)
        token = {
            "access_token": ACCESS_TOKEN,
            "refresh_token": REFRESH_TOKEN,
            "token_type": "Bearer",
            "expires_in": 3600,
        }
        return self._json(token | self.token)

    def _device(self, request: Request) -> Answer:
        if dict(parse_qsl(request.body.decode()))["client_id"] not in self.clients:
            return self._json({"error": "invalid_client"}, 401)
        return self._json(
            {
                "device_code": "dc-SECRET-of-the-person",
                "user_code": "WDJB-MJHT",
                "verification_uri": f"{self.issuer}/code",
                "expires_in": 600,
                "interval": 1,
            }
        )


def jwt(claims: dict[str, Any], kind: str = "at+jwt") -> str:
    """An access token as of RFC 9068, whose signature only the API could check."""

    def encoded(part: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()

    return f"{encoded({'alg': 'RS256', 'typ': kind})}.{encoded(claims)}.c2lnbmF0dXJl"


def host_of(url: str) -> str:
    """The host of a URL with its port."""
    return urlsplit(url).netloc


def once(first: Answer, then: Callable[[Request], Answer]) -> Callable[[Request], Answer]:
    """A route that answers this once."""
    answers = [first]
    return lambda request: answers.pop() if answers else then(request)
