"""Who knows what after each message of a recording: what a message carries, both of its ends know."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from authnb.recording.redact import Exchange, Value

_ITEMS = {
    "state": "state",
    "nonce": "nonce",
    "code": "code",
    "code_challenge": "challenge",
    "code_verifier": "verifier",
    "request_uri": "request reference",
    "client_secret": "client secret",
    "client_assertion": "signed assertion",
    "access_token": "access token",
    "refresh_token": "refresh token",
    "id_token": "ID token",
    "registration_access_token": "registration access token",
    "device_code": "device code",
    "user_code": "user code",
    "password": "password",
    "keys": "provider's public keys",
    "sub": "who you are",
}
_BY_TYPE = {"access_token": "access token", "refresh_token": "refresh token"}
_SCHEMES = {"bearer": "access token", "dpop": "access token", "basic": "client secret"}


class Knowledge:
    """What each party knows, as messages arrive; nothing is forgotten, but a used code is marked."""

    def __init__(self, parties: Iterable[str]) -> None:
        self._known: dict[str, list[str]] = {party: [] for party in parties}

    def learn(self, party: str, *items: str) -> None:
        """Add what this party knows now."""
        known = self._known.get(party)
        if known is not None:
            known += [item for item in dict.fromkeys(items) if item not in known]

    def carry(self, sender: str, receiver: str, values: Iterable[Value]) -> None:
        """What a message carries: its sender knew it, and its receiver does from now on."""
        items = items_of(values)
        for party in (sender, receiver):
            self.learn(party, *items)
            if "verifier" in items:  # the challenge is its hash
                self.learn(party, "challenge")

    def spend(self, kind: str, exchange: Exchange) -> None:
        """Mark what is of no use after this response: codes that were exchanged, tokens that were revoked."""
        received = {value.name for value in exchange.received}
        if "access_token" in received:
            for item in {"code_grant": ["code"], "device_grant": ["device code", "user code"]}.get(kind, []):
                self._mark(item, "used")
        if kind == "revoke" and exchange.status == HTTPStatus.OK:
            hint = next((each.shown for each in exchange.sent if each.name == "token_type_hint"), "")
            self._mark(_BY_TYPE.get(hint, "access token"), "revoked")

    def _mark(self, item: str, remark: str) -> None:
        """Remark on an item wherever it is known: it is of no use any more."""
        marked = f"{item} ({remark})"
        for party, known in self._known.items():
            self._known[party] = [marked if each == item else each for each in known if each != marked]

    def now(self) -> Mapping[str, tuple[str, ...]]:
        """What each party knows."""
        return {party: tuple(items) for party, items in self._known.items()}


def items_of(values: Iterable[Value]) -> list[str]:
    """The secrets and facts among the parameters of a message."""
    given = {value.name: value.shown for value in values}
    items = [item for name, item in _ITEMS.items() if name in given]
    scheme = given.get("Authorization", "").partition(" ")[0].lower()
    items += [_SCHEMES[scheme]] if scheme in _SCHEMES else []
    if "token" in given:  # RFC 7009 section 2.1
        items.append(_BY_TYPE.get(given.get("token_type_hint", ""), "access token"))
    if "DPoP" in given:
        items.append("public key of the proof")
    return [*dict.fromkeys(items)]
