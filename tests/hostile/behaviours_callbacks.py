"""Behaviours of the authorization response, as it reaches the listener."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from behaviour import EVIL, behaviour, rows
from provider import CODE

if TYPE_CHECKING:
    from collections.abc import Callable

    from behaviour import Do
    from provider import Scenario


def sends(*queries: Callable[[str], list[tuple[str, str]]], honest_after: bool = False) -> Do:
    """The browser is redirected with these queries, in turn."""

    def do(scenario: Scenario) -> None:
        def callbacks(redirect_uri: str, pairs: list[tuple[str, str]]) -> list[str]:
            state = dict(pairs)["state"]
            bad = [f"{redirect_uri}?{urlencode(query(state))}" for query in queries]
            return [*bad, *(scenario.honest_callback(redirect_uri, pairs) if honest_after else [])]

        scenario.callbacks = callbacks

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
    lambda scenario, query: sends(query)(scenario),
)
behaviour("callback: denied by the person", "access_denied")(
    sends(lambda s: [("error", "access_denied"), ("state", s)])
)
behaviour("callback: denied with consent_required", "consent_required")(
    sends(lambda s: [("error", "consent_required"), ("state", s)])
)
behaviour("callback: markup and control characters in error_description", "access_denied")(
    sends(
        lambda s: [
            ("error", "access_denied"),
            ("error_description", "<script>alert(1)</script>\x1b[2J\u202e"),
            ("state", s),
        ]
    )
)
behaviour("callback: markup for an error", "invalid_response")(
    sends(lambda s: [("error", "<b>no</b>"), ("state", s)])
)
behaviour("callback: a provider in trouble", "server_error")(
    sends(lambda s: [("error", "server_error"), ("state", s)])
)


@behaviour("callback: neither code nor error", "invalid_response")
def _(scenario: Scenario) -> None:
    sends(lambda s: [("state", s), ("iss", scenario.issuer)])(scenario)


@behaviour("callback: an error and a code", "access_denied")
def _(scenario: Scenario) -> None:
    sends(lambda s: [("error", "access_denied"), ("code", CODE), ("state", s), ("iss", scenario.issuer)])(
        scenario
    )


# None of these may end the sign-in: the genuine response after them must still be accepted
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
    lambda scenario, query: sends(query, honest_after=True)(scenario),
)


@behaviour("callback: stray requests, then the honest one", None)
def _(scenario: Scenario) -> None:
    def callbacks(redirect_uri: str, pairs: list[tuple[str, str]]) -> list[str]:
        base = redirect_uri.rpartition("/")[0]
        strays = [
            f"{base}/favicon.ico",
            f"{base}/",
            f"{redirect_uri}/../callback",
            f"{redirect_uri}#code=stolen",
        ]
        return [*strays, *scenario.honest_callback(redirect_uri, pairs)]

    scenario.callbacks = callbacks


@behaviour("callback: the honest one, then another", None)
def _(scenario: Scenario) -> None:
    def callbacks(redirect_uri: str, pairs: list[tuple[str, str]]) -> list[str]:
        second = [("code", "stolen"), *pairs[1:]]
        return [*scenario.honest_callback(redirect_uri, pairs), f"{redirect_uri}?{urlencode(second)}"]

    scenario.callbacks = callbacks
