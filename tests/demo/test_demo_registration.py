"""Clients that register themselves (RFC 7591), and manage their registration (RFC 7592)."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import requests
from demo_helpers import (
    CALLBACK,
    DEVICE_GRANT,
    SCOPE,
    Window,
    allow,
    api_status,
    ask,
    get_tokens,
    redeem,
    refresh,
    signed_in_window,
    token_request,
)
from registered import METADATA, manage, post, register

from authnb.demo import DemoProvider

if TYPE_CHECKING:
    from pathlib import Path

    from demo_helpers import Clock

PAGE = "https://hub.example.org/user/ada/lab/extensions/authnb/callback.html"
HOUR, DAY = 3600, 24 * 3600


def metadata(demo: DemoProvider) -> dict[str, Any]:
    return requests.get(f"{demo.issuer}/.well-known/oauth-authorization-server", timeout=20).json()


def test_a_registered_client_signs_somebody_in(demo: DemoProvider) -> None:
    """RFC 7591 section 3.2.1: all that was registered is stated, and there is no secret."""
    assert metadata(demo)["registration_endpoint"] == f"{demo.issuer}/register"
    answer = post(demo, software_id="authnb", scope=SCOPE, logo_uri="https://example.org/logo.png")
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    registered = answer.json()
    assert registered == METADATA | {
        "software_id": "authnb",
        "scope": SCOPE,
        "response_types": ["code"],
        "client_id": registered["client_id"],
        "client_id_issued_at": 1_750_000_000,
        "registration_client_uri": f"{demo.issuer}/register/{registered['client_id']}",
        "registration_access_token": registered["registration_access_token"],
    }
    tokens = get_tokens(demo, client_id=registered["client_id"])
    assert api_status(demo, tokens["access_token"]) == 200
    refreshed = refresh(demo, tokens["refresh_token"], client_id=registered["client_id"])
    assert refreshed.status_code == 200


def test_the_person_hears_that_nobody_has_checked_the_name(demo: DemoProvider) -> None:
    """Also where its name is that of another client, and where the answer goes to another machine."""
    registered = register(demo, client_name="Notebook", redirect_uris=[PAGE])
    window = signed_in_window(demo)
    page = window.get(ask(demo, client_id=registered["client_id"], redirect_uri=PAGE).url)
    assert page.title == "Allow Notebook?"
    assert "This client registered itself. Nobody has checked its name." in page.text
    assert "The answer goes to hub.example.org." in page.text
    own = window.get(ask(demo).url)
    assert own.title == page.title
    assert "registered itself" not in own.text
    assert "which is on this computer" in own.text


def test_markup_in_a_name_is_text(demo: DemoProvider) -> None:
    registered = register(demo, client_name="<script>alert(1)</script>")
    page = signed_in_window(demo).get(ask(demo, client_id=registered["client_id"]).url)
    assert page.title == "Allow <script>alert(1)</script>?"
    assert not page.soup.select("script")


def test_a_registered_client_by_device_code(demo: DemoProvider) -> None:
    client_id = register(demo)["client_id"]
    device = requests.post(
        f"{demo.issuer}/device_authorization", data={"client_id": client_id, "scope": SCOPE}, timeout=20
    ).json()
    window = signed_in_window(demo)
    page = window.get(device["verification_uri_complete"])
    assert "Nobody has checked its name" in page.text
    window.submit(page, decision="allow")
    tokens = token_request(
        demo, client_id=client_id, grant_type=DEVICE_GRANT, device_code=device["device_code"]
    )
    assert api_status(demo, tokens.json()["access_token"]) == 200


def test_defaults(demo: DemoProvider) -> None:
    """RFC 7591 section 2, but for the secret, which no client gets here."""
    answer = requests.post(
        f"{demo.issuer}/register", json={"redirect_uris": [CALLBACK], "client_uri": None}, timeout=20
    ).json()
    assert answer["grant_types"] == ["authorization_code"]
    assert answer["response_types"] == ["code"]
    assert answer["token_endpoint_auth_method"] == "none"
    assert "client_secret" not in answer
    tokens = get_tokens(demo, client_id=answer["client_id"])
    assert "refresh_token" not in tokens, "it did not register for them"


def test_any_port_of_the_loopback_interface(demo: DemoProvider) -> None:
    """RFC 8252 section 7.3, whether one was registered or none; the path is compared as it stands."""
    for uri in ("http://127.0.0.1/callback", "http://127.0.0.1:8888/callback"):
        client_id = register(demo, redirect_uris=[uri])["client_id"]
        for port, path, status in ((9, "/callback", 200), (10, "/callback", 200), (9, "/other", 400)):
            asked = ask(demo, client_id=client_id, redirect_uri=f"http://127.0.0.1:{port}{path}")
            assert signed_in_window(demo).get(asked.url).status == status


@pytest.mark.parametrize(
    "uri",
    [
        "http://hub.example.org/callback",
        "http://127.0.0.1.example.org/callback",
        "http://127.0.0.1@example.org/callback",
        "https://ada@example.org/callback",
        "https://example.org\\@evil.example/callback",
        "https://*.example.org/callback",
        "https://example.org/callback#here",
        "https://example.org/call back",
        "https://example.org/callback\x00",
        "https://exämple.org/callback",
        "https://example.org:0/callback",
        "https://example.org:port/callback",
        "http://127.0.0.1:99999/callback",
        "https:///callback",
        "https://[::1/callback",
        "https://example.org/" + "a" * 1000,
        "javascript:alert(1)",
        "org.example.app:/callback",
        "file:///callback",
        "/callback",
        "",
    ],
)
def test_redirect_uris_that_are_refused(demo: DemoProvider, uri: str) -> None:
    """RFC 7591 section 3.2.2. One bad address among good ones is enough."""
    for uris in ([uri], [PAGE, uri]):
        answer = post(demo, redirect_uris=uris)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_redirect_uri")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uris": []}, "invalid_redirect_uri"),
        ({"redirect_uris": None}, "invalid_redirect_uri"),
        ({"redirect_uris": "http://127.0.0.1/callback"}, "invalid_redirect_uri"),
        ({"redirect_uris": [{}]}, "invalid_redirect_uri"),
        ({"redirect_uris": [f"{PAGE}{number}" for number in range(17)]}, "invalid_redirect_uri"),
        ({"grant_types": ["client_credentials"]}, "invalid_client_metadata"),
        ({"grant_types": ["implicit"]}, "invalid_client_metadata"),
        ({"grant_types": "authorization_code"}, "invalid_client_metadata"),
        ({"grant_types": [["authorization_code"]]}, "invalid_client_metadata"),
        ({"response_types": ["token"]}, "invalid_client_metadata"),
        ({"response_types": []}, "invalid_client_metadata"),
        ({"grant_types": [DEVICE_GRANT], "response_types": ["code"]}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "client_secret_basic"}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": ["none"]}, "invalid_client_metadata"),
        ({"scope": "openid admin"}, "invalid_client_metadata"),
        ({"scope": ["openid"]}, "invalid_client_metadata"),
        ({"scope": " "}, "invalid_client_metadata"),
        ({"client_name": "A\nnotebook"}, "invalid_client_metadata"),
        ({"client_name": "koobeton \u202e"}, "invalid_client_metadata"),
        ({"client_name": "\ud800"}, "invalid_client_metadata"),
        ({"client_name": "a" * 81}, "invalid_client_metadata"),
        ({"client_name": ["A notebook"]}, "invalid_client_metadata"),
        ({"software_id": 7}, "invalid_client_metadata"),
        ({"software_statement": "e30.e30.e30"}, "unapproved_software_statement"),
    ],
)
def test_metadata_that_are_refused(demo: DemoProvider, changes: dict[str, Any], error: str) -> None:
    """RFC 7591 section 3.2.2; a change (RFC 7592 section 2.2) is refused for the same reasons."""
    answer = post(demo, **changes)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    registered = register(demo)
    answer = manage(registered, "PUT", json=METADATA | changes | {"client_id": registered["client_id"]})
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert manage(registered).json() == registered


@pytest.mark.parametrize("body", [b"", b"[]", b'"x"', b"{", b"null", b'{"redirect_uris": ["x"'])
def test_what_is_no_json_object_is_refused(demo: DemoProvider, body: bytes) -> None:
    for kind in ("application/json", "text/plain"):
        headers = {"Content-Type": kind}
        answer = requests.post(f"{demo.issuer}/register", data=body, headers=headers, timeout=20)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")


def test_a_client_for_devices_only_needs_no_redirect_uri(demo: DemoProvider) -> None:
    registered = register(demo, grant_types=[DEVICE_GRANT], redirect_uris=[])
    assert registered["response_types"] == []
    page = Window(demo).get(ask(demo, client_id=registered["client_id"]).url)
    assert (page.status, page.url.startswith(demo.issuer)) == (400, True)


class TestManagement:
    """RFC 7592 section 2."""

    def test_read(self, demo: DemoProvider) -> None:
        registered = register(demo)
        answer = manage(registered)
        assert (answer.status_code, answer.json()) == (200, registered)
        assert answer.headers["Cache-Control"] == "no-store"

    def test_change(self, demo: DemoProvider) -> None:
        """What is left out is as if it had never been registered."""
        registered = register(demo, scope=SCOPE, software_id="authnb")
        new = {"client_id": registered["client_id"], "redirect_uris": [PAGE], "client_name": "Another name"}
        answer = manage(registered, "PUT", json=new)
        assert answer.status_code == 200
        changed = answer.json()
        assert changed == manage(registered).json()
        assert changed.items() >= new.items()
        assert not {"scope", "software_id"} & set(changed)
        for uri, status in ((CALLBACK, 400), (PAGE, 200)):
            asked = ask(demo, client_id=registered["client_id"], redirect_uri=uri)
            assert signed_in_window(demo).get(asked.url).status == status

    @pytest.mark.parametrize(
        "changes",
        [
            {"client_id": None},
            {"client_id": "notebook"},
            {"client_secret": "x"},
            {"registration_access_token": "x"},
            {"registration_client_uri": "https://example.org"},
            {"client_secret_expires_at": 0},
            {"client_id_issued_at": 1},
        ],
    )
    def test_changes_that_are_refused(self, demo: DemoProvider, changes: dict[str, Any]) -> None:
        registered = register(demo)
        body = METADATA | {"client_id": registered["client_id"]} | changes
        answer = manage(registered, "PUT", json=body)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
        assert manage(registered).json() == registered

    def test_delete(self, demo: DemoProvider) -> None:
        """Section 2.3: with all that the client was given; that of others stays."""
        registered = register(demo)
        client_id = registered["client_id"]
        others = get_tokens(demo)
        tokens = get_tokens(demo, client_id=client_id)
        device = {"client_id": client_id, "scope": SCOPE}
        requests.post(f"{demo.issuer}/device_authorization", data=device, timeout=20)
        page_client = register(demo, redirect_uris=[PAGE])
        get_tokens(demo, client_id=page_client["client_id"], redirect_uri=PAGE)
        for one in (registered, page_client):
            answer = manage(one, "DELETE")
            assert (answer.status_code, answer.content) == (204, b"")
        assert api_status(demo, tokens["access_token"]) == 401
        for answer in (
            refresh(demo, tokens["refresh_token"], client_id=client_id),
            requests.post(f"{demo.issuer}/device_authorization", data=device, timeout=20),
        ):
            assert answer.json()["error"] == "invalid_client"
        assert Window(demo).get(ask(demo, client_id=client_id).url).status == 400
        assert manage(registered).status_code == 401
        assert manage(registered, "DELETE").status_code == 401
        assert api_status(demo, others["access_token"]) == 200

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
    def test_a_wrong_token(self, demo: DemoProvider, method: str) -> None:
        """RFC 7592 section 2.1: the error of RFC 6750; nothing is read, changed or deleted."""
        registered, other = register(demo), register(demo)
        access_token = get_tokens(demo, client_id=registered["client_id"])["access_token"]
        body = {"json": METADATA | {"client_id": registered["client_id"]}} if method == "PUT" else {}
        for token in ("", "x", access_token, other["registration_access_token"]):
            answer = manage(registered, method, token, **body)
            assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
            assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
            assert "client_id" not in answer.json()
        assert manage(registered).json() == registered

    def test_the_providers_own_clients_have_no_registration(self, demo: DemoProvider) -> None:
        token = register(demo)["registration_access_token"]
        for client_id in (demo.client_id, demo.web_client_id, "unknown", "%00", "a/b"):
            uri = f"{demo.issuer}/register/{client_id}"
            answer = manage({"registration_client_uri": uri}, token=token)
            assert answer.status_code in {401, 404}
        assert get_tokens(demo)


class TestAttacks:
    """What a client that registered itself cannot do."""

    def test_choose_its_id(self, demo: DemoProvider) -> None:
        answer = register(demo, client_id=demo.client_id, redirect_uris=["https://evil.example/"])
        assert answer["client_id"] != demo.client_id
        asked = ask(demo, redirect_uri="https://evil.example/")
        assert Window(demo).get(asked.url).status == 400

    def test_use_the_redirect_uri_of_another(self, demo: DemoProvider) -> None:
        """Nor redeem the code of another, nor use its refresh token."""
        mine = register(demo, redirect_uris=["https://evil.example/"])["client_id"]
        other = register(demo, redirect_uris=[PAGE])["client_id"]
        window = signed_in_window(demo)
        for client_id, uri in ((mine, PAGE), (other, "https://evil.example/"), (mine, CALLBACK)):
            page = window.get(ask(demo, client_id=client_id, redirect_uri=uri).url)
            assert (page.status, page.url.startswith(demo.issuer)) == (400, True)
        asked = ask(demo, client_id=other, redirect_uri=PAGE)
        code = allow(window, asked)["code"]
        assert redeem(demo, asked, code, client_id=mine).json()["error"] == "invalid_grant"
        tokens = redeem(demo, asked, code, client_id=other).json()
        stolen = refresh(demo, tokens["refresh_token"], client_id=mine)
        assert stolen.json()["error"] == "invalid_grant"

    def test_get_a_scope_that_it_did_not_register(self, demo: DemoProvider) -> None:
        client_id = register(demo, scope="openid profile")["client_id"]
        answer = Window(demo).get(ask(demo, client_id=client_id, scope=SCOPE).url).answer
        assert answer["error"] == "invalid_scope"
        device = {"client_id": client_id, "scope": SCOPE}
        refused = requests.post(f"{demo.issuer}/device_authorization", data=device, timeout=20)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")
        tokens = get_tokens(demo, client_id=client_id, scope=None)
        assert tokens["scope"] == "openid profile", "what it registered, where it names none"

    def test_get_a_scope_that_the_person_did_not_allow(self, demo: DemoProvider) -> None:
        client_id = register(demo)["client_id"]
        tokens = get_tokens(demo, client_id=client_id, scope="openid")
        more = refresh(demo, tokens["refresh_token"], client_id=client_id, scope="openid measurements:read")
        assert more.json()["error"] == "invalid_scope"
        assert api_status(demo, tokens["access_token"]) == 403

    @pytest.mark.parametrize("asked_for", [None, "api"])
    def test_get_a_token_for_an_api_that_the_person_did_not_allow(
        self, demo: DemoProvider, asked_for: str | None
    ) -> None:
        """The page names the APIs; where none is asked for, a registered client gets the first alone."""
        client_id = register(demo)["client_id"]
        asked = ask(demo, client_id=client_id, resource=demo.api if asked_for else None)
        window = signed_in_window(demo)
        page = window.get(asked.url)
        assert ("with tokens for: Air measurements" in page.text) == bool(asked_for)
        code = window.submit(page, decision="allow").answer["code"]
        refused = redeem(demo, asked, code, client_id=client_id, resource=demo.archive)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_target")
        tokens = redeem(demo, asked, code, client_id=client_id).json()
        exchange = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": tokens["access_token"],
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        }
        for refused in (
            refresh(demo, tokens["refresh_token"], client_id=client_id, resource=demo.archive),
            token_request(demo, client_id=client_id, resource=demo.archive, **exchange),
        ):
            assert (refused.status_code, refused.json()["error"]) == (400, "invalid_target")
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert requests.get(f"{demo.archive}/days", headers=headers, timeout=20).status_code == 401
        assert api_status(demo, tokens["access_token"]) == 200

    def test_act_without_a_person(self, demo: DemoProvider) -> None:
        client_id = register(demo)["client_id"]
        answer = token_request(demo, client_id=client_id, grant_type="client_credentials")
        assert answer.json()["error"] in {"invalid_client", "unauthorized_client"}

    def test_be_remembered_on_the_loopback_interface(self, demo: DemoProvider) -> None:
        """RFC 8252 section 8.6: the person is asked each time."""
        client_id, window = register(demo)["client_id"], signed_in_window(demo)
        for _ in range(2):
            page = window.get(ask(demo, client_id=client_id).url)
            assert page.title.startswith("Allow")
            window.submit(page, decision="allow")


class TestLimits:
    """RFC 7591 section 5: anybody may register, but not without end."""

    def test_so_many_a_minute(self, clock: Clock) -> None:
        """One that is refused counts too; a minute after the first the next may come."""
        with DemoProvider(clock=clock, registrations_per_minute=3) as demo:
            for changes in ({}, {"redirect_uris": []}, {}):
                post(demo, **changes)
                clock.turn(10)
            refused = post(demo)
            assert (refused.status_code, refused.json()["error"]) == (429, "temporarily_unavailable")
            assert refused.headers["Retry-After"] == "30"
            clock.turn(30)
            assert [post(demo).status_code for _ in range(2)] == [201, 429]

    def test_so_many_in_all(self, clock: Clock) -> None:
        """One that is deleted or forgotten makes room."""
        with DemoProvider(clock=clock, most_registrations=2) as demo:
            first = register(demo)
            register(demo)
            refused = post(demo)
            assert (refused.status_code, refused.json()["error"]) == (503, "temporarily_unavailable")
            assert int(refused.headers["Retry-After"]) == HOUR
            manage(first, "DELETE")
            register(demo)
            assert post(demo).status_code == 503
            clock.turn(HOUR + 1)
            requests.get(demo.issuer, timeout=20)
            clock.turn(61)
            with requests.Session() as connection:
                for _ in range(2):  # the second answer comes when the purge after the first is done
                    connection.get(demo.issuer, timeout=20)
            assert post(demo).status_code == 201

    def test_one_that_is_not_used_is_forgotten(self, demo: DemoProvider, clock: Clock) -> None:
        """After an hour without a token, or 30 days after the last one."""
        unused, used = register(demo), register(demo)
        tokens = get_tokens(demo, client_id=used["client_id"])
        clock.turn(HOUR)
        assert manage(unused).status_code == 401
        assert Window(demo).get(ask(demo, client_id=unused["client_id"]).url).status == 400
        clock.turn(29 * DAY)
        answer = refresh(demo, tokens["refresh_token"], client_id=used["client_id"])
        assert answer.status_code == 200
        clock.turn(29 * DAY)
        assert manage(used).status_code == 200
        clock.turn(DAY)
        assert manage(used).status_code == 401
        late = refresh(demo, answer.json()["refresh_token"], client_id=used["client_id"])
        assert late.json()["error"] == "invalid_client"

    def test_a_forgotten_one_leaves_nothing(self, tmp_path: Path, clock: Clock) -> None:
        file = tmp_path / "demo.sqlite3"
        with DemoProvider(file, clock=clock) as demo:
            register(demo)
            client_id = register(demo, redirect_uris=[PAGE])["client_id"]
            get_tokens(demo, client_id=client_id, redirect_uri=PAGE)
        clock.turn(31 * DAY)
        with DemoProvider(file, clock=clock) as demo:
            requests.get(demo.issuer, timeout=20)
        with closing(sqlite3.connect(file)) as database:
            left = [row[0] for row in database.execute("select id from clients order by id")]
            consents = database.execute("select count(*) from redirect_uri_consents").fetchone()
        assert left == ["job", "notebook", "web"]
        assert consents == (0,)


def test_a_registration_outlives_a_restart(tmp_path: Path) -> None:
    """The database holds digests of registration access tokens only."""
    file = tmp_path / "demo.sqlite3"
    with DemoProvider(file) as demo:
        registered, port = register(demo), int(demo.issuer.rsplit(":", 1)[1])
    assert registered["registration_access_token"].encode() not in file.read_bytes()
    with DemoProvider(file, port) as demo:
        assert manage(registered).json() == registered
        assert get_tokens(demo, client_id=registered["client_id"])


def test_a_database_of_an_earlier_version(tmp_path: Path) -> None:
    """Its clients did not register themselves, and keep their scopes."""
    file = tmp_path / "demo.sqlite3"
    with DemoProvider(file):
        pass
    with closing(sqlite3.connect(file)) as database:
        for column in ("registration", "registration_digest", "registered_at", "expires_at", "scope"):
            database.execute(f"ALTER TABLE clients DROP COLUMN {column}")
        database.commit()
    with DemoProvider(file) as demo:
        assert get_tokens(demo)
        assert get_tokens(demo, client_id=register(demo)["client_id"])


def test_without_registration() -> None:
    """Neither the endpoint nor its mention is there."""
    with DemoProvider(registration=False) as demo:
        assert "registration_endpoint" not in metadata(demo)
        answer = post(demo)
        assert (answer.status_code, answer.json()["error"]) == (404, "invalid_request")
        uri = {"registration_client_uri": f"{demo.issuer}/register/notebook"}
        assert manage(uri, token="x").status_code == 404
