"""One attempt to sign in, on a thread of its own: resume the stored sign-in, else run a flow and store its token."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from authnb.errors import (
    AuthnbError,
    LoginFailed,
    LoginRequired,
    ProviderError,
    StorageError,
    unexpected_error,
)
from authnb.flows.inbox import Inbox
from authnb.flows.steps import drive
from authnb.storage.base import MemoryStorage, SignIn, registered_client

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from authnb.flows.steps import Form, Verification
    from authnb.oauth.client import Client
    from authnb.oauth.responses import Token
    from authnb.session.session import Session
    from authnb.session.step_up import StepUp
    from authnb.signin.modes import ModeChoice
    from authnb.signin.plan import SignInPlan
    from authnb.signin.state import LoginState
    from authnb.storage.base import TokenStorage

_CONFIRMATION_TIMEOUT = 120.0  # seconds
_POLL_INTERVAL = 0.25  # seconds between checks for the front end's report
# Errors of this client with this mode: another mode may work
_TRY_ANOTHER_MODE = {
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_metadata",
    "registration_refused",
}


class Attempt:
    """One attempt, begun by `start`. ``mode``: None for the best; ``previous``: the attempt it replaces and awaits.

    ``select_account``: whether the person asked to use another account; then a stored sign-in is not used.
    """

    def __init__(
        self,
        plan: SignInPlan,
        observer: LoginState,
        *,
        mode: str | None,
        previous: Attempt | None,
        select_account: bool = False,
    ) -> None:
        self._plan, self._observer = plan, observer
        self.mode: str | None = mode
        self._previous = previous
        self._select_account = select_account
        self._wake = threading.Event()
        self.inbox: Inbox = Inbox(self.wake)
        self._prompted = False
        self._form_answers: Mapping[str, str] | None = None  # until they are sent
        self._not_stored: StorageError | None = None
        self._thread = threading.Thread(target=self._run, name="authnb-login", daemon=True)

    def start(self) -> None:
        """Start the thread; if the system refuses one, the attempt has failed."""
        try:
            self._thread.start()
        except RuntimeError as error:
            self._observer.on_ended(self, "failed", error=unexpected_error("The sign-in", error))

    def join(self) -> None:
        """Wait until it has ended, or, if it never started, until the previous attempt has."""
        if self._thread.ident is not None:
            self._thread.join()
        elif self._previous is not None:
            self._previous.join()

    def wake(self) -> None:
        """Wake the thread: there is input, or the attempt was replaced or cancelled."""
        self._wake.set()

    def answer(self, answers: Mapping[str, str]) -> None:
        """Submit the answers to the form."""
        self._form_answers = answers
        self._wake.set()

    def _run(self) -> None:
        if self._previous is not None:
            self._previous.join()
            self._previous = None
        try:
            session = self._resume()
            remembered = session is not None
            if session is None and not self._discover():
                return  # until the person has chosen, which begins another attempt
            session = session or self._sign_in()
        except AuthnbError as error:
            error.__context__ = None
            self._observer.on_ended(self, "failed", error=error)
        except Exception as error:  # noqa: BLE001 - whoever waits must get an error, even for a bug
            self._observer.on_ended(self, "failed", error=unexpected_error("The sign-in", error))
        else:
            self._observer.on_ended(
                self,
                "signed_in",
                session=session,
                remembered=remembered,
                not_stored=None if remembered else self._not_stored,
            )

    def _resume(self) -> Session | None:
        """A session for the stored sign-in, renewed if it expires soon; None if a new sign-in is needed.

        In an unattended run a refused sign-in is renewed once more: nobody is there to sign in anew. Raises
        `ProviderError` for a transient failure.
        """
        plan = self._plan
        if plan.step_up is not None:
            return self._resume_step_up(plan.step_up)
        new = plan.sign_up or plan.unattended_token or self._select_account
        stored, storage = (None, plan.storage) if new else self._load()
        if stored is None or (stored.refused and plan.interactive):
            return None
        client = plan.resume(stored)
        if not set(client.scope.split()) <= set(stored.scope.split()):
            return None
        if client.dpop not in {None, stored.token.dpop_key is not None}:
            return None
        self._observer.on_connected(self, client, None, ())
        session = self._open_session(client, stored.token, storage=storage)
        try:
            if stored.refused and (renewer := session.token_auth.renewer) is not None:
                session.token_auth.renew(session.token, renewer)
            session.ensure_active_token()
        except (LoginRequired, ProviderError, StorageError) as error:
            replaceable = plan.interactive or isinstance(error, LoginRequired)
            transient = isinstance(error, ProviderError) and error.is_transient
            if transient or not replaceable:
                raise
            return None
        return session

    def _resume_step_up(self, step_up: StepUp) -> Session | None:
        """The session, if it has already what is asked for; unless the person asked to use another account."""
        if self._select_account:
            return None
        session: Session | None = step_up.granted_session()
        if session is not None:
            self._observer.on_connected(self, step_up.client(), None, ())
        return session

    def _load(self) -> tuple[SignIn | None, TokenStorage]:
        """The stored sign-in, and the storage that has it.

        A person can sign in where the storage cannot be used: the sign-in is kept in memory then, and says why.
        """
        plan = self._plan
        try:
            if (stored := plan.storage.load(plan.account)) is not None:
                return stored, plan.storage
        except StorageError as error:
            if error.error != "corrupt":  # else signing in again replaces it
                if not plan.interactive:
                    raise
                self._not_stored = error
        kept = plan.fallback.load(plan.account)
        if kept is None or (self._not_stored is None and self._can_store()):
            return None, plan.storage
        return kept, plan.fallback

    def _can_store(self) -> bool:
        try:
            with self._plan.storage.lock(self._plan.account):
                return True
        except StorageError:
            return False

    def _discover(self) -> bool:
        """Find the provider where the caller named none; False if the person has to choose from several."""
        if self._plan.discover is None:
            return True
        plans = self._plan.discover()
        if len(plans) > 1:
            self._observer.on_choices(self, plans)
            return False
        (self._plan,) = plans.values()
        return True

    def _sign_in(self) -> Session:
        try:
            client = self._plan.connect(None)
        except AuthnbError:
            self._plan.invalidate()
            raise
        if (unattended_token := self._plan.unattended_token) is not None:
            self._observer.on_connected(self, client, None, ())
            return self._open_session(
                client,
                unattended_token(client),
                storage=MemoryStorage(),  # the client's own token belongs to nobody's account
                reissue=lambda: unattended_token(client),
            )
        self._await_front_end_report()
        since = client.provider.clock.now()
        try:
            client, token = self._authorize(client)
        except AuthnbError:
            client.provider.invalidate_documents()
            self._plan.invalidate()
            raise
        if self._plan.step_up is not None:
            return self._step_up(self._plan.step_up, client, token, since)
        sign_in = SignIn(
            token=token,
            provider=client.provider,
            scope=client.scope,
            name=self._plan.name,
            resource=client.resource,
            has_secret=client.client_secret is not None,
            client_key_file=str(client.client_key or ""),
            api=self._plan.account.issuer if self._plan.found else "",
            **registered_client(self._plan.account, client),
        )
        if not self._accepted(token):  # or cancelled during the token request: nobody holds this token
            _revoke(client, token)
        elif self._not_stored is not None or not self._store(sign_in):
            self._plan.fallback.save(self._plan.account, sign_in)
            return self._open_session(client, token, storage=self._plan.fallback)
        return self._open_session(client, token)

    def _step_up(self, step_up: StepUp, client: Client, token: Token, since: float) -> Session:
        """The session that this token of the same person is for, which has it from now on.

        A token that is not used is revoked if it is another person's, or nobody is signed in any more; else not, for
        some providers end all sign-ins of a person and client with one token.
        """
        try:
            step_up.check_person(token)
        except LoginFailed:
            _revoke(client, token)
            raise
        step_up.check(token, client, since)
        if self._observer.is_current(self):  # else it was cancelled meanwhile
            try:
                step_up.adopt(token, client)
            except LoginRequired:
                _revoke(client, token)
                raise
        session: Session = step_up.session
        return session

    def _accepted(self, token: Token) -> bool:
        """Whether to use this token; a person who may not have signed in themselves is asked."""
        deadline = time.monotonic() + _CONFIRMATION_TIMEOUT
        claims = token.get("userinfo")
        user = claims if isinstance(claims, dict) else {}
        while (accepted := self._observer.accepts(self, user)) is None:
            if (remaining := deadline - time.monotonic()) <= 0:
                error = LoginFailed("expired_token", "Nobody said in time whether to use this sign-in.")
                self._observer.on_ended(self, "failed", error=error)
            else:
                self._sleep(remaining)
        return accepted

    def _await_front_end_report(self) -> None:
        """Wait briefly for the front end's report, if the mode depends on it."""
        started = time.monotonic()
        while self._plan.report_timeout and self._observer.front_end is None:
            remaining = (self._observer.shown_since or started) + self._plan.report_timeout - time.monotonic()
            if remaining <= 0 or self._sleep(min(remaining, _POLL_INTERVAL)):
                return

    def _authorize(self, client: Client) -> tuple[Client, Token]:
        """The token, by the chosen mode; with ``auto``, by the first that the provider allows this client."""
        choices = self._plan.modes(client, self._observer.front_end, self._observer.loopback_reached)
        order = sorted(choices, key=lambda choice: choice.mode != self.mode)
        for choice in order:
            try:
                return self._run_flow(client, choice, choices)
            except ProviderError as error:
                if not self._plan.auto or self.mode or self._prompted or error.error not in _TRY_ANOTHER_MODE:
                    raise
                refusal = error
        raise refusal

    def _run_flow(
        self, client: Client, choice: ModeChoice, choices: tuple[ModeChoice, ...], *, anew: bool = False
    ) -> tuple[Client, Token]:
        """The token by this mode; a client registered before that is not known any more is registered anew, once."""
        plan, kept = self._plan, False
        self._observer.on_connected(self, client, choice, choices, plan.provenance(client))
        if plan.register is not None:
            client, kept = plan.register(client, choice.mode, self._observer.front_end, anew)
            self._observer.on_connected(self, client, choice, choices, plan.provenance(client))
        try:
            flow = plan.flow(client, choice.mode, self._observer.front_end, self.inbox, self._select_account)
            return client, drive(flow, self._show, self._sleep, self._fill, self._explain)
        except AuthnbError as error:
            if not kept or not plan.worth_registering_anew(error):
                raise
        self.inbox = Inbox(self.wake)
        return self._run_flow(client, choice, choices, anew=True)

    def _store(self, sign_in: SignIn) -> bool:
        try:
            self._plan.storage.save(self._plan.account, sign_in)
        except StorageError as error:
            self._not_stored = error  # the sign-in itself succeeded
            return False
        return True

    def _open_session(
        self,
        client: Client,
        token: Token,
        *,
        storage: TokenStorage | None = None,
        reissue: Callable[[], Token] | None = None,
    ) -> Session:
        from authnb.session.session import Session  # noqa: PLC0415 - loaded while the person signs in

        plan = self._plan
        session = Session.from_sign_in(
            client,
            token,
            account=plan.account,
            storage=storage or plan.storage,
            api=plan.api,
            reissue=reissue,
            rediscover=None if plan.rediscover is None else partial(plan.rediscover, client),
        )
        session.begin_step_up = plan.begin_step_up
        if (offer := plan.offer_step_up) is not None:
            session.token_auth.on_step_up_required = offer
        return session

    def _show(self, verification: Verification) -> None:
        self._prompted = True
        self._observer.on_verification(self, verification)
        import_module("authnb.session.session")  # while the person reads

    def _explain(self, reason: str) -> None:
        self._observer.on_pending(self, reason)

    def _fill(self, form: Form) -> Mapping[str, str] | None:
        self._prompted = True
        self._observer.on_form(self, form)
        while self._form_answers is None:
            if self._sleep(None):
                return None
        answers, self._form_answers = self._form_answers, None
        return answers

    def _sleep(self, seconds: float | None) -> bool:
        if self._observer.is_current(self):
            self._wake.wait(seconds)
            self._wake.clear()
        return not self._observer.is_current(self)


def _revoke(client: Client, token: Token) -> None:
    """Revoke a token that no session will use, as far as the provider allows (RFC 7009)."""
    for name in ("refresh_token", "access_token"):
        if name in token:
            with suppress(AuthnbError):
                client.revoke(str(token[name]), name)
