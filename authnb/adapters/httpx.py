"""The session's token as an auth class of httpx and of httpx2, for sync and async clients."""

from __future__ import annotations

import sys
from functools import cache
from http import HTTPStatus
from importlib import import_module
from typing import TYPE_CHECKING, Any

from authnb.adapters.event_loop import fresh_token, token_after_401
from authnb.transport.exchange import HTTPExchange, notify, observers
from authnb.transport.localhost import literal_url

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from authnb.adapters.source import Authenticator, Source
    from authnb.oauth.responses import Token

_LIBRARIES = ("httpx", "httpx2")


class _TokenFlow:
    """The flows of ``httpx.Auth``."""

    requires_request_body = requires_response_body = False

    def __init__(self, source: Source) -> None:
        self._source = source
        self._auth: Authenticator = source.token_auth

    def __reduce__(self) -> tuple[Callable[[Source], Any], tuple[Source]]:
        return auth, (self._source,)  # the class is made where it is used

    def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]:
        """Send the request with the token; after a 401, again with a new one.

        `AuthnbError` if a proxy of the environment would read it.
        """
        url = str(request.url)
        self._auth.check_proxy(url)
        token = self._auth.fresh_token(url)
        retries = self._auth.tokens_after_401(token)
        response = _observe((yield _authorize(request, url, token)))
        while _can_retry(request, response) and (next_token := next(retries, None)):
            response = _observe((yield _authorize(request, url, next_token)), response)

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        """As `sync_auth_flow`, with renewals on a thread, off the event loop."""
        url = str(request.url)
        self._auth.check_proxy(url)
        token = await fresh_token(self._auth, url)
        retries = self._auth.tokens_after_401(token)
        response = _observe((yield _authorize(request, url, token)))
        while _can_retry(request, response) and (
            next_token := await token_after_401(self._auth, token, retries)
        ):
            token = next_token
            response = _observe((yield _authorize(request, url, token)), response)


def auth(source: Source) -> Any:
    """An ``httpx.Auth`` that is an ``httpx2.Auth`` too if both are loaded: each takes only its own.

    ::

        httpx.AsyncClient(auth=api.httpx_auth)
    """
    loaded = tuple(name for name in _LIBRARIES if name in sys.modules)
    return _auth_class(loaded or (_installed(),))(source)


@cache
def _auth_class(libraries: tuple[str, ...]) -> type[Any]:
    bases = (_TokenFlow, *(import_module(name).Auth for name in libraries))
    return type("HttpxAuth", bases, {"__module__": __name__})


def _installed() -> str:
    try:
        import_module("httpx2")
    except ImportError:
        return "httpx"
    return "httpx2"


def _authorize(request: Any, url: str, token: Token) -> Any:
    request.headers["Authorization"] = token.authorization
    if (literal := literal_url(url)) is not None:
        request.url = type(request.url)(literal)  # the Host header is set already
    return request


def _observe(response: Any, previous: Any = None) -> Any:
    """Report the response and its redirects to the observers, without reading the body; returns it."""
    if not observers:
        return response
    # httpx adds the response before a retry to the history
    reported = () if previous is None else (*previous.history, previous)
    for each in (*response.history, response):
        if any(each is earlier for earlier in reported):
            continue
        request = each.request
        notify(
            HTTPExchange(
                sender="client",
                receiver="API",
                method=request.method,
                url=str(request.url),
                headers=dict(request.headers),
                body=request.content if _is_in_memory(request) else b"",
                status=each.status_code,
                response_headers=dict(each.headers),
            )
        )
    return response


def _can_retry(request: Any, response: Any) -> bool:
    if response.status_code != HTTPStatus.UNAUTHORIZED:
        return False
    # httpx removes the token on a redirect to another origin
    carried = response.request.headers.get("Authorization") == request.headers["Authorization"]
    return carried and _is_in_memory(request)


def _is_in_memory(request: Any) -> bool:
    """Whether the body can be sent again."""
    library = sys.modules[type(request).__module__.partition(".")[0]]
    return isinstance(request.stream, library.ByteStream)
