"""One try at a sign-in, on a thread of its own: stored, else renewed, else a flow, then stored."""

from __future__ import annotations

import threading
import time
import traceback
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from authnb.callbacks import Inbox
from authnb.errors import AuthnbError, LoginFailed, LoginRequired, ProviderError, StorageError
from authnb.flows import drive
from authnb.storage import MemoryStorage, SignIn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from authnb.answers import Token
    from authnb.client import Client
    from authnb.flows import Flow, Form, Verification
    from authnb.place import FrontEnd
    from authnb.provider import Provider
    from authnb.session import Session
    from authnb.storage import Account, TokenStorage
    from authnb.ways import Way

_LOOKING = 0.25  # seconds between two looks at what the panel reported
# The client, not the person, is refused this way: another may work
_NOT_THIS_WAY = {"unauthorized_client", "unsupported_grant_type", "invalid_metadata"}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What every try of one sign-in needs: for whom, where, by which flow, and where it is kept.

    ``patience``: seconds to wait for what the panel reports, once it is shown. ``own_token``: for what needs
    nobody, in place of all flows. ``auto``: whether evidence decides on the way. ``ports``: those its listener may
    take.
    """

    account: Account
    connect: Callable[[Provider | None], Client]
    ways: Callable[[Client, Watched], tuple[Way, ...]]
    flow: Callable[[Client, str, Watched, Inbox], Flow]
    read_front_end: Callable[[Mapping[str, Any]], FrontEnd]
    storage: TokenStorage
    own_token: Callable[[Client], Token] | None = None
    auto: bool = False
    ports: tuple[int, ...] = ()
    patience: float = 0.0
    sign_up: bool = False
    api: str | Iterable[str] | None = None


class Watched(Protocol):
    """Whoever began the try and is told how it goes. What an earlier try says is ignored.

    ``front_end`` is what the panel reported of itself, ``reached`` whether the browser reached our listener,
    ``shown`` since when, by the monotonic clock, a view is open.
    """

    front_end: FrontEnd | None
    reached: bool | None
    shown: float | None

    def is_current(self, attempt: Attempt) -> bool:
        """Whether anybody still waits for this one."""

    def connected(self, attempt: Attempt, client: Client, way: Way | None, ways: tuple[Way, ...]) -> None:
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


_under_way: list[Attempt] = []  # in this process, the oldest first


class Attempt:
    """One try; it begins at `start`. ``mode`` None is the best; ``after`` the one before, which may hold the port."""

    def __init__(self, plan: Plan, watched: Watched, *, mode: str | None, after: Attempt | None) -> None:
        self._plan, self._watched, self.mode = plan, watched, mode
        self._after = after
        self._wake = threading.Event()
        self.inbox = Inbox(self.wake)
        self._asked = False
        self._answers: Mapping[str, str] | None = None  # to a form, until they are sent
        self._not_stored: StorageError | None = None
        self._thread = threading.Thread(target=self._work, name="authnb-login", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self) -> None:
        """Wait until it, or if it never began the one before it, is over."""
        if self._thread.ident is not None:
            self._thread.join()
        elif self._after is not None:
            self._after.join()

    def wake(self) -> None:
        """Look again: there is news, or it is over."""
        self._wake.set()

    def answer(self, answers: Mapping[str, str]) -> None:
        """What was filled into the form."""
        self._answers = answers
        self._wake.set()

    def give_way(self) -> None:
        """End, and free the port, for a newer one; nothing is left of it when this returns."""
        error = LoginFailed("cancelled", "The sign-in was cancelled: a newer one took over its port.")
        self._watched.ended(self, "cancelled", error=error)
        self.wake()
        self.join()

    def _work(self) -> None:
        _under_way.append(self)
        try:
            self._run()
        finally:
            _under_way.remove(self)

    def _run(self) -> None:
        if self._after is not None:
            self._after.join()
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
        kept = None if self._plan.sign_up or self._plan.own_token else self._kept()
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
        if (own_token := self._plan.own_token) is not None:
            self._watched.connected(self, client, None, ())
            return self._open_session(client, own_token(client), again=lambda: own_token(client))
        self._look_around()
        try:
            token = self._ask_for_token(client)
        except AuthnbError:
            client.provider.forget_documents()
            raise
        if self._watched.is_current(self):
            self._keep(SignIn(token=token, provider=client.provider, scope=client.scope))
        return self._open_session(client, token)

    def _look_around(self) -> None:
        """Wait a moment for what the panel reports of itself, if that decides."""
        begun = time.monotonic()
        while self._plan.patience and self._watched.front_end is None:
            left = (self._watched.shown or begun) + self._plan.patience - time.monotonic()
            if left <= 0 or self._sleep(min(left, _LOOKING)):
                return

    def _ask_for_token(self, client: Client) -> Token:
        """The token, by the way that was chosen; else by the first that the provider does not refuse us at once."""
        ways = self._plan.ways(client, self._watched)
        order = sorted(ways, key=lambda way: way.mode != self.mode)
        for way in order:
            self._watched.connected(self, client, way, ways)
            try:
                return self._drive(client, way)
            except ProviderError as error:
                if not self._plan.auto or self.mode or self._asked or error.error not in _NOT_THIS_WAY:
                    raise
                refusal = error
        raise refusal

    def _drive(self, client: Client, way: Way) -> Token:
        """The token, by this way; an older sign-in of the same account in this process makes way for it."""
        while True:
            flow = self._plan.flow(client, way.mode, self._watched, self.inbox)
            try:
                return drive(flow, self._show, self._sleep, self._fill)
            except LoginFailed as error:
                if error.error != "port_in_use" or (older := self._in_the_way()) is None:
                    raise
            older.give_way()

    def _in_the_way(self) -> Attempt | None:
        """The older one, for the same account, whose listener has a port that this one may take."""
        older = _under_way[: _under_way.index(self)]
        mine = (one for one in older if one._plan.account == self._plan.account)  # noqa: SLF001 - the same class
        return next((one for one in mine if one.inbox.port in self._plan.ports), None)

    def _keep(self, sign_in: SignIn) -> None:
        try:
            self._plan.storage.save(self._plan.account, sign_in)
        except StorageError as error:
            self._not_stored = error  # whoever just signed in is not sent back for that

    def _open_session(
        self, client: Client, token: Token, again: Callable[[], Token] | None = None
    ) -> Session:
        from authnb.session import Session  # noqa: PLC0415 - loaded since the person was asked

        plan = self._plan
        storage = MemoryStorage() if again else plan.storage  # one of its own where nobody signed in
        return Session.signed_in(
            client, token, account=plan.account, storage=storage, api=plan.api, again=again
        )

    def _show(self, verification: Verification) -> None:
        self._asked = True
        self._watched.asked(self, verification)
        import_module("authnb.session")  # while the person reads

    def _fill(self, form: Form) -> Mapping[str, str] | None:
        self._asked = True
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
