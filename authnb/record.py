"""Records a sign-in: every HTTP exchange, the client's and the browser's, redacted as it arrives."""

from __future__ import annotations

import platform
import sys
import threading
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import parse_qs, urlsplit

from authnb.exchange import Seen, observe, observers
from authnb.record_redact import Exchange, Redactor
from authnb.record_show import as_html, as_mermaid, as_text
from authnb.transport import is_loopback

if TYPE_CHECKING:
    from types import TracebackType

    import requests

S = TypeVar("S", bound="requests.Session")

HIDDEN = "Only an exchange with the provider for learning is revealed; this one is redacted."


def record(*, reveal: bool = False) -> Recording:
    """Record every exchange with a provider inside a ``with`` block, on whatever thread.

    ::

        with authnb.record() as recording:
            api = await authnb.login(…)
        recording

    Shows as a table one can open line by line; ``recording.diagram`` as a sequence diagram. Values that open
    something, or tell of a person, are left out as they arrive. ``reveal=True`` keeps them, and works only
    against the embedded provider of `authnb.demo`: one exchange with another, and all is redacted.
    """
    return Recording(reveal=reveal)


@dataclass(frozen=True)
class Diagram:
    """A sequence diagram; JupyterLab draws it."""

    source: str

    def __repr__(self) -> str:
        return self.source

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": self.source, "text/vnd.mermaid": self.source}


class Recording:
    """What `record` gives. ``exchanges`` are in order of their end."""

    def __init__(self, *, reveal: bool = False) -> None:
        self._lock = threading.Lock()
        self._redacted: list[Exchange] = []
        self._redactor = Redactor(reveal=False)
        # Kept only while everything recorded belongs to the provider for learning
        self._revealed: list[Exchange] | None = [] if reveal else None
        self._revealer = Redactor(reveal=True)
        self._reveal = reveal
        self._clients: set[str] = set()  # redirect URIs: there a browser talks to the client

    def __enter__(self) -> Self:
        observers.append(self._take)
        if person := sys.modules.get("authnb.demo.person"):
            person.observers.append(self._take_browser)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        observers.remove(self._take)
        person = sys.modules.get("authnb.demo.person")
        if person and self._take_browser in person.observers:
            person.observers.remove(self._take_browser)

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """The exchanges so far."""
        with self._lock:
            return tuple(self._redacted if self._revealed is None else self._revealed)

    @property
    def diagram(self) -> Diagram:
        """The exchanges as a Mermaid sequence diagram; names only, never values."""
        with self._lock:
            return Diagram(as_mermaid(self._redacted))

    def watch(self, session: S) -> S:
        """Record this session's exchanges too; give it back."""
        session.hooks["response"].append(observe)
        return session

    def save(self, path: str | Path = "authnb-report.md") -> Path:
        """Write a report to attach to a ticket: always redacted. Gives its path."""
        with self._lock:
            redacted = tuple(self._redacted)
        lines = ["# authnb report", "", *_versions(), "", "```", as_text(redacted, details=True), "```", ""]
        lines += ["```mermaid", as_mermaid(redacted), "```", ""]
        path = Path(path)
        path.write_text("\n".join(lines), encoding="utf-8")
        return path

    def __repr__(self) -> str:
        return "\n".join(filter(None, [self._notice(), as_text(self.exchanges)]))

    def _repr_html_(self) -> str:
        return as_html(self.exchanges, self._notice())

    def _notice(self) -> str:
        return HIDDEN if self._reveal and self._revealed is None else ""

    def _take_browser(self, request: Any, response: Any) -> None:
        """An exchange of the scripted person's browser, in this process."""
        headers = dict(request.header_items())
        cookies = {"Cookie": headers["Cookie"]} if "Cookie" in headers else {}
        kind = {"Content-Type": "application/x-www-form-urlencoded"} if request.data else {}
        self._take(
            Seen(
                sender="browser",
                method=request.get_method(),
                url=request.full_url,
                headers={**cookies, **kind},
                body=request.data or b"",
                status=response.status,
                answer_headers=dict(response.headers),
            )
        )

    def _take(self, seen: Seen) -> None:
        with self._lock:
            receiver = self._receiver(seen)
            again = self._same(seen, receiver)
            number = len(self._redacted) + 1 if again is None else again + 1
            redacted = self._redactor.exchange(number, seen, receiver)
            _put(self._redacted, redacted, again)
            if self._revealed is not None and self._may_reveal(seen, receiver):
                _put(self._revealed, self._revealer.exchange(number, seen, receiver), again)
            else:
                self._revealed = None

    def _same(self, seen: Seen, receiver: str) -> int | None:
        """Where this exchange stands already, seen from its other end."""
        if seen.sender != "browser":
            return None
        address = self._redactor.exchange(0, seen, receiver).address
        for place in range(len(self._redacted) - 1, -1, -1):
            old = self._redacted[place]
            if (old.sender, old.method, old.address) != ("browser", seen.method, address):
                continue
            if old.status is None or (receiver == "client" and old.status == seen.status):
                return place
        return None

    def _receiver(self, seen: Seen) -> str:
        parts = urlsplit(seen.url)
        if seen.sender == "client":
            authorization = next((v for k, v in seen.headers.items() if k.lower() == "authorization"), "")
            to_api = authorization.startswith("Bearer ") and not parts.path.endswith("/userinfo")
            return "API" if to_api else "provider"
        self._clients.update(_address(uri) for uri in parse_qs(parts.query).get("redirect_uri", []))
        return "client" if _address(seen.url) in self._clients else "provider"

    def _may_reveal(self, seen: Seen, receiver: str) -> bool:
        if receiver == "client":
            return is_loopback(seen.url)
        running = sys.modules.get("authnb.demo.running")
        parts = urlsplit(seen.url)
        # Not whatever AUTHNB_DEMO names: only what this process started, or asked whether it is for learning
        issuers = running.known_issuers if running else set()
        return is_loopback(seen.url) and f"{parts.scheme}://{parts.netloc}" in issuers


def _put(exchanges: list[Exchange], exchange: Exchange, place: int | None) -> None:
    if place is None:
        exchanges.append(exchange)
    else:
        exchanges[place] = exchange


def _address(url: str) -> str:
    return url.partition("?")[0]


def _versions() -> list[str]:
    names = ("authnb", "authlib", "joserfc", "requests", "jupyterlab", "ipykernel")
    lines = [f"- Python {platform.python_version()} on {platform.system()}"]
    for name in names:
        try:
            lines.append(f"- {name} {version(name)}")
        except PackageNotFoundError:
            continue
    return lines
