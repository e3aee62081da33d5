"""Deeds with what comes back to the listener."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from deed import EVIL, deed, rows
from provider import CODE

if TYPE_CHECKING:
    from collections.abc import Callable

    from deed import Do
    from provider import Play

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
deed("callback: markup and control characters in error_description", "access_denied")(
    sends(
        lambda s: [
            ("error", "access_denied"),
            ("error_description", "<script>alert(1)</script>\x1b[2J\u202e"),
            ("state", s),
        ]
    )
)
deed("callback: markup for an error", "invalid_response")(
    sends(lambda s: [("error", "<b>no</b>"), ("state", s)])
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
