"""Every misdeed ends in its typed error, with nothing left behind; what is strange but lawful is accepted."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
import requests
from deed import Deed
from deeds import HOSTILE, LAWFUL
from outcome import done
from provider import ACCESS_TOKEN, CODE, DEVICE_CODE, ELSEWHERE, REFRESH_TOKEN
from table import table

import authnb
from authnb.errors import AuthnbError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from outcome import Outcome

SECRETS = (ACCESS_TOKEN, REFRESH_TOKEN, CODE, DEVICE_CODE)


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Outcome]]]:
    """Only of the selected tests."""
    selected = [
        item.callspec.params.get("deed") for item in request.session.items if hasattr(item, "callspec")
    ]
    with done(deed for deed in selected if isinstance(deed, Deed)) as outcomes:
        yield outcomes


@pytest.mark.parametrize("deed", HOSTILE, ids=lambda deed: deed.name)
def test_hostile(outcomes: dict[str, Future[Outcome]], deed: Deed) -> None:
    outcome = outcomes[deed.name].result()
    login = outcome.login
    with pytest.raises(AuthnbError) as caught:
        login.wait(0)
    error = caught.value
    assert error.error == deed.error, error.description
    assert login.status == "failed"
    with pytest.raises(authnb.LoginRequired):
        _ = login.session
    assert repr(outcome.storage) == "MemoryStorage(0 kept)"
    text = f"{error}{error!r}{login!r}"
    assert text.isprintable(), "control characters could deceive who reads"
    assert not [secret for secret in SECRETS if secret in text]


@pytest.mark.parametrize("deed", LAWFUL, ids=lambda deed: deed.name)
def test_lawful(outcomes: dict[str, Future[Outcome]], deed: Deed) -> None:
    session = outcomes[deed.name].result().login.wait(0)
    assert session.token["access_token"] == ACCESS_TOKEN
    assert (session.user or {"sub": "ada"})["sub"] == "ada"


def test_nobody_asks_elsewhere(outcomes: dict[str, Future[Outcome]]) -> None:
    """Whatever an answer names, redirects to or claims: of all these sign-ins, none went to another origin."""
    for outcome in outcomes.values():
        outcome.result()
    assert ELSEWHERE.visits == 0
    with suppress(requests.ConnectionError):
        requests.get(ELSEWHERE.url, timeout=10)
    assert ELSEWHERE.visits == 1, "it would have been noticed"


def test_no_port_is_left_open(outcomes: dict[str, Future[Outcome]]) -> None:
    """Looked at once all have ended: until then the port that one has freed may be another's."""
    ports = {outcome.result().port for outcome in outcomes.values()}
    mine = psutil.Process().net_connections("tcp")
    assert not ports & {one.laddr.port for one in mine if one.status == psutil.CONN_LISTEN}


def test_there_are_enough() -> None:
    assert len(HOSTILE) >= 90
    assert len(LAWFUL) >= 25


def test_the_page_in_the_docs_is_the_table() -> None:
    """``make hostile`` writes it anew."""
    page = Path(__file__).parents[2] / "docs" / "hostile.md"
    assert page.read_text(encoding="utf-8") == table({deed.name: deed.error for deed in HOSTILE + LAWFUL})
