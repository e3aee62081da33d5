"""marimo notebooks, which run without IPython: whether this code is in one, and on which page it is shown."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from authnb.transport.http import is_loopback

_pages: list[str] = []  # that ran a cell of this kernel; cells that marimo runs by itself come from none


@dataclass(frozen=True, kw_only=True)
class MarimoNotebook:
    """A marimo notebook. ``mode``: ``edit`` or ``run``; ``origin``: of the page that shows it, None without a page."""

    mode: str
    origin: str | None

    @property
    def remote(self) -> str | None:
        """Why the browser is on another machine, None if it appears to be on this one."""
        if self.origin is None or is_loopback(self.origin):
            return None
        return f"this notebook comes from {self.origin}"


def current_notebook() -> MarimoNotebook | None:
    """The marimo notebook that this code runs in. ``marimo export`` runs one without a page."""
    marimo: Any = sys.modules.get("marimo")
    if not getattr(marimo, "running_in_notebook", bool)():
        return None
    meta = marimo.app_meta()
    if meta.request is not None:
        _pages[:] = [_origin(meta.request)]
    return MarimoNotebook(mode=meta.mode, origin=_pages[-1] if _pages else None)


def _origin(request: Any) -> str:
    """The origin of the page that sent a request (RFC 6454 section 7), else of the server as it was asked for."""
    origin = str(request.headers.get("origin", ""))
    return origin if urlsplit(origin).hostname else f"http://{request.url['netloc']}"
