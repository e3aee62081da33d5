"""Accounts: sign-up, sign-in, and resistance to enumeration and guessing."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from demo_helpers import PASSWORD, Clock, Window, ask, at_once, signed_in_window

if TYPE_CHECKING:
    from authnb.demo import DemoProvider


def test_sign_up_leads_to_the_sign_in_page_with_the_name_filled_in(demo: DemoProvider) -> None:
    page = Window(demo).sign_up("ada")
    assert (page.status, page.title) == (200, "Sign in")
    assert page.field("name")["value"] == "ada"
    assert "Welcome, ada" in page.soup.select_one("[role=status]").text


def test_passwords_are_kept_as_hashes_that_take_their_time() -> None:
    """By scrypt (RFC 7914) with N=2^15 or more, in a process in which the tests set nothing."""
    code = "from authnb.demo import accounts; print(accounts._hash('a password'))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    method, size, _, _ = said.partition("$")[0].split(":")
    assert method == "scrypt"
    assert int(size) >= 2**15
    assert "a password" not in said


def test_signing_in_shows_who_it_is(demo: DemoProvider) -> None:
    window = Window(demo)
    window.sign_up("ada", full_name="Ada Example")
    assert window.sign_in("Ada").title == "Ada Example"


@pytest.mark.parametrize(
    ("answers", "errors"),
    [
        ({"name": ""}, ["Choose a name to sign in with."]),
        ({"name": "a b"}, ["2 to 32 letters, digits, dots, dashes or underscores, a letter or digit first."]),
        (
            {"name": "ada\n<b>"},
            ["2 to 32 letters, digits, dots, dashes or underscores, a letter or digit first."],
        ),
        (
            {"name": "a" * 33},
            ["2 to 32 letters, digits, dots, dashes or underscores, a letter or digit first."],
        ),
        ({"email": ""}, ["Enter an e-mail address; a made-up one at example.org will do."]),
        ({"email": "ada@"}, ["This is not a complete e-mail address."]),
        ({"full_name": "A\u202eda"}, ["Please use letters, digits, spaces and ordinary signs only."]),
        ({"full_name": "A" * 81}, ["At most 80 characters."]),
        ({"password": ""}, ["Choose a password.", "The two passwords differ."]),
        ({"password": "short", "password_again": "short"}, ["At least 8 characters."]),
        ({"password": "Password", "password_again": "Password"}, ["This password is too easy to guess."]),
        ({"password": "x" * 12, "password_again": "x" * 12}, ["This password is too easy to guess."]),
        (
            {"password": "ada@example.org", "password_again": "ada@example.org"},
            ["This password is too easy to guess."],
        ),
        ({"password": "x1y2z3" * 30, "password_again": "x1y2z3" * 30}, ["At most 128 characters."]),
        ({"password_again": "another"}, ["The two passwords differ."]),
    ],
)
def test_a_bad_sign_up_gives_the_form_again(
    demo: DemoProvider, answers: dict[str, str], errors: list[str]
) -> None:
    """Each field has its message, what was typed stays except for passwords, and nothing is written."""
    window = Window(demo)
    good = {"name": "ada", "email": "ada@example.org", "password": PASSWORD, "password_again": PASSWORD}
    page = window.submit(window.get("/signup"), **good | answers)
    assert (page.status, page.title, page.errors) == (400, "Create an account", errors)
    assert PASSWORD not in page.response.text
    assert window.sign_in(good["name"]).title == "Sign in"


def test_a_taken_name_is_refused_in_whatever_case(demo: DemoProvider) -> None:
    Window(demo).sign_up("ada")
    page = Window(demo).sign_up("ADA", "another long passphrase")
    assert (page.status, page.errors) == (400, ["This name is taken. Choose another, or sign in."])
    assert Window(demo).sign_in("ada").title == "ada"


def test_eight_sign_ups_at_once_make_one_account(demo: DemoProvider) -> None:
    """The database decides, and seven people get a form error."""
    windows = [Window(demo) for _ in range(8)]
    ready = [
        (window, window.get("/signup"), f"the passphrase of {number}")
        for number, window in enumerate(windows)
    ]

    def sign_up() -> tuple[str, str, str]:
        window, form, password = ready.pop()
        page = window.submit(
            form, name="ada", email="a@example.org", password=password, password_again=password
        )
        return page.title, " ".join(page.errors), password

    results = at_once(sign_up)
    assert Counter(result[:2] for result in results) == {
        ("Sign in", ""): 1,
        ("Create an account", "This name is taken. Choose another, or sign in."): 7,
    }
    password = next(result[2] for result in results if result[0] == "Sign in")
    assert Window(demo).sign_in("ada", password).title == "ada"


def test_an_unknown_name_and_a_wrong_password_look_the_same(demo: DemoProvider) -> None:
    """The sign-in page does not reveal which accounts exist, not even by its delays."""
    Window(demo).sign_up("ada")

    def tries(name: str) -> list[tuple[int, list[str]]]:
        window = Window(demo)
        pages = [window.sign_in(name, "wrong passphrase") for _ in range(5)]
        return [(page.status, page.errors) for page in pages]

    assert tries("ada") == tries("bob")


def test_wrong_passwords_make_a_growing_delay(demo: DemoProvider, clock: Clock) -> None:
    """It is told at once, holds for the right password too, and ends with a good sign-in."""
    window = Window(demo)
    window.sign_up("ada")
    wrong = "This name and this password do not belong together."
    for _ in range(3):
        page = window.sign_in("ada", "wrong passphrase")
        assert (page.status, page.errors) == (400, [wrong])
    page = window.sign_in("ada")
    assert (page.status, page.errors) == (429, ["Too many wrong attempts: try again in 1 second."])
    clock.turn(1)
    assert window.sign_in("ada", "wrong passphrase").errors == [wrong]
    assert window.sign_in("ADA").errors == ["Too many wrong attempts: try again in 2 seconds."]
    clock.turn(2)
    assert window.sign_in("ada").title == "ada"
    assert Window(demo).sign_in("ada", "wrong passphrase").errors == [wrong]


def test_the_delay_grows_to_a_minute_and_no_further(demo: DemoProvider, clock: Clock) -> None:
    window = Window(demo)
    window.sign_up("ada")
    for _ in range(12):
        window.sign_in("ada", "wrong passphrase")
        clock.turn(60)
    window.sign_in("ada", "wrong passphrase")
    assert window.sign_in("ada").errors == ["Too many wrong attempts: try again in 60 seconds."]
    clock.turn(60)
    assert window.sign_in("ada").title == "ada"


def test_guesses_at_the_same_moment_do_not_all_pass(demo: DemoProvider) -> None:
    Window(demo).sign_up("ada")
    ready = [(window, window.get("/login")) for window in (Window(demo) for _ in range(8))]

    def guess() -> int:
        window, form = ready.pop()
        return window.submit(form, name="ada", password="wrong passphrase").status

    assert Counter(at_once(guess)) == {400: 3, 429: 5}


@pytest.mark.parametrize("path", ["/login", "/signup"])
@pytest.mark.parametrize("token", ["", "forged", "IjEyMyI.aaaa.bbbb"])
def test_a_forged_form_comes_again_with_its_message(demo: DemoProvider, path: str, token: str) -> None:
    window = signed_in_window(demo, "bob")
    Window(demo).sign_up("ada")
    answers = {"name": "ada" if path == "/login" else "carol", "email": "carol@example.org"}
    data = answers | {"password": PASSWORD, "password_again": PASSWORD, "csrf_token": token}
    page = window.post(path, data)
    assert page.status == 400
    assert page.errors[0].startswith("This page was open for too long")
    assert window.get("/").title == "bob"
    assert Window(demo).sign_in("carol").title == "Sign in"


def test_a_form_of_another_window_is_refused(demo: DemoProvider) -> None:
    """A CSRF token is worth nothing without the cookie it was made for."""
    Window(demo).sign_up("ada")
    theirs, ours = Window(demo), Window(demo)
    token = theirs.get("/login").field("csrf_token")["value"]
    ours.get("/login")
    page = ours.post("/login", {"name": "ada", "password": PASSWORD, "csrf_token": token})
    assert (page.status, page.title) == (400, "Sign in")


def test_a_new_sign_in_gets_a_new_cookie(demo: DemoProvider) -> None:
    """Session fixation: what an attacker planted before is not signed in afterwards."""
    window, attacker = Window(demo), Window(demo)
    window.sign_up("ada")
    window.get("/login")
    attacker.http.cookies.update(window.http.cookies)
    window.sign_in("ada")
    assert window.get("/").title == "ada"
    assert attacker.get("/").title == "A provider to learn with"


def test_a_cookie_is_worthless_after_sign_out(demo: DemoProvider) -> None:
    window, thief = signed_in_window(demo), Window(demo)
    thief.http.cookies.update(window.http.cookies)
    assert thief.get("/").title == "ada"
    assert window.submit(window.get("/logout"), submit="yes").title == "You are signed out"
    assert thief.get("/").title == "A provider to learn with"


def test_the_cookie_is_for_this_provider_and_no_script(demo: DemoProvider) -> None:
    """Cookies know no port, so the name has it."""
    cookie = Window(demo).get("/login").response.headers["Set-Cookie"]
    assert cookie.startswith(f"authnb_demo_{demo.issuer.rsplit(':')[-1]}=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


@pytest.mark.parametrize(
    "target",
    [
        "https://example.org/authorize",
        "//example.org/authorize",
        "/\\example.org/authorize",
        "/authorize/../../example.org",
        "javascript:alert(1)",
        "http://[",
        "/login",
        "",
    ],
)
def test_sign_in_leads_to_no_other_site(demo: DemoProvider, target: str) -> None:
    window = Window(demo)
    window.sign_up("ada")
    page = window.submit(window.get("/login", next=target), name="ada", password=PASSWORD)
    assert page.url == f"{demo.issuer}/"


def test_markup_in_names_is_text(demo: DemoProvider) -> None:
    window = Window(demo)
    window.sign_up("ada", full_name="<script>alert(1)</script>{{ 7 * 7 }}")
    page = window.sign_in("ada")
    assert page.title == "<script>alert(1)</script>{{ 7 * 7 }}"
    assert not page.soup.select("script")
    page = window.get("/login", login_hint='"><script>')
    assert page.field("name")["value"] == '"><script>'


def test_every_page_has_its_headers_and_its_warning(demo: DemoProvider) -> None:
    window = signed_in_window(demo)
    for path in ("/", "/login", "/signup", "/device", "/logout", "/nowhere", "/authorize", ask(demo).url):
        page = window.get(path)
        headers = page.response.headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert "A provider for learning. Do not use a password" in page.soup.footer.text
        assert not page.soup.select("script, [style], [onclick]")


def test_sign_up_in_the_middle_of_a_sign_in_keeps_what_waits(demo: DemoProvider) -> None:
    window, asked = Window(demo), ask(demo)
    page = window.get(asked.url)
    assert "to go on to Notebook" in page.text
    page = window.get(page.soup.find("a", string="Create account")["href"])
    page = window.submit(page, name="ada", email="a@example.org", password=PASSWORD, password_again=PASSWORD)
    assert (page.title, page.field("name")["value"]) == ("Sign in", "ada")
    page = window.submit(page, password=PASSWORD)
    assert page.title == "Allow Notebook?"
    assert window.submit(page, decision="allow").answer["state"] == "some state"


def test_a_giant_form_is_refused(demo: DemoProvider) -> None:
    page = Window(demo).post("/signup", {"name": "a" * 100_000})
    assert page.status == 413


def test_odd_bytes_are_no_server_error(demo: DemoProvider) -> None:
    window = Window(demo)
    for path in ("/login", "/signup", "/device", "/authorize", "/logout"):
        for query in (
            "next=%ff%00",
            "login_hint=%00%ed%a0%80",
            urlencode({"max_age": "٣"}),
            "id_token_hint=%ff",
        ):
            assert window.get(f"{path}?{query}").status < 500
    for name in ("\x00", "a\x00b", "٣٣", "'; DROP TABLE accounts; --"):
        assert window.sign_in(name).status == 400
