"""The session's token as the ``oauth_cb`` of confluent-kafka."""

from __future__ import annotations

from authnb.adapters.source import SourceCredential, local_expiry, warn


class TokenCallback(SourceCredential):
    """A function for ``oauth_cb``: the token and its expiry. ``bootstrap.servers`` decide where it goes.

    ``Consumer({"security.protocol": "SASL_SSL", "sasl.mechanisms": "OAUTHBEARER",
    "oauth_cb": api.credentials.confluent_kafka})``

    librdkafka tells ``error_cb`` only that the callback failed, and asks again after 10 seconds: a warning says why.
    """

    def __call__(self, config: str) -> tuple[str, float]:  # noqa: ARG002 - sasl.oauthbearer.config
        """The token, and when it expires by this machine's clock, in seconds since the epoch.

        librdkafka asks again after four fifths of what is left.
        """
        try:
            token = self._source.access_token()
        except Exception as error:
            warn(error)
            raise
        return token.token, local_expiry(self._source, token)
