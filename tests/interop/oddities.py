"""Small providers that behave as the documentation of the great ones says, one real HTTP server each.

They are honest, and ask nobody: whoever opens their authorization endpoint is sent back with a code. `moved` brings a
preset to one of them: the same data, with another host.
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

from authnb.presets import Preset, read

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers import Request, Server

CLIENT, SECRET = "my-notebook", "s3cret"
KEY = jwk.generate_key("RSA", 2048, {"kid": "one"}, private=True)
Answer = tuple[int, dict[str, str], bytes]


def moved(name: str, *hosts: str, to: str) -> Preset:
    """The preset of that name, with these hosts replaced by the address of a small server."""
    text = files("authnb").joinpath("presets.toml").read_text(encoding="utf-8")
    for host in hosts:
        text = text.replace(f"https://{host}", to)
    return read(text)[name]


def as_json(value: Any, status: int = 200) -> Answer:
    """An answer in JSON."""
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


def form(request: Request) -> dict[str, str]:
    """What was posted, with what stands in a Basic header, and the query."""
    given = dict(parse_qsl(urlsplit(request.path).query)) | dict(parse_qsl(request.body.decode()))
    kind, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if kind == "Basic":
        name, _, secret = base64.b64decode(credentials).decode().partition(":")
        given |= {"client_id": name, "client_secret": secret, "by": "basic"}
    return given


class Documented:
    """A provider at ``path`` of a server; a subclass says what it does differently."""

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
        """What it answers where."""
        self.at("/.well-known/openid-configuration", lambda _: as_json(self.metadata))
        self.at("/jwks", lambda _: as_json({"keys": [KEY.as_dict(private=False)]}))
        self.at("/authorize", self.authorize)
        self.at("/token", self.token)

    def at(self, path: str, answer: Callable[[Request], Answer]) -> None:
        """Answer below its own path."""
        self.server.routes[self.path + path] = answer

    def authorize(self, request: Request) -> Answer:
        """Send the browser back at once."""
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
        """A device code, to be asked for again in a second."""
        whole = {
            "device_code": "the-device-code",
            "user_code": "WDJB-MJHT",
            "verification_uri": f"{self.issuer}/device",
            "expires_in": 900,
            "interval": 1,
        }
        return as_json({name: value for name, value in (whole | changes).items() if value is not None})

    def bearer(self, request: Request, answer: Any) -> Answer:
        """What only the holder of the token is told."""
        if request.headers.get("Authorization") != "Bearer the-access-token":
            return 401, {}, b""
        return as_json(answer)


class GitHub(Documented):
    """Form encoding unless JSON is asked for, device errors with HTTP 200, no ID token, a secret for the code."""

    path = "/login/oauth"

    def routes(self) -> None:
        self.at("/authorize", self.authorize)
        self.at("/access_token", self.access_token)
        self.server.routes["/login/device/code"] = lambda request: self.encoded(
            request, json.loads(self.device()[2])
        )
        person = {"login": "octocat", "id": 583231, "name": "The Octocat"}
        self.server.routes["/user"] = lambda request: self.bearer(request, person)

    def encoded(self, request: Request, value: dict[str, Any]) -> Answer:
        if "json" in request.headers.get("Accept", ""):
            return as_json(value)
        return 200, {"Content-Type": "application/x-www-form-urlencoded"}, urlencode(value).encode()

    def access_token(self, request: Request) -> Answer:
        given = form(request)
        token = {"access_token": "the-access-token", "token_type": "bearer", "scope": "read:user,user:email"}
        if "device_code" in given:
            self.polls += 1
            pending = {
                "error": "authorization_pending",
                "error_description": "Not yet.",
                "error_uri": "https://…",
            }
            return self.encoded(request, pending if self.polls < 3 else token)
        if given.get("client_secret") != SECRET or given.get("by") == "basic":
            return self.encoded(request, {"error": "incorrect_client_credentials"})
        return self.encoded(request, token)


class Google(Documented):
    """The device flow wants the secret, says pending with 428 and `verification_url`; `iss` without a scheme."""

    def routes(self) -> None:
        super().routes()
        self.metadata["device_authorization_endpoint"] = f"{self.issuer}/device/code"
        address = {"verification_uri": None, "verification_url": f"{self.issuer}/device"}
        self.at("/device/code", lambda _: self.device(**address))

    def token(self, request: Request) -> Answer:
        given = form(request)
        if given.get("client_secret") != SECRET:
            return as_json(
                {"error": "invalid_request", "error_description": "client_secret is missing."}, 400
            )
        if "device_code" in given:
            self.polls += 1
            if self.polls == 1:
                return as_json(
                    {"error": "authorization_pending", "error_description": "Precondition Required"}, 428
                )
            return as_json(self.tokens(given))
        return super().token(request)

    def id_token(self, **changes: Any) -> str:
        return super().id_token(iss="accounts.google.com", **changes)


class Entra(Documented):
    """One discovery document for all tenants, with `{tenantid}` in its issuer; each token names its own."""

    HOME, OTHER = "9188040d-6c67-4c5b-b112-36a304b66dad", "72f988bf-86f1-41af-91ab-2d7cd011db47"
    path = "/common/v2.0"

    def __init__(self, server: Server) -> None:
        self.tenant = self.named = self.signing = (
            self.HOME
        )  # tid; whose issuer iss is; whose key it is signed with
        super().__init__(server)

    def routes(self) -> None:
        super().routes()
        self.metadata["issuer"] = self.called("{tenantid}")
        self.at("/jwks", lambda _: as_json({"keys": [self.key(self.signing)]}))
        # A tenant's domain has a document of its own, which names the tenant
        named = self.metadata | {"issuer": self.called(self.HOME)}
        self.server.routes["/contoso.onmicrosoft.com/v2.0/.well-known/openid-configuration"] = lambda _: (
            as_json(named)
        )

    def called(self, tenant: str) -> str:
        return f"{self.server.url}/{tenant}/v2.0"

    def key(self, tenant: str) -> dict[str, Any]:
        return {**KEY.as_dict(private=False), "issuer": self.called(tenant)}

    def id_token(self, **changes: Any) -> str:
        return super().id_token(iss=self.called(self.named), tid=self.tenant, **changes)


class Auth0(Documented):
    """An issuer with a slash at its end; registered ports; pending with 403; a sign-up page and an endpoint."""

    taken = "ada@example.org"

    def routes(self) -> None:
        super().routes()
        self.metadata["issuer"] = f"{self.issuer}/"
        self.metadata["device_authorization_endpoint"] = f"{self.issuer}/oauth/device/code"
        self.at("/oauth/device/code", lambda _: self.device())
        self.at("/dbconnections/signup", self.sign_up)
        self.people: list[dict[str, str]] = []

    def token(self, request: Request) -> Answer:
        self.polls += "device_code" in form(request)
        if self.polls == 1:
            return as_json(
                {"error": "authorization_pending", "error_description": "User has yet to authorize."}, 403
            )
        return super().token(request)

    def id_token(self, **changes: Any) -> str:
        return super().id_token(iss=f"{self.issuer}/", **changes)

    def sign_up(self, request: Request) -> Answer:
        given = json.loads(request.body)
        if given["email"] == self.taken:
            return as_json(
                {"name": "BadRequestError", "code": "invalid_signup", "description": "Invalid sign up"}, 400
            )
        if len(given["password"]) < 8:
            refused = {
                "name": "PasswordStrengthError",
                "code": "invalid_password",
                "policy": "* 8 characters or more",
            }
            return as_json(refused | {"message": "Password is too weak", "description": {"rules": []}}, 400)
        self.people.append(given)
        return as_json({"_id": "58457fe6b27", "email": given["email"], "email_verified": False})


class GitLab(Documented):
    """A device endpoint that the metadata do not name; name and e-mail address at the userinfo endpoint only."""

    def routes(self) -> None:
        super().routes()
        self.metadata["userinfo_endpoint"] = f"{self.issuer}/oauth/userinfo"
        self.at("/oauth/authorize_device", lambda _: self.device())
        person = {"sub": "248289761001", "name": "Ada Byron", "email": "ada@example.org"}
        self.at("/oauth/userinfo", lambda request: self.bearer(request, person))


class Globus(Documented):
    """A refresh token only with `access_type=offline`; tokens of other resource servers beside its own."""

    def tokens(self, given: dict[str, str]) -> dict[str, Any]:
        offline = {"refresh_token": "the-refresh-token"} if self.asked.get("access_type") == "offline" else {}
        return super().tokens(given) | offline | {"other_tokens": [], "resource_server": "auth.globus.org"}


class Earthdata(Documented):
    """No metadata, no ID token; the token answer names the address where the person is described."""

    def routes(self) -> None:
        self.at("/oauth/authorize", self.authorize)
        self.at("/oauth/token", self.token)
        person = {"uid": "ada", "first_name": "Ada", "last_name": "Byron"}
        self.at("/api/users/ada", lambda request: self.bearer(request, person))

    def token(self, request: Request) -> Answer:
        if form(request).get("by") != "basic":
            return 401, {}, b""
        return super().token(request)

    def tokens(self, given: dict[str, str]) -> dict[str, Any]:  # noqa: ARG002 - others look at it
        return {
            "access_token": "the-access-token",
            "token_type": "Bearer",
            "expires_in": 3600,
            "refresh_token": "the-refresh-token",
            "endpoint": "/api/users/ada",
        }


class WithRegistration(Documented):
    """Keycloak and Cognito: a page of registration that takes an authorization request."""

    path = "/realms/lab"
    page = "/protocol/openid-connect/registrations"

    def routes(self) -> None:
        super().routes()
        self.registered: list[dict[str, str]] = []
        self.at(self.page, self.register)

    def register(self, request: Request) -> Answer:
        self.registered.append(form(request))
        return self.authorize(request)
