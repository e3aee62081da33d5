"""Signing up without a page: the endpoint that the discovery document describes."""

from __future__ import annotations

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import requests
from demo_helpers import PASSWORD, Window, at_once

from authnb.demo.accounts import HASHING

if TYPE_CHECKING:
    from authnb.demo import DemoProvider

GOOD = {"name": "ada", "email": "ada@example.org", "password": PASSWORD, "password_again": PASSWORD}


def described(demo: DemoProvider) -> dict[str, Any]:
    metadata = requests.get(f"{demo.issuer}/.well-known/openid-configuration", timeout=20).json()
    return metadata["authnb_signup"]


def send(demo: DemoProvider, body: object) -> requests.Response:
    return requests.post(
        described(demo)["endpoint"],
        json.dumps(body),
        headers={"Content-Type": "application/json"},
        timeout=20,
    )


def test_an_account_made_there_is_an_account(demo: DemoProvider) -> None:
    answer = send(demo, GOOD | {"full_name": "Ada Example"})
    assert (answer.status_code, answer.json()) == (201, {"name": "ada"})
    assert "Set-Cookie" not in answer.headers
    assert Window(demo).sign_in("ada").title == "Ada Example"


def test_errors_come_by_field(demo: DemoProvider) -> None:
    answer = send(demo, {"name": "", "email": "ada@", "password": "short", "password_again": "other"})
    assert (answer.status_code, answer.json()["errors"]) == (
        422,
        {
            "name": ["Choose a name to sign in with."],
            "email": ["This is not a complete e-mail address."],
            "password": ["At least 8 characters."],
            "password_again": ["The two passwords differ."],
        },
    )
    send(demo, GOOD)
    assert send(demo, GOOD | {"name": "ADA"}).json()["errors"].keys() == {"name"}
    both = send(demo, GOOD | {"name": "ADA", "password_again": "other"})
    assert both.json()["errors"].keys() == {"name", "password_again"}


def test_eight_at_once_make_one_account(demo: DemoProvider) -> None:
    assert sorted(answer.status_code for answer in at_once(lambda: send(demo, GOOD))) == [201] + 7 * [422]


@pytest.mark.parametrize("body", [None, [], "ada", 1, {"name": 1}, {"name": ["ada"]}, {"name": None}])
def test_what_is_not_an_object_of_texts_is_refused(demo: DemoProvider, body: object) -> None:
    answer = send(demo, body)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_another_content_type_needs_the_page_and_its_token(demo: DemoProvider) -> None:
    """What another site's page can send without being asked is not JSON."""
    for content_type in ("text/plain", "application/x-www-form-urlencoded"):
        headers = {"Content-Type": content_type}
        body = '{"name": "ada", "password": "a long passphrase"}'
        answer = requests.post(f"{demo.issuer}/signup", data=body, headers=headers, timeout=20)
        assert answer.status_code == 400
        assert answer.headers["Content-Type"].startswith("text/html")
    assert Window(demo).sign_in("ada").title == "Sign in"


def test_the_description_and_the_page_say_the_same(demo: DemoProvider) -> None:
    soup = Window(demo).get("/signup").soup
    fields = described(demo)["fields"]
    shown = [tag["name"] for tag in soup.select("form input") if tag["name"] != "csrf_token"]
    assert shown == [field["name"] for field in fields]
    for field in fields:
        tag = soup.select_one(f"input[name={field['name']}]")
        assert tag["type"] == field["kind"]
        assert soup.select_one(f"label[for={tag['id']}]").text == field["label"]
        help_text = soup.select_one(f"#{tag['id']}-help")
        assert (help_text.text if help_text else "") == field["help"]
        assert tag.has_attr("required") == field["required"]
        for rule in ("minlength", "maxlength"):
            described_rule = field["rule"].get(rule.replace("length", "_length"))
            assert tag.get(rule) == (str(described_rule) if described_rule else None)
    assert re.fullmatch(fields[0]["rule"]["pattern"], "ada")


def test_password_hashing_does_not_block_other_requests(demo: DemoProvider) -> None:
    """Twelve sign up while no core is free to hash, and everybody else is answered."""
    with ThreadPoolExecutor(12) as pool, ExitStack() as busy:
        for _ in range(os.cpu_count() or 1):
            busy.enter_context(HASHING)
        waiting = [pool.submit(send, demo, GOOD | {"name": f"ada{number}"}) for number in range(12)]
        for _ in range(30):
            assert described(demo)
        assert not any(one.done() for one in waiting)
        busy.close()
        assert [one.result().status_code for one in waiting] == [201] * 12
