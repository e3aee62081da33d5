"""Behaviours with what is in the metadata, the token answer and the device answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from behaviour import EVIL, behaviour, override, rows
from provider import CODE, Answer, as_json

if TYPE_CHECKING:
    from provider import Scenario

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
    lambda scenario, issuer: scenario.metadata.update(issuer=issuer),
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
    lambda scenario, changes: scenario.metadata.update(changes),
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
    lambda scenario, changes: scenario.metadata.update(changes),
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
    lambda scenario, changes: scenario.token.update(changes),
)
rows(
    "token",
    "unsupported_token_type",
    {"of type mac": "mac", "of type DPoP": "DPoP", "of a type that is a list": ["Bearer"]},
    lambda scenario, kind: scenario.token.update(token_type=kind),
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
    lambda scenario, changes: scenario.token.update(changes),
)
for _status in (400, 401, 403, 200):
    behaviour(f"token: invalid_grant with HTTP {_status}", "invalid_grant")(
        override("token", lambda status=_status: as_json({"error": "invalid_grant"}, status))
    )
behaviour("token: an empty 401", "invalid_client")(override("token", lambda: Answer(401, b"")))
behaviour("token: an empty 400", "invalid_response")(override("token", lambda: Answer(400, b"")))
behaviour("token: a message but no error", "invalid_response")(
    override("token", lambda: as_json({"message": "no"}, 400))
)
behaviour("token: an error that is an object", "invalid_response")(
    override("token", lambda: as_json({"error": {"a": 1}}, 400))
)
behaviour("token: an error with markup and control characters", "invalid_response")(
    override(
        "token",
        lambda: as_json({"error": "<b>\x1b[2J", "error_description": "<script>\u202e\x00" + CODE}, 400),
    )
)


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
    lambda scenario, changes: scenario.device.update(changes),
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
    lambda scenario, changes: scenario.device.update(changes),
    mode="device",
)


@behaviour("device: a token of another client", "invalid_token", "device")
def _(scenario: Scenario) -> None:
    scenario.claims.update(aud="other", nonce=None)


@behaviour("device: no ID token", None, "device")
def _(scenario: Scenario) -> None:
    scenario.id_token = lambda: None


@behaviour("device: pending with HTTP 200, HTTP 503, pending with HTTP 428, then the token", None, "device")
def _(scenario: Scenario) -> None:
    first = [
        as_json({"error": "authorization_pending"}),
        Answer(503, b"busy"),
        as_json({"error": "authorization_pending"}, 428),
    ]
    honest = scenario.answer

    def answer(name: str, query: str, body: str) -> Answer:
        return first.pop(0) if name == "token" and first else honest(name, query, body)

    scenario.answer = answer  # type: ignore[method-assign] # of this scenario only


for _code in ("expired_token", "access_denied", "invalid_grant"):
    behaviour(f"device: {_code}", _code, "device")(
        override("token", lambda code=_code: as_json({"error": code}, 400))
    )
