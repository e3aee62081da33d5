"""Opens the sign-in page where a browser can be started: the desktop's, or the one ``BROWSER`` names.

Everybody on a machine can read what a program was started with, and whoever reads an authorization address can
answer it in the person's place. So the browser is given a file of ours instead, which leads it there.
"""

from __future__ import annotations

import atexit
import os
import tempfile
import threading
import webbrowser
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from authnb.signin import Login

# There the browser runs on another system, which has not our files, nor others than us who look
_FOREIGN = ("WSL_DISTRO_NAME", "VSCODE_IPC_HOOK_CLI")

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Sign in</title><meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={address}">
<p><a href="{address}">Go on to sign in</a></p></html>
"""


class PageOpener:
    """Opens the page once the sign-in waits for it. Called with each change, as a watcher (see `Login.watch`)."""

    def __init__(self) -> None:
        self._file: Path | None = None

    def __call__(self, login: Login) -> None:
        """Open the page, or clean up."""
        if login.status != "waiting":
            self._remove()
        elif login.form is None:
            verification = login.verification()
            with suppress(OSError):  # no room for a file: then the person opens the address that is shown
                _open(self._hidden(verification.uri_complete or verification.uri))

    def _hidden(self, address: str) -> str:
        """The address of a file that leads there, readable to nobody else."""
        if os.name != "posix" or any(os.environ.get(name) for name in _FOREIGN):
            return address
        # Not in /tmp: a browser in a sandbox of its own has another one
        home = os.path.expanduser("~")  # noqa: PTH111 - Path.home() raises where there is none
        folder = home if os.access(home, os.W_OK) else None
        descriptor, name = tempfile.mkstemp(prefix="authnb-sign-in-", suffix=".html", dir=folder)
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - opened already, mode 0600
            file.write(_PAGE.format(address=escape(address)))
        self._file = Path(name)
        atexit.register(self._remove)
        return self._file.as_uri()

    def _remove(self) -> None:
        if self._file is not None:
            self._file.unlink(missing_ok=True)
            self._file = None
            atexit.unregister(self._remove)


def _open(address: str) -> None:
    # The standard library waits for some browsers to end; nobody else should
    threading.Thread(target=webbrowser.open, args=(address,), name="authnb-browser", daemon=True).start()
