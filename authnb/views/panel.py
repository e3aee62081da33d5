"""The sign-in panel: one card in the notebook, on anywidget.

Two ways lead to the browser. The trait ``card`` holds what a saved notebook may show: the phase, the host,
sentences. What only a live panel may show goes as a message and is kept nowhere: addresses (they hold the
state), the user code, who signed in. From the browser come messages only; what they hold is passed on and
forgotten.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anywidget
import segno
import traitlets
from IPython.display import display

from authnb.errors import AuthnbError
from authnb.views.text import lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from authnb.signin import Login

_STATIC = Path(__file__).parent / "static"
_WIDGET = "application/vnd.jupyter.widget-view+json"
_UNDER_WAY = {"starting", "waiting"}
_TELL_AGAIN = 1.0  # seconds; a kernel that is busy with the waiting cell cannot be asked
_SCOPES = {
    "openid": "",
    "profile": "your name",
    "email": "your e-mail address",
    "address": "your postal address",
    "phone": "your phone number",
    "offline_access": "staying signed in while you are away",
}
_TITLES = {
    "starting": "Sign in to {host}",
    "waiting": "Sign in to {host}",
    "sign_up": "Create an account at {host}",
    "signed_in": "Signed in at {host}",
    "signed_out": "Signed out of {host}",
    "failed": "Signing in at {host} did not work",
}
# What needs no more words than these; the whole story is in the details
_FAILURES = {
    "access_denied": "You declined at {host}",
    "expired_token": "Nobody signed in at {host} in time",
    "cancelled": "The sign-in at {host} was cancelled",
}


def _script(*names: str) -> str:
    return "\n".join((_STATIC / name).read_text(encoding="utf-8") for name in names)


class Panel(anywidget.AnyWidget):
    """The widget: a card to draw, and the script that draws it."""

    _esm: str | Path = _script("panel.js", "around.js")
    _css = _STATIC / "panel.css"
    card = traitlets.Dict().tag(sync=True)


class SignUpPanel(Panel):
    """The same, able to show a form."""

    _esm: str | Path = _script("panel.js", "around.js", "form.js")


class PanelView:
    """Shows a `Login` as a panel, with a plain line beside it for where no panel lives."""

    shows_forms = True

    def __init__(self) -> None:
        self._panel: Panel | None = None
        self._line: Any = None
        self._said = ""
        self._awaited = False
        self._missed = False  # the cell that waited has stopped without a session
        self._notes = ""  # what a click came to, if anything is to be said
        self._lock = threading.RLock()
        self._beat: threading.Thread | None = None

    def open(self, login: Login) -> None:
        """Show the panel in the cell that runs; again, if that was done before."""
        first = self._panel is None
        if self._panel is None:
            self._panel = (SignUpPanel if login.sign_up else Panel)(card=card(login))
            self._panel.on_msg(lambda _panel, message, secret: self._hear(login, message, secret))
        self._awaited, self._missed = login.awaited, False
        widget = {"model_id": self._panel.model_id, "version_major": 2, "version_minor": 0}
        text = "A panel to sign in. Where widgets are not shown, view='text' gives a link."
        display({_WIDGET: widget, "text/plain": text}, raw=True)  # type: ignore[no-untyped-call] # IPython's
        self._said = _line(login)
        self._line = display(_bundle(self._said), raw=True, display_id=True)  # type: ignore[no-untyped-call]
        if first:
            login.watch(self.update)
        else:
            self.update(login)

    def update(self, login: Login) -> None:
        """Bring panel and line up to date, from whichever thread knows."""
        with self._lock:
            if self._panel is None:
                return
            if self._awaited and not login.awaited:
                self._awaited, self._missed = False, login.status != "signed_in"
            self._panel.card = card(login, missed=self._missed, notes=self._notes)
            self._tell(login)
            if (said := _line(login)) != self._said:
                self._said = said
                self._line.update(_bundle(said), raw=True)
            if login.status in _UNDER_WAY and self._beat is None:
                self._beat = threading.Thread(
                    target=self._keep_telling, args=(login,), name="authnb-panel", daemon=True
                )
                self._beat.start()

    def listen(self, login: Login) -> None:
        """Nothing: what is typed comes as a message."""

    def _tell(self, login: Login) -> None:
        if self._panel is not None:
            self._panel.send({**live(login), "note": self._notes})

    def _keep_telling(self, login: Login) -> None:
        pause = threading.Event()
        while not pause.wait(_TELL_AGAIN):
            with self._lock:
                if login.status not in _UNDER_WAY:
                    self._beat = None
                    return
                self._tell(login)

    def _hear(self, login: Login, message: dict[str, Any], secret: list[memoryview]) -> None:
        """Do what was clicked. What is raised here appears nowhere, and what takes time blocks the kernel.

        What was typed comes in a buffer: a kernel that logs its messages does not log those.
        """
        deed = message.get("do")
        if deed == "hello":
            self._tell(login)
        elif deed == "cancel":
            login.cancel()
        elif deed == "again":
            self._notes = ""
            login.start_over(message["mode"] if message.get("mode") in login.modes else None)
        elif deed == "fill":
            login.submit_form(_read(secret))
        elif deed == "sign_out":
            self._apart(login, lambda: login.session.logout().problems)
        elif deed == "place":
            login.report(message)
        elif deed == "reach":
            login.report_reached(reached=message.get("reached") is True)
        elif deed == "back":
            self._apart(login, lambda: _refused(login))
        elif deed == "redirect":
            self._apart(login, lambda: login.submit_redirect(_read(secret).get("address", "")))

    def _apart(self, login: Login, deed: Callable[[], Iterable[str] | None]) -> None:
        """Do it on a thread of its own; what is left to say, or why it failed, is shown."""

        def work() -> None:
            try:
                self._notes = " ".join(deed() or ())
            except AuthnbError as error:
                self._notes = error.description
            self.update(login)

        threading.Thread(target=work, name="authnb-panel-deed", daemon=True).start()


def card(login: Login, *, missed: bool = False, notes: str = "") -> dict[str, Any]:
    """What a saved notebook may show of a sign-in."""
    host = login.host
    phase = _phase(login)
    title, text, details = _TITLES.get(phase, _TITLES["failed"]), notes, None
    if (error := login.error) is not None:
        details = f"{error.description} ({type(error).__name__}: {error.error})"
        title, text = _FAILURES.get(error.error, title), "" if error.error in _FAILURES else error.description
    return {
        "phase": phase,
        "host": host,
        "title": title.format(host=host),
        "why": _why(login, phase),
        "subtitle": _subtitle(login, phase, missed=missed),
        "text": text,
        "details": details,
        "mode": login.mode,
        "others": [mode for mode in login.modes if mode != login.mode],
        "sign_up": login.sign_up,
        "created": login.created,
        "awaited": login.awaited,
        "missed": missed,
        "kernel": _kernel_id(),
    }


def live(login: Login) -> dict[str, Any]:
    """What only a live panel may show; empty where there is nothing of the kind."""
    if (form := login.form) is not None:
        return {"form": {**asdict(form), "host": urlsplit(form.endpoint).hostname}}
    if login.status == "waiting":
        try:
            verification = login.verification(0)
        except (AuthnbError, TimeoutError):
            return {}  # it has just ended, or begun anew; the next state follows
        address = verification.uri_complete or verification.uri
        message = {
            "address": verification.uri,
            "first": verification.sign_up_uri,
            "seconds": max(0.0, verification.expires_at - time.time()),
            "probe": verification.probe,
        }
        if verification.user_code is not None:
            qr = segno.make(address, micro=False).svg_data_uri(border=2, light="#fff")
            place = verification.uri.partition("://")[2]
            message |= {"code": verification.user_code, "place": place, "qr": qr}
            message["complete"] = verification.uri_complete
        return message
    if login.status == "signed_in" and login.session.token:
        session, user = login.session, login.session.user or {}
        picture = str(user.get("picture", ""))
        return {
            "name": user.get("name")
            or user.get("preferred_username")
            or user.get("email")
            or user.get("sub"),
            "email": user.get("email"),
            "picture": picture if picture.startswith("https://") else None,
            "until": session.token.get("expires_at"),
            "renews": "refresh_token" in session.token,
        }
    return {}


def _read(secret: list[memoryview]) -> dict[str, str]:
    """What was typed, of the texts in a message's buffer."""
    typed = json.loads(bytes(secret[0])) if secret else {}
    return {str(name): str(value) for name, value in typed.items()}


def unsupported_kernel() -> str | None:
    """Why the panel cannot work in this kernel, or None."""
    version = getattr(sys.modules.get("ipykernel"), "__version__", "")
    if not version.startswith("7.0."):
        return None
    return (
        f"ipykernel {version} cannot update widgets from a thread, so the sign-in is shown without the panel. "
        "Upgrade it: pip install -U ipykernel, then restart the kernel."
    )


def _phase(login: Login) -> str:
    if login.status == "signed_in" and not login.session.token:
        return "signed_out"
    return "sign_up" if login.form is not None else login.status


def _why(login: Login, phase: str) -> str | None:
    """Which way to an account is used, and why."""
    if phase == "sign_up":
        return f"{login.host} lets its sign-up form be shown here. What you enter goes there and is kept nowhere else."
    if phase == "waiting" and login.created:
        return "Your account is there. Now sign in with it."
    if phase == "waiting" and login.sign_up:
        return f"{login.host} creates accounts on its own pages: your password never touches this notebook."
    # Where nothing is out of the ordinary, nobody wonders
    return login.why or None if phase == "waiting" and login.mode != "loopback" else None


def _subtitle(login: Login, phase: str, *, missed: bool) -> str:
    if phase == "signed_in":
        return login.host
    if phase in {"failed", "cancelled"}:
        return "Nobody was signed in." + (" Cells below were not run." if missed else "")
    if phase == "signed_out":
        return "The tokens are gone from this notebook."
    if login.client is None:
        return f"for {login.account.client_id}"
    asked = [_SCOPES.get(scope, scope) for scope in login.client.scope.split()]
    asked = [words for words in asked if words] or ["knowing that it is you"]
    several = f"{', '.join(asked[:-1])} and {asked[-1]}" if asked[1:] else asked[0]
    return f"{login.account.client_id} asks for {several}"


def _line(login: Login) -> str:
    if login.status == "waiting":
        return f"Waiting for somebody to sign {'up' if login.form else 'in'} at {login.host}."
    return " ".join(lines(login))


def _bundle(line: str) -> dict[str, str]:
    return {"text/plain": line, "text/html": f'<p class="authnb-line">{escape(line)}</p>'}


def _refused(login: Login) -> list[str]:
    address = login.refused_redirect()
    if address is None:
        return []
    return [
        f"{login.host} sends no answer to {address}. Have that address registered there, or take another way."
    ]


def _kernel_id() -> str | None:
    """The kernel's id as the Jupyter server knows it, for its interrupt."""
    ipykernel = sys.modules.get("ipykernel")
    if ipykernel is None:
        return None
    from ipykernel.connect import get_connection_file  # noqa: PLC0415 - there is a kernel

    try:
        return Path(get_connection_file()).stem.removeprefix("kernel-")
    except RuntimeError:
        return None
