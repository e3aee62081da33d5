"""The session's token as the ``api_key`` of OpenAI's client, and of what is written like it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from authnb.adapters.source import Source


def api_key(source: Source) -> Callable[[], str]:
    """A function for ``api_key``: the token for each request. ``base_url`` decides where it goes.

    ``openai.OpenAI(base_url="https://models.example.org/v1", api_key=api.credentials.openai)``
    """

    def token() -> str:
        return source.access_token().token

    return token


def async_api_key(source: Source) -> Callable[[], Awaitable[str]]:
    """The same for the async client.

    ``openai.AsyncOpenAI(base_url="https://models.example.org/v1", api_key=api.credentials.openai_async)``
    """

    async def token() -> str:
        return (await source.access_token_async()).token

    return token
