"""What a provider may be able to do, each as authnb uses it.

A function tries one capability at a provider and returns if it works. What a provider lacks ends in the
`AuthnbError` that a user of authnb sees. Whatever else is raised is a failure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from signed_in import age, keeper
from window import Window

import authnb
from authnb.errors import AuthnbError
from authnb.storage import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Callable

    from providers import Stranger

PATIENCE = 2.0  # seconds after which a sign-in that got no answer gives up


def discovery(at: Stranger) -> None:
    """Metadata and keys."""
    provider = authnb.Provider.discover(at.issuer)
    assert provider.issuer == at.issuer
    assert provider.keys.current()


def loopback_on_any_port(at: Stranger) -> None:
    """A sign-in answered to whatever port is free (RFC 8252 section 7.3)."""
    login = at.login(redirect_port=0, timeout=PATIENCE)
    with Window() as person:
        person.visit(login.verification().uri)
    assert login.wait(20).user["sub"] == "ada"


def loopback_on_a_registered_port(at: Stranger) -> None:
    """The same on a port that was agreed on; twice, for a port must be free again at once."""
    for _ in range(2):
        assert at.sign_in().user["sub"] == "ada"


def public_client(at: Stranger) -> None:
    """A client without a secret, but with PKCE."""
    assert at.sign_in("notebook").user["sub"] == "ada"


def client_secret_basic(at: Stranger) -> None:
    """A client that sends its secret in a header (RFC 6749 section 2.3.1)."""
    assert at.sign_in("hub").user["sub"] == "ada"


def client_secret_post(at: Stranger) -> None:
    """A client that sends its secret in the body."""
    provider = authnb.Provider.discover(
        at.issuer, token_endpoint_auth_methods_supported=("client_secret_post",)
    )
    session = at.sign_in("hub-post", provider=provider)
    assert session.user["sub"] == "ada"
    if provider.revocation_endpoint:
        assert "access_token" in session.logout().revoked


def wrong_secret(at: Stranger) -> None:
    """A secret that is not the client's is refused, and the error says so."""
    refusal = _refusal(lambda: at.sign_in("hub", client_secret="wrong"))
    if refusal is None:
        raise AuthnbError("not_supported", "Any secret is accepted there.")
    assert refusal.error == "invalid_client", refusal
    assert "client_secret" in refusal.description


def device(at: Stranger) -> None:
    """A code entered on another device (RFC 8628)."""
    assert at.sign_in(mode="device").user["sub"] == "ada"


def a_no_on_the_device(at: Stranger) -> None:
    """The person declines there."""
    _declined(at, mode="device")


def a_no_in_the_browser(at: Stranger) -> None:
    """The person declines on the page."""
    _declined(at)


def name_and_email(at: Stranger) -> None:
    """Who signed in: from the ID token, else from the userinfo endpoint."""
    user = at.sign_in().user
    assert (user["name"], user["email"]) == ("Ada Byron", "ada@example.org")


def userinfo(at: Stranger) -> None:
    """The userinfo endpoint takes the session's token."""
    session = at.sign_in()
    endpoint = keeper(session).client.provider.userinfo_endpoint
    assert session.get(endpoint).json()["sub"] == "ada"


def refresh(at: Stranger) -> None:
    """A token that has expired is renewed, and the person keeps the name."""
    session = at.sign_in()
    before, endpoint = session.token, keeper(session).client.provider.userinfo_endpoint
    age(session)
    assert session.get(endpoint).json()["sub"] == "ada"
    assert session.token["access_token"] != before["access_token"]
    assert session.user["name"] == "Ada Byron"


def scope_granted_in_part(at: Stranger) -> None:
    """The person withholds a scope; the session says what was granted."""
    session = at.sign_in(withheld="email")
    if "email" in session.token["scope"].split():
        raise AuthnbError("not_supported", "Its pages ask for all or nothing.")
    assert session.user["name"] == "Ada Byron"
    assert "email" not in session.user


def revocation_by_a_public_client(at: Stranger) -> None:
    """Signing out makes the provider forget the tokens of a client without a secret."""
    _revoked(at, "notebook")


def revocation_by_a_client_with_a_secret(at: Stranger) -> None:
    """The same for a client that has one."""
    _revoked(at, "hub")


def sign_out(at: Stranger) -> None:
    """The address that signing out names ends the provider's own session in the browser."""
    with Window() as person:
        session = at.sign_in(window=person)
        uri = session.logout().end_session_uri
        assert uri is not None
        person.sign_out(uri)
        again = keeper(session).client.authorization_request(f"http://127.0.0.1:{at.port}/callback")
        assert person.asks_who(again.uri)


def sign_up(at: Stranger) -> None:
    """A new account on the provider's own page (`prompt=create`), and signed in with it."""
    begun = authnb.signup(
        at.issuer,
        client_id=at.client,
        client_secret=at.secret(at.client),
        mode="loopback",
        redirect_port=at.port,
        view=None,
        storage=MemoryStorage(),
    )
    with Window("bob") as person:
        person.visit(begun.verification().uri)
    assert begun.wait(20).user["sub"] == "bob"


def _declined(at: Stranger, **options: str) -> None:
    login = at.login(timeout=60 if options else PATIENCE, **options)
    with Window() as person:
        asked = login.verification()
        person.visit(asked.uri, allow=False, **({"user_code": asked.user_code} if asked.user_code else {}))
    refusal = _refusal(lambda: login.wait(20))
    assert refusal is not None, "signed in after a no"
    if refusal.error != "access_denied":
        raise refusal


def _revoked(at: Stranger, client: str) -> None:
    session = at.sign_in(client)
    kept, token = keeper(session).client, session.token
    done = session.logout()
    if not done.revoked:
        raise AuthnbError("not_revoked", " ".join(done.problems))
    assert set(done.revoked) == {"refresh_token", "access_token"}
    assert not done.problems
    refusal = _refusal(lambda: kept.refresh(token))
    assert refusal is not None, "the revoked refresh token still gives tokens"
    assert refusal.error == "invalid_grant", refusal


def _refusal(deed: Callable[[], object]) -> AuthnbError | None:
    """What authnb raises, or None if it goes well."""
    try:
        deed()
    except AuthnbError as error:
        return error
    return None


CAPABILITIES: tuple[Callable[[Stranger], None], ...] = (
    discovery,
    loopback_on_any_port,
    loopback_on_a_registered_port,
    public_client,
    client_secret_basic,
    client_secret_post,
    wrong_secret,
    device,
    a_no_in_the_browser,
    a_no_on_the_device,
    name_and_email,
    userinfo,
    refresh,
    scope_granted_in_part,
    revocation_by_a_public_client,
    revocation_by_a_client_with_a_secret,
    sign_out,
    sign_up,
)


def outcome(capability: Callable[[Stranger], None], at: Stranger) -> tuple[str, str]:
    """``works``, or the code of the error that a user sees; and the error's text, without port numbers."""
    try:
        capability(at)
    except AuthnbError as error:
        return error.error, re.sub(r"(?<=127\.0\.0\.1:)\d+|(?<=port )\d+", "PORT", error.description)
    return "works", ""
