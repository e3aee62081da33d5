"""A sign-in under way whose panel is gone or out of sight: it can be finished or cancelled, or makes way by itself."""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING

import pytest
from harness import QUIET, JupyterPage, Notebook, login, violations
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness import Server
    from playwright.sync_api import Browser

    from authnb.demo import DemoProvider

NEXT = "print('next', api.user['name'])"
# The page's clock goes on by six seconds; counts how often the floating card looks at its page from then on
SKIP = """() => {
  const now = performance.now.bind(performance), get = document.getElementById.bind(document);
  performance.now = () => now() + 6000;
  window.looks = 0;
  document.getElementById = (id) => { window.looks += id === "jupyter-config-data"; return get(id); };
}"""
DEAF = "api = signin.wait()"  # ipykernel 7.4 processes no click meanwhile


def clear(notebook: Notebook) -> None:
    notebook.select(0)
    notebook.command("notebook:clear-cell-output")


def collapse(notebook: Notebook) -> None:
    notebook.select(0)
    notebook.command("notebook:hide-cell-outputs")


def hide(notebook: Notebook) -> None:
    """Put another tab in front; in Notebook 7, which has none, collapse the output."""
    if notebook.server.app == "lab":
        notebook.page.evaluate("() => void window.jupyterapp.commands.execute('launcher:create')")
    else:
        collapse(notebook)


def show(notebook: Notebook) -> None:
    """Undo `hide`."""
    if notebook.server.app == "lab":
        notebook.page.evaluate("() => window.jupyterapp.shell.activateById(window.notebook.id)")
    else:
        notebook.command("notebook:show-cell-outputs")


def scroll_away(notebook: Notebook) -> None:
    notebook.page.evaluate("() => window.notebook.content.widgets[2].node.scrollIntoView({block: 'end'})")
    expect(notebook.panel).not_to_be_in_viewport()


@pytest.fixture
def own_kernel(jupyter: JupyterPage) -> Iterator[str]:
    """The id of a kernel that a test may kill."""
    kernel = jupyter.server.ask("POST", "kernels", json={"name": "python3"}).json()["id"]
    yield kernel
    jupyter.server.ask("DELETE", f"kernels/{kernel}")


@pytest.mark.parametrize("lose", [Notebook.reload, clear, scroll_away])
def test_it_is_finished_on_a_floating_card(
    jupyter: JupyterPage, demo: DemoProvider, lose: Callable[[Notebook], None]
) -> None:
    """Reload of an unsaved notebook, output cleared, cell scrolled away: the cells below go on."""
    with jupyter.notebook(login(demo), NEXT, "# Below\n\n" + "A line.\n\n" * 60) as notebook:
        notebook.run(0)
        notebook.run(1)
        notebook.link()
        expect(notebook.floating).to_have_count(0)
        lose(notebook)
        expect(notebook.floating).to_be_visible()
        assert violations(jupyter.page, ".authnb-floating") == []
        link = notebook.floating.get_by_role("link", name="Open the sign-in page")
        demo.visit(link.get_attribute("href") or "", name="ada")
        expect(notebook.floating).to_have_attribute("data-phase", "signed_in")
        notebook.idle()
        expect(notebook.floating).to_have_count(0)
        if lose is not Notebook.reload:  # the new page knows nothing of cells that ran for the last
            assert "next Ada" in notebook.outputs(1)


def test_a_reload_says_nothing_of_the_loopback_interface(jupyter: JupyterPage, demo: DemoProvider) -> None:
    """The request that looks whether the listener is reached fails with the page: the sign-in stays the same."""
    probe = re.compile(r"//127\.0\.0\.1:\d+/[\w-]{22}$")
    with jupyter.notebook(login(demo)) as notebook:
        # Each probe waits for its response
        jupyter.page.route(probe, lambda _: None)
        with jupyter.page.expect_request(probe):
            notebook.run(0)
        address = notebook.address()
        jupyter.page.unroute_all()
        with jupyter.page.expect_response(probe):
            notebook.reload()
        link = notebook.floating.get_by_role("link", name="Open the sign-in page")
        expect(link).to_have_attribute("href", address)
        demo.visit(address, name="ada")
        expect(notebook.floating).to_have_attribute("data-phase", "signed_in")
        notebook.idle()
        expect(notebook.floating).to_have_count(0)


def test_the_outcome_stays_for_whoever_has_the_focus_on_it(jupyter: JupyterPage, demo: DemoProvider) -> None:
    """As with the mouse over it; otherwise it goes after some seconds, which the page's clock skips."""
    with jupyter.notebook(login(demo)) as notebook:
        notebook.run(0)
        address = notebook.address()
        collapse(notebook)
        expect(notebook.floating).to_be_visible()
        demo.visit(address, name="ada")
        notebook.floating.get_by_role("button", name="Sign out").focus()
        jupyter.page.evaluate(SKIP)
        jupyter.page.wait_for_function("() => window.looks > 2")
        expect(notebook.floating).to_be_visible()
        jupyter.page.evaluate("() => document.activeElement.blur()")
        expect(notebook.floating).to_have_count(0)
        jupyter.page.evaluate("() => { delete performance.now; delete document.getElementById; }")
        notebook.idle()


@pytest.mark.parametrize("app", ["lab"], indirect=True, scope="module")
def test_notifications_are_not_covered(server: Server, browser: Browser, demo: DemoProvider) -> None:
    """JupyterLab's news and the like come from the bottom; each can be read and clicked beside the card."""
    plugin = "@jupyterlab/apputils-extension/notification"
    server.setting(plugin, {**QUIET, "doNotDisturbMode": False})
    jupyter = JupyterPage(server, browser)
    server.setting(plugin, QUIET)
    with jupyter.notebook(login(demo)) as notebook:
        notebook.run(0)
        notebook.link()
        collapse(notebook)
        expect(notebook.floating).to_be_visible()
        jupyter.page.evaluate(
            """() => void window.jupyterapp.commands.execute('apputils:notify', {
                message: 'Would you like to get notified about official Jupyter news?', options: {autoClose: false}})"""
        )
        toast = jupyter.page.locator(".Toastify__toast")
        expect(toast).to_be_visible()
        toast.click(trial=True)  # it has arrived
        upper, lower = notebook.floating.bounding_box(), toast.bounding_box()
        assert upper
        assert lower
        assert upper["y"] + upper["height"] < lower["y"]
        notebook.floating.get_by_role("button", name="Cancel").click()
        notebook.idle()
    jupyter.close()


def test_it_goes_when_the_panel_is_seen_again(jupyter: JupyterPage, demo: DemoProvider) -> None:
    with jupyter.notebook(login(demo, then="signin")) as notebook:
        notebook.run_all()
        notebook.link()
        hide(notebook)
        expect(notebook.floating).to_be_visible()
        show(notebook)
        expect(notebook.floating).to_have_count(0)
        notebook.press("Cancel")
        notebook.phase("cancelled")


@pytest.mark.parametrize(
    ("then", "error"), [("api = await signin", "LoginFailed"), (DEAF, "KeyboardInterrupt")]
)
def test_cancel_on_the_floating_card_frees_the_kernel(
    jupyter: JupyterPage, demo: DemoProvider, then: str, error: str
) -> None:
    """Also where the kernel processes no click: the card sends the interrupt."""
    with jupyter.notebook(login(demo, then=then), "print('free')") as notebook:
        notebook.run(0)
        notebook.link()
        collapse(notebook)
        expect(notebook.floating).to_be_visible()
        with notebook.stopped_clock():
            notebook.floating.get_by_role("button", name="Cancel").click()
            notebook.idle()
            expect(notebook.floating).to_have_count(0)
        assert error in notebook.outputs(0)
        notebook.run(1)
        notebook.output("free")


@pytest.mark.parametrize("floats", [True, False])
def test_cancel_interrupts_no_later_cell(jupyter: JupyterPage, demo: DemoProvider, *, floats: bool) -> None:
    """Neither where the card goes with the cancelled sign-in, nor where the next one is under way."""
    interrupts: list[str] = []
    jupyter.page.on("request", lambda request: interrupts.extend(re.findall("/interrupt$", request.url)))
    with jupyter.notebook(login(demo), "import asyncio\nawait asyncio.sleep(3)\nprint('free')") as notebook:
        notebook.run(0)
        notebook.link()
        if floats:
            collapse(notebook)
            expect(notebook.floating).to_be_visible()
            with notebook.stopped_clock():
                notebook.floating.get_by_role("button", name="Cancel").click()
                expect(notebook.floating).to_have_count(0)
        else:
            with notebook.stopped_clock():
                notebook.press("Cancel")
                notebook.press("Try again")
                notebook.link()
        notebook.idle()
        notebook.run(1)
        notebook.output("free")
        assert interrupts == []


def test_a_cell_run_again_starts_at_once(jupyter: JupyterPage, demo: DemoProvider) -> None:
    """The first run makes way, and does not abort the second, as a failed cell would."""
    with jupyter.notebook(login(demo), NEXT) as notebook:
        notebook.run(0)
        first = notebook.address()
        notebook.run(0)
        expect(notebook.link()).not_to_have_attribute("href", first)
        expect(notebook.floating).to_have_count(0)
        demo.visit(notebook.address(), name="ada")
        notebook.idle()
        notebook.run(1)
        notebook.output("next Ada")


def test_a_cell_run_again_leaves_no_other_panel(jupyter: JupyterPage, demo: DemoProvider) -> None:
    """Also where nothing waits: the earlier sign-in is cancelled."""
    cell = login(demo, then="before, now = globals().get('now'), signin\nsignin")
    with jupyter.notebook(cell, "print('before:', before.status)") as notebook:
        notebook.run(0)
        first = notebook.address()
        notebook.run(0)
        expect(notebook.link()).not_to_have_attribute("href", first)
        notebook.run(1)
        notebook.output("before: cancelled")
        expect(notebook.floating).to_have_count(0)
        notebook.press("Cancel")
        notebook.phase("cancelled")


def test_run_all_again_skips_no_sign_in(jupyter: JupyterPage, demo: DemoProvider) -> None:
    """Cells that were queued behind the first run never run without a session: it goes on, on a floating card."""
    with jupyter.notebook(
        login(demo), f"{NEXT}\nruns = globals().get('runs', 0) + 1\nprint(runs, 'runs')"
    ) as notebook:
        notebook.run_all()
        notebook.link()
        notebook.run_all()
        link = notebook.floating.get_by_role("link", name="Open the sign-in page")
        demo.visit(link.get_attribute("href") or "", name="ada")
        demo.visit(notebook.address(), name="ada")
        notebook.output("2 runs")
        notebook.idle()


def test_a_kernel_that_restarts_takes_the_card_away(
    jupyter: JupyterPage, demo: DemoProvider, own_kernel: str
) -> None:
    with jupyter.notebook(login(demo), "print('free')", kernel=own_kernel) as notebook:
        notebook.run(0)
        notebook.link()
        collapse(notebook)
        expect(notebook.floating).to_be_visible()
        notebook.restart()
        expect(notebook.floating).to_have_count(0)
        notebook.run(1)
        notebook.output("free")


def test_a_killed_kernel_takes_the_card_away(
    jupyter: JupyterPage, demo: DemoProvider, own_kernel: str
) -> None:
    with jupyter.notebook("import os\nprint('pid', os.getpid())", login(demo), kernel=own_kernel) as notebook:
        notebook.run(0)
        notebook.output("pid")
        notebook.run(1)
        notebook.link()
        os.kill(kernel_process(notebook), signal.SIGKILL)
        notebook.phase("dead")
        expect(notebook.floating).to_have_count(0)


def test_a_kernel_that_slept_goes_on(jupyter: JupyterPage, demo: DemoProvider, own_kernel: str) -> None:
    """Nothing is offered while it sleeps; afterwards the same sign-in is finished."""
    with jupyter.notebook("import os\nprint('pid', os.getpid())", login(demo), kernel=own_kernel) as notebook:
        notebook.run(0)
        notebook.output("pid")
        notebook.run(1)
        address = notebook.address()
        process = kernel_process(notebook)
        os.kill(process, signal.SIGSTOP)
        try:
            notebook.phase("dead")
        finally:
            os.kill(process, signal.SIGCONT)
        notebook.phase("waiting")
        demo.visit(address, name="ada")
        notebook.phase("signed_in")
        notebook.idle()


def kernel_process(notebook: Notebook) -> int:
    """The process id that the first cell printed."""
    return int(notebook.outputs(0).partition("pid ")[2].partition("\\n")[0])
