"""The credentials for the Azure SDK, sync and async, and through it for adlfs."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

import pytest
import trustme
from adlfs import AzureBlobFileSystem
from azure.storage.blob import BlobServiceClient
from azure.storage.blob.aio import BlobServiceClient as AsyncBlobServiceClient
from demo_session import age, sign_in
from storage_servers import TokenServer, azure_blobs

from authnb.demo import DemoProvider
from authnb.errors import LoginRequired

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.session.session import Session

BLOB = b"a,b\n1,2\n"


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoProvider]:
    """Its tokens live less than the five minutes for which the client keeps one without asking."""
    with DemoProvider(access_token_lifetime=120) as provider:
        yield provider


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(path)
    return str(path)


@pytest.fixture
def blobs(demo: DemoProvider, ca: trustme.CA) -> Iterator[TokenServer]:
    """The SDK sends tokens by https only."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(tls)
    with TokenServer(demo, azure_blobs({"data.csv": BLOB}), tls) as server:
        yield server


@pytest.fixture
def session(demo: DemoProvider, token_proxy: TokenEndpointProxy, blobs: TokenServer) -> Session:
    return sign_in(demo, token_proxy, api=blobs.url)


def test_a_sync_client_across_expiries(session: Session, blobs: TokenServer, ca_file: str) -> None:
    credential = session.credentials.azure
    with BlobServiceClient(
        blobs.url + "/account", credential=credential, connection_verify=ca_file
    ) as client:
        blob = client.get_blob_client("container", "data.csv")
        for _ in range(3):
            assert blob.download_blob().readall() == BLOB
            age(session)
    assert len(set(blobs.tokens)) == 3


async def test_32_async_reads_across_expiries(
    session: Session, token_proxy: TokenEndpointProxy, blobs: TokenServer, ca_file: str
) -> None:
    async with AsyncBlobServiceClient(
        blobs.url + "/account", credential=session.credentials.azure_async, connection_verify=ca_file
    ) as client:

        async def read() -> bytes:
            download = await client.get_blob_client("container", "data.csv").download_blob()
            return await download.readall()

        for _ in range(2):
            age(session)
            assert await asyncio.gather(*(read() for _ in range(32))) == [BLOB] * 32
    assert token_proxy.outcomes == ["pass"] * 2
    assert len(set(blobs.tokens)) == 2


def file_system(session: Session, blobs: TokenServer, ca_file: str) -> AzureBlobFileSystem:
    fs = AzureBlobFileSystem(
        account_name="account",
        account_host=blobs.url.removeprefix("https://") + "/account",
        credential=session.credentials.azure_async,
        skip_instance_cache=True,
        use_listings_cache=False,
    )
    # adlfs has no option for the certificates that it trusts
    fs.service_client = AsyncBlobServiceClient(
        fs.account_url, credential=fs.credential, connection_verify=ca_file
    )
    return fs


def test_adlfs_across_expiries(session: Session, blobs: TokenServer, ca_file: str) -> None:
    fs = file_system(session, blobs, ca_file)
    for _ in range(3):
        assert fs.info("container/data.csv")["size"] == len(BLOB)
        assert fs.cat("container/data.csv") == BLOB
        age(session)
    assert len(set(blobs.tokens)) == 3


def test_signed_out_in_the_middle(session: Session, blobs: TokenServer, ca_file: str) -> None:
    with BlobServiceClient(
        blobs.url + "/account", credential=session.credentials.azure, connection_verify=ca_file
    ) as client:
        blob = client.get_blob_client("container", "data.csv")
        assert blob.download_blob().readall() == BLOB
        fs = file_system(session, blobs, ca_file)
        assert fs.cat("container/data.csv") == BLOB
        session.logout()
        with pytest.raises(LoginRequired, match="signed out"):
            blob.download_blob()
        with pytest.raises(LoginRequired, match="signed out"):
            fs.cat("container/data.csv")


async def test_the_token_is_hidden(session: Session) -> None:
    """Also where the SDK's own classes show theirs, and in the repr that fsspec makes its keys of."""
    secret = session.token["access_token"]
    credential, other = session.credentials.azure, session.credentials.azure_async
    with credential:
        shown = [credential, credential.get_token("scope"), credential.get_token_info("scope", options={})]
    async with other:
        shown += [other, await other.get_token("scope"), await other.get_token_info("scope")]
    assert credential.get_token("scope").token == secret
    assert not any(secret in repr(each) + str(each) for each in shown)


def test_two_sign_ins_have_two_file_systems(demo: DemoProvider) -> None:
    """Options with the same repr are the same file system to fsspec."""
    first, second = (sign_in(demo, api="https://127.0.0.1:9") for _ in range(2))
    assert repr(first.credentials.azure_async) == repr(first.credentials.azure_async)
    assert repr(first.credentials.azure_async) != repr(second.credentials.azure_async)
