"""papermill and nbval, as they run in the night: they stop and say what helps, and with that they run through.

Each of them with each way out: test_topologies.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from servers import Server

import authnb

if TYPE_CHECKING:
    from authnb.demo import DemoProvider

ROOT = Path(__file__).parents[2]
RUNNERS = {
    "papermill": ["papermill", "nb.ipynb", "out.ipynb", "--no-progress-bar"],
    "nbval": ["pytest", "--nbval-lax", "-p", "no:cacheprovider", "nb.ipynb"],
    "nbclient": ["jupyter", "execute", "nb.ipynb"],
}


def run(runner: str, folder: Path, demo: DemoProvider, options: str, **environ: str) -> tuple[int, str]:
    """Run a notebook that signs in and reads some data; the exit code, and what was said."""
    cell = (
        f"import authnb\napi = await authnb.login({demo.issuer!r}, api={demo.api!r}, {options})\n"
        "assert api.get('/stations').ok"
    )
    notebook = new_notebook(cells=[new_code_cell(cell), new_code_cell("print('went on')")])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / "nb.ipynb")
    dropped = ("BROWSER", "DISPLAY", "AUTHNB_", "JUPYTER")
    env = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    env |= {"PYTHONPATH": str(ROOT), "AUTHNB_HOME": os.environ["AUTHNB_HOME"], **environ}
    program, *arguments = RUNNERS[runner]
    done = subprocess.run(
        [sys.executable, "-m", program, *arguments],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("runner", ["papermill", "nbval"])
def test_it_stops_and_names_three_ways_out(runner: str, tmp_path: Path, demo: DemoProvider) -> None:
    code, said = run(runner, tmp_path, demo, "client_id='notebook'")
    assert code != 0
    assert "InteractionRequired" in said
    for way in ("remember=True", "client_credentials", "mode='token'"):
        assert way in said
    assert "went on" not in said.replace("print('went on')", "")


def test_it_stops_before_it_asks_anybody_anything(tmp_path: Path) -> None:
    """Nobody waits for a provider to find out that nobody is there."""
    with Server() as server:
        class_of_demo = type("Unasked", (), {"issuer": server.url, "api": server.url})
        code, said = run("nbclient", tmp_path, class_of_demo, "client_id='notebook'")  # type: ignore[arg-type] # as much as is used
        assert code != 0
        assert "InteractionRequired" in said
        assert server.paths() == []


def test_a_remembered_sign_in_runs_through(tmp_path: Path, demo: DemoProvider) -> None:
    scope = "openid profile measurements:read"
    options = {"client_id": demo.client_id, "scope": scope, "remember": True}
    login = authnb.login(demo.issuer, mode="loopback", view=None, **options)
    demo.visit(login.verification().uri, name="ada")
    login.wait(20)
    given = ", ".join(f"{name}={value!r}" for name, value in options.items())
    code, said = run("papermill", tmp_path, demo, given)
    assert code == 0, said


def test_client_credentials_run_through(tmp_path: Path, demo: DemoProvider) -> None:
    secret = {"AUTHNB_MODE": "client_credentials", "AUTHNB_CLIENT_SECRET": demo.job_client_secret}
    code, said = run("nbval", tmp_path, demo, f"client_id={demo.job_client_id!r}", **secret)
    assert code == 0, said
    written = "".join(path.read_text() for path in tmp_path.glob("*.ipynb"))
    assert demo.job_client_secret not in said + written


def test_a_secret_in_a_cell_is_refused(tmp_path: Path, demo: DemoProvider) -> None:
    options = "client_id='job', mode='client_credentials', client_secret='in-the-cell'"
    code, said = run("nbclient", tmp_path, demo, options)
    assert code != 0
    assert "AUTHNB_CLIENT_SECRET_FILE" in said
