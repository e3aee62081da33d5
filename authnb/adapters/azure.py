"""The session's token as a credential of the Azure SDK for Python, for sync clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azure.core.credentials import AccessToken, AccessTokenInfo

from authnb.adapters.source import SourceCredential, local_expiry

if TYPE_CHECKING:
    from typing import Any, Self

    from authnb.adapters.source import AccessToken as SessionToken
    from authnb.adapters.source import Source


class HiddenAccessToken(AccessToken):
    """An `AccessToken` whose repr hides the token."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<AccessToken expires_on={self.expires_on}>"


class HiddenAccessTokenInfo(AccessTokenInfo):
    """An `AccessTokenInfo` whose repr hides the token."""

    def __repr__(self) -> str:
        return f"<AccessTokenInfo expires_on={self.expires_on}>"


class TokenCredential(SourceCredential):
    """A ``TokenCredential``: the token of the session; the client's account URL decides where it is sent.

    ``BlobServiceClient("https://account.blob.core.windows.net", credential=api.credentials.azure)``
    Scopes and claims that the SDK asks for are not passed on: the token has the scope of the sign-in.
    """

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        """The token, and when it expires, in seconds since the Unix epoch; `LoginRequired` after a sign-out."""
        return access_token(self._source, self._source.access_token())

    def get_token_info(self, *_scopes: str, options: Any = None) -> AccessTokenInfo:  # noqa: ARG002 - the SDK's signature
        """As `get_token`."""
        return access_token_info(self._source, self._source.access_token())

    def close(self) -> None:
        """Nothing is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def access_token(source: Source, token: SessionToken) -> AccessToken:
    """The token as the SDK takes it."""
    return HiddenAccessToken(token.token, int(local_expiry(source, token)))


def access_token_info(source: Source, token: SessionToken) -> AccessTokenInfo:
    """The token as newer versions of the SDK take it."""
    return HiddenAccessTokenInfo(token.token, int(local_expiry(source, token)))
