"""Requests with client authentication, above all to the token endpoint (RFC 6749 section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from authlib.oauth2 import OAuth2Client

from authnb.errors import ProviderError
from authnb.oauth.client_auth import BASIC, POST, accepts_post, default_method, sign_basic
from authnb.oauth.error_responses import read_oauth_error
from authnb.oauth.responses import read_token
from authnb.transport.failures import provider_errors
from authnb.transport.http import mount

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import requests

    from authnb.oauth.provider import Provider

T = TypeVar("T")

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
        """Its password, None for a public client."""

    @property
    def scope(self) -> str:
        """The scope it requests."""

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


def request_token(client: RegisteredClient, operation: str, **parameters: str | None) -> dict[str, Any]:
    """The token response for a grant (RFC 6749 section 5.1); ``operation`` begins the text of an error."""
    provider = client.provider
    endpoint = provider.require_endpoint("token_endpoint", "Nobody can sign in there without one.")
    sent = [value for name, value in parameters.items() if name in _SECRET_PARAMETERS]
    secrets = list(filter(None, [*sent, client.client_secret]))
    sent_at = provider.clock.local_time()
    token: dict[str, Any] = {}

    def read(response: requests.Response) -> _NormalizedResponse:
        # The lifetime counts from issuance, which is no earlier than the request
        issued_from = provider.clock.synchronize(response.headers.get("Date"), sent_at)
        token.update(read_token(response, operation, secrets, issued_from))
        return _NormalizedResponse(token)

    def send(method: str) -> dict[str, Any]:
        with provider_errors(operation, endpoint), oauth_session(client) as session:
            session.register_compliance_hook("access_token_response", read)
            session.fetch_token(endpoint, auth=session.client_auth(method), **parameters)
            return token

    token = authenticated(client, send, provider.token_endpoint_auth_methods_supported)
    if resource := parameters.get("resource"):
        from authnb.oauth.access_token import check_audience  # noqa: PLC0415 - few name the API

        check_audience(str(token["access_token"]), resource, provider.host, operation)
    return token


def authenticated(client: RegisteredClient, send: Callable[[str], T], supported: Collection[str]) -> T:
    """Send a request with the client's authentication method, and once more with another if that is refused.

    ``supported``: the methods in the metadata of that endpoint.
    """
    method = client.token_endpoint_auth_method or default_method(client.client_secret, supported)
    try:
        return send(method)
    except ProviderError as error:
        refused = error.error == "invalid_client" and method == BASIC
        chosen = client.token_endpoint_auth_method is not None
        if not refused or chosen or not accepts_post(client.client_id, client.client_secret, supported):
            raise
    return send(POST)


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
    return _registered(OAuth2Client(None, code_challenge_method="S256", **_credentials(client)))


def oauth_session(
    client: RegisteredClient, **options: Any
) -> Any:  # Any: Authlib's stubs know only half of its session
    """A session of Authlib's for one request to the provider."""
    from authnb.oauth.authlib_session import ClientSession  # noqa: PLC0415 - imported while the person signs in

    session = _registered(ClientSession(**_credentials(client), **options))
    return mount(session, client.provider.response_timeout)


def _credentials(client: RegisteredClient) -> dict[str, Any]:
    return {"client_id": client.client_id, "client_secret": client.client_secret, "scope": client.scope}


def _registered(client: Any) -> Any:
    client.register_client_auth_method((BASIC, sign_basic))
    return client
