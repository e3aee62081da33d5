"""What each app here keeps for one visitor: a sign-in, and what else was tried."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import authnb

if TYPE_CHECKING:
    from authnb.signin.login import Login


def login(**options: Any) -> Login:
    return authnb.login(os.environ["ISSUER"], client_id=os.environ["CLIENT_ID"], **options)


class Visit:
    """A visitor's sign-in by device code, as lines of text."""

    def __init__(self) -> None:
        self._login = login(mode="device", view=None)
        self._tried = [f"With remember=True: {_error_of(remember=True)}"]
        if "PANEL" not in os.environ:
            self._tried.append(f"With view='auto': {_error_of()}")

    def begin(self) -> str:
        """What the page shows first."""
        try:
            verification = self._login.verification(60)
        except authnb.LoginFailed as error:
            first = f"{error} {self._login.session!r}"
        else:
            first = f"Open {verification.uri} and enter the code {verification.user_code}"
        return "\n\n".join([first, *self._tried])

    def finish(self) -> str:
        """What it shows once the visitor has entered the code."""
        return f"Signed in as {self._login.wait(60).user['preferred_username']}."


def _error_of(**options: Any) -> str:
    try:
        return f"none, {login(**options).wait(60)!r}"
    except (authnb.AuthnbError, ValueError) as error:
        return str(error)
