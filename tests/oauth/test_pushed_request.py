"""Pushed authorization requests (RFC 9126): what is sent where, and an address that is good for a short time."""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import requests
from provider import ACCESS_TOKEN, CLIENT, Answer, Scenario, as_json
from provider import Server as HostileServer
from runner import Sink
from support import newcomer, wait_for

import authnb
from authnb.demo import DemoProvider
from authnb.errors import LoginFailed, ProviderError
from authnb.flows import Pending, Verification, drive, loopback_flow
from authnb.flows.inbox import Inbox, accepts_redirect
from authnb.oauth.client import Client
from authnb.oauth.provider import Provider
from authnb.oauth.quirks import Quirks
from authnb.storage.base import MemoryStorage
from authnb.views.jupyter import JupyterOutput
from authnb.views.panel import PanelView
from authnb.views.text import TerminalView

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from authnb.flows.steps import Flow

URN = "urn:ietf:params:oauth:request_uri:"
PARAMETERS = {
    *("response_type", "client_id", "redirect_uri", "scope", "state", "nonce"),
    *("code_challenge", "code_challenge_method"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[HostileServer]:
    with HostileServer() as running:
        yield running


@pytest.fixture
def scenario(server: HostileServer, request: pytest.FixtureRequest) -> Scenario:
    scenario = server.scenario(re.sub(r"\W", "-", request.node.name))
    scenario.take_pushed_requests()
    return scenario


def client(scenario: Scenario, **more: Any) -> Client:
    return Client(Provider.discover(scenario.issuer), client_id=CLIENT, **more)


def paths(scenario: Scenario) -> list[str]:
    """The last part of the path of each request so far."""
    return [path.rpartition("/")[2] for _, path in scenario.requests]


def browse(address: str) -> None:
    """Sign in as the person's browser: the provider's page, then the redirect."""
    for redirect in requests.get(address, timeout=30).json():
        requests.get(redirect, timeout=30)


def verification_of(flow: Flow) -> Verification:
    """The next address that the flow shows."""
    for _ in range(1000):
        step = next(flow)
        if isinstance(step, Verification):
            return step
        threading.Event().wait(0.01)
    pytest.fail("the flow showed no address")


def finished(flow: Flow) -> dict[str, Any]:
    """The token with which the flow ends."""
    token: dict[str, Any] = drive(flow, lambda _: None, threading.Event().wait)
    return token


# What is sent where


@pytest.mark.parametrize(
    ("secret", "methods", "in_header", "in_body"),
    [
        (None, ["none"], False, False),
        ("cs-SECRET", ["client_secret_basic"], True, False),
        ("cs-SECRET", ["client_secret_post"], False, True),
    ],
)
def test_parameters_go_to_the_provider_itself(
    scenario: Scenario, secret: str | None, methods: list[str], in_header: bool, in_body: bool
) -> None:
    """RFC 9126 sections 2.1 and 4: as at the token endpoint, and the browser has client_id and request_uri alone."""
    scenario.metadata["token_endpoint_auth_methods_supported"] = methods
    ours = client(scenario, client_secret=secret, resource=("https://a.example", "https://b.example"))
    request = ours.authorization_request("http://127.0.0.1:1/callback", login_hint="ada@example.org")
    opened = parse_qsl(urlsplit(request.uri).query)
    assert [name for name, _ in opened] == ["client_id", "request_uri"]
    assert (dict(opened)["client_id"], dict(opened)["request_uri"].startswith(URN)) == (CLIENT, True)
    ((path, headers, body),) = scenario.bodies
    sent = parse_qsl(body)
    assert path.endswith("/par")
    assert {name for name, _ in sent} - {"client_secret"} == {*PARAMETERS, "login_hint", "resource"}
    assert [value for name, value in sent if name == "resource"] == ["https://a.example", "https://b.example"]
    assert [value for name, value in sent if name == "client_id"] == [CLIENT], "once, whatever the method"
    assert ("Authorization" in headers, "client_secret" in dict(sent)) == (in_header, in_body)
    assert (dict(sent)["state"], dict(sent)["nonce"]) == (request.state, request.nonce)
    assert request.state not in repr(request)
    assert dict(opened)["request_uri"] not in repr(request)


def test_an_endpoint_with_a_query_keeps_it(scenario: Scenario) -> None:
    """RFC 6749 section 3.1; the query is no part of what is pushed."""
    scenario.metadata["authorization_endpoint"] += "?tenant=one"
    request = client(scenario).authorization_request("http://127.0.0.1:1/callback")
    names = [name for name, _ in parse_qsl(urlsplit(request.uri).query)]
    assert names == ["tenant", "client_id", "request_uri"]
    assert "tenant" not in parse_qs(scenario.bodies[0][2])


def test_without_an_endpoint_the_browser_has_all(scenario: Scenario) -> None:
    scenario.metadata.pop("pushed_authorization_request_endpoint")
    request = client(scenario).authorization_request("http://127.0.0.1:1/callback")
    assert set(parse_qs(urlsplit(request.uri).query)) == PARAMETERS
    assert not scenario.bodies


@pytest.mark.parametrize("required", [False, True])
def test_a_page_of_its_own_for_new_accounts(scenario: Scenario, required: bool) -> None:
    """It need not know pushed requests: it gets one only where the provider takes no other."""
    scenario.take_pushed_requests(required=required)
    page = f"{scenario.issuer}/signup-page"
    request = client(scenario).authorization_request("http://127.0.0.1:1/callback", endpoint=page)
    assert request.uri.startswith(f"{page}?")
    assert ("request_uri=" in request.uri, bool(scenario.bodies)) == (required, required)


def test_an_error_repeats_nothing_that_was_pushed(scenario: Scenario) -> None:
    def refuse() -> Answer:
        sent = dict(parse_qsl(scenario.bodies[-1][2]))
        told = f"no {sent['state']} {sent['nonce']} {sent['code_challenge']} cs-SECRET for you"
        return as_json({"error": "invalid_request", "error_description": told}, 400)

    scenario.overrides["par"] = refuse
    scenario.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    with pytest.raises(ProviderError, match="Pushing the authorization request failed") as caught:
        client(scenario, client_secret="cs-SECRET").authorization_request("http://127.0.0.1:1/callback")
    sent = dict(parse_qsl(scenario.bodies[-1][2]))
    assert "for you" in str(caught.value)
    for name in ("state", "nonce", "code_challenge", "client_secret"):
        assert sent[name] not in str(caught.value)


# A sign-in


def test_requests_of_a_sign_in(scenario: Scenario) -> None:
    """Those of an ordinary one, and one that pushes (issue: 3 + PAR)."""
    asked: dict[bool, list[str]] = {}
    scenario.claims["name"] = "Ada"
    for offered in (False, True):
        scenario.requests.clear()
        ours = client(scenario, scope="openid")
        if not offered:
            ours = Client(
                Provider.discover(scenario.issuer, pushed_authorization_request_endpoint=None),
                client_id=CLIENT,
                scope="openid",
            )
        flow = loopback_flow(ours)
        browse(verification_of(flow).uri)
        finished(flow)
        asked[offered] = [path for path in paths(scenario) if "openid-config" not in path]
    assert sorted(asked[False]) == ["authorize", "jwks", "token"]
    assert sorted(asked[True]) == ["authorize", "jwks", "par", "token"]


@pytest.mark.parametrize("mode", ["loopback", "paste"])
def test_a_whole_sign_in(scenario: Scenario, mode: str) -> None:
    """Who shows the address learns state and redirect URI beside it, as the callback page and a paste need them."""
    scenario.take_pushed_requests(required=True)
    login = authnb.login(
        scenario.issuer, client_id=CLIENT, mode=mode, view=None, storage=MemoryStorage(), timeout=60
    )
    verification = login.verification(30)
    assert "state" not in parse_qs(urlsplit(verification.uri).query)
    (redirect,) = requests.get(verification.uri, timeout=30).json()
    assert redirect.startswith(f"{verification.redirect_uri}?")
    assert parse_qs(urlsplit(redirect).query)["state"] == [verification.state]
    assert str(verification.state) not in repr(verification)
    if mode == "paste":
        login.submit_redirect(redirect)
    else:
        requests.get(redirect, timeout=30)
    assert login.wait(30).token["access_token"] == ACCESS_TOKEN


def test_a_provider_that_is_overloaded_is_asked_again(scenario: Scenario) -> None:
    answers = [Answer(503, b"", {"Retry-After": "0"}), Answer(429, b"", {"Retry-After": "0"})]

    def overloaded() -> Answer:
        if len(answers) == 1:
            scenario.overrides.pop("par")
        return answers.pop(0)

    scenario.overrides["par"] = overloaded
    flow = loopback_flow(client(scenario))
    browse(verification_of(flow).uri)
    assert finished(flow)["access_token"] == ACCESS_TOKEN
    assert paths(scenario).count("par") == 3


# An address that expires


@pytest.mark.parametrize("opened", ["the first", "the second"])
def test_an_address_is_replaced_before_it_expires(scenario: Scenario, opened: str) -> None:
    """Whichever the person opened, the response is to the same request: state, nonce and verifier stay."""
    scenario.pushed_answer["expires_in"] = 0.5
    flow = loopback_flow(client(scenario))
    first = verification_of(flow)
    scenario.pushed_answer["expires_in"] = 600
    second = verification_of(flow)
    assert first.uri != second.uri
    assert (first.state, first.redirect_uri, first.expires_at) == (
        second.state,
        second.redirect_uri,
        second.expires_at,
    )
    one, two = (body for path, _, body in scenario.bodies if path.endswith("/par"))
    assert one == two
    assert isinstance(next(flow), Pending), "and not again at once"
    browse((first if opened == "the first" else second).uri)
    assert finished(flow)["access_token"] == ACCESS_TOKEN


def test_an_address_that_was_opened_is_replaced(scenario: Scenario) -> None:
    """It is good once (RFC 9126 section 4): who comes back without having signed in finds a new one."""
    inbox = Inbox()
    flow = loopback_flow(client(scenario), inbox=inbox)
    first = verification_of(flow)
    assert isinstance(next(flow), Pending), "as long as it is good, it stays"
    assert requests.get(first.uri, timeout=30).json(), "opened, but the person went no further"
    assert requests.get(first.uri, timeout=30).json() == []
    inbox.address_used = True
    second = verification_of(flow)
    assert second.uri != first.uri
    inbox.address_used = True
    assert isinstance(next(flow), Pending), "clicks push no more often than every few seconds"
    browse(second.uri)
    assert finished(flow)["access_token"] == ACCESS_TOKEN
    assert paths(scenario).count("par") == 2


def test_a_lifetime_of_next_to_nothing_makes_no_loop(scenario: Scenario) -> None:
    scenario.pushed_answer["expires_in"] = 0.001
    flow = loopback_flow(client(scenario))
    verification_of(flow)
    verification_of(flow)
    assert [type(next(flow)) for _ in range(50)] == [Pending] * 50
    assert paths(scenario).count("par") == 2
    flow.close()


@pytest.mark.parametrize("answer", [Answer(503, b""), Answer(429, b"", {"Retry-After": "60"})])
def test_a_failure_to_replace_an_address_ends_nothing(scenario: Scenario, answer: Answer) -> None:
    """The person may have the provider's page open."""
    scenario.pushed_answer["expires_in"] = 0.5
    flow = loopback_flow(client(scenario))
    address = verification_of(flow).uri
    page = requests.get(address, timeout=30).json()
    scenario.overrides["par"] = lambda: answer
    while paths(scenario).count("par") < 2:
        assert isinstance(next(flow), Pending)
    assert isinstance(next(flow), Pending)
    assert paths(scenario).count("par") == 2, "and it is not tried again at once"
    requests.get(page[0], timeout=30)
    assert finished(flow)["access_token"] == ACCESS_TOKEN


def test_a_refusal_to_replace_an_address_ends_the_sign_in(scenario: Scenario) -> None:
    scenario.pushed_answer["expires_in"] = 0.5
    flow = loopback_flow(client(scenario))
    verification_of(flow)
    scenario.overrides["par"] = lambda: as_json({"error": "invalid_client"}, 401)
    with pytest.raises(ProviderError) as caught:
        verification_of(flow)
    assert caught.value.error == "invalid_client"


def test_an_endpoint_that_goes_away(scenario: Scenario) -> None:
    """Where pushing is not required, the person gets an ordinary address, which does not expire."""
    scenario.pushed_answer["expires_in"] = 0.5
    flow = loopback_flow(client(scenario))
    verification_of(flow)
    scenario.overrides["par"] = lambda: Answer(404, b"not here")
    second = verification_of(flow)
    assert parse_qs(urlsplit(second.uri).query)["state"] == [second.state]
    browse(second.uri)
    assert finished(flow)["access_token"] == ACCESS_TOKEN


# What shows it


def test_the_panel_shows_the_new_address_to_who_comes_back(scenario: Scenario) -> None:
    """The callback page's channel stays: it is named after the state, which the panel is sent and nothing saves."""
    scenario.pushed_answer["expires_in"] = 600
    login = authnb.login(
        scenario.issuer, client_id=CLIENT, mode="loopback", view=None, storage=MemoryStorage(), timeout=60
    )
    first = login.verification(30)
    assert login.refused_redirect() is None
    assert paths(scenario).count("par") == 1, "it was checked when the request was pushed"
    output, sink = JupyterOutput(), Sink()
    panel = PanelView(output)
    panel._panel = output._text_display = sink  # type: ignore[assignment] # noqa: SLF001 - records what a page is sent
    panel._update(login)  # noqa: SLF001 - as after each change
    panel._on_message(login, {"action": "check_redirect"}, [])  # noqa: SLF001 - as a page's message
    wait_for(lambda: login.verification().uri != first.uri, "a new address")
    wait_for(lambda: login.verification().uri in sink.sent[-1] or panel._update(login), "it in the panel")  # noqa: SLF001 - as above
    before, after = json.loads(sink.sent[0]), json.loads(sink.sent[-1])
    for message, uri in ((before, first.uri), (after, login.verification().uri)):
        assert (message["state"], message["redirect_uri"]) == (first.state, first.redirect_uri)
        assert uri in repr(message["body"])
    assert before["seconds"] >= after["seconds"]
    assert (login.status, paths(scenario).count("authorize")) == ("waiting", 0), (
        "no request for the redirect URI"
    )
    assert not [saved for saved in sink.saved if str(first.state) in saved or "request_uri" in saved]
    login.cancel()


def test_a_terminal_prints_the_new_address_alone(
    scenario: Scenario, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario.pushed_answer["expires_in"] = 600
    login = authnb.login(
        scenario.issuer, client_id=CLIENT, mode="loopback", view=None, storage=MemoryStorage(), timeout=60
    )
    first, view = login.verification(30), TerminalView()
    view.update(login)
    login.report_return()
    wait_for(lambda: login.verification().uri != first.uri, "a new address")
    view.update(login)
    view.update(login)
    printed = "".join(capsys.readouterr()).splitlines()
    assert [line for line in printed if "http" in line] == [first.uri, login.verification().uri]
    assert [line for line in printed if "expires" in line] == [printed[-2]]
    login.cancel()


def test_a_sign_in_that_is_cancelled_pushes_no_more(scenario: Scenario) -> None:
    login = authnb.login(
        scenario.issuer, client_id=CLIENT, mode="loopback", view=None, storage=MemoryStorage(), timeout=60
    )
    login.verification(30)
    login.cancel()
    login.report_return()
    with pytest.raises(LoginFailed):
        login.wait(30)
    assert paths(scenario).count("par") == 1


def test_a_recording_explains_it_and_hides_what_is_secret(scenario: Scenario, tmp_path: Path) -> None:
    """The address to open is good for a minute; a recording may be read then."""
    with authnb.record() as recording:
        flow = loopback_flow(client(scenario, scope="openid"))
        verification = verification_of(flow)
        browse(verification.uri)
        finished(flow)
    pushed, opened = (
        next(each for each in recording.exchanges if each.address.endswith(path))
        for path in ("/par", "/authorize")
    )
    assert (pushed.sender, pushed.receiver, pushed.method, pushed.status) == (
        "client",
        "provider",
        "POST",
        201,
    )
    shown = {value.name: value.shown for value in (*pushed.sent, *pushed.received)}
    assert (shown["client_id"], shown["scope"], shown["expires_in"]) == (CLIENT, "openid", "60")
    assert {shown["state"], shown["nonce"], shown["code_challenge"]} == {"[43 characters]"}
    assert shown["request_uri"].endswith("characters]")
    assert [value.name for value in opened.sent] == ["client_id", "request_uri"]
    assert all(value.explanation for value in (*pushed.received[1:], *opened.sent))
    metadata = next(each for each in recording.exchanges if "well-known" in each.address)
    named = {value.name: value.shown for value in metadata.received}
    assert named["pushed_authorization_request_endpoint"].endswith("/par")
    assert named["require_pushed_authorization_requests"] == "false"
    assert ("browser", "client") in {(each.sender, each.receiver) for each in recording.exchanges}
    report = recording.save(tmp_path / "report.md").read_text(encoding="utf-8")
    everything = repr(recording) + recording._repr_html_() + repr(recording.diagram) + report
    request_uri = parse_qs(urlsplit(verification.uri).query)["request_uri"][0]
    assert not [
        secret
        for secret in (request_uri, request_uri[len(URN) :], verification.state)
        if str(secret) in everything
    ]


# Whether a redirect URI is registered


@pytest.mark.parametrize(
    ("answer", "accepted"),
    [
        (None, True),
        (as_json({"error": "invalid_request"}, 400), False),
        (as_json({"error": "invalid_redirect_uri"}, 400), False),
        (as_json({"error": "login_required"}, 400), None),
        (as_json({"error": "invalid_client"}, 401), None),
        (Answer(500, b""), None),
    ],
)
def test_the_endpoint_checks_redirect_uris(
    scenario: Scenario, answer: Answer | None, accepted: bool | None
) -> None:
    """RFC 9126 section 2.1: the authorization endpoint might refuse what was not pushed, whatever the redirect URI."""
    if answer is not None:
        scenario.overrides["par"] = lambda: answer
    assert accepts_redirect(client(scenario), "https://hub.example.org/callback") is accepted
    assert "authorize" not in paths(scenario)


def test_quirks_parameters_are_pushed_too(scenario: Scenario) -> None:
    provider = Provider.discover(scenario.issuer, quirks=Quirks(parameters={"access_type": "offline"}))
    Client(provider, client_id=CLIENT).authorization_request("http://127.0.0.1:1/callback")
    assert parse_qs(scenario.bodies[0][2])["access_type"] == ["offline"]


# At the provider for learning


def test_where_nothing_else_is_taken() -> None:
    """The person opens the address, comes back, and signs in at the next; tokens are bound to a key besides."""
    with DemoProvider(pushed_requests="required", dpop="required") as demo:
        login = authnb.login(
            demo.issuer,
            client_id=demo.client_id,
            api=demo.api,
            scope="openid profile measurements:read",
            mode="loopback",
            view=None,
            storage=MemoryStorage(),
        )
        first = login.verification(30)
        assert requests.get(first.uri, timeout=30).ok
        assert requests.get(first.uri, timeout=30).status_code == 400, (
            "another browser, and it was opened before"
        )
        login.report_return()
        wait_for(lambda: login.verification().uri != first.uri, "a new address")
        demo.visit(login.verification().uri, name="ada")
        session = login.wait(30)
        assert session.get("/measurements").ok
        assert session.token["token_type"] == "DPoP"
        declined = authnb.login(
            demo.issuer, client_id=demo.client_id, mode="loopback", view=None, storage=MemoryStorage()
        )
        demo.visit(declined.verification(30).uri, name=newcomer(), allow=False)
        with pytest.raises(LoginFailed) as caught:
            declined.wait(30)
        assert caught.value.error == "access_denied"
