"""The sign-up form in JupyterLab: filled in, refused, mended, sent; then signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import THEMES, login, violations
from playwright.sync_api import expect
from support import newcomer

if TYPE_CHECKING:
    from harness import JupyterPage, Notebook

    from authnb.demo import DemoProvider

PASSWORD = "plain-Password-9713"


def fill(notebook: Notebook, **values: str) -> None:
    for label, value in values.items():
        notebook.panel.get_by_label(label.replace("_", " "), exact=True).fill(value)


def fill_all(notebook: Notebook, name: str, **other: str) -> None:
    values = {"Name": name, "Full_name": name.title(), "E-mail": f"{name}@example.org", "Password": PASSWORD}
    fill(notebook, **{**values, "Password_again": PASSWORD, **other})


def sign_in(notebook: Notebook, name: str) -> None:
    """On the provider's page, where the name stands already."""
    with notebook.context.expect_page() as opened:
        notebook.link().click()
    page = opened.value
    expect(page.get_by_label("Name", exact=True)).to_have_value(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_role("heading")).to_have_text("Go back to your notebook")
    page.close()


def test_an_account_then_signed_in(jupyter: JupyterPage, demo: DemoProvider) -> None:
    """The password is on the screen and at the provider, and nowhere else."""
    with jupyter.notebook(login(demo, what="signup"), "print('next', api.user['name'])") as notebook:
        notebook.run_all()
        notebook.phase("sign_up")
        expect(notebook.panel).to_contain_text("Create an account at 127.0.0.1")
        expect(notebook.panel).to_contain_text("kept nowhere else")
        name = newcomer()
        fill_all(notebook, name)
        assert PASSWORD not in notebook.save()
        notebook.press("Create account")
        notebook.phase("waiting")
        expect(notebook.panel).to_contain_text("Your account is there. Now sign in with it.")
        sign_in(notebook, name)
        notebook.phase("signed_in")
        notebook.idle()
        assert f"next {name.title()}" in notebook.outputs(1)
        assert PASSWORD not in notebook.save()
        assert PASSWORD not in jupyter.page.content()


def test_checked_while_typing(jupyter: JupyterPage, demo: DemoProvider) -> None:
    with jupyter.notebook(login(demo, what="signup", then="signin")) as notebook:
        notebook.run_all()
        notebook.phase("sign_up")
        email = notebook.panel.get_by_label("E-mail")
        email.fill("ada@example")
        expect(notebook.panel).not_to_contain_text("not complete")
        email.blur()
        expect(notebook.panel).to_contain_text("This address is not complete.")
        expect(email).to_have_attribute("aria-invalid", "true")
        email.fill("ada@example.org")
        expect(notebook.panel).not_to_contain_text("not complete")
        password = notebook.panel.get_by_label("Password", exact=True)
        password.fill("short")
        password.blur()
        expect(notebook.panel).to_contain_text("At least 8 characters.")
        for text, bars in (
            ("aaaaaaaaaaaaaaaaaaaaaa", 1),
            ("correct horse", 2),
            ("Correct horse battery staple 1", 4),
        ):
            password.fill(text)
            expect(notebook.panel.locator(".authnb-meter i.on")).to_have_count(bars)
        expect(password).to_have_attribute("type", "password")
        show = notebook.panel.get_by_role("button", name="Show Password", exact=True)
        show.click()
        expect(password).to_have_attribute("type", "text")
        show.click()
        expect(password).to_have_attribute("type", "password")
        fill(notebook, Password_again="something else")
        notebook.press("Create account")
        expect(notebook.panel).to_contain_text("The two differ.")
        expect(notebook.panel).to_contain_text("Please fill this in.")
        expect(notebook.panel.get_by_label("Name", exact=True)).to_be_focused()
        notebook.press("Cancel")
        notebook.phase("cancelled")


def test_the_providers_errors_appear_at_their_fields(jupyter: JupyterPage, demo: DemoProvider) -> None:
    """Its errors appear at their fields, and what was typed stays."""
    taken = newcomer()
    demo.sign_up(taken, PASSWORD)
    with jupyter.notebook(login(demo, what="signup", then="signin")) as notebook:
        notebook.run_all()
        notebook.phase("sign_up")
        fill_all(notebook, taken)
        notebook.press("Create account")
        expect(notebook.panel).to_contain_text("is taken")
        expect(notebook.panel.get_by_label("Name", exact=True)).to_be_focused()
        expect(notebook.panel.get_by_label("Password", exact=True)).to_have_value(PASSWORD)
        fill(notebook, Name=newcomer())
        notebook.press("Create account")
        notebook.phase("waiting")
        notebook.press("Cancel")


def test_the_providers_own_page_instead(jupyter: JupyterPage, demo: DemoProvider) -> None:
    with jupyter.notebook(login(demo, what="signup", then="signin")) as notebook:
        notebook.run_all()
        notebook.phase("sign_up")
        notebook.press("Use the provider's own page instead")
        notebook.phase("waiting")
        expect(notebook.panel).to_contain_text("your password never touches this notebook")
        assert "prompt=create" in notebook.address("Open the sign-up page")
        demo.visit(notebook.address("Open the sign-up page"), name=newcomer())
        notebook.phase("signed_in")


def test_a_page_apart_and_then_a_code(jupyter: JupyterPage, demo: DemoProvider) -> None:
    """Where the page for accounts leads nowhere by itself, both are shown, the account first."""
    cell = f"""
import authnb
from dataclasses import replace
found = authnb.Provider.discover({demo.issuer!r})
there = replace(found, authnb_signup=None, prompt_values_supported=(), sign_up_page=found.issuer + "/signup")
await authnb.signup(there, client_id="notebook", mode="device")"""
    with jupyter.notebook(cell) as notebook:
        notebook.run_all()
        notebook.phase("waiting")
        assert notebook.address("Create an account first") == f"{demo.issuer}/signup"
        code = notebook.panel.locator(".authnb-code").inner_text()
        demo.approve(code, name="noether")
        notebook.phase("signed_in")


def test_a_form_that_would_send_a_password_in_the_clear(jupyter: JupyterPage, demo: DemoProvider) -> None:
    cell = f"""
import authnb
form = {{"endpoint": "http://id.example.org/signup", "fields": []}}
provider = authnb.Provider.discover({demo.issuer!r}, authnb_signup=form)
signin = authnb.signup(provider, client_id="notebook")
await signin"""
    with jupyter.notebook(cell) as notebook:
        notebook.run_all()
        notebook.phase("failed")
        expect(notebook.panel).to_contain_text("neither https nor on this machine")
        expect(
            notebook.panel.get_by_role("button", name="Use the provider's own page instead")
        ).to_be_visible()
        notebook.idle()


def test_the_keyboard_alone(jupyter: JupyterPage, demo: DemoProvider) -> None:
    with jupyter.notebook(login(demo, what="signup", then="signin")) as notebook:
        notebook.run_all()
        notebook.phase("sign_up")
        keys = jupyter.page.keyboard
        notebook.panel.get_by_label("Name", exact=True).focus()
        for text, tabs in (
            (newcomer(), 1),
            ("Emmy Noether", 1),
            (f"{newcomer()}@example.org", 1),
            (PASSWORD, 2),
            (PASSWORD, 0),
        ):
            keys.type(text)
            for _ in range(tabs):
                keys.press("Tab")
        keys.press("Enter")
        notebook.phase("waiting")
        expect(notebook.panel.locator(":focus")).to_contain_text("Open the sign-in page")
        keys.press("Tab")
        keys.press("Enter")
        notebook.phase("cancelled")


def test_axe_finds_no_violation(jupyter: JupyterPage, demo: DemoProvider) -> None:
    for theme in THEMES[jupyter.server.app]:
        with jupyter.notebook(login(demo, what="signup", then="signin")) as notebook:
            jupyter.theme(theme)
            notebook.run_all()
            notebook.phase("sign_up")
            assert violations(jupyter.page, ".authnb") == []
            notebook.press("Create account")
            expect(notebook.panel).to_contain_text("Please fill this in.")
            assert violations(jupyter.page, ".authnb") == []
            notebook.press("Use the provider's own page instead")
            notebook.link("Open the sign-up page")
            assert violations(jupyter.page, ".authnb") == []
            notebook.press("Cancel")
