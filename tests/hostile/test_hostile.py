"""Every hostile behaviour ends in its typed error, with nothing left behind; unusual conforming ones are accepted."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
import requests
from behaviour import EVIL, Behaviour
from behaviours import HOSTILE, LAWFUL
from provider import (
    ACCESS_TOKEN,
    CLIENT_SECRET,
    CODE,
    DEVICE_CODE,
    FOREIGN_ORIGIN,
    PASSWORD,
    REFRESH_TOKEN,
    REGISTRATION_TOKEN,
)
from runner import run_all
from table import table

import authnb
from authnb.errors import AuthnbError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from runner import Outcome

SECRETS = (
    *(ACCESS_TOKEN, REFRESH_TOKEN, CODE, DEVICE_CODE),
    *(PASSWORD, CLIENT_SECRET, REGISTRATION_TOKEN),
)
# Of one behaviour, in the thread of its sign-in; tests/session/test_dpop.py looks at it
pytestmark = pytest.mark.filterwarnings("ignore:127.0.0.1 offers tokens that are bound to a key:UserWarning")


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Outcome]]]:
    """Only of the selected tests."""
    selected = [
        item.callspec.params.get("behaviour") for item in request.session.items if hasattr(item, "callspec")
    ]
    with run_all(behaviour for behaviour in selected if isinstance(behaviour, Behaviour)) as outcomes:
        yield outcomes


@pytest.mark.parametrize("behaviour", HOSTILE, ids=lambda behaviour: behaviour.name)
def test_hostile(outcomes: dict[str, Future[Outcome]], behaviour: Behaviour) -> None:
    outcome = outcomes[behaviour.name].result()
    login = outcome.login
    error = outcome.error
    assert error is not None
    assert error.error == behaviour.error, error.description
    if outcome.call_error is None:
        with pytest.raises(AuthnbError) as caught:
            login.wait(0)
        assert caught.value.error == behaviour.error
        assert login.status == "failed"
        with pytest.raises(authnb.LoginRequired):
            _ = login.session
    # The honest one before
    kept = 1 if behaviour.mode == "step-up" or outcome.call_error is not None else 0
    assert repr(outcome.storage) == f"MemoryStorage({kept} sign-ins)"
    text = f"{error}{error!r}{login!r}"
    assert text.isprintable(), "control characters could deceive who reads"
    assert not [secret for secret in SECRETS if secret in text]


@pytest.mark.parametrize("behaviour", LAWFUL, ids=lambda behaviour: behaviour.name)
def test_lawful(outcomes: dict[str, Future[Outcome]], behaviour: Behaviour) -> None:
    outcome = outcomes[behaviour.name].result()
    session = outcome.login.wait(0)
    assert outcome.error is None
    assert session.token["access_token"] == ACCESS_TOKEN
    assert (session.user or {"sub": "ada"})["sub"] == "ada"
    for text in (text for shown in outcome.shown for text in shown.texts):
        assert "evil" not in text
        assert EVIL not in text


@pytest.mark.parametrize("behaviour", HOSTILE + LAWFUL, ids=lambda behaviour: behaviour.name)
def test_what_is_shown_is_text(outcomes: dict[str, Future[Outcome]], behaviour: Behaviour) -> None:
    """No control character, bidi override, surrogate, markup or secret reaches a terminal, a page or the panel."""
    outcome = outcomes[behaviour.name].result()
    assert outcome.shown
    for shown in outcome.shown:
        for text in shown.texts:
            assert text.isprintable()
            text.encode()
            assert len(text) < 20_000
            assert not [secret for secret in SECRETS if secret in text]
        assert set(re.findall(r"<(\w+)", shown.html)) <= {"p", "a", "b", "br", "code"}


def test_no_request_to_a_foreign_origin(outcomes: dict[str, Future[Outcome]]) -> None:
    """Whatever a response names, redirects to or claims, no sign-in contacts another origin."""
    for outcome in outcomes.values():
        outcome.result()
    assert FOREIGN_ORIGIN.visits == 0
    with suppress(requests.ConnectionError):
        requests.get(FOREIGN_ORIGIN.url, timeout=10)
    assert FOREIGN_ORIGIN.visits == 1, "a request there is counted"


def test_no_port_is_left_open(outcomes: dict[str, Future[Outcome]]) -> None:
    """Checked once all have ended: a freed port may be reused by another sign-in until then."""
    ports = {outcome.result().port for outcome in outcomes.values()} - {None}
    if len(outcomes) >= len(HOSTILE):  # a run of few tests may have none with a listener
        assert len(ports) > len(HOSTILE) // 2
    with socket.create_server(("127.0.0.1", 0)) as control:
        mine = psutil.Process().net_connections("tcp")
        listening = {one.laddr.port for one in mine if one.status == psutil.CONN_LISTEN}
        assert control.getsockname()[1] in listening, "an open port is seen"
    assert not ports & listening


def test_number_of_behaviours() -> None:
    assert len(HOSTILE) >= 90
    assert len(LAWFUL) >= 25


def test_the_page_in_the_docs_is_the_table() -> None:
    """``make hostile`` rewrites it."""
    page = Path(__file__).parents[2] / "docs" / "hostile.md"
    assert page.read_text(encoding="utf-8") == table(
        {behaviour.name: behaviour.error for behaviour in HOSTILE + LAWFUL}
    )
