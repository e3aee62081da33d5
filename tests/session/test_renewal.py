"""One renewal for all: threads, processes, and what other processes obtained."""

from __future__ import annotations

import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest
from demo_session import age, aged, renewer, sign_in, stored
from token_endpoint_proxy import TokenEndpointProxy
from worker_processes import WorkerProcesses

from authnb.demo import DemoProvider
from authnb.errors import LoginRequired, ProviderError
from authnb.session.renewal import expires_soon
from authnb.storage.base import MemoryStorage
from authnb.storage.files import FileStorage
from authnb.transport.clock import Clock

if TYPE_CHECKING:
    from pathlib import Path


def test_a_stampede_of_threads_makes_one_renewal(demo: DemoProvider, token_proxy: TokenEndpointProxy) -> None:
    """32 threads at the same moment, three times over: one refresh each time, and every call succeeds."""
    session = sign_in(demo, token_proxy)
    for time_over in range(1, 4):
        age(session)
        start = threading.Barrier(32)

        def call(_: int, start: threading.Barrier = start) -> int:
            start.wait()
            return session.get("/stations").status_code

        with ThreadPoolExecutor(32) as pool:
            assert list(pool.map(call, range(32))) == [200] * 32
        assert token_proxy.outcomes == ["pass"] * time_over


def test_sessions_of_one_process_share_a_renewal(demo: DemoProvider, token_proxy: TokenEndpointProxy) -> None:
    """Two cells that signed in hold two sessions of one account: the second adopts what the first obtained."""
    storage = MemoryStorage()
    first = sign_in(demo, token_proxy, storage=storage)
    second = type(first).from_sign_in(
        renewer(first).client, first.token, account=renewer(first).account, storage=storage, api=demo.api
    )
    age(first)
    second.token = first.token
    assert [s.get("/stations").status_code for s in (first, second)] == [200, 200]
    assert first.token["access_token"] == second.token["access_token"]
    assert token_proxy.outcomes == ["pass"]


def test_a_stampede_of_processes_makes_one_renewal_an_expiry(tmp_path: Path) -> None:
    """8 processes through several lives of a 2-second token: nobody fails, and the family stays alive."""
    with DemoProvider(access_token_lifetime=2) as demo, TokenEndpointProxy(demo.issuer) as token_proxy:
        session = sign_in(demo, token_proxy, storage=FileStorage(tmp_path))
        with WorkerProcesses(session, 8) as workers:
            assert token_proxy.wait_for(len(token_proxy.outcomes) + 4)
            reports = workers.stop()
        assert [failure for report in reports for failure in report["failures"]] == []
        assert all(report["refused"] == 0 for report in reports)
        assert all(report["calls"] > 0 for report in reports)
        assert sum(report["renewals"] for report in reports) == len(token_proxy.outcomes)
        assert sum(report["early"] for report in reports) == 0, "one renewal an expiry"
        assert session.get("/stations").status_code == 200


def test_what_another_process_obtained_is_adopted(
    demo: DemoProvider, token_proxy: TokenEndpointProxy, tmp_path: Path
) -> None:
    session = sign_in(demo, token_proxy, storage=FileStorage(tmp_path))
    other = pickle.loads(pickle.dumps(session))  # noqa: S301 - our own
    age(other)
    assert other.get("/stations").ok
    session.token = aged(session.token, -1)
    assert session.get("/stations").ok
    assert session.token["access_token"] == other.token["access_token"]
    assert token_proxy.outcomes == ["pass"]


def test_saved_before_used(demo: DemoProvider, token_proxy: TokenEndpointProxy) -> None:
    """When the first request goes out with a new token, that token is stored already."""
    session = sign_in(demo, token_proxy)
    seen: list[bool] = []

    def look(url: str, headers: dict[str, str], body: object) -> tuple[str, dict[str, str], object]:
        seen.append(stored(session).token["access_token"] in headers["Authorization"])
        return url, headers, body

    session.register_compliance_hook("protected_request", look)
    age(session)
    session.get("/stations")
    assert seen == [True]


def test_a_token_that_lives_on_is_not_waited_for(demo: DemoProvider, token_proxy: TokenEndpointProxy) -> None:
    """Near its end one thread renews, here against a provider that says nothing; the others go on meanwhile."""
    token_proxy.outcome = lambda: "stall"
    session = sign_in(demo, token_proxy)
    age(session, left=100)
    slow = threading.Thread(target=session.get, args=("/stations",), daemon=True)
    slow.start()
    assert token_proxy.wait_for(1)
    assert session.get("/stations").ok
    assert slow.is_alive()
    token_proxy.over.set()  # it ends the connection
    slow.join(40)
    assert not slow.is_alive()
    assert session.get("/stations").ok, "the one that tried goes on with the old token too"


@pytest.mark.parametrize(
    ("expires_in", "left", "soon"),
    [
        (3600, 300, False),
        (3600, 230, True),
        (20, 6, False),
        (20, 4, True),
        (2, 1, False),
        (2, 0.4, True),
        (None, 300, False),
        (None, 200, True),
        (0, 0, True),
        ("3600", 200, True),
    ],
)
def test_renewed_in_good_time(expires_in: object, left: float, soon: bool) -> None:
    """Four minutes early, but never in the first three quarters of a token's life."""
    assert expires_soon({"expires_in": expires_in, "expires_at": 1000 + left}, 1000) is soon


@pytest.mark.parametrize("token", [{}, {"expires_at": None}, {"expires_at": "tomorrow"}])
def test_what_names_no_end_has_none(token: dict[str, object]) -> None:
    assert not expires_soon(token, 1e12)


def test_a_short_lived_token_is_not_renewed_on_every_call() -> None:
    with DemoProvider(access_token_lifetime=20) as short, TokenEndpointProxy(short.issuer) as token_proxy:
        session = sign_in(short, token_proxy)
        assert [session.get("/stations").status_code for _ in range(5)] == [200] * 5
        assert token_proxy.outcomes == []


def test_granted_scope_and_identity_are_kept(demo: DemoProvider, token_proxy: TokenEndpointProxy) -> None:
    session = sign_in(demo, token_proxy)
    before = dict(session.token)
    age(session)
    session.get("/stations")
    assert session.token["scope"] == before["scope"]
    assert session.user["sub"] == before["userinfo"]["sub"]
    assert stored(session).scope


def test_no_refresh_token(demo: DemoProvider) -> None:
    session = sign_in(demo)
    token = {**aged(session.token, -1)}
    del token["refresh_token"]
    session.token = token
    kept = renewer(session)
    kept.storage.remove(kept.account)
    with pytest.raises(LoginRequired, match="offline_access"):
        session.get("/stations")


def test_somebody_else_in_the_same_profile(demo: DemoProvider, token_proxy: TokenEndpointProxy) -> None:
    """Another person signed in under the same profile: neither gets the other's token."""
    storage = MemoryStorage()
    ada = sign_in(demo, token_proxy, storage=storage)
    storage.remove(renewer(ada).account)
    grace = sign_in(demo, token_proxy, name="grace", storage=storage)
    ada.token = aged(ada.token, -1)
    assert ada.get("/stations").ok
    assert ada.user["preferred_username"] == "ada"
    assert stored(grace).token["userinfo"]["preferred_username"] == "grace"


def test_signed_out_elsewhere(demo: DemoProvider, token_proxy: TokenEndpointProxy, tmp_path: Path) -> None:
    """What another process removed does not come back."""
    session = sign_in(demo, token_proxy, storage=FileStorage(tmp_path))
    other = pickle.loads(pickle.dumps(session))  # noqa: S301 - our own
    other.logout()
    session.token = aged(session.token, -1)
    with pytest.raises(LoginRequired, match="signs in again"):
        session.get("/stations")
    assert renewer(session).storage.load(renewer(session).account) is None


# Clocks


class Watch:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.wall, self.steady = 1_700_000_000.0, 50.0

    def clock(self) -> Clock:
        """Its clock."""
        return Clock(wall=lambda: self.wall, steady=lambda: self.steady)


def test_asleep_the_steady_clock_stands_still() -> None:
    watch = Watch()
    clock = watch.clock()
    watch.wall += 8 * 3600
    watch.steady += 5
    assert clock.now() == watch.wall


def test_a_wall_clock_set_back_does_not_make_a_token_young() -> None:
    watch = Watch()
    clock, before = watch.clock(), watch.wall
    watch.wall -= 3600
    watch.steady += 100
    assert clock.now() == before + 100


@pytest.mark.parametrize(
    ("date", "ahead"),
    [
        ("Tue, 14 Nov 2023 23:13:20 GMT", 3600),
        ("Tue, 14 Nov 2023 21:13:20 GMT", -3600),
        ("Tue, 14 Nov 2023 22:13:23 GMT", 0),
        ("soon", 0),
        ("", 0),
        (None, 0),
        ("Tue, 14 Nov 99999 22:13:23 GMT", 0),
    ],
)
def test_the_provider_says_what_time_it_is(date: str | None, ahead: int) -> None:
    watch = Watch()
    clock = watch.clock()
    clock.synchronize(date)
    assert clock.now() == watch.wall + ahead


@pytest.mark.parametrize("slept", [6.0, 8 * 3600.0])
@pytest.mark.parametrize("wrong", [0.0, 7200.0, -7200.0])
def test_an_answer_that_was_slept_over_is_old(slept: float, wrong: float) -> None:
    """Asleep between the provider's answer and its being read: its date says nothing of now."""
    watch = Watch()
    clock = watch.clock()
    there = watch.wall - wrong
    date = formatdate(there, usegmt=True)
    clock.synchronize(date)
    asked = clock.local_time()
    watch.wall += slept
    assert clock.synchronize(date, asked) == there
    assert clock.now() == there + slept


@pytest.mark.parametrize("wrong", [-7200.0, 7200.0])
def test_a_wrong_local_clock_changes_nothing(
    demo: DemoProvider, token_proxy: TokenEndpointProxy, wrong: float
) -> None:
    """This machine's clock is two hours off: sign-in, ID token, expiry and renewal go by the provider's."""
    session = sign_in(demo, token_proxy, clock_error=wrong)
    assert session.get("/stations").ok
    assert token_proxy.outcomes == []
    age(session)
    for _ in range(3):
        assert session.get("/stations").ok
    assert abs(session.token["expires_at"] - time.time() - session.token["expires_in"]) < 10
    assert token_proxy.outcomes == ["pass"]


@pytest.mark.parametrize(("jump", "renewals"), [(8 * 3600.0, 1), (-48 * 3600.0, 0)])
def test_the_clock_jumps_under_a_session(
    demo: DemoProvider, token_proxy: TokenEndpointProxy, jump: float, renewals: int
) -> None:
    """A laptop that slept for a night renews once; one whose clock was set back goes on, and renews when it must."""
    session = sign_in(demo, token_proxy)
    off = [0.0]
    clock = Clock(wall=lambda: time.time() + off[0])
    object.__setattr__(renewer(session).client.provider, "clock", clock)
    off[0] = jump
    assert [session.get("/stations").status_code for _ in range(3)] == [200] * 3
    assert token_proxy.outcomes == ["pass"] * renewals
    age(session)
    assert [session.get("/stations").status_code for _ in range(3)] == [200] * 3
    assert token_proxy.outcomes == ["pass"] * (renewals + 1)


def test_a_bad_id_token_at_renewal(demo: DemoProvider, token_proxy: TokenEndpointProxy) -> None:
    """Keys that cannot be had are no reason to lose the refresh token that came with the answer."""
    session = sign_in(demo, token_proxy)
    provider = renewer(session).client.provider
    object.__setattr__(provider, "keys", type(provider.keys)("http://127.0.0.1:1/jwks"))
    before = session.token
    age(session)
    assert session.get("/stations").ok
    assert session.token["refresh_token"] != before["refresh_token"]
    assert session.user == before["userinfo"]
    with pytest.raises(ProviderError):
        provider.keys.current()
