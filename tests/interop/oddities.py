"""Small providers that behave as the documentation of well-known ones describes, one real HTTP server each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from documented import KEY, SECRET, Documented, as_json, form

if TYPE_CHECKING:
    from documented import Answer
    from servers import Request, Server


class GitHub(Documented):
    """Form encoding unless JSON is asked for, errors with HTTP 200, no ID token, a secret for the code."""

    path = "/login/oauth"
    refusal: str | None = None  # of a device code that the person was asked about
    disabled = False  # the device flow, in the settings of the app

    def routes(self) -> None:
        self.at("/authorize", self.authorize)
        self.at("/access_token", self.access_token)
        self.server.routes["/login/device/code"] = lambda request: self.encoded(
            request, {"error": "device_flow_disabled"} if self.disabled else json.loads(self.device()[2])
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
            answer = {"error": self.refusal} if self.refusal else token
            return self.encoded(request, pending if self.polls < 3 else answer)
        if given.get("client_secret") != SECRET or given.get("by") == "basic":
            return self.encoded(request, {"error": "incorrect_client_credentials"})
        return self.encoded(request, token)


class Google(Documented):
    """The device flow wants the secret, says pending with 428 and `verification_url`; `iss` without a scheme.

    What it answers for a device code has no ID token, and calls the scopes by other names.
    """

    def routes(self) -> None:
        super().routes()
        self.metadata["userinfo_endpoint"] = f"{self.issuer}/v1/userinfo"
        person = {"sub": "248289761001", "name": "Ada Byron", "email": "ada@example.org"}
        self.at("/v1/userinfo", lambda request: self.bearer(request, person))
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
            scopes = (f"https://www.googleapis.com/auth/userinfo.{name}" for name in ("profile", "email"))
            whole = self.tokens(given) | {"scope": " ".join(["openid", *scopes])}
            return as_json({name: value for name, value in whole.items() if name != "id_token"})
        return super().token(request)

    def id_token(self, **changes: Any) -> str:
        return super().id_token(iss="accounts.google.com", **changes)


class Entra(Documented):
    """One discovery document for all tenants, with `{tenantid}` in its issuer; each token names its own."""

    HOME, OTHER = "9188040d-6c67-4c5b-b112-36a304b66dad", "72f988bf-86f1-41af-91ab-2d7cd011db47"
    EVERY = "{tenantid}"
    refusal: str | None = None  # of a device code
    path = "/common/v2.0"

    def __init__(self, server: Server) -> None:
        self.tenant = self.named = self.signing = (
            self.HOME
        )  # tid; whose issuer iss is; whose key it is signed with
        super().__init__(server)

    def routes(self) -> None:
        super().routes()
        self.metadata["issuer"] = self.called(self.EVERY)
        self.metadata["device_authorization_endpoint"] = f"{self.issuer}/devicecode"
        self.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post", "private_key_jwt"]
        self.at("/devicecode", lambda _: self.device(message="To sign in, use a web browser."))
        self.at("/jwks", lambda _: as_json({"keys": [self.key(self.signing)]}))
        # A tenant's domain has a document of its own, which names the tenant
        named = self.metadata | {"issuer": self.called(self.HOME)}
        self.server.routes["/contoso.onmicrosoft.com/v2.0/.well-known/openid-configuration"] = lambda _: (
            as_json(named)
        )

    def token(self, request: Request) -> Answer:
        if "device_code" in form(request):
            self.polls += 1
            if self.polls == 1 or self.refusal:
                return as_json(
                    {"error": "authorization_pending" if self.polls == 1 else self.refusal}, status=400
                )
        return super().token(request)

    def called(self, tenant: str) -> str:
        return f"{self.server.url}/{tenant}/v2.0"

    def key(self, tenant: str) -> dict[str, Any]:
        return {**KEY.as_dict(private=False), "issuer": self.called(tenant)}

    def id_token(self, **changes: Any) -> str:
        return super().id_token(iss=self.called(self.named), tid=self.tenant, **changes)


class Auth0(Documented):
    """An issuer with a slash at its end; pending with 403, too fast with 429; a sign-up page and an endpoint."""

    taken = "ada@example.org"
    refusals: tuple[tuple[str, int], ...] = (("authorization_pending", 403),)  # of the first polls
    somebody = False  # whether a person is signed in there already

    def routes(self) -> None:
        super().routes()
        self.metadata["issuer"] = f"{self.issuer}/"
        self.metadata["device_authorization_endpoint"] = f"{self.issuer}/oauth/device/code"
        self.at("/oauth/device/code", self.device_code)
        self.at("/dbconnections/signup", self.sign_up)
        self.people: list[dict[str, str]] = []
        self.shown: list[str] = []  # its pages
        self.audience: str | None = None  # of the token

    def authorize(self, request: Request) -> Answer:
        given = form(request)
        self.audience = given.get("audience")
        if not self.somebody or given.get("prompt") == "login":
            self.shown.append(given.get("screen_hint", "login"))
        return super().authorize(request)

    def device_code(self, request: Request) -> Answer:
        self.audience = form(request).get("audience")
        return self.device()

    def token(self, request: Request) -> Answer:
        if "device_code" in form(request) and self.polls < len(self.refusals):
            error, status = self.refusals[self.polls]
            self.polls += 1
            return as_json({"error": error}, status)
        return super().token(request)

    def id_token(self, **changes: Any) -> str:
        return super().id_token(iss=f"{self.issuer}/", **changes)

    def sign_up(self, request: Request) -> Answer:
        given = json.loads(request.body)
        if given["email"] == self.taken:
            return as_json({"error": "invalid_signup", "error_description": "The user already exists"}, 400)
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
    """A device endpoint that the metadata may not name; the name at the userinfo endpoint; tokens used once."""

    renewals, lifetime = 0, 7200

    def routes(self) -> None:
        super().routes()
        self.metadata["userinfo_endpoint"] = f"{self.issuer}/oauth/userinfo"
        self.at("/oauth/authorize_device", lambda _: self.device())
        person = {"sub": "248289761001", "name": "Ada Byron", "email": "ada@example.org"}
        self.at("/oauth/userinfo", lambda request: self.bearer(request, person))

    def token(self, request: Request) -> Answer:
        given = form(request)
        if given["grant_type"] == "refresh_token":
            if given["refresh_token"] != f"refresh-token-{self.renewals}":
                return as_json({"error": "invalid_grant"}, 400)
            self.renewals += 1
        return super().token(request)

    def tokens(self, given: dict[str, str]) -> dict[str, Any]:
        living = {"refresh_token": f"refresh-token-{self.renewals}", "expires_in": self.lifetime}
        return super().tokens(given) | living

    def id_token(self, **changes: Any) -> str:
        return super().id_token(email="ada@example.org", email_verified=True, **changes)


class Globus(Documented):
    """A refresh token only with `access_type=offline`; tokens of other resource servers beside its own."""

    def tokens(self, given: dict[str, str]) -> dict[str, Any]:
        offline = {"refresh_token": "the-refresh-token"} if self.asked.get("access_type") == "offline" else {}
        other = {
            "access_token": "the-transfer-token",
            "resource_server": "transfer.api.globus.org",
            "scope": "urn:globus:auth:scope:transfer.api.globus.org:all",
            "token_type": "Bearer",
        }
        return (
            super().tokens(given) | offline | {"other_tokens": [other], "resource_server": "auth.globus.org"}
        )


class ORCID(Documented):
    """The secret in the body, and nowhere else; a token for twenty years, and the iD beside it."""

    def routes(self) -> None:
        super().routes()
        self.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]

    def token(self, request: Request) -> Answer:
        given = form(request)
        if given.get("client_secret") != SECRET or given.get("by") == "basic":
            return as_json({"error": "invalid_client"}, 401)
        return super().token(request)

    def tokens(self, given: dict[str, str]) -> dict[str, Any]:
        beside = {"expires_in": 631138518, "orcid": "0000-0001-2345-6789", "name": "Sofia Garcia "}
        return super().tokens(given) | beside


class CILogon(Documented):
    """A client without a secret may ask for `openid` and nothing else."""

    def routes(self) -> None:
        super().routes()
        self.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_basic", "client_secret_post"]

    def token(self, request: Request) -> Answer:
        if "client_secret" not in form(request) and self.asked["scope"] != "openid":
            return as_json({"error": "invalid_scope"}, 400)
        return super().token(request)


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
