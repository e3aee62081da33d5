"""Who we sign in at: a provider's metadata and its signing keys."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import KW_ONLY, dataclass, field, fields
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from authnb import documents
from authnb.clock import Clock
from authnb.errors import ProviderError
from authnb.quirks import Quirks
from authnb.transport import is_loopback, is_secure

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_KEYS_AGAIN_AFTER = 5.0  # seconds between two renewals of the same keys


class Keys:
    """The provider's signing keys, fetched when first asked for and again when they have changed."""

    def __init__(self, jwks_uri: str | None) -> None:
        self._jwks_uri = jwks_uri
        self._lock = threading.Lock()
        self._keys: list[dict[str, Any]] | None = None
        self._renewed = -math.inf

    def current(self) -> list[dict[str, Any]]:
        """The keys as JSON Web Keys (RFC 7517); fetched once and kept."""
        with self._lock:
            return self._fetch() if self._keys is None else self._keys

    def renewed(self) -> list[dict[str, Any]] | None:
        """The keys fetched anew, or None if that was done moments ago: an answer cannot make us flood."""
        with self._lock:
            if time.monotonic() - self._renewed < _KEYS_AGAIN_AFTER:
                return None
            self._renewed = time.monotonic()
            return self._fetch(anew=True)

    def _fetch(self, *, anew: bool = False) -> list[dict[str, Any]]:
        what = "Reading the provider's keys"
        if self._jwks_uri is None:
            raise ProviderError(
                "invalid_metadata",
                "The provider names no jwks_uri, so its ID tokens cannot be verified. Give "
                "its address: Provider.discover(…, jwks_uri=…).",
            )
        keys = documents.read(self._jwks_uri, what, anew=anew).get("keys")
        if not isinstance(keys, list):
            raise ProviderError(
                "invalid_response", f"{what} failed: {self._jwks_uri} holds no list named 'keys'."
            )
        self._keys = [key for key in keys if isinstance(key, dict)]
        return self._keys


@dataclass(frozen=True)
class Provider:
    """An OAuth 2.0 authorization server or OpenID Provider.

    Fields are named as in RFC 8414 section 2 and OpenID Connect Discovery section 3. `discover` reads
    them from the provider; any may be given by hand.
    """

    issuer: str
    _: KW_ONLY
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    jwks_uri: str | None = None
    userinfo_endpoint: str | None = None
    device_authorization_endpoint: str | None = None
    revocation_endpoint: str | None = None
    end_session_endpoint: str | None = None
    registration_endpoint: str | None = None
    scopes_supported: tuple[str, ...] = ()
    prompt_values_supported: tuple[str, ...] = ()
    response_modes_supported: tuple[str, ...] = ()
    token_endpoint_auth_methods_supported: tuple[str, ...] = ()
    revocation_endpoint_auth_methods_supported: tuple[str, ...] = ()
    authorization_response_iss_parameter_supported: bool = False
    authnb_signup: dict[str, Any] | None = None  # how accounts are created, see `authnb.registration`
    sign_up_page: str | None = None  # the same, by hand: a page of the provider
    quirks: Quirks = field(default_factory=Quirks)  # by hand too: metadata cannot say it
    keys: Keys = field(init=False, repr=False, compare=False)
    clock: Clock = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.quirks, dict):  # as it is stored
            object.__setattr__(self, "quirks", Quirks(**self.quirks))
        _check_address("issuer", self.issuer, issuer=self.issuer)
        for name, value in self._addresses():
            _check_address(name, value, issuer=self.issuer)
        object.__setattr__(self, "keys", Keys(self.jwks_uri))
        object.__setattr__(self, "clock", Clock())

    def _addresses(self) -> list[tuple[str, str]]:
        named = [
            (f.name, getattr(self, f.name))
            for f in fields(self)
            if f.name.endswith(("_endpoint", "_uri", "_page"))
        ]
        named.append(("sign_up_endpoint", self.quirks.sign_up_endpoint))
        return [(name, value) for name, value in named if value is not None]

    @property
    def host(self) -> str:
        """The issuer's host name: what a person is told. A port is part of it except on this machine."""
        parts = urlsplit(self.issuer)
        return parts.hostname or "" if is_loopback(self.issuer) else parts.netloc

    @classmethod
    def discover(
        cls,
        issuer: str,
        *,
        needs: Collection[str] = ("authorization_endpoint", "token_endpoint"),
        **by_hand: Any,
    ) -> Provider:
        """Read a provider's metadata from its well-known address.

        The OpenID document is read first. Where there is none, or it lacks an endpoint named in
        ``needs``, the RFC 8414 document is read too and fills the gaps. What is given ``by_hand``
        stands above both.

        Raises `ProviderError` if neither document can be had, if one is malformed, or if it names
        another issuer (OpenID Connect Discovery section 4.3, RFC 8414 section 3.3).
        """
        _check_address("issuer", issuer, issuer=issuer)
        metadata, trouble = _try_document(_openid_address(issuer), issuer)
        if not set(needs) <= {*metadata, *by_hand}:
            more, _more_trouble = _try_document(_oauth_address(issuer), issuer)
            metadata = {**more, **metadata}
        if not metadata:
            if by_hand.keys() & set(needs):
                return cls(issuer, **by_hand)
            raise trouble or ProviderError("invalid_metadata", f"{issuer} has no metadata.")
        try:
            return cls(**{**_read_metadata(metadata, issuer, by_hand.get("quirks")), **by_hand})
        except ProviderError:
            documents.forget(_openid_address(issuer), _oauth_address(issuer))
            raise

    def forget_documents(self) -> None:
        """Read metadata and keys anew the next time: what was kept of them may be why a sign-in failed."""
        documents.forget(_openid_address(self.issuer), _oauth_address(self.issuer), self.jwks_uri)

    def need(self, name: str, hint: str) -> str:
        """The endpoint of that name, or a `ProviderError` with a hint at what to do without it."""
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


def _try_document(address: str, issuer: str) -> tuple[dict[str, Any], ProviderError | None]:
    """The document at that address; or nothing, and why."""
    try:
        return documents.read(address, f"Reading the metadata of {issuer}"), None
    except documents.NoDocument as trouble:
        return {}, trouble


def _read_metadata(document: Mapping[str, Any], asked: str, quirks: Quirks | None = None) -> dict[str, Any]:
    """The fields of `Provider` in a metadata document, each of the right type."""
    issuer = document.get("issuer")
    # A final slash more or less still names the address that was asked; any other difference does not.
    ours = isinstance(issuer, str) and (
        issuer.rstrip("/") == asked.rstrip("/") or bool(quirks and quirks.calls_itself(issuer))
    )
    if not ours:
        raise ProviderError(
            "issuer_mismatch",
            f"The metadata read from {asked} belongs to another issuer, {str(issuer)[:200]!r}. If that is "
            "the one you mean, sign in with its address; never otherwise.",
        )
    values: dict[str, Any] = {"issuer": issuer}
    for f in fields(Provider):
        value = document.get(f.name)
        if not f.init or value is None or f.name in {"issuer", "quirks"}:
            continue
        if f.type == "bool":
            values[f.name] = value is True
        elif f.type == "tuple[str, ...]" and isinstance(value, list):
            values[f.name] = tuple(item for item in value if isinstance(item, str))
        elif f.type == "dict[str, Any] | None":
            values[f.name] = value if isinstance(value, dict) else None
        elif f.type == "str | None" and isinstance(value, str):
            values[f.name] = value
        else:
            raise ProviderError(
                "invalid_metadata",
                f"The metadata of {asked} is malformed: {f.name} is {type(value).__name__}. Tell the "
                f"provider, or give {f.name} by hand to Provider.discover.",
            )
    return values


def _check_address(name: str, address: object, *, issuer: str) -> None:
    # RFC 8414 section 2 asks for https; a provider on this machine may use http (RFC 8252 section 8.3)
    if not isinstance(address, str) or not is_secure(address):
        raise ProviderError(
            "invalid_metadata",
            f"{name} is {str(address)[:200]!r}, which is not an https address (http only on 127.0.0.1, "
            "localhost or [::1]). Give the full address, such as https://id.example.org.",
        )
    if name == "issuer" and ("?" in address or "#" in address):
        raise ProviderError(
            "invalid_metadata",
            f"The issuer {address[:200]!r} has a query or a fragment, which no issuer has (RFC 8414 "
            "section 2). Leave it out.",
        )
    if is_loopback(address) and not is_loopback(issuer):
        raise ProviderError(
            "invalid_metadata",
            f"{issuer} names {name} {address!r}, an address on this machine. A provider elsewhere has no "
            "business there; do not sign in.",
        )
