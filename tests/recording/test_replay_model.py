"""The replay of a recording: messages, who knows what, defences and the attacks that they end, and no secret."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from bs4 import BeautifulSoup
from servers import Server

import authnb
from authnb.demo import DemoProvider
from authnb.recording.replay_signature import Signatures
from authnb.storage.base import MemoryStorage
from authnb.transport.exchange import HTTPExchange, notify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from authnb.recording.recorder import Recording
    from authnb.recording.replay import Defence, Replay
    from authnb.session.session import Session

SCOPE = "openid profile email measurements:read"
S256_OF_THE_RFC = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"  # RFC 7636 Appendix B
VERIFIER_OF_THE_RFC = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


def sign_in(demo: DemoProvider, **options: Any) -> Session:
    options = {"client_id": demo.client_id, "scope": SCOPE, "api": demo.api, "mode": "loopback", **options}
    login = authnb.login(options.pop("issuer", demo.issuer), view=None, storage=MemoryStorage(), **options)
    verification = login.verification()
    if verification.user_code:
        demo.approve(verification.user_code)
    else:
        demo.visit(verification.uri)
    return login.wait(30)


@pytest.fixture(scope="module")
def provider() -> Iterator[DemoProvider]:
    """One whose documents nobody has fetched yet, so that its keys are part of the first recording."""
    with DemoProvider(device_interval=1) as demo:
        yield demo


@pytest.fixture(scope="module")
def held() -> list[str]:
    """The secrets of the recorded sign-in."""
    return []


@pytest.fixture(scope="module")
def recording(provider: DemoProvider, held: list[str]) -> Recording:
    with pytest.MonkeyPatch.context() as monkeypatch, authnb.record(reveal=True) as told:
        monkeypatch.setenv("AUTHNB_INTERACTIVE", "1")
        monkeypatch.setenv("AUTHNB_REMOTE", "0")
        session = sign_in(provider)
        session.get("/stations")
        token = session.token
        held += [token[name] for name in ("access_token", "refresh_token", "id_token")]
        held += [token["userinfo"][name] for name in ("sub", "email", "nonce")]
        session.logout()
    held += [
        value.shown
        for exchange in told.exchanges
        for value in (*exchange.sent, *exchange.received)
        if value.name in {"password", "state", "code", "code_verifier", "csrf_token"}
    ]
    return told


def saved(recording: Recording) -> Replay:
    """As it may be kept."""
    return recording._replays()[0]  # noqa: SLF001 - the model below the widget


def shown(recording: Recording) -> Replay | None:
    """With values."""
    return recording._replays()[1]  # noqa: SLF001 - as above


def told(replay: Replay) -> list[tuple[str, str, str, str]]:
    return [(hop.sender, hop.receiver, hop.channel, hop.title) for hop in replay.hops]


def defence(replay: Replay, name: str) -> Defence:
    (found,) = (each for each in replay.defences if each.id == name)
    return found


def backstops(found: Defence) -> dict[str, int]:
    return {each.id: each.before for each in found.attack.backstops}


def test_a_sign_in_is_told_message_by_message(recording: Recording) -> None:
    replay = saved(recording)
    assert [(party.id, party.name) for party in replay.parties] == [
        ("browser", "You and your browser"),
        ("client", "The notebook"),
        ("provider", "The provider"),
        ("api", "The API"),
    ]
    assert (replay.outcome, replay.title) == ("finished", "Your sign-in at 127.0.0.1:PORT, step by step")
    assert [each for each in told(replay) if "public keys" not in each[3]] == [
        ("client", "provider", "back", "The notebook asks for the provider's metadata"),
        ("provider", "client", "back", "The provider's metadata"),
        ("browser", "provider", "front", "Your browser carries the request to the provider"),
        ("provider", "browser", "front", "The provider shows its sign-in page"),
        ("provider", "browser", "front", "The provider shows its sign-up page"),
        ("browser", "provider", "front", "You create an account"),
        ("provider", "browser", "front", "The provider shows its sign-in page"),
        ("browser", "provider", "front", "You sign in"),
        ("provider", "browser", "front", "The provider asks you for consent"),
        ("browser", "provider", "front", "You decide"),
        ("provider", "browser", "front", "The provider sends your browser back with a code"),
        ("browser", "client", "front", "Your browser brings the response to the notebook"),
        ("client", "browser", "front", "The notebook shows a page"),
        ("client", "provider", "back", "The notebook exchanges the code for tokens"),
        ("provider", "client", "back", "The tokens"),
        ("client", "api", "back", "The notebook calls the API"),
        ("api", "client", "back", "The data"),
        *[
            ("client", "provider", "back", "The notebook revokes a token"),
            ("provider", "client", "back", "Done"),
        ]
        * 2,
    ]
    assert Counter(hop.title for hop in replay.hops)["The provider's public keys"] == 1
    for hop in replay.hops:
        assert re.fullmatch(r"[A-Z].*[.)]", hop.says), hop.says
        for each in hop.parameters:
            assert (each.value is None) == (each.hidden is not None), each.name
            assert each.url is None or each.url.startswith("https://"), each.name
    (code,) = (each for each in replay.hops[-10].parameters if each.name == "code")
    assert (code.section, code.hidden) == ("RFC 6749 4.1.2", "48 characters")


def knows(replay: Replay, title: str, party: str) -> set[str]:
    """What the party knows after the last message of that title."""
    (*_, hop) = (each for each in replay.hops if each.title == title)
    return {*hop.knows[party]}


def test_each_party_knows_what_it_was_sent_and_no_more(recording: Recording) -> None:
    replay = saved(recording)
    carried = "Your browser carries the request to the provider"
    assert knows(replay, carried, "client") >= {"state", "nonce", "challenge", "verifier"}
    assert knows(replay, carried, "browser") == {"password", "state", "nonce", "challenge"}
    assert "code" not in knows(replay, "The provider sends your browser back with a code", "client")
    assert "code" in knows(replay, "Your browser brings the response to the notebook", "client")
    assert "verifier" not in knows(replay, "Your browser brings the response to the notebook", "provider")
    assert "verifier" in knows(replay, "The notebook exchanges the code for tokens", "provider")
    assert knows(replay, "The tokens", "client") >= {
        "code (used)",
        "access token",
        "refresh token",
        "who you are",
    }
    assert knows(replay, "The notebook calls the API", "api") == {"access token"}
    end = replay.hops[-1].knows
    assert {"access token (revoked)", "refresh token (revoked)"} <= {*end["client"]} & {*end["provider"]}
    assert {*end["browser"]} == {"password", "state", "nonce", "challenge", "code (used)"}
    assert "password" not in end["client"]


def test_what_may_be_kept_holds_no_secret_and_what_is_shown_no_password(
    recording: Recording, held: list[str], provider: DemoProvider
) -> None:
    kept, seen = saved(recording), shown(recording)
    assert seen is not None
    assert len(held) > 10
    for secret in held:
        for text in (
            json.dumps(kept.as_dict()),
            repr(kept),
            repr(seen),
            repr(vars(recording)["_signatures"]),
        ):
            assert secret not in text
    values = json.dumps(seen.as_dict())
    assert {secret for secret in held if secret not in values} == {"a long passphrase of ada"}
    assert provider.issuer in values
    assert provider.issuer not in json.dumps(kept.as_dict())
    assert told(kept) == told(seen)
    for one, other in zip(kept.hops, seen.hops, strict=True):
        if "api" not in {one.sender, one.receiver}:  # of whose calls names are left out too
            assert [each.name for each in one.parameters] == [each.name for each in other.parameters]


def test_the_id_token_is_taken_apart_and_its_signature_checked(recording: Recording) -> None:
    for replay in recording._replays():  # noqa: SLF001 - as above
        assert replay is not None
        ((title, jwt),) = [(hop.title, jwt) for hop in replay.hops for jwt in hop.jwts]
        assert jwt.name == "id_token"
        assert title == "The tokens"
        assert [each.name for each in jwt.header] == ["typ", "alg", "kid"]
        assert {"iss", "aud", "sub", "nonce"} <= {each.name for each in jwt.claims}
        assert (jwt.signature.algorithm, jwt.signature.verified) == ("RS256", True)
        assert "public key" in jwt.signature.checked_with


def test_a_signature_that_is_not_the_providers_is_told(recording: Recording, held: list[str]) -> None:
    """The claims changed by one letter; no keys; no token: each is told for what it is."""
    (exchange,) = (each for each in recording.exchanges if each.id_token)
    header, claims, signature = held[2].split(".")
    changed = base64.urlsafe_b64decode(f"{claims}==").replace(b'"ada"', b'"eve"')
    forged = f"{header}.{base64.urlsafe_b64encode(changed).rstrip(b'=').decode()}.{signature}"
    keys = recording._signatures._key_sets[0].keys  # noqa: SLF001 - what was recorded of the provider
    jwks = json.dumps({"keys": keys}).encode()

    def received(body: bytes) -> HTTPExchange:
        return HTTPExchange(sender="client", method="GET", url="https://id.example.org/", response_body=body)

    signatures = Signatures()
    assert "the token is not in the recording" in signatures.of(exchange).checked_with
    signatures.add(exchange.number, received(json.dumps({"id_token": held[2]}).encode()))
    assert signatures.of(exchange).verified is None
    assert "keys are not in the recording" in signatures.of(exchange).checked_with
    signatures.add(1, received(jwks))
    assert signatures.of(exchange).verified is True
    for wrong in (forged, "no.token.x", f"{header}.{claims}."):
        signatures.add(exchange.number, received(json.dumps({"id_token": wrong}).encode()))
        assert signatures.of(exchange).verified is False


def test_a_recording_that_shows_no_values_has_not_kept_the_token(provider: DemoProvider) -> None:
    with authnb.record() as told_without:
        sign_in(provider)
    (jwt,) = (jwt for hop in saved(told_without).hops for jwt in hop.jwts)
    assert jwt.signature.verified is None
    assert jwt.signature.checked_with == "not checked here: the token is not in the recording"
    assert shown(told_without) is None
    assert vars(told_without._signatures)["_id_tokens"] == {}  # noqa: SLF001 - it is in memory nowhere


def test_each_defence_of_a_public_client_ends_an_attack_of_this_sign_in(recording: Recording) -> None:
    """RFC 9700 sections 4.1, 4.5, 4.7 and Core section 3.1.3.7: who stops what, at which step, and what is left."""
    replay = saved(recording)
    assert [(each.id, replay.hops[each.hop].title, each.used) for each in replay.defences] == [
        ("redirect_uri", "Your browser carries the request to the provider", True),
        ("state", "Your browser brings the response to the notebook", True),
        ("pkce", "The notebook exchanges the code for tokens", True),
        ("nonce", "The tokens", True),
        ("signature", "The tokens", True),
        ("audience", "The tokens", True),
    ]
    assert {each.id: backstops(each) for each in replay.defences if each.attack.backstops} == {
        "state": {"pkce": 4, "nonce": 5},
        "nonce": {"state": 3, "pkce": 4},
    }
    tokens = "An access token, a refresh token and an ID token of your account: at the API they are you."
    assert defence(replay, "pkce").attack.gets == defence(replay, "redirect_uri").attack.gets == tokens
    assert defence(replay, "nonce").section == "RFC 9700 4.7.1", (
        "of a public client, it does not protect the code"
    )
    (*_, last) = defence(replay, "pkce").attack.steps
    assert (last.sender, last.receiver) == ("provider", "attacker")
    for each in replay.defences:
        assert each.url.startswith(("https://www.rfc-editor.org/rfc/rfc", "https://openid.net/specs/"))
        assert "#" in each.url
        ends = {end for step in each.attack.steps for end in (step.sender, step.receiver)}
        assert "attacker" in ends
        assert ends <= {party.id for party in replay.parties} | {"attacker"}
        assert all(0 < stop.before <= len(each.attack.steps) for stop in each.attack.backstops)


def by_hand(
    redirect_uri: str, demo: DemoProvider, callback: Server, client: dict[str, str], **asked: str
) -> Recording:
    """A sign-in as the notebooks do it by hand, with what is given and no more."""
    callback.text(urlsplit(redirect_uri).path, "Done.")
    with authnb.record() as recorded, requests.Session() as http:
        recorded.watch(http)
        request = {
            "response_type": "code",
            "client_id": client["client_id"],
            "redirect_uri": redirect_uri,
            **asked,
        }
        request |= {"code_challenge": S256_OF_THE_RFC, "code_challenge_method": "S256"}
        demo.visit(f"{demo.issuer}/authorize?{urlencode(request)}")
        (*_, back) = callback.requests
        code = parse_qs(urlsplit(back.path).query)["code"][0]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, **client}
        http.post(f"{demo.issuer}/token", data={**form, "code_verifier": VERIFIER_OF_THE_RFC}, timeout=20)
    return recorded


def test_a_defence_that_a_sign_in_went_without_is_told(provider: DemoProvider) -> None:
    with Server() as callback:
        replay = saved(
            by_hand(
                f"{callback.url}/callback",
                provider,
                callback,
                {"client_id": provider.client_id},
                scope="openid",
            )
        )
    assert {each.id: each.used for each in replay.defences} == {
        "redirect_uri": True,
        "state": False,
        "pkce": True,
        "nonce": False,
        "signature": True,
        "audience": True,
    }


def test_the_code_of_a_client_with_a_secret_is_injected_and_not_redeemed() -> None:
    """RFC 9700 section 4.5: the attacker needs the client; PKCE and the nonce stop that, the state does not."""
    with Server() as callback, DemoProvider() as demo:
        client = {"client_id": demo.web_client_id, "client_secret": demo.web_client_secret}
        redirect_uri = f"{callback.url}/authorize"
        recorded = by_hand(redirect_uri, demo, callback, client, scope="openid", state="fixed", nonce="fixed")
    replay = saved(recorded)
    assert backstops(defence(replay, "pkce")) == {"nonce": 4}
    assert backstops(defence(replay, "nonce")) == {"pkce": 3}
    assert defence(replay, "nonce").section == "RFC 9700 4.5.3.2"
    assert defence(replay, "pkce").attack.gets == "A session at this client that is signed in as you."
    assert "code" in defence(replay, "redirect_uri").attack.gets
    assert "client secret" in replay.hops[-1].knows["client"]
    assert client["client_secret"] not in json.dumps(replay.as_dict())


def test_tokens_bound_to_a_key_a_pushed_request_and_an_api_that_says_where_to_sign_in() -> None:
    """RFC 9449, 9126, 9728 and 7591 in one sign-in, without an ID token."""
    with DemoProvider(dpop="required", pushed_requests="required") as demo, authnb.record() as recorded:
        session = sign_in(demo, issuer=None, client_id=None, scope=None)
        session.get("/stations")
    replay = saved(recorded)
    titles = [(hop.sender, hop.receiver, hop.title) for hop in replay.hops]
    order = [
        ("api", "client", "The API asks for a token"),
        ("client", "api", "The notebook asks the API where to sign in"),
        ("api", "client", "The API's metadata"),
        ("client", "provider", "The notebook registers as a client"),
        ("client", "provider", "The notebook pushes the authorization request"),
        ("provider", "client", "A reference to the request"),
        ("browser", "provider", "Your browser carries the request to the provider"),
        ("browser", "client", "Your browser brings the response to the notebook"),
        ("provider", "client", "The tokens"),
        ("api", "client", "The data"),
    ]
    assert [titles.index(each) for each in order] == sorted(titles.index(each) for each in order)
    assert [each.id for each in replay.defences] == ["redirect_uri", "state", "pkce", "audience", "dpop"]
    pushed = knows(replay, "A reference to the request", "browser")
    assert "state" not in pushed, "it went past the browser"
    assert "private key of the proof" not in replay.hops[-1].knows["provider"]
    assert {"access token", "public key of the proof"} <= {*replay.hops[-1].knows["api"]}
    assert backstops(defence(replay, "pkce")) == {"dpop": 2}, (
        "the code is bound to the key: RFC 9449 section 10"
    )
    assert backstops(defence(replay, "state")) == {"pkce": 4}
    assert backstops(defence(replay, "audience")) == {"dpop": 2}
    assert "RFC9700" in defence(replay, "dpop").url.upper()
    assert replay.hops[defence(replay, "dpop").hop].receiver == "api"


def test_a_device_shows_a_code_and_polls(provider: DemoProvider) -> None:
    with authnb.record() as recorded:
        sign_in(provider, mode="device")
    replay = saved(recorded)
    polls = [hop.title for hop in replay.hops if hop.title in {"Not yet", "The tokens"}]
    assert polls[-1] == "The tokens"
    given = knows(replay, "A device code and a user code", "browser")
    assert given == {"password", "user code"}, "the device code is shown to nobody"
    assert {"user code (used)"} <= {*replay.hops[-1].knows["browser"]}
    assert [each.id for each in replay.defences] == ["signature", "audience"]


def test_polls_with_one_answer_are_one_message() -> None:
    def poll() -> None:
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "device_code": "x",
            "client_id": "y",
        }
        http.post(f"{server.url}/token", data=form, timeout=20)

    with authnb.record() as recorded, Server() as server, requests.Session() as http:
        recorded.watch(http)
        server.json("/token", {"error": "authorization_pending"}, 400)
        for _ in range(3):
            poll()
        server.json("/token", {"error": "access_denied"}, 400)
        poll()
    replay = saved(recorded)
    assert [hop.title for hop in replay.hops if hop.kind == "response"] == [
        "Not yet",
        "Refused: access_denied",
    ]
    assert replay.outcome == "refused"


def test_a_refusal_is_told(provider: DemoProvider) -> None:
    with authnb.record() as recorded:
        login = authnb.login(
            provider.issuer, client_id=provider.client_id, mode="loopback", view=None, storage=MemoryStorage()
        )
        provider.visit(login.verification().uri, allow=False)
        with pytest.raises(authnb.LoginFailed):
            login.wait(30)
    replay = saved(recorded)
    assert replay.outcome == "refused"
    assert "was refused" in replay.title
    (callback,) = (hop for hop in replay.hops if hop.receiver == "client" and hop.channel == "front")
    assert callback.says.endswith("Somebody said no: you, or the provider for you.")
    assert [each.id for each in replay.defences] == ["redirect_uri", "state"]


def test_what_a_real_browser_did_is_told_by_what_followed() -> None:
    """Between request and callback nothing is seen of it, and the redirect is drawn as what it must have been."""
    request = (
        "https://id.example.org/authorize?response_type=code&redirect_uri=http://127.0.0.1:5/callback&state=s"
    )
    with authnb.record() as recorded:
        notify(HTTPExchange(sender="browser", method="GET", url=request))
        unfinished = saved(recorded)
        notify(
            HTTPExchange(
                sender="browser", method="GET", url="http://127.0.0.1:5/callback?code=c&state=s", status=200
            )
        )
    assert (unfinished.outcome, len(unfinished.hops)) == ("unfinished", 1)
    assert [(hop.sender, hop.receiver, hop.seen, hop.title) for hop in saved(recorded).hops] == [
        ("browser", "provider", True, "Your browser carries the request to the provider"),
        ("provider", "browser", False, "The provider sends your browser back with a code"),
        ("browser", "client", True, "Your browser brings the response to the notebook"),
        ("client", "browser", True, "The notebook shows a page"),
    ]


def test_a_request_of_a_kind_that_is_not_known_is_told_as_such() -> None:
    with authnb.record() as recorded, Server() as server, requests.Session() as http:
        recorded.watch(http).post(f"{server.url}/whatever", data={"a": "b"}, timeout=20)
    replay = saved(recorded)
    assert [hop.title for hop in replay.hops] == [
        "The notebook sends a request of another kind",
        "HTTP status 404",
    ]
    assert (replay.outcome, replay.defences) == ("other", ())


def test_an_empty_recording_says_what_to_do(provider: DemoProvider) -> None:
    """Most often of a sign-in that was there already: it sends nothing, until one has signed out."""
    storage = MemoryStorage()
    options = {"client_id": provider.client_id, "mode": "loopback", "view": None, "storage": storage}
    login = authnb.login(provider.issuer, remember=True, **options)
    provider.visit(login.verification().uri)
    login.wait(30)
    with authnb.record(reveal=True) as recorded:
        session = authnb.login(provider.issuer, remember=True, **options).wait(30)
    assert recorded.exchanges == ()
    replay = recorded.replay()
    assert saved(recorded).outcome == "empty"
    title, advice = repr(replay).splitlines()
    assert title == "Nothing was recorded"
    assert advice in BeautifulSoup(replay._repr_mimebundle_()[0]["text/html"], "html.parser").text
    assert advice.endswith("sign out first, in the panel or with logout().")
    session.logout()
    with recorded:
        login = authnb.login(provider.issuer, remember=True, **options)
        provider.visit(login.verification().uri)
        login.wait(30).logout()
    assert saved(recorded).outcome == "finished"


def test_a_saved_report_replays(recording: Recording, tmp_path: Path) -> None:
    path = recording.save(tmp_path / "report.md")
    loaded = authnb.Recording.load(path)
    assert repr(loaded.exchanges) == repr(tuple(recording._redacted))  # noqa: SLF001 - what was saved
    replay = saved(loaded)
    assert told(replay) == told(saved(recording))
    assert [each.id for each in replay.defences] == [each.id for each in saved(recording).defences]
    (jwt,) = (jwt for hop in replay.hops for jwt in hop.jwts)
    assert jwt.signature.checked_with == "not checked here: the token is not in the recording"
    assert shown(loaded) is None


def test_a_report_that_was_edited_replays_as_far_as_it_goes_and_gives_no_secret_away(
    recording: Recording, held: list[str], tmp_path: Path
) -> None:
    path = recording.save(tmp_path / "report.md")
    text = path.read_text(encoding="utf-8")
    access_token = held[0]
    edited = re.sub(r"< access_token: .*", f"< access_token: {access_token}\n  what is this?", text)
    edited = re.sub(r"< ID token sub: .*", "< ID token sub: <b>Ada</b>\u202e", edited)
    edited = edited.replace("/token  200", f"/token?code={access_token}  200").replace(
        "http://127.0.0.1:PORT/jwks", f"http://u:{access_token}@127.0.0.1:PORT/jwks"
    )
    edited = edited.replace("Location: /login", f"Location: /login?code={access_token}")
    edited = re.sub(r"^ *\d+  client → API .*\n", "", edited, flags=re.MULTILINE)
    path.write_text(edited, encoding="utf-8")
    loaded = authnb.Recording.load(path)
    replay = saved(loaded)
    assert "api" not in {party.id for party in replay.parties}
    assert "The tokens" in [hop.title for hop in replay.hops]
    for secret in (access_token, "Ada", "\u202e"):
        assert secret not in json.dumps(replay.as_dict(), ensure_ascii=False)
        assert secret not in repr(loaded) + loaded._repr_html_()


@pytest.mark.parametrize(
    "content", [b"", b"# Shopping\n\n- bread\n", b"\xff\xfe\x00" * 50, b" 1  client -> nobody"]
)
def test_a_file_that_is_no_report_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "report.md").write_bytes(content)
    with pytest.raises(authnb.AuthnbError, match="it has no line of an exchange") as caught:
        authnb.Recording.load(tmp_path / "report.md")
    assert caught.value.error == "invalid_report"


def test_two_sign_ins_and_one_without_a_person_are_told_apart(provider: DemoProvider) -> None:
    client = {"client_id": provider.job_client_id, "client_secret": provider.job_client_secret}
    with authnb.record(reveal=True) as twice:
        for _ in range(2):
            sign_in(provider)
    with authnb.record() as alone:
        options = {**client, "scope": "measurements:read", "mode": "client_credentials", "api": provider.api}
        authnb.login(provider.issuer, view=None, storage=MemoryStorage(), **options).wait(30).get("/stations")
    values = shown(twice)
    assert values is not None
    assert told(saved(twice)) == told(values)
    titles = Counter(hop.title for hop in values.hops)
    assert titles["Your browser carries the request to the provider"] == titles["The tokens"] == 2
    replay = saved(alone)
    assert [party.id for party in replay.parties] == ["client", "provider", "api"]
    assert "for the notebook itself" in replay.title
    assert replay.hops[-1].knows["provider"] == ("client secret", "access token")
