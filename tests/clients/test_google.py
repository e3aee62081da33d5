"""The credentials for google-auth: Google's own client, and gcsfs."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from demo_session import age, sign_in
from gcp_storage_emulator.server import create_server
from gcsfs.core import GCSFileSystem  # without the part that asks for the kind of bucket by gRPC
from google.auth.transport.requests import AuthorizedSession
from google.cloud.storage import Client
from storage_servers import TokenServer, forward_to

from authnb.demo import DemoProvider
from authnb.errors import AuthnbError, LoginRequired

if TYPE_CHECKING:
    from collections.abc import Iterator

    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.session.session import Session


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoProvider]:
    """Its tokens live less than the five minutes for which the client keeps one without asking."""
    with DemoProvider(access_token_lifetime=120) as provider:
        yield provider


@pytest.fixture
def storage_api(demo: DemoProvider) -> Iterator[TokenServer]:
    emulator = create_server("127.0.0.1", 0, in_memory=True, default_bucket="bucket")
    with emulator:
        port = emulator._api._httpd.socket.getsockname()[1]  # noqa: SLF001 - it does not tell which port it took
        with TokenServer(demo, forward_to(f"http://127.0.0.1:{port}")) as server:
            yield server


@pytest.fixture
def session(demo: DemoProvider, token_proxy: TokenEndpointProxy, storage_api: TokenServer) -> Session:
    return sign_in(demo, token_proxy, api=storage_api.url)


def client(session: Session, storage_api: TokenServer) -> Client:
    options = {"api_endpoint": storage_api.url}
    return Client("project", credentials=session.credentials.google, client_options=options)


def file_system(session: Session, storage_api: TokenServer) -> GCSFileSystem:
    return GCSFileSystem(
        token=session.credentials.google, endpoint_url=storage_api.url, skip_instance_cache=True
    )


def test_googles_client_across_expiries(session: Session, storage_api: TokenServer) -> None:
    blob = client(session, storage_api).bucket("bucket").blob("x")
    blob.upload_from_string(b"data")
    for _ in range(2):
        age(session)
        assert blob.download_as_bytes() == b"data"
    assert len(set(storage_api.tokens)) == 3


def test_32_requests_across_expiries(
    session: Session, token_proxy: TokenEndpointProxy, storage_api: TokenServer
) -> None:
    http = AuthorizedSession(session.credentials.google)
    url = storage_api.url + "/storage/v1/b/bucket"
    with ThreadPoolExecutor(32) as pool:
        for _ in range(2):
            age(session)
            assert {each.status_code for each in pool.map(http.get, [url] * 32)} == {200}
    assert token_proxy.outcomes == ["pass"] * 2


def test_gcsfs_across_expiries(session: Session, storage_api: TokenServer) -> None:
    client(session, storage_api).bucket("bucket").blob("x").upload_from_string(b"data")
    fs = file_system(session, storage_api)
    for _ in range(3):
        assert fs.cat("bucket/x") == b"data"
        age(session)
    assert len(set(storage_api.tokens)) == 3


def test_another_origin(session: Session, demo: DemoProvider) -> None:
    with TokenServer(demo, forward_to("http://127.0.0.1:9")) as other:
        with pytest.raises(AuthnbError, match="is not the API"):
            AuthorizedSession(session.credentials.google).get(other.url)
        assert other.tokens == []


def test_signed_out_in_the_middle(session: Session, storage_api: TokenServer) -> None:
    bucket, fs = client(session, storage_api).bucket("bucket"), file_system(session, storage_api)
    assert bucket.exists()
    assert fs.exists("bucket")
    session.logout()
    with pytest.raises(LoginRequired, match="signed out"):
        bucket.exists()
    with pytest.raises(LoginRequired, match="signed out"):
        fs.cat("bucket/x")


def test_a_copy_has_no_token(session: Session) -> None:
    """Google's own credentials keep it as an attribute, which copy and pickle would take along."""
    credentials = session.credentials.google
    credentials.refresh(None)
    assert credentials.token == session.token["access_token"]
    assert credentials.token not in repr(credentials)
    assert copy.copy(credentials).token is None
