"""Python in a browser: Pyodide, as JupyterLite and marimo's playground run it; here under Node.js."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

import installed
import pytest
from topologies import FRONT_ENDS

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tests" / "helpers" / "pyodide.mjs"
ISSUER = "https://id.example.org"


def run(version: str, code: str) -> str:
    """What this code evaluates to in that version of Pyodide, with the packages that are installed here."""
    place = installed.from_npm(f"pyodide@{version}")
    paths = [place / "node_modules", sysconfig.get_path("purelib"), ROOT]
    command = [installed.node(), str(PROGRAM), *map(str, paths), code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


CALLS = (
    f"login({ISSUER!r}, client_id='c')",
    f"login({ISSUER!r}, client_id='c', remember=True)",
    f"login([{ISSUER!r}, 'https://other.example.org'], client_id='c')",
    f"signup({ISSUER!r}, client_id='c', view='panel')",
)
CODE = f"""
import authnb

said = []
for call in {CALLS!r}:
    try:
        eval("authnb." + call)
    except authnb.AuthnbError as error:
        said.append(str(error))
"\\n".join(said)
"""


@pytest.mark.parametrize("version", ["0.27.7", "314.0.7"])
def test_a_sentence_says_that_nobody_can_sign_in(version: str) -> None:
    """And where somebody can. Pyodide 0.27 also lacks modules of POSIX that 314 has."""
    assert FRONT_ENDS["pyodide"].shows == "`no_threads`"
    said = run(version, CODE).splitlines()
    assert len(said) == len(CALLS)
    for each in said:
        assert each.startswith("Python runs in your browser here (Pyodide, JupyterLite)")
        assert each.endswith("[no_threads]")
