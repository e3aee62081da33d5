"""A sign-in in progress: its state, waiting for it, and input from the person. Views display it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NoReturn

from authnb.errors import LoginFailed, LoginRequired
from authnb.flows.inbox import accepts_redirect
from authnb.messages import N_, gettext, sentences
from authnb.signin.attempt import Attempt
from authnb.signin.presence import ANSWER_TIMEOUT, interaction_required
from authnb.signin.state import LoginState
from authnb.signin.waiting import await_end, await_result, displayed, end

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from authnb.errors import AuthnbError
    from authnb.flows.steps import Verification
    from authnb.session.session import Session
    from authnb.signin.plan import SignInPlan
    from authnb.signin.view import View

_CANCELLED = N_("The sign-in was cancelled. Sign in again, if that was not meant.")


class Login(LoginState):
    """A sign-in in progress: awaitable, displayable, cancellable. Returned, already started, by `authnb.login`.

    ``status``: ``starting``, then ``waiting`` (for the person), then ``signed_in``, ``failed`` or ``cancelled``;
    ``choosing`` first if there are several ``choices``. ``mode``: how the person signs in; ``reason``: why, in a
    sentence; ``modes``: those available, known once it waits. ``pending``: why the person cannot sign in yet, in a
    sentence. ``awaited``: whether a cell or script waits for it.
    For a sign-up, ``form``: the form to fill in; ``created``: whether that created an account.
    """

    def __init__(
        self,
        plan: SignInPlan,
        *,
        view: View[Login] | None = None,
        choices: Mapping[str, SignInPlan] | None = None,
    ) -> None:
        super().__init__(plan, view, choices)
        self._attempt: Attempt = Attempt(plan, self, mode=None, previous=None)
        if not self.choices:
            self._attempt.start()

    def __repr__(self) -> str:
        return f"<Login at {self.account.issuer}: {self.status}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A sign-in under way is not pickled. Pickle login.session, signed in with remember=True."
        )

    @property
    def session(self) -> Session:
        """The session. Raises `LoginRequired` while nobody is signed in, so that Run All stops."""
        if self._session is not None:
            return self._session
        if isinstance(self.error, LoginRequired):
            raise self.error.with_traceback(None)
        if self.error is not None:
            nobody = gettext("Nobody is signed in.") if self.step_up is None else ""
            raise LoginRequired("login_required", sentences(nobody, self.error.description))
        raise LoginRequired(
            "login_required",
            gettext("Nobody is signed in yet. Finish the sign-in, then run this cell again."),
        )

    def verification(self, timeout: float | None = 10) -> Verification:
        """The URL to open and the user code to enter; waits until they are known.

        Raises the error that ended the sign-in, `LoginFailed` if a stored sign-in was used, and `LoginTimeout`
        after ``timeout`` seconds.
        """
        verification = await_result(self, self._verification, timeout)
        if verification is not None:
            return verification
        if self.error is not None:
            raise self.error.with_traceback(None)
        raise LoginFailed("not_needed", "There is no address to open: the sign-in was remembered.")

    def wait(self, timeout: float | None = None) -> Session:
        """Wait for the session, in a script. An interrupt (Ctrl-C) cancels the sign-in.

        Raises the error that ended the sign-in, or `LoginTimeout` after ``timeout`` seconds; then it continues.
        """
        with displayed(self, self._view, KeyboardInterrupt, blocks_thread=True):
            await_end(self, self._view, self._finished, timeout)
        return self._result()

    def __getattr__(self, name: str) -> NoReturn:
        message = f"'Login' object has no attribute {name!r}"
        if not name.startswith("_"):
            message += (
                ". It is the sign-in; the session is what you get by waiting for it: api = await authnb.login(…), or "
                "in a script api = authnb.login(…).wait()."
            )
        raise AttributeError(message)

    def __await__(self) -> Generator[Any, None, Session]:
        return self._attend().__await__()

    def cancel(self) -> None:
        """Cancel the sign-in and free its port; whoever waits gets `LoginFailed`. Does nothing once it has ended."""
        self._end("cancelled", LoginFailed("cancelled", gettext(_CANCELLED)))

    def fail(self, error: AuthnbError) -> None:
        """End the sign-in with this error, for a view in which it cannot go on. Does nothing once it has ended."""
        self._end("failed", error)

    def _end(self, status: str, error: AuthnbError) -> None:
        attempt = self._attempt
        self.on_ended(attempt, status, error=error)
        attempt.wake()

    def end_offer(self) -> None:
        """End an offer to ask for more that nobody took up in its time; does nothing to any other sign-in."""
        if self.asked_by and self.status == "choosing" and time.monotonic() >= self.offered_until:
            self.fail(
                LoginFailed(
                    "expired_token", "Nobody answered in time. Try again, or run the cell with the call."
                )
            )

    def fail_unanswered(self, why: str) -> bool:
        """End it as an unattended run if a caller waits, and only an answer would have shown that a person is there.

        ``why``: why none came, in sentences. False where no caller waits, or there is other evidence.
        """
        if self.answered or not self.awaited or not self._plan.needs_answer:
            return False
        self.fail(interaction_required(f"no front end answered within {ANSWER_TIMEOUT:.0f} seconds. {why}"))
        return True

    def start_over(self, mode: str | None = None) -> None:
        """Start a new attempt, optionally in another of ``modes``.

        A caller that waits keeps waiting; one that got an error can wait again.
        """
        if self.status != "choosing":
            other = self.error is not None and self.error.error == "other_person"
            self._restart(mode or self.mode, select_account=other)

    def switch_account(self) -> None:
        """Log out of this session and sign in again, at a page that asks which account to use."""
        if self._session is not None and self.step_up is None:
            self._session.logout()
        self._restart(self.mode, select_account=True)

    def choose(self, name: str | None = None) -> None:
        """Sign in at this one of ``choices``; without a name, ask again. `ValueError` for an unknown name."""
        if name is None and self.choices:
            self._restart(None, "choosing")
            return
        if name not in self.choices:
            raise ValueError(f"{name!r} is none of {', '.join(map(repr, self.choices))}")
        self._take_plan(self.choices[name])
        self._restart(None)

    def report(self, report: Mapping[str, Any]) -> None:
        """Take the panel's report of its front end; ignored unless it names a valid Jupyter server."""
        self._take_report(report)
        self._attempt.wake()

    def report_loopback(self, *, reached: bool) -> None:
        """Take whether the browser reached the loopback listener; if not, ``mode="auto"`` falls back to another."""
        self._take_loopback_report(reached=reached)
        automatic = self._plan.auto and self._attempt.mode is None
        if not reached and automatic and self.mode == "loopback" and self.status == "waiting":
            self._restart(None)

    def report_return(self) -> None:
        """The person came back from the provider's page while the sign-in waits: its address may be used up."""
        self._attempt.inbox.address_used = True
        self._attempt.wake()

    def refused_redirect(self) -> str | None:
        """The redirect URI, if the provider rejects it; makes a request to find out, unless one was pushed with it."""
        client, address = self.client, self._attempt.inbox.redirect_uri
        if client and client.provider.pushed_authorization_request_endpoint:
            return None
        return address if client and address and accepts_redirect(client, address) is False else None

    def _restart(self, mode: str | None, status: str = "starting", *, select_account: bool = False) -> None:
        with self._lock:
            previous = self._attempt
            attempt = Attempt(self._plan, self, mode=mode, previous=previous, select_account=select_account)
            self._begin(attempt, status)
        if status == "starting":
            attempt.start()
        previous.wake()
        self._notify()

    def submit_redirect(self, address: str) -> None:
        """Take the URL on which the browser ended, copied from its address bar (``mode="paste"``).

        Raises `LoginFailed` if it is not the callback of this sign-in.
        """
        self.verification()
        self._attempt.inbox.submit(address)

    def submit_form(self, answers: Mapping[str, str]) -> None:
        """Submit the answers to ``form``, a string for each field; the outcome is the next state."""
        self._attempt.answer(dict(answers))

    def confirm(self) -> None:
        """Use the sign-in of ``unconfirmed``, which another page may have finished; `start_over` refuses it."""
        self._confirmed = self.unconfirmed is not None
        self._attempt.wake()

    def _ipython_display_(self) -> None:
        if self._view is None:
            print(repr(self))  # noqa: T201 - the plain output of a cell
        else:
            self._open_view(self._view)

    def _display_(self) -> object:
        """What a marimo cell that ends with it displays."""
        if self._view is None:
            return repr(self)
        return self._open_view(self._view)

    async def _attend(self) -> Session:
        import asyncio  # noqa: PLC0415 - already loaded where something awaits

        # The latter where the view opens or reads input
        with displayed(self, self._view, asyncio.CancelledError, KeyboardInterrupt, blocks_thread=False):
            await end(self, self._view, self._finished)
        return self._result()

    def _result(self) -> Session:
        if self._session is not None:
            return self._session
        if self.error is None:
            raise RuntimeError("no result: the sign-in has not ended")
        # Without its traceback: the frames of the attempt's thread hold secrets
        raise self.error.with_traceback(None)
