"""How long a notebook takes a learner: ``python tests/kit/minutes.py`` prints the minutes of each.

Counted is what a learner does on the way: reads the text and what the cells show, reads code line by line, writes a
prediction and compares, works on exercises. The paces are those of people who read about something new in a language
that may not be their own; whoever knows OAuth is twice as quick.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import nbformat

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
WORDS_A_MINUTE = 110  # of a text about something new
LINES_A_MINUTE = 10  # of code
CELL = 0.25  # minutes to run a cell and to look at what comes
PREDICTION = 2.0  # to read the question, to think, to write a line, and to compare
EXERCISE = 8.0
STEP = 5  # minutes to which the result is rounded
MOST_SHOWN = 40  # words of an output that are read


def minutes(path: Path, exercises: int | None = None, before: str | None = None) -> int:
    """The minutes for the notebook at this path, in steps of five; with so many of its exercises, else with all.

    ``before``: the beginning of the text cell before which a learner stops.
    """
    cells = nbformat.read(path, as_version=4).cells
    if before is not None:
        (stop,) = [number for number, cell in enumerate(cells) if cell.source.startswith(before)]
        cells = cells[:stop]
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    asked = [cell for cell in cells if cell.cell_type == "code" and "kit.predict(" in cell.source]
    code = [
        cell
        for cell in cells
        if cell.cell_type == "code" and not re.search(r"kit\.(predict|compare)\(", cell.source)
    ]
    sources = "\n".join(cell.source for cell in code)
    if exercises is None:
        exercises = len(re.findall(r"^checks\.(?!progress|hint|solution)\w+\(", sources, re.MULTILINE))
    words = len(re.sub(r"\(https?://\S+\)", "", text).split()) + sum(_words_shown(cell) for cell in code)
    lines = sum(bool(line.strip()) for line in sources.splitlines())
    spent = words / WORDS_A_MINUTE + lines / LINES_A_MINUTE + len(code) * CELL
    return STEP * round((spent + len(asked) * PREDICTION + exercises * EXERCISE) / STEP)


def _words_shown(cell: Any) -> int:
    shown = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]
    return sum(min(MOST_SHOWN, len(each.split())) for each in shown)


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:] or sorted(NOTEBOOKS.glob("*.ipynb"))):
        print(f"{path.name:28}{minutes(path):4} minutes, {minutes(path, 0)} without the exercises")
