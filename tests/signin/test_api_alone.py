"""A sign-in that is told nothing but the API's address: provider, client, scope and resource are found."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from api_alone import (
    ACCESS_TOKEN,
    CLIENT_SECRET,
    ISSUER_PATH,
    REGISTRATION_TOKEN,
    WELL_KNOWN,
    ApiAlone,
    host_of,
    jwt,
    once,
)
from network import Network
from servers import Server
from support import nobody_listens, wait_for

import authnb
from authnb.errors import InteractionRequired, ProviderError
from authnb.storage import registrations
from authnb.storage.base import MemoryStorage
from authnb.storage.registrations import RegistrationMemory
from authnb.views.more import step_up_subtitle
from authnb.views.text import html, text_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from authnb.session.session import Session
    from authnb.signin.login import Login

METADATA = "/.well-known/oauth-authorization-server/as"
OPENID = "/.well-known/openid-configuration"
COLD = ["/v1", f"{WELL_KNOWN}/v1", OPENID, METADATA, "/register", "/token"]


@pytest.fixture
def lab() -> Iterator[ApiAlone]:
    with ApiAlone() as running:
        yield running


@pytest.fixture(autouse=True)
def _no_registrations(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test is a process of its own to the registrations kept in memory."""
    monkeypatch.setattr(registrations, "memory", RegistrationMemory())


def begin(lab: ApiAlone, storage: MemoryStorage | None = None, **more: Any) -> Login:
    options = {
        "api": lab.api,
        "view": None,
        "mode": "loopback",
        "storage": storage or MemoryStorage(),
        **more,
    }
    return authnb.login(**options)


def signed_in(lab: ApiAlone, storage: MemoryStorage | None = None, **more: Any) -> Session:
    login = begin(lab, storage, **more)
    lab.visit(login.verification().uri)
    return login.wait(30)


def refused(lab: ApiAlone, **more: Any) -> authnb.AuthnbError:
    login = begin(lab, **more)
    with pytest.raises(authnb.AuthnbError) as caught:
        _finish(lab, login)
    assert login.status == "failed"
    assert caught.value.description.isprintable()
    return caught.value


def _finish(lab: ApiAlone, login: Login) -> None:
    lab.visit(login.verification().uri)
    login.wait(30)


def test_nothing_but_the_address(lab: ApiAlone) -> None:
    """Who is asked, in order; and what is sent where (RFC 9728, RFC 7591, RFC 8707)."""
    session = signed_in(lab)
    assert session.get("/rows").json() == {"rows": [1]}
    assert lab.sent("register")["scope"] == "read write"
    asked = lab.sent("authorize")
    assert asked["resource"] == lab.api
    assert asked["scope"] == "read write"
    assert asked["client_id"] == "client-1"
    assert [asked["redirect_uri"]] == lab.sent("register")["redirect_uris"], "letter by letter, with the port"
    assert lab.sent("token")["resource"] == lab.api
    assert lab.asked() == [*COLD, "/v1/rows"]


def test_the_resource_is_sent_with_a_renewal(lab: ApiAlone) -> None:
    session = signed_in(lab)
    session.token["expires_at"] = 1
    session.get("/rows")
    sent = lab.sent("token")
    assert (sent["grant_type"], sent["resource"], sent["client_id"]) == ("refresh_token", lab.api, "client-1")


def test_by_device_code(lab: ApiAlone) -> None:
    session = begin(lab, mode="device").wait(30)
    assert session.token["access_token"] == ACCESS_TOKEN
    assert lab.sent("register")["grant_types"][0].endswith("device_code")
    assert lab.sent("register")["redirect_uris"] == []
    assert lab.sent("device") == {"client_id": "client-1", "scope": "read write", "resource": lab.api}
    assert lab.sent("token")["resource"] == lab.api


@pytest.mark.parametrize(
    ("challenge", "supported", "given", "scope"),
    [
        (', scope="read"', ["read", "write"], None, "read"),
        (', scope="rare"', ["read", "write"], None, "rare"),  # need not be among those of the metadata
        ("", ["read", "write"], None, "read write"),
        ("", None, None, None),
        (', scope="read"', ["read"], "write", "write"),
    ],
)
def test_the_scope(
    lab: ApiAlone, challenge: str, supported: list[str] | None, given: str | None, scope: str | None
) -> None:
    """What the caller says; else what the challenge asks for; else what the metadata name; else none."""
    lab.challenge += challenge
    lab.resource_metadata["scopes_supported"] = supported or []
    signed_in(lab, **({} if given is None else {"scope": given}))
    assert lab.sent("authorize").get("scope") == scope
    assert lab.sent("register").get("scope") == scope


def test_without_a_challenge(lab: ApiAlone) -> None:
    lab.challenge = ""
    signed_in(lab)
    assert lab.asked() == COLD


@pytest.mark.parametrize(
    ("taken", "wanted", "proven"),
    [([], {}, False), (["ES256"], {}, True), (["ES256"], {"dpop": False}, False), ([], {"dpop": True}, True)],
)
def test_tokens_are_bound_where_the_api_takes_proofs(
    lab: ApiAlone, taken: list[str], wanted: dict[str, bool], *, proven: bool
) -> None:
    """RFC 9728 section 2: an API that says nothing of DPoP may know bearer tokens alone."""
    lab.metadata["dpop_signing_alg_values_supported"] = ["ES256"]
    lab.resource_metadata["dpop_signing_alg_values_supported"] = taken
    lab.token["token_type"] = "DPoP" if proven else "Bearer"
    session = signed_in(lab, **wanted)
    assert ("DPoP" in next(r for r in lab.requests if r.path == "/as/token").headers) is proven
    assert session.token["token_type"] == lab.token["token_type"]


def test_the_session_sends_its_token_to_the_api_alone(lab: ApiAlone) -> None:
    session = signed_in(lab)
    with pytest.raises(authnb.AuthnbError, match="is not the API it is for"):
        session.get("https://evil.example/")


def test_who_vouches_for_whom_is_shown_before_the_click(lab: ApiAlone) -> None:
    login = begin(lab)
    login.verification()
    itself = "127.0.0.1, the API whose address was given, signs its users in itself."
    assert login.provenance == (itself, "127.0.0.1 has just registered this notebook as a client.")
    text = " ".join(text_lines(login))
    assert all(sentence in text for sentence in login.provenance)
    assert all(sentence in html(login) for sentence in login.provenance)
    assert text.index(login.provenance[0]) < text.index("/authorize")
    login.cancel()


def test_who_asks_for_more_is_named_though_the_caller_gave_no_client_id(lab: ApiAlone) -> None:
    asking = signed_in(lab).ask_for(scope="rows:write", view=None)
    assert step_up_subtitle(asking, "waiting") == "This notebook asks for rows:write"
    asking.cancel()


def test_another_host_is_named(lab: ApiAlone) -> None:
    """Two hosts on one machine differ in their ports."""
    with ApiAlone() as other:
        lab.resource_metadata["authorization_servers"] = [other.issuer]
        login = begin(lab)
        login.verification()
        assert login.provenance[0] == (
            f"{host_of(lab.url)}, the API whose address was given, says that its users sign in at {host_of(other.url)}."
        )
        assert login.host == host_of(other.url)
        login.cancel()


# The client


def test_a_client_that_was_given_is_not_registered(lab: ApiAlone) -> None:
    lab.clients["mine"] = {"redirect_uris": ["http://127.0.0.1:8765/callback"]}
    login = begin(lab, client_id="mine", mode="device")
    assert login.wait(30).client_id == "mine"
    assert "/register" not in lab.asked()


def test_a_client_id_metadata_document(lab: ApiAlone) -> None:
    """The URL that the user gives is the client id, where the provider takes one; its host is named."""
    url = "https://client.example/notebook.json"
    lab.metadata["client_id_metadata_document_supported"] = True
    lab.clients[url] = {}
    login = begin(lab, client_id=url, mode="device")
    assert login.verification().user_code
    assert login.provenance[1] == "127.0.0.1 reads at client.example which client this notebook is."
    assert login.wait(30).client_id == url
    assert "/register" not in lab.asked()


def test_a_client_for_an_issuer_that_is_given(lab: ApiAlone) -> None:
    session = signed_in(lab, issuer=lab.issuer, scope="read")
    assert session.client_id == "client-1"
    assert "resource" not in lab.sent("token"), "nobody asked for one"
    assert lab.asked() == COLD[2:]


def test_a_registration_is_kept_and_its_port_too(lab: ApiAlone) -> None:
    signed_in(lab)
    first = lab.sent("authorize")
    lab.asked()
    signed_in(lab)
    assert lab.sent("authorize")["redirect_uri"] == first["redirect_uri"]
    assert lab.sent("authorize")["client_id"] == "client-1"
    assert lab.asked() == ["/v1", f"{WELL_KNOWN}/v1", OPENID, METADATA, "/authorize", "/token"], (
        "asked whether the client is still known, with prompt=none"
    )


def test_another_mode_is_another_client(lab: ApiAlone) -> None:
    """A client may be sent codes only where this sign-in receives them."""
    signed_in(lab)
    assert begin(lab, mode="device").wait(30).client_id == "client-2"


def test_ports_that_are_given_are_registered(lab: ApiAlone) -> None:
    with Server() as taken, Server() as other:
        ports = [taken.port, other.port]
    signed_in(lab, redirect_port=ports, redirect_path="/ada/callback")
    assert lab.sent("register")["redirect_uris"] == [
        f"http://127.0.0.1:{port}/ada/callback" for port in ports
    ]


def test_a_port_that_another_program_has_now(lab: ApiAlone) -> None:
    """The provider knows the client with that port alone, so another is registered, with another port."""
    signed_in(lab)
    port = int(lab.sent("authorize")["redirect_uri"].split(":")[2].partition("/")[0])
    with Server(port=port):
        assert signed_in(lab).client_id == "client-2"
    assert f":{port}/" not in lab.sent("authorize")["redirect_uri"]


@pytest.mark.parametrize("managed", [False, True])
def test_a_client_deleted_at_the_server_is_registered_anew(lab: ApiAlone, managed: bool) -> None:
    if managed:
        lab.registration = {
            "registration_client_uri": f"{lab.issuer}/register/c",
            "registration_access_token": REGISTRATION_TOKEN,
        }
        lab.json(f"{ISSUER_PATH}/register/c", {}, 401)
    signed_in(lab)
    lab.clients.clear()
    lab.asked()
    signed_in(lab)
    asked = lab.asked()
    assert asked.count("/register") == 1
    assert ("/register/c" if managed else "/authorize") in asked, "before the person sees an error page"


def test_a_client_deleted_while_the_person_signs_in_is_registered_anew_once(lab: ApiAlone) -> None:
    """The token endpoint says ``invalid_client``: the person is asked once more, and not again and again."""
    signed_in(lab)
    login = begin(lab)
    uri = login.verification().uri
    lab.routes[f"{ISSUER_PATH}/token"] = once(
        (401, {"Content-Type": "application/json"}, b'{"error": "invalid_client"}'),
        lab.routes[f"{ISSUER_PATH}/token"],
    )
    lab.visit(uri)
    second = _another_uri(login, uri)
    assert "client_id=client-2" in second
    lab.visit(second)
    assert login.wait(30).client_id == "client-2"


def test_a_provider_that_never_knows_its_clients(lab: ApiAlone) -> None:
    signed_in(lab)
    lab.json(f"{ISSUER_PATH}/token", {"error": "invalid_client"}, 401)
    login = begin(lab)
    uri = login.verification().uri
    lab.visit(uri)
    lab.visit(_another_uri(login, uri))
    with pytest.raises(ProviderError) as caught:
        login.wait(30)
    assert caught.value.error == "invalid_client"
    assert len(lab.clients) == 2


def _another_uri(login: Login, before: str) -> str:
    """The address to open, once it is another."""
    wait_for(lambda: login.verification().uri != before, "another address")
    return login.verification().uri


def test_an_expired_registration_is_replaced(lab: ApiAlone) -> None:
    lab.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    lab.registration = {"client_secret": CLIENT_SECRET, "client_secret_expires_at": 1}
    signed_in(lab)
    assert signed_in(lab).client_id == "client-2"


def test_a_client_with_a_secret(lab: ApiAlone) -> None:
    """Where the provider has no public ones. The secret is kept with the sign-in, and shown nowhere."""
    lab.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_basic"]
    lab.registration = {"client_secret": CLIENT_SECRET}
    storage = MemoryStorage()
    signed_in(lab, storage)
    lab.asked()
    again = begin(lab, storage).wait(30)
    again.token["expires_at"] = 1
    again.get("/rows")
    assert lab.asked() == ["/token", "/v1/rows"], "renewed with the secret"
    texts = f"{again!r}{storage!r}{registrations.memory!r}{again.token_auth.renewer!r}"
    assert CLIENT_SECRET not in texts


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_registration_says_what_to_ask_for(lab: ApiAlone, status: int) -> None:
    lab.json(f"{ISSUER_PATH}/register", {}, status)
    error = refused(lab)
    assert error.error == "registration_refused"
    for part in (
        "http://127.0.0.1/callback (with any port; else http://127.0.0.1:8765/callback",
        f"Ask the people who run {host_of(lab.url)}",
        f"authnb.login(api='{lab.api}', client_id='…')",
    ):
        assert part in error.description


def test_a_code_is_entered_where_no_redirect_address_is_registered(lab: ApiAlone) -> None:
    """With ``mode="auto"``: the refusal of one mode's redirect URI is not that of all."""
    register = lab.routes[f"{ISSUER_PATH}/register"]
    body = b'{"error": "invalid_redirect_uri"}'
    refusal = 400, {"Content-Type": "application/json"}, body
    lab.routes[f"{ISSUER_PATH}/register"] = lambda request: (
        refusal if json.loads(request.body)["redirect_uris"] else register(request)
    )
    login = begin(lab, mode="auto")
    assert login.verification().user_code == "WDJB-MJHT"
    assert login.wait(30).client_id == "client-1"


def test_a_client_that_signs_in_for_itself(lab: ApiAlone, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nobody there the provider, scope and resource are found, too."""
    monkeypatch.setenv("AUTHNB_CLIENT_SECRET", CLIENT_SECRET)
    lab.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    lab.clients["job"] = {"client_secret": CLIENT_SECRET}
    session = begin(lab, mode="client_credentials", client_id="job").wait(30)
    assert session.get("/rows").ok
    sent = lab.sent("token")
    assert (sent["grant_type"], sent["resource"], sent["scope"]) == (
        "client_credentials",
        lab.api,
        "read write",
    )


def test_a_provider_without_registration_says_what_to_ask_for(lab: ApiAlone) -> None:
    del lab.metadata["registration_endpoint"]
    error = refused(lab, mode="loopback", redirect_port=8123)
    assert error.error == "no_registration"
    assert "http://127.0.0.1:8123/callback. Then give its identifier" in error.description
    device = refused(lab, mode="device")
    assert "it needs no redirect address" in device.description


def test_rate_limited(lab: ApiAlone) -> None:
    lab.routes[f"{ISSUER_PATH}/register"] = lambda _: (429, {"Retry-After": "30"}, b"")
    error = refused(lab)
    assert isinstance(error, ProviderError)
    assert error.is_transient
    assert error.retry_after == 30
    assert not registrations.memory._kept  # noqa: SLF001 - nothing is kept


def test_registered_with_another_redirect_address(lab: ApiAlone) -> None:
    lab.registration = {"redirect_uris": ["https://evil.example/callback"]}
    error = refused(lab)
    assert error.error == "registration_refused"
    assert "/authorize" not in lab.asked()


def test_more_is_asked_for_with_a_client_that_may(lab: ApiAlone) -> None:
    """Step-up: at the same provider, without asking the API anew; the session renews as the client that has more."""
    storage = MemoryStorage()
    session = signed_in(lab, storage)
    lab.asked()
    login = session.ask_for("admin", mode="loopback", view=None)
    lab.visit(login.verification().uri)
    assert login.wait(30) is session
    assert lab.asked() == ["/register", "/token"]
    assert lab.clients["client-2"]["scope"].split() == ["read", "write", "admin"]
    session.token["expires_at"] = 1
    session.get("/rows")
    assert lab.sent("token")["client_id"] == "client-2"
    lab.asked()
    again = begin(lab, storage).wait(30)
    again.token["expires_at"] = 1
    again.get("/rows")
    assert lab.sent("token")["client_id"] == "client-2", "it is stored"


# The provider


def test_several_providers_are_chosen_from(lab: ApiAlone) -> None:
    with ApiAlone() as other:
        lab.resource_metadata["authorization_servers"] = [lab.issuer, other.issuer]
        storage = MemoryStorage()
        login = begin(lab, storage)
        _await_status(login, "choosing")
        assert list(login.choices) == [each.issuer.partition("://")[2] for each in (lab, other)]
        assert "names these as where its users sign in" in " ".join(text_lines(login))
        login.choose(other.issuer.partition("://")[2])
        other.visit(login.verification().uri)
        assert login.wait(30).token_auth.renewer.client.provider.issuer == other.issuer  # type: ignore[union-attr] # signed in
        assert other.sent("token")["resource"] == lab.api
        lab.asked()
        assert begin(lab, storage).wait(30).token, "whoever chose before is not asked again"
        assert lab.asked() == []


def test_nobody_there_to_choose(lab: ApiAlone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTHNB_INTERACTIVE", "0")
    monkeypatch.setenv("BROWSER", "true %s")
    lab.resource_metadata["authorization_servers"] = [lab.issuer, "https://id.example.org"]
    with pytest.raises(InteractionRequired, match=r"choose between .* and id\.example\.org"):
        begin(lab, view="auto").wait(30)


def test_nobody_there_at_all(lab: ApiAlone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked, and nothing registered."""
    monkeypatch.setenv("AUTHNB_INTERACTIVE", "0")
    with pytest.raises(InteractionRequired):
        begin(lab, view="auto", mode="auto").wait(30)
    assert lab.asked() == []


def test_an_authorization_server_that_does_not_exist(lab: ApiAlone) -> None:
    """The error names the API that sent us there."""
    with nobody_listens() as nowhere:
        lab.resource_metadata["authorization_servers"] = [nowhere]
        error = refused(lab)
    assert error.error == "unreachable"
    assert error.description.startswith(
        f"{lab.api} says that its users sign in at {nowhere}. Reading the metadata"
    )
    lab.resource_metadata["authorization_servers"] = [f"{lab.url}/nobody"]
    assert refused(lab).error == "invalid_response"


def test_an_authorization_server_that_is_another(lab: ApiAlone) -> None:
    """RFC 8414 section 3.3."""
    lab.metadata["issuer"] = "https://id.example.org"
    assert refused(lab).error == "issuer_mismatch"


def test_an_api_without_metadata(lab: ApiAlone) -> None:
    lab.challenge = ""
    del lab.routes[f"{WELL_KNOWN}/v1"]
    error = refused(lab)
    assert error.error == "no_metadata"
    assert f"api='{lab.api}'" in error.description


def test_an_api_with_the_metadata_of_another(lab: ApiAlone) -> None:
    lab.resource_metadata["resource"] = "https://bank.example/v1"
    assert refused(lab).error == "resource_mismatch"
    assert lab.asked() == ["/v1", f"{WELL_KNOWN}/v1"]


# The token


@pytest.mark.parametrize(
    ("token", "error"),
    [
        (lambda lab: jwt({"aud": lab.api}), None),
        (lambda lab: jwt({"aud": [f"{lab.api}/", "https://other.example"]}), None),
        (lambda lab: jwt({"aud": lab.api}, "application/at+jwt"), None),
        (lambda _: jwt({"aud": "https://bank.example"}, "JWT"), None),  # not of RFC 9068: opaque to a client
        (lambda _: "a.b.c", None),
        (lambda _: jwt({"aud": "https://bank.example"}), "audience_mismatch"),
        (lambda _: jwt({"aud": ["https://bank.example", 7]}), "audience_mismatch"),
        (lambda _: jwt({"aud": []}), "audience_mismatch"),
        (lambda _: jwt({}), "audience_mismatch"),
        (lambda _: jwt({"aud": "https://["}, "AT+JWT"), "audience_mismatch"),
    ],
)
def test_a_token_for_another_api_is_not_used(lab: ApiAlone, token: Any, error: str | None) -> None:
    """RFC 9068 section 3: the audience is the resource."""
    lab.token = {"access_token": token(lab)}
    if error is None:
        assert signed_in(lab).get("/rows").json() == {"rows": [1]}
    else:
        found = refused(lab)
        assert found.error == error
        assert lab.token["access_token"] not in str(found)


# Kept


def test_a_stored_sign_in_takes_no_request(lab: ApiAlone) -> None:
    storage = MemoryStorage()
    signed_in(lab, storage)
    lab.asked()
    again = begin(lab, storage)
    assert again.wait(30).get("/rows").json() == {"rows": [1]}
    assert again.remembered
    assert lab.asked() == ["/v1/rows"]


def test_more_scope_than_was_granted_is_a_new_sign_in(lab: ApiAlone) -> None:
    storage = MemoryStorage()
    signed_in(lab, storage)
    session = signed_in(lab, storage, scope="read admin")
    assert lab.sent("authorize")["scope"] == "read admin"
    assert session.client_id == "client-2", "the first may not ask for it"
    assert set(lab.clients["client-2"]["scope"].split()) == {"read", "write", "admin"}


# Counted

FAR_API, FAR_ISSUER = "https://data.example.org/v1", "https://id.example.org"
FAR_METADATA = f"data.example.org{WELL_KNOWN}/v1"
SECOND_PROCESS = """
import sys, authnb
login = authnb.login(api=sys.argv[1], mode="device", view=None, remember=True)
print(login.wait(30).client_id, login.remembered)
"""


def serve_far(network: Network) -> None:
    """An API and a provider on other hosts, which let their documents be kept for an hour."""
    kept = {"Cache-Control": "max-age=3600"}
    device = {"device_code": "d", "user_code": "WDJB-MJHT", "verification_uri": f"{FAR_ISSUER}/code"}
    answers: dict[str, Any] = {
        f"{FAR_METADATA}": {"resource": FAR_API, "authorization_servers": [FAR_ISSUER]},
        f"id.example.org{OPENID}": {
            "issuer": FAR_ISSUER,
            **{
                name: f"{FAR_ISSUER}/{path}"
                for name, path in {
                    "authorization_endpoint": "authorize",
                    "token_endpoint": "token",
                    "registration_endpoint": "register",
                    "device_authorization_endpoint": "device",
                }.items()
            },
        },
        "id.example.org/register": {"client_id": "c-1"},
        "id.example.org/device": {**device, "expires_in": 600, "interval": 1},
        "id.example.org/token": {"access_token": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 3600},
    }
    for where, answer in answers.items():
        host, _, path = where.partition("/")
        headers = kept if "well-known" in path else {}
        network.documents[f"https://{host}:443/{path}"] = json.dumps(answer).encode(), headers
    network.redirects["https://data.example.org:443/v1"] = 401, ""
    challenge = {"WWW-Authenticate": f'Bearer resource_metadata="https://{FAR_METADATA}"'}
    network.documents["https://data.example.org:443/v1"] = b"", challenge


def test_requests_are_as_few_as_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cold: 6; with documents and registration kept: 3; with the sign-in stored, in a second process: none.

    The challenge itself may not be kept (RFC 9111 section 3), and it may ask for another scope today.
    """
    with Network(tmp_path) as network:
        monkeypatch.setenv("HTTPS_PROXY", network.proxy)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", network.ca_file)
        serve_far(network)
        asked: dict[str, list[str]] = {}
        for name, profile in (("cold", "first"), ("warm", "second")):
            network.received.clear()
            login = authnb.login(api=FAR_API, mode="device", view=None, remember=True, profile=profile)
            assert login.wait(30).client_id == "c-1"
            asked[name] = [request.path for request in network.received]
        network.received.clear()
        command = SECOND_PROCESS.replace("remember=True", "remember=True, profile='first'")
        second = subprocess.run(
            [sys.executable, "-c", command, FAR_API], check=True, capture_output=True, text=True
        )
        asked["second process"] = [request.path for request in network.received]
    assert second.stdout == "c-1 True\n"
    assert asked == {
        "cold": ["/v1", f"{WELL_KNOWN}/v1", OPENID, "/register", "/device", "/token"],
        "warm": ["/v1", "/device", "/token"],
        "second process": [],
    }


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ({}, "issuer= is missing"),
        ({"client_id": "notebook"}, "issuer= is missing"),
        ({"api": "https://data.example.org", "client_id": ""}, "leave it out"),
        ({"api": "https://data.example.org", "client_secret": "s"}, "client_id="),
        ({"api": "https://data.example.org", "mode": "client_credentials"}, "client_id= is missing"),
        ({"api": "https://data.example.org", "mode": "token"}, "client_id= is missing"),
        ({"api": "http://data.example.org"}, "use https"),
        ({"issuer": "https://id.example.org", "client_id": {"a": "b"}}, "to choose from"),
    ],
)
def test_arguments_that_cannot_work(arguments: dict[str, Any], wanted: str) -> None:
    """At once, without a request."""
    with pytest.raises(ValueError, match="=") as caught:
        authnb.login(view=None, **arguments)
    assert wanted in str(caught.value)


def test_a_sign_up_needs_an_address_too() -> None:
    with pytest.raises(ValueError, match="issuer= is missing"):
        authnb.signup(view=None)


def _await_status(login: Login, status: str) -> None:
    wait_for(lambda: login.status == status or login.error, status)
    assert login.status == status, login.error
