"""Clients that authenticate by a key at the provider for learning: private_key_jwt (RFC 7523)."""

from __future__ import annotations

import base64
import json
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from demo_helpers import Clock, allow, ask, at_once, signed_in_window
from dpop_proofs import outcome
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from registered import manage, post, register

from authnb.demo import DemoProvider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
KEY = ECKey.generate_key("P-256", {"kid": "first"})
OTHER_KEY = ECKey.generate_key("P-256", {"kid": "first"})
RSA = RSAKey.generate_key(2048)
SHORT = base64.urlsafe_b64encode((1 << 1023 | 1).to_bytes(128)).decode().rstrip("=")  # 1024 bits
ED25519 = OKPKey.generate_key("Ed25519")
JWKS = {"keys": [key.as_dict(private=False) for key in (KEY, RSA, ED25519)]}
NOW = Clock().seconds


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def demo(clock: Clock) -> Iterator[DemoProvider]:
    keys = {"job": JWKS, "notebook": JWKS}
    with DemoProvider(clock=clock, client_keys=keys, pushed_requests="offered") as provider:
        yield provider


def assertion(
    demo: DemoProvider,
    key: Any = KEY,
    header: dict[str, Any] | None = None,
    client_id: str = "job",
    **changes: Any,
) -> str:
    """A client assertion of the job with these changes; a claim that is None is left out."""
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": demo.issuer,
        "jti": secrets.token_urlsafe(16),
        "iat": NOW,
        "exp": NOW + 60,
    } | changes
    claims = {name: value for name, value in claims.items() if value is not None}
    head = {"alg": "ES256"} | (header or {})
    return jws.serialize_compact(head, json.dumps(claims), key, [head["alg"]])


def as_job(demo: DemoProvider, signed: str, *, auth: Any = None, **more: str) -> requests.Response:
    form = {"grant_type": "client_credentials", "client_assertion_type": TYPE, "client_assertion": signed}
    return requests.post(f"{demo.issuer}/token", data=form | more, auth=auth, timeout=20)


@pytest.mark.parametrize(
    ("key", "header"),
    [
        (KEY, {"kid": "first"}),
        (KEY, {}),
        (RSA, {"alg": "PS256"}),
        (ED25519, {"alg": "Ed25519"}),
    ],
    ids=["by its identifier", "without one", "RSA", "Ed25519"],
)
def test_each_of_its_keys(demo: DemoProvider, key: Any, header: dict[str, Any]) -> None:
    assert outcome(as_job(demo, assertion(demo, key, header))) == (200, "ok")


@pytest.mark.parametrize("more", [{"exp": NOW + 600}, {"iat": None}, {"iat": NOW + 10, "nbf": NOW + 10}])
def test_other_right_ones(demo: DemoProvider, more: dict[str, Any]) -> None:
    assert outcome(as_job(demo, assertion(demo, **more), client_id="job")) == (200, "ok")
    at_the_endpoint = assertion(demo, aud=f"{demo.issuer}/token")
    assert outcome(as_job(demo, at_the_endpoint)) == (200, "ok")


WRONG: dict[str, dict[str, Any]] = {
    "another key": {"key": OTHER_KEY},
    "a key that is not registered": {"key": OTHER_KEY, "header": {"kid": "second"}},
    "a key by another's identifier": {"header": {"kid": "second"}},
    "a shared secret": {"key": OctKey.generate_key(256), "header": {"alg": "HS256"}},
    "RS256": {"key": RSA, "header": {"alg": "RS256"}},
    "no iss": {"iss": None},
    "another iss": {"iss": "notebook"},
    "no sub": {"sub": None},
    "another sub": {"sub": "notebook"},
    "a client without keys": {"iss": "web", "sub": "web"},
    "an unknown client": {"iss": "nobody", "sub": "nobody"},
    "a list as sub": {"sub": ["job"]},
    "no aud": {"aud": None},
    "another aud": {"aud": "https://other.example"},
    "a list as aud": {"aud": ["{issuer}"]},
    "the API as aud": {"aud": "{issuer}/api"},
    "another endpoint as aud": {"aud": "{issuer}/par"},
    "no exp": {"exp": None},
    "expired": {"exp": NOW},
    "too long a life": {"exp": NOW + 601},
    "a text as exp": {"exp": str(NOW + 60)},
    "true as exp": {"exp": True},
    "no end of exp": {"exp": float("inf")},
    "iat of the future": {"iat": NOW + 11},
    "nbf of the future": {"nbf": NOW + 11},
    "a text as iat": {"iat": "now"},
    "no jti": {"jti": None},
    "an empty jti": {"jti": ""},
    "a number as jti": {"jti": 5},
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong(demo: DemoProvider, case: str) -> None:
    """Each is right but for one thing."""
    given = dict(WRONG[case])
    if "aud" in given and given["aud"] is not None:
        given["aud"] = json.loads(json.dumps(given["aud"]).replace("{issuer}", demo.issuer))
    assert outcome(as_job(demo, assertion(demo, **given))) == (401, "invalid_client")


def test_no_assertion_at_all(demo: DemoProvider) -> None:
    """No JWT, an unsigned one, another type, and nothing; nor does the secret of before do."""
    good = assertion(demo)
    header, claims, _ = good.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    deep = base64.urlsafe_b64encode(b"[" * 3000).decode()
    for each in (
        "",
        "x",
        "a.b.c",
        "..",
        f"{none}.{claims}.",
        f"{header}.{claims}.",
        f"{deep}.e30.e30",
        "A" * 20_000,
    ):
        assert outcome(as_job(demo, each)) == (401, "invalid_client")
    assert outcome(as_job(demo, good, client_assertion_type="other")) == (401, "invalid_client")
    form = {"grant_type": "client_credentials", "client_id": "job"}
    assert outcome(requests.post(f"{demo.issuer}/token", data=form, timeout=20)) == (401, "invalid_client")
    form["client_secret"] = demo.job_client_secret
    assert outcome(requests.post(f"{demo.issuer}/token", data=form, timeout=20)) == (401, "invalid_client")


def test_one_method_and_one_client_in_a_request(demo: DemoProvider) -> None:
    """RFC 6749 section 2.3, RFC 7521 section 4.2."""
    secret = demo.job_client_secret
    for more in ({"client_secret": secret}, {"auth": ("job", secret)}, {"client_id": "notebook"}):
        assert outcome(as_job(demo, assertion(demo), **more)) == (401, "invalid_client")


def test_it_is_good_once(demo: DemoProvider) -> None:
    """Of eight at the same moment one is the first; another client may have the same `jti`."""
    signed = assertion(demo, jti="same")
    answers = sorted(outcome(each) for each in at_once(lambda: as_job(demo, signed)))
    assert answers == [(200, "ok"), *[(401, "invalid_client")] * 7]
    form = {
        "client_assertion_type": TYPE,
        "client_assertion": assertion(demo, client_id="notebook", jti="same"),
    }
    answer = requests.post(f"{demo.issuer}/device_authorization", data=form, timeout=20)
    assert answer.status_code == 200


def test_also_after_another_start(clock: Clock, tmp_path: Path) -> None:
    """And after those that expired are deleted; without keys its secret does again."""
    path = tmp_path / "people.db"
    with DemoProvider(path, clock=clock, issuer="http://localhost:{port}", client_keys={"job": JWKS}) as demo:
        port = int(demo.issuer.rpartition(":")[2])
        signed = assertion(demo)
        assert outcome(as_job(demo, signed)) == (200, "ok")
    with DemoProvider(
        path, port, clock=clock, issuer="http://localhost:{port}", client_keys={"job": JWKS}
    ) as demo:
        assert outcome(as_job(demo, signed)) == (401, "invalid_client")
    with DemoProvider(path, clock=clock) as demo:
        assert outcome(as_job(demo, assertion(demo))) == (401, "invalid_client")
        credentials = ("job", demo.job_client_secret)
        form = {"grant_type": "client_credentials"}
        answer = requests.post(f"{demo.issuer}/token", data=form, auth=credentials, timeout=20)
        assert outcome(answer) == (200, "ok")


def test_a_sign_in(demo: DemoProvider) -> None:
    """From the pushed request, where the endpoint may be the audience (RFC 9126 section 2), to the revocation."""
    client = {"client_id": "notebook", "client_assertion_type": TYPE}
    asked = ask(demo)
    form = dict(parse_qsl(urlsplit(asked.url).query))
    refused = requests.post(f"{demo.issuer}/par", data=form, timeout=20)
    assert outcome(refused) == (401, "invalid_client")

    def send(path: str, **more: str) -> requests.Response:
        aud = f"{demo.issuer}/par" if path == "/par" else demo.issuer
        signed = assertion(demo, client_id="notebook", aud=aud)
        data = {**client, "client_assertion": signed, **more}
        answer = requests.post(demo.issuer + path, data=data, timeout=20)
        assert answer.ok, answer.text
        return answer

    window = signed_in_window(demo)
    asked.url = (
        f"{demo.issuer}/authorize?client_id=notebook&request_uri={send('/par', **form).json()['request_uri']}"
    )
    code = {"code": allow(window, asked)["code"], "code_verifier": asked.verifier}
    tokens = send("/token", grant_type="authorization_code", redirect_uri=asked.redirect_uri, **code).json()
    renewed = send("/token", grant_type="refresh_token", refresh_token=tokens["refresh_token"]).json()
    send("/revoke", token=renewed["refresh_token"])


def test_the_metadata(demo: DemoProvider) -> None:
    """Those of the token endpoint and of revocation; without `client_keys` nothing of the kind."""
    url = "{}/.well-known/oauth-authorization-server"
    document = requests.get(url.format(demo.issuer), timeout=20).json()
    for endpoint in ("token", "revocation"):
        assert document[f"{endpoint}_endpoint_auth_methods_supported"][-1] == "private_key_jwt"
        algorithms = document[f"{endpoint}_endpoint_auth_signing_alg_values_supported"]
        assert algorithms == ["ES256", "PS256", "Ed25519"]
    with DemoProvider() as other:
        assert "private_key_jwt" not in requests.get(url.format(other.issuer), timeout=20).text
        refused = post(other, token_endpoint_auth_method="private_key_jwt", jwks=JWKS)
        assert outcome(refused) == (400, "invalid_client_metadata")


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"nobody": JWKS}, "no clients"),
        ({"job": {}}, "JWK set"),
        ({"job": {"keys": [KEY.as_dict(private=True)]}}, "public"),
    ],
)
def test_keys_of_no_use_are_refused_at_the_start(keys: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        DemoProvider(client_keys=keys).start()


class TestRegistration:
    """RFC 7591 with `jwks`."""

    def test_a_client_with_keys(self, demo: DemoProvider) -> None:
        """It is told what is registered, gets tokens by its key alone, and may take another key."""
        client = register(demo, token_endpoint_auth_method="private_key_jwt", jwks=JWKS)
        assert client["token_endpoint_auth_method"] == "private_key_jwt"
        assert "client_secret" not in client
        assert [key["kty"] for key in client["jwks"]["keys"]] == ["EC", "RSA", "OKP"]
        own = client["client_id"]
        assert self.status(demo, own, KEY) == 200
        assert self.status(demo, own, OTHER_KEY) == 401
        form = {"client_id": own, "scope": "openid"}
        assert requests.post(f"{demo.issuer}/device_authorization", data=form, timeout=20).status_code == 401
        keys = {"keys": [OTHER_KEY.as_dict(private=False)]}
        metadata = {
            name: value
            for name, value in client.items()
            if not name.startswith("registration_") and name != "client_id_issued_at"
        }
        changed = manage(client, "PUT", json={**metadata, "jwks": keys})
        assert changed.status_code == 200, changed.text
        assert [self.status(demo, own, key) for key in (KEY, OTHER_KEY)] == [401, 200]

    def status(self, demo: DemoProvider, client_id: str, key: Any) -> int:
        form = {"client_assertion_type": TYPE, "client_assertion": assertion(demo, key, client_id=client_id)}
        return requests.post(f"{demo.issuer}/device_authorization", data=form, timeout=20).status_code

    @pytest.mark.parametrize(
        "jwks",
        [
            None,
            [],
            {"keys": []},
            {"keys": [{}]},
            {"keys": ["key"]},
            {"keys": [KEY.as_dict(private=False)] * 9},
            {"keys": [KEY.as_dict(private=True)]},
            {"keys": [OctKey.generate_key(256).as_dict(private=True)]},
            {"keys": [ECKey.generate_key("P-384").as_dict(private=False)]},
            {"keys": [{**KEY.as_dict(private=False), "alg": "RS256"}]},
            {"keys": [{**KEY.as_dict(private=False), "use": "enc"}]},
            {"keys": [{**KEY.as_dict(private=False), "kid": 5}]},
            {"keys": [{**KEY.as_dict(private=False), "x": "AAAA"}]},
            {"keys": [{"kty": "EC", "crv": "P-256"}]},
            {"keys": [{**RSA.as_dict(private=False), "n": SHORT}]},
            {"keys": [{**RSA.as_dict(private=False), "n": "A"}]},
            {"keys": [{**RSA.as_dict(private=False), "e": "Aw"}]},
        ],
    )
    def test_keys_that_are_none(self, demo: DemoProvider, jwks: Any) -> None:
        answer = post(demo, token_endpoint_auth_method="private_key_jwt", jwks=jwks)
        assert outcome(answer) == (400, "invalid_client_metadata")
