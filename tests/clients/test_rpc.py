"""gRPC and Arrow Flight, each with a server of its own library that answers only a fresh token."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest
from demo_session import age, for_api, sign_in
from guarded_api import Guard
from pyarrow import flight

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.demo import DemoProvider
    from authnb.session.session import Session

METHOD = "/lab.Measurements/Get"


class Servicer(grpc.GenericRpcHandler):
    def __init__(self, guard: Guard) -> None:
        self.guard = guard

    def service(self, _details: Any) -> grpc.RpcMethodHandler:
        def get(_request: bytes, context: grpc.ServicerContext) -> bytes:
            if not self.guard.accepts(dict(context.invocation_metadata())):
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "invalid_token")
            return b"measured"

        return grpc.unary_unary_rpc_method_handler(get)


@pytest.fixture
def grpc_api(demo: DemoProvider, token_proxy: TokenEndpointProxy) -> Iterator[tuple[str, Session]]:
    """The address of a server for the token of the session."""
    guard = Guard()
    server = grpc.server(ThreadPoolExecutor(4), handlers=[Servicer(guard)])
    port = server.add_secure_port("127.0.0.1:0", grpc.local_server_credentials())
    guard.session = sign_in(demo, token_proxy, api=f"http://127.0.0.1:{port}")
    server.start()
    yield f"127.0.0.1:{port}", guard.session
    server.stop(None).wait()


def credentials(session: Session) -> grpc.ChannelCredentials:
    return grpc.composite_channel_credentials(
        grpc.local_channel_credentials(), grpc.metadata_call_credentials(session.credentials.grpc)
    )


def test_grpc_through_expiries(grpc_api: tuple[str, Session], token_proxy: TokenEndpointProxy) -> None:
    address, session = grpc_api
    with grpc.secure_channel(address, credentials(session)) as channel:
        call = channel.unary_unary(METHOD)
        for _ in range(2):
            age(session)
            calls = [call.future(b"", timeout=60) for _ in range(32)]
            assert [each.result() for each in calls] == [b"measured"] * 32
    assert token_proxy.outcomes == ["pass"] * 2


async def test_grpc_aio_through_expiries(
    grpc_api: tuple[str, Session], token_proxy: TokenEndpointProxy
) -> None:
    address, session = grpc_api
    async with grpc.aio.secure_channel(address, credentials(session)) as channel:
        call = channel.unary_unary(METHOD)
        for _ in range(2):
            age(session)
            answers = await asyncio.gather(*(call(b"", timeout=60) for _ in range(32)))
            assert answers == [b"measured"] * 32
    assert token_proxy.outcomes == ["pass"] * 2


class Recorder(Guard):
    """Accepts everything, and keeps the metadata."""

    def __init__(self) -> None:
        super().__init__()
        self.received: list[dict[str, str]] = []

    def accepts(self, headers: Mapping[str, str]) -> bool:
        self.received.append(dict(headers))
        return True


def test_grpc_to_another_origin(grpc_api: tuple[str, Session]) -> None:
    """Another server, which would take any token, receives no call."""
    _, session = grpc_api
    recorder = Recorder()
    server = grpc.server(ThreadPoolExecutor(1), handlers=[Servicer(recorder)])
    port = server.add_secure_port("127.0.0.1:0", grpc.local_server_credentials())
    server.start()
    with (
        grpc.secure_channel(f"127.0.0.1:{port}", credentials(session)) as channel,
        pytest.raises(grpc.RpcError, match="is not the API"),
    ):
        channel.unary_unary(METHOD)(b"", timeout=60)
    with grpc.secure_channel(f"127.0.0.1:{port}", grpc.local_channel_credentials()) as channel:
        assert channel.unary_unary(METHOD)(b"", timeout=60) == b"measured"
    server.stop(None).wait()
    assert ["authorization" in metadata for metadata in recorder.received] == [False]


@pytest.mark.parametrize(
    "api", ["https://localhost:{port}", "https://127.0.0.1.:{port}", "https://127.0.0.1:{port}"]
)
def test_grpc_to_the_same_port(grpc_api: tuple[str, Session], api: str) -> None:
    """Of another host, or without TLS, which local credentials do not take."""
    address, session = grpc_api
    other = for_api(session, api.format(port=address.rpartition(":")[2]))
    with (
        grpc.secure_channel(address, credentials(other)) as channel,
        pytest.raises(grpc.RpcError, match="foreign_origin"),
    ):
        channel.unary_unary(METHOD)(b"", timeout=60)


def test_grpc_signed_out_in_the_middle(grpc_api: tuple[str, Session]) -> None:
    address, session = grpc_api
    with grpc.secure_channel(address, credentials(session)) as channel:
        call = channel.unary_unary(METHOD)
        assert call(b"", timeout=60) == b"measured"
        session.logout()
        with pytest.raises(grpc.RpcError, match="signed out"):
            call(b"", timeout=60)


class ServerMiddlewareFactory(flight.ServerMiddlewareFactory):
    def __init__(self, guard: Guard) -> None:
        super().__init__()
        self.guard = guard

    def start_call(self, _info: flight.CallInfo, headers: dict[str, list[str]]) -> None:
        if not self.guard.accepts({name: values[0] for name, values in headers.items()}):
            raise flight.FlightUnauthenticatedError("invalid_token")


class FlightServer(flight.FlightServerBase):
    def list_flights(self, _context: Any, _criteria: bytes) -> Any:
        return iter(())


@pytest.fixture
def flight_api(demo: DemoProvider, token_proxy: TokenEndpointProxy) -> Iterator[tuple[str, Session]]:
    """The location of a Flight server for the token of the session."""
    guard = Guard()
    with FlightServer("grpc://127.0.0.1:0", middleware={"token": ServerMiddlewareFactory(guard)}) as server:
        guard.session = sign_in(demo, token_proxy, api=f"https://127.0.0.1:{server.port}")
        yield f"grpc://127.0.0.1:{server.port}", guard.session


def test_flight_through_expiries(flight_api: tuple[str, Session], token_proxy: TokenEndpointProxy) -> None:
    location, session = flight_api
    with (
        flight.FlightClient(location, middleware=[session.credentials.flight]) as client,
        ThreadPoolExecutor(32) as threads,
    ):
        for _ in range(2):
            age(session)
            calls = [threads.submit(lambda: list(client.list_flights())) for _ in range(32)]
            assert [each.result(60) for each in calls] == [[]] * 32
    assert token_proxy.outcomes == ["pass"] * 2


def test_flight_signed_out_in_the_middle(flight_api: tuple[str, Session]) -> None:
    """Arrow drops what a middleware raises, and sends the call without the token: a warning has the sentence."""
    location, session = flight_api
    with flight.FlightClient(location, middleware=[session.credentials.flight]) as client:
        assert list(client.list_flights()) == []
        session.logout()
        with (
            pytest.warns(UserWarning, match=r"signed out.*\[login_required\]"),
            pytest.raises(flight.FlightUnauthenticatedError),
        ):
            list(client.list_flights())


def test_flight_with_several_apis(flight_api: tuple[str, Session]) -> None:
    """No address decides then, and no token is sent."""
    location, session = flight_api
    session.token_auth.origins |= {("https", "other.example", 443)}
    with (
        flight.FlightClient(location, middleware=[session.credentials.flight]) as client,
        pytest.warns(UserWarning, match="Name the address"),
        pytest.raises(flight.FlightUnauthenticatedError),
    ):
        list(client.list_flights())


@pytest.mark.parametrize(
    ("outcome", "sentence"), [("503", "temporarily_unavailable"), ("denied", "login_required")]
)
def test_a_renewal_that_fails(
    grpc_api: tuple[str, Session], token_proxy: TokenEndpointProxy, outcome: str, sentence: str
) -> None:
    """Once for each call: nothing is retried."""
    address, session = grpc_api
    token_proxy.outcome = lambda: outcome
    age(session)
    with (
        grpc.secure_channel(address, credentials(session)) as channel,
        pytest.raises(grpc.RpcError, match=rf"\[{sentence}\]"),
    ):
        channel.unary_unary(METHOD)(b"", timeout=60)
    assert token_proxy.outcomes == [outcome]


def test_no_token_is_logged(
    grpc_api: tuple[str, Session],
    flight_api: tuple[str, Session],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """At DEBUG, nor printed: of a call that succeeds, and of one that fails."""
    caplog.set_level(logging.DEBUG)
    address, session = grpc_api
    location, other = flight_api
    secrets = [each.token["access_token"] for each in (session, other)]
    with (
        grpc.secure_channel(address, credentials(session)) as channel,
        flight.FlightClient(location, middleware=[other.credentials.flight]) as client,
    ):
        call = channel.unary_unary(METHOD)
        assert (call(b"", timeout=60), list(client.list_flights())) == (b"measured", [])
        session.logout()
        other.logout()
        with pytest.raises(grpc.RpcError) as refused:
            call(b"", timeout=60)
        with (
            pytest.warns(UserWarning, match="signed out"),
            pytest.raises(flight.FlightUnauthenticatedError) as unauthenticated,
        ):
            list(client.list_flights())
    text = "".join([caplog.text, *capfd.readouterr(), str(refused.value), str(unauthenticated.value)])
    assert not [secret for secret in secrets if secret in text]
