"""What ``authnb status`` and ``authnb logout`` say and do about the sign-ins on this computer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from authnb.client import Client
from authnb.errors import StorageError
from authnb.files import FileStorage
from authnb.keeper import Keeper

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from authnb.storage import Account, SignIn


def status() -> Iterator[str]:
    """Who is signed in where and until when: a line for each sign-in, and for each that cannot be read."""
    none = True
    for found in FileStorage().accounts():
        none = False
        yield found.description if isinstance(found, StorageError) else _line(*found)
    if none:
        yield "Nobody is remembered on this computer."


def log_out(issuer: str | None, profile: str | None) -> Iterator[str]:
    """End the sign-ins at this issuer under this profile, None for any; what was done, line by line."""
    storage = FileStorage()
    none = True
    for found in storage.accounts():
        if isinstance(found, StorageError):
            yield found.description
            continue
        account, sign_in = found
        if issuer not in {None, account.issuer, account.issuer + "/"} or profile not in {
            None,
            account.profile,
        }:
            continue
        none = False
        client = Client(sign_in.provider, client_id=account.client_id, scope=sign_in.scope)
        done = Keeper(client=client, account=account, storage=storage).end(sign_in.token)
        yield f"{_who(account, sign_in)}: {done!r}"
    if none:
        yield "Nobody was signed in there."


def _line(account: Account, sign_in: SignIn) -> str:
    token: Mapping[str, Any] = sign_in.token
    expires_at = token.get("expires_at")
    if "refresh_token" in token:
        until = "renewed when needed, until the provider ends it"
    elif expires_at is None:
        until = "until the provider ends it"
    else:
        end = datetime.fromtimestamp(expires_at, UTC).astimezone()
        ended = end < datetime.now(UTC)
        until = f"{'ended' if ended else 'until'} {end:%Y-%m-%d %H:%M}{'; sign in again' if ended else ''}"
    return f"{_who(account, sign_in)}: {until}"


def _who(account: Account, sign_in: SignIn) -> str:
    token: Mapping[str, Any] = sign_in.token
    user = token.get("userinfo") or {}
    name = user.get("name") or user.get("preferred_username") or user.get("sub") or "Somebody"
    return f"{name} at {account.issuer} (client {account.client_id}, profile {account.profile})"
