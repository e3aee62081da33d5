"""The session's token as a credential of the Azure SDK for Python, for async clients and adlfs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authnb.adapters.azure import access_token, access_token_info
from authnb.adapters.source import SourceCredential

if TYPE_CHECKING:
    from typing import Any, Self

    from azure.core.credentials import AccessToken, AccessTokenInfo


class AsyncTokenCredential(SourceCredential):
    """An ``AsyncTokenCredential``: as `credentials.azure`, renewed off the event loop.

    ``AzureBlobFileSystem("account", credential=api.credentials.azure_async)``, and for pandas, dask and xarray
    ``pd.read_parquet("abfs://…", storage_options={"account_name": "…", "credential": api.credentials.azure_async})``
    """

    async def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        """The token, and when it expires, in seconds since the Unix epoch; `LoginRequired` after a sign-out."""
        return access_token(self._source, await self._source.access_token_async())

    async def get_token_info(self, *_scopes: str, options: Any = None) -> AccessTokenInfo:  # noqa: ARG002 - the SDK's signature
        """As `get_token`."""
        return access_token_info(self._source, await self._source.access_token_async())

    async def close(self) -> None:
        """Nothing is open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
