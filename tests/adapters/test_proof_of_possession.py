"""Clients of others with a token that is bound to a key (RFC 9449): a proof with each request, or a clear refusal."""

from __future__ import annotations

import asyncio
import pickle
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
import pytest
from aiohttp import web
from demo_session import age, for_api, sign_in
from multidict import CIMultiDict
from proving_api import ProvingAPI, header, problem, refusal
from servers import Server

from authnb.demo import DemoProvider
from authnb.errors import AuthnbError
from authnb.transport.exchange import observers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.session.session import Session
    from authnb.transport.exchange import HTTPExchange


async def by_httpx(session: Session, method: str, url: str, content: Any = None) -> tuple[int, str]:
    def send() -> httpx.Response:
        with httpx.Client(auth=session.httpx_auth, follow_redirects=True) as client:
            return client.request(method, url, content=content)

    response = await asyncio.to_thread(send)
    return response.status_code, response.text


async def by_async_httpx(session: Session, method: str, url: str, content: Any = None) -> tuple[int, str]:
    async with httpx.AsyncClient(auth=session.httpx_auth, follow_redirects=True) as client:
        response = await client.request(method, url, content=_async(content))
    return response.status_code, response.text


async def by_aiohttp(session: Session, method: str, url: str, content: Any = None) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession(middlewares=[session.credentials.aiohttp]) as client,
        client.request(method, url, data=_async(content)) as response,
    ):
        return response.status, await response.text()


async def by_serve(session: Session, method: str, url: str, content: Any = None) -> tuple[int, str]:
    """A program that knows nothing of tokens, by the proxy; what that says is raised here."""
    with session.serve() as proxy, httpx.Client(follow_redirects=True) as client:
        response = await asyncio.to_thread(client.request, method, proxy.url(url), content=content)
    if response.status_code == 502:
        raise AuthnbError("by_proxy", response.text)
    return response.status_code, response.text


def _async(content: Any) -> Any:
    """A stream as those of an event loop take it."""
    if content is None or isinstance(content, bytes):
        return content

    async def chunks() -> Any:
        for chunk in content:
            yield chunk

    return chunks()


CLIENTS = pytest.mark.parametrize("call", [by_httpx, by_async_httpx, by_aiohttp, by_serve])


@pytest.fixture(scope="module")
def proving_demo() -> Iterator[DemoProvider]:
    with DemoProvider(dpop="required") as provider:
        yield provider


@pytest.fixture(scope="module")
def signed_in(proving_demo: DemoProvider) -> Session:
    return sign_in(proving_demo)


@pytest.fixture
def api() -> Iterator[ProvingAPI]:
    with ProvingAPI() as running:
        yield running


@pytest.fixture
def session(signed_in: Session, api: ProvingAPI) -> Session:
    return for_api(signed_in, api.url)


@contextmanager
def exchanges() -> Iterator[list[HTTPExchange]]:
    """The requests to the API meanwhile."""
    seen: list[HTTPExchange] = []

    def see(exchange: HTTPExchange) -> None:
        if exchange.receiver == "API":
            seen.append(exchange)

    observers.append(see)
    try:
        yield seen
    finally:
        observers.remove(see)


@CLIENTS
async def test_a_call_a_nonce_that_expired_and_a_renewal(
    proving_demo: DemoProvider, signed_in: Session, call: Any
) -> None:
    url, before = proving_demo.api + "/measurements", signed_in.token
    assert before["token_type"] == "DPoP"
    await call(signed_in, "GET", url)
    with exchanges() as seen:
        assert (await call(signed_in, "GET", url + "?limit=1"))[0] == 200
        before.dpop_key.keep_nonce(url, "expired", is_api=True)
        assert (await call(signed_in, "GET", url))[0] == 200
    assert [each.status for each in seen] == [200, 401, 200]
    age(signed_in)
    assert (await call(signed_in, "GET", url))[0] == 200
    assert signed_in.token["access_token"] != before["access_token"]
    assert signed_in.token.dpop_key.thumbprint == before.dpop_key.thumbprint


async def test_32_calls_with_a_nonce_that_expired(proving_demo: DemoProvider, signed_in: Session) -> None:
    url = proving_demo.api + "/stations"
    signed_in.token.dpop_key.keep_nonce(url, "expired", is_api=True)
    async with httpx.AsyncClient(auth=signed_in.httpx_auth, timeout=None) as client:  # noqa: S113 - on a busy machine
        responses = await asyncio.gather(*(client.get(url) for _ in range(32)))
    assert [response.status_code for response in responses] == [200] * 32


@CLIENTS
async def test_a_redirect_to_the_same_origin_has_a_proof_of_its_own(
    session: Session, api: ProvingAPI, call: Any
) -> None:
    api.guard("/from", (307, {"Location": "/to?a=b"}, b""))
    api.guard("/to", (303, {"Location": "/end"}, b""))
    api.guard("/end")
    assert await call(session, "POST", api.url + "/from", b"body") == (200, "in")
    assert set(api.refused) <= {"nonce", "no proof"}
    assert [(each.method, each.path, each.body) for each in api.accepted] == [
        ("POST", "/from", b"body"),
        ("POST", "/to?a=b", b"body"),
        ("GET", "/end", b""),
    ]


@CLIENTS
@pytest.mark.parametrize("status", [200, 401])
async def test_a_redirect_to_another_origin_has_neither_token_nor_proof(
    session: Session, api: ProvingAPI, call: Any, status: int
) -> None:
    """Nor gets it one by asking."""
    asks = (
        {"WWW-Authenticate": 'DPoP error="use_dpop_nonce"', "DPoP-Nonce": "elsewhere"}
        if status == 401
        else {}
    )
    with Server() as other:
        other.text("/there", "there", status, **asks)
        api.guard("/here", (307, {"Location": other.url + "/there"}, b""))
        assert await call(session, "GET", api.url + "/here") == (status, "there")
    assert len(other.requests) == 1
    assert not [name for name in ("Authorization", "DPoP") if header(other.requests[0], name)]


@CLIENTS
async def test_a_name_that_has_two_addresses(signed_in: Session, api: ProvingAPI, call: Any) -> None:
    """The proof is for the name, though the request goes to 127.0.0.1."""
    url = api.url.replace("127.0.0.1", "localhost")
    api.guard("/from", (302, {"Location": "/to"}, b""))
    api.guard("/to")
    assert await call(for_api(signed_in, url), "GET", url + "/from") == (200, "in")


@CLIENTS
async def test_a_nonce_that_never_satisfies(session: Session, api: ProvingAPI, call: Any) -> None:
    numbers = iter(range(10))

    def refuse(_: Any) -> tuple[int, dict[str, str], bytes]:
        headers = {"WWW-Authenticate": 'DPoP error="use_dpop_nonce"', "DPoP-Nonce": f"nonce-{next(numbers)}"}
        return 401, headers, b""

    api.routes["/x"] = refuse
    with pytest.raises(AuthnbError, match=r"refused 3 proofs.*The API is at fault"):
        await call(session, "GET", api.url + "/x")
    assert len(api.requests) == 3
    assert len({header(request, "DPoP") for request in api.requests}) == 3


@CLIENTS
async def test_a_proof_that_is_refused_is_not_made_again(
    session: Session, api: ProvingAPI, call: Any
) -> None:
    api.text("/x", "", 401, **{"WWW-Authenticate": 'DPoP error="invalid_dpop_proof"'})
    before = session.token
    with pytest.raises(AuthnbError, match="Perhaps a clock is wrong"):
        await call(session, "GET", api.url + "/x")
    assert (len(api.requests), session.token is before) == (1, True)


async def test_a_websocket_of_aiohttp_opens_with_a_proof(signed_in: Session) -> None:
    problems: list[str | None] = []

    async def greet(request: web.Request) -> web.StreamResponse:
        url = f"http://{request.headers['Host']}{request.path_qs}"
        problems.append(problem(request.method, url, request.headers, "this"))
        if problems[-1] is not None:
            status, headers, _ = refusal(problems[-1], "this")
            return web.Response(status=status, headers=headers)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str("in")
        await socket.close()
        return socket

    app = web.Application()
    app.router.add_get("/socket", greet)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    session = for_api(signed_in, f"http://127.0.0.1:{runner.addresses[0][1]}")
    async with (
        aiohttp.ClientSession(middlewares=[session.credentials.aiohttp]) as client,
        client.ws_connect(session.api_addresses[0] + "/socket") as socket,
    ):
        assert await socket.receive_str() == "in"
    await runner.cleanup()
    assert problems == ["nonce", None]


@CLIENTS
async def test_a_stream_that_cannot_be_sent_again(session: Session, api: ProvingAPI, call: Any) -> None:
    """The call says so, and the next one has the nonce."""
    api.guard("/x")
    session.token.dpop_key.keep_nonce(api.url, "expired", is_api=True)
    with pytest.raises(AuthnbError, match=r"cannot be sent again with one\. Repeat the call"):
        await call(session, "POST", api.url + "/x", iter([b"once"]))
    assert await call(session, "POST", api.url + "/x", iter([b"once"])) == (200, "in")


def test_a_pickled_response_of_httpx_has_no_proof(session: Session, api: ProvingAPI) -> None:
    api.guard("/x")
    with httpx.Client(auth=session.httpx_auth) as client:
        response = client.get(api.url + "/x")
    proof = header(api.requests[-1], "DPoP")
    assert proof is not None
    # as other transports than httpx's own read them
    assert CIMultiDict(response.request.headers)["DPoP"] == proof
    assert proof.encode() not in pickle.dumps(response)
    assert proof not in repr(response.request.headers)


@pytest.mark.parametrize(
    "ask",
    [
        lambda session: session.access_token(),
        lambda session: asyncio.run(session.access_token_async()),
        lambda session: session.headers_for(session.api_addresses[0]),
        lambda session: session.token_file().__enter__(),
        lambda session: httpx.get(session.api_addresses[0], auth=session),
    ],
    ids=["access_token", "access_token_async", "headers_for", "token_file", "auth=session of httpx"],
)
def test_what_hands_over_a_token_alone_says_what_to_use(session: Session, api: ProvingAPI, ask: Any) -> None:
    with pytest.raises(AuthnbError, match=r"credentials\.aiohttp, or through api\.serve") as refused:
        ask(session)
    assert refused.value.error == "not_supported"
    assert api.requests == []
