"""What the tests of the demo provider share: a clock to turn, a browser window, and the requests of a client.

The window is written on requests and BeautifulSoup, apart from `authnb.demo.person`, so that each checks the other.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import pytest
import requests
from bs4 import BeautifulSoup

if TYPE_CHECKING:
    from collections.abc import Callable

    from bs4 import Tag

    from authnb.demo import DemoProvider, RunningProvider

PASSWORD = "a long passphrase"
CALLBACK = "http://127.0.0.1:9/callback"  # not listening: the window does not follow this redirect
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
SCOPE = "openid profile email measurements:read"


def require(condition: object, reason: str) -> None:
    """Skip the test unless the condition holds; fail instead where nothing may be skipped."""
    if not condition:
        (pytest.fail if os.environ.get("AUTHNB_REQUIRE_ALL") == "1" else pytest.skip)(reason)


class Clock:
    """A clock that goes only when it is turned."""

    def __init__(self) -> None:
        self.seconds = 1_750_000_000.0

    def __call__(self) -> float:
        return self.seconds

    def turn(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass
class Shown:
    """What a window shows: a page of the provider, or the client's address that it was sent to."""

    response: requests.Response
    url: str

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def soup(self) -> BeautifulSoup:
        return BeautifulSoup(self.response.text, "html.parser")

    @property
    def title(self) -> str:
        return self.soup.h1.get_text(strip=True)

    @property
    def text(self) -> str:
        return " ".join(self.soup.get_text(" ").split())

    @property
    def errors(self) -> list[str]:
        return [" ".join(tag.get_text().split()) for tag in self.soup.select("[data-error]")]

    @property
    def answer(self) -> dict[str, str]:
        """The parameters that the client gets."""
        parsed = parse_qs(urlsplit(self.url).query, strict_parsing=True)
        assert all(len(values) == 1 for values in parsed.values())
        return {name: values[0] for name, values in parsed.items()}

    def field(self, name: str) -> Tag:
        return self.soup.select_one(f"[name={name}]")


class Window:
    """A browser window with its own cookies, which stops at the door of the client."""

    def __init__(self, demo: RunningProvider) -> None:
        self.demo = demo
        self.http = requests.Session()
        self.http.trust_env = False

    def get(self, url: str, **query: Any) -> Shown:
        address = urljoin(self.demo.issuer, url)
        return self._follow("GET", f"{address}?{urlencode(query, doseq=True)}" if query else address)

    def post(self, url: str, data: dict[str, Any]) -> Shown:
        return self._follow("POST", urljoin(self.demo.issuer, url), data)

    def submit(self, page: Shown, **answers: str) -> Shown:
        """Send the page's form with what it holds and these answers."""
        form = page.soup.form
        held = {tag["name"]: tag.get("value", "") for tag in form.select("input[name]")}
        return self.post(urljoin(page.url, form.get("action", page.url)), held | answers)

    def _follow(self, method: str, url: str, data: dict[str, Any] | None = None) -> Shown:
        for _ in range(10):
            response = self.http.request(method, url, data=data, allow_redirects=False, timeout=20)
            location = response.headers.get("Location")
            if not location:
                return Shown(response, url)
            method, url, data = "GET", urljoin(url, location), None
            if not url.startswith(self.demo.issuer + "/"):
                return Shown(response, url)
        raise AssertionError("redirected without end")

    def sign_up(self, name: str = "ada", password: str = PASSWORD, **others: str) -> Shown:
        page = self.get("/signup")
        answers = {"email": f"{name}@example.org", "password_again": password} | others
        return self.submit(page, name=name, password=password, **answers)

    def sign_in(self, name: str = "ada", password: str = PASSWORD) -> Shown:
        return self.submit(self.get("/login"), name=name, password=password)


def signed_in_window(demo: RunningProvider, name: str = "ada") -> Window:
    """Give a window in which that person is signed in; the account is made if need be."""
    window = Window(demo)
    window.sign_up(name)
    assert window.sign_in(name).url == f"{demo.issuer}/"
    return window


@dataclass
class Asked:
    """An authorization request, and the verifier that belongs to it."""

    url: str
    verifier: str
    redirect_uri: str


def ask(demo: RunningProvider, **changes: str | None) -> Asked:
    """Give an authorization request of the notebook client; None takes a parameter away."""
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    parameters: dict[str, str | None] = {
        "response_type": "code",
        "client_id": demo.client_id,
        "redirect_uri": CALLBACK,
        "scope": SCOPE,
        "state": "some state",
        "nonce": "some nonce",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    } | changes
    query = urlencode({name: value for name, value in parameters.items() if value is not None})
    return Asked(f"{demo.issuer}/authorize?{query}", verifier, parameters["redirect_uri"] or "")


def allow(window: Window, asked: Asked) -> dict[str, str]:
    """Say yes where it is asked, and give the client's answer."""
    page = window.get(asked.url)
    if page.url.startswith(window.demo.issuer):
        assert page.title.startswith("Allow"), page.text
        page = window.submit(page, decision="allow")
    return page.answer


def token_request(demo: RunningProvider, **parameters: str | None) -> requests.Response:
    """Ask the token endpoint as the notebook client."""
    data = {"client_id": demo.client_id} | parameters
    return requests.post(f"{demo.issuer}/token", data=data, timeout=20)


def redeem(demo: RunningProvider, asked: Asked, code: str, **changes: str | None) -> requests.Response:
    """Ask for the tokens of a code."""
    parameters = {"code": code, "code_verifier": asked.verifier, "redirect_uri": asked.redirect_uri} | changes
    return token_request(demo, grant_type="authorization_code", **parameters)


def refresh(demo: RunningProvider, refresh_token: str, **changes: str) -> requests.Response:
    """Ask for the tokens of a refresh token."""
    return token_request(demo, grant_type="refresh_token", refresh_token=refresh_token, **changes)


def get_tokens(demo: RunningProvider, name: str = "ada", **changes: str | None) -> dict[str, Any]:
    """Give the tokens of a whole sign-in."""
    asked = ask(demo, **changes)
    code = allow(signed_in_window(demo, name), asked)["code"]
    answer = redeem(demo, asked, code, client_id=changes.get("client_id", demo.client_id))
    assert answer.status_code == 200, answer.text
    return answer.json()


def api_status(demo: RunningProvider, access_token: str) -> int:
    """Give the status with which the API answers to this token."""
    headers = {"Authorization": f"Bearer {access_token}"}
    return requests.get(f"{demo.api}/stations", headers=headers, timeout=20).status_code


def at_once(function: Callable[[], Any], threads: int = 8) -> list[Any]:
    """Call the function in so many threads that all start at the same moment."""
    barrier = threading.Barrier(threads)

    def call(_: int) -> Any:
        barrier.wait(10)
        return function()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(call, range(threads)))


def web_post(demo: DemoProvider, path: str, secret: str | None = None, **data: str) -> requests.Response:
    """Post as the confidential client, with HTTP Basic."""
    auth = (demo.web_client_id, demo.web_client_secret if secret is None else secret)
    return requests.post(f"{demo.issuer}{path}", data=data, auth=auth, timeout=20)
