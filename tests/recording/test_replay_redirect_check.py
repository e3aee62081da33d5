"""The check of the redirect URI in a recording: what it is, what it showed, and nothing of it that is secret."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode, urlsplit

import pytest
import requests
from servers import Server

import authnb
from authnb.demo import DemoProvider
from authnb.flows.inbox import accepts_redirect
from authnb.storage.base import MemoryStorage
from authnb.transport.exchange import HTTPExchange, notify

if TYPE_CHECKING:
    from pathlib import Path

    from authnb.recording.recorder import Recording
    from authnb.recording.replay import Replay
    from authnb.signin.login import Login

CHECK = {
    "response_type": "code",
    "client_id": "notebook",
    "redirect_uri": "http://127.0.0.1:5/callback",
    "scope": "openid",
    "state": "s3cr3t-state",
    "prompt": "none",
    "nonce": "s3cr3t-nonce",
    "code_challenge": "s3cr3t-challenge",
    "code_challenge_method": "S256",
}


def recorded(recording: Recording) -> Replay:
    return recording._replays()[0]  # noqa: SLF001 - the model below the widget


def told(replay: Replay) -> list[str]:
    return [hop.title for hop in replay.hops if hop.topic == "redirect_check"]


def waiting(demo: DemoProvider) -> Login:
    login = authnb.login(
        demo.issuer, client_id=demo.client_id, mode="loopback", view=None, storage=MemoryStorage()
    )
    login.verification()
    return login


@pytest.mark.parametrize("pushed", [None, "offered"])
def test_a_sign_in_that_is_checked_on_the_way_is_told_as_one(pushed: Literal["offered"] | None) -> None:
    """Before it, and when the person has come back with nothing, authnb asks whether the redirect URI is accepted."""
    with DemoProvider(pushed_requests=pushed) as demo:
        login = waiting(demo)
        client, address = login.client, login.verification().redirect_uri
        assert client is not None
        assert address is not None
        with authnb.record() as recording:
            assert accepts_redirect(client, "http://127.0.0.1:9/elsewhere") is False
            assert accepts_redirect(client, address) is True
            before = recorded(recording)
            login = waiting(demo)
            assert accepts_redirect(client, address) is True
            unfinished = recorded(recording)
            demo.visit(login.verification().uri)
            login.wait(30)
    assert (before.outcome, unfinished.outcome) == ("other", "unfinished")
    known = {what for each in before.hops[-1].knows.values() for what in each}
    assert known <= {"provider's public keys", "private signing key"}, (
        "of a check nothing is of use afterwards"
    )
    replay = recorded(recording)
    assert told(replay) == [
        "The notebook checks its redirect URI",
        "The provider does not accept the redirect URI",
        "The notebook checks its redirect URI",
        "The provider accepts the redirect URI",
        "The notebook checks its redirect URI",
        "The provider accepts the redirect URI",
    ]
    assert replay.outcome == "finished"
    checks = [n for n, hop in enumerate(replay.hops) if hop.topic == "redirect_check"]
    (defence,) = (each for each in replay.defences if each.id == "redirect_uri")
    assert defence.hop not in checks
    assert "request of another kind" not in json.dumps(replay.as_dict())


def checked(answer: dict[str, str], status: int, **asked: str) -> Recording:
    """A check that a provider answers so."""
    with authnb.record() as recording, Server() as server, requests.Session() as http:
        server.text("/authorize", "", status, **answer)
        recording.watch(http).get(
            f"{server.url}/authorize?{urlencode({**CHECK, **asked})}", allow_redirects=False, timeout=20
        )
    return recording


LOCATION = {"Location": f"{CHECK['redirect_uri']}?error=login_required&state=s3cr3t-state"}


@pytest.mark.parametrize(
    ("answer", "status", "title"),
    [
        (LOCATION, 302, "The provider accepts the redirect URI"),
        ({"Location": LOCATION["Location"].replace("?", "#")}, 302, "The provider accepts the redirect URI"),
        ({}, 400, "The provider does not accept the redirect URI"),
        ({}, 403, "The provider does not accept the redirect URI"),
        ({}, 500, "The provider does not tell"),
        ({}, 200, "The provider does not tell"),
        ({"Location": "https://id.example.org/login?error=x"}, 302, "The provider does not tell"),
        ({"Location": f"{CHECK['redirect_uri']}.evil.example/?error=x"}, 302, "The provider does not tell"),
    ],
)
def test_what_an_answer_shows(answer: dict[str, str], status: int, title: str) -> None:
    """As `accepts_redirect` reads it (OpenID Connect Core section 3.1.2.6, RFC 6749 section 3.1.2.4)."""
    recording = checked(answer, status)
    assert told(recorded(recording)) == ["The notebook checks its redirect URI", title]
    assert recorded(recording).outcome == "other"


def test_of_a_check_only_what_is_harmless_is_shown(tmp_path: Path) -> None:
    recording = checked(LOCATION, 302)
    (exchange,) = recording.exchanges
    assert urlsplit(exchange.address).path == "/authorize"
    shown = {value.name: value.shown for value in exchange.sent}
    assert shown["redirect_uri"] == "http://127.0.0.1:PORT/callback"
    assert shown["prompt"] == "none"
    kept = recording.save(tmp_path / "report.md").read_text(encoding="utf-8")
    kept += json.dumps(recorded(recording).as_dict()) + repr(recording) + recording._repr_html_()
    assert "s3cr3t" not in kept
    loaded = authnb.Recording.load(tmp_path / "report.md")
    assert told(recorded(loaded)) == told(recorded(recording))


@pytest.mark.parametrize(
    ("asked", "headers"),
    [
        ({"patient": "s3cr3t"}, {}),
        ({"login_hint": "s3cr3t"}, {}),
        ({}, {"Cookie": "s3cr3t"}),
        ({}, {"Authorization": "s3cr3t"}),
    ],
)
def test_a_request_that_holds_more_is_no_check(asked: dict[str, str], headers: dict[str, str]) -> None:
    """Of what is not known, no path and no name are shown."""
    url = f"https://api.example.org/of/s3cr3t?{urlencode({**CHECK, **asked})}"
    with authnb.record() as recording:
        notify(HTTPExchange(sender="client", method="GET", url=url, headers=headers, status=200))
    (exchange,) = recording.exchanges
    assert exchange.address == "https://api.example.org"
    assert {value.name for value in exchange.sent} <= {"Authorization"}
    assert told(recorded(recording)) == []
    assert "s3cr3t" not in repr(recording.exchanges)


def test_an_authorization_request_by_hand_without_a_browser_is_none_either() -> None:
    assert (
        recorded(checked({}, 200, prompt="login")).hops[0].title
        == "The notebook sends a request of another kind"
    )
