"""What a provider, or somebody on the way, may do: each misdeed with the error it must end in, or None.

A deed without an error is strange but lawful and must be accepted.
"""

from __future__ import annotations

import base64
import gzip
import hmac
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from provider import (
    CODE,
    CURVE,
    ELSEWHERE,
    FORGED_CURVE,
    FORGER,
    KEY,
    SECOND,
    Answer,
    as_json,
    encode,
    forever,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from provider import Play

    Do = Callable[[Play], None]

EVIL = ELSEWHERE.url


@dataclass(frozen=True, kw_only=True)
class Deed:
    """One thing done, the sign-in it is done to, and the code of the error that must come of it."""

    name: str
    error: str | None
    do: Do
    mode: str = "loopback"


DEEDS: list[Deed] = []


def deed(name: str, error: str | None, mode: str = "loopback") -> Callable[[Do], Do]:
    """Add what the function does to the table."""

    def add(do: Do) -> Do:
        DEEDS.append(Deed(name=name, error=error, do=do, mode=mode))
        return do

    return add


def later(seconds: float) -> Callable[[int], float]:
    """So many seconds from when the token is made."""
    return lambda now: now + seconds


def rows(
    prefix: str,
    error: str | None,
    table: dict[str, Any],
    apply: Callable[[Play, Any], None],
    mode: str = "loopback",
) -> None:
    """Add a row for each entry of a table."""
    for name, value in table.items():
        deed(f"{prefix}: {name}", error, mode)(lambda play, value=value: apply(play, value))


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
        "sub is a number": {"sub": 1},
        "empty sub": {"sub": ""},
        "wrong aud": {"aud": "other"},
        "no aud": {"aud": None},
        "aud is empty": {"aud": []},
        "aud is a number": {"aud": 5},
        "aud of another client, azp ours": {"aud": "other", "azp": "notebook"},
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
        "wrong at_hash": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
        "at_hash is a number": {"at_hash": 1},
    },
    lambda play, changes: play.claims.update(changes),
)
rows(
    "ID token",
    None,
    {
        "aud is a list with us": {"aud": ["notebook"]},
        "several audiences with us": {"aud": ["other", "notebook"]},
        "azp is ours": {"azp": "notebook"},
        "no at_hash": {"at_hash": None},
        "clock half a minute ahead": {"iat": later(30), "nbf": later(30)},
        "clock half a minute behind": {"exp": later(-30)},
        "iat with a fraction": {"iat": later(-0.5)},
        "claims nobody knows": {"x": {"y": [1, None]}},
        "a name in another script": {"name": "Åsa 張"},
    },
    lambda play, changes: play.claims.update(changes),
)


# ID token, signature


@deed("ID token: alg none", "invalid_token")
def _(play: Play) -> None:
    play.id_token = lambda: play.unsigned("none")


@deed("ID token: alg none, advertised", "invalid_token")
def _(play: Play) -> None:
    play.metadata["id_token_signing_alg_values_supported"] = ["none", "RS256"]
    play.id_token = lambda: play.unsigned("none")


@deed("ID token: alg NoNe", "invalid_token")
def _(play: Play) -> None:
    play.id_token = lambda: play.unsigned("NoNe")


@deed("ID token: HS256 with the public key as secret", "invalid_token")
def _(play: Play) -> None:
    def forged() -> str:
        text = f"{encode({'alg': 'HS256', 'kid': 'one'})}.{encode(play.all_claims())}"
        mac = hmac.digest(KEY.as_pem(private=False), text.encode(), "sha256")
        return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    play.id_token = forged


def signed_by(key: Any, **header: Any) -> Do:
    """The token is signed with this key, under this header."""

    def do(play: Play) -> None:
        play.key = key
        play.header.update(header)

    return do


deed("ID token: RS256 by a forger", "invalid_token")(signed_by(FORGER))
deed("ID token: unknown kid", "invalid_token")(signed_by(FORGER, kid="unknown"))
deed("ID token: key of its own in the header (jwk)", "invalid_token")(
    signed_by(FORGER, jwk=FORGER.as_dict(private=False))
)
deed("ID token: address of a key in the header (jku)", "invalid_token")(signed_by(FORGER, jku=EVIL))
deed("ID token: a critical header nobody knows", "invalid_token")(signed_by(KEY, crit=["exp"], exp=1))


@deed("ID token: ES256 by a forger", "invalid_token")
def _(play: Play) -> None:
    signed_by(FORGED_CURVE, alg="ES256", kid="curve")(play)
    play.jwks = [CURVE.as_dict(private=False)]


@deed("ID token: ES256 said, RS256 key", "invalid_token")
def _(play: Play) -> None:
    signed_by(FORGED_CURVE, alg="ES256", kid="one")(play)


@deed("ID token: signature cut off", "invalid_token")
def _(play: Play) -> None:
    play.id_token = lambda: play.signed().rpartition(".")[0] + "."


@deed("ID token: claims changed after signing", "invalid_token")
def _(play: Play) -> None:
    def forged() -> str:
        head, _, tail = play.signed().split(".")
        return f"{head}.{encode({**play.all_claims(), 'sub': 'mallory'})}.{tail}"

    play.id_token = forged


rows(
    "ID token",
    "invalid_token",
    {
        "not a JWT": "abc",
        "three dots": "...",
        "five parts": "a.b.c.d.e",
        "claims are a list": f"{encode({'alg': 'RS256'})}.{encode([1])}.AA",
        "header is a text": f"{encode('alg')}.{encode({})}.AA",
        "huge": "a" * 200_000,
    },
    lambda play, text: setattr(play, "id_token", lambda: text),
)


@deed("ID token: missing although openid was asked for", "invalid_response")
def _(play: Play) -> None:
    play.id_token = lambda: None


@deed("keys: rotated just before signing", None)
def _(play: Play) -> None:
    signed_by(SECOND, kid="two")(play)
    play.jwks = [KEY.as_dict(private=False), SECOND.as_dict(private=False)]


@deed("keys: ES256", None)
def _(play: Play) -> None:
    signed_by(CURVE, alg="ES256", kid="curve")(play)
    play.jwks = [CURVE.as_dict(private=False)]


@deed("keys: several, no kid in the token", None)
def _(play: Play) -> None:
    signed_by(SECOND, kid=None)(play)
    play.jwks = [KEY.as_dict(private=False), SECOND.as_dict(private=False)]


@deed("keys: kid in the token, none in the set", None)
def _(play: Play) -> None:
    play.jwks = [{k: v for k, v in KEY.as_dict(private=False).items() if k != "kid"}]


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
    lambda play, key: play.jwks.insert(0, key),
)
deed("keys: a header of four kilobytes", None)(signed_by(KEY, x5c=["A" * 4000]))
rows(
    "keys",
    "invalid_token",
    {
        "an empty set": [],
        "only malformed ones": [{"kty": "RSA", "kid": "one"}],
        "only for encryption": [{**KEY.as_dict(private=False), "use": "enc"}],
    },
    lambda play, keys: setattr(play, "jwks", keys),
)


# Every endpoint the client reads


@cache
def bomb() -> bytes:
    """200 MiB in 200 KiB."""
    return gzip.compress(b" " * (200 << 20), 9)


NONSENSE: dict[str, Callable[[], Answer]] = {
    "HTML": lambda: Answer(200, b"<html>Welcome", {"Content-Type": "text/html"}),
    "empty": lambda: Answer(200, b""),
    "a list": lambda: as_json([1, 2]),
    "a number": lambda: as_json(7),
    "null": lambda: as_json(None),
    "not UTF-8": lambda: Answer(200, b'{"a": "\xff\xfe"}', {"Content-Type": "application/json"}),
    "cut off": lambda: Answer(200, b'{"access_token": "at', {"Content-Type": "application/json"}),
    "nested without end": lambda: Answer(200, b"[" * 100_000, {"Content-Type": "application/json"}),
    "three megabytes": lambda: as_json({"x": "x" * (3 << 20)}),
    "a bomb of gzip": lambda: Answer(
        200,
        bomb(),
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ),
    "gzip said, none sent": lambda: Answer(200, b"{}", {"Content-Encoding": "gzip"}),
    "HTTP 404": lambda: Answer(404, b"gone"),
    "a redirect elsewhere": lambda: Answer(302, b"", {"Location": f"{EVIL}/token"}),
    "a redirect to no address": lambda: Answer(302, b"", {"Location": "https://["}),
    "a redirect with control characters": lambda: Answer(302, b"", {"Location": "https://a\x1b[2J/"}),
    "a 307 elsewhere": lambda: Answer(307, b"", {"Location": f"{EVIL}/token"}),
    "a 308 to nowhere": lambda: Answer(308, b"", {"Location": "//"}),
}
ENDPOINTS = {"openid-configuration": "loopback", "token": "loopback", "jwks": "loopback", "device": "device"}
UNUSABLE = "invalid_response"


def instead(endpoint: str, answer: Callable[[], Answer]) -> Do:
    """This endpoint answers that."""

    def do(play: Play) -> None:
        play.instead[endpoint] = answer
        if endpoint == "openid-configuration":
            play.instead["oauth-authorization-server"] = answer

    return do


for _endpoint, _mode in ENDPOINTS.items():
    for _name, _answer in NONSENSE.items():
        deed(f"{_endpoint}: {_name}", UNUSABLE, _mode)(instead(_endpoint, _answer))
    deed(f"{_endpoint}: HTTP 500", "server_error" if _endpoint in {"token", "device"} else UNUSABLE, _mode)(
        instead(_endpoint, lambda: Answer(500, b"oops"))
    )


def endless(endpoint: str, pause: float) -> Do:
    """This endpoint never stops sending."""

    def do(play: Play) -> None:
        piece = b" " * (1 << 16) if not pause else b" "
        instead(endpoint, lambda: Answer(200, forever(piece, play.stopped, pause)))(play)

    return do


for _endpoint, _mode in ENDPOINTS.items():
    deed(f"{_endpoint}: without end", UNUSABLE, _mode)(endless(_endpoint, 0))
deed("token: a byte a second", "timeout")(endless("token", 1))


@deed("token: silence", "timeout")
def _(play: Play) -> None:
    def silence() -> Answer:
        play.stopped.wait()
        return Answer()

    play.instead["token"] = silence


def slow_head(line: bytes, pause: float) -> Do:
    """The token endpoint sends this before its answer, again and again, and never the answer."""

    def do(play: Play) -> None:
        play.instead["token"] = lambda: Answer(body=forever(line, play.stopped, pause), raw=True)

    return do


deed("token: a byte of the head a second", "timeout")(slow_head(b"H", 1))
deed("token: continue, second after second", "timeout")(slow_head(b"HTTP/1.1 100 Continue\r\n\r\n", 0.01))
deed("token: headers without end", "unreachable")(slow_head(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200, 0))
deed("token: a header without end", "unreachable")(slow_head(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 99_999, 0))
deed("token: no HTTP", "unreachable")(slow_head(b"SSH-2.0-OpenSSH_9.9\r\n", 0))


# What is told of the person. Where it cannot be had, who signed in is known all the same

for _name, _answer in NONSENSE.items():
    deed(f"userinfo: {_name}", None)(instead("userinfo", _answer))
rows(
    "userinfo",
    "invalid_token",
    {"of another": {"sub": "mallory"}, "of nobody": {"name": "Ada"}, "of a list": {"sub": ["ada"]}},
    lambda play, told: instead("userinfo", lambda: as_json(told))(play),
)


# Metadata

rows(
    "metadata",
    "issuer_mismatch",
    {
        "another issuer": EVIL,
        "issuer with another path": "http://127.0.0.1/other",
        "no issuer": None,
        "issuer is a list": [EVIL],
    },
    lambda play, issuer: play.metadata.update(issuer=issuer),
)
rows(
    "metadata",
    "invalid_metadata",
    {
        "token endpoint over http": {"token_endpoint": "http://id.example.org/token"},
        "authorization endpoint is a script": {"authorization_endpoint": "javascript:alert(1)"},
        "authorization endpoint is a file": {"authorization_endpoint": "file:///etc/passwd"},
        "keys from a file": {"jwks_uri": "file:///etc/passwd"},
        "an address with a password": {"token_endpoint": "https://a:b@id.example.org/token"},
        "an address with blanks": {"token_endpoint": "https://id.example.org/ token"},
        "an address with a backslash": {"token_endpoint": "https://id.example.org\\@evil.example/"},
        "an address that is a number": {"token_endpoint": 7},
        "no token endpoint": {"token_endpoint": None},
        "no authorization endpoint": {"authorization_endpoint": None},
        "no keys": {"jwks_uri": None},
        "scopes are a number": {"scopes_supported": 7},
    },
    lambda play, changes: play.metadata.update(changes),
)
rows(
    "metadata",
    None,
    {
        "members nobody knows": {"x_y": {"z": 1}},
        "null for what is missing": {"scopes_supported": None, "end_session_endpoint": None},
        "lists with what is no text": {"scopes_supported": ["openid", 7, None]},
        "no word about iss": {"authorization_response_iss_parameter_supported": None},
    },
    lambda play, changes: play.metadata.update(changes),
)


# Token answers

rows(
    "token",
    "invalid_response",
    {
        "no access token": {"access_token": None},
        "an access token with a line break": {"access_token": "a\r\nX-Evil: 1"},
        "an access token with blanks": {"access_token": "a b"},
        "an access token that is a number": {"access_token": 7},
        "an access token in another script": {"access_token": "t\u00f6ken"},
    },
    lambda play, changes: play.token.update(changes),
)
rows(
    "token",
    "unsupported_token_type",
    {"of type mac": "mac", "of type DPoP": "DPoP", "of a type that is a list": ["Bearer"]},
    lambda play, kind: play.token.update(token_type=kind),
)
rows(
    "token",
    None,
    {
        "type in small letters": {"token_type": "bearer"},
        "no type": {"token_type": None},
        "no lifetime": {"expires_in": None},
        "lifetime is text": {"expires_in": "3600"},
        "lifetime with a fraction": {"expires_in": "3600.0"},
        "lifetime beyond reason": {"expires_in": 10**30},
        "lifetime is no number": {"expires_in": "soon"},
        "no refresh token": {"refresh_token": None},
        "refresh token is no text": {"refresh_token": 7},
        "scope is a list": {"scope": ["openid", "profile"]},
        "members nobody knows": {"x": {"y": 1}},
        "userinfo of its own": {"userinfo": {"sub": "mallory"}},
    },
    lambda play, changes: play.token.update(changes),
)
for _status in (400, 401, 403, 200):
    deed(f"token: invalid_grant with HTTP {_status}", "invalid_grant")(
        instead("token", lambda status=_status: as_json({"error": "invalid_grant"}, status))
    )
deed("token: an empty 401", "invalid_client")(instead("token", lambda: Answer(401, b"")))
deed("token: an empty 400", "invalid_response")(instead("token", lambda: Answer(400, b"")))
deed("token: a message but no error", "invalid_response")(
    instead("token", lambda: as_json({"message": "no"}, 400))
)
deed("token: an error that is an object", "invalid_response")(
    instead("token", lambda: as_json({"error": {"a": 1}}, 400))
)
deed("token: an error with markup and control characters", "invalid_response")(
    instead(
        "token",
        lambda: as_json({"error": "<b>\x1b[2J", "error_description": "<script>\u202e\x00" + CODE}, 400),
    )
)


# What comes back to the listener


def sends(*queries: Callable[[str], list[tuple[str, str]]], honest_after: bool = False) -> Do:
    """The browser comes back with these queries, one after the other."""

    def do(play: Play) -> None:
        def callbacks(redirect_uri: str, pairs: list[tuple[str, str]]) -> list[str]:
            state = dict(pairs)["state"]
            bad = [f"{redirect_uri}?{urlencode(query(state))}" for query in queries]
            return [*bad, *(play.honest_callback(redirect_uri, pairs) if honest_after else [])]

        play.callbacks = callbacks

    return do


rows(
    "callback",
    "issuer_mismatch",
    {
        "right state, wrong iss": lambda s: [("code", CODE), ("state", s), ("iss", EVIL)],
        "right state, no iss": lambda s: [("code", CODE), ("state", s)],
        "right state, empty iss": lambda s: [("code", CODE), ("state", s), ("iss", "")],
        "an error with a wrong iss": lambda s: [("error", "access_denied"), ("state", s), ("iss", EVIL)],
    },
    lambda play, query: sends(query)(play),
)
deed("callback: the person's no", "access_denied")(
    sends(lambda s: [("error", "access_denied"), ("state", s)])
)
deed("callback: the person's no, in other words", "consent_required")(
    sends(lambda s: [("error", "consent_required"), ("state", s)])
)
deed("callback: a provider in trouble", "server_error")(
    sends(lambda s: [("error", "server_error"), ("state", s)])
)


@deed("callback: neither code nor error", "invalid_response")
def _(play: Play) -> None:
    sends(lambda s: [("state", s), ("iss", play.issuer)])(play)


@deed("callback: an error and a code", "access_denied")
def _(play: Play) -> None:
    sends(lambda s: [("error", "access_denied"), ("code", CODE), ("state", s), ("iss", play.issuer)])(play)


# None of these may end the sign-in: the honest answer after them must still count.
rows(
    "callback, then the honest one",
    None,
    {
        "no state": lambda _s: [("code", "stolen")],
        "wrong state": lambda _s: [("code", "stolen"), ("state", "guess")],
        "state with a letter more": lambda s: [("code", "stolen"), ("state", s + "x")],
        "an error with a wrong state": lambda _s: [("error", "access_denied"), ("state", "guess")],
        "an error without state": lambda _s: [("error", "access_denied")],
        "state twice": lambda s: [("code", "stolen"), ("state", s), ("state", s)],
        "code twice": lambda s: [("code", "stolen"), ("code", "stolen"), ("state", s)],
        "nothing": lambda _s: [],
        "a giant": lambda s: [("code", "x" * 60_000), ("state", s)],
        "a hundred parameters": lambda s: [(f"p{i}", "1") for i in range(100)] + [("state", s)],
    },
    lambda play, query: sends(query, honest_after=True)(play),
)


@deed("callback: stray requests, then the honest one", None)
def _(play: Play) -> None:
    def callbacks(redirect_uri: str, pairs: list[tuple[str, str]]) -> list[str]:
        base = redirect_uri.rpartition("/")[0]
        strays = [
            f"{base}/favicon.ico",
            f"{base}/",
            f"{redirect_uri}/../callback",
            f"{redirect_uri}#code=stolen",
        ]
        return [*strays, *play.honest_callback(redirect_uri, pairs)]

    play.callbacks = callbacks


@deed("callback: the honest one, then another", None)
def _(play: Play) -> None:
    def callbacks(redirect_uri: str, pairs: list[tuple[str, str]]) -> list[str]:
        second = [("code", "stolen"), *pairs[1:]]
        return [*play.honest_callback(redirect_uri, pairs), f"{redirect_uri}?{urlencode(second)}"]

    play.callbacks = callbacks


# Device flow

rows(
    "device",
    "invalid_response",
    {
        "no device code": {"device_code": None},
        "no user code": {"user_code": None},
        "a user code with control characters": {"user_code": "AB\x07CD"},
        "a user code that runs right to left": {"user_code": "AB\u202eCD"},
        "a user code without end": {"user_code": "A" * 10_000},
        "an address that is a script": {"verification_uri": "javascript:alert(1)"},
        "an address over http": {"verification_uri": "http://id.example.org/device"},
        "an address with a password": {"verification_uri": "https://id.example.org@evil.example/"},
        "no address": {"verification_uri": None},
    },
    lambda play, changes: play.device.update(changes),
    mode="device",
)
rows(
    "device",
    None,
    {
        "no interval": {"interval": None},
        "interval of nothing": {"interval": 0},
        "interval is text": {"interval": "1"},
        "lifetime is text": {"expires_in": "600"},
        "no lifetime": {"expires_in": None},
        "a complete address that is a script": {"verification_uri_complete": "javascript:alert(1)"},
        "verification_url, as in the drafts": {
            "verification_uri": None,
            "verification_url": "https://id.example.org/d",
        },
        "members nobody knows": {"message": "<b>"},
    },
    lambda play, changes: play.device.update(changes),
    mode="device",
)


@deed("device: a token of another client", "invalid_token", "device")
def _(play: Play) -> None:
    play.claims.update(aud="other", nonce=None)


@deed("device: no ID token", None, "device")
def _(play: Play) -> None:
    play.id_token = lambda: None


@deed("device: pending with HTTP 200, slow_down, HTTP 503, then the token", None, "device")
def _(play: Play) -> None:
    first = [
        as_json({"error": "authorization_pending"}),
        Answer(503, b"busy"),
        as_json({"error": "authorization_pending"}, 428),
    ]
    honest = play.answer

    def answer(name: str, query: str) -> Answer:
        return first.pop(0) if name == "token" and first else honest(name, query)

    play.answer = answer  # type: ignore[method-assign]


for _code in ("expired_token", "access_denied", "invalid_grant"):
    deed(f"device: {_code}", _code, "device")(
        instead("token", lambda code=_code: as_json({"error": code}, 400))
    )

HOSTILE = [one for one in DEEDS if one.error is not None]
LAWFUL = [one for one in DEEDS if one.error is None]
assert len({one.name for one in DEEDS}) == len(DEEDS), "two deeds have one name"
