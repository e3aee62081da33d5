"""Predictions in JupyterLab and Notebook 7: written with the keyboard, compared, and in no file."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from harness import ROOT, THEMES, violations
from playwright.sync_api import expect

if TYPE_CHECKING:
    from harness import JupyterPage

FOLDER = ROOT / "notebooks"
sys.path.append(str(FOLDER))
SAVE_STATE = "@jupyter-widgets/jupyterlab-manager:saveWidgetState"
IMPORT = f"import sys\nsys.path.append({str(FOLDER)!r})\nimport predict as kit\n"
PREDICT = IMPORT + "kit.predict('where', 'Where does `code` go?')"
GUESS = "dd to the browser bb"  # with keys that are commands of JupyterLab outside of a field


def test_a_guess_stands_beside_the_answer_and_in_no_file(jupyter: JupyterPage) -> None:
    """Run again, the cell keeps it; saved with the state of its widgets, the notebook does not."""
    with jupyter.notebook(PREDICT, "kit.compare('where', 'Back to the `client`.')") as notebook:
        notebook.run_all()
        notebook.idle()
        page = notebook.page
        field = page.get_by_role("textbox", name="Where does code go?")
        expect(field).to_have_accessible_description(
            "Your guess, in a few words. It is not graded, not sent anywhere and not saved."
        )
        pair = page.locator(".kit-guess-pair")
        expect(pair.get_by_role("region", name="Your guess")).to_contain_text("(Nothing was written down.)")
        field.focus()
        page.keyboard.type(GUESS)
        expect(pair.get_by_role("region", name="Your guess")).to_contain_text(GUESS)
        expect(pair.get_by_role("region", name="What happens")).to_contain_text("Back to the client.")
        for cell in (0, 1):
            notebook.run(cell)
            notebook.idle()
        expect(field).to_have_value(GUESS)
        expect(pair).to_contain_text(GUESS)
        for theme in THEMES[notebook.server.app]:
            jupyter.theme(theme)
            for shown in page.locator(".kit-guess").all():
                shown.evaluate("node => { node.id = 'looked-at'; }")
                assert violations(page, "#looked-at") == [], theme
                shown.evaluate("node => { node.id = ''; }")
        if notebook.server.app == "lab":
            notebook.command(SAVE_STATE)
        saved = notebook.save()
        assert GUESS not in saved
        assert "Predict: Where does `code` go?" in saved, "for whom there are no widgets"
        state = json.loads(saved)["metadata"].get("widgets", {})
        assert ("kit-guess" in json.dumps(state)) == (notebook.server.app == "lab")


@pytest.mark.parametrize("app", ["lab"], scope="module")
def test_a_browser_reads_what_the_check_refuses_as_elsewhere(jupyter: JupyterPage) -> None:
    """Every address that 08/safe_next has to refuse leads away from the application, or is no path of its."""
    from checking.n08 import elsewhere  # noqa: PLC0415 - found by the path above

    found = elsewhere("evil.example")
    read = """paths => paths.map(path => {
        const url = new URL(path, "http://ours.example/");
        return `${url.protocol}//${url.host}`;
    })"""
    origins = jupyter.page.evaluate(read, found)
    stays = [path for path, origin in zip(found, origins, strict=True) if origin == "http://ours.example"]
    assert all(path.startswith("/data\r\n") or not path.startswith("/") for path in stays), stays
    assert len(stays) < len(found) / 4
