"""Run each cell of the notebooks twice, then all again, as learners do: ``python tests/kit/run_twice.py NOTEBOOK…``.

Each notebook in one kernel, whose person is the scripted one (``BROWSER``): first cell, first cell, second cell, second
cell, and so on, then all from top to bottom. Prints each cell that raised and is not tagged ``raises-exception``; exits
with 1 if there are any.
"""

from __future__ import annotations

import os
import runpy
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
from nbclient import NotebookClient

AMBIENT = runpy.run_path(str(Path(__file__).parents[2] / "conftest.py"))["AMBIENT"]  # what tests do without
AT_ONCE = 2
TIMEOUT = 180  # seconds for a cell
PERSON = f'"{sys.executable}" -m authnb.demo.person %s'


def failures(path: Path, environ: dict[str, str]) -> list[str]:
    """The cells of a notebook that raise when they run again, each with its error."""
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    order = [number for number in range(len(cells)) for _ in (1, 2)] + list(range(len(cells)))
    runs = [deepcopy(cells[number]) for number in order]
    for cell in runs:
        cell.pop("id", None)
        cell.outputs = []
    notebook.cells = runs
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=TIMEOUT, allow_errors=True, resources=resources).execute(env=environ)
    runs_of_each = 2 * len(cells)
    return [
        f"{path.name}, code cell {number + 1} ({_which(place, runs_of_each)}): {_error(cell)}\n    "
        + cells[number].source.partition("\n")[0]
        for place, (number, cell) in enumerate(zip(order, notebook.cells, strict=True))
        if _error(cell) and "raises-exception" not in cell.metadata.get("tags", [])
    ]


def _which(place: int, runs_of_each: int) -> str:
    if place >= runs_of_each:
        return "from top to bottom again"
    return "second time" if place % 2 else "first time"


def _error(cell: Any) -> str:
    return "".join(
        f"{output.ename}: {output.evalue.partition(chr(10))[0]}"
        for output in cell.outputs
        if output.output_type == "error"
    )


def main(names: list[str]) -> int:
    """Run them on copies, so that what they write stays out of the repository."""
    paths = [Path(name).resolve() for name in names]
    with TemporaryDirectory() as folder:
        room = Path(folder)
        environ = {name: value for name, value in os.environ.items() if not AMBIENT.fullmatch(name)}
        environ |= {"BROWSER": PERSON, "AUTHNB_CLASS": str(room / "progress"), "NETRC": os.devnull}
        copies = room / "notebooks"
        shutil.copytree(paths[0].parent, copies, ignore=shutil.ignore_patterns("__pycache__", ".ipynb*"))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = pool.map(partial(failures, environ=environ), [copies / path.name for path in paths])
            failed = 0
            for path, problems in zip(paths, found, strict=True):
                print("\n".join(problems) or f"{path.name}: each cell twice, and all again", flush=True)
                failed += len(problems)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
