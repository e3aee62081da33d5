"""What passes between the kernel and a worker: a name in pickles, an access token where the channel is private."""

from __future__ import annotations

import importlib.metadata
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from authnb import errors
from authnb.errors import AuthnbError, ShareError

if TYPE_CHECKING:
    from collections.abc import Mapping

PROTOCOL = 1  # of `Grant`, `Reference` and the requests between them; raised when they change
VERSION = importlib.metadata.version("authnb")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """An access token as a worker gets it, numbered in the order of renewals; its repr hides it.

    ``lifetime`` and ``left`` are in seconds, None if the provider does not say; ``left`` counts from now, for the
    clocks of two machines differ.
    """

    serial: int
    access_token: str = field(repr=False)
    lifetime: float | None = None
    left: float | None = None
    scope: str | None = None

    def to_message(self) -> dict[str, Any]:
        """Its fields, for a private channel."""
        return asdict(self)

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Grant:
        """The inverse of `to_message`."""
        return cls(**{each.name: message[each.name] for each in fields(cls)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What a shared session pickles as: the share's name, and no secret.

    ``kind`` and ``address``: the channel on which the token is had. ``protocol`` and ``version``: of the authnb that
    pickled it.
    """

    name: str
    kind: str
    address: str
    issuer: str
    client_id: str
    scope: str
    api: tuple[str, ...]
    protocol: int
    version: str


def share_ended(why: str) -> ShareError:
    """The error of every call after the end of a share."""
    return ShareError("share_ended", f"The share of this sign-in has ended: {why}")


def error_to_message(error: AuthnbError) -> dict[str, Any]:
    """An error of authnb as text: none holds a secret."""
    return {"class": type(error).__name__, "error": error.error, "description": error.description}


def error_from_message(message: Mapping[str, Any]) -> AuthnbError:
    """The inverse of `error_to_message`; an `AuthnbError` for a class that is not known here."""
    known = getattr(errors, str(message["class"]), None)
    if not isinstance(known, type) or not issubclass(known, AuthnbError):
        known = AuthnbError
    return known(str(message["error"]), str(message["description"]))
