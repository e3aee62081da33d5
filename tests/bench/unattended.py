"""How soon a non-interactive notebook stops at its sign-in, and how soon it continues where no person is needed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from bench.measuring import ROOT, Result, Sample, at_most, interleaved
from nbformat.v4 import new_code_cell, new_notebook

import authnb
from authnb.demo import DemoProvider
from authnb.storage.files import FileStorage

if TYPE_CHECKING:
    from bench.measuring import Bench

LIMIT = 1.0  # second, within which who looks into it sees why it stopped
CELL = """import pathlib, time
begun = time.perf_counter()
try:
    import authnb
    api = await authnb.login({issuer!r}, client_id={client_id!r}, mode={mode!r}, remember={remember})
finally:
    _ = pathlib.Path("seconds").write_text(str(time.perf_counter() - begun))"""
RUNNERS = {
    "papermill": ["papermill", "nb.ipynb", "out.ipynb", "--no-progress-bar"],
    "nbval": ["pytest", "--nbval-lax", "-p", "no:cacheprovider", "nb.ipynb"],
}
NOBODY, REMEMBERED, OWN = "nobody there", "remembered", "client_credentials"


def measure(bench: Bench) -> Result:
    """Each runner without a person, with a remembered sign-in, and with a client secret."""
    runners, cases = list(RUNNERS), [NOBODY, REMEMBERED, OWN]
    if bench.tiny:
        runners, cases = runners[:1], cases[:1]
    with DemoProvider() as demo, tempfile.TemporaryDirectory() as home:
        login = authnb.login(
            demo.issuer, client_id=demo.client_id, mode="loopback", view=None, storage=FileStorage(home)
        )
        demo.visit(login.verification().uri)
        login.wait(30)
        taken = interleaved(
            {
                f"authnb under {runner}, {case}": partial(seconds, demo, home, runner, case)
                for runner in runners
                for case in cases
            },
            bench.times(10),
        )
    return Result(
        title="Notebooks that run unattended",
        text=(
            "Milliseconds from the start of the cell that imports authnb and signs in until it ends, in a new kernel: "
            "as papermill writes it into the notebook, and as the cell finds under nbval. With nobody there it ends "
            "with InteractionRequired."
        ),
        head=("what", "ms"),
        rows=[(name, f"{milli(sample):.0f}") for name, sample in taken.items()],
        goals=[
            at_most(
                f"InteractionRequired {name.removeprefix('authnb ').partition(',')[0]}",
                LIMIT,
                sample.median,
                unit="s",
            )
            for name, sample in taken.items()
            if name.endswith(NOBODY)
        ],
        bars={name: milli(sample) for name, sample in taken.items()},
        unit="ms",
    )


def seconds(demo: DemoProvider, home: str, runner: str, case: str) -> float:
    """The duration of the cell; raises `RuntimeError` if it ended with another outcome."""
    own = case == OWN
    cell = CELL.format(
        issuer=demo.issuer,
        client_id=demo.job_client_id if own else demo.client_id,
        mode=OWN if own else "auto",
        remember=case == REMEMBERED,
    )
    dropped = ("BROWSER", "DISPLAY", "AUTHNB_", "JUPYTER")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    environment |= {
        "PYTHONPATH": str(ROOT),
        "AUTHNB_HOME": home,
        "AUTHNB_CLIENT_SECRET": demo.job_client_secret,
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        notebook = new_notebook(cells=[new_code_cell(cell)])
        notebook.metadata["kernelspec"] = {
            "name": "python3",
            "display_name": "Python 3",
            "language": "python",
        }
        nbformat.write(notebook, folder / "nb.ipynb")
        command = [sys.executable, "-m", *RUNNERS[runner]]
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        said = done.stdout + done.stderr
        if (done.returncode == 0) == (case == NOBODY) or ("InteractionRequired" in said) != (case == NOBODY):
            raise RuntimeError(said)
        if runner == "papermill":
            written = nbformat.read(folder / "out.ipynb", as_version=4)
            return next(
                float(cell["metadata"]["papermill"]["duration"]) for cell in written.cells if _is_ours(cell)
            )
        return float((folder / "seconds").read_text())


def _is_ours(cell: Any) -> bool:
    """If a cell fails, papermill adds cells of its own."""
    return cell.cell_type == "code" and "authnb" in cell.source


def milli(sample: Sample) -> Sample:
    """The sample in milliseconds."""
    return Sample(tuple(value * 1000 for value in sample.values))
