"""The panel on kernels that differ in the messages they process while a cell waits (ipykernel 6, 7.1 to 7.3, 7.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from harness import login
from playwright.sync_api import expect
from support import newcomer
from test_sign_up import fill_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import JupyterPage

    from authnb.demo import DemoProvider

AWAIT, WAIT = "api = await signin", "api = signin.wait()"
pytestmark = pytest.mark.parametrize("app", ["lab"], indirect=True, scope="module")
# How a cell may wait so that clicks are processed meanwhile
PROCESSES_CLICKS = {"6.31.0": set(), "7.3.0": {AWAIT, WAIT}, "7.4.0": {AWAIT}}
# The panel's messages go to the main shell until `withSubshell`; counts those that say that the cell was run again
WITHOUT_SUBSHELL = """() => {
  const kernel = window.notebook.sessionContext.session.kernel, comms = [...kernel._comms.values()];
  const subshells = comms.map((comm) => comm._subshellId), send = kernel.sendShellMessage;
  window.told = 0;
  comms.forEach((comm) => (comm._subshellId = null));
  kernel.sendShellMessage = (message, ...more) => {
    window.told += message.content.data?.content?.action === "replaced";
    return send.call(kernel, message, ...more);
  };
  window.withSubshell = () => {
    delete kernel.sendShellMessage;
    comms.forEach((comm, n) => (comm._subshellId = subshells[n]));
  };
}"""
VERSION = "import ipykernel\nprint(ipykernel.__version__)"


@pytest.fixture(scope="module", params=PROCESSES_CLICKS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def kernel(jupyter: JupyterPage, version: str) -> Iterator[str]:
    with jupyter.server.other_kernel(version) as kernel:
        yield kernel


@pytest.mark.parametrize("then", [AWAIT, WAIT])
def test_run_all_waits(
    jupyter: JupyterPage, demo: DemoProvider, kernel: str, version: str, then: str
) -> None:
    with jupyter.notebook(
        VERSION, login(demo, then=then), "print('next', api.user['name'])", kernel=kernel
    ) as notebook:
        notebook.run_all()
        address = notebook.address()
        assert version in notebook.outputs(0)
        assert "next" not in notebook.outputs(2)
        demo.visit(address, name="ada")
        notebook.phase("signed_in")
        notebook.idle()
        assert "next Ada" in notebook.outputs(2)


@pytest.mark.parametrize("then", [AWAIT, WAIT])
def test_cancel_ends_it(jupyter: JupyterPage, demo: DemoProvider, kernel: str, then: str) -> None:
    with jupyter.notebook(login(demo, then=then), "print('next')", kernel=kernel) as notebook:
        notebook.run_all()
        notebook.link()
        notebook.press("Cancel")
        notebook.phase("cancelled")
        notebook.idle()
        assert (
            "LoginFailed" in notebook.outputs(0)
            or "Interrupt" in notebook.outputs(0)
            or "Cancel" in notebook.outputs(0)
        )
        assert "next" not in notebook.outputs(1)
        notebook.press("Try again")
        demo.visit(notebook.address(), name="ada")
        notebook.phase("signed_in")


@pytest.mark.parametrize("then", [AWAIT, WAIT])
def test_the_form_works_or_the_card_says_why_not(
    jupyter: JupyterPage, demo: DemoProvider, kernel: str, version: str, then: str
) -> None:
    with jupyter.notebook(login(demo, what="signup", then=then), kernel=kernel) as notebook:
        notebook.run_all()
        notebook.phase("sign_up")
        if then in PROCESSES_CLICKS[version]:
            fill_all(notebook, newcomer())
            notebook.press("Create account")
            notebook.link()
        else:
            expect(notebook.panel).to_contain_text("processes no click but Cancel")
            expect(notebook.panel).to_contain_text("await" if version > "7" else "pip install -U ipykernel")
            expect(notebook.panel.get_by_role("textbox")).to_have_count(0)
        notebook.press("Cancel")
        notebook.phase("cancelled")
        notebook.idle()


def test_other_ways_are_offered_only_where_the_click_is_heard(
    jupyter: JupyterPage, demo: DemoProvider, kernel: str, version: str
) -> None:
    with jupyter.notebook(login(demo), kernel=kernel) as notebook:
        notebook.run_all()
        notebook.link()
        notebook.panel.locator("summary").click()
        heard = AWAIT in PROCESSES_CLICKS[version]
        for name in ("Use a code instead", "Send"):
            expect(notebook.panel.get_by_role("button", name=name)).to_have_count(int(heard))
        if not heard:
            expect(notebook.panel).to_contain_text("processes no click but Cancel")
        notebook.press("Cancel")
        notebook.phase("cancelled")
        notebook.idle()


def test_a_cell_run_again(jupyter: JupyterPage, demo: DemoProvider, kernel: str, version: str) -> None:
    """It starts at once, or a floating card cancels the first run."""
    with jupyter.notebook(login(demo), kernel=kernel) as notebook:
        notebook.run(0)
        first = notebook.address()
        notebook.run(0)
        if AWAIT in PROCESSES_CLICKS[version]:
            expect(notebook.link()).not_to_have_attribute("href", first)
            notebook.press("Cancel")
        else:
            notebook.floating.get_by_role("button", name="Cancel").click()
        expect(notebook.floating).to_have_count(0)
        notebook.idle()


@pytest.mark.parametrize("version", ["7.3.0"], indirect=True, scope="module")
def test_a_cell_run_again_is_told_until_the_kernel_hears(
    jupyter: JupyterPage, demo: DemoProvider, kernel: str
) -> None:
    """JupyterLab sends what comes before a comm has its subshell to the main shell, where it waits behind the cell."""
    with jupyter.notebook(login(demo), kernel=kernel) as notebook:
        notebook.run(0)
        first = notebook.address()
        notebook.page.evaluate(WITHOUT_SUBSHELL)
        notebook.run(0)
        notebook.page.wait_for_function("() => window.told > 0")
        notebook.page.evaluate("() => window.withSubshell()")
        expect(notebook.link()).not_to_have_attribute("href", first)
        notebook.press("Cancel")
        notebook.idle()


def test_a_form_on_a_kernel_that_does_not_wait(jupyter: JupyterPage, demo: DemoProvider, kernel: str) -> None:
    """What the card advises works on every kernel."""
    with jupyter.notebook(login(demo, what="signup", then="signin"), kernel=kernel) as notebook:
        notebook.run_all()
        notebook.phase("sign_up")
        fill_all(notebook, newcomer())
        notebook.press("Create account")
        notebook.link()
        notebook.press("Cancel")
        notebook.phase("cancelled")


def test_an_unsupported_kernel(jupyter: JupyterPage, demo: DemoProvider) -> None:
    """On 7.0 a warning names the remedy, and the sign-in link is shown as text."""
    with (
        jupyter.server.other_kernel("7.0.1") as kernel,
        jupyter.notebook(login(demo), "print('next', api.user['name'])", kernel=kernel) as notebook,
    ):
        notebook.run_all()
        link = notebook.page.get_by_role("link", name="Sign in at")
        demo.visit(link.get_attribute("href") or "", name="ada")
        notebook.idle()
        assert "ipykernel 7.0.1 cannot update widgets" in notebook.outputs(0)
        assert "pip install -U ipykernel" in notebook.outputs(0)
        assert "next Ada" in notebook.outputs(1)
