"""One sign-in, from the first look into storage to a session. It runs on a thread of its own and shows nothing."""

from __future__ import annotations

import asyncio
import threading
import time
import traceback
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol
from urllib.parse import parse_qs, urlsplit

from authnb.errors import AuthnbError, LoginFailed, LoginRequired, StorageError
from authnb.flows import drive
from authnb.redirects import hand_over
from authnb.session import Session
from authnb.storage import SignIn

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping

    from authnb.answers import Token
    from authnb.client import Client
    from authnb.flows import Flow, Form, Verification
    from authnb.provider import Provider
    from authnb.storage import Account, TokenStorage

_CANCELLED = "The sign-in was cancelled. Run the cell again to sign in."


class View(Protocol):
    """Shows a `Login`. Both methods are called in the thread of the cell or script that shows or awaits it.

    ``shows_forms`` says whether a person can fill in a `Form` there.
    """

    shows_forms: bool

    def open(self, login: Login) -> None:
        """Begin to show."""

    def update(self, login: Login) -> None:
        """Show where the sign-in is now."""


@dataclass(eq=False)
class _Attempt:
    """One try of a sign-in. Whatever an earlier one still does is ignored once the next has begun."""

    mode: str | None  # None: the best
    after: threading.Thread | None  # the one before, which may still hold the port
    wake: threading.Event = field(default_factory=threading.Event)
    answers: Mapping[str, str] | None = field(default=None, repr=False)  # to a form, until they are sent


class Login:
    """A sign-in under way: awaitable, displayable, cancellable.

    ``status`` is ``starting``, then ``waiting`` (for the person), then ``signed_in``, ``failed`` or
    ``cancelled``. ``mode`` is how the person signs in and ``modes`` are the ways that work, both known once
    it waits; ``awaited`` says whether a cell or script waits for the end. For a sign-up, ``form`` is what is
    to be filled in now, and ``created`` whether that made an account. `authnb.login` makes one; it starts at
    once.
    """

    def __init__(
        self,
        *,
        account: Account,
        connect: Callable[[Provider | None], Client],
        modes: Callable[[Client], tuple[str, ...]],
        flow: Callable[[Client, str, Callable[[], None]], Flow],
        storage: TokenStorage,
        sign_up: bool = False,
        api: str | Iterable[str] | None = None,
        view: View | None = None,
    ) -> None:
        self.account = account
        self.client: Client | None = None
        self.status = "starting"
        self.error: AuthnbError | None = None
        self.mode: str | None = None
        self.modes: tuple[str, ...] = ()
        self.awaited = False
        self.sign_up = sign_up  # whether an account is to be created first
        self.form: Form | None = None
        self.created = False
        self._connect, self._modes, self._flow = connect, modes, flow
        self.remembered = False  # whether nobody had to be asked
        self.not_stored: StorageError | None = None  # why this sign-in will not be remembered
        self._storage, self._api, self._view = storage, api, view
        self._session: Session | None = None
        self._asked: Future[Verification | None] = Future()  # done once the person is asked, or never will be
        self._ended: Future[None] = Future()
        self._lock = threading.Lock()
        self._watchers: list[Callable[[Login], None]] = []
        self._attempt = _Attempt(mode=None, after=None)
        self._worker = self._start_worker(self._attempt)

    def __repr__(self) -> str:
        return f"<Login at {self.account.issuer}: {self.status}>"

    @property
    def host(self) -> str:
        """The provider's host name: what a person is told."""
        return self.client.provider.host if self.client else self.account.issuer.partition("://")[2]

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A sign-in under way is not pickled. Pickle login.session, signed in with remember=True."
        )

    @property
    def session(self) -> Session:
        """The session, at once. Raises `LoginRequired` while nobody is signed in, so that Run All stops."""
        if self._session is not None:
            return self._session
        if isinstance(self.error, LoginRequired):
            raise self.error.with_traceback(None)
        if self.error is not None:
            raise LoginRequired("login_required", f"Nobody is signed in. {self.error.description}")
        raise LoginRequired(
            "login_required", "Nobody is signed in yet. Finish the sign-in, then run this cell again."
        )

    def verification(self, timeout: float | None = 10) -> Verification:
        """The address to open, and the code to enter, as soon as they are known.

        Raises what ended the sign-in if it ended before, `LoginFailed` if nobody needed to be asked, and
        `TimeoutError` after ``timeout`` seconds.
        """
        verification = self._asked.result(timeout)
        if verification is not None:
            return verification
        if self.error is not None:
            raise self.error.with_traceback(None)
        raise LoginFailed("not_needed", "There is no address to open: the sign-in was remembered.")

    def wait(self, timeout: float | None = None) -> Session:
        """Wait for the session; for scripts. An interrupt (Ctrl-C) cancels the sign-in.

        Raises what ended the sign-in, or `TimeoutError` after ``timeout`` seconds, while it goes on.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            with self._shown():
                if self._view is not None:
                    self._asked.result(timeout)
                    self._view.update(self)
                self._ended.result(None if deadline is None else max(0.0, deadline - time.monotonic()))
        except KeyboardInterrupt:
            self.cancel()
            raise
        return self._result()

    def __await__(self) -> Generator[Any, None, Session]:
        return self._attend().__await__()

    def cancel(self) -> None:
        """Give up: at once for whoever waits, and the port is freed. Does nothing after the end."""
        attempt = self._attempt
        self._end(attempt, "cancelled", error=LoginFailed("cancelled", _CANCELLED))
        attempt.wake.set()

    def start_over(self, mode: str | None = None) -> None:
        """Begin anew, perhaps in another of ``modes``.

        Whoever waits goes on waiting; whoever was told of the end can wait again.
        """
        with self._lock:
            before, self._attempt = self._attempt, _Attempt(mode=mode or self.mode, after=self._worker)
            self.status, self.error, self._session, self.form = "starting", None, None, None
            if self._asked.done():
                self._asked = Future()
            if self._ended.done():
                self._ended = Future()
            self._worker = self._start_worker(self._attempt)
        before.wake.set()
        self._tell()

    def submit_redirect(self, address: str) -> None:
        """Take the address a browser ended on, where it could not reach this machine: all of it, from the bar.

        Raises `LoginFailed` if it is not the answer to this sign-in.
        """
        asked = parse_qs(urlsplit(self.verification().uri).query)
        if "redirect_uri" not in asked:
            raise LoginFailed(
                "invalid_request", "This sign-in takes no address: it waits for a code to be entered."
            )
        hand_over(address, asked["redirect_uri"][0])

    def submit_form(self, answers: Mapping[str, str]) -> None:
        """Send what was filled into ``form``: a text for each field. What becomes of it is the next state."""
        self._attempt.answers = dict(answers)
        self._attempt.wake.set()

    def watch(self, watcher: Callable[[Login], None]) -> None:
        """Call ``watcher`` with this login now, and at each change of status from the thread that makes it."""
        self._watchers.append(watcher)
        watcher(self)

    def _ipython_display_(self) -> None:
        if self._view is None:
            print(repr(self))  # noqa: T201 - what a cell shows of an object without a view
        else:
            self._view.open(self)
            self.watch(self._view.update)

    async def _attend(self) -> Session:
        try:
            with self._shown():
                if self._view is not None:
                    await asyncio.shield(asyncio.wrap_future(self._asked))
                    self._view.update(self)
                await asyncio.shield(asyncio.wrap_future(self._ended))
        except asyncio.CancelledError:
            self.cancel()
            raise
        return self._result()

    @contextmanager
    def _shown(self) -> Iterator[None]:
        """The view, if any, open while somebody waits and up to date after."""
        if self._view is None:
            yield
            return
        self.awaited = True
        self._view.open(self)
        try:
            yield
        finally:
            self.awaited = False
            self._view.update(self)

    def _result(self) -> Session:
        if self._session is not None:
            return self._session
        if self.error is None:
            raise RuntimeError("the result of a sign-in that goes on")
        # Without its traceback: the worker's frames are no business of the cell's
        raise self.error.with_traceback(None)

    def _start_worker(self, attempt: _Attempt) -> threading.Thread:
        worker = threading.Thread(target=self._work, args=(attempt,), name="authnb-login", daemon=True)
        worker.start()
        return worker

    def _work(self, attempt: _Attempt) -> None:
        if attempt.after is not None:
            attempt.after.join()
        try:
            session = self._signed_in_before() or self._sign_in(attempt)
        except AuthnbError as error:
            error.__context__ = None
            self._end(attempt, "failed", error=error)
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not leave anybody waiting
            self._end(attempt, "failed", error=_unexpected(error))
        else:
            self._end(attempt, "signed_in", session=session)

    def _signed_in_before(self) -> Session | None:
        """A session for a sign-in that was kept and still holds, renewed if need be."""
        kept = None if self.sign_up else self._kept()
        if kept is None:
            return None
        client = self._connect(kept.provider)
        if not set(client.scope.split()) <= set(kept.scope.split()):
            return None
        self.client = client
        session = self._open_session(client, kept.token)
        try:
            session.ensure_active_token()
        except LoginRequired:
            return None
        self.remembered = True
        return session

    def _kept(self) -> SignIn | None:
        try:
            return self._storage.load(self.account)
        except StorageError as error:
            if error.error != "corrupt":
                raise
            return None  # signing in again replaces it

    def _sign_in(self, attempt: _Attempt) -> Session:
        client = self.client = self._connect(None)
        self.modes = self._modes(client)
        self.mode = mode = attempt.mode or self.modes[0]
        flow = self._flow(client, mode, attempt.wake.set)
        token = drive(
            flow,
            lambda verification: self._ask(attempt, verification),
            lambda wait: self._sleep(attempt, wait),
            lambda form: self._fill(attempt, form),
        )
        if self._is_current(attempt):
            self._keep(SignIn(token=token, provider=client.provider, scope=client.scope))
        return self._open_session(client, token)

    def _keep(self, sign_in: SignIn) -> None:
        try:
            self._storage.save(self.account, sign_in)
        except StorageError as error:
            self.not_stored = error  # whoever just signed in is not sent back for that

    def _open_session(self, client: Client, token: Token) -> Session:
        return Session.signed_in(client, token, account=self.account, storage=self._storage, api=self._api)

    def _is_current(self, attempt: _Attempt) -> bool:
        return attempt is self._attempt and self.status in {"starting", "waiting"}

    def _ask(self, attempt: _Attempt, verification: Verification) -> None:
        with self._lock:
            if not self._is_current(attempt):
                return
            self.status = "waiting"
            self.created, self.form = self.form is not None, None
            self._asked.set_result(verification)
        self._tell()

    def _fill(self, attempt: _Attempt, form: Form) -> Mapping[str, str] | None:
        with self._lock:
            if not self._is_current(attempt):
                return None
            self.status, self.form = "waiting", form
        self._tell()
        while attempt.answers is None:
            if self._sleep(attempt, None):
                return None
        answers, attempt.answers = attempt.answers, None
        return answers

    def _sleep(self, attempt: _Attempt, seconds: float | None) -> bool:
        if self._is_current(attempt):
            attempt.wake.wait(seconds)
            attempt.wake.clear()
        return not self._is_current(attempt)

    def _end(
        self,
        attempt: _Attempt,
        status: str,
        *,
        session: Session | None = None,
        error: AuthnbError | None = None,
    ) -> None:
        with self._lock:
            if not self._is_current(attempt):
                return
            self.status, self._session, self.error, self.form = status, session, error, None
            if not self._asked.done():
                self._asked.set_result(None)
            self._ended.set_result(None)
        self._tell()

    def _tell(self) -> None:
        for watcher in tuple(self._watchers):
            watcher(self)


def _unexpected(error: Exception) -> AuthnbError:
    """Where it happened, not what was said: the text of a foreign error may hold anything."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return AuthnbError(
        "unexpected",
        f"The sign-in stopped at a mistake in authnb or a library: {type(error).__name__} in {last.name}, line "
        f"{last.lineno} of {Path(last.filename).name}. Please report it.",
    )
