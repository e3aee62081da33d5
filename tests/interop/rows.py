"""What the tests of `docs/presets.md` share: the rows of its table, and a sign-in that shows nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
from documented import CLIENT

import authnb
from authnb.oauth.presets import Preset
from authnb.storage.base import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Callable

    from authnb.oauth.provider import Provider
    from authnb.session.session import Session
    from authnb.signin.login import Login

BEGUN: list[Login] = []  # given up after each test
ODDITIES: list[tuple[str, str, str, Callable[..., None]]] = []


def oddity(
    preset: str, documentation: str, read: str
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The test of something that this provider does its own way.

    ``read``: with what it was compared, an address; or a sentence that says what of it was not found.
    """

    def note(test: Callable[..., None]) -> Callable[..., None]:
        ODDITIES.append((preset, documentation, read, test))
        return test

    return note


def begin(at: Provider | Preset | str, *, sign_up: bool = False, **options: Any) -> Login:
    """Start a sign-in without a view, with a storage of its own."""
    provider = at.open() if isinstance(at, Preset) else at
    standard = {"client_id": CLIENT, "mode": "loopback", "view": None, "storage": MemoryStorage()}
    BEGUN.append((authnb.signup if sign_up else authnb.login)(provider, **(standard | options)))
    return BEGUN[-1]


def sign_in(at: Provider | Preset | str, **options: Any) -> Session:
    """Complete a sign-in: follow the redirects, or wait for the device code."""
    login = begin(at, **options)
    address = login.verification(60).uri
    if login.mode != "device":
        assert requests.get(address, timeout=60).ok
    return login.wait(60)
