"""The sign-in panel: one card in the notebook.

Two ways lead to the browser. The trait ``card`` holds what a saved notebook may show: the phase, the host,
sentences. What only a live panel may show goes as a message and is kept nowhere: addresses (they hold the
state), the user code, who signed in. From the browser come messages only; what they hold is passed on and
forgotten.
"""

from __future__ import annotations

import json
import sys
import threading
from contextvars import copy_context
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from authnb.errors import AuthnbError
from authnb.views.card import UNDER_WAY, card, live
from authnb.views.text import lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from authnb.signin import Login
    from authnb.views.widget import Panel

_WIDGET = "application/vnd.jupyter.widget-view+json"
_TELL_AGAIN = 1.0  # seconds; a kernel that is busy with the waiting cell cannot be asked


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
        self._cell = copy_context()
        self._lock = threading.RLock()
        self._beat: threading.Thread | None = None

    def open(self, login: Login) -> None:
        """Show the panel in the cell that runs; again, if that was done before."""
        # Loaded while the provider is asked: both take their time
        from IPython.display import display  # noqa: PLC0415 - as said above

        from authnb.views.widget import Panel, SignUpPanel  # noqa: PLC0415 - as said above

        self._cell = copy_context()
        first = self._panel is None
        if self._panel is None:
            self._panel = (SignUpPanel if login.sign_up else Panel)(card=self._card(login))
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
        self._as_the_cell(self._update, login)

    def _as_the_cell(self, say: Callable[[Login], None], login: Login) -> None:
        """Send messages as the cell does that shows the panel.

        ipykernel 7.4 has a widget heard by the thread that heard the message in answer to which the widget last
        spoke. A cell's stays; the one of a page of JupyterLab ends with the page, and the next page is not heard.
        """
        self._cell.copy().run(say, login)

    def _update(self, login: Login) -> None:
        with self._lock:
            if self._panel is None:
                return
            if self._awaited and not login.awaited:
                self._awaited, self._missed = False, login.status != "signed_in"
            self._panel.card = self._card(login)
            self._tell(login)
            if (said := _line(login)) != self._said:
                self._said = said
                self._line.update(_bundle(said), raw=True)
            if login.status in UNDER_WAY and self._beat is None:
                self._beat = threading.Thread(
                    target=self._as_the_cell,
                    args=(self._keep_telling, login),
                    name="authnb-panel",
                    daemon=True,
                )
                self._beat.start()

    def listen(self, login: Login) -> None:
        """Nothing: what is typed comes as a message."""

    def choose(self, login: Login) -> None:
        """The panel has buttons for that."""

    def _card(self, login: Login) -> dict[str, Any]:
        return card(login, missed=self._missed, notes=self._notes, deaf=deaf(login), kernel=_kernel_id())

    def _tell(self, login: Login) -> None:
        if self._panel is not None:
            self._panel.send(live(login, missed=self._missed, notes=self._notes, deaf=deaf(login)))

    def _keep_telling(self, login: Login) -> None:
        pause = threading.Event()
        while not pause.wait(_TELL_AGAIN):
            with self._lock:
                if login.status not in UNDER_WAY:
                    self._beat = None
                    return
                self._tell(login)

    def _hear(self, login: Login, message: dict[str, Any], secret: list[memoryview]) -> None:
        """Do what was clicked. What is raised here appears nowhere, and what takes time blocks the kernel.

        What was typed comes in a buffer: a kernel that logs its messages does not log those.
        """
        deeds: dict[str, Callable[[], object]] = {
            "hello": lambda: self._as_the_cell(self._tell, login),
            # On a thread of its own: here an interrupt could stop it halfway
            "cancel": lambda: self._apart(login, login.cancel),
            "choose": lambda: login.choose(message.get("name")),
            "again": lambda: login.start_over(
                message["mode"] if message.get("mode") in login.modes else None
            ),
            "fill": lambda: login.submit_form(_read(secret)),
            "sign_out": lambda: self._apart(login, lambda: login.session.logout().problems),
            "place": lambda: login.report(message),
            "reach": lambda: login.report_reached(reached=message.get("reached") is True),
            "back": lambda: self._apart(login, lambda: _refused(login)),
            "redirect": lambda: self._apart(
                login, lambda: login.submit_redirect(_read(secret).get("address", ""))
            ),
        }
        if (deed := message.get("do")) in {"choose", "again"}:
            self._notes = ""
        deeds.get(str(deed), lambda: None)()

    def _apart(self, login: Login, deed: Callable[[], Iterable[str] | None]) -> None:
        """Do it on a thread of its own; what is left to say, or why it failed, is shown."""

        def work() -> None:
            try:
                self._notes = " ".join(deed() or ())
            except AuthnbError as error:
                self._notes = error.description
            self.update(login)

        threading.Thread(target=work, name="authnb-panel-deed", daemon=True).start()


def _read(secret: list[memoryview]) -> dict[str, str]:
    """What was typed, of the texts in a message's buffer."""
    typed = json.loads(bytes(secret[0])) if secret else {}
    return {str(name): str(value) for name, value in typed.items()}


def deaf(login: Login) -> str | None:
    """Why this kernel hears no click while the cell waits, or None if it does.

    Before 7 a kernel does one thing after the other. From 7.1 on, messages of widgets are heard beside a cell,
    but for one that blocks: 7.4 binds them to its thread.
    """
    version: tuple[int, ...] = getattr(sys.modules.get("ipykernel"), "version_info", (7, 3))[:2]
    if not login.awaited or (version >= (7,) and not (login.blocks and version >= (7, 4))):
        return None
    why = f"ipykernel {'.'.join(map(str, version))} hears no click but Cancel while this cell waits. "
    if version >= (7,):
        return f"{why}Use await in place of wait()."
    signin = "signup" if login.sign_up else "login"
    return (
        f"{why}Upgrade it (pip install -U ipykernel) and restart the kernel; or do not wait in the cell: begin with "
        f"signin = authnb.{signin}(…), and show signin on the last line."
    )


def unsupported_kernel() -> str | None:
    """Why the panel cannot work in this kernel, or None."""
    version = getattr(sys.modules.get("ipykernel"), "__version__", "")
    if not version.startswith("7.0."):
        return None
    return (
        f"ipykernel {version} cannot update widgets from a thread, so the sign-in is shown without the panel. "
        "Upgrade it: pip install -U ipykernel, then restart the kernel."
    )


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
