"""Which clients prove possession of a token's key, and what to use in place of the others: a part of docs/clients.md.

`PROVING` and `INSTEAD` are held by test_proofs.py, which calls an API that wants proofs with each.
"""

from __future__ import annotations

# By row of the first table, with variants after a comma or in parentheses
PROVING = (
    "aiohttp",
    "anthropic (http_client)",
    "fsspec (pandas, dask, xarray)",
    "gql",
    "httpx",
    "httpx, async",
    "httpx2",
    "httpx2, async",
    "mlflow",
    "openai (async, http_client)",
    "openai (http_client)",
    "pyiceberg (serve)",
    "pystac-client",
    "serve()",
    "trino",
)
_TOKEN = "the library asks for a token alone"
_PROTOCOL = "RFC 9449 is for HTTP"
# What to use in place of each other one, or why there is nothing
INSTEAD = {
    "adlfs": _TOKEN,
    "anthropic": '`Anthropic(base_url=url, api_key="unused", http_client=anthropic.DefaultHttpxClient(auth='
    "api.credentials.httpx))`",
    "Arrow Flight": _PROTOCOL,
    "Azure SDK": _TOKEN,
    "Azure SDK, async": _TOKEN,
    "boto3": _TOKEN,
    "confluent-kafka": _PROTOCOL,
    "databricks-sdk": _TOKEN,
    "gcsfs": _TOKEN,
    "google-auth": "`requests.Session()` with `auth=api.requests_auth`",
    "google-cloud-storage": _TOKEN,
    "gRPC": _PROTOCOL,
    "kafka-python": _PROTOCOL,
    "lancedb": _TOKEN,
    "obstore (zarr)": _TOKEN,
    "openai": '`OpenAI(base_url=url, api_key="unused", http_client=openai.DefaultHttpxClient(auth='
    "api.credentials.httpx))`",
    "openai (async)": "likewise, with `openai.DefaultAsyncHttpxClient`",
    "polars (az://, gs://)": _TOKEN,
    "pyiceberg": '`with api.serve() as proxy: load_catalog("name", type="rest", uri=proxy.base_url)`',
    "s3fs": _TOKEN,
}
