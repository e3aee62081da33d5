"""The widget of the panel, on anywidget: a card to draw, and the scripts that draw it."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

_STATIC = Path(__file__).parent / "static"


def _script(*names: str) -> str:
    return "\n".join((_STATIC / name).read_text(encoding="utf-8") for name in names)


class Panel(anywidget.AnyWidget):
    """Draws the card of a sign-in."""

    _esm = _script("panel.js", "around.js")
    _css = _STATIC / "panel.css"
    card = traitlets.Dict().tag(sync=True)


class SignUpPanel(Panel):
    """The same, able to show a form."""

    _esm = _script("panel.js", "around.js", "form.js")
