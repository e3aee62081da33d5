"""What a request can reach: the provider's settings, its clock, its key, and one database session.

A request is one transaction. It begins with the first statement, is committed when the answer is ready, and rolled
back when something breaks (see `app.create_app`). What takes long, hashing a password and signing an ID token, is done
after a commit, as everybody else waits for the transaction to end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from flask import current_app, g
from sqlalchemy import bindparam, select

from authnb.demo.database.models import (
    AccessToken,
    AuthorizationCode,
    Client,
    DeviceCode,
    RefreshToken,
    digest,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from authlib.integrations.flask_oauth2 import AuthorizationServer
    from joserfc.jwk import RSAKey
    from sqlalchemy import Delete, Engine, Insert, Select, Update
    from sqlalchemy.orm import Session, sessionmaker

    from authnb.demo.database.purge import Purge
    from authnb.demo.proof_nonces import ProofNonces
    from authnb.demo.registration_limits import RegistrationLimits
    from authnb.demo.values import Values

Secret = TypeVar("Secret", AuthorizationCode, DeviceCode, RefreshToken, AccessToken)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the one who starts the provider may choose; lifetimes and intervals in seconds."""

    access_token_lifetime: int = 3600
    refresh_token_lifetime: int = 30 * 24 * 3600
    sign_in_lifetime: int | None = None
    refresh_lifetime_member: str | None = None
    code_lifetime: int = 60
    device_code_lifetime: int = 600
    device_interval: int = 5
    registration: bool = True
    registration_lifetime: int = 30 * 24 * 3600
    registrations_per_minute: int = 120
    most_registrations: int = 5000
    resource_metadata: Literal["challenge", "well-known"] | None = "challenge"
    jwt_access_tokens: bool = False
    second_factor: bool = True
    dpop: Literal["offered", "required"] | None = None
    pushed_requests: Literal["offered", "required"] | None = None
    client_keys: Mapping[str, Any] | None = None
    seed: str | None = None


@dataclass(frozen=True, kw_only=True)
class Context:
    """A provider at work."""

    issuer: str
    settings: Settings
    clock: Callable[[], float]
    reading: Engine
    sessions: sessionmaker[Session]
    clients: dict[str, Client] = field(repr=False)
    purge: Purge
    registration_limits: RegistrationLimits
    proof_nonces: ProofNonces = field(repr=False)
    signing_key: RSAKey = field(repr=False)
    server: AuthorizationServer
    values: Values = field(repr=False)


def provider() -> Context:
    """Give the provider that serves this request."""
    context: Context = current_app.extensions["authnb-demo"]
    return context


def new_value(purpose: str, random: Callable[[], str]) -> str:
    """Give a code, a token or an identifier: what `random` gives, unless the provider was given a seed."""
    return provider().values.new(purpose, random)


def now() -> float:
    """Seconds since 1970, by the provider's clock."""
    return provider().clock()


def changed(statement: Insert | Update | Delete, **values: Any) -> int:
    """Execute it and give the number of rows that it changed; objects that were read before stay as they were."""
    return db().connection().execute(statement, values).rowcount


def db() -> Session:
    """Give this request's database session."""
    if "db" not in g:
        g.db = provider().sessions()
    session: Session = g.db
    return session


def find_client(client_id: str) -> Client | None:
    """Give a client: one that was there from the start, or one that registered itself and has not expired."""
    if known := provider().clients.get(client_id):
        return known
    client = db().get(Client, client_id)
    return client if client and client.expires_at is not None and client.expires_at > now() else None


def find(kind: type[Secret], secret: str) -> Secret | None:
    """Give the row of a code or a token, with the authorization and the account it belongs to, in one query."""
    found: Secret | None = db().scalar(_by_digest(kind), {"digest": digest(secret)})
    return found


@cache
def _by_digest(kind: type[Secret]) -> Select[Any]:
    # made once, as SQLAlchemy takes longer to make a statement than to execute it
    return select(kind).where(kind.digest == bindparam("digest"))
