"""What may go wrong while a token is renewed: the refresh token survives, and the next call tries again."""

from __future__ import annotations

import socket
import threading
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import requests
from between import Between
from servers import Server
from signed_in import age, aged, keeper, sign_in, stored

from authnb.errors import LoginRequired, ProviderError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.demo import DemoProvider
    from authnb.session import Session


@pytest.fixture
def between(demo: DemoProvider) -> Iterator[Between]:
    with Between(demo.issuer) as server:
        yield server


@pytest.fixture
def session(demo: DemoProvider, between: Between) -> Session:
    return sign_in(demo, between)


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


# A 401 from the API


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
    session: Session, between: Between, server: Server, body: bytes | str | None
) -> None:
    api, url = at_api(session, server)
    api.refused = session.token["access_token"]
    response = session.post(url, data=body)
    assert response.status_code == 200
    assert [r.status_code for r in response.history] == [401]
    assert between.fates == ["pass"]
    sent = body.encode() if isinstance(body, str) else body or b""
    assert api.bodies == [sent, sent]


def test_a_401_that_stays_is_no_loop(session: Session, between: Between, server: Server) -> None:
    """An API that refuses any token: one renewal, then its answer, for a minute."""
    api, url = at_api(session, server)
    assert [session.get(url).status_code for _ in range(4)] == [401] * 4
    assert between.fates == ["pass"]
    assert len(api.bodies) == 5


def test_32_threads_with_a_refused_token(session: Session, between: Between, server: Server) -> None:
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
    assert between.fates == ["pass"]


def test_a_file_is_wound_back_and_a_stream_is_not_sent_twice(
    session: Session, between: Between, server: Server, tmp_path: Any
) -> None:
    api, url = at_api(session, server)
    api.refused = session.token["access_token"]
    (tmp_path / "upload").write_bytes(b"measured")
    with (tmp_path / "upload").open("rb") as upload:
        assert session.post(url, data=upload).status_code == 200
    assert api.bodies == [b"measured"] * 2
    assert between.fates == ["pass"]
    api.refused = session.token["access_token"]
    assert session.post(url, data=iter([b"once"])).status_code == 401
    assert between.fates == ["pass"]


def test_a_401_while_the_provider_is_down(session: Session, between: Between, server: Server) -> None:
    _, url = at_api(session, server)
    between.fate = lambda: "503"
    with pytest.raises(ProviderError):
        session.get(url)


def test_a_bare_requests_call_stays_fresh_too(demo: DemoProvider, session: Session, between: Between) -> None:
    age(session)
    with requests.Session() as bare:
        assert bare.get(demo.api + "/stations", auth=session.requests_auth, timeout=10).ok
        assert bare.get(demo.api + "/stations", auth=session.requests_auth, timeout=10).ok
    assert between.fates == ["pass"]
