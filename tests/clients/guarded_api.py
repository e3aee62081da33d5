"""Servers that answer only a session's own token, while it has not expired."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from servers import Server

if TYPE_CHECKING:
    from collections.abc import Mapping

    from servers import Request

    from authnb.session.session import Session


class Guard:
    """Knows the current token of ``session``.

    ``refused``: tokens that are not accepted although they have not expired, as revoked ones are not; ``rejected``:
    the tokens that were not accepted.
    """

    session: Session

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self.rejected: list[str] = []

    def accepts(self, headers: Mapping[str, str]) -> bool:
        """Whether a request has the session's token, and that may be used."""
        sent = {name.lower(): value for name, value in headers.items()}.get("authorization", "")
        return self.accepts_token(sent.removeprefix("Bearer "))

    def accepts_token(self, access_token: str) -> bool:
        """Whether this is the session's token, and may be used."""
        token = self.session.token or {"access_token": None, "expires_at": 0}
        fresh = token["expires_at"] > time.time() and access_token not in self.refused
        accepted = fresh and access_token == token["access_token"]
        if not accepted:
            self.rejected.append(access_token)
        return accepted


class GuardedAPI(Server):
    """Serves JSON to requests that ``guard`` accepts, and 401 to all others."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.guard = Guard()

    def serve(self, path: str, value: Any) -> None:
        """Serve JSON at this path."""

        def answer(request: Request) -> tuple[int, dict[str, str], bytes]:
            status = 200 if self.guard.accepts(request.headers) else 401
            body = json.dumps(value if status == 200 else {"error": "invalid_token"})
            return status, {"Content-Type": "application/json"}, body.encode()

        self.routes[path] = answer
