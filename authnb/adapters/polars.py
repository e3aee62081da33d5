"""The session's token as a credential provider of polars, for Azure and Google Cloud Storage."""

from __future__ import annotations

import polars as pl  # noqa: F401 - without it there is nothing to provide for

from authnb.adapters.source import SourceCredential, local_expiry


class CredentialProvider(SourceCredential):
    """A credential provider for ``abfss://`` and ``gs://``; the address that is read decides where the token is sent.

    ``pl.scan_parquet("abfss://container@account.…/x.parquet", credential_provider=api.credentials.polars)``
    polars sends no token to ``https://`` addresses.
    """

    def __call__(self) -> tuple[dict[str, str], int]:
        """The token, and when it expires, in seconds since the Unix epoch; `LoginRequired` after a sign-out."""
        token = self._source.access_token()
        return {"bearer_token": token.token}, int(local_expiry(self._source, token))
