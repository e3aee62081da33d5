"""Pushed authorization requests at the provider for learning (RFC 9126)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests
from demo_helpers import CALLBACK, PASSWORD, Clock, Shown, Window, ask, at_once, redeem, signed_in_window
from dpop_proofs import OTHER_KEY, Prover, outcome
from registered import manage, register

from authnb.demo import DemoProvider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo_helpers import Asked

PREFIX = "urn:ietf:params:oauth:request_uri:"
CODE_ACR = "urn:authnb:demo:one-time-code"


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def demo(clock: Clock) -> Iterator[DemoProvider]:
    with DemoProvider(clock=clock, dpop="offered", pushed_requests="offered") as provider:
        yield provider


@pytest.fixture(scope="module")
def window(demo: DemoProvider) -> Window:
    return signed_in_window(demo)


def push(demo: DemoProvider, **changes: str | None) -> tuple[Asked, requests.Response]:
    """Push an authorization request of the notebook's client with these changes."""
    asked = ask(demo, **changes)
    form = parse_qsl(urlsplit(asked.url).query, keep_blank_values=True)
    return asked, requests.post(f"{demo.issuer}/par", data=form, timeout=20)


def pushed(demo: DemoProvider, **changes: str | None) -> tuple[Asked, str]:
    """The same, and the `request_uri`."""
    asked, answer = push(demo, **changes)
    assert answer.status_code == 201, answer.text
    return asked, answer.json()["request_uri"]


def url_of(demo: DemoProvider, request_uri: str, **more: str) -> str:
    query = {"client_id": demo.client_id, "request_uri": request_uri} | more
    return f"{demo.issuer}/authorize?{urlencode(query)}"


def is_refused(page: Shown) -> bool:
    """Whether the person is told, since nobody knows where the client is."""
    return page.status == 400 and "request_uri" in page.text


def test_the_answer(demo: DemoProvider) -> None:
    """Sections 2.2 and 5."""
    _, answer = push(demo)
    assert answer.status_code == 201
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json() == {"request_uri": answer.json()["request_uri"], "expires_in": 60}
    assert answer.json()["request_uri"].startswith(PREFIX)
    assert len(answer.json()["request_uri"]) >= len(PREFIX) + 43
    metadata = requests.get(f"{demo.issuer}/.well-known/oauth-authorization-server", timeout=20).json()
    assert metadata["pushed_authorization_request_endpoint"] == f"{demo.issuer}/par"
    assert metadata["require_pushed_authorization_requests"] is False


def test_what_was_pushed_stands(demo: DemoProvider, window: Window) -> None:
    """Whatever else the browser brings (RFC 9101 section 5)."""
    asked, request_uri = pushed(demo, scope="openid", state="pushed", resource=demo.archive)
    more = {"scope": "openid email", "state": "of the browser", "redirect_uri": "http://127.0.0.1:9/other"}
    page = window.get(url_of(demo, request_uri, **more, response_mode="fragment"))
    assert "e-mail" not in page.text
    assert "Archive" in page.text
    page = window.submit(page, decision="allow")
    assert page.url.startswith(f"{CALLBACK}?")
    assert page.answer["state"] == "pushed"
    tokens = redeem(demo, asked, page.answer["code"]).json()
    assert tokens["scope"] == "openid"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_id": "nobody"}, "invalid_client"),
        ({"client_id": None}, "invalid_client"),
        ({"client_id": "web"}, "invalid_client"),
        ({"client_secret": "made up"}, "invalid_client"),
        ({"redirect_uri": "https://other.example/"}, "invalid_request"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"redirect_uri": '"\\'}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"resource": "https://other.example"}, "invalid_target"),
        ({"dpop_jkt": "x"}, "invalid_request"),
        ({"request_uri": f"{PREFIX}x"}, "invalid_request"),
        ({"request": "x"}, "request_not_supported"),
    ],
)
def test_a_bad_request_is_told_at_once(
    demo: DemoProvider, changes: dict[str, str | None], error: str
) -> None:
    """Section 2.3: in JSON, to the client, and not by a redirect."""
    _, answer = push(demo, **changes)
    assert answer.status_code in {400, 401}
    assert answer.json()["error"] == error
    assert "Location" not in answer.headers


def test_parameters_come_once_and_in_the_body(demo: DemoProvider) -> None:
    form = parse_qsl(urlsplit(ask(demo).url).query)
    url = f"{demo.issuer}/par"
    twice = requests.post(url, data=[*form, ("scope", "openid")], timeout=20)
    in_the_url = requests.post(f"{url}?{urlencode(form)}", timeout=20)
    assert [outcome(each) for each in (twice, in_the_url)] == [(400, "invalid_request")] * 2
    assert requests.get(url, timeout=20).status_code == 405


def test_a_client_with_a_secret_must_show_it(demo: DemoProvider, window: Window) -> None:
    """As at the token endpoint (section 2); its id may come with the credentials alone, and not as another's."""
    asked = ask(demo, client_id=None, redirect_uri="http://localhost:5000/authorize")
    form = dict(parse_qsl(urlsplit(asked.url).query))
    url, credentials = f"{demo.issuer}/par", (demo.web_client_id, demo.web_client_secret)
    wrong = requests.post(url, data=form, auth=(demo.web_client_id, "wrong"), timeout=20)
    assert outcome(wrong) == (401, "invalid_client")
    other = requests.post(url, data={**form, "client_id": demo.client_id}, auth=credentials, timeout=20)
    assert outcome(other) == (400, "invalid_request")
    posted = {**form, "client_id": demo.web_client_id, "client_secret": demo.web_client_secret}
    for answer in (
        requests.post(url, data=form, auth=credentials, timeout=20),
        requests.post(url, data=posted, timeout=20),
    ):
        page = window.get(url_of(demo, answer.json()["request_uri"], client_id=demo.web_client_id))
        if page.url.startswith(demo.issuer):
            page = window.submit(page, decision="allow")
        assert "code" in page.answer


class TestRequestUri:
    """Section 4: the client's own, once, and not for long."""

    def test_it_is_for_one_browser_once(self, demo: DemoProvider, window: Window) -> None:
        """That browser may load its page again; after the answer neither reference is good."""
        _, request_uri = pushed(demo)
        page = window.get(url_of(demo, request_uri))
        assert PREFIX in page.response.url.replace("%3A", ":")
        assert request_uri not in page.response.url.replace("%3A", ":")
        assert is_refused(Window(demo).get(url_of(demo, request_uri)))
        assert is_refused(window.get(url_of(demo, request_uri)))
        assert window.get(page.response.url).title.startswith("Allow")
        assert "code" in window.submit(page, decision="allow").answer
        assert is_refused(window.get(page.response.url))
        assert is_refused(window.submit(page, decision="allow"))

    def test_a_no_ends_it_too(self, demo: DemoProvider, window: Window) -> None:
        page = window.get(url_of(demo, pushed(demo)[1]))
        assert window.submit(page, decision="deny").answer["error"] == "access_denied"
        assert is_refused(window.submit(page, decision="allow"))

    def test_so_does_an_error(self, demo: DemoProvider) -> None:
        """It goes to the client, with state and issuer."""
        window = Window(demo)
        opened = window.http.get(
            url_of(demo, pushed(demo, prompt="none")[1]), allow_redirects=False, timeout=20
        ).headers["Location"]
        answer = window.get(opened).answer
        assert (answer["error"], answer["state"], answer["iss"]) == (
            "login_required",
            "some state",
            demo.issuer,
        )
        assert is_refused(window.get(opened))

    def test_of_eight_browsers_at_once_one_opens_it(self, demo: DemoProvider) -> None:
        url = url_of(demo, pushed(demo)[1])
        answers = at_once(lambda: requests.get(url, allow_redirects=False, timeout=20).status_code)
        assert sorted(answers) == [303, *[400] * 7]

    def test_it_expires(self, demo: DemoProvider, clock: Clock, window: Window) -> None:
        """After a minute where no browser came, after ten where one did."""
        first, second = (pushed(demo)[1] for _ in range(2))
        clock.turn(59)
        page = window.get(url_of(demo, first))
        clock.turn(1)
        assert is_refused(window.get(url_of(demo, second)))
        clock.turn(598)
        assert window.get(page.response.url).title.startswith("Allow")
        clock.turn(1)
        assert is_refused(window.get(page.response.url))
        assert is_refused(window.submit(page, decision="allow"))

    @pytest.mark.parametrize(
        "query",
        [
            "client_id=web&request_uri={0}",
            "request_uri={0}",
            "client_id=notebook&client_id=notebook&request_uri={0}",
            "client_id=notebook&request_uri={0}&request_uri={0}",
            "client_id=notebook&request_uri=https://example.org/",
            "client_id=notebook&request_uri=",
        ],
    )
    def test_it_is_the_clients_and_comes_with_its_id(
        self, demo: DemoProvider, window: Window, query: str
    ) -> None:
        """A refused attempt opens nothing."""
        _, request_uri = pushed(demo)
        assert is_refused(window.get(f"{demo.issuer}/authorize?{query.format(request_uri)}"))
        assert window.get(url_of(demo, request_uri)).title.startswith("Allow")

    def test_it_ends_with_its_client(self, demo: DemoProvider, window: Window) -> None:
        client = register(demo)
        _, request_uri = pushed(demo, client_id=client["client_id"])
        assert manage(client, "DELETE").status_code == 204
        assert is_refused(window.get(url_of(demo, request_uri, client_id=client["client_id"])))


class TestSignIn:
    """Whoever has to sign in is asked once, and then goes on with the request that was pushed."""

    @pytest.mark.usefixtures("window")  # makes the account
    def test_somebody_new(self, demo: DemoProvider, clock: Clock) -> None:
        other = Window(demo)
        page = other.get(url_of(demo, pushed(demo, prompt="login", max_age="0", login_hint="ada")[1]))
        assert "Notebook" in page.text
        clock.turn(1)
        page = other.submit(page, name="ada", password=PASSWORD)
        assert page.title.startswith("Allow")
        assert "code" in other.submit(page, decision="allow").answer

    @pytest.mark.parametrize("asked", [{"prompt": "login"}, {"max_age": "5"}, {"login_hint": "bob"}])
    def test_a_new_sign_in_cannot_be_gone_around(
        self, demo: DemoProvider, window: Window, clock: Clock, asked: dict[str, str]
    ) -> None:
        """Loading the request again does not do; nor does the consent page."""
        clock.turn(10)
        page = window.get(url_of(demo, pushed(demo, **asked)[1]))
        assert page.field("password") is not None
        opened = dict(parse_qsl(urlsplit(page.response.url).query))["next"]
        assert window.get(opened).field("password") is not None
        clock.turn(1)
        page = window.submit(page, name="ada", password=PASSWORD)
        assert page.title.startswith("Allow")

    @pytest.mark.usefixtures("window")  # makes the account
    def test_a_second_factor(self, demo: DemoProvider, clock: Clock) -> None:
        window = Window(demo)
        clock.turn(1)
        page = window.get(url_of(demo, pushed(demo, prompt="login", acr_values=CODE_ACR)[1]))
        clock.turn(1)
        page = window.submit(page, name="ada", password=PASSWORD)
        code = page.soup.select_one("[data-one-time-code]").text
        assert window.submit(page, one_time_code=code).title.startswith("Allow")


class TestKeys:
    """DPoP: RFC 9449 section 10.1."""

    def test_a_proof_announces_the_key(self, demo: DemoProvider, window: Window, clock: Clock) -> None:
        prover, thief = Prover(clock), Prover(clock, OTHER_KEY)
        asked = ask(demo)
        form: dict[str, Any] = dict(parse_qsl(urlsplit(asked.url).query))
        other = {**form, "dpop_jkt": thief.jkt}
        assert outcome(prover.post(f"{demo.issuer}/par", **other)) == (400, "invalid_request")
        answer = prover.post(f"{demo.issuer}/par", **form, dpop_jkt=prover.jkt)
        page = window.get(url_of(demo, answer.json()["request_uri"]))
        code = window.submit(page, decision="allow").answer["code"]
        token = {
            "grant_type": "authorization_code",
            "client_id": demo.client_id,
            "code": code,
            "code_verifier": asked.verifier,
            "redirect_uri": asked.redirect_uri,
        }
        assert outcome(thief.post(f"{demo.issuer}/token", **token)) == (400, "invalid_grant")
        assert prover.post(f"{demo.issuer}/token", **token).json()["token_type"] == "DPoP"

    def test_a_wrong_proof(self, demo: DemoProvider, clock: Clock) -> None:
        prover, url = Prover(clock), f"{demo.issuer}/par"
        form = dict(parse_qsl(urlsplit(ask(demo).url).query))
        first = requests.post(url, data=form, headers={"DPoP": prover.proof("POST", url)}, timeout=20)
        assert outcome(first) == (400, "use_dpop_nonce")
        prover.nonce = first.headers["DPoP-Nonce"]
        wrong = prover.proof("POST", f"{demo.issuer}/token")
        answer = requests.post(url, data=form, headers={"DPoP": wrong}, timeout=20)
        assert outcome(answer) == (400, "invalid_dpop_proof")


def test_where_it_is_required(clock: Clock) -> None:
    """The client of another request hears of it (section 5); the metadata say so."""
    with DemoProvider(clock=clock, pushed_requests="required") as demo:
        window = signed_in_window(demo)
        answer = window.get(ask(demo).url).answer
        assert (answer["error"], answer["state"]) == ("invalid_request", "some state")
        page = window.get(url_of(demo, pushed(demo)[1]))
        assert "code" in window.submit(page, decision="allow").answer
        metadata = requests.get(f"{demo.issuer}/.well-known/openid-configuration", timeout=20).json()
        assert metadata["require_pushed_authorization_requests"] is True


def test_by_default_there_is_none(clock: Clock) -> None:
    with DemoProvider(clock=clock) as demo:
        assert push(demo)[1].status_code == 404
        assert (
            "pushed" not in requests.get(f"{demo.issuer}/.well-known/openid-configuration", timeout=20).text
        )
        page = Window(demo).get(ask(demo, request_uri=f"{PREFIX}x").url)
        assert page.answer["error"] == "request_uri_not_supported"
