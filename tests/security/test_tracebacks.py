"""Verbose tracebacks print the variables of every frame: no frame of ours, or below ours, may hold a secret."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import requests
from demo_session import age, renewer, sign_in
from IPython import version_info
from IPython.core.ultratb import VerboseTB
from servers import Server

import authnb
from authnb.errors import AuthnbError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from authnb.demo import DemoProvider
    from authnb.session.session import Session

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
    "a client by hand: a renewal": "lost(demo).refresh(dict(api.token))",
    "a client by hand: a revocation": "lost(demo).revoke(api.token['refresh_token'], 'refresh_token')",
    "a client by hand: userinfo": "lost(demo).userinfo(dict(api.token))",
    "a client by hand: an exchange": "lost(demo).exchange(dict(api.token), resource=NOWHERE)",
    "the API asks for more": "api.get(demo.api + '/calibration').raise_for_status()",
    "nobody answers who is asked for more": "api.ask_for('archive:read', view=None, timeout=0.2).wait()",
    "what nobody can be asked for": "(api.logout(), api.ask_for('archive:read'))",
    "a signed-out session": "(api.logout(), api.get('/measurements'))",
}


async def by_aiohttp(api: Any, url: str) -> None:
    async with aiohttp.ClientSession(middlewares=[api.credentials.aiohttp]) as client:
        await client.get(url)


def lost(demo: DemoProvider) -> authnb.Client:
    """A client whose provider cannot be reached any more."""
    endpoints = dict.fromkeys(("token_endpoint", "userinfo_endpoint", "revocation_endpoint"), NOWHERE)
    provider = authnb.Provider.discover(demo.issuer, **endpoints)
    return authnb.Client(provider, client_id=demo.client_id)


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
    names |= {each.__name__: each for each in (interrupted, in_a_block, by_aiohttp, lost)}
    try:
        exec(RAISE[what], names)  # noqa: S102 - our own lines
    except BaseException:  # noqa: BLE001 - an interrupt is one of them
        text = VerboseTB(**PLAIN).text(*sys.exc_info())
    assert "api" in text
    assert not [secret for secret in secrets if secret in text or secret[20:60] in text]


def copied(value: Any) -> str:
    """What an error reporter keeps of a variable: the content of dicts and lists, the repr of the rest."""
    if isinstance(value, Mapping):
        return " ".join(f"{copied(name)} {copied(member)}" for name, member in value.items())
    return " ".join(map(copied, value)) if isinstance(value, list | tuple) else repr(value)


@pytest.mark.parametrize(
    "call",
    [
        lambda api, url: api.access_token(url),
        lambda api, _: api.ensure_active_token(),
        lambda api, url: requests.get(url, auth=api.requests_auth, timeout=20),
        lambda api, _: api.token_auth.renewer.client.refresh(api.token),
        lambda api, url: (make_unsendable(api), api.access_token(url)),
        lambda api, url: asyncio.run(api.access_token_async(url)),
        lambda api, url: (make_unsendable(api), asyncio.run(api.access_token_async(url))),
    ],
    ids=(
        *("access_token", "ensure_active_token", "requests_auth", "a client by hand", "an odd token"),
        *("access_token_async", "an odd token, async"),
    ),
)
def test_copied_variables_hold_no_secret(demo: DemoProvider, call: Any) -> None:
    """Error reporters copy the variables of each frame, and dicts by their members whatever their repr."""
    api = sign_in(demo)
    kept.update({name: api.token[name] for name in ("access_token", "refresh_token", "id_token")})
    renewer(api).client.revoke(kept["refresh_token"], "refresh_token")
    age(api)
    try:
        call(api, f"{demo.api}/measurements")
    except AuthnbError as error:
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    text = " ".join(copied(frame.f_locals) for frame in frames)
    assert "api" in text
    assert not [name for name, secret in kept.items() if secret in text]


def make_unsendable(api: Session) -> None:
    """By a character that no header may hold."""
    age(api, 600)
    api.token = {**api.token, "access_token": api.token["access_token"] + "é"}


kept: dict[str, str] = {}  # not a variable of a frame


def test_sentry_is_given_the_repr_of_a_token(demo: DemoProvider) -> None:
    """For frames of other libraries that hold one: its name for what an object shows of itself."""
    token = sign_in(demo).token
    assert token.__sentry_repr__() == repr(token)


def test_the_headers_of_a_request_show_no_token(demo: DemoProvider) -> None:
    """Where a cell shows them, or a list of errors with their requests."""
    api = sign_in(demo)
    token, url = api.token["access_token"], f"{demo.api}/nothing"

    async def errors() -> list[BaseException]:
        async with aiohttp.ClientSession(
            middlewares=[api.credentials.aiohttp], raise_for_status=True
        ) as client:
            return await asyncio.gather(client.get(url), client.get(url), return_exceptions=True)

    responses = [api.get(url), requests.get(url, auth=api.requests_auth, timeout=20)]
    shown = [repr([each.request.headers, each.request.copy().headers]) for each in responses]
    shown += [repr(asyncio.run(errors())), repr(dict(api.headers_for(url)))]
    assert all("Authorization" in text and token not in text for text in shown)
    assert api.headers_for(url)["Authorization"] == f"Bearer {token}"


def test_the_search_finds_what_a_bare_client_prints(demo: DemoProvider, api: Any) -> None:
    """Other clients' frames are not ours to clear: docs/session.md says so, and this search can find."""
    try:
        requests.get(NOWHERE, headers=api.headers_for(f"{demo.api}/measurements"), timeout=5)
    except requests.ConnectionError:
        text = VerboseTB(**PLAIN).text(*sys.exc_info())
    assert api.token["access_token"] in text
