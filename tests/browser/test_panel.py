"""The sign-in panel in JupyterLab: every state, clicked through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import login
from playwright.sync_api import expect

if TYPE_CHECKING:
    from harness import Desk, Notebook

    from authnb.demo import DemoProvider


def primary(notebook: Notebook, name: str = "Open the sign-in page"):  # noqa: ANN201 - Playwright's locator
    return notebook.panel.get_by_role("link", name=name)


def address(notebook: Notebook) -> str:
    link = primary(notebook)
    expect(link).not_to_have_attribute("aria-disabled", "true")
    return link.get_attribute("href") or ""


def phase(notebook: Notebook, name: str) -> None:
    expect(notebook.panel).to_have_attribute("data-phase", name)


def test_signs_in_with_a_click(desk: Desk, demo: DemoProvider) -> None:
    """One click opens the page; the cell goes on by itself, and the next runs."""
    with desk.notebook(login(demo), "print('next', api.user['name'])") as notebook:
        notebook.run_all()
        phase(notebook, "waiting")
        expect(notebook.panel).to_contain_text("Sign in to 127.0.0.1")
        expect(notebook.panel).to_contain_text("your name, your e-mail address and measurements:read")
        with desk.context.expect_page() as opened:
            primary(notebook).click()
        expect(notebook.panel).to_contain_text("open in another tab")
        assert opened.value.url.startswith(demo.issuer)
        demo.visit(address(notebook), name="ada")
        opened.value.close()
        phase(notebook, "signed_in")
        expect(notebook.panel).to_contain_text("Ada")
        expect(notebook.panel).to_contain_text("ada@example.org · 127.0.0.1")
        expect(notebook.panel).to_contain_text("renews by itself, next at")
        notebook.idle()
        assert "next Ada" in notebook.outputs(1)
        assert "state=" not in notebook.outputs(0)
