"""What nobody can use any more is deleted, so that the database does not grow with every sign-in.

Nobody notices: a code or a token that expired is refused, whether its row is there or not. A used one stays until
then, to know it again.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, select

from authnb.demo.database.models import (
    BROWSER_LIFETIME,
    FORGIVEN_AFTER,
    AccessToken,
    Attempts,
    Authorization,
    AuthorizationCode,
    Browser,
    Client,
    ClientAssertion,
    Consent,
    DeviceCode,
    PushedRequest,
    RefreshToken,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Delete
    from sqlalchemy.orm import Session, sessionmaker

EVERY = 60.0
DEVICE_GRACE = 3600.0  # in which a device hears that its code expired, and not that it is unknown


class Purge:
    """Deletes at most once a minute, by the clock of the provider."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._lock = threading.Lock()
        self._next = 0.0

    def is_due(self, moment: float) -> bool:
        """Whether a minute has passed; true for one who asks, and false for the others."""
        with self._lock:
            due = moment >= self._next
            if due:
                self._next = moment + EVERY
        return due

    def run(self, moment: float) -> None:
        """Delete, in several transactions, between which others get their turn."""
        for statement in _statements(moment):
            with self._sessions.begin() as session:
                session.execute(statement, execution_options={"synchronize_session": False})


def _statements(moment: float) -> Iterator[Delete]:
    yield delete(Attempts).where(Attempts.not_before < moment - FORGIVEN_AFTER)
    yield delete(Browser).where(Browser.auth_time < moment - BROWSER_LIFETIME)
    yield delete(DeviceCode).where(DeviceCode.expires_at < moment - DEVICE_GRACE)
    yield delete(PushedRequest).where(PushedRequest.expires_at < moment)
    yield delete(ClientAssertion).where(ClientAssertion.expires_at < moment)
    children = (AuthorizationCode, AccessToken, RefreshToken)
    for kind in children:
        yield delete(kind).where(kind.expires_at < moment)
    used = (exists().where(kind.authorization_id == Authorization.id) for kind in (*children, DeviceCode))
    yield delete(Authorization).where(*(~one for one in used))
    unused = (
        ~exists().where(kind.client_id == Client.id) for kind in (Authorization, DeviceCode, PushedRequest)
    )
    gone = select(Client.id).where(Client.expires_at < moment, *unused)
    yield delete(Consent).where(Consent.client_id.in_(gone))
    yield delete(Client).where(Client.id.in_(gone))
