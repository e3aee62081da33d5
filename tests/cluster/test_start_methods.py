"""However a process was started, and however the kernel signed in, a share serves it; where it cannot, it says why."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from demo_session import age, renewer, sign_in

import authnb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from authnb.demo import DemoProvider
    from authnb.session.session import Session

# From Python 3.12 on, of every fork in a process with threads
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

METHODS = multiprocessing.get_all_start_methods()
SCOPE = "measurements:read"


@pytest.fixture(scope="module", params=[method for method in METHODS if method != "fork"])
def pool(request: pytest.FixtureRequest) -> Iterator[ProcessPoolExecutor]:
    """A process that was there before the share."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(request.param)) as executor:
        executor.submit(int).result()
        yield executor


@pytest.fixture
def token_file(demo: DemoProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Puts a new access token into the file that a job would be given, and returns it."""
    path = tmp_path / "token"

    def write() -> str:
        answer = requests.post(
            f"{demo.issuer}/token",
            data={"grant_type": "client_credentials", "scope": SCOPE},
            auth=(demo.job_client_id, demo.job_client_secret),
            timeout=20,
        )
        path.write_text(answer.json()["access_token"])
        return path.read_text()

    monkeypatch.setenv("AUTHNB_TOKEN_FILE", str(path))
    return write


@pytest.fixture
def client_credentials(demo: DemoProvider, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("AUTHNB_CLIENT_SECRET", demo.job_client_secret)
    return unattended(demo, "client_credentials")


def unattended(demo: DemoProvider, mode: str) -> Session:
    login = authnb.login(
        demo.issuer, client_id=demo.job_client_id, mode=mode, scope=SCOPE, api=demo.api, view=None
    )
    return login.wait(60)


def sent(api: Any) -> tuple[int, str]:
    """Of a call: the status, and the token that was sent."""
    response = api.get("/stations")
    return response.status_code, str(response.request.headers["Authorization"]).removeprefix("Bearer ")


def test_a_process_that_is_forked_from_a_server_or_spawned(
    demo: DemoProvider, pool: ProcessPoolExecutor
) -> None:
    api = sign_in(demo)
    with api.share_with(pool):
        assert pool.submit(sent, api).result() == (200, api.token["access_token"])
        age(api)
        renewer(api).client.revoke(api.token["access_token"], "access_token")
        assert pool.submit(sent, api).result() == (200, api.token["access_token"])


def test_each_process_of_a_pool(demo: DemoProvider) -> None:
    api = sign_in(demo)
    for method in METHODS:
        with api.share_with(multiprocessing), multiprocessing.get_context(method).Pool(1) as pool:
            assert pool.map(sent, [api] * 2) == [(200, api.token["access_token"])] * 2


def test_client_credentials(
    demo: DemoProvider, client_credentials: Session, pool: ProcessPoolExecutor
) -> None:
    """The secret is the kernel's alone."""
    api = client_credentials
    with api.share_with(pool):
        assert demo.job_client_secret.encode() not in pickle.dumps(api)
        before = api.token["access_token"]
        assert pool.submit(sent, api).result() == (200, before)
        renewer(api).client.revoke(before, "access_token")
        assert pool.submit(sent, api).result() == (200, api.token["access_token"])
        assert api.token["access_token"] != before


def test_a_token_from_a_file(
    demo: DemoProvider, token_file: Callable[[], str], pool: ProcessPoolExecutor
) -> None:
    """The kernel reads it again; a process gets what was read, and no name of a file."""
    first = token_file()
    api = unattended(demo, "token")
    with api.share_with(pool):
        assert pool.submit(sent, api).result() == (200, first)
        second = token_file()
        assert revoke(demo, first) == 200
        assert pool.submit(sent, api).result() == (200, second)
        assert revoke(demo, second) == 200
        assert (
            pool.submit(sent, api).result() == (401, second) == sent(api)
        )  # as here, where nothing newer is


def revoke(demo: DemoProvider, token: str) -> int:
    """The status of the provider's answer."""
    client = demo.job_client_id, demo.job_client_secret
    answer = requests.post(f"{demo.issuer}/revoke", data={"token": token}, auth=client, timeout=20)
    return answer.status_code


PROGRAM = "import pickle, sys; print(pickle.load(sys.stdin.buffer).get('/stations').status_code)"


def run(api: Any, *options: str, **environment: str) -> tuple[bytes, bytes]:
    """What a program that is given the session prints, and its error."""
    done = subprocess.run(
        [sys.executable, *options, "-c", PROGRAM],
        input=pickle.dumps(api),
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
    )
    return done.stdout, done.stderr


def test_a_program_of_its_own(
    demo: DemoProvider, client_credentials: Session, token_file: Callable[[], str]
) -> None:
    """However the kernel signed in."""
    token_file()
    for api in (client_credentials, unattended(demo, "token")):
        with api.share_with(subprocess):
            assert run(api) == (b"200\n", b"")


def test_another_version_is_named(demo: DemoProvider, tmp_path: Path) -> None:
    """Where its protocol is another; the token is not sent."""
    package = Path(authnb.__file__).parent
    shutil.copytree(package, tmp_path / "authnb", ignore=shutil.ignore_patterns("demo", "__pycache__"))
    grant = tmp_path / "authnb" / "cluster" / "grant.py"
    text = grant.read_text(encoding="utf-8")
    assert "\nPROTOCOL = 1 " in text
    grant.write_text(text.replace("\nPROTOCOL = 1 ", "\nPROTOCOL = 2 "), encoding="utf-8")
    api = sign_in(demo)
    with api.share_with(subprocess) as share:
        out, error = run(api, "-P", PYTHONPATH=str(tmp_path))
        assert out == b""
        assert b"Install the same version in both" in error
        assert error.rstrip().endswith(b"[version_mismatch]")
        assert share.holders == ()


def test_a_program_without_authnb_says_so(demo: DemoProvider) -> None:
    api = sign_in(demo)
    with api.share_with(subprocess):
        out, error = run(api, "-I", "-S")
    assert out == b""
    assert error.rstrip().endswith(b"No module named 'authnb'")
