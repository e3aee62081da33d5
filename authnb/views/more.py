"""The texts of a sign-in that asks for more than was granted (`authnb.signin.step_up`), for the card and as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from authnb.transport.text import printable
from authnb.views.elements import action_button, muted, row

if TYPE_CHECKING:
    from authnb.signin.login import Login
    from authnb.views.elements import Node

_SHORT, _LONG = 60, 300  # characters of what is asked for, in a title and elsewhere
_TITLES = {
    "starting": "More is asked for at {host}",
    "waiting": "More is asked for at {host}",
    "signed_in": "Signed in at {host}",
    "signed_out": "Signed out of {host}",
    "access_denied": "You declined at {host}",
    "expired_token": "Nobody answered in time",
    "cancelled": "Nothing more was asked for",
    "login_required": "Your sign-in at {host} has ended",
}
_ENDED = {"failed", "cancelled"}


def asked_for(step_up: Any, length: int = _LONG) -> str:
    """What is asked for, in one line of at most that many characters; ``step_up``: of `authnb.session.step_up`."""
    words = printable(step_up.words, length + 1)
    return words if len(words) <= length else words[: length - 1] + "…"


def step_up_title(login: Login, phase: str) -> str:
    """The title of the card."""
    if phase == "choosing":
        words = asked_for(login.step_up)
        return f"This API asks for more: {words}" if len(words) <= _SHORT else "This API asks for more"
    kind = login.error.error if login.error is not None else phase
    return _TITLES.get(kind, "Asking for more at {host} did not work").format(host=login.host)


def step_up_subtitle(login: Login, phase: str) -> str:
    """The line below it."""
    if phase in _ENDED:
        ended = login.error is not None and login.error.error == "login_required"
        return "Run the cell that signs in again." if ended else "You stay signed in, as before."
    if phase == "choosing":
        return f"{login.asked_by} refused a call"
    return f"{login.account.client_id} asks for {asked_for(login.step_up)}"


def offer(login: Login) -> list[Node | None]:
    """What a person can do about a refused call."""
    step_up: Any = login.step_up
    words, unlisted = asked_for(step_up), " ".join(step_up.unlisted)
    warning = (
        f"{login.host} does not list {printable(unlisted, _LONG)} among the scopes that it knows. Ask for it only if "
        "you expected this."
    )
    label = next(iter(login.choices), "")
    return [
        ["p", {}, f"It wants {words}."] if len(words) > _SHORT else None,
        muted(warning) if unlisted else None,
        row(
            action_button(label, "authnb-primary", "choose", name=label),
            action_button("Not now", "authnb-plain", "cancel", pending="Cancelling …"),
        ),
        muted(
            f"You are asked for it at {login.host}, where you signed in, and keep what you granted before. Nothing "
            "changes until you agree."
        ),
    ]


def offer_lines(login: Login) -> list[str]:
    """The same as text, where nothing can be clicked."""
    return [
        f"{login.asked_by} asks for more: {asked_for(login.step_up)}. The error of the call says how to get it."
    ]
