"""The kernel's side of a share, by itself: who gets which token, and how often the provider is asked."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from demo_session import age, renewer, sign_in
from token_endpoint_proxy import TokenEndpointProxy

import authnb
from authnb.cluster.grant import PROTOCOL, VERSION, Reference, share_ended
from authnb.cluster.member import Member
from authnb.cluster.supply import TokenSupply, fingerprint
from authnb.demo import DemoProvider
from authnb.session.session import Session
from authnb.transport.clock import Clock

if TYPE_CHECKING:
    from authnb.cluster.member import Channel

PATIENCE = 60.0  # seconds
LIFETIME = 2  # seconds of a token
RENEWED_AT = 0.75  # of its lifetime


def test_one_renewal_for_all_who_have_the_same_token(
    demo: DemoProvider, token_proxy: TokenEndpointProxy
) -> None:
    """Known by its number, or by what was had before the share: with a forked process comes no number."""
    api = sign_in(demo, token_proxy)
    supply = TokenSupply(api)
    first = supply.newer_than(0, 0)
    assert first.access_token == api.token["access_token"]
    has = fingerprint(api.token)
    with ThreadPoolExecutor(16) as threads:
        by_number = [threads.submit(supply.newer_than, first.serial, 0) for _ in range(8)]
        by_token = [threads.submit(supply.newer_than, 0, 0, has) for _ in range(8)]
        found = {each.result().access_token for each in [*by_number, *by_token]}
    assert found == {api.token["access_token"]}
    assert found != {first.access_token}
    assert token_proxy.outcomes == ["pass"]


def test_nothing_after_the_end(demo: DemoProvider) -> None:
    supply = TokenSupply(sign_in(demo))
    supply.end(share_ended("it was closed."))
    with pytest.raises(authnb.ShareError, match="it was closed"):
        supply.newer_than(0, PATIENCE)


def test_nothing_once_nobody_is_signed_in(demo: DemoProvider) -> None:
    api = sign_in(demo)
    supply = TokenSupply(api)
    api.logout()
    with pytest.raises(authnb.ShareError, match="signed out"):
        supply.newer_than(0, PATIENCE)


def test_the_end_reaches_who_waits_for_a_provider(
    demo: DemoProvider, token_proxy: TokenEndpointProxy
) -> None:
    api = sign_in(demo, token_proxy)
    supply = TokenSupply(api)
    token_proxy.outcome = lambda: "503"
    age(api)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(supply.newer_than, 0, PATIENCE)
        assert token_proxy.wait_for(1)
        supply.end(share_ended("it was closed."))
        with pytest.raises(authnb.ShareError, match="it was closed"):
            waiting.result()


def test_a_slow_renewal_delays_nobody_who_can_have_the_present_token(
    demo: DemoProvider, token_proxy: TokenEndpointProxy
) -> None:
    """Such as a new worker, while the token is about to expire."""
    api = sign_in(demo, token_proxy)
    supply = TokenSupply(api)
    age(api, 60)
    asked, go_on = threading.Event(), threading.Event()

    def outcome() -> str:
        asked.set()
        go_on.wait(60)
        return "pass"

    token_proxy.outcome = outcome
    with ThreadPoolExecutor(1) as threads:
        renewing = threads.submit(supply.newer_than, 0, 0)
        try:
            assert asked.wait(60)
            assert supply.newer_than(0, 0).access_token == api.token["access_token"]
            assert not renewing.done()
        finally:
            go_on.set()
        assert renewing.result().access_token == api.token["access_token"]
    assert token_proxy.outcomes == ["pass"]


def test_a_provider_in_trouble_is_asked_once_however_many_ask(
    demo: DemoProvider, token_proxy: TokenEndpointProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And again after a pause."""
    # On a busy machine five calls take longer than the real one
    monkeypatch.setattr("authnb.cluster.supply._FIRST_PAUSE", 3.0)
    api = sign_in(demo, token_proxy)
    supply = TokenSupply(api)
    outcomes = iter(["503"])
    token_proxy.outcome = lambda: next(outcomes, "pass")
    age(api)
    for _ in range(5):
        with pytest.raises(authnb.ProviderError, match="temporarily_unavailable"):
            supply.newer_than(0, 0)
    assert token_proxy.outcomes == ["503"]
    with ThreadPoolExecutor(8) as threads:
        found = {threads.submit(supply.newer_than, 0, PATIENCE).result().access_token for _ in range(8)}
    assert len(found) == 1
    assert token_proxy.outcomes == ["503", "pass"]


def test_a_token_that_is_still_valid_is_given_while_the_provider_is_in_trouble(
    demo: DemoProvider, token_proxy: TokenEndpointProxy
) -> None:
    api = sign_in(demo, token_proxy)
    supply = TokenSupply(api)
    token_proxy.outcome = lambda: "503"
    age(api, 60)
    grant = supply.newer_than(0, 0)
    assert grant.access_token == api.token["access_token"]
    assert grant.left is not None
    assert 0 < grant.left <= 60
    assert token_proxy.outcomes == ["503"]


class FedByHand(Member):
    """A member whose channel is the kernel's supply."""

    def __init__(self, supply: TokenSupply, api: Session, clock_error: float) -> None:
        client = renewer(api).client
        reference = Reference(
            name=f"off by {clock_error}",
            kind="",
            address="",
            issuer=client.provider.issuer,
            client_id=client.client_id,
            scope=client.scope,
            api=api.api_addresses,
            protocol=PROTOCOL,
            version=VERSION,
        )
        super().__init__((reference,))
        self._supply = supply
        self.session = Session.from_share(self)
        clock = Clock(wall=lambda: time.time() + clock_error)
        object.__setattr__(renewer(self.session).client.provider, "clock", clock)

    def _channel(self) -> Channel:
        return self._supply


def test_one_renewal_for_each_token_whatever_the_clocks_of_workers_say() -> None:
    """When three quarters of its lifetime are over, by the kernel's clock, and not before."""
    renewals: list[float] = []

    def on_renewal() -> str:
        renewals.append(time.monotonic())
        return "pass"

    began = time.monotonic()
    with (
        DemoProvider(access_token_lifetime=LIFETIME) as demo,
        TokenEndpointProxy(demo.issuer, on_renewal) as proxy,
    ):
        api = sign_in(demo, proxy, clock_error=-700.6)
        supply = TokenSupply(api)

        def work(clock_error: float) -> None:
            session = FedByHand(supply, api, clock_error).session
            while len(renewals) < 4:
                assert session.access_token().token
                threading.Event().wait(0.01)

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(work, [0.0, 0.3, 700.6, 700.9]))
    assert set(proxy.outcomes) == {"pass"}
    assert renewals[-1] - began >= len(renewals) * RENEWED_AT * LIFETIME
