"""Where we run is read from an environment, so each place is a test."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from authnb.callbacks import Inbox
from authnb.errors import LoginFailed
from authnb.place import FrontEnd, Place, look, public_proxy, read_front_end
from authnb.ways import rank

ASKS = SimpleNamespace(_allow_stdin=True)
ASKS_NOT = SimpleNamespace(_allow_stdin=False)
PERSON = {"BROWSER": "person %s"}
HUB = "https://hub.example.org"
BASE = "/jupyter/user/ada/"
PAGE = f"{BASE}lab/extensions/authnb/callback.html"


@pytest.mark.parametrize(
    ("environ", "kernel", "tty", "front_end", "opens_pages"),
    [
        ({}, ASKS, False, "notebook", False),
        (PERSON, ASKS, False, "notebook", False),
        ({}, ASKS_NOT, False, None, False),
        (PERSON, ASKS_NOT, False, None, True),
        ({"AUTHNB_INTERACTIVE": "1"}, ASKS_NOT, False, "notebook", False),
        ({"AUTHNB_INTERACTIVE": "0"}, ASKS, False, None, False),
        ({"DISPLAY": ":0"}, None, True, "terminal", True),
        ({}, None, True, "terminal", False),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "1 2 3 4"}, None, True, "terminal", False),
        ({}, None, False, None, False),
        (PERSON, None, False, None, True),
        ({"DISPLAY": ":0"}, None, False, None, False),
        ({"WSL_DISTRO_NAME": "Debian"}, None, True, "terminal", False),
    ],
)
def test_places(
    environ: dict[str, str],
    kernel: Any,
    tty: bool,  # noqa: FBT001
    front_end: str | None,
    opens_pages: bool,  # noqa: FBT001
) -> None:
    place = look(environ, kernel=kernel, tty=tty, platform="linux")
    assert (place.front_end, place.opens_pages) == (front_end, opens_pages)
    assert place.somebody_there == (front_end is not None or opens_pages)


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
    place = look(environ, kernel=ASKS, tty=False, platform="linux")
    assert place.remote is not None
    assert says in place.remote
    assert look({**environ, "AUTHNB_REMOTE": "0"}, kernel=ASKS, tty=False, platform="linux").remote is None


@pytest.mark.parametrize("environ", [{}, {"WSL_DISTRO_NAME": "Debian"}, {"VSCODE_PID": "1"}])
def test_places_here(environ: dict[str, str]) -> None:
    """WSL forwards 127.0.0.1 from Windows; VS Code runs local kernels on its own machine."""
    assert look(environ, kernel=ASKS, tty=False, platform="linux").remote is None


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
def test_a_container_is_in_doubt(environ: dict[str, str], file: bool, doubt: bool) -> None:  # noqa: FBT001 - rows
    """Its 127.0.0.1 is its own, but a browser started in it is there too."""
    place = look(environ, kernel=None, tty=True, platform="linux", container=file)
    assert (place.doubt is not None) == doubt
    assert place.remote is None


def test_who_can_type_a_line() -> None:
    assert look({}, kernel=ASKS, tty=False, platform="linux").takes_lines
    assert look({}, kernel=None, tty=True, platform="linux").takes_lines
    assert not look({"AUTHNB_INTERACTIVE": "1"}, kernel=ASKS_NOT, tty=False, platform="linux").takes_lines
    assert not look({"AUTHNB_INTERACTIVE": "1"}, kernel=None, tty=False, platform="linux").takes_lines


ON_A_HUB = look({"JUPYTERHUB_SERVICE_PREFIX": BASE}, kernel=ASKS, tty=False, platform="linux")
LOCAL = look({}, kernel=ASKS, tty=False, platform="linux")
SENDS_ON = f"{HUB}/jupyter/hub/user-redirect/lab/extensions/authnb/callback.html"
REPORT = {"origin": HUB, "base_url": BASE, "page": PAGE, "proxied": True}


def administered(page: str) -> Place:
    environ = {"JUPYTERHUB_SERVICE_PREFIX": BASE, "AUTHNB_CALLBACK_PAGE": page}
    return look(environ, kernel=ASKS, tty=False, platform="linux")


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


def test_a_proxy_by_the_environment() -> None:
    def proxy(address: str) -> str | None:
        return public_proxy(look({"AUTHNB_PUBLIC_URL": address}, kernel=None, tty=True, platform="linux"))

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
        place: Place,
        front_end: FrontEnd | None,
        reached: bool | None,  # noqa: FBT001 - a column
        accepted: dict[str, bool | None],
        modes: str,
        says: str,
    ) -> None:
        ways = rank(place, front_end, reached=reached, device=True, accepted=accepted)
        assert [way.mode for way in ways] == modes.split()
        assert says in ways[0].why
        without = rank(place, front_end, reached=reached, device=False, accepted=accepted)
        assert [way.mode for way in without] == [mode for mode in modes.split() if mode != "device"]

    def test_doubt_gives_way_to_evidence(self) -> None:
        """In a container: a code, unless the browser was seen to reach us."""
        place = look({}, kernel=ASKS, tty=False, platform="linux", container=True)
        assert rank(place, None, reached=None, device=True, accepted={})[0].mode == "device"
        assert rank(place, NEAR, reached=None, device=True, accepted={})[0].mode == "loopback"
        assert rank(place, NEAR, reached=True, device=True, accepted={})[0].mode == "loopback"
