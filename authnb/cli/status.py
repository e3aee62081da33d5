"""``authnb status`` and ``authnb logout``: the sign-ins stored on this machine."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from authnb.cli.unregister import describe_registrations, unregister
from authnb.errors import AuthnbError, StorageError
from authnb.oauth.presets import find, known
from authnb.session.renewal import TokenRenewer
from authnb.storage.files import FileStorage
from authnb.transport.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from authnb.storage.base import Account, SignIn

_LINE, _NAME = 1000, 80  # characters of a line, and of a name in it


def status() -> Iterator[str]:
    """A line for each stored sign-in: who, where, until when; or why it cannot be read.

    Then one for each client that authnb registered itself.
    """
    empty = True
    for entry in FileStorage().accounts():
        empty = False
        yield printable(entry.description if isinstance(entry, StorageError) else _describe(*entry), _LINE)
    if empty:
        yield "Nobody is remembered on this computer."
    yield from describe_registrations()


def log_out(provider: str | None, profile: str | None) -> tuple[list[str], bool]:
    """Log out of the sign-ins at this provider with this profile, None for all: a line on each, and whether all went.

    ``provider`` is whatever `authnb.login` takes or a view shows: an issuer, a preset, a display name, a host. Every
    sign-in is ended before there is anything to print. `ValueError` for a preset without the name that must follow it.
    """
    lines, issuers, failed = _log_out(provider, profile)
    return lines if issuers else [*lines, nobody(provider, profile)], bool(issuers) and not failed


def log_out_and_unregister(provider: str | None, profile: str | None) -> tuple[list[str], bool]:
    """The same, and delete the clients that authnb registered there by itself, once their tokens are revoked.

    `ValueError` with a profile: all profiles use the same client.
    """
    if profile is not None:
        raise ValueError("--unregister deletes the client of all profiles there. Leave --profile out.")
    lines, issuers, failed = _log_out(provider, profile)
    more, registered, not_deleted = unregister(provider, issuers)
    if not issuers and not registered:
        more.append(nobody(provider, profile))
    return [*lines, *more], (bool(issuers) or registered) and not (failed or not_deleted)


def _log_out(provider: str | None, profile: str | None) -> tuple[list[str], set[str], bool]:
    """A line for each sign-in, the issuers at which there were any, and whether one could not be ended."""
    storage = FileStorage()
    lines, issuers, failed = [], set(), False
    for entry in find_sign_ins(storage, provider, profile):
        if isinstance(entry, StorageError):
            lines.append(entry.description)
            failed = True
            continue
        account, sign_in = entry
        issuers.add(sign_in.provider.issuer)
        client = sign_in.client(account)
        try:
            result = repr(TokenRenewer(client=client, account=account, storage=storage).logout(sign_in.token))
        except AuthnbError as error:  # the others are ended all the same
            result, failed = error.description, True
        lines.append(f"{describe_account(account, sign_in)}: {result}")
    return [printable(line, _LINE) for line in lines], issuers, failed


def find_sign_ins(
    storage: FileStorage, provider: str | None, profile: str | None
) -> Iterator[tuple[Account, SignIn] | StorageError]:
    """The stored sign-ins at this provider with this profile, None for all, and those that cannot be read."""
    for entry in storage.accounts():
        if isinstance(entry, StorageError) or (
            profile in {None, entry[0].profile} and _is_at(provider, *entry)
        ):
            yield entry


def _is_at(provider: str | None, account: Account, sign_in: SignIn) -> bool:
    if provider is None:
        return True
    given = {_address(provider)}
    with suppress(ValueError):  # no preset; a display name then
        if (named := find(provider)) is not None:
            given.add(_address(named.issuer))
    addresses = {account.issuer, sign_in.issuer(account)}
    its = {_address(sign_in.name), *(_address(each) for each in addresses)}
    its |= {_address(urlsplit(each).netloc) for each in addresses}
    return bool(given & (its - {""}))


def _address(issuer: str) -> str:
    """What is compared of an issuer or a name: no scheme, no last slash, no case."""
    return (issuer.partition("://")[2] or issuer).rstrip("/").casefold()


def nobody(provider: str | None, profile: str | None) -> str:
    """That there is no such sign-in; `ValueError` if the preset lacks the name of its tenant, domain or realm."""
    if provider is not None and provider.partition(":")[0] in known():
        find(provider)
    where = f" at {provider}" if provider else ""
    who = f" with the profile {profile}" if profile else ""
    return f"Nobody is remembered{where}{who}. authnb status lists who is."


def _describe(account: Account, sign_in: SignIn) -> str:
    token: Mapping[str, Any] = sign_in.token
    expires_at = token.get("expires_at")
    if sign_in.refused:
        until = "ended by the provider; sign in again"
    elif "refresh_token" in token:
        until = "renewed when needed, until the provider ends it"
    elif expires_at is None:
        until = "until the provider ends it"
    else:
        try:
            end = datetime.fromtimestamp(expires_at, UTC).astimezone()
        except (OverflowError, ValueError, OSError):  # no date
            return f"{describe_account(account, sign_in)}: until {expires_at} seconds after 1970"
        expired = end < datetime.now(UTC)
        until = (
            f"{'ended' if expired else 'until'} {end:%Y-%m-%d %H:%M}{'; sign in again' if expired else ''}"
        )
    return f"{describe_account(account, sign_in)}: {until}"


def describe_account(account: Account, sign_in: SignIn) -> str:
    """Who is signed in, where, by which client and with which profile."""
    token: Mapping[str, Any] = sign_in.token
    user = token.get("userinfo") or {}
    name = user.get("name") or user.get("preferred_username") or user.get("sub") or "Somebody"
    client = sign_in.client_id or account.client_id
    used_for = f" for {sign_in.api}" if sign_in.api else ""
    where = f"{sign_in.issuer(account)}{used_for}"
    return f"{printable(name, _NAME)} at {where} (client {client}, profile {account.profile})"
