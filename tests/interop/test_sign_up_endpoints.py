"""Sign-up endpoints of third-party providers, described by the caller: a form, an account, and a sign-in."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import requests
from documented import CLIENT, Documented, as_json
from oddities import Auth0

import authnb
from authnb.errors import ProviderError
from authnb.storage.base import MemoryStorage
from authnb.views.text import html, text_lines

if TYPE_CHECKING:
    from documented import Answer
    from servers import Request, Server

    from authnb.flows import Form
    from authnb.signin.login import Login

PASSWORD = "a long passphrase"
EMAIL_AND_PASSWORD = [
    {"name": "email", "label": "E-mail", "kind": "email", "required": True},
    {"name": "password", "label": "Password", "kind": "password", "required": True},
]


def begin(issuer: str, **described: Any) -> Login:
    provider = authnb.Provider.discover(issuer, authnb_signup={"fields": EMAIL_AND_PASSWORD, **described})
    return authnb.signup(provider, client_id=CLIENT, mode="form", view=None, storage=MemoryStorage())


def form_element(login: Login, tries: int = 0) -> Form:
    """The form, once it has been sent so many times."""
    there = threading.Event()
    login.observe(lambda now: there.set() if now.form and now.form.tries == tries else None)
    assert there.wait(60), login.error
    assert login.form is not None
    return login.form


def finish(login: Login, email: str) -> None:
    """After the account is created, the sign-in request names it (`login_hint`)."""
    address = login.verification(60).uri
    assert parse_qs(urlsplit(address).query)["login_hint"] == [email]
    requests.get(address, timeout=60)
    assert login.wait(60).user["sub"] == "248289761001"
    assert login.created


REGISTER = Path(__file__).parent.parent.parent / "docs" / "register.md"


def documented(word: str, **elsewhere: str) -> authnb.Provider:
    """The provider that docs/register.md makes in the example with that word, its addresses ``elsewhere``."""
    examples = re.findall(r"```python\n(.*?)```", REGISTER.read_text(encoding="utf-8"), re.DOTALL)
    (example,) = (example.partition("\nawait")[0] for example in examples if word in example)
    for address, there in elsewhere.items():
        example = example.replace(f"https://{address}", there)
    made: dict[str, Any] = {"authnb": authnb}
    exec(compile(example, "register.md", "exec"), made)  # noqa: S102 - our own documentation
    provider: authnb.Provider = made["provider"]
    return provider


def test_plain_oauth_as_documented() -> None:
    assert documented("Quirks").quirks == authnb.Quirks(openid=False, subject="id", scope="read")


def test_auth0_database_connections(server: Server) -> None:
    """https://auth0.com/docs/api/authentication/signup/create-a-new-user, as docs/register.md describes it."""
    provider = Auth0(server)
    there = documented("dbconnections", DOMAIN=server.url)
    login = authnb.signup(there, client_id=CLIENT, mode="form", view=None, storage=MemoryStorage())
    form_element(login)
    login.submit_form({"email": "ada@example.org", "password": PASSWORD})
    assert form_element(login, 1).errors == {"": "The user already exists"}
    login.submit_form({"email": "eve@example.org", "password": "short"})
    assert form_element(login, 2).errors == {"": "* 8 characters or more"}
    login.submit_form({"email": "eve@example.org", "password": PASSWORD})
    finish(login, "eve@example.org")
    sent = {"email": "eve@example.org", "password": PASSWORD, "client_id": CLIENT}
    assert provider.people == [sent | {"connection": "Username-Password-Authentication"}]


def test_an_endpoint_of_ones_own(server: Server) -> None:
    """It takes a form and reports errors by field, under its own names; no error repeats the password."""
    provider = Documented(server)
    taken: list[dict[str, str]] = []

    def register(request: Request) -> Answer:
        given = dict(parse_qsl(request.body.decode()))
        taken.append(given)
        if given["email"] == "ada@example.org":
            said = {"email": ["Somebody has that one."], "password": [f"Not {given['password']}!"]}
            return as_json({"problems": said}, 422)
        return as_json({"user": given["email"]}, 201)

    provider.at("/people", register)
    manners = {"encoding": "form", "errors": "problems", "name": "user"}
    login = begin(server.url, endpoint=f"{server.url}/people", **manners)
    form_element(login)
    login.submit_form({"email": "ada@example.org", "password": PASSWORD, "admin": "yes"})
    assert form_element(login, 1).errors == {"email": "Somebody has that one.", "password": "Not …!"}
    login.submit_form({"email": "eve@example.org", "password": PASSWORD})
    finish(login, "eve@example.org")
    assert "admin" not in taken[0]


@pytest.mark.parametrize(
    "wrong",
    [{"encoding": "xml"}, {"send": {"client_id": 1}}, {"send": "x"}, {"errors": [1]}, {"errors": None}],
    ids=str,
)
def test_a_description_that_cannot_be_used(server: Server, wrong: dict[str, Any]) -> None:
    Documented(server)
    login = begin(server.url, endpoint=f"{server.url}/people", **wrong)
    with pytest.raises(ProviderError, match="sign-up form"):
        login.wait(60)


def test_a_page_apart(server: Server) -> None:
    """A sign-up page given by the caller is shown first, then the sign-in, in terminals and notebooks."""
    Documented(server)
    provider = authnb.Provider.discover(server.url, sign_up_page=f"{server.url}/people/new")
    login = authnb.signup(provider, client_id=CLIENT, mode="loopback", view=None, storage=MemoryStorage())
    asked = login.verification(60)
    assert asked.sign_up_uri == f"{server.url}/people/new"
    assert text_lines(login)[1] == asked.sign_up_uri
    assert text_lines(login)[3] == asked.uri
    assert html(login).index("/people/new") < html(login).index("/authorize")
    requests.get(asked.uri, timeout=60)
    assert login.wait(60).user["sub"] == "248289761001"


def test_no_page_at_all(server: Server) -> None:
    """The error names the provider's address."""
    Documented(server)
    login = authnb.signup(server.url, client_id=CLIENT, mode="loopback", view=None, storage=MemoryStorage())
    with pytest.raises(ProviderError, match=f"{server.url}, then sign in") as refused:
        login.wait(60)
    assert refused.value.error == "not_supported"
