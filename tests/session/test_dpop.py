"""Tokens that are bound to a key: sign-in, calls, renewal, storage (RFC 9449), at the provider for learning."""

from __future__ import annotations

import copy
import json
import multiprocessing
import pickle
import threading
import warnings
from base64 import urlsafe_b64decode
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import requests
from demo_session import SCOPE, age, renewer, sign_in
from servers import Server

import authnb
from authnb.demo import DemoProvider
from authnb.errors import AuthnbError, LoginRequired, ProviderError, ShareError, StorageError
from authnb.oauth.dpop import DPoPKey
from authnb.oauth.responses import Token
from authnb.session.session import Session
from authnb.storage.base import Account, MemoryStorage, SignIn
from authnb.storage.files import FileStorage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def bound() -> Iterator[DemoProvider]:
    """A provider that binds tokens."""
    with DemoProvider(dpop="offered") as running:
        yield running


def part(jwt: str, number: int) -> Any:
    """A part of a JWT, decoded."""
    text = jwt.split(".")[number]
    return json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def key_of(session: Session) -> DPoPKey:
    """The key that the session's token is bound to."""
    key = session.token.dpop_key
    assert isinstance(key, DPoPKey)
    return key


class TestSignIn:
    """Where the metadata offer it, and as ``dpop=`` says."""

    def test_a_provider_that_offers_it_binds_the_token(self, bound: DemoProvider) -> None:
        api = sign_in(bound)
        assert api.token["token_type"] == "DPoP"
        response = api.get("measurements")
        assert response.status_code == 200
        assert str(response.request.headers["Authorization"]).startswith("DPoP ")
        header, claims = (part(response.request.headers["DPoP"], n) for n in (0, 1))
        assert (header["typ"], header["alg"]) == ("dpop+jwt", "ES256")
        assert set(header["jwk"]) == {"kty", "crv", "x", "y"}  # no private member
        assert (claims["htm"], claims["htu"]) == ("GET", f"{bound.api}/measurements")

    def test_each_sign_in_has_a_key_of_its_own(self, bound: DemoProvider) -> None:
        assert key_of(sign_in(bound)).thumbprint != key_of(sign_in(bound)).thumbprint

    def test_it_is_named_in_the_authorization_request(self, bound: DemoProvider) -> None:
        provider = authnb.Provider.discover(bound.issuer)
        key = DPoPKey.generate()
        client = authnb.Client(provider, client_id=bound.client_id, dpop_key=key)
        uri = client.authorization_request("http://127.0.0.1:1/callback").uri
        assert f"dpop_jkt={key.thumbprint}" in uri

    def test_dpop_false_does_without(self, bound: DemoProvider) -> None:
        api = sign_in(bound, dpop=False)
        assert (api.token["token_type"], api.token.dpop_key) == ("Bearer", None)
        assert api.get("measurements").status_code == 200

    def test_a_provider_that_does_not_is_asked_for_nothing(self, demo: DemoProvider) -> None:
        api = sign_in(demo)
        assert api.token["token_type"] == "Bearer"
        assert "DPoP" not in api.get("measurements").request.headers

    def test_dpop_true_refuses_a_bearer_token(self, demo: DemoProvider) -> None:
        with pytest.raises(ProviderError, match=r"was demanded. It is not used. .*dpop=False") as raised:
            sign_in(demo, dpop=True)
        assert raised.value.error == "unsupported_token_type"

    def test_a_provider_that_offers_it_and_sends_a_bearer_token_is_told_of(self, demo: DemoProvider) -> None:
        provider = replace(
            authnb.Provider.discover(demo.issuer), dpop_signing_alg_values_supported=("ES256",)
        )
        login = authnb.login(
            provider,
            client_id=demo.client_id,
            mode="loopback",
            view=None,
            api=demo.api,
            storage=MemoryStorage(),
        )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            demo.visit(login.verification().uri, name="ada")
            api = login.wait(10)
        assert any("gave one that is not: it works for anybody" in str(each.message) for each in caught)
        assert api.get("measurements", withhold_token=True).status_code == 401
        assert (api.token["token_type"], api.token.dpop_key) == ("Bearer", None)

    def test_a_provider_of_other_algorithms(self, demo: DemoProvider) -> None:
        provider = replace(
            authnb.Provider.discover(demo.issuer), dpop_signing_alg_values_supported=("ES384",)
        )
        assert sign_in_at(provider, demo).token["token_type"] == "Bearer"
        with pytest.raises(AuthnbError, match="it takes proofs signed by ES384"):
            sign_in_at(provider, demo, dpop=True)

    def test_a_device_code(self, bound: DemoProvider) -> None:
        login = authnb.login(bound.issuer, client_id=bound.client_id, mode="device", view=None, api=bound.api)
        verification = login.verification()
        bound.visit(verification.uri_complete or "", name="ada")
        assert login.wait(20).token["token_type"] == "DPoP"

    @pytest.mark.parametrize("error", [-3600.0, 3600.0])
    def test_a_clock_that_is_wrong(self, bound: DemoProvider, error: float) -> None:
        """The provider refuses the first proof, and its Date header says what time it is."""
        api = sign_in(bound, clock_error=error)
        assert api.get("measurements").status_code == 200


def sign_in_at(provider: authnb.Provider, demo: DemoProvider, **more: Any) -> Session:
    """A session at the provider with other metadata."""
    login = authnb.login(
        provider, client_id=demo.client_id, mode="loopback", view=None, storage=MemoryStorage(), **more
    )
    demo.visit(login.verification().uri, name="ada")
    session = login.wait(10)
    assert isinstance(session, Session)
    return session


class TestCalls:
    """A proof for each, with the server's nonce."""

    def test_the_nonce_is_asked_for_once(self, bound: DemoProvider) -> None:
        api = sign_in(bound)
        assert [len(api.get("measurements").history) for _ in range(3)] == [1, 0, 0]

    def test_no_proof_is_used_twice(self, bound: DemoProvider) -> None:
        api = sign_in(bound)
        sent = [api.get("measurements").request.headers["DPoP"] for _ in range(20)]
        assert len({part(proof, 1)["jti"] for proof in sent}) == 20

    def test_a_session_of_requests(self, bound: DemoProvider) -> None:
        api = sign_in(bound)
        for _ in range(2):
            response = requests.get(
                f"{bound.api}/measurements", params={"limit": "2"}, auth=api.requests_auth, timeout=10
            )
            assert response.status_code == 200
        assert part(response.request.headers["DPoP"], 1)["htu"] == f"{bound.api}/measurements"

    def test_what_would_be_handed_over_is_refused(self, bound: DemoProvider) -> None:
        api = sign_in(bound)
        for use in (
            api.access_token,
            lambda: api.headers_for(bound.api),
            lambda: api.token_file().__enter__(),
        ):
            with pytest.raises(AuthnbError, match=r"bound to a key .* dpop=False gives a token without"):
                use()
        with pytest.raises(ShareError, match="stays in this process"):
            api.share_with(multiprocessing)

    def test_a_redirect_is_proven_anew_at_home_and_goes_bare_elsewhere(self, bound: DemoProvider) -> None:
        with api_that_redirects() as (here, seen_here), api_that_redirects() as (there, seen_there):
            session = for_apis(sign_in(bound), here)
            session.get(f"{here}/to?/next")
            assert [part(headers["DPoP"], 1)["htu"] for _, headers in seen_here] == [
                f"{here}/to",
                f"{here}/next",
            ]
            session.get(f"{here}/to?{there}/next")
            (_, elsewhere) = seen_there[-1]
            assert not {"authorization", "dpop"} & {name.lower() for name in elsewhere}
            other = requests.Session()
            other.get(f"{here}/to?{there}/next", auth=session.requests_auth, timeout=10)
            (_, elsewhere) = seen_there[-1]
            assert not {"authorization", "dpop"} & {name.lower() for name in elsewhere}

    def test_a_nonce_that_never_satisfies(self, bound: DemoProvider) -> None:
        with api_that_redirects() as (here, seen):
            session = for_apis(sign_in(bound), here)
            for call in (
                lambda: session.get(f"{here}/nonces"),
                lambda: requests.get(f"{here}/nonces", auth=session.requests_auth, timeout=10),
            ):
                seen.clear()
                with pytest.raises(AuthnbError, match="refused 3 proofs") as raised:
                    call()
                assert raised.value.error == "use_dpop_nonce"
                assert [path for path, _ in seen] == ["/nonces"] * 3

    def test_a_proof_that_is_refused_for_good(self, bound: DemoProvider) -> None:
        with api_that_redirects() as (here, seen):
            session = for_apis(sign_in(bound), here)
            with pytest.raises(AuthnbError, match="timedatectl") as raised:
                session.get(f"{here}/proof")
            assert raised.value.error == "invalid_dpop_proof"
            assert len(seen) == 1

    @pytest.mark.parametrize(
        ("challenge", "wrong"),
        [
            ("Bearer", True),
            ('Basic realm="x", Bearer error="invalid_token"', True),
            ('DPoP algs="ES256", Bearer', False),
            ('Bearer error="insufficient_user_authentication"', False),
        ],
    )
    def test_an_api_that_knows_bearer_tokens_alone(
        self, bound: DemoProvider, challenge: str, *, wrong: bool
    ) -> None:
        """Once a renewal has not helped, it is said what to do; a challenge for proofs, or for more, is none of it."""
        with Server() as server:
            server.text("/", "", 401, **{"WWW-Authenticate": challenge})
            session = for_apis(sign_in(bound), server.url)
            if not wrong:
                assert session.get(f"{server.url}/").status_code == 401
                return
            for call in (
                lambda: session.get(f"{server.url}/"),
                lambda: requests.get(f"{server.url}/", auth=session.requests_auth, timeout=10),
            ):
                with pytest.raises(AuthnbError, match=r"asks for a bearer token.* dpop=False") as raised:
                    call()
                assert raised.value.error == "not_supported"

    def test_a_stolen_token_is_no_use(self, bound: DemoProvider) -> None:
        api = sign_in(bound)
        api.get("measurements")
        text = str(api.token["access_token"])
        url, mine = f"{bound.api}/measurements", DPoPKey.generate()
        for headers in (
            {"Authorization": f"Bearer {text}"},
            {"Authorization": f"DPoP {text}"},
            {"Authorization": f"DPoP {text}", "DPoP": mine.proof("GET", url, 0, access_token=text)},
        ):
            assert requests.get(url, headers=headers, timeout=10).status_code == 401


class TestRenewal:
    """With the key of the token, whoever renews."""

    def test_the_key_stays(self, bound: DemoProvider) -> None:
        api = sign_in(bound)
        before, key = api.token["access_token"], key_of(api)
        age(api)
        assert api.get("measurements").status_code == 200
        assert api.token["access_token"] != before
        assert key_of(api) is key

    def test_a_stampede(self, bound: DemoProvider) -> None:
        api = sign_in(bound)
        age(api)
        statuses: list[int] = []
        threads = [
            threading.Thread(target=lambda: statuses.append(api.get("measurements").status_code))
            for _ in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert statuses == [200] * 16

    def test_a_refresh_token_is_no_use_without_the_key(self, bound: DemoProvider) -> None:
        api = sign_in(bound)
        client = renewer(api).client
        without = Token({k: v for k, v in api.token.items() if k != "dpop_key"})
        with pytest.raises(ProviderError) as raised:
            client.refresh(without)
        assert raised.value.error == "invalid_dpop_proof"

    def test_another_api(self, bound: DemoProvider) -> None:
        api = sign_in(bound, scope=f"{SCOPE} archive:read")
        archive = api.for_audience(bound.archive)
        assert archive.token["token_type"] == "DPoP"
        assert key_of(archive) is key_of(api)


class TestStorage:
    """The key is kept with the sign-in, encrypted."""

    def test_a_second_kernel(self, bound: DemoProvider, tmp_path: Path) -> None:
        storage = FileStorage(tmp_path)
        first = sign_in(bound, storage=storage)
        secret = key_of(first).as_jwk()["d"].encode()
        assert all(secret not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        again = authnb.login(
            bound.issuer,
            client_id=bound.client_id,
            mode="loopback",
            view=None,
            scope=SCOPE,
            api=bound.api,
            storage=FileStorage(tmp_path),
        ).wait(10)
        assert key_of(again).thumbprint == key_of(first).thumbprint
        assert again.get("measurements").status_code == 200
        age(again)
        assert again.get("measurements").status_code == 200

    def test_a_pickled_session_finds_it(self, bound: DemoProvider, tmp_path: Path) -> None:
        api = sign_in(bound, storage=FileStorage(tmp_path))
        assert pickle.loads(pickle.dumps(api)).get("measurements").status_code == 200  # noqa: S301 - our own

    @pytest.mark.parametrize("damage", ["gone", "public", "text"])
    def test_a_sign_in_whose_key_is_lost(self, bound: DemoProvider, damage: str) -> None:
        """It is as if nothing could be read: the next sign-in replaces it, once."""
        storage = Damaged(damage)
        sign_in(bound, storage=storage)
        with pytest.raises(StorageError):
            storage.load(storage.accounts[0])
        login = authnb.login(
            bound.issuer,
            client_id=bound.client_id,
            mode="loopback",
            view=None,
            scope=SCOPE,
            api=bound.api,
            storage=storage,
        )
        bound.visit(login.verification().uri, name="ada")
        assert login.wait(10).get("measurements").status_code == 200

    def test_what_is_stored_otherwise_than_wished_is_not_used(self, bound: DemoProvider) -> None:
        storage = MemoryStorage()
        sign_in(bound, storage=storage, dpop=False)
        login = authnb.login(
            bound.issuer,
            client_id=bound.client_id,
            mode="loopback",
            view=None,
            scope=SCOPE,
            dpop=True,
            storage=storage,
        )
        bound.visit(login.verification().uri, name="ada")  # a stored one would show no link
        assert login.wait(10).token["token_type"] == "DPoP"


class TestKey:
    """A secret, which goes nowhere by itself."""

    def test_it_is_not_shown_and_not_pickled(self, bound: DemoProvider) -> None:
        api = sign_in(bound)
        key = key_of(api)
        secret = key.as_jwk()["d"]
        assert secret not in f"{key!r}{key}{api.token!r}{vars(api.token)}{api.token_auth!r}"
        for each in (key, api.token):
            with pytest.raises(TypeError):
                pickle.dumps(each)
        assert copy.deepcopy(key) is key
        assert copy.deepcopy(api.token).dpop_key is key

    def test_no_provider_can_set_it(self, demo: DemoProvider) -> None:
        api = sign_in(demo)
        assert "dpop_key" not in api.token

    def test_signing_out_ends_it(self, bound: DemoProvider) -> None:
        api = sign_in(bound)
        assert api.logout().revoked == ("refresh_token", "access_token")
        with pytest.raises(LoginRequired):
            api.get("measurements")


class Damaged(MemoryStorage):
    """A storage that keeps text, in which the key of the first sign-in is damaged."""

    def __init__(self, damage: str) -> None:
        super().__init__()
        self._damage, self._texts = damage, dict[Account, str]()
        self.accounts: list[Account] = []

    def load(self, account: Account) -> SignIn | None:
        text = self._texts.get(account)
        return None if text is None else SignIn.from_json(text)

    def save(self, account: Account, sign_in: SignIn) -> None:
        members = json.loads(sign_in.to_json())
        if not self.accounts:
            key = members["token"].pop("dpop_key")
            if self._damage != "gone":
                public = {name: value for name, value in key.items() if name != "d"}
                members["token"]["dpop_key"] = public if self._damage == "public" else "a key"
        self.accounts.append(account)
        self._texts[account] = json.dumps(members)

    def remove(self, account: Account) -> None:
        self._texts.pop(account, None)


def for_apis(session: Session, *apis: str) -> Session:
    """Another session with the same token, for other APIs."""
    its = renewer(session)
    return Session.from_sign_in(its.client, session.token, account=its.account, storage=its.storage, api=apis)


@contextmanager
def api_that_redirects() -> Iterator[tuple[str, list[tuple[str, dict[str, str]]]]]:
    """An API that redirects ``/to?URL``, and refuses proofs; its address, and the requests that it got."""
    seen: list[tuple[str, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, target = self.path.partition("?")
            seen.append((path, dict(self.headers)))
            refusals = {"/nonces": "use_dpop_nonce", "/proof": "invalid_dpop_proof"}
            self.send_response(302 if path == "/to" else 401 if path in refusals else 200)
            if path == "/to":
                self.send_header("Location", target)
            if path in refusals:
                self.send_header("WWW-Authenticate", f'DPoP error="{refusals[path]}", algs="ES256"')
                self.send_header("DPoP-Nonce", f"nonce-{len(seen)}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
