"""Where the panel is not in the cell's own output, or not drawn at all, in a real JupyterLab."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from harness import JupyterPage

    from authnb.demo import DemoProvider


def login(demo: DemoProvider, call: str = "await authnb.login") -> str:
    return (
        "import authnb, ipywidgets\nfrom authnb.storage.base import MemoryStorage\n"
        f"{call}({demo.issuer!r}, client_id={demo.client_id!r}, storage=MemoryStorage())"
    )


def test_the_panel_in_an_output_widget(jupyter: JupyterPage, demo: DemoProvider) -> None:
    """Nothing is hidden there but the panel's own line of text."""
    cell = login(demo, "signin = authnb.login") + (
        "\nout = ipywidgets.Output()\ndisplay(out)\n"
        "with out:\n    print('before')\n    display(signin)\n    print('after')"
    )
    with jupyter.notebook(cell) as notebook:
        notebook.run_all()
        notebook.phase("waiting")
        expect(notebook.panel).to_be_visible()
        outputs = jupyter.page.locator(".jp-OutputArea-output")
        for text in ("before", "after"):
            expect(outputs.get_by_text(text, exact=True).last).to_be_visible()
        expect(jupyter.page.locator(".authnb-text").last).to_be_hidden()


def test_a_front_end_without_widgets(jupyter: JupyterPage, demo: DemoProvider) -> None:
    """As where they are not installed on the server: JupyterLab closes the comm, and the link is there."""
    with jupyter.notebook("1", login(demo) + "\nprint('went on')") as notebook:
        jupyter.page.evaluate(FORGET_WIDGETS)
        notebook.run_all()
        link = jupyter.page.locator(".authnb-text a")
        expect(link).to_be_visible()
        expect(jupyter.page.locator(".authnb-text").last).to_contain_text("pip install authnb")
        demo.visit(str(link.get_attribute("href")), name="ada")
        expect(jupyter.page.get_by_text("went on").last).to_be_visible()
        expect(link).to_have_count(0)


@pytest.mark.parametrize("app", ["lab"], indirect=True, scope="module")
def test_a_kernel_that_hears_no_answer(jupyter: JupyterPage, demo: DemoProvider) -> None:
    """A cell that waits keeps ipykernel 6 from hearing any: the link follows, and is hidden beside the live panel."""
    with jupyter.server.other_kernel("6.31.0") as kernel:
        cells = login(demo), "print('went on')"
        with jupyter.notebook(*cells, kernel=kernel) as notebook:
            notebook.run_all()
            link = jupyter.page.locator(".authnb-text a")
            expect(link).to_have_count(1)
            expect(link).to_be_hidden()
            expect(notebook.panel).to_be_visible()
            demo.visit(notebook.address(), name="ada")
            notebook.phase("signed_in")
            expect(link).to_have_count(0)


# The page's connection to the kernel, as it is where no extension knows the comm target of widgets
FORGET_WIDGETS = """() => {
  const { kernel } = window.notebook.sessionContext.session;
  kernel.registerCommTarget("jupyter.widget", () => { throw new Error("no such target"); });
}"""
