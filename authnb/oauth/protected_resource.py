"""A protected resource, an API, that says itself where to sign in for it (RFC 9728)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from authnb.errors import ProviderError
from authnb.oauth.challenge import read_challenges
from authnb.oauth.scope import SCOPE_TOKEN
from authnb.transport import documents
from authnb.transport.addresses import MAX_ADDRESS, is_readable_address, points_here_from
from authnb.transport.bounded import RESPONSE_TIMEOUT
from authnb.transport.exchange import observe_api
from authnb.transport.failures import provider_errors
from authnb.transport.http import RedirectReadingAdapter, is_secure, provider_session
from authnb.transport.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

WELL_KNOWN = "/.well-known/oauth-protected-resource"
_UNAUTHORIZED = 401
_MAX_SERVERS = 20  # authorization servers that a person is asked to choose from
_NAME, _ADDRESS = 80, 200  # characters that are shown of a name, and of an address
_GIVE_ISSUER = (
    "Take the issuer from the API's documentation, or ask the people who run it, and give both: "
    "authnb.login('https://id.example.org', client_id='…', api={!r})."
)


@dataclass(frozen=True, kw_only=True)
class ProtectedResource:
    """An API and the authorization servers that issue tokens for it.

    Fields are named as in RFC 9728 section 2, and checked: `discover` has what may be in them. ``challenged_scope``:
    the scope that the API's challenge asks for (RFC 6750 section 3), None without one.
    """

    resource: str
    authorization_servers: tuple[str, ...]
    scopes_supported: tuple[str, ...] = ()
    resource_name: str | None = None
    bearer_methods_supported: tuple[str, ...] = ()
    dpop_signing_alg_values_supported: tuple[str, ...] = ()
    resource_documentation: str | None = None
    challenged_scope: str | None = None

    @property
    def scope(self) -> str:
        """The scope to request: that of the challenge, else all that the metadata names, else none."""
        return " ".join(self.scopes_supported) if self.challenged_scope is None else self.challenged_scope


@dataclass(frozen=True)
class _Challenge:
    """What an unauthorized request got: a status, perhaps the metadata's address and a scope."""

    status: int
    resource_metadata: str | None = None
    scope: str | None = None


def discover(url: str, *, response_timeout: float = RESPONSE_TIMEOUT) -> ProtectedResource:
    """Ask the API at this URL where its users sign in, without credentials.

    ::

        discover("https://data.example.org/v1").authorization_servers

    Its metadata are where its 401 says (``resource_metadata``, RFC 9728 section 5.1); without one, at the well-known
    address with the path inserted, then at that of the origin (section 3.1). ``response_timeout``: seconds for each
    response.

    Raises `ProviderError`: ``no_metadata`` where there are none, ``resource_mismatch`` for those of another resource
    (section 3.3: they must name the URL itself; an address above it counts if the document stands where that address
    has its own), ``invalid_metadata`` for what is malformed, not https, on another host than the API's, or on this
    machine, and what `authnb.transport.documents.fetch` raises.
    """
    if not is_secure(url):
        raise _invalid(
            url, f"{printable(url, _ADDRESS)!r} is not an https address (http only on this machine)"
        )
    challenge = _challenge(url, response_timeout)
    operation = f"Reading the metadata of {url}"
    if (address := challenge.resource_metadata) is not None:
        _check_address(url, address)
        document = documents.fetch(
            address, operation, remedy=_GIVE_ISSUER.format(url), response_timeout=response_timeout
        )
        return _read(document, url, address, challenge)
    tried = []
    for address in well_known_addresses(url):
        try:
            document = documents.fetch(address, operation, response_timeout=response_timeout)
        except documents.DocumentNotFound as error:
            if error.is_transient:
                raise
            tried.append(address)
            continue
        return _read(document, url, address, challenge)
    raise ProviderError(
        "no_metadata",
        f"{url} does not say where to sign in (RFC 9728): without a token it answered HTTP {challenge.status} and "
        f"named no metadata in WWW-Authenticate, and there are none at {' or '.join(tried)}. "
        + _GIVE_ISSUER.format(url),
    )


def well_known_addresses(url: str) -> tuple[str, ...]:
    """Where the metadata of this resource may be: its own well-known address, then that of its origin."""
    parts = urlsplit(url)
    base = f"{parts.scheme}://{parts.netloc}{WELL_KNOWN}"
    query = f"?{parts.query}" if parts.query else ""
    return tuple(dict.fromkeys((f"{base}{parts.path.rstrip('/')}{query}", base)))


def invalidate_documents(url: str) -> None:
    """Remove the metadata of this resource from the cache."""
    documents.invalidate(*well_known_addresses(url))


def same_resource(one: str, other: str) -> bool:
    """Whether two URLs are one resource: equal but for a final slash, the default port and the case of the host."""
    try:
        return one == other or _normalized(urlsplit(one)) == _normalized(urlsplit(other))
    except ValueError:  # no URL
        return False


def _challenge(url: str, response_timeout: float) -> _Challenge:
    """The answer to a request without a token. Its body is not read: it may be a stream without end."""
    with (
        provider_errors(f"Asking {url} where to sign in", url),
        provider_session(response_timeout, RedirectReadingAdapter) as http,
    ):
        http.hooks["response"] = [observe_api]
        response = http.get(url, allow_redirects=False, stream=True)
        response.close()
    if response.status_code != _UNAUTHORIZED:
        return _Challenge(response.status_code)
    challenges = read_challenges(response.headers.get("WWW-Authenticate", ""))
    bearer = [each.parameters for each in challenges if each.scheme == "bearer"]
    named = list(dict.fromkeys(each["resource_metadata"] for each in bearer if "resource_metadata" in each))
    if len(named) > 1:
        raise _invalid(url, f"it names several documents as its metadata: {_listed(named)}")
    scopes = [
        each["scope"]
        for each in bearer
        if named == [] or each.get("resource_metadata") in named
        if "scope" in each
    ]
    words = scopes[0].split() if scopes else []
    if not all(SCOPE_TOKEN.fullmatch(word) for word in words) or len(" ".join(words)) > MAX_ADDRESS:
        raise _invalid(url, f"the scope that it asks for is malformed: {printable(scopes[0], _ADDRESS)!r}")
    return _Challenge(response.status_code, named[0] if named else None, " ".join(words) if words else None)


def _check_address(url: str, address: str) -> None:
    """Refuse an address of metadata that is not readable, or not at the API's origin, where RFC 9728 has them."""
    shown = printable(address, _ADDRESS)
    if not is_readable_address(address):
        raise _invalid(url, f"it names {shown!r} as the address of its metadata, which is no https address")
    if _origin(urlsplit(address)) != _origin(urlsplit(url)):
        raise _invalid(url, f"it sends us to another host for its metadata, {shown!r}")


def _read(document: Mapping[str, Any], url: str, address: str, challenge: _Challenge) -> ProtectedResource:
    """The metadata in a document read from this address, checked."""
    try:
        return ProtectedResource(
            resource=_resource(document.get("resource"), url, address),
            authorization_servers=_authorization_servers(document, url),
            scopes_supported=_scopes(document, url),
            resource_name=printable(document.get("resource_name", ""), _NAME) or None,
            bearer_methods_supported=_bearer_methods(document, url),
            dpop_signing_alg_values_supported=_strings(document, "dpop_signing_alg_values_supported", url),
            resource_documentation=_page(document.get("resource_documentation")),
            challenged_scope=challenge.scope,
        )
    except ProviderError:
        documents.invalidate(address)
        raise


def _resource(resource: object, url: str, address: str) -> str:
    """The resource that the document names, which must be the one asked for (RFC 9728 section 3.3)."""
    if not isinstance(resource, str) or not resource:
        raise _invalid(url, f"the document at {address} names no resource")
    origin_document = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}{WELL_KNOWN}"
    # Whoever has one path of a host must not get tokens for all of it: that address speaks for itself
    own = {*well_known_addresses(resource)[:1], origin_document} if is_readable_address(resource) else set()
    if not (is_readable_address(resource) and "#" not in resource and _contains(resource, url)) or not (
        same_resource(resource, url) or address in own
    ):
        raise ProviderError(
            "resource_mismatch",
            f"The metadata read from {address} belong to another resource, {printable(resource, _ADDRESS)!r}, and not "
            f"to {url}. If that is the API you mean, give its address in api=; never otherwise. Tell the people who "
            "run it, if both are theirs.",
        )
    return resource


def _authorization_servers(document: Mapping[str, Any], url: str) -> tuple[str, ...]:
    named = _strings(document, "authorization_servers", url)
    if not named:
        raise _invalid(url, "its metadata name no authorization server")
    if len(named) > _MAX_SERVERS:
        raise _invalid(url, f"its metadata name {len(named)} authorization servers, too many to choose from")
    for issuer in named:
        if not is_readable_address(issuer) or set("?#") & set(issuer) or points_here_from(url, issuer):
            why = (
                "which is an address on this machine"
                if is_readable_address(issuer) and points_here_from(url, issuer)
                else "which is no https address without a query"
            )
            raise _invalid(
                url, f"its metadata name {printable(issuer, _ADDRESS)!r} as an authorization server, {why}"
            )
    return named


def _scopes(document: Mapping[str, Any], url: str) -> tuple[str, ...]:
    named = _strings(document, "scopes_supported", url)
    if not all(SCOPE_TOKEN.fullmatch(scope) for scope in named) or len(" ".join(named)) > MAX_ADDRESS:
        raise _invalid(url, "scopes_supported in its metadata is malformed or too long; or give scope=")
    return named


def _bearer_methods(document: Mapping[str, Any], url: str) -> tuple[str, ...]:
    """How the API takes tokens: authnb sends them in the Authorization header (RFC 6750 section 2.1)."""
    methods = _strings(document, "bearer_methods_supported", url)
    if "bearer_methods_supported" in document and "header" not in methods:
        raise _invalid(
            url,
            "its metadata say that it takes no token in the Authorization header, the one place where authnb sends it",
        )
    return methods


def _strings(document: Mapping[str, Any], name: str, url: str) -> tuple[str, ...]:
    value = document.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _invalid(url, f"{name} in its metadata is no list of texts")
    return tuple(dict.fromkeys(value))


def _page(address: object) -> str | None:
    return address if isinstance(address, str) and is_readable_address(address) else None


def _contains(resource: str, url: str) -> bool:
    """Whether the URL is the resource or below it, by whole segments of the path."""
    (above, path, query), (below, requested, _) = _normalized(urlsplit(resource)), _normalized(urlsplit(url))
    return above == below and (
        same_resource(resource, url) or (not query and f"{requested}/".startswith(f"{path}/"))
    )


def _normalized(parts: SplitResult) -> tuple[tuple[str, str | None, int | None], str, str]:
    return _origin(parts), parts.path.rstrip("/"), parts.query


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    default = {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, parts.hostname, parts.port or default


def _invalid(url: str, why: str) -> ProviderError:
    return ProviderError(
        "invalid_metadata",
        f"{url} does not say where to sign in as it should: {why}. {_GIVE_ISSUER.format(url)}",
    )


def _listed(values: list[str]) -> str:
    return " and ".join(repr(printable(value, _ADDRESS)) for value in values[:3])
