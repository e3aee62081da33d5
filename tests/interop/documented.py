"""What the small providers of `oddities` have in common, and `moved`, which brings a preset to one of them.

Their authorization endpoints redirect with a code at once, without a person.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwk, jwt

from authnb.oauth.presets import Preset, read

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers import Request, Server

CLIENT, SECRET = "my-notebook", "s3cret"
KEY = jwk.generate_key("RSA", 2048, {"kid": "one"}, private=True)
Answer = tuple[int, dict[str, str], bytes]


def moved(name: str, *hosts: str, to: str) -> Preset:
    """The preset of that name, with these hosts replaced by the address of a small server."""
    text = files("authnb.oauth").joinpath("presets.toml").read_text(encoding="utf-8")
    for host in hosts:
        text = text.replace(f"https://{host}", to)
    return read(text)[name]


def as_json(value: Any, status: int = 200) -> Answer:
    """An answer in JSON."""
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


def form(request: Request) -> dict[str, str]:
    """The parameters of a request: form, Basic credentials and query."""
    given = dict(parse_qsl(urlsplit(request.path).query)) | dict(parse_qsl(request.body.decode()))
    kind, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if kind == "Basic":
        name, _, secret = base64.b64decode(credentials).decode().partition(":")
        given |= {"client_id": name, "client_secret": secret, "by": "basic"}
    return given


class Documented:
    """A provider below a server's ``path``; subclasses implement what differs."""

    path = ""
    metadata: dict[str, Any]

    def __init__(self, server: Server) -> None:
        self.server = server
        self.issuer = server.url + self.path
        self.asked: dict[str, str] = {}  # the last authorization request
        self.polls = 0
        self.metadata = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
        }
        self.routes()

    def routes(self) -> None:
        """The handler for each path."""
        self.at("/.well-known/openid-configuration", lambda _: as_json(self.metadata))
        self.at("/jwks", lambda _: as_json({"keys": [KEY.as_dict(private=False)]}))
        self.at("/authorize", self.authorize)
        self.at("/token", self.token)

    def at(self, path: str, answer: Callable[[Request], Answer]) -> None:
        """Serve its paths."""
        self.server.routes[self.path + path] = answer

    def authorize(self, request: Request) -> Answer:
        """Redirect to the redirect URI at once."""
        self.asked = form(request)
        back = {"code": "the-code", "state": self.asked["state"]}
        return 302, {"Location": f"{self.asked['redirect_uri']}?{urlencode(back)}"}, b""

    def token(self, request: Request) -> Answer:
        """The token for the code, if the verifier is the right one; or for a refresh token."""
        given = form(request)
        if given["grant_type"] == "authorization_code":
            digest = hashlib.sha256(given["code_verifier"].encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            if challenge != self.asked["code_challenge"]:
                return as_json({"error": "invalid_grant"}, 400)
        return as_json(self.tokens(given))

    def tokens(self, given: dict[str, str]) -> dict[str, Any]:  # noqa: ARG002 - some providers look at it
        """The members of a token answer."""
        return {
            "access_token": "the-access-token",
            "token_type": "Bearer",
            "expires_in": 3600,
            "id_token": self.id_token(),
        }

    def id_token(self, **changes: Any) -> str:
        """An ID token with these claims in place of the usual ones."""
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": "248289761001", "aud": CLIENT, "iat": now, "exp": now + 300}
        if "nonce" in self.asked:
            claims["nonce"] = self.asked["nonce"]
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims | changes, KEY)

    def device(self, **changes: Any) -> Answer:
        """A device authorization response with an interval of one second."""
        whole = {
            "device_code": "the-device-code",
            "user_code": "WDJB-MJHT",
            "verification_uri": f"{self.issuer}/device",
            "expires_in": 900,
            "interval": 1,
        }
        return as_json({name: value for name, value in (whole | changes).items() if value is not None})

    def bearer(self, request: Request, answer: Any) -> Answer:
        """The userinfo response, for requests with the access token."""
        if request.headers.get("Authorization") != "Bearer the-access-token":
            return 401, {}, b""
        return as_json(answer)
