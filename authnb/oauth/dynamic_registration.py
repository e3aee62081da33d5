"""Registering a client without a form: dynamic client registration (RFC 7591) and its management (RFC 7592)."""

from __future__ import annotations

import re
import time
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from authnb.errors import ProviderError, raises_without_frames
from authnb.oauth.client import TOKEN_EXCHANGE
from authnb.oauth.client_auth import SECRET_METHODS
from authnb.oauth.error_responses import read_oauth_error
from authnb.transport.addresses import is_readable_address
from authnb.transport.failures import provider_errors
from authnb.transport.http import is_loopback, provider_session, read_object
from authnb.transport.text import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import requests

    from authnb.oauth.provider import Provider

SOFTWARE_ID = (
    "2f6c1a52-6a0e-4f0b-9a57-6d5c0f6d5f3e"  # the same for every registration of authnb, whatever its version
)
CLIENT_NAME = "Notebook (authnb)"
CODE, DEVICE, REFRESH = "authorization_code", "urn:ietf:params:oauth:grant-type:device_code", "refresh_token"
_PUBLIC = "none"  # of a client without a secret
_OK, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = {200, 201}, 401, 403, 404
_GONE = {_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND}  # RFC 7592 section 2.1: the client, or its token, is no more
_VISIBLE = re.compile(r"[\x20-\x7e]{1,2000}")  # RFC 6749 appendix A.1
_MARGIN = 60  # seconds that a secret must be good for to be used
_MAX_TIME = 253402300800  # the year 10000, in seconds since 1970


@dataclass(frozen=True, kw_only=True)
class Registration:
    """A client that authnb registered at a provider, with what the provider answered (RFC 7591 section 3.2.1).

    ``issuer`` and ``redirect_uris`` are those that it was registered at and with; ``redirect_uris`` are empty for the
    device flow. ``scope``: what it may ask for, empty where no limit was named. ``client_secret_expires_at``: in
    seconds since 1970, 0 for never. It is a public client unless the provider allows none; then ``client_secret`` is
    kept as carefully as a token, and so is ``registration_access_token``, by which the client can be deleted at
    ``registration_client_uri`` (RFC 7592).
    """

    issuer: str
    client_id: str
    redirect_uris: tuple[str, ...] = ()
    scope: str = ""
    token_endpoint_auth_method: str = _PUBLIC
    client_secret: str | None = field(default=None, repr=False)
    client_secret_expires_at: int = 0
    registration_client_uri: str | None = None
    registration_access_token: str | None = field(default=None, repr=False)

    def __reduce__(self) -> NoReturn:
        raise TypeError("A registration holds secrets and is not pickled. Register in the other process.")

    @property
    def expired(self) -> bool:
        """Whether the client's secret is of no use any more, or not for a minute more."""
        ends = self.client_secret_expires_at
        return self.client_secret is not None and 0 < ends < time.time() + _MARGIN

    def to_dict(self) -> dict[str, Any]:
        """Its members, secrets included."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Registration:
        """The inverse of `to_dict`; `ValueError` or `TypeError` for anything else."""
        members = {f.name: stored[f.name] for f in fields(cls) if f.name in stored}
        uris = members.get("redirect_uris", ())
        texts = [*uris, *(members[name] for name in ("issuer", "client_id", "token_endpoint_auth_method"))]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("not a registration")
        return cls(**{**members, "redirect_uris": tuple(uris)})


@raises_without_frames
def register(
    provider: Provider, *, redirect_uris: Collection[str], scope: str = "", refresh: bool = True
) -> Registration:
    """Register a client of our own at a provider (RFC 7591 section 3.1): one request, without a person.

    ``redirect_uris``: exactly those that the sign-in will use; without any, for the device flow (RFC 8628). ``scope``:
    the scope that the client will ask for; a provider that refuses a registration over it, or over token exchange, is
    asked once more without.

    Raises `ProviderError`: ``no_registration`` if the provider registers nobody, ``registration_refused`` if it
    refuses this one, or registered something else than was asked for; a transient one (`ProviderError.is_transient`)
    if it is overloaded or cannot be reached.
    """
    endpoint = provider.registration_endpoint
    if endpoint is None:
        raise ProviderError(
            "no_registration",
            f"{provider.host} registers no clients by itself (RFC 7591): it names no endpoint for it.",
        )
    metadata = _client_metadata(provider, tuple(redirect_uris), scope, refresh=refresh)
    response = _post(provider, endpoint, metadata)
    necessary = _without_options(metadata)
    if response.status_code not in _OK and necessary != metadata and _is_over_options(response):
        metadata = necessary
        response = _post(provider, endpoint, metadata)
    operation = f"Registering at {provider.host}"
    if response.status_code not in _OK:
        raise _refusal(provider, read_oauth_error(response, operation))
    return _read(provider, endpoint, metadata, read_object(response, operation))


@raises_without_frames
def read_registration(provider: Provider, registration: Registration) -> Registration | None:
    """The registration as the provider has it now (RFC 7592 section 2.1); None if it was deleted there.

    The provider may have replaced its secrets, so that what this returns must be kept in its place. Unchanged where
    the provider does not say. Raises a `ProviderError` that is transient if the provider cannot be reached.
    """
    if registration.registration_client_uri is None or registration.registration_access_token is None:
        return registration
    response = _manage("GET", provider, registration)
    if response.status_code in _GONE:
        return None
    operation = f"Reading the registration at {provider.host}"
    if response.status_code not in _OK:
        error = read_oauth_error(response, operation, _secrets(registration))
        if isinstance(error, ProviderError) and error.is_transient:
            raise error
        return registration
    answer = read_object(response, operation)
    if answer.get("client_id") != registration.client_id:
        return registration
    return replace(
        registration, **_secret_members(answer, registration), **_management(provider, answer, registration)
    )


@raises_without_frames
def delete_registration(provider: Provider, registration: Registration) -> bool:
    """Delete the client at the provider (RFC 7592 section 2.3); False if the provider gave no means to.

    A client that is gone already is deleted. Raises `ProviderError` if the provider refuses or cannot be reached.
    """
    if registration.registration_client_uri is None or registration.registration_access_token is None:
        return False
    response = _manage("DELETE", provider, registration)
    if response.ok or response.status_code in {_UNAUTHORIZED, _NOT_FOUND}:
        return True
    raise read_oauth_error(response, f"Deleting the registration at {provider.host}", _secrets(registration))


def _client_metadata(
    provider: Provider, redirect_uris: tuple[str, ...], scope: str, *, refresh: bool
) -> dict[str, Any]:
    """What is asked for (RFC 7591 section 2)."""
    grants = [CODE if redirect_uris else DEVICE]
    if refresh and REFRESH in (provider.grant_types_supported or (REFRESH,)):
        grants.append(REFRESH)
    if (
        TOKEN_EXCHANGE in provider.grant_types_supported
    ):  # by which `Session.for_audience` asks, where it is there
        grants.append(TOKEN_EXCHANGE)
    supported = provider.token_endpoint_auth_methods_supported
    # in the provider's order: some that name both do one better (the MCP SDK wants the client_id in the body)
    others = [method for method in supported if method in SECRET_METHODS]
    metadata: dict[str, Any] = {
        "client_name": CLIENT_NAME,
        "software_id": SOFTWARE_ID,
        "software_version": _version(),
        "token_endpoint_auth_method": _PUBLIC if _PUBLIC in supported or not others else others[0],
        "grant_types": grants,
        # OpenID Connect Dynamic Client Registration section 2: loopback addresses are of native clients
        "application_type": "native" if all(map(is_loopback, redirect_uris)) else "web",
    }
    # named without any too: left out, response_types is ["code"], and that takes redirect URIs
    metadata |= {"redirect_uris": list(redirect_uris), "response_types": ["code"] if redirect_uris else []}
    return metadata | ({"scope": scope} if scope else {})


@cache
def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - slow to load

    try:
        return version("authnb")
    except PackageNotFoundError:  # imported from a folder or an archive
        return "0"


def _post(provider: Provider, endpoint: str, metadata: Mapping[str, Any]) -> requests.Response:
    with (
        provider_errors(f"Registering at {provider.host}", endpoint),
        provider_session(provider.response_timeout) as http,
    ):
        return http.post(endpoint, json=metadata, headers={"Accept": "application/json"})


def _manage(method: str, provider: Provider, registration: Registration) -> requests.Response:
    address = str(registration.registration_client_uri)
    headers = {
        "Accept": "application/json",
        "Authorization": f"Bearer {registration.registration_access_token}",
    }
    with (
        provider_errors(f"Looking after the registration at {provider.host}", address),
        provider_session(provider.response_timeout) as http,
    ):
        return http.request(method, address, headers=headers)


def _without_options(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What a sign-in cannot do without."""
    grants = [grant for grant in metadata["grant_types"] if grant != TOKEN_EXCHANGE]
    return {**{name: value for name, value in metadata.items() if name != "scope"}, "grant_types": grants}


def _is_over_options(response: requests.Response) -> bool:
    error = read_oauth_error(response, "")
    return error.error in {"invalid_scope", "invalid_client_metadata"}


def _refusal(provider: Provider, error: Exception) -> ProviderError:
    """The refusal of a registration; a transient error as it is."""
    if isinstance(error, ProviderError) and error.is_transient:
        return error
    status = getattr(error, "status", None)
    why = (
        f"{provider.host} registers only clients that its operators know (HTTP {status})."
        if status in {_UNAUTHORIZED, _FORBIDDEN}
        else getattr(error, "description", "")
    )
    return _refused(provider, why)


def _refused(provider: Provider, why: str) -> ProviderError:
    return ProviderError(
        "registration_refused", f"{provider.host} did not register this notebook as a client. {why}"
    )


def _read(
    provider: Provider, endpoint: str, asked: Mapping[str, Any], answer: Mapping[str, Any]
) -> Registration:
    """The registration in an answer, checked: it may differ from what was asked for (RFC 7591 section 3.2.1)."""
    client_id = answer.get("client_id")
    if not isinstance(client_id, str) or not _VISIBLE.fullmatch(client_id):
        raise _refused(provider, "Its answer has no client_id that can be used.")
    redirect_uris = asked.get("redirect_uris", [])
    registered = answer.get("redirect_uris", redirect_uris)
    if not isinstance(registered, list) or sorted(map(str, registered)) != sorted(redirect_uris):
        shown = printable(
            ", ".join(map(str, registered)) if isinstance(registered, list) else registered, 200
        )
        raise _refused(
            provider,
            f"It registered other redirect addresses ({shown or 'none'}) than it was asked to "
            f"({', '.join(redirect_uris) or 'none'}), and codes must go nowhere else.",
        )
    found = Registration(
        issuer=provider.issuer,
        client_id=client_id,
        redirect_uris=tuple(redirect_uris),
        scope=str(asked.get("scope", "")),
    )
    found = replace(found, **_secret_members(answer, found), **_management(provider, answer, found, endpoint))
    default = SECRET_METHODS[0] if found.client_secret else _PUBLIC
    method = answer.get("token_endpoint_auth_method", default)
    if method == _PUBLIC:  # some issue a secret all the same
        return replace(found, client_secret=None, client_secret_expires_at=0)
    if method not in SECRET_METHODS or found.client_secret is None:
        raise _refused(
            provider,
            f"It wants the client to authenticate by {printable(method, 80)!r}, which authnb cannot do.",
        )
    return replace(found, token_endpoint_auth_method=method)


def _secret_members(answer: Mapping[str, Any], before: Registration) -> dict[str, Any]:
    secret, ends = answer.get("client_secret"), answer.get("client_secret_expires_at", 0)
    if not isinstance(secret, str) or not _VISIBLE.fullmatch(secret):
        return {"client_secret": before.client_secret}
    valid = isinstance(ends, int) and not isinstance(ends, bool) and 0 <= ends < _MAX_TIME
    return {"client_secret": secret, "client_secret_expires_at": ends if valid else 0}


def _management(
    provider: Provider, answer: Mapping[str, Any], before: Registration, endpoint: str | None = None
) -> dict[str, Any]:
    """Where the client is managed and by which token; as before, if they are not there or would go to another host."""
    uri = answer.get("registration_client_uri", before.registration_client_uri)
    token = answer.get("registration_access_token", before.registration_access_token)
    hosts = {
        urlsplit(address).netloc
        for address in (provider.issuer, endpoint or before.registration_client_uri or "")
    }
    usable = (
        isinstance(uri, str)
        and is_readable_address(uri)
        and urlsplit(uri).netloc in hosts
        and isinstance(token, str)
        and _VISIBLE.fullmatch(token)
        and " " not in token
    )
    if not usable:
        return {}
    return {"registration_client_uri": uri, "registration_access_token": token}


def _secrets(registration: Registration) -> list[str]:
    return [
        each
        for each in (registration.client_secret, registration.registration_access_token)
        if each is not None
    ]
