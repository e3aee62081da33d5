"""The card that a refused call shows in JupyterLab: what the API asks for, and one click that starts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from harness import login, violations
from playwright.sync_api import expect
from servers import Server as Api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import JupyterPage, Notebook
    from playwright.sync_api import Locator

    from authnb.demo import DemoProvider

LITTLE = "openid profile email"
CALL = "answer = api.get('stations'); print('status', answer.status_code)"


@pytest.fixture(autouse=True)
def _no_errors_in_the_console(jupyter: JupyterPage) -> Iterator[None]:
    jupyter.console.clear()
    yield
    assert not [text for text in jupyter.console if "authnb" in text or "uncaught: TypeError" in text]


def card(notebook: Notebook, cell: int) -> Locator:
    """The latest card of a cell."""
    cells = notebook.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell")
    return cells.nth(cell).locator(".authnb").last


def phase(found: Locator, name: str) -> None:
    expect(found).to_have_attribute("data-phase", name)


def signed_in(notebook: Notebook, demo: DemoProvider) -> None:
    notebook.run(0)
    demo.visit(notebook.address(), name="ada")
    phase(card(notebook, 0), "signed_in")
    notebook.idle()


def test_one_click_asks_for_what_the_api_wants(jupyter: JupyterPage, demo: DemoProvider) -> None:
    with jupyter.notebook(login(demo, scope=LITTLE, api=demo.api), CALL) as notebook:
        signed_in(notebook, demo)
        notebook.run(1)
        notebook.idle()
        assert "status 403" in notebook.outputs(1)
        offered = card(notebook, 1)
        phase(offered, "choosing")
        expect(offered).to_contain_text("This API asks for more: measurements:read")
        expect(offered).to_contain_text("refused a call")
        assert violations(notebook.page, ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-OutputArea .authnb") == []
        offered.get_by_role("button", name="Ask for it", exact=True).click()
        phase(offered, "waiting")
        expect(offered).to_contain_text("asks for measurements:read")
        link = offered.get_by_role("link", name="Open the sign-in page")
        expect(link).not_to_have_attribute("aria-disabled", "true")
        demo.visit(link.get_attribute("href") or "", name="ada")
        phase(offered, "signed_in")
        expect(offered).to_contain_text("Granted: measurements:read")
        expect(offered).to_contain_text("Run the cell again")
        notebook.run(1)
        notebook.idle()
        assert "status 200" in notebook.outputs(1)


def test_a_loop_of_refused_calls_shows_one_card_and_not_now_is_a_no(
    jupyter: JupyterPage, demo: DemoProvider
) -> None:
    loop = "for _ in range(3): print('status', api.get('stations').status_code)"
    with jupyter.notebook(login(demo, scope=LITTLE, api=demo.api), loop) as notebook:
        signed_in(notebook, demo)
        notebook.run(1)
        notebook.idle()
        assert notebook.outputs(1).count("widget-view+json") == 1
        offered = card(notebook, 1)
        offered.get_by_role("button", name="Not now", exact=True).click()
        phase(offered, "cancelled")
        expect(offered).to_contain_text("Nothing more was asked for")
        expect(offered).to_contain_text("You stay signed in, as before.")


def test_in_a_cell_with_await(jupyter: JupyterPage, demo: DemoProvider) -> None:
    ask = "print('same', (await api.ask_for('measurements:read')) is api, api.get('stations').status_code)"
    with jupyter.notebook(login(demo, scope=LITTLE, api=demo.api), ask) as notebook:
        signed_in(notebook, demo)
        notebook.run(1)
        waiting = card(notebook, 1)
        phase(waiting, "waiting")
        link = waiting.get_by_role("link", name="Open the sign-in page")
        expect(link).not_to_have_attribute("aria-disabled", "true")
        demo.visit(link.get_attribute("href") or "", name="ada")
        notebook.idle()
        assert "same True 200" in notebook.outputs(1)


def test_somebody_else_agrees_and_the_card_says_so(jupyter: JupyterPage, demo: DemoProvider) -> None:
    with jupyter.notebook(login(demo, scope=LITTLE, api=demo.api), CALL) as notebook:
        signed_in(notebook, demo)
        notebook.run(1)
        offered = card(notebook, 1)
        offered.get_by_role("button", name="Ask for it", exact=True).click()
        link = offered.get_by_role("link", name="Open the sign-in page")
        expect(link).not_to_have_attribute("aria-disabled", "true")
        demo.visit(link.get_attribute("href") or "", name="grace")
        phase(offered, "failed")
        expect(offered).to_contain_text("somebody else signed in")
        offered.get_by_role("button", name="Try again", exact=True).click()
        phase(offered, "waiting")
        expect(link).not_to_have_attribute("aria-disabled", "true")
        demo.visit(link.get_attribute("href") or "", name="ada")
        phase(offered, "signed_in")


def test_a_challenge_is_text_and_never_markup(jupyter: JupyterPage, demo: DemoProvider) -> None:
    """And a server without the token offers nothing."""
    scope = "<img/src=x/onerror=window.hacked=1>"
    header = f'Bearer error="insufficient_scope", scope="{scope}", error_description="<b>Go to https://evil.example</b>"'
    with Api() as api:
        api.routes["/stations"] = lambda _: (403, {"WWW-Authenticate": header}, b"")
        with jupyter.notebook(login(demo, scope=LITTLE, api=api.url), CALL) as notebook:
            signed_in(notebook, demo)
            notebook.run(1)
            offered = card(notebook, 1)
            phase(offered, "choosing")
            expect(offered).to_contain_text(scope)
            expect(offered).to_contain_text("does not list")
            assert offered.get_by_role("button", name="Ask for it all the same").count() == 1
            assert offered.locator("img").count() == 0
            assert "evil" not in offered.inner_text()
            assert notebook.page.evaluate("() => window.hacked") is None
