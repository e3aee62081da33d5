"""Requests of ``requests`` that carry a token: how they are redirected, sent again and named in an error."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import requests
from requests.exceptions import UnrewindableBodyError
from requests.utils import rewind_body

from authnb.transport.localhost import url_of_host


class SignedRequest(requests.PreparedRequest):
    """A request with a token, which a ``requests`` session of the caller's cannot replace after a redirect.

    There ``requests.Session.rebuild_auth`` signs a copy of the request with what ``~/.netrc`` has for the host.
    """

    def copy(self) -> requests.PreparedRequest:
        """A copy of the same class, without the proof, which was for this request alone (RFC 9449 section 7.1)."""
        copied = super().copy()
        copied.__class__ = SignedRequest
        copied.headers.pop("DPoP", None)
        return copied

    def prepare_auth(self, auth: Any, url: str = "") -> None:
        """Nothing: the request is signed."""


def target_url(request: requests.PreparedRequest) -> str:
    """The URL of a request as its server sees it: ``localhost`` may be a literal address by now."""
    return url_of_host(str(request.url), request.headers.get("Host"))


def can_resend(request: requests.PreparedRequest) -> bool:
    """Whether the body can be sent again; a file is rewound."""
    body: Any = request.body  # the stubs omit files
    if body is None or isinstance(body, str | bytes):
        return True
    try:
        rewind_body(request)
    except UnrewindableBodyError:
        return False
    return True


def display_url(url: str) -> str:
    """The URL without query and user name, to be shown."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
