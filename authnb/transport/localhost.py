"""Requests for localhost are sent to one literal address: the name has two, and the other may be another user's.

RFC 8252 section 8.3 recommends literal addresses for that reason.
"""

from __future__ import annotations

import socket
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from requests.adapters import BaseAdapter

if TYPE_CHECKING:
    import requests


class LocalhostAdapter(BaseAdapter):
    """Sends requests for localhost by another adapter, to the address that `use_literal_address` gives."""

    def __init__(self, adapter: BaseAdapter) -> None:
        super().__init__()
        self._adapter = adapter

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a copy of the request; the response belongs to the request itself."""
        sent = request.copy()
        use_literal_address(sent)
        response = self._adapter.send(sent, *args, **kwargs)
        response.request, response.url = request, str(request.url)
        response.connection = self  # type: ignore[assignment] # the stubs want an HTTPAdapter; it repeats requests
        return response

    def close(self) -> None:
        """Close the connections of the other adapter."""
        self._adapter.close()


@lru_cache(maxsize=1)
def localhost_address() -> str:
    """The address for the name localhost: 127.0.0.1, or ::1 on a machine without it.

    The system would try both, and another user may listen on the one that the service does not use.
    """
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", 0))
        except OSError:
            return "[::1]"
    return "127.0.0.1"


@lru_cache  # as `authnb.transport.http.is_secure`
def literal_url(url: str) -> str | None:
    """An http URL on localhost with a literal address in place of the name; None for any other."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname != "localhost":
        return None
    port = "" if parts.port is None else f":{parts.port}"
    return parts._replace(netloc=f"{localhost_address()}{port}").geturl()


def url_of_host(url: str, host: str | None) -> str:
    """The URL as a server sees it that gets it with this ``Host`` (RFC 9110 section 7.2); without its query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc if host is None else host}{parts.path}"


def use_literal_address(request: requests.PreparedRequest) -> None:
    """Send a request for localhost to a literal address, under its own name."""
    if (url := literal_url(str(request.url))) is not None:
        request.headers.setdefault("Host", urlsplit(str(request.url)).netloc)
        request.url = url
