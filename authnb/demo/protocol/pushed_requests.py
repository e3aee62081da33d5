"""Pushed authorization requests (RFC 9126): what the client sent us itself stands, whatever the browser brings.

A `request_uri` is good once, for the first browser that comes with it. That browser gets another one, which nobody else
knows, for as long as a person needs to sign in and to decide; it ends with the answer to the client.
"""
# Authlib's stubs leave many functions without types.
# mypy: allow-untyped-calls

from __future__ import annotations

import json
import secrets
from collections import defaultdict
from typing import Any, cast
from urllib.parse import urlencode

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Payload
from flask import Response, g, request
from sqlalchemy import bindparam, delete, insert, update
from werkzeug.datastructures import MultiDict

from authnb.demo.accounts import signed_in
from authnb.demo.context import changed, db, new_value, now, provider
from authnb.demo.database.models import PushedRequest, digest
from authnb.demo.protocol import dpop
from authnb.demo.protocol.metadata import AUTH_METHODS

LIFETIME = 60  # seconds from the push to the browser
OPENED_LIFETIME = 600  # seconds from there to the person's yes or no
PREFIX = "urn:ietf:params:oauth:request_uri:"
CREDENTIALS = frozenset({"client_secret", "client_assertion", "client_assertion_type"})

_NEW = insert(PushedRequest)
_WHICH = PushedRequest.digest == bindparam("which")
_OPEN = update(PushedRequest).where(_WHICH, PushedRequest.opened_at.is_(None))
_ASK = update(PushedRequest).where(_WHICH)
_END = delete(PushedRequest).where(_WHICH)


class InvalidRequestURIError(OAuth2Error):
    """RFC 9101 section 6.1, as RFC 9126 section 4 uses it."""

    error = "invalid_request_uri"


class Payload(OAuth2Payload):
    """The parameters of a pushed request, in place of those of the HTTP request."""

    def __init__(self, parameters: MultiDict[str, str]) -> None:
        self._parameters = parameters

    @property
    def data(self) -> MultiDict[str, str]:
        """Each with its value, or the first of several."""
        return self._parameters

    @property
    def datalist(self) -> defaultdict[str, list[str]]:
        """Each with all its values."""
        return defaultdict(list, self._parameters.lists())


def push() -> Response:
    """The answer to a pushed authorization request, which is looked at as at the authorization endpoint (section 2)."""
    server: Any = provider().server
    pushed = server.create_oauth2_request(None)
    try:
        client = server.authenticate_client(pushed, AUTH_METHODS, "pushed_authorization_request")
        parameters = _parameters(client.id)
        pushed.payload = Payload(parameters)
        grant = server.get_authorization_grant(pushed)
        grant.validate_no_multiple_request_parameter(pushed)
        grant.validate_authorization_request()
    except OAuth2Error as error:
        error.redirect_uri = None  # section 2.3: the client hears of it here
        return cast("Response", server.handle_error_response(pushed, error))
    request_uri = _new_request_uri()
    changed(
        _NEW,
        digest=digest(request_uri),
        client_id=client.id,
        parameters=json.dumps([*parameters.items(multi=True)]),
        expires_at=now() + LIFETIME,
    )
    body = {"request_uri": request_uri, "expires_in": LIFETIME}
    return Response(json.dumps(body), 201, content_type="application/json")


def _parameters(client_id: str) -> MultiDict[str, str]:
    """Those of the request without the client's credentials; a DPoP proof says which key (RFC 9449 section 10.1)."""
    form = MultiDict(
        (name, value) for name, value in request.form.items(multi=True) if name not in CREDENTIALS
    )
    if "request_uri" in form:
        raise InvalidRequestError("'request_uri' is no parameter of a pushed request.")  # section 2.1
    if form.setdefault("client_id", client_id) != client_id:
        raise InvalidRequestError("'client_id' is another client than the one that authenticated.")
    if provider().settings.dpop is not None and "DPoP" in request.headers:
        jkt = dpop.proof_key()
        if form.setdefault("dpop_jkt", jkt) != jkt:
            raise InvalidRequestError("'dpop_jkt' is another key than that of the DPoP proof.")
    return form


def parameters() -> MultiDict[str, str]:
    """The parameters of an authorization request, pushed or not; raises InvalidRequestURIError.

    Those of a pushed one are without what asks for a new sign-in once there was one.
    """
    pushed = current()
    if pushed is None:
        return request.args
    found: MultiDict[str, str] = MultiDict(json.loads(pushed.parameters))
    browser, asked_at = signed_in(), pushed.sign_in_asked_at
    if browser and asked_at is not None and browser.auth_time >= asked_at:
        return without_sign_in(found)
    return found


def without_sign_in(parameters: MultiDict[str, str]) -> MultiDict[str, str]:
    """An authorization request without what a new sign-in satisfies."""
    rest = parameters.copy()
    rest.poplist("max_age")
    rest.poplist("login_hint")
    prompts = {"consent"} & set(" ".join(rest.poplist("prompt")).split())
    if prompts:
        rest.setlist("prompt", [*prompts])
    return rest


def current() -> PushedRequest | None:
    """The pushed request that this browser has opened, None for a request that was not pushed."""
    at_authorize = request.blueprint == "authorize" and "request_uri" in request.args
    if not at_authorize or provider().settings.pushed_requests is None:
        return None
    if "pushed" not in g:
        g.pushed = _find()
    pushed: PushedRequest = g.pushed
    return pushed


def _new_request_uri() -> str:
    return PREFIX + new_value("request_uri", lambda: secrets.token_urlsafe(32))


def _find() -> PushedRequest:
    """The one whose reference is in the URL, opened or not; it must be the client's (section 4)."""
    named = [request.args.getlist(name) for name in ("request_uri", "client_id")]
    found = db().get(PushedRequest, digest(named[0][0]))
    right = (
        found is not None and [len(values) for values in named] == [1, 1] and found.client_id == named[1][0]
    )
    if found is None or not right or found.expires_at <= now():
        raise InvalidRequestURIError(
            "The 'request_uri' is unknown, was used, has expired or is another client's."
        )
    return found


def open_here() -> str | None:
    """Where this browser goes on, if it comes with a pushed request that none has opened before."""
    pushed = current()
    if pushed is None or pushed.opened_at is not None:
        return None
    request_uri = _new_request_uri()
    values = {"digest": digest(request_uri), "opened_at": now(), "expires_at": now() + OPENED_LIFETIME}
    if not changed(_OPEN.values(**values), which=pushed.digest):
        raise InvalidRequestURIError("The 'request_uri' was used before.")
    query = urlencode({"client_id": pushed.client_id, "request_uri": request_uri})
    return f"{request.script_root}/authorize?{query}"


def ask_for_sign_in(pushed: PushedRequest) -> None:
    """Note that the person is sent to sign in, so that it is not asked for again afterwards."""
    changed(_ASK.values(sign_in_asked_at=now()), which=pushed.digest)


def end() -> bool:
    """The client gets its answer, and a pushed request ends with it; False if it had ended before."""
    pushed = current()
    return pushed is None or bool(changed(_END, which=pushed.digest))
