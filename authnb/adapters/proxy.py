"""A loopback proxy that adds the session's token, for programs that cannot call back (`Session.serve`)."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import ssl
import threading
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH, requote_uri
from yarl import URL

from authnb.adapters.aiohttp import TokenMiddleware
from authnb.adapters.relay import LONG, READ_TIMEOUT, relay, unread
from authnb.errors import AuthnbError, LoginRequired

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence

    from authnb.adapters.source import Source

_RESENDABLE = 1 << 20  # bytes of a request's body kept to send it again after a 401
_BUFFER = 1 << 20  # bytes read ahead of a slower client
_LONGEST_LINE = 1 << 16  # of a request: signed URLs are long
# Of one connection (RFC 9110 section 7.6.1)
_HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
# A browser's cookies are for all ports of 127.0.0.1; its Referer holds the capability
_NOT_SENT = _HOP_BY_HOP | {"authorization", "cookie", "dpop", "expect", "host", "origin", "referer"}
_NOT_PASSED_ON = _HOP_BY_HOP | {"alt-svc", "clear-site-data", "content-security-policy", "set-cookie"}
# In a browser, no page reads what the proxy returns, a page of the API itself runs no script, and no link tells where
_FOR_BROWSERS = {
    "Content-Security-Policy": "sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_silent = logging.Logger("authnb.proxy")  # noqa: LOG001 - of no hierarchy: aiohttp would log addresses
_silent.addHandler(logging.NullHandler())


class TokenProxy:
    """Where the proxy of `Session.serve` listens: ``base_url`` for the first address of ``api``, `url` for any."""

    def __init__(self, source: Source, urls: Sequence[str], port: int) -> None:
        self._source, self._api, self._netloc = source, urls[0], f"127.0.0.1:{port}"
        self._capability = secrets.token_urlsafe(32)
        self._origins = {str(n): URL(url).origin() for n, url in enumerate(urls)}

    def __repr__(self) -> str:
        return "<TokenProxy>"

    @property
    def base_url(self) -> str:
        """The local address for the first address of ``api``, without a slash at its end."""
        return self.url(self._api).rstrip("/")

    def url(self, url: str) -> str:
        """The local address for this URL of the API, which may be relative; `AuthnbError` for one outside ``api``."""
        url = urljoin(self._api.rstrip("/") + "/", url if url.startswith("//") else url.lstrip("/"))
        self._source.token_auth.check(url)
        if (local := self._local(url)) is None:
            raise AuthnbError("foreign_origin", "This proxy does not serve that origin. Name it in api=.")
        return local

    def _local(self, url: str) -> str | None:
        """The local address; None for a URL of another origin."""
        with suppress(ValueError):
            wanted = URL(url).origin()
            for number, origin in self._origins.items():
                if origin == wanted:
                    rest = urlsplit(requote_uri(url))._replace(scheme="", netloc="").geturl()
                    return f"http://{self._netloc}/{self._capability}/{number}/{rest.removeprefix('/')}"
        return None

    def _target(self, request: web.Request) -> URL:
        """The URL of the API that a request is for. Whatever does not fit is answered alike, with a 404."""
        path, _, query = request.raw_path.partition("#")[0].partition("?")
        _, capability, number, *rest = [*path.split("/", 3), "", ""]
        known = secrets.compare_digest(capability.encode(errors="replace"), self._capability.encode())
        origin = self._origins.get(number)
        here = request.headers.getall("Host", []) == [
            self._netloc
        ]  # else a page by a name of its own (DNS rebinding)
        if not (known and here and origin and path.startswith("/") and request.raw_path.isascii()):
            raise web.HTTPNotFound
        return URL.build(
            scheme=origin.scheme,
            authority=origin.authority,
            path="/" + rest[0],
            query_string=query,
            encoded=True,
        )

    async def _respond(self, request: web.Request, client: aiohttp.ClientSession) -> web.StreamResponse:
        target = self._target(request)
        if request.method in {"CONNECT", "TRACE"}:  # TRACE returns the request, with its token
            raise web.HTTPNotFound
        try:
            async with client.request(
                request.method,
                target,
                headers=_without(_NOT_SENT, request.headers),
                data=await _body(request),
                allow_redirects=False,
            ) as response:
                return await self._pass_on(request, target, response)
        except LoginRequired as error:
            return web.Response(status=401, text=str(error), headers={"WWW-Authenticate": "Bearer"})
        except AuthnbError as error:
            return web.Response(status=502, text=str(error))
        except (aiohttp.ClientError, TimeoutError) as error:
            return web.Response(status=502, text=f"The API did not answer: {type(error).__name__}: {error}")

    async def _pass_on(
        self, request: web.Request, target: URL, response: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        headers = _without(_NOT_PASSED_ON, response.headers)
        headers.update(_FOR_BROWSERS)
        if "Location" in headers:
            location = urljoin(str(target), headers["Location"])
            headers["Location"] = self._local(location) or location
        local = web.StreamResponse(status=response.status, reason=response.reason, headers=headers)
        await local.prepare(request)
        try:
            passed = 0
            async for chunk in response.content.iter_any():
                await local.write(chunk)
                passed += len(chunk)
                if passed == response.content.total_bytes and unread(response) > LONG:
                    await relay(response, request)
                    break
        except (aiohttp.ClientError, TimeoutError, ConnectionError):
            if request.transport is not None:  # a response that is cut off, so that its reader notices
                request.transport.abort()
            return local
        await local.write_eof()
        return local


@contextmanager
def serve(source: Source, urls: Sequence[str]) -> Iterator[TokenProxy]:
    """Run a proxy for these URLs' origins while the block runs; see `Session.serve`."""
    started: Future[tuple[TokenProxy, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    thread = threading.Thread(
        target=lambda: asyncio.run(_run(source, urls, started), debug=False), name="authnb-proxy", daemon=True
    )
    thread.start()
    proxy, loop, ended = started.result()
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()


async def _run(
    source: Source,
    urls: Sequence[str],
    started: Future[tuple[TokenProxy, asyncio.AbstractEventLoop, asyncio.Event]],
) -> None:
    try:
        async with _running(source, urls) as proxy:
            ended = asyncio.Event()
            started.set_result((proxy, asyncio.get_running_loop(), ended))
            await ended.wait()
    except Exception as error:
        if started.done():
            raise
        started.set_exception(error)


@asynccontextmanager
async def _running(source: Source, urls: Sequence[str]) -> AsyncIterator[TokenProxy]:
    client = aiohttp.ClientSession(
        middlewares=[TokenMiddleware(source)],
        connector=aiohttp.TCPConnector(limit=0, ssl=_tls()),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=READ_TIMEOUT),
        skip_auto_headers={"Accept", "Accept-Encoding", "Content-Type", "User-Agent"},
        auto_decompress=False,
        read_bufsize=_BUFFER,
        trust_env=True,
    )
    app = web.Application(client_max_size=_RESENDABLE + 1)
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=_silent,
        auto_decompress=False,
        handler_cancellation=True,
        max_line_size=_LONGEST_LINE,
        shutdown_timeout=0.1,
    )
    async with client:

        async def respond(request: web.Request) -> web.StreamResponse:
            return await proxy._respond(request, client)  # noqa: SLF001 - of this module

        app.router.add_route("*", "/{path:.*}", respond)
        try:
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            proxy = TokenProxy(source, urls, runner.addresses[0][1])
            yield proxy
        finally:
            await runner.cleanup()


async def _body(request: web.Request) -> bytes | aiohttp.StreamReader | None:
    """The request's body: as bytes, which can be sent again, or as a stream if it is long."""
    if not request.can_read_body:
        return None
    if request.content_length is not None and request.content_length <= _RESENDABLE:
        return await request.read()
    return request.content


def _without(names: set[str], headers: Mapping[str, str]) -> CIMultiDict[str]:
    """The headers without these, those of one connection, and what would let pages of other origins read them."""
    connection = {name.strip().lower() for name in headers.get("Connection", "").split(",")}
    return CIMultiDict(_kept(names | connection, headers.items()))


def _kept(names: set[str], headers: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for name, value in headers:
        if name.lower() not in names and not name.lower().startswith("access-control-"):
            yield name, value


def _tls() -> ssl.SSLContext:
    """The authorities of the system and those that requests trusts."""
    bundle = Path(
        os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or DEFAULT_CA_BUNDLE_PATH
    )
    context = ssl.create_default_context()
    context.load_verify_locations(**({"capath": str(bundle)} if bundle.is_dir() else {"cafile": str(bundle)}))
    return context
