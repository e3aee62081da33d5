"""The protocol between a `Login` and what displays it (`authnb.views`)."""

from __future__ import annotations

from typing import Protocol, TypeVar

L_contra = TypeVar("L_contra", contravariant=True)  # authnb.signin.login.Login, which uses this module


class View(Protocol[L_contra]):
    """Displays a `Login`. Its methods are called on the thread of the cell or script that shows or awaits it.

    ``shows_forms``: whether a person can fill in a `Form` there.
    """

    shows_forms: bool

    def open(self, login: L_contra) -> object:
        """Display it for the first time; unless it is `awaited`, keep what is displayed up to date.

        What it gives is for a front end that displays results by itself.
        """

    def update(self, login: L_contra) -> None:
        """Display the current state."""

    def must_ask(self) -> bool:
        """Whether the person is to confirm a sign-in, as another page may have finished it (`Login.confirm`)."""

    def poll(self, login: L_contra) -> None:
        """Called several times a second by whoever waits: read what the person types, if the view reads input.

        It may block: for the choice of a provider (`Login.choose`) and the pasted redirect (`Login.submit_redirect`).
        """
