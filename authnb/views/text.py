"""The plain views: a few lines in a terminal, the same as simple HTML in a notebook."""

from __future__ import annotations

import sys
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from authnb.signin import Login


_BY_HAND = "Sign in there. You end on a page that cannot be shown: copy its whole address and paste it here."


def lines(login: Login) -> list[str]:
    """Where a sign-in is, in plain sentences. The address to open stands alone on its line."""
    host = login.host
    if login.status in {"starting", "choosing"}:
        choices = [f"{number}  {name}" for number, name in enumerate(login.choices, 1)]
        asks = login.status == "choosing"
        return ["Where do you want to sign in?", *choices] if asks else [f"Signing in at {host} …"]
    if login.status == "waiting":
        verification = login.verification()
        page = verification.sign_up_uri
        first = [f"Create an account at {host} first, on this page:", page] if page else []
        if verification.user_code is None:
            text = [*first, f"To sign in at {host}, open this address in your browser:", verification.uri]
            return [*text, *([_BY_HAND] if login.mode == "paste" else []), *_reason(login)]
        text = [*first, f"To sign in at {host}, open this address on any device:", verification.uri]
        text.append(f"and enter the code {verification.user_code}")
        text.append("Only go on if you started this sign-in yourself.")
        return [*text, *_reason(login)]
    if login.status == "signed_in":
        remembered = " (remembered)" if login.remembered else ""
        text = [f"Signed in{_as_whom(login)} at {host}{remembered}."]
        if login.not_stored is not None:
            text.append(f"This sign-in will not be remembered. {login.not_stored.description}")
        return text
    return [str(login.error)]


def html(login: Login) -> str:
    """The same as simple HTML: no script, no style of its own but a little room."""
    host = escape(login.host)
    if login.status == "waiting":
        verification = login.verification()
        address = escape(verification.uri_complete or verification.uri)
        link = f'<a href="{address}" target="_blank" rel="noopener noreferrer">'
        page = verification.sign_up_uri
        first = f'<a href="{escape(page)}" target="_blank" rel="noopener noreferrer">' if page else ""
        first = f"<p>{first}<b>Create an account at {host}</b></a> first. Then:</p>" if page else ""
        if verification.user_code is None:
            then = "Waiting for you to sign in there. This notebook goes on by itself."
            then = " ".join([_BY_HAND if login.mode == "paste" else then, *_reason(login)])
            return f"{first}<p>{link}<b>Sign in at {host}</b></a></p><p>{escape(then)}</p>"
        page = escape(verification.uri)
        return (
            f"{first}<p>{link}<b>Sign in at {host}</b></a>, or open <code>{page}</code> on any device and enter the "
            f"code <b><code>{escape(verification.user_code)}</code></b></p>"
            "<p>Waiting for you to sign in there. Only go on if you started this sign-in yourself. "
            f"{escape(' '.join(_reason(login)))}</p>"
        )
    text = "<br>".join(escape(line) for line in lines(login))
    return f"<p>{text}</p>"


class TerminalView:
    """Prints each new state, in the thread that waits."""

    shows_forms = False

    def __init__(self) -> None:
        self._shown: list[str] | None = None

    def open(self, login: Login) -> None:
        """Nothing yet: what is sure to follow within a second needs no line of its own."""

    def update(self, login: Login) -> None:
        """Print the state, unless it was printed already."""
        text = lines(login)
        # An error is raised right after, and says the same
        if text != self._shown and login.status in {"waiting", "signed_in"}:
            print("\n".join(text), file=sys.stderr, flush=True)  # noqa: T201 - this is what it is for
        self._shown = text

    def listen(self, login: Login) -> None:
        """Take the address a person ended on, where that is the way."""
        from authnb.views.typed import take_address, terminal_line  # noqa: PLC0415 - only where it is typed

        take_address(login, terminal_line)

    def choose(self, login: Login) -> str | None:
        """Let the person name one by its number."""
        return _ask_which(login)


class NotebookView:
    """One output that changes as the sign-in goes on."""

    shows_forms = False

    def __init__(self) -> None:
        self._handle: Any = None
        self._shown: dict[str, str] | None = None

    def open(self, login: Login) -> None:
        """Show the state now, in the cell that runs."""
        from IPython.display import display  # noqa: PLC0415 - there is a kernel, so it is loaded

        self._shown = _bundle(login)
        self._handle = display(self._shown, raw=True, display_id=True)  # type: ignore[no-untyped-call] # IPython's

    def update(self, login: Login) -> None:
        """Change what is shown."""
        bundle = _bundle(login)
        if bundle != self._shown:
            self._shown = bundle
            self._handle.update(bundle, raw=True)

    def listen(self, login: Login) -> None:
        """Take the address a person ended on, where that is the way."""
        from authnb.views.typed import notebook_line, take_address  # noqa: PLC0415 - only where it is typed

        take_address(login, notebook_line)

    def choose(self, login: Login) -> str | None:
        """Let the person name one by its number."""
        return _ask_which(login)


def _ask_which(login: Login) -> str:
    names = list(login.choices)
    print("\n".join(lines(login)), file=sys.stderr, flush=True)  # noqa: T201 - the question
    while True:
        answer = input("Number: ").strip()
        if answer in names:
            return answer
        if answer.isdecimal() and 0 < int(answer) <= len(names):
            return names[int(answer) - 1]


def _bundle(login: Login) -> dict[str, str]:
    return {"text/plain": "\n".join(lines(login)), "text/html": html(login)}


def _reason(login: Login) -> list[str]:
    """Why this way, unless it is the ordinary one."""
    return [login.why] if login.why and login.mode != "loopback" else []


def _as_whom(login: Login) -> str:
    user = login.session.user or {}
    name = user.get("name") or user.get("preferred_username") or user.get("email") or user.get("sub")
    return f" as {name}" if name else ""
