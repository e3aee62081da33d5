"""A class at one provider: ``python tests/thirty_learners.py [LEARNERS] [AT_ONCE]`` runs notebook 00 for each.

Every learner has a kernel and a name of their own. Prints how many came to the end, and the seconds it took.
"""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from authnb.demo import DemoProvider

FIRST = Path(__file__).parent.parent / "notebooks" / "00_sign_in.ipynb"


def learn(number: int, issuer: str) -> tuple[bool, float]:
    """Whether one learner came to the end, and after how many seconds."""
    person = f'"{sys.executable}" -m authnb.demo.person --name learner{number} %s'
    environ = {**os.environ, "AUTHNB_DEMO": issuer, "BROWSER": person}
    notebook = nbformat.read(FIRST, as_version=4)
    started = time.monotonic()
    try:
        NotebookClient(notebook, timeout=300).execute(env=environ)
    except Exception as error:  # noqa: BLE001 - whatever stops a learner is counted
        print(f"learner{number}: {type(error).__name__}: {str(error)[-300:]}")
        return False, time.monotonic() - started
    shown = "".join(str(cell.get("outputs")) for cell in notebook.cells)
    return f"Learner{number}" in shown, time.monotonic() - started


def main(learners: int, at_once: int) -> int:
    """Run the class; 0 if everybody came to the end."""
    started = time.monotonic()
    with DemoProvider() as demo, ThreadPoolExecutor(at_once) as room:
        results = list(room.map(lambda number: learn(number, demo.issuer), range(learners)))
    done = sum(ok for ok, _ in results)
    longest = max(seconds for _, seconds in results)
    print(
        f"{done} of {learners} learners at one provider came to the end, {at_once} at once; "
        f"the slowest in {longest:.1f} s, all in {time.monotonic() - started:.1f} s"
    )
    return 0 if done == learners else 1


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    sys.exit(main(*given, *(30, 30)[len(given) :]))
