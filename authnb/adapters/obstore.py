"""The session's token as a credential provider of obstore, and through it of zarr."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypedDict

import obstore  # noqa: F401 - without it there is nothing to provide for

from authnb.adapters.source import SourceCredential, local_expiry


class BearerToken(TypedDict):
    """What obstore takes for Azure and for Google Cloud Storage."""

    token: str
    expires_at: datetime


class CredentialProvider(SourceCredential):
    """A credential provider for ``AzureStore`` and ``GCSStore``; the store's address decides where the token is sent.

    ``AzureStore("container", account_name="account", credential_provider=api.credentials.obstore)``
    For S3: ``Boto3CredentialProvider(boto3.Session(botocore_session=api.credentials.aws(role_arn="…")))``.
    """

    def __call__(self) -> BearerToken:
        """The token and when it expires; `LoginRequired` after a sign-out."""
        token = self._source.access_token()
        expires_at = datetime.fromtimestamp(local_expiry(self._source, token), UTC)
        return {"token": token.token, "expires_at": expires_at}
