"""ID tokens are verified as OpenID Connect Core section 3.1.3.7 asks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
import time
from typing import TYPE_CHECKING, Any

import pytest
from joserfc import jwk, jws, jwt
from servers import Server

from authnb.errors import InvalidToken
from authnb.oauth.client import Client
from authnb.oauth.id_token import ALGORITHMS, verify_id_token
from authnb.oauth.key_set import KeySet
from authnb.oauth.provider import Provider
from authnb.oauth.quirks import Quirks

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


def publish(server: Server, *keys: Any) -> KeySet:
    server.json(
        "/jwks", {"keys": [key if isinstance(key, dict) else key.as_dict(private=False) for key in keys]}
    )
    return KeySet(server.url + "/jwks")


def verify(token: str, keys: KeySet, **more: Any) -> dict[str, Any]:
    return verify_id_token(
        token, keys=keys, **{"issuer": ISSUER, "client_id": CLIENT, "nonce": NONCE, **more}
    )


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_every_asymmetric_algorithm_is_supported(server: Server, alg: str) -> None:
    key = BY_ALGORITHM[alg]
    assert verify(sign(claims(), key, alg), publish(server, key))["sub"] == "1"


def test_only_algorithms_that_the_provider_names(server: Server) -> None:
    """FAPI 2.0 Security Profile section 5.4.1: a client that expects PS256 or ES256 refuses RS256."""
    curve = BY_ALGORITHM["ES256"]
    keys, algorithms = publish(server, RSA, curve), ("PS256", "ES256")
    for key, alg in ((RSA, "PS256"), (curve, "ES256")):
        assert verify(sign(claims(), key, alg), keys, algorithms=algorithms)["sub"] == "1"
    with pytest.raises(InvalidToken, match=r"RS256 is none of those .* \(id_token_sign.*: PS256 ES256\)"):
        verify(sign(claims()), keys, algorithms=algorithms)


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": [CLIENT]},
        {"aud": [CLIENT, CLIENT]},
        {"aud": ["other", CLIENT], "azp": CLIENT},
        {"azp": CLIENT},
        {"exp": later(-30)},
        {"iat": later(30)},
        {"name": "Ada"},
    ],
)
def test_valid_id_tokens_are_accepted(server: Server, changed: dict[str, Any]) -> None:
    content = claims(**changed)
    assert verify(sign(content), publish(server, RSA)) == content


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://evil.example"},
        {"iss": ISSUER + "/"},
        {"iss": None},
        {"sub": None},
        {"aud": None},
        {"aud": "other"},
        {"aud": []},
        {"aud": "other", "azp": CLIENT},
        {"aud": [CLIENT, "other"], "azp": "other"},
        {"aud": ["other", CLIENT]},
        {"exp": None},
        {"exp": later(-120)},
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
def test_invalid_claims_are_refused(server: Server, changed: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        verify(sign(claims(**changed)), publish(server, RSA), access_token="at")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sub", 5.0),
        ("sub", True),
        ("sub", ["1"]),
        ("aud", 5),
        ("aud", {CLIENT: 1}),
        ("aud", [CLIENT, 5]),
        ("exp", "never"),
        ("exp", math.inf),
        ("exp", True),
        ("iat", math.nan),
        ("iat", -math.inf),
        ("nbf", "0"),
        ("nbf", [0]),
    ],
)
def test_types_of_registered_claims_are_checked_whatever_joserfc_does(
    server: Server, name: str, value: Any
) -> None:
    """RFC 7519 section 4.1; joserfc takes a number as sub before 1.7.3, and an infinite exp before 1.8."""
    with pytest.raises(InvalidToken, match=f"its {name} is no (string|number)"):
        verify(sign(claims(**{name: value})), publish(server, RSA))


def half_hash(value: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(value.encode()).digest()[:16]).rstrip(b"=").decode()


def test_at_hash_is_compared_with_the_access_token(server: Server) -> None:
    keys = publish(server, RSA)
    token = sign(claims(at_hash=half_hash("at")))
    assert verify(token, keys, access_token="at")
    with pytest.raises(InvalidToken):
        verify(token, keys, access_token="another")


def unsigned(content: dict[str, Any], alg: str) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": alg, "kid": "r"}, content)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", "HS256", "RS1"])
def test_none_and_unknown_algorithms_are_refused(server: Server, alg: str) -> None:
    with pytest.raises(InvalidToken):
        verify(unsigned(claims(), alg), publish(server, RSA))


def test_hmac_with_the_public_key_is_refused(server: Server) -> None:
    """HS256 keyed with the published RSA key: the classic confusion."""
    signed = unsigned(claims(), "HS256").rstrip(".")
    mac = hmac.digest(RSA.as_pem(private=False), signed.encode(), "sha256")
    forged = f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    with pytest.raises(InvalidToken):
        verify(forged, publish(server, RSA))


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c", "....", "\x00", "e30.e30.", "é.é.é"])
def test_a_malformed_token_is_refused(server: Server, token: str) -> None:
    with pytest.raises(InvalidToken):
        verify(token, publish(server, RSA))


def test_a_forged_signature_refetches_the_jwks_once(server: Server) -> None:
    keys = publish(server, RSA)
    for _ in range(3):
        with pytest.raises(InvalidToken):
            verify(sign(claims(), OTHER), keys)
    assert server.paths() == ["/jwks", "/jwks"], "refetched moments ago: no flood"


@pytest.mark.parametrize("new", [OTHER, BY_ALGORITHM["ES256"]])
def test_rotated_keys_are_fetched(server: Server, new: Any) -> None:
    """New key material under the old ``kid``, and under a new one."""
    keys = publish(server, RSA)
    assert verify(sign(claims()), keys)
    publish(server, new)
    assert verify(sign(claims(), new, "RS256" if new is OTHER else "ES256"), keys)
    assert server.paths() == ["/jwks", "/jwks"]


def test_without_a_kid_each_key_is_tried(server: Server) -> None:
    second = jwk.generate_key("RSA", 2048, private=True)
    keys = publish(server, RSA, second)
    assert verify(sign(claims(), second, kid=None), keys)
    nameless = {name: value for name, value in RSA.as_dict(private=False).items() if name != "kid"}
    assert verify(sign(claims()), publish(server, nameless))


@pytest.mark.parametrize(
    "bad", [{}, {"kty": "RSA"}, {"kty": "RSA", "n": "!", "e": 3}, {"kty": "??"}, {"kty": "RSA", "use": "enc"}]
)
def test_a_malformed_key_does_not_invalidate_the_jwks(server: Server, bad: dict[str, Any]) -> None:
    assert verify(sign(claims()), publish(server, bad, RSA))


def test_a_long_jose_header_is_accepted(server: Server) -> None:
    assert verify(sign(claims(), x5c=["A" * 4000]), publish(server, RSA))


def test_a_nonce_is_required_only_if_one_was_sent(server: Server) -> None:
    assert verify(sign(claims(nonce=None)), publish(server, RSA), nonce=None)


@pytest.mark.parametrize("crit", [["x"], ["exp"], [], "exp", 7, None, [["x"]], {"x": 1}])
def test_crit_is_refused(server: Server, crit: object) -> None:
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
def test_a_key_on_an_unknown_curve_does_not_invalidate_the_jwks(server: Server, curve: object) -> None:
    good = BY_ALGORITHM["ES256"]
    bad = {**good.as_dict(private=False), "crv": curve}
    assert verify(sign(claims(), good, "ES256"), publish(server, bad, good))
    with pytest.raises(InvalidToken):
        verify(sign(claims(), good, "ES256"), publish(server, bad))


@pytest.mark.parametrize("absent", [None, ""])
def test_null_and_empty_members_of_a_key_are_absent(server: Server, absent: str | None) -> None:
    """``"kid": null`` and ``"use": null`` in a JWKS, and the same in the ID token's header and claims."""
    key = {**RSA.as_dict(private=False), **dict.fromkeys(("kid", "use", "alg", "x5t"), absent)}
    assert verify(sign(claims()), publish(server, key))
    empty = dict.fromkeys(("azp", "at_hash", "name"), absent)
    token = jwt.encode({"alg": "RS256", "kid": absent}, {**claims(), **empty}, RSA, registry=Lenient())
    assert "name" not in verify(token, publish(server, key, RSA))


class Lenient(Signing):
    """Writes headers that the JWS registry would refuse."""

    def check_header(self, header: dict[str, Any]) -> None:
        """Anything is written."""


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_keys_in_padded_base64(server: Server, alg: str) -> None:
    """RFC 7518 section 2 asks for unpadded base64url; some providers send base64 as it was before."""
    key = BY_ALGORITHM[alg]
    padded = dict(key.as_dict(private=False))
    for name in {"n", "e", "x", "y"} & padded.keys():
        raw = base64.urlsafe_b64decode(padded[name] + "=" * (-len(padded[name]) % 4))
        padded[name] = base64.b64encode(raw).decode()
    assert verify(sign(claims(), key, alg), publish(server, padded))


def test_an_issuer_that_differs_by_a_slash(server: Server) -> None:
    """It is refused, and the error names the argument with which it is accepted."""
    keys = publish(server, RSA)
    with pytest.raises(InvalidToken, match=r"quirks=Quirks\(issuers=\["):
        verify(sign(claims(iss=ISSUER + "/")), keys)
    assert verify(sign(claims(iss=ISSUER + "/")), keys, quirks=Quirks(issuers=(ISSUER + "/",)))


def test_an_issuer_in_another_form(server: Server) -> None:
    """As of Entra's v1 endpoints: the text names the argument with which it is accepted."""
    other = "https://sts.example.org/tenant/"
    with pytest.raises(InvalidToken, match="Where the provider's documentation gives both") as caught:
        verify(sign(claims(iss=other)), publish(server, RSA))
    assert f"quirks=Quirks(issuers=[{other!r}])" in caught.value.description
    assert (
        verify(sign(claims(iss=other)), publish(server, RSA), quirks=Quirks(issuers=(other,)))["sub"] == "1"
    )


@pytest.mark.parametrize(
    ("token", "step"),
    [
        (lambda: unsigned(claims(), "HS256"), "Choose RS256"),
        (lambda: unsigned(claims(), "ES256K"), "Choose RS256"),
        (lambda: f"{unsigned(claims(), 'RSA-OAEP')}.x.y", "Turn encryption of ID tokens off"),
    ],
)
def test_what_to_change_at_the_provider(server: Server, token: Callable[[], str], step: str) -> None:
    """Trying again is no way out: the client's settings at the provider are."""
    with pytest.raises(InvalidToken, match=step):
        verify(token(), publish(server, RSA))


def test_a_numeric_subject_is_a_string(server: Server) -> None:
    """RFC 7519 section 4.1.2 wants a string; servers with numbered accounts send a number."""
    assert verify(sign(claims(sub=42)), publish(server, RSA))["sub"] == "42"


@pytest.mark.parametrize("changed", [{"iat": later(600)}, {"exp": later(-600), "iat": later(-900)}])
def test_times_of_a_wrong_clock_are_shown(server: Server, changed: dict[str, Any]) -> None:
    """The person can see which clock is wrong."""
    with pytest.raises(
        InvalidToken, match=r"issued at \d{4}-\d\d-\d\d \d\d:\d\d UTC by the provider's clock"
    ):
        verify(sign(claims(**changed)), publish(server, RSA))
    with pytest.raises(InvalidToken) as caught:
        verify(sign(claims(aud="other")), publish(server, RSA))
    assert "clock" not in caught.value.description


@pytest.mark.parametrize("changed", [{"iss": None}, {"sub": None}, {"aud": None}])
def test_no_text_says_none(server: Server, changed: dict[str, None]) -> None:
    """A missing claim is called missing."""
    with pytest.raises(InvalidToken) as caught:
        verify(sign(claims(**changed)), publish(server, RSA))
    assert "None" not in str(caught.value)


class TestSignedUserinfo:
    """OpenID Connect Core section 5.3.2."""

    def userinfo(self, server: Server, body: str) -> dict[str, Any]:
        server.text("/userinfo", body, **{"Content-Type": "application/jwt; charset=utf-8"})
        publish(server, RSA)
        provider = Provider(
            server.url, userinfo_endpoint=f"{server.url}/userinfo", jwks_uri=f"{server.url}/jwks"
        )
        return Client(provider, client_id=CLIENT).userinfo({"access_token": "at", "userinfo": {"sub": "1"}})

    def test_it_is_verified_and_used(self, server: Server) -> None:
        """The claims of a signed response are those of an unsigned one."""
        content = {"sub": "1", "name": "Ada", "iss": server.url, "aud": [CLIENT]}
        assert self.userinfo(server, sign(content))["name"] == "Ada"
        assert "application/jwt" in server.requests[0].headers["Accept"]

    @pytest.mark.parametrize(
        "changed",
        [{"iss": "https://evil.example"}, {"aud": "other"}, {"exp": 1}, {"sub": "2"}, {"sub": ["1"]}],
    )
    def test_invalid_claims_are_refused(self, server: Server, changed: dict[str, Any]) -> None:
        """Issuer, audience and expiry where they are named; the subject always."""
        content = {"sub": "1", "iss": server.url, "aud": CLIENT, **changed}
        with pytest.raises(InvalidToken):
            self.userinfo(server, sign(content))

    @pytest.mark.parametrize("body", ["", "{}", "a.b.c", "a.b.c.d.e"])
    def test_what_is_not_signed_is_refused(self, server: Server, body: str) -> None:
        """Neither plain JSON nor an encrypted token."""
        with pytest.raises(InvalidToken, match="signed userinfo response was refused"):
            self.userinfo(server, body)

    def test_a_forged_signature_is_refused(self, server: Server) -> None:
        """By another key under the same ``kid``."""
        with pytest.raises(InvalidToken, match="signed userinfo response was refused"):
            self.userinfo(server, sign({"sub": "1"}, OTHER))
