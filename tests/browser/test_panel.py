"""The sign-in panel in JupyterLab: every state, clicked through."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import pytest
from harness import THEMES, login, violations
from playwright.sync_api import expect
from servers import Server as Stalling
from support import newcomer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import JupyterPage, Notebook

    from authnb.demo import DemoProvider

NEVER_SHOWN = ("state=", "code_challenge", "Traceback")


def user_code(notebook: Notebook) -> str:
    return notebook.panel.locator(".authnb-code").inner_text()


@pytest.fixture(autouse=True)
def _no_errors_in_the_console(jupyter: JupyterPage) -> Iterator[None]:
    jupyter.console.clear()
    yield
    assert not [text for text in jupyter.console if "authnb" in text or "uncaught: TypeError" in text]


def test_one_click_and_the_notebook_goes_on(jupyter: JupyterPage, demo: DemoProvider) -> None:
    with jupyter.notebook(login(demo), "print('next', api.user['name'])") as notebook:
        notebook.run_all()
        notebook.phase("waiting")
        expect(notebook.panel).to_contain_text("Sign in to 127.0.0.1")
        expect(notebook.panel).to_contain_text("your name, your e-mail address and measurements:read")
        with jupyter.context.expect_page() as opened:
            notebook.link().click()
        expect(notebook.panel).to_contain_text("open in another tab")
        assert opened.value.url.startswith(demo.issuer)
        assert opened.value.evaluate("() => window.opener") is None
        opened.value.close()
        demo.visit(notebook.address(), name="ada")
        notebook.phase("signed_in")
        expect(notebook.panel).to_contain_text("Ada")
        expect(notebook.panel).to_contain_text("ada@example.org · 127.0.0.1")
        expect(notebook.panel).to_contain_text("renews by itself before")
        notebook.idle()
        assert "next Ada" in notebook.outputs(1)
        assert not any(word in notebook.outputs(0) for word in NEVER_SHOWN)


def test_sign_out_and_in_again(jupyter: JupyterPage, demo: DemoProvider) -> None:
    """Without await the kernel stays free, and the session is taken later."""
    with jupyter.notebook(login(demo, then="signin")) as notebook:
        notebook.run_all()
        demo.visit(notebook.address(), name="ada")
        notebook.phase("signed_in")
        notebook.press("Sign out")
        notebook.phase("signed_out")
        notebook.press("Sign in again")
        notebook.phase("waiting")
        demo.visit(notebook.address(), name="ada")
        notebook.phase("signed_in")


def test_a_session_that_a_cell_has_is_signed_in_again(jupyter: JupyterPage, demo: DemoProvider) -> None:
    """The cell has ended: the click signs its session in, or says which cell to run for somebody else's."""
    ask = "print(api.get('/measurements').status_code)"
    with jupyter.notebook(login(demo, api=demo.api), ask) as notebook:
        notebook.run_all()
        demo.visit(notebook.address(), name="ada")
        notebook.idle()
        assert "200" in notebook.outputs(1)
        notebook.press("Sign out")
        notebook.phase("signed_out")
        notebook.run(1)
        notebook.idle()
        assert "signed out" in notebook.outputs(1)
        for name, answer in ("ada", "200"), (newcomer(), "signed out"):
            notebook.press("Sign in again")
            notebook.phase("waiting")
            demo.visit(notebook.address(), name=name)
            notebook.phase("signed_in")
            notebook.run(1)
            notebook.idle()
            assert answer in notebook.outputs(1)
            told = expect(notebook.panel)
            note = "Run the cell that signs in"
            told.not_to_contain_text(note) if name == "ada" else told.to_contain_text(note)
            if name == "ada":
                notebook.press("Sign out")
                notebook.phase("signed_out")


def test_a_code_for_another_device(jupyter: JupyterPage, demo: DemoProvider) -> None:
    with jupyter.notebook(login(demo, mode="device"), "print('next')") as notebook:
        notebook.run_all()
        notebook.phase("waiting")
        code = user_code(notebook)
        expect(notebook.panel).to_contain_text("The code is good for 4:5")
        expect(notebook.panel.get_by_role("img")).to_have_count(0)  # a QR code of this machine is of no use
        expect(notebook.link("Open with the code")).to_have_attribute(
            "href", f"{demo.issuer}/device?user_code={code}"
        )
        jupyter.context.grant_permissions(["clipboard-read", "clipboard-write"])
        notebook.press("Copy")
        expect(notebook.panel.get_by_role("button", name="Copied")).to_be_visible()
        assert jupyter.page.evaluate("() => navigator.clipboard.readText()") == code
        demo.approve(code, name="ada")
        notebook.phase("signed_in")
        notebook.idle()
        assert code not in notebook.outputs(0)


def test_another_way_while_the_cell_waits(jupyter: JupyterPage, demo: DemoProvider) -> None:
    """The cell goes on waiting, whichever way the person takes."""
    with jupyter.notebook(login(demo), "print('next', api.user['name'])") as notebook:
        notebook.run_all()
        notebook.link()
        notebook.panel.locator("summary").click()
        notebook.press("Use a code instead")
        demo.approve(user_code(notebook), name="ada")
        notebook.idle()
        assert "next Ada" in notebook.outputs(1)


def test_declined_then_tried_again(jupyter: JupyterPage, demo: DemoProvider) -> None:
    """Run All stops with a typed error; the panel retries in place, and the cell then needs no sign-in."""
    with jupyter.notebook(login(demo, then="api = await signin"), "print('next')") as notebook:
        notebook.run_all()
        name = newcomer()
        demo.visit(notebook.address(), name=name, allow=False)
        notebook.phase("failed")
        expect(notebook.panel).to_contain_text("You declined at 127.0.0.1")
        notebook.idle()
        expect(notebook.panel).to_contain_text("Cells below were not run.")
        assert "LoginFailed" in notebook.outputs(0)
        assert "next" not in notebook.outputs(1)
        notebook.press("Try again")
        demo.visit(notebook.address(), name=name)
        notebook.phase("signed_in")
        expect(notebook.panel).to_contain_text("Run it again: it goes on without asking.")


def test_cancel(jupyter: JupyterPage, demo: DemoProvider) -> None:
    with jupyter.notebook(login(demo), "print('next')") as notebook:
        notebook.run_all()
        notebook.link()
        with notebook.stopped_clock():
            notebook.press("Cancel")
            notebook.phase("cancelled")
        notebook.idle()
        assert "LoginFailed" in notebook.outputs(0)
        assert "next" not in notebook.outputs(1)


def test_cancel_in_a_cell_that_blocks_the_kernel(jupyter: JupyterPage, demo: DemoProvider) -> None:
    """The click does not reach Python while `wait` blocks; the panel's own interrupt does."""
    with jupyter.notebook(login(demo, then="api = signin.wait()"), "print('next')") as notebook:
        notebook.run_all()
        notebook.link()
        notebook.press("Cancel")
        notebook.phase("cancelled")
        notebook.idle()
        assert "KeyboardInterrupt" in notebook.outputs(0)
        assert "next" not in notebook.outputs(1)


def test_the_address_pasted(jupyter: JupyterPage, demo: DemoProvider) -> None:
    """For a browser that cannot reach the kernel's machine; here with a code the provider does not know."""
    with jupyter.notebook(login(demo)) as notebook:
        notebook.run_all()
        notebook.link()
        notebook.panel.locator("summary").click()
        field = notebook.panel.get_by_label("Address you ended on")
        field.fill("http://127.0.0.1:1/callback?code=wrong")
        notebook.press("Send")
        expect(notebook.panel.get_by_role("alert")).to_contain_text("This is not the address")
        expect(field).to_have_value("")
        asked = dict(parse_qsl(urlsplit(notebook.address()).query))
        field.fill(f"{asked['redirect_uri']}?code=not-a-code&state={asked['state']}")
        notebook.press("Send")
        notebook.phase("failed")
        expect(notebook.panel).to_contain_text("did not work")
        notebook.idle()
        assert "not-a-code" not in notebook.save()


def test_a_kernel_restart_kills_the_panel(jupyter: JupyterPage, demo: DemoProvider) -> None:
    kernel = jupyter.server.ask("POST", "kernels", json={"name": "python3"}).json()["id"]
    with jupyter.notebook(login(demo, then="signin"), kernel=kernel) as notebook:
        notebook.run_all()
        notebook.phase("waiting")
        notebook.restart()
        notebook.phase("dead")
        expect(notebook.panel).to_contain_text("Run the cell again to sign in.")
        jupyter.server.ask("DELETE", f"kernels/{kernel}")


def test_a_reopened_notebook_makes_sense(jupyter: JupyterPage, demo: DemoProvider) -> None:
    """The saved file says that somebody signed in where, and neither who nor how."""
    with jupyter.notebook(login(demo)) as notebook:
        notebook.run_all()
        demo.visit(notebook.address(), name="ada")
        notebook.phase("signed_in")
        notebook.idle()
        expect(jupyter.page.locator(".authnb-text")).to_be_hidden()
        saved = notebook.save()
    assert "Signed in at 127.0.0.1." in saved
    assert "Ada" not in saved
    assert "ada@" not in saved
    assert not any(word in saved for word in NEVER_SHOWN)


def test_two_views_of_one_login(jupyter: JupyterPage, demo: DemoProvider) -> None:
    with jupyter.notebook(login(demo, then="signin"), "signin") as notebook:
        notebook.run_all()
        demo.visit(notebook.address(), name="ada")
        panels = jupyter.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .authnb")
        expect(panels).to_have_count(2)
        expect(panels.nth(0)).to_have_attribute("data-phase", "signed_in")
        expect(panels.nth(1)).to_have_attribute("data-phase", "signed_in")


def test_the_keyboard_alone(jupyter: JupyterPage, demo: DemoProvider) -> None:
    """Tab reaches everything in turn, Enter opens; JupyterLab's own shortcuts keep out."""
    with jupyter.notebook(login(demo)) as notebook:
        notebook.run_all()
        notebook.link().focus()
        for name in ("Cancel", "The page did not open"):
            jupyter.page.keyboard.press("x")  # cuts the cell elsewhere
            jupyter.page.keyboard.press("Tab")
            expect(notebook.panel.locator(":focus")).to_contain_text(name)
        jupyter.page.keyboard.press("Enter")
        expect(notebook.panel.get_by_label("Address you ended on")).to_be_visible()
        for _ in range(3):
            jupyter.page.keyboard.press("Tab")
        jupyter.page.keyboard.type("dd")
        expect(notebook.panel.get_by_label("Address you ended on")).to_have_value("dd")
        jupyter.page.keyboard.press("Tab")
        jupyter.page.keyboard.press("Tab")
        jupyter.page.keyboard.press("Enter")
        expect(notebook.panel.locator(":focus")).to_contain_text("Open with the code")
        jupyter.page.keyboard.press("Tab")
        jupyter.page.keyboard.press("Space")
        notebook.phase("cancelled")
        expect(notebook.panel.locator(":focus")).to_have_text("Try again")
        jupyter.page.keyboard.press("Enter")
        demo.approve(user_code(notebook), name="ada")
        notebook.phase("signed_in")
        notebook.idle()
        assert len(jupyter.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell").all()) == 1


def choose_from(demo: DemoProvider, then: str = "api = await signin") -> str:
    several = f"{{'University': {demo.issuer!r}, 'Laboratory': {demo.issuer!r}}}"
    return login(demo, then=then).replace(repr(demo.issuer), several)


def test_several_providers(jupyter: JupyterPage, demo: DemoProvider) -> None:
    """The cell waits while the person chooses, fails, and chooses another."""
    with jupyter.notebook(choose_from(demo), "print('next', api.user['name'])") as notebook:
        notebook.run_all()
        notebook.phase("choosing")
        expect(notebook.panel).to_contain_text("Where do you want to sign in?")
        notebook.press("Laboratory")
        demo.visit(notebook.address(), name="ada")
        notebook.phase("signed_in")
        notebook.idle()
        assert "next Ada" in notebook.outputs(1)
    with jupyter.notebook(choose_from(demo, then="signin")) as notebook:
        notebook.run_all()
        notebook.press("University")
        demo.visit(notebook.address(), name=newcomer(), allow=False)
        notebook.phase("failed")
        notebook.press("Choose another")
        notebook.press("Laboratory")
        notebook.link()
        notebook.press("Cancel")
        notebook.phase("cancelled")


def test_a_sign_out_in_a_cell_shows_on_the_panel(jupyter: JupyterPage, demo: DemoProvider) -> None:
    with jupyter.notebook(login(demo), "api.logout()") as notebook:
        notebook.run_all()
        demo.visit(notebook.address(), name="ada")
        notebook.phase("signed_out")
        expect(notebook.panel).to_contain_text("The tokens are gone from this notebook.")


def test_a_waiting_panel_scrolls_into_view(jupyter: JupyterPage, demo: DemoProvider) -> None:
    """And leaves the focus where it was."""
    with jupyter.notebook("print('line\\n' * 150)", login(demo), "print('next')") as notebook:
        notebook.run_all()
        notebook.link()
        expect(notebook.link()).to_be_in_viewport()
        expect(notebook.panel.locator(":focus")).to_have_count(0)
        notebook.press("Cancel")
        notebook.phase("cancelled")
        notebook.idle()


def test_reduced_motion(jupyter: JupyterPage, demo: DemoProvider) -> None:
    """The bar has no transition with prefers-reduced-motion."""
    moves = "bar => getComputedStyle(bar).transitionProperty"
    with jupyter.notebook(login(demo, then="signin")) as notebook:
        notebook.run_all()
        notebook.link()
        bar = notebook.panel.locator(".authnb-bar i")
        assert bar.evaluate(moves) == "width"
        jupyter.page.emulate_media(reduced_motion="reduce")
        assert bar.evaluate(moves) == "none"
        jupyter.page.emulate_media(reduced_motion="no-preference")
        notebook.press("Cancel")
        notebook.phase("cancelled")


def test_axe_while_starting_choosing_and_dead(jupyter: JupyterPage, demo: DemoProvider) -> None:
    """While the provider is slow, while choosing, and after the kernel is gone."""
    over = threading.Event()
    kernel = jupyter.server.ask("POST", "kernels", json={"name": "python3"}).json()["id"]
    with Stalling() as slow:
        slow.routes["/.well-known/openid-configuration"] = lambda _: (over.wait(30), (404, {}, b""))[1]
        cell = login(demo, then="signin").replace(demo.issuer, slow.url)
        with jupyter.notebook(cell, choose_from(demo, then="signin"), kernel=kernel) as notebook:
            notebook.run_all()
            notebook.phase("starting")
            expect(notebook.panel).to_contain_text("Asking the provider")
            second = jupyter.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .authnb").nth(1)
            expect(second).to_have_attribute("data-phase", "choosing")
            assert violations(jupyter.page, ".authnb") == []
            over.set()
            notebook.phase("failed")
            assert violations(jupyter.page, ".authnb") == []
            notebook.restart()
            expect(second).to_have_attribute("data-phase", "dead")
            assert violations(jupyter.page, ".authnb") == []
    jupyter.server.ask("DELETE", f"kernels/{kernel}")


def test_axe_finds_no_violation(jupyter: JupyterPage, demo: DemoProvider) -> None:
    """In every state, in every theme."""
    for theme in THEMES[jupyter.server.app]:
        with jupyter.notebook(login(demo)) as notebook:
            jupyter.theme(theme)
            notebook.run_all()
            notebook.link()
            assert violations(jupyter.page, ".authnb") == []
            notebook.panel.locator("summary").click()
            assert violations(jupyter.page, ".authnb") == []
            notebook.press("Use a code instead")
            code = user_code(notebook)
            notebook.link("Open with the code").hover()
            assert violations(jupyter.page, ".authnb") == []
            notebook.press("Cancel")
            notebook.phase("cancelled")
            notebook.panel.locator("summary").click()
            assert violations(jupyter.page, ".authnb") == []
            notebook.press("Try again")
            expect(notebook.panel.locator(".authnb-code")).not_to_have_text(code)
            demo.approve(user_code(notebook), name="ada")
            notebook.phase("signed_in")
            assert violations(jupyter.page, ".authnb") == []
            notebook.press("Sign out")
            notebook.phase("signed_out")
            assert violations(jupyter.page, ".authnb") == []
