"""An exercise: a function that judges an answer, made into a check that never raises."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from html import escape
from typing import Any, Callable

from checking.progress import EXERCISES, remember

_COLOURS = {"correct": "#1a7f37", "incorrect": "#b35900", "not attempted": "#6e7781"}
_MARKS = {"correct": "✓", "incorrect": "✗", "not attempted": "·"}


@dataclass(frozen=True)
class Outcome:
    """The result of a check; ``status`` is ``correct``, ``incorrect`` or ``not attempted``."""

    exercise: str
    status: str
    text: str

    def __repr__(self) -> str:
        return f"{_MARKS[self.status]} {self.status}: {self.text}"

    def _repr_html_(self) -> str:
        colour = _COLOURS[self.status]
        return (
            f'<p style="border-left: 4px solid {colour}; padding-left: .6em">'
            f"<b>{_MARKS[self.status]} {self.status}</b> {escape(self.text)}</p>"
        )


class Wrong(Exception):
    """An answer is incorrect; the text says why."""


def ensure(holds: object, why: str) -> None:
    """Raise `Wrong` with this reason unless the condition holds."""
    if not holds:
        raise Wrong(why)


def exercise(notebook: str, *, task: str, praise: str) -> Callable[[Callable[..., None]], Callable[..., Outcome]]:
    """A decorator: the function raises, `Wrong` or anything else, unless the answer is right; the check returns an `Outcome`.

    ``task`` is what is said as long as the answer is ``...``.
    """

    def decorate(check: Callable[..., None]) -> Callable[..., Outcome]:
        name = f"{notebook}/{check.__name__}"
        EXERCISES.setdefault(notebook, []).append(name)

        @functools.wraps(check)
        def checked(answer: Any = ...) -> Outcome:
            remember()
            try:
                if _untouched(answer):
                    return Outcome(name, "not attempted", task)
                check(answer)
            except Wrong as wrong:
                return Outcome(name, "incorrect", str(wrong))
            except (Exception, SystemExit) as error:  # the learner's code may raise anything
                return Outcome(name, "incorrect", _raised(error))
            remember(name)
            return Outcome(name, "correct", praise)

        return checked

    return decorate


def _raised(error: BaseException) -> str:
    try:
        return f"It raised {type(error).__name__}: {str(error)[:200]}"
    except Exception:
        return "It raised an error that cannot be shown."


def _empty() -> None: ...


def _untouched(answer: Any) -> bool:
    if answer is ...:
        return True
    if isinstance(answer, (list, tuple, set)):
        return any(_untouched(part) for part in answer)
    if isinstance(answer, dict):
        return any(_untouched(part) for part in answer.values())
    code = getattr(answer, "__code__", None)
    return code is not None and code.co_code == _empty.__code__.co_code and set(code.co_consts) <= {None}
