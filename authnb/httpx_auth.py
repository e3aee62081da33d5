"""The session's token for httpx, which gives itself to a sync and an async client alike."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx

from authnb.bearer import UNAUTHORIZED
from authnb.exchange import Seen, observers, tell

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from authnb.answers import Token
    from authnb.bearer import TokenAuth


class HttpxAuth(httpx.Auth):
    """An `httpx.Auth` with the token of a session: ``httpx.AsyncClient(auth=session.httpx_auth)``."""

    def __init__(self, bearer: TokenAuth) -> None:
        self._bearer = bearer

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """The request with the token, and once more with a new one if it is refused."""
        token = self._bearer.fresh(str(request.url))
        tries = self._bearer.after_refusal(token)
        response = _told((yield _with(request, token)))
        while _worth_another_try(request, response) and (again := next(tries, None)):
            response = _told((yield _with(request, again)), response)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """The same; a renewal runs on a thread, and the event loop goes on."""
        token = await asyncio.to_thread(self._bearer.fresh, str(request.url))
        tries = self._bearer.after_refusal(token)
        response = _told((yield _with(request, token)))
        while _worth_another_try(request, response) and (again := await asyncio.to_thread(next, tries, None)):
            response = _told((yield _with(request, again)), response)


def _with(request: httpx.Request, token: Token) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {token['access_token']}"
    return request


def _told(response: httpx.Response, before: httpx.Response | None = None) -> httpx.Response:
    """The response, after every observer was shown it and its redirects. Its body is left to its reader."""
    # httpx counts what was refused among what led here
    known = () if before is None else (*before.history, before)
    for one in (*response.history, response) if observers else ():
        if any(one is earlier for earlier in known):
            continue
        request = one.request
        tell(
            Seen(
                sender="client",
                method=request.method,
                url=str(request.url),
                headers=dict(request.headers),
                body=request.content if isinstance(request.stream, httpx.ByteStream) else b"",
                status=one.status_code,
                answer_headers=dict(one.headers),
            )
        )
    return response


def _worth_another_try(request: httpx.Request, response: httpx.Response) -> bool:
    # After a redirect elsewhere httpx has taken the token off
    carried = response.request.headers.get("Authorization") == request.headers["Authorization"]
    return response.status_code == UNAUTHORIZED and carried and isinstance(request.stream, httpx.ByteStream)
