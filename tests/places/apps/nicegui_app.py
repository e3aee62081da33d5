"""NiceGUI: a visitor's objects are variables of the page's function."""

from __future__ import annotations

import os

from nicegui import ui
from visitor import Visit


@ui.page("/", response_timeout=60)
def page() -> None:
    """Called for each visitor."""
    visit = Visit()
    text = ui.label(visit.begin())
    ui.button("Go on", on_click=lambda: text.set_text(visit.finish()))


ui.run(host="127.0.0.1", port=int(os.environ["PORT"]), show=False, reload=False)
