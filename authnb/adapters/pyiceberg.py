"""The session's token for REST catalogs of Apache Iceberg, by an auth manager of PyIceberg."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyiceberg.catalog.rest.auth import AuthManager

if TYPE_CHECKING:
    from typing import Any

    from authnb.adapters.source import Source


class SessionAuthManager(AuthManager):
    """An ``AuthManager``: the token of the session; the catalog's ``uri`` decides where it is sent."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __repr__(self) -> str:
        return f"<SessionAuthManager of {self._source!r}>"

    def auth_header(self) -> str:
        """The ``Authorization`` header; `LoginRequired` after a sign-out."""
        return f"Bearer {self._source.access_token().token}"


def auth(source: Source) -> dict[str, Any]:
    """The ``auth`` property of a catalog.

    ``load_catalog("name", type="rest", uri="https://catalog.example.org", auth=api.credentials.pyiceberg)``
    """
    manager = SessionAuthManager
    return {
        "type": "custom",
        "impl": f"{manager.__module__}.{manager.__qualname__}",
        "custom": {"source": source},
    }
