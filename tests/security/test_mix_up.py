"""Mix-up of two providers in one process (RFC 9700 section 4.4)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from servers import Request, Server
from support import free_port

import authnb
from authnb.errors import LoginFailed, ProviderError
from authnb.oauth.provider import Provider
from authnb.oauth.quirks import Quirks
from authnb.storage.base import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.demo import DemoProvider
    from authnb.session.session import Session
    from authnb.signin.login import Login

Response = tuple[int, dict[str, str], bytes]
JSON = {"Content-Type": "application/json"}


@dataclass
class PlainProvider:
    """An OAuth 2.0 provider with PKCE that sends no ``iss``; its client has one redirect URI."""

    server: Server
    redirect_path: str = "/callback"
    sends_iss: bool = False
    device: bool = False
    challenges: dict[str, str] = field(default_factory=dict)  # by code
    redeemed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server.routes |= {
            "/authorize": self.authorize,
            "/token": self.token,
            "/device": self.start_device,
        }

    @property
    def provider(self) -> Provider:
        issuer = self.server.url
        return Provider(
            issuer,
            authorization_endpoint=f"{issuer}/authorize",
            token_endpoint=f"{issuer}/token",
            device_authorization_endpoint=f"{issuer}/device" if self.device else None,
            authorization_response_iss_parameter_supported=self.sends_iss,
            quirks=Quirks(openid=False),
        )

    def authorize(self, request: Request) -> Response:
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
        if urlsplit(query["redirect_uri"]).path != self.redirect_path:
            return 400, {}, b"not a redirect URI of this client"
        code = f"code-{len(self.challenges)}"
        self.challenges[code] = query["code_challenge"]
        response = {"code": code, "state": query["state"]} | (
            {"iss": self.server.url} if self.sends_iss else {}
        )
        return 302, {"Location": f"{query['redirect_uri']}?{urlencode(response)}"}, b""

    def token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if form.get("grant_type", "").endswith("device_code"):
            return (
                200,
                JSON,
                json.dumps({"access_token": "at-device", "token_type": "Bearer"}).encode(),
            )
        challenge = create_s256_code_challenge(form["code_verifier"])  # type: ignore[no-untyped-call] # Authlib has no types
        if self.challenges.pop(form["code"], None) != challenge:
            return 400, JSON, b'{"error": "invalid_grant"}'
        self.redeemed.append(form["code"])
        return 200, JSON, b'{"access_token": "at-ada", "token_type": "Bearer"}'

    def start_device(self, _request: Request) -> Response:
        uri = f"{self.server.url}/device-page"
        answer = {
            "device_code": "d",
            "user_code": "WDJB",
            "verification_uri": uri,
            "expires_in": 60,
            "interval": 1,
        }
        return 200, JSON, json.dumps(answer).encode()


@dataclass
class HostileProvider(PlainProvider):
    """Sends the browser on to the honest provider, with a challenge of its own, and redeems the code there."""

    honest: PlainProvider | None = None
    received: list[str] = field(default_factory=list)  # the honest provider's access tokens

    def authorize(self, request: Request) -> Response:
        assert self.honest is not None
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
        query["code_challenge"] = create_s256_code_challenge("v" * 43)  # type: ignore[no-untyped-call] # Authlib has no types
        return 302, {"Location": f"{self.honest.server.url}/authorize?{urlencode(query)}"}, b""

    def token(self, request: Request) -> Response:
        assert self.honest is not None
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()} | {
            "code_verifier": "v" * 43
        }
        response = requests.post(f"{self.honest.server.url}/token", data=form, timeout=10)
        self.received.append(response.json().get("access_token"))
        return 200, JSON, response.content


@pytest.fixture
def honest() -> Iterator[PlainProvider]:
    with Server() as server:
        yield PlainProvider(server)


@pytest.fixture
def second() -> Iterator[PlainProvider]:
    with Server() as server:
        yield PlainProvider(server)


@pytest.fixture
def hostile(honest: PlainProvider) -> Iterator[HostileProvider]:
    with Server() as server:
        yield HostileProvider(server, honest=honest)


def begin(*providers: PlainProvider, mode: Any = "loopback", **more: Any) -> Login:
    several: Any = [each.provider for each in providers] if len(providers) > 1 else providers[0].provider
    options = {
        "client_id": "notebook",
        "scope": "read",
        "view": None,
        "storage": MemoryStorage(),
        "timeout": 20,
        **more,
    }
    return authnb.login(several, mode=mode, **options)


def visit(login: Login) -> int:
    """The status of the page on which the browser ends."""
    return requests.get(login.verification().uri, timeout=10).status_code


def attend(login: Login) -> None:
    """The person opens the address; with ``paste`` they copy the one on which the browser ends."""
    address = login.verification().uri
    if login.mode != "paste":
        requests.get(address, timeout=10)
        return
    for _ in range(2):
        address = requests.get(address, allow_redirects=False, timeout=10).headers["Location"]
    login.submit_redirect(address)


def outcome(login: Login) -> LoginFailed | None:
    """The error of a sign-in, or None if it went well."""
    try:
        attend(login)
        login.wait(10)
    except LoginFailed as error:
        return error
    return None


def sign_in(*providers: PlainProvider, **more: Any) -> Session:
    login = begin(*providers, **more)
    assert visit(login) == 200
    return login.wait(10)


@pytest.mark.parametrize("mode", ["auto", "loopback", "paste"])
def test_a_provider_without_iss_shares_no_redirect_uri_with_another(
    honest: PlainProvider, hostile: HostileProvider, mode: str
) -> None:
    """The honest provider's code never reaches the hostile token endpoint."""
    sign_in(honest)
    login = begin(hostile, mode=mode)
    error = outcome(login)
    assert not hostile.received
    assert len(honest.redeemed) == 1
    assert error is not None
    assert error.error == "shared_redirect_uri"
    assert honest.server.url in error.description
    assert "redirect_path=" in error.description


def test_a_choice_of_several_counts_all_of_them(honest: PlainProvider, hostile: HostileProvider) -> None:
    """Nobody has signed in at the honest provider yet."""
    login = begin(honest, hostile)
    login.choose(list(login.choices)[1])
    error = outcome(login)
    assert not hostile.received
    assert not honest.redeemed
    assert error is not None
    assert error.error == "shared_redirect_uri"


def test_a_redirect_uri_of_its_own_ends_the_mix_up(honest: PlainProvider, hostile: HostileProvider) -> None:
    """The honest provider refuses the hostile one's redirect URI, and the listener its own."""
    sign_in(honest)
    login = begin(hostile, redirect_path="/hostile/callback")
    assert visit(login) == 400
    uri = login.verification().uri.replace("%2Fhostile%2Fcallback", "%2Fcallback")
    assert requests.get(uri, timeout=10).status_code == 404
    login.cancel()
    assert not hostile.received


def test_sign_ins_at_one_port_do_not_mix(honest: PlainProvider, hostile: HostileProvider) -> None:
    """The honest provider's code arrives at its own path with the hostile sign-in's state: neither takes it."""
    port = free_port()
    login = begin(honest, redirect_port=port)
    mixed = begin(hostile, redirect_port=port, redirect_path="/hostile/callback")
    uri = mixed.verification().uri.replace("%2Fhostile%2Fcallback", "%2Fcallback")
    login.verification()
    assert requests.get(uri, timeout=10).status_code == 400
    assert (login.status, mixed.status) == ("waiting", "waiting")
    assert visit(login) == 200
    assert login.wait(10).token["access_token"] == "at-ada"
    mixed.cancel()
    assert not hostile.received


@pytest.mark.parametrize("sends_iss", [(True, True), (True, False), (False, True)])
def test_iss_is_compared_at_a_shared_port(
    honest: PlainProvider, hostile: HostileProvider, sends_iss: tuple[bool, bool]
) -> None:
    """With the same path, too: where one provider sends ``iss``, the other's code is refused (RFC 9207)."""
    honest.sends_iss, hostile.sends_iss = sends_iss
    port = free_port()
    login, mixed = begin(honest, redirect_port=port), begin(hostile, redirect_port=port)
    login.verification()
    assert visit(mixed) == 200
    with pytest.raises(ProviderError):
        mixed.wait(10)
    assert not hostile.received
    assert login.status == "waiting"
    assert visit(login) == 200
    assert login.wait(10).token["access_token"] == "at-ada"


def test_one_provider_without_iss_goes_on_working(honest: PlainProvider) -> None:
    """Twice, and with two profiles."""
    for profile in ("default", "default", "work"):
        assert sign_in(honest, profile=profile).token["access_token"] == "at-ada"


def test_providers_with_iss_share_a_redirect_uri(
    honest: PlainProvider, second: PlainProvider, demo: DemoProvider
) -> None:
    """With each other, and with one that sends none."""
    second.sends_iss = True
    for provider in (second, honest, second, honest):
        assert sign_in(provider).token["access_token"] == "at-ada"
    login = authnb.login(
        demo.issuer, client_id=demo.client_id, mode="loopback", view=None, storage=MemoryStorage()
    )
    demo.visit(login.verification().uri, name="ada")
    assert login.wait(10).user is not None


def test_a_second_provider_without_iss_has_a_redirect_uri_of_its_own(
    honest: PlainProvider, second: PlainProvider
) -> None:
    second.redirect_path = "/second/callback"
    for _ in range(2):
        sign_in(honest)
        assert sign_in(second, redirect_path="/second/callback").token["access_token"] == "at-ada"


def test_several_providers_without_iss_have_a_redirect_uri_each(
    honest: PlainProvider, second: PlainProvider
) -> None:
    second.redirect_path = "/second/callback"
    login = begin(honest, second, redirect_path={second.server.url.partition("://")[2]: "/second/callback"})
    for name in list(login.choices):
        login.choose(name)
        assert visit(login) == 200
        assert login.wait(10).token["access_token"] == "at-ada"


def test_a_device_code_in_place_of_a_shared_redirect_uri(
    honest: PlainProvider, second: PlainProvider
) -> None:
    """With ``mode="auto"``, where the provider has them; the reason says why."""
    second.device = True
    sign_in(honest)
    login = begin(second, mode="auto")
    assert login.verification().user_code == "WDJB"
    assert login.mode == "device"
    assert honest.server.url in login.reason
    assert login.wait(20).token["access_token"] == "at-device"
