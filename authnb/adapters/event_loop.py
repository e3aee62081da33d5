"""Calls that may renew the token, from an event loop that must not wait for them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class _Turnstile:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    tasks: int = 0  # that wait, or go on in this turn


_turnstiles: dict[asyncio.AbstractEventLoop, _Turnstile] = {}  # of loops in which tasks wait


async def call_on_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What the function returns, called on a thread; one task goes on in each turn of the event loop.

    A renewal ends at once for all that wait for it. If they all sent their requests in the same turn, the loop would do
    nothing else meanwhile, which for a thousand requests of httpx is seconds.
    """
    result = await asyncio.to_thread(function, *args, **kwargs)
    loop = asyncio.get_running_loop()
    turnstile = _turnstiles.setdefault(loop, _Turnstile())
    turnstile.tasks += 1
    try:
        async with turnstile.lock:
            await asyncio.sleep(0)
    finally:
        turnstile.tasks -= 1
        if not turnstile.tasks:
            del _turnstiles[loop]
    return result
