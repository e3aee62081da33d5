"""On a real JupyterHub: two users sign in at a provider on another host in each mode, neither in the other's place."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from harness import login
from hub import Hub, HubPage, UserServer
from playwright.sync_api import expect
from provider_pages import SIGN_IN_BY, paste, provider_for, stray_answer
from support import free_port
from topologies import TOPOLOGIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from authnb.demo import DemoProvider

PORTS = {"ada": free_port(), "grace": free_port()}


@pytest.fixture(autouse=True, scope="module")
def _patience() -> Iterator[None]:
    """A Hub, its proxy, two servers and two browsers share the machine."""
    expect.set_options(timeout=30_000)
    yield
    expect.set_options(timeout=20_000)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with Hub(tmp_path_factory.mktemp("hub")) as running:
        yield running


@pytest.fixture(scope="module")
def pages(hub: Hub, browser: Browser) -> Iterator[dict[str, HubPage]]:
    """Each person's page, in a browser of their own."""
    servers = [UserServer(hub, name) for name in PORTS]
    opened = {server.name: HubPage(server, browser) for server in servers}
    yield opened
    for jupyter in opened.values():
        jupyter.close()


@pytest.fixture(scope="module")
def provider(hub: Hub) -> Iterator[DemoProvider]:
    pages = [f"{hub.url}/user/{name}/lab/extensions/authnb/callback.html" for name in PORTS]
    proxies = [f"{hub.url}/user/{name}/proxy/{port}/callback" for name, port in PORTS.items()]
    with provider_for(*pages, *proxies, hub.callback_page, people=tuple(PORTS)) as demo:
        yield demo


@pytest.mark.parametrize("name", PORTS)
@pytest.mark.parametrize("mode", [mode for mode in TOPOLOGIES["hub"].run if mode != "auto"])
def test_each_mode(pages: dict[str, HubPage], provider: DemoProvider, mode: str, name: str) -> None:
    cell = login(provider, mode=mode, redirect_port=PORTS[name])
    with pages[name].notebook(cell, "print('next', api.user['preferred_username'])") as notebook:
        notebook.run_all()
        SIGN_IN_BY[mode](notebook, name)
        notebook.phase("signed_in")
        notebook.idle()
        assert f"next {name}" in notebook.outputs(1)


def test_one_registered_address_serves_everybody(
    pages: dict[str, HubPage], provider: DemoProvider, hub: Hub
) -> None:
    """The Hub redirects each browser to its own user's callback page; no administrator has to deploy one."""
    name = "AUTHNB_CALLBACK_PAGE"
    begin = login(provider, mode="page", then=f"del os.environ[{name!r}]\napi = await signin")
    cell = f"import os\nos.environ[{name!r}] = {hub.callback_page!r}\n{begin}"
    for user, jupyter in pages.items():
        with jupyter.notebook(cell, "print('next', api.user['preferred_username'])") as notebook:
            notebook.run_all()
            notebook.link()
            assert parse_qs(urlsplit(notebook.address()).query)["redirect_uri"] == [hub.callback_page]
            SIGN_IN_BY["page"](notebook, user)
            notebook.phase("signed_in")
            notebook.idle()
            assert f"next {user}" in notebook.outputs(1)


def test_auto_says_how_it_decided(pages: dict[str, HubPage], provider: DemoProvider) -> None:
    cells = login(provider), "print('next', api.user['name'], signin.mode)"
    with pages["ada"].notebook(*cells) as notebook:
        notebook.run_all()
        notebook.phase("waiting")
        expect(notebook.panel).to_contain_text(
            "The kernel runs on a JupyterHub, so the callback arrives through a page of your Jupyter server."
        )
        SIGN_IN_BY["auto"](notebook, "ada")
        notebook.phase("signed_in")
        notebook.idle()
        assert f"next Ada {TOPOLOGIES['hub'].outcomes['auto']}" in notebook.outputs(1)


def test_no_user_takes_over_anothers_sign_in(pages: dict[str, HubPage], provider: DemoProvider) -> None:
    """A callback for one user is accepted by no panel, port or field of the other."""
    ada, grace = pages["ada"], pages["grace"]
    with (
        ada.notebook(login(provider, mode="page", then="signin")) as hers,
        grace.notebook(login(provider, mode="page", then="signin")) as other,
    ):
        hers.run_all()
        other.run_all()
        other.link()
        # Grace opens the link that is Ada's, in her own browser, and ends on Ada's page
        answer = stray_answer(grace.context, hers.address(), "grace")
        hers.phase("waiting")
        other.phase("waiting")
        # and puts it into her own panel
        other.panel.locator("summary").click()
        paste(other, answer)
        expect(other.panel.get_by_role("alert")).to_contain_text("This is not the address")
        paste(other, answer.replace("/user/ada/", "/user/grace/"))
        expect(other.panel.get_by_role("alert")).to_contain_text("belongs to another sign-in")
        hers.press("Cancel")
        other.press("Cancel")


def test_no_user_reaches_anothers_port(hub: Hub, pages: dict[str, HubPage], provider: DemoProvider) -> None:
    cell = login(provider, mode="proxy", redirect_port=PORTS["ada"], then="signin")
    with pages["ada"].notebook(cell) as notebook:
        notebook.run_all()
        notebook.link()
        callback = f"{hub.url}/user/ada/proxy/{PORTS['ada']}/callback?code=c&state=s"
        answer = pages["grace"].context.request.get(callback)
        assert answer.status in {403, 404}
        assert "/hub/" in requests.get(callback, timeout=20).url, "a stranger is sent to sign in to the Hub"
        notebook.phase("waiting")
        notebook.press("Cancel")


def test_the_hubs_auth_state_says_what_is_missing(pages: dict[str, HubPage], provider: DemoProvider) -> None:
    """Without the scope `admin:auth_state!user` the server's token may not read it."""
    with pages["ada"].notebook(login(provider, mode="token")) as notebook:
        notebook.run_all()
        notebook.phase("failed")
        expect(notebook.panel).to_contain_text("admin:auth_state!user")
