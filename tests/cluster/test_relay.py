"""The relay between workers and the kernel that shares: one renewal for all, and none that waits for ever."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import TYPE_CHECKING, Any

import pytest
from demo_session import age, sign_in
from support import wait_for

from authnb.cluster.grant import Grant, error_from_message, error_to_message, share_ended
from authnb.cluster.relay import Feeder, TokenRelay
from authnb.cluster.supply import TokenSupply
from authnb.errors import LoginRequired, ProviderError, ShareError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.demo import DemoProvider

ENDED = error_to_message(share_ended("it was closed."))


def grant(serial: int, **more: Any) -> Grant:
    return Grant(serial=serial, access_token=f"token {serial}", **more)


class OnLoop:
    """A relay in the event loop of a thread, as it is in a scheduler; it goes and comes back by `lose` and `reopen`."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.relay: TokenRelay | None = TokenRelay()
        self.reopened = 0
        self.comes_back = True
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def pull(self, newer_than: int, patience: float = 0, worker: str = "w") -> Any:
        return self.run(self._there().pull(newer_than, patience, worker))

    def attend(self, timeout: float) -> tuple[int, float] | dict[str, Any] | None:
        needed: tuple[int, float] | dict[str, Any] | None = self.run(self._there().attend(timeout))
        self._there()
        return needed

    def put(self, grant: Grant) -> None:
        self.run(_call(self._there().put, grant))

    def fail(self, error: dict[str, Any]) -> None:
        self.run(_call(self._there().fail, error))

    def reopen(self) -> bool:
        if self.comes_back:
            self.relay = TokenRelay()
        self.reopened += 1
        return self.comes_back

    def lose(self) -> None:
        old, self.relay = self.relay, None
        assert old
        self.run(_call(old.end, ENDED))

    def close(self) -> None:
        if self.relay is not None:
            self.lose()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(30)
        self.loop.close()

    def _there(self) -> TokenRelay:
        if self.relay is None:
            raise ConnectionError
        return self.relay


async def _call(function: Any, *args: Any) -> Any:
    return function(*args)


async def _needed(relay: TokenRelay) -> tuple[int, float]:
    needed = await relay.attend(60)
    assert isinstance(needed, tuple)
    return needed


@pytest.fixture
def on_loop() -> Iterator[OnLoop]:
    there = OnLoop()
    yield there
    there.close()


def test_workers_that_wait_for_one_number_are_served_by_one_token() -> None:
    async def scenario() -> None:
        relay = TokenRelay()
        relay.put(grant(1))
        tasks = [asyncio.create_task(relay.pull(1, patience, f"w{patience}")) for patience in range(5)]
        number, patience = await _needed(relay)
        assert number == 1
        assert 0 < patience <= 4
        relay.put(grant(2))
        assert [each.serial for each in await asyncio.gather(*tasks)] == [2] * 5
        assert await relay.attend(0) is None
        assert [name for name, _ in relay.holders()] == [f"w{number}" for number in range(5)]

    asyncio.run(scenario())


def test_a_token_that_is_newer_is_handed_out_at_once_with_what_is_left_of_it() -> None:
    async def scenario() -> None:
        relay = TokenRelay()
        relay.put(grant(7, lifetime=60.0, left=50.0))
        await asyncio.sleep(0.01)
        pulled = await relay.pull(3, 0, "w")
        assert pulled.left < 50
        assert relay.holders()[0][1] <= pulled.left

    asyncio.run(scenario())


def test_a_token_that_has_expired_in_the_relay_is_not_handed_out() -> None:
    """A worker that comes late has no number yet."""

    async def scenario() -> None:
        relay = TokenRelay()
        relay.put(grant(7, left=0.0))
        task = asyncio.create_task(relay.pull(0, 5, "w"))
        assert (await _needed(relay))[0] == 7
        relay.put(grant(8, left=60.0))
        assert (await task).serial == 8

    asyncio.run(scenario())


def test_a_failure_reaches_those_who_waited_for_it() -> None:
    """Not one that came while the kernel was at work for the others, with less patience."""

    async def scenario() -> None:
        relay = TokenRelay()
        early = asyncio.create_task(relay.pull(0, 0, "early"))
        await _needed(relay)
        late = asyncio.create_task(relay.pull(0, 100, "late"))
        await asyncio.sleep(0)
        relay.fail(ENDED)
        assert await early == ENDED
        _, patience = await _needed(relay)
        assert patience > 90
        relay.put(grant(1))
        assert (await late).serial == 1

    asyncio.run(scenario())


def test_after_the_end_the_token_is_gone_and_all_hear_why() -> None:
    async def scenario() -> None:
        relay = TokenRelay()
        relay.put(Grant(serial=1, access_token="until the end"))
        waits = asyncio.create_task(relay.pull(1, 100, "w"))
        attends = asyncio.create_task(relay.attend(100))
        await attends
        relay.end(ENDED)
        relay.end({"other": "end"})
        relay.put(Grant(serial=2, access_token="until the end"))
        assert await waits == await relay.pull(0, 100, "w") == await relay.pull(9, 100, "w") == ENDED
        assert await relay.attend(100) == ENDED
        assert relay.holders() == []
        # Others may be left of other tests
        grants = [each for each in gc.get_objects() if isinstance(each, Grant)]
        assert "until the end" not in [each.access_token for each in grants]

    asyncio.run(scenario())


def test_a_kernel_that_never_answers_is_a_timeout() -> None:
    message = asyncio.run(TokenRelay(margin=0.0).pull(0, 0.05, "w"))
    assert isinstance(message, dict)
    assert message["error"] == "timeout"


def test_holders_whose_token_has_expired_are_forgotten_with_the_next() -> None:
    async def scenario() -> None:
        relay = TokenRelay()
        relay.put(grant(1, left=0.01))
        await relay.pull(0, 0, "gone")
        await asyncio.sleep(0.05)
        relay.put(grant(2, left=60.0))
        await relay.pull(0, 0, "w1")
        await relay.pull(0, 0, "w2")
        relay.forget("w1")
        assert [name for name, _ in relay.holders()] == ["w2"]

    asyncio.run(scenario())


def test_the_kernel_renews_once_for_all(
    demo: DemoProvider, token_proxy: TokenEndpointProxy, on_loop: OnLoop
) -> None:
    api = sign_in(demo, token_proxy)
    feeder = Feeder(TokenSupply(api), on_loop)
    feeder.start()
    first = on_loop.pull(0)
    assert token_proxy.outcomes == []
    age(api)

    async def all_at_once() -> Any:
        assert on_loop.relay
        return await asyncio.gather(*(on_loop.relay.pull(first.serial, 60, f"w{n}") for n in range(20)))

    grants = on_loop.run(all_at_once())
    assert token_proxy.outcomes == ["pass"]
    assert {each.access_token for each in grants} == {api.token["access_token"]} != {first.access_token}
    assert "refresh_token" not in grants[0].to_message()
    feeder.end()


@pytest.mark.parametrize(("outcome", "kind"), [("denied", LoginRequired), ("500", ProviderError)])
def test_why_it_could_not_renew_reaches_the_worker(
    demo: DemoProvider, token_proxy: TokenEndpointProxy, on_loop: OnLoop, outcome: str, kind: type[Exception]
) -> None:
    api = sign_in(demo, token_proxy)
    feeder = Feeder(TokenSupply(api), on_loop)
    feeder.start()
    first = on_loop.pull(0)
    age(api)
    token_proxy.outcome = lambda: outcome
    assert isinstance(error_from_message(on_loop.pull(first.serial)), kind)
    feeder.end()


def test_a_provider_that_is_down_for_a_while_is_waited_out(
    demo: DemoProvider, token_proxy: TokenEndpointProxy, on_loop: OnLoop
) -> None:
    api = sign_in(demo, token_proxy)
    feeder = Feeder(TokenSupply(api), on_loop)
    feeder.start()
    first = on_loop.pull(0)
    age(api)
    outcomes = iter(["500", "reset"])
    token_proxy.outcome = lambda: next(outcomes, "pass")
    assert on_loop.pull(first.serial, 60).serial > first.serial
    feeder.end()


def test_a_relay_that_comes_back_is_fed_again(demo: DemoProvider, on_loop: OnLoop) -> None:
    feeder = Feeder(TokenSupply(sign_in(demo)), on_loop)
    feeder.start()
    assert on_loop.pull(0).serial == 1
    on_loop.lose()
    wait_for(lambda: on_loop.relay, "the relay to be reopened")
    assert on_loop.pull(0).serial == 1
    feeder.end()


def test_a_relay_that_has_ended_is_left(demo: DemoProvider, on_loop: OnLoop) -> None:
    feeder = Feeder(TokenSupply(sign_in(demo)), on_loop)
    feeder.start()
    assert on_loop.relay
    on_loop.run(_call(on_loop.relay.end, ENDED))
    wait_for(_no_feeder, "its thread")


def test_a_relay_that_never_comes_back_is_left(demo: DemoProvider, on_loop: OnLoop) -> None:
    on_loop.comes_back = False
    feeder = Feeder(TokenSupply(sign_in(demo)), on_loop)
    feeder.start()
    on_loop.lose()
    wait_for(_no_feeder, "its thread")
    assert on_loop.reopened == 1


def _no_feeder() -> bool:
    return not any(each.name == "authnb-feeder" for each in threading.enumerate())


def test_the_end_of_the_supply_is_told(demo: DemoProvider, on_loop: OnLoop) -> None:
    supply = TokenSupply(sign_in(demo))
    feeder = Feeder(supply, on_loop)
    feeder.start()
    supply.end(ShareError("share_ended", "It was closed."))
    assert on_loop.pull(0)["error"] == "share_ended"
    feeder.end()
