"""Behaviours of the endpoint for pushed authorization requests (RFC 9126)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from behaviour import behaviour, override, rows
from behaviours_endpoints import NONSENSE, UNUSABLE
from provider import Answer, as_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from behaviour import Do
    from provider import Scenario


def answered(scenario: Scenario, members: dict[str, Any]) -> None:
    """The response has these members in place of the honest ones; None removes one."""
    scenario.take_pushed_requests()
    scenario.pushed_answer.update(members)


def required(answer: Callable[[], Answer]) -> Do:
    """The endpoint returns this response, and pushed requests are required."""

    def do(scenario: Scenario) -> None:
        scenario.take_pushed_requests(required=True)
        override("par", answer)(scenario)

    return do


def offered(answer: Callable[[], Answer]) -> Do:
    """The endpoint returns this response, and ordinary requests are good too."""

    def do(scenario: Scenario) -> None:
        scenario.take_pushed_requests()
        override("par", answer)(scenario)

    return do


for _name, _answer in NONSENSE.items():
    behaviour(f"pushed request: {_name}", UNUSABLE)(required(_answer))
behaviour("pushed request: HTTP 500", "server_error")(required(lambda: Answer(500, b"oops")))
behaviour("pushed request: HTTP 405", UNUSABLE)(required(lambda: Answer(405, b"")))
rows(
    "pushed request",
    UNUSABLE,
    {
        "no request_uri": {"request_uri": None},
        "a request_uri that is empty": {"request_uri": ""},
        "a request_uri that is a number": {"request_uri": 7},
        "a request_uri that is a list": {"request_uri": ["urn:example:one"]},
        "a request_uri that is a path": {"request_uri": "/par/{}"},
        "a request_uri with blanks": {"request_uri": "urn:example: {}"},
        "a request_uri with control characters": {"request_uri": "urn:example:\x1b[2J{}"},
        "a request_uri in another script": {"request_uri": "urn:exаmple:{}"},  # noqa: RUF001 - Cyrillic
        "a request_uri of 3,000 characters": {"request_uri": "urn:example:" + "x" * 3000 + "{}"},
        "no expires_in": {"expires_in": None},
        "an expires_in of 0": {"expires_in": 0},
        "an expires_in below 0": {"expires_in": -60},
        "an expires_in that is a word": {"expires_in": "soon"},
        "an expires_in that is true": {"expires_in": True},
        "an expires_in without end": {"expires_in": float("inf")},
        "an expires_in that is no number": {"expires_in": float("nan")},
        "an expires_in of 400 digits": {"expires_in": 10**400},
    },
    answered,
)
for _error, _status in {"invalid_request": 400, "invalid_scope": 400, "invalid_client": 401}.items():
    behaviour(f"pushed request: refused with {_error}", _error)(
        offered(lambda _error=_error, _status=_status: as_json({"error": _error}, _status))
    )
behaviour("pushed request: refused with HTTP 404 and a code", "invalid_client")(
    offered(lambda: as_json({"error": "invalid_client"}, 404))
)
behaviour("pushed request: an error and a request_uri", "invalid_scope")(
    offered(
        lambda: as_json({"error": "invalid_scope", "request_uri": "urn:example:one", "expires_in": 60}, 201)
    )
)
behaviour("pushed request: offered, and no endpoint there", None)(offered(lambda: Answer(404, b"not here")))
behaviour("pushed request: offered, and the endpoint takes no POST", None)(offered(lambda: Answer(405, b"")))


@behaviour("pushed request: required, and no endpoint named", "invalid_metadata")
def _(scenario: Scenario) -> None:
    scenario.metadata["require_pushed_authorization_requests"] = True


@behaviour("pushed request: the endpoint over http", "invalid_metadata")
def _(scenario: Scenario) -> None:
    scenario.metadata["pushed_authorization_request_endpoint"] = "http://id.example.org/par"


@behaviour("pushed request: required as a word", None)
def _(scenario: Scenario) -> None:
    scenario.metadata["require_pushed_authorization_requests"] = "yes"


rows(
    "pushed request",
    None,
    {
        "required": {},
        "an expires_in that is text": {"expires_in": "60"},
        "a request_uri that is an https address": {"request_uri": "https://id.example.org/par/{}"},
        "other members": {"scope": "x", "state": ["y"], "redirect_uri": "https://evil.example/"},
    },
    answered,
)
