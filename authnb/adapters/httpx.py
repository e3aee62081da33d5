"""The session's token as an auth class of httpx and of httpx2, for sync and async clients."""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from authnb.adapters.event_loop import fresh_token, token_after_401, token_after_refusal
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
        while self._can_retry(request, response) and (next_token := next(retries, None)):
            token = next_token
            response = _observe((yield _authorize(request, url, token)), response)
        if self._asks_for_more(request, response):
            newer = self._auth.token_after_refusal(token)
            if newer is not None and _is_in_memory(request):
                token = newer
                response = _observe((yield _authorize(request, url, token)), response)
            self._report(url, response, token)

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        """As `sync_auth_flow`, with renewals on a thread, off the event loop."""
        url = str(request.url)
        self._auth.check_proxy(url)
        token = await fresh_token(self._auth, url)
        retries = self._auth.tokens_after_401(token)
        response = _observe((yield _authorize(request, url, token)))
        while self._can_retry(request, response) and (
            next_token := await token_after_401(self._auth, token, retries)
        ):
            token = next_token
            response = _observe((yield _authorize(request, url, token)), response)
        if self._asks_for_more(request, response):
            newer = await token_after_refusal(self._auth, token)
            if newer is not None and _is_in_memory(request):
                token = newer
                response = _observe((yield _authorize(request, url, token)), response)
            self._report(url, response, token)

    def _can_retry(self, request: Any, response: Any) -> bool:
        helps = self._auth.renewal_helps(response.status_code, response.headers.get("WWW-Authenticate"))
        return helps and _carried(request, response) and _is_in_memory(request)

    def _asks_for_more(self, request: Any, response: Any) -> bool:
        asks = self._auth.asks_for_more(response.status_code, response.headers.get("WWW-Authenticate"))
        return asks and _carried(request, response)

    def _report(self, url: str, response: Any, token: Token) -> None:
        """Show that the API asks for more; the error is in the response's ``extensions``."""
        header = response.headers.get("WWW-Authenticate")
        if (error := self._auth.refusal(response.status_code, header, url, token)) is not None:
            response.extensions["step_up_required"] = error


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


def _carried(request: Any, response: Any) -> bool:
    """Whether the token went to where the response comes from: httpx removes it on a redirect to another origin."""
    return bool(response.request.headers.get("Authorization") == request.headers["Authorization"])


def _is_in_memory(request: Any) -> bool:
    """Whether the body can be sent again."""
    library = sys.modules[type(request).__module__.partition(".")[0]]
    return isinstance(request.stream, library.ByteStream)
