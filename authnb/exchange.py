"""HTTP exchanges as they go by, for whoever observes them; nobody does unless `authnb.record` is in use.

What passes here is not redacted. An observer redacts before it keeps anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One exchange: who asked, what, and what came back. ``status`` is None where the answer was not ours to see."""

    sender: str  # "client" or "browser"
    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    status: int | None = None
    answer_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    answer: bytes | None = field(default=None, repr=False)  # None: not read
    error: str | None = None


observers: list[Callable[[Seen], None]] = []
_observed: WeakSet[requests.Response] = WeakSet()


def tell(seen: Seen) -> None:
    """Show an exchange to every observer."""
    for observer in tuple(observers):
        observer(seen)


def tell_failure(request: requests.PreparedRequest, error: Exception) -> None:
    """Show a request that got no answer that can be used."""
    if observers:
        tell(_seen(request, error=type(error).__name__))


def observe(response: requests.Response, *_: Any, **sent_with: Any) -> None:
    """Show an answer, once: a response hook for a ``requests`` session. A streamed body is left to its reader."""
    if observers and response not in _observed:
        _observed.add(response)
        answer = None if sent_with.get("stream") else response.content
        headers = dict(response.headers)
        tell(
            _seen(response.request, status=response.status_code, answer_headers=headers, answer=answer),
        )


def _seen(request: requests.PreparedRequest, **answered: Any) -> Seen:
    body = request.body.encode() if isinstance(request.body, str) else request.body
    return Seen(
        sender="client",
        method=request.method or "GET",
        url=request.url or "",
        headers=dict(request.headers),
        body=body if isinstance(body, bytes) else b"",
        **answered,
    )
