"""The OpenID Foundation's tests of relying parties for the FAPI 2.0 Security Profile, and docs/fapi2.md.

`MODULES` are those of its plan ``fapi2-security-profile-final-client-test-plan`` (private_key_jwt, DPoP, OpenID
Connect), by the ends of their names. What such a server does, and what the client must not do after it, is theirs; the
server is ours.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
import trustme
from fapi_server import ACCESS_TOKEN, CLIENT, RSA, UNSAFE, Behaviour, FapiServer, signed, unsigned
from joserfc import jwk
from servers import Server

import authnb
from authnb.errors import AuthnbError
from authnb.storage.base import MemoryStorage

if TYPE_CHECKING:
    from authnb.signin.login import Login

EVIL = "https://evil.example"
TOKEN, API = "/token", "/accounts"
# What the server does, the error that it must end in, and the path that must not be requested any more
MODULES: dict[str, tuple[Behaviour, str | None, str | None]] = {
    "happy-path": (Behaviour(), None, None),
    "happy-path-no-dpop-nonce": (Behaviour(nonces=False), None, None),
    "discovery-issuer-mismatch": (Behaviour(metadata={"issuer": EVIL}), "issuer_mismatch", "/par"),
    "invalid-iss": (Behaviour(claims={"iss": EVIL}), "invalid_token", API),
    "invalid-aud": (Behaviour(claims={"aud": "another"}), "invalid_token", API),
    "invalid-secondary-aud": (Behaviour(claims={"aud": [CLIENT, "another"]}), "invalid_token", API),
    "invalid-null-alg": (Behaviour(sign=unsigned), "invalid_token", API),
    "invalid-alternate-alg": (
        Behaviour(sign=lambda claims: signed(claims, UNSAFE, "RS256")),
        "invalid_token",
        API,
    ),
    "invalid-expired-exp": (Behaviour(claims={"exp": int(time.time()) - 301}), "invalid_token", API),
    "invalid-missing-exp": (Behaviour(claims={"exp": None}), "invalid_token", API),
    "invalid-missing-aud": (Behaviour(claims={"aud": None}), "invalid_token", API),
    "invalid-missing-iss": (Behaviour(claims={"iss": None}), "invalid_token", API),
    "valid-aud-as-array": (Behaviour(claims={"aud": [CLIENT]}), None, None),
    "invalid-nonce": (Behaviour(claims={"nonce": "another"}), "invalid_token", API),
    "invalid-missing-nonce": (Behaviour(claims={"nonce": None}), "invalid_token", API),
    "invalid-authorization-response-iss": (
        Behaviour(callback=lambda sent: {**sent, "iss": EVIL}),
        "issuer_mismatch",
        TOKEN,
    ),
    "remove-authorization-response-iss": (
        Behaviour(callback=lambda sent: {**sent, "iss": None}),
        "issuer_mismatch",
        TOKEN,
    ),
    "token-endpoint-response-without-expires_in": (Behaviour(token={"expires_in": None}), None, None),
    "token-type-case-insensitivity": (Behaviour(token={"token_type": "dpOp"}), None, None),
    "rs-dpop-auth-scheme-case-insensitivity": (Behaviour(scheme="dpOp"), None, None),
}
# Of these the response is no answer to the request: the client waits for one that is
IGNORED = {
    "ensure-authorization-response-with-invalid-state-fails": Behaviour(
        callback=lambda sent: {**sent, "state": "another"}
    ),
    "ensure-authorization-response-with-invalid-missing-state-fails": Behaviour(
        callback=lambda sent: {**sent, "state": None}
    ),
}


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("client") / "key.pem"
    key = jwk.generate_key("EC", "P-256", private=True)
    path.touch(mode=0o600)
    path.write_bytes(key.as_pem(private=True))
    return path


def serving(key_file: Path, behaviour: Behaviour) -> FapiServer:
    return FapiServer(jwk.import_key(key_file.read_bytes(), "EC"), behaviour)


def begin(server: FapiServer, key_file: Path, **options: Any) -> Login:
    standard = {
        "client_id": CLIENT,
        "client_key": key_file,
        "scope": "openid accounts",
        "api": server.api,
        "dpop": True,
        "mode": "loopback",
        "view": None,
        "storage": MemoryStorage(),
    }
    return authnb.login(server.issuer, **(standard | options))


def visit(login: Login) -> requests.Response:
    """Act as the browser."""
    return requests.get(login.verification(60).uri, timeout=60)


@pytest.mark.parametrize("module", MODULES)
def test_relying_party(key_file: Path, module: str) -> None:
    behaviour, expected, unreached = MODULES[module]
    with serving(key_file, behaviour) as server:
        login = begin(server, key_file)
        if expected is None:
            visit(login)
            session = login.wait(60)
            assert session.get(server.api, params={"page": 1}).json() == [{"account": 1}]
            assert session.token["access_token"] == ACCESS_TOKEN
        else:
            if unreached != "/par":
                visit(login)
            with pytest.raises(AuthnbError) as caught:
                login.wait(60)
            assert caught.value.error == expected
            assert unreached not in server.paths()
        assert server.violations == []


@pytest.mark.parametrize("module", IGNORED)
def test_a_response_to_another_request(key_file: Path, module: str) -> None:
    with serving(key_file, IGNORED[module]) as server:
        login = begin(server, key_file)
        try:
            assert visit(login).status_code >= 400, "the browser is told"
            assert login.status == "waiting"
            assert TOKEN not in server.paths()
            assert server.violations == []
        finally:
            login.cancel()


def test_a_key_of_another_kind_signs_too(key_file: Path) -> None:
    """Of keys with one ``kid``, that of the right kind is taken: section 5.4.3."""
    with serving(key_file, Behaviour(sign=lambda claims: signed(claims, RSA, "PS256"))) as server:
        login = begin(server, key_file)
        visit(login)
        assert login.wait(60).user["sub"] == "ada"
        assert server.violations == []


@pytest.mark.parametrize("newest", ["TLSv1_1", "TLSv1_2", "TLSv1_3"])
def test_old_versions_of_tls_are_not_spoken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, newest: str
) -> None:
    """Section 5.2.1 (2): TLS 1.2 or later; a server that speaks older versions only is sent nothing."""
    authority, file = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(file)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    serves, permissive = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=file)
    authority.issue_cert("127.0.0.1").configure_cert(serves)
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        for context in (serves, permissive):
            context.set_ciphers("ALL:@SECLEVEL=0")  # or OpenSSL speaks nothing older than 1.2
            context.minimum_version = ssl.TLSVersion.TLSv1
        serves.maximum_version = ssl.TLSVersion[newest]
    with Server(tls=serves) as server:
        endpoints = {name: f"{server.url}/{name}" for name in ("authorization_endpoint", "token_endpoint")}
        server.json("/.well-known/openid-configuration", {"issuer": server.url, **endpoints})
        if newest != "TLSv1_1":
            assert authnb.Provider.discover(server.url).issuer == server.url
            return
        with (
            socket.create_connection(("127.0.0.1", server.port)) as plain,
            permissive.wrap_socket(plain, server_hostname="127.0.0.1") as control,
        ):
            assert control.version() == "TLSv1.1", "or this shows nothing"
        with pytest.raises(authnb.ProviderError) as refused:
            authnb.Provider.discover(server.url)
        assert refused.value.error == "tls_error"
        assert server.requests == []


def test_the_page_has_each_module_with_its_outcome() -> None:
    """And no other as done."""
    page = (Path(__file__).parents[2] / "docs" / "fapi2.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([\w-]+)` \| .* \| (.*) \| .*::test_\w+` \|$", page, re.MULTILINE))
    outcomes = {
        name: "signed in, API called" if error is None else f"`{error}`"
        for name, (_, error, _) in MODULES.items()
    }
    assert rows == {**outcomes, **dict.fromkeys(IGNORED, "ignored, still waiting")}
