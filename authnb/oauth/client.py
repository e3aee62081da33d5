"""The client at a provider: authorization, device, token, userinfo and revocation requests.

Each request has an ``OAuth2Session`` of Authlib's to itself: no cookie or header of an API travels to the provider, no
redirect is followed, no response is unbounded (`authnb.transport.http`).
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from authlib.common.security import generate_token
from authlib.common.urls import add_params_to_uri

from authnb.errors import AuthnbError, ProviderError, raises_without_frames
from authnb.oauth.claims import request_userinfo, with_id_token_claims, with_userinfo
from authnb.oauth.pushed_request import push
from authnb.oauth.refresh import renewed_token, request_refresh
from authnb.oauth.responses import (
    DeviceAuthorization,
    Token,
    read_device_authorization,
)
from authnb.oauth.scope import PERSON_SCOPES
from authnb.oauth.token_endpoint import (
    authenticated,
    oauth_client,
    post_form,
    request_token,
    revoke_token,
)
from authnb.transport.exchange import HTTPExchange, notify, observers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from authnb.oauth.dpop import DPoPKey
    from authnb.oauth.provider import Provider
    from authnb.oauth.pushed_request import PushedRequest
    from authnb.oauth.responses import AuthorizationResponse

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - RFC 8693 section 2.1
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - its type, section 3
_GRANTS = {"device": "device", "form": ""}  # every other mode ends in an authorization code


@dataclass(frozen=True, kw_only=True)
class AuthorizationRequest:
    """An authorization request (RFC 6749 section 4.1.1) and what the token request for its code needs.

    ``uri`` is what the browser opens: ``endpoint`` with the ``parameters`` or, where they are ``pushed`` (RFC 9126),
    with a reference to them.
    """

    uri: str = field(repr=False)
    endpoint: str
    parameters: tuple[tuple[str, str], ...] = field(repr=False)
    pushed: PushedRequest | None = None
    redirect_uri: str
    state: str = field(repr=False)
    nonce: str | None = field(repr=False)
    code_verifier: str = field(repr=False)


@dataclass(frozen=True)
class Client:
    """A client registered at a provider (RFC 6749 section 2).

    Without ``client_secret`` and ``client_key`` it is a public client; ``client_key``: the path of a file with its
    private key, which is read for each request. ``token_endpoint_auth_method`` is chosen from the provider's metadata
    unless given. ``resource``: the APIs that tokens are requested for (RFC 8707), the first of them for the sign-in's
    own token. ``dpop_key``: the key that its tokens are to be bound to (RFC 9449), and ``dpop``: whether they must be
    (True), or must not (False).
    """

    provider: Provider
    _: KW_ONLY
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    client_key: Path | None = None
    scope: str = "openid profile email"
    token_endpoint_auth_method: str | None = None
    resource: tuple[str, ...] = ()
    dpop: bool | None = None
    dpop_key: DPoPKey | None = field(default=None, repr=False, compare=False)

    def usable_modes(self, modes: tuple[str, ...]) -> tuple[str, ...]:
        """The modes that this client can use; at some providers others require a client secret.

        Raises `ProviderError` if none is usable.
        """
        public = self.client_secret is None and self.client_key is None
        secret_required = self.provider.quirks.secret_for if public else ()
        usable = tuple(mode for mode in modes if _GRANTS.get(mode, "code") not in secret_required)
        if modes and not usable:
            page = self.provider.quirks.client_page
            other = "" if "device" in secret_required else " mode='device' needs none."
            raise ProviderError(
                "invalid_client",
                f"Signing in at {self.provider.host} takes a client with a secret. Give client_secret=, best from an "
                f"environment variable{f'; clients are registered at {page}' if page else ''}.{other}",
            )
        return usable

    @raises_without_frames
    def authorization_request(
        self, redirect_uri: str, *, endpoint: str | None = None, **parameters: str
    ) -> AuthorizationRequest:
        """A new authorization request with its own state, nonce and PKCE verifier (RFC 7636, S256).

        The nonce is OpenID Connect's (Core section 3.1.2.1): none is sent without the scope ``openid``, as some
        providers refuse one.

        ``parameters`` are added to it: ``prompt``, ``login_hint`` and the like. ``endpoint`` replaces the authorization
        endpoint. The request is pushed (`push`) where the provider takes that; to another endpoint, where it must be.
        """
        may_be_pushed = endpoint is None or self.provider.require_pushed_authorization_requests
        endpoint = endpoint or self.provider.require_endpoint("authorization_endpoint", "Try mode='device'.")
        parameters = {**self.provider.quirks.parameters, **self._audience, **parameters}
        if self.dpop_key is not None:
            parameters["dpop_jkt"] = self.dpop_key.thumbprint  # RFC 9449 section 10
        if (
            "offline_access" in self.scope.split()
        ):  # without it no refresh token: OpenID Connect Core section 11
            parameters.setdefault("prompt", "consent")
        state, verifier = generate_token(43), generate_token(64)
        nonce = generate_token(43) if "openid" in self.scope.split() else None
        if nonce is not None:
            parameters["nonce"] = nonce
        query, _state = oauth_client(self).create_authorization_url(
            "",
            state=state,
            code_verifier=verifier,
            redirect_uri=redirect_uri,
            **parameters,
        )
        sent = parse_qsl(query.partition("?")[2], keep_blank_values=True)
        sent += [("resource", other) for other in self.resource[1:]]
        request = AuthorizationRequest(
            uri=add_params_to_uri(endpoint, sent),
            endpoint=endpoint,
            parameters=tuple(sent),
            redirect_uri=redirect_uri,
            state=state,
            nonce=nonce,
            code_verifier=verifier,
        )
        if may_be_pushed:
            request = self.push(request)
        notify(HTTPExchange(sender="browser", method="GET", url=request.uri))
        return request

    @raises_without_frames
    def push(self, request: AuthorizationRequest) -> AuthorizationRequest:
        """The request with an address to open that refers to its parameters, pushed to the provider (RFC 9126).

        It can be pushed again, as an address expires: whichever of them the person opens, the response is to this
        request. Unchanged where the provider takes no pushed requests. Raises `ProviderError` if it refuses this one.
        """
        pushed = push(self, request.parameters)
        if pushed is None:
            sent = request.parameters
        else:
            sent = (("client_id", self.client_id), ("request_uri", pushed.request_uri))
        return replace(request, uri=add_params_to_uri(request.endpoint, sent), pushed=pushed)

    def prefetch(self) -> None:
        """Import the modules that a token request needs and fetch the JWKS, on a thread, while the person signs in.

        Returns at once. A failure here is ignored: the fetch is repeated when the keys are needed.
        """
        worker = threading.Thread(target=self._prefetch, name="authnb-ready", daemon=True)
        try:
            worker.start()
        except RuntimeError:  # the system refuses another thread
            return
        if observers:  # keeps the order of a recording's exchanges stable
            worker.join(1.0)

    def _prefetch(self) -> None:
        if "openid" in self.scope.split():
            with suppress(AuthnbError):
                self.provider.keys.current()
        import_module("authnb.oauth.authlib_session")
        import_module("authnb.oauth.id_token")

    @raises_without_frames
    def redeem_code(self, response: AuthorizationResponse, request: AuthorizationRequest) -> dict[str, Any]:
        """The token response for an authorization code, not verified (RFC 6749 section 4.1.3, RFC 7636 section 4.5).

        For `complete`. A code can be redeemed once, so that a failure of `complete` must not lead here again.
        """
        token = request_token(
            self,
            "Trading the code for a token",
            self.dpop_key,
            must_be_bound=self.dpop is True,
            grant_type="authorization_code",
            code=response.code,
            redirect_uri=request.redirect_uri,
            code_verifier=request.code_verifier,
            **self._resource,
        )
        if "id_token" not in token and "openid" in self.scope.split():
            raise ProviderError(
                "invalid_response",
                f"{self.provider.host} sent no ID token although the scope 'openid' asks for one. Take "
                "'openid' out of scope= if it is an OAuth 2.0 provider without OpenID Connect.",
            )
        return token

    @raises_without_frames
    def complete(self, token: Mapping[str, Any], nonce: str | None) -> Token:
        """The token of a response with the person's claims: of the verified ID token and the userinfo endpoint.

        ``nonce``: that of the authorization request, None for a device code. Raises `InvalidToken`, or another
        `ProviderError` if the JWKS cannot be fetched.
        """
        return with_userinfo(self, with_id_token_claims(self, token, nonce))

    @raises_without_frames
    def client_credentials_token(self) -> Token:
        """A token for the client itself, without a person (RFC 6749 section 4.4).

        Scopes about a person (``openid``, ``profile``, ``email``, ``offline_access``) are not requested.
        """
        scope = " ".join(word for word in self.scope.split() if word not in PERSON_SCOPES)
        return Token(
            request_token(
                self,
                "Signing in as the client itself",
                self.dpop_key,
                must_be_bound=self.dpop is True,
                grant_type="client_credentials",
                scope=scope or None,
                **self._audience,
            )
        )

    @raises_without_frames
    def authorize_device(self, **parameters: str) -> DeviceAuthorization:
        """Request a device code and a user code (RFC 8628 section 3.1); ``parameters`` are added to the request."""
        operation = "Asking for a device code"
        endpoint = self.provider.require_endpoint("device_authorization_endpoint", "Try mode='loopback'.")
        scope = {"scope": self.scope} if self.scope else {}
        more = [("resource", other) for other in self.resource[1:]]

        def send(method: str) -> DeviceAuthorization:
            asked = [*{**scope, **self._audience, **parameters}.items(), *more]
            response = post_form(self, method, endpoint, operation, asked)
            secrets = [] if self.client_secret is None else [self.client_secret]
            return read_device_authorization(response, operation, self.provider.issuer, secrets)

        return authenticated(self, send, self.provider.token_endpoint_auth_methods_supported)

    @raises_without_frames
    def redeem_device_code(self, device: DeviceAuthorization) -> dict[str, Any]:
        """Poll the token endpoint with a device code, once (RFC 8628 section 3.4).

        The token response for `complete`, not verified, if the person has approved. Until then it raises
        `ProviderError` with the codes of section 3.5 (``authorization_pending``, ``slow_down``, ``expired_token``), or
        `LoginFailed` (``access_denied``).
        """
        return request_token(
            self,
            "Signing in with a device code",
            self.dpop_key,
            must_be_bound=self.dpop is True,
            grant_type=DEVICE_CODE,
            device_code=device.device_code,
            **self._resource,
        )

    @raises_without_frames
    def refresh(self, token: Mapping[str, Any], store: Callable[[Token], None] | None = None) -> Token:
        """Renew a token with its refresh token (RFC 6749 section 6).

        The new token takes over what the token response omits: refresh token, granted scope, ID token and claims.
        ``store`` gets the new token before its ID token is verified, as the old refresh token may be used up. An ID
        token that fails verification is dropped with a warning, and the claims stay as they were; if the JWKS cannot
        be fetched, without one. Raises `ProviderError` or `LoginFailed` if the provider refuses, and `InvalidToken` if
        the response is for another subject.
        """
        if "id_token" in token:
            # The token request uses up the stored refresh token: no fetch may delay storing the new one
            self._prefetch()
        return renewed_token(self, token, self.request_refresh(token), store)

    @raises_without_frames
    def request_refresh(
        self, token: Mapping[str, Any], *, resource: str | None = None, scope: str | None = None
    ) -> dict[str, Any]:
        """The token response for a refresh token (RFC 6749 section 6), not verified; for ``resource`` (RFC 8707).

        Without ``scope``, which means the scope granted before, unless the provider wants it or a narrower one is
        given.
        """
        parameters = {"resource": resource} if resource else self._resource
        return request_refresh(self, token, scope, **parameters)

    @raises_without_frames
    def exchange(
        self,
        token: Mapping[str, Any],
        *,
        resource: str | None = None,
        audience: str | None = None,
        scope: str | None = None,
    ) -> Token:
        """A token for another API, or with a narrower scope, in exchange for an access token (RFC 8693 section 2.1).

        ``resource``: the API's URL; ``audience``: its name at the provider. Raises `ProviderError` if the provider
        refuses, with ``invalid_target`` if it does not know the API.
        """
        response = request_token(
            self,
            "Exchanging the token",
            token.get("dpop_key"),
            must_be_bound=self.dpop is True,
            grant_type=TOKEN_EXCHANGE,
            subject_token=token["access_token"],
            subject_token_type=_ACCESS_TOKEN,
            requested_token_type=_ACCESS_TOKEN,
            resource=resource,
            audience=audience,
            scope=scope,
        )
        if response.get("issued_token_type", _ACCESS_TOKEN) != _ACCESS_TOKEN:
            raise ProviderError(
                "invalid_response",
                f"{self.provider.host} exchanged the token for one of type "
                f"{str(response['issued_token_type'])[:80]!r}, and an access token was asked for.",
            )
        return Token(response)

    @raises_without_frames
    def revoke(self, token: str, token_type_hint: str) -> None:
        """Revoke a token at the provider (RFC 7009); raises `ProviderError` if it refuses."""
        revoke_token(self, token, token_type_hint)

    @raises_without_frames
    def userinfo(self, token: Mapping[str, Any]) -> dict[str, Any]:
        """The claims of the userinfo endpoint (OpenID Connect Core section 5.3)."""
        return request_userinfo(self, token)

    @property
    def _audience(self) -> dict[str, str]:
        audience = self.provider.quirks.audience
        return ({"audience": audience} if audience else {}) | self._resource

    @property
    def _resource(self) -> dict[str, str]:
        """The API that the token is for, in authorization and token requests (RFC 8707 section 2)."""
        resource = self.resource[0] if self.resource else self.provider.quirks.resource
        return {"resource": resource} if resource else {}
