"""Opens the sign-in page where a browser can be started: the desktop's, or the one ``BROWSER`` names."""

from __future__ import annotations

import threading
import webbrowser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from authnb.signin import Login


def open_page(login: Login) -> None:
    """Open the page once the sign-in waits for it. A watcher (see `Login.watch`)."""
    if login.status != "waiting" or login.form is not None:
        return
    verification = login.verification()
    address = verification.uri_complete or verification.uri
    # The standard library waits for some browsers to end; nobody else should
    threading.Thread(target=webbrowser.open, args=(address,), name="authnb-browser", daemon=True).start()
