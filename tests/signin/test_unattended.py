"""Where nobody reads the screen: in nbclient's kernel, and in a real terminal that somebody does read."""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
import sys
import termios
import threading
from contextlib import redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from kernels import kernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook
from screen import Screen
from servers import Server
from support import PERSON
from terminal import Terminal

import authnb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from authnb.demo import DemoProvider

ROOT = Path(__file__).parents[2]


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
    assert "Signed in at" in notebook.cells[0].outputs[0].data["text/plain"]
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


def environ(**more: str) -> dict[str, str]:
    """Nothing in it tells of a person."""
    dropped = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "AUTHNB_INTERACTIVE", "JPY_", "SSH_CONNECTION")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


@pytest.mark.parametrize("browser", ["none", "/nowhere/firefox %s", "/bin/false %s"])
def test_a_browser_that_opens_nothing(demo: DemoProvider, tmp_path: Path, browser: str) -> None:
    """Nobody waits for a page that no program opens."""
    command = [sys.executable, script(tmp_path), demo.issuer, demo.client_id, "auto"]
    done = subprocess.run(
        command,
        env=environ(BROWSER=browser),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert "InteractionRequired" in done.stderr


@pytest.mark.parametrize("streams", ["<&- 2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed(demo: DemoProvider, tmp_path: Path, streams: str) -> None:
    """None in Python, as under pythonw: what `BROWSER` names is the channel."""
    source = SCRIPT.replace('print("hello", session.user["name"])', "open(sys.argv[5], 'w').write('hello')")
    command = [sys.executable, "-c", source, demo.issuer, demo.client_id, "auto", "0", str(tmp_path / "said")]
    subprocess.run(
        ["/bin/sh", "-c", f"{shlex.join(command)} {streams}"],
        env=environ(BROWSER=PERSON),
        check=True,
        timeout=30,
    )
    assert (tmp_path / "said").read_text() == "hello"


def test_a_program_that_a_cell_starts(demo: DemoProvider, tmp_path: Path) -> None:
    """`!python script.py` runs in a pseudo-terminal of the kernel, which under nbclient nobody reads."""
    program = shlex.join([sys.executable, script(tmp_path), demo.issuer, demo.client_id, "auto"])
    assert "InteractionRequired" in run(f"!{program}").cells[0].outputs[0].text


def test_a_program_that_a_notebook_starts(demo: DemoProvider, tmp_path: Path) -> None:
    """A Jupyter server's page shows the link among the cell's outputs."""
    program = shlex.join([sys.executable, script(tmp_path), demo.issuer, demo.client_id, "loopback"])
    with kernel(JPY_SESSION_NAME="/home/ada/notebook.ipynb") as cell:
        cell.begin(f"!{program}", allow_stdin=True)
        text = ""
        while (shown := re.search(r"(http://127\S+authorize\S+)\s", text)) is None:
            text += cell.until(lambda each: each["msg_type"] == "stream")["content"]["text"]
        demo.visit(shown[1], name="ada")
        cell.finish()
        assert "hello Ada" in "".join(
            each["content"]["text"] for each in cell.messages if each["msg_type"] == "stream"
        )


# As `jupyter run` does it, and, in a terminal, Jupyter Console
CLIENT = """
import sys
from jupyter_client.manager import run_kernel
with run_kernel(kernel_name="python3") as client:
    reply = client.execute_interactive(sys.argv[1], timeout=40)
print("ended:", reply["content"].get("ename"))
"""


def test_a_client_with_its_defaults_and_nobody(demo: DemoProvider) -> None:
    """jupyter_client says that stdin is allowed unless it is told otherwise."""
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, login_cell(demo)],
        env=environ(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    assert "ended: InteractionRequired" in done.stdout, done.stdout + done.stderr


SCRIPT = """
import sys, authnb
port = int((sys.argv[4:] or ["0"])[0])
session = authnb.login(sys.argv[1], client_id=sys.argv[2], mode=sys.argv[3], redirect_port=port).wait()
print("hello", session.user["name"])
"""


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with Terminal() as opened:
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


def test_a_client_in_a_terminal(demo: DemoProvider, terminal: Terminal) -> None:
    """What it prints there reaches the person, though nothing answers the panel."""
    cell = f"{login_cell(demo)}\nprint('hello', api.user['name'])"
    terminal.start(sys.executable, "-c", CLIENT, cell)
    by_link(demo, terminal)
    terminal.read_until("hello Ada")


def test_standard_error_in_a_file(demo: DemoProvider, terminal: Terminal, tmp_path: Path) -> None:
    """The link is printed where the person is."""
    command = shlex.join([sys.executable, script(tmp_path), demo.issuer, demo.client_id, "loopback"])
    terminal.start("sh", "-c", f"{command} 2>{shlex.quote(str(tmp_path / 'errors'))}")
    by_link(demo, terminal)
    terminal.read_until("hello Ada")


def test_all_output_in_a_file(demo: DemoProvider, terminal: Terminal, tmp_path: Path) -> None:
    """A terminal from which somebody may type is no channel to them."""
    command = shlex.join([sys.executable, script(tmp_path), demo.issuer, demo.client_id, "loopback"])
    terminal.start("sh", "-c", f"{command} >{shlex.quote(str(tmp_path / 'all'))} 2>&1")
    terminal.wait_for_the_end()
    assert "InteractionRequired" in (tmp_path / "all").read_text()


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


class EchoOnRefusal(Screen):
    """Ends the sign-in when it refuses what was typed, and remembers whether the terminal then echoes."""

    def __init__(self, terminal: int) -> None:
        super().__init__()
        self._terminal = terminal
        self.refused = threading.Event()
        self.echoes: list[bool] = []

    def write(self, text: str) -> int:
        if "not the address" in text:
            self.echoes.append(bool(termios.tcgetattr(self._terminal)[3] & termios.ECHO))
            self.refused.set()
        return super().write(text)


def test_what_is_typed_before_the_next_line_is_read_is_not_echoed(
    demo: DemoProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is quick pastes the right address while the wrong one is refused."""
    ours, its = pty.openpty()
    screen = EchoOnRefusal(its)
    with open(its, encoding="utf-8") as stdin, redirect_stderr(screen):  # noqa: PTH123 - of a descriptor
        monkeypatch.setattr(sys, "stdin", stdin)
        login = authnb.login(demo.issuer, client_id=demo.client_id, mode="paste", view="text")
        os.write(ours, b"http://127.0.0.1:1/callback?code=wrong\n")
        person = threading.Thread(target=lambda: screen.refused.wait(60) and login.cancel())
        person.start()
        with pytest.raises(authnb.LoginFailed):
            login.wait(60)
        person.join()
        assert screen.echoes == [False]
        assert termios.tcgetattr(its)[3] & termios.ECHO
    os.close(ours)


@pytest.mark.parametrize("mode", ["loopback", "device"])
def test_ctrl_c_in_a_terminal(demo: DemoProvider, terminal: Terminal, tmp_path: Path, mode: str) -> None:
    terminal.start(sys.executable, script(tmp_path), demo.issuer, demo.client_id, mode)
    terminal.read_until("open this address")
    terminal.type("C-c")
    terminal.read_until("KeyboardInterrupt")
    terminal.wait_for_the_end()
