"""What a provider says is text, not instructions: names, codes and addresses on the way to a terminal or a page.

Each attack has its honest twin beside it; docs/attacks.md lists both.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests
from behaviour import HERE
from provider import CLIENT, Server, as_json
from runner import Sink, browse, shown

import authnb
from authnb.cli.status import log_out, status
from authnb.errors import ProviderError, StorageError
from authnb.flows.signup import read_form
from authnb.oauth.client import Client
from authnb.oauth.provider import Provider
from authnb.oauth.responses import Token, read_device_authorization
from authnb.storage.base import Account, MemoryStorage, SignIn
from authnb.storage.files import FileStorage, home
from authnb.views.card import card, live_card
from authnb.views.text import NotebookView, text_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

FAR = "https://id.example.org"
# An escape sequence, C1, an override of the direction, a lone surrogate, a line break; and their length
DECEPTIVE = "Ada\x1b[2J\x9b31m\u202egro.live\u2066\ud800\nroot# " + "x" * 5000
NAMES = ("Ada Lovelace", "Åsa 張", "이정호", "أمل", "Zoë 🦉")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def signed_in(server: Server, storage: MemoryStorage | None = None, **claims: Any) -> authnb.Login:
    scenario = server.scenario(f"s{len(server.scenarios)}")
    scenario.overrides["userinfo"] = lambda: as_json({"sub": "ada", **claims})
    login = authnb.login(
        scenario.issuer, client_id=CLIENT, mode="loopback", view=None, storage=storage or MemoryStorage()
    )
    browse(login)
    login.wait(30)
    return login


def test_a_name_with_control_characters_is_shown_as_text(server: Server) -> None:
    """No escape sequence, bidi override, surrogate or line break reaches a terminal, a page or the panel."""
    for text in shown(signed_in(server, name=DECEPTIVE, email=DECEPTIVE)).texts:
        assert text.isprintable()
        assert "xxxxx" * 40 not in text
        text.encode()


@pytest.mark.parametrize("name", NAMES)
def test_names_in_any_script_are_shown_as_they_are(server: Server, name: str) -> None:
    login = signed_in(server, name=name)
    assert any(name in line for line in text_lines(login))
    described = live_card(login, cell_stopped=False, notes="", clicks_unheard=None)
    assert described["title"] == name


class Refusing(MemoryStorage):
    """A storage of somebody else's, which says why it saves nothing."""

    def save(self, account: Account, sign_in: SignIn) -> None:  # noqa: ARG002 - as any storage is called
        """Nothing."""
        raise StorageError("not_stored", f"No room {DECEPTIVE[:80]}")


def test_the_text_of_a_storage_is_shown_as_text(server: Server) -> None:
    """Every line passes the same check, whoever wrote what is in it."""
    texts = shown(signed_in(server, storage=Refusing())).texts
    assert any("No room" in text for text in texts)
    assert all(text.isprintable() for text in texts)


def test_messages_of_an_action_are_shown_as_text(server: Server) -> None:
    """In the panel, while a sign-in waits."""
    scenario = server.scenario("waiting")
    login = authnb.login(
        scenario.issuer, client_id=CLIENT, mode="loopback", view=None, storage=MemoryStorage()
    )
    login.verification()
    seen = shown(login, notes=DECEPTIVE)
    login.cancel()
    assert any("gro.live" in text for text in seen.messages)
    assert any("gro.live" in text for text in seen.saved)
    assert all(text.isprintable() for text in seen.texts)


def test_what_is_saved_with_a_notebook_does_not_name_the_person(server: Server) -> None:
    """The panel's trait, the text output beside it, and the output of view='text'; what is live does."""
    login = signed_in(server, name="Ada Lovelace")
    seen, view = shown(login), NotebookView()
    view._handle = sink = Sink()  # noqa: SLF001 - records what the display is updated with
    view.update(login)
    assert len(sink.saved) == 1
    for text in (seen.html, *seen.saved, *sink.saved):
        assert "Signed in" in text
        assert "Lovelace" not in text
    assert any("Lovelace" in text for text in seen.messages)


@pytest.fixture
def stored() -> tuple[Account, ...]:
    """Two stored sign-ins, the first with a deceptive name."""
    accounts = []
    for profile, name in (("a", DECEPTIVE), ("b", "Grace")):
        account = Account(profile=profile, issuer=FAR, client_id=CLIENT)
        token = Token({"access_token": "at", "expires_at": 4e18, "userinfo": {"sub": "1", "name": name}})
        FileStorage().save(account, SignIn(token=token, provider=Provider(FAR), scope="openid"))
        accounts.append(account)
    return tuple(accounts)


def command(*arguments: str) -> str:
    """What the command prints to a terminal that knows ASCII only."""
    done = subprocess.run(
        [sys.executable, "-m", "authnb", *arguments],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii:strict"},
    )
    return done.stdout.decode("ascii")


@pytest.mark.usefixtures("stored")
def test_a_deceptive_name_does_not_stop_status_or_logout() -> None:
    """Each goes on with the next entry; sign-ins are ended before anything is printed."""
    lines = command("status").splitlines()
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
    assert all(f" at {FAR} " in line for line in lines), "a long name hides nothing"
    assert any("Grace" in line for line in lines)
    assert len(command("logout").splitlines()) == 2
    assert not list(FileStorage().accounts())


@pytest.mark.usefixtures("stored")
def test_a_deceptive_file_name_is_listed_as_text() -> None:
    path = next(home().glob("*.signin")).with_name("\x1b[2J\u202e.signin")
    path.write_text("")
    path.chmod(0o600)
    for lines in (list(status()), log_out(None, None)[0]):
        assert any("cannot be used" in line for line in lines)
        assert all(line.isprintable() for line in lines)


@pytest.mark.usefixtures("stored")
def test_sign_ins_are_ended_although_nobody_reads_the_lines() -> None:
    """``authnb logout | head -0``: printing fails at the first line."""
    read, write = os.pipe()
    os.close(read)
    subprocess.run(
        [sys.executable, "-u", "-m", "authnb", "logout"],
        stdout=write,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    os.close(write)
    assert not list(FileStorage().accounts())


@pytest.mark.usefixtures("stored")
def test_an_honest_name_is_listed_and_logged_out() -> None:
    assert f"Grace at {FAR}" in command("status")
    command("logout", "--profile", "b")
    assert len(list(FileStorage().accounts())) == 1


def device(**changed: Any) -> Any:
    """A device authorization response of an issuer elsewhere, as it is read."""
    response = requests.Response()
    response.status_code, response._content = 200, json.dumps({**DEVICE, **changed}).encode()  # noqa: SLF001 - as requests has no public way
    return read_device_authorization(response, "Testing", FAR)


DEVICE = {"device_code": "d", "user_code": "ABCD-EFGH", "verification_uri": f"{FAR}/device", "expires_in": 60}


@pytest.mark.parametrize(
    "address", [*HERE, "https://\u0456d.example.org/", "https://id.example.org/" + "x" * 5000]
)
def test_a_deceptive_verification_uri_is_refused(address: str) -> None:
    """A far provider leads nobody to this machine, to a look-alike host, or to an address that no card can hold."""
    with pytest.raises(ProviderError):
        device(verification_uri=address)


@pytest.mark.parametrize(
    "address", ["https://www.example.com/device", "https://xn--d-mrc.example.org/", f"{FAR}/d?x=1"]
)
def test_a_verification_uri_elsewhere_on_the_web_is_accepted(address: str) -> None:
    """Google's and Microsoft's are on other hosts than their issuers."""
    assert device(verification_uri=address).verification_uri == address


@pytest.mark.parametrize(
    "complete", ["https://evil.example/?user_code=ABCD-EFGH", f"{FAR}:444/device", f"{FAR}/" + "x" * 5000]
)
def test_a_complete_uri_on_another_host_is_dropped(complete: str) -> None:
    """The person reads ``verification_uri``; the link and the QR code lead there too."""
    assert device(verification_uri_complete=complete).verification_uri_complete is None


def test_a_complete_uri_on_the_same_host_is_kept() -> None:
    complete = f"{FAR}/device?user_code=ABCD-EFGH"
    assert device(verification_uri_complete=complete).verification_uri_complete == complete


@pytest.mark.parametrize("address", HERE)
def test_metadata_of_a_far_provider_name_no_address_here(address: str) -> None:
    with pytest.raises(ProviderError):
        Provider(FAR, token_endpoint=address)


@pytest.mark.parametrize(
    "address", ["https://tokens.example.net/", "https://10.1.2.3.example.org/", f"{FAR}/token"]
)
def test_metadata_may_name_other_hosts(address: str) -> None:
    assert Provider(FAR, token_endpoint=address).token_endpoint == address


PICTURES = ("http://id.example.org/a.png", "javascript:alert(1)", "https://\u0456d.example.org/", *HERE, 7)


@pytest.mark.parametrize("picture", PICTURES)
def test_a_picture_is_loaded_from_no_address_here(server: Server, picture: Any) -> None:
    login = signed_in(server, picture=picture)
    assert live_card(login, cell_stopped=False, notes="", clicks_unheard=None)["picture"] is None


def test_a_picture_from_the_web_is_loaded(server: Server) -> None:
    login = signed_in(server, picture="https://cdn.example.org/ada.png")
    shown = live_card(login, cell_stopped=False, notes="", clicks_unheard=None)
    assert shown["picture"] == "https://cdn.example.org/ada.png"


def device_card(server: Server, address: str) -> dict[str, Any]:
    """The live card of a device sign-in with this address to open."""
    scenario = server.scenario(f"d{len(server.scenarios)}")
    scenario.device |= {"verification_uri": address, "interval": 60}
    login = authnb.login(scenario.issuer, client_id=CLIENT, mode="device", view=None, storage=MemoryStorage())
    try:
        login.verification(30)
        return live_card(login, cell_stopped=False, notes="", clicks_unheard=None)
    finally:
        login.cancel()


def test_an_address_of_5000_characters_leaves_an_error_and_no_dead_card(server: Server) -> None:
    with pytest.raises(ProviderError) as caught:
        device_card(server, f"{FAR}/" + "x" * 5000)
    assert caught.value.error == "invalid_response"


def test_an_address_of_1900_characters_has_a_card_with_a_qr_code(server: Server) -> None:
    assert "data:image/svg" in json.dumps(device_card(server, f"{FAR}/" + "x" * 1900))


def form_text(endpoint: str) -> str:
    """The saved part of the card while the sign-up form is shown."""
    form = {"endpoint": endpoint, "fields": [{"name": "password", "kind": "password"}]}
    signup = authnb.signup(
        Provider(
            FAR, authnb_signup=form, authorization_endpoint=f"{FAR}/authorize", token_endpoint=f"{FAR}/token"
        ),
        client_id=CLIENT,
        mode="form",
        view=None,
        storage=MemoryStorage(),
    )
    deadline = time.monotonic() + 30
    while signup.form is None and time.monotonic() < deadline:
        threading.Event().wait(0.02)
    try:
        return json.dumps(card(signup, cell_stopped=False, notes="", clicks_unheard=None, page={}))
    finally:
        signup.cancel()


@pytest.mark.parametrize("endpoint", ["https://forms.example.net/signup", f"{FAR}:8443/signup"])
def test_a_form_sent_to_another_host_names_it(endpoint: str) -> None:
    """Before anything is typed the card says where the password goes."""
    text = form_text(endpoint)
    assert f"your password too, goes to {endpoint.split('/')[2]}: another host than id.example.org" in text


def test_a_form_sent_to_the_issuer_is_shown_without_warning() -> None:
    text = form_text(f"{FAR}/signup")
    assert "id.example.org lets its sign-up form be shown here" in text
    assert "another host" not in text


def pattern(text: str) -> str | None:
    form = {"endpoint": f"{FAR}/signup", "fields": [{"name": "x", "rule": {"pattern": text}}]}
    return read_form(Client(Provider(FAR, authnb_signup=form), client_id=CLIENT).provider).fields[0].pattern


@pytest.mark.parametrize(
    "text", ["(a+)+", "(a|aa)+b", "a*a*a*a*b", "(?=(a+)+)x", r"(\w*)*\1", ".*" * 50, "a" * 300]
)
def test_a_pattern_that_could_hang_the_browser_is_left_out(text: str) -> None:
    """The provider checks its rules itself; the browser only repeats those that need no backtracking."""
    assert pattern(text) is None


@pytest.mark.parametrize(
    "text", ["[A-Za-z0-9][A-Za-z0-9._-]{1,31}", r"\d{4}-\d{2}", r"[^@\s]+@[^@\s]+", "[A-Z]{2}[0-9]*"]
)
def test_an_ordinary_pattern_is_checked_while_typing(text: str) -> None:
    assert pattern(text) == text


@pytest.mark.parametrize(
    "member", ["session_key", "password", "code", "userinfo", "https://x.example/secret"]
)
def test_the_repr_of_a_token_lists_no_unknown_member(member: str) -> None:
    """Whatever a provider adds to a token response may be a secret."""
    assert "SECRET" not in repr(Token({"access_token": "at-SECRET", member: "SECRET-2"}))


def test_the_repr_of_a_token_lists_harmless_members() -> None:
    text = repr(Token({"access_token": "at", "token_type": "Bearer", "expires_at": 60, "scope": "openid"}))
    assert text == "Token(access_token='…', token_type='Bearer', expires_at=60, scope='openid')"
