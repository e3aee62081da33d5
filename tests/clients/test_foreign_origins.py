"""Where each client is led outside ``api=``, what it does, and that no token arrives there: docs/clients.md."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from demo_session import for_api, sign_in
from every_client import CLIENTS, Client, Target, called, tls_context
from foreign_origins import (
    ADDRESSES,
    CONFIGURED,
    DROPPED,
    LIBRARY,
    LOCALHOST_DOT,
    NOT_FOLLOWED,
    OUTCOMES,
    REFUSED,
    Address,
)
from storage_servers import TokenServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import trustme
    from storage_servers import Response

    from authnb.demo import DemoProvider
    from authnb.session.session import Session

pytestmark = pytest.mark.filterwarnings("ignore:table_names")  # of lancedb, for a name of its own
EVERY = pytest.mark.parametrize("client", CLIENTS, ids=lambda each: each.name)
REFUSALS = ("[foreign_origin]", "[insecure_transport]")


class ForeignServer(TokenServer):
    """Asks for a token, and accepts none: a client that retries would send another."""

    @staticmethod
    def accepts(*_: object) -> bool:
        return False


@pytest.fixture(scope="module")
def signed_in(demo: DemoProvider) -> Session:
    return sign_in(demo)


@pytest.fixture(scope="module")
def foreign(demo: DemoProvider, authority: tuple[trustme.CA, Path]) -> Iterator[dict[str, ForeignServer]]:
    """One by http and one by https."""
    with (
        ForeignServer(demo, nothing) as plain,
        ForeignServer(demo, nothing, tls_context(authority[0])) as tls,
    ):
        yield {"http": plain, "https": tls}


def nothing(*_: Any) -> Response:
    return 404, {}, b""


@EVERY
@pytest.mark.parametrize("address", ADDRESSES, ids=lambda each: each.name.strip("`"))
def test_an_address_outside_api(
    client: Client, address: Address, signed_in: Session, foreign: dict[str, ForeignServer], ca_file: str
) -> None:
    scheme = "https" if client.tls else "http"
    server = foreign[address.url.partition(":")[0].format(scheme=scheme)]
    server.tokens.clear()
    names = {"scheme": scheme, "port": server.port}
    session = for_api(signed_in, address.api.format(**names))
    with ExitStack() as stack:
        to = Target(url=address.url.format(**names), session=session, ca=ca_file, stack=stack)
        text = called(client, to)
    expected = OUTCOMES[client.name][ADDRESSES.index(address)]
    if expected == CONFIGURED and address.name == LOCALHOST_DOT:
        assert not any(code in text for code in REFUSALS)  # not every machine knows this name
        return
    if any(code in text for code in REFUSALS):
        outcome = REFUSED
    elif session.token["access_token"] in server.tokens:
        outcome = CONFIGURED
    else:
        outcome = DROPPED if server.tokens else LIBRARY
    assert (outcome, session.token["access_token"] in server.tokens) == (expected, expected == CONFIGURED)


@EVERY
def test_a_redirect(
    client: Client,
    demo: DemoProvider,
    signed_in: Session,
    foreign: dict[str, ForeignServer],
    authority: tuple[trustme.CA, Path],
    ca_file: str,
) -> None:
    """No token goes to where the API redirects, nor with the retry after a 401 there."""
    there = foreign["https" if client.tls else "http"]
    there.tokens.clear()

    def redirect(_method: str, path: str, *_: Any) -> Response:
        return 307, {"Location": there.url + path}, b""

    with (
        TokenServer(demo, redirect, tls_context(authority[0]) if client.tls else None) as server,
        ExitStack() as stack,
    ):
        session = for_api(signed_in, server.url)
        called(client, Target(url=server.url, session=session, ca=ca_file, stack=stack))
        assert session.token["access_token"] in server.tokens
    assert (DROPPED if there.tokens else NOT_FOLLOWED) == OUTCOMES[client.name][-1]
    assert not any(there.tokens)


@pytest.mark.parametrize(
    "client", [each for each in CLIENTS if OUTCOMES[each.name][0] == REFUSED], ids=lambda each: each.name
)
def test_the_same_host_in_capitals(
    client: Client, signed_in: Session, foreign: dict[str, ForeignServer], ca_file: str
) -> None:
    """Is the API (RFC 3986 section 6.2.2.1)."""
    server = foreign["https" if client.tls else "http"]
    server.tokens.clear()
    session = for_api(signed_in, server.url.replace("127.0.0.1", "localhost"))
    with ExitStack() as stack:
        url = server.url.replace("127.0.0.1", "LOCALHOST")
        called(client, Target(url=url, session=session, ca=ca_file, stack=stack))
    assert session.token["access_token"] in server.tokens
