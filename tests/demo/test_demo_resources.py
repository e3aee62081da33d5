"""Two APIs at the provider for learning: resource indicators (RFC 8707) and token exchange (RFC 8693)."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import requests
from demo_session import SCOPE, sign_in

from authnb.demo import DemoProvider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoProvider]:
    """A provider with this machine's clock, by which authnb judges its ID tokens."""
    with DemoProvider() as provider:
        yield provider


def exchange(demo: DemoProvider, token: str, **parameters: Any) -> requests.Response:
    data = {
        "grant_type": EXCHANGE,
        "client_id": demo.client_id,
        "subject_token": token,
        "subject_token_type": ACCESS_TOKEN,
    }
    return requests.post(demo.issuer + "/token", data={**data, **parameters}, timeout=10)


def test_an_exchanged_token(demo: DemoProvider) -> None:
    """It has no refresh token, and ends with its family."""
    session = sign_in(demo)
    answer = exchange(demo, session.token["access_token"], resource=demo.archive).json()
    assert answer["issued_token_type"] == ACCESS_TOKEN
    assert answer["scope"] == SCOPE
    assert "refresh_token" not in answer
    header = {"Authorization": f"Bearer {answer['access_token']}"}
    assert requests.get(demo.archive + "/days", headers=header, timeout=10).status_code == 200
    refused = requests.get(demo.api + "/stations", headers=header, timeout=10)
    assert refused.status_code == 401
    assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]
    session.logout()
    assert requests.get(demo.archive + "/days", headers=header, timeout=10).status_code == 401


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"subject_token": "x"}, "invalid_request"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"}, "invalid_request"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"),
        ({"scope": f"{SCOPE} offline_access"}, "invalid_scope"),
        ({"resource": "https://other.example"}, "invalid_target"),
        ({"client_id": "web"}, "invalid_client"),
        ({"client_id": "unknown"}, "invalid_client"),
    ],
)
def test_refused_exchanges(demo: DemoProvider, parameters: dict[str, Any], error: str) -> None:
    session = sign_in(demo)
    refused = exchange(demo, session.token["access_token"], **parameters)
    assert refused.status_code in {400, 401}
    assert refused.json()["error"] == error
    assert session.get("stations").status_code == 200


def test_a_token_is_for_one_api(demo: DemoProvider) -> None:
    session = sign_in(demo)
    both = [demo.api, demo.archive]
    refused = exchange(demo, session.token["access_token"], resource=both)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_target")
    for one in both:
        assert exchange(demo, session.token["access_token"], resource=one).status_code == 200


@pytest.mark.parametrize("why", ["revoked", "signed out", "expired"])
def test_a_token_that_has_ended_is_not_exchanged(why: str) -> None:
    later = 0
    with DemoProvider(clock=lambda: time.time() + later) as demo:
        session = sign_in(demo)
        token = session.token["access_token"]
        assert exchange(demo, token, resource=demo.archive).status_code == 200
        if why == "revoked":
            data = {"client_id": demo.client_id, "token": token}
            assert requests.post(demo.issuer + "/revoke", data=data, timeout=10).status_code == 200
        elif why == "signed out":
            session.logout()
        else:
            later = session.token["expires_in"] + 1
        refused = exchange(demo, token, resource=demo.archive)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")


def test_a_token_of_another_client_is_not_exchanged(tmp_path: Path) -> None:
    """Nor is any token by a client that is not registered for it."""
    path = tmp_path / "people.db"
    form = {"grant_type": EXCHANGE, "subject_token_type": ACCESS_TOKEN}
    errors = []
    for registered in (False, True):
        with DemoProvider(database=path) as demo:
            form["subject_token"] = sign_in(demo).token["access_token"]
            client = (demo.job_client_id, demo.job_client_secret)
            errors.append(requests.post(demo.issuer + "/token", data=form, auth=client, timeout=10).json())
        if not registered:
            with closing(sqlite3.connect(path)) as database, database:
                register = "UPDATE clients SET grant_types = grant_types || ' ' || ? WHERE id = ?"
                database.execute(register, [EXCHANGE, demo.job_client_id])
    assert [error["error"] for error in errors] == ["unauthorized_client", "invalid_request"]


def test_an_unknown_resource_in_the_authorization_request(demo: DemoProvider) -> None:
    """The client hears of it (RFC 8707 section 2)."""
    parameters = {
        "response_type": "code",
        "client_id": demo.client_id,
        "redirect_uri": "http://127.0.0.1/callback",
        "scope": "openid",
        "state": "s",
        "code_challenge": "c" * 43,
        "code_challenge_method": "S256",
        "resource": "https://other.example",
    }
    answer = requests.get(demo.issuer + "/authorize", parameters, allow_redirects=False, timeout=10)
    assert "error=invalid_target" in answer.headers["Location"]


def test_a_database_of_an_earlier_version(tmp_path: Path) -> None:
    """Columns that it lacks are added; who signed up there signs in."""
    path = tmp_path / "people.db"
    with DemoProvider(database=path) as demo:
        demo.sign_up("nora", "long enough for her")
    with closing(sqlite3.connect(path)) as database:
        for table in ("authorizations", "access_tokens", "device_codes"):
            database.execute(f"ALTER TABLE {table} DROP COLUMN resource")
        database.commit()
    with DemoProvider(database=path) as demo:
        session = sign_in(demo, name="ada")
        assert session.for_audience(demo.archive).get("days").status_code == 200
