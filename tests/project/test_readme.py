"""The README: each of its Python blocks runs against a real provider and gives what the text around it promises."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import textwrap
import zipfile
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pandas as pd
import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session
from code_blocks import ROOT, Block, Page
from demo_session import age, sign_in
from measurement_api import ROWS, MeasurementAPI
from support import PERSON
from terminal import Terminal

import authnb
from authnb.demo import DemoProvider

if TYPE_CHECKING:
    from pathlib import Path

README = Page("README.md")
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_python_block_has_a_test() -> None:
    assert README.blocks
    assert README.untested() == set()


@pytest.mark.usefixtures("_ada_signs_in")
@README.block("authnb")
async def test_the_address_of_an_api_is_enough(block: Block, demo: DemoProvider) -> None:
    """An API that says itself where its users sign in, at a provider that registers clients."""
    rows, *_ = await block.replacing({"https://data.example.org/v1": demo.api}).run({})
    assert rows["measurements"]


@pytest.mark.usefixtures("_ada_signs_in")
@README.block("authnb", 2)
async def test_one_line_gives_a_session_and_verified_claims(
    block: Block, demo: DemoProvider, api: MeasurementAPI, capsys: pytest.CaptureFixture[str]
) -> None:
    """An OAuth2Session whose relative addresses start at ``api=``, and the claims of the ID token."""
    names: dict[str, Any] = {"authnb": authnb}
    here = {"https://id.example.org": demo.issuer, "https://api.example.org": api.url}
    rows, *_ = await block.replacing({**here, "my-notebook": demo.client_id}).run(names)
    assert rows == ROWS
    assert capsys.readouterr().out == "Ada\n"
    assert isinstance(names["api"], OAuth2Session)
    assert names["api"].user["iss"] == demo.issuer


@README.block("Sign in", 1)
async def test_one_sign_in_and_three_ways_to_wait(
    block: Block, demo: DemoProvider, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Awaited, in a script, and with a link to click while the cells below raise LoginRequired."""
    here = block.replacing({"…": demo.client_id})
    start, *_, shown, later = here.source.splitlines()
    names: dict[str, Any] = {"authnb": authnb, "issuer": demo.issuer}
    (signin,) = await here.only(f"{start}\n").run(names) or await here.only(shown).run(names)
    with pytest.raises(authnb.LoginRequired):
        await here.only(later).run(names)
    link = signin.verification().uri
    signin._ipython_display_()
    assert link in capsys.readouterr().err
    demo.visit(link, name="grace")
    signin.wait(10)
    await here.only(later).run(names)
    assert names["api"].user["name"] == "Grace"

    monkeypatch.setenv("BROWSER", PERSON)
    with DemoProvider() as another:
        names = {"authnb": authnb, "issuer": another.issuer}
        await here.run(names)
        assert names["api"].user["iss"] == another.issuer
    assert here.source.count("authnb.login(") == 1


@README.block("Sign in", 2)
def test_the_person_chooses_among_several_providers(block: Block, demo: DemoProvider) -> None:
    """By number in a terminal."""
    with DemoProvider() as gitlab, Terminal() as terminal:
        here = {"https://id.example.edu": demo.issuer, "https://gitlab.com": gitlab.issuer}
        cell = block.replacing({**here, "…": demo.client_id}).source
        body = textwrap.indent(f"{cell}\nprint('signed in at', api.user['iss'])", "    ")
        script = f"import asyncio, authnb\nasync def cell():\n{body}\nasyncio.run(cell())"
        terminal.start(sys.executable, "-c", script, BROWSER=PERSON)
        terminal.read_until(r"1  University\n2  GitLab\nNumber: ")
        terminal.type("2", "Enter")
        terminal.read_until(f"signed in at {gitlab.issuer}")


@README.block("Stay signed in")
async def test_other_clients_get_a_fresh_token_and_logout_ends_it(
    block: Block, demo: DemoProvider, api: MeasurementAPI
) -> None:
    """A token that has ended is renewed for pandas, httpx and requests; after logout it opens nothing."""
    session = sign_in(demo, api=[api.url, demo.api])
    ended = session.token["access_token"]
    await asyncio.to_thread(age, session)
    modules = {"pd": pd, "httpx": httpx, "requests": requests}
    url = f"{api.url}/measurements.csv"
    lines = block.source.splitlines()
    (frame,) = await block.only(lines[0]).run({**modules, "api": session, "url": url})
    assert frame["pm25"].tolist() == [row["pm25"] for row in ROWS]
    await asyncio.to_thread(age, session)
    (client,) = await block.only(lines[1]).run({**modules, "api": session, "url": url})
    async with client:
        assert (await client.get(url)).status_code == 200
    await asyncio.to_thread(age, session)
    (answer,) = await block.only(lines[2]).run({**modules, "api": session, "url": url})
    assert answer.status_code == 200
    assert len({ended, *api.tokens}) == 4, "each client got a new token"
    (done,) = await block.only(lines[3]).run({"api": session})
    assert set(done.revoked) == {"access_token", "refresh_token"}
    revoked = {"Authorization": f"Bearer {api.tokens[-1]}"}
    async with httpx.AsyncClient() as stranger:
        assert (await stranger.get(url, headers=revoked)).status_code == 401


@pytest.mark.usefixtures("_ada_signs_in")
@README.block("See what happened")
async def test_a_recording_explains_every_exchange_and_holds_no_secret(
    block: Block, demo: DemoProvider, tmp_path: Path
) -> None:
    names: dict[str, Any] = {"authnb": authnb, "issuer": demo.issuer}
    (shown,) = await block.replacing({"…": demo.client_id}).run(names)
    asked = {urlsplit(exchange.address).path for exchange in shown.exchanges}
    assert {"/.well-known/openid-configuration", "/token", "/jwks"} <= asked
    api, page = names["api"], shown._repr_html_()
    assert "code_verifier" in page
    assert "RFC 7636" in page
    assert shown.diagram.source.startswith("sequenceDiagram")
    report = shown.save(tmp_path / "report.md").read_text(encoding="utf-8")
    for secret in (api.token["access_token"], api.token["refresh_token"], api.token["id_token"]):
        assert secret not in page + repr(shown) + shown.diagram.source + report


@README.block("A provider for learning and for tests")
async def test_the_provider_for_learning_gives_data(block: Block) -> None:
    names: dict[str, Any] = {"authnb": authnb}
    await block.run(names)
    assert len(names["rows"]) == 500
    assert names["rows"][0].keys() == {"station", "time", "pm25", "no2", "o3", "temperature"}


async def test_without_scope_the_api_names_the_one_it_needs(demo: DemoProvider) -> None:
    """As the README says; RFC 6750 section 3.1. The default scope does not include the measurements."""
    assert "answers 403 and names the scope" in TEXT
    session = sign_in(demo, scope=None)
    answer = session.get("/measurements")
    assert answer.status_code == 403
    assert "measurements:read" in answer.json()["error_description"]
    assert 'scope="measurements:read"' in answer.headers["WWW-Authenticate"]


def test_every_argument_of_the_table_exists() -> None:
    named = re.findall(r"^\| `(\w+)=", TEXT, re.MULTILINE)
    assert len(named) >= 6
    parameters = authnb.login.__annotations__
    assert set(named) <= set(parameters)
    assert set(authnb.signup.__annotations__) == set(parameters)


def test_the_wheel_carries_the_notebooks(tmp_path: Path) -> None:
    """So that ``authnb lab`` works after a plain install."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(tmp_path), str(ROOT)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "authnb/_notebooks/00_sign_in.ipynb" in names
    assert {"authnb/py.typed", "authnb/oauth/presets.toml"} <= set(names)
    assert any(name.startswith("authnb/demo/templates/") for name in names)
    assert not any("checkpoint" in name or name.startswith("tests") for name in names)
