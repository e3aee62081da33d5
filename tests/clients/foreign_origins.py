"""What each client does at an address outside ``api=``: the second table of docs/clients.md.

`OUTCOMES` is held by test_foreign_origins.py, which goes there with each.
"""

from __future__ import annotations

from dataclasses import dataclass

REFUSED = "refused"  # by us, as the library raises an error of its own; no token is seen there
LIBRARY = "refused by the library"
DROPPED = "sent without the token"
NOT_FOLLOWED = "not followed"
CONFIGURED = "goes there"  # the library does not say where the token goes


@dataclass(frozen=True)
class Address:
    """An address that is not the API's; ``api`` and ``url`` are completed with scheme and port."""

    name: str
    api: str
    url: str


LOCALHOST_DOT = "`localhost.`"
ADDRESSES = (
    Address("other port", "{scheme}://127.0.0.1:1", "{scheme}://127.0.0.1:{port}"),
    Address("other host", "{scheme}://localhost:{port}", "{scheme}://127.0.0.1:{port}"),
    Address("http, not https", "https://127.0.0.1:{port}", "http://127.0.0.1:{port}"),
    Address("`https://api@evil`", "{scheme}://127.0.0.1:1", "{scheme}://127.0.0.1:1@127.0.0.1:{port}"),
    Address("`LOCALHOST`", "{scheme}://127.0.0.1:{port}", "{scheme}://LOCALHOST:{port}"),
    Address(LOCALHOST_DOT, "{scheme}://localhost:{port}", "{scheme}://localhost.:{port}"),
)
COLUMNS = (*(address.name for address in ADDRESSES), "redirect to another origin")

_TOLD = (REFUSED,) * 6
_UNTOLD = (CONFIGURED,) * 6
_HTTPS = (CONFIGURED, CONFIGURED, LIBRARY, LIBRARY, CONFIGURED, CONFIGURED)  # refused as the client is made
# By row of the first table, with variants after a comma, what is done at each address and at a redirect
OUTCOMES: dict[str, tuple[str, ...]] = {
    "adlfs": (*_HTTPS, DROPPED),
    "aiohttp": (*_TOLD, DROPPED),
    "anthropic": (*_TOLD, DROPPED),
    "Azure SDK": (CONFIGURED, CONFIGURED, LIBRARY, DROPPED, CONFIGURED, CONFIGURED, DROPPED),
    "Azure SDK, async": (*_HTTPS, DROPPED),
    "boto3": (*_TOLD, NOT_FOLLOWED),
    "databricks-sdk": (*_TOLD, DROPPED),
    "fsspec (pandas, dask, xarray)": (*_TOLD, DROPPED),
    "gcsfs": (CONFIGURED, CONFIGURED, CONFIGURED, LIBRARY, CONFIGURED, CONFIGURED, DROPPED),
    "google-auth": (*_TOLD, DROPPED),
    "google-cloud-storage": (*_TOLD, DROPPED),
    "gql": (*_TOLD, DROPPED),
    "httpx": (*_TOLD, DROPPED),
    "httpx, async": (*_TOLD, DROPPED),
    "httpx2": (*_TOLD, DROPPED),
    "httpx2, async": (*_TOLD, DROPPED),
    "lancedb": (*_UNTOLD, DROPPED),
    "mlflow": (*_TOLD, DROPPED),
    "obstore (zarr)": (*_UNTOLD, DROPPED),
    "openai": (CONFIGURED, CONFIGURED, CONFIGURED, DROPPED, CONFIGURED, CONFIGURED, DROPPED),
    "openai (async)": (CONFIGURED, CONFIGURED, CONFIGURED, DROPPED, CONFIGURED, CONFIGURED, DROPPED),
    "openai (http_client)": (*_TOLD, DROPPED),
    "polars (az://, gs://)": (*_UNTOLD, DROPPED),
    "pyiceberg": (*_UNTOLD, DROPPED),
    "pystac-client": (*_TOLD, DROPPED),
    "s3fs": (*_TOLD, NOT_FOLLOWED),
    "serve()": (*_TOLD, DROPPED),
    "trino": (REFUSED, REFUSED, LIBRARY, REFUSED, REFUSED, REFUSED, DROPPED),
}
# What decides where the token goes, for a library that does not say it
DECIDES = {
    "adlfs": "`account_name`, `account_host`",
    "Arrow Flight": "the location",
    "Azure SDK": "the account URL",
    "Azure SDK, async": "the account URL",
    "confluent-kafka": "`bootstrap.servers`",
    "gcsfs": "`endpoint_url`",
    "kafka-python": "`bootstrap_servers`",
    "lancedb": "`host_override`",
    "obstore (zarr)": "the account, `endpoint`",
    "openai": "`base_url`; it is checked if httpx carries the token instead of `api_key`, as "
    "`http_client=openai.DefaultHttpxClient(auth=api.credentials.httpx)`",
    "openai (async)": "`base_url`; likewise",
    "polars (az://, gs://)": "the address, `endpoint`",
    "pyiceberg": "`uri`",
}
