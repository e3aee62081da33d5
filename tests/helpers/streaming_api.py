"""An API for tests of `Session.serve`, with its program: files read by range, streams, and responses cut off."""

from __future__ import annotations

import asyncio
import random
import subprocess
import threading
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web
from support import require

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

BLOCK = 1 << 20
NOISE = random.Random(0).randbytes(BLOCK)  # noqa: S311 - no two parts of it are the same


def long_body(length: int, start: int = 0) -> bytes:
    """At most `BLOCK` bytes of a body of this length, from ``start`` on, which is a multiple of it."""
    return (start.to_bytes(8) + NOISE[8:])[: length - start]


class StreamingAPI:
    """An API with files, read by range, and ``/echo``; it refuses the tokens in ``refused``."""

    def __init__(self, folder: Path, tls: ssl.SSLContext | None = None) -> None:
        self.tokens: list[str | None] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.refused: set[str] = set()
        self.bodies: list[bytes] = []
        self.more, self.gone = threading.Event(), threading.Event()
        self._folder, self._started, self._ended = folder, threading.Event(), asyncio.Event()
        self._tls = tls
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self.more.set()
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    async def _run(self) -> None:
        app = web.Application(middlewares=[self._guard], client_max_size=1 << 26)
        app.router.add_route("*", "/echo", self._echo)
        app.router.add_get("/slow", self._slow)
        app.router.add_get("/long", self._long)
        app.router.add_get("/broken", self._broken)
        app.router.add_get("/headers", self._headers)
        app.router.add_static("/files", self._folder)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        self.url = f"{'http' if self._tls is None else 'https'}://127.0.0.1:{runner.addresses[0][1]}"
        self._loop = asyncio.get_running_loop()
        self._started.set()
        await self._ended.wait()
        await runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        token = request.headers.get("Authorization")
        self.tokens.append(token)
        self.requests.append((request.method, request.raw_path, dict(request.headers)))
        if token is None or token.removeprefix("Bearer ") in self.refused:
            self.bodies.append(await request.read())
            return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})
        response: web.StreamResponse = await handler(request)
        return response

    async def _echo(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.bodies.append(body)
        return web.Response(body=body)

    async def _slow(self, request: web.Request) -> web.StreamResponse:
        """The first half, and the second once the test says so."""
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            await response.write(b"first")
            await asyncio.to_thread(self.more.wait, 30)
            await response.write(b"second")
        except asyncio.CancelledError:
            self.gone.set()
            raise
        return response

    async def _long(self, request: web.Request) -> web.StreamResponse:
        """`long_body` of the ``length`` that is asked for, cut off after ``until`` bytes."""
        length = int(request.query["length"])
        response = web.StreamResponse(headers={"Content-Length": str(length)})
        await response.prepare(request)
        try:
            for start in range(0, int(request.query.get("until", length)), BLOCK):
                await response.write(long_body(length, start))
        except (ConnectionError, asyncio.CancelledError):
            self.gone.set()
            raise
        if "until" in request.query:
            assert request.transport is not None
            request.transport.close()
        return response

    async def _broken(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"} if "length" in request.query else {})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    async def _headers(self, _: web.Request) -> web.Response:
        sent = {
            "Set-Cookie": "a=b",
            "Access-Control-Allow-Origin": "*",
            "Clear-Site-Data": '"*"',
            "X-Kept": "1",
        }
        return web.Response(text="here", headers=sent)


def curl(*arguments: str) -> str:
    done = subprocess.run(
        [require("curl"), "-sS", "--max-time", "30", *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr
