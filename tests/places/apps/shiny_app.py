"""Shiny: a visitor's objects are variables of the server function."""

from __future__ import annotations

from typing import Any

from shiny import App, render, ui
from visitor import Visit


def server(input: Any, output: Any, session: Any) -> None:  # noqa: A002, ARG001 - Shiny's names
    """Called for each visitor."""
    visit = Visit()

    @render.text
    def text() -> str:
        return visit.finish() if input.go() else visit.begin()


app = App(ui.page_fluid(ui.output_text_verbatim("text"), ui.input_action_button("go", "Go on")), server)
