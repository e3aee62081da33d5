"""The session's token as a client middleware of aiohttp, and through it of fsspec's https file system."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urljoin
from weakref import WeakKeyDictionary

from aiohttp.client_middlewares import ClientHandlerType  # noqa: TC002 - since 3.12, the first with middlewares

from authnb.adapters.event_loop import fresh_token, token_after_401, token_after_refusal
from authnb.errors import AuthnbError
from authnb.oauth.challenge import wants_nonce
from authnb.oauth.token_endpoint import PROOFS_PER_REQUEST
from authnb.transport.exchange import HTTPExchange, notify, observers
from authnb.transport.localhost import literal_url, url_of_host

if TYPE_CHECKING:
    from typing import Any

    from aiohttp import ClientRequest, ClientResponse

    from authnb.adapters.source import Authenticator, Source
    from authnb.oauth.responses import Token


class TokenMiddleware:
    """A client middleware: the token on each request, renewed off the event loop, a 401 retried.

    ``aiohttp.ClientSession(middlewares=[api.credentials.aiohttp])``; for fsspec, and what opens
    its files (pandas, xarray): ``fsspec.open(url, client_kwargs={"middlewares": (api.credentials.aiohttp,)})``
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._auth: Authenticator = source.token_auth
        self._redirects: WeakKeyDictionary[asyncio.Task[Any], str] = WeakKeyDictionary()  # where to, by task

    def __reduce__(self) -> tuple[type[TokenMiddleware], tuple[Source]]:
        return type(self), (self._source,)

    def __repr__(self) -> str:
        # fsspec keys its file systems on the repr of their options: two sign-ins of one person are two
        return f"<TokenMiddleware {id(self._auth):#x}>"

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Send the request with the token; a redirect to another origin is followed without it."""
        url = str(request.url)
        try:
            if request.proxy is not None and url.startswith("http:"):
                self._auth.check_proxy(url, {"http": "a proxy"})
            token = await fresh_token(self._auth, url)
        except AuthnbError as error:
            if error.error not in {"foreign_origin", "insecure_transport"} or not self._follows_redirect(url):
                raise
            return await handler(request)
        retries = self._auth.tokens_after_401(token)
        response = await self._send(request, url, handler, token)
        while self._auth.renewal_helps(response.status, _challenge(response)) and _can_resend(request):
            next_token = await token_after_401(self._auth, token, retries)
            if next_token is None:
                break
            token = next_token
            response.release()
            response = await self._send(request, url, handler, token)
        if self._auth.asks_for_more(response.status, _challenge(response)):
            newer = await token_after_refusal(self._auth, token)
            if newer is not None and _can_resend(request):
                token = newer
                response.release()
                response = await self._send(request, url, handler, token)
            self._auth.refusal(response.status, _challenge(response), url, token)
        if response.status in {301, 302, 303, 307, 308} and (task := asyncio.current_task()) is not None:
            target = urljoin(url, response.headers.get("Location", ""))
            self._redirects[task] = str(type(request.url)(target))
        return response

    def _follows_redirect(self, url: str) -> bool:
        """Whether the response to this task's request before redirects here."""
        task = asyncio.current_task()
        return task is not None and self._redirects.pop(task, None) == url

    async def _send(
        self, request: ClientRequest, url: str, handler: ClientHandlerType, token: Token
    ) -> ClientResponse:
        """The response; if the token is bound to a key, to a proof that the API accepts (RFC 9449 section 9).

        Raises `AuthnbError` if it accepts none.
        """
        response = await self._send_once(request, url, handler, token)
        if token.dpop_key is None:
            return response
        target = url_of_host(url, request.headers.get("Host"))
        self._auth.keep_nonce(token, target, response.headers.get("DPoP-Nonce"))
        for _ in range(PROOFS_PER_REQUEST - 1):
            if not wants_nonce(response.status, _challenge(response)) or not _can_resend(request):
                break
            response.release()
            response = await self._send_once(request, url, handler, token)
            self._auth.keep_nonce(token, target, response.headers.get("DPoP-Nonce"))
        try:
            self._auth.check_proof(
                url, response.status, _challenge(response), can_resend=_can_resend(request)
            )
        except AuthnbError:
            response.release()
            raise
        return response

    async def _send_once(
        self, request: ClientRequest, url: str, handler: ClientHandlerType, token: Token
    ) -> ClientResponse:
        target = url_of_host(url, request.headers.get("Host"))
        request.headers.update(self._auth.headers(token, request.method, target))
        if (literal := literal_url(url)) is not None:
            request.url = type(request.url)(literal)  # the Host header is set already
        response = await handler(request)
        if observers:
            notify(
                HTTPExchange(
                    sender="client",
                    receiver="API",
                    method=request.method,
                    url=url,
                    headers=dict(request.headers),
                    status=response.status,
                    response_headers=dict(response.headers),
                )
            )
        return response


def _challenge(response: ClientResponse) -> str | None:
    return ", ".join(response.headers.getall("WWW-Authenticate", [])) or None


def _can_resend(request: ClientRequest) -> bool:
    return not getattr(request.body, "consumed", False)
