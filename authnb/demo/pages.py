"""The pages that people see: sign in, create an account, allow, enter a code, sign out."""
# Authlib's stubs leave many functions without types.
# mypy: allow-untyped-calls

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.base import invalid_error_characters
from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oidc.core.errors import ConsentRequiredError, LoginRequiredError
from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from sqlalchemy import select, update

from authnb.demo import accounts
from authnb.demo.context import db, now, provider
from authnb.demo.forms import ConfirmForm, DecisionForm, SignInForm, SignUpForm, UserCodeForm
from authnb.demo.metadata import SCOPES
from authnb.demo.models import Account, Authorization, Browser, Client, Consent, DeviceCode, digest

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from authnb.demo.grants import Server


def signing_pages() -> Blueprint:
    """Home, sign-in, sign-up."""
    pages = Blueprint("pages", __name__)

    @pages.get("/")
    def home() -> ResponseReturnValue:
        return render_template("home.html", browser=accounts.signed_in(), issuer=provider().issuer)

    @pages.route("/login", methods=["GET", "POST"])
    def login() -> ResponseReturnValue:
        form = SignInForm(name=request.args.get("login_hint"))
        status, problem = 200, None
        if form.validate_on_submit():
            try:
                account = accounts.check_password(form.name.data, form.password.data)
            except accounts.TooManyAttempts as error:
                problem, status = str(error), 429
            else:
                if account:
                    accounts.sign_in(account)
                    return redirect(next_page(), 303)
                problem, status = "This name and this password do not belong together.", 400
        elif form.is_submitted():
            status = 400
        return render_template("login.html", form=form, problem=problem, client=waiting_client()), status

    @pages.route("/signup", methods=["GET", "POST"])
    def signup() -> ResponseReturnValue:
        form = SignUpForm(name=request.args.get("login_hint"))
        if form.validate_on_submit():
            try:
                account = accounts.create_account(
                    name=form.name.data,
                    email=form.email.data,
                    full_name=form.full_name.data,
                    password=form.password.data,
                )
            except accounts.NameTaken:
                form.name.errors = ["This name is taken. Choose another, or sign in."]
            else:
                flash(f"Welcome, {account.name}. Your account is there; now sign in with it.")
                arguments = {"next": request.args.get("next"), "login_hint": account.name}
                return redirect(url_for("pages.login", **arguments), 303)
        status = 400 if form.is_submitted() else 200
        return render_template("signup.html", form=form, client=waiting_client()), status

    return pages


def authorization_pages(server: Server) -> Blueprint:
    """RFC 6749 section 3.1, and the page on which the person says yes or no."""
    pages = Blueprint("authorization", __name__)

    @pages.route("/authorize", methods=["GET", "POST"])
    def authorize() -> ResponseReturnValue:
        if request.method == "POST":  # OpenID Connect Core 1.0 section 3.1.2.1 asks for it
            return redirect(url_for(".authorize", **request.form.to_dict(flat=False)), 303)
        prompts = set(request.args.get("prompt", "").split())
        browser = fresh_enough(accounts.signed_in())
        try:
            grant = consent_grant(server, browser)
            if "none" in prompts and not browser:
                raise LoginRequiredError(redirect_uri=grant.redirect_uri)
            if "create" in prompts:
                return redirect(url_for("pages.signup", **after_signing_in()))
            if not browser or prompts & {"login", "select_account"}:
                return redirect(url_for("pages.login", **after_signing_in()))
            if "consent" in prompts or not has_consent(browser, grant):
                if "none" in prompts:
                    raise ConsentRequiredError(redirect_uri=grant.redirect_uri)
                return ask_for_consent(browser, grant, DecisionForm())
        except OAuth2Error as error:
            return refuse(server, error)
        return server.create_authorization_response(grant_user=browser.account, grant=grant)

    @pages.post("/consent")
    def consent() -> ResponseReturnValue:
        browser = accounts.signed_in()
        if not browser:
            return redirect(url_for("pages.login", **after_signing_in()), 303)
        try:
            grant = consent_grant(server, browser)
        except OAuth2Error as error:
            return refuse(server, error)
        form = DecisionForm()
        allowed = form.allowed()
        if allowed is None:
            return ask_for_consent(browser, grant, form), 400
        if allowed:
            remember_consent(browser, grant)
        response = server.create_authorization_response(
            grant_user=browser.account if allowed else None, grant=grant
        )
        response.status_code = 303  # RFC 9700 section 4.12
        return response

    return pages


def consent_grant(server: Server, browser: Browser | None) -> Any:
    """Give the validated authorization request; raises OAuth2Error."""
    for parameter in ("redirect_uri", "response_type"):
        # Authlib quotes these in an error's text, where not every character is allowed.
        if invalid_error_characters(request.args.get(parameter, "")):
            raise InvalidRequestError(f"Bad characters in '{parameter}'.")
    return server.get_consent_grant(end_user=browser.account if browser else None)


def fresh_enough(browser: Browser | None) -> Browser | None:
    """Give the browser unless its sign-in is older than `max_age`, or is not the one hinted at."""
    if not browser:
        return None
    hint = request.args.get("login_hint", "").casefold()
    if hint and hint not in {browser.account.name_key, browser.account.email.casefold()}:
        return None
    max_age = request.args.get("max_age", "")
    if max_age.isascii() and max_age.isdigit() and browser.auth_time + int(max_age) <= now():
        return None
    return browser


def after_signing_in() -> dict[str, str | None]:
    """Arguments of the sign-in page: come back to this request, which a new sign-in will have satisfied."""
    arguments = request.args.to_dict(flat=False)
    arguments.pop("max_age", None)
    prompts = [word for word in " ".join(arguments.pop("prompt", [])).split() if word in {"consent", "none"}]
    if prompts:
        arguments["prompt"] = [" ".join(prompts)]
    query = urlencode(arguments, doseq=True)
    return {"next": f"/authorize?{query}", "login_hint": request.args.get("login_hint")}


def next_page() -> str:
    """Where to go after a sign-in: back to what waits for it, and never to another site."""
    wanted = urlsplit(request.args.get("next", ""))
    if wanted.scheme or wanted.netloc or wanted.path not in {"/authorize", "/device"}:
        return "/"
    return f"{wanted.path}?{wanted.query}" if wanted.query else wanted.path


def waiting_client() -> Client | None:
    """Give the client that waits for the sign-in, to name it on the page."""
    client_id = parse_qs(urlsplit(request.args.get("next", "")).query).get("client_id", [""])[0]
    return db().get(Client, client_id)


def ask_for_consent(browser: Browser, grant: Any, form: DecisionForm) -> str:
    """Give the consent page."""
    return render_template(
        "consent.html",
        form=form,
        account=browser.account,
        client=grant.request.client,
        scopes=in_words(grant.request.scope),
        query=request.query_string.decode(),
        site=urlsplit(grant.redirect_uri).netloc,
    )


def in_words(scope: str) -> list[str]:
    """Give the scopes as a person reads them."""
    return [SCOPES[word] for word in scope.split() if word in SCOPES]


def has_consent(browser: Browser, grant: Any) -> bool:
    """Whether the person allowed all of this before."""
    consent = _consent(browser.account, grant.request.client)
    return consent is not None and set(grant.request.scope.split()) <= set(consent.scope.split())


def remember_consent(browser: Browser, grant: Any) -> None:
    """Add what was allowed now to what was allowed before."""
    consent = _consent(browser.account, grant.request.client)
    if consent is None:
        consent = Consent(account_id=browser.account_id, client_id=grant.request.client.id, scope="")
        db().add(consent)
    consent.scope = " ".join(dict.fromkeys(f"{consent.scope} {grant.request.scope}".split()))


def _consent(account: Account, client: Client) -> Consent | None:
    found = select(Consent).where(Consent.account_id == account.id, Consent.client_id == client.id)
    return db().scalar(found.with_for_update())


def refuse(server: Server, error: OAuth2Error) -> ResponseReturnValue:
    """Tell the client if we know where it is, else the person (RFC 6749 section 4.1.2.1)."""
    if not error.redirect_uri:
        return render_template("error.html", title="This sign-in cannot go on", error=error), 400
    error.state = request.args.get("state")
    response: Response = server.handle_error_response(None, error)
    server.issuer.add_issuer_parameter(server, response)
    return response


def device_pages() -> Blueprint:
    """RFC 8628 section 3.3: the person enters the code that a device shows, and says yes or no."""
    pages = Blueprint("device", __name__)

    @pages.route("/device", methods=["GET", "POST"])
    def device() -> ResponseReturnValue:
        browser = accounts.signed_in()
        if not browser:
            return redirect(url_for("pages.login", next=request.full_path.rstrip("?")), 303)
        form = UserCodeForm(formdata=request.form if request.method == "POST" else request.args)
        submitted = request.method == "POST" and form.validate()
        if not (submitted or (request.method == "GET" and "user_code" in request.args)):
            return render_template("device.html", form=form), 400 if request.method == "POST" else 200
        try:
            code = find_user_code(browser, form.user_code.data or "")
        except accounts.TooManyAttempts as error:
            return render_template("device.html", form=form, problem=str(error)), 429
        if not code:
            problem = "This code is not known, or it is too old, or it was used. Look again at what is shown to you."
            return render_template("device.html", form=form, problem=problem), 400
        return ask_for_device(browser, code, DecisionForm(formdata=None))

    @pages.post("/device/decision")
    def decision() -> ResponseReturnValue:
        browser = accounts.signed_in()
        if not browser:
            return redirect(url_for("pages.login", next="/device"), 303)
        form = DecisionForm()
        allowed = form.allowed()
        try:
            code = find_user_code(browser, request.form.get("user_code", ""))
        except accounts.TooManyAttempts as error:
            return render_template("device.html", form=UserCodeForm(formdata=None), problem=str(error)), 429
        if code and allowed is None:
            return ask_for_device(browser, code, form), 400
        if not code or not decide(browser, code, allowed=bool(allowed)):
            problem = "This code is too old, or it was used. Start again where you saw it."
            return render_template("device.html", form=UserCodeForm(formdata=None), problem=problem), 400
        return render_template("done.html", allowed=allowed, client=code.client)

    return pages


def ask_for_device(browser: Browser, code: DeviceCode, form: DecisionForm) -> str:
    """Give the page that asks whether this device may go on."""
    return render_template(
        "device_decision.html",
        form=form,
        account=browser.account,
        client=code.client,
        scopes=in_words(code.scope),
        user_code=normal_user_code(request.values.get("user_code", "")),
    )


def normal_user_code(text: str) -> str:
    """Give the code as it was issued, however it was typed (RFC 8628 section 6.1)."""
    letters = re.sub(r"[^A-Z]", "", text.upper())
    return f"{letters[:4]}-{letters[4:]}"


def find_user_code(browser: Browser, text: str) -> DeviceCode | None:
    """Give the device that waits with this code; guessing is slowed down (RFC 8628 section 5.1)."""
    subject = digest(f"user code {browser.account_id}")
    accounts.count_attempt(subject)
    found = db().scalar(
        select(DeviceCode).where(
            DeviceCode.user_code_digest == digest(normal_user_code(text)),
            DeviceCode.decided_at.is_(None),
            DeviceCode.expires_at >= now(),
        )
    )
    if found:
        accounts.forget_attempts(subject)
    return found


def decide(browser: Browser, code: DeviceCode, *, allowed: bool) -> bool:
    """Write down yes or no, once; false if somebody was quicker."""
    undecided = DeviceCode.digest == code.digest, DeviceCode.decided_at.is_(None)
    if not db().execute(update(DeviceCode).where(*undecided).values(decided_at=now())).rowcount:
        return False
    if allowed:
        code.authorization = Authorization(
            account_id=browser.account_id,
            client_id=code.client_id,
            scope=code.scope,
            auth_time=browser.auth_time,
        )
    return True


def logout_pages(server: Server) -> Blueprint:
    """OpenID Connect RP-Initiated Logout 1.0."""
    pages = Blueprint("logout", __name__)

    @pages.route("/logout", methods=["GET", "POST"])
    def logout() -> ResponseReturnValue:
        try:
            wanted = server.validate_endpoint_request("end_session")
        except (OAuth2Error, ValueError):
            abort(400, "The sign-out request is not one of ours.")
        browser = accounts.signed_in()
        claims = wanted.id_token_claims or {}
        form = ConfirmForm()
        # without proof that a client of this very person asks, the person decides
        if browser and claims.get("sub") != browser.account_id and not form.validate_on_submit():
            status = 400 if form.is_submitted() and form.submit.data else 200
            return render_template("logout.html", form=form, account=browser.account), status
        response = server.create_endpoint_response("end_session", wanted)
        return response or render_template("signed_out.html")

    return pages
