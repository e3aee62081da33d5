"""Clients of other libraries sign in at the demo provider, each with its own checks of the responses.

Authlib's clients are in tests/demo/test_demo_other_clients.py.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import installed
import pytest
from demo_helpers import CALLBACK, signed_in_window
from support import newcomer, require

from authnb.demo import DemoProvider

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
NODE_CLIENTS = ("openid-client@6.9.0", "oauth4webapi@3.8.8")
PYTHON_CLIENT = "requests-oauth2client==1.8.0"
SCOPE = "openid profile email measurements:read"


@pytest.fixture(scope="module")
def provider() -> Iterator[DemoProvider]:
    with DemoProvider(device_interval=1) as demo:
        yield demo


def command(script: str) -> tuple[list[str], Path]:
    """The command that runs this client, and its working directory."""
    if script.endswith(".py"):
        return [installed.from_pypi(PYTHON_CLIENT), str(HERE / script)], HERE
    place = installed.from_npm(*NODE_CLIENTS)
    return [installed.node(), str(HERE / script)], place


@pytest.mark.parametrize(
    "script", ["client_openid_client.mjs", "client_oauth4webapi.mjs", "client_requests_oauth2client.py"]
)
def test_it_signs_in(provider: DemoProvider, script: str) -> None:
    """It discovers, verifies the ID token, requests userinfo, refreshes, revokes, and sees the revocation."""
    start, place = command(script)
    asked = [*start, provider.issuer, provider.client_id, CALLBACK, SCOPE]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(asked, cwd=place, text=True, **pipes) as client:
        assert client.stdout is not None
        address = client.stdout.readline().strip()
        window = signed_in_window(provider)
        page = window.get(address)
        if page.url.startswith(provider.issuer):  # no consent page after an earlier consent
            page = window.submit(page, decision="allow")
        said, _ = client.communicate(page.url + "\n", timeout=120)
    assert client.returncode == 0
    assert json.loads(said) == {"name": "ada", "userinfo": "ada", "renewed": True, "after": "invalid_grant"}


def test_curl_walks_the_device_flow(provider: DemoProvider) -> None:
    """RFC 8628: device authorization request, a pending poll, approval, a successful poll, and an API call."""
    curl = [require("curl"), "--silent", "--show-error", "--max-time", "20"]

    def post(path: str, **form: str) -> dict[str, str]:
        data = [part for name, value in form.items() for part in ("--data-urlencode", f"{name}={value}")]
        done = subprocess.run([*curl, *data, provider.issuer + path], capture_output=True, check=True)
        answer: dict[str, str] = json.loads(done.stdout)
        return answer

    device = post("/device_authorization", client_id=provider.client_id, scope="measurements:read")
    poll = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "device_code": device["device_code"],
        "client_id": provider.client_id,
    }
    assert post("/token", **poll)["error"] == "authorization_pending"
    complete = urlsplit(device["verification_uri_complete"])
    assert parse_qs(complete.query)["user_code"] == [device["user_code"]]
    provider.approve(device["user_code"], name=newcomer())
    token = post("/token", **poll)
    assert token["token_type"] == "Bearer"
    header = ["--header", f"Authorization: Bearer {token['access_token']}"]
    called = [*curl, "--fail", *header, f"{provider.api}/measurements"]
    assert json.loads(subprocess.run(called, capture_output=True, check=True).stdout)
    assert post("/token", **poll)["error"] == "invalid_grant"
