"""HTTP to a provider: bounded in time and size, redirects elsewhere refused, failures raised as `ProviderError`.

Discovery, JWKS, token and userinfo requests all pass through the adapter in this module, whether authnb sends them
or Authlib's ``OAuth2Session`` does.
"""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import suppress
from copy import copy
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import SplitResult, parse_qsl, quote, urljoin, urlsplit
from urllib.request import getproxies, getproxies_environment

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.auth import HTTPBasicAuth
from requests.utils import get_auth_from_url, get_environ_proxies, select_proxy

from authnb.errors import ProviderError
from authnb.transport.bounded import RESPONSE_TIMEOUT, SizeLimitedBody, limit_time
from authnb.transport.exchange import notify_failure, observe
from authnb.transport.localhost import LocalhostAdapter
from authnb.transport.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

CONNECT_TIMEOUT = 5.0  # seconds
OVERLOADED = frozenset({408, 425, 429, 502, 503, 504})  # statuses of a request that may succeed later
MAX_RETRY_AFTER = 300.0  # seconds; a Retry-After that asks for more is cut to this
_ENVIRONMENT_TRIES = 10  # attempts to read the environment before a failure is raised
_MAX_DEPTH = 32  # levels of JSON arrays and objects
_FORM, _MAX_FORM_FIELDS = "application/x-www-form-urlencoded", 100

_WORD = re.compile(r"[\w.~+/=-]{12,}")  # of the characters of a token (RFC 6750 section 2.1)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")

S = TypeVar("S", bound=requests.Session)
T = TypeVar("T")

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine's loopback interface (RFC 8252 section 7.3)."""
    return urlsplit(url).hostname in _LOOPBACK


@lru_cache  # asked for every API call, mostly for the same few URLs; urlsplit caches as many
def is_secure(url: str) -> bool:
    """Whether a secret may travel to this URL: https anywhere, http on loopback only."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError for an invalid port
    except ValueError:
        return False
    if not parts.hostname or parts.username is not None or re.search(r"[\s\x00-\x1f\x7f\\]", url):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


class ProviderAdapter(HTTPAdapter):
    """The one adapter between authnb and a provider. ``response_timeout``: seconds for one whole response."""

    refuses_redirects = True

    def __init__(self, response_timeout: float = RESPONSE_TIMEOUT) -> None:
        super().__init__()
        self.response_timeout = response_timeout

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """A connection pool whose responses have a deadline."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        if not getattr(pool, "has_response_timeout", False):
            pool.ConnectionCls = limit_time(pool.ConnectionCls, self.response_timeout)
            pool.has_response_timeout = True
        return pool

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002, FBT001, FBT002 - requests' signature; bodies are always bounded
        timeout: Any = None,
        verify: bool | str = True,  # noqa: FBT001, FBT002 - requests' signature
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """Send, and refuse a redirect: a 307 would repeat a secret at another address."""
        url = str(request.url).partition("?")[0]
        timeout = timeout or (CONNECT_TIMEOUT, self.response_timeout)
        try:
            response = super().send(
                request, stream=True, timeout=timeout, verify=verify, cert=cert, proxies=proxies
            )
        except requests.RequestException as error:
            notify_failure(request, error)
            raise
        response.raw = SizeLimitedBody(response.raw, url)
        if "location" in response.headers and response.is_redirect:
            target = _target(url, response.headers["location"])
            if self.refuses(url, target):
                response.close()
                refused = ProviderError(
                    "invalid_response",
                    f"{url} answered with a redirect to {_origin(target)}, which is not followed. If the provider has "
                    "moved, use its new issuer address; if this network asks you to sign in first, do so in your "
                    "browser, then try again.",
                )
                notify_failure(request, refused)
                raise refused
        return response

    def refuses(self, url: str, target: SplitResult | None) -> bool:  # noqa: ARG002 - for `DocumentAdapter`
        """Whether a redirect from this URL to this target is an error; the target is None if it is no URL."""
        return self.refuses_redirects


def _target(url: str, location: str) -> SplitResult | None:
    try:
        return urlsplit(urljoin(url, location))
    except ValueError:
        return None


def _origin(target: SplitResult | None) -> str:
    """The origin of a redirect's target, without its query, which may hold secrets."""
    if target is None or not target.hostname:
        return "an invalid address"
    return text({"": f"{target.scheme}://{target.netloc.rpartition('@')[2]}"}, "", 200) or ""


# Not closed in a forked process: closing takes locks that the parent may hold
_inherited_connections: list[Any] = []


class SafeEnvironmentSession(requests.Session):
    """A ``requests`` session that takes proxies and CA bundles from the environment, but nothing from ``~/.netrc``.

    Loopback addresses are never sent to a proxy: its loopback is another machine's, and it would read the request.
    """

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Prepare a request; one without auth is signed with the credentials in its URL, if there are any."""
        if request.auth is None and self.auth is None:  # then requests would read ~/.netrc
            request = copy(request)
            request.auth = _sign_from_url
        return super().prepare_request(request)

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Drop the ``Authorization`` header on a redirect elsewhere; requests would then read ~/.netrc."""
        if self.should_strip_auth(response.request.url, prepared_request.url):  # type: ignore[no-untyped-call] # requests'
            prepared_request.headers.pop("Authorization", None)

    def get_adapter(self, url: str) -> BaseAdapter:
        """The adapter for a URL; one that connects to a literal address for localhost."""
        adapter = super().get_adapter(url)
        return LocalhostAdapter(adapter) if url.lower().startswith("http://localhost") else adapter

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Settings for a request; no proxy for loopback addresses."""
        if self.trust_env and is_loopback(str(url)):
            proxies = {"no_proxy": "127.0.0.1,localhost,::1", **(proxies or {})}
        merge = super().merge_environment_settings
        return _read_environment(lambda: merge(url, proxies, stream, verify, cert))


def _read_environment(read: Callable[[], T]) -> T:
    """What ``read`` returns: again, if another thread removed a variable meanwhile, over which it iterated."""
    for _ in range(_ENVIRONMENT_TRIES):
        with suppress(KeyError):
            return read()
    return read()


def passes_proxy_in_clear(url: str, proxies: Mapping[str, str] | None = None) -> bool:
    """Whether a proxy reads a request to this URL: one over http, by ``proxies``, else by the environment's.

    A request over https goes through a tunnel (CONNECT, RFC 9110 section 9.3.6), in which the proxy reads nothing.
    """
    if not url.lower().startswith("http:"):
        return False
    if proxies is None:
        if not _names_proxies():
            return False
        proxies = _read_environment(lambda: get_environ_proxies(url))
    return bool(select_proxy(url, proxies))


def _names_proxies() -> bool:
    """Whether the environment, or the system on Windows and macOS, may name a proxy."""
    if getproxies is not getproxies_environment:
        return True
    # As CPython keeps them: to decode the names of all variables takes ten times as long as to compare them
    return _is_proxy_among(tuple(getattr(os.environ, "_data", os.environ)))


@lru_cache(maxsize=1)
def _is_proxy_among(names: tuple[str | bytes, ...]) -> bool:
    """Whether one of these variables names a proxy, in any case."""
    return any(os.fsdecode(name).lower().endswith("_proxy") for name in names)


def disconnect(session: requests.Session) -> None:
    """Give a session connections of its own, in a forked process."""
    for adapter in session.adapters.values():
        if isinstance(adapter, HTTPAdapter):
            _inherited_connections.append((adapter.poolmanager, adapter.proxy_manager))
            adapter.__setstate__(adapter.__getstate__())  # type: ignore[attr-defined] # as requests unpickles it
    session.cookies = session.cookies.copy()  # with another lock


def _sign_from_url(request: requests.PreparedRequest) -> requests.PreparedRequest:
    user, password = get_auth_from_url(str(request.url))
    return HTTPBasicAuth(user, password)(request) if user or password else request


def provider_session(
    response_timeout: float = RESPONSE_TIMEOUT, adapter: type[ProviderAdapter] = ProviderAdapter
) -> requests.Session:
    """A ``requests`` session for requests to a provider."""
    return mount(SafeEnvironmentSession(), response_timeout, adapter)


class RedirectReadingAdapter(ProviderAdapter):
    """Hands out a redirect response, which is read and not followed."""

    refuses_redirects = False


class DocumentAdapter(ProviderAdapter):
    """For public documents: follows redirects within an origin, as to the same path with a slash at its end."""

    def refuses(self, url: str, target: SplitResult | None) -> bool:
        """Whether the target is elsewhere, or the same URL again."""
        return target is None or target.geturl() == url or target[:2] != urlsplit(url)[:2]


def mount(
    session: S, response_timeout: float = RESPONSE_TIMEOUT, adapter: type[ProviderAdapter] = ProviderAdapter
) -> S:
    """Route every request of a session through `ProviderAdapter`."""
    for scheme in ("https://", "http://"):
        session.mount(scheme, adapter(response_timeout))
    session.hooks["response"].append(observe)
    return session


def parse(content: bytes | str) -> Any:
    """The JSON value in this text; `ValueError` if it is invalid or nested too deep to be serialised again."""
    characters = content if isinstance(content, str) else content.decode(json.detect_encoding(content))
    try:
        value = json.loads(characters)
        if _SURROGATE.search(characters):
            value = json.loads(_without_lone_surrogates(json.dumps(value, ensure_ascii=False)))
    except RecursionError:
        raise ValueError("nested too deep") from None
    # The number of opening brackets bounds the depth; few documents need the full check
    if characters.count("{") + characters.count("[") >= _MAX_DEPTH and not _is_flat(value, _MAX_DEPTH):
        raise ValueError("nested too deep")
    return value


def _without_lone_surrogates(text: str) -> str:
    # A lone surrogate can be neither printed nor encoded
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _is_flat(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels > 0 and all(_is_flat(item, levels - 1) for item in inner)


def read_object(response: requests.Response, operation: str, *, any_encoding: bool = False) -> dict[str, Any]:
    """The JSON object in a response, or the parameters of a form; else a `ProviderError` that says what came instead.

    Members that are null or empty strings are dropped: providers send them for values they do not have. With
    ``any_encoding`` other encodings than UTF-8 (RFC 8259 section 8.1) are tolerated, for a response whose members that
    matter are ASCII.
    """
    kind = response.headers.get("content-type", "no content type")[:60]
    try:
        value = (
            _form(response.content)
            if kind.lower().startswith(_FORM)
            else parse(_latin_1(response.content) if any_encoding else response.content)
        )
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ProviderError(
            "invalid_response",
            f"{operation} failed: HTTP {response.status_code} with {kind!r} came back, not a JSON object. "
            "Check that the address belongs to an OAuth 2.0 or OpenID Connect provider.",
        )
    return present(value)


def _latin_1(content: bytes) -> bytes | str:
    """JSON that is no UTF-8, as Latin-1, in which all bytes are characters; other JSON unchanged."""
    try:
        content.decode(json.detect_encoding(content))
    except UnicodeDecodeError:
        return content.decode("latin-1")
    return content


def _form(content: bytes) -> dict[str, str]:
    """The parameters of a form, as servers of early drafts of OAuth 2.0 answer; each may occur once."""
    pairs = parse_qsl(content.decode("ascii"), max_num_fields=_MAX_FORM_FIELDS)
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a parameter is repeated")
    return values


def present(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members that have a value: neither null nor an empty string."""
    return {name: value for name, value in members.items() if value is not None and value != ""}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that ``Retry-After`` asks to wait, at most `MAX_RETRY_AFTER`; None without a usable one.

    RFC 9110 section 10.2.3: a number of seconds, or a date, which is compared with the ``Date`` of the response.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:12]), MAX_RETRY_AFTER)
    try:
        until = parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None
    try:
        now = parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except (ValueError, OverflowError):
        now = time.time()
    return min(max(0.0, until - now), MAX_RETRY_AFTER)


def text(source: Mapping[str, Any], name: str, limit: int = 300, secrets: Collection[str] = ()) -> str | None:
    """A member of a response as one printable line without control characters and these secrets, or None."""
    value = source.get(name)
    if not isinstance(value, str):
        return None
    return printable(without_secrets(value, secrets), limit) or None


def without_secrets(value: str, secrets: Collection[str]) -> str:
    """A text in which a provider may repeat what it was sent: without these, quoted or not, and pieces of them."""
    if not secrets:
        return value
    for secret in secrets:
        value = value.replace(secret, "…").replace(quote(secret, safe=""), "…")
    return _WORD.sub(
        lambda word: "…" if any(word[0].strip(".") in each for each in secrets) else word[0], value
    )
