"""The authorization endpoint (RFC 6749 section 3.1), and the page on which the person says yes or no."""
# Authlib's stubs leave many functions without types.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oidc.core.errors import ConsentRequiredError, LoginRequiredError
from flask import Blueprint, redirect, render_template, request, url_for

from authnb.demo import accounts
from authnb.demo.context import db, now, provider
from authnb.demo.database.loopback import is_loopback, without_loopback_port
from authnb.demo.database.models import Browser, Consent
from authnb.demo.pages.forms import DecisionForm
from authnb.demo.pages.sign_in import to_sign_in
from authnb.demo.protocol import pushed_requests
from authnb.demo.protocol.metadata import in_words
from authnb.demo.protocol.pushed_requests import InvalidRequestURIError, parameters, without_sign_in
from authnb.demo.protocol.resources import names, requested
from authnb.demo.protocol.step_up import current_acr, is_reached, wanted_acr

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

pages: Blueprint = Blueprint("authorize", __name__)


@pages.route("/authorize", methods=["GET", "POST"])
def authorize() -> ResponseReturnValue:
    """Find out who it is, ask what is still to be asked, and answer the client."""
    if request.method == "POST":  # OpenID Connect Core 1.0 section 3.1.2.1 asks for it
        query = urlencode(request.form.to_dict(flat=False), doseq=True)
        return redirect(f"{request.script_root}/authorize?{query}", 303)
    try:
        return _authorize()
    except OAuth2Error as error:
        return _refuse(error)


def _authorize() -> ResponseReturnValue:
    if url := pushed_requests.open_here():
        return redirect(url, 303)
    prompts = set(parameters().get("prompt", "").split())
    browser = _fresh_enough(accounts.signed_in())
    grant = _validated(browser)
    if "none" in prompts and not browser:
        raise LoginRequiredError(redirect_uri=grant.redirect_uri)
    if not browser or prompts & {"create", "login", "select_account"}:
        hint = parameters().get("login_hint")
        return to_sign_in(_after_sign_in(), hint, create="create" in prompts)
    if not is_reached(wanted_acr(parameters().get("acr_values", "")), current_acr(browser.acr)):
        if "none" in prompts:
            raise LoginRequiredError(redirect_uri=grant.redirect_uri)
        return redirect(url_for("second_factor.one_time_code", next=_same_request()), 303)
    if "consent" not in prompts and _has_consent(browser, grant):
        return _answer(browser, grant)
    if "none" in prompts:
        raise ConsentRequiredError(redirect_uri=grant.redirect_uri)
    return _ask(browser, grant, DecisionForm())


@pages.post("/consent")
def consent() -> ResponseReturnValue:
    """Take the person's yes or no to the authorization request in the query."""
    try:
        return _decide()
    except OAuth2Error as error:
        return _refuse(error)


def _decide() -> ResponseReturnValue:
    browser = accounts.signed_in()
    if not browser:
        return to_sign_in(_after_sign_in())
    grant = _validated(browser)
    form = DecisionForm()
    allowed = form.allowed()
    if allowed is None:
        return _ask(browser, grant, form), 400
    if allowed:
        _remember_consent(browser, grant)
    return _answer(browser if allowed else None, grant)


def _validated(browser: Browser | None) -> Any:
    """Give the authorization request as Authlib's grant; raises OAuth2Error."""
    grant: Any = provider().server.get_consent_grant(end_user=browser.account if browser else None)
    if provider().settings.pushed_requests == "required" and not pushed_requests.current():
        problem = "Push the authorization request first (RFC 9126)."
        raise InvalidRequestError(problem, redirect_uri=grant.redirect_uri)
    return grant


def _fresh_enough(browser: Browser | None) -> Browser | None:
    """Give the browser unless its sign-in is older than `max_age`, or is of another than `login_hint`."""
    if not browser:
        return None
    hint = parameters().get("login_hint", "").casefold()
    if hint and hint not in {browser.account.name_key, browser.account.email.casefold()}:
        return None
    max_age = parameters().get("max_age", "")
    if max_age.isascii() and max_age.isdigit() and browser.auth_time + float(max_age) <= now():
        return None
    return browser


def _after_sign_in() -> str:
    """Give this request as it goes on after a new sign-in, which is then not asked for again."""
    if pushed := pushed_requests.current():
        pushed_requests.ask_for_sign_in(pushed)
    return _same_request()


def _same_request() -> str:
    """Give this request, without what asks for a new sign-in; a pushed one knows by itself whether there was one."""
    arguments = request.args if pushed_requests.current() else without_sign_in(request.args)
    return f"/authorize?{urlencode([*arguments.items(multi=True)])}"


def _answer(browser: Browser | None, grant: Any) -> ResponseReturnValue:
    """Send the browser back to the client, with a code or (without a browser) with the person's no."""
    if not pushed_requests.end():
        raise InvalidRequestURIError("The 'request_uri' was used before.")
    response: Any = provider().server.create_authorization_response(
        grant_user=browser.account if browser else None, grant=grant
    )
    response.status_code = 303  # RFC 9700 section 4.12
    return _in_mode(response, grant.redirect_uri)


def _refuse(error: OAuth2Error) -> ResponseReturnValue:
    """Tell the client if we know where it is, else the person (RFC 6749 section 4.1.2.1)."""
    if not error.redirect_uri:
        title = "This sign-in cannot go on"
        return render_template("error.html", title=title, problem=error.get_error_description()), 400
    pushed_requests.end()
    error.state = parameters().get("state")
    server: Any = provider().server
    response = server.handle_error_response(request, error)
    server.issuer_parameter.add_issuer_parameter(server, response)
    return _in_mode(response, error.redirect_uri)


def _in_mode(response: Any, redirect_uri: str) -> ResponseReturnValue:
    """The answer where it was asked for: OAuth 2.0 Multiple Response Type Encoding Practices section 2.1."""
    location = response.headers["Location"]
    if parameters().get("response_mode") == "fragment" and location.startswith(redirect_uri):
        response.headers["Location"] = f"{redirect_uri}#{location[len(redirect_uri) + 1 :]}"
    answer: ResponseReturnValue = response
    return answer


def _ask(browser: Browser, grant: Any, form: DecisionForm) -> str:
    consent, asked = _consent(browser, grant), grant.request.scope.split()
    known = consent.scope.split() if consent else []
    return render_template(
        "consent.html",
        form=form,
        account=browser.account,
        client=grant.request.client,
        scopes=in_words(" ".join(word for word in asked if word not in known)),
        allowed=in_words(" ".join(word for word in asked if word in known)),
        query=request.query_string.decode(errors="replace"),
        apis=names(requested(grant.request)),
        site=urlsplit(grant.redirect_uri).netloc,
        local=is_loopback(grant.redirect_uri),
    )


def _has_consent(browser: Browser, grant: Any) -> bool:
    if not _is_identity_assured(grant):
        return False
    consent = _consent(browser, grant)
    return consent is not None and set(grant.request.scope.split()) <= set(consent.scope.split())


def _remember_consent(browser: Browser, grant: Any) -> None:
    """Add what is allowed now to what was allowed before."""
    consent = _consent(browser, grant)
    if consent is None:
        consent = Consent(
            account_id=browser.account_id,
            client_id=grant.request.client.id,
            redirect_uri=without_loopback_port(grant.redirect_uri),
            scope="",
        )
        db().add(consent)
    consent.scope = " ".join(dict.fromkeys(f"{consent.scope} {grant.request.scope}".split()))


def _consent(browser: Browser, grant: Any) -> Consent | None:
    key = (browser.account_id, grant.request.client.id, without_loopback_port(grant.redirect_uri))
    return db().get(Consent, key, with_for_update=True)


def _is_identity_assured(grant: Any) -> bool:
    """Whether an earlier consent may stand for this request (RFC 8252 section 8.6).

    It may for a client that authenticates, and for one whose redirect URI is an https address. A loopback port belongs
    to whichever program listens on it now, so there the person is asked each time.
    """
    return not grant.request.client.is_public or grant.redirect_uri.startswith("https://")
