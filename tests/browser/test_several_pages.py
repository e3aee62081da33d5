"""One kernel, several pages: whoever began a sign-in decides whether what another page finished is used."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from harness import JupyterPage, Notebook, login, violations
from playwright.sync_api import expect
from provider_pages import open_page, provider_for, sign_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from authnb.demo import DemoProvider

NEXT = "print('next', api.user['name'])"


@pytest.fixture(scope="module")
def other(jupyter: JupyterPage, browser: Browser) -> Iterator[JupyterPage]:
    """Another browser at the same server."""
    other = JupyterPage(jupyter.server, browser)
    yield other
    other.close()


@contextmanager
def also_open(notebook: Notebook, other: JupyterPage) -> Iterator[Notebook]:
    """The notebook on another page, which shows the same panel."""
    notebook.link()
    notebook.save()
    second = Notebook(other, notebook.name, notebook.kernel)
    try:
        second.phase("waiting")
        yield second
    finally:
        second.close()


def follow(notebook: Notebook, demo: DemoProvider, name: str) -> None:
    """Open the link of the panel, and sign in there."""
    with notebook.context.expect_page() as opened:
        notebook.link().click()
    opened.value.close()
    demo.visit(notebook.address(), name=name)


def test_the_page_that_began_it_is_asked(
    jupyter: JupyterPage, other: JupyterPage, demo: DemoProvider
) -> None:
    """The waiting cell gets nobody's session before somebody agrees there; the other page cannot."""
    with jupyter.notebook(login(demo), NEXT) as notebook:
        notebook.run_all()
        first = notebook.address()
        with also_open(notebook, other) as second:
            follow(second, demo, "grace")
            notebook.phase("confirm")
            question = "Grace signed in from another page. You began this sign-in here. Use it?"
            expect(notebook.panel).to_contain_text(question)
            expect(notebook.panel).to_contain_text("Use it: this notebook goes on as Grace.")
            assert violations(jupyter.page, ".authnb") == []
            expect(second.panel).to_contain_text("Waiting for an answer on the page that began")
            expect(second.panel.get_by_role("button", name="Use it")).to_have_count(0)
            notebook.press("Sign in myself")
            notebook.phase("waiting")
            expect(notebook.link()).not_to_have_attribute("href", first)
            follow(second, demo, "grace")
            notebook.phase("confirm")
            notebook.press("Use it")
            notebook.phase("signed_in")
        notebook.idle()
        assert "next Grace" in notebook.outputs(1)
        assert "Grace" not in notebook.outputs(0)


def test_who_finishes_their_own_is_not_asked(
    jupyter: JupyterPage, other: JupyterPage, demo: DemoProvider
) -> None:
    with jupyter.notebook(login(demo), NEXT) as notebook:
        notebook.run_all()
        with also_open(notebook, other):
            follow(notebook, demo, "ada")
            notebook.phase("signed_in")
        notebook.idle()
        assert "next Ada" in notebook.outputs(1)


def test_a_restarted_browser_is_not_asked_about_itself(
    jupyter: JupyterPage, other: JupyterPage, browser: Browser, demo: DemoProvider
) -> None:
    """It keeps its localStorage and not its sessionStorage; another page shows the sign-in meanwhile."""
    name = "restarted.ipynb"
    jupyter.server.write(name, login(demo), NEXT)
    first = JupyterPage(jupyter.server, browser)
    notebook = Notebook(first, name, jupyter.server.kernel)
    notebook.run_all()
    with also_open(notebook, other):
        kept = first.context.storage_state()
        first.close()
        restarted = JupyterPage(jupyter.server, browser, storage_state=kept)
        again = Notebook(restarted, name, jupyter.server.kernel)
        again.phase("waiting")
        follow(again, demo, "ada")
        again.phase("signed_in")
        restarted.close()


@pytest.mark.parametrize("mode", ["loopback", "page"])
def test_the_callback_page_does_not_say_that_the_cell_goes_on(
    jupyter: JupyterPage, other: JupyterPage, mode: str
) -> None:
    """While somebody is still asked, it is not known."""
    address = f"{jupyter.server.url}/lab/extensions/authnb/callback.html"
    with (
        provider_for(address, people=("grace",)) as demo,
        jupyter.notebook(login(demo, mode=mode)) as notebook,
    ):
        notebook.run_all()
        with also_open(notebook, other) as second:
            page = open_page(second)
            sign_in(page, "grace")
            notebook.phase("confirm")
            expect(page.get_by_role("heading")).to_have_text("Go back to your notebook")
            expect(page.get_by_role("main")).to_contain_text("It has the answer, and shows what came of it.")
            page.close()
            notebook.press("Cancel")
        notebook.idle()


@pytest.mark.parametrize("canceller", ["second", "first"])
def test_a_cell_run_behind_anothers_sign_in(
    jupyter: JupyterPage, other: JupyterPage, demo: DemoProvider, canceller: str
) -> None:
    """The page that ran it is told why it waits, may end that, and is told that it was not run."""
    with jupyter.notebook(login(demo), NEXT) as notebook:
        notebook.run_all()
        with also_open(notebook, other) as second:
            second.run(0)
            expect(second.floating).to_contain_text("waits for this sign-in, which another page began")
            expect(second.floating.get_by_role("link")).to_have_count(0)
            assert violations(other.page, ".authnb-floating") == []
            if canceller == "second":
                second.floating.get_by_role("button", name="Cancel").click()
            else:
                notebook.press("Cancel")
            notebook.phase("cancelled")
            told = expect(notebook.panel)
            by_another = "Another page that shares this kernel cancelled it."
            (told.to_contain_text if canceller == "second" else told.not_to_contain_text)(by_another)
            expect(second.floating).to_contain_text("was not run. Run it again.")
            notebook.idle()
            # An interrupt, where the kernel took too long to hear of the cancellation
            assert any(error in notebook.outputs(0) for error in ("LoginFailed", "CancelledError"))
            second.run(0)
            expect(second.floating).to_have_count(0)
            follow(second, demo, "grace")
            second.idle()
            second.run(1)
            second.output("next Grace")


def test_a_cell_run_behind_a_sign_in_that_succeeds(
    jupyter: JupyterPage, other: JupyterPage, demo: DemoProvider
) -> None:
    """It runs, and nothing is left to be said."""
    with jupyter.notebook(login(demo), NEXT) as notebook:
        notebook.run_all()
        with also_open(notebook, other) as second:
            second.run(1)
            second.select(0)
            second.command("notebook:hide-cell-outputs")
            expect(second.floating).to_contain_text("which another page began")
            follow(notebook, demo, "ada")
            second.output("next Ada")
            expect(second.floating).to_have_count(0)
        notebook.idle()


def test_what_was_not_run_is_said_until_it_is_read(
    jupyter: JupyterPage, other: JupyterPage, demo: DemoProvider
) -> None:
    """Also where the panel is in view, which says nothing of the cells of this page."""
    with jupyter.notebook(login(demo), NEXT) as notebook:
        notebook.run_all()
        with also_open(notebook, other) as second:
            second.run(1)
            expect(second.prompt(1)).to_have_text("[*]:")
            notebook.press("Cancel")
            expect(second.floating).to_contain_text("was not run. Run it again.")
            second.floating.get_by_role("button", name="Close").click()
            expect(second.floating).to_have_count(0)
        notebook.idle()


def test_what_comes_too_late_to_be_aborted_is_run(
    jupyter: JupyterPage, other: JupyterPage, demo: DemoProvider
) -> None:
    """A page holds messages back while its connection is new; a cell that is sent after the sign-in was not lost."""
    with jupyter.notebook(login(demo), "print('late')") as notebook:
        notebook.run_all()
        with also_open(notebook, other) as second:
            second.select(0)
            second.command("notebook:hide-cell-outputs")
            with second.held_back():
                second.send_run(1)
                expect(second.floating).to_contain_text("which another page began")
                notebook.press("Cancel")
                notebook.idle()
                expect(second.floating).to_have_count(0)
            second.output("late")
            expect(second.floating).to_have_count(0)
        notebook.idle()


def test_only_the_page_that_began_it_gets_a_floating_card(
    jupyter: JupyterPage, other: JupyterPage, demo: DemoProvider
) -> None:
    """Who reads elsewhere in a shared notebook is not invited to another's sign-in."""
    with jupyter.notebook(login(demo), NEXT) as notebook:
        notebook.run_all()
        with also_open(notebook, other) as second:
            for page in (second, notebook):
                page.select(0)
                page.command("notebook:hide-cell-outputs")
            expect(notebook.floating).to_be_visible()
            expect(second.floating).to_have_count(0)
            notebook.floating.get_by_role("button", name="Cancel").click()
            expect(notebook.floating).to_have_count(0)
