"""The texts of a sign-in that asks for more than was granted (`authnb.signin.step_up`), for the card and as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from authnb.messages import N_, gettext
from authnb.transport.text import printable
from authnb.views.elements import action_button, muted, row

if TYPE_CHECKING:
    from authnb.signin.login import Login
    from authnb.views.elements import Node

_SHORT, _LONG = 60, 300  # characters of what is asked for, in a title and elsewhere
_TITLES = {
    "starting": N_("More is asked for at {host}"),
    "waiting": N_("More is asked for at {host}"),
    "signed_in": N_("Signed in at {host}"),
    "signed_out": N_("Signed out of {host}"),
    "access_denied": N_("You declined at {host}"),
    "expired_token": N_("Nobody answered in time"),
    "cancelled": N_("Nothing more was asked for"),
    "login_required": N_("Your sign-in at {host} has ended"),
}
_FAILED = N_("Asking for more at {host} did not work")
_ENDED = {"failed", "cancelled"}


def asked_for(step_up: Any, length: int = _LONG) -> str:
    """What is asked for, in one line of at most that many characters; ``step_up``: of `authnb.session.step_up`."""
    words = printable(step_up.words, length + 1)
    return words if len(words) <= length else words[: length - 1] + "…"


def step_up_title(login: Login, phase: str) -> str:
    """The title of the card."""
    if phase == "choosing":
        words = asked_for(login.step_up)
        if len(words) <= _SHORT:
            return gettext("This API asks for more: {words}", words=words)
        return gettext("This API asks for more")
    kind = login.error.error if login.error is not None else phase
    return gettext(_TITLES.get(kind, _FAILED), host=login.host)


def step_up_subtitle(login: Login, phase: str) -> str:
    """The line below it."""
    if phase in _ENDED:
        ended = login.error is not None and login.error.error == "login_required"
        return (
            gettext("Run the cell that signs in again.")
            if ended
            else gettext("You stay signed in, as before.")
        )
    if phase == "choosing":
        return gettext("{host} refused a call", host=login.asked_by)
    wanted, client = asked_for(login.step_up), login.account.client_id
    if not client:  # the caller gave none, and it was registered
        return gettext("This notebook asks for {wanted}", wanted=wanted)
    return gettext("{client} asks for {wanted}", client=client, wanted=wanted)


def offer(login: Login) -> list[Node | None]:
    """What a person can do about a refused call."""
    step_up: Any = login.step_up
    words, unlisted = asked_for(step_up), " ".join(step_up.unlisted)
    warning = gettext(
        "{host} does not list {scopes} among the scopes that it knows. Ask for it only if you expected this.",
        host=login.host,
        scopes=printable(unlisted, _LONG),
    )
    label = next(iter(login.choices), "")
    return [
        ["p", {}, gettext("It wants {words}.", words=words)] if len(words) > _SHORT else None,
        muted(warning) if unlisted else None,
        row(
            action_button(gettext(label), "authnb-primary", "choose", name=label),
            action_button(gettext("Not now"), "authnb-plain", "cancel", pending=N_("Cancelling …")),
        ),
        muted(
            gettext(
                "You are asked for it at {host}, where you signed in, and keep what you granted before. Nothing "
                "changes until you agree.",
                host=login.host,
            )
        ),
    ]


def offer_lines(login: Login) -> list[str]:
    """The same as text, where nothing can be clicked."""
    return [
        gettext(
            "{host} asks for more: {wanted}. The error of the call says how to get it.",
            host=login.asked_by,
            wanted=asked_for(login.step_up),
        )
    ]
