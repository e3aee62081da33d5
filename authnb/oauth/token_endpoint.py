"""Requests with client authentication, above all to the token endpoint (RFC 6749 section 3.2)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import parse_qsl, urlencode

from authlib.oauth2 import OAuth2Client
from authlib.oauth2.client import DEFAULT_HEADERS

from authnb.errors import ProviderError
from authnb.oauth.challenge import NONCE_ERROR, PROOF_ERROR
from authnb.oauth.client_auth import (
    BASIC,
    POST,
    PRIVATE_KEY_JWT,
    accepts_post,
    default_method,
    sign_basic,
)
from authnb.oauth.error_responses import read_oauth_error
from authnb.oauth.responses import read_token
from authnb.transport.failures import provider_errors
from authnb.transport.http import mount, provider_session

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

    import requests

    from authnb.oauth.dpop import DPoPKey
    from authnb.oauth.provider import Provider

T = TypeVar("T")

PROOFS_PER_REQUEST = 3  # before a server that wants yet another nonce is taken at its word

_SECRET_PARAMETERS = {"code", "code_verifier", "device_code", "refresh_token", "subject_token"}


class RegisteredClient(Protocol):
    """What a request needs of `authnb.oauth.client.Client`."""

    @property
    def provider(self) -> Provider:
        """Where it is registered."""

    @property
    def client_id(self) -> str:
        """Its identifier (RFC 6749 section 2.2)."""

    @property
    def client_secret(self) -> str | None:
        """Its password, None for a client without one."""

    @property
    def client_key(self) -> Path | None:
        """The file with its private key, None for a client without one."""

    @property
    def scope(self) -> str:
        """The scope it requests."""

    @property
    def dpop(self) -> bool | None:
        """Whether its tokens are to be bound to a key (RFC 9449); None: where the provider offers it."""

    @property
    def token_endpoint_auth_method(self) -> str | None:
        """The method that the caller chose."""


@dataclass(frozen=True)
class _NormalizedResponse:
    """A token response already checked and normalised, in the shape that Authlib parses."""

    token: dict[str, Any]
    status_code: int = 200

    def json(self) -> dict[str, Any]:
        return dict(self.token)  # in which Authlib cuts expires_at to whole seconds


def request_token(
    client: RegisteredClient,
    operation: str,
    dpop_key: DPoPKey | None,
    *,
    must_be_bound: bool,
    **parameters: str | None,
) -> dict[str, Any]:
    """The token response for a grant (RFC 6749 section 5.1); ``operation`` begins the text of an error.

    ``dpop_key``: the key that the token is to be bound to, if any (RFC 9449 section 5); ``must_be_bound``: whether
    it is refused if it is not.
    """
    provider = client.provider
    endpoint = provider.require_endpoint("token_endpoint", "Nobody can sign in there without one.")
    sent = [value for name, value in parameters.items() if name in _SECRET_PARAMETERS]
    secrets = list(filter(None, [*sent, client.client_secret]))
    sent_at = provider.clock.local_time()
    token: dict[str, Any] = {}

    def read(response: requests.Response) -> _NormalizedResponse:
        # The lifetime counts from issuance, which is no earlier than the request
        issued_from = provider.clock.synchronize(response.headers.get("Date"), sent_at)
        if dpop_key is not None:
            dpop_key.keep_nonce(endpoint, response.headers.get("DPoP-Nonce"), is_api=False)
        token.update(
            read_token(response, operation, secrets, issued_from, dpop_key, must_be_bound=must_be_bound)
        )
        return _NormalizedResponse(token)

    def send_once(method: str) -> dict[str, Any]:
        headers: dict[str, str] = dict(DEFAULT_HEADERS)
        if dpop_key is not None:
            headers["DPoP"] = dpop_key.proof("POST", endpoint, provider.clock.now())
        with provider_errors(operation, endpoint), oauth_session(client) as session:
            session.register_compliance_hook("access_token_response", read)
            session.fetch_token(endpoint, auth=session.client_auth(method), headers=headers, **parameters)
            return token

    def send(method: str) -> dict[str, Any]:
        return with_proof(provider, partial(send_once, method)) if dpop_key is not None else send_once(method)

    token = authenticated(client, send, provider.token_endpoint_auth_methods_supported)
    if dpop_key is not None and token["token_type"] != "DPoP":  # noqa: S105 - a scheme, no secret
        warnings.warn(
            f"{provider.host} offers tokens that are bound to a key (DPoP, RFC 9449), and gave one that is not: it "
            "works for anybody who holds it. Ask the provider; dpop=True refuses such tokens.",
            stacklevel=4,
        )
    if resource := parameters.get("resource"):
        from authnb.oauth.access_token import check_audience  # noqa: PLC0415 - few name the API

        check_audience(str(token["access_token"]), resource, provider.host, operation)
    return token


def with_proof(provider: Provider, send: Callable[[], T]) -> T:
    """Send a request with a proof, and again where another one may be accepted (RFC 9449 section 8).

    That is, with the nonce that came with the refusal; or once by the provider's clock, where the refusal has shown
    that this machine's is wrong.
    """
    for _ in range(PROOFS_PER_REQUEST - 1):
        before = provider.clock.offset
        try:
            return send()
        except ProviderError as error:
            by_the_clock = error.error == PROOF_ERROR and provider.clock.offset != before
            if error.error != NONCE_ERROR and not by_the_clock:
                raise
    return send()


def authenticated(client: RegisteredClient, send: Callable[[str], T], supported: Collection[str]) -> T:
    """Send a request with the client's authentication method, and once more with another if that is refused.

    ``supported``: the methods in the metadata of that endpoint. An assertion that was refused is made once more if the
    response has shown that the provider's clock is not what it was taken for.
    """
    default = default_method(client.client_secret, client.client_key, supported)
    method, clock = client.token_endpoint_auth_method or default, client.provider.clock
    offset = clock.offset
    try:
        return send(method)
    except ProviderError as error:
        if error.error != "invalid_client":
            raise
        if method == PRIVATE_KEY_JWT and clock.offset != offset:
            another = method
        elif (
            method == BASIC
            and client.token_endpoint_auth_method is None
            and accepts_post(client.client_id, client.client_secret, supported)
        ):
            another = POST
        else:
            raise
    return send(another)


def post_form(
    client: RegisteredClient,
    method: str,
    endpoint: str,
    operation: str,
    parameters: Iterable[tuple[str, str]],
) -> requests.Response:
    """The response to a form, sent with this method of client authentication, at an endpoint that Authlib lacks.

    ``client_id`` in the parameters is not repeated where the method sends it too.
    """
    parameters = list(parameters)
    others = [(name, value) for name, value in parameters if name != "client_id"]
    headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    auth = oauth_client(client).client_auth(method)
    url, headers, body = auth.prepare("POST", endpoint, headers, urlencode(others))
    if len(others) < len(parameters) and "client_id" not in dict(parse_qsl(body)):
        body += f"&{urlencode({'client_id': client.client_id})}"
    clock = client.provider.clock
    sent_at = clock.local_time()
    with provider_errors(operation, endpoint), provider_session(client.provider.response_timeout) as http:
        response = http.post(url, data=body, headers=headers)
    clock.synchronize(response.headers.get("Date"), sent_at)
    return response


def revoke_token(client: RegisteredClient, token: str, token_type_hint: str) -> None:
    """Revoke a token (RFC 7009); raises `ProviderError` if the provider refuses."""
    operation = "Revoking the token"
    endpoint = client.provider.require_endpoint("revocation_endpoint", "The token ends when it expires.")
    # RFC 8414 section 2: the revocation endpoint may support fewer methods than the token endpoint
    supported = (
        client.provider.revocation_endpoint_auth_methods_supported
        or client.provider.token_endpoint_auth_methods_supported
    )

    def send(method: str) -> None:
        bare = {"access_token": token}
        with provider_errors(operation, endpoint), oauth_session(client, token=bare) as session:
            response = session.revoke_token(
                endpoint, token=token, token_type_hint=token_type_hint, auth=session.client_auth(method)
            )
        if not response.ok:
            raise read_oauth_error(response, operation, list(filter(None, [token, client.client_secret])))

    authenticated(client, send, supported)


def oauth_client(client: RegisteredClient) -> Any:
    """Authlib's client without an HTTP session: enough for an authorization request, and quick to import."""
    return _registered(OAuth2Client(None, code_challenge_method="S256", **_credentials(client)), client)


def oauth_session(
    client: RegisteredClient, **options: Any
) -> Any:  # Any: Authlib's stubs know only half of its session
    """A session of Authlib's for one request to the provider."""
    from authnb.oauth.authlib_session import ClientSession  # noqa: PLC0415 - imported while the person signs in

    session = _registered(ClientSession(**_credentials(client), **options), client)
    return mount(session, client.provider.response_timeout)


def _credentials(client: RegisteredClient) -> dict[str, Any]:
    return {"client_id": client.client_id, "client_secret": client.client_secret, "scope": client.scope}


def _registered(sender: Any, client: RegisteredClient) -> Any:
    """A client of Authlib's that knows our ways to authenticate."""

    def sign_with_key(_: object, _method: str, uri: str, headers: dict[str, str], body: Any) -> Any:
        from authnb.oauth.client_assertion import sign_private_key_jwt  # noqa: PLC0415 - joserfc is slow to load

        return sign_private_key_jwt(client, uri, headers, body)

    sender.register_client_auth_method((BASIC, sign_basic))
    sender.register_client_auth_method((PRIVATE_KEY_JWT, sign_with_key))
    return sender
