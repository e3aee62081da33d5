"""Bound tokens at the APIs of the provider for learning (RFC 9449 section 7)."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import requests
from demo_helpers import SCOPE, Clock, get_tokens
from dpop_proofs import OTHER_KEY, Prover, digest_of
from werkzeug.http import parse_dict_header

from authnb.demo import DemoProvider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALGORITHMS = ["ES256", "Ed25519"]


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def demo(clock: Clock) -> Iterator[DemoProvider]:
    with DemoProvider(clock=clock, dpop="offered") as provider:
        yield provider


@pytest.fixture(scope="module")
def prover(clock: Clock) -> Prover:
    return Prover(clock)


@pytest.fixture(scope="module")
def token(demo: DemoProvider, prover: Prover) -> str:
    return of_the_job(demo, prover)


def of_the_job(demo: DemoProvider, prover: Prover) -> str:
    answer = prover.post(
        f"{demo.issuer}/token",
        grant_type="client_credentials",
        client_id=demo.job_client_id,
        client_secret=demo.job_client_secret,
    )
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["access_token"]
    return token


def bearer(demo: DemoProvider) -> str:
    client = {"client_id": demo.job_client_id, "client_secret": demo.job_client_secret}
    data = {"grant_type": "client_credentials", **client}
    token: str = requests.post(f"{demo.issuer}/token", data=data, timeout=20).json()["access_token"]
    return token


def refusal(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def challenges(answer: requests.Response) -> dict[str, dict[str, Any]]:
    """The parameters by scheme, in the order of the header."""
    found: dict[str, dict[str, Any]] = {}
    for part in re.split(", (?=Bearer |DPoP )", answer.headers["WWW-Authenticate"]):
        scheme, _, parameters = part.partition(" ")
        found[scheme] = parse_dict_header(parameters)
    return found


def test_a_token_with_its_proof(demo: DemoProvider, prover: Prover, token: str) -> None:
    """The scheme in any case; a query belongs to no proof; the answer has the newest nonce."""
    for scheme in ("DPoP", "dpop"):
        answer = prover.get(f"{demo.api}/measurements?limit=1", token, scheme=scheme)
        assert answer.status_code == 200
        assert answer.headers["DPoP-Nonce"] == prover.nonce
    answer = prover.get(f"{demo.api}/stations", token, nonce="made up")
    assert refusal(answer) == (401, "use_dpop_nonce")


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no ath": ({"ath": None}, "invalid_dpop_proof"),
    "another token": ({"ath": digest_of("another token")}, "invalid_dpop_proof"),
    "a number as ath": ({"ath": 5}, "invalid_dpop_proof"),
    "another method": ({"htm": "POST"}, "invalid_dpop_proof"),
    "another path": ({"htu": "{api}/calibration"}, "invalid_dpop_proof"),
    "the token endpoint": ({"htu": "{issuer}/token"}, "invalid_dpop_proof"),
    "too old": ({"iat": Clock().seconds - 61}, "invalid_dpop_proof"),
    "of the future": ({"iat": Clock().seconds + 11}, "invalid_dpop_proof"),
    "typ of a JWT": ({"header": {"typ": "JWT"}}, "invalid_dpop_proof"),
    "another key's signature": ({"signed_with": OTHER_KEY}, "invalid_dpop_proof"),
    "a made up nonce": ({"nonce": "made up"}, "use_dpop_nonce"),
    "another key": ({"key": OTHER_KEY}, "invalid_token"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_proof(demo: DemoProvider, prover: Prover, token: str, case: str) -> None:
    """Each is right but for one thing. The challenge has the error with the scheme that was used, which comes first."""
    given, error = WRONG[case]
    who = Prover(prover.clock, given["key"]) if "key" in given else prover
    given = {name: value for name, value in given.items() if name != "key"}
    if "htu" in given:
        given = {"htu": given["htu"].format(issuer=demo.issuer, api=demo.api)}
    answer = who.get(f"{demo.api}/stations", token, **given)
    assert refusal(answer) == (401, error)
    assert answer.headers["DPoP-Nonce"]
    named = challenges(answer)
    assert list(named) == ["DPoP", "Bearer"]
    assert named["DPoP"]["error"] == error
    assert named["DPoP"]["algs"].split() == ALGORITHMS
    assert "error" not in named["Bearer"]


def test_no_proof_at_all(demo: DemoProvider, token: str) -> None:
    answer = requests.get(demo.api, headers={"Authorization": f"DPoP {token}"}, timeout=20)
    assert refusal(answer) == (401, "invalid_dpop_proof")


def test_a_replayed_proof(demo: DemoProvider, prover: Prover, token: str) -> None:
    """It is seen in what the token endpoint saw, too, as both have one nonce."""
    url = f"{demo.api}/stations"
    headers = {"Authorization": f"DPoP {token}"}
    prover.get(url, token)
    headers["DPoP"] = prover.proof("GET", url, token=token)
    answers = [requests.get(url, headers=headers, timeout=20) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 401]
    assert refusal(answers[1]) == (401, "invalid_dpop_proof")


def test_no_downgrade(demo: DemoProvider, prover: Prover, token: str) -> None:
    """Section 7.2: a bound token is no bearer token, with a proof or without; nor the other way round."""
    url = f"{demo.api}/stations"
    headers = {"Authorization": f"Bearer {token}"}
    for answer in (requests.get(url, headers=headers, timeout=20), prover.get(url, token, scheme="Bearer")):
        assert refusal(answer) == (401, "invalid_token")
        named = challenges(answer)
        assert list(named) == ["Bearer", "DPoP"]
        assert named["Bearer"]["error"] == "invalid_token"
        assert set(named["DPoP"]) == {"realm", "resource_metadata", "algs"}
    plain = bearer(demo)
    assert refusal(prover.get(url, plain)) == (401, "invalid_token")
    assert requests.get(url, headers={"Authorization": f"Bearer {plain}"}, timeout=20).status_code == 200


def test_what_is_offered(demo: DemoProvider) -> None:
    """Both schemes to a request without a token (section 7.2), and the algorithms in the metadata (RFC 9728)."""
    answer = requests.get(demo.api, timeout=20)
    assert refusal(answer) == (401, "unauthorized")
    named = challenges(answer)
    assert list(named) == ["Bearer", "DPoP"]
    assert named["DPoP"]["algs"].split() == ALGORITHMS
    for parameters in named.values():
        assert parameters["scope"] == "measurements:read"
        assert parameters["resource_metadata"].endswith("/oauth-protected-resource/api")
    document = requests.get(f"{demo.issuer}/.well-known/oauth-protected-resource/api", timeout=20).json()
    assert document["dpop_signing_alg_values_supported"] == ALGORITHMS
    assert document["dpop_bound_access_tokens_required"] is False


def test_more_is_asked_for_by_the_scheme_that_was_used(
    demo: DemoProvider, prover: Prover, token: str
) -> None:
    """RFC 9470 and RFC 6750 section 3.1 with DPoP."""
    answer = prover.get(f"{demo.api}/calibration", token)
    assert refusal(answer) == (401, "insufficient_user_authentication")
    assert challenges(answer)["DPoP"]["acr_values"] == "urn:authnb:demo:one-time-code"
    answer = prover.get(f"{demo.issuer}/userinfo", token)
    assert refusal(answer) == (403, "insufficient_scope")
    assert challenges(answer)["DPoP"]["scope"] == "openid"


def test_userinfo(demo: DemoProvider, clock: Clock) -> None:
    """By GET and by POST (OpenID Connect Core 1.0 section 5.3.1)."""
    token = get_tokens(demo, scope=SCOPE)["access_token"]
    prover, url = Prover(clock), f"{demo.issuer}/userinfo"
    assert refusal(prover.get(url, token)) == (401, "invalid_token")
    bound = bound_to(demo, prover)
    for method in ("GET", "POST"):
        answer = prover.send(
            method,
            url,
            made=lambda method=method: prover.proof(method, url, token=bound),  # type: ignore[misc] # mypy takes no default here
            headers={"Authorization": f"DPoP {bound}"},
        )
        assert answer.json()["preferred_username"] == "bob"
    assert requests.get(url, headers={"Authorization": f"Bearer {bound}"}, timeout=20).status_code == 401


def bound_to(demo: DemoProvider, prover: Prover) -> str:
    """A token of bob's, from a device."""
    data = {"client_id": demo.client_id, "scope": SCOPE}
    device = requests.post(f"{demo.issuer}/device_authorization", data=data, timeout=20).json()
    demo.approve(device["user_code"], name="bob")
    grant = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "device_code": device["device_code"],
    }
    token: str = prover.post(f"{demo.issuer}/token", client_id=demo.client_id, **grant).json()["access_token"]
    return token


def test_where_it_is_required(clock: Clock, tmp_path: Path) -> None:
    """Bearer tokens of an earlier start are refused; the metadata say why."""
    with DemoProvider(tmp_path / "people.db", clock=clock) as demo:
        plain = bearer(demo)
    with DemoProvider(tmp_path / "people.db", clock=clock, dpop="required") as demo:
        prover = Prover(clock)
        answer = requests.get(demo.api, headers={"Authorization": f"Bearer {plain}"}, timeout=20)
        assert refusal(answer) == (401, "unauthorized")
        assert list(challenges(answer)) == ["DPoP"]
        assert refusal(prover.get(demo.api, plain)) == (401, "invalid_token")
        document = requests.get(f"{demo.issuer}/.well-known/oauth-protected-resource/api", timeout=20).json()
        assert document["dpop_bound_access_tokens_required"] is True
        bound = of_the_job(demo, prover)
        assert prover.get(demo.api, bound).status_code == 200
    with DemoProvider(tmp_path / "people.db", clock=clock) as demo:
        answer = requests.get(demo.api, headers={"Authorization": f"Bearer {bound}"}, timeout=20)
        assert refusal(answer) == (401, "invalid_token")
        assert list(challenges(answer)) == ["Bearer"]


def test_behind_a_proxy(clock: Clock) -> None:
    """A proof is for the address under which people reach the provider."""
    with DemoProvider(issuer="http://localhost:{port}/services/authnb", clock=clock, dpop="offered") as demo:
        prover = Prover(clock)
        token = of_the_job(demo, prover)
        url = f"{demo.api}/stations"
        assert prover.get(url, token).status_code == 200
        other = url.replace("localhost", "127.0.0.1")
        assert refusal(prover.get(other, token)) == (401, "invalid_dpop_proof")


def test_a_database_of_an_earlier_version(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    with DemoProvider(path):
        pass
    with closing(sqlite3.connect(path)) as database, database:
        columns = [("authorization_codes", "dpop_jkt"), ("access_tokens", "jkt"), ("refresh_tokens", "jkt")]
        for table, column in columns:
            database.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    with DemoProvider(path, clock=clock, dpop="offered") as demo:
        prover = Prover(clock)
        assert prover.get(demo.api, of_the_job(demo, prover)).status_code == 200
