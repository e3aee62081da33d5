"""Behaviours with the ID token and the keys that sign it."""

from __future__ import annotations

import base64
import hmac
from typing import TYPE_CHECKING, Any

from behaviour import EVIL, behaviour, later, rows
from provider import CURVE, FORGED_CURVE, FORGER, KEY, OTHER_CURVE, SECOND, SHORT, encode

if TYPE_CHECKING:
    from behaviour import Do
    from provider import Scenario

# ID token, claims (OpenID Connect Core 3.1.3.7)

rows(
    "ID token",
    "invalid_token",
    {
        "wrong iss": {"iss": EVIL},
        "iss with a slash more": {"iss": lambda _: "http://127.0.0.1/"},
        "no iss": {"iss": None},
        "iss is a list": {"iss": [EVIL]},
        "no sub": {"sub": None},
        "sub is a fraction": {"sub": 1.5},
        "sub is true": {"sub": True},
        "empty sub": {"sub": ""},
        "wrong aud": {"aud": "other"},
        "no aud": {"aud": None},
        "aud is empty": {"aud": []},
        "aud is a number": {"aud": 5},
        "aud of another client, azp ours": {"aud": "other", "azp": "notebook"},
        "several audiences, no azp": {"aud": ["other", "notebook"]},
        "aud ours, azp another": {"aud": ["notebook", "other"], "azp": "other"},
        "azp is a list": {"azp": ["notebook"]},
        "no iat": {"iat": None},
        "iat in the future": {"iat": later(3600)},
        "iat is text": {"iat": "now"},
        "no exp": {"exp": None},
        "expired": {"exp": later(-300)},
        "exp is text": {"exp": "never"},
        "exp is true": {"exp": True},
        "exp is infinite": {"exp": 1e400},
        "not yet valid": {"nbf": later(3600)},
        "wrong nonce": {"nonce": "another"},
        "no nonce": {"nonce": None},
        "empty nonce": {"nonce": ""},
        "nonce is a list": {"nonce": []},
        "a security event": {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
        "wrong at_hash": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
        "at_hash is a number": {"at_hash": 1},
    },
    lambda scenario, changes: scenario.claims.update(changes),
)


@behaviour("ID token: claims nested nine hundred times", "invalid_token")
def _(scenario: Scenario) -> None:
    deep: list[Any] = []
    for _ in range(900):
        deep = [deep]
    scenario.claims["x"] = deep


rows(
    "ID token",
    None,
    {
        "aud is a list with us": {"aud": ["notebook"]},
        "several audiences, azp ours": {"aud": ["other", "notebook"], "azp": "notebook"},
        "azp is ours": {"azp": "notebook"},
        "no at_hash": {"at_hash": None},
        "clock half a minute ahead": {"iat": later(30), "nbf": later(30)},
        "clock half a minute behind": {"exp": later(-30)},
        "iat with a fraction": {"iat": later(-0.5)},
        "claims nobody knows": {"x": {"y": [1, None]}},
        "a name in another script": {"name": "Åsa 張"},
    },
    lambda scenario, changes: scenario.claims.update(changes),
)


# ID token, signature


@behaviour("ID token: alg none", "invalid_token")
def _(scenario: Scenario) -> None:
    scenario.id_token = lambda: scenario.unsigned("none")


@behaviour("ID token: alg none, advertised", "invalid_token")
def _(scenario: Scenario) -> None:
    scenario.metadata["id_token_signing_alg_values_supported"] = ["none", "RS256"]
    scenario.id_token = lambda: scenario.unsigned("none")


@behaviour("ID token: RS256, only PS256 and ES256 advertised", "invalid_token")
def _(scenario: Scenario) -> None:
    scenario.metadata["id_token_signing_alg_values_supported"] = ["PS256", "ES256"]


@behaviour("ID token: alg NoNe", "invalid_token")
def _(scenario: Scenario) -> None:
    scenario.id_token = lambda: scenario.unsigned("NoNe")


@behaviour("ID token: HS256 with the public key as secret", "invalid_token")
def _(scenario: Scenario) -> None:
    def forged() -> str:
        text = f"{encode({'alg': 'HS256', 'kid': 'one'})}.{encode(scenario.all_claims())}"
        mac = hmac.digest(KEY.as_pem(private=False), text.encode(), "sha256")
        return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    scenario.id_token = forged


def signed_by(key: Any, **header: Any) -> Do:
    """The token is signed with this key, under this header."""

    def do(scenario: Scenario) -> None:
        scenario.key = key
        scenario.header.update(header)

    return do


behaviour("ID token: RS256 by a forger", "invalid_token")(signed_by(FORGER))
behaviour("ID token: unknown kid", "invalid_token")(signed_by(FORGER, kid="unknown"))
behaviour("ID token: key of its own in the header (jwk)", "invalid_token")(
    signed_by(FORGER, jwk=FORGER.as_dict(private=False))
)
behaviour("ID token: address of a key in the header (jku)", "invalid_token")(signed_by(FORGER, jku=EVIL))
behaviour("ID token: a critical header nobody knows", "invalid_token")(signed_by(KEY, crit=["exp"], exp=1))


for _typ in ("at+jwt", "application/at+jwt", "logout+jwt", "secevent+jwt"):
    behaviour(f"ID token: typ {_typ}", "invalid_token")(signed_by(KEY, typ=_typ))
behaviour("ID token: a header of nine kilobytes", "invalid_token")(signed_by(KEY, x5c=["A" * 9000]))


@behaviour("ID token: a list with the right nonce", "invalid_token")
def _(scenario: Scenario) -> None:
    scenario.claims["nonce"] = lambda _now: [scenario.nonce, "another"]


@behaviour("keys: RSA of 1024 bits", "invalid_token")
def _(scenario: Scenario) -> None:
    signed_by(SHORT)(scenario)
    scenario.jwks = [SHORT.as_dict(private=False)]


@behaviour("keys: of another curve than the token's", "invalid_token")
def _(scenario: Scenario) -> None:
    signed_by(CURVE, alg="ES256", kid="curve")(scenario)
    scenario.jwks = [OTHER_CURVE.as_dict(private=False)]


@behaviour("keys: one of another curve before the right one", None)
def _(scenario: Scenario) -> None:
    signed_by(CURVE, alg="ES256", kid=None)(scenario)
    scenario.jwks = [OTHER_CURVE.as_dict(private=False), CURVE.as_dict(private=False)]


behaviour("ID token: typ JWT in small letters", None)(signed_by(KEY, typ="jwt"))


@behaviour("ID token: ES256 by a forger", "invalid_token")
def _(scenario: Scenario) -> None:
    signed_by(FORGED_CURVE, alg="ES256", kid="curve")(scenario)
    scenario.jwks = [CURVE.as_dict(private=False)]


@behaviour("ID token: ES256 said, RS256 key", "invalid_token")
def _(scenario: Scenario) -> None:
    signed_by(FORGED_CURVE, alg="ES256", kid="one")(scenario)


@behaviour("ID token: signature cut off", "invalid_token")
def _(scenario: Scenario) -> None:
    scenario.id_token = lambda: scenario.signed().rpartition(".")[0] + "."


@behaviour("ID token: claims changed after signing", "invalid_token")
def _(scenario: Scenario) -> None:
    def forged() -> str:
        head, _, tail = scenario.signed().split(".")
        return f"{head}.{encode({**scenario.all_claims(), 'sub': 'mallory'})}.{tail}"

    scenario.id_token = forged


rows(
    "ID token",
    "invalid_token",
    {
        "not a JWT": "abc",
        "three dots": "...",
        "five parts": "a.b.c.d.e",
        "claims are a list": f"{encode({'alg': 'RS256'})}.{encode([1])}.AA",
        "claims nested without end": f"{encode({'alg': 'RS256', 'kid': 'one'})}.{'W1tb' * 3000}.AA",
        "header nested without end": f"{'W1tb' * 1500}.{encode({})}.AA",
        "header is a text": f"{encode('alg')}.{encode({})}.AA",
        "huge": "a" * 200_000,
    },
    lambda scenario, text: setattr(scenario, "id_token", lambda: text),
)


@behaviour("ID token: missing although openid was asked for", "invalid_response")
def _(scenario: Scenario) -> None:
    scenario.id_token = lambda: None


@behaviour("keys: rotated just before signing", None)
def _(scenario: Scenario) -> None:
    signed_by(SECOND, kid="two")(scenario)
    scenario.jwks = [KEY.as_dict(private=False), SECOND.as_dict(private=False)]


@behaviour("keys: ES256", None)
def _(scenario: Scenario) -> None:
    signed_by(CURVE, alg="ES256", kid="curve")(scenario)
    scenario.jwks = [CURVE.as_dict(private=False)]


@behaviour("keys: several, no kid in the token", None)
def _(scenario: Scenario) -> None:
    signed_by(SECOND, kid=None)(scenario)
    scenario.jwks = [KEY.as_dict(private=False), SECOND.as_dict(private=False)]


@behaviour("keys: kid in the token, none in the set", None)
def _(scenario: Scenario) -> None:
    scenario.jwks = [{k: v for k, v in KEY.as_dict(private=False).items() if k != "kid"}]


rows(
    "keys",
    None,
    {
        "one malformed among good ones": {"kty": "RSA", "n": "!!", "e": "AQAB", "kid": "one"},
        "one of an unknown type": {"kty": "PQ", "kid": "one"},
        "one that is no object": "what",
        "one for encryption": {**KEY.as_dict(private=False), "use": "enc"},
        "one symmetric": {"kty": "oct", "k": "AAAA", "kid": "one"},
    },
    lambda scenario, key: scenario.jwks.insert(0, key),
)
behaviour("keys: a header of four kilobytes", None)(signed_by(KEY, x5c=["A" * 4000]))
rows(
    "keys",
    "invalid_token",
    {
        "an empty set": [],
        "only malformed ones": [{"kty": "RSA", "kid": "one"}],
        "only for encryption": [{**KEY.as_dict(private=False), "use": "enc"}],
    },
    lambda scenario, keys: setattr(scenario, "jwks", keys),
)
