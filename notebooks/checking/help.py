"""Hints and solutions, which are in the folder ``solutions`` beside checks.py."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from html import escape
from pathlib import Path

from checking.progress import EXERCISES

_SOLUTIONS = Path(__file__).parent.with_name("solutions")
_hinted: dict[str, int] = {}  # exercise -> how many of its hints were given


@dataclass(frozen=True)
class Shown:
    """A text to read: a hint, or a solution, which is code."""

    text: str
    code: bool = False

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        if self.code:
            return f"<pre>{escape(self.text)}</pre>"
        return "<p>" + re.sub(r"`(.+?)`", r"<code>\1</code>", escape(self.text)) + "</p>"


def hint(name: str) -> Shown:
    """The next hint for an exercise, as ``"02_pkce_challenge"``; after the last one, where the solution is."""
    try:
        hints = tomllib.loads((_SOLUTIONS / "hints.toml").read_text(encoding="utf-8"))
    except OSError:
        return Shown("The hints are in the folder solutions, which is not beside checks.py.")
    if name not in _names() or name not in hints:
        return _unknown(name)
    given = _hinted[name] = _hinted.get(name, 0) + 1
    of = len(hints[name])
    if given > of:
        return Shown(f'These were the {of} hints. `checks.solution("{name}")` shows a solution.')
    more = "" if given == of else " Run the cell again for the next one."
    return Shown(f"Hint {given} of {of}: {hints[name][given - 1]}{more}")


def solution(name: str) -> Shown:
    """A solution of an exercise, to read, or to copy into its cell."""
    path = _SOLUTIONS / f"{name}.py"
    if name not in _names():
        return _unknown(name)
    try:
        return Shown(path.read_text(encoding="utf-8").strip(), code=True)
    except OSError:
        return Shown("The solutions are in the folder of this name, which is not beside checks.py.")


def _names() -> list[str]:
    return sorted(name.replace("/", "_") for names in EXERCISES.values() for name in names)


def _unknown(name: object) -> Shown:
    return Shown(f"There is no exercise {str(name)[:40]!r}. There are: {', '.join(_names())}.")
