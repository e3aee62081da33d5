"""A scope that is granted in part is said at once, and is no error (RFC 6749 section 5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from provider import CLIENT, Server
from runner import browse, shown

import authnb
from authnb.oauth.scope import not_granted, union
from authnb.storage.base import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.signin.login import Login

SAID = "did not grant tides:read. Calls that need it will be refused; to ask for it again: api = await api.ask_for"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def signed_in(server: Server, scope: str, granted: str | None, **more: Any) -> Login:
    scenario = server.scenario(f"n{len(server.scenarios)}")
    scenario.token["scope"] = granted
    options = {"client_id": CLIENT, "mode": "loopback", "view": None, "storage": MemoryStorage(), **more}
    login = authnb.login(scenario.issuer, scope=scope, **options)
    browse(login)
    login.wait(60)
    return login


def test_what_was_not_granted_is_said_in_every_view(server: Server) -> None:
    login = signed_in(server, "openid tides:read boats:read", "openid boats:read")
    assert login.status == "signed_in"
    assert login.not_granted == ("tides:read",)
    seen = shown(login)
    assert sum(SAID in line for line in seen.lines) == 1
    assert SAID in seen.html
    assert any(SAID in message for message in seen.messages)
    assert any(SAID in text for text in seen.saved)


@pytest.mark.parametrize("granted", ["openid tides:read boats:read", "boats:read tides:read", None])
def test_what_was_granted_is_not_talked_about(server: Server, granted: str | None) -> None:
    login = signed_in(server, "openid tides:read boats:read", granted)
    assert login.not_granted == ()
    assert not any("did not grant" in text for text in shown(login).texts)


def test_a_remembered_sign_in_says_so_too(server: Server) -> None:
    storage = MemoryStorage()
    first = signed_in(server, "openid tides:read", "openid", storage=storage)
    again = authnb.login(
        first.account.issuer, client_id=CLIENT, scope="openid tides:read", view=None, storage=storage
    )
    again.wait(60)
    assert again.remembered
    assert again.not_granted == ("tides:read",)


@pytest.mark.parametrize(
    ("requested", "granted", "missing"),
    [
        ("openid profile email offline_access address phone", "", ()),
        ("openid profile email offline_access address phone a", "a", ()),
        ("a b", "b", ("a",)),
        ("b a b", "c", ("b", "a")),
        ("repo gist", "repo,gist", ()),  # GitHub
        ("repo gist", "repo", ("gist",)),
        ("read", "https://api.example.org/read", ()),
        ("https://api.example.org/read", "read", ()),
        ("ad", "https://api.example.org/read", ("ad",)),
        ("api://x/.default", "api://x/read", ()),  # Entra
        ("Read", "read", ("Read",)),  # RFC 6749 section 3.3: case-sensitive
    ],
)
def test_what_counts_as_granted(requested: str, granted: str, missing: tuple[str, ...]) -> None:
    assert not_granted({"scope": granted}, requested) == missing


def test_a_union_has_each_once() -> None:
    assert union("openid a", "b a", "") == "openid a b"
