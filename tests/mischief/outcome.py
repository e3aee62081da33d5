"""Does the deeds: one sign-in for each, side by side."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import requests
from provider import CLIENT, Server

import authnb
from authnb.errors import AuthnbError
from authnb.storage import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future

    from deed import Deed

    from authnb.signin import Login


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a deed."""

    login: Login
    storage: MemoryStorage
    port: int | None


@contextmanager
def done(deeds: Iterable[Deed]) -> Iterator[dict[str, Future[Outcome]]]:
    """What comes of each, by its name: side by side, for some of them only end by running out of time."""
    slow_first = sorted(deeds, key=lambda deed: "second" not in deed.name and "silence" not in deed.name)
    with Server() as server, ThreadPoolExecutor(16) as pool:
        yield {deed.name: pool.submit(played, server, deed) for deed in slow_first}


def browse(login: Login) -> int | None:
    """Do what the browser does; the port of the redirect address."""
    try:
        verification = login.verification(timeout=60)
    except AuthnbError:
        return None
    if verification.user_code is not None:
        return None
    redirect_uri = parse_qs(urlsplit(verification.uri).query)["redirect_uri"][0]
    for address in requests.get(verification.uri, timeout=60).json():
        with suppress(requests.ConnectionError):  # after the answer, the listener is gone
            requests.get(address, timeout=60)
    return urlsplit(redirect_uri).port


def played(server: Server, deed: Deed) -> Outcome:
    play = server.play(f"d{secrets.token_hex(6)}")
    deed.do(play)
    storage = MemoryStorage()
    login = authnb.login(
        play.issuer, client_id=CLIENT, mode=deed.mode, view=None, storage=storage, scope="openid profile"
    )
    port = browse(login)
    with suppress(AuthnbError):
        login.wait(60)
    return Outcome(login=login, storage=storage, port=port)
