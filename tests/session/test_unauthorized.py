"""What an API may answer to a token: a 401 leads to one renewal and one more try, and never to a loop."""

from __future__ import annotations

import threading
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import requests
from demo_session import age, renewer, sign_in
from servers import Server

from authnb.errors import ProviderError
from authnb.storage.files import FileStorage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.demo import DemoProvider
    from authnb.session.session import Session


class Api:
    """An API that takes any token but the one in ``refused``; by default it takes none."""

    def __init__(self, server: Server) -> None:
        self.refused = ""
        self.bodies: list[bytes] = []
        server.routes["/things"] = self._answer

    def _answer(self, request: Any) -> tuple[int, dict[str, str], bytes]:
        self.bodies.append(request.body)
        return (401 if self.refused in request.headers["Authorization"] else 200), {}, b"said"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def at_api(session: Session, server: Server) -> tuple[Api, str]:
    """The session, allowed to call another API."""
    session.token_auth.origins = frozenset()
    return Api(server), server.url + "/things"


@pytest.mark.parametrize("body", [b"bytes", "text", None])
def test_a_401_leads_to_one_renewal_and_one_more_try(
    session: Session, token_proxy: TokenEndpointProxy, server: Server, body: bytes | str | None
) -> None:
    api, url = at_api(session, server)
    api.refused = session.token["access_token"]
    response = session.post(url, data=body)
    assert response.status_code == 200
    assert [r.status_code for r in response.history] == [401]
    assert token_proxy.outcomes == ["pass"]
    sent = body.encode() if isinstance(body, str) else body or b""
    assert api.bodies == [sent, sent]


@pytest.mark.parametrize("reach", ["requests", "httpx"])
def test_a_401_to_what_another_process_obtained(
    demo: DemoProvider, token_proxy: TokenEndpointProxy, server: Server, tmp_path: Path, reach: str
) -> None:
    """What is stored is tried first; if the API refuses that too, then the token is renewed."""
    session = sign_in(demo, token_proxy, storage=FileStorage(tmp_path))
    first = session.token
    _, url = at_api(session, server)
    newer, _ = renewer(session).renew(first)
    refused = [first["access_token"], newer["access_token"]]
    asked = []

    def answer(request: Any) -> tuple[int, dict[str, str], bytes]:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        asked.append(token)
        return (401 if token in refused else 200), {}, request.body

    server.routes["/things"] = answer
    if reach == "requests":
        assert session.post(url, data=b"body").content == b"body"
    else:
        assert httpx.post(url, content=b"body", auth=session.httpx_auth).content == b"body"
    assert asked == [*refused, session.token["access_token"]]
    assert token_proxy.outcomes == ["pass", "pass"]


def test_a_401_that_stays_is_no_loop(
    session: Session, token_proxy: TokenEndpointProxy, server: Server
) -> None:
    """An API that refuses any token: one renewal, then its answer, for a minute."""
    api, url = at_api(session, server)
    assert [session.get(url).status_code for _ in range(4)] == [401] * 4
    assert token_proxy.outcomes == ["pass"]
    assert len(api.bodies) == 5


def test_a_renewed_token_that_expires_before_it_arrives(
    session: Session, token_proxy: TokenEndpointProxy, server: Server
) -> None:
    """A process may be stopped for longer than a token lives, between the renewal and the retry."""
    _, url = at_api(session, server)
    clock = renewer(session).client.provider.clock
    asked = []

    def answer(request: Any) -> tuple[int, dict[str, str], bytes]:
        asked.append(request.headers["Authorization"])
        if len(asked) == 2:
            clock.synchronize(formatdate(time.time() + 7200))
        return (401 if len(asked) < 3 else 200), {}, b""

    server.routes["/things"] = answer
    assert session.post(url, data=b"body").status_code == 200
    assert len(set(asked)) == 3
    assert token_proxy.outcomes == ["pass", "pass"]


def test_32_threads_with_a_refused_token(
    session: Session, token_proxy: TokenEndpointProxy, server: Server
) -> None:
    api, url = at_api(session, server)
    api.refused = session.token["access_token"]
    codes: list[int] = []
    start = threading.Barrier(32)

    def call() -> None:
        start.wait()
        codes.append(session.get(url).status_code)

    threads = [threading.Thread(target=call) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [200] * 32
    assert token_proxy.outcomes == ["pass"]


def test_a_file_is_wound_back_and_a_stream_is_not_sent_twice(
    session: Session, token_proxy: TokenEndpointProxy, server: Server, tmp_path: Path
) -> None:
    api, url = at_api(session, server)
    api.refused = session.token["access_token"]
    (tmp_path / "upload").write_bytes(b"measured")
    with (tmp_path / "upload").open("rb") as upload:
        assert session.post(url, data=upload).status_code == 200
    assert api.bodies == [b"measured"] * 2
    assert token_proxy.outcomes == ["pass"]
    api.refused = session.token["access_token"]
    assert session.post(url, data=iter([b"once"])).status_code == 401
    assert token_proxy.outcomes == ["pass"]


def test_a_401_while_the_provider_is_down(
    session: Session, token_proxy: TokenEndpointProxy, server: Server
) -> None:
    _, url = at_api(session, server)
    token_proxy.outcome = lambda: "503"
    with pytest.raises(ProviderError):
        session.get(url)


def test_a_bare_requests_call_stays_fresh_too(
    demo: DemoProvider, session: Session, token_proxy: TokenEndpointProxy
) -> None:
    age(session)
    with requests.Session() as bare:
        assert bare.get(demo.api + "/stations", auth=session.requests_auth, timeout=10).ok
        assert bare.get(demo.api + "/stations", auth=session.requests_auth, timeout=10).ok
    assert token_proxy.outcomes == ["pass"]
