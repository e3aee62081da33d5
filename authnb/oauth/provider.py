"""A provider: its metadata (RFC 8414, OpenID Connect Discovery)."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field, fields
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from authnb.errors import ProviderError
from authnb.oauth.key_set import KeySet
from authnb.oauth.quirks import Quirks
from authnb.transport import documents
from authnb.transport.addresses import MAX_ADDRESS, points_here_from
from authnb.transport.bounded import RESPONSE_TIMEOUT
from authnb.transport.clock import Clock
from authnb.transport.http import is_loopback, is_secure

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


_WELL_KNOWN = "/.well-known/"


@dataclass(frozen=True)
class Provider:
    """An OAuth 2.0 authorization server or OpenID Provider.

    Fields are named as in RFC 8414 section 2 and OpenID Connect Discovery section 3; those with other names, at the
    end, are not metadata. `discover` reads
    them from the provider; any may be given by hand.
    """

    issuer: str
    _: KW_ONLY
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    jwks_uri: str | None = None
    userinfo_endpoint: str | None = None
    device_authorization_endpoint: str | None = None
    pushed_authorization_request_endpoint: str | None = None
    revocation_endpoint: str | None = None
    end_session_endpoint: str | None = None
    registration_endpoint: str | None = None
    scopes_supported: tuple[str, ...] = ()
    grant_types_supported: tuple[str, ...] = ()
    prompt_values_supported: tuple[str, ...] = ()
    response_modes_supported: tuple[str, ...] = ()
    id_token_signing_alg_values_supported: tuple[str, ...] = ()
    token_endpoint_auth_methods_supported: tuple[str, ...] = ()
    token_endpoint_auth_signing_alg_values_supported: tuple[str, ...] = ()
    revocation_endpoint_auth_methods_supported: tuple[str, ...] = ()
    dpop_signing_alg_values_supported: tuple[str, ...] = ()
    authorization_response_iss_parameter_supported: bool = False
    client_id_metadata_document_supported: bool = False
    require_pushed_authorization_requests: bool = False
    authnb_signup: dict[str, Any] | None = None  # the sign-up form, see `authnb.flows.signup`
    sign_up_page: str | None = None  # a page of the provider on which accounts are created
    quirks: Quirks = field(default_factory=Quirks)  # never read from metadata
    response_timeout: float = RESPONSE_TIMEOUT  # never either: seconds to wait for one whole response
    keys: KeySet = field(init=False, repr=False, compare=False)
    clock: Clock = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.quirks, dict):  # as a storage has it
            object.__setattr__(self, "quirks", Quirks(**self.quirks))
        _check_url("issuer", self.issuer, issuer=self.issuer)
        for name, value in self._addresses():
            _check_url(name, value, issuer=self.issuer)
        object.__setattr__(self, "keys", KeySet(self.jwks_uri, self.response_timeout))
        object.__setattr__(self, "clock", Clock())

    def _addresses(self) -> list[tuple[str, str]]:
        addresses = [
            (f.name, getattr(self, f.name))
            for f in fields(self)
            if f.name.endswith(("_endpoint", "_uri", "_page"))
        ]
        addresses.append(("sign_up_endpoint", self.quirks.sign_up_endpoint))
        return [(name, value) for name, value in addresses if value is not None]

    @property
    def host(self) -> str:
        """The issuer's host, as shown to a person: with its port, except for loopback."""
        parts = urlsplit(self.issuer)
        return parts.hostname or "" if is_loopback(self.issuer) else parts.netloc

    @classmethod
    def discover(
        cls,
        issuer: str,
        *,
        needs: Collection[str] = ("authorization_endpoint", "token_endpoint"),
        **overrides: Any,
    ) -> Provider:
        """Read a provider's metadata from its well-known address.

        The OpenID document is read first. Where there is none, or it lacks an endpoint named in
        ``needs``, the RFC 8414 document is read too and fills the gaps. ``overrides`` are fields
        that take precedence over both.

        Raises `ProviderError` if neither document can be read, if one is malformed, or if it names
        another issuer (OpenID Connect Discovery section 4.3, RFC 8414 section 3.3).
        """
        _check_url("issuer", issuer, issuer=issuer)
        wait = overrides.get("response_timeout", RESPONSE_TIMEOUT)
        metadata, error = _try_document(_openid_address(issuer), issuer, wait)
        if not set(needs) <= {*metadata, *overrides}:
            fallback, _ = _try_document(_oauth_address(issuer), issuer, wait)
            # RFC 8414 section 3.3: a document of another issuer must not be used, not even to fill gaps
            if not metadata or _same_issuer(fallback, metadata):
                metadata = {**fallback, **metadata}
        if not metadata:
            if overrides.keys() & set(needs):
                return cls(issuer, **overrides)
            raise error or ProviderError("invalid_metadata", f"{issuer} has no metadata.")
        try:
            members = _read_metadata(metadata, issuer, overrides)
            _check_scheme(members, issuer, overrides)
            return cls(**{**members, **overrides})
        except ProviderError:
            documents.invalidate(_openid_address(issuer), _oauth_address(issuer))
            raise

    def invalidate_documents(self) -> None:
        """Remove metadata and JWKS from the cache, as stale ones may be why a sign-in failed."""
        documents.invalidate(_openid_address(self.issuer), _oauth_address(self.issuer), self.jwks_uri)

    def require_endpoint(self, name: str, hint: str) -> str:
        """The endpoint of that name, or a `ProviderError` with a hint at an alternative."""
        address: str | None = getattr(self, name)
        if address is None:
            raise ProviderError(
                "invalid_metadata",
                f"{self.host} names no {name} in its metadata. {hint} If it has one all the same, give its "
                f"address: Provider.discover({self.issuer!r}, {name}=…).",
            )
        return address


def _openid_address(issuer: str) -> str:
    return issuer.rstrip("/") + "/.well-known/openid-configuration"


def _oauth_address(issuer: str) -> str:
    # RFC 8414 section 3.1: the well-known part stands between host and path
    parts = urlsplit(issuer)
    return f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{parts.path.rstrip('/')}"


def _try_document(
    address: str, issuer: str, response_timeout: float
) -> tuple[dict[str, Any], ProviderError | None]:
    """The document at that address; or an empty one and the error."""
    try:
        return documents.fetch(
            address, f"Reading the metadata of {issuer}", response_timeout=response_timeout
        ), None
    except documents.DocumentNotFound as error:
        return {}, error


def _same_issuer(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    issuers = {str(document.get("issuer")).rstrip("/") for document in (one, other)}
    return len(issuers) == 1


def _read_metadata(
    document: Mapping[str, Any], requested: str, overrides: Mapping[str, Any]
) -> dict[str, Any]:
    """The fields of `Provider` in a metadata document, each of the right type; not those in ``overrides``."""
    issuer, quirks = document.get("issuer"), overrides.get("quirks")
    # Issuers that differ in a final slash alone have the same well-known address
    matches = isinstance(issuer, str) and (
        issuer.rstrip("/") == requested.rstrip("/") or bool(quirks and quirks.accepts_issuer(issuer))
    )
    if not matches:
        raise ProviderError("issuer_mismatch", _mismatch(requested, issuer))
    values: dict[str, Any] = {"issuer": issuer}
    for f in fields(Provider):
        value = document.get(f.name)
        if not f.init or value is None or f.name in {"issuer", "quirks", "response_timeout", *overrides}:
            continue
        if f.type == "bool":
            values[f.name] = value is True
        elif f.type == "tuple[str, ...]" and isinstance(value, list | str):
            items = value.split() if isinstance(value, str) else value  # one value in place of a list
            values[f.name] = tuple(item for item in items if isinstance(item, str))
        elif f.type == "dict[str, Any] | None":
            values[f.name] = value if isinstance(value, dict) else None
        elif f.type == "str | None" and isinstance(value, str):
            values[f.name] = value
        else:
            raise ProviderError(
                "invalid_metadata",
                f"The metadata of {requested} is malformed: {f.name} is {type(value).__name__}. Tell the "
                f"provider, or give {f.name} by hand to Provider.discover.",
            )
    return values


def _mismatch(requested: str, issuer: object) -> str:
    if not isinstance(issuer, str):
        return f"The metadata read from {requested} names no issuer. Check the address, or tell the provider."
    return (
        f"The metadata read from {requested} belongs to another issuer, {issuer[:200]!r}. If that is the one you mean, "
        "sign in with its address; never otherwise. Where the provider's documentation gives both, as Azure AD B2C's "
        f"does, sign in with Provider.discover({requested!r}, quirks=Quirks(issuers=[{issuer[:200]!r}]))."
    )


def _check_scheme(members: Mapping[str, Any], issuer: str, overrides: Collection[str]) -> None:
    """Refuse metadata of an https issuer that names endpoints as http, as behind a proxy that ends TLS."""
    plain = {
        name: value
        for name, value in members.items()
        if name not in overrides and isinstance(value, str) and value.startswith("http://")
    }
    if plain and issuer.startswith("https://") and not any(map(is_loopback, plain.values())):
        fixed = ", ".join(f"{name}={value.replace('http', 'https', 1)!r}" for name, value in plain.items())
        raise ProviderError(
            "invalid_metadata",
            f"The metadata of {issuer} names http addresses, over which no secret is sent. Tell the provider: its "
            f"server does not know that it is reached by https. Until then: Provider.discover({issuer!r}, {fixed}).",
        )


def _check_url(name: str, address: object, *, issuer: str) -> None:
    # RFC 8414 section 2 requires https; a provider on this machine may use http (RFC 8252 section 8.3)
    if not isinstance(address, str) or not is_secure(address):
        step = "Give the full address, such as https://id.example.org."
        if name in {f.name for f in fields(Provider)} - {"issuer"}:
            step = (
                f"Give the full address, or None if you can do without: Provider.discover({issuer!r}, {name}=…); and "
                "tell the provider, if its metadata say so."
            )
        raise ProviderError(
            "invalid_metadata",
            f"{name} is {str(address or '')[:200]!r}, which is not an https address (http only on 127.0.0.1, "
            f"localhost or [::1]). {step}",
        )
    if name == "issuer" and _WELL_KNOWN in address:
        raise ProviderError(
            "invalid_metadata",
            f"{address[:200]!r} is where metadata are read, not an issuer. Sign in with "
            f"{address.partition(_WELL_KNOWN)[0][:200]!r}, or what the document there names as its issuer.",
        )
    if not address.isascii() or len(address) > MAX_ADDRESS:
        raise ProviderError(
            "invalid_metadata",
            f"{name} is {address[:200]!a}, which is longer than {MAX_ADDRESS} characters or not ASCII. Write an "
            "international host name in its ASCII form (xn--…).",
        )
    if name == "issuer" and ("?" in address or "#" in address):
        raise ProviderError(
            "invalid_metadata",
            f"The issuer {address[:200]!r} has a query or a fragment, which no issuer has (RFC 8414 "
            "section 2). Leave it out.",
        )
    if points_here_from(issuer, address):
        raise ProviderError(
            "invalid_metadata",
            f"{issuer} names {name} {address!r}, an address on this machine. A provider elsewhere has no "
            "business there; do not sign in.",
        )
