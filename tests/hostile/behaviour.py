"""The table of behaviours and how rows are added to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provider import FOREIGN_ORIGIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from provider import Answer, Scenario

    Do = Callable[[Scenario], None]

EVIL = FOREIGN_ORIGIN.url
# Spellings of this machine, as browsers and resolvers read them
HERE = (
    "https://127.0.0.1/",
    "https://127.0.0.2/",
    "https://localhost./",
    "https://x.localhost/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://0.0.0.0/",
)


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """A behaviour, the mode of the sign-in it is run in, and the expected error code.

    ``far``: of a provider on another machine, rather than on this one. The mode ``form`` begins with a sign-up form,
    ``api`` with the address of an API and nothing else. ``step-up`` is in a session of an honest sign-in, whose API
    asks for more. ``dpop`` signs in with proofs of possession, then calls the API and renews the token.
    """

    name: str
    error: str | None
    do: Do
    mode: str = "loopback"
    far: bool = False


BEHAVIOURS: list[Behaviour] = []


def behaviour(
    name: str, error: str | None, mode: str = "loopback", *, far: bool = False
) -> Callable[[Do], Do]:
    """Add the decorated function to the table."""

    def add(do: Do) -> Do:
        BEHAVIOURS.append(Behaviour(name=name, error=error, do=do, mode=mode, far=far))
        return do

    return add


def later(seconds: float) -> Callable[[int], float]:
    """A time that many seconds after the token is issued."""
    return lambda now: now + seconds


def rows(
    prefix: str,
    error: str | None,
    table: dict[str, Any],
    apply: Callable[[Scenario, Any], None],
    mode: str = "loopback",
    *,
    far: bool = False,
) -> None:
    """Add a behaviour for each entry of a table."""
    for name, value in table.items():
        behaviour(f"{prefix}: {name}", error, mode, far=far)(
            lambda scenario, value=value: apply(scenario, value)
        )


def override(endpoint: str, answer: Callable[[], Answer]) -> Do:
    """The endpoint returns this response."""

    def do(scenario: Scenario) -> None:
        scenario.overrides[endpoint] = answer
        if endpoint == "openid-configuration":
            scenario.overrides["oauth-authorization-server"] = answer

    return do
