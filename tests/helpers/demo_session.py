"""Sessions at the embedded provider, and ways to age, read and replace their tokens."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import authnb
from authnb.oauth.responses import Token
from authnb.session.session import Session
from authnb.storage.base import MemoryStorage, SignIn
from authnb.transport.clock import Clock

if TYPE_CHECKING:
    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.demo import DemoProvider
    from authnb.session.renewal import TokenRenewer

SCOPE = "openid profile email measurements:read"


def sign_in(
    demo: DemoProvider,
    token_proxy: TokenEndpointProxy | None = None,
    name: str = "ada",
    *,
    clock_error: float = 0,
    **more: Any,
) -> Session:
    """A signed-in session, stored in memory unless ``storage`` is given.

    ``clock_error``: seconds by which this machine's clock is off.
    """
    provider = authnb.Provider.discover(demo.issuer)
    if token_proxy is not None:
        provider = replace(
            provider,
            token_endpoint=token_proxy.url + "/token",
            revocation_endpoint=token_proxy.url + "/revoke",
        )
    if clock_error:
        object.__setattr__(provider, "clock", Clock(wall=lambda: time.time() + clock_error))
    options = {"storage": MemoryStorage(), "api": demo.api, "scope": SCOPE, **more}
    login = authnb.login(provider, client_id=demo.client_id, mode="loopback", view=None, **options)
    demo.visit(login.verification(60).uri, name=name)
    return login.wait(60)


def renewer(session: Session) -> TokenRenewer:
    """The session's `TokenRenewer`."""
    found = session.token_auth.renewer
    assert found is not None
    return found


def for_api(session: Session, api: str) -> Session:
    """Another session with the same token, for another API."""
    its = renewer(session)
    return Session.from_sign_in(its.client, session.token, account=its.account, storage=its.storage, api=api)


def age(session: Session, left: float = -1) -> None:
    """Let the session's token expire in ``left`` seconds, in the session and in its storage."""
    session.token = aged(session.token, left)
    its = renewer(session)
    with its.storage.lock(its.account):
        if stored := its.storage.load(its.account):
            its.storage.save(its.account, replace(stored, token=aged(stored.token, left)))


def aged(token: Token, left: float) -> Token:
    """The same token, expiring in ``left`` seconds."""
    return Token({**token, "expires_at": int(time.time() + left)})


def stored(session: Session) -> SignIn:
    """The session's sign-in as stored."""
    sign_in = renewer(session).storage.load(renewer(session).account)
    assert sign_in is not None
    return sign_in
