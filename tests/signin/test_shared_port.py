"""Several sign-ins at one fixed port: each callback goes to the sign-in whose path and state it carries."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from other_sign_in import other_sign_in
from screen import Screen
from servers import Server
from support import free_port, newcomer

import authnb
from authnb.demo import DemoProvider
from authnb.errors import LoginFailed, LoginTimeout
from authnb.storage.base import MemoryStorage
from authnb.views.card import card
from authnb.views.text import text_lines

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from urllib.parse import SplitResult

    from authnb.signin.login import Login


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoProvider]:
    """Where the client has two redirect URIs."""
    with DemoProvider(redirect_uris=["http://127.0.0.1/second/callback"]) as provider:
        yield provider


@pytest.fixture(scope="module")
def other_demo() -> Iterator[DemoProvider]:
    with DemoProvider() as provider:
        yield provider


def begin(demo: DemoProvider, port: int, **more: Any) -> Login:
    options = {"client_id": demo.client_id, "view": None, "storage": MemoryStorage(), **more}
    return authnb.login(demo.issuer, mode="loopback", redirect_port=port, **options)


def redirect_uri(login: Login) -> SplitResult:
    return urlsplit(parse_qs(urlsplit(login.verification().uri).query)["redirect_uri"][0])


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def finish(demo: DemoProvider, login: Login, name: str) -> None:
    demo.visit(login.verification().uri, name=name)
    assert login.wait(10).user["preferred_username"] == name


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {}),
        ({"profile": "home"}, {"profile": "work"}),
        ({"storage": MemoryStorage()}, {"storage": MemoryStorage()}),
        ({}, {"redirect_path": "/second/callback"}),
    ],
    ids=["a cell run twice", "two accounts", "two visitors", "two paths"],
)
def test_two_sign_ins_share_a_port(
    demo: DemoProvider, storage: MemoryStorage, first: dict[str, Any], second: dict[str, Any]
) -> None:
    """Neither is cancelled, each is finished by its own person, in any order, and the port closes with the last."""
    port, (ada, grace) = free_port(), (newcomer(), newcomer())
    logins = [begin(demo, port, **{"storage": storage, **more}) for more in (first, second)]
    assert {redirect_uri(login).port for login in logins} == {port}
    finish(demo, logins[1], grace)
    assert logins[0].status == "waiting"
    assert not is_free(port)
    finish(demo, logins[0], ada)
    assert logins[1].session.user["preferred_username"] == grace
    assert is_free(port)


def test_two_providers_share_a_port(demo: DemoProvider, other_demo: DemoProvider) -> None:
    port, (ada, grace) = free_port(), (newcomer(), newcomer())
    first, second = begin(demo, port), begin(other_demo, port)
    assert redirect_uri(first) == redirect_uri(second)
    finish(other_demo, second, grace)
    finish(demo, first, ada)
    assert first.session.user["iss"] == demo.issuer
    assert is_free(port)


def test_many_threads_share_a_port(demo: DemoProvider) -> None:
    """As the visitors of a web server do; all sign in at the same time."""
    port, names = free_port(), [newcomer() for _ in range(6)]

    def sign_in(name: str) -> None:
        finish(demo, begin(demo, port), name)

    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(sign_in, names))
    assert is_free(port)


@pytest.mark.parametrize(
    "tampered", [{"state": "guess"}, {"path": "/second/callback"}], ids=["state", "path"]
)
def test_a_callback_of_neither_goes_to_nobody(demo: DemoProvider, tampered: dict[str, str]) -> None:
    """A wrong state, or the path of one sign-in with the state of the other (mix-up, RFC 9700 section 4.4)."""
    port = free_port()
    logins = begin(demo, port), begin(demo, port, redirect_path="/second/callback")
    uris = [redirect_uri(login) for login in logins]
    state = tampered.get("state") or parse_qs(urlsplit(logins[0].verification().uri).query)["state"][0]
    for uri in uris if "state" in tampered else uris[1:]:
        answer = requests.get(f"{uri.geturl()}?code=c&state={state}&iss={demo.issuer}", timeout=10)
        assert answer.status_code == 400
    for login in logins:
        finish(demo, login, newcomer())


def test_a_cancelled_sign_in_leaves_the_port_to_the_others(demo: DemoProvider) -> None:
    port = free_port()
    first, second = begin(demo, port), begin(demo, port)
    for login in (first, second):
        login.verification()
    first.cancel()
    first._attempt.join()  # noqa: SLF001 - when it has left the port
    finish(demo, second, newcomer())
    assert is_free(port)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def other(demo: DemoProvider, port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process whose sign-in has the port, and the address at which its person signs in."""
    with other_sign_in(demo.issuer, demo.client_id, port) as started:
        yield started


def held_up(login: Login) -> str:
    """Why the person cannot sign in yet, once that is known, and as a panel and a text show it."""
    known = threading.Event()
    login.observe(lambda login: known.set() if login.pending or login.error else None)
    assert known.wait(30)
    shown = card(login, cell_stopped=False, notes="", clicks_unheard=None, page={})
    assert login.pending in str(shown["body"])
    assert login.pending in text_lines(login)
    return login.pending


def test_another_process_has_the_port(
    demo: DemoProvider, port: int, other: tuple[subprocess.Popen[str], str]
) -> None:
    """The sign-in waits for that one, which nothing disturbs, and says so; then it goes on by itself."""
    process, address = other
    login = begin(demo, port)
    assert held_up(login) == f"Port {port} is in use by another sign-in; waiting for it."
    assert login.status == "starting"
    demo.visit(address, name="grace")
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "grace"
    login.verification(30)
    assert login.pending == ""
    finish(demo, login, "ada")


def test_another_process_with_the_port_is_killed(
    demo: DemoProvider, port: int, other: tuple[subprocess.Popen[str], str]
) -> None:
    login = begin(demo, port)
    held_up(login)
    other[0].kill()
    login.verification(30)
    finish(demo, login, "ada")


def test_a_terminal_says_what_it_waits_for(
    demo: DemoProvider, port: int, other: tuple[subprocess.Popen[str], str]
) -> None:
    """Once, before the address to open."""
    with redirect_stderr(Screen()) as screen:
        login = begin(demo, port, view="text")

        def people() -> None:
            held_up(login)
            with pytest.raises(LoginTimeout, match="waiting for it"):
                login.verification(0)
            demo.visit(other[1])
            assert screen.shows_address.wait(30)
            demo.visit(login.verification(0).uri)

        with ThreadPoolExecutor(1) as pool:
            visits = pool.submit(people)
            login.wait(60)
            visits.result()
    shown = screen.getvalue()
    assert shown.count("in use by another sign-in") == 1
    assert shown.index("in use by another sign-in") < shown.index("open this address")


@pytest.mark.usefixtures("other")
def test_the_wait_for_a_port_ends(demo: DemoProvider, port: int) -> None:
    """With the time of the sign-in, or when it is cancelled, or begun in a mode without a port."""
    with pytest.raises(LoginFailed, match=f"{port} was in use by another sign-in for 1 seconds") as caught:
        begin(demo, port, timeout=1).wait(30)
    assert caught.value.error == "port_in_use"
    login = begin(demo, port)
    held_up(login)
    login.start_over("device")
    assert login.verification(30).user_code is not None
    login.start_over("loopback")
    held_up(login)
    login.cancel()
    with pytest.raises(LoginFailed) as caught:
        login.wait(5)
    assert caught.value.error == "cancelled"


@pytest.mark.parametrize("answers", ["another page", "nothing", "a byte now and then", "no connection"])
def test_something_else_has_the_port(demo: DemoProvider, answers: str) -> None:
    """What does not say that it is a sign-in is not waited for."""
    stop = threading.Event()

    def drip(server: socket.socket) -> None:
        with suppress(OSError):
            while connection := server.accept()[0]:
                with connection, suppress(OSError):
                    while not stop.wait(0.1):
                        connection.sendall(b"x")

    with Server() as page, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = page.port if answers == "another page" else taken.getsockname()[1]
        if answers != "no connection":
            taken.listen()
        if answers == "a byte now and then":
            threading.Thread(target=drip, args=[taken], daemon=True).start()
        login = begin(demo, port)
        with pytest.raises(LoginFailed, match="in use or not allowed"):
            login.wait(30)
        stop.set()
        with suppress(OSError):  # wakes the thread that accepts
            taken.shutdown(socket.SHUT_RDWR)
    assert login.pending == ""
