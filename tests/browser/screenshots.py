"""Screenshots of every state, light and dark: ``PYTHONPATH=.:tests python tests/browser/screenshots.py FOLDER``."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import nbconvert
from harness import CHROMIUM, JupyterPage, Server, login
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from authnb.demo import DemoProvider

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness import Notebook
    from playwright.sync_api import Browser

THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark", "contrast": "JupyterLab Dark High Contrast"}


def states(jupyter: JupyterPage, demo: DemoProvider) -> Iterator[tuple[str, Notebook]]:
    """Each state in turn, with the notebook that shows it."""

    def phase(name: str) -> None:
        expect(notebook.panel).to_have_attribute("data-phase", name)

    def link() -> str:
        found = notebook.panel.get_by_role("link", name="Open the sign-in page")
        expect(found).not_to_have_attribute("aria-disabled", "true")
        return found.get_attribute("href") or ""

    with jupyter.notebook(login(demo)) as notebook:
        notebook.run_all()
        phase("waiting")
        link()
        yield "waiting", notebook
        notebook.panel.locator("summary").click()
        yield "waiting-help", notebook
        demo.visit(link(), name="ada")
        phase("signed_in")
        notebook.idle()
        yield "signed-in", notebook
        notebook.panel.get_by_role("button", name="Sign out").click()
        phase("signed_out")
        yield "signed-out", notebook
    with jupyter.notebook(login(demo, what="signup", then="signin")) as notebook:
        notebook.run_all()
        phase("sign_up")
        notebook.panel.get_by_label("Full name").fill("Ada Lovelace")
        notebook.panel.get_by_label("E-mail").fill("ada@example")
        notebook.panel.get_by_label("Password", exact=True).fill("a long passphrase")
        notebook.panel.get_by_label("Password", exact=True).blur()
        jupyter.page.set_viewport_size({"width": 900, "height": 1100})
        yield "sign-up", notebook
        notebook.panel.get_by_role("button", name="Cancel").click()
    with jupyter.notebook(login(demo, mode="device")) as notebook:
        notebook.run_all()
        notebook.panel.get_by_role("button", name="Copy", exact=True).wait_for()
        yield "device", notebook
        notebook.panel.get_by_role("button", name="Cancel").click()
        phase("cancelled")
        notebook.idle()
        yield "cancelled", notebook
    with jupyter.notebook(login(demo)) as notebook:
        notebook.run_all()
        phase("waiting")
        demo.visit(link(), name="hedy", allow=False)
        phase("failed")
        notebook.idle()
        yield "failed", notebook
    yield from others(jupyter, demo)


def others(jupyter: JupyterPage, demo: DemoProvider) -> Iterator[tuple[str, Notebook]]:
    """The rarer states."""
    given = f"{{'University': {demo.issuer!r}, 'Laboratory': {demo.issuer!r}}}"
    with jupyter.notebook(login(demo, then="signin").replace(repr(demo.issuer), given)) as notebook:
        notebook.run_all()
        notebook.phase("choosing")
        yield "choosing", notebook
        notebook.press("Cancel")
    with (
        jupyter.server.other_kernel("6.31.0") as kernel,
        jupyter.notebook(login(demo, what="signup"), kernel=kernel) as notebook,
    ):
        notebook.run_all()
        notebook.phase("sign_up")
        yield "not-heard", notebook
        notebook.press("Cancel")
        notebook.phase("cancelled")
    with jupyter.notebook(login(demo, then="signin")) as notebook:
        notebook.run_all()
        notebook.phase("waiting")
        notebook.restart()
        notebook.phase("dead")
        yield "not-live", notebook


def without_a_panel(jupyter: JupyterPage, demo: DemoProvider, browser: Browser, folder: Path) -> None:
    """What remains of a panel: reopened, exported, and in a front end without widgets."""
    kernel = jupyter.server.ask("POST", "kernels", json={"name": "python3"}).json()["id"]
    with jupyter.notebook(login(demo), kernel=kernel) as notebook:
        notebook.run_all()
        demo.visit(notebook.address(), name="ada")
        notebook.phase("signed_in")
        notebook.idle()
        notebook.save()
    jupyter.server.ask("DELETE", f"kernels/{kernel}")
    notebook.kernel = jupyter.server.kernel
    notebook.open()
    output = jupyter.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell-outputWrapper")
    output.get_by_text("Signed in at").wait_for()
    output.screenshot(path=str(folder / "reopened.png"))
    notebook.close()
    html, _ = nbconvert.HTMLExporter().from_filename(str(jupyter.server.folder / notebook.name))
    page = browser.new_page(viewport={"width": 900, "height": 500}, offline=True)
    page.set_content(html)
    page.locator(".jp-Cell-outputWrapper").screenshot(path=str(folder / "exported.png"))
    page.close()
    with tempfile.TemporaryDirectory() as home:
        config = Path(home) / "server" / "config" / "labconfig" / "page_config.json"
        config.parent.mkdir(parents=True)
        config.write_text(json.dumps({"disabledExtensions": {"@jupyter-widgets/jupyterlab-manager": True}}))
        with Server(Path(home) / "server") as server:
            plain = JupyterPage(server, browser)
            with plain.notebook(login(demo)) as notebook:
                notebook.run_all()
                output = plain.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell-outputWrapper")
                output.locator(".authnb-text a").wait_for()
                output.screenshot(path=str(folder / "no-widgets.png"))
                notebook.command("notebook:interrupt-kernel")
                notebook.idle()
            plain.close()


def stacked(folder: Path, names: Sequence[str], target: str) -> None:
    """Stack screenshots vertically."""
    pictures = [Image.open(folder / f"{name}.png") for name in names]
    size = max(picture.width for picture in pictures), sum(picture.height + 12 for picture in pictures)
    whole, top = Image.new("RGB", size, "#ddd"), 0
    for picture in pictures:
        whole.paste("#fff", (0, top, size[0], top + picture.height))
        whole.paste(picture, (0, top))
        top += picture.height + 12
    whole.save(folder / target, optimize=True)


# What the README and docs/ show
SHEETS = {
    "panel": ("waiting", "device", "signed-in"),
    "sign-up": ("sign-up",),
    "states": ("choosing", "failed", "signed-out", "not-live"),
}


def sheet(folder: Path, name: str) -> None:
    """Several states in one picture: light on the left, dark on the right."""
    columns = [[Image.open(folder / f"{state}-{theme}.png") for state in SHEETS[name]] for theme in THEMES][
        :2
    ]
    width, gap = columns[0][0].width, 12
    height = sum(picture.height + gap for picture in columns[0]) + gap
    whole = Image.new("RGB", (2 * width + 4 * gap, height), "#fff")
    whole.paste("#111", (width + 2 * gap, 0, whole.width, height))
    for left, pictures in zip((gap, width + 3 * gap), columns, strict=True):
        top = gap
        for picture in pictures:
            whole.paste(picture, (left, top))
            top += picture.height + gap
    whole.save(folder / f"{name}.png", optimize=True)


def main(folder: Path) -> None:
    """Take them all."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as home,
        DemoProvider() as demo,
        Server(Path(home)) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        jupyter = JupyterPage(server, browser)
        for name, notebook in states(jupyter, demo):
            for theme, label in THEMES.items():
                jupyter.theme(label)
                jupyter.page.wait_for_function(
                    "label => document.body.dataset.jpThemeName === label", arg=label
                )
                jupyter.page.locator("#jupyterlab-splash").wait_for(state="detached")
                jupyter.page.evaluate("() => document.activeElement.blur()")
                jupyter.page.mouse.move(0, 0)
                notebook.panel.screenshot(path=str(folder / f"{name}-{theme}.png"))
            jupyter.theme(THEMES["light"])
        without_a_panel(jupyter, demo, browser, folder)
        stacked(folder, ("reopened", "exported", "no-widgets"), "plain.png")
        jupyter.close()
        browser.close()
    for name in SHEETS:
        sheet(folder, name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
