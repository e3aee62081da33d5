"""The session's token as a request auth provider of MLflow, found by its entry point."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mlflow.tracking.request_auth.abstract_request_auth_provider import RequestAuthProvider

from authnb.errors import LoginRequired

if TYPE_CHECKING:
    from authnb.adapters.source import Authenticator, Source


class TokenAuthProvider(RequestAuthProvider):
    """What MLflow finds by the name ``authnb``: the auth of the session that was registered last."""

    registered: ClassVar[Authenticator | None] = None

    def get_name(self) -> str:
        """The value of ``MLFLOW_TRACKING_AUTH`` that chooses it."""
        return "authnb"

    def get_auth(self) -> Authenticator:
        """The auth for a request of MLflow; its address is checked against ``api=``."""
        if self.registered is None:
            raise LoginRequired(
                "login_required", "MLflow has no session yet. Call api.credentials.mlflow.register()."
            )
        return self.registered


class Registration:
    """The token on each request to a tracking server in ``api=``, renewed, a 401 retried.

    ``os.environ["MLFLOW_TRACKING_AUTH"] = "authnb"; api.credentials.mlflow.register()``
    """

    def __init__(self, source: Source) -> None:
        self._auth = source.token_auth

    def register(self) -> None:
        """Let MLflow use this session, in place of one registered before."""
        TokenAuthProvider.registered = self._auth
