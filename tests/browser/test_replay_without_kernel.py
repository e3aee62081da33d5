"""A replay in JupyterLab and in Notebook 7, and what of it is there when its kernel is not."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from harness import violations
from playwright.sync_api import expect

if TYPE_CHECKING:
    from harness import JupyterPage

RECORD = """
import authnb
from authnb.demo import DemoProvider
from authnb.storage.base import MemoryStorage

with DemoProvider() as provider, authnb.record(reveal=True) as recording:
    signin = authnb.login(provider.issuer, client_id=provider.client_id, mode="loopback", scope="openid", view=None,
                          storage=MemoryStorage())
    provider.visit(signin.verification().uri, name="ada")
    signin.wait(60)
"""


def test_it_is_gone_through_saved_and_opened_without_a_kernel(jupyter: JupyterPage) -> None:
    """Where its kernel is not installed, the picture and all steps are there, and no error of a widget."""
    server, page = jupyter.server, jupyter.page
    kernel = server.ask("POST", "kernels", json={"name": "python3"}).json()["id"]
    cells = [f"{RECORD}\nrecording.replay()", "authnb.record().replay()"]
    with jupyter.notebook(*cells, kernel=kernel) as notebook:
        notebook.run_all()
        shown, empty = (page.locator(".authnb-replay").nth(n) for n in range(2))
        expect(empty).to_be_visible(timeout=120_000)  # the kernel imports a provider first
        shown.get_by_role("button", name="Next").click()
        expect(shown.locator(".ar-count")).to_have_text(re.compile("^Step 2 of"))
        shown.locator("summary", has_text="All steps").click()
        shown.get_by_role("button", name="The tokens").click()
        expect(shown.locator(".ar-verdict")).to_contain_text("The signature is right.")
        expect(empty).to_contain_text("Nothing was recorded")
        expect(empty).to_contain_text("and then run recording.replay() again")
        expect(empty.get_by_role("button")).to_have_count(0)
        assert violations(page, ".authnb-replay") == []
        pictures = page.locator("[data-authnb-replay]")
        for n in range(2):
            expect(pictures.nth(n)).to_be_hidden()
        saved = json.loads(notebook.save())
    saved["metadata"]["kernelspec"] = {"name": "gone", "display_name": "Gone", "language": "gone"}
    del saved["metadata"]["language_info"]  # or Python's other kernel would be taken
    name = f"without-kernel-{server.app}.ipynb"
    (server.folder / name).write_text(json.dumps(saved), encoding="utf-8")
    if server.app == "lab":
        page.evaluate("path => void window.jupyterapp.commands.execute('docmanager:open', {path})", name)
    else:
        page.goto(f"{server.url}/notebooks/{name}")
    page.get_by_role("dialog").get_by_role("button", name="No Kernel").click()
    # The notebook is not trusted: what hides and names the picture was taken out of it
    cells = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell")
    picture = cells.first.get_by_role("img", name=re.compile("step by step as a sequence diagram"))
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 500
    expect(cells.first.get_by_role("listitem").last).to_contain_text("The tokens")
    expect(cells.last).to_contain_text("Nothing was recorded")
    expect(page.get_by_text("Error displaying widget")).to_have_count(0)
    server.ask("DELETE", f"kernels/{kernel}")
