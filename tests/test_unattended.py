"""Where nobody reads the screen: in nbclient's kernel, and in a real terminal that somebody does read."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook
from servers import Server
from terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from authnb.demo import DemoProvider

ROOT = Path(__file__).parent.parent
PERSON = f'"{sys.executable}" -m authnb.demo.person %s'


def run(*sources: str, **environ: str) -> Any:
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    names = ("AUTHNB_INTERACTIVE", "BROWSER", "AUTHNB_DEMO", "DISPLAY")
    env = {name: value for name, value in os.environ.items() if name not in names}
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute(
        env={**env, "PYTHONPATH": str(ROOT), **environ}
    )
    return notebook


def login_cell(demo: DemoProvider, more: str = "") -> str:
    return f"import authnb\napi = await authnb.login('{demo.issuer}', client_id='{demo.client_id}'{more})"


def test_nobody_there_stops_the_notebook(demo: DemoProvider) -> None:
    """Run All ends at the login, with an error that says what to do."""
    with pytest.raises(CellExecutionError, match="InteractionRequired") as caught:
        run(login_cell(demo))
    assert "AUTHNB_INTERACTIVE" in str(caught.value)


def test_nobody_there_and_not_awaited(demo: DemoProvider) -> None:
    """The cell that begins goes through; the one that needs the session stops."""
    begin = login_cell(demo).replace("await ", "")
    with pytest.raises(CellExecutionError, match="InteractionRequired") as caught:
        run(begin + "\napi", "api.session")
    assert caught.value.traceback.count("api.session") >= 1


@pytest.mark.parametrize("mode", ["loopback", "device", "auto"])
def test_the_scripted_person_signs_in(demo: DemoProvider, mode: str) -> None:
    notebook = run(login_cell(demo, f", mode='{mode}'"), "print(api.user['name'])", BROWSER=PERSON)
    assert notebook.cells[1].outputs[0].text == "Ada\n"
    assert "Signed in as Ada" in notebook.cells[0].outputs[0].data["text/plain"]
    assert "state=" not in nbformat.writes(notebook), "what was shown while waiting is gone"


def test_a_program_takes_the_address_itself(demo: DemoProvider) -> None:
    """view=None and an explicit mode need nobody."""
    begin = login_cell(demo, ", mode='device', view=None").replace("await ", "")
    approve = (
        "from authnb.demo import Person\n"
        f"Person('{demo.issuer}').approve(api.verification().user_code, name='ada')\n"
        "api.wait(20).user['name']"
    )
    assert run(begin, approve).cells[1].outputs[0].data["text/plain"] == "'Ada'"


SCRIPT = """
import sys, authnb
port = int((sys.argv[4:] or ["0"])[0])
session = authnb.login(sys.argv[1], client_id=sys.argv[2], mode=sys.argv[3], redirect_port=port).wait()
print("hello", session.user["name"])
"""


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    with Terminal(tmp_path) as opened:
        yield opened


def script(folder: Path) -> str:
    path = folder / "script.py"
    path.write_text(SCRIPT)
    return str(path)


def by_link(demo: DemoProvider, terminal: Terminal) -> None:
    demo.visit(terminal.read_until(r"(http://127\S+authorize\S+)")[1], name="ada")


def by_code(demo: DemoProvider, terminal: Terminal) -> None:
    demo.approve(terminal.read_until(r"enter the code (\S+)")[1], name="ada")


@pytest.mark.parametrize(("mode", "sign_in"), [("loopback", by_link), ("device", by_code), ("auto", by_link)])
def test_in_a_terminal(
    demo: DemoProvider,
    terminal: Terminal,
    tmp_path: Path,
    mode: str,
    sign_in: Callable[[DemoProvider, Terminal], None],
) -> None:
    terminal.start(sys.executable, script(tmp_path), demo.issuer, demo.client_id, mode)
    sign_in(demo, terminal)
    terminal.read_until("hello Ada")


def test_the_address_pasted_into_a_terminal(demo: DemoProvider, terminal: Terminal, tmp_path: Path) -> None:
    """It is not echoed; another address is refused, and asked for again."""
    with Server() as elsewhere:  # the person's machine, on which somebody else has that port
        elsewhere.text("/callback", "not authnb")
        port = elsewhere.url.rpartition(":")[2]
        terminal.start(sys.executable, script(tmp_path), demo.issuer, demo.client_id, "paste", port)
        address = terminal.read_until(r"(http://127\S+authorize\S+)")[1]
        terminal.read_until("copy its whole address")
        demo.visit(address, name="ada")
        ended = elsewhere.url + elsewhere.requests[-1].path
    terminal.type("http://127.0.0.1:1/callback?code=wrong", "Enter")
    terminal.read_until("This is not the address your browser ended on")
    terminal.type(ended, "Enter")
    shown = terminal.read_until("hello Ada").string
    assert "code=" not in shown


@pytest.mark.parametrize("mode", ["loopback", "device"])
def test_ctrl_c_in_a_terminal(demo: DemoProvider, terminal: Terminal, tmp_path: Path, mode: str) -> None:
    terminal.start(sys.executable, script(tmp_path), demo.issuer, demo.client_id, mode)
    terminal.read_until("open this address")
    terminal.type("C-c")
    terminal.read_until("KeyboardInterrupt")
    terminal.wait_for_the_end()
