"""Voilà: each visitor has a kernel of their own, which runs the notebook. This is its cell."""

from typing import Any

from IPython.display import display
from ipywidgets import HTML, Button
from visitor import Visit

visit = Visit()
text, button = HTML(visit.begin()), Button(description="Go on")


def finish(_: Any) -> None:
    text.value = visit.finish()


button.on_click(finish)
display(text, button)
