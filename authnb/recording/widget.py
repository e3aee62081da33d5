"""A replay in the notebook: the anywidget that draws it, and what the notebook keeps of it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from authnb.recording.picture import as_html, as_lines
from authnb.recording.words import WORDS
from authnb.transport.text import printable_tree

if TYPE_CHECKING:
    from collections.abc import Mapping

_STATIC = Path(__file__).parent / "static"
_WIDGET = "application/vnd.jupyter.widget-view+json"
_MAX_LENGTH = 2000  # characters of a value


class ReplayWidget(anywidget.AnyWidget):
    """A sign-in, step by step: who sends what to whom, who knows what then, what each defence is good for.

    ``saved`` is the replay as data, without secrets: it may be kept with the notebook, as a picture and as the state
    of the widget. ``revealed`` is the same with the values at the provider for learning; a page that is there gets it
    as a message, and it is kept nowhere.
    """

    _esm = _STATIC / "replay.js"
    _css = _STATIC / "replay.css"
    replay: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)

    def __init__(self, saved: Mapping[str, Any], revealed: Mapping[str, Any] | None = None) -> None:
        # Names the picture that the widget takes the place of: the same for the same recording
        picture = hashlib.sha256(json.dumps(saved, sort_keys=True).encode()).hexdigest()[:16]
        parts = {"words": WORDS, "picture": picture, "more": revealed is not None}
        self._revealed = revealed and printable_tree({**revealed, **parts}, _MAX_LENGTH)
        super().__init__(replay=printable_tree({**saved, **parts}, _MAX_LENGTH))
        self.on_msg(self._on_message)

    def _on_message(self, _widget: object, message: Mapping[str, Any], _buffers: object) -> None:
        """A page asks for the values."""
        if self._revealed is not None and message.get("action") == "ready":
            self.send({"replay": self._revealed})

    def __repr__(self) -> str:
        return "\n".join(as_lines(self.replay))

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """One output with all there is, for a front end that takes one."""
        return {**_picture(self), _WIDGET: _view(self)}, {}

    def _ipython_display_(self) -> None:
        """The widget and the picture as two outputs.

        JupyterLab draws a widget whose state is gone as an error, whatever else its output holds.
        """
        from IPython.display import display  # noqa: PLC0415 - there is a kernel, so it is loaded

        text = WORDS["below"]
        display({_WIDGET: _view(self), "text/plain": text}, raw=True)  # type: ignore[no-untyped-call] # IPython's
        display(_picture(self), raw=True)  # type: ignore[no-untyped-call] # IPython's


def _view(widget: ReplayWidget) -> dict[str, Any]:
    return {"model_id": widget.model_id, "version_major": 2, "version_minor": 0}


def _picture(widget: ReplayWidget) -> dict[str, str]:
    return {"text/plain": repr(widget), "text/html": as_html(widget.replay)}
