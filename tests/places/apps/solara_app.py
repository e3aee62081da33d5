"""Solara: what ``use_memo`` gives is a visitor's."""

import solara
from visitor import Visit


@solara.component
def Page() -> None:  # noqa: N802 - Solara looks for this name
    visit = solara.use_memo(Visit, [])
    text, show = solara.use_state(visit.begin())
    solara.Text(text)
    solara.Button("Go on", on_click=lambda: show(visit.finish()))
