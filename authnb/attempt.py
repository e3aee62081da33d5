"""One try at a sign-in, on a thread of its own: stored, else renewed, else a flow, then stored."""

from __future__ import annotations

import threading
import traceback
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from authnb.errors import AuthnbError, LoginRequired, StorageError
from authnb.flows import drive
from authnb.storage import SignIn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from authnb.answers import Token
    from authnb.client import Client
    from authnb.flows import Flow, Form, Verification
    from authnb.provider import Provider
    from authnb.session import Session
    from authnb.storage import Account, TokenStorage


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What every try of one sign-in needs: for whom, where, by which flow, and where it is kept."""

    account: Account
    connect: Callable[[Provider | None], Client]
    modes: Callable[[Client], tuple[str, ...]]
    flow: Callable[[Client, str, Callable[[], None]], Flow]
    storage: TokenStorage
    sign_up: bool = False
    api: str | Iterable[str] | None = None


class Watched(Protocol):
    """Whoever began the try and is told how it goes. What an earlier try says is ignored."""

    def is_current(self, attempt: Attempt) -> bool:
        """Whether anybody still waits for this one."""

    def connected(self, attempt: Attempt, client: Client, mode: str | None, modes: tuple[str, ...]) -> None:
        """With the provider's metadata it is known how the person signs in, if one must."""

    def asked(self, attempt: Attempt, verification: Verification) -> None:
        """The person is to open an address."""

    def asked_to_fill(self, attempt: Attempt, form: Form) -> None:
        """The person is to fill in a form."""

    def ended(
        self,
        attempt: Attempt,
        status: str,
        *,
        session: Session | None = None,
        error: AuthnbError | None = None,
        remembered: bool = False,
        not_stored: StorageError | None = None,
    ) -> None:
        """It is over."""


class Attempt:
    """One try; it begins at `start`. ``mode`` None is the best; ``after`` the one before, which may hold the port."""

    def __init__(self, plan: Plan, watched: Watched, *, mode: str | None, after: Attempt | None) -> None:
        self._plan, self._watched, self._mode = plan, watched, mode
        self._after = after
        self._wake = threading.Event()
        self._answers: Mapping[str, str] | None = None  # to a form, until they are sent
        self._not_stored: StorageError | None = None
        self._thread = threading.Thread(target=self._work, name="authnb-login", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Look again: there is news, or it is over."""
        self._wake.set()

    def answer(self, answers: Mapping[str, str]) -> None:
        """What was filled into the form."""
        self._answers = answers
        self._wake.set()

    def _work(self) -> None:
        if self._after is not None:
            self._after._thread.join()  # noqa: SLF001 - one of us
            self._after = None
        try:
            session = self._signed_in_before()
            remembered = session is not None
            session = session or self._sign_in()
        except AuthnbError as error:
            error.__context__ = None
            self._watched.ended(self, "failed", error=error)
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not leave anybody waiting
            self._watched.ended(self, "failed", error=_unexpected(error))
        else:
            self._watched.ended(
                self, "signed_in", session=session, remembered=remembered, not_stored=self._not_stored
            )

    def _signed_in_before(self) -> Session | None:
        """A session for a sign-in that was kept and still holds, renewed if need be."""
        kept = None if self._plan.sign_up else self._kept()
        if kept is None:
            return None
        client = self._plan.connect(kept.provider)
        if not set(client.scope.split()) <= set(kept.scope.split()):
            return None
        self._watched.connected(self, client, None, ())
        session = self._open_session(client, kept.token)
        try:
            session.ensure_active_token()
        except LoginRequired:
            return None
        return session

    def _kept(self) -> SignIn | None:
        try:
            return self._plan.storage.load(self._plan.account)
        except StorageError as error:
            if error.error != "corrupt":
                raise
            return None  # signing in again replaces it

    def _sign_in(self) -> Session:
        client = self._plan.connect(None)
        modes = self._plan.modes(client)
        mode = self._mode or modes[0]
        self._watched.connected(self, client, mode, modes)
        flow = self._plan.flow(client, mode, self.wake)
        try:
            token = drive(flow, self._ask, self._sleep, self._fill)
        except AuthnbError:
            client.provider.forget_documents()
            raise
        if self._watched.is_current(self):
            self._keep(SignIn(token=token, provider=client.provider, scope=client.scope))
        return self._open_session(client, token)

    def _keep(self, sign_in: SignIn) -> None:
        try:
            self._plan.storage.save(self._plan.account, sign_in)
        except StorageError as error:
            self._not_stored = error  # whoever just signed in is not sent back for that

    def _open_session(self, client: Client, token: Token) -> Session:
        from authnb.session import Session  # noqa: PLC0415 - loaded since the person was asked

        plan = self._plan
        return Session.signed_in(client, token, account=plan.account, storage=plan.storage, api=plan.api)

    def _ask(self, verification: Verification) -> None:
        self._watched.asked(self, verification)
        import_module("authnb.session")  # while the person reads

    def _fill(self, form: Form) -> Mapping[str, str] | None:
        self._watched.asked_to_fill(self, form)
        while self._answers is None:
            if self._sleep(None):
                return None
        answers, self._answers = self._answers, None
        return answers

    def _sleep(self, seconds: float | None) -> bool:
        if self._watched.is_current(self):
            self._wake.wait(seconds)
            self._wake.clear()
        return not self._watched.is_current(self)


def _unexpected(error: Exception) -> AuthnbError:
    """Where it happened, not what was said: the text of a foreign error may hold anything."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return AuthnbError(
        "unexpected",
        f"The sign-in stopped at a mistake in authnb or a library: {type(error).__name__} in {last.name}, line "
        f"{last.lineno} of {Path(last.filename).name}. Please report it.",
    )
