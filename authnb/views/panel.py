"""The sign-in panel: one card in the notebook.

State reaches the browser in two ways. The synced trait ``card`` holds what may be saved with the notebook: the phase,
the host, texts. Everything else is sent as a custom message and never synced: URLs (they hold the state), the user
code, who signed in. The browser sends custom messages only; form values in them are passed on and not kept.
"""

from __future__ import annotations

import json
import threading
import time
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Protocol

from authnb.errors import AuthnbError, LoginFailed
from authnb.messages import follow_front_end, gettext, speaking, translated
from authnb.signin.modes import FORM
from authnb.signin.presence import ANSWER_TIMEOUT
from authnb.transport.text import printable_tree
from authnb.views.card import IN_PROGRESS, card, live_card
from authnb.views.jupyter import JupyterOutput
from authnb.views.pages import Pages, current_run, make_way, replace_in_cell
from authnb.views.text import NotebookView, text_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from authnb.signin.login import Login
    from authnb.views.widget import Panel

_RESEND_INTERVAL = 1.0  # seconds; a kernel busy with the waiting cell answers no message


class PanelOutput(Protocol):
    """Where the panel appears: in a Jupyter notebook or in a marimo notebook.

    ``refused``: whether a front end that is there knows no widgets; ``one_person``: whether all pages are of one
    person or of several who share a kernel, not of visitors.
    """

    refused: bool
    one_person: bool

    def show(self, panel: Panel, text: str) -> object:
        """Display the panel in the running cell; ``text`` says the same where no widget is shown."""

    def update(self, text: str) -> None:
        """Replace the text."""

    def why_clicks_unheard(self, login: Login) -> str | None:
        """Why this kernel processes no click while the cell waits, or None if it does."""

    def page(self) -> dict[str, str | None]:
        """What panel.js is told about the page: how to interrupt the kernel; ``busy``: what to do if that fails."""

    def on_phase_shown(self, login: Login) -> None:
        """A page shows a new phase of the card."""

    def why_no_answer(self, login: Login) -> str | None:
        """Why no front end may have answered the panel, and the remedy, in sentences; None where all show panels."""


class PanelView:
    """Shows a `Login` as a panel; as text where no front end answers that it runs the panel."""

    shows_forms = True

    def __init__(self, output: PanelOutput | None = None) -> None:
        self._output: PanelOutput = output or JupyterOutput()
        self._panel: Panel | None = None
        self._answered = False
        self._text: NotebookView | None = None  # where no front end answers
        self._announced = ""
        self._awaited = False
        self._cell_stopped = False  # the waiting cell stopped without a session
        self._notes = ""  # messages of the last action
        self._cell = copy_context()
        self._pages = Pages()
        self._language: str | None = None  # of the page that came last
        self._lock = threading.RLock()
        self._heartbeat: threading.Thread | None = None

    def open(self, login: Login) -> object:
        """Display the panel in the running cell; again, if it was displayed before."""
        # Imported while the provider is contacted: it takes its time
        from authnb.views.widget import Panel, SignUpPanel  # noqa: PLC0415 - as said above

        self._cell, run = copy_context(), current_run()
        self._pages.session = run.session
        replace_in_cell(login, run)
        first = self._panel is None
        if self._panel is None or self._panel.comm is None:  # closed
            self._panel = (SignUpPanel if login.sign_up else Panel)(card=self._card(login))
            self._panel.on_msg(lambda _panel, message, buffers: self._on_message(login, message, buffers))
        self._awaited, self._cell_stopped = login.awaited, False
        self._announced = _summary(login)
        shown = self._output.show(self._panel, self._announced)
        if first:
            login.observe(self.update)
        else:
            self.update(login)
        return shown

    def update(self, login: Login) -> None:
        """Update the panel and the text output, from any thread."""
        self._in_cell_context(self._update, login)

    def _in_cell_context(self, send: Callable[[Login], None], login: Login) -> None:
        """Send messages in the context of the cell that displays the panel.

        ipykernel 7.4 routes a widget's messages to the subshell of the parent message of what the widget last sent.
        The main shell stays; a subshell of a JupyterLab page ends with the page, and messages of the next are lost.
        """
        self._cell.copy().run(send, login)

    def _update(self, login: Login) -> None:
        with self._lock:
            if self._panel is None:
                return
            if self._awaited and not login.awaited:
                self._awaited, self._cell_stopped = False, login.status != "signed_in"
            self._panel.card = self._card(login)
            self._notify(login)
            if (text := _summary(login)) != self._announced:
                self._announced = text
                self._output.update(text)
            if login.status in IN_PROGRESS and self._heartbeat is None:
                self._heartbeat = threading.Thread(
                    target=self._in_cell_context,
                    args=(self._send_periodically, login),
                    name="authnb-panel",
                    daemon=True,
                )
                self._heartbeat.start()

    def poll(self, login: Login) -> None:
        """Nothing, as long as a page may answer: what a person chooses or pastes there arrives as a message."""
        if self._text is not None:
            self._text.poll(login)

    def must_ask(self) -> bool:
        """Whether another page than the one that began the sign-in may have finished it."""
        return self._pages.must_ask()

    def _card(self, login: Login) -> dict[str, Any]:
        with speaking(self._language) as language:
            described = card(
                login,
                cell_stopped=self._cell_stopped,
                notes=self._notes,
                clicks_unheard=self._output.why_clicks_unheard(login),
                page=self._output.page(),
            )
            described = translated(described, language)
        return dict(printable_tree(described))

    def _notify(self, login: Login) -> None:
        if self._panel is None:
            return
        with speaking(self._language) as language:
            described = live_card(
                login,
                cell_stopped=self._cell_stopped,
                notes=self._notes,
                clicks_unheard=self._output.why_clicks_unheard(login),
                why_asked=self._pages.why_asked,
            )
            pages = {"several": self._pages.several, "asked": self._pages.asked}
            described = {**translated(described, language), **pages, "panel": self._panel.model_id}
            self._panel.send(printable_tree(described))

    def _send_periodically(self, login: Login) -> None:
        pause, began = threading.Event(), time.monotonic()
        while not pause.wait(_RESEND_INTERVAL):
            login.end_offer()
            with self._lock:
                if login.status not in IN_PROGRESS:
                    self._heartbeat = None
                    return
                if self._panel is not None:
                    # Another sign-in may have changed how the host is shown
                    self._panel.card = self._card(login)
                self._notify(login)
            login.answered = login.answered or self._output.refused
            unanswered = time.monotonic() - (login.shown_since or began) > ANSWER_TIMEOUT
            if not self._answered and (self._output.refused or unanswered):
                self._go_on_as_text(login)

    def _go_on_as_text(self, login: Login) -> None:
        """Go on without the panel, or end the sign-in if nothing shows that a person is there."""
        if (why := self._output.why_no_answer(login)) is None or login.fail_unanswered(why):
            return
        if login.asked_by and login.status == "choosing":  # the error of the call says it in words
            login.cancel()
            return
        with self._lock:
            if self._answered:
                return
            if self._text is None:
                self._text = NotebookView(why)
                self._cell.copy().run(self._text.open, login)
        if login.form is not None and login.awaited and self._output.why_clicks_unheard(login) is None:
            pages = [mode for mode in login.modes if mode != FORM]
            if pages:
                login.start_over(pages[0])
            else:
                text = gettext(
                    "{host} creates accounts with a form that only the panel shows. {why}",
                    host=login.host,
                    why=why,
                )
                login.fail(LoginFailed("not_supported", text))

    def _on_message(self, login: Login, message: dict[str, Any], buffers: list[memoryview]) -> None:
        """Dispatch a message of the panel. Exceptions raised here are lost, and slow work blocks the kernel.

        Form values come in a binary buffer: a kernel that logs message content does not log those.
        """
        actions: dict[str, Callable[[], object]] = {
            "ready": lambda: self._welcome(login, message.get("language")),
            "phase_shown": lambda: self._output.on_phase_shown(login),
            "confirm": lambda: self._confirm(login, message.get("page_id")),
            # On threads of their own: an interrupt could stop them halfway here
            "replaced": lambda: self._in_background(login, lambda: make_way(login)),
            "cancel": lambda: self._in_background(login, lambda: self._cancel(login, message.get("page_id"))),
            "choose": lambda: login.choose(message.get("name")),
            "start_over": lambda: login.start_over(
                message["mode"] if message.get("mode") in login.modes else None
            ),
            "submit_form": lambda: login.submit_form(_values(buffers)),
            "sign_out": lambda: self._in_background(login, lambda: login.session.logout().problems),
            "switch_account": lambda: self._in_background(login, login.switch_account),
            "report_server": lambda: login.report(message),
            "report_loopback": lambda: login.report_loopback(reached=message.get("reached") is True),
            "check_redirect": lambda: self._in_background(login, lambda: _on_return(login)),
            "submit_redirect": lambda: self._in_background(
                login, lambda: login.submit_redirect(_values(buffers).get("address", ""))
            ),
        }
        with self._lock:
            self._answered = login.answered = True
            if self._text is not None:
                self._text.close()
                self._text = None
        self._pages.on_message(message, current_run().session)
        if (action := message.get("action")) in {"choose", "start_over"}:
            self._notes = ""
        actions.get(str(action), lambda: None)()

    def _welcome(self, login: Login, language: object) -> None:
        """A page shows the panel: speak its language from now on, to all pages that do."""
        if isinstance(language, str) and language:
            self._language = language
            if self._output.one_person:
                follow_front_end(language)
            self.update(login)
        else:
            self._in_cell_context(self._notify, login)

    def _confirm(self, login: Login, page: object) -> None:
        """Use the sign-in, if this page is the one that was asked."""
        if self._pages.asked in {None, page}:
            login.confirm()

    def _cancel(self, login: Login, page: object) -> list[str]:
        """Cancel the sign-in; on the page that began it, say that another one did."""
        elsewhere = self._pages.asked not in {None, page}
        login.cancel()
        return [gettext("Another page that shares this kernel cancelled it.")] if elsewhere else []

    def _in_background(self, login: Login, action: Callable[[], Iterable[str] | None]) -> None:
        """Run the action on its own thread; messages it returns, or its error, are shown."""

        def work() -> None:
            try:
                self._notes = " ".join(action() or ())
            except AuthnbError as error:
                self._notes = error.description
            self.update(login)

        threading.Thread(target=work, name="authnb-panel-action", daemon=True).start()


def _values(buffers: list[memoryview]) -> dict[str, str]:
    """The form values in a message's buffer."""
    values = json.loads(bytes(buffers[0])) if buffers else {}
    return {str(name): str(value) for name, value in values.items()}


def _summary(login: Login) -> str:
    if login.status == "waiting":
        if login.form:
            return gettext("Waiting for somebody to sign up at {host}.", host=login.host)
        return gettext("Waiting for somebody to sign in at {host}.", host=login.host)
    return " ".join(text_lines(login, with_name=False))


def _on_return(login: Login) -> list[str]:
    """The person came back to the panel without having signed in: have a fresh address, and say what is wrong."""
    login.report_return()
    address = login.refused_redirect()
    if address is None:
        return []
    return [
        gettext(
            "{host} sends no answer to {address}. Have that address registered there, or take another way.",
            host=login.host,
            address=address,
        )
    ]
