"""Clients on other hosts: registered redirect URIs, another issuer, fragment responses, client credentials."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from demo_helpers import SCOPE, Window, api_status, ask, redeem, signed_in_window

from authnb.demo import DemoProvider

PAGE = "https://hub.example.org/user/ada/lab/extensions/authnb/callback.html"


def job(demo: DemoProvider, **changes: str) -> Any:
    data = {"grant_type": "client_credentials", **changes}
    auth = (demo.job_client_id, demo.job_client_secret)
    return requests.post(f"{demo.issuer}/token", data=data, auth=auth, timeout=20)


class TestFurtherRedirectAddresses:
    """Registered at the start, each as it stands."""

    @pytest.mark.parametrize(
        "uri",
        [
            PAGE + "/",
            PAGE[:-1],
            PAGE.replace("https", "http"),
            PAGE.replace("org/", "org:443/"),
            PAGE + "?x=1",
        ],
    )
    def test_no_other_is_taken(self, uri: str) -> None:
        with DemoProvider(redirect_uris=[PAGE]) as demo:
            page = Window(demo).get(ask(demo, redirect_uri=uri).url)
            assert page.status == 400
            assert page.url.startswith(demo.issuer)

    def test_a_code_goes_there(self) -> None:
        with DemoProvider(redirect_uris=[PAGE]) as demo:
            asked, window = ask(demo, redirect_uri=PAGE), signed_in_window(demo)
            page = window.submit(window.get(asked.url), decision="allow")
            assert page.url.startswith(f"{PAGE}?code=")
            assert redeem(demo, asked, page.answer["code"]).status_code == 200

    def test_they_are_of_this_start(self, tmp_path: Any) -> None:
        """A database that is opened again keeps no address that is not given again."""
        with DemoProvider(tmp_path / "db", redirect_uris=[PAGE]):
            pass
        with DemoProvider(tmp_path / "db") as demo:
            assert Window(demo).get(ask(demo, redirect_uri=PAGE).url).status == 400

    def test_what_is_no_address_is_refused(self) -> None:
        with pytest.raises(ValueError, match="redirect URI"):
            DemoProvider(redirect_uris=["hub.example.org/callback"]).start()


class TestResponseMode:
    """OAuth 2.0 Multiple Response Type Encoding Practices section 2.1."""

    def test_a_code_in_the_fragment(self, demo: DemoProvider) -> None:
        asked, window = ask(demo, response_mode="fragment"), signed_in_window(demo)
        page = window.submit(window.get(asked.url), decision="allow")
        assert page.url.startswith(f"{asked.redirect_uri}#code=")
        assert "iss=" in page.url

    def test_an_error_in_the_fragment(self, demo: DemoProvider) -> None:
        page = Window(demo).get(ask(demo, response_mode="fragment", prompt="none").url)
        assert page.url.startswith("http://127.0.0.1:9/callback#error=login_required")

    def test_no_other(self, demo: DemoProvider) -> None:
        page = Window(demo).get(ask(demo, response_mode="form_post").url)
        assert page.answer["error"] == "invalid_request"


class TestIssuer:
    """Under another name of this computer."""

    def test_the_whole_sign_in(self) -> None:
        with DemoProvider(issuer="http://localhost:{port}") as demo:
            assert demo.issuer.startswith("http://localhost:")
            asked, window = ask(demo), signed_in_window(demo)
            page = window.submit(window.get(asked.url), decision="allow")
            assert page.answer["iss"] == demo.issuer
            assert redeem(demo, asked, page.answer["code"]).status_code == 200


class TestClientCredentials:
    """RFC 6749 section 4.4."""

    def test_a_token_for_the_job(self, demo: DemoProvider) -> None:
        answer = job(demo).json()
        assert answer["scope"] == "measurements:read"
        assert "refresh_token" not in answer
        assert "id_token" not in answer
        assert api_status(demo, answer["access_token"]) == 200

    def test_it_knows_nobody(self, demo: DemoProvider) -> None:
        header = {"Authorization": f"Bearer {job(demo).json()['access_token']}"}
        assert requests.get(f"{demo.issuer}/userinfo", headers=header, timeout=20).status_code == 403

    @pytest.mark.parametrize("scope", [SCOPE, "openid", "profile", "offline_access"])
    def test_no_scope_about_a_person(self, demo: DemoProvider, scope: str) -> None:
        assert job(demo, scope=scope).json()["error"] == "invalid_scope"

    def test_no_other_client(self, demo: DemoProvider) -> None:
        web = requests.post(
            f"{demo.issuer}/token",
            data={"grant_type": "client_credentials"},
            auth=(demo.web_client_id, demo.web_client_secret),
            timeout=20,
        )
        public = requests.post(
            f"{demo.issuer}/token",
            data={"grant_type": "client_credentials", "client_id": demo.client_id},
            timeout=20,
        )
        assert web.json()["error"] == "unauthorized_client"
        assert public.json()["error"] == "invalid_client"

    def test_the_wrong_secret(self, demo: DemoProvider) -> None:
        answer = requests.post(
            f"{demo.issuer}/token",
            data={"grant_type": "client_credentials"},
            auth=(demo.job_client_id, "wrong"),
            timeout=20,
        )
        assert answer.json()["error"] == "invalid_client"


def test_no_window_keeps_a_handle_on_us(demo: DemoProvider) -> None:
    """Cross-Origin-Opener-Policy: whoever opened the page cannot reach into it."""
    assert Window(demo).get("/login").response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
