"""A class at one provider: ``python tests/kit/thirty_learners.py [LEARNERS] [AT_ONCE]`` runs notebook 00 for each.

Every learner has a kernel, a copy of the notebooks and a name of their own. A third of them solve the exercises, a
third answer wrongly, a third skip them. Prints how many completed the notebook, the seconds it took, and the progress.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
from nbclient import NotebookClient

from authnb.cli.lab import copy_notebooks, notebooks
from authnb.demo import DemoProvider

FIRST = "00_sign_in.ipynb"


def answer(notebook: Any, number: int) -> None:
    """Put a learner's answers into the exercises."""
    if number % 3 == 0:
        return
    for cell in notebook.cells:
        if cell.cell_type == "code" and (found := re.search(r"checks\.(?!progress)(\w+)\(", cell.source)):
            solution = notebooks() / "solutions" / f"00_{found[1]}.py"
            right = "import checks\n" + solution.read_text(encoding="utf-8")
            cell.source = right if number % 3 == 1 else cell.source.replace("...", "'wrong'")


def learn(number: int, issuer: str, room: Path) -> tuple[bool, float]:
    """Whether one learner completed the notebook, and the seconds it took."""
    name = f"learner{number:02}"
    person = f'"{sys.executable}" -m authnb.demo.person --name {name} %s'
    environ = {**os.environ, "AUTHNB_DEMO": issuer, "BROWSER": person}
    environ |= {"JUPYTERHUB_USER": name, "AUTHNB_CLASS": str(room / "progress")}
    folder = room / name
    copy_notebooks(notebooks(), folder)
    notebook = nbformat.read(folder / FIRST, as_version=4)
    answer(notebook, number)
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}})
    started = time.monotonic()
    try:
        client.execute(env=environ)
    except Exception as error:  # noqa: BLE001 - whatever stops a learner is counted
        print(f"{name}: {type(error).__name__}: {str(error)[-300:]}")
        return False, time.monotonic() - started
    shown = "".join(str(cell.get("outputs")) for cell in notebook.cells)
    return name.capitalize() in shown, time.monotonic() - started


def main(learners: int, at_once: int) -> int:
    """Run the class; 0 if everybody completed the notebook."""
    started = time.monotonic()
    with TemporaryDirectory() as folder, DemoProvider() as demo, ThreadPoolExecutor(at_once) as pool:
        room = Path(folder)
        (room / "progress").mkdir()
        results = list(pool.map(lambda number: learn(number, demo.issuer, room), range(learners)))
        seconds = time.monotonic() - started
        print(
            subprocess.check_output([sys.executable, notebooks() / "checks.py", room / "progress"], text=True)
        )
    done = sum(ok for ok, _ in results)
    print(
        f"{done} of {learners} learners at one provider came to the end, {at_once} at once; "
        f"the slowest in {max(took for _, took in results):.1f} s, all in {seconds:.1f} s"
    )
    return 0 if done == learners else 1


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    sys.exit(main(*given, *(30, 30)[len(given) :]))
