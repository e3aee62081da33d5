"""Verbose tracebacks print the variables of every frame: no frame of ours, or below ours, may hold a secret."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from IPython import version_info
from IPython.core.ultratb import VerboseTB
from servers import Server

import authnb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from authnb.demo import DemoProvider

PLAIN: dict[str, Any] = {"theme_name": "nocolor"} if version_info[0] >= 9 else {"color_scheme": "NoColor"}
NOWHERE = "http://127.0.0.1:9"  # nobody listens there
RAISE = {
    "the API cannot be reached": "api.get(NOWHERE)",
    "the API refuses": "api.get(demo.api + '/nothing').raise_for_status()",
    "the answer is no JSON": "api.get(demo.issuer).json()",
    "a scheme nobody knows": "api.get('gopher://x')",
    "a place the token is not for": "api.get('http://example.org')",
    "a header for a place it is not for": "api.headers_for('http://example.org')",
    "a renewal by hand": "api.refresh_token(NOWHERE)",
    "a renewal that is refused": "api.refresh_token(demo.issuer + '/nothing')",
    "a revocation by hand": "api.revoke_token(NOWHERE, token=api.token['access_token'])",
    "an interrupt": "interrupted(api)",
    "httpx": "httpx.get(NOWHERE, auth=api.httpx_auth)",
    "an access token for a place it is not for": "api.access_token('http://example.org')",
    "an API that the provider does not know": "api.for_audience('https://nobody.example')",
    "an error beside a file with the token": "in_a_block(api.token_file(demo.api))",
    "an error beside a proxy that adds it": "in_a_block(api.serve(demo.api))",
    "a file for a session that is signed out": "(api.logout(), in_a_block(api.token_file(demo.api)))",
    "aiohttp": "asyncio.run(by_aiohttp(api, NOWHERE))",
    "aiohttp for a place the token is not for": "asyncio.run(by_aiohttp(api, 'http://example.org'))",
    "a signed-out session": "(api.logout(), api.get('/measurements'))",
}


async def by_aiohttp(api: Any, url: str) -> None:
    async with aiohttp.ClientSession(middlewares=[api.credentials.aiohttp]) as client:
        await client.get(url)


def in_a_block(api: AbstractContextManager[Any]) -> None:
    with api:
        _ = {}["an error in the block"]


def interrupted(api: Any) -> None:
    """Ctrl-C while the API takes its time."""
    over = threading.Event()
    before = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # ignored by what runs in the background
    with Server() as slow:

        def answer(_: Any) -> tuple[int, dict[str, str], bytes]:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            over.wait(20)
            return 200, {}, b""

        slow.routes["/"] = answer
        try:
            api.get(f"{slow.url}/")
        finally:
            over.set()
            signal.signal(signal.SIGINT, before)


@pytest.fixture
def api(demo: DemoProvider) -> Iterator[Any]:
    login = authnb.login(
        demo.issuer, client_id=demo.client_id, mode="loopback", view=None, profile="tracebacks"
    )
    demo.visit(login.verification().uri, name="ada")
    api = login.wait()
    yield api
    api.logout()


@pytest.mark.parametrize("what", RAISE)
def test_verbose_tracebacks_hold_no_secret(demo: DemoProvider, api: Any, what: str) -> None:
    httpx = pytest.importorskip("httpx", reason="part of the test extra")
    secrets = [api.token[name] for name in ("access_token", "refresh_token", "id_token")]
    names = {"api": api, "demo": demo, "NOWHERE": NOWHERE, "httpx": httpx, "asyncio": asyncio}
    names |= {each.__name__: each for each in (interrupted, in_a_block, by_aiohttp)}
    try:
        exec(RAISE[what], names)  # noqa: S102 - our own lines
    except BaseException:  # noqa: BLE001 - an interrupt is one of them
        text = VerboseTB(**PLAIN).text(*sys.exc_info())
    assert "api" in text
    assert not [secret for secret in secrets if secret in text or secret[20:60] in text]


def test_the_search_finds_what_a_bare_client_prints(demo: DemoProvider, api: Any) -> None:
    """Other clients' frames are not ours to clear: docs/session.md says so, and this search can find."""
    requests = pytest.importorskip("requests", reason="a dependency")
    try:
        requests.get(NOWHERE, headers=api.headers_for(f"{demo.api}/measurements"), timeout=5)
    except requests.ConnectionError:
        text = VerboseTB(**PLAIN).text(*sys.exc_info())
    assert api.token["access_token"] in text
