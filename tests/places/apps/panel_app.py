"""Panel: the script runs once for each visitor, so its variables are theirs."""

from typing import Any

import panel as pn
from visitor import Visit

pn.extension()
visit = Visit()
text = pn.pane.Str(visit.begin())
button = pn.widgets.Button(name="Go on")


def finish(_: Any) -> None:
    text.object = visit.finish()


button.on_click(finish)
pn.Column(text, button).servable()
