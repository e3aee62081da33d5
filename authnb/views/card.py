"""The card of a sign-in as plain data: title, texts, and a tree of elements that panel.js renders."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from authnb.errors import AuthnbError
from authnb.messages import N_, current_language, gettext
from authnb.transport.addresses import may_be_loopback
from authnb.views.elements import NEW_TAB, action_button, cancel, copy, link, muted, row, spaced, with_nodes
from authnb.views.form import form_element
from authnb.views.more import offer, step_up_subtitle, step_up_title
from authnb.views.person import confirm, initial, signed_in
from authnb.views.scopes import asks_for
from authnb.views.text import missing_scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authnb.flows.steps import Form, Verification
    from authnb.signin.login import Login
    from authnb.views.elements import Node

IN_PROGRESS = {"starting", "choosing", "waiting"}
_TITLES = {
    "starting": N_("Sign in to {host}"),
    "choosing": N_("Where do you want to sign in?"),
    "waiting": N_("Sign in to {host}"),
    "sign_up": N_("Create an account at {host}"),
    "confirm": N_("Somebody signed in at {host}"),
    "signed_in": N_("Signed in at {host}"),
    "signed_out": N_("Signed out of {host}"),
    "failed": N_("Signing in at {host} did not work"),
}
# Titles that need no further text; the description stands under Details
_FAILURES = {
    "access_denied": N_("You declined at {host}"),
    "expired_token": N_("Nobody signed in at {host} in time"),
    "cancelled": N_("The sign-in at {host} was cancelled"),
    "login_required": N_("Your sign-in at {host} has ended"),
}
_ALTERNATIVES = {
    "device": N_("Use a code instead"),
    "form": N_("Use the form here instead"),
    "loopback": N_("Use this computer's browser instead"),
    "page": N_("Return through this Jupyter server instead"),
    "proxy": N_("Return through the server's proxy instead"),
    "paste": N_("Copy and paste the address instead"),
}
_PASTE_HINT = N_(
    "Sign in there. Your browser then shows an error page: copy its whole address, and paste it here:"
)


def card(
    login: Login,
    *,
    cell_stopped: bool,
    notes: str,
    clicks_unheard: str | None,
    page: Mapping[str, str | None],
) -> dict[str, Any]:
    """The part of the card that may be saved with the notebook.

    ``cell_stopped``: whether the waiting cell stopped without a session; ``notes``: messages of the last action;
    ``clicks_unheard``: why the kernel processes no click while the cell waits; ``page``: how
    the page interrupts the kernel.
    """
    host, phase = login.host, phase_of(login)
    title, text = _TITLES.get(phase, _TITLES["failed"]), notes
    if (error := login.error) is not None:
        title, text = (
            _FAILURES.get(error.error, title),
            notes if error.error in _FAILURES else error.description,
        )
    title = gettext(title, host=host) if login.step_up is None else step_up_title(login, phase)
    return {
        "lang": current_language(),
        "phase": phase,
        "badge": initial(host),
        "title": title,
        "subtitle": _subtitle(login, phase, cell_stopped=cell_stopped),
        "text": text,
        "body": [node for node in _body(login, phase, text, clicks_unheard=clicks_unheard) if node],
        "in_progress": (in_progress := phase in IN_PROGRESS | {"sign_up", "confirm"}),
        "waits": login.awaited and in_progress,
        "clicks_unheard": clicks_unheard is not None,
        "dead": {
            "phase": "dead",
            "title": gettext("This panel is not live"),
            "subtitle": gettext("Run the cell again to sign in."),
            "body": [],
            "text": "",
        },
        **page,
    }


def live_card(
    login: Login, *, notes: str, clicks_unheard: str | None, cell_stopped: bool, why_asked: str = ""
) -> dict[str, Any]:
    """What only a live panel shows: overrides members of the card while its phase lasts, and is never saved.

    ``why_asked``: see `authnb.views.pages.Pages.why_asked`. ``behind``: the body on a page whose own cell is queued
    behind the sign-in, or was not run because of it.
    """
    phase = phase_of(login)
    shown: dict[str, Any] = {}
    if (form := login.form) is not None and clicks_unheard is None and not login.pending:
        body = [
            *_provenance(login),
            _explanation(login, phase),
            form_element(form, cancel()),
            row(*_alternatives(login, clicks_unheard, "authnb-plain")),
        ]
        shown = {"body": body, "errors": dict(form.errors), "tries": form.tries}
    elif phase == "confirm":
        shown = confirm(login, why_asked)
    elif phase == "waiting":
        shown = _waiting(login, notes, clicks_unheard)
    elif phase == "signed_in":
        shown = signed_in(login, cell_stopped=cell_stopped)
    return {"phase": phase, "behind": _behind(login), **shown}


def _behind(login: Login) -> list[Node] | None:
    if login.status in IN_PROGRESS:
        why = gettext(
            "The cell that you ran waits for this sign-in, which another page began: the kernel runs one cell after "
            "the other. Have it finished there; or cancel it, and run your cell again."
        )
        return [["p", {}, why], row(cancel())]
    if login.status == "signed_in":
        return None
    why = gettext("The cell that you ran on this page waited for this sign-in and was not run. Run it again.")
    return [["p", {}, why], row(action_button(gettext("Close"), "", "close"))]


def _waiting(login: Login, notes: str, clicks_unheard: str | None) -> dict[str, Any]:
    try:
        verification = login.verification(0)
    except (AuthnbError, TimeoutError):
        return {}  # ended or restarted meanwhile; the next state follows
    code = verification.user_code
    body = (
        _page(login, verification, notes, clicks_unheard)
        if code is None
        else _code(login, verification, clicks_unheard)
    )
    text = {} if code is None else {"text": gettext("Your code is {code}.", code=code)}
    return {
        "body": [
            node for node in (*_provenance(login), _explanation(login, "waiting"), *body, ["bar", {}]) if node
        ],
        "seconds": max(0.0, verification.expires_at - time.time()),
        "address": verification.uri,
        "state": verification.state,
        "redirect_uri": verification.redirect_uri,
        "probe": verification.probe,
        **text,
    }


def phase_of(login: Login) -> str:
    """The status, with ``sign_up``, ``confirm`` and ``signed_out`` as phases of their own."""
    if login.unconfirmed is not None:
        return "confirm"
    if login.status == "signed_in" and not login.session.token:
        return "signed_out"
    return "sign_up" if login.form is not None else login.status


def _body(login: Login, phase: str, text: str, *, clicks_unheard: str | None) -> list[Node | None]:
    """The elements below the title that may be saved."""
    if phase in {"failed", "cancelled"}:
        return _failed(login, text)
    if login.pending:
        return [muted(login.pending), row(cancel(), *_alternatives(login, clicks_unheard))]
    hint = muted(clicks_unheard) if clicks_unheard else None
    choices = [action_button(name, "", "choose", name=name) for name in login.choices]
    again = action_button(gettext("Sign in again"), "authnb-primary", "start_over")
    missing = missing_scope(login)
    bodies: dict[str, list[Node | None]] = {
        "starting": [muted(gettext("Asking the provider where to sign in …")), row(cancel())],
        "choosing": [
            *_provenance(login),
            hint or ["div", {"class": "authnb-choices"}, *choices],
            row(cancel()),
        ]
        if login.step_up is None
        else offer(login),
        "waiting": [*_provenance(login), _explanation(login, phase), row(cancel())],
        "sign_up": [*_provenance(login), _explanation(login, phase), hint, row(cancel())],
        "confirm": [hint, row(cancel())],
        "signed_in": [muted(gettext("Signed in.")), muted(missing) if missing else None],
        "signed_out": [muted(text) if text else None, row(again)],
    }
    return bodies[phase]


def _failed(login: Login, text: str) -> list[Node | None]:
    buttons = [
        action_button(gettext("Try again"), "authnb-primary", "start_over"),
        *_alternatives(login, None),
    ]
    if login.choices and login.step_up is None:
        buttons.append(action_button(gettext("Choose another"), "", "choose"))
    error = login.error
    details = [error.description, f" ({type(error).__name__}: {error.error})"] if error else []
    more = ["details", {}, ["summary", {}, gettext("Details")], ["p", {}, *details]]
    return [["p", {}, text] if text else None, row(*buttons), more]


def _page(
    login: Login, verification: Verification, notes: str, clicks_unheard: str | None
) -> list[Node | None]:
    """Open the provider's sign-in page; the redirect comes back by itself or is pasted."""
    address, first = verification.uri, verification.sign_up_uri
    creates = login.sign_up and not login.created and first is None
    if login.awaited:
        hint = gettext("Waiting for you to sign in there. This cell goes on by itself.")
        opened = gettext(
            "The page is open in another tab. Sign in there, then come back: this cell goes on by itself."
        )
    else:
        hint = gettext("Waiting for you to sign in there.")
        opened = gettext("The page is open in another tab. Sign in there, then come back.")
    pasted = [
        "input",
        {
            "name": "address",
            "class": "authnb-grow",
            "aria-label": gettext("Address you ended on"),
            "autocomplete": "off",
        },
    ]
    paste = [
        "form",
        {
            "class": "authnb-row",
            "data-action": "submit_redirect",
            "data-pending": gettext("Checking the address …"),
        },
        pasted,
        ["button", {}, gettext("Send")],
    ]
    paste_only = login.mode == "paste"
    shown = {
        "class": "authnb-grow",
        "readonly": True,
        "value": address,
        "aria-label": gettext("Address of the sign-in page"),
    }
    help_ = [
        ["p", {}, gettext("Open this address in a browser on this computer:")],
        row(["input", shown], copy(address)),
    ]
    if not paste_only and not clicks_unheard:
        help_ += [
            [
                "p",
                {},
                gettext("If you signed in and ended on a page that cannot be shown, paste its address here:"),
            ],
            paste,
        ]
    help_.append(muted(clicks_unheard) if clicks_unheard else row(*_alternatives(login, clicks_unheard)))
    page = gettext("Open the sign-up page") if creates else gettext("Open the sign-in page")
    return [
        row(link(first, gettext("Create an account first"))) if first else None,
        row(link(address, page, opened), cancel()),
        ["p", {}, gettext(_PASTE_HINT)]
        if paste_only
        else ["p", {"class": "authnb-muted", "data-status": True}, hint],
        paste if paste_only else None,
        ["details", {}, ["summary", {}, gettext("The page did not open, or ends in an error?")], *help_],
        ["p", {"class": "authnb-error", "role": "alert"}, notes],
    ]


def _code(login: Login, verification: Verification, clicks_unheard: str | None) -> list[Node | None]:
    """A user code to enter on any device, with a QR code for others than this machine."""
    code, complete = verification.user_code or "", verification.uri_complete
    first = verification.sign_up_uri
    page = ["a", {"href": verification.uri, **NEW_TAB}, verification.uri.partition("://")[2]]
    attributes = {
        "class": "authnb-code",
        "role": "text",
        "aria-label": gettext("Code {code}", code=" ".join(code)),
    }
    opener = link(
        complete or verification.uri, gettext("Open with the code") if complete else gettext("Open the page")
    )
    local = may_be_loopback(verification.uri)  # on no other device
    where = (
        N_("Open {page} in your browser and enter") if local else N_("Open {page} on any device and enter")
    )
    columns: list[Node] = [
        [
            "div",
            {},
            ["p", {}, *with_nodes(where, page=page)],
            row(["span", attributes, code], copy(code)),
            row(opener, cancel()),
        ],
    ]
    if not local:
        columns.append(_qr_code(complete or verification.uri))
    warning = N_("The code is good for {time}. Only go on if you started this sign-in yourself.")
    return [
        row(link(first, gettext("Create an account first"))) if first else None,
        ["div", {"class": "authnb-columns"}, *columns],
        muted(*with_nodes(warning, time=["countdown", {}])),
        row(*_alternatives(login, clicks_unheard, "authnb-plain")),
    ]


def _qr_code(address: str) -> Node:
    """An address for a phone; has room for the longest that may be shown."""
    import segno  # noqa: PLC0415 - only for the device flow

    source = segno.make(address, micro=False).svg_data_uri(border=2, light="#fff")
    return [
        "img",
        {"class": "authnb-qr", "src": source, "alt": gettext("The address as a QR code, for a phone")},
    ]


def _alternatives(login: Login, clicks_unheard: str | None, kind: str = "") -> list[Node]:
    """Buttons for the other modes, unless the kernel would not process the click."""
    labels = (
        {**_ALTERNATIVES, "loopback": N_("Use the provider's own page instead")}
        if login.sign_up
        else _ALTERNATIVES
    )
    # Every page has a field to paste into already; a form has better alternatives
    excluded = (
        {login.mode} if login.mode == "device" or login.status not in IN_PROGRESS else {login.mode, "paste"}
    )
    others = [mode for mode in login.modes if mode not in excluded and not clicks_unheard]
    return [action_button(gettext(labels[mode]), kind, "start_over", mode=mode) for mode in others]


def _provenance(login: Login) -> list[Node | None]:
    """Who vouches for whom, where the caller did not name the provider or the client."""
    return [["p", {}, *spaced(login.provenance)]] if login.provenance else []


def _explanation(login: Login, phase: str) -> Node | None:
    """Which way to an account or sign-in is used, and why."""
    text: str | None = None
    if phase == "sign_up":
        text = gettext(
            "{host} lets its sign-up form be shown here. What you enter goes there and is kept nowhere else.",
            host=login.host,
        )
        if login.form is not None and (other := _other_host(login, login.form)):
            text = gettext(
                "{host} lets its sign-up form be shown here. What you enter, your password too, goes to {other}: "
                "another host than {host}. Go on only if you trust it.",
                host=login.host,
                other=other,
            )
    elif login.created:
        text = gettext("Your account is there. Now sign in with it.")
    elif login.sign_up:
        text = gettext(
            "{host} creates accounts on its own pages: your password never touches this notebook.",
            host=login.host,
        )
    elif login.mode != "loopback":
        text = login.reason  # the ordinary mode needs no explanation
    return ["p", {}, text] if text else None


def _other_host(login: Login, form: Form) -> str | None:
    """The host that the form is sent to, unless its origin is the issuer's."""
    target = urlsplit(form.endpoint)
    return None if target[:2] == urlsplit(login.account.issuer)[:2] else target.netloc


def _subtitle(login: Login, phase: str, *, cell_stopped: bool) -> str:
    if phase == "signed_in":
        return login.host
    if login.step_up is not None and phase != "signed_out":
        return step_up_subtitle(login, phase)
    if phase in {"failed", "cancelled"}:
        return (
            gettext("Nobody was signed in. Cells below were not run.")
            if cell_stopped
            else gettext("Nobody was signed in.")
        )
    if phase == "signed_out":
        return gettext("The tokens are gone from this notebook.")
    return asks_for(login)
