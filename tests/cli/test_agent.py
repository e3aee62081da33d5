"""``authnb agent``: a process that keeps a token file fresh for as long as a batch job takes."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest
import requests
from demo_session import SCOPE, age, renewer, sign_in, stored
from joserfc.jwk import ECKey
from kernels import kernel
from servers import Server
from support import require, wait_for

import authnb
from authnb.cli.main import main
from authnb.compat import END_SIGNALS
from authnb.demo import DemoProvider
from authnb.oauth.responses import Token
from authnb.storage.files import FileStorage, home

if TYPE_CHECKING:
    from collections.abc import Iterator

    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.session.session import Session
    from authnb.storage.base import SignIn


HOUR = 3600


class Agent:
    """``authnb agent`` in a process of its own, with its output in files; ended with the block."""

    def __init__(
        self, folder: Path, *arguments: str, duration: str = "1h", before: tuple[str, ...] = ()
    ) -> None:
        self.out, self.err = folder / "agent.out", folder / "agent.err"
        command = [*before, sys.executable, "-m", "authnb", "agent", "--for", duration, *arguments]
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    def path(self) -> Path:
        """The file's, as the first line says once it is there."""
        wait_for(
            lambda: "\n" in self.out.read_text() or self.process.poll() is not None, "the path of the file"
        )
        assert self.process.poll() is None, self.err.read_text()
        return Path(self.out.read_text().splitlines()[0])

    def ended(self) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(60)


@pytest.fixture
def short() -> Iterator[DemoProvider]:
    """A provider whose tokens live three seconds."""
    with DemoProvider(access_token_lifetime=3) as provider:
        yield provider


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A folder of the user's own."""
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    return folder


def remember(demo: DemoProvider, token_proxy: TokenEndpointProxy | None = None, **more: Any) -> Session:
    return sign_in(demo, token_proxy, storage=FileStorage(), **more)


def read(path: Path) -> str:
    """The token in the file, "" if it is not there."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def answers(demo: DemoProvider, path: Path) -> bool:
    """Whether the API takes what the file holds."""
    header = {"Authorization": f"Bearer {read(path)}"}
    return requests.get(f"{demo.api}/stations", headers=header, timeout=30).ok


def test_it_stays_fresh(short: DemoProvider, tmp_path: Path) -> None:
    """Through expiries; it is private, and of one word; the folder that was made for it goes with it."""
    remember(short)
    with Agent(tmp_path) as agent:
        path = agent.path()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        seen = {read(path)}
        wait_for(lambda: seen.add(read(path)) or len(seen) == 3, "three tokens")
        wait_for(lambda: answers(short, path), "the API to take the token")
        assert all(len(token.split()) == 1 for token in seen)
        agent.process.terminate()
        assert agent.ended() == 0
    assert not path.parent.exists()
    assert agent.out.read_text() == f"{path}\n"


def test_it_ends_when_the_time_is_up(demo: DemoProvider, tmp_path: Path, private: Path) -> None:
    remember(demo)
    with Agent(tmp_path, "--file", str(private / "token"), duration="0.5s") as agent:
        assert agent.ended() == 0
    assert "The time is up." in agent.err.read_text()
    assert list(private.iterdir()) == []


def test_it_leaves_no_signal_handler(demo: DemoProvider, private: Path) -> None:
    """A process that is forked later would not end by the signal."""
    remember(demo)
    before = [signal.getsignal(number) for number in (signal.SIGINT, *END_SIGNALS)]
    assert main(["agent", "--for", "0.1s", "--file", str(private / "token")]) == 0
    assert [signal.getsignal(number) for number in (signal.SIGINT, *END_SIGNALS)] == before


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_a_signal_ends_it(demo: DemoProvider, tmp_path: Path, private: Path, name: str) -> None:
    remember(demo)
    with Agent(tmp_path, "--file", str(private / "token")) as agent:
        assert agent.path() == private / "token"
        agent.process.send_signal(getattr(signal, name))
        assert agent.ended() == 0
    assert f"{name} ended this. {private / 'token'} is removed." in agent.err.read_text()
    assert list(private.iterdir()) == []


def test_with_nohup_it_outlives_its_terminal(short: DemoProvider, tmp_path: Path, private: Path) -> None:
    remember(short)
    with Agent(tmp_path, "--file", str(private / "token"), before=(require("nohup"),)) as agent:
        before = read(agent.path())
        agent.process.send_signal(signal.SIGHUP)
        wait_for(lambda: read(private / "token") not in {"", before}, "another token")
        agent.process.terminate()
        assert agent.ended() == 0


def test_it_outlives_the_kernel_that_started_it(short: DemoProvider, tmp_path: Path, private: Path) -> None:
    """As docs/session.md starts it in a notebook, whose end ends all processes of its group."""
    remember(short)
    path = private / "token"
    command = [sys.executable, "-m", "authnb", "agent", "--for", "1h", "--file", str(path)]
    started = f"import subprocess\nagent = subprocess.Popen({command}, start_new_session=True)\n"
    with kernel() as notebook:
        notebook.begin(
            f"{started}open({str(tmp_path / 'pid')!r}, 'w').write(str(agent.pid))", allow_stdin=False
        )
        assert notebook.finish() == ""
        pid = int((tmp_path / "pid").read_text())
        wait_for(path.exists, "the file")
    try:
        before = read(path)
        wait_for(lambda: read(path) not in {"", before}, "another token after the kernel has ended")
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not path.exists(), "the file to be removed")


def test_logout_ends_it(demo: DemoProvider, tmp_path: Path, private: Path) -> None:
    remember(demo)
    with Agent(tmp_path, "--file", str(private / "token")) as agent:
        agent.path()
        assert main(["logout"]) == 0
        assert agent.ended() == 1
    assert "The sign-in was ended" in agent.err.read_text()
    assert list(private.iterdir()) == []


def test_a_refused_renewal_ends_it(
    demo: DemoProvider, token_proxy: TokenEndpointProxy, tmp_path: Path, private: Path
) -> None:
    """Though the access token is still valid: no other will come."""
    session = remember(demo, token_proxy)
    token_proxy.outcome = lambda: "denied"
    age(session, 100)
    with Agent(tmp_path, "--file", str(private / "token")) as agent:
        assert agent.ended() == 1
    assert "127.0.0.1 no longer renews the sign-in. Sign in again" in agent.err.read_text()
    assert list(private.iterdir()) == []
    assert main(["agent", "--for", "1h", "--file", str(private / "token")]) == 1, "and so does the next"


def test_somebody_else_signs_in(demo: DemoProvider, tmp_path: Path, private: Path) -> None:
    """Their token does not come into the file."""
    its = renewer(remember(demo))
    grace = stored(remember(demo, name="grace", profile="work"))
    with Agent(tmp_path, "--profile", "default", "--file", str(private / "token")) as agent:
        agent.path()
        its.storage.save(its.account, grace)
        assert agent.ended() == 1
    assert "Somebody else has signed in as profile 'default'" in agent.err.read_text()
    assert list(private.iterdir()) == []


def test_a_provider_in_trouble_is_waited_for(
    demo: DemoProvider, token_proxy: TokenEndpointProxy, tmp_path: Path, private: Path
) -> None:
    """It is said once, and the file stays."""
    session = remember(demo, token_proxy)
    token_proxy.outcome = lambda: "503"
    age(session)
    path = private / "token"
    with Agent(tmp_path, "--file", str(path)) as agent:
        assert token_proxy.wait_for(2, "503")
        assert not path.exists(), "the token has expired, and there is no other"
        token_proxy.outcome = lambda: "pass"
        first = read(agent.path())
        assert answers(demo, path)
        token_proxy.outcome = lambda: "503"
        session.token = stored(session).token
        age(session, 100)
        assert read(path) == first
    assert agent.err.read_text().count("Trying again.") == 1


def test_several_agents_renew_once(
    demo: DemoProvider, token_proxy: TokenEndpointProxy, tmp_path: Path
) -> None:
    """And a sign-in that another process renewed is taken from the storage."""
    session = remember(demo, token_proxy)
    age(session)
    with ExitStack() as stack:
        agents = []
        for number in range(3):
            (tmp_path / str(number)).mkdir()
            agents.append(stack.enter_context(Agent(tmp_path / str(number))))
        paths = [agent.path() for agent in agents]
        assert len({read(path) for path in paths}) == 1
        assert token_proxy.outcomes == ["pass"]
        wait_for(lambda: time.time() > stored(session).token["issued_at"] + 1, "the next second")
        session.token = stored(session).token
        renewer(session).renew(session.token)
        newest = stored(session).token["access_token"]
        wait_for(lambda: {read(path) for path in paths} == {newest}, "the new token in each file")
        assert token_proxy.outcomes == ["pass"] * 2


def test_a_job_reads_the_file(
    demo: DemoProvider, tmp_path: Path, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By ``mode="token"``, and by curl as docs/session.md has it, with the token on no command line."""
    remember(demo)
    with Agent(tmp_path, "--file", str(private / "token")) as agent:
        path = agent.path()
        monkeypatch.setenv("AUTHNB_TOKEN_FILE", str(path))
        api = authnb.login(demo.issuer, client_id="job", mode="token", api=demo.api, view=None).wait(30)
        assert api.get("/stations").ok
        require("curl")
        line = 'printf "Authorization: Bearer %s" "$(cat "$0")" | curl -sSf -H @- "$1"'
        done = subprocess.run(
            [require("sh"), "-c", line, path, f"{demo.api}/stations"], capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_the_token_is_in_the_file_alone(short: DemoProvider, tmp_path: Path, private: Path) -> None:
    """Not on a command line, in the environment, the output, or another file; the refresh token nowhere."""
    session = remember(short)
    path = private / "token"
    with Agent(tmp_path, "--file", str(path)) as agent:
        seen = {read(agent.path())}
        wait_for(lambda: seen.add(read(path)) or len(seen) == 2, "another token")
        agent.process.send_signal(signal.SIGSTOP)  # the files stay as they are while they are looked through
        try:
            token = stored(session).token
            tokens = {*seen, read(path), token["access_token"]}
            refresh_tokens = {token["refresh_token"], session.token["refresh_token"]}
            process = [Path(f"/proc/{agent.process.pid}/{name}") for name in ("cmdline", "environ")]
            files = [file for file in (*tmp_path.rglob("*"), *home().rglob("*"), *process) if file.is_file()]
            content = {file: file.read_bytes() for file in files}
        finally:
            agent.process.send_signal(signal.SIGCONT)
    assert {path, agent.out, agent.err} <= set(files)
    assert {file for file in files if any(each.encode() in content[file] for each in tokens)} == {path}
    assert not [file for file in files if any(each.encode() in content[file] for each in refresh_tokens)]


def test_a_file_that_is_taken(demo: DemoProvider, tmp_path: Path, private: Path) -> None:
    """By another agent; one that was killed leaves its file, and the next takes it over."""
    remember(demo)
    path, second = private / "token", tmp_path / "second"
    second.mkdir()
    with Agent(tmp_path, "--file", str(path)) as agent:
        agent.path()
        with Agent(second, "--file", str(path)) as another:
            assert another.ended() == 1
        assert f"Another agent keeps {path}" in another.err.read_text()
        assert read(path)
        agent.process.kill()
        assert agent.ended() == -signal.SIGKILL
    assert read(path), "it was killed"
    with Agent(tmp_path, "--file", str(path)) as agent:
        agent.path()
        agent.process.terminate()
        assert agent.ended() == 0
    assert list(private.iterdir()) == []


def test_a_file_of_somebody_elses_is_left_alone(
    demo: DemoProvider, private: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    remember(demo)
    path = private / "thesis.tex"
    path.write_text("years of work")
    assert main(["agent", "--for", "1h", "--file", str(path)]) == 1
    assert "was not made by authnb agent. Name another file." in capsys.readouterr().err
    assert path.read_text() == "years of work"
    assert list(private.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_folder_that_others_can_write_to(
    demo: DemoProvider, private: Path, mode: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """They could put another file in the place of it. Its mode is left as it is."""
    remember(demo)
    private.chmod(mode)
    assert main(["agent", "--for", "1h", "--file", str(private / "token")]) == 1
    assert "nobody else can write to: mkdir -m 700 makes one" in capsys.readouterr().err
    assert stat.S_IMODE(private.stat().st_mode) == mode
    assert list(private.iterdir()) == []


def test_a_folder_that_is_not_there(
    demo: DemoProvider, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    remember(demo)
    assert main(["agent", "--for", "1h", "--file", str(tmp_path / "none" / "token")]) == 1
    assert "Give --file= in a folder that is there" in capsys.readouterr().err


def test_a_disk_in_trouble_is_waited_for(short: DemoProvider, tmp_path: Path, private: Path) -> None:
    """Here the folder is gone for a while."""
    remember(short)
    path = private / "token"
    with Agent(tmp_path, "--file", str(path)) as agent:
        before = read(agent.path())
        private.rename(tmp_path / "away")
        wait_for(lambda: "Trying again." in agent.err.read_text(), "the error")
        (tmp_path / "away").rename(private)
        wait_for(lambda: read(path) not in {"", before}, "another token")


def test_which_sign_in(
    demo: DemoProvider, tmp_path: Path, private: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The only one, or the one that is named."""
    start = ["agent", "--for", "1h", "--file", str(private / "token")]
    assert main(start) == 1
    assert (
        "Nobody is remembered. authnb status lists who is. Sign in with remember=True"
        in capsys.readouterr().err
    )
    remember(demo)
    work = remember(demo, name="grace", profile="work")
    assert main(start) == 2
    error = capsys.readouterr().err
    assert "Several sign-ins are remembered: " in error
    assert "profile default" in error
    assert "profile work" in error
    assert main([*start, "--profile", "none"]) == 1
    assert main([*start, "--profile", "work", "--client-id", "another"]) == 1
    assert main([*start, "https://other.example.org"]) == 1
    with Agent(tmp_path, demo.issuer, "--profile", "work", "--client-id", demo.client_id) as agent:
        assert read(agent.path()) == work.token["access_token"]


def test_a_token_that_is_bound_to_a_key(
    tmp_path: Path, private: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would be no use in a file: at once, and where somebody signs in so while an agent runs."""
    file = str(private / "token")
    with DemoProvider(dpop="offered") as bound:
        remember(bound)
        assert main(["agent", "--for", "1h", "--file", file]) == 1
        assert "dpop=False and a profile= of its own" in capsys.readouterr().err
        remember(bound, dpop=False, profile="jobs")
        its = renewer(remember(bound, profile="other"))
        with Agent(tmp_path, "--profile", "jobs", "--file", file) as agent:
            agent.path()
            kept = its.storage.load(its.account)
            assert kept is not None
            its.storage.save(replace(its.account, profile="jobs"), newer(kept))
            assert agent.ended() == 1
        assert "is bound to a key" in agent.err.read_text()
    assert list(private.iterdir()) == []


def newer(kept: SignIn) -> SignIn:
    """The sign-in with a token that seems to have been issued a minute later."""
    return replace(kept, token=Token({**kept.token, "issued_at": kept.token["issued_at"] + 60}))


@pytest.mark.parametrize("duration", ["soon", "-1h", "0", ""])
def test_a_time_that_is_none(duration: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["agent", f"--for={duration}"]) == 2
    assert "is no length of time. Give one such as '24h'" in capsys.readouterr().err


def test_the_time_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["agent"])
    assert ended.value.code == 2
    assert "--for" in capsys.readouterr().err


def test_a_client_with_a_secret(
    demo: DemoProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not stored, and nothing is renewed without it: the provider would refuse, and the sign-in were lost."""
    secret = {"client_id": demo.web_client_id, "client_secret": demo.web_client_secret}
    login = authnb.login(
        demo.issuer,
        **secret,
        redirect_path="/authorize",
        mode="loopback",
        scope=SCOPE,
        storage=FileStorage(),
        view=None,
    )
    demo.visit(login.verification().uri, name="ada")
    session = login.wait(30)
    age(session)
    assert main(["agent", "--for", "1h"]) == 2
    assert "has a secret, which is not stored. Set AUTHNB_CLIENT_SECRET" in capsys.readouterr().err
    assert not stored(session).refused
    monkeypatch.setenv("AUTHNB_CLIENT_SECRET", demo.web_client_secret)
    with Agent(tmp_path) as agent:
        assert answers(demo, agent.path())


def test_a_client_with_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sign-in has the path of its file, which is read again; or the environment names where it is now."""
    key, moved = tmp_path / "client.pem", tmp_path / "moved.pem"
    body = json.dumps({"access_token": "new", "token_type": "Bearer", "expires_in": HOUR}).encode()
    with Server() as server:
        server.routes["/token"] = lambda request: (
            200 if b"client_assertion=eyJ" in request.body else 401,
            {},
            body,
        )
        account = authnb.Account(profile="default", issuer=server.url, client_id="notebook")
        provider = authnb.Provider(server.url, token_endpoint=server.url + "/token")
        token = authnb.Token(
            {"access_token": "old", "refresh_token": "r", "expires_in": HOUR, "expires_at": 1}
        )
        sign_in = authnb.SignIn(token=token, provider=provider, scope="openid", client_key_file=str(key))
        FileStorage().save(account, sign_in)
        assert main(["agent", "--for", "1"]) == 1
        assert f"The key file {key} was not used: there is no such file." in capsys.readouterr().err
        moved.write_text(ECKey.generate_key("P-256").as_pem(private=True).decode())
        moved.chmod(0o600)
        monkeypatch.setenv("AUTHNB_CLIENT_KEY_FILE", str(moved))
        with Agent(tmp_path) as agent:
            assert read(agent.path()) == "new"


def test_a_provider_whose_clock_is_ahead(tmp_path: Path) -> None:
    """By half an hour: the token ends in a moment, though not by this machine's clock."""
    body = json.dumps({"access_token": "new", "token_type": "Bearer", "expires_in": HOUR}).encode()
    with Server() as server:
        server.clock_offset = HOUR / 2
        server.routes["/token"] = lambda request: (200 if request.method == "POST" else 405, {}, body)
        account = authnb.Account(profile="default", issuer=server.url, client_id="notebook")
        expires_at = int(time.time() + HOUR / 2 + 100)
        old = {"access_token": "old", "refresh_token": "r", "expires_in": HOUR, "expires_at": expires_at}
        provider = authnb.Provider(server.url, token_endpoint=server.url + "/token")
        sign_in = authnb.SignIn(token=authnb.Token(old), provider=provider, scope="openid")
        FileStorage().save(account, sign_in)
        with Agent(tmp_path) as agent:
            assert read(agent.path()) == "new"


def test_a_sign_in_for_one_of_several_apis(demo: DemoProvider, tmp_path: Path) -> None:
    """The agent renews for the same one (RFC 8707)."""
    age(remember(demo, resource=[demo.archive, demo.api], api=demo.archive))
    with Agent(tmp_path) as agent:
        header = {"Authorization": f"Bearer {read(agent.path())}"}
    assert requests.get(f"{demo.archive}/days", headers=header, timeout=30).ok
