"""The session's token for temporary credentials of AWS: AssumeRoleWithWebIdentity at its Security Token Service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import CredentialProvider, CredentialResolver, DeferredRefreshableCredentials
from botocore.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from authnb.adapters.source import Source

METHOD: str = "assume-role-with-web-identity"
CREATED = "request-created.sts.AssumeRoleWithWebIdentity"
CONFIG = {"signature_version": UNSIGNED}  # the token takes the place of a signature
PLACEHOLDER = (
    "authnb"  # botocore logs its parameters; the token replaces it after that, when the address is known
)


class WebIdentityProvider(CredentialProvider):
    """A credential provider of botocore that asks STS with the session's token."""

    METHOD = METHOD
    CANONICAL_NAME = METHOD

    def __init__(self, source: Source, parameters: dict[str, Any], options: dict[str, Any]) -> None:
        self._source, self._parameters, self._options = source, parameters, options

    def load(self) -> DeferredRefreshableCredentials:
        """Credentials that are asked for when they are first needed, and again before they expire."""
        return DeferredRefreshableCredentials(self.assume_role, METHOD)

    def assume_role(self) -> dict[str, Any]:
        """Temporary credentials, in botocore's words; `AuthnbError` if STS is not in ``api``."""
        client = Session().create_client("sts", config=Config(**CONFIG), **self._options)
        client.meta.events.register(CREATED, self._add_token)
        return metadata(client.assume_role_with_web_identity(**self._parameters))

    def _add_token(self, request: Any, **_: Any) -> None:
        request.data = {
            **request.data,
            "WebIdentityToken": self._source.access_token(request.url).token,
        }


def sessions(source: Source) -> Callable[..., Session]:
    """The function that `credentials.aws` is."""

    def aws(
        *,
        role_arn: str,
        role_session_name: str = "authnb",
        duration_seconds: int = 3600,
        region_name: str | None = None,
        endpoint_url: str | None = None,
    ) -> Session:
        """A botocore session with credentials of this role, renewed by the token, which goes to STS alone.

        ``boto3.Session(botocore_session=api.credentials.aws(role_arn="arn:aws:iam::123456789012:role/name"))``
        STS's address must be in ``api``: ``api.for_audience("sts.amazonaws.com", api="https://sts.….amazonaws.com")``.
        """
        parameters = role(role_arn, role_session_name, duration_seconds)
        session = Session()
        if region_name is not None:
            session.set_config_variable("region", region_name)
        options = {"region_name": region_name, "endpoint_url": endpoint_url}
        provider = WebIdentityProvider(source, parameters, options)
        session.register_component("credential_provider", CredentialResolver([provider]))
        return session

    return aws


def role(arn: str, session_name: str, duration: int) -> dict[str, Any]:
    """The parameters of the request, all but the token."""
    return {
        "RoleArn": arn,
        "RoleSessionName": session_name,
        "DurationSeconds": duration,
        "WebIdentityToken": PLACEHOLDER,
    }


def metadata(response: Any) -> dict[str, Any]:
    """The credentials of STS's response, as botocore's refreshable credentials take them."""
    credentials = response["Credentials"]
    return {
        "access_key": credentials["AccessKeyId"],
        "secret_key": credentials["SecretAccessKey"],
        "token": credentials["SessionToken"],
        "expiry_time": credentials["Expiration"].isoformat(),
    }
