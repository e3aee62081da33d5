"""The session's token as credentials of google-auth, for Google's clients and gcsfs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from google.auth.credentials import Credentials

from authnb.adapters.source import local_expiry

if TYPE_CHECKING:
    from typing import Any

    from authnb.adapters.source import Source


class SessionCredentials(Credentials):
    """``google.auth.credentials.Credentials``: the token of the session, renewed by calling back.

    ``storage.Client(credentials=api.credentials.google)``; ``gcsfs.GCSFileSystem(token=api.credentials.google)``
    Google's clients tell where each request goes, which must be in ``api``; gcsfs sends it to its ``endpoint_url``.
    """

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source

    def __repr__(self) -> str:
        return f"<SessionCredentials of {self._source!r} at {id(self._source):#x}>"

    def __reduce__(self) -> tuple[type[SessionCredentials], tuple[Source]]:
        return type(self), (self._source,)  # without the token

    def refresh(self, request: Any) -> None:  # noqa: ARG002 - google-auth's signature
        """Take the session's token, renewed first if it expires soon; `LoginRequired` after a sign-out."""
        token = self._source.access_token()
        self.token = token.token
        self.expiry = datetime.fromtimestamp(local_expiry(self._source, token), UTC).replace(tzinfo=None)

    def before_request(self, request: Any, method: str, url: str, headers: dict[str, str]) -> None:  # noqa: ARG002 - google-auth's signature
        """Add the token to a request; `AuthnbError` for a URL outside ``api``."""
        self.apply(headers, token=self._source.access_token(url).token)
