"""DPoP proofs and nonces at the token endpoint of the provider for learning (RFC 9449 sections 4.3 and 8)."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
import requests
from demo_helpers import Clock, at_once
from dpop_proofs import KEY, OTHER_KEY, Prover, as_job, outcome, with_nonce
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from authnb.demo import DemoProvider
from authnb.demo.proof_nonces import MOST_PROOFS, ROTATION, ProofNonces, ProofReplayed, UnknownNonce
from authnb.demo.values import Values

if TYPE_CHECKING:
    from collections.abc import Iterator

OCT = OctKey.generate_key(256)
P384 = ECKey.generate_key("P-384")
RSA = RSAKey.generate_key(2048)
WRONG: dict[str, tuple[dict[str, Any], dict[str, Any], Any]] = {
    "no typ": ({"typ": None}, {}, None),
    "typ of a JWT": ({"typ": "JWT"}, {}, None),
    "typ of an access token": ({"typ": "at+jwt"}, {}, None),
    "a shared secret in the header": ({"alg": "HS256", "jwk": OCT.as_dict(private=True)}, {}, OCT),
    "a shared secret": ({"alg": "HS256"}, {}, OCT),
    "an algorithm that is not offered": ({"alg": "ES384", "jwk": P384.as_dict(private=False)}, {}, P384),
    "RSA": ({"alg": "RS256", "jwk": RSA.as_dict(private=False)}, {}, RSA),
    "a key of another algorithm": ({"jwk": P384.as_dict(private=False)}, {}, None),
    "no key": ({"jwk": None}, {}, None),
    "half a key": ({"jwk": {**KEY.as_dict(private=False), "y": ""}}, {}, None),
    "a point that is on no curve": ({"jwk": {**KEY.as_dict(private=False), "y": "AAAA"}}, {}, None),
    "a private key": ({"jwk": KEY.as_dict(private=True)}, {}, None),
    "a member of a shared secret": ({"jwk": {**KEY.as_dict(private=False), "k": "x"}}, {}, None),
    "another key in the header": ({"jwk": OTHER_KEY.as_dict(private=False)}, {}, None),
    "another key's signature": ({}, {}, OTHER_KEY),
    "something critical": ({"crit": ["exp"], "exp": 1}, {}, None),
    "no jti": ({}, {"jti": None}, None),
    "an empty jti": ({}, {"jti": ""}, None),
    "a number as jti": ({}, {"jti": 5}, None),
    "no htm": ({}, {"htm": None}, None),
    "another method": ({}, {"htm": "GET"}, None),
    "a method in small letters": ({}, {"htm": "post"}, None),
    "no htu": ({}, {"htu": None}, None),
    "a number as htu": ({}, {"htu": 5}, None),
    "a path as htu": ({}, {"htu": "/token"}, None),
    "a longer path": ({}, {"htu": "{issuer}/tokens"}, None),
    "a path in other letters": ({}, {"htu": "{issuer}/Token"}, None),
    "the issuer": ({}, {"htu": "{issuer}"}, None),
    "an API": ({}, {"htu": "{issuer}/api/stations"}, None),
    "another scheme": ({}, {"htu": "https://127.0.0.1:{port}/token"}, None),
    "another host": ({}, {"htu": "http://other.example:{port}/token"}, None),
    "a user": ({}, {"htu": "http://ada@127.0.0.1:{port}/token"}, None),
    "another port": ({}, {"htu": "http://127.0.0.1/token"}, None),
    "no URL": ({}, {"htu": "http://[::1/token"}, None),
    "no iat": ({}, {"iat": None}, None),
    "too old": ({}, {"iat": Clock().seconds - 61}, None),
    "of the future": ({}, {"iat": Clock().seconds + 11}, None),
    "a text as iat": ({}, {"iat": str(Clock().seconds)}, None),
    "true as iat": ({}, {"iat": True}, None),
    "no number as iat": ({}, {"iat": float("nan")}, None),
    "no end of iat": ({}, {"iat": float("inf")}, None),
    "a number as nonce": ({}, {"nonce": 5}, None),
}
NO_JWT = {
    "a word": "x",
    "dots": "..",
    "three letters": "a.b.c",
    "not ASCII": "\u00e9.\u00e9.\u00e9",
    "no members": "e30.e30.",
    "a list": "W10.e30.e30",
    "deep": base64.urlsafe_b64encode(b"[" * 2000).decode() + ".e30.e30",
    "a list as alg": base64.urlsafe_b64encode(b'{"alg":["ES256"],"typ":"dpop+jwt"}').decode() + ".e30.e30",
    "long": "A" * 100_000,
}


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def demo(clock: Clock) -> Iterator[DemoProvider]:
    """A provider for the whole module: each test has keys or nonces of its own where it matters."""
    with DemoProvider(clock=clock, dpop="offered") as provider:
        yield provider


@pytest.fixture
def prover(clock: Clock) -> Prover:
    return Prover(clock)


class TestProofs:
    """Section 4.3, point by point; each case is right but for one thing."""

    @pytest.mark.parametrize(
        ("header", "claims"),
        [
            ({}, {}),
            ({"kid": "any"}, {"iat": Clock().seconds - 60}),
            ({}, {"iat": Clock().seconds + 10}),
            ({}, {"more": "claims"}),
            ({}, {"htu": "{issuer}/token?query#fragment"}),
            ({}, {"htu": "HTTP://127.0.0.1:{port}/%74oken"}),
        ],
    )
    def test_right(self, demo: DemoProvider, prover: Prover, header: Any, claims: dict[str, Any]) -> None:
        if "htu" in claims:
            claims = {"htu": claims["htu"].format(issuer=demo.issuer, port=demo.issuer.rpartition(":")[2])}
        url = f"{demo.issuer}/token"
        answer = as_job(demo, [with_nonce(demo, prover).proof("POST", url, header=header, **claims)])
        assert outcome(answer) == (200, "ok")
        assert answer.json()["token_type"] == "DPoP"

    def test_another_algorithm(self, demo: DemoProvider, clock: Clock) -> None:
        """Each that the metadata name; Ed25519 is RFC 9864's."""
        metadata = requests.get(f"{demo.issuer}/.well-known/openid-configuration", timeout=20).json()
        assert metadata["dpop_signing_alg_values_supported"] == ["ES256", "Ed25519"]
        prover = with_nonce(demo, Prover(clock, OKPKey.generate_key("Ed25519"), "Ed25519"))
        assert as_job(demo, [prover.proof("POST", f"{demo.issuer}/token")]).json()["token_type"] == "DPoP"

    @pytest.mark.parametrize("case", WRONG)
    def test_wrong(self, demo: DemoProvider, prover: Prover, case: str) -> None:
        header, claims, signed_with = WRONG[case]
        if isinstance(claims.get("htu"), str):
            claims = {"htu": claims["htu"].format(issuer=demo.issuer, port=demo.issuer.rpartition(":")[2])}
        # joserfc signs with no key that is not the algorithm's, and checks what is critical
        proof = unchecked(with_nonce(demo, prover), f"{demo.issuer}/token", header, claims, signed_with)
        answer = as_job(demo, [proof])
        assert outcome(answer) == (400, "invalid_dpop_proof")
        assert answer.headers["DPoP-Nonce"] == prover.nonce

    @pytest.mark.parametrize("case", NO_JWT)
    def test_no_jwt(self, demo: DemoProvider, case: str) -> None:
        assert outcome(as_job(demo, [NO_JWT[case]])) == (400, "invalid_dpop_proof")

    def test_unsigned(self, demo: DemoProvider, prover: Prover) -> None:
        """With the algorithm none, or with the signature taken off."""
        proof = with_nonce(demo, prover).proof("POST", f"{demo.issuer}/token")
        header, claims, _ = proof.split(".")
        members = json.loads(base64.urlsafe_b64decode(header + "=="))
        none = base64.urlsafe_b64encode(json.dumps({**members, "alg": "none"}).encode()).rstrip(b"=").decode()
        for each in (f"{none}.{claims}.", f"{header}.{claims}."):
            assert outcome(as_job(demo, [each])) == (400, "invalid_dpop_proof")

    @pytest.mark.parametrize("claims", [b"[]", b"5", b"", b"[" * 2500, b'{"jti": 5}'])
    def test_no_claims(self, demo: DemoProvider, claims: bytes) -> None:
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": KEY.as_dict(private=False)}
        proof = jws.serialize_compact(header, claims, KEY, ["ES256"])
        assert outcome(as_job(demo, [proof])) == (400, "invalid_dpop_proof")

    def test_a_jti_that_is_no_unicode(self, demo: DemoProvider, prover: Prover) -> None:
        proof = with_nonce(demo, prover).proof("POST", f"{demo.issuer}/token", jti="\ud800")
        assert [outcome(as_job(demo, [proof]))[1] for _ in range(2)] == ["ok", "invalid_dpop_proof"]

    def test_two_of_them(self, demo: DemoProvider, prover: Prover) -> None:
        url = f"{demo.issuer}/token"
        with_nonce(demo, prover)
        proofs = [prover.proof("POST", url) for _ in range(2)]
        assert outcome(as_job(demo, proofs)) == (400, "invalid_dpop_proof")

    def test_a_replayed_one(self, demo: DemoProvider, prover: Prover) -> None:
        """Section 11.1; of eight at the same moment one is the first. Another key may have the same `jti`."""
        url = f"{demo.issuer}/token"
        proof = with_nonce(demo, prover).proof("POST", url)
        answers = sorted(outcome(each) for each in at_once(lambda: as_job(demo, [proof])))
        assert answers == [(200, "ok"), *[(400, "invalid_dpop_proof")] * 7]
        again = [prover.proof("POST", url, jti="same") for _ in range(2)]
        assert [outcome(as_job(demo, [each]))[1] for each in again] == ["ok", "invalid_dpop_proof"]
        other = Prover(prover.clock, OTHER_KEY)
        other.nonce = prover.nonce
        assert outcome(as_job(demo, [other.proof("POST", url, jti="same")])) == (200, "ok")


def unchecked(prover: Prover, url: str, header: Any, claims: Any, signed_with: Any) -> str:
    """A proof that joserfc itself would refuse to make: its header is exchanged and signed anew."""
    key = signed_with or prover.key
    if not header:
        return prover.proof("POST", url, signed_with=signed_with, **claims)
    proof = prover.proof("POST", url, **claims).split(".")
    head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": prover.key.as_dict(private=False)} | header
    text = json.dumps({name: value for name, value in head.items() if value is not None})
    proof[0] = base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
    algorithm = jws.JWSRegistry.algorithms[head["alg"]]
    signature = algorithm.sign(f"{proof[0]}.{proof[1]}".encode(), key)
    return f"{proof[0]}.{proof[1]}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


class TestNonces:
    """Section 8."""

    def test_the_answer_to_a_proof_without_one_has_it(self, demo: DemoProvider, prover: Prover) -> None:
        url = f"{demo.issuer}/token"
        for nonce in (None, "", "made up"):
            answer = as_job(demo, [prover.proof("POST", url, nonce=nonce)])
            assert outcome(answer) == (400, "use_dpop_nonce")
            assert "WWW-Authenticate" not in answer.headers
        prover.nonce = answer.headers["DPoP-Nonce"]
        answer = as_job(demo, [prover.proof("POST", url)])
        assert outcome(answer) == (200, "ok")
        assert answer.headers["DPoP-Nonce"] == prover.nonce
        assert answer.headers["Cache-Control"] == "no-store"

    def test_it_changes_and_the_one_before_is_good_for_a_while(
        self, clock: Clock, demo: DemoProvider
    ) -> None:
        """The answer has the new one each time; a proof that was replayed meanwhile is still known."""
        prover, url = Prover(clock), f"{demo.issuer}/token"
        clock.turn(2 * ROTATION)
        first = with_nonce(demo, prover).nonce
        proof = prover.proof("POST", url, iat=clock() + 9)
        assert outcome(as_job(demo, [proof])) == (200, "ok")
        clock.turn(ROTATION)
        answer = as_job(demo, [prover.proof("POST", url)])
        second = answer.headers["DPoP-Nonce"]
        assert (outcome(answer), second != first) == ((200, "ok"), True)
        assert outcome(as_job(demo, [proof])) == (400, "invalid_dpop_proof")
        clock.turn(ROTATION)
        assert outcome(as_job(demo, [prover.proof("POST", url)])) == (400, "use_dpop_nonce")
        assert outcome(as_job(demo, [prover.proof("POST", url, nonce=second)])) == (200, "ok")

    def test_memory_has_a_bound_and_nothing_that_can_be_replayed_is_forgotten(self) -> None:
        """After so many proofs the nonce is another one, and those with the old ones are refused."""
        nonces, first = ProofNonces(Values(None)), ""
        first = nonces.newest(0.0)
        for number in range(MOST_PROOFS):
            nonces.use(first, str(number), 0.0)
        second = nonces.newest(0.0)
        assert second != first
        with pytest.raises(ProofReplayed):
            nonces.use(first, "0", 0.0)
        with pytest.raises(UnknownNonce):
            nonces.use(first, "new", 0.0)
        for number in range(MOST_PROOFS):
            nonces.use(second, str(number), 0.0)
        assert nonces.newest(0.0) not in {first, second}
        with pytest.raises(UnknownNonce):
            nonces.use(first, "0", 0.0)

    def test_an_hour_in_which_nobody_came(self) -> None:
        """The nonce of before is too old then, though there was no other since."""
        nonces = ProofNonces(Values(None))
        nonce = nonces.newest(0.0)
        with pytest.raises(UnknownNonce):
            nonces.use(nonce, "proof", 2 * ROTATION)

    def test_a_clock_that_was_put_back(self) -> None:
        nonces = ProofNonces(Values(None))
        nonce = nonces.newest(1000.0)
        with pytest.raises(UnknownNonce):
            nonces.use(nonce, "proof", 10.0)
        assert nonces.newest(10.0) != nonce
