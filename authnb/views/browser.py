"""Opens the sign-in page in the desktop's browser, or the one ``BROWSER`` names.

Command lines are visible to every user of the machine, and whoever reads an authorization URL can answer it in the
person's place. So the browser is given a private file that redirects to it.
"""

from __future__ import annotations

import atexit
import os
import re
import tempfile
import threading
import webbrowser
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from authnb import compat
from authnb.messages import current_language, gettext
from authnb.signin.presence import interaction_required
from authnb.storage.leftovers import PRIVATE_FILE, remove_leftovers

if TYPE_CHECKING:
    from authnb.signin.login import Login

# Here the browser runs on another system: it cannot read our files, and nobody else sees its command line
_BROWSER_ELSEWHERE = ("WSL_DISTRO_NAME", "VSCODE_IPC_HOOK_CLI")

_PREFIX, _SUFFIX = "authnb-sign-in-", ".html"
_NAME = re.compile(rf"{_PREFIX}[a-z0-9_]{{8}}{_SUFFIX}")

_REDIRECT_PAGE = """<!doctype html>
<html lang="{language}"><meta charset="utf-8"><title>{title}</title><meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={address}">
<p><a href="{address}">{text}</a></p></html>
"""


class PageOpener:
    """Opens the page once the sign-in waits for it. An observer (see `Login.observe`).

    ``alone``: whether no text reaches a person, so that a sign-in whose page does not open has failed.
    """

    def __init__(self, *, alone: bool = False) -> None:
        self._alone = alone
        self._file: Path | None = None
        self._opened: str | None = None  # the state of the request whose page was opened

    def __call__(self, login: Login) -> None:
        """Open the page, or delete the file."""
        if login.status != "waiting":
            self._opened = None
            self._remove()
        elif login.form is None:
            verification, url = login.verification(), None
            if verification.state is not None and verification.state == self._opened:
                return  # a new address of the page that the person has open
            self._opened = verification.state
            with suppress(OSError):  # no room for a file
                url = self._private_url(verification.uri_complete or verification.uri)
            # webbrowser.open blocks until some browsers exit
            threading.Thread(target=self._open, args=(login, url), name="authnb-browser", daemon=True).start()

    def _open(self, login: Login, url: str | None) -> None:
        opened = False
        with suppress(ValueError, webbrowser.Error):  # ValueError: BROWSER with an unmatched quote
            opened = url is not None and webbrowser.open(url)
        if self._alone and not opened:
            why = gettext("the browser did not start, with no terminal or notebook to show the link in.")
            login.fail(interaction_required(why))

    def _private_url(self, address: str) -> str:
        """The URL of a file, readable by its owner only, that redirects to ``address``."""
        if not compat.HAS_PUBLIC_COMMAND_LINES or any(os.environ.get(name) for name in _BROWSER_ELSEWHERE):
            return address
        # Not in /tmp: a sandboxed browser has its own
        home = os.path.expanduser("~")  # noqa: PTH111 - Path.home() raises where there is none
        folder = home if os.access(home, os.W_OK) else None
        remove_leftovers(Path(folder or tempfile.gettempdir()), _NAME, PRIVATE_FILE)
        descriptor, name = tempfile.mkstemp(prefix=_PREFIX, suffix=_SUFFIX, dir=folder)
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - opened already, mode 0600
            file.write(
                _REDIRECT_PAGE.format(
                    language=current_language(),
                    title=escape(gettext("Sign in")),
                    address=escape(address),
                    text=escape(gettext("Go on to sign in")),
                )
            )
        self._file = Path(name)
        atexit.register(self._remove)
        return self._file.as_uri()

    def _remove(self) -> None:
        if self._file is not None:
            self._file.unlink(missing_ok=True)
            self._file = None
            atexit.unregister(self._remove)
