"""Behaviours with texts and addresses that people see: claims, errors, user codes, and the sign-up form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from behaviour import EVIL, HERE, behaviour, override, rows
from behaviours_callbacks import sends
from provider import as_json

if TYPE_CHECKING:
    from provider import Scenario

TEXTS = {
    "markup": "<img src=x onerror=alert(1)>",
    "escape sequences": "Ada\x1b[2J\x1b]0;x\x07",
    "C1 control characters": "Ada\x9b31m\x85",
    "bidi overrides": "Ada\u202egro.live\u2066",
    "line breaks": "Ada\r\nroot# \u2028",
    "lone surrogates": "\ud800Ada\udfff",
    "a hundred thousand characters": "x" * 100_000,
}
LIMIT = 50_000  # characters; an ID token with longer claims is refused
IN_A_URL = [name for name in TEXTS if name not in {"lone surrogates", "a hundred thousand characters"}]
SHOWN_CLAIMS = ("name", "preferred_username", "email", "picture")

# Claims

for _name, _text in TEXTS.items():
    _claims = dict.fromkeys(SHOWN_CLAIMS, _text)
    behaviour(f"userinfo: claims with {_name}", None)(
        override("userinfo", lambda claims=_claims: as_json({"sub": "ada", **claims}))
    )
    _error = "invalid_token" if len(_text) > LIMIT else None
    behaviour(f"ID token: claims with {_name}", _error)(
        lambda scenario, claims=_claims: scenario.claims.update(claims)
    )
rows(
    "ID token",
    None,
    {
        f"every claim is {kind}": dict.fromkeys(SHOWN_CLAIMS, value)
        for kind, value in {"a number": 7, "a list": ["Ada"], "an object": {"Ada": 1}, "true": True}.items()
    },
    lambda scenario, claims: scenario.claims.update(claims),
)
rows(
    "picture",
    None,
    {
        "a script": "javascript:evil()",
        "data": "data:text/html,evil",
        "over http": "http://evil.example/p.png",
        "on this machine": f"{EVIL}/p.png",
        "in another script": "https://еvil.example/evil.png",  # noqa: RUF001 - the first letter is Cyrillic
        "of 5,000 characters": "https://evil.example/" + "x" * 5000,
        **{f"at {address}": f"{address}evil.png" for address in HERE},
    },
    lambda scenario, picture: scenario.claims.update(picture=picture),
)

# Errors

for _name, _text in TEXTS.items():
    _body = {"error": "invalid_request", "error_description": _text}
    behaviour(f"token: an error with {_name}", "invalid_request")(
        override("token", lambda body=_body: as_json(body, 400))
    )
    behaviour(f"device: an error with {_name}", "invalid_request", "device")(
        override("device", lambda body=_body: as_json(body, 400))
    )

# Addresses of a provider elsewhere, which has no business on this machine

rows(
    "metadata of a provider elsewhere",
    "invalid_metadata",
    {
        **{f"token endpoint at {address}": {"token_endpoint": f"{address}token"} for address in HERE},
        **{
            f"{name} on this machine": {name: f"{EVIL}/here"}
            for name in (
                *("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"),
                *("device_authorization_endpoint", "revocation_endpoint", "end_session_endpoint"),
            )
        },
    },
    lambda scenario, changes: scenario.metadata.update(changes),
    far=True,
)
rows(
    "metadata",
    "invalid_metadata",
    {
        "an endpoint of 3,000 characters": {"token_endpoint": "https://evil.example/" + "x" * 3000},
        "an endpoint in another script": {"token_endpoint": "https://іd.example.org/"},  # noqa: RUF001 - Cyrillic
    },
    lambda scenario, changes: scenario.metadata.update(changes),
)


@behaviour("metadata: gaps filled by another issuer's RFC 8414 document", "invalid_metadata")
def _(scenario: Scenario) -> None:
    del scenario.metadata["token_endpoint"]
    other = {**scenario.metadata, "issuer": EVIL, "token_endpoint": f"{EVIL}/token"}
    scenario.overrides["oauth-authorization-server"] = lambda: as_json(other)


rows(
    "device flow of a provider elsewhere",
    "invalid_response",
    {f"verification_uri at {address}": {"verification_uri": f"{address}device"} for address in HERE},
    lambda scenario, changes: scenario.device.update(changes),
    mode="device",
    far=True,
)
rows(
    "device",
    "invalid_response",
    {
        "an address of 3,000 characters": {"verification_uri": "https://id.example.org/" + "x" * 3000},
        "an address in another script": {"verification_uri": "https://іd.example.org/"},  # noqa: RUF001 - Cyrillic
        "a user code of spaces": {"user_code": "   "},
        "a user code with lone surrogates": {"user_code": "AB\ud800CD\x00"},
    },
    lambda scenario, changes: scenario.device.update(changes),
    mode="device",
)
rows(
    "device",
    None,
    {
        "a complete address on another host": "https://evil.example/device?user_code=WDJB-MJHT",
        "a complete address on another port": "https://id.example.org:8443/evil",
        "a complete address over http": "http://id.example.org/evil",
        "a complete address on this machine": f"{EVIL}/device",
        "a complete address in another script": "https://іd.example.org/evil",  # noqa: RUF001 - Cyrillic
        "a complete address of 3,000 characters": "https://id.example.org/evil" + "x" * 3000,
    },
    lambda scenario, complete: scenario.device.update(verification_uri_complete=complete),
    mode="device",
)
behaviour("a provider elsewhere that conforms", None, far=True)(lambda _scenario: None)

# The sign-up form


def form(scenario: Scenario, changes: dict[str, Any]) -> None:
    """The described form, changed."""
    scenario.metadata["authnb_signup"].update(changes)


def label(scenario: Scenario, text: str) -> None:
    """A form whose labels and help are this text."""
    for described in scenario.metadata["authnb_signup"]["fields"]:
        described |= {"label": text, "help": text}


rows(
    "sign-up form",
    "insecure_transport",
    {
        "over http": {"endpoint": "http://id.example.org/signup"},
        "sent to a script": {"endpoint": "javascript:alert(1)"},
        "sent to an address with a password": {"endpoint": "https://a:b@id.example.org/signup"},
        "sent to a number": {"endpoint": 7},
    },
    form,
    mode="form",
)
rows(
    "sign-up form",
    "invalid_metadata",
    {
        "no fields": {"fields": []},
        "fields are a text": {"fields": "name"},
        "a field without a name": {"fields": [{"label": "Name"}]},
        "a field that is no object": {"fields": ["name"]},
        "sent to another script": {"endpoint": "https://іd.example.org/signup"},  # noqa: RUF001 - Cyrillic
    },
    form,
    mode="form",
)
rows(
    "sign-up form of a provider elsewhere",
    "invalid_metadata",
    {f"sent to {address}": {"endpoint": f"{address}signup"} for address in HERE},
    form,
    mode="form",
    far=True,
)
rows("sign-up form: labels with", None, TEXTS, label, mode="form")
rows(
    "sign-up form",
    None,
    {
        f"a pattern {name}": {"fields": [{"name": "name", "rule": {"pattern": pattern}}]}
        for name, pattern in {
            "of nested groups": "(evil+)+$",
            "of many repetitions": "evil*e*v*i*l*$",
            "of 10,000 characters": "evil" * 2500,
            "that is a number": 7,
        }.items()
    },
    form,
    mode="form",
)


def sends_error(scenario: Scenario, text: str) -> None:
    """The browser comes back with an error and this description."""
    sends(lambda state: [("error", "access_denied"), ("error_description", text), ("state", state)])(scenario)


rows("callback: an error with", "access_denied", {name: TEXTS[name] for name in IN_A_URL}, sends_error)
