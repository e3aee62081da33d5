"""The pages on which people create an account, sign in, and see where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict

from authnb.demo import accounts
from authnb.demo.context import find_client, provider
from authnb.demo.pages.forms import NAME_TAKEN, SignInForm, SignUpForm

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue
    from werkzeug import Response

    from authnb.demo.database.models import Client

pages: Blueprint = Blueprint("sign_in", __name__)


@pages.get("/")
def home() -> ResponseReturnValue:
    """Show who is signed in, and where things are."""
    return render_template("home.html", browser=accounts.signed_in(), issuer=provider().issuer)


@pages.route("/login", methods=["GET", "POST"])
def login() -> ResponseReturnValue:
    """Sign in, then go back to what waits for it."""
    form = SignInForm(name=request.args.get("login_hint"))
    problem, status = None, 400 if form.is_submitted() else 200
    if form.validate_on_submit():
        try:
            account = accounts.check_password(form.name.data, form.password.data)
        except accounts.TooManyAttempts as error:
            problem, status = str(error), 429
        else:
            if account:
                accounts.sign_in(account)
                return redirect(next_page(), 303)
            problem = "This name and this password do not belong together."
    return render_template("login.html", form=form, problem=problem, client=waiting_client()), status


@pages.route("/signup", methods=["GET", "POST"])
def signup() -> ResponseReturnValue:
    """Create an account, then go to the sign-in page."""
    if request.mimetype == "application/json":
        return _signup_without_page()
    form = SignUpForm(name=request.args.get("login_hint"))
    if form.validate_on_submit():
        try:
            account = accounts.create_account(**form.account())
        except accounts.NameTaken:
            form.name.errors = [NAME_TAKEN]
        else:
            flash(f"Welcome, {account.name}. Your account is there; now sign in with it.")
            return to_sign_in(request.args.get("next"), account.name)
    status = 400 if form.is_submitted() else 200
    return render_template("signup.html", form=form, client=waiting_client()), status


def _signup_without_page() -> ResponseReturnValue:
    """Create an account for a client that shows the form itself, as `metadata.sign_up_form` describes it.

    No CSRF token is needed: no cookie is looked at, and another site's page cannot send JSON here unasked.
    """
    body = request.get_json(silent=True)
    if not isinstance(body, dict) or not all(isinstance(value, str) for value in body.values()):
        return jsonify(
            error="invalid_request", error_description="Send an object whose values are text."
        ), 400
    form = SignUpForm(formdata=MultiDict(body), meta={"csrf": False})
    if form.validate():
        try:
            account = accounts.create_account(**form.account())
        except accounts.NameTaken:
            form.name.errors = [NAME_TAKEN]
        else:
            return jsonify(name=account.name), 201
    return jsonify(errors={name: list(errors) for name, errors in form.errors.items()}), 422


def to_sign_in(next_url: str | None, login_hint: str | None = None, *, create: bool = False) -> Response:
    """Send the browser to the sign-in page (or to the sign-up page) and from there to `next_url`."""
    arguments: dict[str, Any] = {"next": next_url, "login_hint": login_hint}
    return redirect(url_for("sign_in.signup" if create else "sign_in.login", **arguments), 303)


def next_page() -> str:
    """Where to go after a sign-in: back to what waits for it, and never to another site."""
    wanted = _next()
    if wanted.scheme or wanted.netloc or wanted.path not in {"/authorize", "/device"}:
        return url_for("sign_in.home")
    query = f"?{wanted.query}" if wanted.query else ""
    return f"{request.script_root}{wanted.path}{query}"


def waiting_client() -> Client | None:
    """Give the client that waits for the sign-in, to name it on the page."""
    client_id = parse_qs(_next().query).get("client_id", [""])[0]
    return find_client(client_id)


def _next() -> Any:
    try:
        return urlsplit(request.args.get("next", ""))
    except ValueError:  # such as http://[
        return urlsplit("")
