"""Temporary credentials of AWS by the session's token: boto3, s3fs, and obstore's S3 store."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import boto3
import obstore
import pytest
import s3fs
from demo_session import age, sign_in
from moto.server import ThreadedMotoServer
from obstore.auth.boto3 import Boto3CredentialProvider
from obstore.store import S3Store
from storage_servers import TokenServer, forward_to

from authnb.errors import AuthnbError, LoginRequired

if TYPE_CHECKING:
    from collections.abc import Iterator

    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.demo import DemoProvider
    from authnb.session.session import Session

ROLE = "arn:aws:iam::123456789012:role/reader"
REGION = "us-east-1"


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    """S3 and STS of moto, which look at no token; its address."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": REGION}
    s3 = boto3.client("s3", endpoint_url=url, **keys)
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="x", Body=b"data")
    yield url
    server.stop()


@pytest.fixture
def sts(demo: DemoProvider, aws: str) -> Iterator[TokenServer]:
    with TokenServer(demo, forward_to(aws)) as server:
        yield server


@pytest.fixture
def session(demo: DemoProvider, token_proxy: TokenEndpointProxy, sts: TokenServer) -> Session:
    return sign_in(demo, token_proxy, api=sts.url)


def options(sts: TokenServer) -> dict[str, Any]:
    """15 minutes is the shortest that STS gives, and what botocore renews credentials before they expire."""
    return {"role_arn": ROLE, "region_name": REGION, "endpoint_url": sts.url, "duration_seconds": 900}


def test_boto3_across_expiries(session: Session, sts: TokenServer, aws: str) -> None:
    s3 = boto3.Session(botocore_session=session.credentials.aws(**options(sts))).client(
        "s3", endpoint_url=aws
    )
    for _ in range(3):
        assert s3.get_object(Bucket="bucket", Key="x")["Body"].read() == b"data"
        age(session)
    assert len(set(sts.tokens)) == 3


def test_s3fs_across_expiries(session: Session, sts: TokenServer, aws: str) -> None:
    fs = s3fs.S3FileSystem(
        session=session.credentials.aws_async(**options(sts)), endpoint_url=aws, skip_instance_cache=True
    )
    for _ in range(3):
        assert fs.cat("bucket/x") == b"data"
        age(session)
    assert len(set(sts.tokens)) == 3


def test_obstore(session: Session, sts: TokenServer, aws: str) -> None:
    aws_session = boto3.Session(botocore_session=session.credentials.aws(**options(sts)))
    store = S3Store(
        "bucket",
        endpoint=aws,
        client_options={"allow_http": True},
        credential_provider=Boto3CredentialProvider(aws_session),
    )
    assert bytes(obstore.get(store, "x").bytes()) == b"data"
    assert set(sts.tokens) == {session.token["access_token"]}


def test_another_origin(session: Session, demo: DemoProvider, sts: TokenServer, aws: str) -> None:
    """The token goes to the STS in ``api`` only, whatever endpoint the configuration names."""
    with TokenServer(demo, forward_to(aws)) as other:
        elsewhere = {**options(sts), "endpoint_url": other.url}
        s3 = boto3.Session(botocore_session=session.credentials.aws(**elsewhere)).client(
            "s3", endpoint_url=aws
        )
        with pytest.raises(AuthnbError, match="is not the API"):
            s3.list_buckets()
        fs = s3fs.S3FileSystem(session=session.credentials.aws_async(**elsewhere), endpoint_url=aws)
        with pytest.raises(AuthnbError, match="is not the API"):
            fs.cat("bucket/x")
        assert other.tokens == []


def test_signed_out_in_the_middle(session: Session, sts: TokenServer, aws: str) -> None:
    """Credentials of AWS are no token: they last until they expire, and there are no more of them."""
    aws_session = session.credentials.aws(**options(sts))
    credentials = aws_session.get_credentials()
    assert credentials.get_frozen_credentials().token
    session.logout()
    with pytest.raises(LoginRequired, match="signed out"):
        session.credentials.aws(**options(sts)).get_credentials().get_frozen_credentials()
    fs = s3fs.S3FileSystem(session=session.credentials.aws_async(**options(sts)), endpoint_url=aws)
    with pytest.raises(LoginRequired, match="signed out"):
        fs.cat("bucket/x")


def test_the_token_is_not_logged(
    session: Session, sts: TokenServer, aws: str, caplog: pytest.LogCaptureFixture
) -> None:
    """At DEBUG botocore logs the parameters of each call."""
    caplog.set_level(logging.DEBUG)
    aws_session = session.credentials.aws(**options(sts))
    assert aws_session.get_credentials().get_frozen_credentials().token
    fs = s3fs.S3FileSystem(session=session.credentials.aws_async(**options(sts)), endpoint_url=aws)
    assert fs.cat("bucket/x") == b"data"
    assert sts.tokens
    assert "AssumeRoleWithWebIdentity" in caplog.text
    assert session.token["access_token"] not in caplog.text
