"""Where we run is read from an environment, so each place is a test."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from terminal import Terminal

from authnb.errors import LoginFailed
from authnb.flows.inbox import Inbox
from authnb.signin.environment import Environment, FrontEnd, detect, public_proxy, read_front_end
from authnb.signin.modes import rank_modes
from authnb.signin.presence import client_has_terminal, current_kernel, is_terminal

if TYPE_CHECKING:
    from pathlib import Path

ASKS = SimpleNamespace(_allow_stdin=True)
ASKS_NOT = SimpleNamespace(_allow_stdin=False)
PERSON = {"BROWSER": f'"{sys.executable}" -m person %s'}
HUB = "https://hub.example.org"
BASE = "/jupyter/user/ada/"
PAGE = f"{BASE}lab/extensions/authnb/callback.html"


def kernel(*, allow_stdin: bool, msg_type: str = "execute_request", **metadata: str) -> Any:
    """A kernel that processes such a request."""
    request = {"header": {"msg_type": msg_type}, "metadata": metadata}
    return SimpleNamespace(_allow_stdin=allow_stdin, get_parent=lambda _channel: request)


CELL = {"cellId": "2f1a"}
NBCLIENT, JUPYTER_CLIENT = kernel(allow_stdin=False), kernel(allow_stdin=True)
LAB, CLICK = kernel(allow_stdin=True, **CELL), kernel(allow_stdin=False, msg_type="comm_msg")
SERVED = {"JPY_SESSION_NAME": "/home/ada/nb.ipynb"}
VOILA = {"VOILA_REQUEST_URL": "http://127.0.0.1:8866/"}
SCREEN, GONE, NONE = {"DISPLAY": ":0"}, {"BROWSER": "/nowhere/firefox %s"}, {"BROWSER": "none"}
BELOW = {"JPY_PARENT_PID": "1"}


@pytest.mark.parametrize(
    ("environ", "asks", "sent"),
    [
        # What sent the cell, what it says of stdin -> nobody, a person, or whether the panel is answered
        ({}, NBCLIENT, "nobody"),  # papermill, nbval
        (SCREEN, NBCLIENT, "nobody"),
        (SERVED, NBCLIENT, "answer"),  # jupyter-server-documents; also !papermill in a notebook
        (VOILA, NBCLIENT, "answer"),
        ({}, kernel(allow_stdin=False, **CELL), "answer"),
        (VOILA, CLICK, "person"),
        ({}, JUPYTER_CLIENT, "answer"),
        (SERVED, JUPYTER_CLIENT, "answer"),
        (SCREEN, JUPYTER_CLIENT, "person"),  # Qt Console, Spyder
        ({}, LAB, "person"),  # VS Code, Notebook
        (SERVED, LAB, "person"),
        ({**SERVED, "AUTHNB_INTERACTIVE": "0"}, LAB, "nobody"),
        ({"AUTHNB_INTERACTIVE": "1"}, NBCLIENT, "person"),
        ({"AUTHNB_INTERACTIVE": "1"}, JUPYTER_CLIENT, "person"),
        (PERSON, NBCLIENT, "browser"),
        (PERSON, JUPYTER_CLIENT, "browser"),
        (PERSON, LAB, "person"),
        (GONE, NBCLIENT, "nobody"),
        (NONE, JUPYTER_CLIENT, "answer"),
    ],
)
def test_who_reads_what_a_kernel_displays(environ: dict[str, str], asks: Any, sent: str) -> None:
    """`allow_stdin` alone proves nothing, either way; where the evidence is mixed the panel's answer decides."""
    place = detect(environ, kernel=asks, tty=False, platform="linux")
    assert (place.front_end == "notebook") == (
        sent == "person" or place.needs_answer or asks is JUPYTER_CLIENT
    )
    assert place.needs_answer == (sent == "answer")
    assert place.can_open_browser == (sent == "browser")
    assert place.interactive == (sent != "nobody")


def test_a_client_with_a_terminal_prints_text_there() -> None:
    """Jupyter Console."""
    place = detect({}, kernel=JUPYTER_CLIENT, tty=False, platform="linux", client_terminal=True)
    assert (place.front_end, place.needs_answer) == ("notebook", False)
    place = detect({}, kernel=NBCLIENT, tty=False, platform="linux", client_terminal=True)
    assert place.front_end is None, "nbclient prints nothing, wherever it was started"


@pytest.mark.parametrize(
    ("environ", "tty", "typed", "front_end", "can_open_browser"),
    [
        (SCREEN, True, True, "terminal", True),
        ({}, True, True, "terminal", False),
        ({}, True, False, "terminal", False),
        ({**SCREEN, "SSH_CONNECTION": "1 2 3 4"}, True, True, "terminal", False),
        ({}, False, False, None, False),
        # Output goes to a file: a browser may still reach the person
        ({}, False, True, None, False),
        (SCREEN, False, True, None, True),
        (SCREEN, False, False, None, False),
        (PERSON, False, False, None, True),
        ({**PERSON, **SCREEN}, True, True, "terminal", True),
        (NONE, False, False, None, False),
        (GONE, False, False, None, False),
        ({**NONE, **SCREEN}, True, True, "terminal", False),
        ({"BROWSER": os.pathsep.join(["none", PERSON["BROWSER"]])}, False, False, None, True),
        ({"BROWSER": 'an unmatched "quote'}, False, False, None, False),
        ({"WSL_DISTRO_NAME": "Debian"}, True, True, "terminal", False),
        # !python script.py in a cell: the kernel's pseudo-terminal
        (BELOW, True, True, None, False),
        ({**BELOW, **SERVED}, True, True, "terminal", False),
        ({**BELOW, "AUTHNB_INTERACTIVE": "1"}, True, True, "terminal", False),
        ({"AUTHNB_INTERACTIVE": "1"}, False, False, "terminal", False),
        ({"AUTHNB_INTERACTIVE": "0", **SCREEN}, True, True, None, False),
    ],
)
def test_what_reaches_the_person_at_a_program(
    environ: dict[str, str],
    tty: bool,
    typed: bool,
    front_end: str | None,
    can_open_browser: bool,
) -> None:
    """A person is there only where text or a page reaches them."""
    place = detect(environ, kernel=None, tty=tty, typed=typed, platform="linux")
    assert (place.front_end, place.can_open_browser) == (front_end, can_open_browser)
    assert place.interactive == (front_end is not None or can_open_browser)
    assert not place.needs_answer


class NoStream:
    """What a logging library may put in place of standard error."""

    def write(self, text: str) -> int:
        return len(text)


def test_streams_that_are_no_terminal(tmp_path: Path) -> None:
    """None (pythonw), closed, without ``isatty``, a file, a pipe."""
    with (tmp_path / "log").open("w") as file:
        for stream in (None, NoStream(), io.StringIO(), file):
            assert not is_terminal(stream)
    assert not is_terminal(file)
    ours, theirs = os.openpty()
    with open(theirs, "w", closefd=True) as stream:  # noqa: PTH123 - a descriptor
        assert is_terminal(stream)
    os.close(ours)


def test_whether_the_client_has_a_terminal() -> None:
    """As /proc has it of the program that started the kernel."""
    sleep = [sys.executable, "-c", "input()"]
    with subprocess.Popen(sleep, stdin=subprocess.PIPE, start_new_session=True) as job:
        assert not client_has_terminal({"JPY_PARENT_PID": str(job.pid)})
        job.communicate(b"\n")
    with Terminal() as terminal:
        terminal.start(sys.executable, "-c", "import os; print('pid', os.getpid(), flush=True); input()")
        assert client_has_terminal({"JPY_PARENT_PID": terminal.read_until(r"pid (\d+)")[1]})
    for unknown in ("", "0", "x", str(job.pid)):
        assert not client_has_terminal({"JPY_PARENT_PID": unknown})


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"JUPYTERHUB_SERVICE_PREFIX": BASE}, "JupyterHub"),
        ({"JUPYTERHUB_SERVICE_PREFIX": BASE, "BINDER_SERVICE_HOST": "x"}, "Binder"),
        ({"COLAB_RELEASE_TAG": "x"}, "Colab"),
        ({"KAGGLE_KERNEL_RUN_TYPE": "Interactive"}, "Kaggle"),
        ({"DATABRICKS_RUNTIME_VERSION": "15.4"}, "Databricks"),
        ({"SAGEMAKER_APP_TYPE": "JupyterLab"}, "SageMaker"),
        ({"CODESPACES": "true"}, "codespace"),
        ({"VSCODE_AGENT_FOLDER": "/home/ada/.vscode-server"}, "VS Code"),
        ({"SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"}, "SSH"),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "container"),
        ({"AUTHNB_REMOTE": "1"}, "AUTHNB_REMOTE"),
    ],
)
def test_places_elsewhere_say_why(environ: dict[str, str], says: str) -> None:
    place = detect(environ, kernel=ASKS, tty=False, platform="linux")
    assert place.remote is not None
    assert says in place.remote
    assert detect({**environ, "AUTHNB_REMOTE": "0"}, kernel=ASKS, tty=False, platform="linux").remote is None


@pytest.mark.parametrize("environ", [{}, {"WSL_DISTRO_NAME": "Debian"}, {"VSCODE_PID": "1"}])
def test_places_here(environ: dict[str, str]) -> None:
    """WSL forwards 127.0.0.1 from Windows; VS Code runs local kernels on its own machine."""
    assert detect(environ, kernel=ASKS, tty=False, platform="linux").remote is None


@pytest.mark.parametrize(
    ("environ", "file", "doubt"),
    [
        ({}, True, True),
        ({"container": "podman"}, False, True),
        ({}, False, False),
        ({"AUTHNB_REMOTE": "0"}, True, False),
        (PERSON, True, False),
    ],
)
def test_a_container_is_in_doubt(environ: dict[str, str], file: bool, doubt: bool) -> None:
    """Its 127.0.0.1 is its own, but a browser started in it is there too."""
    place = detect(environ, kernel=None, tty=True, platform="linux", container=file)
    assert (place.doubt is not None) == doubt
    assert place.remote is None


def test_there_is_no_kernel_while_another_thread_imports_ipython(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module has none of its names yet; a sign-in begins all the same."""
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    assert current_kernel() is None


def test_who_can_type_a_line() -> None:
    assert detect({}, kernel=ASKS, tty=False, platform="linux").can_prompt
    assert detect({}, kernel=None, tty=True, typed=True, platform="linux").can_prompt
    assert not detect({}, kernel=None, tty=True, platform="linux").can_prompt
    assert not detect({**BELOW, **SERVED}, kernel=None, tty=True, typed=True, platform="linux").can_prompt
    assert not detect({"AUTHNB_INTERACTIVE": "1"}, kernel=ASKS_NOT, tty=False, platform="linux").can_prompt
    assert not detect({"AUTHNB_INTERACTIVE": "1"}, kernel=None, tty=False, platform="linux").can_prompt


ON_A_HUB = detect({"JUPYTERHUB_SERVICE_PREFIX": BASE}, kernel=ASKS, tty=False, platform="linux")
LOCAL = detect({}, kernel=ASKS, tty=False, platform="linux")
SENDS_ON = f"{HUB}/jupyter/hub/user-redirect/lab/extensions/authnb/callback.html"
REPORT = {"origin": HUB, "base_url": BASE, "page": PAGE, "proxied": True}


def administered(page: str) -> Environment:
    environ = {"JUPYTERHUB_SERVICE_PREFIX": BASE, "AUTHNB_CALLBACK_PAGE": page}
    return detect(environ, kernel=ASKS, tty=False, platform="linux")


class TestWhatThePanelReports:
    """It becomes a redirect address, so it is checked first."""

    def test_what_is_right_is_taken(self) -> None:
        front_end = read_front_end(REPORT, ON_A_HUB)
        assert front_end == FrontEnd(
            origin=HUB, page=HUB + PAGE, proxy=f"{HUB}{BASE}proxy/", own_page=HUB + PAGE
        )

    @pytest.mark.parametrize(
        "origin",
        [
            "http://hub.example.org",
            "https://ada:secret@hub.example.org",
            "https://hub.example.org/",
            "https://hub.example.org/elsewhere",
            "https://hub.example.org?x",
            "https://hub.example.org#x",
            "https://hub.example.org\\@evil.example",
            "https://hub.example.org:99999",
            "https://",
            "vscode-webview://abc",
            "null",
            "javascript:alert(1)",
            "https://hub.example.org\n",
            None,
            7,
        ],
    )
    def test_origins_that_are_none(self, origin: Any) -> None:
        with pytest.raises(ValueError, match="neither https"):
            read_front_end({**REPORT, "origin": origin}, ON_A_HUB)

    @pytest.mark.parametrize(
        "base_url",
        [
            "",
            "jupyter/",
            "/jupyter/user/ada",
            "//evil.example/",
            "/a/../b/",
            "/a/%2e%2e/b/",
            "/a?x/",
            "/a#/",
            "/ä/",
            None,
        ],
    )
    def test_paths_that_are_none(self, base_url: Any) -> None:
        with pytest.raises(ValueError, match="which is none"):
            read_front_end({**REPORT, "base_url": base_url}, LOCAL)

    def test_another_users_path(self) -> None:
        with pytest.raises(ValueError, match="the Hub gave"):
            read_front_end({**REPORT, "base_url": "/jupyter/user/mallory/"}, ON_A_HUB)

    @pytest.mark.parametrize(
        "page",
        [
            "/jupyter/user/mallory/lab/extensions/authnb/callback.html",
            f"{BASE}../mallory/lab/extensions/authnb/callback.html",
            f"{BASE}lab/extensions/authnb/callback.html?to=evil",
            f"{BASE}lab/extensions/other/callback.html",
            f"{BASE}%2e%2e/mallory/authnb/callback.html",
            "https://evil.example/authnb/callback.html",
            True,
            None,
        ],
    )
    def test_pages_that_are_none(self, page: Any) -> None:
        assert read_front_end({**REPORT, "page": page}, ON_A_HUB).page is None

    def test_http_only_on_this_machine(self) -> None:
        report = {"origin": "http://127.0.0.1:8888", "base_url": "/", "page": None, "proxied": False}
        assert read_front_end(report, LOCAL) == FrontEnd(
            origin="http://127.0.0.1:8888", page=None, proxy=None
        )

    @pytest.mark.parametrize(
        "origin", [HUB, "https://ada.hub.example.org", "https://ada.hub.example.org:8443"]
    )
    def test_one_address_for_everybody(self, origin: str) -> None:
        """The Hub sends whoever comes there on to their own server, also where that is on a subdomain."""
        front_end = read_front_end({**REPORT, "origin": origin}, administered(SENDS_ON))
        assert (front_end.page, front_end.own_page) == (SENDS_ON, origin + PAGE)

    @pytest.mark.parametrize(
        "page",
        [
            SENDS_ON.replace("https", "http"),
            SENDS_ON.replace("hub.example", "evil.example"),
            SENDS_ON.replace("hub.example", "grace.hub.example"),
            SENDS_ON.replace("hub.example", "b.example"),
            f"{SENDS_ON}?next=elsewhere",
            f"{SENDS_ON}#elsewhere",
            "",
        ],
    )
    def test_addresses_for_everybody_that_are_none(self, page: str) -> None:
        """Only https, and only of the panel's own host or one above it: else each server's own page is used."""
        assert read_front_end(REPORT, administered(page)).page == HUB + PAGE

    def test_a_server_without_the_page_is_sent_nobody(self) -> None:
        assert read_front_end({**REPORT, "page": None}, administered(SENDS_ON)).page is None

    def test_a_page_put_up_for_everybody(self) -> None:
        """It needs no page of the server's own, and is heard only by panels of its origin."""
        put_up = f"{HUB}/static/authnb/callback.html"
        assert read_front_end({**REPORT, "page": None}, administered(put_up)).page == put_up
        elsewhere = "https://ada.hub.example.org"
        assert read_front_end({**REPORT, "origin": elsewhere}, administered(put_up)).page == elsewhere + PAGE


def test_the_page_that_everybody_is_sent_on_to_may_be_pasted() -> None:
    """Where no panel heard the answer: the address in the bar is no longer the registered one."""
    inbox = Inbox()
    inbox.expect(SENDS_ON, "s", HUB + PAGE)
    with pytest.raises(LoginFailed, match=f"begins with {re.escape(SENDS_ON)}"):
        inbox.submit(f"{HUB}{BASE.replace('ada', 'grace')}lab/extensions/authnb/callback.html?code=c&state=s")
    inbox.submit(f"{HUB}{PAGE}?code=c&state=s")
    answer = inbox.answer()
    assert answer is not None
    assert answer.code == "c"


@pytest.mark.parametrize("scheme", ["http://", "", "https://"])
def test_an_address_as_the_browser_shows_it(scheme: str) -> None:
    """Without a scheme, as iOS copies it, or with https, as browsers with HSTS for localhost ask for it."""
    inbox = Inbox()
    inbox.expect("http://localhost:8765/callback", "s")
    for other in ("localhost:8766/callback", "evil.example/callback", "localhost:8765/callback/x"):
        with pytest.raises(LoginFailed, match="begins with"):
            inbox.submit(f"{scheme}{other}?code=c&state=s")
    inbox.submit(f"{scheme}localhost:8765/callback?code=c&state=s")
    answer = inbox.answer()
    assert answer is not None
    assert answer.code == "c"


def test_a_proxy_by_the_environment() -> None:
    def proxy(address: str) -> str | None:
        return public_proxy(detect({"AUTHNB_PUBLIC_URL": address}, kernel=None, tty=True, platform="linux"))

    assert proxy(f"{HUB}{BASE}") == f"{HUB}{BASE}proxy/"
    assert proxy("http://hub.example.org/") is None
    assert proxy(f"{HUB}/?x=") is None
    assert proxy("") is None


NEAR = FrontEnd(origin="http://127.0.0.1:8888", page="http://127.0.0.1:8888" + PAGE, proxy=None)
FAR = FrontEnd(origin=HUB, page=HUB + PAGE, proxy=f"{HUB}{BASE}proxy/")
BOTH = {"page": True, "proxy": True}


class TestRank:
    """Which way is taken, by which evidence, in one sentence."""

    @pytest.mark.parametrize(
        ("place", "front_end", "reached", "accepted", "modes", "says"),
        [
            (LOCAL, None, None, {}, "loopback device paste", "on the kernel's machine"),
            (LOCAL, NEAR, None, {}, "loopback device page paste", "on the kernel's machine"),
            (LOCAL, NEAR, True, {}, "loopback device page paste", "on the kernel's machine"),
            (LOCAL, NEAR, False, {"page": True}, "page device paste", "does not reach 127.0.0.1"),
            (LOCAL, NEAR, False, {"page": None}, "device page paste", "does not reach 127.0.0.1"),
            (LOCAL, NEAR, False, {"page": False}, "device paste", "does not reach 127.0.0.1"),
            (LOCAL, FAR, None, BOTH, "page proxy device paste", "comes from https://hub.example.org"),
            (ON_A_HUB, FAR, None, BOTH, "page proxy device paste", "JupyterHub"),
            (ON_A_HUB, FAR, None, {"page": None, "proxy": False}, "device page paste", "JupyterHub"),
            (ON_A_HUB, None, None, {}, "device paste", "JupyterHub"),
            (ON_A_HUB, FAR, True, {}, "loopback device page paste", "on the kernel's machine"),
        ],
    )
    def test_the_best_first(
        self,
        place: Environment,
        front_end: FrontEnd | None,
        reached: bool | None,
        accepted: dict[str, bool | None],
        modes: str,
        says: str,
    ) -> None:
        ways = rank_modes(place, front_end, loopback_reached=reached, device=True, accepted=accepted)
        assert [way.mode for way in ways] == modes.split()
        assert says in ways[0].reason
        without = rank_modes(place, front_end, loopback_reached=reached, device=False, accepted=accepted)
        assert [way.mode for way in without] == [mode for mode in modes.split() if mode != "device"]

    def test_doubt_gives_way_to_evidence(self) -> None:
        """In a container: a code, unless the browser was seen to reach us."""
        place = detect({}, kernel=ASKS, tty=False, platform="linux", container=True)
        assert rank_modes(place, None, loopback_reached=None, device=True, accepted={})[0].mode == "device"
        assert rank_modes(place, NEAR, loopback_reached=None, device=True, accepted={})[0].mode == "loopback"
        assert rank_modes(place, NEAR, loopback_reached=True, device=True, accepted={})[0].mode == "loopback"
