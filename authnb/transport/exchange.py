"""HTTP exchanges, shown to observers as they happen; there are none unless `authnb.record` is in use.

Nothing is redacted here: an observer redacts an exchange before it stores it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests


@dataclass(frozen=True, kw_only=True)
class HTTPExchange:
    """A request and its response. ``status`` is None where the response is not seen: a browser got it."""

    sender: str  # "client" or "browser"
    receiver: str | None = None  # "API" where that is known
    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    status: int | None = None
    response_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    response_body: bytes | None = field(default=None, repr=False)  # None: not read
    error: str | None = None


observers: list[Callable[[HTTPExchange], None]] = []
_observed: WeakSet[requests.Response] = WeakSet()


def notify(exchange: HTTPExchange) -> None:
    """Show every observer an exchange."""
    for observer in tuple(observers):
        observer(exchange)


def notify_failure(request: requests.PreparedRequest, error: Exception) -> None:
    """Show every observer a request without a usable response."""
    if observers:
        notify(_exchange(request, error=type(error).__name__))


def observe(response: requests.Response, *_: Any, receiver: str | None = None, **send_kwargs: Any) -> None:
    """Show every observer a response, once: a response hook for ``requests``. A streamed body is not read."""
    if observers and response not in _observed:
        _observed.add(response)
        response_body = None if send_kwargs.get("stream") else response.content
        headers = dict(response.headers)
        notify(
            _exchange(
                response.request,
                receiver=receiver,
                status=response.status_code,
                response_headers=headers,
                response_body=response_body,
            ),
        )


def observe_api(response: requests.Response, *args: Any, **send_kwargs: Any) -> None:
    """As `observe`, for calls of an API, whatever they look like."""
    observe(response, *args, receiver="API", **send_kwargs)


def _exchange(request: requests.PreparedRequest, **outcome: Any) -> HTTPExchange:
    body = request.body.encode() if isinstance(request.body, str) else request.body
    return HTTPExchange(
        sender="client",
        method=request.method or "GET",
        url=request.url or "",
        headers=dict(request.headers),
        body=body if isinstance(body, bytes) else b"",
        **outcome,
    )
