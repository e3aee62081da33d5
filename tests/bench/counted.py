"""The embedded provider with a log of requests."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from authnb.demo import DemoProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# The Hub's paths and the demo's, and the redirect URIs of libraries with fixed ones
_HUB = {"/oauth/device": "/device_authorization", "/oauth/token": "/token"}
_PLACES = "http://localhost http://localhost/"
_PAGES = ("/authorize", "/consent", "/login", "/signup", "/device", "/static", "/favicon.ico", "/api/")
_DOCUMENTS = ("/.well-known/", "/jwks")


class Counted(DemoProvider):
    """``asked`` holds the paths requested by clients, in order, without the person's pages and the API.

    ``times`` holds every path with the start and end of its response (``time.monotonic``).
    Its metadata and keys may be cached for an hour, as with large providers.
    """

    def __init__(self, **settings: Any) -> None:
        self._folder = tempfile.TemporaryDirectory()
        path = Path(self._folder.name) / "provider.sqlite"
        DemoProvider(path).start().close()  # the provider reads its clients at startup
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(
                "UPDATE clients SET redirect_uris = redirect_uris || ? WHERE id = ?",
                [f" {_PLACES}", DemoProvider.web_client_id],
            )
        super().__init__(path, redirect_uris=_PLACES.split(), **settings)

    def close(self) -> None:
        """Stop, and remove all files."""
        super().close()
        self._folder.cleanup()

    def start(self) -> Self:
        """Open the port and serve requests."""
        super().start()
        self.asked: list[str] = []
        self.times: list[tuple[str, float, float]] = []
        answer = self._server.application
        self._server.application = lambda environ, start: self._noted(answer, environ, start)
        return self

    def _noted(
        self,
        answer: Callable[[dict[str, Any], Any], Iterable[bytes]],
        environ: dict[str, Any],
        start: Any,
    ) -> Iterable[bytes]:
        environ["PATH_INFO"] = path = _HUB.get(environ["PATH_INFO"], environ["PATH_INFO"])
        if path == "/device_authorization" or not path.startswith(_PAGES):
            self.asked.append(path)

        def begin(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            if path.startswith(_DOCUMENTS):
                headers = [header for header in headers if header[0] != "Cache-Control"]
                headers.append(("Cache-Control", "public, max-age=3600"))
            return start(status, headers, *more)

        arrived = time.monotonic()
        try:
            return answer(environ, begin)
        finally:
            self.times.append((path, arrived, time.monotonic()))
