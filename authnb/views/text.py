"""The plain views: lines of text in a terminal, the same as simple HTML in a notebook."""

from __future__ import annotations

import threading
from contextvars import copy_context
from html import escape
from typing import TYPE_CHECKING, Any

from authnb.errors import AuthnbError
from authnb.transport.text import printable
from authnb.views.elements import where_to_open
from authnb.views.more import asked_for, offer_lines
from authnb.views.prompt import ask_choice, notebook_lines, prompt_for_address, say, terminal_lines

if TYPE_CHECKING:
    from authnb.flows.steps import Verification
    from authnb.signin.login import Login

NAME, _LINE = 80, 8000  # characters of a person's name, and of a line
_PASTE_HINT = (
    "Sign in there. Your browser then shows an error page: copy its whole address and paste it here."
)
_RENEWED = "The address above expires. If you have not opened it yet, open this one:"
# An output cannot be removed; panel.css hides this one
_NOTHING = {"text/plain": "", "text/html": '<div class="authnb-text"></div>'}


def text_lines(login: Login, *, with_name: bool = True) -> list[str]:
    """The state of a sign-in as printable lines, safe for a terminal; ``with_name=False`` where the text is saved."""
    return [printable(line, _LINE) for line in _lines(login, with_name=with_name)]


def _lines(login: Login, *, with_name: bool) -> list[str]:
    """The state of a sign-in in plain sentences. The URL to open stands alone on its line."""
    host = login.host
    if login.status == "choosing":
        choices = [f"{number}  {name}" for number, name in enumerate(login.choices, 1)]
        asked = ["Where do you want to sign in?", *login.provenance, *choices]
        return offer_lines(login) if login.asked_by else asked
    verification = _verification(login)
    aim = "sign in" if login.step_up is None else f"allow {asked_for(login.step_up)}"
    if verification is None and login.status in {"starting", "waiting"}:
        return [f"Signing in at {host} …", *([login.pending] if login.pending else [])]
    if verification is not None:
        page = verification.sign_up_uri
        first = [f"Create an account at {host} first, on this page:", page] if page else []
        if verification.user_code is None:
            text = [*first, f"To {aim} at {host}, open this address in your browser:", verification.uri]
            return [
                *login.provenance,
                *text,
                *([_PASTE_HINT] if login.mode == "paste" else []),
                *_reason(login),
            ]
        where = where_to_open(verification.uri)
        text = [*first, f"To {aim} at {host}, open this address {where}:", verification.uri]
        text.append(f"and enter the code {verification.user_code}")
        text.append("Only go on if you started this sign-in yourself.")
        return [*login.provenance, *text, *_reason(login)]
    if login.status == "signed_in":
        remembered = " (remembered)" if login.remembered else ""
        more = "" if login.step_up is None else f", with {asked_for(login.step_up)}"
        text = [f"Signed in{_user_suffix(login) if with_name else ''} at {host}{remembered}{more}."]
        if (missing := missing_scope(login)) is not None:
            text.append(missing)
        if login.not_stored is not None:
            text.append(f"This sign-in will not be remembered. {login.not_stored.description}")
        return text
    return [str(login.error)]


def missing_scope(login: Login) -> str | None:
    """What of the requested scope was not granted, and how to ask for it, as a sentence; None if all was."""
    if not (missing := " ".join(login.not_granted)):
        return None
    return (
        f"{login.host} did not grant {missing}. Calls that need it will be refused; to ask for it again: "
        f"api = await api.ask_for({missing!r})."
    )


def html(login: Login) -> str:
    """The same as simple HTML, without scripts or styles."""
    host = escape(login.host)
    if (verification := _verification(login)) is not None:
        address = escape(verification.uri_complete or verification.uri)
        link = f'<a href="{address}" target="_blank" rel="noopener noreferrer">'
        page = verification.sign_up_uri
        first = f'<a href="{escape(page)}" target="_blank" rel="noopener noreferrer">' if page else ""
        first = f"<p>{first}<b>Create an account at {host}</b></a> first. Then:</p>" if page else ""
        if login.provenance:
            first = f"<p>{escape(' '.join(login.provenance))}</p>{first}"
        if verification.user_code is None:
            then = "Waiting for you to sign in there. This notebook goes on by itself."
            then = " ".join([_PASTE_HINT if login.mode == "paste" else then, *_reason(login)])
            return f"{first}<p>{link}<b>Sign in at {host}</b></a></p><p>{escape(then)}</p>"
        page, where = escape(verification.uri), where_to_open(verification.uri)
        return (
            f"{first}<p>{link}<b>Sign in at {host}</b></a>, or open <code>{page}</code> {where} and enter the "
            f"code <b><code>{escape(verification.user_code)}</code></b></p>"
            "<p>Waiting for you to sign in there. Only go on if you started this sign-in yourself. "
            f"{escape(' '.join(_reason(login)))}</p>"
        )
    text = "<br>".join(escape(line) for line in text_lines(login, with_name=False))
    return f"<p>{text}</p>"


class TerminalView:
    """Prints each new state, in the thread that waits."""

    shows_forms = False

    def __init__(self) -> None:
        self._shown: list[str] | None = None
        self._opened: str | None = None  # the state of the request whose address was printed
        self._asked = False

    def open(self, login: Login) -> None:
        """Print nothing yet: the next state follows within a second. Unless the caller waits, from its thread."""
        if not login.awaited:
            login.observe(self.update)

    def update(self, login: Login) -> None:
        """Print the state once; of an address that replaces one which expires, no more than that."""
        text, verification = text_lines(login), _verification(login)
        # An error is raised right after, and says the same
        if text != self._shown and (login.pending or login.status in {"waiting", "signed_in"}):
            opened, self._opened = self._opened, None if verification is None else verification.state
            renewed = verification is not None and opened is not None and opened == self._opened
            say([_RENEWED, printable(verification.uri, _LINE)] if verification and renewed else text)
        self._shown = text

    def must_ask(self) -> bool:
        """No: nothing is known of other pages."""
        return False

    def poll(self, login: Login) -> None:
        """Print a new state; ask for a choice by number, and for the pasted redirect in the mode ``paste``."""
        self.update(login)
        if login.status == "choosing":
            say(text_lines(login))
            ask_choice(login)
        elif login.status == "waiting" and not self._asked:
            self._asked = True
            prompt_for_address(login, terminal_lines(login, self.update))


class NotebookView:
    """Outputs with the state of a sign-in: a new one whenever the person has to act, updated once they have.

    Not every front end applies updates (Qt Console, Spyder and Jupyter Console do not). ``note``: beside a panel,
    why the person has to act here; then nothing else is displayed.
    """

    shows_forms = False

    def __init__(self, note: str = "") -> None:
        self._note = note
        self._handle: Any = None
        self._shown: dict[str, str] | None = None
        self._asked = self._observing = self._closed = False
        self._cell = copy_context()
        self._lock = threading.RLock()

    def open(self, login: Login) -> None:
        """Display the state in the running cell, once there is something to do."""
        self._cell = copy_context()
        with self._lock:
            self._replace(_NOTHING)
            self._handle = self._shown = None
        if self._observing:
            self.update(login)
        else:
            self._observing = True
            login.observe(self.update)

    def update(self, login: Login) -> None:
        """Display the current state, from any thread, in the cell that shows the sign-in."""
        self._cell.copy().run(self._update, login)

    def close(self) -> None:
        """Remove what is displayed: another view shows it."""
        with self._lock:
            self._closed = True
            self._replace(_NOTHING)

    def _update(self, login: Login) -> None:
        from IPython.display import display  # noqa: PLC0415 - there is a kernel, so it is loaded

        acts = login.status == "choosing" or _verification(login) is not None
        bundle = _mime_bundle(login, self._note) if acts or not self._note else _NOTHING
        with self._lock:
            if self._closed or bundle == self._shown:
                return
            if not acts and self._handle is not None:
                self._replace(bundle)
            elif acts or (not self._note and (login.pending or login.status != "starting")):
                self._replace(_NOTHING)
                self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call] # IPython's
            self._shown = bundle

    def _replace(self, bundle: dict[str, str]) -> None:
        if self._handle is not None:
            self._handle.update(bundle, raw=True)

    def must_ask(self) -> bool:
        """No: nothing is known of other pages."""
        return False

    def poll(self, login: Login) -> None:
        """Ask for a choice by number, and for the pasted redirect in the mode ``paste``."""
        if login.status == "choosing":
            ask_choice(login)
        elif login.status == "waiting" and not self._asked:
            self._asked = True
            prompt_for_address(login, notebook_lines())


def _verification(login: Login) -> Verification | None:
    """What the person has to open, if the sign-in waits for that."""
    if login.status != "waiting" or login.form is not None:
        return None
    try:
        return login.verification(0)
    except (AuthnbError, TimeoutError):
        return None  # ended or restarted meanwhile; the next state follows


def _mime_bundle(login: Login, note: str) -> dict[str, str]:
    lines = [*text_lines(login, with_name=False), *([note] if note else [])]
    text = html(login) + (f"<p>{escape(note)}</p>" if note else "")
    return {
        "text/plain": "\n".join(lines),
        "text/html": f'<div class="authnb-text">{text}</div>' if note else text,
    }


def _reason(login: Login) -> list[str]:
    """Why this mode, unless it is the ordinary one."""
    return [login.reason] if login.reason and login.mode != "loopback" else []


def _user_suffix(login: Login) -> str:
    user = login.session.user or {}
    name = user.get("name") or user.get("preferred_username") or user.get("email")
    return f" as {printable(name, NAME)}" if name else ""
