"""Predictions: what a learner writes reaches the comparison, and no file. The widgets live in a real kernel."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from kernels import kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kernels import Kernel

PATH = Path(__file__).parents[2] / "notebooks" / "predict.py"
GUESS = "the provider asks for a password"
IMPORT = f"import sys; sys.path.append({str(PATH.parent)!r}); from predict import compare, predict"
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module", name="notebook")
def _notebook() -> Iterator[Kernel]:
    """A kernel with a front end that shows widgets, as far as it can know."""
    with kernel() as started:
        run(started, IMPORT)
        yield started


def run(notebook: Kernel, code: str, *, person: bool = True) -> dict[str, Any]:
    """Run a cell, as a front end does in which a person can be asked, or cannot; the data of its result."""
    begun = len(notebook.messages)
    notebook.begin(code, allow_stdin=person)
    assert notebook.finish() == ""
    results = [each for each in notebook.messages[begun:] if each["msg_type"] == "execute_result"]
    return dict(results[-1]["content"]["data"]) if results else {}


class Page:
    """A page that shows a widget: it sends what is typed over the widget's comm, and hears what the kernel sends."""

    def __init__(self, notebook: Kernel, code: str) -> None:
        self.notebook = notebook
        self.data = run(notebook, code)
        self.comm = self.data[WIDGET]["model_id"]
        self.send(ready=True)
        self.shown = self.heard()

    def send(self, **content: Any) -> None:
        message = {"comm_id": self.comm, "data": {"method": "custom", "content": content}}
        session = self.notebook.client.session
        self.notebook.client.shell_channel.send(session.msg("comm_msg", message))

    def heard(self) -> str:
        """The guess that the kernel sends to this widget next."""
        message = self.notebook.until(
            lambda each: is_custom(each) and each["content"]["comm_id"] == self.comm
        )
        guess = message["content"]["data"]["content"]["guess"]
        assert isinstance(guess, str)
        return guess


def is_custom(message: dict[str, Any]) -> bool:
    """Whether this message is for a page that is open, and in no state of a widget."""
    return message["msg_type"] == "comm_msg" and message["content"]["data"].get("method") == "custom"


def test_where_nobody_can_write_it_is_text(notebook: Kernel) -> None:
    """As in a run of all cells by a program."""
    question = run(notebook, "predict('n', 'Who is `ada`?')", person=False)
    answer = run(notebook, "compare('n', 'A person.')", person=False)
    assert question == {"text/plain": "Predict: Who is `ada`?\nWrite your guess down, then go on."}
    assert answer == {"text/plain": "What happens: A person."}


def test_a_guess_is_kept_for_its_name_and_in_no_file(notebook: Kernel) -> None:
    begun = len(notebook.messages)
    question = Page(notebook, "asked = predict('x', 'Who?'); asked")
    early = Page(notebook, "pair = compare('x', 'Ada.'); pair")
    assert (question.shown, early.shown) == ("", "")
    question.send(guess=GUESS)
    assert early.heard() == GUESS, "the comparison follows what is written later"
    again, answer, other = (
        Page(notebook, code)
        for code in ("predict('x', 'Who?')", "compare('x', 'Ada.')", "compare('y', 'Grace.')")
    )
    assert (again.shown, answer.shown, other.shown) == (GUESS, GUESS, "")
    saved = run(
        notebook,
        "from ipywidgets.embed import dependency_state\n"
        "[(one.model_id in dependency_state(one), dependency_state(one), one.get_state()) for one in (asked, pair)]",
    )["text/plain"]
    assert saved.count("(True,") == 2
    assert "Who?" in saved
    kept = [each["content"] for each in notebook.messages[begun:] if not is_custom(each)]
    assert GUESS not in repr(kept), "in an output, or in the state of a widget"
    assert question.data["text/plain"] == "Predict: Who?\nWrite your guess down, then go on."


def test_what_the_page_sends_is_read_with_care(notebook: Kernel) -> None:
    page = Page(notebook, "predict('z', 'Who?')")
    page.send(guess=["no", "text"])
    assert page.heard() == "", "what is no text is answered with what is kept"
    page.send(guess="a" * 5000)
    page.send(ready=True)
    assert page.heard() == "a" * 2000


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
