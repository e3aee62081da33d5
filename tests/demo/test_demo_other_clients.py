"""Other clients at the demo provider: Authlib's plain session, and the Flask client of Authlib's tutorial."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.flask_client import OAuth
from authlib.integrations.requests_client import OAuth2Session
from bs4 import BeautifulSoup
from demo_helpers import CALLBACK, PASSWORD, Window, signed_in_window
from flask import Flask, redirect, session, url_for
from joserfc.errors import JoseError
from waitress import create_server, wasyncore

from authnb.demo import DemoProvider

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def provider() -> Iterator[DemoProvider]:
    """A provider on the real clock: other clients check `exp` and `iat`."""
    with DemoProvider() as demo:
        yield demo


def test_authlibs_plain_session_signs_in(provider: DemoProvider) -> None:
    window = signed_in_window(provider)
    with OAuth2Session(
        "notebook",
        scope="openid profile measurements:read",
        redirect_uri=CALLBACK,
        code_challenge_method="S256",
        token_endpoint_auth_method="none",
        token_endpoint=f"{provider.issuer}/token",
        revocation_endpoint_auth_method="none",
    ) as client:
        verifier = "v" * 43
        url, state = client.create_authorization_url(f"{provider.issuer}/authorize", code_verifier=verifier)
        page = window.submit(window.get(url), decision="allow")
        token = client.fetch_token(authorization_response=page.url, state=state, code_verifier=verifier)
        assert token["token_type"] == "Bearer"
        assert client.get(f"{provider.api}/stations", timeout=20).ok
        old = token["access_token"]
        assert client.refresh_token(f"{provider.issuer}/token")["access_token"] != old
        assert client.get(f"{provider.issuer}/userinfo", timeout=20).json()["name"] == "ada"
        assert client.revoke_token(f"{provider.issuer}/revoke", token=client.token["refresh_token"]).ok
        assert client.get(f"{provider.api}/stations", timeout=20).status_code == 401


def tutorial(demo: DemoProvider) -> Flask:
    """Give the tutorial's web application, mended: imports, PKCE, `userinfo`, errors caught, a cookie of its own."""
    app = Flask("tutorial")
    app.config.update(SECRET_KEY="of the test", SESSION_COOKIE_NAME="tutorial")
    oauth = OAuth(app)
    oauth.register(
        name="demo",
        client_id=demo.web_client_id,
        client_secret=demo.web_client_secret,
        server_metadata_url=f"{demo.issuer}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid email profile", "code_challenge_method": "S256"},
    )

    @app.get("/")
    def home() -> str:
        return f"<h1>Hello {session.get('name', 'stranger')}</h1>"

    @app.get("/login")
    def login() -> object:
        return oauth.demo.authorize_redirect(url_for("authorize", _external=True))

    @app.get("/authorize")
    def authorize() -> object:
        try:
            token = oauth.demo.authorize_access_token()
        except (OAuthError, JoseError) as error:
            return f"<h1>Not signed in: {getattr(error, 'error', error)}</h1>", 400
        session["name"] = token["userinfo"]["name"]
        return redirect("/")

    @app.get("/signup")
    def signup() -> object:
        return oauth.demo.authorize_redirect(url_for("authorize", _external=True), prompt="create")

    return app


@pytest.fixture
def web(provider: DemoProvider) -> Iterator[str]:
    """Give the address of the tutorial's application, which runs on waitress."""
    channels: dict[int, object] = {}
    server = create_server(tutorial(provider), host="127.0.0.1", port=0, map=channels)
    thread = threading.Thread(target=server.run)
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}"
    server.task_dispatcher.shutdown()
    with server.trigger.lock:
        server.trigger.thunks.append(lambda: wasyncore.close_all(channels))
        server.trigger.pull_trigger()
    thread.join()


def visit_web(window: Window, url: str) -> str:
    """Open an address of the application in the window's browser, and give the heading that it ends on."""
    response = window.http.get(url, timeout=20)
    return BeautifulSoup(response.text, "html.parser").h1.text


def test_the_tutorials_flask_client_signs_in(provider: DemoProvider, web: str) -> None:
    window = signed_in_window(provider)
    assert visit_web(window, f"{web}/") == "Hello stranger"
    start = window.http.get(f"{web}/login", timeout=20, allow_redirects=False).headers["Location"]
    page = window.submit(window.get(start), decision="allow")
    assert visit_web(window, page.url) == "Hello ada"


def test_the_tutorials_flask_client_signs_up(provider: DemoProvider, web: str) -> None:
    window = Window(provider)
    start = window.http.get(f"{web}/signup", timeout=20, allow_redirects=False).headers["Location"]
    page = window.get(start)
    assert page.title == "Create an account"
    page = window.submit(page, name="ada", email="a@example.org", password=PASSWORD, password_again=PASSWORD)
    page = window.submit(page, password=PASSWORD)
    page = window.submit(page, decision="allow")
    assert visit_web(window, page.url) == "Hello ada"


def test_the_tutorials_flask_client_is_denied(provider: DemoProvider, web: str) -> None:
    window = signed_in_window(provider)
    start = window.http.get(f"{web}/login", timeout=20, allow_redirects=False).headers["Location"]
    page = window.submit(window.get(start), decision="deny")
    assert visit_web(window, page.url) == "Not signed in: access_denied"
    assert requests.get(f"{web}/", timeout=20).ok
