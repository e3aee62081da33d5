"""A session at the embedded provider, its renewals passing through a server that counts them."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import authnb
from authnb.answers import Token
from authnb.clock import Clock
from authnb.storage import MemoryStorage, SignIn

if TYPE_CHECKING:
    from between import Between

    from authnb.demo import DemoProvider
    from authnb.keeper import Keeper
    from authnb.session import Session

SCOPE = "openid profile email measurements:read"


def sign_in(
    demo: DemoProvider, between: Between | None = None, name: str = "ada", *, wrong: float = 0, **more: Any
) -> Session:
    """A session that is signed in, kept in memory unless ``storage`` says otherwise.

    ``wrong``: seconds by which this machine's clock is to be off.
    """
    provider = authnb.Provider.discover(demo.issuer)
    if between is not None:
        provider = replace(
            provider,
            token_endpoint=between.url + "/token",
            revocation_endpoint=between.url + "/revoke",
        )
    if wrong:
        object.__setattr__(provider, "clock", Clock(wall=lambda: time.time() + wrong))
    options = {"storage": MemoryStorage(), "api": demo.api, "scope": SCOPE, **more}
    login = authnb.login(provider, client_id=demo.client_id, mode="loopback", view=None, **options)
    demo.visit(login.verification().uri, name=name)
    return login.wait(10)


def keeper(session: Session) -> Keeper:
    """Where a session's tokens are kept."""
    found = session.token_auth.keeper
    assert found is not None
    return found


def age(session: Session, left: float = -1) -> None:
    """Let the session's token end in ``left`` seconds, for the session and where it is stored."""
    session.token = aged(session.token, left)
    kept = keeper(session)
    with kept.storage.lock(kept.account):
        if stored := kept.storage.load(kept.account):
            kept.storage.save(kept.account, replace(stored, token=aged(stored.token, left)))


def aged(token: Token, left: float) -> Token:
    """The same token, near its end."""
    return Token({**token, "expires_at": int(time.time() + left)})


def stored(session: Session) -> SignIn:
    """What is stored of a session."""
    kept = keeper(session).storage.load(keeper(session).account)
    assert kept is not None
    return kept
