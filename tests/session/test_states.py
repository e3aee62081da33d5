"""No state of a session is a dead end: docs/states.md cell by cell, and any order of events with hypothesis."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from demo_session import age
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.strategies import sampled_from
from session_states import STATES, WAYS, Situation, documented, finish, outcome
from token_endpoint_proxy import TokenEndpointProxy

from authnb.demo import DemoProvider
from authnb.errors import AuthnbError, LoginFailed, LoginRequired, ProviderError
from authnb.flows import redirect_uris

if TYPE_CHECKING:
    from authnb.session.session import Session


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("state", STATES)
def test_each_state_and_each_way_in(demo: DemoProvider, state: str, way: str) -> None:
    """As docs/states.md has it, and in the end there is data."""
    found = outcome(demo, state, way)
    assert found == documented()[state, way]
    assert found.endswith("data")


REFUSALS = ("denied", "bad_refresh_token", "interaction_required", "invalid_token", "unauthorized", "gone")
OUTAGES = ("500", "503", "reset", "html", "redirect")


class AnyOrder(RuleBasedStateMachine):
    """A person, a provider in all its moods, and one remembered sign-in."""

    def __init__(self) -> None:
        super().__init__()
        redirect_uris.forget()  # each order of events is a process of its own
        self.resources = ExitStack()
        self.demo = self.resources.enter_context(DemoProvider())
        proxy = self.resources.enter_context(TokenEndpointProxy(self.demo.issuer))
        proxy.elsewhere = self.demo.issuer
        folder = self.resources.enter_context(tempfile.TemporaryDirectory())
        self.at = Situation(self.demo, proxy, Path(folder))
        self.at.sign_in()

    def teardown(self) -> None:
        """Whatever happened: once the provider is well again, the person gets in."""
        self.at.proxy.outcome = lambda: "pass"
        assert finish(self.demo, self.at.start()).endswith("data")
        if self.at.login is not None:
            self.at.login.start_over()
            assert finish(self.demo, self.at.login).endswith("data")
        self.resources.close()

    @property
    def session(self) -> Session | None:
        """The session, if somebody is signed in."""
        login = self.at.login
        return login.session if login is not None and login.status == "signed_in" else None

    @rule()
    def run_cell(self) -> None:
        """Run the cell; nobody has signed in yet unless a stored sign-in did."""
        self.at.login = self.at.start()
        self.settle()

    @rule()
    def new_kernel(self) -> None:
        """All that is left is what is stored."""
        if self.at.login is not None:
            self.at.login.cancel()
        self.at.login = None

    @precondition(lambda self: self.at.login is not None)
    @rule()
    def click(self) -> None:
        """Try again, or sign in again."""
        self.at.login.start_over()
        self.settle()

    @precondition(lambda self: self.at.login is not None)
    @rule()
    def cancel(self) -> None:
        """Does nothing once it has ended."""
        self.at.login.cancel()

    @precondition(lambda self: self.at.login is not None and self.at.login.status == "waiting")
    @rule()
    def sign_in(self) -> None:
        """At the provider's page, which works whatever happens to renewals."""
        assert finish(self.demo, self.at.login).endswith("data")

    @rule()
    def expire_token(self) -> None:
        """The access token ends."""
        if self.session is not None and self.session.token:
            age(self.session)

    @precondition(lambda self: self.session is not None)
    @rule()
    def call(self) -> None:
        """Data, or an error that says what to do; a refusal shows in the login."""
        try:
            assert self.session.get("/measurements").ok
        except LoginRequired:
            assert self.session is None or not self.session.signed_in
        except ProviderError:
            assert self.at.proxy.outcome() in OUTAGES

    @precondition(lambda self: self.session is not None)
    @rule()
    def log_out(self) -> None:
        """Forget and revoke."""
        self.session.logout()

    @rule(outcome=sampled_from(REFUSALS))
    def refuse(self, outcome: str) -> None:
        """The access token ends, and from now on the provider renews nothing."""
        self.expire_token()
        self.at.proxy.outcome = lambda: outcome

    @rule(outcome=sampled_from(OUTAGES))
    def break_down(self, outcome: str) -> None:
        """The access token ends, and from now on the provider is in trouble when asked to renew."""
        self.expire_token()
        self.at.proxy.outcome = lambda: outcome

    @rule()
    def recover(self) -> None:
        """The provider is well again."""
        self.at.proxy.outcome = lambda: "pass"

    @invariant()
    def a_refusal_is_no_dead_end(self) -> None:
        """Unless the provider is in trouble, running the cell leads to data or to a page to open."""
        if self.at.proxy.outcome() in OUTAGES:
            return
        login = self.at.start()
        try:
            login.verification(10)
        except LoginFailed as error:
            assert error.error == "not_needed"  # noqa: PT017 - the other outcome
        assert login.status in {"waiting", "signed_in"}
        login.cancel()

    def settle(self) -> None:
        """Until it waits for the person, or has ended."""
        try:
            self.at.login.verification(10)
        except AuthnbError:
            assert self.at.login.status in {"signed_in", "failed"}


AnyOrder.TestCase.settings = settings(
    max_examples=20,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)
TestAnyOrder = AnyOrder.TestCase
