"""Calls that an API refuses because the sign-in is not enough, and what it asks for.

``insufficient_scope`` (RFC 6750 section 3.1) asks for a scope, ``insufficient_user_authentication`` (RFC 9470 section
3) for a stronger or a more recent authentication of the person.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests

from authnb.errors import AuthnbError
from authnb.oauth.challenge import read_challenges
from authnb.oauth.scope import SCOPE_TOKEN
from authnb.transport.http import without_secrets
from authnb.transport.text import printable

if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

SCOPE_ERROR = "insufficient_scope"
AUTHENTICATION_ERROR = "insufficient_user_authentication"
_STATUSES = {401, 403}
_MAX_VALUES = 20  # scope tokens or acr values that a challenge may name
_MAX_LENGTH = 200  # characters of each
_MAX_AGE = re.compile(r"[0-9]{1,9}")  # seconds
_SHOWN = 200  # characters of the API's own words
_LONGEST = 2000  # characters of the text of requests, with reason phrase and URL


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """What a sign-in lacks for a call.

    ``scope``: the scope tokens, none if the API does not name them; ``acr_values``: the classes of authentication of
    which one is wanted; ``max_age``: the seconds since the person authenticated, at most. ``error``: the code in the
    challenge; ``url``: of the call, without its query; ``said``: the API's own words.
    """

    error: str
    url: str
    scope: tuple[str, ...] = ()
    acr_values: tuple[str, ...] = ()
    max_age: int | None = None
    said: str = ""

    @property
    def host(self) -> str:
        """The API's host."""
        return printable(urlsplit(self.url).netloc.rpartition("@")[2], _SHOWN)

    @property
    def words(self) -> str:
        """What is asked for, for a sentence."""
        if self.error == SCOPE_ERROR:
            return f"the scope {' '.join(self.scope)}" if self.scope else "a larger scope, without naming it"
        acr = f" of the class {' or '.join(self.acr_values)}" if self.acr_values else ""
        age = f" that is at most {self.max_age} seconds old" if self.max_age is not None else ""
        more = f", and the scope {' '.join(self.scope)}" if self.scope else ""
        return f"an authentication{acr}{age}{more}" if acr or age else f"another authentication{more}"

    @property
    def call(self) -> str:
        """The call that asks the person for it."""
        arguments = [repr(" ".join(self.scope))] if self.scope else []
        if self.acr_values:
            arguments.append(f"acr_values={' '.join(self.acr_values)!r}")
        if self.max_age is not None:
            arguments.append(f"max_age={self.max_age}")
        return f"api.ask_for({', '.join(arguments) or '…'})"


class StepUpRequired(AuthnbError, requests.HTTPError):
    """An API refused a call because the sign-in is not enough for it; `Session.ask_for` asks the person for more.

    Raised by ``raise_for_status()`` of the response, and so a ``requests.HTTPError``, with ``response`` and
    ``request``. ``error``: ``insufficient_scope`` (RFC 6750) or ``insufficient_user_authentication`` (RFC 9470).
    ``scope``, ``acr_values``, ``max_age``: the arguments for `Session.ask_for`, None where the API does not name them.
    """

    def __init__(self, error: str, description: str, requirement: Requirement | None = None) -> None:
        super().__init__(error, description)
        self.requirement: Requirement | None = requirement
        self.response: Any = None
        self.request: Any = None

    def __reduce__(self) -> tuple[type[StepUpRequired], tuple[str, str, Requirement | None]]:
        """Without response and request, so that a worker's error arrives where the person can be asked."""
        return type(self), (self.error, self.description, self.requirement)

    @property
    def scope(self) -> str | None:
        """The scope that is missing."""
        return " ".join(self.requirement.scope) or None if self.requirement else None

    @property
    def acr_values(self) -> str | None:
        """The classes of authentication of which the API wants one."""
        return " ".join(self.requirement.acr_values) or None if self.requirement else None

    @property
    def max_age(self) -> int | None:
        """The seconds since the person authenticated, at most."""
        return self.requirement.max_age if self.requirement else None


class RefusedResponse(requests.Response):
    """A response to a call for which the sign-in is not enough; otherwise as any of ``requests``."""

    step_up_required: StepUpRequired | None = None

    def raise_for_status(self) -> None:
        """Raise `StepUpRequired`, a ``requests.HTTPError`` that says how to get what is missing."""
        try:
            super().raise_for_status()
        except requests.HTTPError as error:
            known = self.step_up_required
            if known is None:  # of a pickled response
                raise
            text = printable(error, _LONGEST)
            failure = StepUpRequired(known.error, f"{text}. {known.description}", known.requirement)
            failure.response, failure.request = self, self.request
        else:
            return
        raise failure


def read_requirement(
    status: int, header: str | None, url: str, secrets: Collection[str] = ()
) -> Requirement | None:
    """What the API asks for with this status and ``WWW-Authenticate`` field; None if it is nothing of this kind.

    Scope tokens by RFC 6749 section 3.3, the rest as bounded; a list that holds anything else counts as not named.
    Where the challenge sends people, or by which authorization server, is not read. ``secrets``: the token that was
    sent, which the API may repeat.
    """
    if status not in _STATUSES or not header:
        return None
    for challenge in read_challenges(without_secrets(header, secrets)):
        named = challenge.parameters
        error = named.get("error", "")
        if challenge.scheme not in {"bearer", "dpop"} or error not in {SCOPE_ERROR, AUTHENTICATION_ERROR}:
            continue
        stronger, parts = error == AUTHENTICATION_ERROR, urlsplit(url)
        age = named.get("max_age", "")
        return Requirement(
            error=error,
            url=f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}",
            scope=_values(named.get("scope", "")),
            acr_values=_values(named.get("acr_values", "")) if stronger else (),
            max_age=int(age) if stronger and _MAX_AGE.fullmatch(age) else None,
            said=printable(named.get("error_description", ""), _SHOWN),
        )
    return None


def _values(text: str) -> tuple[str, ...]:
    """The values of a list separated by spaces; none of one that is malformed or too long."""
    values = tuple(dict.fromkeys(value for value in text.split(" ") if value))
    well_formed = all(SCOPE_TOKEN.fullmatch(value) and len(value) <= _MAX_LENGTH for value in values)
    return values if well_formed and len(values) <= _MAX_VALUES else ()
