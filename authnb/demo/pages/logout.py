"""Signing out, when the person or a client asks for it (OpenID Connect RP-Initiated Logout 1.0)."""
# Authlib's stubs leave many functions without types.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from authlib.oauth2 import OAuth2Error
from flask import Blueprint, abort, render_template

from authnb.demo import accounts
from authnb.demo.context import provider
from authnb.demo.pages.forms import SignOutForm

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

pages: Blueprint = Blueprint("logout", __name__)


@pages.route("/logout", methods=["GET", "POST"])
def logout() -> ResponseReturnValue:
    """Sign this browser out; the person is asked unless an ID token of theirs comes along (section 2)."""
    try:
        wanted: Any = provider().server.validate_endpoint_request("end_session")
    except (OAuth2Error, ValueError):
        abort(400, "The sign-out request holds no ID token of ours.")
    browser = accounts.signed_in()
    form = SignOutForm()
    hinted = browser and (wanted.id_token_claims or {}).get("sub") == browser.account_id
    if browser and not hinted and not form.validate_on_submit():
        return render_template(
            "logout.html", form=form, account=browser.account
        ), 400 if form.pressed else 200
    response: Any = provider().server.create_endpoint_response("end_session", wanted)
    return response or render_template("signed_out.html")
