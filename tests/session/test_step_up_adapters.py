"""Step-up where another client than the session calls the API, and where nobody can be asked: workers of all kinds."""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
from contextlib import redirect_stderr
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
import pytest
from demo_session import renewer, sign_in
from flask import Flask
from screen import Screen
from servers import Server
from werkzeug.serving import make_server

import authnb
from authnb.errors import InteractionRequired, ShareError
from authnb.session.refused import StepUpRequired
from authnb.storage.files import FileStorage

if TYPE_CHECKING:
    from pathlib import Path

    from authnb.demo import DemoProvider
    from authnb.session.session import Session

LITTLE = "openid profile email"
MORE = "measurements:read"
STRONGER = 'Bearer error="insufficient_user_authentication", acr_values="phr"'
DEMO_ACR = "urn:authnb:demo:one-time-code"


@pytest.fixture
def session(demo: DemoProvider) -> Session:
    return sign_in(demo, scope=LITTLE)


def granted(demo: DemoProvider, session: Session, *asked: Any, **options: Any) -> Session:
    pending = session.ask_for(*asked, **options)
    demo.visit(pending.verification().uri, name="ada")
    return pending.wait(10)


def at(session: Session, server: Server) -> Session:
    """The session, allowed to call another API."""
    session.token_auth.origins = frozenset()
    server.routes["/x"] = lambda _: (401, {"WWW-Authenticate": STRONGER}, b"")
    return session


async def by_httpx(session: Session, url: str) -> tuple[int, Any]:
    with httpx.Client(auth=session.httpx_auth) as client:
        response = await asyncio.to_thread(client.get, url)
    return response.status_code, response.extensions.get("step_up_required")


async def by_async_httpx(session: Session, url: str) -> tuple[int, Any]:
    async with httpx.AsyncClient(auth=session.httpx_auth) as client:
        response = await client.get(url)
    return response.status_code, response.extensions.get("step_up_required")


async def by_aiohttp(session: Session, url: str) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession(middlewares=[session.credentials.aiohttp]) as client,
        client.get(url) as response,
    ):
        return response.status, None


CLIENTS = pytest.mark.parametrize("call", [by_httpx, by_async_httpx, by_aiohttp])


@CLIENTS
async def test_the_next_call_has_what_another_process_was_granted(
    demo: DemoProvider, tmp_path: Path, call: Any
) -> None:
    session = sign_in(demo, scope=LITTLE, storage=FileStorage(tmp_path))
    other = authnb.login(
        demo.issuer,
        client_id=demo.client_id,
        scope=LITTLE,
        api=demo.api,
        storage=FileStorage(tmp_path),
        view=None,
    ).wait(10)
    status, error = await call(other, demo.api + "/stations")
    assert status == 403
    assert call is by_aiohttp or isinstance(error, StepUpRequired)
    granted(demo, session, MORE)
    assert (await call(other, demo.api + "/stations")) == (200, None)


@CLIENTS
async def test_what_a_renewal_cannot_change_is_not_renewed(session: Session, call: Any) -> None:
    with Server() as server:
        at(session, server)
        before, offered = session.token, []
        session.token_auth.on_step_up_required = lambda step_up, _: offered.append(step_up.acr_values)
        status, _ = await call(session, server.url + "/x")
        assert (status, len(server.requests)) == (401, 1)
    assert session.token is before
    assert offered == [("phr",)]


def test_where_a_call_is_redirected_to_cannot_ask(session: Session) -> None:
    with Server() as server, Server() as elsewhere:
        at(session, elsewhere)
        server.routes["/x"] = lambda _: (
            302,
            {"Location": elsewhere.url.replace("127.0.0.1", "localhost") + "/x"},
            b"",
        )
        with httpx.Client(auth=session.httpx_auth, follow_redirects=True) as client:
            response = client.get(server.url + "/x")
    assert response.status_code == 401
    assert "step_up_required" not in response.extensions


def test_the_proxy_has_the_new_token_at_once(demo: DemoProvider, session: Session) -> None:
    with session.serve() as proxy:
        assert httpx.get(proxy.url("/stations")).status_code == 403
        granted(demo, session, MORE)
        assert httpx.get(proxy.url("/stations")).status_code == 200


def in_pool(session: Session) -> tuple[int, str, str]:
    response = session.get("stations")
    try:
        response.raise_for_status()
    except StepUpRequired as error:
        said = str(error)
    else:
        said = ""
    try:
        session.ask_for(MORE)
    except ShareError as error:
        return response.status_code, said, str(error)
    return response.status_code, said, ""


def test_a_worker_says_who_can_ask_and_gets_what_was_granted(demo: DemoProvider, session: Session) -> None:
    """Its token would be good for an hour: it asks for another when the API refuses it."""
    with (
        session.share_with(multiprocessing),
        multiprocessing.get_context("spawn").Pool(1) as pool,
    ):
        status, said, asked = pool.apply(in_pool, (session,))
        assert status == 403
        assert "Ask for it in the notebook that shares its sign-in" in said
        assert "Ask there, in the notebook" in asked
        assert "[worker_session]" in asked
        granted(demo, session, MORE)
    with (
        session.share_with(multiprocessing),
        multiprocessing.get_context("spawn").Pool(1) as pool,
    ):
        assert pool.apply(in_pool, (session,))[:2] == (200, "")


def status_of_stations(session: Session) -> None:
    session.get("stations").raise_for_status()


def test_the_error_of_a_worker_arrives_in_the_notebook(demo: DemoProvider, session: Session) -> None:
    """Where its arguments are those of ``ask_for``."""
    with (
        session.share_with(multiprocessing),
        multiprocessing.get_context("spawn").Pool(1) as pool,
    ):
        with pytest.raises(StepUpRequired) as caught:
            pool.apply(status_of_stations, (session,))
        granted(demo, session, caught.value.scope)
    assert session.get("stations").status_code == 200


def test_a_worker_with_a_good_token_takes_the_new_one(demo: DemoProvider, session: Session) -> None:
    with session.share_with(multiprocessing) as share, multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(status_after_another, (session, "stations")) == (403, 403)
        granted(demo, session, MORE)
        assert pool.apply(status_after_another, (session, "stations")) == (200, 200)
        assert share.holders


def status_after_another(session: Session, path: str) -> tuple[int, int]:
    """A call, as long as the worker has not just asked for another token."""
    session.token_auth._ask_again_at = 0.0  # noqa: SLF001 - as if a minute had passed
    return session.get(path).status_code, session.get(path).status_code


def test_a_web_worker_does_not_ask_a_visitor_for_the_apps_account(session: Session) -> None:
    """Visitors sign in apart, and ask apart: with a page of the app's own."""
    app, raised = Flask("app"), []

    @app.get("/")
    def page() -> str:
        for options in ({}, {"mode": "device", "view": None}):
            try:
                session.ask_for(MORE, **options).wait(10)
            except InteractionRequired as error:
                raised.append(str(error))
        return ""

    server = make_server("127.0.0.1", 0, app)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    httpx.get(f"http://127.0.0.1:{server.server_port}/", timeout=30)
    server.shutdown()
    thread.join()
    server.server_close()
    assert len(raised) == 2
    assert all("this is a worker of Werkzeug" in text or "a worker of Flask" in text for text in raised)
    assert renewer(session).client.scope == LITTLE


def test_a_visitor_is_asked_for_more_in_the_page_of_the_app(demo: DemoProvider) -> None:
    sessions: list[Session] = []

    def visitor() -> None:
        login = authnb.login(
            demo.issuer, client_id=demo.client_id, scope=LITTLE, api=demo.api, mode="device", view=None
        )
        demo.approve(login.verification().user_code, name="ada")
        session = login.wait(20)
        pending = session.ask_for(MORE, mode="device", view=None)
        demo.approve(pending.verification().user_code, name="ada")
        sessions.append(pending.wait(20))

    thread = threading.Thread(target=visitor)
    thread.start()
    thread.join()
    assert sessions[0].get("stations").status_code == 200


def test_by_class_and_age_at_the_embedded_provider(demo: DemoProvider) -> None:
    """RFC 9470, with a provider and an API that mean it."""
    session = sign_in(demo)
    with pytest.raises(StepUpRequired) as caught:
        session.get("calibration").raise_for_status()
    assert (caught.value.error, caught.value.acr_values) == ("insufficient_user_authentication", DEMO_ACR)
    granted(demo, session, acr_values=caught.value.acr_values, max_age=300)
    assert session.get("calibration").status_code == 200
    assert session.get("stations").status_code == 200, "what was granted before is kept"
    assert session.user["acr"] == DEMO_ACR
    assert session.ask_for(acr_values=DEMO_ACR, max_age=300).wait(10) is session


def test_a_class_that_there_is_not(demo: DemoProvider) -> None:
    session = sign_in(demo)
    before = session.token
    with pytest.raises(authnb.ProviderError) as caught:
        granted(demo, session, acr_values="urn:unknown")
    assert caught.value.error == "unmet_authentication_requirements"
    assert session.token is before


def test_in_a_terminal(demo: DemoProvider, session: Session) -> None:
    """The lines say what is asked for, and that it was granted."""
    with redirect_stderr(Screen()) as screen:
        pending = session.ask_for(MORE, view="text")
        person = threading.Thread(
            target=lambda: screen.shows_address.wait() and demo.visit(pending.verification().uri, name="ada"),
            daemon=True,
        )
        person.start()
        assert pending.wait(60) is session
        person.join()
    text = screen.getvalue()
    assert f"To allow {MORE} at 127.0.0.1, open this address in your browser:" in text
    assert f"Signed in as Ada at 127.0.0.1, with {MORE}." in text
