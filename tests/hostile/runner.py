"""Runs the behaviours: one sign-in each, concurrently."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from provider import CLIENT, PASSWORD, Answer, Server

import authnb
from authnb.errors import AuthnbError
from authnb.storage.base import MemoryStorage
from authnb.views.jupyter import JupyterOutput
from authnb.views.panel import PanelView
from authnb.views.text import html, text_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

    from behaviour import Behaviour

    from authnb.signin.login import Login


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What people see of a sign-in: lines of text, HTML, the panel's messages; ``saved``: with the notebook."""

    lines: tuple[str, ...]
    html: str
    messages: tuple[str, ...]
    saved: tuple[str, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """All of it."""
        return (*self.lines, self.html, *self.messages, *self.saved)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of a behaviour; ``shown`` while the sign-in waited, and at its end.

    ``call_error``: of what was done with the session of a sign-in that went well.
    """

    login: Login
    storage: MemoryStorage
    port: int | None
    shown: tuple[Shown, ...]
    call_error: AuthnbError | None = None

    @property
    def error(self) -> AuthnbError | None:
        """The error that the behaviour ended in, None if in none."""
        return self.call_error or self.login.error


class Sink:
    """A widget's side of the comm: everything sent must be JSON that UTF-8 can encode."""

    model_id = "panel"

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.saved: list[str] = []

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if name == "card":  # the synced trait
            self.saved.append(encodable(value))

    def update(self, content: Any, *, raw: bool) -> None:
        """The text output beside the panel."""
        assert raw
        self.saved.append(encodable(content))

    def send(self, content: Any) -> None:
        """A message to the panel."""
        self.sent.append(encodable(content))


def encodable(content: Any) -> str:
    """The content as JSON."""
    text = json.dumps(content, ensure_ascii=False)
    text.encode()
    return text


def shown(login: Login, notes: str = "") -> Shown:
    """What each view shows of a sign-in, the panel with the messages of its last action, ``notes``."""
    output, sink = JupyterOutput(), Sink()
    view = PanelView(output)
    view._panel = output._text_display = sink  # type: ignore[assignment] # noqa: SLF001 - records what a widget is sent
    view._notes = notes  # noqa: SLF001 - as an action of the panel leaves them
    view._update(login)  # noqa: SLF001 - as after each change
    lines, page = [repr(login)], ""
    if login.form is None:  # which only the panel shows
        lines, page = lines + text_lines(login), html(login)
    if login.status == "signed_in":
        lines.append(repr(login.session))
    return Shown(lines=tuple(lines), html=page, messages=tuple(sink.sent), saved=tuple(sink.saved))


@contextmanager
def run_all(behaviours: Iterable[Behaviour]) -> Iterator[dict[str, Future[Outcome]]]:
    """The outcome of each by name; concurrent, as some end by a timeout only."""
    slow_first = sorted(
        behaviours, key=lambda behaviour: "second" not in behaviour.name and "silence" not in behaviour.name
    )
    with Server() as server, reached_by_proxy(server), ThreadPoolExecutor(16) as pool:
        yield {behaviour.name: pool.submit(run, server, behaviour) for behaviour in slow_first}


@contextmanager
def reached_by_proxy(server: Server) -> Iterator[None]:
    """Have requests to other machines go to the server, as the environment's proxy."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        authority = Path(folder) / "ca.pem"
        server.authority.cert_pem.write_to_path(str(authority))
        os.environ |= {"HTTPS_PROXY": server.url, "REQUESTS_CA_BUNDLE": str(authority)}
        try:
            yield
        finally:
            for name in ("HTTPS_PROXY", "REQUESTS_CA_BUNDLE"):
                os.environ.pop(name, None)
                if name in before:
                    os.environ[name] = before[name]


def browse(login: Login, look: Callable[[Login], None] = lambda _login: None) -> int | None:
    """Act as the browser; the port of the redirect URI. ``look`` is called once the page to open is shown."""
    try:
        verification = login.verification(timeout=60)
    except AuthnbError:
        return None
    look(login)
    if verification.user_code is not None:
        return None
    for address in requests.get(verification.uri, timeout=60).json():
        with suppress(requests.ConnectionError):  # after the answer, the listener is gone
            requests.get(address, timeout=60)
    return urlsplit(verification.redirect_uri or "").port


def fill_in(login: Login, look: Callable[[Login], None]) -> None:
    """Act as the person at the sign-up form, if it is shown."""
    decided = threading.Event()
    login.observe(lambda now: decided.set() if now.form or now.error else None)
    assert decided.wait(60)
    if login.form is not None:
        look(login)
        login.submit_form(dict.fromkeys((field.name for field in login.form.fields), PASSWORD))


def step_up(server: Server, behaviour: Behaviour) -> Outcome:
    """An honest sign-in, and what its person is asked for when the API of this behaviour refuses a call."""
    scenario, storage, seen = server.scenario(f"d{secrets.token_hex(6)}"), MemoryStorage(), []
    options = {"client_id": CLIENT, "mode": "loopback", "view": None, "scope": "openid profile"}
    login = authnb.login(scenario.issuer, storage=storage, api=scenario.issuer, **options)
    browse(login)
    session = login.wait(60)
    scenario.overrides[""] = lambda: Answer(
        403, b"", {"WWW-Authenticate": 'Bearer error="insufficient_scope", scope="tides:read"'}
    )
    scenario.token["scope"] = "openid profile tides:read"
    behaviour.do(scenario)
    required = None
    try:
        session.get(scenario.issuer).raise_for_status()
    except authnb.StepUpRequired as error:
        required = error
    assert required is not None
    asked = session.ask_for(
        required.scope or "tides:read", acr_values=required.acr_values, max_age=required.max_age
    )
    port = browse(asked, lambda now: seen.append(shown(now)))
    with suppress(AuthnbError):
        asked.wait(60)
    assert session.signed_in
    said = Shown(lines=(str(required), repr(required)), html="", messages=(), saved=())
    return Outcome(login=asked, storage=storage, port=port, shown=(said, *seen, shown(asked)))


def bound(server: Server, behaviour: Behaviour) -> Outcome:
    """A sign-in with proofs of possession, and with its session two calls, a renewal, and a call."""
    scenario, storage, seen = server.scenario(f"d{secrets.token_hex(6)}"), MemoryStorage(), []
    scenario.bind_tokens()
    behaviour.do(scenario)
    options = {"client_id": CLIENT, "mode": "loopback", "view": None, "scope": "openid profile"}
    login = authnb.login(scenario.issuer, storage=storage, api=scenario.issuer, dpop=scenario.dpop, **options)
    port = browse(login, lambda now: seen.append(shown(now)))
    with suppress(AuthnbError):
        login.wait(60)
    seen.append(shown(login))
    failure = None
    if login.status == "signed_in":
        session = login.session
        try:
            session.get(scenario.issuer).raise_for_status()
            session.get(scenario.issuer).raise_for_status()
            session.token_auth.renew(session.token, session.token_auth.renewer)
            session.get(scenario.issuer).raise_for_status()
        except AuthnbError as error:
            failure = error
            seen.append(Shown(lines=(str(error), repr(error)), html="", messages=(), saved=()))
        assert session.signed_in
    return Outcome(login=login, storage=storage, port=port, shown=tuple(seen), call_error=failure)


def run(server: Server, behaviour: Behaviour) -> Outcome:
    """One sign-in, sign-up with a form, step-up, or sign-in with proofs of possession."""
    if behaviour.mode == "step-up":
        return step_up(server, behaviour)
    if behaviour.mode == "dpop":
        return bound(server, behaviour)
    scenario = server.scenario(f"d{secrets.token_hex(6)}", far=behaviour.far)
    behaviour.do(scenario)
    storage, seen = MemoryStorage(), []

    def look(login: Login) -> None:
        seen.append(shown(login))

    begin = authnb.signup if behaviour.mode == "form" else authnb.login
    named: dict[str, Any] = {"issuer": scenario.issuer, "client_id": CLIENT, "scope": "openid profile"}
    if behaviour.mode == "api":
        named = {"api": scenario.issuer}
    mode: Any = "loopback" if behaviour.mode == "api" else behaviour.mode
    login = begin(**named, mode=mode, view=None, storage=storage)
    if behaviour.mode == "form":
        fill_in(login, look)
    port = browse(login, look)
    with suppress(AuthnbError):
        login.wait(60)
    look(login)
    return Outcome(login=login, storage=storage, port=port, shown=tuple(seen))
