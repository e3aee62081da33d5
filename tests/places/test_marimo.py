"""marimo notebooks: edited, run as an app, run as a script, and exported with nobody there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

from harness import violations
from marimo_notebooks import LATER, RESULT, ROOT, Marimo, login, opened, write
from playwright.sync_api import expect
from support import newcomer
from terminal import Terminal
from topologies import FRONT_ENDS, LINK, PANEL

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext

    from authnb.demo import DemoProvider

PASSWORD = "plain-Password-9713"


def test_the_cell_waits_and_the_others_follow(
    context: BrowserContext, editor: Marimo, folder: Path, demo: DemoProvider
) -> None:
    assert FRONT_ENDS["marimo edit"].shows == PANEL
    path = write(folder / "waits.py", f"api = await {login(demo)}", RESULT)
    with opened(context, editor, path) as notebook:
        notebook.phase("waiting")
        with context.expect_page() as provider:
            notebook.link.click()
        expect(provider.value).to_have_url(re.compile("^" + re.escape(demo.issuer)))
        provider.value.close()
        notebook.page.reload()
        notebook.phase("waiting")
        demo.visit(notebook.address, name="ada")
        notebook.phase("signed_in")
        notebook.shows("Ada is signed in")


def test_cancel_interrupts_a_cell_that_waits(
    context: BrowserContext, editor: Marimo, folder: Path, demo: DemoProvider
) -> None:
    """Marimo hears no other click meanwhile, and the panel says so."""
    path = write(folder / "cancelled.py", f"api = await {login(demo)}", RESULT)
    with opened(context, editor, path) as notebook:
        notebook.phase("waiting")
        notebook.panel.get_by_text("The page did not open").click()
        expect(notebook.panel).to_contain_text("While this cell waits, marimo processes no click but Cancel")
        address = notebook.address
        notebook.press("Cancel")
        notebook.shows("This cell was interrupted and needs to be re-run.")
        stale = notebook.page.get_by_test_id("run-button").last
        # Without a cell to run it does nothing
        expect(stale).not_to_have_class(re.compile("inactive-button"))
        stale.click()
        demo.visit(notebook.new_address(address), name="ada")
        notebook.phase("signed_in")


def test_cells_that_read_the_sign_in_run_again(
    context: BrowserContext, editor: Marimo, folder: Path, demo: DemoProvider
) -> None:
    """Once somebody is signed in, and once nobody is any more."""
    path = write(folder / "reactive.py", f"signin = {login(demo)}\nsignin", LATER)
    with opened(context, editor, path) as notebook:
        notebook.phase("waiting")
        notebook.shows("Nobody is signed in yet.")
        demo.visit(notebook.address, name="ada")
        notebook.phase("signed_in")
        notebook.shows("Ada is signed in")
        notebook.press("Sign out")
        notebook.phase("signed_out")
        notebook.shows("This session is signed out.")
        notebook.press("Sign in again")
        notebook.phase("waiting")
        demo.visit(notebook.address, name="grace")
        notebook.shows("Grace is signed in")


def test_an_account_and_nothing_of_it_in_what_marimo_exports(
    context: BrowserContext, editor: Marimo, folder: Path, demo: DemoProvider
) -> None:
    """A person signs up in the panel; the outputs that marimo exports hold neither password nor state nor token."""
    path = write(folder / "account.py", f"signin = {login(demo, 'signup', mode='auto')}\nsignin", LATER)
    name = newcomer()
    with opened(context, editor, path) as notebook:
        notebook.phase("sign_up")
        for label, value in {"Name": name, "Full name": "Mary", "E-mail": f"{name}@example.org"}.items():
            notebook.panel.get_by_label(label, exact=True).fill(value)
        for label in ("Password", "Password again"):
            notebook.panel.get_by_label(label, exact=True).fill(PASSWORD)
        notebook.press("Create account")
        notebook.phase("waiting")
        kept = notebook.exported()
        page = context.new_page()
        page.goto(address := notebook.address)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="Allow").click()
        notebook.phase("signed_in")
        notebook.shows("Mary is signed in")
        kept += notebook.exported() + path.read_text(encoding="utf-8")
    state = re.search(r"state=([\w-]+)", address)
    assert state is not None
    assert "Your account is there" in kept, "the panel is in it"
    assert "Mary is signed in" in kept
    assert not [secret for secret in (PASSWORD, state[1], "code_challenge", "access_token") if secret in kept]


def test_the_panel_can_be_read(
    context: BrowserContext, editor: Marimo, folder: Path, demo: DemoProvider
) -> None:
    """In marimo's light theme and in its dark one: neither has JupyterLab's colours."""
    path = write(folder / "looks.py", f"{login(demo, mode='device')}")
    with opened(context, editor, path) as notebook:
        notebook.phase("waiting")
        for scheme in ("light", "dark"):
            notebook.page.emulate_media(color_scheme=scheme)
            expect(notebook.page.locator("body")).to_have_class(re.compile(scheme))
            assert violations(notebook.page, {"fromShadowDom": ["marimo-anywidget", ".authnb"]}) == []


def test_an_app(context: BrowserContext, apps: Marimo, folder: Path, demo: DemoProvider) -> None:
    assert FRONT_ENDS["marimo run"].shows == PANEL
    with opened(context, apps, folder / "app.py") as notebook:
        notebook.phase("waiting")
        demo.visit(notebook.address, name="ada")
        notebook.phase("signed_in")
        notebook.shows("Ada is signed in")


def test_an_app_whose_cell_waits(
    context: BrowserContext, apps: Marimo, folder: Path, demo: DemoProvider
) -> None:
    """There is no interrupt in an app: the panel names the way out."""
    with opened(context, apps, folder / "waiting_app.py") as notebook:
        notebook.phase("waiting")
        notebook.press("Cancel")
        expect(notebook.panel).to_contain_text("The kernel is busy: reload the page.")
        demo.visit(notebook.address, name="ada")
        notebook.phase("signed_in")
        notebook.shows("Ada is signed in")


def test_a_script(tmp_path: Path, demo: DemoProvider) -> None:
    assert FRONT_ENDS["marimo script"].shows == LINK
    path = write(tmp_path / "script.py", f"api = await {login(demo)}\nprint({RESULT})")
    with Terminal() as terminal:
        terminal.start(sys.executable, str(path), AUTHNB_REMOTE="0", AUTHNB_HOME=str(tmp_path))
        demo.visit(terminal.read_until(r"^(http\S+)").group(), name="ada")
        terminal.read_until("^Ada is signed in")


def test_an_export(tmp_path: Path, demo: DemoProvider) -> None:
    """Nobody sees the page that ``marimo export`` makes of a notebook before it has run."""
    assert FRONT_ENDS["marimo export"].shows == "`interaction_required`"
    path = write(tmp_path / "exported.py", f"api = await {login(demo, mode='auto')}")
    command = [
        sys.executable,
        "-m",
        "marimo",
        "export",
        "html",
        str(path),
        "-o",
        str(tmp_path / "exported.html"),
    ]
    environment = {**os.environ, "AUTHNB_INTERACTIVE": "", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert done.returncode
    assert "Signing in needs a person" in (tmp_path / "exported.html").read_text()
