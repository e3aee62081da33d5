"""The tasks of an event loop share each renewal and its outcome, and never wait for one that they do not need."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from demo_session import age

from authnb.adapters.event_loop import token_after_401
from authnb.errors import LoginRequired, ProviderError
from authnb.oauth.responses import Token

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.session.session import Session

TASKS = 1000


async def outcomes(*tasks: Awaitable[object]) -> list[object]:
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_1000_tasks_share_a_renewal_that_fails(
    session: Session, token_proxy: TokenEndpointProxy
) -> None:
    """One token request. Each task has an error of its own, and the next that asks makes the next request."""
    token_proxy.outcome = lambda: "503"
    age(session)
    failures = await outcomes(*(session.access_token_async() for _ in range(TASKS)))
    assert {type(failure) for failure in failures} == {ProviderError}
    assert len(set(map(id, failures))) == TASKS
    assert token_proxy.outcomes == ["503"]
    with pytest.raises(ProviderError, match="temporarily_unavailable"):
        await session.access_token_async()
    assert token_proxy.outcomes == ["503"] * 2


async def test_a_sign_out_before_a_task_goes_on(session: Session, token_proxy: TokenEndpointProxy) -> None:
    """It is given no token then, though it waited for one."""

    async def sign_out() -> None:
        await session.access_token_async()
        session.logout()

    age(session)
    first, *others = await outcomes(sign_out(), *(session.access_token_async() for _ in range(TASKS)))
    assert first is None
    assert {type(failure) for failure in others} == {LoginRequired}
    assert token_proxy.outcomes == ["pass"]


async def test_1000_tasks_share_the_renewal_after_a_401(
    session: Session, token_proxy: TokenEndpointProxy
) -> None:
    async def retry() -> object:
        return await token_after_401(
            session.token_auth, refused, session.token_auth.tokens_after_401(refused)
        )

    refused = session.token
    token_proxy.outcome = lambda: "503"
    failures = await outcomes(*(retry() for _ in range(TASKS)))
    assert {type(failure) for failure in failures} == {ProviderError}
    assert token_proxy.outcomes == ["503"]
    token_proxy.outcome = lambda: "pass"
    assert await outcomes(*(retry() for _ in range(TASKS))) == [session.token] * TASKS
    assert session.token is not refused
    assert token_proxy.outcomes == ["503", "pass"]


async def test_no_retry_can_succeed_after_a_401(session: Session) -> None:
    """Without a refresh token; all are told."""
    token = session.token = session.token.without_refresh_token()
    auth = session.token_auth
    retries = (token_after_401(auth, token, auth.tokens_after_401(token)) for _ in range(32))
    assert await outcomes(*retries) == [None] * 32


async def test_one_task_goes_on_in_each_turn_of_the_loop(
    session: Session, token_proxy: TokenEndpointProxy
) -> None:
    turn = 0

    async def count() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    async def turn_of_its_token() -> int:
        await session.access_token_async()
        return turn

    age(session)
    counting = asyncio.create_task(count())
    turns = await asyncio.gather(*(turn_of_its_token() for _ in range(100)))
    counting.cancel()
    assert len(set(turns)) == 100
    assert token_proxy.outcomes == ["pass"]


async def test_a_task_that_is_cancelled_ends_no_renewal(
    session: Session, token_proxy: TokenEndpointProxy
) -> None:
    """Not even the one that began it."""
    token_proxy.outcome = lambda: ("503", "pass")[cancelled.wait(30)]
    cancelled = threading.Event()
    age(session)
    tasks = [asyncio.create_task(session.access_token_async()) for _ in range(3)]
    await asyncio.sleep(0)
    for task in tasks[:2]:
        task.cancel()
    assert [type(each) for each in await outcomes(*tasks[:2])] == [asyncio.CancelledError] * 2
    cancelled.set()
    assert (await tasks[2]).token == session.token["access_token"]
    assert token_proxy.outcomes == ["pass"]


async def test_a_token_that_is_still_valid_is_used_meanwhile(
    session: Session, token_proxy: TokenEndpointProxy
) -> None:
    """It is renewed early, for which one task waits and no other."""
    token_proxy.outcome = lambda: ("503", "pass")[others_done.wait(30)]
    others_done = threading.Event()
    session.token = Token({**session.token, "expires_in": 3600})
    age(session, left=30)
    valid = session.token["access_token"]
    first, *others = (asyncio.create_task(session.access_token_async()) for _ in range(TASKS))
    assert {token.token for token in await asyncio.gather(*others)} == {valid}
    others_done.set()
    assert (await first).token == session.token["access_token"] != valid
    assert token_proxy.outcomes == ["pass"]


async def test_a_loop_whose_threads_are_shut_down(session: Session) -> None:
    """Nothing hangs: the task is cancelled, as its thread is."""
    busy, threads = threading.Event(), ThreadPoolExecutor(1)
    threads.submit(busy.wait, 30)
    asyncio.get_running_loop().set_default_executor(threads)
    age(session)
    task = asyncio.create_task(session.access_token_async())
    await asyncio.sleep(0)
    threads.shutdown(wait=False, cancel_futures=True)
    busy.set()
    assert [type(each) for each in await outcomes(task)] == [asyncio.CancelledError]
