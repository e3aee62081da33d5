"""The card of a sign-in as plain data: sentences, and a tree of elements that panel.js draws."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from authnb.errors import AuthnbError
from authnb.views.elements import ELSEWHERE, cancel, copy, deed, link, quiet, row
from authnb.views.form import form_of

if TYPE_CHECKING:
    from authnb.flows import Verification
    from authnb.signin import Login
    from authnb.views.elements import Node

UNDER_WAY = {"starting", "choosing", "waiting"}
_SCOPES = {
    "openid": "",
    "profile": "your name",
    "email": "your e-mail address",
    "address": "your postal address",
    "phone": "your phone number",
    "offline_access": "staying signed in while you are away",
}
_TITLES = {
    "starting": "Sign in to {host}",
    "choosing": "Where do you want to sign in?",
    "waiting": "Sign in to {host}",
    "sign_up": "Create an account at {host}",
    "signed_in": "Signed in at {host}",
    "signed_out": "Signed out of {host}",
    "failed": "Signing in at {host} did not work",
}
# What needs no more words than these; the whole story is in the details
_FAILURES = {
    "access_denied": "You declined at {host}",
    "expired_token": "Nobody signed in at {host} in time",
    "cancelled": "The sign-in at {host} was cancelled",
}
_OTHERWISE = {
    "device": "Use a code instead",
    "form": "Use a form here instead",
    "loopback": "Use this computer's browser instead",
    "page": "Answer over this Jupyter server instead",
    "proxy": "Answer through the server's proxy instead",
    "paste": "Paste the address instead",
}
_BY_HAND = "Sign in there. You end on a page that cannot be shown: copy its whole address, and paste it here:"


def card(login: Login, *, missed: bool, notes: str, deaf: str | None, kernel: str | None) -> dict[str, Any]:
    """What a saved notebook may show.

    ``missed``: whether the cell that waited has stopped without a session; ``notes``: what a click came to;
    ``deaf``: why the kernel hears no click while the cell waits; ``kernel``: its id, for an interrupt.
    """
    host, phase = login.host, phase_of(login)
    title, text = _TITLES.get(phase, _TITLES["failed"]), notes
    if (error := login.error) is not None:
        title, text = _FAILURES.get(error.error, title), "" if error.error in _FAILURES else error.description
    return {
        "phase": phase,
        "badge": _initial(host),
        "title": title.format(host=host),
        "subtitle": _subtitle(login, phase, missed=missed),
        "text": text,
        "body": [node for node in _body(login, phase, text, deaf=deaf) if node],
        "under_way": (under_way := phase in UNDER_WAY | {"sign_up"}),
        "waits": login.awaited and under_way,
        "deaf": deaf is not None,
        "kernel": kernel,
    }


def live(login: Login, *, notes: str, deaf: str | None, missed: bool) -> dict[str, Any]:
    """What only a live panel may show, in place of what the card says; for the phase that it names."""
    phase = phase_of(login)
    shown: dict[str, Any] = {}
    if (form := login.form) is not None and deaf is None:
        body = [_why(login, phase), form_of(form, cancel()), row(*_others(login, deaf, "authnb-plain"))]
        shown = {"body": body, "errors": dict(form.errors), "tries": form.tries}
    elif phase == "waiting":
        shown = _waiting(login, notes, deaf)
    elif phase == "signed_in":
        shown = _signed_in(login, missed=missed)
    return {"phase": phase, **shown}


def _waiting(login: Login, notes: str, deaf: str | None) -> dict[str, Any]:
    try:
        verification = login.verification(0)
    except (AuthnbError, TimeoutError):
        return {}  # it has just ended, or begun anew; the next state follows
    code = verification.user_code
    body = _page(login, verification, notes, deaf) if code is None else _code(login, verification, deaf)
    said = {} if code is None else {"text": f"Your code is {code}."}
    return {
        "body": [node for node in (_why(login, "waiting"), *body, ["bar", {}]) if node],
        "seconds": max(0.0, verification.expires_at - time.time()),
        "address": verification.uri,
        "probe": verification.probe,
        **said,
    }


def _signed_in(login: Login, *, missed: bool) -> dict[str, Any]:
    session, user = login.session, login.session.user or {}
    names = (user.get(claim) for claim in ("name", "preferred_username", "email", "sub"))
    name = str(next((name for name in names if name), ""))
    picture = str(user.get("picture", ""))
    ends = session.token.get("expires_at")
    until = "renews by itself before " if "refresh_token" in session.token else "until "
    line = row(
        ["span", {}, ["span", {"class": "authnb-ok", "aria-hidden": "true"}, "✓ "], "Signed in"],
        *([quiet(until, ["clock", {"epoch": ends}])] if ends else []),
        deed("Sign out", "authnb-plain authnb-end", "sign_out", busy="Signing out …"),
    )
    again = quiet("The cell had stopped. Run it again: it goes on without asking.")
    who = {
        "title": name,
        "subtitle": " · ".join(filter(None, [str(user.get("email", "")), login.host])),
        "badge": _initial(name),
    }
    return {
        "body": [line, *([again] if missed else [])],
        "picture": picture if picture.startswith("https://") else None,
        **(who if name else {}),
    }


def phase_of(login: Login) -> str:
    """The status, and what a person sees as states of their own."""
    if login.status == "signed_in" and not login.session.token:
        return "signed_out"
    return "sign_up" if login.form is not None else login.status


def _body(login: Login, phase: str, text: str, *, deaf: str | None) -> list[Node | None]:
    """What stands below the title, without what only a live panel may show."""
    if phase in {"failed", "cancelled"}:
        return _failed(login, text)
    unheard = quiet(deaf) if deaf else None
    choices = [deed(name, "", "choose", name=name) for name in login.choices]
    again = deed("Sign in again", "authnb-primary", "again")
    bodies: dict[str, list[Node | None]] = {
        "starting": [quiet("Asking the provider where to sign in …"), row(cancel())],
        "choosing": [unheard or ["div", {"class": "authnb-choices"}, *choices], row(cancel())],
        "waiting": [_why(login, phase), row(cancel())],
        "sign_up": [_why(login, phase), unheard, row(cancel())],
        "signed_in": [quiet("Signed in.")],
        "signed_out": [quiet(text) if text else None, row(again)],
    }
    return bodies[phase]


def _failed(login: Login, text: str) -> list[Node | None]:
    buttons = [deed("Try again", "authnb-primary", "again"), *_others(login, None)]
    if login.choices:
        buttons.append(deed("Choose another", "", "choose"))
    error = login.error
    details = f"{error.description} ({type(error).__name__}: {error.error})" if error else ""
    more = ["details", {}, ["summary", {}, "Details"], ["p", {}, details]]
    return [["p", {}, text] if text else None, row(*buttons), more]


def _page(login: Login, verification: Verification, notes: str, deaf: str | None) -> list[Node | None]:
    """A page of the provider to open."""
    address, first = verification.uri, verification.sign_up_uri
    creates = login.sign_up and not login.created and first is None
    goes_on = ": this cell goes on by itself." if login.awaited else "."
    hint = "Waiting for you to sign in there." + (" This cell goes on by itself." if login.awaited else "")
    opened = f"The page is open in another tab. Sign in there, then come back{goes_on}"
    pasted = [
        "input",
        {
            "name": "address",
            "class": "authnb-grow",
            "aria-label": "Address you ended on",
            "autocomplete": "off",
        },
    ]
    paste = [
        "form",
        {
            "class": "authnb-row",
            "data-do": "redirect",
            "data-busy": "Checking the address …",
        },
        pasted,
        ["button", {}, "Send"],
    ]
    by_hand = login.mode == "paste"
    shown = {
        "class": "authnb-grow",
        "readonly": True,
        "value": address,
        "aria-label": "Address of the sign-in page",
    }
    help_ = [
        ["p", {}, "Open this address in a browser on this computer:"],
        row(["input", shown], copy(address)),
    ]
    if not by_hand and not deaf:
        help_ += [
            ["p", {}, "If you signed in and ended on a page that cannot be shown, paste its address here:"],
            paste,
        ]
    help_.append(quiet(deaf) if deaf else row(*_others(login, deaf)))
    return [
        row(link(first, "Create an account first")) if first else None,
        row(link(address, f"Open the sign-{'up' if creates else 'in'} page", opened), cancel()),
        ["p", {}, _BY_HAND] if by_hand else ["p", {"class": "authnb-quiet", "data-status": True}, hint],
        paste if by_hand else None,
        ["details", {}, ["summary", {}, "The page did not open, or ends in an error?"], *help_],
        ["p", {"class": "authnb-note", "role": "alert"}, notes],
    ]


def _code(login: Login, verification: Verification, deaf: str | None) -> list[Node | None]:
    """A code to enter on any device."""
    import segno  # noqa: PLC0415 - few see a code

    code, complete = verification.user_code or "", verification.uri_complete
    first = verification.sign_up_uri
    qr = segno.make(complete or verification.uri, micro=False).svg_data_uri(border=2, light="#fff")
    place = ["a", {"href": verification.uri, **ELSEWHERE}, verification.uri.partition("://")[2]]
    spoken = {"class": "authnb-code", "role": "text", "aria-label": f"Code {' '.join(code)}"}
    opens = link(complete or verification.uri, "Open with the code" if complete else "Open the page")
    columns = [
        [
            "div",
            {},
            ["p", {}, "On any device, open ", place, " and enter"],
            row(["span", spoken, code], copy(code)),
            row(opens, cancel()),
        ],
        ["img", {"class": "authnb-qr", "src": qr, "alt": "The address as a QR code, for a phone"}],
    ]
    warning = ". Only go on if you started this sign-in yourself."
    return [
        row(link(first, "Create an account first")) if first else None,
        ["div", {"class": "authnb-columns"}, *columns],
        quiet("The code is good for ", ["countdown", {}], warning),
        row(*_others(login, deaf, "authnb-plain")),
    ]


def _others(login: Login, deaf: str | None, kind: str = "") -> list[Node]:
    """The other ways, unless nobody would hear the click."""
    words = {**_OTHERWISE, "loopback": "Use the provider's own page instead"} if login.sign_up else _OTHERWISE
    # An address can be pasted beside each page; a form has better to offer
    shown = {login.mode} if login.mode == "device" or login.status not in UNDER_WAY else {login.mode, "paste"}
    others = [mode for mode in login.modes if mode not in shown and not deaf]
    return [deed(words[mode], kind, "again", mode=mode) for mode in others]


def _initial(name: str) -> str:
    return name[0].upper() if re.match(r"[^\W\d_]", name) else "ID"


def _why(login: Login, phase: str) -> Node | None:
    """Which way to an account is used, and why."""
    said = None
    if phase == "sign_up":
        said = f"{login.host} lets its sign-up form be shown here. What you enter goes there and is kept nowhere else."
    elif login.created:
        said = "Your account is there. Now sign in with it."
    elif login.sign_up:
        said = f"{login.host} creates accounts on its own pages: your password never touches this notebook."
    elif login.mode != "loopback":
        said = login.why  # where nothing is out of the ordinary, nobody wonders
    return ["p", {}, said] if said else None


def _subtitle(login: Login, phase: str, *, missed: bool) -> str:
    if phase == "signed_in":
        return login.host
    if phase in {"failed", "cancelled"}:
        return "Nobody was signed in." + (" Cells below were not run." if missed else "")
    if phase == "signed_out":
        return "The tokens are gone from this notebook."
    if login.client is None:
        return f"for {login.account.client_id}"
    asked = [_SCOPES.get(scope, scope) for scope in login.client.scope.split()]
    asked = [words for words in asked if words] or ["knowing that it is you"]
    several = f"{', '.join(asked[:-1])} and {asked[-1]}" if asked[1:] else asked[0]
    return f"{login.account.client_id} asks for {several}"
