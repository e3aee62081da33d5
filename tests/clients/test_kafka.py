"""What librdkafka and kafka-python are handed when they ask for a token."""

from __future__ import annotations

import logging
import time
import warnings
from typing import TYPE_CHECKING, Any

import confluent_kafka
import pytest
from demo_session import age
from support import wait_for

from authnb.errors import LoginRequired

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # kafka reads its files as Python 3.11 calls old
    from kafka.net.sasl.oauth import SaslMechanismOAuth
    from kafka.protocol.parser import KafkaProtocol
    from kafka.protocol.sasl import SaslAuthenticateRequest

if TYPE_CHECKING:
    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.session.session import Session


def producer(**options: Any) -> confluent_kafka.Producer:
    return confluent_kafka.Producer(
        {
            "bootstrap.servers": "127.0.0.1:9",
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanisms": "OAUTHBEARER",
            "log_level": 0,
            **options,
        }
    )


def test_librdkafka_asks_again(session: Session, token_proxy: TokenEndpointProxy) -> None:
    """For a token that has expired, a new one each time."""
    age(session)
    answers = []
    callback = session.credentials.confluent_kafka

    def oauth_cb(config: str) -> tuple[str, float]:
        answers.append(callback(config))
        assert answers[-1][0] == session.token["access_token"]
        age(session)
        # librdkafka asks again after four fifths of this; the second is enough
        lifetime = 1 if len(answers) == 1 else 3600
        return answers[-1][0], time.time() + lifetime

    client = producer(oauth_cb=oauth_cb)

    def has_asked_again() -> bool:
        client.poll(0.1)
        return len(answers) == 2

    wait_for(has_asked_again, "librdkafka to ask again")
    assert len({token for token, _ in answers}) == len(answers) == len(token_proxy.outcomes) == 2


def test_the_expiry_is_told_by_this_machines_clock(session: Session) -> None:
    token, expires_at = session.credentials.confluent_kafka("")
    assert token == session.token["access_token"]
    left = session.token["expires_at"] - session.provider_time()
    assert expires_at == pytest.approx(time.time() + left, abs=5)


def test_librdkafka_after_a_logout(session: Session) -> None:
    """It drops what the callback raises, tells ``error_cb`` that it failed, and asks again: a warning says why."""
    callback, errors = session.credentials.confluent_kafka, []

    def oauth_cb(config: str) -> tuple[str, float]:
        token, _ = callback(config)
        return token, time.time() + 1  # librdkafka asks again after four fifths of a second

    with warnings.catch_warnings(record=True) as caught:  # from a thread of librdkafka's
        warnings.simplefilter("always")
        client = producer(oauth_cb=oauth_cb, error_cb=errors.append)
        session.logout()

        def has_asked_again() -> bool:
            client.poll(0.1)  # how many events it saw, among them that there is no broker
            return "OAuth callback raised" in str(errors)

        wait_for(has_asked_again, "librdkafka to ask again")
    assert "This session is signed out. Run the cell that signs in. [login_required]" in [
        str(each.message) for each in caught
    ]


def test_librdkafka_without_a_sign_in(session: Session) -> None:
    """A client is not made; it waits for ten seconds."""
    session.logout()
    with (
        pytest.warns(UserWarning, match="signed out"),
        pytest.raises(confluent_kafka.KafkaException, match="OAuth token not set"),
    ):
        producer(oauth_cb=session.credentials.confluent_kafka)


def test_kafka_python_through_expiries(session: Session, token_proxy: TokenEndpointProxy) -> None:
    """Each connection's first message (RFC 7628) has a fresh token."""
    for _ in range(2):
        age(session)
        mechanism = SaslMechanismOAuth(sasl_oauth_token_provider=session.credentials.kafka)
        expected = f"n,,\x01auth=Bearer {session.access_token().token}\x01\x01"
        assert mechanism.auth_bytes().decode() == expected
    assert token_proxy.outcomes == ["pass"] * 2


def test_kafka_python_logs_the_token_at_debug(session: Session, caplog: pytest.LogCaptureFixture) -> None:
    """Which docs/clients.md says."""
    caplog.set_level(logging.DEBUG)
    mechanism = SaslMechanismOAuth(sasl_oauth_token_provider=session.credentials.kafka)
    connection = KafkaProtocol()
    connection.send_request(SaslAuthenticateRequest(version=1, auth_bytes=mechanism.auth_bytes()))
    connection.send_bytes()
    assert session.token["access_token"] in caplog.text


def test_kafka_python_after_a_logout(session: Session) -> None:
    session.logout()
    mechanism = SaslMechanismOAuth(sasl_oauth_token_provider=session.credentials.kafka)
    with pytest.raises(LoginRequired, match="signed out"):
        mechanism.auth_bytes()
