"""A provider without a preset, configured by arguments only. Each of its oddities is some real provider's."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from demo_session import age, renewer
from documented import CLIENT, Documented, as_json, form
from joserfc import jwk, jws, jwt
from servers import Server
from support import free_port

import authnb
from authnb.errors import LoginFailed, LoginRequired, ProviderError
from authnb.storage.base import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from documented import Answer
    from servers import Request

    from authnb.signin.login import Login

KEYS = [jwk.generate_key("RSA", 2048, {"use": "sig"}, private=True) for _ in range(2)]
RS512 = jws.JWSRegistry(algorithms=["RS512"])


class UnknownProvider(Documented):
    """An issuer with a path, RS512 without `kid`, `aud` as a list, errors without a body, registered ports."""

    path = "/tenants/42/oidc"

    def __init__(self, server: Server, ports: tuple[int, ...]) -> None:
        super().__init__(server)
        self.registered = {f"http://127.0.0.1:{port}/callback" for port in ports}
        self.broken: set[str] = set()  # the last parts of paths that answer with an error
        self.metadata["revocation_endpoint"] = f"{self.issuer}/revoke"
        self.at("/revoke", lambda _: (200, {}, b""))
        self.at("/jwks", lambda _: as_json({"keys": [key.as_dict(private=False) for key in KEYS]}))
        self.at("/me", lambda request: self.bearer(request, {"sub": "248289761001"}))

    def authorize(self, request: Request) -> Answer:
        if form(request)["redirect_uri"] not in self.registered:
            return 400, {}, b""
        return super().authorize(request)

    def token(self, request: Request) -> Answer:
        if form(request)["grant_type"] in self.broken:
            return 401 if "client_secret" in form(request) else 400, {}, b""
        return super().token(request)

    def tokens(self, given: dict[str, str]) -> dict[str, Any]:
        whole = super().tokens(given) | {"token_type": "bearer", "expires_in": "3600"}
        if given["grant_type"] == "refresh_token":
            del whole["id_token"]
            return whole
        return whole | {"refresh_token": "the-refresh-token"}

    def id_token(self, **changes: Any) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": "248289761001",
            "aud": [CLIENT, "https://api.example.org"],
            "azp": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": self.asked["nonce"],
        }
        return jwt.encode({"alg": "RS512"}, claims | changes, KEYS[1], registry=RS512)


@pytest.fixture
def ports() -> tuple[int, int]:
    return free_port(), free_port()


@pytest.fixture
def unknown(ports: tuple[int, int]) -> Iterator[UnknownProvider]:
    with Server() as server:
        yield UnknownProvider(server, ports)


def begin(unknown: UnknownProvider, port: int | tuple[int, ...], **options: Any) -> Login:
    standard = {
        "client_id": CLIENT,
        "mode": "loopback",
        "view": None,
        "storage": MemoryStorage(),
        "timeout": 60,
    }
    return authnb.login(unknown.issuer, redirect_port=port, api=unknown.issuer, **(standard | options))


def visit(login: Login) -> int:
    return requests.get(login.verification(60).uri, timeout=60).status_code


def test_it_needs_only_arguments(unknown: UnknownProvider, ports: tuple[int, int]) -> None:
    """Signed in, the API called, renewed, signed out."""
    login = begin(unknown, ports)
    assert visit(login) == 200
    session = login.wait(60)
    assert session.user["aud"] == [CLIENT, "https://api.example.org"]
    assert session.get("/me").ok
    age(session)
    assert session.get("/me").ok
    assert session.user["sub"] == "248289761001"
    assert session.token["refresh_token"] == "the-refresh-token"
    assert set(session.logout().revoked) == {"refresh_token", "access_token"}


def test_the_second_port_where_the_first_is_taken(unknown: UnknownProvider, ports: tuple[int, int]) -> None:
    with Server(port=ports[0]):
        login = begin(unknown, ports)
        asked = dict(parse_qsl(urlsplit(login.verification().uri).query))
        assert asked["redirect_uri"] == f"http://127.0.0.1:{ports[1]}/callback"
        login.cancel()


def test_a_port_that_is_not_registered(unknown: UnknownProvider) -> None:
    """No callback arrives; the error names the redirect URI to register."""
    login = begin(unknown, 0, timeout=5)  # in which the address has to be read
    assert visit(login) == 400
    with pytest.raises(
        LoginFailed, match=r"registered with the redirect address http://127\.0\.0\.1:\d+/callback"
    ):
        login.wait(60)


@pytest.mark.parametrize(("secret", "code"), [(None, "invalid_response"), ("s3cret", "invalid_client")])
def test_errors_without_a_word(
    unknown: UnknownProvider, ports: tuple[int, int], secret: str | None, code: str
) -> None:
    """The error for an empty 400 or 401 has the status and a remedy."""
    unknown.broken = {"authorization_code"}
    login = begin(unknown, ports, client_secret=secret)
    visit(login)
    with pytest.raises(ProviderError, match=r"HTTP 400|client_secret.*invalid_client") as refused:
        login.wait(60)
    assert refused.value.error == code


def test_a_renewal_refused_without_a_word(unknown: UnknownProvider, ports: tuple[int, int]) -> None:
    """It is a refusal; the refresh token is kept, and the next call tries it again."""
    login = begin(unknown, ports)
    visit(login)
    session = login.wait(60)
    age(session)
    unknown.broken = {"refresh_token"}
    with pytest.raises(LoginRequired, match="HTTP 400"):
        session.get("/me")
    unknown.broken = set()
    assert session.get("/me").ok
    assert renewer(session)


@pytest.mark.parametrize(
    "changes",
    [{"aud": ["https://api.example.org"]}, {"azp": "somebody-else"}, {"iss": "https://id.example.org"}],
    ids=str,
)
def test_the_checks_are_the_same(
    unknown: UnknownProvider, ports: tuple[int, int], changes: dict[str, Any]
) -> None:
    """Unusual ID tokens are accepted; those of another issuer or for another client are not."""
    honest = unknown.id_token
    unknown.id_token = lambda: honest(**changes)
    login = begin(unknown, ports)
    visit(login)
    with pytest.raises(authnb.InvalidToken):
        login.wait(60)
