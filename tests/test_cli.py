"""``authnb demo`` in one terminal, strangers in another."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session

from authnb.__main__ import main
from authnb.demo import Person
from authnb.redirects import LoopbackListener

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def told() -> Iterator[dict[str, str]]:
    """What ``authnb demo`` prints: issuer, client, secret, api."""
    command = [sys.executable, "-m", "authnb", "demo"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or "Ctrl-C" not in lines[-1]:
            lines.append(process.stdout.readline())
        pairs = [re.split(r"\s{2,}", line.strip()) for line in lines]
        yield {
            pair[0] + ("" if pair[0] != "client_id" else "_" + pair[1]): pair[1]
            for pair in pairs
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
    assert session.get(told["api"]).json()["total"] > 0


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
