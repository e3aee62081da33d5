"""Behaviours of an API that asks a signed-in person for more, and of the provider that is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from behaviour import EVIL, behaviour, rows
from behaviours_texts import TEXTS
from provider import ACCESS_TOKEN, Answer

if TYPE_CHECKING:
    from provider import Scenario

STRONGER = 'Bearer error="insufficient_user_authentication", acr_values="phr", max_age="300"'


def challenge(scenario: Scenario, header: str, status: int = 403) -> None:
    """The API answers so."""
    scenario.overrides[""] = lambda: Answer(status, b"", {"WWW-Authenticate": header})


def authenticated(scenario: Scenario, claims: dict[str, Any]) -> None:
    """The API wants another authentication, and the ID token says this of it."""
    challenge(scenario, STRONGER, 401)
    scenario.claims |= claims


behaviour("step-up: one that conforms", None, "step-up")(lambda _scenario: None)
behaviour("step-up: of the authentication", None, "step-up")(
    lambda scenario: authenticated(scenario, {"acr": "phr", "auth_time": lambda now: now})
)
rows(
    "step-up: the ID token is of",
    "other_person",
    {"somebody else": "grace", "somebody with another case": "Ada", "a number": 7},
    lambda scenario, sub: scenario.claims.update(sub=sub),
    mode="step-up",
)
rows(
    "step-up: the scope granted is",
    "insufficient_scope",
    {
        "what it was": "openid profile",
        "another": "openid profile boats:read",
        "in other letters": "openid profile TIDES:READ",
        "a part of a word": "openid profile tides",
    },
    lambda scenario, scope: scenario.token.update(scope=scope),
    mode="step-up",
)
rows(
    "step-up: the ID token has",
    "unmet_authentication_requirements",
    {
        "no class": {"auth_time": lambda now: now},
        "another class": {"acr": "pwd", "auth_time": lambda now: now},
        "a list of classes": {"acr": ["phr"], "auth_time": lambda now: now},
        "markup for a class": {"acr": "<img src=x>\x1b[2J", "auth_time": lambda now: now},
        "no auth_time": {"acr": "phr"},
        "an old auth_time": {"acr": "phr", "auth_time": lambda now: now - 1000},
        "an auth_time to come": {"acr": "phr", "auth_time": lambda now: now + 1000},
        "a text for an auth_time": {"acr": "phr", "auth_time": "now"},
    },
    authenticated,
    mode="step-up",
)
behaviour("step-up: the ID token has a wrong nonce", "invalid_token", "step-up")(
    lambda scenario: scenario.claims.update(nonce="another")
)
rows(
    "step-up phishing: a challenge that names",
    None,
    {
        "another authorization server": f'authorization_uri="{EVIL}", as_uri="{EVIL}", issuer="{EVIL}"',
        "other metadata": f'resource_metadata="{EVIL}/.well-known/oauth-protected-resource"',
        "another client and redirect URI": f'client_id="evil", redirect_uri="{EVIL}"',
        "an address to go to": f'error_uri="{EVIL}"',
        "another challenge": f'realm="evil", Bearer error="insufficient_scope", scope="evil", Basic realm="{EVIL}"',
    },
    lambda scenario, more: challenge(
        scenario, f'Bearer error="insufficient_scope", scope="tides:read", {more}'
    ),
    mode="step-up",
)
rows(
    "step-up phishing: a challenge with",
    None,
    {
        "the access token for a scope": f'scope="{ACCESS_TOKEN}"',
        "the access token in its text": f'error_description="{ACCESS_TOKEN}", scope="tides:read"',
        "a scope that is none": 'scope="tides:read \\\\evil"',
        "a scope without end": f'scope="{"evil" * 1000}"',
        "a thousand scopes": f'scope="{" ".join(f"evil{n}" for n in range(1000))}"',
        "control characters for a scope": 'scope="\x1b[2Jevil"',
    },
    lambda scenario, more: challenge(scenario, f'Bearer error="insufficient_scope", {more}'),
    mode="step-up",
)
for _name, _text in TEXTS.items():
    # As a header can hold it: in Latin-1, without line ends and quotes, and not too long to be read
    _kept = "".join(letter for letter in _text[:3000] if letter not in '\r\n"\\')
    _header = _kept.encode("latin-1", "replace").decode("latin-1")
    behaviour(f"step-up: a challenge whose text has {_name}", None, "step-up")(
        lambda scenario, text=_header: challenge(
            scenario, f'Bearer error="insufficient_scope", scope="tides:read", error_description="{text}"'
        )
    )
