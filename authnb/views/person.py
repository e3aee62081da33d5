"""The parts of a card that name a person: who is signed in, and whether to use a sign-in that another page finished."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from authnb.messages import N_, gettext
from authnb.transport.addresses import is_readable_address, may_be_loopback
from authnb.transport.text import printable
from authnb.views.elements import action_button, cancel, muted, row, with_nodes
from authnb.views.more import asked_for
from authnb.views.text import NAME, missing_scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authnb.signin.login import Login


def confirm(login: Login, why_asked: str) -> dict[str, Any]:
    """Ask whether to use a sign-in that another page may have finished; ``elsewhere``: the body on all but one page."""
    name = _name(login.unconfirmed or {}) or gettext("Somebody")
    question = gettext(why_asked, name=name)
    buttons = row(
        action_button(gettext("Use it"), "authnb-primary", "confirm"),
        action_button(gettext("Sign in myself"), "", "start_over"),
        cancel(),
    )
    outcomes = muted(
        gettext(
            "Use it: this notebook goes on as {name}. Sign in myself: the tokens of {name} are revoked, and you get a "
            "new link. Cancel: they are revoked, and nobody is signed in; the same without an answer in two minutes.",
            name=name,
        )
    )
    return {
        **_profile(login.unconfirmed or {}, login.host, N_("{name} signed in")),
        "text": question,
        "body": [["p", {}, question], buttons, outcomes],
        "elsewhere": [
            muted(gettext("Waiting for an answer on the page that began this sign-in.")),
            row(cancel()),
        ],
    }


def _name(user: Mapping[str, Any]) -> str:
    names = (user.get(claim) for claim in ("name", "preferred_username", "email"))
    return printable(next((name for name in names if name), ""), NAME)


def _profile(user: Mapping[str, Any], host: str, did: str | None = None) -> dict[str, Any]:
    """Title, subtitle and badge for a person; ``did``: a sentence about them as the title, in place of the name."""
    name = _name(user)
    if not name:
        return {}
    subtitle = " · ".join(filter(None, [printable(user.get("email", ""), NAME), host]))
    return {"title": gettext(did, name=name) if did else name, "subtitle": subtitle, "badge": initial(name)}


def signed_in(login: Login, *, cell_stopped: bool) -> dict[str, Any]:
    """Who is signed in and until when, with a picture if it may be loaded."""
    session, user = login.session, login.session.user or {}
    picture = user.get("picture")
    ends = session.token.get("expires_at")
    until = N_("renews by itself before {time}") if "refresh_token" in session.token else N_("until {time}")
    done = gettext("Signed in")
    if login.step_up is not None:
        done = gettext("Granted: {wanted}", wanted=asked_for(login.step_up))
    line = row(
        ["span", {}, ["span", {"class": "authnb-success", "aria-hidden": "true"}, "✓ "], done],
        *([muted(*with_nodes(until, time=["clock", {"epoch": ends}]))] if ends else []),
    )
    buttons = row(
        action_button(gettext("Sign out"), "authnb-plain", "sign_out", pending=N_("Signing out …")),
        *(
            [
                action_button(
                    gettext("Not you?"), "authnb-plain", "switch_account", pending=N_("Signing out …")
                )
            ]
            if login.step_up is None
            else []
        ),
    )
    cell_stopped = cell_stopped or bool(login.asked_by)
    again = muted(
        gettext("The call was refused. Run the cell again: it goes on without asking.")
        if login.asked_by
        else gettext("The cell had stopped. Run it again: it goes on without asking.")
    )
    left = gettext(
        "The session of before stays signed out. Run the cell that signs in: it goes on without asking."
    )
    notes = [missing_scope(login), left if login.leaves_session else ""]
    return {
        "body": [line, *(muted(note) for note in notes if note), *([again] if cell_stopped else []), buttons],
        "picture": picture if _is_picture(picture) else None,
        **_profile(user, login.host),
    }


def _is_picture(address: object) -> bool:
    """Whether the browser may load it: https, not from this machine. panel.js excludes the Jupyter server and Hub."""
    shown = is_readable_address(address) and str(address).startswith("https://")
    return shown and not may_be_loopback(str(address))


def initial(name: str) -> str:
    """What the badge shows for this name."""
    return name[0].upper() if re.match(r"[^\W\d_]", name) else "ID"
