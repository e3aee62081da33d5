"""As `authnb.adapters.aws`, for aiobotocore and s3fs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiobotocore.credentials import AioCredentialResolver, AioDeferredRefreshableCredentials
from aiobotocore.session import AioSession

from authnb.adapters import aws

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from authnb.adapters.source import Source


class AsyncWebIdentityProvider:
    """A credential provider of aiobotocore that asks STS with the session's token.

    By botocore on a thread, for aiobotocore would follow a redirect, and send the token on to wherever it leads.
    """

    METHOD = aws.METHOD
    CANONICAL_NAME = aws.METHOD

    def __init__(self, source: Source, parameters: dict[str, Any], options: dict[str, Any]) -> None:
        self._provider = aws.WebIdentityProvider(source, parameters, options)

    async def load(self) -> AioDeferredRefreshableCredentials:
        """Credentials that are asked for when they are first needed, and again before they expire."""
        return AioDeferredRefreshableCredentials(self._assume_role, aws.METHOD)

    async def _assume_role(self) -> dict[str, Any]:
        return await asyncio.to_thread(self._provider.assume_role)


def sessions(source: Source) -> Callable[..., AioSession]:
    """The function that `credentials.aws_async` is."""

    def aws_async(
        *,
        role_arn: str,
        role_session_name: str = "authnb",
        duration_seconds: int = 3600,
        region_name: str | None = None,
        endpoint_url: str | None = None,
    ) -> AioSession:
        """An aiobotocore session with credentials of this role, renewed by the token, which goes to STS alone.

        ``s3fs.S3FileSystem(session=api.credentials.aws_async(role_arn="arn:aws:iam::123456789012:role/name"))``
        STS's address must be in ``api``: ``api.for_audience("sts.amazonaws.com", api="https://sts.….amazonaws.com")``.
        """
        parameters = aws.role(role_arn, role_session_name, duration_seconds)
        session = AioSession()
        if region_name is not None:
            session.set_config_variable("region", region_name)
        options = {"region_name": region_name, "endpoint_url": endpoint_url}
        provider = AsyncWebIdentityProvider(source, parameters, options)
        session.register_component("credential_provider", AioCredentialResolver([provider]))
        return session

    return aws_async
