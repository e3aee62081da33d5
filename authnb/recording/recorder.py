"""Recording of a sign-in: every HTTP exchange of client and browser, redacted as it arrives."""

from __future__ import annotations

import platform
import sys
import threading
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import parse_qs, urlsplit

from authnb.compat import register_fork_aware
from authnb.recording.redact import Exchange, Redactor
from authnb.recording.replay_build import build_replay
from authnb.recording.replay_signature import Signatures
from authnb.recording.report import read_report
from authnb.recording.show import as_html, as_mermaid, as_text
from authnb.transport.exchange import HTTPExchange, observe, observers
from authnb.transport.http import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    import requests

    from authnb.recording.replay import Replay
    from authnb.recording.widget import ReplayWidget

S = TypeVar("S", bound="requests.Session")

HIDDEN = "reveal=True shows only exchanges with the provider for learning; this recording is redacted."


def record(*, reveal: bool = False) -> Recording:
    """A recording of every exchange with a provider inside a ``with`` block, on any thread.

    ::

        with authnb.record() as recording:
            api = await authnb.login(…)
        recording

    Displayed as a table whose rows open; ``recording.replay()`` goes through it step by step, and
    ``recording.diagram`` is a sequence diagram. Secrets and personal data are redacted as they arrive. ``reveal=True``
    keeps them, but only while all exchanges are with the embedded provider of `authnb.demo`.
    """
    return Recording(reveal=reveal)


@dataclass(frozen=True)
class Diagram:
    """A Mermaid sequence diagram; JupyterLab renders it."""

    source: str

    def __repr__(self) -> str:
        return self.source

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": self.source, "text/vnd.mermaid": self.source}


class Recording:
    """A recording made by `record`. ``exchanges`` are in the order in which they ended."""

    def __init__(self, *, reveal: bool = False) -> None:
        self._lock = threading.Lock()
        register_fork_aware(self)
        self._redacted: list[Exchange] = []
        self._redactor = Redactor(reveal=False)
        # Dropped at the first exchange with anything but the provider for learning
        self._revealed: list[Exchange] | None = [] if reveal else None
        self._revealer = Redactor(reveal=True)
        self._signatures = Signatures()
        self._reveal = reveal
        self._clients: set[str] = set()  # redirect URIs, on which the browser reaches the client

    def after_fork(self) -> None:
        """Replace the lock, which a thread of the parent may hold."""
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        observers.append(self._on_exchange)
        if person := sys.modules.get("authnb.demo.person"):
            person.observers.append(self._on_browser_exchange)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        observers.remove(self._on_exchange)
        person = sys.modules.get("authnb.demo.person")
        if person and self._on_browser_exchange in person.observers:
            person.observers.remove(self._on_browser_exchange)

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """The exchanges so far."""
        with self._lock:
            return tuple(self._redacted if self._revealed is None else self._revealed)

    @property
    def diagram(self) -> Diagram:
        """The exchanges as a Mermaid sequence diagram, with parameter names and no values."""
        with self._lock:
            return Diagram(as_mermaid(self._redacted))

    def replay(self) -> ReplayWidget:
        """The exchanges as a view to go through step by step: who sends what to whom, and who knows what then.

        A notebook keeps a picture of it without secrets, whatever ``reveal`` says. If nothing is recorded, it says what
        to do.
        """
        from authnb.recording.widget import ReplayWidget  # noqa: PLC0415 - anywidget takes its time to load

        redacted, revealed = self._replays()
        return ReplayWidget(redacted.as_dict(), None if revealed is None else revealed.as_dict())

    def watch(self, session: S) -> S:
        """Record this session's exchanges too; returns it."""
        session.hooks["response"].append(observe)
        return session

    def save(self, path: str | Path = "authnb-report.md") -> Path:
        """Write a report to attach to an issue, always redacted; returns its path."""
        with self._lock:
            redacted = tuple(self._redacted)
        lines = ["# authnb report", "", *_versions(), "", "```", as_text(redacted, details=True), "```", ""]
        lines += ["```mermaid", as_mermaid(redacted), "```", ""]
        path = Path(path)
        path.write_text("\n".join(lines), encoding="utf-8")
        return path

    def _replays(self) -> tuple[Replay, Replay | None]:
        """The replay of the exchanges so far: without secrets, and with the values where the recording shows them.

        Both have the same hops.
        """
        with self._lock:
            redacted = tuple(self._redacted)
            revealed = None if self._revealed is None else tuple(self._revealed)
            signature_of = self._signatures.of
        shown = None if revealed is None else build_replay(revealed, signature_of)
        return build_replay(redacted, signature_of), shown

    @classmethod
    def load(cls, path: str | Path) -> Recording:
        """The recording of a report that `save` wrote, on any machine: to look at, and to `replay`.

        Raises OSError if the file cannot be read, and `AuthnbError` if it is no report.
        """
        recording = cls()
        recording._redacted.extend(read_report(Path(path)))
        return recording

    def __repr__(self) -> str:
        return "\n".join(filter(None, [self._notice(), as_text(self.exchanges)]))

    def _repr_html_(self) -> str:
        return as_html(self.exchanges, self._notice())

    def _notice(self) -> str:
        return HIDDEN if self._reveal and self._revealed is None else ""

    def _on_browser_exchange(self, request: Any, response: Any) -> None:
        """An exchange of the scripted person's browser, in this process."""
        headers = dict(request.header_items())
        cookies = {"Cookie": headers["Cookie"]} if "Cookie" in headers else {}
        kind = {"Content-Type": "application/x-www-form-urlencoded"} if request.data else {}
        self._on_exchange(
            HTTPExchange(
                sender="browser",
                method=request.get_method(),
                url=request.full_url,
                headers={**cookies, **kind},
                body=request.data or b"",
                status=response.status,
                response_headers=dict(response.headers),
            )
        )

    def _on_exchange(self, exchange: HTTPExchange) -> None:
        with self._lock:
            receiver = self._receiver(exchange)
            position = self._position_of(exchange, receiver)
            number = len(self._redacted) + 1 if position is None else position + 1
            redacted = self._redactor.exchange(number, exchange, receiver)
            _put(self._redacted, redacted, position)
            if self._revealed is not None and self._may_reveal(exchange, receiver):
                _put(self._revealed, self._revealer.exchange(number, exchange, receiver), position)
                self._signatures.add(number, exchange)
            elif self._revealed is not None:
                self._revealed = None
                self._signatures = Signatures()

    def _position_of(self, exchange: HTTPExchange, receiver: str) -> int | None:
        """The position of this exchange, if the other end already recorded it."""
        if exchange.sender != "browser":
            return None
        address = self._redactor.exchange(0, exchange, receiver).address
        for index in range(len(self._redacted) - 1, -1, -1):
            old = self._redacted[index]
            if (old.sender, old.method, old.address) != ("browser", exchange.method, address):
                continue
            if old.status is None or (receiver == "client" and old.status == exchange.status):
                return index
        return None

    def _receiver(self, exchange: HTTPExchange) -> str:
        parts = urlsplit(exchange.url)
        if exchange.receiver is not None:
            return exchange.receiver
        if exchange.sender == "client":
            authorization = next((v for k, v in exchange.headers.items() if k.lower() == "authorization"), "")
            has_token = authorization.lower().startswith(("bearer ", "dpop "))
            to_api = has_token and not parts.path.endswith("/userinfo")
            pushed = parse_qs(exchange.body.decode(errors="replace"))  # RFC 9126
            if not to_api and "code_challenge" in pushed:
                self._expect_callbacks(pushed)
            return "API" if to_api else "provider"
        self._expect_callbacks(parse_qs(parts.query))
        return "client" if _address(exchange.url) in self._clients else "provider"

    def _expect_callbacks(self, parameters: Mapping[str, list[str]]) -> None:
        """Take the browser to reach the client at the redirect URI of this authorization request."""
        self._clients.update(_address(uri) for uri in parameters.get("redirect_uri", []))

    def _may_reveal(self, exchange: HTTPExchange, receiver: str) -> bool:
        if receiver == "client":
            return is_loopback(exchange.url)
        running = sys.modules.get("authnb.demo.running")
        parts = urlsplit(exchange.url)
        # Only providers that this process started or verified, not whatever AUTHNB_DEMO names
        issuers = running.known_issuers if running else set()
        return is_loopback(exchange.url) and f"{parts.scheme}://{parts.netloc}" in issuers


def _put(exchanges: list[Exchange], exchange: Exchange, index: int | None) -> None:
    if index is None:
        exchanges.append(exchange)
    else:
        exchanges[index] = exchange


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
