"""OpenAI's async client, by a function that is awaited."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import openai
import pytest
from demo_session import age, sign_in
from guarded_api import GuardedAPI

if TYPE_CHECKING:
    from collections.abc import Iterator

    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.demo import DemoProvider


@pytest.fixture
def api(demo: DemoProvider, token_proxy: TokenEndpointProxy) -> Iterator[GuardedAPI]:
    with GuardedAPI() as server:
        server.guard.session = sign_in(demo, token_proxy, api=server.url)
        server.serve("/v1/models", {"object": "list", "data": []})
        yield server


def client(api: GuardedAPI) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{api.url}/v1", api_key=api.guard.session.credentials.openai_async)


async def test_32_calls_across_expiries(api: GuardedAPI, token_proxy: TokenEndpointProxy) -> None:
    async with client(api) as models:
        for _ in range(2):
            age(api.guard.session)
            await asyncio.gather(*(models.models.list() for _ in range(32)))
    assert token_proxy.outcomes == ["pass"] * 2


async def test_signed_out_in_the_middle(api: GuardedAPI) -> None:
    async with client(api) as models:
        await models.models.list()
        api.guard.session.logout()
        with pytest.raises(Exception, match="signed out"):
            await models.models.list()
