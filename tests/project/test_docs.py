"""The documentation: each Python block of each page runs and gives what the text around it promises."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import duckdb
import fsspec
import httpx
import pandas as pd
import pytest
import requests
from code_blocks import ROOT, Block, Page
from demo_session import age, sign_in
from documented import CLIENT, Documented
from measurement_api import ROWS, MeasurementAPI
from oddities import Auth0
from servers import Server
from support import free_port, require, wait_for
from traitlets.config import Config

import authnb
from authnb.signin.environment import detect, read_front_end
from authnb.storage.base import MemoryStorage
from authnb.storage.files import FileStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.demo import DemoProvider

PAGES = {
    name: Page(name)
    for name in (
        *sorted(
            f"docs/{path.name}"
            for path in (ROOT / "docs").glob("*.md")
            if path.name != "cluster.md"  # tests/clusters has Dask and Ray for it
        ),
        "SECURITY.md",
        "CHANGELOG.md",
        "notebooks/TEACHING.md",
    )
}
SESSION, REGISTER, ANYWHERE, TEACHING = (
    PAGES[name]
    for name in ("docs/session.md", "docs/register.md", "docs/anywhere.md", "notebooks/TEACHING.md")
)
PASSWORD = "a long passphrase"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as started:
        yield started


def test_every_python_block_has_a_test() -> None:
    assert sum(len(page.blocks) for page in PAGES.values()) >= 8
    assert {name: page.untested() for name, page in PAGES.items() if page.untested()} == {}


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@SESSION.block("Processes of this machine")
async def test_tasks_of_a_pool_use_the_session(
    block: Block, demo: DemoProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a notebook, where the function is found by the process that is forked."""
    cell = ModuleType("cell_of_the_docs")
    monkeypatch.setitem(sys.modules, cell.__name__, cell)
    vars(cell).update(api=sign_in(demo), forked=multiprocessing.get_context("fork"))
    await block.replacing({"ProcessPoolExecutor()": "ProcessPoolExecutor(2, forked)"}).run(vars(cell))
    assert [len(page["measurements"]) for page in vars(cell)["pages"]] == [100] * 5


@SESSION.block("Processes of this machine", 2)
async def test_a_program_reads_the_session_from_its_standard_input(
    block: Block, demo: DemoProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = block.source.partition("# ")[2]
    (tmp_path / "job.py").write_text(
        f"import pickle, sys\n{load}\nopen('answer', 'w').write(str(api.get('/stations').status_code))\n"
    )
    monkeypatch.chdir(tmp_path)
    await block.run({"api": sign_in(demo)})
    assert (tmp_path / "answer").read_text() == "200"


@pytest.mark.usefixtures("_ada_signs_in")
@SESSION.block("The session")
async def test_a_remembered_session_reads_the_api(
    block: Block, demo: DemoProvider, api: MeasurementAPI
) -> None:
    """It is a ``requests.Session``, and ``remember=True`` keeps it in a file that shows no token."""
    names: dict[str, Any] = {"authnb": authnb}
    here = {"https://id.example.org": demo.issuer, "https://api.example.org": api.url}
    (rows,) = await block.replacing({**here, "my-notebook": demo.client_id}).run(names)
    assert rows == ROWS
    session = names["api"]
    assert isinstance(session, requests.Session)
    (file,) = (ROOT / os.environ["AUTHNB_HOME"]).glob("*.signin")
    assert session.token["access_token"].encode() not in file.read_bytes()


@pytest.mark.usefixtures("_ada_signs_in")
@PAGES["docs/replay.md"].block("The replay")
async def test_a_recording_is_gone_through_step_by_step(block: Block, demo: DemoProvider) -> None:
    names: dict[str, Any] = {"authnb": authnb, "issuer": demo.issuer}
    (shown,) = await block.replacing({"…": demo.client_id}).run(names)
    assert "back channel: The tokens" in repr(shown)


@ANYWHERE.block("Visitors of an app")
def test_an_app_shows_each_visitor_a_code(block: Block, demo: DemoProvider) -> None:
    """On a thread, as a server runs it: who enters the code is signed in, and nobody else."""
    names: dict[str, Any] = {"authnb": authnb}
    here = block.replacing({"https://id.example.org": demo.issuer, "my-app": demo.client_id})
    for name in ("ada", "grace"):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, here.run(names)).result()
        assert names["shown"].user_code in names["text"]
        demo.approve(names["shown"].user_code, name=name)
        assert names["signin"].wait(30).user["preferred_username"] == name


@pytest.mark.usefixtures("_ada_signs_in")
@SESSION.block("When an API asks for more")
async def test_an_api_asks_for_more(block: Block, demo: DemoProvider) -> None:
    """The same object calls the API before and after."""
    session = sign_in(demo, scope="openid profile")
    names: dict[str, Any] = {"api": session}
    assert session.get("stations").status_code == 403
    await block.replacing({'"measurements:read")': '"measurements:read", view="text")'}).run(names)
    assert names["api"] is session
    assert session.get("stations").status_code == 200


@pytest.mark.usefixtures("_ada_signs_in")
@SESSION.block("Other APIs")
async def test_a_session_for_another_api(block: Block, demo: DemoProvider) -> None:
    """Each API refuses the other's token."""
    names: dict[str, Any] = {"authnb": authnb}
    here = {"https://id.example.org": demo.issuer, "https://api.example.org": demo.api}
    with_scope = {'my-notebook"': f'{demo.client_id}", scope="measurements:read"'}
    await block.replacing({**here, "https://archive.example.org": demo.archive, **with_scope}).run(names)
    api, archive = names["api"], names["archive"]
    assert api.get(f"{demo.api}/stations").status_code == 200
    assert archive.get(f"{demo.archive}/days").status_code == 200
    assert api.get(f"{demo.archive}/days").status_code == 401
    assert archive.get(f"{demo.api}/stations").status_code == 401


@SESSION.block("Other clients")
async def test_each_client_reads_with_a_fresh_token(
    block: Block, demo: DemoProvider, api: MeasurementAPI
) -> None:
    """Though the token has ended, each of five libraries gets the rows."""
    session = sign_in(demo, api=api.url)
    ended = session.token["access_token"]
    await asyncio.to_thread(age, session)
    names = {
        "pandas": pd,
        "fsspec": fsspec,
        "requests": requests,
        "httpx": httpx,
        "duckdb": duckdb,
        "api": session,
    }
    url = f"{api.url}/measurements"
    shown = await block.replacing({"https://api.example.org": api.url}).run(names)
    frame, file, answer, client, relation = shown
    assert frame["pm25"].tolist() == [row["pm25"] for row in ROWS]
    with file as opened:
        assert b"pm25" in opened.read()
    assert answer.json() == ROWS
    async with client:
        assert (await client.get(url)).json() == ROWS
    assert relation.df()["pm25"].tolist() == [row["pm25"] for row in ROWS]
    assert ended not in api.tokens


@SESSION.block("Other programs")
async def test_programs_that_cannot_call_back(block: Block, demo: DemoProvider, api: MeasurementAPI) -> None:
    """One finds a token in the file, and one reads through the proxy without knowing of tokens."""
    session = sign_in(demo, api=api.url)
    program = f"{sys.executable!r}, '-c', 'import sys; assert len(open(sys.argv[1]).read()) > 20'"
    names = {"pandas": pd, "subprocess": subprocess, "api": session}
    await block.replacing({'"program", "--token-file"': program}).run(names)
    assert names["rows"]["pm25"].tolist() == [row["pm25"] for row in ROWS]


@SESSION.block("Batch jobs", 1)
async def test_whether_a_sign_in_lasts(
    block: Block, demo: DemoProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """The answer is printed as a sentence: the provider for learning states no lifetime."""
    names: dict[str, Any] = {"api": sign_in(demo)}
    await block.run(names)
    assert capsys.readouterr().out.startswith(
        "Not known: 127.0.0.1 does not state how long it renews the sign-in"
    )
    assert not names["answer"]


@SESSION.block("Batch jobs", 2)
async def test_a_file_for_a_job(block: Block, demo: DemoProvider, tmp_path: Path) -> None:
    """Kept by a process of its own, which ends by itself once somebody signs out."""
    session = await asyncio.to_thread(sign_in, demo, storage=FileStorage())
    names: dict[str, Any] = {}
    command = f"{sys.executable!r}, '-m', 'authnb'"
    await block.replacing({'"authnb"': command, "job/token": str(tmp_path / "token")}).run(names)
    await asyncio.to_thread(wait_for, (tmp_path / "token").exists, "the file")
    assert (tmp_path / "token").read_text() == session.token["access_token"]
    session.logout()
    assert await asyncio.to_thread(names["agent"].wait, 60) == 1
    assert not (tmp_path / "token").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="the commands are those of POSIX systems")
@SESSION.block("Batch jobs", 3)
async def test_a_job_reads_the_file(
    block: Block, demo: DemoProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the commands of the page, as they stand there."""
    session = await asyncio.to_thread(sign_in, demo, storage=FileStorage())
    page = (ROOT / block.page).read_text(encoding="utf-8")
    agent, curl = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "HOME": str(tmp_path), "PATH": programs}
    require("curl")

    def run(commands: str) -> bytes:
        shell = [require("sh"), "-ec", commands]
        return subprocess.run(shell, env=environment, stdout=subprocess.PIPE, check=True).stdout

    await asyncio.to_thread(run, agent)
    file = tmp_path / "job" / "token"
    await asyncio.to_thread(wait_for, file.exists, "the file")
    response = await asyncio.to_thread(run, curl.replace("https://api.example.org", demo.api))
    assert json.loads(response)["measurements"]
    monkeypatch.setenv("AUTHNB_TOKEN_FILE", str(file))
    names: dict[str, Any] = {"authnb": authnb}
    addresses = {"https://id.example.org": demo.issuer, "https://api.example.org": demo.api}
    await block.replacing(addresses).run(names)
    assert names["api"].get("/measurements").ok
    assert names["api"].token["access_token"] == file.read_text()
    session.logout()
    await asyncio.to_thread(wait_for, lambda: not file.exists(), "the agent to end")


@SESSION.block("Storage")
async def test_a_storage_of_ones_own(block: Block, demo: DemoProvider, tmp_path: Path) -> None:
    """Its four methods keep a sign-in where the next process finds it, and forget it at sign-out."""
    names: dict[str, Any] = {}
    await block.run(names)
    storage, another = (names["SQLiteStorage"](str(tmp_path / "sign-ins.sqlite3")) for _ in range(2))
    session = await asyncio.to_thread(sign_in, demo, storage=storage)
    account = session.token_auth.renewer.account
    assert another.load(account).token["access_token"] == session.token["access_token"]
    session.logout()
    assert another.load(account) is None


@pytest.mark.usefixtures("_ada_signs_in")
@REGISTER.block("Whether you must")
async def test_the_address_of_an_api_is_enough(block: Block, demo: DemoProvider) -> None:
    names: dict[str, Any] = {"authnb": authnb}
    await block.replacing({"https://data.example.org/v1": demo.api}).run(names)
    assert names["api"].get("/measurements").ok


@pytest.mark.usefixtures("_ada_signs_in")
@REGISTER.block("Auth0", 1)
async def test_auth0_is_told_the_audience(block: Block, server: Server) -> None:
    provider = Auth0(server)
    here = {"auth0:DOMAIN": f"auth0:{server.url}/", "8763": str(free_port()), "…": CLIENT}
    (session,) = await block.replacing(here).run({"authnb": authnb})
    assert provider.audience == "https://api.example.org"
    assert session.user["sub"] == "248289761001"


@REGISTER.block("Auth0", 2)
async def test_auth0_signs_up_with_a_form(block: Block, server: Server) -> None:
    """The form has the fields that are described, and goes to the endpoint with what is to be sent along."""
    provider = Auth0(server)
    names: dict[str, Any] = {"authnb": authnb, "storage": MemoryStorage()}
    here = {"https://DOMAIN": server.url, "8763": str(free_port()), "…": CLIENT}
    shown_elsewhere = {
        "await authnb.signup(provider, ": 'login = authnb.signup(provider, mode="form", view=None, storage=storage, '
    }
    await block.replacing({**here, **shown_elsewhere}).run(names)
    login, there = names["login"], threading.Event()
    login.observe(lambda now: there.set() if now.form else None)
    assert await asyncio.to_thread(there.wait, 10)
    assert [(field.name, field.kind) for field in login.form.fields] == [
        ("email", "email"),
        ("password", "password"),
    ]
    login.submit_form({"email": "eve@example.org", "password": PASSWORD})
    address = await asyncio.to_thread(login.verification)
    async with httpx.AsyncClient(follow_redirects=True) as browser:
        await browser.get(address.uri)
    assert (await asyncio.to_thread(login.wait, 10)).user["sub"] == "248289761001"
    assert login.created
    assert [(person["email"], person["connection"]) for person in provider.people] == [
        ("eve@example.org", "Username-Password-Authentication")
    ]


@REGISTER.block("Any other")
async def test_a_provider_without_openid(block: Block, server: Server) -> None:
    """Plain OAuth 2.0: the scope is asked for, and who signed in is what the API tells."""
    provider = Documented(server)
    server.routes["/me"] = lambda request: provider.bearer(request, {"id": 7, "name": "Ada"})
    names: dict[str, Any] = {"authnb": authnb}
    await block.replacing({"https://id.example.org": server.url, "https://api.example.org": server.url}).run(
        names
    )
    login = authnb.login(
        names["provider"], client_id=CLIENT, mode="loopback", view=None, storage=MemoryStorage()
    )
    async with httpx.AsyncClient(follow_redirects=True) as browser:
        await browser.get(login.verification().uri)
    session = await login
    assert provider.asked["scope"] == "read"
    assert session.user == {"id": 7, "name": "Ada", "sub": "7"}


@ANYWHERE.block("On a Hub")
async def test_one_callback_page_for_all_users_of_a_hub(block: Block) -> None:
    """With this in the Hub's configuration every user's sign-in names the one address that is registered."""
    config = Config()
    await block.run({"c": config})
    environ = config.Spawner.environment | {"JUPYTERHUB_SERVICE_PREFIX": "/user/ada/"}
    place = detect(environ, kernel=None, tty=False, platform="linux")
    own = "/user/ada/lab/extensions/authnb/callback.html"
    for origin in ("https://hub.example.org", "https://ada.hub.example.org"):
        seen = read_front_end({"origin": origin, "base_url": "/user/ada/", "page": own}, place)
        assert seen.page == "https://hub.example.org/hub/user-redirect/lab/extensions/authnb/callback.html"
        assert seen.own_page == origin + own


@TEACHING.block("A class")
def test_a_hubs_configuration_for_a_class(block: Block, tmp_path: Path) -> None:
    """The service is a provider of that issuer, and a server starts with the notebooks copied beforehand."""
    port, config = free_port(), Config()
    asyncio.run(block.replacing({"8010": str(port), "/srv/class": str(tmp_path)}).run({"c": config}))
    (service,) = config.JupyterHub.services
    issuer = config.Spawner.environment["AUTHNB_DEMO"]
    with subprocess.Popen(service["command"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        address = f"{service['url']}/services/authnb/.well-known/openid-configuration"
        metadata = httpx.get(address, headers={"Host": "hub.example.org"}, timeout=20)
        process.terminate()
    assert any(issuer in line for line in lines)
    assert metadata.json()["issuer"] == issuer
    assert (tmp_path / "people.sqlite").exists()

    programs, home = tmp_path / "bin", tmp_path / "home"
    programs.mkdir()
    home.mkdir()
    for name, line in {
        "authnb": f'exec "{sys.executable}" -m authnb "$@"',
        "jupyterhub-singleuser": 'echo "started $@"',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    environ = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    started = subprocess.run(
        [*config.Spawner.cmd, "--port=1"], cwd=home, env=environ, capture_output=True, text=True, check=True
    )
    assert "started --port=1" in started.stdout
    assert (home / config.Spawner.default_url.removeprefix("/lab/tree/")).is_file()
