"""A sign-in under way in marimo whose panel is gone or out of sight: it is finished, or the kernel is freed."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from socket import create_connection
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from marimo_notebooks import LATER, PROCESS, RESULT, Notebook, login, opened, write
from playwright.sync_api import expect
from support import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from marimo_notebooks import Marimo
    from playwright.sync_api import BrowserContext

    from authnb.demo import DemoProvider

HEADING = "import marimo as mo\nmo.md('# Sign in')"


def awaited(demo: DemoProvider) -> str:
    return f"api = await {login(demo)}"


def shown(demo: DemoProvider) -> str:
    return f"signin = {login(demo)}\nsignin"


def is_waited_for(address: str) -> bool:
    """Whether the port to which this sign-in comes back is open."""
    port = urlsplit(parse_qs(urlsplit(address).query)["redirect_uri"][0]).port
    with suppress(ConnectionRefusedError), create_connection(("127.0.0.1", port)):
        return True
    return False


def reload(notebook: Notebook) -> None:
    notebook.page.reload()


def clear(notebook: Notebook) -> None:
    """Clear the output, which marimo has again after a reload."""
    notebook.menu(2, "Clear output")
    expect(notebook.panel).to_have_count(0)
    reload(notebook)


def collapse(notebook: Notebook) -> None:
    """Collapse the section above the cell, and expand it."""
    notebook.command("Collapse all sections")
    expect(notebook.panel).to_have_count(0)
    notebook.command("Expand all sections")


def run_again(notebook: Notebook) -> None:
    notebook.run(1)


def delete(notebook: Notebook) -> None:
    notebook.menu(1, "Delete")


@pytest.mark.parametrize("lose", [reload, clear, collapse])
def test_it_is_finished_afterwards(
    context: BrowserContext,
    editor: Marimo,
    folder: Path,
    demo: DemoProvider,
    lose: Callable[[Notebook], None],
) -> None:
    """Reload, output cleared, section collapsed: the same sign-in, and the cells below go on."""
    path = write(folder / f"{lose.__name__}.py", HEADING, awaited(demo), RESULT)
    with opened(context, editor, path) as notebook:
        notebook.phase("waiting")
        address = notebook.address
        lose(notebook)
        notebook.phase("waiting")
        notebook.has_address(address)
        demo.visit(address, name="ada")
        notebook.phase("signed_in")
        notebook.shows("Ada is signed in")


def test_a_second_tab(context: BrowserContext, editor: Marimo, folder: Path, demo: DemoProvider) -> None:
    """It only reads, and its link finishes the sign-in on both."""
    path = write(folder / "second_tab.py", awaited(demo), RESULT)
    with opened(context, editor, path) as first:
        first.phase("waiting")
        with opened(context, editor, path) as second:  # whichever connects first may edit
            second.phase("waiting")
            demo.visit(second.address, name="ada")
            for notebook in (first, second):
                notebook.phase("signed_in")
                notebook.shows("Ada is signed in")


def test_cancel_in_a_second_tab(
    context: BrowserContext, editor: Marimo, folder: Path, demo: DemoProvider
) -> None:
    """It has no button to interrupt: the panel says that it has to take the notebook over."""
    path = write(folder / "taken_over.py", awaited(demo), RESULT)
    with opened(context, editor, path) as first:
        first.phase("waiting")
        with opened(context, editor, path) as second:
            second.phase("waiting")
            address = second.address
            take_over = second.page.get_by_role("button", name="Take over")
            expect(take_over).to_be_visible()
            second.press("Cancel")
            expect(second.panel).to_contain_text("take over the notebook first")
            take_over.click()
            expect(take_over).to_have_count(0)
            second.press("Cancel")
            second.shows("This cell was interrupted and needs to be re-run.")
            wait_for(lambda: not is_waited_for(address), "the sign-in to end")


@pytest.mark.parametrize("lose", [run_again, delete])
def test_a_cell_run_again_or_deleted_cancels_it(
    context: BrowserContext,
    editor: Marimo,
    folder: Path,
    demo: DemoProvider,
    lose: Callable[[Notebook], None],
) -> None:
    """Nobody could finish it, and its port is free at once."""
    path = write(folder / f"{lose.__name__}.py", shown(demo), LATER)
    with opened(context, editor, path) as notebook:
        notebook.phase("waiting")
        address = notebook.address
        assert is_waited_for(address)
        lose(notebook)
        wait_for(lambda: not is_waited_for(address), "the first sign-in to end")


def test_a_cell_that_shows_it_can_run_again(
    context: BrowserContext, editor: Marimo, folder: Path, demo: DemoProvider
) -> None:
    """Another cell began it, so it goes on, in a new panel."""
    path = write(folder / "apart.py", f"signin = {login(demo)}", "signin", LATER)
    with opened(context, editor, path) as notebook:
        notebook.phase("waiting")
        address, panel = notebook.address, notebook.panel.get_attribute("data-panel")
        notebook.run(2)
        expect(notebook.panel).not_to_have_attribute("data-panel", str(panel))
        notebook.phase("waiting")
        notebook.has_address(address)
        demo.visit(address, name="ada")
        notebook.phase("signed_in")
        notebook.shows("Ada is signed in")


def test_a_cell_that_waits_cannot_run_again(
    context: BrowserContext, editor: Marimo, folder: Path, demo: DemoProvider
) -> None:
    """So nothing queues behind it: marimo's button is off, and once cancelled the cell runs at once."""
    path = write(folder / "waits_again.py", awaited(demo), RESULT)
    with opened(context, editor, path) as notebook:
        notebook.phase("waiting")
        address = notebook.address
        notebook.run(1)
        expect(notebook.page.get_by_test_id("run-button").nth(2)).to_be_disabled()
        notebook.press("Cancel")
        notebook.shows("This cell was interrupted and needs to be re-run.")
        expect(notebook.page.get_by_test_id("run-button").nth(2)).to_be_enabled()
        notebook.run(1)
        demo.visit(notebook.new_address(address), name="ada")
        notebook.shows("Ada is signed in")


def test_a_kernel_that_restarts(
    context: BrowserContext, editor: Marimo, folder: Path, demo: DemoProvider
) -> None:
    path = write(folder / "restarted.py", awaited(demo), RESULT)
    with opened(context, editor, path) as notebook:
        notebook.phase("waiting")
        address = notebook.address
        notebook.page.get_by_test_id("notebook-menu-dropdown").click()
        notebook.page.get_by_role("menuitem", name="Restart kernel").click()
        finished_after_restart(notebook, demo, address)


def test_a_killed_kernel(context: BrowserContext, editor: Marimo, folder: Path, demo: DemoProvider) -> None:
    """The panel is not live, and marimo offers a restart."""
    path = write(folder / "killed.py", PROCESS, awaited(demo), RESULT)
    with opened(context, editor, path) as notebook:
        notebook.phase("waiting")
        address = notebook.address
        os.kill(notebook.process, signal.SIGKILL)
        notebook.phase("dead")
        notebook.page.get_by_role("button", name="Restart").click()
        finished_after_restart(notebook, demo, address)


def finished_after_restart(notebook: Notebook, demo: DemoProvider, address: str) -> None:
    """Confirm the restart: the cells run again, with a sign-in of their own."""
    notebook.page.get_by_role("alertdialog").get_by_role("button", name="Restart").click()
    expect(notebook.page.get_by_role("alertdialog")).to_have_count(0)
    following = notebook.new_address(address)
    wait_for(lambda: not is_waited_for(address), "the sign-in of before to end")
    demo.visit(following, name="ada")
    notebook.shows("Ada is signed in")


def test_a_kernel_that_slept_goes_on(
    context: BrowserContext, editor: Marimo, folder: Path, demo: DemoProvider
) -> None:
    """Nothing is offered while it sleeps; afterwards the same sign-in is finished."""
    path = write(folder / "slept.py", PROCESS, awaited(demo), RESULT)
    with opened(context, editor, path) as notebook:
        notebook.phase("waiting")
        address, process = notebook.address, notebook.process
        os.kill(process, signal.SIGSTOP)
        try:
            notebook.phase("dead")
        finally:
            os.kill(process, signal.SIGCONT)
        notebook.phase("waiting")
        demo.visit(address, name="ada")
        notebook.phase("signed_in")
        notebook.shows("Ada is signed in")


@pytest.mark.parametrize("name", ["app.py", "waiting_app.py"])
def test_an_app_reloaded(
    context: BrowserContext, apps: Marimo, folder: Path, demo: DemoProvider, name: str
) -> None:
    """The page begins anew, whatever the cells of the last one wait for."""
    with opened(context, apps, folder / name) as notebook:
        notebook.phase("waiting")
        address = notebook.address
        notebook.page.reload()
        demo.visit(notebook.new_address(address), name="ada")
        notebook.phase("signed_in")
        notebook.shows("Ada is signed in")
