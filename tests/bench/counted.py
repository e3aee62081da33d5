"""The embedded provider, noting what clients ask of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import select

from authnb.demo import DemoProvider
from authnb.demo.models import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# The Hub's paths and ours; and where libraries want the answer that do not let one choose
_HUB = {"/oauth/device": "/device_authorization", "/oauth/token": "/token"}
_PLACES = "http://localhost http://localhost/"
_PAGES = ("/authorize", "/consent", "/login", "/signup", "/device", "/static", "/favicon.ico", "/api/")
_DOCUMENTS = ("/.well-known/", "/jwks")


class Counted(DemoProvider):
    """``asked`` holds the paths that clients asked for, in order; the person's pages and the API are not among them.

    ``times`` holds every path with the begin and the end of its answer (``time.monotonic``).
    Its metadata and keys may be kept for an hour, as large providers allow.
    """

    def start(self) -> Self:
        """Open the port and answer."""
        super().start()
        self.asked: list[str] = []
        self.times: list[tuple[str, float, float]] = []
        with self._database.sessions.begin() as session:  # type: ignore[union-attr] # it runs
            for client in session.scalars(select(Client)):
                client.redirect_uris += f" {_PLACES}"
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
