"""A forked process has connections, locks and renewals of its own, and no refresh token that it cannot share."""

from __future__ import annotations

import copy
import json
import os
import pickle
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from demo_session import age, renewer, sign_in
from forked import in_fork
from sqlite_storage import SQLiteStorage
from token_endpoint_proxy import TokenEndpointProxy

import authnb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from authnb.demo import DemoProvider

# From Python 3.12 on, of every fork in a process with threads
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


@pytest.fixture
def token_proxy(demo: DemoProvider) -> Iterator[TokenEndpointProxy]:
    with TokenEndpointProxy(demo.issuer) as proxy:
        yield proxy


def test_parent_and_child_share_no_connection(demo: DemoProvider) -> None:
    """Both would read responses from it, and get pieces of each other's."""
    session = sign_in(demo)
    session.get("/stations")
    sockets = open_sockets(session)
    assert len(sockets) == 1
    assert in_fork(lambda: open_sockets(session)) == set()
    assert in_fork(lambda: session.get("/stations").status_code) == 200
    session.get("/stations")
    assert open_sockets(session) == sockets, "the parent keeps its own"


def open_sockets(session: Any) -> set[tuple[str, int]]:
    """The local addresses of a session's idle connections."""
    found = set()
    for adapter in session.adapters.values():
        for key in adapter.poolmanager.pools.keys():  # noqa: SIM118 - urllib3's container cannot be iterated
            pool = adapter.poolmanager.pools[key].pool.queue
            found |= {connection.sock.getsockname() for connection in pool if connection and connection.sock}
    return found


def test_no_lock_of_the_parent_is_held_in_the_child(demo: DemoProvider, tmp_path: Path) -> None:
    """Whatever its threads were doing."""
    session = sign_in(demo, storage=SQLiteStorage(str(tmp_path / "sign-ins")))
    keys = renewer(session).client.provider.keys
    with session.token_auth.renewal_lock, session.cookies._cookies_lock, keys._lock:  # noqa: SLF001 - as a thread might
        status = in_fork(lambda: (age(session), session.get("/stations").status_code)[1])
    assert status == 200


def test_a_child_never_uses_a_refresh_token_in_memory(
    demo: DemoProvider, token_proxy: TokenEndpointProxy
) -> None:
    """Neither its session nor a new sign-in has it; the access token works while it lives, then there is one error."""
    session = sign_in(demo, token_proxy)
    kept = renewer(session)

    def use() -> list[Any]:
        stored = kept.storage.load(kept.account)
        assert stored is not None
        first = session.get("/stations").status_code
        age(session)
        errors = []
        for _ in range(2):
            with pytest.raises(authnb.LoginRequired, match="remember=True") as error:
                session.get("/stations")
            errors.append(error.value.error)
        return [first, "refresh_token" in session.token, "refresh_token" in stored.token, *errors]

    assert in_fork(use) == [200, False, False, "forked_process", "forked_process"]
    assert token_proxy.outcomes == []


def test_the_parent_still_renews(demo: DemoProvider, token_proxy: TokenEndpointProxy) -> None:
    """What a child did before does not end the sign-in."""
    session = sign_in(demo, token_proxy)
    in_fork(lambda: (age(session), session.get("/stations"))[1])
    in_fork(session.logout)
    age(session)
    assert session.get("/stations").ok
    assert token_proxy.outcomes[-1] == "pass"
    assert "refresh_token" in session.token


def test_a_child_renews_where_storage_is_shared(
    demo: DemoProvider, token_proxy: TokenEndpointProxy, tmp_path: Path
) -> None:
    """The parent then uses what the child stored."""
    session = sign_in(demo, token_proxy, storage=SQLiteStorage(str(tmp_path / "sign-ins")))
    age(session)
    assert in_fork(lambda: session.get("/stations").status_code) == 200
    assert session.get("/stations").ok
    assert token_proxy.outcomes == ["pass"]


def test_a_token_that_needs_no_refresh_token_is_reissued_in_a_child(demo: DemoProvider) -> None:
    login = authnb.login(
        demo.issuer,
        client_id=demo.job_client_id,
        client_secret=demo.job_client_secret,
        mode="client_credentials",
        scope="measurements:read",
        view=None,
        api=demo.api,
    )
    session = login.wait(10)
    age(session)
    assert in_fork(lambda: session.get("/stations").status_code) == 200


def test_a_sign_in_in_progress_stays_with_the_parent(demo: DemoProvider) -> None:
    """The child is told at once, and has no copy of the listener's socket, which would keep the port open."""
    storage = authnb.MemoryStorage()
    login = authnb.login(demo.issuer, client_id=demo.client_id, mode="loopback", view=None, storage=storage)
    uri = login.verification().uri
    port = urlsplit(parse_qs(urlsplit(uri).query)["redirect_uri"][0]).port
    assert has_socket_on(port)
    assert not in_fork(lambda: has_socket_on(port))
    assert in_fork(login.wait) == "cancelled"
    demo.visit(uri)
    assert login.wait(10).user is not None
    assert in_fork(lambda: login.wait(10).user is not None)


def has_socket_on(port: int | None) -> bool:
    """Whether this process has a listening socket on this port."""
    for descriptor in range(3, 256):
        with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as candidate:
            if (
                candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                and candidate.getsockname()[1] == port
            ):
                return True
    return False


def test_a_token_is_not_pickled_by_accident(demo: DemoProvider) -> None:
    """A task queue would write it somewhere; copies and JSON, which are asked for, are made."""
    session = sign_in(demo)
    for secret in (session.token, [session.token]):
        with pytest.raises(TypeError, match="Pickle the session instead"):
            pickle.dumps(secret)
    for secret in (session.token_auth, {"auth": session.requests_auth}):
        with pytest.raises(TypeError, match=r"hand over headers_for\(url\)"):
            pickle.dumps(secret)
    assert copy.copy(session.token) == copy.deepcopy(session.token) == session.token
    assert json.loads(json.dumps(session.token)) == session.token
    assert "…" in repr(copy.deepcopy(session.token))
