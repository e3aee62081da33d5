"""Who we are at a provider, and how codes, device codes and refresh tokens become tokens there.

Every exchange is Authlib's ``OAuth2Session``, fresh and on a connection of its own: no cookie or header of
the API travels to the provider, no redirect is followed, no answer is unbounded (`authnb.transport`).
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from authlib.common.security import generate_token
from authlib.oauth2 import OAuth2Client

from authnb.answers import (
    DeviceAuthorization,
    Token,
    read_device_authorization,
    read_refusal,
    read_token,
)
from authnb.errors import AuthnbError, InvalidToken, ProviderError
from authnb.exchange import Seen, observers, tell
from authnb.transport import asking, mount, provider_session
from authnb.userinfo import ASKING, check_same_person, is_needed, read_userinfo, user_address

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import requests

    from authnb.answers import AuthorizationResponse
    from authnb.provider import Provider

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
_GRANTS = {"device": "device", "form": ""}  # every other mode is a way to an authorization code
_PERSONAL = {"openid", "profile", "email", "address", "phone", "offline_access"}  # scopes about a person
_SECRET_PARAMETERS = {"code", "code_verifier", "device_code", "refresh_token"}


@dataclass(frozen=True, kw_only=True)
class AuthorizationRequest:
    """An authorization request (RFC 6749 section 4.1.1) and what must be known to redeem its answer."""

    uri: str = field(repr=False)
    redirect_uri: str
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)


@dataclass(frozen=True)
class _Read:
    """What Authlib parses in place of an HTTP response: the same answer, already read at our door."""

    token: dict[str, Any]
    status_code: int = 200

    def json(self) -> dict[str, Any]:
        return self.token


@dataclass(frozen=True)
class Client:
    """A client registered at a provider (RFC 6749 section 2).

    Without ``client_secret`` it is a public client. ``token_endpoint_auth_method`` is chosen from the
    provider's metadata unless given.
    """

    provider: Provider
    _: KW_ONLY
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    scope: str = "openid profile email"
    token_endpoint_auth_method: str | None = None

    def may_use(self, modes: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the modes that this client can use: some providers want a secret for some of them.

        `ProviderError` if none is left.
        """
        wanting = self.provider.quirks.secret_for if self.client_secret is None else ()
        left = tuple(mode for mode in modes if _GRANTS.get(mode, "code") not in wanting)
        if modes and not left:
            page = self.provider.quirks.client_page
            raise ProviderError(
                "invalid_client",
                f"Signing in at {self.provider.host} takes a client with a secret. Give client_secret=, best from an "
                f"environment variable{f'; clients are registered at {page}' if page else ''}.",
            )
        return left

    def authorization_request(
        self, redirect_uri: str, *, endpoint: str | None = None, **parameters: str
    ) -> AuthorizationRequest:
        """A fresh authorization request with its own state, nonce and PKCE verifier (RFC 7636, S256).

        ``parameters`` are added to the address: ``prompt``, ``login_hint`` and the like; ``endpoint`` takes it in
        place of the authorization endpoint.
        """
        endpoint = endpoint or self.provider.need("authorization_endpoint", "Try mode='device'.")
        parameters = {**self.provider.quirks.parameters, **self._audience(), **parameters}
        if (
            "offline_access" in self.scope.split()
        ):  # without it no refresh token: OpenID Connect Core section 11
            parameters.setdefault("prompt", "consent")
        state, nonce, verifier = generate_token(43), generate_token(43), generate_token(64)
        uri, _state = self._asker().create_authorization_url(
            endpoint,
            state=state,
            code_verifier=verifier,
            redirect_uri=redirect_uri,
            nonce=nonce,
            **parameters,
        )
        tell(Seen(sender="browser", method="GET", url=uri))
        return AuthorizationRequest(
            uri=uri, redirect_uri=redirect_uri, state=state, nonce=nonce, code_verifier=verifier
        )

    def get_ready(self) -> None:
        """Load what redeeming takes and fetch the provider's keys, while the person signs in.

        Returns at once. What fails here is tried again, and told, when it is needed.
        """
        worker = threading.Thread(target=self._get_ready, name="authnb-ready", daemon=True)
        worker.start()
        if observers:  # a record has the same order each time
            worker.join(1.0)

    def _get_ready(self) -> None:
        if "openid" in self.scope.split():
            with suppress(AuthnbError):
                self.provider.keys.current()
        import_module("authnb.authlib_session")
        import_module("authnb.identity")

    def redeem_code(self, response: AuthorizationResponse, request: AuthorizationRequest) -> Token:
        """The token for an authorization code (RFC 6749 section 4.1.3, RFC 7636 section 4.5)."""
        token = self._fetch_token(
            "Trading the code for a token",
            grant_type="authorization_code",
            code=response.code,
            redirect_uri=request.redirect_uri,
            code_verifier=request.code_verifier,
        )
        if "id_token" not in token and "openid" in self.scope.split():
            raise ProviderError(
                "invalid_response",
                f"{self.provider.host} sent no ID token although the scope 'openid' asks for one. Take "
                "'openid' out of scope= if it is an OAuth 2.0 provider without OpenID Connect.",
            )
        return self._with_userinfo(self._identified(token, nonce=request.nonce))

    def own_token(self) -> Token:
        """A token for the client itself, with nobody there (RFC 6749 section 4.4).

        Scopes about a person (``openid``, ``profile``, ``email``, ``offline_access``) are not asked for.
        """
        scope = " ".join(word for word in self.scope.split() if word not in _PERSONAL)
        return Token(
            self._fetch_token(
                "Signing in as the client itself", grant_type="client_credentials", scope=scope or None
            )
        )

    def authorize_device(self) -> DeviceAuthorization:
        """Ask for a device code and a user code (RFC 8628 section 3.1)."""
        what = "Asking for a device code"
        endpoint = self.provider.need("device_authorization_endpoint", "Try mode='loopback'.")
        asker = self._asker()
        url, headers, body = asker.client_auth(asker.token_endpoint_auth_method).prepare(
            "POST",
            endpoint,
            {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"},
            urlencode({"scope": self.scope, **self._audience()}),
        )
        with asking(what, endpoint), provider_session() as http:
            response = http.post(url, data=body, headers=headers)
        return read_device_authorization(response, what)

    def redeem_device_code(self, device: DeviceAuthorization) -> Token:
        """The token for a device code, once the person has approved.

        Until then it raises `ProviderError` with the codes of RFC 8628 section 3.5
        (``authorization_pending``, ``slow_down``, ``expired_token``), or `LoginFailed` (``access_denied``).
        """
        token = self._fetch_token(
            "Signing in with a device code", grant_type=DEVICE_CODE, device_code=device.device_code
        )
        return self._with_userinfo(self._identified(token, nonce=None))

    def refresh(self, token: Mapping[str, Any]) -> Token:
        """A new token for the refresh token in this one (RFC 6749 section 6).

        What the answer leaves out is kept: refresh token, granted scope, ID token and claims; so is an ID token
        whose successor cannot be verified because the provider's keys cannot be had. Raises `ProviderError`, with
        ``invalid_grant`` where only a new sign-in helps.
        """
        if "id_token" in token:
            self._get_ready()  # the answer uses up what is stored: nothing slow may come between it and its storing
        new = self._fetch_token(
            "Renewing the token",
            grant_type="refresh_token",
            refresh_token=token["refresh_token"],
            scope=token.get("scope") or self.scope,
        )
        try:
            new = self._identified(new, nonce=None)
        except InvalidToken:
            raise
        except ProviderError:  # the old refresh token may be used up: the new one must not be lost
            del new["id_token"]
        if "userinfo" in new:
            check_same_person(new["userinfo"], token, self.provider, "Renewing the token")
            new["userinfo"] = {**token.get("userinfo", {}), **new["userinfo"]}
        kept = ("refresh_token", "scope", "id_token", "userinfo")
        return Token({**{name: token[name] for name in kept if name in token}, **new})

    def revoke(self, token: str, token_type_hint: str) -> None:
        """Make the provider forget a token (RFC 7009); raises `ProviderError` where it will not."""
        what = "Revoking the token"
        endpoint = self.provider.need("revocation_endpoint", "The token ends when it expires.")
        with asking(what, endpoint), self._session(token={"access_token": token}) as session:
            response = session.revoke_token(endpoint, token=token, token_type_hint=token_type_hint)
        if not response.ok:
            raise read_refusal(response, what, secrets=[token])

    def userinfo(self, token: Mapping[str, Any]) -> dict[str, Any]:
        """What the provider tells of the person (OpenID Connect Core section 5.3)."""
        endpoint = user_address(self.provider, token) or self.provider.need(
            "userinfo_endpoint", "Ask for the scope 'openid' instead."
        )
        bare = {"access_token": token["access_token"]}  # Authlib uses no token in the last minute of its life
        with asking(ASKING, endpoint), self._session(token=bare) as session:
            response = session.get(endpoint, headers={"Accept": "application/json"})
        return read_userinfo(response, token, self.provider)

    def _with_userinfo(self, token: Mapping[str, Any]) -> Token:
        """The token with what only the userinfo endpoint tells of the person.

        Where that endpoint fails the person is signed in all the same; where it tells of another, or of nobody,
        `InvalidToken`.
        """
        if not is_needed(self.provider, token, self.scope):
            return Token(token)
        try:
            told = self.userinfo(token)
        except InvalidToken:
            raise
        except ProviderError:
            return Token(token)
        return Token({**token, "userinfo": {**told, **(token.get("userinfo") or {})}})

    def _audience(self) -> dict[str, str]:
        audience = self.provider.quirks.audience
        return {"audience": audience} if audience else {}

    def _asker(self) -> Any:
        """Authlib's client without a session: enough to ask the person, and it loads in no time."""
        return OAuth2Client(None, code_challenge_method="S256", **self._registration())

    def _session(self, **more: Any) -> Any:  # Any: Authlib's stubs know only half of its session
        from authnb.authlib_session import ClientSession  # noqa: PLC0415 - loads while the person signs in

        return mount(ClientSession(**self._registration(), **more))

    def _registration(self) -> dict[str, Any]:
        method = self.token_endpoint_auth_method or self._auth_method(
            self.provider.token_endpoint_auth_methods_supported
        )
        # RFC 8414 section 2: what the revocation endpoint takes may be less than what the token endpoint takes
        revoking = self.provider.revocation_endpoint_auth_methods_supported
        return {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "scope": self.scope,
            "token_endpoint_auth_method": method,
            "revocation_endpoint_auth_method": (
                method if not revoking or method in revoking else self._auth_method(revoking)
            ),
        }

    def _auth_method(self, supported: Collection[str]) -> str:
        if self.client_secret is None:
            return "none"
        # RFC 8414 section 2: where the metadata is silent, client_secret_basic
        basic = not supported or "client_secret_basic" in supported
        return "client_secret_basic" if basic else "client_secret_post"

    def _fetch_token(self, what: str, **parameters: str | None) -> dict[str, Any]:
        endpoint = self.provider.need("token_endpoint", "Nobody can sign in there without one.")
        secrets = [v for k, v in parameters.items() if k in _SECRET_PARAMETERS and v]
        clock = self.provider.clock
        begun = clock.reading()

        def read(response: requests.Response) -> _Read:
            # A token lives from when it was issued: not before it was asked for, but before it came here
            asked = clock.heard(response.headers.get("Date"), begun)
            return _Read(read_token(response, what, secrets, asked))

        with asking(what, endpoint), self._session() as session:
            session.register_compliance_hook("access_token_response", read)
            return dict(session.fetch_token(endpoint, **parameters))

    def _identified(self, token: Mapping[str, Any], nonce: str | None) -> Token:
        """The token with the claims of its ID token, if it has one, verified and put beside it."""
        if "id_token" not in token or not self.provider.quirks.openid:
            return Token(token)
        from authnb.identity import verify_id_token  # noqa: PLC0415 - loads while the person signs in

        claims = verify_id_token(
            token["id_token"],
            keys=self.provider.keys,
            issuer=self.provider.issuer,
            client_id=self.client_id,
            nonce=nonce,
            access_token=token["access_token"],
            now=self.provider.clock.now(),
            quirks=self.provider.quirks,
        )
        return Token({**token, "userinfo": claims})
