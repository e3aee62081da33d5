"""Predictions: what a learner writes reaches the comparison, and no file."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from ipywidgets import Widget
from ipywidgets.embed import dependency_state

PATH = Path(__file__).parents[2] / "notebooks" / "predict.py"
GUESS = "the provider asks for a password"


@pytest.fixture
def predict(monkeypatch: pytest.MonkeyPatch) -> Any:
    spec = importlib.util.spec_from_file_location("predict", PATH)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "predict", module)
    spec.loader.exec_module(module)
    return module


class Page:
    """A page that shows a widget: it sends what is typed, and hears what the kernel sends."""

    def __init__(self, widget: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.widget = widget
        self.shown = ""
        monkeypatch.setattr(widget, "send", self._hear)
        self.send({"ready": True})

    def _hear(self, message: dict[str, str]) -> None:
        self.shown = message["guess"]

    def send(self, message: dict[str, Any]) -> None:
        data = {"method": "custom", "content": message}
        self.widget.comm.handle_msg({"content": {"data": data}, "buffers": []})


def test_where_nobody_can_write_it_is_text(predict: Any) -> None:
    """As in a run of all cells, and where widgets are not installed in the front end."""
    question, answer = predict.predict("x", "Who is `ada`?"), predict.compare("x", "A person.")
    assert not isinstance(question, Widget)
    assert not isinstance(answer, Widget)
    assert repr(question) == "Predict: Who is `ada`?\nWrite your guess down, then go on."
    assert repr(answer) == "What happens: A person."


def test_a_guess_is_kept_for_its_name_and_in_no_file(predict: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "_somebody_is_here", lambda: True)
    asked = predict.predict("x", "Who?")
    question = Page(asked, monkeypatch)
    assert question.shown == ""
    early = Page(predict.compare("x", "Ada."), monkeypatch)
    question.send({"guess": GUESS})
    assert early.shown == GUESS, "the comparison follows what is written later"
    again, answer, other = (
        Page(widget, monkeypatch)
        for widget in (
            predict.predict("x", "Who?"),
            predict.compare("x", "Ada."),
            predict.compare("y", "Grace."),
        )
    )
    assert (again.shown, answer.shown, other.shown) == (GUESS, GUESS, "")
    for page in (question, again, answer, other):
        bundle, _ = page.widget._repr_mimebundle_()
        state = dependency_state(page.widget)
        assert page.widget.model_id in state
        assert GUESS not in json.dumps([bundle, state, page.widget.get_state()], default=str)
    assert repr(asked) == "Predict: Who?\nWrite your guess down, then go on."


def test_what_the_page_sends_is_read_with_care(predict: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "_somebody_is_here", lambda: True)
    page = Page(predict.predict("x", "Who?"), monkeypatch)
    page.send({"guess": ["no", "text"]})
    assert page.shown == ""
    page.send({"guess": "a" * 5000})
    page.send({"ready": True})
    assert page.shown == "a" * 2000


def calls(path: Path, function: str) -> list[tuple[int, str]]:
    """The cells of a notebook that call a function of kit, with its first argument."""
    cells = nbformat.read(path, as_version=4).cells
    found = [
        (number, re.findall(rf"kit\.{function}\(\s*['\"](.+?)['\"]", cell.source))
        for number, cell in enumerate(cells)
    ]
    return [(number, name) for number, names in found for name in names]


def test_each_prediction_is_compared_once_and_later() -> None:
    """In another cell, so that the question is there before its answer."""
    for path in sorted(PATH.parent.glob("*.ipynb")):
        asked, answered = calls(path, "predict"), {name: cell for cell, name in calls(path, "compare")}
        assert len({name: cell for cell, name in asked}) == len(asked), path.name
        assert {name for _, name in asked} == set(answered), path.name
        assert len(answered) == len(calls(path, "compare")), path.name
        assert all(answered[name] > cell for cell, name in asked), path.name
