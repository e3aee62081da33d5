"""The credential provider for polars: parquet from Azure's Blob service."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import polars as pl
import pytest
from demo_session import sign_in
from storage_servers import TokenServer, azure_blobs

from authnb.demo import DemoProvider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.session.session import Session

FRAME = pl.DataFrame({"station": ["a", "b"], "value": [1, 2]})


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoProvider]:
    with DemoProvider(access_token_lifetime=3) as provider:
        yield provider


@pytest.fixture
def blobs(demo: DemoProvider) -> Iterator[TokenServer]:
    buffer = io.BytesIO()
    FRAME.write_parquet(buffer)
    with TokenServer(demo, azure_blobs({"x.parquet": buffer.getvalue()})) as server:
        yield server


@pytest.fixture
def session(demo: DemoProvider, token_proxy: TokenEndpointProxy, blobs: TokenServer) -> Session:
    return sign_in(demo, token_proxy, api=blobs.url)


def read(provider: object, blobs: TokenServer) -> pl.DataFrame:
    options = {
        "account_name": "account",
        "endpoint": blobs.url + "/account",
        "allow_http": "true",
    }
    return pl.scan_parquet(
        "az://container/x.parquet", storage_options=options, credential_provider=provider
    ).collect()


def test_reads_across_expiries(session: Session, blobs: TokenServer) -> None:
    """Polars keeps a token until it expires, here after 3 seconds."""
    provider = session.credentials.polars
    for _ in range(2000):
        assert read(provider, blobs).equals(FRAME)
        if len(set(blobs.tokens)) == 3:
            break
    assert len(set(blobs.tokens)) == 3


def test_signed_out_in_the_middle(session: Session, blobs: TokenServer) -> None:
    provider = session.credentials.polars
    assert read(provider, blobs).equals(FRAME)
    session.logout()
    with pytest.raises(Exception, match="signed out"):
        read(provider, blobs)


def test_the_repr_hides_the_token(session: Session) -> None:
    assert session.token["access_token"] not in repr(session.credentials.polars)
