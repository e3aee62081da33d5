"""The recorder: what a sign-in sends and gets, in order, and never a secret of it."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING

import httpx
import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session
from servers import Server
from support import free_port

import authnb
from authnb.demo import DemoProvider, RunningProvider, demo_provider
from authnb.recording.explain import EXPLANATIONS, VALUES
from authnb.recording.redact import Value
from authnb.storage.base import MemoryStorage
from authnb.transport.exchange import observers
from authnb.transport.http import provider_session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from authnb.recording.recorder import Recording
    from authnb.session.session import Session

SCOPE = "openid profile email measurements:read"


def sign_in(demo: RunningProvider, storage: MemoryStorage, mode: str) -> Session:
    login = authnb.login(
        demo.issuer,
        client_id=demo.client_id,
        scope=SCOPE,
        api=demo.api,
        mode=mode,
        view=None,
        storage=storage,
    )
    verification = login.verification()
    if verification.user_code:
        demo.approve(verification.user_code)
    else:
        demo.visit(verification.uri)
    return login.wait(30)


def everything_shown(recording: Recording, folder: Path) -> str:
    return "\n".join(
        [
            repr(recording),
            recording._repr_html_(),
            repr(recording.diagram),
            recording.save(folder / "report.md").read_text(encoding="utf-8"),
            repr(recording.exchanges),
        ]
    )


def secrets_of(session: Session) -> Iterator[str]:
    token = session.token
    for name in ("access_token", "refresh_token", "id_token"):
        yield from token[name].split(".") if name == "id_token" else [token[name]]
    for name in ("sub", "name", "email", "preferred_username", "at_hash"):
        yield token["userinfo"][name]


@pytest.mark.parametrize("mode", ["loopback", "device"])
def test_a_report_holds_no_secret_and_no_person(
    demo: DemoProvider, storage: MemoryStorage, tmp_path: Path, mode: str
) -> None:
    with authnb.record() as recording:
        session = sign_in(demo, storage, mode)
        session.get("/measurements?station=hill&limit=1")
        held = [*secrets_of(session), *session.token["userinfo"].get("nonce", "none-here").split()]
        session.logout()
    shown = everything_shown(recording, tmp_path)
    assert shown.count("http://127.0.0.1:PORT/token") >= 4, "each form has the exchange, without its values"
    for secret in held:
        assert not re.search(rf"\b{re.escape(secret)}\b", shown)
    assert not re.search(r"eyJ[\w-]{8,}", shown)
    assert not re.search(r"127\.0\.0\.1:\d", shown)
    known = "|".join(EXPLANATIONS)
    assert not re.search(r"[\w-]{43}", re.sub(known, "", shown)), "a random value of some length"


def test_a_sign_in_by_loopback_is_told_from_both_ends(demo: DemoProvider, storage: MemoryStorage) -> None:
    with authnb.record() as recording:
        session = sign_in(demo, storage, "loopback")
        session.get("/stations")
    all_told = [
        (e.sender, e.receiver, e.method, e.address.rpartition("PORT")[2], e.status)
        for e in recording.exchanges
    ]
    assert all_told[0] == ("client", "provider", "GET", "/.well-known/openid-configuration", 200)
    assert all_told[1][:4] == ("browser", "provider", "GET", "/authorize")
    assert all_told[2] == ("client", "provider", "GET", "/jwks", 200), "fetched while the person signs in"
    assert all_told.count(("browser", "client", "GET", "/callback", 200)) == 1
    answered = all_told.index(("browser", "client", "GET", "/callback", 200))
    assert all_told.index(("client", "provider", "POST", "/token", 200)) > answered
    assert all_told[-1] == ("client", "API", "GET", "", 200)
    assert [exchange.number for exchange in recording.exchanges] == list(range(1, len(all_told) + 1))
    (token,) = [e for e in recording.exchanges if e.address.endswith("/token")]
    explained = {value.name for value in token.sent if value.explanation}
    assert {"code", "code_verifier", "client_id", "redirect_uri"} <= explained
    assert str(token) in repr(recording)
    assert str(token).endswith("client → provider  POST http://127.0.0.1:PORT/token  200")
    claims = {value.name: value.shown for value in token.id_token}
    assert claims["alg"] == "RS256"
    assert claims["aud"] == "notebook"
    assert (claims["iat"], claims["exp"]) == ("now", "in 60 minutes")


def test_the_diagram_draws_who_spoke_with_whom(demo: DemoProvider, storage: MemoryStorage) -> None:
    with authnb.record() as recording:
        sign_in(demo, storage, "device").get("/stations")
    lines = repr(recording.diagram).splitlines()
    assert lines[0] == "sequenceDiagram"
    assert "    participant API" in lines
    assert any("a person enters the user code" in line for line in lines)
    for line in lines[1:]:
        assert re.fullmatch(
            r"    (participant \w+|Note over \w+: .+|(browser|client|provider|API)--?>>\w+: [^;#]+)", line
        ), line
    bundle = recording.diagram._repr_mimebundle_()
    assert bundle["text/vnd.mermaid"] == repr(recording.diagram)


def test_reveal_shows_all_against_the_provider_for_learning(
    demo: DemoProvider, storage: MemoryStorage, tmp_path: Path
) -> None:
    with authnb.record(reveal=True) as recording:
        session = sign_in(demo, storage, "loopback")
    assert session.token["access_token"] in recording._repr_html_()
    assert session.token["userinfo"]["email"] in recording._repr_html_()
    report = recording.save(tmp_path / "report.md").read_text(encoding="utf-8")
    assert session.token["access_token"] not in report


def test_reveal_shows_nothing_once_another_provider_is_met(
    demo: DemoProvider, storage: MemoryStorage
) -> None:
    with authnb.record(reveal=True) as recording, Server() as stranger:
        session = sign_in(demo, storage, "loopback")
        stranger.json("/token", {"access_token": "a-secret-of-a-stranger"})
        with provider_session() as http:
            http.post(f"{stranger.url}/token", data={"code": "another-secret"})
    html = recording._repr_html_()
    assert "provider for learning" in html
    for secret in ("a-secret-of-a-stranger", "another-secret", session.token["access_token"]):
        assert secret not in html
        assert secret not in repr(recording._redacted) + repr(recording._revealed)  # noqa: SLF001 - what is kept, shown or not


def test_reveal_shows_nothing_of_a_stranger_at_the_port_of_a_provider_that_has_ended() -> None:
    port = free_port()
    DemoProvider(port=port).start().close()
    with authnb.record(reveal=True) as recording, Server(port=port) as stranger:
        stranger.json("/token", {"access_token": "a-secret-of-a-stranger"})
        with provider_session() as http:
            http.post(f"{stranger.url}/token", data={"code": "another-secret"})
    assert "/token" in recording._repr_html_()
    for secret in ("a-secret-of-a-stranger", "another-secret"):
        assert secret not in recording._repr_html_() + repr(recording._revealed)  # noqa: SLF001 - as above


def test_reveal_believes_no_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loopback address may be a tunnel to a real provider: `AUTHNB_DEMO` alone does not make it one to learn with."""
    with authnb.record(reveal=True) as recording, Server() as stranger:
        monkeypatch.setenv("AUTHNB_DEMO", stranger.url)
        stranger.json("/.well-known/openid-configuration", {"issuer": stranger.url})
        stranger.json("/token", {"access_token": "a-secret-of-a-stranger"})
        assert demo_provider().issuer != stranger.url
        RunningProvider(stranger.url)
        with provider_session() as http:
            http.post(f"{stranger.url}/token", data={"code": "another-secret"})
    assert "/token" in recording._repr_html_()
    for secret in ("a-secret-of-a-stranger", "another-secret"):
        assert secret not in recording._repr_html_()


def test_reveal_shows_all_of_the_provider_of_a_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    """One in another process, after it was asked whether it is for learning."""
    command = [sys.executable, "-m", "authnb", "demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        issuer = process.stdout.readline().split()[1]
        monkeypatch.setenv("AUTHNB_DEMO", issuer)
        with authnb.record(reveal=True) as recording:
            elsewhere = demo_provider()
            session = sign_in(elsewhere, MemoryStorage(), "loopback")
        process.terminate()
    assert elsewhere.issuer == issuer
    assert session.token["access_token"] in recording._repr_html_()


def test_a_secret_that_comes_back_in_a_sentence_is_found() -> None:
    with authnb.record() as recording, Server() as provider, provider_session() as http:
        provider.json("/token", {"error": "invalid_grant", "error_description": "bad code s3cr3t-c0de"}, 400)
        http.post(f"{provider.url}/token", data={"code": "s3cr3t-c0de", "grant_type": "authorization_code"})
    (exchange,) = recording.exchanges
    shown = {value.name: value.shown for value in exchange.received}
    assert shown["error_description"] == "bad code […]"
    assert shown["error"] == "invalid_grant"


def test_what_a_stranger_sends_is_text_and_not_markup() -> None:
    with authnb.record() as recording, Server() as provider, provider_session() as http:
        provider.json("/token", {"error": "<script>alert(1)</script>", "<b>x</b>": 1, "a\n;b": 2}, 400)
        http.get(f"{provider.url}/token")
    assert "<script>" not in recording._repr_html_()
    assert "<b>x" not in recording._repr_html_()
    assert len(repr(recording.diagram).splitlines()) == 5


def test_failures_are_part_of_the_record() -> None:
    with authnb.record() as recording:
        with Server() as provider, provider_session() as http:
            provider.text("/moved", "", 302, Location="https://elsewhere.example/?code=s3cr3t")
            with pytest.raises(authnb.ProviderError):
                http.get(f"{provider.url}/moved")
        with provider_session() as http, pytest.raises(requests.ConnectionError):
            http.get(f"{provider.url}/gone")
    assert [exchange.error for exchange in recording.exchanges] == ["ProviderError", "ConnectionError"]
    assert "s3cr3t" not in repr(recording)


def test_not_even_the_length_of_a_password_is_told(demo: DemoProvider, storage: MemoryStorage) -> None:
    with authnb.record() as recording:
        login = authnb.signup(
            demo.issuer, client_id=demo.client_id, mode="loopback", view=None, storage=storage
        )
        demo.visit(login.verification().uri, name="katherine")
        login.wait(30)
    shown = [value for one in recording.exchanges for value in one.sent if "password" in value.name]
    assert {value.name for value in shown} == {"password", "password_again"}
    assert {value.shown for value in shown} == {"[not shown]"}


def test_a_learners_own_session_is_recorded_when_asked(demo: DemoProvider) -> None:
    with authnb.record() as recording, OAuth2Session("notebook") as session:
        recording.watch(session)
        session.get(f"{demo.issuer}/jwks", withhold_token=True, timeout=20)
    (exchange,) = recording.exchanges
    assert exchange.address.endswith("/jwks")


def told(recording: Recording) -> list[tuple[str, str, str, int | None]]:
    return [(e.receiver, e.method, e.address.rpartition("/")[2], e.status) for e in recording.exchanges]


def test_calls_of_other_clients_are_recorded(demo: DemoProvider, storage: MemoryStorage) -> None:
    """A bare ``requests`` call and ``httpx`` clients that hold the session's token, each call once."""
    session = sign_in(demo, storage, "loopback")

    async def post() -> None:
        async with httpx.AsyncClient(auth=session.httpx_auth) as client:
            await client.post(f"{demo.api}/stations", data={"password": "a-secret-of-mine"})

    with authnb.record() as recording:
        requests.get(f"{demo.api}/stations", auth=session.requests_auth, timeout=20)
        with httpx.Client(auth=session.httpx_auth) as client:
            client.get(f"{demo.api}/stations?token=a-secret-of-mine")
        asyncio.run(post())
        session.get("/stations")
    statuses = [("GET", 200), ("GET", 400), ("POST", 405), ("GET", 200)]
    assert told(recording) == [("API", method, "127.0.0.1:PORT", status) for method, status in statuses]
    for exchange in recording.exchanges:
        assert [(each.name, each.shown) for each in exchange.sent] == [
            ("Authorization", "Bearer [43 characters]")
        ]
        for each in exchange.received:
            assert each.name == "WWW-Authenticate"
            assert re.fullmatch(r'Bearer error="invalid_request" \[\d+ characters\]', each.shown)
    for secret in ("a-secret-of-mine", session.token["access_token"]):
        assert secret not in recording._repr_html_() + repr(recording.exchanges)


@pytest.mark.parametrize("client", ["session", "requests", "httpx"])
def test_a_refused_call_and_its_second_try_are_recorded_in_order(
    demo: DemoProvider, storage: MemoryStorage, client: str
) -> None:
    session = sign_in(demo, storage, "loopback")
    get = {
        "session": session.get,
        "requests": partial(requests.get, auth=session.requests_auth),
        "httpx": partial(httpx.get, auth=session.httpx_auth),
    }[client]
    token = {"token": session.token["access_token"], "client_id": demo.client_id}
    requests.post(f"{demo.issuer}/revoke", data=token, timeout=20).raise_for_status()
    with authnb.record() as recording:
        assert get(f"{demo.api}/stations", timeout=20).status_code == 200
    assert told(recording) == [
        ("API", "GET", "127.0.0.1:PORT", 401),
        ("provider", "POST", "token", 200),
        ("API", "GET", "127.0.0.1:PORT", 200),
    ]


def test_proofs_of_possession_are_explained_and_hidden(storage: MemoryStorage, tmp_path: Path) -> None:
    """Of tokens that are bound to a key (RFC 9449): the proof, its key's thumbprint, the nonce, and their errors."""
    with DemoProvider(dpop="offered") as demo, authnb.record() as recording:
        session = sign_in(demo, storage, "loopback")
        session.get("/stations")
    asked, answered = [
        {value.name: value for value in (*e.sent, *e.received)}
        for e in recording.exchanges
        if e.address.endswith("/token")
    ]
    values = [value for e in recording.exchanges for value in (*e.sent, *e.received)]
    sources = {(value.name, value.shown): value.explanation.source for value in values if value.explanation}
    assert sources["dpop_signing_alg_values_supported", "ES256 Ed25519"] == "RFC 9449 5.1"
    assert sources["dpop_jkt", "[43 characters]"] == "RFC 9449 10"
    assert sources["error", "use_dpop_nonce"] == "RFC 9449 8"
    assert sources["token_type", "DPoP"] == "RFC 9449 5"
    assert sources["DPoP-Nonce", asked["DPoP-Nonce"].shown] == "RFC 9449 8"
    assert sources["DPoP", answered["DPoP"].shown] == "RFC 9449 4.2"
    for hidden in (asked["DPoP"], asked["DPoP-Nonce"], answered["DPoP"]):
        assert re.fullmatch(r"\[\d+ characters\]", hidden.shown), hidden.name
    shown = everything_shown(recording, tmp_path)
    assert "DPoP-Nonce" in shown
    assert not re.search(r"eyJ[\w-]{8,}", shown)
    assert not re.search(r"[\w-]{32}", re.sub("|".join(EXPLANATIONS), "", shown)), "a nonce or a thumbprint"


def test_what_a_token_type_or_error_means_depends_on_which_it_is() -> None:
    bearer, bound = Value("token_type", "Bearer"), Value("token_type", "dpop")
    assert bearer.explanation is not None
    assert bound.explanation is not None
    assert bearer.explanation.source == "RFC 6749 7.1"
    assert "proof" in bound.explanation.meaning
    assert Value("error", "invalid_grant").explanation == EXPLANATIONS["error"]
    assert Value("scope", "DPoP").explanation == EXPLANATIONS["scope"]


def test_nothing_is_recorded_outside_the_block(demo: DemoProvider) -> None:
    with authnb.record() as recording:
        pass
    with provider_session() as http:
        http.get(f"{demo.issuer}/jwks")
    assert recording.exchanges == ()
    assert repr(recording) == "Nothing recorded."
    assert not observers


def test_every_explanation_names_its_standard() -> None:
    for name, explanation in [*EXPLANATIONS.items(), *VALUES.items()]:
        assert explanation.meaning, name
        assert explanation.link.startswith(("https://www.rfc-editor.org/rfc/rfc", "https://openid.net/")), (
            name
        )
        assert "{" not in explanation.link
