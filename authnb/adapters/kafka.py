"""The session's token for kafka-python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafka.net.sasl.oauth import AbstractTokenProvider

if TYPE_CHECKING:
    from authnb.adapters.source import Source


class TokenProvider(AbstractTokenProvider):
    """The token for each connection (RFC 7628). ``bootstrap_servers`` decide where it goes.

    ``KafkaConsumer(security_protocol="SASL_SSL", sasl_mechanism="OAUTHBEARER",
    sasl_oauth_token_provider=api.credentials.kafka)``
    """

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source

    def token(self) -> str:
        """A fresh token."""
        return self._source.access_token().token
