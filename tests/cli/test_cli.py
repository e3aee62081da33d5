"""``authnb demo`` in one terminal, strangers in another."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from demo_session import renewer, sign_in

import authnb
from authnb import Account, Provider, Token
from authnb.cli.counting import counted
from authnb.cli.main import main
from authnb.compat import END_SIGNALS
from authnb.demo import Person
from authnb.flows.listener import LoopbackListener
from authnb.storage.base import SignIn
from authnb.storage.files import FileStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.demo import DemoProvider

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def told() -> Iterator[dict[str, str]]:
    """What ``authnb demo`` prints: issuer, client, secret, api; the first of each."""
    command = [sys.executable, "-m", "authnb", "demo"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or "Ctrl-C" not in lines[-1]:
            lines.append(process.stdout.readline())
        pairs = [re.split(r"\s{2,}", line.strip()) for line in lines]
        yield {
            pair[0] + ("" if pair[0] != "client_id" else "_" + pair[1]): pair[1]
            for pair in reversed(pairs)
            if len(pair) > 1
        }
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_a_plain_oauth2session_signs_in(told: dict[str, str]) -> None:
    """Authlib as in its documentation; nothing of authnb but a listener for the redirect."""
    metadata = requests.get(told["issuer"] + "/.well-known/openid-configuration", timeout=10).json()
    listener = LoopbackListener()
    session = OAuth2Session(
        "notebook",
        scope="openid measurements:read",
        redirect_uri=listener.redirect_uri,
        code_challenge_method="S256",
        token_endpoint_auth_method="none",
    )
    verifier = generate_token(48)
    url, state = session.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier)
    listener.expect(state)
    Person(told["issuer"]).visit(url, name="ada")
    answer = listener.answer()
    listener.close()
    assert answer is not None
    session.fetch_token(
        metadata["token_endpoint"], grant_type="authorization_code", code=answer.code, code_verifier=verifier
    )
    assert session.get(told["api"] + "/measurements").json()["total"] > 0


def test_a_stranger_by_hand_with_a_device_code(told: dict[str, str]) -> None:
    """RFC 8628 with nothing but HTTP."""
    metadata = requests.get(told["issuer"] + "/.well-known/oauth-authorization-server", timeout=10).json()
    asked = {"client_id": "notebook", "scope": "openid"}
    device = requests.post(metadata["device_authorization_endpoint"], data=asked, timeout=10).json()
    Person(told["issuer"]).approve(device["user_code"], name="ada")
    grant = "urn:ietf:params:oauth:grant-type:device_code"
    asked = {"client_id": "notebook", "grant_type": grant, "device_code": device["device_code"]}
    token = requests.post(metadata["token_endpoint"], data=asked, timeout=10).json()
    assert token["token_type"] == "Bearer"


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["demo", "--", "--port=1"]])
def test_bad_words_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: authnb" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (
            ["lab", "--no-browser", "--port=1"],
            "options of JupyterLab go after --, as in: authnb lab -- --no-browser --port=1",
        ),
        (["status", "--all"], "unrecognized arguments: --all"),
    ],
)
def test_an_unknown_option(arguments: list[str], error: str, capsys: pytest.CaptureFixture[str]) -> None:
    """JupyterLab's are told from others."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith(f"authnb {arguments[0]}: error: {error}\n")


@pytest.mark.parametrize(
    ("command", "codes"), [("status", "0, also if nobody"), ("logout", "1 if there was none")]
)
def test_help_says_what_the_exit_code_means(
    command: str, codes: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert codes in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 seconds"), (1, "1 second"), (1.0, "1 second"), (2, "2 seconds"), (0.5, "0.5 seconds")],
)
def test_one_is_singular(number: float, said: str) -> None:
    assert counted(number, "second") == said


def test_a_command_leaves_no_signal_handler() -> None:
    """A process that is forked later would not end by the signal."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, *END_SIGNALS)]
    assert main(["demo", "--issuer", "http://hub.example.org"]) == 2
    assert [signal.getsignal(number) for number in (signal.SIGINT, *END_SIGNALS)] == before


def test_an_issuer_that_cannot_be_one_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--issuer", "http://hub.example.org"]) == 2
    assert "Give an https address" in capsys.readouterr().err


def test_notebooks_are_copied_and_changed_ones_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "copy"
    (folder / "solutions").mkdir(parents=True)
    (folder / "00_sign_in.ipynb").write_text("mine")
    assert main(["notebooks", str(folder)]) == 0
    assert (folder / "00_sign_in.ipynb").read_text() == "mine"
    assert (folder / "11_your_provider.ipynb").exists()
    assert "Kept your changed 00_sign_in.ipynb" in capsys.readouterr().out


def test_a_taken_port_is_said(told: dict[str, str]) -> None:
    port = told["issuer"].rpartition(":")[2]
    command: list[Any] = [sys.executable, "-m", "authnb", "demo", "--port", port]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_status_and_logout_of_a_refused_sign_in(
    demo: DemoProvider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``status`` says that it ended, ``logout`` removes it, and nothing is listed after."""
    monkeypatch.setenv("AUTHNB_HOME", str(tmp_path))
    storage = FileStorage()
    its = renewer(sign_in(demo, storage=storage))
    storage.save(its.account, replace(storage.load(its.account), refused=True))
    assert main(["status"]) == 0
    assert "ended by the provider; sign in again" in capsys.readouterr().out
    assert main(["logout"]) == 0
    assert "Signed out" in capsys.readouterr().out
    assert main(["logout"]) == 1, "nothing was found"
    assert "Nobody is remembered" in capsys.readouterr().out
    assert main(["status"]) == 0
    assert "Nobody is remembered" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["status", "logout", "doctor"])
def test_a_command_ends_with_a_sentence(
    command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the folder for sign-ins is a file, and a variable has a value that it cannot have."""
    (tmp_path / "home").write_text("a file")
    monkeypatch.setenv("AUTHNB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AUTHNB_INTERACTIVE", "yes")
    try:
        code = main([command])
    except SystemExit as ended:
        code = ended.code
    out, err = capsys.readouterr()
    assert code in {0, 1, 2}
    assert "Traceback" not in out + err
    assert "Please report it" not in out + err
    assert out + err


ENTRA = "https://login.microsoftonline.com/contoso/v2.0"
GITHUB = "https://github.com/login/oauth"


@pytest.mark.parametrize(
    ("issuer", "name", "given"),
    [
        (GITHUB, "github", "github"),
        (GITHUB, "github", "GitHub"),
        (GITHUB, "", "github"),
        (GITHUB, "", "github.com"),
        (GITHUB, "", GITHUB + "/"),
        (ENTRA, "", "entra:contoso"),
        ("https://dev-1.auth0.com", "", "auth0:dev-1.auth0.com"),
        ("https://dev-1.auth0.com", "", "https://dev-1.auth0.com/"),
        ("https://id.example.org/realms/lab", "", "id.example.org/realms/lab"),
        ("https://id.example.org/realms/lab", "", "id.example.org"),
        ("https://id.example.org/realms/lab", "My University", "my university"),
    ],
)
def test_logout_takes_what_login_takes(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    issuer: str,
    name: str,
    given: str,
) -> None:
    """A preset, an issuer with and without its last slash, a display name, a host; and ends nothing else."""
    monkeypatch.setenv("AUTHNB_HOME", str(tmp_path))
    for address, shown in ((issuer, name), ("https://other.example.org", "Other")):
        account = Account(profile="default", issuer=address, client_id="notebook")
        token = Token({"access_token": "at", "userinfo": {"sub": "1", "name": "Ada"}})
        FileStorage().save(
            account, SignIn(token=token, provider=Provider(address), scope="openid", name=shown)
        )
    assert main(["logout", given]) == 0
    assert f"Ada at {issuer}" in capsys.readouterr().out
    assert main(["logout", given]) == 1
    assert "Nobody is remembered at" in capsys.readouterr().out
    assert [found[0].issuer for found in FileStorage().accounts()] == ["https://other.example.org"]


def test_a_sign_in_is_stored_with_its_display_name(demo: DemoProvider, tmp_path: Path) -> None:
    """So that ``authnb logout`` finds it by the name that the person was shown."""
    storage = FileStorage(tmp_path / "authnb")
    shown = {"My University": demo.issuer, "Elsewhere": "https://elsewhere.example.org"}
    login = authnb.login(shown, client_id=demo.client_id, mode="loopback", view=None, storage=storage)
    login.choose("My University")
    demo.visit(login.verification().uri, name="ada")
    session = login.wait(10)
    session.token = Token({**session.token, "expires_at": 1})
    assert session.get(f"{demo.issuer}/userinfo").ok, "renewed"
    ((_, sign_in),) = storage.accounts()
    assert sign_in.name == "My University"


def run(*arguments: str, cwd: Path = ROOT, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "authnb", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run(command, cwd=cwd, env=environment, text=True, check=False, timeout=60, **options)


@pytest.fixture
def things(tmp_path: Path) -> Path:
    """A folder with what is no notebook, no folder and no database."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").touch()
    (tmp_path / "broken").write_bytes(b"\xff\xfe broken" * 99)
    return tmp_path


@pytest.fixture
def _handlers_put_back() -> Iterator[None]:
    """`authnb demo` sets handlers for the signals that end it."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_handlers_put_back")
@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["scan", "empty"], 2, "empty: not a notebook that can be read"),
        (["scan", "broken"], 2, "broken: not a notebook that can be read"),
        (["scan", "folder"], 2, "folder: no notebook (.ipynb) in this folder"),
        (["scan", "missing"], 2, "missing: No such file or directory"),
        (["notebooks", "empty"], 1, "empty: File exists"),
        (["notebooks", "empty/below"], 1, "empty/below: Not a directory"),
        (["lab", "empty"], 1, "empty: File exists"),
        (["demo", "--port", "99999"], 2, "--port 99999: give a number from 0 to 65535; 0 takes a free port."),
        (["demo", "--port", "-1"], 2, "--port -1: give a number from 0 to 65535; 0 takes a free port."),
        (["demo", "--port", "http"], 2, "--port http: give a number from 0 to 65535; 0 takes a free port."),
        (["demo", "--database", "broken"], 2, "--database broken: file is not a database"),
        (["demo", "--database", "folder"], 2, "--database folder: unable to open database file"),
        (["demo", "--database", "missing/accounts"], 1, "missing/accounts: No such file or directory"),
        (
            ["demo", "--database", "none://user:hunter22@host"],
            2,
            "--database the URL: Can't load plugin: sqlalchemy.dialects:none",
        ),
        (["logout", "auth0"], 2, "Auth0 needs a domain after its name and a colon."),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(
    things: Path,
    arguments: list[str],
    code: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the path or the option, and nothing else."""
    monkeypatch.chdir(things)
    with pytest.raises(SystemExit) as ended:
        sys.exit(main(arguments))
    assert (ended.value.code, capsys.readouterr().err) == (code, line + "\n")


def test_a_damaged_list_of_what_was_copied_is_made_anew(tmp_path: Path) -> None:
    """Changed notebooks are kept all the same."""
    assert run("notebooks", str(tmp_path)).returncode == 0
    (tmp_path / "00_sign_in.ipynb").write_text("mine")
    (tmp_path / ".authnb-lab.json").write_text("")
    done = run("notebooks", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert "Kept your changed 00_sign_in.ipynb" in done.stdout
    assert (tmp_path / "00_sign_in.ipynb").read_text() == "mine"
    assert run("notebooks", str(tmp_path)).stdout == ""


def test_the_version() -> None:
    assert run("--version").stdout == f"authnb {version('authnb')}\n"


def test_a_reader_that_has_read_enough_ends_the_command() -> None:
    """As with ``authnb doctor | head -1``: no traceback, and the exit code of SIGPIPE."""
    reading, writing = os.pipe()
    os.close(reading)
    done = run("doctor", stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_is_said() -> None:
    with Path("/dev/full").open("w") as full:
        done = run("status", stdout=full)
    assert done.returncode == 1
    assert re.fullmatch(r".+: No space left on device\.?\n", done.stderr)
