"""Fresh tokens for the tasks of an event loop, which must not wait for a renewal: that runs on a thread."""

from __future__ import annotations

import asyncio
from collections import deque
from copy import copy
from typing import TYPE_CHECKING, Any

from authnb.errors import AuthnbError, raises_without_frames, without_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from authnb.adapters.source import Authenticator
    from authnb.oauth.responses import Token

    Key = tuple[asyncio.AbstractEventLoop, Authenticator, str]


async def fresh_token(auth: Authenticator, url: str) -> Token:
    """As ``auth.fresh_token(url)``, without blocking the event loop.

    The tasks of a loop that wait for a renewal share it and its outcome: also a failure, which the next task that asks
    does not share.
    """
    if (token := auth.current_token(url)) is not None:
        return token
    key = asyncio.get_running_loop(), auth, "renewal"
    if (call := _calls.get(key)) is None:
        call = _SharedCall(key, auth.fresh_token, url)
    elif (token := auth.current_token(url, max_leeway=0)) is not None:
        return token
    return _newest(auth, url, await call.turn())


@raises_without_frames
def _newest(auth: Authenticator, url: str, renewed: Token) -> Token:
    """The token by now; the renewed one if that lives shorter than the tasks before this one took."""
    return auth.current_token(url) or renewed


async def token_after_401(auth: Authenticator, sent: Token, retries: Iterator[Token]) -> Token | None:
    """The next of ``retries``, an iterator of ``auth.tokens_after_401``, without blocking the event loop.

    ``sent``: the token that got the 401. A renewal is shared as by `fresh_token`. None if no retry can succeed.
    """
    if auth.token is sent:
        key = asyncio.get_running_loop(), auth, "retry"
        if (call := _calls.get(key)) is None:
            token: Token | None = await _SharedCall(key, next, retries, None).turn()
            return token
        if await call.turn() is None:
            return None
    return next(retries, None)  # there is a newer token: this takes no request


async def token_after_refusal(auth: Authenticator, sent: Token) -> Token | None:
    """As ``auth.token_after_refusal(sent)``, without blocking the event loop."""
    return await asyncio.get_running_loop().run_in_executor(None, auth.token_after_refusal, sent)


class _SharedCall:
    """A call on a thread, whose outcome each task gets that waits for it when its turn comes.

    One task goes on in each turn of the loop. If a thousand sent their requests in the same turn, the loop would do
    nothing else meanwhile: with httpx for seconds.
    """

    def __init__(self, key: Key, function: Callable[..., Any], *args: Any) -> None:
        self._key, self._loop = key, key[0]
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._failure: BaseException | None = None
        self._call = self._loop.run_in_executor(None, function, *args)
        self._call.add_done_callback(self._finish)
        _calls[key] = self

    def turn(self) -> asyncio.Future[Any]:
        """The outcome."""
        turn = self._loop.create_future()
        self._waiting.append(turn)
        return turn

    def _finish(self, call: asyncio.Future[Any]) -> None:
        del _calls[self._key]
        self._failure = asyncio.CancelledError() if call.cancelled() else call.exception()
        self._wake_next()

    def _wake_next(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if turn.done():  # its task was cancelled
                continue
            if self._failure is None:
                turn.set_result(self._call.result())
            elif isinstance(self._failure, AuthnbError):
                turn.set_exception(without_frames(copy(self._failure)))  # a copy for each task
            else:
                turn.set_exception(self._failure)
            self._loop.call_soon(self._wake_next)
            return


_calls: dict[Key, _SharedCall] = {}  # that run
