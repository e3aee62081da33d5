"""The committed notebooks: executed, without secrets and without values that change from run to run."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
# The library that is missing where `make test` runs, and what the Makefile calls the notebook and the environment
WITH_OTHER_LIBRARIES = {
    "12_one_sign_in.ipynb": ("mcp", "OTHER_LIBRARIES", "CLIENTS_PY"),
    "13_workers.ipynb": ("distributed", "WORKERS_NOTEBOOK", "CLUSTERS_PY"),
}

NEVER = {
    "a JSON Web Token": r"eyJ[\w-]{10,}\.",
    "a bearer header": r"[Bb]earer [\w.~+/-]{16,}",
    "a state, code or verifier": r"\b(state|code|code_verifier|nonce)=[\w%.~-]{8,}",
    "a port": r"(127\.0\.0\.1|localhost):\d+",
    "an object's address": r"at 0x[0-9a-f]{6,}",
    "a path of a machine": r"(/home/|/root/|/tmp/|/work/|/Users/|[A-Z]:\\\\)",
}


def outputs(notebook: Any) -> str:
    return "\n".join(
        str(output)
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "image/png" not in output.get("data", {})
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_outputs_hold_nothing_secret_and_nothing_random(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    for what, pattern in NEVER.items():
        assert not re.search(pattern, outputs(notebook)), what
    assert "widgets" not in notebook.metadata


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_executed_from_top_to_bottom(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        assert not any(output.get("name") == "stderr" for output in cell.outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_cells_are_short_enough_to_read(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            assert len(cell.source.splitlines()) <= 12
        else:
            assert all(len(paragraph.split()) <= 90 for paragraph in cell.source.split("\n\n"))


def test_every_notebook_is_run_by_make() -> None:
    """By `make test`, or by `make clients` and `make clusters` where only those environments have its libraries."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "--nbval-lax", "notebooks"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    missing = {name for name, (library, *_) in WITH_OTHER_LIBRARIES.items() if find_spec(library) is None}
    assert {path.name for path in NOTEBOOKS if path.name not in said} == missing
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name, (_, variable, python) in WITH_OTHER_LIBRARIES.items():
        assert f"\n{variable} := notebooks/{name}\n" in makefile
        assert f"$({python}) -m pytest --nbval-lax $({variable})" in makefile


def test_what_is_missing_is_named_with_the_command() -> None:
    code = "import kit; kit.need('json', 'no_such_library', 'nor_this')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "notebooks", capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "%pip install no_such_library nor_this" in done.stderr
