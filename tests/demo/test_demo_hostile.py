"""The provider under the same suspicion as others: whatever it is asked, no server error, no way round a check."""

from __future__ import annotations

import json
import re
import socket
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import pytest
import requests
from demo_helpers import CALLBACK, PASSWORD, Window, allow, ask, redeem, signed_in_window
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authnb.demo import DemoProvider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MARKUP = '<script>alert(1)</script>"><img src=x onerror=alert(1)>{{ 7 * 7 }}'


def test_pkce_cannot_be_left_out_half_way(demo: DemoProvider) -> None:
    """RFC 9700 section 4.8: without the verifier, or with what the address gave away, a code is worth nothing."""
    asked = ask(demo)
    code = allow(signed_in_window(demo), asked)["code"]
    challenge = asked.url.partition("code_challenge=")[2].partition("&")[0]
    for verifier in (None, "", challenge, "x" * 43, asked.verifier + "x", asked.verifier.swapcase()):
        answer = redeem(demo, asked, code, code_verifier=verifier)
        assert answer.status_code == 400
        assert answer.json()["error"] in {"invalid_request", "invalid_grant"}
    assert redeem(demo, asked, code, code_challenge_method="plain").status_code == 200


def test_a_password_is_never_sent_on(demo: DemoProvider) -> None:
    """RFC 9700 section 4.12: 303 makes a browser forget the form, 307 would send it to the next page."""
    window = Window(demo)
    statuses: list[int] = []
    window.http.hooks["response"].append(lambda answer, **_: statuses.append(answer.status_code))
    window.sign_up()
    window.sign_in()
    allow(window, ask(demo))
    window.submit(window.get("/logout"))
    assert {status for status in statuses if 300 <= status < 400} == {303}


def test_markup_in_a_clients_name_is_text(tmp_path: Path) -> None:
    """On every page that names it."""
    database = tmp_path / "provider.sqlite"
    with DemoProvider(database=database):
        pass  # so that there is one
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE clients SET name = ?", [MARKUP])
    with DemoProvider(database=database) as demo:
        window = Window(demo)
        pages = [window.get(ask(demo).url), window.get(ask(demo, prompt="create").url)]
        window.sign_up()
        window.sign_in()
        pages.append(window.get(ask(demo).url))
        device = requests.post(
            f"{demo.issuer}/device_authorization", data={"client_id": "notebook"}, timeout=20
        ).json()
        pages.append(window.get(device["verification_uri_complete"]))
        pages.append(window.submit(pages[-1], decision="deny"))
    for page in pages:
        assert MARKUP in page.text
        assert not page.soup.select("script, img")


@pytest.fixture(scope="module")
def window() -> Iterator[Window]:
    """A window at a provider where anything may be left behind."""
    with DemoProvider() as provider:
        yield Window(provider)


SPLIT = {
    "two lengths": b"Content-Length: 4\r\nContent-Length: 0\r\n",
    "a length with a sign": b"Content-Length: +0\r\n",
    "a length in words": b"Content-Length: none\r\n",
    "an encoding nobody knows": b"Transfer-Encoding: xchunked\r\n",
    "a blank before the colon": b"Content-Length : 4\r\n",
    "a bare line feed": b"X: 1\nContent-Length: 4\r\n",
    "a NUL": b"X: \x00\r\n",
}


@pytest.mark.parametrize("header", SPLIT.values(), ids=SPLIT)
def test_one_request_is_not_taken_for_two(onlooker: Window, header: bytes) -> None:
    """RFC 9112 section 11.2: what can be read in two ways is refused, and the connection ends."""
    place = urlsplit(onlooker.demo.issuer)
    second = f"GET /smuggled HTTP/1.1\r\nHost: {place.netloc}\r\nConnection: close\r\n\r\n".encode()
    first = f"POST /token HTTP/1.1\r\nHost: {place.netloc}\r\n".encode() + header + b"\r\n0\r\n\r\n"
    with socket.create_connection((place.hostname, place.port), timeout=20) as one:
        one.sendall(first + second)
        answer = b""
        while piece := one.recv(1 << 16):
            answer += piece
    statuses = re.findall(rb"HTTP/1\.[01] (\d+)", answer)
    assert len(statuses) == 1, answer
    assert statuses[0] in {b"400", b"501"}


# Where the provider can be asked, and what it answers with there
PAGES = ("/", "/login", "/signup", "/authorize", "/consent", "/device", "/device/decision", "/logout")
ENDPOINTS = (
    "/token",
    "/revoke",
    "/device_authorization",
    "/userinfo",
    "/jwks",
    "/.well-known/openid-configuration",
    "/api/stations",
    "/api/measurements",
)
KNOWN = {
    "client_id": ["notebook", "web"],
    "response_type": ["code"],
    "redirect_uri": [CALLBACK],
    "scope": ["openid"],
    "state": ["s"],
    "code_challenge": ["x" * 43],
    "code_challenge_method": ["S256"],
    "prompt": ["none", "login", "create", "consent"],
    "max_age": ["0"],
    "login_hint": ["ada"],
    "grant_type": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
    "code": ["c"],
    "code_verifier": ["x" * 43],
    "device_code": ["d"],
    "refresh_token": ["r"],
    "token": ["t"],
    "token_type_hint": ["refresh_token"],
    "user_code": ["WDJB-MJHT"],
    "id_token_hint": ["a.b.c"],
    "post_logout_redirect_uri": [CALLBACK],
    "name": ["ada"],
    "email": ["ada@example.org"],
    "password": [PASSWORD],
    "password_again": [PASSWORD],
    "csrf_token": ["x"],
    "decision": ["allow", "deny"],
    "next": ["/authorize", "https://evil.example"],
    "station": ["1"],
    "page": ["2"],
    "since": ["2026-01-01"],
}
ODD = ["", "\0", "\r\nSet-Cookie: a=b", "'\"<b>", "\ud800", "9" * 400, "-1", "../..", "%00", "a" * 5000]
VALUES = st.sampled_from(ODD) | st.text(max_size=20)
FIELDS = st.lists(
    st.sampled_from(sorted(KNOWN)).flatmap(
        lambda name: st.tuples(st.just(name), st.sampled_from(KNOWN[name]) | VALUES)
    )
    | st.tuples(VALUES, VALUES),
    max_size=8,
)
# All that is known at once, but for one
ALMOST = st.tuples(st.sampled_from(sorted(KNOWN)), VALUES).map(
    lambda other: (
        [(name, known[0]) for name, known in KNOWN.items() if name not in {other[0], "prompt"}] + [other]
    )
)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["Authorization", "Accept", "Cookie", "Content-Type", "Origin", "X-Forwarded-Host", "Range"]
    ),
    st.sampled_from(
        [
            "",
            "Bearer x",
            "Basic OjpA",
            "Basic %%%",
            "session=x",
            "application/json",
            "multipart/form-data",
            "*/*;q=x",
        ]
    ),
    max_size=3,
)


def encoded(fields: list[tuple[str, str]]) -> str:
    """A query or a form, of whatever text."""
    return "&".join(
        f"{quote(name, errors='replace')}={quote(value, errors='replace')}" for name, value in fields
    )


@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    path=st.sampled_from(PAGES + ENDPOINTS) | VALUES.map(lambda text: "/" + quote(text, errors="replace")),
    method=st.sampled_from(["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"]),
    query=FIELDS | ALMOST,
    form=FIELDS | ALMOST | VALUES,
    headers=HEADERS,
)
def test_hypothesis_requests(
    onlooker: Window, path: str, method: str, query: Any, form: Any, headers: dict[str, str]
) -> None:
    """No server error, a page where pages are and JSON where endpoints are, and never on to another site."""
    body = encoded(form).encode() if isinstance(form, list) else form.encode(errors="replace")
    headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    answer = onlooker.http.request(
        method,
        f"{onlooker.demo.issuer}{path}?{encoded(query)}",
        data=body,
        headers=headers,
        allow_redirects=False,
        timeout=20,
    )
    assert answer.status_code < 500
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    if path in ENDPOINTS and answer.content:
        assert kind == "application/json"
        json.loads(answer.content)
    elif answer.content:
        assert kind in {"text/html", "application/json"}
    location = answer.headers.get("Location", onlooker.demo.issuer)
    assert location.startswith(("/", onlooker.demo.issuer, CALLBACK))
    assert not location.startswith("//")
    assert "Set-Cookie: a=b" not in str(answer.headers)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(path=st.sampled_from(["/signup", "/login", "/device"]), data=st.data())
def test_hypothesis_forms(window: Window, path: str, data: st.DataObject) -> None:
    """Into a form with its own token: the form again, with what was wrong, or a page."""
    page = window.get(path)
    names = [tag["name"] for tag in page.soup.select("form input[name]") if tag["name"] != "csrf_token"]
    page = window.submit(page, **{name: data.draw(VALUES).encode(errors="surrogatepass") for name in names})
    assert page.status < 500
    assert page.response.headers["Content-Type"].startswith("text/html")
    assert not page.soup.select("b b, img, script")
