"""The session's token as a credentials strategy of the Databricks SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

from databricks.sdk.credentials_provider import CredentialsStrategy

if TYPE_CHECKING:
    from collections.abc import Callable

    from databricks.sdk.config import Config

    from authnb.adapters.source import Source


class TokenStrategy(CredentialsStrategy):
    """The token on each request to a workspace in ``api=``, for ``WorkspaceClient``.

    ``WorkspaceClient(host="https://adb-1.example.org", credentials_strategy=api.credentials.databricks)``
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    def auth_type(self) -> str:
        """The name by which the SDK's user agent and errors call it."""
        return "authnb"

    def __call__(self, cfg: Config) -> Callable[[], dict[str, str]]:
        """What the SDK calls for the headers of each request."""
        return lambda: {"Authorization": f"Bearer {self._source.access_token(cfg.host).token}"}
