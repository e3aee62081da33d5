"""A sign-in as its caller sees it: its state, ways to wait for it, what a person hands in. It shows nothing."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from authnb.attempt import Attempt
from authnb.callbacks import accepts_redirect
from authnb.errors import LoginFailed, LoginRequired

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from authnb.attempt import Plan
    from authnb.client import Client
    from authnb.errors import AuthnbError, StorageError
    from authnb.flows import Form, Verification
    from authnb.place import FrontEnd
    from authnb.session import Session
    from authnb.ways import Way

_LOOKING = 0.2  # seconds
_CANCELLED = "The sign-in was cancelled. Run the cell again to sign in."


class View(Protocol):
    """Shows a `Login`. Its methods are called in the thread of the cell or script that shows or awaits it.

    ``shows_forms`` says whether a person can fill in a `Form` there.
    """

    shows_forms: bool

    def open(self, login: Login) -> None:
        """Begin to show."""

    def update(self, login: Login) -> None:
        """Show where the sign-in is now."""

    def choose(self, login: Login) -> str | None:
        """Ask which of the ``choices`` it is to be, and wait for that; None if the answer comes otherwise."""

    def listen(self, login: Login) -> None:
        """Take in what the person types, if this is the place for it, until the sign-in ends."""


class Login:
    """A sign-in under way: awaitable, displayable, cancellable.

    ``status`` is ``starting``, then ``waiting`` (for the person), then ``signed_in``, ``failed`` or
    ``cancelled``; where there are several ``choices``, ``choosing`` first.
    ``mode`` is how the person signs in, ``why`` the reason in a sentence, and ``modes`` are the
    ways that work, known once it waits; ``awaited`` says whether a cell or script waits for the end. For a
    sign-up, ``form`` is what is to be filled in now, and ``created`` whether that made an account.
    `authnb.login` makes one; it starts at once.
    """

    def __init__(
        self, plan: Plan, *, view: View | None = None, choices: Mapping[str, Plan] | None = None
    ) -> None:
        self.account = plan.account
        self.client: Client | None = None
        self.status = "starting"
        self.error: AuthnbError | None = None
        self.mode: str | None = None
        self.modes: tuple[str, ...] = ()
        self.why = ""
        self.front_end: FrontEnd | None = None  # as the panel reported it
        self.reached: bool | None = None  # whether the browser reached our listener
        self.shown: float | None = None  # since when, by the monotonic clock, a view is open
        self.awaited = False
        self.blocks = False  # whether whoever waits keeps the thread for that
        self.choices = dict(choices or {})  # what to sign in at, by the name it is shown under
        self.sign_up = plan.sign_up  # whether an account is to be created first
        self.form: Form | None = None
        self.created = False
        self.remembered = False  # whether nobody had to be asked
        self.not_stored: StorageError | None = None  # why this sign-in will not be remembered
        self._plan, self._view = plan, view
        self._session: Session | None = None
        self._asked: Future[Verification | None] = Future()  # done once the person is asked, or never will be
        self._over: Future[None] = Future()
        self._lock = threading.Lock()
        self._watchers: list[Callable[[Login], None]] = []
        self._attempt = Attempt(plan, self, mode=None, after=None)
        if self.choices:
            self.status = "choosing"
        else:
            self._attempt.start()

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
            with self._shown(blocks=True):
                if self._view is not None:
                    self._asked.result(timeout)
                    self._view.update(self)
                    self._view.listen(self)
                self._over.result(None if deadline is None else max(0.0, deadline - time.monotonic()))
        except KeyboardInterrupt:
            self.cancel()
            raise
        return self._result()

    def __await__(self) -> Generator[Any, None, Session]:
        return self._attend().__await__()

    def cancel(self) -> None:
        """Give up: at once for whoever waits, and the port is freed. Does nothing after the end."""
        attempt = self._attempt
        self.ended(attempt, "cancelled", error=LoginFailed("cancelled", _CANCELLED))
        attempt.wake()

    def start_over(self, mode: str | None = None) -> None:
        """Begin anew, perhaps in another of ``modes``.

        Whoever waits goes on waiting; whoever was told of the end can wait again.
        """
        if self.status != "choosing":
            self._begin_anew(mode or self.mode)

    def choose(self, name: str | None = None) -> None:
        """Sign in at this one of ``choices``; without a name, ask again which. `ValueError` if there is none such."""
        if name is None and self.choices:
            self._begin_anew(None, "choosing")
            return
        if name not in self.choices:
            raise ValueError(f"{name!r} is none of {', '.join(map(repr, self.choices))}")
        self._plan = self.choices[name]
        self.account, self.client, self.modes = self._plan.account, None, ()
        self._begin_anew(None)

    def report(self, report: Mapping[str, Any]) -> None:
        """What the panel says of the page it is shown on; ignored unless it is the address of a Jupyter server."""
        with suppress(ValueError):
            self.front_end = self._plan.read_front_end(report)
        self._attempt.wake()

    def report_reached(self, *, reached: bool) -> None:
        """Whether the person's browser reached our listener. If not, and nobody chose it, another way is taken."""
        self.reached = reached
        by_evidence = self._plan.auto and self._attempt.mode is None
        if not reached and by_evidence and self.mode == "loopback" and self.status == "waiting":
            self._begin_anew(None)

    def refused_redirect(self) -> str | None:
        """The redirect address, if the provider says that it sends no answer there; asks it, so it takes a while."""
        client, address = self.client, self._attempt.inbox.redirect_uri
        return address if client and address and accepts_redirect(client, address) is False else None

    def _begin_anew(self, mode: str | None, status: str = "starting") -> None:
        with self._lock:
            before = self._attempt
            self._attempt = Attempt(self._plan, self, mode=mode, after=before)
            self.status, self.error, self._session, self.form = status, None, None, None
            if self._asked.done():
                self._asked = Future()
            if self._over.done():
                self._over = Future()
            if status == "starting":
                self._attempt.start()
        before.wake()
        self._tell()

    def submit_redirect(self, address: str) -> None:
        """Take the address a browser ended on, where it could not reach this machine: all of it, from the bar.

        Raises `LoginFailed` if it is not the answer to this sign-in.
        """
        self.verification()
        self._attempt.inbox.submit(address)

    def submit_form(self, answers: Mapping[str, str]) -> None:
        """Send what was filled into ``form``: a text for each field. What becomes of it is the next state."""
        self._attempt.answer(dict(answers))

    def watch(self, watcher: Callable[[Login], None]) -> None:
        """Call ``watcher`` with this login now, and at each change of status from the thread that makes it."""
        self._watchers.append(watcher)
        watcher(self)

    def _ipython_display_(self) -> None:
        if self._view is None:
            print(repr(self))  # noqa: T201 - what a cell shows of an object without a view
        else:
            self.shown = time.monotonic()
            self._view.open(self)
            self.watch(self._view.update)

    async def _attend(self) -> Session:
        import asyncio  # noqa: PLC0415 - whoever awaits has loaded it; a script need not

        try:
            with self._shown(blocks=False):
                if self._view is not None:
                    await _done(self._asked)
                    self._view.update(self)
                    self._view.listen(self)
                await _done(self._over)
        except asyncio.CancelledError:
            self.cancel()
            raise
        return self._result()

    @contextmanager
    def _shown(self, *, blocks: bool) -> Iterator[None]:
        """The view, if any, open while somebody waits and up to date after."""
        if self._view is None:
            yield
            return
        self.awaited, self.blocks, self.shown = True, blocks, time.monotonic()
        self._view.open(self)
        try:
            if self.status == "choosing" and (name := self._view.choose(self)) is not None:
                self.choose(name)
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

    def is_current(self, attempt: Attempt) -> bool:
        """Whether this try goes on; `authnb.attempt` asks, as it tells what follows here."""
        return attempt is self._attempt and self.status in {"starting", "choosing", "waiting"}

    def connected(self, attempt: Attempt, client: Client, way: Way | None, ways: tuple[Way, ...]) -> None:
        """The provider is known, and the ways to sign in there."""
        with self._lock:
            if self.is_current(attempt):
                self.client, self.modes = client, tuple(way.mode for way in ways)
                self.mode, self.why = (way.mode, way.why) if way else (None, "")

    def asked(self, attempt: Attempt, verification: Verification) -> None:
        """An address is to be opened."""
        with self._lock:
            if not self.is_current(attempt):
                return
            self.status = "waiting"
            self.created, self.form = self.form is not None, None
            self._asked.set_result(verification)
        self._tell()

    def asked_to_fill(self, attempt: Attempt, form: Form) -> None:
        """A form is to be filled in."""
        with self._lock:
            if not self.is_current(attempt):
                return
            self.status, self.form = "waiting", form
        self._tell()

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
        """It is over, one way or the other."""
        with self._lock:
            if not self.is_current(attempt):
                return
            self.status, self._session, self.error, self.form = status, session, error, None
            self.remembered, self.not_stored = remembered, not_stored
            if not self._asked.done():
                self._asked.set_result(None)
            self._over.set_result(None)
        if session is not None:
            session.token_auth.given_up = self._tell
        self._tell()

    def _tell(self) -> None:
        for watcher in tuple(self._watchers):
            watcher(self)


async def _done(future: Future[Any]) -> None:
    """Wait for it, awake now and then: ipykernel's handler of an interrupt does not wake the event loop."""
    import asyncio  # noqa: PLC0415 - whoever awaits has loaded it; a script need not

    waiting = asyncio.wrap_future(future)
    while not (await asyncio.wait([waiting], timeout=_LOOKING))[0]:
        pass
