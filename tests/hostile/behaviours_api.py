"""Behaviours of an API that says itself where to sign in, and of the registration of a client there.

The mode ``api`` signs in with the API's address and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from behaviour import EVIL, HERE, behaviour, override, rows
from behaviours_endpoints import NONSENSE, UNUSABLE
from behaviours_texts import TEXTS
from provider import CLIENT_SECRET, REGISTRATION_TOKEN, Answer, as_json, jwt

if TYPE_CHECKING:
    from provider import Scenario

behaviour("API alone: one that conforms", None, "api")(lambda _scenario: None)
behaviour("API alone: one elsewhere that conforms", None, "api", far=True)(lambda _scenario: None)


@behaviour("API alone: no challenge", None, "api")
def _(scenario: Scenario) -> None:
    scenario.overrides[""] = lambda: Answer(200, b"<html>Welcome")


# Whose metadata they are

rows(
    "API alone: metadata of",
    "resource_mismatch",
    {
        "another API": lambda _: EVIL,
        "the host's root": lambda s: s.issuer.rpartition("/")[0],
        "a neighbour": lambda s: f"{s.issuer}x",
        "a part of it": lambda s: f"{s.issuer}/evil",
        "the same with a fragment": lambda s: f"{s.issuer}#evil",
        "the same with a query": lambda s: f"{s.issuer}?evil",
        "the same with a user name": lambda s: s.issuer.replace("://", "://evil@"),
        "markup": lambda _: "<img src=x onerror=alert(1)>\x1b[2J\u202e",
        "a script": lambda _: "javascript:alert(1)",
    },
    lambda scenario, resource: scenario.resource.update(resource=resource(scenario)),
    mode="api",
)
rows(
    "API alone: metadata",
    "invalid_metadata",
    {
        "of nobody": {"resource": None},
        "of a number": {"resource": 7},
        "of a list": {"resource": [EVIL]},
        "without an authorization server": {"authorization_servers": []},
        "with a number for one": {"authorization_servers": [7]},
        "with a text for the list": {"authorization_servers": EVIL},
        "with one that is a script": {"authorization_servers": ["javascript:alert(1)"]},
        "with one over http": {"authorization_servers": ["http://evil.example"]},
        "with one that has a password": {"authorization_servers": ["https://a:b@evil.example"]},
        "with one in another script": {"authorization_servers": ["https://іd.example.org"]},  # noqa: RUF001 - Cyrillic
        "with a hundred": {"authorization_servers": [f"https://evil{n}.example" for n in range(100)]},
        "with scopes without end": {"scopes_supported": ["evil" * 5000]},
        "with scopes that are none": {"scopes_supported": ["openid profile\x1b[2J"]},
        "that want the token in the address": {"bearer_methods_supported": ["query"]},
    },
    lambda scenario, members: scenario.resource.update(members),
    mode="api",
)
rows(
    "API elsewhere: metadata with an authorization server",
    "invalid_metadata",
    {f"at {address}": address for address in HERE} | {"at a port of this machine": EVIL},
    lambda scenario, address: scenario.resource.update(authorization_servers=[address.rstrip("/")]),
    mode="api",
    far=True,
)
behaviour("API alone: an authorization server that is another", "issuer_mismatch", "api")(
    lambda scenario: scenario.resource.update(authorization_servers=[f"{scenario.issuer}/evil"])
)


def challenges(scenario: Scenario, header: str) -> None:
    """The API answers 401 with this."""
    scenario.overrides[""] = lambda: Answer(401, b"", {"WWW-Authenticate": header})


rows(
    "API alone: a challenge",
    "invalid_metadata",
    {
        "that sends us elsewhere": f'Bearer resource_metadata="{EVIL}/x"',
        "that sends us to another host": 'Bearer resource_metadata="https://evil.example/x"',
        "that sends us to a script": 'Bearer resource_metadata="javascript:alert(1)"',
        "that sends us nowhere": 'Bearer resource_metadata=""',
        "that names two documents": f'Bearer resource_metadata="{EVIL}/a", Bearer resource_metadata="{EVIL}/b"',
        "with control characters": 'Bearer resource_metadata="\x1b[2J"',
        "for a scope without end": f'Bearer scope="{"evil" * 1000}"',
    },
    challenges,
    mode="api",
)
for _name, _answer in NONSENSE.items():
    behaviour(f"API metadata: {_name}", UNUSABLE, "api")(override("oauth-protected-resource", _answer))
    _expected = "registration_refused" if _name == "HTTP 404" else UNUSABLE
    behaviour(f"registration: {_name}", _expected, "api")(override("register", _answer))
for _endpoint, _what in {"oauth-protected-resource": "API metadata", "register": "registration"}.items():
    behaviour(f"{_what}: HTTP 500", "server_error", "api")(override(_endpoint, lambda: Answer(500, b"oops")))
    behaviour(f"{_what}: HTTP 429", "temporarily_unavailable", "api")(
        override(_endpoint, lambda: Answer(429, b"", {"Retry-After": "900"}))
    )
for _name, _text in TEXTS.items():
    behaviour(f"API metadata: a name with {_name}", None, "api")(
        lambda scenario, text=_text: scenario.resource.update(resource_name=text, resource_documentation=text)
    )
    _body = {"error": "invalid_client_metadata", "error_description": _text}
    behaviour(f"registration: an error with {_name}", "registration_refused", "api")(
        override("register", lambda body=_body: as_json(body, 400))
    )

# The client

rows(
    "registration",
    "registration_refused",
    {
        "with another redirect address": {"redirect_uris": ["https://evil.example/callback"]},
        "with markup for a redirect address": {"redirect_uris": ["<img src=x onerror=alert(1)>\x1b[2J"]},
        "with no redirect address": {"redirect_uris": []},
        "without a client": {"client_id": None},
        "of a client that is a number": {"client_id": 7},
        "of a client with control characters": {"client_id": "a\x1b[2J"},
        "of a client without end": {"client_id": "x" * 100_000},
        "of a client that signs": {"token_endpoint_auth_method": "private_key_jwt"},
        "of a client with a secret that is none": {"token_endpoint_auth_method": "client_secret_basic"},
    },
    lambda scenario, members: scenario.registration.update(members),
    mode="api",
)


def registers(scenario: Scenario, members: dict[str, Any]) -> None:
    """The registration has these members, and the ID token is for that client."""
    scenario.registration.update(members)
    scenario.claims["aud"] = scenario.registration["client_id"]


rows(
    "registration",
    None,
    {
        "of a client that is markup": {"client_id": "<img src=x onerror=alert(1)>"},
        "with names of ours that are markup": {"client_name": "<b>evil</b>", "software_id": "<b>evil</b>"},
        "that is managed elsewhere": {
            "registration_client_uri": f"{EVIL}/clients/1",
            "registration_access_token": REGISTRATION_TOKEN,
        },
        "that is managed by a script": {
            "registration_client_uri": "javascript:evil()",
            "registration_access_token": REGISTRATION_TOKEN,
        },
        "with a secret for a public client": {
            "client_secret": CLIENT_SECRET,
            "token_endpoint_auth_method": "none",
        },
        "with a secret that has expired": {
            "client_secret": CLIENT_SECRET,
            "client_secret_expires_at": 1,
            "token_endpoint_auth_method": "client_secret_basic",
        },
    },
    registers,
    mode="api",
)

# The token

rows(
    "API alone: a token",
    "audience_mismatch",
    {
        "for another API": {"aud": EVIL},
        "for a list of others": {"aud": [EVIL, "https://evil.example"]},
        "for nobody": {},
        "for markup": {"aud": "<img src=x onerror=alert(1)>\x1b[2J"},
    },
    lambda scenario, claims: scenario.token.update(access_token=jwt(claims)),
    mode="api",
)
