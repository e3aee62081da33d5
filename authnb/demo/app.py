"""The Flask application: all blueprints, the transaction around each request, headers, error pages."""

from __future__ import annotations

import json
import secrets
from email.utils import formatdate
from functools import cache, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from authlib.oauth2.rfc8628 import DEVICE_CODE_GRANT_TYPE
from flask import Flask, Response, abort, g, jsonify, render_template, request
from flask.sessions import SecureCookieSessionInterface
from jinja2 import PackageLoader
from joserfc.jwk import RSAKey
from sqlalchemy import select
from werkzeug.exceptions import HTTPException

from authnb.demo.context import Context, Settings, now, provider
from authnb.demo.database.models import Client, Setting
from authnb.demo.database.purge import Purge
from authnb.demo.pages import authorize, device, logout, second_factor, sign_in
from authnb.demo.proof_nonces import ProofNonces
from authnb.demo.protocol import dpop, endpoints
from authnb.demo.protocol.authorization_server import Server
from authnb.demo.protocol.client_assertions import PRIVATE_KEY_JWT
from authnb.demo.protocol.client_keys import client_keys
from authnb.demo.protocol.metadata import TOKEN_EXCHANGE
from authnb.demo.registration_limits import RegistrationLimits
from authnb.demo.resource import archive, measurements
from authnb.demo.values import Values

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from flask.typing import ResponseReturnValue
    from itsdangerous import URLSafeTimedSerializer
    from sqlalchemy.orm import Session

    from authnb.demo.database.engine import Database

NATIVE_CLIENT_ID = "notebook"
WEB_CLIENT_ID = "web"
JOB_CLIENT_ID = "job"

HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    # no form-action: Chromium applies it to the redirect to the client too, and cannot be told of [::1]
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}
JSON_PATHS = (
    "/api",
    "/archive",
    "/.well-known/",
    "/jwks",
    "/token",
    "/par",
    "/revoke",
    "/register",
    "/device_authorization",
    "/userinfo",
)


class Cookies(SecureCookieSessionInterface):
    """Flask's signed cookie, with the signer made once: Flask makes one for each request, with or without a cookie."""

    def __init__(self, app: Flask) -> None:
        self._signer = super().get_signing_serializer(app)

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:  # noqa: ARG002 - Flask's signature
        """The one for the application's key."""
        return self._signer


def create_app(
    issuer: str,
    database: Database,
    settings: Settings,
    clock: Callable[[], float],
    redirect_uris: Collection[str] = (),
) -> Flask:
    """Give the application of one provider; `issuer` is the URL under which browsers and clients reach it.

    `redirect_uris` are registered for the notebooks' client beside those on this computer. Raises ValueError for
    one that is none, and for `client_keys` that are of no use.
    """
    _check(redirect_uris)
    values = Values(settings.seed)
    new_key = _new_signing_key if settings.seed is None else partial(_signing_key_of, settings.seed)
    with database.sessions.begin() as session:
        signing_key = _read_signing_key(_setting(session, "signing key", new_key), settings, values)
        cookie_key = _setting(session, "cookie key", lambda: secrets.token_urlsafe(32))
        _register_clients(session, redirect_uris, values)
        _give_keys(session, settings.client_keys or {})
        own = select(Client).where(Client.registration.is_(None))
        clients = {client.id: client for client in session.scalars(own)}

    app = Flask(__name__)
    app.jinja_env.loader = PackageLoader("authnb.demo")  # from an archive too
    app.config.update(
        SECRET_KEY=cookie_key,
        # cookies know no port: two providers on this computer need two names
        SESSION_COOKIE_NAME=f"authnb_demo_{urlsplit(issuer).port or 0}",
        SESSION_COOKIE_PATH=urlsplit(issuer).path or "/",
        SESSION_COOKIE_SECURE=issuer.startswith("https:"),
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=64 * 1024,
    )
    app.session_interface = Cookies(app)
    app.extensions["authnb-demo"] = Context(
        issuer=issuer,
        settings=settings,
        clock=clock,
        reading=database.reading,
        sessions=database.sessions,
        clients=clients,
        purge=Purge(database.sessions),
        registration_limits=RegistrationLimits(settings.registrations_per_minute),
        proof_nonces=ProofNonces(values),
        signing_key=signing_key,
        server=Server(settings),
        values=values,
    )
    for blueprint in (
        sign_in.pages,
        authorize.pages,
        second_factor.pages,
        device.pages,
        logout.pages,
        endpoints.endpoints,
        measurements.api,
        archive.api,
    ):
        app.register_blueprint(blueprint)

    app.before_request(_known_host_only)
    app.after_request(_purge)
    app.after_request(_commit)
    app.after_request(_add_headers)
    app.teardown_request(_end_transaction)
    app.register_error_handler(HTTPException, _show_error)
    return app


def _known_host_only() -> None:
    """A page elsewhere whose name was made to point here must not reach us (DNS rebinding)."""
    own = urlsplit(provider().issuer).hostname
    if urlsplit(f"//{request.host}").hostname not in {"127.0.0.1", "localhost", own}:
        abort(400, f"This provider answers at {own} only.")


def _check(redirect_uris: Iterable[str]) -> None:
    for uri in redirect_uris:
        if urlsplit(uri).scheme not in {"http", "https"} or any(c.isspace() for c in uri) or "#" in uri:
            raise ValueError(f"redirect URI {uri!r} is no http(s) address")


def _commit(response: Response) -> Response:
    if "db" in g and g.db.in_transaction() and response.status_code < 500:  # noqa: PLR2004  what broke is rolled back
        g.db.commit()
    return response


def _purge(response: Response) -> Response:
    """Now and then, when the answer is on its way."""
    moment, purge = now(), provider().purge
    if purge.is_due(moment):
        response.call_on_close(lambda: purge.run(moment))
    return response


def _end_transaction(_error: BaseException | None) -> None:
    if "db" in g:
        g.pop("db").close()


def _add_headers(response: Response) -> Response:
    if not response.cache_control.public:
        response.headers["Cache-Control"] = "no-store"
    response.headers.extend(HEADERS)
    if provider().settings.seed is not None:  # a client that goes by our clock finds what we issue valid
        response.headers["Date"] = formatdate(now(), usegmt=True)
    dpop.add_nonce(response)
    return response


def _show_error(error: HTTPException) -> ResponseReturnValue:
    if error.response is not None:
        return error.response
    status = error.code or 500
    if request.path.startswith(JSON_PATHS):
        code = "server_error" if status >= 500 else "invalid_request"  # noqa: PLR2004 - HTTP's
        return jsonify(error=code, error_description=error.description), status
    return render_template("error.html", title=error.name, problem=error.description), status


def _setting(session: Session, name: str, make: Callable[[], str]) -> str:
    setting = session.get(Setting, name)
    if not setting:
        setting = Setting(name=name, value=make())
        session.add(setting)
    return setting.value


def _new_signing_key() -> str:
    return RSAKey.generate_key(2048).as_pem(private=True).decode()


@cache
def _signing_key_of(_seed: str) -> str:
    """One for this process: who restarts such a provider has its `kid` still, and may have kept its keys."""
    return _new_signing_key()


def _read_signing_key(pem: str, settings: Settings, values: Values) -> RSAKey:
    if settings.seed is not None:
        return RSAKey.import_key(pem, {"use": "sig", "alg": "RS256", "kid": values.new("kid", str)})
    key = RSAKey.import_key(pem, {"use": "sig", "alg": "RS256"})
    key.ensure_kid()
    return key


def _register_clients(session: Session, redirect_uris: Collection[str], values: Values) -> None:
    """Three clients: the notebooks' own, which can keep no secret (RFC 8252); a web application; a job for itself."""
    loopback = ("http://127.0.0.1", "http://[::1]", "http://localhost")
    native = " ".join((*(f"{host}/callback" for host in loopback), *redirect_uris))
    grant_types = f"authorization_code refresh_token {DEVICE_CODE_GRANT_TYPE} {TOKEN_EXCHANGE}"
    if known := session.get(Client, NATIVE_CLIENT_ID):
        known.redirect_uris, known.grant_types = native, grant_types
    else:
        session.add(
            Client(
                id=NATIVE_CLIENT_ID,
                name="Notebook",
                secret=None,
                auth_methods="none",
                grant_types=grant_types,
                redirect_uris=native,
                post_logout_redirect_uris=" ".join(
                    f"{host}{path}" for host in loopback for path in ("/", "/callback")
                ),
            )
        )
    if not session.get(Client, JOB_CLIENT_ID):
        session.add(
            Client(
                id=JOB_CLIENT_ID,
                name="Nightly job",
                secret=values.new("client secret of the job", partial(secrets.token_urlsafe, 32)),
                auth_methods="client_secret_basic client_secret_post",
                grant_types="client_credentials",
                redirect_uris="",
                post_logout_redirect_uris="",
            )
        )
    if not session.get(Client, WEB_CLIENT_ID):
        session.add(
            Client(
                id=WEB_CLIENT_ID,
                name="Web application",
                secret=values.new("client secret of the web application", partial(secrets.token_urlsafe, 32)),
                auth_methods="client_secret_basic client_secret_post",
                grant_types="authorization_code refresh_token",
                redirect_uris=" ".join(f"{host}/authorize" for host in loopback),
                post_logout_redirect_uris=" ".join(f"{host}/" for host in loopback),
            )
        )


def _give_keys(session: Session, keys: Mapping[str, Any]) -> None:
    """Each client authenticates by its keys of this start, or else as it did before it had any."""
    confidential = "client_secret_basic client_secret_post"
    methods = {NATIVE_CLIENT_ID: "none", JOB_CLIENT_ID: confidential, WEB_CLIENT_ID: confidential}
    if unknown := set(keys) - set(methods):
        raise ValueError(
            f"There are no clients {sorted(unknown)}, to have keys: there are {sorted(methods)}."
        )
    session.flush()
    for client_id, method in methods.items():
        client = session.get_one(Client, client_id)
        client.jwks = json.dumps(client_keys(keys[client_id])) if client_id in keys else None
        client.auth_methods = PRIVATE_KEY_JWT if client_id in keys else method
