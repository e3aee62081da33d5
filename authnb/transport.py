"""HTTP to a provider: bounded in time and size, never redirected, its failures typed.

Discovery, keys, tokens and user information all pass through the one adapter in this module, whether
authnb asks or Authlib's ``OAuth2Session`` does.
"""

from __future__ import annotations

import io
import json
import re
import time
from contextlib import contextmanager, suppress
from functools import lru_cache
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ReadTimeoutError

from authnb.errors import ProviderError
from authnb.exchange import observe, tell_failure

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Mapping

CONNECT_TIMEOUT, READ_TIMEOUT = 5.0, 10.0  # seconds
ANSWER_DEADLINE = 20.0  # seconds for one whole answer
ANSWER_LIMIT = 1 << 20  # bytes of one whole answer, unpacked
_READINGS = 10  # of the environment, until somebody is told that one failed
_DEEPEST = 32  # lists and objects within each other

S = TypeVar("S", bound=requests.Session)

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine's loopback interface (RFC 8252 section 7.3)."""
    return urlsplit(url).hostname in _LOOPBACK


@lru_cache  # every call to an API asks, mostly for the same few; urlsplit keeps as many
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


class _InTime(io.RawIOBase):
    """What a socket brings before the deadline, in however many pieces."""

    def __init__(self, raw: Any, connection: socket.socket) -> None:
        self._raw, self._connection = raw, connection
        self._deadline = time.monotonic() + ANSWER_DEADLINE

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        patience = self._connection.gettimeout()
        self._connection.settimeout(left if patience is None else min(left, patience))
        try:
            count: int | None = self._raw.readinto(buffer)
            return count
        finally:
            self._connection.settimeout(patience)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(HTTPResponse):
    """An HTTP answer that comes in time, head and body: piece by piece it could come for ever."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        buffered: Any = self.fp
        self.fp = io.BufferedReader(_InTime(buffered.detach(), sock))


class _Bounded:
    """A urllib3 response that stops at so many bytes."""

    def __init__(self, raw: Any, url: str) -> None:
        self._raw = raw
        self._url = url

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def stream(self, _size: int, *, decode_content: bool = True) -> Iterator[bytes]:
        size = 0
        while chunk := self._next(decode_content):
            size += len(chunk)
            if size > ANSWER_LIMIT:
                self._raw.close()
                raise ProviderError(
                    "invalid_response",
                    f"The answer of {self._url} was larger than {ANSWER_LIMIT >> 20} MiB. Check that this is the "
                    "provider's address.",
                )
            yield chunk

    def _next(self, decode_content: bool) -> Any:  # noqa: FBT001 - urllib3's name for it
        try:
            return self._raw.read1(1 << 16, decode_content=decode_content)
        except ReadTimeoutError as error:  # for which requests says that the connection broke
            raise requests.ReadTimeout(error) from None


class ProviderAdapter(HTTPAdapter):
    """The only way from authnb to a provider."""

    refuses_redirects = True

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """A pool of connections whose answers come in time."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        kind = pool.ConnectionCls
        if kind.response_class is not _Answer:
            pool.ConnectionCls = type(kind.__name__, (kind,), {"response_class": _Answer})
        return pool

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
        if is_loopback(url):
            proxies = None  # it would be another machine's loopback, and secrets in clear on the way there
        timeout = timeout or (CONNECT_TIMEOUT, READ_TIMEOUT)
        try:
            response = super().send(
                request, stream=True, timeout=timeout, verify=verify, cert=cert, proxies=proxies
            )
        except requests.RequestException as error:
            tell_failure(request, error)
            raise
        response.raw = _Bounded(response.raw, url)
        if self.refuses_redirects and "location" in response.headers and response.is_redirect:
            response.close()
            refused = ProviderError(
                "invalid_response",
                f"{url} answered with a redirect to {_origin(response.headers['location'])}, which is never "
                "followed. If the provider has moved, use its new issuer address.",
            )
            tell_failure(request, refused)
            raise refused
        return response


def _origin(location: str) -> str:
    """Where a redirect leads, without what it carries."""
    try:
        target = urlsplit(location)
    except ValueError:
        return "no address"
    return text({"": f"{target.scheme}://{target.hostname}"}, "", 200) or ""


class SettledSession(requests.Session):
    """A ``requests`` session that takes its settings from the environment with care."""

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Settings for a call; no proxy for this machine, which is not reached by one.

        All variables are read for that, and another thread may take one away meanwhile; then they are read again.
        """
        if self.trust_env and is_loopback(str(url)):
            proxies = {"no_proxy": "127.0.0.1,localhost,::1", **(proxies or {})}
        for _ in range(_READINGS):
            with suppress(KeyError):
                return super().merge_environment_settings(url, proxies, stream, verify, cert)
        return super().merge_environment_settings(url, proxies, stream, verify, cert)


def provider_session(adapter: ProviderAdapter | None = None) -> requests.Session:
    """A bare ``requests`` session for a provider's public documents."""
    return mount(SettledSession(), adapter)


class AskingAdapter(ProviderAdapter):
    """For a question whose answer is a redirect, which is read and not followed."""

    refuses_redirects = False


def mount(session: S, adapter: ProviderAdapter | None = None) -> S:
    """Route every request of a session through `ProviderAdapter`."""
    adapter = adapter or ProviderAdapter()
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


def parse(content: bytes | str) -> Any:
    """The JSON value in this; `ValueError` if it is none, or nested as no honest one is: then none could write it."""
    try:
        value = json.loads(content)
    except RecursionError:
        raise ValueError("nested too deep") from None
    characters = content if isinstance(content, str) else content.decode("latin-1")
    # Nothing is nested deeper than there are brackets, so most need no look
    if characters.count("{") + characters.count("[") >= _DEEPEST and not _is_flat(value, _DEEPEST):
        raise ValueError("nested too deep")
    return value


def _is_flat(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels > 0 and all(_is_flat(one, levels - 1) for one in inner)


def read_object(response: requests.Response, what: str) -> dict[str, Any]:
    """The JSON object in an answer, or a `ProviderError` that says what came instead."""
    try:
        value = parse(response.content)
    except ValueError:
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
