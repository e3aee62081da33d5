"""Each client of others that takes the token, making one call to a server that answers as its own kind would."""

from __future__ import annotations

import asyncio
import io
import json
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
import anthropic
import databricks.sdk
import fsspec
import google.auth.transport.requests
import gql
import gql.transport.requests
import httpx
import httpx2
import lancedb
import mlflow
import obstore
import openai
import polars as pl
import pyiceberg.catalog
import pystac_client
import requests
import trino
from adlfs import AzureBlobFileSystem
from azure.storage.blob import BlobServiceClient
from azure.storage.blob.aio import BlobServiceClient as AsyncBlobServiceClient
from gcsfs.core import GCSFileSystem  # without the part that asks for the kind of bucket by gRPC
from google.cloud import storage
from obstore.store import AzureStore
from storage_servers import azure_blobs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import ExitStack

    import trustme
    from storage_servers import Response

    from authnb.session.session import Session

ROLE = {"role_arn": "arn:aws:iam::123456789012:role/reader", "region_name": "us-east-1"}


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a client goes: an origin, with whose token, trusting which certificates; closed by ``stack``."""

    url: str
    session: Session
    ca: str
    stack: ExitStack


@dataclass(frozen=True)
class Client:
    """A row of docs/clients.md, and how its library connects: ``connect`` gives a function that makes one call."""

    name: str
    connect: Callable[[Target], Callable[[], Any]]
    tls: bool = False  # the library wants https


def by_httpx(library: Any) -> Callable[[Target], Callable[[], Any]]:
    def connect(to: Target) -> Callable[[], Any]:
        client = library.Client(
            auth=to.session.credentials.httpx, follow_redirects=True, trust_env=False, timeout=60
        )
        to.stack.callback(client.close)
        return lambda: client.get(to.url + "/data").raise_for_status()

    return connect


def by_httpx_async(library: Any) -> Callable[[Target], Callable[[], Any]]:
    def connect(to: Target) -> Callable[[], Any]:
        auth = to.session.credentials.httpx

        async def call() -> None:
            async with library.AsyncClient(auth=auth, follow_redirects=True, timeout=60) as client:
                (await client.get(to.url + "/data")).raise_for_status()

        return lambda: asyncio.run(call())

    return connect


def by_aiohttp(to: Target) -> Callable[[], Any]:
    middleware = to.session.credentials.aiohttp

    async def call() -> None:
        async with (
            aiohttp.ClientSession(middlewares=[middleware], raise_for_status=True) as client,
            client.get(to.url + "/data") as response,
        ):
            await response.read()

    return lambda: asyncio.run(call())


def by_fsspec(to: Target) -> Callable[[], Any]:
    options = {"client_kwargs": {"middlewares": (to.session.credentials.aiohttp,)}}
    fs = fsspec.filesystem("http", skip_instance_cache=True, **options)
    return lambda: fs.cat_file(to.url + "/data")


def by_proxy(to: Target) -> Callable[[], Any]:
    proxy = to.stack.enter_context(to.session.serve())

    def call() -> None:
        response = requests.get(proxy.url(to.url + "/data"), timeout=60)
        if not response.ok:
            raise requests.HTTPError(response.text, response=response)

    return call


def by_anthropic(to: Target) -> Callable[[], Any]:
    return anthropic.Anthropic(base_url=to.url, credentials=to.session.credentials.anthropic).models.list


def by_databricks(to: Target) -> Callable[[], Any]:
    config = databricks.sdk.core.Config(
        host=to.url,
        credentials_strategy=to.session.credentials.databricks,
        retry_timeout_seconds=5,  # for which it asks a host that cannot be had; else five minutes
    )
    return databricks.sdk.WorkspaceClient(config=config).current_user.me


def by_gql(to: Target) -> Callable[[], Any]:
    def call() -> Any:  # a client of gql is one thread's
        transport = gql.transport.requests.RequestsHTTPTransport(
            f"{to.url}/graphql", auth=to.session.requests_auth
        )
        return gql.Client(transport=transport).execute(gql.gql("{ name }"))

    return call


def by_lancedb(to: Target) -> Callable[[], Any]:
    options = {"header_provider": to.session.credentials.lancedb, "retry_config": {"retries": 0}}
    return lancedb.connect(
        "db://lab", api_key="unused", host_override=to.url, client_config=options
    ).table_names


def by_mlflow(to: Target) -> Callable[[], Any]:
    to.session.credentials.mlflow.register()
    return mlflow.MlflowClient(tracking_uri=to.url).search_experiments


def by_openai(to: Target) -> Callable[[], Any]:
    return openai.OpenAI(base_url=f"{to.url}/v1", api_key=to.session.credentials.openai).models.list


def by_openai_http_client(to: Target) -> Callable[[], Any]:
    http = openai.DefaultHttpxClient(auth=to.session.credentials.httpx)
    to.stack.callback(http.close)
    client = openai.OpenAI(base_url=f"{to.url}/v1", api_key="unused", http_client=http, max_retries=0)
    return client.models.list


def by_openai_async(to: Target) -> Callable[[], Any]:
    async def call() -> None:
        async with openai.AsyncOpenAI(
            base_url=f"{to.url}/v1", api_key=to.session.credentials.openai_async
        ) as client:
            await client.models.list()

    return lambda: asyncio.run(call())


def by_pystac(to: Target) -> Callable[[], Any]:
    return lambda: pystac_client.Client.open(to.url, request_modifier=to.session.credentials.pystac)


def by_trino(to: Target) -> Callable[[], Any]:
    scheme, _, address = to.url.partition("://")
    host, _, port = address.rpartition(":")
    connection = trino.dbapi.connect(
        host=host,
        port=int(port),
        user="ada",
        http_scheme=scheme.lower(),
        verify=to.ca,
        auth=to.session.credentials.trino,
    )

    def call() -> Any:
        cursor = connection.cursor()
        cursor.execute("SELECT 1")
        return cursor.fetchall()

    return call


def by_azure(to: Target) -> Callable[[], Any]:
    client = BlobServiceClient(
        to.url + "/account",
        credential=to.session.credentials.azure,
        connection_verify=to.ca,
        retry_total=0,
    )
    to.stack.enter_context(client)
    return lambda: client.get_blob_client("container", "x.parquet").download_blob().readall()


def by_azure_async(to: Target) -> Callable[[], Any]:
    credential = to.session.credentials.azure_async

    async def call() -> None:
        async with AsyncBlobServiceClient(
            to.url + "/account", credential=credential, connection_verify=to.ca, retry_total=0
        ) as client:
            await (await client.get_blob_client("container", "x.parquet").download_blob()).readall()

    return lambda: asyncio.run(call())


def by_adlfs(to: Target) -> Callable[[], Any]:
    fs = AzureBlobFileSystem(
        account_name="account",
        account_host=to.url.partition("://")[2] + "/account",
        credential=to.session.credentials.azure_async,
        skip_instance_cache=True,
        use_listings_cache=False,
    )
    # adlfs has no option for the certificates that it trusts
    fs.service_client = AsyncBlobServiceClient(
        to.url + "/account", credential=fs.credential, connection_verify=to.ca, retry_total=0
    )
    return lambda: fs.cat("container/x.parquet")


def by_google_auth(to: Target) -> Callable[[], Any]:
    http = google.auth.transport.requests.AuthorizedSession(to.session.credentials.google)
    to.stack.callback(http.close)
    return lambda: http.get(to.url + "/data").raise_for_status()


def by_google_storage(to: Target) -> Callable[[], Any]:
    client = storage.Client(
        "project", credentials=to.session.credentials.google, client_options={"api_endpoint": to.url}
    )
    to.stack.callback(client.close)
    return lambda: client.get_bucket("bucket", retry=None)


def by_gcsfs(to: Target) -> Callable[[], Any]:
    fs = GCSFileSystem(token=to.session.credentials.google, endpoint_url=to.url, skip_instance_cache=True)
    return lambda: fs.cat("bucket/data")


def by_botocore(to: Target) -> Callable[[], Any]:
    def call() -> Any:
        made = to.session.credentials.aws(endpoint_url=to.url, **ROLE)
        return made.get_credentials().get_frozen_credentials().secret_key

    return call


def by_aiobotocore(to: Target) -> Callable[[], Any]:
    async def call() -> Any:
        made = to.session.credentials.aws_async(endpoint_url=to.url, **ROLE)
        return (await (await made.get_credentials()).get_frozen_credentials()).secret_key

    return lambda: asyncio.run(call())


def by_obstore(to: Target) -> Callable[[], Any]:
    store = AzureStore(
        "container",
        account_name="account",
        endpoint=to.url + "/account",
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
        credential_provider=to.session.credentials.obstore,
    )
    return lambda: obstore.get(store, "x.parquet").bytes()


def by_polars(to: Target) -> Callable[[], Any]:
    options = {"account_name": "account", "endpoint": to.url + "/account", "allow_http": "true"}
    provider = to.session.credentials.polars

    def call() -> Any:
        return pl.scan_parquet(
            "az://container/x.parquet", storage_options=options, credential_provider=provider
        ).collect()

    return call


def by_pyiceberg(to: Target) -> Callable[[], Any]:
    def call() -> Any:
        catalog = pyiceberg.catalog.load_catalog(
            "name", type="rest", uri=to.url, auth=to.session.credentials.pyiceberg
        )
        return catalog.list_namespaces()

    return call


CLIENTS = (
    Client("adlfs", by_adlfs, tls=True),
    Client("aiohttp", by_aiohttp),
    Client("anthropic", by_anthropic),
    Client("Azure SDK", by_azure, tls=True),
    Client("Azure SDK, async", by_azure_async, tls=True),
    Client("boto3", by_botocore),
    Client("databricks-sdk", by_databricks),
    Client("fsspec (pandas, dask, xarray)", by_fsspec),
    Client("gcsfs", by_gcsfs),
    Client("google-auth", by_google_auth),
    Client("google-cloud-storage", by_google_storage),
    Client("gql", by_gql),
    Client("httpx", by_httpx(httpx)),
    Client("httpx, async", by_httpx_async(httpx)),
    Client("httpx2", by_httpx(httpx2)),
    Client("httpx2, async", by_httpx_async(httpx2)),
    Client("lancedb", by_lancedb),
    Client("mlflow", by_mlflow),
    Client("obstore (zarr)", by_obstore),
    Client("openai", by_openai),
    Client("openai (async)", by_openai_async),
    Client("openai (http_client)", by_openai_http_client),
    Client("polars (az://, gs://)", by_polars),
    Client("pyiceberg", by_pyiceberg),
    Client("pystac-client", by_pystac),
    Client("s3fs", by_aiobotocore),
    Client("serve()", by_proxy),
    Client("trino", by_trino, tls=True),
)


def tls_context(authority: trustme.CA) -> ssl.SSLContext:
    """For a server on this machine, by any of its names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost", "localhost.").configure_cert(context)
    return context


def called(client: Client, to: Target) -> str:
    """What one call fails with, in the words of each error that led to it; nothing if it succeeds."""
    try:
        client.connect(to)()
    except Exception as error:  # noqa: BLE001 - each library raises its own
        return told(error)
    return ""


def told(error: BaseException) -> str:
    """An error's text, and those of the errors that led to it."""
    errors = [error]
    while (earlier := errors[-1].__cause__ or errors[-1].__context__) is not None and earlier not in errors:
        errors.append(earlier)
    return "\n".join(f"{type(each).__name__}: {each}" for each in errors)


_TABLE = io.BytesIO()
pl.DataFrame({"station": ["a", "b"], "value": [1, 2]}).write_parquet(_TABLE)
_azure = azure_blobs({"x.parquet": _TABLE.getvalue()})
_COLUMN = {"name": "_col0", "type": "integer", "typeSignature": {"rawType": "integer", "arguments": []}}
_ANSWERS: dict[str, Any] = {
    "/": {
        "type": "Catalog",
        "id": "lab",
        "stac_version": "1.0.0",
        "description": "Measurements",
        "links": [],
        "conformsTo": ["https://api.stacspec.org/v1.0.0/core"],
    },
    "/data": {"id": 1},
    "/graphql": {"data": {"name": "ada"}},
    "/api/2.0/mlflow/experiments/search": {"experiments": []},
    "/api/2.0/preview/scim/v2/Me": {"userName": "ada"},
    "/storage/v1/b/bucket": {"name": "bucket"},
    "/storage/v1/b/bucket/o/data": {"name": "data", "size": "4"},
    "/download/storage/v1/b/bucket/o/data": {"id": 1},
    "/v1/config": {"defaults": {}, "overrides": {}},
    "/v1/models": {"object": "list", "data": [], "has_more": False},
    "/v1/namespaces": {"namespaces": [["measurements"]]},
    "/v1/statement": {
        "id": "1",
        "infoUri": "",
        "columns": [_COLUMN],
        "data": [[1]],
        "stats": {"state": "FINISHED"},
    },
    "/v1/table/": {"tables": []},
}
_STS = b"""<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>AKIAEXAMPLE</AccessKeyId>
<SecretAccessKey>key</SecretAccessKey><SessionToken>session</SessionToken>
<Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""


def every_api(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Response:
    """What each of these clients expects of its server."""
    path = urlsplit(path).path
    if path.startswith("/account/"):
        return _azure(method, path, headers, body)
    if b"AssumeRoleWithWebIdentity" in body:
        return 200, {"Content-Type": "text/xml"}, _STS
    if path not in _ANSWERS:
        return 404, {"Content-Type": "application/json"}, b"{}"
    return 200, {"Content-Type": "application/json"}, json.dumps(_ANSWERS[path]).encode()
