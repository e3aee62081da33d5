"""A provider with a seed: for documents and lessons, where each run shows the same values."""

from __future__ import annotations

import re
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from demo_helpers import CALLBACK, Clock, allow, ask, redeem, refresh, signed_in_window, token_request
from joserfc import jws, jwt
from joserfc.jwk import KeySet

import authnb
from authnb.cli.main import main
from authnb.demo import DemoProvider

if TYPE_CHECKING:
    from pathlib import Path

USER_CODE = re.compile(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}")


def made(seed: str | None) -> dict[str, str]:
    """Each kind of value that a provider makes up, as clients see it."""
    settings: dict[str, Any] = {"dpop": "offered", "pushed_requests": "offered", "jwt_access_tokens": True}
    with DemoProvider(seed=seed, clock=Clock(), **settings) as demo:
        asked = ask(demo)
        first = allow(signed_in_window(demo), asked)
        tokens = redeem(demo, asked, first["code"]).json()
        keys = requests.get(f"{demo.issuer}/jwks", timeout=20).json()
        id_token = jwt.decode(tokens["id_token"], KeySet.import_key_set(keys))
        access_token = jwt.decode(tokens["access_token"], KeySet.import_key_set(keys))
        device = requests.post(
            f"{demo.issuer}/device_authorization", {"client_id": demo.client_id}, timeout=20
        ).json()
        pushed = requests.post(f"{demo.issuer}/par", parse_qs(urlsplit(asked.url).query), timeout=20).json()
        registered = requests.post(
            f"{demo.issuer}/register",
            json={"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"},
            timeout=20,
        ).json()
        return {
            "code": first["code"],
            "refresh_token": tokens["refresh_token"],
            "next refresh_token": refresh(demo, tokens["refresh_token"]).json()["refresh_token"],
            "sub": id_token.claims["sub"],
            "kid": id_token.header["kid"],
            "jti": access_token.claims["jti"],
            "device_code": device["device_code"],
            "user_code": device["user_code"],
            "request_uri": pushed["request_uri"].removeprefix("urn:ietf:params:oauth:request_uri:"),
            "client_id": registered["client_id"],
            "registration_access_token": registered["registration_access_token"],
            "DPoP-Nonce": requests.post(
                f"{demo.issuer}/token", {"client_id": demo.client_id}, headers={"DPoP": "none"}, timeout=20
            ).headers["DPoP-Nonce"],
            "web_client_secret": demo.web_client_secret,
            "job_client_secret": demo.job_client_secret,
        }


def test_a_seed_makes_the_same_values_each_time_and_they_can_be_told_from_secrets() -> None:
    values = made("a lesson")
    assert made("a lesson") == values
    user_code = values.pop("user_code")
    assert USER_CODE.fullmatch(user_code)
    assert {
        name: value for name, value in values.items() if not re.fullmatch(r"learn_[\w-]{32}", value)
    } == {}
    assert len(set(values.values())) == len(values)
    other = made("another lesson")
    assert other.pop("user_code") != user_code
    assert not set(values.values()) & set(other.values())


def test_without_a_seed_every_value_is_random() -> None:
    values, again = made(None), made(None)
    assert not set(values.values()) & set(again.values())
    assert not any(value.startswith("learn_") for value in values.values())


def test_a_restart_makes_the_same_tokens_and_keeps_its_key() -> None:
    demo, tokens = DemoProvider(seed="a lesson", clock=Clock()), []
    for _ in range(2):
        with demo:
            asked = ask(demo)
            tokens.append(redeem(demo, asked, allow(signed_in_window(demo), asked)["code"]).json())
            keys = requests.get(f"{demo.issuer}/jwks", timeout=20).json()
    assert tokens[0]["access_token"] == tokens[1]["access_token"]
    jws.deserialize_compact(tokens[0]["id_token"], KeySet.import_key_set(keys))


def test_a_client_that_follows_its_clock_signs_in_on_its_fixed_day() -> None:
    clock = Clock()
    with DemoProvider(seed="a lesson", clock=clock) as demo:
        answer = requests.get(f"{demo.issuer}/jwks", timeout=20)
        assert answer.headers["Date"] == formatdate(clock(), usegmt=True)
        assert token_request(demo).headers["Date"] == answer.headers["Date"]
        login = authnb.login(demo.issuer, client_id=demo.client_id, mode="loopback", view=None)
        demo.visit(login.verification().uri)
        session = login.wait(30)
        assert session.user["iat"] == clock()
        session.close()


@pytest.mark.parametrize(
    "refused",
    [{"issuer": "https://hub.example.org/services/authnb"}, {"issuer": "https://localhost.example.org"}],
    ids=str,
)
def test_values_that_everybody_can_compute_are_for_this_computer_alone(refused: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="everybody can compute"):
        DemoProvider(seed="a lesson", **refused)
    DemoProvider(seed="a lesson", issuer="http://localhost:{port}")
    DemoProvider(**refused)


def test_what_is_made_again_each_time_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="leave database out"):
        DemoProvider(tmp_path / "demo.db", seed="a lesson")


def test_a_seed_comes_from_the_caller_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither from the environment nor from the command line."""
    for name in ("AUTHNB_DEMO_SEED", "AUTHNB_SEED", "SEED"):
        monkeypatch.setenv(name, "a lesson")
    with DemoProvider() as demo:
        assert not demo.web_client_secret.startswith("learn_")
    with pytest.raises(SystemExit) as ended:
        main(["demo", "--seed", "a lesson"])
    assert ended.value.code == 2  # argparse's: there is no such option
