"""The credential provider for obstore, whose stores zarr reads through."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import obstore
import pytest
from demo_session import age, sign_in
from obstore.exceptions import UnauthenticatedError
from obstore.store import AzureStore
from storage_servers import TokenServer, azure_blobs

from authnb.demo import DemoProvider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.session.session import Session

BLOB = b"data"


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoProvider]:
    """Its tokens live less than the five minutes for which the client keeps one without asking."""
    with DemoProvider(access_token_lifetime=120) as provider:
        yield provider


@pytest.fixture
def blobs(demo: DemoProvider) -> Iterator[TokenServer]:
    with TokenServer(demo, azure_blobs({"x": BLOB})) as server:
        yield server


@pytest.fixture
def session(demo: DemoProvider, token_proxy: TokenEndpointProxy, blobs: TokenServer) -> Session:
    return sign_in(demo, token_proxy, api=blobs.url)


@pytest.fixture
def store(session: Session, blobs: TokenServer) -> AzureStore:
    return AzureStore(
        "container",
        account_name="account",
        endpoint=blobs.url + "/account",
        client_options={"allow_http": True},
        credential_provider=session.credentials.obstore,
    )


def test_reads_across_expiries(session: Session, blobs: TokenServer, store: AzureStore) -> None:
    """Obstore asks again for a token that lives less than five minutes, but not within 100 ms."""
    for renewals in range(1, 3):
        age(session)
        for _ in range(500):
            assert bytes(obstore.get(store, "x").bytes()) == BLOB
            if len(set(blobs.tokens)) == renewals:
                break
        assert len(set(blobs.tokens)) == renewals


async def test_32_async_reads(session: Session, token_proxy: TokenEndpointProxy, store: AzureStore) -> None:
    age(session)
    results = await asyncio.gather(*(obstore.get_async(store, "x") for _ in range(32)))
    assert [bytes(await each.bytes_async()) for each in results] == [BLOB] * 32
    assert token_proxy.outcomes == ["pass"]


def test_signed_out_in_the_middle(session: Session, store: AzureStore) -> None:
    assert bytes(obstore.get(store, "x").bytes()) == BLOB
    session.logout()
    with pytest.raises(UnauthenticatedError, match="signed out"):
        read_on(store)


def read_on(store: AzureStore) -> None:
    """Obstore keeps a token, revoked or not, for 100 ms before it asks again."""
    while True:
        try:
            obstore.get(store, "x")
        except UnauthenticatedError as error:
            if "401 Unauthorized" not in str(error):
                raise


def test_the_repr_hides_the_token(session: Session, store: AzureStore) -> None:
    shown = repr(session.credentials.obstore) + repr(store)
    assert session.token["access_token"] not in shown
