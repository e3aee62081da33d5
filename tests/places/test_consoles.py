"""Consoles of Jupyter kernels: they have no widgets, and show no update of an earlier output."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from installed import beside
from kernels import LINK_AFTER, kernel
from terminal import PATIENCE, Terminal
from topologies import FRONT_ENDS, LINK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.demo import DemoProvider

ROOT = Path(__file__).parents[2]
QT_CONSOLE = ROOT / "tests" / "helpers" / "qt_console.py"
ADDRESS = re.compile(r"^http://\S+/authorize\S+", re.MULTILINE)
IMPORT = "import authnb"
# As Spyder 6 starts it
SPYDER = {
    "argv": [sys.executable, "-m", "spyder_kernels.console", "-f", "{connection_file}"],
    "display_name": "Spyder",
    "language": "python",
}


def code(demo: DemoProvider) -> str:
    """Lines that sign in and say who."""
    return f"{IMPORT}; {sign_in(demo)}"


def sign_in(demo: DemoProvider) -> str:
    """A line that signs in and says who."""
    login = f"authnb.login({demo.issuer!r}, client_id={demo.client_id!r}, mode='loopback')"
    return f"api = await {login}; print(api.user['name'], 'is', 'signed in')"


@pytest.fixture
def kernels(tmp_path: Path) -> Path:
    """A Jupyter path that has Spyder's kernel, which needs an ipykernel before 7."""
    needed = ("spyder-kernels==3.1.6", "ipykernel==6.31.0", "cloudpickle==3.1.3", "wurlitzer==3.1.1")
    path = os.pathsep.join([*(str(beside(each)) for each in needed), str(ROOT)])
    spec = tmp_path / "kernels" / "spyder" / "kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(json.dumps({**SPYDER, "env": {"PYTHONPATH": path}}))
    return tmp_path


@contextmanager
def qt_console(cell: str) -> Iterator[Iterator[str]]:
    """Qt Console running this cell: what it shows so far, whenever that changes."""
    names = ("AUTHNB_INTERACTIVE", "DISPLAY", "BROWSER")
    kept = {name: value for name, value in os.environ.items() if name not in names}
    environment = {**kept, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(QT_CONSOLE), "python3", cell]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as console:
        patience = threading.Timer(PATIENCE, console.kill)
        patience.start()
        yield accumulate(console.stdout or ())
        patience.cancel()
        console.terminate()


def test_qt_console(demo: DemoProvider) -> None:
    assert FRONT_ENDS["qtconsole"].shows == LINK
    with qt_console(code(demo)) as texts:
        address = next(found[0] for text in texts if (found := ADDRESS.search(text)))
        demo.visit(address, name="ada")
        text = next(text for text in texts if "Ada is signed in" in text)
    assert "No panel is shown here, as this front end has no widgets" in text


def test_the_kernel_of_spyder(kernels: Path, monkeypatch: pytest.MonkeyPatch, demo: DemoProvider) -> None:
    """On a desktop, with the messages that Spyder's console sends."""
    assert FRONT_ENDS["spyder"].shows == LINK
    monkeypatch.setenv("JUPYTER_PATH", str(kernels))
    with kernel("spyder", AUTHNB_HOME=str(kernels)) as spyder:
        spyder.begin("import os; os.environ['DISPLAY'] = ':0'\n" + code(demo), allow_stdin=True)
        found = ADDRESS.search(spyder.until_displayed("/authorize?"))
        assert found is not None
        assert 0 < spyder.waited() <= LINK_AFTER
        demo.visit(found[0], name="ada")
        assert spyder.finish() == ""


def run(console: Terminal, line: str) -> None:
    """Run a line of Jupyter Console: two empty lines say that it is complete."""
    console.type(line, "Enter", "Enter", "Enter")


@pytest.fixture
def console(demo: DemoProvider) -> Iterator[Terminal]:
    """Jupyter Console with a line that signs in.

    It takes any message that the kernel is idle for the end of a line, and shows nothing more until that has ended:
    also one about an earlier request, which comes after the reply. So it does not ask whether a line is complete, and
    the line before gives the messages of its beginning the time to come.
    """
    with Terminal() as terminal:
        option = "--ZMQTerminalInteractiveShell.use_kernel_is_complete=False"
        terminal.start(sys.executable, "-m", "jupyter_console", option, AUTHNB_REMOTE="0")
        terminal.read_until(r"In \[1\]:")
        run(terminal, IMPORT)
        terminal.read_until(r"In \[2\]:")
        run(terminal, sign_in(demo))
        yield terminal


def test_jupyter_console(console: Terminal, demo: DemoProvider) -> None:
    assert FRONT_ENDS["console"].shows == LINK
    demo.visit(console.read_until(ADDRESS.pattern).group(), name="ada")
    console.read_until("^Ada is signed in")


def test_an_interrupt_of_jupyter_console(console: Terminal) -> None:
    """Ctrl+C ends the wait, and the next line runs."""
    console.read_until(ADDRESS.pattern)
    console.type("C-c")
    console.read_until(r"In \[3\]:")
    run(console, "print(6 * 7)")
    console.read_until("^42")
