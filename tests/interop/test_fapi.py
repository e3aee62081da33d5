"""authnb where the FAPI 2.0 Security Profile is demanded, and as a public client with DPoP alone.

The server is oidc-provider, the API checks each proof (fapi_provider.mjs); test_fapi_provider.py shows that both refuse
what they must.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests
from fapi import SCOPE, Fapi, Place, new_key, running
from window import Window

import authnb
from authnb.errors import LoginRequired
from authnb.storage.base import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from authnb.session.session import Session

THREADS = 32
ANOTHER_PROCESS = """
import json, sys
import authnb

options = json.load(sys.stdin)
issuer, url = options.pop("issuer"), options.pop("url")
login = authnb.login(issuer, view=None, remember=True, **options)
session = login.wait(60)  # nobody is there to sign in
print(json.dumps([session.get(url).json(), session.user["sub"]]))
"""

THIEF = """
import json, sys
import requests

stolen = json.load(sys.stdin)
headers = [{"Authorization": f"{scheme} {stolen['token']}"} for scheme in ("Bearer", "DPoP")]
calls = [requests.get(stolen["url"], headers=one, timeout=20).status_code for one in headers]
renewal = requests.post(stolen["endpoint"], stolen["form"], timeout=20)
print(json.dumps([*calls, renewal.status_code in (400, 401) and "access_token" not in renewal.json()]))
"""


@pytest.fixture(scope="module")
def fapi() -> Iterator[Fapi]:
    with running() as both:
        yield both


@pytest.fixture(params=["bank", "bank_rsa", "open"])
def place(request: pytest.FixtureRequest, fapi: Fapi) -> Iterator[Place]:
    chosen: Place = getattr(fapi, request.param)
    yield chosen
    chosen.set(lifetime=3600)


both = pytest.mark.parametrize("place", ["bank", "open"], indirect=True)


def options(place: Place, folder: Path) -> dict[str, Any]:
    """The arguments of ``login``; its key, if it has one, is in a file in this folder."""
    named = {"client_id": place.client_id, "scope": SCOPE, "api": place.api, "mode": "loopback"}
    if place.key is None:
        return named
    file = folder / "client.pem"
    file.touch(mode=0o600)
    file.write_bytes(place.key.as_pem(private=True))  # type: ignore[attr-defined] # of both kinds
    return {**named, "client_key": str(file)}


def sign_in(place: Place, folder: Path, **more: Any) -> Session:
    """Sign ada in."""
    standard = {"view": None, "storage": MemoryStorage(), **options(place, folder)}
    login = authnb.login(place.issuer, **{**standard, **more})
    try:
        with Window() as person:
            asked = login.verification(60)
            code = {"user_code": asked.user_code} if asked.user_code else {}
            person.visit(asked.uri, **code)
        return login.wait(60)
    finally:
        login.cancel()


def since(place: Place, before: dict[str, Any]) -> dict[str, list[str]]:
    """What came after `Place.told` had said ``before``."""
    now = place.told()
    return {name: now[name][len(said) :] for name, said in before.items() if isinstance(said, list)}


def test_a_sign_in_and_calls(place: Place, tmp_path: Path) -> None:
    """The requests are those that the profile allows, each call has a proof, and a new nonce takes one more request."""
    before = place.told()
    session = sign_in(place, tmp_path)
    assert session.user["name"] == "Ada Byron", "from userinfo, whose request has a proof too"
    assert session.token["token_type"] == "DPoP"
    for _ in range(3):
        assert session.get("measurements").json() == [{"station": "harbour", "no2": 21.0}]
    place.set(nonce=True)
    assert session.get(place.url, params={"since": "2026"}).ok, "the query is no part of what a proof is for"
    came = since(place, before)
    assert len(came["calls"]) == 4
    assert len(set(came["calls"])) == 1
    assert came["refused"] in (
        ["use_dpop_nonce: no nonce", "use_dpop_nonce: another nonce"],
        ["use_dpop_nonce: another nonce"] * 2,
    )
    asked = [request for request in came["requests"] if request.startswith("GET /auth?")]
    if place.key is None:
        assert "code_challenge" in asked[0]
        assert "dpop_jkt" in asked[0]
    else:
        assert asked == ["GET /auth?client_id&request_uri"]
        assert "POST /request?" in came["requests"]
    assert [grant for grant in came["grants"] if "use_dpop_nonce" not in grant] == [
        "authorization_code: DPoP"
    ]


def test_a_renewal(place: Place, tmp_path: Path) -> None:
    place.set(lifetime=1)
    session = sign_in(place, tmp_path)
    first, refresh_token = session.token["access_token"], session.token["refresh_token"]
    place.set(lifetime=3600)
    while session.token["access_token"] == first:
        assert session.get(place.url).ok
    assert session.token["refresh_token"] == refresh_token, "bound, and so not rotated"
    assert session.token["token_type"] == "DPoP"
    assert session.get(place.url).ok


@both
def test_a_stampede_across_an_expiry(place: Place, tmp_path: Path) -> None:
    """32 threads call until all have the next token: nobody fails, and one renewal serves all."""
    place.set(lifetime=2)
    session = sign_in(place, tmp_path)
    first = session.token["access_token"]
    place.set(lifetime=3600)
    before, start = place.told(), threading.Barrier(THREADS)

    def call(_: int) -> int:
        start.wait()
        made = 0
        while session.token["access_token"] == first:
            assert session.get(place.url).ok
            made += 1
        assert session.get(place.url).ok
        return made + 1

    with ThreadPoolExecutor(THREADS) as pool:
        made = sum(pool.map(call, range(THREADS)))
    came = since(place, before)
    assert len(came["calls"]) == made, "each was answered once"
    assert [grant for grant in came["grants"] if "use_dpop_nonce" not in grant] == ["refresh_token: DPoP"]
    assert not [refused for refused in came["refused"] if "nonce" not in refused and "expired" not in refused]


@both
def test_revocation(place: Place, tmp_path: Path) -> None:
    session = sign_in(place, tmp_path)
    token = session.token
    assert set(session.logout().revoked) == {"refresh_token", "access_token"}
    assert place.call(token["access_token"], new_key("ES256")).status_code == 401
    assert "unknown or expired" in place.told()["refused"][-1]
    with pytest.raises(LoginRequired):
        session.get(place.url)


@both
def test_remembered_in_another_process(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one calls with the key of the first, and renews."""
    monkeypatch.setenv("AUTHNB_HOME", str(tmp_path / "home"))
    place.set(lifetime=1)
    session = sign_in(place, tmp_path, remember=True, storage=None)
    place.set(lifetime=3600)
    before = place.told()
    told = {"issuer": place.issuer, "url": place.url, **options(place, tmp_path)}
    rows, who = json.loads(_process(ANOTHER_PROCESS, told))
    assert rows == [{"station": "harbour", "no2": 21.0}]
    assert who == session.user["sub"]
    came = since(place, before)
    assert not [request for request in came["requests"] if request.startswith(("GET /auth", "POST /request"))]
    assert len(came["calls"]) == 1


def _process(code: str, told: dict[str, Any]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(told),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@both
def test_a_thief(place: Place, tmp_path: Path) -> None:
    """Who has the tokens and no key gets nothing from the API, and nothing from the provider."""
    session = sign_in(place, tmp_path)
    assert session.get(place.url).ok
    access_token, refresh_token = session.token["access_token"], session.token["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": place.client_id}
    stolen = {"url": place.url, "token": access_token, "endpoint": f"{place.issuer}/token", "form": form}
    assert json.loads(_process(THIEF, stolen)) == [401, 401, True]
    thief = new_key("ES256")
    assert place.call(access_token, thief).status_code == 401
    assert place.told()["refused"][-1] == "invalid_token: another's key"
    refused = place.post("/token", thief, form, assertion={})
    assert refused.json()["error"] == ("invalid_grant" if place.key is None else "invalid_client")
    assert session.get(place.url).ok, "the person goes on"


@both
def test_device_flow(place: Place, tmp_path: Path) -> None:
    before = place.told()
    session = sign_in(place, tmp_path, mode="device")
    assert session.token["token_type"] == "DPoP"
    assert session.get(place.url).ok
    assert since(place, before)["grants"][-1].endswith("device_code: DPoP")


def test_without_a_proof_there_is_no_token(fapi: Fapi, tmp_path: Path) -> None:
    """``dpop=False`` where the server binds all tokens: the provider refuses, and says so."""
    with pytest.raises(authnb.ProviderError) as refused:
        sign_in(fapi.open, tmp_path, dpop=False)
    assert refused.value.error in {"invalid_grant", "invalid_request"}


def test_our_api_calls_cannot_be_replayed(fapi: Fapi, tmp_path: Path) -> None:
    """Whoever reads one of our requests and sends it again is refused."""
    session = sign_in(fapi.open, tmp_path)
    answer = session.get(fapi.open.url)
    headers = {name: str(answer.request.headers[name]) for name in ("Authorization", "DPoP")}
    assert requests.get(fapi.open.url, headers=headers, timeout=20).status_code == 401
    assert fapi.open.told()["refused"][-1] == "invalid_dpop_proof: a replay"
    assert requests.post(fapi.open.url, headers=headers, timeout=20).status_code == 401
    assert "for GET" in fapi.open.told()["refused"][-1]
