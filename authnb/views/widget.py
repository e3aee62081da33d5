"""The panel's anywidget: the card as a trait, and the scripts that render it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

_STATIC = Path(__file__).parent / "static"


def _script(*names: str) -> str:
    return "\n".join((_STATIC / name).read_text(encoding="utf-8") for name in names)


class Panel(anywidget.AnyWidget):
    """Renders the card of a sign-in."""

    _esm = _script("panel.js", "environment.js", "floating.js")
    _css = _STATIC / "panel.css"
    card: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)


class SignUpPanel(Panel):
    """The same, with the sign-up form."""

    _esm = _script("panel.js", "environment.js", "floating.js", "form.js")
