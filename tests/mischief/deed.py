"""How a deed is written down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provider import ELSEWHERE

if TYPE_CHECKING:
    from collections.abc import Callable

    from provider import Answer, Play

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


def instead(endpoint: str, answer: Callable[[], Answer]) -> Do:
    """This endpoint answers that."""

    def do(play: Play) -> None:
        play.instead[endpoint] = answer
        if endpoint == "openid-configuration":
            play.instead["oauth-authorization-server"] = answer

    return do
