"""The clients that authnb registered itself: in ``authnb status``, and for ``authnb logout --unregister``."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from authnb.errors import AuthnbError, StorageError
from authnb.oauth.dynamic_registration import delete_registration
from authnb.oauth.provider import Provider
from authnb.storage.registration_files import RegistrationFiles
from authnb.transport.text import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from authnb.oauth.dynamic_registration import Registration

_LINE = 1000  # characters


def describe_registrations() -> Iterator[str]:
    """A line for each registration, or why it cannot be read."""
    for entry in RegistrationFiles().entries():
        text = (
            entry.description
            if isinstance(entry, StorageError)
            else f"{_describe(entry[1])}; authnb logout --unregister ends that"
        )
        yield printable(text, _LINE)


def unregister(issuer: str | None, others: Collection[str] = ()) -> tuple[list[str], bool, bool]:
    """Delete the clients registered at this issuer and at ``others``, None for all, there (RFC 7592) and here.

    A line on each, whether there were any, and whether one could not be deleted, which then is still kept.
    """
    storage = RegistrationFiles()
    lines, found, failed = [], False, False
    for entry in tuple(storage.entries()):
        if isinstance(entry, StorageError):
            lines.append(entry.description)
            failed = True
            continue
        used_for, registration = entry
        if issuer is not None and not any(_is_at(each, registration) for each in (issuer, *others)):
            continue
        found = True
        try:
            deleted = delete_registration(Provider(registration.issuer), registration)
            storage.remove(used_for, registration)
        except AuthnbError as error:  # the others are deleted all the same
            result, failed = f"not deleted. {error.description}", True
        else:
            result = (
                "deleted." if deleted else "forgotten here; the provider gave no means to delete it there."
            )
        lines.append(f"{_describe(registration)}: {result}")
    return [printable(line, _LINE) for line in lines], found, failed


def _describe(registration: Registration) -> str:
    used_for = " and ".join(registration.redirect_uris) or "device codes"
    return f"Registered at {registration.issuer} as the client {registration.client_id}, for {used_for}"


def _is_at(issuer: str, registration: Registration) -> bool:
    """Whether the issuer, its address without scheme or its host are meant."""
    address = registration.issuer.partition("://")[2].rstrip("/").casefold()
    given = (issuer.partition("://")[2] or issuer).rstrip("/").casefold()
    return given in {address, urlsplit(registration.issuer).netloc.casefold()}
