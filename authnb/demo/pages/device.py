"""The pages on which the person enters a device's code and says yes or no (RFC 8628 section 3.3)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flask import Blueprint, render_template, request
from sqlalchemy import select, update

from authnb.demo import accounts
from authnb.demo.context import changed, db, now
from authnb.demo.database.models import Authorization, Browser, DeviceCode, digest
from authnb.demo.pages.forms import DecisionForm, UserCodeForm
from authnb.demo.pages.sign_in import to_sign_in
from authnb.demo.protocol.metadata import in_words
from authnb.demo.protocol.resources import names
from authnb.demo.protocol.step_up import current_acr

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

pages: Blueprint = Blueprint("device", __name__)

NOT_WAITING = (
    "No device waits with this code: it is mistyped, too old, or was used. Look again where it is shown."
)


@pages.route("/device", methods=["GET", "POST"])
def device() -> ResponseReturnValue:
    """Ask for the code, or take it from the link, then ask whether the device may go on."""
    browser = accounts.signed_in()
    if not browser:
        return to_sign_in(request.full_path.rstrip("?"))
    form = UserCodeForm(user_code=request.args.get("user_code"))
    if not (form.validate_on_submit() or (request.method == "GET" and form.user_code.data)):
        return render_template("device.html", form=form), 400 if form.is_submitted() else 200
    is_link = request.method == "GET"
    try:
        code = _find(browser, form.user_code.data, forgeable=is_link)
    except accounts.TooManyAttempts as error:
        if is_link:  # another site may have opened wrong links; the person's own form still works
            return render_template("device.html", form=form)
        return render_template("device.html", form=form, problem=str(error)), 429
    if not code:
        return render_template("device.html", form=form, problem=NOT_WAITING), 400
    return _ask(browser, code, form.user_code.data, DecisionForm(formdata=None))


@pages.post("/device/decision")
def decision() -> ResponseReturnValue:
    """Take the person's yes or no."""
    browser = accounts.signed_in()
    if not browser:
        return to_sign_in("/device")
    form, again = DecisionForm(), UserCodeForm(formdata=None)
    allowed = form.allowed()
    user_code = request.form.get("user_code", "")
    try:
        code = _find(browser, user_code, forgeable=allowed is None)
    except accounts.TooManyAttempts as error:
        return render_template("device.html", form=again, problem=str(error)), 429
    if code and allowed is None:
        return _ask(browser, code, user_code, form), 400
    if not code or not _decide(browser, code, allowed=bool(allowed)):
        return render_template("device.html", form=again, problem=NOT_WAITING), 400
    return render_template("done.html", allowed=allowed, client=code.client)


def normal_user_code(text: str) -> str:
    """Give the code as it was issued, however it was typed (RFC 8628 section 6.1)."""
    letters = re.sub(r"[^A-Z]", "", text.upper())
    return f"{letters[:4]}-{letters[4:]}"


def _ask(browser: Browser, code: DeviceCode, user_code: str, form: DecisionForm) -> str:
    return render_template(
        "device_decision.html",
        form=form,
        account=browser.account,
        client=code.client,
        scopes=in_words(code.scope),
        apis=names(code.resource),
        user_code=normal_user_code(user_code),
    )


def _find(browser: Browser, user_code: str, *, forgeable: bool) -> DeviceCode | None:
    """Give the device that waits with this code; guessing is slowed down (RFC 8628 section 5.1).

    What another site can send in the person's name (``forgeable``: a link, a form without our token) has a count of
    its own, so that it does not slow down the person.
    """
    subject = digest(f"user code {'of a link ' if forgeable else ''}{browser.account_id}")
    accounts.count_attempt(subject)
    found = db().scalar(
        select(DeviceCode).where(
            DeviceCode.user_code_digest == digest(normal_user_code(user_code)),
            DeviceCode.decided_at.is_(None),
            DeviceCode.expires_at >= now(),
        )
    )
    if found:
        accounts.discount_attempt(subject)
    return found


def _decide(browser: Browser, code: DeviceCode, *, allowed: bool) -> bool:
    """Write down yes or no, once; false if somebody was quicker."""
    undecided = update(DeviceCode).where(DeviceCode.digest == code.digest, DeviceCode.decided_at.is_(None))
    if not changed(undecided.values(decided_at=now())):
        return False
    if allowed:
        code.authorization = Authorization(
            account_id=browser.account_id,
            client_id=code.client_id,
            scope=code.scope,
            auth_time=browser.auth_time,
            acr=current_acr(browser.acr),
            resource=code.resource,
        )
    return True
