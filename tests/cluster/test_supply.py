"""The kernel's side of a share, by itself: who gets which token, and how often the provider is asked."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from demo_session import age, sign_in

import authnb
from authnb.cluster.grant import share_ended
from authnb.cluster.supply import TokenSupply, fingerprint

if TYPE_CHECKING:
    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.demo import DemoProvider

PATIENCE = 20.0  # seconds


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
        token_proxy.wait_for(1)
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
        go_on.wait(30)
        return "pass"

    token_proxy.outcome = outcome
    with ThreadPoolExecutor(1) as threads:
        renewing = threads.submit(supply.newer_than, 0, 0)
        try:
            assert asked.wait(30)
            assert supply.newer_than(0, 0).access_token == api.token["access_token"]
            assert not renewing.done()
        finally:
            go_on.set()
        assert renewing.result().access_token == api.token["access_token"]
    assert token_proxy.outcomes == ["pass"]


def test_a_provider_in_trouble_is_asked_once_however_many_ask(
    demo: DemoProvider, token_proxy: TokenEndpointProxy
) -> None:
    """And again after a pause."""
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
