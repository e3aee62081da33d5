"""docs/clients.md, made of `ROWS` and of the versions installed here; `make tables` does it."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import foreign_origins
import proofs

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCUMENT = Path(__file__).parents[2] / "docs" / "clients.md"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A library in the table. A fact is the name of the test that shows it, in ``module``, or says why not."""

    name: str
    distribution: str
    adapter: str | None  # the attribute of `Credentials`; None where `requests_auth` or another row's fits
    written: str  # what a user writes
    calls: str  # sync, async, or both
    module: str
    survives_expiry: str
    concurrent: str
    retries_401: str
    foreign_origin: str
    signed_out: str

    @property
    def facts(self) -> tuple[str, ...]:
        """The last columns of the table."""
        return self.survives_expiry, self.concurrent, self.retries_401, self.foreign_origin, self.signed_out


ROWS = (
    Row(
        name="gRPC",
        distribution="grpcio",
        adapter="grpc",
        written="grpc.metadata_call_credentials(api.credentials.grpc)",
        calls="sync, async",
        module="test_rpc",
        survives_expiry="test_grpc_through_expiries",
        concurrent="test_grpc_aio_through_expiries",
        retries_401="no: a plugin is not told the status",
        foreign_origin="test_grpc_to_another_origin",
        signed_out="test_grpc_signed_out_in_the_middle",
    ),
    Row(
        name="Arrow Flight",
        distribution="pyarrow",
        adapter="flight",
        written="flight.FlightClient(location, middleware=[api.credentials.flight])",
        calls="sync",
        module="test_rpc",
        survives_expiry="test_flight_through_expiries",
        concurrent="test_flight_through_expiries",
        retries_401="no",
        foreign_origin="not told the URL",
        signed_out="the server refuses, a warning says why",
    ),
    Row(
        name="confluent-kafka",
        distribution="confluent-kafka",
        adapter="confluent_kafka",
        written='Consumer({"oauth_cb": api.credentials.confluent_kafka})',
        calls="sync",
        module="test_kafka",
        survives_expiry="test_librdkafka_asks_again",
        concurrent="one connection",
        retries_401="no",
        foreign_origin="not told the URL",
        signed_out="a warning says why",
    ),
    Row(
        name="kafka-python",
        distribution="kafka-python",
        adapter="kafka",
        written="KafkaConsumer(sasl_oauth_token_provider=api.credentials.kafka)",
        calls="sync",
        module="test_kafka",
        survives_expiry="test_kafka_python_through_expiries",
        concurrent="one connection",
        retries_401="no",
        foreign_origin="not told the URL",
        signed_out="test_kafka_python_after_a_logout",
    ),
    Row(
        name="anthropic",
        distribution="anthropic",
        adapter="anthropic",
        written="Anthropic(base_url=url, credentials=api.credentials.anthropic)",
        calls="sync, async",
        module="test_http_clients",
        survives_expiry="test_32_calls_across_expiries",
        concurrent="test_32_calls_across_expiries",
        retries_401="test_a_401_is_retried",
        foreign_origin="test_another_origin",
        signed_out="test_signed_out_in_the_middle",
    ),
    Row(
        name="databricks-sdk",
        distribution="databricks-sdk",
        adapter="databricks",
        written="WorkspaceClient(host=url, credentials_strategy=api.credentials.databricks)",
        calls="sync",
        module="test_http_clients",
        survives_expiry="test_32_calls_across_expiries",
        concurrent="test_32_calls_across_expiries",
        retries_401="no: a strategy is not told the status",
        foreign_origin="test_another_origin",
        signed_out="test_signed_out_in_the_middle",
    ),
    Row(
        name="gql",
        distribution="gql",
        adapter=None,
        written="RequestsHTTPTransport(url, auth=api.requests_auth)",
        calls="sync",
        module="test_http_clients",
        survives_expiry="test_32_calls_across_expiries",
        concurrent="test_32_calls_across_expiries",
        retries_401="test_a_401_is_retried",
        foreign_origin="test_another_origin",
        signed_out="test_signed_out_in_the_middle",
    ),
    Row(
        name="gql (async)",
        distribution="gql",
        adapter="httpx",
        written="HTTPXAsyncTransport(url, auth=api.credentials.httpx)",
        calls="async",
        module="test_gql_async",
        survives_expiry="test_32_calls_across_expiries",
        concurrent="test_32_calls_across_expiries",
        retries_401="test_a_401_is_retried",
        foreign_origin="test_another_origin",
        signed_out="test_signed_out_in_the_middle",
    ),
    Row(
        name="mcp",
        distribution="mcp",
        adapter="httpx",
        written="streamable_http_client(url, http_client=httpx2.AsyncClient(auth=api.credentials.httpx))",
        calls="async",
        module="test_mcp",
        survives_expiry="test_through_expiries",
        concurrent="test_32_calls_across_expiries",
        retries_401="test_a_401_is_retried",
        foreign_origin="test_another_origin",
        signed_out="test_signed_out_in_the_middle",
    ),
    Row(
        name="mlflow",
        distribution="mlflow-skinny",
        adapter="mlflow",
        written='os.environ["MLFLOW_TRACKING_AUTH"] = "authnb"; api.credentials.mlflow.register()',
        calls="sync",
        module="test_http_clients",
        survives_expiry="test_32_calls_across_expiries",
        concurrent="test_32_calls_across_expiries",
        retries_401="test_a_401_is_retried",
        foreign_origin="test_another_origin",
        signed_out="test_signed_out_in_the_middle",
    ),
    Row(
        name="openai",
        distribution="openai",
        adapter="openai",
        written="OpenAI(base_url=url, api_key=api.credentials.openai)",
        calls="sync",
        module="test_http_clients",
        survives_expiry="test_32_calls_across_expiries",
        concurrent="test_32_calls_across_expiries",
        retries_401="no",
        foreign_origin="not told the URL",
        signed_out="test_signed_out_in_the_middle",
    ),
    Row(
        name="openai (async)",
        distribution="openai",
        adapter="openai_async",
        written="AsyncOpenAI(base_url=url, api_key=api.credentials.openai_async)",
        calls="async",
        module="test_openai_async",
        survives_expiry="test_32_calls_across_expiries",
        concurrent="test_32_calls_across_expiries",
        retries_401="no",
        foreign_origin="not told the URL",
        signed_out="test_signed_out_in_the_middle",
    ),
    Row(
        name="pystac-client",
        distribution="pystac-client",
        adapter="pystac",
        written="Client.open(url, request_modifier=api.credentials.pystac)",
        calls="sync",
        module="test_http_clients",
        survives_expiry="test_32_calls_across_expiries",
        concurrent="test_32_calls_across_expiries",
        retries_401="test_a_401_is_retried",
        foreign_origin="test_another_origin",
        signed_out="test_signed_out_in_the_middle",
    ),
    Row(
        name="trino",
        distribution="trino",
        adapter="trino",
        written="trino.dbapi.connect(auth=api.credentials.trino)",
        calls="sync",
        module="test_http_clients",
        survives_expiry="test_32_calls_across_expiries",
        concurrent="test_32_calls_across_expiries",
        retries_401="test_a_401_is_retried",
        foreign_origin="test_another_origin",
        signed_out="test_signed_out_in_the_middle",
    ),
    Row(
        name="lancedb",
        distribution="lancedb",
        adapter="lancedb",
        written='lancedb.connect("db://lab", client_config={"header_provider": api.credentials.lancedb})',
        calls="sync, async",
        module="test_http_clients",
        survives_expiry="test_32_calls_across_expiries",
        concurrent="test_32_calls_across_expiries",
        retries_401="no",
        foreign_origin="not told the URL",
        signed_out="test_signed_out_in_the_middle",
    ),
    Row(
        name="aiohttp",
        distribution="aiohttp",
        adapter="aiohttp",
        written="aiohttp.ClientSession(middlewares=[api.credentials.aiohttp])",
        calls="async",
        module="test_aiohttp",
        survives_expiry="test_32_requests_across_expiries",
        concurrent="test_32_requests_across_expiries",
        retries_401="test_a_401_is_retried",
        foreign_origin="test_another_origin",
        signed_out="test_signed_out_in_the_middle",
    ),
    Row(
        name="fsspec (pandas, dask, xarray)",
        distribution="fsspec",
        adapter=None,
        written='fsspec.open(url, client_kwargs={"middlewares": (api.credentials.aiohttp,)})',
        calls="sync, async",
        module="test_aiohttp",
        survives_expiry="test_fsspec_and_pandas",
        concurrent="by aiohttp",
        retries_401="by aiohttp",
        foreign_origin="by aiohttp",
        signed_out="by aiohttp",
    ),
    Row(
        name="DuckDB (fsspec)",
        distribution="duckdb",
        adapter=None,
        written='with fsspec.open(url, client_kwargs={"middlewares": (api.credentials.aiohttp,)}) as file:'
        " duckdb.read_parquet(file)",
        calls="sync",
        module="test_aiohttp",
        survives_expiry="test_duckdb_reads_by_range",
        concurrent="by aiohttp",
        retries_401="by aiohttp",
        foreign_origin="by aiohttp",
        signed_out="by aiohttp",
    ),
    Row(
        name="httpx",
        distribution="httpx",
        adapter="httpx",
        written="httpx.Client(auth=api.credentials.httpx)",
        calls="sync, async",
        module="test_httpx",
        survives_expiry="test_a_client_stays_signed_in",
        concurrent="test_32_requests_across_an_expiry",
        retries_401="test_a_401_is_retried",
        foreign_origin="test_another_origin",
        signed_out="test_signed_out_in_the_middle",
    ),
    Row(
        name="httpx2",
        distribution="httpx2",
        adapter="httpx",
        written="httpx2.AsyncClient(auth=api.credentials.httpx)",
        calls="sync, async",
        module="test_httpx",
        survives_expiry="test_a_client_stays_signed_in",
        concurrent="test_32_requests_across_an_expiry",
        retries_401="test_a_401_is_retried",
        foreign_origin="test_another_origin",
        signed_out="test_signed_out_in_the_middle",
    ),
    Row(
        name="polars (http)",
        distribution="polars",
        adapter=None,
        written="with api.serve() as proxy: pl.scan_parquet(proxy.url(url))",
        calls="sync",
        module="test_proxy",
        survives_expiry="test_a_program_stays_signed_in",
        concurrent="test_32_at_once_across_expiries",
        retries_401="test_a_401_is_retried",
        foreign_origin="test_an_address_outside_api",
        signed_out="test_signed_out_in_the_middle",
    ),
    Row(
        name="adlfs",
        distribution="adlfs",
        adapter="azure_async",
        written='AzureBlobFileSystem("account", credential=api.credentials.azure_async)',
        calls="sync, async",
        module="test_azure",
        survives_expiry="test_adlfs_across_expiries",
        concurrent="by the SDK",
        retries_401="no",
        foreign_origin="not told the URL",
        signed_out="test_signed_out_in_the_middle",
    ),
    Row(
        name="Azure SDK",
        distribution="azure-storage-blob",
        adapter="azure",
        written="BlobServiceClient(url, credential=api.credentials.azure)",
        calls="sync",
        module="test_azure",
        survives_expiry="test_a_sync_client_across_expiries",
        concurrent="not tested",
        retries_401="no",
        foreign_origin="not told the URL",
        signed_out="test_signed_out_in_the_middle",
    ),
    Row(
        name="Azure SDK, async",
        distribution="azure-core",
        adapter="azure_async",
        written="BlobServiceClient(url, credential=api.credentials.azure_async)",
        calls="async",
        module="test_azure",
        survives_expiry="test_32_async_reads_across_expiries",
        concurrent="test_32_async_reads_across_expiries",
        retries_401="no",
        foreign_origin="not told the URL",
        signed_out="test_signed_out_in_the_middle",
    ),
    Row(
        name="boto3",
        distribution="boto3",
        adapter="aws",
        written='boto3.Session(botocore_session=api.credentials.aws(role_arn="…"))',
        calls="sync",
        module="test_aws",
        survives_expiry="test_boto3_across_expiries",
        concurrent="by botocore",
        retries_401="no",
        foreign_origin="test_another_origin",
        signed_out="test_signed_out_in_the_middle",
    ),
    Row(
        name="gcsfs",
        distribution="gcsfs",
        adapter="google",
        written="GCSFileSystem(token=api.credentials.google)",
        calls="sync, async",
        module="test_google",
        survives_expiry="test_gcsfs_across_expiries",
        concurrent="not tested",
        retries_401="no",
        foreign_origin="not told the URL",
        signed_out="test_signed_out_in_the_middle",
    ),
    Row(
        name="google-auth",
        distribution="google-auth",
        adapter="google",
        written="AuthorizedSession(api.credentials.google)",
        calls="sync",
        module="test_google",
        survives_expiry="test_32_requests_across_expiries",
        concurrent="test_32_requests_across_expiries",
        retries_401="no",
        foreign_origin="test_another_origin",
        signed_out="test_signed_out_in_the_middle",
    ),
    Row(
        name="google-cloud-storage",
        distribution="google-cloud-storage",
        adapter="google",
        written="storage.Client(credentials=api.credentials.google)",
        calls="sync",
        module="test_google",
        survives_expiry="test_googles_client_across_expiries",
        concurrent="by google-auth",
        retries_401="no",
        foreign_origin="by google-auth",
        signed_out="test_signed_out_in_the_middle",
    ),
    Row(
        name="obstore (zarr)",
        distribution="obstore",
        adapter="obstore",
        written='AzureStore("container", credential_provider=api.credentials.obstore)',
        calls="sync, async",
        module="test_obstore",
        survives_expiry="test_reads_across_expiries",
        concurrent="test_32_async_reads",
        retries_401="no",
        foreign_origin="not told the URL",
        signed_out="test_signed_out_in_the_middle",
    ),
    Row(
        name="polars (az://, gs://)",
        distribution="polars",
        adapter="polars",
        written='pl.scan_parquet("az://…", credential_provider=api.credentials.polars)',
        calls="sync",
        module="test_polars",
        survives_expiry="test_reads_across_expiries",
        concurrent="not tested",
        retries_401="no",
        foreign_origin="not told the URL",
        signed_out="test_signed_out_in_the_middle",
    ),
    Row(
        name="pyiceberg",
        distribution="pyiceberg",
        adapter="pyiceberg",
        written='load_catalog("name", type="rest", uri=url, auth=api.credentials.pyiceberg)',
        calls="sync",
        module="test_pyiceberg",
        survives_expiry="test_calls_across_expiries",
        concurrent="test_32_calls_across_an_expiry",
        retries_401="no",
        foreign_origin="not told the URL",
        signed_out="test_signed_out_in_the_middle",
    ),
    Row(
        name="s3fs",
        distribution="s3fs",
        adapter="aws_async",
        written='S3FileSystem(session=api.credentials.aws_async(role_arn="…"))',
        calls="sync, async",
        module="test_aws",
        survives_expiry="test_s3fs_across_expiries",
        concurrent="by aiobotocore",
        retries_401="no",
        foreign_origin="test_another_origin",
        signed_out="test_signed_out_in_the_middle",
    ),
)
# What no adapter serves, and why
UNSERVED = {
    "deltalake": "`storage_options` are strings, read once; it asks an endpoint for credentials, or `api.token_file()`",
    "curl, GDAL, R, DuckDB by its own httpfs": "`with api.serve() as proxy: duckdb.read_parquet(proxy.url(url))`, a"
    " proxy on this machine that adds the token ([session.md](session.md#other-programs)); tested with DuckDB 1.4.4,"
    " its httpfs, and curl",
    "psycopg": "no callback for a token yet",
    "snowflake-connector-python": "`token=` is a string; whether a token file is read again was not verified",
    "websockets": "`additional_headers` are sent when the connection opens: `api.headers_for(url)` then; with a token"
    " that is bound to a key, aiohttp's `ws_connect` by `api.credentials.aiohttp`",
}
COLUMNS = (
    "library",
    "version",
    "code",
    "calls",
    "renews an expired token",
    "32 concurrent calls",
    "retries a 401",
    "refuses another origin",
    "fails after `logout()`",
)
HEAD = """# Credentials for other libraries

`api.credentials.NAME` is a credential as that library takes one. The library calls it for each token, and the token is
renewed when it is about to expire.

- **yes**: a test does this with the library, in this version, and a server of its kind. `make clients` runs them.
- **by NAME**: the library leaves it to that one.
- **not told the URL**: the library does not pass on where the token goes; its own configuration decides. The session
  needs `api=` with one origin.

An error of authnb reaches the caller as the library raises errors of its transport: some chain it to one of their own,
and mcp raises it in an `ExceptionGroup` at the end of its `async with`.

"""

FOREIGN = """## Addresses outside `api=`

A test sends each client there. "refused" is the same `AuthnbError` everywhere, raised as the library raises its own:
`foreign_origin`, or `insecure_transport` for a URL with a user name and for `http://localhost.`. No token arrives then,
nor after a redirect, nor if the server there answers 401. gRPC refuses as the others do;
mcp and gql (async) do what httpx does, and DuckDB (fsspec) what fsspec does.
"""
LOGS = """## What is logged

No adapter shows a token in its repr, an exception or the environment. Of these libraries, gRPC and Arrow Flight, none
logs one at DEBUG, which a test reads. kafka-python does: `kafka.protocol.parser` logs the bytes that it sends, and
`kafka.net.connection` its requests. Traces below Python print what is sent: `GRPC_TRACE`, librdkafka's `debug`,
`http.client`'s `debuglevel`.
"""
BOUND = """## Tokens that are bound to a key

Such a token (DPoP, RFC 9449) is of no use without a proof of possession with each request. A test calls an API that
wants proofs, with a nonce of its own, with each client.
"""
PROVEN = """gql (async) and mcp do what httpx does, DuckDB (fsspec) what fsspec does, and polars (http) what `serve()`
does. The others, which hand over a token or header alone, fail at once with `not_supported`, and the token stays here;
so do `api.access_token`, `api.headers_for` and `api.token_file`. Where nothing is named for them, sign in with
`dpop=False`, if the provider allows that:
"""
DECIDED = """"goes there": the library asks for a token without saying where it sends it. The session then needs `api=`
with one origin, and the client's own configuration decides, which no stranger may write:
"""


def page(versions: Mapping[str, str]) -> str:
    """The document, with these versions of the distributions."""
    lines = [_line(COLUMNS), _line(["---"] * len(COLUMNS))]
    for row in sorted(ROWS, key=lambda row: row.name.lower()):
        facts = ["yes" if fact.startswith("test_") else fact for fact in row.facts]
        cells = [row.name, versions[row.distribution], f"`{row.written}`", row.calls, *facts]
        lines.append(_line(cells))
    unserved = [
        f"- {name}: {reason}." for name, reason in sorted(UNSERVED.items(), key=lambda item: item[0].lower())
    ]
    unserved = ["## Without a callback", "", *unserved, ""]
    return HEAD + "\n".join([*lines, "", *unserved, *_proofs(), *_foreign_origins()])


def _proofs() -> list[str]:
    """Who proves possession of a token's key, and what to use in place of the others."""
    by_answer: dict[str, list[str]] = {}
    for name, answer in proofs.INSTEAD.items():
        by_answer.setdefault(answer, []).append(name)
    listed = [f"- {'; '.join(names)}: {answer}." for answer, names in by_answer.items()]
    proving = textwrap.fill(f"These prove it: {'; '.join(proofs.PROVING)}.", 120)
    return [BOUND, proving, "", PROVEN, *listed, ""]


def _foreign_origins() -> list[str]:
    """The table of what is done at an address outside of ``api``."""
    lines = [
        _line(("library", *foreign_origins.COLUMNS)),
        _line(["---"] * (1 + len(foreign_origins.COLUMNS))),
    ]
    lines += [_line([name, *outcomes]) for name, outcomes in foreign_origins.OUTCOMES.items()]
    decides = [f"- {name}: {what}." for name, what in foreign_origins.DECIDES.items()]
    return [FOREIGN, *lines, "", DECIDED, *decides, "", LOGS]


def versions_in(text: str) -> dict[str, str]:
    """The versions that a document names, by distribution."""
    by_name = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|", text.partition("\n## ")[0], re.MULTILINE))
    return {row.distribution: by_name.get(row.name, "?") for row in ROWS}


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    DOCUMENT.write_text(page({row.distribution: version(row.distribution) for row in ROWS}), encoding="utf-8")
