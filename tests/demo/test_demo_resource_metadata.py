"""The APIs of the provider for learning say whom they trust (RFC 9728), and take no token that is another's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from demo_helpers import (
    DEVICE_GRANT,
    SCOPE,
    ask,
    get_tokens,
    redeem,
    refresh,
    signed_in_window,
    token_request,
)
from joserfc import jwt
from joserfc.jwk import KeySet

from authnb.demo import DemoProvider


def get(url: str, token: str | None = None) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.get(url, headers=headers, timeout=20)


def error_of(answer: requests.Response) -> str | None:
    return None if answer.status_code == 200 else answer.json()["error"]


def test_the_metadata_of_an_api(demo: DemoProvider) -> None:
    """RFC 9728 sections 2 and 3.1: the well-known path goes between the host and the path of the API."""
    for api, path, name in (
        (demo.api, "/api", "Air measurements"),
        (demo.archive, "/archive", "Archive of daily means"),
    ):
        answer = get(f"{demo.issuer}/.well-known/oauth-protected-resource{path}")
        assert answer.headers["Content-Type"] == "application/json"
        document = answer.json()
        assert document["resource"] == api
        assert document["authorization_servers"] == [demo.issuer]
        assert "measurements:read" in document["scopes_supported"]
        assert document["bearer_methods_supported"] == ["header"]
        assert document["resource_name"] == name
    provider = get(f"{demo.issuer}/.well-known/oauth-authorization-server").json()
    assert provider["protected_resources"] == [demo.api, demo.archive]


@pytest.mark.parametrize("path", ["", "/", "/apis", "/api/", "/api/stations"])
def test_there_are_no_others(demo: DemoProvider, path: str) -> None:
    answer = get(f"{demo.issuer}/.well-known/oauth-protected-resource{path}")
    assert answer.status_code == 404
    assert answer.json()["error"] == "invalid_request"


@pytest.mark.parametrize("path", ["", "/", "/stations"])
def test_a_request_without_a_token_is_told_where_to_get_one(demo: DemoProvider, path: str) -> None:
    """RFC 9728 section 5.1, from the API's own address on; `scope` is RFC 6750 section 3's."""
    challenge = get(demo.api + path).headers["WWW-Authenticate"]
    assert f'resource_metadata="{demo.issuer}/.well-known/oauth-protected-resource/api"' in challenge
    assert 'scope="measurements:read"' in challenge
    assert "error" not in challenge


def test_a_bad_token_and_one_with_too_small_a_scope_are_told_too(demo: DemoProvider) -> None:
    narrow = get_tokens(demo, scope="openid", resource=demo.archive)["access_token"]
    for token, status in (("x", 401), (narrow, 403)):
        answer = get(demo.archive + "/days", token)
        assert answer.status_code == status
        challenge = answer.headers["WWW-Authenticate"]
        assert f'resource_metadata="{demo.issuer}/.well-known/oauth-protected-resource/archive"' in challenge


def test_the_addresses_of_the_apis_have_something_to_read(demo: DemoProvider) -> None:
    for resource in (demo.api, demo.archive):
        token = get_tokens(demo, resource=resource)["access_token"]
        paths = get(resource, token).json()["paths"]
        wants = {path: error_of(get(resource + path, token)) for path in paths}
        more = {"/calibration": "insufficient_user_authentication"}
        if resource == demo.archive:
            more = dict.fromkeys(("/months", "/corrections"), "insufficient_scope")
        assert wants == dict.fromkeys(paths) | more


def test_userinfo_is_no_api_of_its_own(demo: DemoProvider) -> None:
    assert "resource_metadata" not in get(f"{demo.issuer}/userinfo").headers["WWW-Authenticate"]


@pytest.mark.parametrize(("where", "status"), [("well-known", 200), (None, 404)])
def test_a_provider_whose_apis_say_less(where: Any, status: int) -> None:
    with DemoProvider(resource_metadata=where) as demo:
        challenge = get(demo.api).headers["WWW-Authenticate"]
        assert challenge == 'Bearer realm="authnb demo", scope="measurements:read"'
        assert get(f"{demo.issuer}/.well-known/oauth-protected-resource/api").status_code == status


def test_behind_a_proxy_the_challenge_leads_below_the_path() -> None:
    """The host's root belongs to others there; a challenge may lead anywhere (RFC 9728 section 5.1)."""
    with DemoProvider(issuer="http://localhost:{port}/services/authnb") as demo:
        challenge = get(demo.api).headers["WWW-Authenticate"]
        url = f"{demo.issuer}/.well-known/oauth-protected-resource/api"
        assert f'resource_metadata="{url}"' in challenge
        assert get(url).json()["resource"] == demo.api


class TestAudience:
    """RFC 8707: a token is for one API, whichever endpoint it came from."""

    def test_the_other_api_refuses_it(self, demo: DemoProvider) -> None:
        """Also where its scope would not do either: first it is the wrong token."""
        for scope in (SCOPE, "openid"):
            token = get_tokens(demo, scope=scope, resource=demo.archive)["access_token"]
            answer = get(demo.api + "/stations", token)
            assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
        token = get_tokens(demo)["access_token"]
        assert get(demo.archive + "/days", token).status_code == 401

    @pytest.mark.parametrize("resource", ["https://other.example", "", "/api", "http://127.0.0.1/api"])
    def test_an_unknown_one(self, demo: DemoProvider, resource: str) -> None:
        """At each endpoint; nothing is used up by the attempt."""
        asked = ask(demo)
        window = signed_in_window(demo)
        code = window.submit(window.get(asked.url), decision="allow").answer["code"]
        device = {"client_id": demo.client_id, "scope": SCOPE, "resource": resource}
        refused = [
            redeem(demo, asked, code, resource=resource),
            requests.post(f"{demo.issuer}/device_authorization", data=device, timeout=20),
        ]
        tokens = redeem(demo, asked, code).json()
        refused.append(refresh(demo, tokens["refresh_token"], resource=resource))
        refused.append(
            token_request(
                demo,
                grant_type="urn:ietf:params:oauth:grant-type:token-exchange",
                subject_token=tokens["access_token"],
                subject_token_type="urn:ietf:params:oauth:token-type:access_token",
                resource=resource,
            )
        )
        for answer in refused:
            assert (answer.status_code, answer.json()["error"]) == (400, "invalid_target")
        assert refresh(demo, tokens["refresh_token"]).status_code == 200
        assert window.get(ask(demo, resource=resource).url).answer["error"] == "invalid_target"

    def test_by_device_code(self, demo: DemoProvider) -> None:
        token = device_token(demo, demo.archive)
        assert get(demo.archive + "/days", token).status_code == 200
        assert get(demo.api + "/stations", token).status_code == 401

    def test_devices_that_ask_at_the_same_moment(self, demo: DemoProvider) -> None:
        """Each gets a token for the API that it asked for."""
        demo.sign_up("ada", "a long passphrase")
        wanted = [demo.api, demo.archive] * 20
        with ThreadPoolExecutor(8) as pool:
            codes = list(pool.map(lambda resource: ask_for_device(demo, resource), wanted))
        window = signed_in_window(demo)
        for device, resource in list(zip(codes, wanted, strict=True))[::5]:
            name = "Air measurements" if resource == demo.api else "Archive of daily means"
            page = window.get(device["verification_uri_complete"])
            assert f"with tokens for: {name}" in page.text


def ask_for_device(demo: DemoProvider, resource: str) -> dict[str, Any]:
    data = {"client_id": demo.client_id, "scope": SCOPE, "resource": resource}
    return requests.post(f"{demo.issuer}/device_authorization", data=data, timeout=20).json()


def device_token(demo: DemoProvider, resource: str) -> str:
    device = ask_for_device(demo, resource)
    demo.approve(device["user_code"])
    return token_request(demo, grant_type=DEVICE_GRANT, device_code=device["device_code"]).json()[
        "access_token"
    ]


class TestTokensThatCanBeRead:
    """RFC 9068."""

    @pytest.mark.parametrize("which", [None, "api", "archive"])
    def test_they_name_their_api(self, which: str | None) -> None:
        with DemoProvider(jwt_access_tokens=True) as demo:
            resource = getattr(demo, which) if which else None
            tokens = get_tokens(demo, resource=resource)
            keys = KeySet.import_key_set(get(f"{demo.issuer}/jwks").json())
            id_claims = jwt.decode(tokens["id_token"], keys).claims
            for answer in (tokens, refresh(demo, tokens["refresh_token"]).json()):
                token = jwt.decode(answer["access_token"], keys)
                assert token.header["typ"] == "at+jwt"
                claims = token.claims
                assert claims["aud"] == (resource or demo.api)
                assert claims["iss"] == demo.issuer
                assert (claims["client_id"], claims["scope"]) == (demo.client_id, SCOPE)
                assert (claims["sub"], claims["auth_time"]) == (id_claims["sub"], id_claims["auth_time"])
                assert claims["exp"] - claims["iat"] == answer["expires_in"]
                assert claims["jti"]
                assert get(claims["aud"], answer["access_token"]).status_code == 200
            other = demo.api if which == "archive" else demo.archive
            assert get(other, tokens["access_token"]).status_code == 401

    def test_one_that_was_changed_opens_nothing(self) -> None:
        with DemoProvider(jwt_access_tokens=True) as demo:
            header, claims, signature = get_tokens(demo)["access_token"].split(".")
            for token in (f"{header}.{claims}.", f"{header}.{claims}.{signature[::-1]}", "e30.e30."):
                assert get(demo.api, token).status_code == 401

    def test_a_job_is_its_own_subject(self) -> None:
        with DemoProvider(jwt_access_tokens=True) as demo:
            data = {"grant_type": "client_credentials", "resource": demo.archive}
            auth = (demo.job_client_id, demo.job_client_secret)
            answer = requests.post(f"{demo.issuer}/token", data=data, auth=auth, timeout=20).json()
            keys = KeySet.import_key_set(get(f"{demo.issuer}/jwks").json())
            claims = jwt.decode(answer["access_token"], keys).claims
            assert (claims["sub"], claims["aud"]) == (demo.job_client_id, demo.archive)
            assert "auth_time" not in claims
