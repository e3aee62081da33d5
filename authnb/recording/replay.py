"""The model of a replay: a recording as messages between parties, told for people; no view is made here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Party:
    """One of those that speak: ``browser``, ``client``, ``provider``, ``api``; ``host`` as the recording has it."""

    id: str
    name: str
    host: str | None = None


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter, header or claim. ``value`` is None where it is hidden; ``hidden`` then says how long it is."""

    name: str
    value: str | None = field(repr=False)
    hidden: str | None = None
    meaning: str | None = None
    section: str | None = None
    url: str | None = None


@dataclass(frozen=True, kw_only=True)
class Signature:
    """A JWT's signature. ``verified`` is None where it was not checked; ``checked_with`` says why, or with what."""

    algorithm: str | None
    verified: bool | None
    signed_by: str
    checked_with: str


@dataclass(frozen=True, kw_only=True)
class TokenParts:
    """A JWT, taken apart (RFC 7515 section 3.1): ``id_token``, ``proof`` or ``assertion``."""

    name: str
    header: tuple[Parameter, ...]
    claims: tuple[Parameter, ...]
    signature: Signature


@dataclass(frozen=True, kw_only=True)
class Hop:
    """One message on its way. ``exchange`` is the number in the recording; ``seen`` is whether the recording has it.

    ``knows``: what each party knows once it has arrived. ``topic``: what its exchange is for, as the texts name it.
    """

    sender: str
    receiver: str
    channel: str  # "front": through the browser; "back": from the client itself
    kind: str  # "request" or "response"
    topic: str
    exchange: int
    seen: bool
    title: str
    says: str
    status: int | None
    parameters: tuple[Parameter, ...]
    jwts: tuple[TokenParts, ...]
    knows: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of an attack; ``attacker`` is a party there."""

    sender: str
    receiver: str
    says: str


@dataclass(frozen=True, kw_only=True)
class Backstop:
    """Another defence that ends the same attack: before step ``before`` of it."""

    id: str
    before: int
    says: str


@dataclass(frozen=True, kw_only=True)
class Attack:
    """What happens without the defence. ``gets``: what the attacker has at the end, unless a backstop is on."""

    steps: tuple[Step, ...]
    gets: str
    backstops: tuple[Backstop, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Defence:
    """A defence, and the attack that it ends. ``used`` is whether the recording has it."""

    id: str
    name: str
    section: str
    url: str
    hop: int
    used: bool
    holds: str
    attack: Attack


@dataclass(frozen=True, kw_only=True)
class Replay:
    """A recording, to be gone through hop by hop.

    ``outcome``: ``finished``, ``refused``, ``unfinished``, ``other`` if it is of no sign-in, ``empty`` without hops.
    """

    title: str
    outcome: str
    parties: tuple[Party, ...]
    hops: tuple[Hop, ...]
    defences: tuple[Defence, ...]

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON; a value that is hidden is not in it."""
        return {
            "title": self.title,
            "outcome": self.outcome,
            "parties": [dict(vars(party)) for party in self.parties],
            "hops": [_hop(hop) for hop in self.hops],
            "defences": [_defence(defence) for defence in self.defences],
        }


def _hop(hop: Hop) -> dict[str, Any]:
    return {
        **_ends(hop),
        "channel": hop.channel,
        "kind": hop.kind,
        "exchange": hop.exchange,
        "seen": hop.seen,
        "title": hop.title,
        "status": hop.status,
        "says": hop.says,
        "parameters": [dict(vars(parameter)) for parameter in hop.parameters],
        "jwts": [_parts(jwt) for jwt in hop.jwts],
        "knows": {party: list(items) for party, items in hop.knows.items()},
    }


def _parts(jwt: TokenParts) -> dict[str, Any]:
    return {
        "name": jwt.name,
        "header": [dict(vars(parameter)) for parameter in jwt.header],
        "claims": [dict(vars(parameter)) for parameter in jwt.claims],
        "signature": dict(vars(jwt.signature)),
    }


def _defence(defence: Defence) -> dict[str, Any]:
    attack = defence.attack
    return {
        "id": defence.id,
        "name": defence.name,
        "section": defence.section,
        "url": defence.url,
        "hop": defence.hop,
        "used": defence.used,
        "on": {"says": defence.holds},
        "off": {
            "steps": [{**_ends(step), "says": step.says} for step in attack.steps],
            "gets": attack.gets,
            "backstops": [dict(vars(backstop)) for backstop in attack.backstops],
        },
    }


def _ends(message: Hop | Step) -> dict[str, str]:
    return {"from": message.sender, "to": message.receiver}
