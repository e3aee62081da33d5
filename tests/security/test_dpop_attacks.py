"""Tokens that are bound to a key (RFC 9449), in the hands of a thief: of no use, and what authnb says afterwards."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import requests
from demo_session import SCOPE, age, renewer, sign_in
from joserfc.jwk import ECKey
from servers import Server

import authnb
from authnb.demo import DemoProvider
from authnb.errors import LoginRequired
from authnb.oauth.dpop import DPoPKey
from authnb.session.session import Session
from authnb.storage.base import Account, MemoryStorage, SignIn
from authnb.transport.exchange import observers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from authnb.transport.exchange import HTTPExchange

    Edit = Callable[[dict[str, Any]], object]

# What a thief runs in a process of their own, with what was in the memory of ours
THIEF = """
import json, sys, urllib.error, urllib.request
url, token, proof = sys.argv[1:]
tries = [{"Authorization": f"Bearer {token}"}, {"Authorization": f"DPoP {token}"},
         {"Authorization": f"DPoP {token}", "DPoP": proof}, {"Authorization": f"Bearer {token}", "DPoP": proof}]
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
def status(headers):
    try:
        return opener.open(urllib.request.Request(url, headers=headers), timeout=20).status
    except urllib.error.HTTPError as error:
        return error.code
print(json.dumps([status(headers) for headers in tries]))
"""


@pytest.fixture(scope="module")
def bound() -> Iterator[DemoProvider]:
    """A provider that binds tokens."""
    with DemoProvider(dpop="offered") as running:
        yield running


def key_of(session: Session) -> DPoPKey:
    """The key that the session's token is bound to."""
    key: DPoPKey = session.token["dpop_key"]
    return key


def outcome(response: requests.Response) -> tuple[int, str]:
    """The status of a response, and its error code."""
    return response.status_code, response.json().get("error", "ok") if response.status_code != 200 else "ok"


def test_a_stolen_access_token_is_no_use_without_its_key(bound: DemoProvider) -> None:
    api = sign_in(bound)
    url, token, key = f"{bound.api}/measurements", str(api.token["access_token"]), key_of(api)
    response = api.get(url)
    thief, now = DPoPKey.generate(), time.time()
    thief.keep_nonce(url, response.headers["DPoP-Nonce"], is_api=True)

    def call(scheme: str, proof: str | None) -> tuple[int, str]:
        headers = {"Authorization": f"{scheme} {token}"} | ({} if proof is None else {"DPoP": proof})
        return outcome(requests.get(url, headers=headers, timeout=20))

    overheard = response.request.headers["DPoP"]
    invalid = (401, "invalid_dpop_proof")
    assert call("Bearer", None) == (401, "invalid_token")
    assert call("Bearer", overheard) == (401, "invalid_token")
    assert call("DPoP", None) == invalid
    assert call("DPoP", overheard) == invalid, "each proof is for one request"
    assert call("DPoP", thief.proof("GET", url, now, access_token=token)) == (401, "invalid_token")
    assert call("DPoP", key.proof("POST", url, now, access_token=token)) == invalid
    assert call("DPoP", key.proof("GET", f"{bound.api}/stations", now, access_token=token)) == invalid
    assert call("DPoP", key.proof("GET", url, now, access_token="another")) == invalid
    assert call("DPoP", key.proof("GET", url, now - 3600, access_token=token)) == invalid
    assert call("DPoP", key.proof("GET", url, now, access_token=token)) == (200, "ok"), (
        "all but that is right"
    )


def test_a_stolen_access_token_in_another_process(bound: DemoProvider) -> None:
    """With the proof of the call that was overheard."""
    api = sign_in(bound)
    response = api.get("measurements")
    what = (f"{bound.api}/measurements", str(api.token["access_token"]), response.request.headers["DPoP"])
    done = subprocess.run(
        [sys.executable, "-I", "-c", THIEF, *what], capture_output=True, text=True, check=True, timeout=120
    )
    assert json.loads(done.stdout) == [401, 401, 401, 401]


def test_the_rightful_session_goes_on_after_a_theft(bound: DemoProvider) -> None:
    """By each client, before and after a renewal."""
    api = sign_in(bound)
    for _ in range(2):
        assert api.get("measurements").status_code == 200
        url = f"{bound.api}/measurements"
        assert requests.get(url, auth=api.requests_auth, timeout=20).status_code == 200
        age(api)


def renew_as(bound: DemoProvider, refresh_token: str, key: DPoPKey | None) -> tuple[int, str]:
    """A token request with a stolen refresh token, once more if the provider wants its nonce in the proof."""
    url, headers = f"{bound.issuer}/token", {}
    data = {"grant_type": "refresh_token", "client_id": bound.client_id, "refresh_token": refresh_token}
    for _ in range(2):
        if key is not None:
            headers = {"DPoP": key.proof("POST", url, time.time())}
        response = requests.post(url, data=data, headers=headers, timeout=20)
        if key is None or outcome(response) != (400, "use_dpop_nonce"):
            break
        key.keep_nonce(url, response.headers["DPoP-Nonce"], is_api=False)
    return outcome(response)


def test_a_stolen_refresh_token_is_no_use_without_its_key(bound: DemoProvider) -> None:
    """Though the client is public; the rightful session still renews."""
    api = sign_in(bound)
    stolen = str(api.token["refresh_token"])
    assert renew_as(bound, stolen, None) == (400, "invalid_dpop_proof")
    assert renew_as(bound, stolen, DPoPKey.generate()) == (400, "invalid_grant")
    age(api)
    assert api.get("measurements").status_code == 200
    assert api.token["refresh_token"] != stolen


@contextmanager
def watched() -> Iterator[list[str]]:
    """The paths of the requests that authnb sends."""
    paths: list[str] = []

    def note(exchange: HTTPExchange) -> None:
        if exchange.sender == "client":
            paths.append("/" + exchange.url.partition("?")[0].rpartition("/")[2])

    observers.append(note)
    try:
        yield paths
    finally:
        observers.remove(note)


def test_the_end_of_a_family_is_told_at_once(bound: DemoProvider) -> None:
    """A thief who has the key too uses the token, and again: the provider ends the family; one request finds out."""
    api = sign_in(bound)
    stolen = str(api.token["refresh_token"])
    assert [renew_as(bound, stolen, key_of(api))[0] for _ in range(2)] == [200, 400]
    age(api)
    with watched() as paths:
        for _ in range(3):
            with pytest.raises(LoginRequired, match="Run the cell that signs in again"):
                api.get("measurements")
    assert paths == ["/token"], "one for all calls"


class TextStorage(MemoryStorage):
    """A storage that keeps text, in which the first sign-in is changed."""

    def __init__(self, edit: Edit) -> None:
        super().__init__()
        self._edit: Edit | None = edit
        self._texts: dict[Account, str] = {}

    def load(self, account: Account) -> SignIn | None:
        """As text says."""
        return SignIn.from_json(self._texts[account]) if account in self._texts else None

    def save(self, account: Account, sign_in: SignIn) -> None:
        """As text, changed the first time."""
        members = json.loads(sign_in.to_json())
        edit, self._edit = self._edit, None
        if edit is not None:
            edit(members["token"])
        self._texts[account] = json.dumps(members)

    def remove(self, account: Account) -> None:
        """Forget the text."""
        self._texts.pop(account, None)


LOST: dict[str, Edit] = {
    "without a key": lambda token: token.pop("dpop_key"),
    "with a part of the key": lambda token: token["dpop_key"].pop("x"),
    "with a part of another key": lambda token: token["dpop_key"].update(d=DPoPKey.generate().as_jwk()["d"]),
    "with a public key": lambda token: token["dpop_key"].pop("d"),
    "with a key of another curve": lambda token: token.update(
        dpop_key=ECKey.generate_key("P-384", private=True).as_dict(private=True)
    ),
    "with a list for a key": lambda token: token.update(dpop_key=[]),
    "as a bearer token, with its key": lambda token: token.update(token_type="Bearer"),
}


@pytest.mark.parametrize("how", LOST)
def test_a_stored_sign_in_whose_key_is_damaged_is_made_anew(bound: DemoProvider, how: str) -> None:
    storage = TextStorage(LOST[how])
    before = sign_in(bound, storage=storage)
    after = sign_in(bound, storage=storage)  # which waits for the address of a new sign-in
    assert after.token["access_token"] != before.token["access_token"]
    assert after.get("measurements").status_code == 200
    again = stored_sign_in(bound, storage)  # of the storage: nobody visits
    assert key_of(again).thumbprint == key_of(after).thumbprint


def stored_sign_in(bound: DemoProvider, storage: MemoryStorage) -> Session:
    """The session of the sign-in that is stored."""
    options: dict[str, Any] = {"mode": "loopback", "view": None, "scope": SCOPE, "api": bound.api}
    session = authnb.login(bound.issuer, client_id=bound.client_id, storage=storage, **options).wait(20)
    assert isinstance(session, Session)
    return session


def test_a_stored_sign_in_with_another_key_ends_with_a_clear_word(bound: DemoProvider) -> None:
    """It can be read, and no server takes it: one renewal, then the person is asked."""
    storage = TextStorage(lambda token: token.update(dpop_key=DPoPKey.generate().as_jwk()))
    sign_in(bound, storage=storage)
    session = stored_sign_in(bound, storage)
    with watched() as paths, pytest.raises(LoginRequired, match="Run the cell that signs in again"):
        session.get("measurements")
    # Each first without the nonce that the server wants
    assert paths.count("/token") == 2
    assert paths.count("/measurements") == 2
    assert sign_in(bound, storage=storage).get("measurements").status_code == 200


def for_api(session: Session, api: str) -> Session:
    """Another session with the same token, for another API."""
    its = renewer(session)
    return Session.from_sign_in(its.client, session.token, account=its.account, storage=its.storage, api=api)


def redirected(session: Session, by_session: bool, target: str) -> list[Any]:
    """Call an API that redirects to this address; the requests that the API got."""
    with Server() as api:
        api.text("/from", "", 302, Location=target.format(api=api.url))
        api.text("/to", "here")
        here = for_api(session, api.url)
        if by_session:
            here.get("/from")
        else:
            requests.get(f"{api.url}/from", auth=here.requests_auth, timeout=20)
        return api.requests


@pytest.mark.parametrize("by_session", [True, False], ids=["session", "requests"])
def test_a_redirect_elsewhere_carries_neither_token_nor_proof(bound: DemoProvider, by_session: bool) -> None:
    with Server() as elsewhere:
        elsewhere.text(
            "/to", "evil", 401, **{"WWW-Authenticate": 'DPoP error="use_dpop_nonce"', "DPoP-Nonce": "n"}
        )
        sent = redirected(sign_in(bound), by_session, f"{elsewhere.url}/to")
        assert sent[-1].headers["Authorization"].startswith("DPoP ")
        assert [request.path for request in elsewhere.requests] == ["/to"], "nothing is proven there"
        assert not {"Authorization", "DPoP"} & set(elsewhere.requests[0].headers)


def test_a_redirect_at_home_is_proven_anew(bound: DemoProvider) -> None:
    first, second = redirected(sign_in(bound), by_session=True, target="{api}/to")
    assert second.headers["Authorization"] == first.headers["Authorization"]
    assert second.headers["DPoP"] != first.headers["DPoP"]


def test_neither_key_nor_proof_is_shown(bound: DemoProvider, caplog: pytest.LogCaptureFixture) -> None:
    """By whatever has them: a cell's output, a log, an error reporter, a pickle."""
    api, shown = sign_in(bound), []
    key, url = key_of(api), f"{bound.api}/measurements"
    with caplog.at_level(logging.DEBUG):
        response = api.get(url)
        shown.append(repr(response.request.headers))
        age(api)
        api.get(url)
        other = requests.get(url, auth=api.requests_auth, timeout=20)
    shown += [caplog.text, repr(other.request.headers), repr(other.request.copy().headers)]
    for each in (
        api,
        key,
        api.token,
        dict(api.token),
        vars(api),
        vars(api.token),
        renewer(api),
        api.token_auth,
    ):
        shown += [repr(each), str(each)]
    shown += [repr(renewer(api).client), repr(vars(api.token_auth)), repr(copy.deepcopy(api.token))]
    assert copy.copy(key) is copy.deepcopy(key) is key
    for each in (key, api.token):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(each)
    secret = key.as_jwk()["d"]
    proofs = [str(each.request.headers["DPoP"]) for each in (response, other)]
    assert "DPoP" in shown[0]
    assert not [text for text in shown for one in (secret, *proofs) if one in text or one[-40:] in text]


def test_who_is_asked_for_more_is_not_given_less(bound: DemoProvider) -> None:
    """A step-up of a bound sign-in demands a token that is bound to the same key."""
    api = sign_in(bound)
    asked = api.ask_for("archive:read", view=None)
    try:
        assert f"dpop_jkt={key_of(api).thumbprint}" in asked.verification().uri
        assert asked.client is not None
        assert (asked.client.dpop, asked.client.dpop_key) == (True, key_of(api))
    finally:
        asked.cancel()
