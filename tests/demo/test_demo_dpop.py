"""Tokens that are bound to a key, at the token endpoint of the provider for learning (RFC 9449 sections 5 and 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests
from demo_helpers import (
    DEVICE_GRANT,
    SCOPE,
    Clock,
    Window,
    allow,
    ask,
    redeem,
    refresh,
    signed_in_window,
    token_request,
)
from dpop_proofs import OTHER_KEY, Prover, as_job, outcome, with_nonce
from joserfc import jwt
from joserfc.jwk import KeySet

from authnb.demo import DemoProvider

if TYPE_CHECKING:
    from collections.abc import Iterator

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def demo(clock: Clock) -> Iterator[DemoProvider]:
    """A provider for the whole module: each test has keys or nonces of its own where it matters."""
    with DemoProvider(clock=clock, dpop="offered") as provider:
        yield provider


@pytest.fixture(scope="module")
def window(demo: DemoProvider) -> Window:
    return signed_in_window(demo)


@pytest.fixture
def prover(clock: Clock) -> Prover:
    return Prover(clock)


def code_of(window: Window, **changes: str) -> tuple[Any, str]:
    asked = ask(window.demo, prompt="consent", **changes)
    return asked, allow(window, asked)["code"]


def bound_tokens(window: Window, prover: Prover, **changes: str) -> dict[str, Any]:
    asked, code = code_of(window, **changes)
    answer = by_code(window.demo, prover, asked, code)
    assert answer.status_code == 200, answer.text
    return answer.json()


def by_code(demo: Any, prover: Prover, asked: Any, code: str) -> requests.Response:
    return prover.post(
        f"{demo.issuer}/token",
        grant_type="authorization_code",
        client_id=demo.client_id,
        code=code,
        code_verifier=asked.verifier,
        redirect_uri=asked.redirect_uri,
    )


def by_refresh(demo: Any, prover: Prover, refresh_token: str) -> requests.Response:
    return prover.post(
        f"{demo.issuer}/token",
        grant_type="refresh_token",
        client_id=demo.client_id,
        refresh_token=refresh_token,
    )


class TestGrants:
    """What is issued to a request with a proof is bound to its key (section 5)."""

    def test_each_of_them(self, demo: DemoProvider, window: Window, prover: Prover) -> None:
        url, secret = f"{demo.issuer}/token", demo.job_client_secret
        tokens = bound_tokens(window, prover)
        device = requests.post(
            f"{demo.issuer}/device_authorization",
            data={"client_id": demo.client_id, "scope": SCOPE},
            timeout=20,
        ).json()
        demo.approve(device["user_code"], name="bob")
        answers = {
            "refresh": by_refresh(demo, prover, tokens["refresh_token"]),
            "device": prover.post(
                url, grant_type=DEVICE_GRANT, client_id=demo.client_id, device_code=device["device_code"]
            ),
            "job": prover.post(
                url, grant_type="client_credentials", client_id=demo.job_client_id, client_secret=secret
            ),
            "exchange": exchange(demo, prover, tokens["access_token"]),
        }
        for name, answer in [*answers.items()]:
            assert outcome(answer) == (200, "ok"), name
            token = answer.json()
            assert token["token_type"] == "DPoP", name
            api = demo.archive if name == "exchange" else demo.api
            assert prover.get(api, token["access_token"]).status_code == 200, name
            assert prover.get(api, token["access_token"], scheme="Bearer").status_code == 401, name

    def test_without_a_proof_tokens_are_bearer_tokens(self, demo: DemoProvider, window: Window) -> None:
        asked, code = code_of(window)
        tokens = redeem(demo, asked, code).json()
        assert tokens["token_type"] == "Bearer"
        assert refresh(demo, tokens["refresh_token"]).json()["token_type"] == "Bearer"

    def test_a_request_for_a_nonce_uses_nothing_up(
        self, demo: DemoProvider, window: Window, clock: Clock
    ) -> None:
        """Neither the code nor the refresh token; `Prover.send` comes again after the first answer."""
        tokens = bound_tokens(window, Prover(clock))
        assert by_refresh(demo, Prover(clock), tokens["refresh_token"]).status_code == 200

    def test_the_refresh_token_of_a_public_client_is_bound(
        self, demo: DemoProvider, window: Window, prover: Prover
    ) -> None:
        """A thief with another key, or with none, gets nothing and ends nothing; so for each successor."""
        tokens = bound_tokens(window, prover)
        for _ in range(2):
            thief = Prover(prover.clock, OTHER_KEY)
            stolen = tokens["refresh_token"]
            assert outcome(by_refresh(demo, thief, stolen)) == (400, "invalid_grant")
            assert outcome(refresh(demo, stolen)) == (400, "invalid_dpop_proof")
            answer = by_refresh(demo, prover, stolen)
            assert outcome(answer) == (200, "ok")
            tokens = answer.json()

    def test_a_bearer_refresh_token_may_become_bound(
        self, demo: DemoProvider, window: Window, prover: Prover
    ) -> None:
        asked, code = code_of(window)
        tokens = redeem(demo, asked, code).json()
        bound = by_refresh(demo, prover, tokens["refresh_token"]).json()
        assert bound["token_type"] == "DPoP"
        assert outcome(refresh(demo, bound["refresh_token"])) == (400, "invalid_dpop_proof")

    def test_that_of_a_client_with_a_secret_is_not(
        self, demo: DemoProvider, window: Window, prover: Prover
    ) -> None:
        """It authenticates each time; the access token has the key of the request (section 5)."""
        client = {"client_id": demo.web_client_id, "client_secret": demo.web_client_secret}
        asked, code = code_of(window, client_id="web", redirect_uri="http://localhost:5000/authorize")
        parameters = {"code": code, "code_verifier": asked.verifier, "redirect_uri": asked.redirect_uri}
        url = f"{demo.issuer}/token"
        tokens = prover.post(url, grant_type="authorization_code", **client, **parameters).json()
        other = Prover(prover.clock, OTHER_KEY)
        newer = other.post(
            url, grant_type="refresh_token", refresh_token=tokens["refresh_token"], **client
        ).json()
        assert newer["token_type"] == "DPoP"
        assert other.get(demo.api, newer["access_token"]).status_code == 200
        assert prover.get(demo.api, newer["access_token"]).status_code == 401

    def test_a_stolen_access_token_is_not_exchanged(
        self, demo: DemoProvider, window: Window, prover: Prover
    ) -> None:
        """Or the thief would have a token bound to a key of their own (RFC 8693 section 2.2.2 for the error)."""
        token = bound_tokens(window, prover)["access_token"]
        thief = Prover(prover.clock, OTHER_KEY)
        assert outcome(exchange(demo, thief, token)) == (400, "invalid_request")
        without = token_request(
            demo, grant_type=EXCHANGE, subject_token=token, subject_token_type=ACCESS_TOKEN
        )
        assert outcome(without) == (400, "invalid_dpop_proof")

    def test_jwt_access_tokens_name_the_key(self, clock: Clock) -> None:
        """Section 6.1."""
        with DemoProvider(clock=clock, dpop="offered", jwt_access_tokens=True) as demo:
            prover = Prover(clock)
            keys = KeySet.import_key_set(requests.get(f"{demo.issuer}/jwks", timeout=20).json())
            client = {"client_id": demo.job_client_id, "client_secret": demo.job_client_secret}
            url = f"{demo.issuer}/token"
            bound = prover.post(url, grant_type="client_credentials", **client).json()["access_token"]
            bearer = requests.post(
                url, data={"grant_type": "client_credentials", **client}, timeout=20
            ).json()
            assert jwt.decode(bound, keys, ["RS256"]).claims["cnf"] == {"jkt": prover.jkt}
            assert "cnf" not in jwt.decode(bearer["access_token"], keys, ["RS256"]).claims
            assert prover.get(demo.api, bound).status_code == 200
            assert prover.get(demo.api, bearer["access_token"]).status_code == 401


def exchange(demo: DemoProvider, prover: Prover, token: str) -> requests.Response:
    return prover.post(
        f"{demo.issuer}/token",
        grant_type=EXCHANGE,
        client_id=demo.client_id,
        subject_token=token,
        subject_token_type=ACCESS_TOKEN,
        resource=demo.archive,
    )


class TestAnnouncedKeys:
    """`dpop_jkt`: section 10."""

    def test_a_code_is_for_the_key_that_was_announced(
        self, demo: DemoProvider, window: Window, prover: Prover
    ) -> None:
        """Whoever has code and verifier but not the key gets nothing and uses nothing up."""
        asked, code = code_of(window, dpop_jkt=prover.jkt)
        thief = Prover(prover.clock, OTHER_KEY)
        assert outcome(by_code(demo, thief, asked, code)) == (400, "invalid_grant")
        assert outcome(redeem(demo, asked, code)) == (400, "invalid_dpop_proof")
        assert outcome(by_code(demo, prover, asked, code)) == (200, "ok")

    @pytest.mark.parametrize("jkt", ["", "x", "a" * 42, "a" * 44, "a" * 42 + "="])
    def test_what_is_no_thumbprint(self, window: Window, jkt: str) -> None:
        assert window.get(ask(window.demo, dpop_jkt=jkt).url).answer["error"] == "invalid_request"


def test_where_it_is_required(clock: Clock) -> None:
    """Tokens without a proof are refused, after a request that says why."""
    with DemoProvider(clock=clock, dpop="required") as demo:
        prover = Prover(clock)
        assert outcome(as_job(demo, [])) == (400, "invalid_dpop_proof")
        assert outcome(as_job(demo, [with_nonce(demo, prover).proof("POST", f"{demo.issuer}/token")])) == (
            200,
            "ok",
        )


def test_by_default_there_is_none(clock: Clock) -> None:
    """Proofs are ignored, as is `dpop_jkt`; metadata say nothing of them."""
    with DemoProvider(clock=clock) as demo:
        answer = as_job(demo, [Prover(clock).proof("POST", f"{demo.issuer}/token")])
        assert answer.json()["token_type"] == "Bearer"
        assert "DPoP-Nonce" not in answer.headers
        for path in ("openid-configuration", "oauth-protected-resource/api"):
            assert "dpop" not in requests.get(f"{demo.issuer}/.well-known/{path}", timeout=20).text
        window = signed_in_window(demo)
        asked = ask(demo, dpop_jkt="x")
        assert redeem(demo, asked, allow(window, asked)["code"]).json()["token_type"] == "Bearer"
