"""The client of a sign-in that names none: registered for exactly the redirect URI of its mode, and used again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from api_alone import ApiAlone

from authnb.oauth.client import Client
from authnb.oauth.provider import Provider
from authnb.signin.environment import FrontEnd, detect
from authnb.signin.options import LoginOptions
from authnb.signin.registering import Registrar
from authnb.storage.registrations import RegistrationMemory

if TYPE_CHECKING:
    from collections.abc import Iterator

HUB = "https://hub.example.org"
PAGE = f"{HUB}/user/ada/lab/extensions/authnb/callback.html"
HERE = "http://127.0.0.1:8888/lab/extensions/authnb/callback.html"
FAR = FrontEnd(origin=HUB, page=PAGE, proxy=f"{HUB}/user/ada/proxy/")
NEAR = FrontEnd(origin="http://127.0.0.1:8888", page=HERE, proxy=None)


@pytest.fixture
def lab() -> Iterator[ApiAlone]:
    with ApiAlone() as running:
        yield running


def registrar(lab: ApiAlone, **options: Any) -> Registrar:
    given: dict[str, Any] = {"mode": "auto", "view": None, "ports": (0,), "timeout": 300, **options}
    return Registrar(
        options=LoginOptions(**given),
        environment=detect({}, kernel=None, tty=True, platform="linux"),
        storage=RegistrationMemory(),
        api=lab.api,
    )


def unregistered(lab: ApiAlone, **more: Any) -> Client:
    members = {name: value for name, value in lab.metadata.items() if name != "issuer"}
    members["token_endpoint_auth_methods_supported"] = ("none",)
    return Client(Provider(lab.issuer, **members), client_id="", scope="read", **more)


@pytest.mark.parametrize(("front_end", "page", "kind"), [(FAR, PAGE, "web"), (NEAR, HERE, "native")])
def test_the_page_of_the_jupyter_server(lab: ApiAlone, front_end: FrontEnd, page: str, kind: str) -> None:
    mine = registrar(lab)
    client, kept = mine.client(unregistered(lab), "page", front_end)
    assert (client.client_id, kept) == ("client-1", False)
    assert lab.sent("register")["redirect_uris"] == [page]
    assert lab.sent("register")["application_type"] == kind
    assert mine.ports == ()
    assert mine.client(unregistered(lab), "page", front_end) == (client, True)
    assert lab.asked() == ["/register", "/authorize"]


def test_the_proxy_of_the_jupyter_server(lab: ApiAlone) -> None:
    """With the port at which this process will listen, from then on."""
    mine = registrar(lab, redirect_path="/ada/callback")
    client, _ = mine.client(unregistered(lab), "proxy", FAR)
    (port,) = mine.ports
    assert lab.sent("register")["redirect_uris"] == [f"{HUB}/user/ada/proxy/{port}/ada/callback"]
    mine.ports = ()
    assert mine.client(unregistered(lab), "proxy", FAR) == (client, True)
    assert mine.ports == (port,)


def test_a_given_port_of_the_proxy(lab: ApiAlone) -> None:
    mine = registrar(lab, ports=(8763,))
    mine.client(unregistered(lab), "proxy", FAR)
    assert lab.sent("register")["redirect_uris"] == [f"{HUB}/user/ada/proxy/8763/callback"]


@pytest.mark.parametrize("mode", ["page", "proxy"])
def test_a_mode_that_does_not_work_here_registers_nothing(lab: ApiAlone, mode: str) -> None:
    """The flow says why."""
    client = unregistered(lab)
    assert registrar(lab).client(client, mode, None) == (client, False)
    assert lab.asked() == []


def test_pasted_as_on_loopback(lab: ApiAlone) -> None:
    mine = registrar(lab)
    first, _ = mine.client(unregistered(lab), "loopback", None)
    assert mine.client(unregistered(lab), "paste", None) == (first, True), "the redirect URI is the same"


@pytest.mark.parametrize(
    ("mode", "front_end", "ports", "address"),
    [
        ("page", FAR, (0,), PAGE),
        ("proxy", FAR, (8763,), f"{HUB}/user/ada/proxy/8763/callback"),
        ("loopback", None, (8763, 8764), "http://127.0.0.1:8763/callback and http://127.0.0.1:8764/callback"),
    ],
)
def test_the_addresses_to_have_registered_are_exact(
    lab: ApiAlone, mode: str, front_end: FrontEnd | None, ports: tuple[int, ...], address: str
) -> None:
    """Where nobody is registered without a person: ready to copy."""
    del lab.metadata["registration_endpoint"]
    with pytest.raises(Exception, match="registers no clients by itself") as caught:
        registrar(lab, ports=ports).client(unregistered(lab), mode, front_end)
    assert f"with the redirect address {address}. Then give its identifier" in str(caught.value)


def test_another_provider_is_not_asked_for_a_client_of_this_one(lab: ApiAlone) -> None:
    with ApiAlone() as other:
        mine = registrar(lab)
        mine.client(unregistered(lab), "device", None)
        mine.client(unregistered(other), "device", None)
        assert other.asked() == ["/register"]


def test_a_provider_that_cannot_be_asked_is_asked_by_the_sign_in(lab: ApiAlone) -> None:
    """Whether a client is still known is not worth an error of its own."""
    lab.registration = {
        "registration_client_uri": f"{lab.issuer}/register/c",
        "registration_access_token": "rat-2",
    }
    mine = registrar(lab)
    first, _ = mine.client(unregistered(lab), "loopback", None)
    lab.json("/as/register/c", {}, 503)
    assert mine.client(unregistered(lab), "loopback", None) == (first, True)
