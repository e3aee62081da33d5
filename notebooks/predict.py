"""Predictions: a place to write what you expect before you see it, and both side by side afterwards.

What you write stays in the memory of this kernel. It is in no output and in no widget state, so a saved notebook does
not hold it. Where widgets do not run, the question and the answer are text.
"""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

_LIMIT = 2000  # characters that are kept of a guess
_guesses: dict[str, str] = {}
_comparisons: dict[str, Any] = {}  # the newest of each name

_CSS = """
.kit-guess { color: var(--jp-ui-font-color1, CanvasText); background: var(--jp-layout-color1, Canvas);
  border: 1px solid var(--jp-border-color1, GrayText); border-radius: 4px; padding: .7em .9em; margin: 2px;
  font: 14px/1.5 var(--jp-content-font-family, system-ui, sans-serif); overflow-wrap: anywhere; }
.kit-guess * { box-sizing: border-box; }
.kit-guess code { font-family: var(--jp-code-font-family, monospace); font-size: .93em; background: none; color: inherit; }
.kit-guess label, .kit-guess b { display: block; margin: 0 0 .4em; font-weight: 600; font-size: inherit; color: inherit; }
.kit-guess textarea { display: block; width: 100%; min-height: 3.2em; padding: .4em .5em; resize: vertical;
  font: inherit; color: inherit; background: var(--jp-layout-color0, Canvas); border-radius: 3px;
  border: 1px solid var(--jp-ui-font-color2, GrayText); }
.kit-guess textarea:focus-visible { outline: 2px solid var(--jp-brand-color1, Highlight); outline-offset: 1px; }
.kit-guess small { display: block; margin-top: .3em; font-size: .9em; color: var(--jp-ui-font-color1, CanvasText); }
.kit-guess-pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(16em, 100%), 1fr)); gap: .6em 1.6em; }
.kit-guess-pair p { margin: 0; white-space: pre-wrap; }
"""

_TEXT = """
const put = (parent, name, text = "") => {
  const node = parent.appendChild(document.createElement(name));
  text.split("`").forEach((part, n) => {
    if (n % 2) node.appendChild(document.createElement("code")).textContent = part;
    else node.append(part);
  });
  return node;
};
"""

_QUESTION = """
export default { render({ model, el }) {
  const box = put(el, "div");
  box.className = "kit-guess";
  box.dataset.lmSuppressShortcuts = "true"; // keys that are typed here are no commands of JupyterLab
  const label = put(box, "label", model.get("text"));
  const field = put(box, "textarea");
  const note = put(box, "small", model.get("note"));
  field.maxLength = model.get("limit");
  field.id = `kit-guess-${Math.random()}`;
  label.htmlFor = field.id;
  note.id = `${field.id}-note`;
  field.setAttribute("aria-describedby", note.id);
  field.addEventListener("input", () => model.send({ guess: field.value }));
  const hear = ({ guess }) => { if (!field.value) field.value = guess; };
  model.on("msg:custom", hear);
  model.send({ ready: true });
  return () => model.off("msg:custom", hear);
} };
"""

_PAIR = """
export default { render({ model, el }) {
  const box = put(el, "div");
  box.className = "kit-guess kit-guess-pair";
  const [yours, theirs] = model.get("headings").map((heading) => {
    const part = put(box, "section");
    part.setAttribute("aria-label", heading);
    put(part, "b", heading);
    return part;
  });
  const guess = put(yours, "p", model.get("nothing"));
  put(theirs, "p", model.get("text"));
  const hear = (message) => { guess.textContent = message.guess.trim() || model.get("nothing"); };
  model.on("msg:custom", hear);
  model.send({ ready: true });
  return () => model.off("msg:custom", hear);
} };
"""


class _Shown(anywidget.AnyWidget):
    """A text beside which a guess stands. The guess comes and goes in messages: a trait would be saved."""

    _css = _CSS
    text = traitlets.Unicode().tag(sync=True)

    def __init__(self, name: str, plain: str, text: str) -> None:
        self._name, self._plain = name, plain
        super().__init__(text=text)
        self.on_msg(self._heard)

    def __repr__(self) -> str:
        return self._plain

    def _heard(self, _: Any, message: Any, __: Any) -> None:
        guess = message.get("guess")
        if isinstance(guess, str):
            _guesses[self._name] = guess[:_LIMIT]
            if self._name in _comparisons:
                _comparisons[self._name].show()
        else:
            self.show()

    def show(self) -> None:
        """Send what was written to the page."""
        self.send({"guess": _guesses.get(self._name, "")})


class _Question(_Shown):
    _esm = _TEXT + _QUESTION
    note = traitlets.Unicode("Your guess, in a few words. It is not graded, not sent anywhere and not saved.").tag(sync=True)
    limit = traitlets.Int(_LIMIT).tag(sync=True)


class _Pair(_Shown):
    _esm = _TEXT + _PAIR
    headings = traitlets.List(["Your guess", "What happens"]).tag(sync=True)
    nothing = traitlets.Unicode("(Nothing was written down.)").tag(sync=True)


class _Plain:
    """The same where nobody could write: text only."""

    def __init__(self, plain: str) -> None:
        self._plain = plain

    def __repr__(self) -> str:
        return self._plain


def predict(name: str, question: str) -> Any:
    """Ask a question before its answer exists, with a place to write. Run again, the cell keeps what was written."""
    plain = f"Predict: {question}\nWrite your guess down, then go on."
    return _Question(name, plain, question) if _somebody_is_here() else _Plain(plain)


def compare(name: str, answer: str) -> Any:
    """Show the guess that `predict` of this name has, and the answer beside it."""
    plain = f"What happens: {answer}"
    if not _somebody_is_here():
        return _Plain(plain)
    _comparisons[name] = _Pair(name, plain, answer)
    return _comparisons[name]


def _somebody_is_here() -> bool:
    from authnb.signin.environment import current_environment

    return current_environment().front_end == "notebook"
