"""The JWTs that a client sends, taken apart in a replay: DPoP proofs and client assertions."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey

import authnb
from authnb.demo import DemoProvider
from authnb.recording.explain import explanation_of
from authnb.recording.redact import Redactor
from authnb.recording.replay_signature import Signatures
from authnb.storage.base import MemoryStorage
from authnb.transport.exchange import HTTPExchange, notify

if TYPE_CHECKING:
    from pathlib import Path

    from authnb.recording.recorder import Recording
    from authnb.recording.replay import Hop, Parameter, Replay, TokenParts

KEY = ECKey.generate_key("P-256", {"kid": "of the client", "alg": "ES256"}, private=True)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recording, Recording]:
    """One sign-in with bound tokens and a client that authenticates with a key: redacted, and with values."""
    path = tmp_path_factory.mktemp("key") / "client.jwk"
    path.write_text(json.dumps(KEY.as_dict(private=True)), encoding="utf-8")
    path.chmod(0o600)
    keys = {DemoProvider.client_id: {"keys": [KEY.as_dict(private=False)]}}
    with (
        DemoProvider(client_keys=keys, dpop="required") as demo,
        authnb.record() as hidden,
        authnb.record(reveal=True) as revealed,
    ):
        options = {
            "client_id": demo.client_id,
            "client_key": path,
            "api": demo.api,
            "storage": MemoryStorage(),
        }
        login = authnb.login(
            demo.issuer, scope="openid measurements:read", mode="loopback", view=None, **options
        )
        demo.visit(login.verification().uri)
        login.wait(30).get("/stations")
    return hidden, revealed


def kept(recording: Recording) -> Replay:
    return recording._replays()[0]  # noqa: SLF001 - the model below the widget


def with_values(recording: Recording) -> Replay:
    replay = recording._replays()[1]  # noqa: SLF001 - as above
    assert replay is not None
    return replay


def token_request(replay: Replay) -> Hop:
    """The last: the provider wants its nonce in the proof."""
    return [hop for hop in replay.hops if hop.topic == "code_grant" and hop.kind == "request"][-1]


def api_call(replay: Replay) -> Hop:
    return [hop for hop in replay.hops if hop.receiver == "api"][-1]


def part(hop: Hop, name: str) -> TokenParts:
    (found,) = (jwt for jwt in hop.jwts if jwt.name == name)
    return found


def members(jwt: TokenParts) -> dict[str, Parameter]:
    return {each.name: each for each in (*jwt.header, *jwt.claims)}


def test_a_proof_is_taken_apart_and_checked_with_the_key_in_it(
    recordings: tuple[Recording, Recording],
) -> None:
    """RFC 9449 section 4.2: what it holds, and that of a token request it has no hash of an access token."""
    replay = with_values(recordings[1])
    for hop, method, claims in (
        (token_request(replay), "POST", ["jti", "htm", "htu", "iat", "nonce"]),
        (api_call(replay), "GET", ["jti", "htm", "htu", "iat", "ath", "nonce"]),
    ):
        proof = part(hop, "proof")
        assert [each.name for each in proof.header] == ["typ", "alg", "jwk"]
        assert sorted(each.name for each in proof.claims) == sorted(claims)
        found = members(proof)
        assert (found["typ"].value, found["htm"].value) == ("dpop+jwt", method)
        assert found["htu"].value
        assert json.loads(found["jwk"].value or "").keys() == {"kty", "crv", "x", "y"}
        sections = {each.name: each.section for each in found.values()}
        assert sections.pop("nonce") == "RFC 9449 8"
        assert {*sections.values()} == {"RFC 9449 4.2"}
        assert (proof.signature.algorithm, proof.signature.verified) == ("ES256", True)
        assert proof.signature.checked_with == "the public key in the proof's own header (jwk)"


def test_an_assertion_is_taken_apart(recordings: tuple[Recording, Recording]) -> None:
    """RFC 7523 section 3; its key is at the provider, so nothing here checks its signature."""
    replay = with_values(recordings[1])
    assertion = part(token_request(replay), "assertion")
    found = members(assertion)
    assert found["kid"].value == "of the client"
    assert found["kid"].meaning == "which of the client's keys signed it"
    assert found["iss"].value == found["sub"].value == DemoProvider.client_id
    for name in ("iss", "sub", "aud", "exp", "nbf", "iat", "jti"):
        assert found[name].section == "RFC 7523 3", name
    assert assertion.signature.verified is None
    assert "the client's public key is with the provider" in assertion.signature.checked_with


def test_the_api_challenges_and_is_called_again(recordings: tuple[Recording, Recording]) -> None:
    """RFC 9449 section 9: it wants its nonce in the proof, which is no refusal; DPoP is a defence of this sign-in."""
    for replay in (kept(recordings[0]), kept(recordings[1]), with_values(recordings[1])):
        of_the_api = [(hop.status, hop.title) for hop in replay.hops if "api" in {hop.sender, hop.receiver}]
        assert of_the_api == [
            (None, "The notebook calls the API"),
            (401, "Once more, with a nonce"),
            (None, "The notebook calls the API"),
            (200, "The data"),
        ]
        (challenge,) = (hop for hop in replay.hops if hop.status == 401)
        found = {each.name: each for each in challenge.parameters}
        text = found["WWW-Authenticate"].value or found["WWW-Authenticate"].hidden
        assert text is not None
        assert re.match(r'DPoP .*\berror="use_dpop_nonce"|DPoP error="use_dpop_nonce" \d+ characters$', text)
        assert found["DPoP-Nonce"].section == "RFC 9449 8"
        (bound,) = (each for each in replay.defences if each.id == "dpop")
        assert (bound.used, replay.hops[bound.hop].receiver) == (True, "api")


@pytest.mark.parametrize(
    ("challenge", "shown", "title"),
    [
        ("Bearer", "Bearer [0 characters]", "The API asks for a token"),
        ('Bearer realm="s3cr3t"', "Bearer [14 characters]", "The API asks for a token"),
        (
            'Bearer realm="s3cr3t", error="invalid_token"',
            'Bearer error="invalid_token" [37 characters]',
            "Refused: invalid_token",
        ),
        ('DPoP error="s3cr3t"', "DPoP [14 characters]", "The API asks for a token"),
        ("s3cr3t error=invalid_token", "[26 characters]", "The API asks for a token"),
    ],
)
def test_a_call_without_a_token_is_told_by_the_challenge(
    challenge: str, shown: str, title: str, tmp_path: Path
) -> None:
    """RFC 6750 section 3; of the challenge only what a standard defines is shown."""
    with authnb.record() as recording:
        answer = {"WWW-Authenticate": challenge}
        url = "https://api.example.org/of/s3cr3t"
        notify(HTTPExchange(sender="client", method="GET", url=url, status=401, response_headers=answer))
    loaded = authnb.Recording.load(recording.save(tmp_path / "report.md"))
    for each in (recording, loaded):
        replay = kept(each)
        assert [party.id for party in replay.parties] == ["client", "api"]
        assert [(hop.sender, hop.receiver) for hop in replay.hops] == [("client", "api"), ("api", "client")]
        assert replay.hops[1].title == title
        assert each.exchanges[0].received[0].shown == shown
        assert "s3cr3t" not in repr(each.exchanges)


def test_of_a_redacted_recording_the_names_stay_and_no_values(
    recordings: tuple[Recording, Recording], tmp_path: Path
) -> None:
    hidden, revealed = recordings
    values = with_values(revealed)
    secrets = {
        each.value
        for hop in (token_request(values), api_call(values))
        for jwt in hop.jwts
        for each in members(jwt).values()
        if each.name in {"jwk", "jti", "ath", "nonce", "sub"} and each.value != DemoProvider.client_id
    }
    assert len(secrets) >= 6
    path = hidden.save(tmp_path / "report.md")
    loaded = authnb.Recording.load(path)
    for replay in (kept(hidden), kept(revealed), kept(loaded)):
        proof, call = part(token_request(replay), "proof"), part(api_call(replay), "proof")
        assertion = part(token_request(replay), "assertion")
        assert members(proof).keys() == members(part(token_request(values), "proof")).keys()
        assert members(call).keys() == members(part(api_call(values), "proof")).keys()
        shown = {name: each.value for name, each in members(proof).items() if each.value}
        assert shown.pop("iat")
        assert shown == {"typ": "dpop+jwt", "alg": "ES256", "htm": "POST"}
        assert members(call)["htu"].hidden == "not shown", "the length of a path helps to guess it"
        assert members(assertion)["aud"].section == "RFC 7523 3"
        text = json.dumps(replay.as_dict())
        assert not [secret for secret in secrets if secret in text or json.dumps(secret)[1:-1] in text]
    assert part(api_call(kept(loaded)), "proof").signature.verified is None
    assert part(api_call(kept(hidden)), "proof").signature.verified is None
    everything = path.read_text(encoding="utf-8") + repr(hidden.exchanges) + hidden._repr_html_()
    assert not [secret for secret in secrets if secret in everything]
    assert "s3cr3t" not in everything
    assert "DPoP proof, decoded" in hidden._repr_html_()
    assert not re.search(r"eyJ[\w-]{8,}", everything)


def proof(header: dict[str, object], **claims: object) -> str:
    """A JWS with any header, which joserfc would not make (RFC 7518 section 3.4)."""
    parts = (urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims))
    signed = ".".join(parts)
    r, s = decode_dss_signature(KEY.private_key.sign(signed.encode(), ECDSA(SHA256())))
    signature = urlsafe_b64encode(r.to_bytes(32) + s.to_bytes(32)).decode().rstrip("=")
    return f"{signed}.{signature}"


def sent(value: str) -> HTTPExchange:
    url = "https://api.example.org/of/s3cr3t"
    return HTTPExchange(
        sender="client", method="GET", url=url, headers={"authorization": "DPoP x", "dpop": value}, status=200
    )


def test_a_proof_that_another_key_signed_is_told() -> None:
    other = ECKey.generate_key("P-256", private=False).as_dict(private=False)
    own = KEY.as_dict(private=False)
    for jwk, expected in ((own, True), (other, False), ("no key", False), ({"kty": "?"}, False)):
        exchange = sent(proof({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}, jti="1"))
        signatures = Signatures()
        signatures.add(1, exchange)
        signature = signatures.of(Redactor(reveal=True).exchange(1, exchange, "API"), "proof")
        assert signature.verified is expected, jwk
        assert ("notebook's private key" in signature.signed_by) is expected
    signatures.add(2, sent("no.proof"))
    assert (
        signatures.of(Redactor(reveal=True).exchange(2, sent("no.proof"), "API"), "proof").verified is False
    )


def test_claims_of_a_call_that_no_standard_names_are_left_out() -> None:
    """Their names may be personal, as those of other parameters of an API."""
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": KEY.as_dict(private=False), "x-grace": "s3cr3t"}
    with authnb.record() as recording:
        notify(sent(proof(header, jti="s3cr3t", htm="GET", patient="s3cr3t", iat="s3cr3t")))
    (exchange,) = recording.exchanges
    assert [value.name for value in exchange.proof] == ["typ", "alg", "jwk", "jti", "htm", "iat"]
    assert not re.search("s3cr3t|patient|grace", repr(recording.exchanges))


def test_a_name_means_its_own_in_each_jwt() -> None:
    sources = [explanation_of("nonce", "", jwt) for jwt in ("", "proof", "assertion")]
    assert [source and source.source for source in sources] == ["Core 3.1.2.1", "RFC 9449 8", None]
