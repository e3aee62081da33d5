"""The exceptions of ``requests`` as errors of authnb, each with its cause and a remedy."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from requests import exceptions
from urllib3.exceptions import HTTPError

from authnb.errors import AuthnbError, ProviderError
from authnb.transport.bounded import RESPONSE_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Iterator

# What requests raises: its own exceptions, which are OSErrors, and what it lets through for proxies and headers
NETWORK_ERRORS = (OSError, ValueError, HTTPError)

_PROXY_LOGIN = (
    "the proxy on the way to {host} asks for a user name and a password (HTTP 407). Put them into the "
    "environment: HTTPS_PROXY=http://USER:PASSWORD@PROXY:PORT."
)
_SOCKS = (
    "the proxy in the environment is a SOCKS proxy, which needs PySocks. Install it with python -m pip install "
    "'requests[socks]', or set HTTPS_PROXY to an HTTP proxy."
)
_PROXY_REFUSES = (
    "the proxy on the way to {host} does not connect to it ({reply}). Ask who runs the proxy to allow the host, or "
    "name it in NO_PROXY if this machine reaches it without."
)
_PROXY = (
    "the proxy on the way to {host} cannot be used ({name}). Correct HTTPS_PROXY, HTTP_PROXY or ALL_PROXY in "
    "the environment, or name the host in NO_PROXY."
)
_CERTIFICATE = (
    "{host} showed no certificate that this machine trusts. Behind a company's proxy, set REQUESTS_CA_BUNDLE to "
    "its certificate file."
)
_CLOCK = (
    "the certificate of {host} is not valid yet or any more. By this machine's clock it is {now}: if that is wrong, "
    "set it; else tell the provider."
)
_OTHER_HOST = (
    "{host} showed the certificate of another host. Check the address; on a network that asks you to sign in first, do "
    "so in your browser, then try again."
)
_NO_TLS = (
    "{host} does not speak TLS as it should ({reason}). Check that the address is an https one with the right port, "
    "and whether a proxy or firewall is on the way."
)
_CA_FILE = (
    "the file that REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names holds no certificate in PEM format. Correct or unset "
    "that variable."
)
_TIMEOUT = (
    "{host} did not answer in time. Try again, or check the network; response_timeout= gives a slow provider "
    f"more than {RESPONSE_TIMEOUT:.0f} seconds."
)
_CIRCLE = "{host} redirects in a circle, or too often. Check the address, or tell the provider."
_ENCODING = "the response of {host} cannot be decompressed. Try again, or tell the provider."
_CA_BUNDLE = (
    "the certificate file that REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names does not exist. Correct or unset that "
    "variable."
)
_UNREACHABLE = (
    "{host} could not be reached, or the connection broke ({name}). Check the address and the network, then try "
    "again."
)

_NO_PEM = "[X509: NO_CERTIFICATE_OR_CRL_FOUND]"  # OpenSSL's words

# Exception types, a text in the message, the error code, the description; the first that fits counts
_FAILURES: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str, str, str], ...] = (
    (exceptions.ContentDecodingError, "", "invalid_response", _ENCODING),
    (exceptions.ProxyError, "407", "proxy_error", _PROXY_LOGIN),
    (exceptions.InvalidSchema, "SOCKS", "proxy_error", _SOCKS),
    (exceptions.ContentDecodingError, "", "invalid_response", _ENCODING),  # an HTTPError too
    ((exceptions.InvalidProxyURL, HTTPError), "", "proxy_error", _PROXY),
    (exceptions.ProxyError, "Tunnel connection failed", "proxy_error", _PROXY_REFUSES),
    (exceptions.ProxyError, "", "unreachable", _PROXY),
    (exceptions.SSLError, _NO_PEM, "tls_error", _CA_FILE),
    (exceptions.SSLError, "Hostname mismatch", "tls_error", _OTHER_HOST),
    (exceptions.SSLError, "IP address mismatch", "tls_error", _OTHER_HOST),
    (exceptions.SSLError, "certificate is not yet valid", "tls_error", _CLOCK),
    (exceptions.SSLError, "certificate has expired", "tls_error", _CLOCK),
    (exceptions.SSLError, "CERTIFICATE_VERIFY_FAILED", "tls_error", _CERTIFICATE),
    (exceptions.SSLError, "", "tls_error", _NO_TLS),
    (exceptions.Timeout, "", "timeout", _TIMEOUT),
    (exceptions.TooManyRedirects, "", "invalid_response", _CIRCLE),
    (OSError, "CA certificate bundle", "tls_error", _CA_BUNDLE),
    (Exception, "", "unreachable", _UNREACHABLE),
)


class RequestFailed(ProviderError, exceptions.RequestException):
    """An API call that the environment's proxies or certificates prevent; also a ``requests.RequestException``."""


@contextmanager
def provider_errors(operation: str, url: str) -> Iterator[None]:
    """Raise the errors of ``requests`` as a `ProviderError` that names the operation and the host.

    The cause is dropped: its frames hold request bodies, and tracebacks can print locals.
    """
    try:
        yield
    except NETWORK_ERRORS as error:
        code, description = _describe(error, url)
        raise ProviderError(code, f"{operation} failed: {description}") from None


def environment_error(error: BaseException, url: str) -> RequestFailed | None:
    """The error for an API call that proxies or certificates of the environment prevent; None for any other failure."""
    if not isinstance(error, NETWORK_ERRORS) or isinstance(error, AuthnbError):
        return None
    code, description = _describe(error, url)
    of_peer = isinstance(error, exceptions.SSLError) and _NO_PEM not in str(error)
    if code != "proxy_error" and (code != "tls_error" or of_peer):
        return None
    return RequestFailed(code, f"The request failed: {description}")


def _details(message: str) -> dict[str, str]:
    """What a description quotes: the proxy's status, OpenSSL's reason, this machine's time."""
    reply, reason = re.search(r"failed: (\d{3})", message), re.search(r"\[SSL: (\w+)", message)
    return {
        "reply": f"HTTP {reply[1]}" if reply else "no HTTP status",
        "reason": reason[1] if reason else "no reason given",
        "now": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


def _describe(error: Exception, url: str) -> tuple[str, str]:
    host = url.partition("://")[2].partition("/")[0].rpartition("@")[2]
    if isinstance(error, exceptions.InvalidURL) and error.args and isinstance(error.args[0], HTTPError):
        error = error.args[0]  # of a proxy's URL; the request's own is parsed before, by requests
    for types, message, code, description in _FAILURES:
        if isinstance(error, types) and message in str(error):
            return code, description.format(host=host, name=type(error).__name__, **_details(str(error)))
    raise error
