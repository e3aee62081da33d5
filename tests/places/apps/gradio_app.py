"""Gradio: a visitor's objects are in ``gr.State``."""

import os
from typing import Any

import gradio as gr
from visitor import Visit


def begin() -> tuple[Visit, str]:
    visit = Visit()
    return visit, visit.begin()


def finish(visit: Any) -> str:
    return str(visit.finish())


with gr.Blocks() as app:
    state, text, button = gr.State(), gr.Markdown(), gr.Button("Go on")
    app.load(begin, None, [state, text])
    button.click(finish, state, text)
app.launch(server_name="127.0.0.1", server_port=int(os.environ["PORT"]))
