"""What may go wrong while a token is renewed: the refresh token survives, and the next call tries again."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from demo_session import age, aged, renewer, sign_in, stored
from servers import Server
from support import nobody_listens

from authnb.errors import LoginRequired, ProviderError
from authnb.storage.files import FileStorage
from authnb.transport.bounded import RESPONSE_TIMEOUT

if TYPE_CHECKING:
    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.demo import DemoProvider
    from authnb.session.session import Session


def set_response_timeout(session: Session, seconds: float) -> None:
    object.__setattr__(renewer(session).client.provider, "response_timeout", seconds)


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        ("500", "server_error"),
        ("503", "temporarily_unavailable"),
        ("html", "invalid_response"),
        ("empty", "invalid_response"),
        ("list", "invalid_response"),
        ("no token", "invalid_response"),
        ("redirect", "invalid_response"),
        ("reset", "unreachable"),
        ("stall", "timeout"),
    ],
)
def test_a_fault_loses_nothing(
    session: Session, token_proxy: TokenEndpointProxy, outcome: str, error: str
) -> None:
    """The caller gets an error, the refresh token stays, and the next call renews: by one request each."""
    if outcome == "stall":
        set_response_timeout(session, 2)
    with Server() as elsewhere:
        token_proxy.elsewhere = elsewhere.url + "/token"
        token_proxy.outcome = lambda: outcome
        age(session)
        before = dict(session.token)
        with pytest.raises(ProviderError) as caught:
            session.get("/stations")
        assert elsewhere.requests == []
    assert caught.value.error == error
    assert session.token == before
    assert stored(session).token == before
    token_proxy.outcome = lambda: "pass"
    set_response_timeout(session, RESPONSE_TIMEOUT)
    assert session.get("/stations").ok
    assert token_proxy.outcomes == [outcome, "pass"]


@pytest.mark.parametrize("outcome", ["500", "503", "html", "message", "reset", "stall", "denied"])
def test_a_fault_in_good_time_is_not_noticed(
    session: Session, token_proxy: TokenEndpointProxy, outcome: str
) -> None:
    """While the old token still lives, calls succeed whatever the provider does; and it is not flooded."""
    if outcome == "stall":
        set_response_timeout(session, 2)
    token_proxy.outcome = lambda: outcome
    age(session, left=100)
    assert [session.get("/stations").status_code for _ in range(5)] == [200] * 5
    assert token_proxy.outcomes == [outcome]


def test_the_provider_is_down(session: Session) -> None:
    """Nobody listens at the token endpoint; then somebody does again."""
    provider = renewer(session).client.provider
    endpoint = provider.token_endpoint
    with nobody_listens() as url:
        object.__setattr__(provider, "token_endpoint", f"{url}/token")
        age(session)
        with pytest.raises(ProviderError) as caught:
            session.get("/stations")
    assert caught.value.error == "unreachable"
    object.__setattr__(provider, "token_endpoint", endpoint)
    assert session.get("/stations").ok


@pytest.mark.parametrize("outcome", ["lost", "half"])
def test_rotated_but_the_answer_never_came(
    demo: DemoProvider, session: Session, token_proxy: TokenEndpointProxy, outcome: str
) -> None:
    """The provider has used up our refresh token and we never saw the next: the RFC leaves one new sign-in."""
    token_proxy.outcome = lambda: outcome
    age(session)
    with pytest.raises(ProviderError):
        session.get("/stations")
    token_proxy.outcome = lambda: "pass"
    with pytest.raises(LoginRequired, match="signs in again"):
        session.get("/stations")
    again = sign_in(demo, token_proxy, storage=renewer(session).storage)
    assert again.get("/stations").ok
    session.token = aged(session.token, -1)
    assert session.get("/stations").ok, "the session in the other notebook finds the new sign-in by itself"


@pytest.mark.skipif(os.name != "posix", reason="needs a way to interrupt a process")
def test_an_interrupt_does_not_lose_what_is_under_way(
    demo: DemoProvider, token_proxy: TokenEndpointProxy, tmp_path: Path
) -> None:
    """Ctrl-C in the midst of a renewal: the cell ends at once, the answer is kept, the next cell uses it."""
    asked, answer = threading.Event(), threading.Event()

    def slow() -> str:
        asked.set()
        answer.wait(60)
        return "pass"

    token_proxy.outcome = slow
    session = sign_in(demo, token_proxy, storage=FileStorage(tmp_path))
    age(session)
    command = [sys.executable, str(Path(__file__).parents[1] / "helpers" / "interrupted_renewal.py")]
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
    assert token_proxy.outcomes == ["pass"]


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


def test_32_threads_share_a_failure(session: Session, token_proxy: TokenEndpointProxy) -> None:
    """A provider in trouble is asked once for all who wait, not once for each in turn."""
    turnstile = session.token_auth.renewal_lock = Turnstile()

    def once_all_wait() -> str:
        for _ in range(32):
            turnstile.passed.acquire()
        return "503"

    token_proxy.outcome = once_all_wait
    age(session)

    def call(_: int) -> str:
        with pytest.raises(ProviderError) as caught:
            session.get("/stations")
        return caught.value.error

    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(call, range(32))) == ["temporarily_unavailable"] * 32
    assert token_proxy.outcomes == ["503"]


def test_invalid_grant_looks_into_the_store_first(session: Session, token_proxy: TokenEndpointProxy) -> None:
    """Another process renewed and our lock did not hold it off: what it obtained is used."""
    kept = renewer(session)
    newer = aged(stored(session).token, 3000)
    age(session)
    newer["access_token"] = newer["access_token"][::-1]

    def outcome() -> str:
        kept.storage.save(kept.account, replace(stored(session), token=newer))
        return "denied"

    token_proxy.outcome = outcome
    assert session.headers_for("/stations")["Authorization"].endswith(newer["access_token"])


def test_invalid_grant_says_how_to_go_on(session: Session, token_proxy: TokenEndpointProxy) -> None:
    token_proxy.outcome = lambda: "denied"
    age(session)
    with pytest.raises(LoginRequired, match="Run the cell that signs in again"):
        session.get("/stations")


def test_errors_show_no_token(session: Session, token_proxy: TokenEndpointProxy) -> None:
    """Neither text nor the locals of any frame in the traceback hold a token, as verbose tracebacks print them."""
    token_proxy.outcome = lambda: "500"
    age(session)
    secrets = [session.token[name] for name in ("access_token", "refresh_token", "id_token")]
    with pytest.raises(ProviderError) as caught:
        session.get("/stations")
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    text = "".join(shown.format()) + repr(session) + repr(session.token_auth) + repr(renewer(session))
    text += repr(session.headers_for) + repr(stored(session))
    mine = [secret for secret in secrets if secret in text.replace(repr(secrets), "")]
    assert mine == []
    for part in ("session.get(", "<Session signed in as 'Ada'>", "<TokenAuth Token("):
        assert part in text
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


def test_token_calls_carry_nothing_of_the_api(session: Session, token_proxy: TokenEndpointProxy) -> None:
    session.cookies.set("visited", "api")
    session.headers["X-Api"] = "yes"
    age(session)
    session.get("/stations")
    (headers,) = token_proxy.headers
    assert not {"cookie", "x-api", "authorization"} & {name.lower() for name in headers}
