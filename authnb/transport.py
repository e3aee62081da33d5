"""HTTP to a provider: bounded in time and size, never redirected, its failures typed.

Discovery, keys, tokens and user information all pass through the one adapter in this module, whether
authnb asks or Authlib's ``OAuth2Session`` does.
"""

from __future__ import annotations

import json
import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from authnb.errors import ProviderError
from authnb.exchange import observe, tell_failure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CONNECT_TIMEOUT, READ_TIMEOUT = 5.0, 10.0  # seconds
ANSWER_DEADLINE = 20.0  # seconds for one whole answer
ANSWER_LIMIT = 1 << 20  # bytes of one whole answer, unpacked

S = TypeVar("S", bound=requests.Session)

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine's loopback interface (RFC 8252 section 7.3)."""
    return urlsplit(url).hostname in _LOOPBACK


def is_secure(url: str) -> bool:
    """Whether a secret may travel to this URL: https anywhere, http on loopback only."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError for a port that is none
    except ValueError:
        return False
    if not parts.hostname or parts.username is not None or re.search(r"[\s\x00-\x1f\x7f\\]", url):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


class _Bounded:
    """A urllib3 response that stops at the limits above."""

    def __init__(self, raw: Any, url: str, deadline: float) -> None:
        self._raw = raw
        self._url = url
        self._deadline = deadline

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def stream(self, _size: int, *, decode_content: bool = True) -> Iterator[bytes]:
        size = 0
        while chunk := self._raw.read1(1 << 16, decode_content=decode_content):
            size += len(chunk)
            if size > ANSWER_LIMIT or time.monotonic() > self._deadline:
                self._raw.close()
                raise ProviderError(
                    "invalid_response",
                    f"The answer of {self._url} was larger than {ANSWER_LIMIT >> 20} MiB or took longer than "
                    f"{ANSWER_DEADLINE:.0f} seconds. Check that this is the provider's address.",
                )
            yield chunk


class ProviderAdapter(HTTPAdapter):
    """The only way from authnb to a provider."""

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002, FBT001, FBT002 - requests' signature; the body is always bounded
        timeout: Any = None,
        verify: bool | str = True,  # noqa: FBT001, FBT002 - requests' signature
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """Send, and refuse an answer that points elsewhere: a 307 would repeat a secret there."""
        url = str(request.url).partition("?")[0]
        deadline = time.monotonic() + ANSWER_DEADLINE
        timeout = timeout or (CONNECT_TIMEOUT, READ_TIMEOUT)
        try:
            response = super().send(
                request, stream=True, timeout=timeout, verify=verify, cert=cert, proxies=proxies
            )
        except requests.RequestException as error:
            tell_failure(request, error)
            raise
        response.raw = _Bounded(response.raw, url, deadline)
        if "location" in response.headers and response.is_redirect:
            response.close()
            target = urlsplit(response.headers["location"])
            refused = ProviderError(
                "invalid_response",
                f"{url} answered with a redirect to {target.scheme}://{target.hostname}, which is never "
                "followed. If the provider has moved, use its new issuer address.",
            )
            tell_failure(request, refused)
            raise refused
        return response


def provider_session() -> requests.Session:
    """A bare ``requests`` session for a provider's public documents."""
    return mount(requests.Session())


def mount(session: S) -> S:
    """Route every request of a session through `ProviderAdapter`."""
    adapter = ProviderAdapter()
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.hooks["response"].append(observe)
    return session


@contextmanager
def asking(what: str, url: str) -> Iterator[None]:
    """Turn what ``requests`` raises inside into a `ProviderError` that names the deed and the address.

    The cause is cut off: the frames below hold request bodies, and tracebacks can print locals.
    """
    host = urlsplit(url).netloc.rpartition("@")[2]
    try:
        yield
    except requests.exceptions.SSLError:
        raise ProviderError(
            "tls_error",
            f"{what} failed: {host} showed no certificate that this machine trusts. Behind a company's "
            "proxy, set REQUESTS_CA_BUNDLE to its certificate file.",
        ) from None
    except requests.Timeout:
        raise ProviderError(
            "timeout", f"{what} failed: {host} did not answer in time. Try again, or check the network."
        ) from None
    except requests.exceptions.ContentDecodingError:
        raise ProviderError(
            "invalid_response",
            f"{what} failed: the answer of {host} cannot be unpacked. Try again, or tell the provider.",
        ) from None
    except requests.RequestException as error:
        raise ProviderError(
            "unreachable",
            f"{what} failed: {host} could not be reached or broke off ({type(error).__name__}). Check the "
            "address and the network, then try again.",
        ) from None


def read_object(response: requests.Response, what: str) -> dict[str, Any]:
    """The JSON object in an answer, or a `ProviderError` that says what came instead."""
    try:
        value = json.loads(response.content)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        kind = response.headers.get("content-type", "no content type")[:60]
        raise ProviderError(
            "invalid_response",
            f"{what} failed: HTTP {response.status_code} with {kind!r} came back, not a JSON object. "
            "Check that the address belongs to an OAuth 2.0 or OpenID Connect provider.",
        )
    return value


def text(source: Mapping[str, Any], name: str, limit: int = 300) -> str | None:
    """A member of an answer as one printable line, or None: never markup, never control characters."""
    value = source.get(name)
    if not isinstance(value, str):
        return None
    line = "".join(c if c.isprintable() else " " for c in value).strip()
    return line[:limit] or None
