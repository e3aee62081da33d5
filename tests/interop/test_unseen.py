"""A provider nobody has seen: no code knows it, only arguments. Everything it does some real provider does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from documented import CLIENT, Documented, as_json, form
from joserfc import jwk, jws, jwt
from providers import free_port
from servers import Server
from signed_in import age, keeper

import authnb
from authnb.errors import LoginFailed, ProviderError
from authnb.storage import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from documented import Answer
    from servers import Request

    from authnb.signin import Login

KEYS = [jwk.generate_key("RSA", 2048, {"use": "sig"}, private=True) for _ in range(2)]
RS512 = jws.JWSRegistry(algorithms=["RS512"])


class Unseen(Documented):
    """An issuer with a path; RS512 without a key's name; `aud` a list; errors without a word; ports registered."""

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
def unseen(ports: tuple[int, int]) -> Iterator[Unseen]:
    with Server() as server:
        yield Unseen(server, ports)


def begin(unseen: Unseen, port: int | tuple[int, ...], **options: Any) -> Login:
    standard = {
        "client_id": CLIENT,
        "mode": "loopback",
        "view": None,
        "storage": MemoryStorage(),
        "timeout": 5,
    }
    return authnb.login(unseen.issuer, redirect_port=port, api=unseen.issuer, **(standard | options))


def visit(login: Login) -> int:
    return requests.get(login.verification().uri, timeout=10).status_code


def test_it_needs_only_arguments(unseen: Unseen, ports: tuple[int, int]) -> None:
    """Signed in, the API called, renewed, signed out."""
    login = begin(unseen, ports)
    assert visit(login) == 200
    session = login.wait(10)
    assert session.user["aud"] == [CLIENT, "https://api.example.org"]
    assert session.get("/me").ok
    age(session)
    assert session.get("/me").ok
    assert session.user["sub"] == "248289761001"
    assert session.token["refresh_token"] == "the-refresh-token"
    assert set(session.logout().revoked) == {"refresh_token", "access_token"}


def test_the_second_port_where_the_first_is_taken(unseen: Unseen, ports: tuple[int, int]) -> None:
    begun = []
    for port in ports:
        begun.append(begin(unseen, ports))
        asked = dict(parse_qsl(urlsplit(begun[-1].verification().uri).query))
        assert asked["redirect_uri"] == f"http://127.0.0.1:{port}/callback"
    for login in begun:
        login.cancel()


def test_a_port_that_is_not_registered(unseen: Unseen) -> None:
    """Nothing comes back; the error says which address to register."""
    login = begin(unseen, 0, timeout=1)
    assert visit(login) == 400
    with pytest.raises(
        LoginFailed, match=r"registered with the redirect address http://127\.0\.0\.1:\d+/callback"
    ):
        login.wait(10)


@pytest.mark.parametrize(("secret", "code"), [(None, "invalid_response"), ("s3cret", "invalid_client")])
def test_errors_without_a_word(unseen: Unseen, ports: tuple[int, int], secret: str | None, code: str) -> None:
    """An empty 400 or 401 is told with its status, and with what to do."""
    unseen.broken = {"authorization_code"}
    login = begin(unseen, ports, client_secret=secret)
    visit(login)
    with pytest.raises(ProviderError, match=r"HTTP 400|invalid_client.*client_secret") as refused:
        login.wait(10)
    assert refused.value.error == code


def test_a_renewal_refused_without_a_word(unseen: Unseen, ports: tuple[int, int]) -> None:
    """The sign-in is not lost for it: the next call tries again."""
    login = begin(unseen, ports)
    visit(login)
    session = login.wait(10)
    age(session)
    unseen.broken = {"refresh_token"}
    with pytest.raises(ProviderError, match="HTTP 400"):
        session.get("/me")
    unseen.broken = set()
    assert session.get("/me").ok
    assert keeper(session)


@pytest.mark.parametrize(
    "changes",
    [{"aud": ["https://api.example.org"]}, {"azp": "somebody-else"}, {"iss": "https://id.example.org"}],
    ids=str,
)
def test_the_checks_are_the_same(unseen: Unseen, ports: tuple[int, int], changes: dict[str, Any]) -> None:
    """What is odd is taken; what is for somebody else, or by somebody else, is not."""
    honest = unseen.id_token
    unseen.id_token = lambda: honest(**changes)
    login = begin(unseen, ports)
    visit(login)
    with pytest.raises(authnb.InvalidToken):
        login.wait(10)
