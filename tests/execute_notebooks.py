"""Run the notebooks and keep their outputs: ``python tests/execute_notebooks.py [NOTEBOOK…]``.

The scripted person signs in (``BROWSER``). What an output may not keep, such as times and widget state, is
taken out; `test_notebooks.py` holds the committed files to that.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
PERSON = f'"{sys.executable}" -m authnb.demo.person %s'
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def execute(path: Path) -> None:
    """Run one notebook in place."""
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    # What is printed comes in pieces, at other places each time
    NotebookClient(notebook, timeout=120, resources=resources, coalesce_streams=True).execute()
    notebook.metadata = METADATA
    for cell in notebook.cells:
        cell.metadata = {key: cell.metadata[key] for key in ("tags",) if key in cell.metadata}
        for output in cell.get("outputs", []):
            clean(output)
    nbformat.write(notebook, path)


def clean(output: Any) -> None:
    """Take out of an output what is only of this run."""
    output.get("metadata", {}).clear()
    output.pop("transient", None)


if __name__ == "__main__":
    os.environ["BROWSER"] = PERSON
    os.environ.pop("AUTHNB_DEMO", None)
    for name in map(Path, sys.argv[1:]) if sys.argv[1:] else sorted(NOTEBOOKS.rglob("*.ipynb")):
        print(name)
        execute(name)
