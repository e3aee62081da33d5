"""What may go wrong while a token is renewed: the refresh token survives, and the next call tries again."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers import Server
from signed_in import age, aged, keeper, sign_in, stored

from authnb.errors import LoginRequired, ProviderError
from authnb.files import FileStorage

if TYPE_CHECKING:
    from between import Between

    from authnb.demo import DemoProvider
    from authnb.session import Session


@pytest.mark.parametrize(
    ("fate", "error"),
    [
        ("500", "server_error"),
        ("503", "temporarily_unavailable"),
        ("html", "invalid_response"),
        ("message", "invalid_response"),
        ("empty", "invalid_response"),
        ("list", "invalid_response"),
        ("no token", "invalid_response"),
        ("redirect", "invalid_response"),
        ("reset", "unreachable"),
        ("stall", "timeout"),
    ],
)
def test_a_fault_loses_nothing(session: Session, between: Between, fate: str, error: str) -> None:
    """The caller gets an error, the refresh token stays, and the next call renews: by one request each."""
    with Server() as elsewhere:
        between.elsewhere = elsewhere.url + "/token"
        between.fate = lambda: fate
        age(session)
        before = dict(session.token)
        with pytest.raises(ProviderError) as caught:
            session.get("/stations")
        assert elsewhere.requests == []
    assert caught.value.error == error
    assert session.token == before
    assert stored(session).token == before
    between.fate = lambda: "pass"
    assert session.get("/stations").ok
    assert between.fates == [fate, "pass"]


@pytest.mark.parametrize("fate", ["500", "503", "html", "message", "reset", "denied"])
def test_a_fault_in_good_time_is_not_noticed(session: Session, between: Between, fate: str) -> None:
    """While the old token still lives, calls succeed whatever the provider does; and it is not flooded."""
    between.fate = lambda: fate
    age(session, left=100)
    assert [session.get("/stations").status_code for _ in range(5)] == [200] * 5
    assert between.fates == [fate]


def test_the_provider_is_down(session: Session) -> None:
    """Nobody listens at the token endpoint; then somebody does again."""
    provider = keeper(session).client.provider
    endpoint = provider.token_endpoint
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        object.__setattr__(provider, "token_endpoint", f"http://127.0.0.1:{nobody.getsockname()[1]}/token")
        age(session)
        with pytest.raises(ProviderError) as caught:
            session.get("/stations")
    assert caught.value.error == "unreachable"
    object.__setattr__(provider, "token_endpoint", endpoint)
    assert session.get("/stations").ok


@pytest.mark.parametrize("fate", ["lost", "half"])
def test_rotated_but_the_answer_never_came(
    demo: DemoProvider, session: Session, between: Between, fate: str
) -> None:
    """The provider has used up our refresh token and we never saw the next: the RFC leaves one new sign-in."""
    between.fate = lambda: fate
    age(session)
    with pytest.raises(ProviderError):
        session.get("/stations")
    between.fate = lambda: "pass"
    with pytest.raises(LoginRequired, match="signs in again"):
        session.get("/stations")
    again = sign_in(demo, between, storage=keeper(session).storage)
    assert again.get("/stations").ok
    session.token = aged(session.token, -1)
    assert session.get("/stations").ok, "the session in the other notebook finds the new sign-in by itself"


@pytest.mark.skipif(os.name != "posix", reason="needs a way to interrupt a process")
def test_an_interrupt_does_not_lose_what_is_under_way(
    demo: DemoProvider, between: Between, tmp_path: Path
) -> None:
    """Ctrl-C in the midst of a renewal: the cell ends at once, the answer is kept, the next cell uses it."""
    asked, answer = threading.Event(), threading.Event()

    def slow() -> str:
        asked.set()
        answer.wait(60)
        return "pass"

    between.fate = slow
    session = sign_in(demo, between, storage=FileStorage(tmp_path))
    age(session)
    command = [sys.executable, str(Path(__file__).parent / "interrupted.py")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(pickle.dumps(session))
        process.stdin.flush()
        assert asked.wait(60)
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == b"interrupted\n"
        answer.set()
        process.stdin.close()
        assert process.stdout.read() == b"200\n"
    assert process.returncode == 0
    assert between.fates == ["pass"]


class Turnstile:
    """A lock that counts who has been through it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.passed = threading.Semaphore(0)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        self.passed.release()


def test_32_threads_share_a_failure(session: Session, between: Between) -> None:
    """A provider in trouble is asked once for all who wait, not once for each in turn."""
    turnstile = session.token_auth.renewing = Turnstile()

    def once_all_wait() -> str:
        for _ in range(32):
            turnstile.passed.acquire()
        return "503"

    between.fate = once_all_wait
    age(session)

    def call(_: int) -> str:
        with pytest.raises(ProviderError) as caught:
            session.get("/stations")
        return caught.value.error

    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(call, range(32))) == ["temporarily_unavailable"] * 32
    assert between.fates == ["503"]


def test_invalid_grant_looks_into_the_store_first(session: Session, between: Between) -> None:
    """Another process renewed and our lock did not hold it off: what it obtained is used."""
    kept = keeper(session)
    newer = aged(stored(session).token, 3000)
    age(session)
    newer["access_token"] = newer["access_token"][::-1]

    def fate() -> str:
        kept.storage.save(kept.account, replace(stored(session), token=newer))
        return "denied"

    between.fate = fate
    assert session.headers_for("/stations")["Authorization"].endswith(newer["access_token"])


def test_invalid_grant_says_how_to_go_on(session: Session, between: Between) -> None:
    between.fate = lambda: "denied"
    age(session)
    with pytest.raises(LoginRequired, match="Run the cell that signs in again"):
        session.get("/stations")


def test_errors_show_no_token(session: Session, between: Between) -> None:
    """Neither text nor the locals of any frame in the traceback hold a token, as verbose tracebacks print them."""
    between.fate = lambda: "500"
    age(session)
    secrets = [session.token[name] for name in ("access_token", "refresh_token", "id_token")]
    with pytest.raises(ProviderError) as caught:
        session.get("/stations")
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    text = "".join(shown.format()) + repr(session) + repr(session.token_auth) + repr(keeper(session))
    text += repr(session.headers_for) + repr(stored(session))
    mine = [secret for secret in secrets if secret in text.replace(repr(secrets), "")]
    assert mine == []
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


def test_token_calls_carry_nothing_of_the_api(session: Session, between: Between) -> None:
    session.cookies.set("visited", "api")
    session.headers["X-Api"] = "yes"
    age(session)
    session.get("/stations")
    (headers,) = between.headers
    assert not {"cookie", "x-api", "authorization"} & {name.lower() for name in headers}
