"""The session's token as call credentials of gRPC."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc

if TYPE_CHECKING:
    from authnb.adapters.source import Authenticator, Source


class TokenPlugin(grpc.AuthMetadataPlugin):
    """A plugin for call credentials: the token on each call to an address of ``api=``, on a thread of gRPC's.

    ``grpc.composite_channel_credentials(grpc.ssl_channel_credentials(),
    grpc.metadata_call_credentials(api.credentials.grpc))``
    """

    def __init__(self, source: Source) -> None:
        self._auth: Authenticator = source.token_auth

    def __call__(self, context: grpc.AuthMetadataContext, callback: grpc.AuthMetadataPluginCallback) -> None:
        """Give gRPC the metadata, or the error that the call fails with."""
        url = context.service_url
        if url.startswith("://"):  # of local credentials, which take no TLS and reach this machine only
            url = f"http{url}"
        try:
            self._auth.check_proxy(url)
            self._auth.check_static(url)
            token = self._auth.fresh_token(url)["access_token"]
        except Exception as error:  # noqa: BLE001 - the call fails with it; a raised one would be logged
            callback((), error)
        else:
            callback((("authorization", f"Bearer {token}"),), None)
