"""Each client with a token that is bound to a key (RFC 9449): it proves possession, or says what to use instead."""

from __future__ import annotations

import asyncio
import warnings
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import anthropic
import grpc
import openai
import pyiceberg.catalog
import pytest
from demo_session import sign_in
from every_client import CLIENTS, Client, Target, called, every_api, tls_context
from proofs import INSTEAD, PROVING
from proving_api import problem, refusal
from storage_servers import TokenServer

from authnb.demo import DemoProvider
from authnb.errors import AuthnbError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import trustme
    from storage_servers import Response

    from authnb.session.session import Session

pytestmark = pytest.mark.filterwarnings("ignore:table_names")  # of lancedb, for a name of its own
SENTENCE = "is bound to a key (DPoP, RFC 9449): each call needs a proof of its own"
NONCE = "of-this-api"


class ProvingServer(TokenServer):
    """Answers as each client's own server, but only to proofs."""

    @staticmethod
    def accepts(demo: DemoProvider, token: str) -> bool:  # noqa: ARG004 - `_respond` looks at all headers
        return True


@pytest.fixture(scope="module")
def proving_demo() -> Iterator[DemoProvider]:
    with DemoProvider(dpop="required") as provider:
        yield provider


@pytest.fixture
def server(
    client: Client, proving_demo: DemoProvider, authority: tuple[trustme.CA, Path]
) -> Iterator[ProvingServer]:
    scheme = "https" if client.tls else "http"

    def answer(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Response:
        found = problem(method, f"{scheme}://{headers['Host']}{path}", headers, NONCE)
        return every_api(method, path, headers, body) if found is None else refusal(found, NONCE)

    tls = tls_context(authority[0]) if client.tls else None
    with ProvingServer(proving_demo, answer, tls) as running:
        yield running


def by_anthropic_http_client(to: Target) -> Callable[[], Any]:
    http = anthropic.DefaultHttpxClient(auth=to.session.credentials.httpx)
    to.stack.callback(http.close)
    client = anthropic.Anthropic(base_url=to.url, api_key="unused", http_client=http, max_retries=0)
    return client.models.list


def by_openai_async_http_client(to: Target) -> Callable[[], Any]:
    async def call() -> None:
        async with (
            openai.DefaultAsyncHttpxClient(auth=to.session.credentials.httpx) as http,
            openai.AsyncOpenAI(base_url=f"{to.url}/v1", api_key="unused", http_client=http) as client,
        ):
            await client.models.list()

    return lambda: asyncio.run(call())


def by_pyiceberg_and_proxy(to: Target) -> Callable[[], Any]:
    proxy = to.stack.enter_context(to.session.serve())
    return lambda: pyiceberg.catalog.load_catalog("name", type="rest", uri=proxy.base_url).list_namespaces()


EVERY = (
    *CLIENTS,
    Client("anthropic (http_client)", by_anthropic_http_client),
    Client("openai (async, http_client)", by_openai_async_http_client),
    Client("pyiceberg (serve)", by_pyiceberg_and_proxy),
)


@pytest.mark.parametrize("client", EVERY, ids=lambda each: each.name)
def test_a_call(client: Client, proving_demo: DemoProvider, server: ProvingServer, ca_file: str) -> None:
    session = sign_in(proving_demo, api=server.url)
    with ExitStack() as stack:
        failure = called(client, Target(url=server.url, session=session, ca=ca_file, stack=stack))
    if client.name in PROVING:
        assert failure == ""
        assert server.tokens
    else:
        assert SENTENCE in failure
        assert client.name in INSTEAD
        assert not any(server.tokens)


@pytest.fixture(scope="module")
def bound(proving_demo: DemoProvider) -> Session:
    return sign_in(proving_demo)


def by_grpc(session: Session) -> None:
    class Context(grpc.AuthMetadataContext):
        service_url = session.api_addresses[0]
        method_name = "x"

    given: list[Any] = []
    session.credentials.grpc(Context(), lambda metadata, error: given.append((metadata, error)))
    ((metadata, error),) = given
    assert metadata == ()
    raise error


def by_flight(session: Session) -> None:
    """Arrow drops what is raised."""
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        assert session.credentials.flight.start_call(None).sending_headers() == {}
    raise AuthnbError("shown", str(shown[0].message))


def by_librdkafka(session: Session) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session.credentials.confluent_kafka("")


def by_kafka_python(session: Session) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # importing it warns
        provider = session.credentials.kafka
    provider.token()


OTHERS = {
    "Arrow Flight": by_flight,
    "confluent-kafka": by_librdkafka,
    "gRPC": by_grpc,
    "kafka-python": by_kafka_python,
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_token_for_what_speaks_no_http(bound: Session, name: str) -> None:
    with pytest.raises(AuthnbError, match="is bound to a key"):
        OTHERS[name](bound)
    assert name in INSTEAD
