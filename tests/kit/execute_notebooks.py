"""Run the notebooks and store their outputs: ``python tests/kit/execute_notebooks.py NOTEBOOK…``.

The scripted person signs in (``BROWSER``). Parts of outputs that change from run to run, such as times and widget
state, are removed. A notebook whose outputs hold a secret, or what changes from run to run, is not stored.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from notebook_outputs import findings, texts

PERSON = f'"{sys.executable}" -m authnb.demo.person %s'
WIDGET = "application/vnd.jupyter.widget-view+json"
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def execute(path: Path) -> None:
    """Run one notebook in place."""
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    # Printed text arrives in pieces that differ from run to run
    NotebookClient(notebook, timeout=120, resources=resources, coalesce_streams=True).execute()
    notebook.metadata = METADATA
    for cell in notebook.cells:
        cell.metadata = {key: cell.metadata[key] for key in ("tags",) if key in cell.metadata}
        if cell.cell_type == "code":
            # A widget is nothing without its kernel, and has another name in each run; its picture is kept
            cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]
            for output in cell.outputs:
                clean(output)
    if found := findings(texts(notebook)):
        raise SystemExit(f"{path} is as it was; its outputs hold what they must not: {', '.join(found)}")
    nbformat.write(notebook, path)


def clean(output: Any) -> None:
    """Remove the parts of an output that change from run to run."""
    output.get("metadata", {}).clear()
    output.pop("transient", None)


if __name__ == "__main__":
    os.environ["BROWSER"] = PERSON
    os.environ.pop("AUTHNB_DEMO", None)
    for name in map(Path, sys.argv[1:]):
        print(name)
        execute(name)
