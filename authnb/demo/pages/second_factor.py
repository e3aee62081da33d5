"""The page on which the person enters a one-time code, for APIs that want a second factor (RFC 9470).

The page shows the code itself and says so: this provider knows no other way to reach anybody. All else is as it is
elsewhere: a code is for one browser, short-lived, used once, and guessing is slowed down.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from flask import Blueprint, redirect, render_template, request

from authnb.demo import accounts
from authnb.demo.context import now
from authnb.demo.database.models import Browser, digest
from authnb.demo.pages.forms import OneTimeCodeForm
from authnb.demo.pages.sign_in import next_page, to_sign_in, waiting_client
from authnb.demo.protocol.step_up import BY_ONE_TIME_CODE

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

pages: Blueprint = Blueprint("second_factor", __name__)

LIFETIME = 300.0  # seconds


@pages.route("/one-time-code", methods=["GET", "POST"])
def one_time_code() -> ResponseReturnValue:
    """Show a code and ask for it, then go back to what waits for it."""
    browser = accounts.signed_in()
    if not browser:
        return to_sign_in(request.args.get("next"))
    form, problem, status = OneTimeCodeForm(), None, 200
    if form.validate_on_submit():
        try:
            if _is_right(browser, form.one_time_code.data):
                browser.acr = BY_ONE_TIME_CODE
                return redirect(next_page(), 303)
        except accounts.TooManyAttempts as error:
            problem, status = str(error), 429
        else:
            problem, status = "That was not the code, or it is too old. Here is another.", 400
    elif form.is_submitted():
        status = 400
    form.one_time_code.data = None
    code = f"{secrets.randbelow(1_000_000):06}"
    browser.one_time_code_digest, browser.one_time_code_expires_at = digest(code), now() + LIFETIME
    shown = {"form": form, "problem": problem, "code": code, "client": waiting_client()}
    return render_template("one_time_code.html", **shown), status


def _is_right(browser: Browser, code: str) -> bool:
    """Whether it is the code of this browser; a wrong one counts, and either way the code is used up."""
    subject = digest(f"one-time code {browser.account_id}")
    accounts.count_attempt(subject)
    known, expires_at = browser.one_time_code_digest, browser.one_time_code_expires_at
    browser.one_time_code_digest = None
    right = known is not None and secrets.compare_digest(known, digest(code)) and (expires_at or 0.0) > now()
    if right:
        accounts.discount_attempt(subject)
    return right
