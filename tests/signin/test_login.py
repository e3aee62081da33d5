"""login(): a thread of its own, three ways to wait, and an end that is always clear."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from contextlib import redirect_stderr
from typing import TYPE_CHECKING, Any

import pytest
import requests
from demo_session import stored
from screen import Screen
from servers import Server
from support import free_port, newcomer, nobody_listens, wait_for

import authnb
from authnb.errors import InteractionRequired, LoginFailed, LoginRequired, ProviderError
from authnb.signin.waiting import await_result
from authnb.views.text import TerminalView

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from authnb.demo import DemoProvider
    from authnb.signin.login import Login
    from authnb.storage.base import MemoryStorage

SCOPE = "openid profile email measurements:read"


def begin(demo: DemoProvider, storage: MemoryStorage, **more: Any) -> Login:
    options = {"mode": "loopback", "view": None, "scope": SCOPE, "api": demo.api, "client_id": demo.client_id}
    return authnb.login(demo.issuer, storage=storage, **{**options, **more})


def approve(demo: DemoProvider, login: Login) -> None:
    verification = login.verification()
    if verification.user_code is None:
        demo.visit(verification.uri, name="ada")
    else:
        demo.approve(verification.user_code, name="ada")


def deny(demo: DemoProvider, login: Login) -> None:
    """As somebody who never said yes before, or the provider would not ask."""
    verification = login.verification()
    if verification.user_code is None:
        demo.visit(verification.uri, name=newcomer(), allow=False)
    else:
        demo.deny(verification.user_code, name=newcomer())


_BEFORE: set[threading.Thread] = set()


@pytest.fixture(autouse=True)
def _threads_of_others() -> None:
    """A test of another file may leave a sign-in that still waits for its person."""
    _BEFORE.clear()
    _BEFORE.update(threading.enumerate())


def own_threads() -> list[threading.Thread]:
    return [
        thread
        for thread in threading.enumerate()
        if thread.name.startswith("authnb-login") and thread not in _BEFORE
    ]


def no_thread_is_left() -> bool:
    return own_threads() == []


def ended(login: Login) -> None:
    """The worker ends by itself soon after the login has."""
    for thread in own_threads():
        thread.join(5)
    assert no_thread_is_left()
    assert login.status not in {"starting", "waiting"}


@pytest.mark.parametrize("mode", ["loopback", "device"])
async def test_await(demo: DemoProvider, storage: MemoryStorage, mode: str) -> None:
    login = begin(demo, storage, mode=mode)
    approving = asyncio.to_thread(approve, demo, login)
    session, _ = await asyncio.gather(login, approving)
    assert session.user["preferred_username"] == "ada"
    assert session.get("/measurements").json()["total"] > 0
    assert login.session is session
    ended(login)


@pytest.mark.parametrize("mode", ["loopback", "device"])
def test_wait(demo: DemoProvider, storage: MemoryStorage, mode: str) -> None:
    login = begin(demo, storage, mode=mode)
    approve(demo, login)
    assert login.wait(10).user["preferred_username"] == "ada"
    assert login.status == "signed_in"
    ended(login)


@pytest.mark.parametrize("mode", ["loopback", "device"])
def test_deny(demo: DemoProvider, storage: MemoryStorage, mode: str) -> None:
    login = begin(demo, storage, mode=mode)
    deny(demo, login)
    with pytest.raises(LoginFailed) as caught:
        login.wait(10)
    assert caught.value.error == "access_denied"
    assert login.status == "failed"
    with pytest.raises(LoginRequired, match="declined"):
        _ = login.session
    ended(login)


@pytest.mark.parametrize("mode", ["loopback", "device"])
def test_cancel_is_at_once(demo: DemoProvider, storage: MemoryStorage, mode: str) -> None:
    login = begin(demo, storage, mode=mode)
    login.verification()
    threading.Timer(0.05, login.cancel).start()
    with pytest.raises(LoginFailed) as caught:
        login.wait(10)
    assert caught.value.error == "cancelled"
    ended(login)


async def test_a_cancelled_await_cancels_the_login(demo: DemoProvider, storage: MemoryStorage) -> None:
    """The kernel's Interrupt cancels the task of the cell."""
    login = begin(demo, storage)
    task = asyncio.ensure_future(login)
    await asyncio.to_thread(login.verification)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert login.status == "cancelled"
    ended(login)


def test_an_interrupted_wait_cancels_the_login(demo: DemoProvider, storage: MemoryStorage) -> None:
    login = begin(demo, storage)
    login.verification()
    main = threading.main_thread().ident
    assert main is not None

    def press_ctrl_c() -> None:
        wait_for(lambda: runs(await_result, sys._current_frames()[main]), "the main thread to wait")  # noqa: SLF001 - as documented
        signal.pthread_kill(main, signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    person = threading.Thread(target=press_ctrl_c)
    person.start()
    with pytest.raises(KeyboardInterrupt):
        login.wait(60)
    person.join()
    signal.signal(signal.SIGINT, before)
    assert login.status == "cancelled"
    ended(login)


def runs(function: Callable[..., object], frame: FrameType | None) -> bool:
    """Whether this frame is one of the function's, or below one."""
    while frame is not None and frame.f_code is not function.__code__:
        frame = frame.f_back
    return frame is not None


class Interrupted(TerminalView):
    """Ctrl-C comes as soon as it shows."""

    def open(self, _: Login) -> None:
        raise KeyboardInterrupt


@pytest.mark.parametrize("wait", [authnb.Login.wait, lambda login: next(login.__await__())])
def test_an_interrupt_while_the_view_opens_cancels_the_login(
    demo: DemoProvider, storage: MemoryStorage, wait: Callable[[Login], object]
) -> None:
    login = begin(demo, storage)
    login._view = Interrupted()  # noqa: SLF001 - the view of an environment in which a person is that fast
    with pytest.raises(KeyboardInterrupt):
        wait(login)
    assert (login.status, login.awaited) == ("cancelled", False)
    ended(login)


def test_session_before_the_end(demo: DemoProvider, storage: MemoryStorage) -> None:
    login = begin(demo, storage)
    login.verification()
    with pytest.raises(LoginRequired):
        _ = login.session
    with pytest.raises(TimeoutError):
        login.wait(0.01)
    assert login.status == "waiting", "a timeout of the one who waits does not end the sign-in"
    login.cancel()
    ended(login)


def test_a_kept_sign_in_asks_nobody_and_nothing(demo: DemoProvider, storage: MemoryStorage) -> None:
    login = begin(demo, storage)
    approve(demo, login)
    login.wait(10)
    again = begin(demo, storage)
    assert again.wait(10).user["preferred_username"] == "ada"
    with pytest.raises(LoginFailed, match="remembered"):
        again.verification()
    other = begin(demo, storage, profile="other")
    assert other.verification().uri
    other.cancel()
    wider = begin(demo, storage, scope=SCOPE + " offline_access")
    assert wider.verification().uri, "more is asked for than was granted"
    wider.cancel()


def test_sign_up_then_signed_in(demo: DemoProvider, storage: MemoryStorage) -> None:
    options = {"client_id": demo.client_id, "view": None, "mode": "loopback", "storage": storage}
    login = authnb.signup(demo.issuer, **options)
    assert "prompt=create" in login.verification().uri
    assert "device" not in login.modes, "there is no authorization request that could carry prompt=create"
    demo.visit(login.verification().uri, name="grace")
    assert login.wait(10).user["preferred_username"] == "grace"


def test_sign_up_where_the_provider_has_none(storage: MemoryStorage) -> None:
    with Server() as server:
        provider = authnb.Provider(server.url, authorization_endpoint=server.url, token_endpoint=server.url)
        login = authnb.signup(provider, client_id="c", view=None, mode="loopback", storage=storage)
        with pytest.raises(ProviderError, match="prompt=create"):
            login.wait(10)


def test_a_cold_login_makes_three_requests(
    demo: DemoProvider, storage: MemoryStorage, caplog: pytest.LogCaptureFixture
) -> None:
    """Metadata, keys while the person signs in, token: as urllib3 logs them on the login's threads."""
    with caplog.at_level("DEBUG", logger="urllib3.connectionpool"):
        login = begin(demo, storage)
        approve(demo, login)
        login.wait(10)
    said = [
        record.getMessage().split('"')[1]
        for record in caplog.records
        if record.threadName in {"authnb-login", "authnb-ready"} and "HTTP/" in record.getMessage()
    ]
    assert [line.rpartition(" ")[0] for line in said] == [
        "GET /.well-known/openid-configuration",
        "GET /jwks",
        "POST /token",
    ]


@pytest.mark.parametrize(
    "options", [{"mode": "auto"}, {"mode": "auto", "view": "text"}, {"mode": "device", "view": "text"}]
)
def test_nobody_there(
    demo: DemoProvider, storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    monkeypatch.setenv("AUTHNB_INTERACTIVE", "0")
    login = begin(demo, storage, **options)
    with pytest.raises(InteractionRequired, match="AUTHNB_INTERACTIVE"):
        login.wait(10)
    with pytest.raises(InteractionRequired):
        _ = login.session
    ended(login)


@pytest.mark.parametrize("bad", [{"mode": "carrier pigeon"}, {"view": "hologram"}])
def test_bad_arguments_are_refused_at_once(
    demo: DemoProvider, storage: MemoryStorage, bad: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match=next(iter(bad.values()))):
        begin(demo, storage, **bad)


def test_port_in_use(demo: DemoProvider, storage: MemoryStorage) -> None:
    with Server() as taken:
        login = begin(demo, storage, redirect_port=int(taken.url.rpartition(":")[2]))
        with pytest.raises(LoginFailed, match="in use"):
            login.wait(10)
    ended(login)


def test_somebody_elses_port_is_in_use(demo: DemoProvider, storage: MemoryStorage) -> None:
    """Nothing of ours is cancelled for it, though the same account waits for a pasted address with that port."""
    with Server() as taken:
        pasted = begin(demo, storage, mode="paste", redirect_port=taken.port)
        pasted.verification()
        with pytest.raises(LoginFailed, match="in use"):
            begin(demo, storage, redirect_port=taken.port).wait(10)
        assert pasted.status == "waiting"
        pasted.cancel()
    ended(pasted)


def test_wrong_client_secret(demo: DemoProvider, storage: MemoryStorage) -> None:
    login = begin(demo, storage, mode="device", client_id=demo.web_client_id, client_secret="wrong-secret-1")
    with pytest.raises(ProviderError) as caught:
        login.wait(10)
    assert caught.value.error in {"invalid_client", "unauthorized_client"}
    assert "wrong-secret-1" not in str(caught.value)


def test_provider_gone_half_way(demo: DemoProvider, storage: MemoryStorage) -> None:
    """The browser comes back with a code, and the token endpoint is no more."""
    with nobody_listens() as url:
        provider = authnb.Provider(
            demo.issuer,
            authorization_endpoint=demo.issuer + "/authorize",
            token_endpoint=url + "/token",
            jwks_uri=demo.issuer + "/jwks",
        )
        login = authnb.login(provider, client_id=demo.client_id, mode="loopback", view=None, storage=storage)
        demo.visit(login.verification().uri, name="ada")
        with pytest.raises(ProviderError) as caught:
            login.wait(10)
    assert caught.value.error == "unreachable"
    ended(login)


def test_errors_carry_no_frames_with_secrets(demo: DemoProvider, storage: MemoryStorage) -> None:
    """A verbose traceback prints the locals of every frame it shows."""
    login = begin(demo, storage)
    deny(demo, login)
    with pytest.raises(LoginFailed) as caught:
        login.wait(10)
    names = [frame.name for frame in caught.traceback]
    assert not {"drive", "loopback_flow", "_work"} & set(names)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_repr_shows_status_only(demo: DemoProvider, storage: MemoryStorage) -> None:
    login = begin(demo, storage)
    uri = login.verification().uri
    assert "waiting" in repr(login)
    assert uri not in repr(login)
    login.cancel()


def test_a_view_shows_each_state_once(
    demo: DemoProvider, storage: MemoryStorage, capsys: pytest.CaptureFixture[str]
) -> None:
    """To a person who opens the address once it is shown: a sign-in that has ended shows none."""
    with redirect_stderr(Screen()) as screen:
        login = begin(demo, storage, view="text")
        person = threading.Thread(
            target=lambda: screen.shows_address.wait() and approve(demo, login), daemon=True
        )
        person.start()
        login.wait(60)
        person.join()
    assert screen.getvalue().count("open this address") == 1
    assert screen.getvalue().count("Signed in as Ada") == 1
    assert capsys.readouterr() == ("", "")


def test_browser_is_opened_where_one_is_named(
    demo: DemoProvider, storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nobody there, the program BROWSER names is the person."""
    monkeypatch.setenv("AUTHNB_INTERACTIVE", "0")
    monkeypatch.setenv("BROWSER", f"{sys.executable} -m authnb.demo.person %s")
    login = begin(demo, storage, mode="auto", view="auto")
    assert login.wait(60).user["preferred_username"] == "ada"


@pytest.mark.parametrize("modes", [("loopback", "device"), ("device", "loopback")])
def test_another_mode_while_somebody_waits(
    demo: DemoProvider, storage: MemoryStorage, modes: tuple[str, str]
) -> None:
    """Who waits goes on waiting, whichever way the person takes in the end."""
    login = begin(demo, storage, mode=modes[0])
    login.verification()
    assert login.modes == (*modes, "paste")
    login.start_over(modes[1])
    approve(demo, login)
    assert login.wait(10).user["preferred_username"] == "ada"
    assert login.mode == modes[1]
    ended(login)


def test_signing_in_again_signs_in_the_session_that_the_caller_has(
    demo: DemoProvider, storage: MemoryStorage
) -> None:
    """And what was made of it; only if the same person did, and not if the session is signed in anyway."""
    login = begin(demo, storage, api=demo.api)
    approve(demo, login)
    session = login.wait(10)
    auth, archive = session.requests_auth, session.for_audience(demo.archive)
    assert archive.get("").status_code != 401
    session.logout()
    login.start_over()
    approve(demo, login)
    assert login.wait(10) is session
    assert login.leaves_session is False
    assert session.get("/stations").ok
    assert requests.get(f"{demo.api}/stations", auth=auth, timeout=20).ok
    assert archive.get("").status_code != 401
    assert stored(session).token == session.token

    login.start_over()  # a live session is left alone, and what is stored is used
    assert login.wait(10) is session
    assert session.get("/stations").ok

    session.logout()
    login.start_over()
    demo.visit(login.verification().uri, name="grace")
    other = login.wait(10)
    assert other is not session
    assert login.leaves_session is True
    assert other.user["preferred_username"] == "grace"
    with pytest.raises(LoginRequired, match="signed out"):
        session.get("/stations")
    ended(login)


def test_start_over_after_the_end(demo: DemoProvider, storage: MemoryStorage) -> None:
    """Even on a port that the try before still holds."""
    login = begin(demo, storage, redirect_port=free_port())
    login.verification()
    login.cancel()
    with pytest.raises(LoginFailed):
        login.wait(10)
    for _ in range(3):
        login.start_over()
    approve(demo, login)
    assert login.wait(10).user["preferred_username"] == "ada"
    ended(login)
