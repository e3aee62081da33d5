"""The time from a click in JupyterLab to its visible effect: the panel's buttons and an `ipywidgets.Button`."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measuring import Result, Sample, at_most, interleaved

from authnb.demo import DemoProvider

if TYPE_CHECKING:
    from bench.measuring import Bench
    from harness import Notebook

LIMIT = 100  # milliseconds, within which a click seems to act at once
BY_HAND = "ipywidgets.Button, until its Label has changed"
WHY = (
    "The panel's script and style travel in its state, as anywidget sends them: {scripts} of {whole} bytes, once for "
    "each panel. Served as files they would have to be installed where the Jupyter server is, which need not be "
    "where the kernel is. Tried: the form's script goes to sign-ups only, and what is drawn is described in Python."
)
BUTTON = """
import ipywidgets
button, label = ipywidgets.Button(description="Count"), ipywidgets.Label("0")
button.on_click(lambda _: setattr(label, "value", str(int(label.value) + 1)))
ipywidgets.VBox([button, label])"""
SIZES = """
import json
from authnb.views.widget import Panel, SignUpPanel
panel = Panel(card=signin._view._panel.card)
for widgets in ([button, label], [panel]):
    print(sum(len(json.dumps(widget.get_state())) for widget in widgets))
print(len(panel._esm) + len(panel._css))"""
# Until the frame after the first change, by the browser's clock
CLICK = """([selector, seen]) => new Promise((resolve) => {
    const all = '.jp-NotebookPanel:not(.lm-mod-hidden) ';
    const button = [...document.querySelectorAll(all + selector)].at(-1);
    const watched = document.querySelector(all + seen);
    let begin;
    new MutationObserver((_, observer) => {
        observer.disconnect();
        requestAnimationFrame(() => resolve(performance.now() - begin));
    }).observe(watched, {subtree: true, childList: true, characterData: true});
    begin = performance.now();
    button.click();
})"""


def measure(bench: Bench) -> Result:
    """Each click in turn, on one page."""
    from harness import CHROMIUM, JupyterPage, Server, login  # noqa: PLC0415 - only where it is measured
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - the same

    with (
        tempfile.TemporaryDirectory() as home,
        DemoProvider() as demo,
        Server(Path(home) / "server") as server,
        sync_playwright() as playwright,
    ):
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
        jupyter = JupyterPage(server, chromium)
        with jupyter.notebook(BUTTON, login(demo, mode="device", then="signin"), SIZES) as notebook:
            notebook.run_all()
            notebook.panel.locator(".authnb-code").wait_for()
            notebook.page.locator(".widget-button, .jupyter-button").first.wait_for()
            notebook.idle()
            runs = {
                BY_HAND: lambda: click(notebook, ".jupyter-button", ".jupyter-widgets.widget-label"),
                "authnb's panel, a button that starts anew": lambda: switch(notebook),
                "authnb's panel, Copy": lambda: click(notebook, ".authnb [data-copy]", ".authnb-body"),
            }
            times = interleaved(runs, bench.times(15))
            sizes = [int(line) for line in json.loads(notebook.outputs(2))[0]["text"].split()]
        jupyter.close()
        chromium.close()
    slowest = max(max(sample.values) for name, sample in times.items() if name.startswith("authnb"))
    rows = [(name, f"{sample:.0f}") for name, sample in times.items()]
    ratios = {name: sample.over(times[BY_HAND]).median for name, sample in times.items() if name != BY_HAND}
    rows += [
        ("state of Button and Label", f"{sizes[0]} B"),
        ("state of the panel, script included", f"{sizes[1]} B"),
    ]
    return Result(
        title="Clicks",
        text="Milliseconds from a click to the frame that shows its effect, in JupyterLab in Chromium.",
        head=("what", "median (quartiles)"),
        rows=rows,
        goals=[
            at_most("panel: click to visible change, the slowest", LIMIT, slowest, unit="ms", spec=".0f"),
            at_most("panel: click to visible change, ipywidgets.Button = 1", 1.5, max(ratios.values())),
            at_most(
                "panel: size of its state, Button and Label = 1",
                1.5,
                sizes[1] / sizes[0],
                why=WHY.format(scripts=sizes[2], whole=sizes[1]),
            ),
        ],
        bars={name: Sample(sample.values) for name, sample in times.items()},
        unit="ms",
    )


def click(notebook: Notebook, selector: str, seen: str) -> float:
    """Click the last matching element; milliseconds until the DOM changes."""
    return float(notebook.page.evaluate(CLICK, [selector, seen]))


def switch(notebook: Notebook) -> float:
    """Switch to the other mode and wait until it is shown."""
    code = notebook.panel.locator(".authnb-code")
    other = "loopback" if code.count() else "device"
    took = click(notebook, f".authnb [data-mode={other}]", ".authnb-body")
    code.wait_for(state="attached" if other == "device" else "detached")
    notebook.panel.locator("[data-mode]").first.wait_for(state="attached")
    return took
