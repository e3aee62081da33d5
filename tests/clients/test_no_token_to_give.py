"""Each client's call while nobody is signed in, or no token can be had: it fails with our sentence, and at once."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from demo_session import age, sign_in
from every_client import CLIENTS, Client, Target, every_api, tls_context, told
from storage_servers import TokenServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import trustme
    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.demo import DemoProvider
    from authnb.session.session import Session

pytestmark = pytest.mark.filterwarnings("ignore:table_names")  # of lancedb, for a name of its own
EVERY = pytest.mark.parametrize("client", CLIENTS, ids=lambda each: each.name)


@pytest.fixture
def server(client: Client, demo: DemoProvider, authority: tuple[trustme.CA, Path]) -> Iterator[TokenServer]:
    with TokenServer(demo, every_api, tls_context(authority[0]) if client.tls else None) as running:
        yield running


@pytest.fixture
def session(demo: DemoProvider, token_proxy: TokenEndpointProxy, server: TokenServer) -> Session:
    return sign_in(demo, token_proxy, api=server.url)


@pytest.fixture
def call(
    client: Client, session: Session, server: TokenServer, ca_file: str
) -> Iterator[Callable[[], object]]:
    """One call of a client that is connected."""
    with ExitStack() as stack:
        yield client.connect(Target(url=server.url, session=session, ca=ca_file, stack=stack))


def failure(call: Callable[[], object]) -> str:
    """What a call fails with, in the words of each error that led to it."""
    texts: list[str] = []

    def run() -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - each library raises its own
            texts.append(told(error))
        else:
            texts.append("")

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(180)
    assert texts, "the call hangs"
    return texts[0]


@EVERY
def test_signed_out(call: Callable[[], object], session: Session, server: TokenServer) -> None:
    session.logout()
    server.tokens.clear()
    assert "This session is signed out. Run the cell that signs in. [login_required]" in failure(call)
    assert not any(server.tokens)


@EVERY
@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [("503", "[temporarily_unavailable]"), ("denied", "[login_required]")],
    ids=["unavailable", "refused"],
)
def test_a_renewal_that_fails(
    call: Callable[[], object],
    session: Session,
    server: TokenServer,
    token_proxy: TokenEndpointProxy,
    outcome: str,
    sentence: str,
) -> None:
    token_proxy.outcome = lambda: outcome
    age(session)
    server.tokens.clear()
    text = failure(call)
    assert sentence in text
    assert not any(server.tokens)
    assert 1 <= len(token_proxy.outcomes) <= 4
