"""Authentication challenges, as a server sends them in ``WWW-Authenticate`` (RFC 9110 section 11.6.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NONCE_ERROR, PROOF_ERROR = "use_dpop_nonce", "invalid_dpop_proof"  # RFC 9449 sections 8 and 5
_UNAUTHORIZED = 401
MAX_CHALLENGES_LENGTH = 8192  # characters of a header field; of a longer one nothing is read

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"  # noqa: S105 - a rule of RFC 9110 section 5.6.2, no password
_SPACE = r"[ \t]"
_QUOTED = r'"(?P<quoted>(?:[^"\\]|\\.)*+)"'
# Not only tokens: servers forget the quotes around scopes and URLs
_UNQUOTED = r'(?P<value>[^ \t,"=][^ \t,"]*+)'
_PARAMETER = re.compile(
    rf"(?P<name>{_TOKEN}){_SPACE}*+={_SPACE}*+(?:{_QUOTED}|{_UNQUOTED})[^ \t,\"]*+", re.DOTALL
)
_SCHEME = re.compile(rf"(?P<scheme>{_TOKEN})(?:{_SPACE}++|(?=,)|\Z)")
_TOKEN68 = re.compile(rf"(?P<token68>[A-Za-z0-9._~+/-]++=*+)(?={_SPACE}*+(?:,|\Z))")
# Between elements, where anything else is skipped: a stray string as a whole, else up to the next comma or space
_SKIPPED = re.compile(r'[ \t,]++|"(?:[^"\\]|\\.)*+"|[^" \t,]++', re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """One challenge: its ``scheme`` and the names of its ``parameters`` in lower case.

    ``token68``: what some schemes send in place of parameters (RFC 9110 section 11.2).
    """

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    token68: str | None = None


def proof_error(status: int, header: str | None) -> str | None:
    """Why a response with this ``WWW-Authenticate`` refused a proof of possession (RFC 9449 sections 7.1 and 9).

    ``use_dpop_nonce``, if the server wants a nonce of its own in it, or ``invalid_dpop_proof``; None for any other.
    """
    if status != _UNAUTHORIZED or not header or "dpop" not in header.lower():
        return None
    errors = (each.parameters.get("error") for each in read_challenges(header) if each.scheme == "dpop")
    return next((error for error in errors if error in {NONCE_ERROR, PROOF_ERROR}), None)


def wants_nonce(status: int, header: str | None) -> bool:
    """Whether a proof with the server's nonce is asked for (RFC 9449 section 9)."""
    return proof_error(status, header) == NONCE_ERROR


def wants_bearer(status: int, header: str | None) -> bool:
    """Whether a 401 asks for a bearer token and for none that is bound to a key (RFC 9449 section 7.2)."""
    if status != _UNAUTHORIZED or not header:
        return False
    schemes = {each.scheme for each in read_challenges(header)}
    return "bearer" in schemes and "dpop" not in schemes


def read_challenges(header: str) -> tuple[Challenge, ...]:
    """The challenges of a ``WWW-Authenticate`` field, or of several joined by commas (RFC 9110 section 11.6.1).

    ::

        read_challenges('Bearer error="insufficient_scope", scope="a b", Basic realm="x"')[0].parameters["scope"]

    Never raises: what is malformed is skipped, of a parameter that a challenge repeats the first is taken (section
    11.2 allows one), after a string without end nothing more is read, and of a field longer than
    `MAX_CHALLENGES_LENGTH` nothing at all. The values are the server's words, to be checked before they are used
    or shown.
    """
    challenges: list[Challenge] = []
    parameters: dict[str, str] = {}
    position = 0 if len(header) <= MAX_CHALLENGES_LENGTH else len(header)
    while position < len(header):
        if challenges and (match := _PARAMETER.match(header, position)):
            value = (
                match["value"] if match["quoted"] is None else re.sub(r"(?s)\\(.)", r"\1", match["quoted"])
            )
            parameters.setdefault(match["name"].lower(), value)
        elif (match := _SCHEME.match(header, position)) and not _PARAMETER.match(header, position):
            token68, parameters = None, {}
            end = match.end()
            if not _PARAMETER.match(header, end) and (text := _TOKEN68.match(header, end)):
                token68 = text["token68"]
                end = text.end()
            challenges.append(
                Challenge(scheme=match["scheme"].lower(), parameters=parameters, token68=token68)
            )
            position = end
            continue
        elif not (match := _SKIPPED.match(header, position)):
            break  # a string without end
        position = match.end()
    return tuple(challenges)
