"""The plain views: lines of text in a terminal, the same as simple HTML in a notebook."""

from __future__ import annotations

import threading
from contextvars import copy_context
from html import escape
from typing import TYPE_CHECKING, Any

from authnb.errors import AuthnbError
from authnb.messages import N_, gettext
from authnb.transport.addresses import may_be_loopback
from authnb.transport.text import printable
from authnb.views.elements import in_parts
from authnb.views.more import asked_for, offer_lines
from authnb.views.prompt import ask_choice, notebook_lines, prompt_for_address, say, terminal_lines

if TYPE_CHECKING:
    from authnb.flows.steps import Verification
    from authnb.signin.login import Login

NAME, _LINE = 80, 8000  # characters of a person's name, and of a line
_PASTE_HINT = N_(
    "Sign in there. Your browser then shows an error page: copy its whole address and paste it here."
)
_RENEWED = N_("The address above expires. If you have not opened it yet, open this one:")
_OPEN_HERE = N_("To sign in at {host}, open this address in your browser:")
_OPEN_ANYWHERE = N_("To sign in at {host}, open this address on any device:")
_ALLOW_HERE = N_("To allow {wanted} at {host}, open this address in your browser:")
_ALLOW_ANYWHERE = N_("To allow {wanted} at {host}, open this address on any device:")
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
        asked = [gettext("Where do you want to sign in?"), *login.provenance, *choices]
        return offer_lines(login) if login.asked_by else asked
    verification = _verification(login)
    if verification is None and login.status in {"starting", "waiting"}:
        return [gettext("Signing in at {host} …", host=host), *([login.pending] if login.pending else [])]
    if verification is not None:
        page = verification.sign_up_uri
        first = [gettext("Create an account at {host} first, on this page:", host=host), page] if page else []
        text = [*first, _aim(login, verification), verification.uri]
        if verification.user_code is None:
            return [
                *login.provenance,
                *text,
                *([gettext(_PASTE_HINT)] if login.mode == "paste" else []),
                *_reason(login),
            ]
        text.append(gettext("and enter the code {code}", code=verification.user_code))
        text.append(gettext("Only go on if you started this sign-in yourself."))
        return [*login.provenance, *text, *_reason(login)]
    if login.status == "signed_in":
        text = [_signed_in(login, with_name=with_name)]
        if (missing := missing_scope(login)) is not None:
            text.append(missing)
        if login.not_stored is not None:
            text.append(
                gettext("This sign-in will not be remembered. {why}", why=login.not_stored.description)
            )
        return text
    return [str(login.error)]


def _aim(login: Login, verification: Verification) -> str:
    """What to open the address for, and where: a code can be entered on any device that reaches the page."""
    here = verification.user_code is None or may_be_loopback(verification.uri)
    if login.step_up is None:
        return gettext(_OPEN_HERE if here else _OPEN_ANYWHERE, host=login.host)
    wanted = asked_for(login.step_up)
    return gettext(_ALLOW_HERE if here else _ALLOW_ANYWHERE, wanted=wanted, host=login.host)


def _signed_in(login: Login, *, with_name: bool) -> str:
    user = (login.session.user or {}) if with_name else {}
    name = printable(user.get("name") or user.get("preferred_username") or user.get("email") or "", NAME)
    where = gettext("{host} (remembered)", host=login.host) if login.remembered else login.host
    if login.step_up is None:
        if name:
            return gettext("Signed in as {name} at {host}.", name=name, host=where)
        return gettext("Signed in at {host}.", host=where)
    wanted = asked_for(login.step_up)
    if name:
        return gettext("Signed in as {name} at {host}, with {wanted}.", name=name, host=where, wanted=wanted)
    return gettext("Signed in at {host}, with {wanted}.", host=where, wanted=wanted)


def missing_scope(login: Login) -> str | None:
    """What of the requested scope was not granted, and how to ask for it, as a sentence; None if all was."""
    if not (missing := " ".join(login.not_granted)):
        return None
    return gettext(
        "{host} did not grant {missing}. Calls that need it will be refused; to ask for it again: "
        "api = await api.ask_for({missing!r}).",
        host=login.host,
        missing=missing,
    )


def html(login: Login) -> str:
    """The same as simple HTML, without scripts or styles."""
    if (verification := _verification(login)) is not None:
        first = ""
        if verification.sign_up_uri:
            create = _link(verification.sign_up_uri, gettext("Create an account at {host}", host=login.host))
            then = _html(N_("{create} first. Then:"), create=create)
            first = f"<p>{then}</p>"
        if login.provenance:
            first = f"<p>{escape(' '.join(login.provenance))}</p>{first}"
        address = verification.uri_complete or verification.uri
        link = _link(address, gettext("Sign in at {host}", host=login.host))
        if verification.user_code is None:
            then = gettext("Waiting for you to sign in there. This notebook goes on by itself.")
            sentences = [gettext(_PASTE_HINT) if login.mode == "paste" else then, *_reason(login)]
            return f"{first}<p>{link}</p><p>{escape(' '.join(sentences))}</p>"
        both = (
            N_("{link}, or open {page} in your browser and enter the code {code}")
            if may_be_loopback(verification.uri)
            else N_("{link}, or open {page} on any device and enter the code {code}")
        )
        code = f"<b><code>{escape(verification.user_code)}</code></b>"
        page = f"<code>{escape(verification.uri)}</code>"
        then = gettext("Waiting for you to sign in there. Only go on if you started this sign-in yourself.")
        return (
            f"{first}<p>{_html(both, link=link, page=page, code=code)}</p>"
            f"<p>{escape(' '.join([then, *_reason(login)]))}</p>"
        )
    text = "<br>".join(escape(line) for line in text_lines(login, with_name=False))
    return f"<p>{text}</p>"


def _link(address: str, text: str) -> str:
    return f'<a href="{escape(address)}" target="_blank" rel="noopener noreferrer"><b>{escape(text)}</b></a>'


def _html(sentence: str, **markup: str) -> str:
    """A sentence marked with `N_`, with markup in place of its placeholders."""
    parts = in_parts(sentence, *markup)
    return "".join(markup[part] if n % 2 else escape(part) for n, part in enumerate(parts))


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
            say([gettext(_RENEWED), printable(verification.uri, _LINE)] if verification and renewed else text)
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
