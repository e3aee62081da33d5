"""An ID token is believed only if the provider made it, for us, for this sign-in, and it is current."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from joserfc import jwk, jws, jwt
from servers import Server

from authnb.errors import InvalidToken
from authnb.identity import ALGORITHMS, verify_id_token
from authnb.provider import Keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ISSUER, CLIENT, NONCE = "https://id.example.org", "notebook", "n-1"
RSA = jwk.generate_key("RSA", 2048, {"kid": "r"}, private=True)
OTHER = jwk.generate_key("RSA", 2048, {"kid": "r"}, private=True)
BY_ALGORITHM = {
    **dict.fromkeys(["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"], RSA),
    "ES256": jwk.generate_key("EC", "P-256", {"kid": "e"}),
    "ES384": jwk.generate_key("EC", "P-384", {"kid": "e3"}),
    "ES512": jwk.generate_key("EC", "P-521", {"kid": "e5"}),
    "EdDSA": jwk.generate_key("OKP", "Ed25519", {"kid": "o"}),
    "Ed25519": jwk.generate_key("OKP", "Ed25519", {"kid": "o2"}),
}


class Signing(jws.JWSRegistry):
    """Signs with any algorithm, and without the warning that EdDSA has a newer name."""

    def get_alg(self, name: str) -> Any:
        """Whatever is asked for."""
        return self.algorithms[name]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def claims(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    whole = {
        "iss": ISSUER,
        "sub": "1",
        "aud": CLIENT,
        "exp": now + 300,
        "iat": now,
        "nonce": NONCE,
        **changed,
    }
    at_last = {name: value(now) if callable(value) else value for name, value in whole.items()}
    return {name: value for name, value in at_last.items() if value is not None}


def later(seconds: int) -> Callable[[int], int]:
    """So many seconds after the test begins."""
    return lambda now: now + seconds


def sign(content: dict[str, Any], key: Any = RSA, alg: str = "RS256", **header: Any) -> str:
    names = {"alg": alg, "kid": key.kid, **header}
    names = {name: value for name, value in names.items() if value is not None}
    return jwt.encode(names, content, key, registry=Signing(strict_check_header=False))


def publish(server: Server, *keys: Any) -> Keys:
    server.json(
        "/jwks", {"keys": [key if isinstance(key, dict) else key.as_dict(private=False) for key in keys]}
    )
    return Keys(server.url + "/jwks")


def verify(token: str, keys: Keys, **more: Any) -> dict[str, Any]:
    return verify_id_token(
        token, keys=keys, **{"issuer": ISSUER, "client_id": CLIENT, "nonce": NONCE, **more}
    )


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_every_asymmetric_algorithm_is_understood(server: Server, alg: str) -> None:
    key = BY_ALGORITHM[alg]
    assert verify(sign(claims(), key, alg), publish(server, key))["sub"] == "1"


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": [CLIENT]},
        {"aud": ["other", CLIENT]},
        {"azp": CLIENT},
        {"exp": later(-30)},
        {"iat": later(30)},
        {"name": "Ada"},
    ],
)
def test_lawful_tokens_are_accepted(server: Server, changed: dict[str, Any]) -> None:
    content = claims(**changed)
    assert verify(sign(content), publish(server, RSA)) == content


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://evil.example"},
        {"iss": ISSUER + "/"},
        {"iss": None},
        {"sub": None},
        {"sub": 5},
        {"aud": None},
        {"aud": "other"},
        {"aud": []},
        {"aud": "other", "azp": CLIENT},
        {"aud": [CLIENT, "other"], "azp": "other"},
        {"exp": None},
        {"exp": later(-120)},
        {"exp": "never"},
        {"iat": None},
        {"iat": later(3600)},
        {"nbf": later(3600)},
        {"nonce": None},
        {"nonce": "n-2"},
        {"nonce": ""},
        {"at_hash": "wrong"},
        {"at_hash": 7},
    ],
)
def test_claims_that_do_not_hold_are_refused(server: Server, changed: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        verify(sign(claims(**changed)), publish(server, RSA), access_token="at")


def half_hash(value: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(value.encode()).digest()[:16]).rstrip(b"=").decode()


def test_at_hash_ties_the_access_token(server: Server) -> None:
    keys = publish(server, RSA)
    token = sign(claims(at_hash=half_hash("at")))
    assert verify(token, keys, access_token="at")
    with pytest.raises(InvalidToken):
        verify(token, keys, access_token="another")


def unsigned(content: dict[str, Any], alg: str) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": alg, "kid": "r"}, content)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", "HS256", "RS1"])
def test_algorithms_without_the_providers_key_are_refused(server: Server, alg: str) -> None:
    with pytest.raises(InvalidToken):
        verify(unsigned(claims(), alg), publish(server, RSA))


def test_the_public_key_is_no_shared_secret(server: Server) -> None:
    """HS256 keyed with the published RSA key: the classic confusion."""
    signed = unsigned(claims(), "HS256").rstrip(".")
    mac = hmac.digest(RSA.as_pem(private=False), signed.encode(), "sha256")
    forged = f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    with pytest.raises(InvalidToken):
        verify(forged, publish(server, RSA))


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c", "....", "\x00", "e30.e30.", "é.é.é"])
def test_what_is_no_token_is_refused(server: Server, token: str) -> None:
    with pytest.raises(InvalidToken):
        verify(token, publish(server, RSA))


def test_a_forged_signature_costs_one_new_look_at_the_keys(server: Server) -> None:
    keys = publish(server, RSA)
    for _ in range(3):
        with pytest.raises(InvalidToken):
            verify(sign(claims(), OTHER), keys)
    assert server.paths() == ["/jwks", "/jwks"], "a new look was taken moments ago: no flood"


@pytest.mark.parametrize("new", [OTHER, BY_ALGORITHM["ES256"]])
def test_rotated_keys_are_found(server: Server, new: Any) -> None:
    """New key material under the old name, and a new name."""
    keys = publish(server, RSA)
    assert verify(sign(claims()), keys)
    publish(server, new)
    assert verify(sign(claims(), new, "RS256" if new is OTHER else "ES256"), keys)
    assert server.paths() == ["/jwks", "/jwks"]


def test_without_a_name_each_key_is_tried(server: Server) -> None:
    second = jwk.generate_key("RSA", 2048, private=True)
    keys = publish(server, RSA, second)
    assert verify(sign(claims(), second, kid=None), keys)
    nameless = {name: value for name, value in RSA.as_dict(private=False).items() if name != "kid"}
    assert verify(sign(claims()), publish(server, nameless))


@pytest.mark.parametrize(
    "bad", [{}, {"kty": "RSA"}, {"kty": "RSA", "n": "!", "e": 3}, {"kty": "??"}, {"kty": "RSA", "use": "enc"}]
)
def test_one_malformed_key_does_not_spoil_the_set(server: Server, bad: dict[str, Any]) -> None:
    assert verify(sign(claims()), publish(server, bad, RSA))


def test_a_long_header_is_read(server: Server) -> None:
    assert verify(sign(claims(), x5c=["A" * 4000]), publish(server, RSA))


def test_without_a_nonce_in_the_flow_none_is_asked_for(server: Server) -> None:
    assert verify(sign(claims(nonce=None)), publish(server, RSA), nonce=None)


@pytest.mark.parametrize("crit", [["x"], ["exp"], [], "exp", 7, None, [["x"]], {"x": 1}])
def test_no_extension_is_understood(server: Server, crit: object) -> None:
    """RFC 7515 section 4.1.11: what is critical must be known, and nothing is; whatever its shape."""
    head = (
        base64.urlsafe_b64encode(json.dumps({"alg": "RS256", "kid": "r", "crit": crit}).encode())
        .rstrip(b"=")
        .decode()
    )
    _, body, signature = sign(claims()).split(".")
    with pytest.raises(InvalidToken, match="crit"):
        verify(f"{head}.{body}.{signature}", publish(server, RSA))


@pytest.mark.parametrize("curve", ["P-999", "", 7, None, ["P-256"]])
def test_a_key_on_an_unknown_curve_does_not_spoil_the_set(server: Server, curve: object) -> None:
    good = BY_ALGORITHM["ES256"]
    bad = {**good.as_dict(private=False), "crv": curve}
    assert verify(sign(claims(), good, "ES256"), publish(server, bad, good))
    with pytest.raises(InvalidToken):
        verify(sign(claims(), good, "ES256"), publish(server, bad))
