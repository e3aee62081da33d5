"""The state of a sign-in: what views show of it, and what its attempts report."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from authnb.compat import register_fork_aware
from authnb.errors import LoginFailed
from authnb.oauth.scope import not_granted
from authnb.signin.hosts import add_issuer, display_host

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

    from authnb.errors import AuthnbError, StorageError
    from authnb.flows.steps import Form, Verification
    from authnb.oauth.client import Client
    from authnb.session.session import Session
    from authnb.session.step_up import StepUp
    from authnb.signin.environment import FrontEnd
    from authnb.signin.modes import ModeChoice
    from authnb.signin.plan import SignInPlan
    from authnb.signin.view import View
    from authnb.storage.base import Account

_FORKED = (
    "The sign-in goes on in the process that began it. This one was forked from it: sign in here, or before."
)


class LoginState:
    """The attributes of `authnb.signin.login.Login`, and what changes them.

    The methods from `is_current` to `on_ended` are called by an `authnb.signin.attempt.Attempt`, on its thread; reports
    of all but the current attempt are ignored.
    """

    def __init__(
        self, plan: SignInPlan, view: View[Any] | None, choices: Mapping[str, SignInPlan] | None
    ) -> None:
        self.account: Account = plan.account
        self.client: Client | None = None
        self.choices: dict[str, SignInPlan] = dict(choices or {})  # providers to choose from, by display name
        self.status: str = "choosing" if self.choices else "starting"
        self.error: AuthnbError | None = None
        self.mode: str | None = None
        self.modes: tuple[str, ...] = ()
        self.reason: str = ""
        self.provenance: tuple[str, ...] = ()  # who vouches for whom, in sentences, where not all was named
        self.pending: str = ""
        self.front_end: FrontEnd | None = None  # as reported by the panel
        self.loopback_reached: bool | None = None  # whether the browser reached the loopback listener
        self.answered: bool = False  # whether a front end answered the view
        self.shown_since: float | None = None  # monotonic time at which a view opened
        self.awaited: bool = False
        self.blocks_thread: bool = False  # whether the caller waits synchronously
        self.sign_up: bool = plan.sign_up  # whether to create an account first
        self.step_up: StepUp | None = plan.step_up  # what the person of a session is asked for besides
        self.asked_by: str = ""  # the API whose refusal of a call offered a step-up
        self.offered_until: float = 0.0  # monotonic time at which that offer ends
        self.form: Form | None = None
        self.created: bool = False
        self.unconfirmed: Mapping[str, Any] | None = None  # claims of who signed in, until it is confirmed
        self.remembered: bool = False  # whether a stored sign-in was used
        self.not_stored: StorageError | None = None  # why the sign-in could not be stored
        self.leaves_session: bool = False  # whether a session that the caller may have stays signed out
        self._plan, self._view = plan, view
        for each in (plan, *self.choices.values()):
            add_issuer(each.account.issuer)
        self._confirmed = False
        self._session: Session | None = None
        self._given: tuple[Session, Account, object] | None = None  # the latest session, and whose it is
        self._verification: Future[Verification | None] = Future()  # None if no person is needed
        self._finished: Future[None] = Future()
        self._lock = threading.Lock()
        self._observers: list[Callable[[Any], None]] = []
        self._attempt: object = None  # the current one
        register_fork_aware(self)

    def after_fork(self) -> None:
        """Cancel a sign-in in progress in a forked process: its thread and its listener are the parent's."""
        self._lock = threading.Lock()
        self._observers.clear()
        if self.is_current(self._attempt):
            self._verification, self._finished = Future(), Future()
            self.on_ended(self._attempt, "cancelled", error=LoginFailed("cancelled", _FORKED))

    @property
    def host(self) -> str:
        """The provider's host name, for display; with its port where two providers of this process share it."""
        return display_host(self.client.provider.issuer if self.client else self.account.issuer)

    @property
    def not_granted(self) -> tuple[str, ...]:
        """The scope tokens that were requested and, by the token response, not granted (RFC 6749 section 5.1)."""
        session, client = self._session, self.client
        token = None if session is None else session.token
        return () if token is None or client is None else not_granted(token, client.scope)

    def observe(self, observer: Callable[[Self], None]) -> None:
        """Call ``observer`` with this login now, and on each change of status, on the thread that makes it."""
        self._observers.append(observer)
        observer(self)

    def _take_plan(self, plan: SignInPlan) -> None:
        """Sign in by this plan from the next attempt on."""
        self._plan = plan
        self.account, self.client, self.modes = plan.account, None, ()

    def _take_report(self, report: Mapping[str, Any]) -> None:
        """Take the panel's report of its front end, unless it is invalid."""
        with suppress(ValueError):
            self.front_end = self._plan.read_front_end(report)

    def _take_loopback_report(self, *, reached: bool) -> None:
        self.loopback_reached = reached

    def _begin(self, attempt: object, status: str) -> None:
        """Make this attempt the current one. Called with the lock held."""
        self._attempt = attempt
        self.status, self.error, self._session, self.form = status, None, None, None
        self.pending = ""
        self.unconfirmed, self._confirmed = None, False
        if self._verification.done():
            self._verification = Future()
        if self._finished.done():
            self._finished = Future()

    def _open_view(self, view: View[Any]) -> object:
        self.shown_since = time.monotonic()
        return view.open(self)

    def is_current(self, attempt: object) -> bool:
        """Whether this attempt is still wanted."""
        return attempt is self._attempt and self.status in {"starting", "choosing", "waiting"}

    def on_choices(self, attempt: object, choices: Mapping[str, SignInPlan]) -> None:
        """The API names several providers, and the person has to choose."""
        with self._lock:
            if not self.is_current(attempt):
                return
            self.status, self.choices = "choosing", dict(choices)
            self.provenance = next(iter(choices.values())).provenance(None)
        self._notify()

    def on_connected(
        self,
        attempt: object,
        client: Client,
        choice: ModeChoice | None,
        choices: tuple[ModeChoice, ...],
        provenance: tuple[str, ...] = (),
    ) -> None:
        """The provider's metadata is loaded and the mode chosen; ``choice`` is None if no person is needed.

        ``provenance``: who vouches for whom, in sentences.
        """
        add_issuer(client.provider.issuer)
        with self._lock:
            if self.is_current(attempt):
                self.provenance = provenance
                self.client, self.modes = client, tuple(each.mode for each in choices)
                self.mode, self.reason = (choice.mode, choice.reason) if choice else (None, "")

    def on_pending(self, attempt: object, reason: str) -> None:
        """The person cannot sign in yet, for this reason."""
        with self._lock:
            if not self.is_current(attempt) or self.pending == reason:
                return
            self.pending = reason
        self._notify()

    def on_verification(self, attempt: object, verification: Verification) -> None:
        """The person has to open a URL: the first of an attempt, or the latest, as that before expires."""
        with self._lock:
            if not self.is_current(attempt):
                return
            if self.status != "waiting" or self.form is not None:
                self.created, self.form = self.form is not None, None
            self.status, self.pending = "waiting", ""
            latest: Future[Verification | None] = self._verification
            if (
                latest.done()
            ):  # of a client that the provider did not know, or of a pushed request that expires
                latest = Future()
            latest.set_result(verification)
            self._verification = latest
        self._notify()

    def on_form(self, attempt: object, form: Form) -> None:
        """The person has to fill in a form."""
        with self._lock:
            if not self.is_current(attempt):
                return
            self.status, self.form = "waiting", form
        self._notify()

    def accepts(self, attempt: object, user: Mapping[str, Any]) -> bool | None:
        """Whether to use the sign-in of this user; None while the person is asked."""
        with self._lock:
            if not self.is_current(attempt):
                return False
            if self.unconfirmed is None:
                if self._view is None or not self._view.must_ask():
                    return True
                self.unconfirmed = dict(user)
            elif self._confirmed:
                return True
        self._notify()
        return None

    def on_ended(
        self,
        attempt: object,
        status: str,
        *,
        session: Session | None = None,
        error: AuthnbError | None = None,
        remembered: bool = False,
        not_stored: StorageError | None = None,
    ) -> None:
        """The attempt ended."""
        with self._lock:
            if not self.is_current(attempt):
                return
            if session is not None:
                session = self._same_session(session, remembered=remembered)
            self.status, self._session, self.error, self.form = status, session, error, None
            self.pending, self.unconfirmed = "", None
            self.remembered, self.not_stored = remembered, not_stored
            if not self._verification.done():
                self._verification.set_result(None)
            self._finished.set_result(None)
        if session is not None:
            kind, auth = "sign-in" if self.step_up is None else "step-up", session.owner.token_auth
            auth.on_sign_out[kind] = self._notify
            auth.on_login_required[kind] = lambda error: self._on_login_required(session, error)
        self._notify()

    def _same_session(self, new: Session, *, remembered: bool) -> Session:
        """The session that the caller has of this login, signed in again, if the same person signed in; else the new.

        One that works is left as it is where no person was asked.
        """
        before, renewer = self._given, new.token_auth.renewer
        account = self.account if renewer is None else renewer.account
        self._given, self.leaves_session = (new, account, (new.user or {}).get("sub")), False
        if before is None or before[0] is new:
            return new
        session, *whose = before
        if whose != [*self._given[1:]] or before[2] is None:
            self.leaves_session = not session.signed_in
            return new
        if not (remembered and session.signed_in):
            session.sign_in_again(new)
        self._given = before
        return session

    def _on_login_required(self, session: Session, error: AuthnbError) -> None:
        """The session cannot be renewed: the view offers a new sign-in."""
        with self._lock:
            if self._session is not session or self.status != "signed_in":
                return
            self.status, self._session, self.error = "failed", None, error
        self._notify()

    def _notify(self) -> None:
        for observer in tuple(self._observers):
            observer(self)
