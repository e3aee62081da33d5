"""Every misdeed ends in its typed error, with nothing left behind; what is strange but lawful is accepted."""

from __future__ import annotations

import socket
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from deeds import DEEDS, HOSTILE, LAWFUL, Deed
from provider import ACCESS_TOKEN, CLIENT, CODE, DEVICE_CODE, ELSEWHERE, REFRESH_TOKEN, Server

import authnb
from authnb.errors import AuthnbError
from authnb.storage import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.signin import Login

SECRETS = (ACCESS_TOKEN, REFRESH_TOKEN, CODE, DEVICE_CODE)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a deed."""

    login: Login
    storage: MemoryStorage
    port: int | None


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Outcome]]]:
    """The deeds of all selected tests, done side by side: some of them only end by running out of time."""
    selected = [
        item.callspec.params.get("deed") for item in request.session.items if hasattr(item, "callspec")
    ]
    deeds = [deed for deed in selected if isinstance(deed, Deed)]
    with Server() as server, ThreadPoolExecutor(16) as pool:
        slow_first = sorted(deeds, key=lambda deed: "second" not in deed.name and "silence" not in deed.name)
        yield {deed.name: pool.submit(played, server, deed) for deed in slow_first}


def browse(login: Login) -> int | None:
    """Do what the browser does; the port of the redirect address."""
    try:
        verification = login.verification(timeout=60)
    except AuthnbError:
        return None
    if verification.user_code is not None:
        return None
    redirect_uri = parse_qs(urlsplit(verification.uri).query)["redirect_uri"][0]
    for address in requests.get(verification.uri, timeout=60).json():
        with suppress(requests.ConnectionError):  # after the answer, the listener is gone
            requests.get(address, timeout=60)
    return urlsplit(redirect_uri).port


def played(server: Server, deed: Deed) -> Outcome:
    play = server.play(f"d{DEEDS.index(deed)}")
    deed.do(play)
    storage = MemoryStorage()
    login = authnb.login(
        play.issuer, client_id=CLIENT, mode=deed.mode, view=None, storage=storage, scope="openid profile"
    )
    port = browse(login)
    with suppress(AuthnbError):
        login.wait(60)
    return Outcome(login=login, storage=storage, port=port)


@pytest.mark.parametrize("deed", HOSTILE, ids=lambda deed: deed.name)
def test_hostile(outcomes: dict[str, Future[Outcome]], deed: Deed) -> None:
    outcome = outcomes[deed.name].result()
    login = outcome.login
    with pytest.raises(AuthnbError) as caught:
        login.wait(0)
    error = caught.value
    assert error.error == deed.error
    assert login.status == "failed"
    with pytest.raises(authnb.LoginRequired):
        _ = login.session
    assert repr(outcome.storage) == "MemoryStorage(0 kept)"
    text = f"{error}{error!r}{login!r}"
    assert text.isprintable(), "control characters could deceive who reads"
    assert not [secret for secret in SECRETS if secret in text]
    if outcome.port is not None:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", outcome.port)) != 0, "the port is still open"


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


def test_there_are_enough() -> None:
    assert len(HOSTILE) >= 90
    assert len(LAWFUL) >= 25
