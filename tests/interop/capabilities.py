"""What a provider may be able to do, each as authnb uses it.

A function tries one capability at a provider and returns if it works. What a provider lacks ends in the
`AuthnbError` that a user of authnb sees. Whatever else is raised is a failure.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import requests
from demo_session import age, renewer, stored
from guarded import ROWS, GuardedAPI
from providers import APIS, SCOPE, SECRET
from window import Window

import authnb
from authnb.errors import AuthnbError, LoginTimeout
from authnb.oauth.client import TOKEN_EXCHANGE
from authnb.oauth.dynamic_registration import delete_registration, read_registration, register
from authnb.storage.base import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Callable

    from providers import OtherProvider

    from authnb.session.session import Session

ANSWER = 10.0  # seconds in which a sign-in ends once the person is done
SHORT = 2.0  # seconds after which one that gets no answer gives up


def discovery(at: OtherProvider) -> None:
    """Metadata and keys."""
    provider = authnb.Provider.discover(at.issuer)
    assert provider.issuer == at.issuer
    assert provider.keys.current()


def loopback_on_any_port(at: OtherProvider) -> None:
    """A loopback redirect URI with any free port (RFC 8252 section 7.3)."""
    assert _outcome_of(at, redirect_port=0).user["sub"] == "ada"


def loopback_on_a_registered_port(at: OtherProvider) -> None:
    """The same with a registered port; twice, for the port must be free again at once."""
    for _ in range(2):
        assert at.sign_in().user["sub"] == "ada"


def public_client(at: OtherProvider) -> None:
    """A client without a secret, but with PKCE."""
    assert at.sign_in("notebook").user["sub"] == "ada"


def client_secret_basic(at: OtherProvider) -> None:
    """A client that sends its secret in a header (RFC 6749 section 2.3.1)."""
    assert at.sign_in("hub").user["sub"] == "ada"


def client_secret_post(at: OtherProvider) -> None:
    """A client that sends its secret in the body."""
    provider = authnb.Provider.discover(
        at.issuer, token_endpoint_auth_methods_supported=("client_secret_post",)
    )
    session = at.sign_in("hub-post", provider=provider)
    assert session.user["sub"] == "ada"
    if provider.revocation_endpoint:
        assert "access_token" in session.logout().revoked


def wrong_secret(at: OtherProvider) -> None:
    """A secret that is not the client's is refused, and the error says so."""
    refusal = _refusal(lambda: at.sign_in("hub", client_secret="wrong"))
    if refusal is None:
        raise AuthnbError("not_supported", "Any secret is accepted there.")
    assert refusal.error == "invalid_client", refusal
    assert "client_secret" in refusal.description


def device(at: OtherProvider) -> None:
    """A code entered on another device (RFC 8628)."""
    assert at.sign_in(mode="device").user["sub"] == "ada"


def denial_on_the_device(at: OtherProvider) -> None:
    """The person declines there."""
    _declined(at, mode="device")


def denial_in_the_browser(at: OtherProvider) -> None:
    """The person declines on the page."""
    _declined(at)


def name_and_email(at: OtherProvider) -> None:
    """Who signed in: from the ID token, else from the userinfo endpoint."""
    user = at.sign_in().user
    assert (user["name"], user["email"]) == ("Ada Byron", "ada@example.org")


def userinfo(at: OtherProvider) -> None:
    """The userinfo endpoint takes the session's token."""
    session = at.sign_in()
    endpoint = renewer(session).client.provider.userinfo_endpoint
    assert session.get(endpoint).json()["sub"] == "ada"


def refresh(at: OtherProvider) -> None:
    """An expired token is renewed, and the claims are kept."""
    session = at.sign_in()
    before, endpoint = session.token, renewer(session).client.provider.userinfo_endpoint
    age(session)
    assert session.get(endpoint).json()["sub"] == "ada"
    assert session.token["access_token"] != before["access_token"]
    assert session.user["name"] == "Ada Byron"


def token_for_one_api(at: OtherProvider) -> None:
    """The token is for the first API in ``resource=`` (RFC 8707), and so is its successor."""
    session = _signed_in_for_apis(at)
    _check_audience(at, session, APIS[0])
    age(session)
    session.ensure_active_token()
    _check_audience(at, session, APIS[0])


def another_api_by_refresh_token(at: OtherProvider) -> None:
    """A token for another API without token exchange (RFC 8707 section 2.2)."""
    session = _signed_in_for_apis(at)
    client = renewer(session).client
    without_exchange = replace(client, provider=replace(client.provider, grant_types_supported=()))
    session.token_auth.renewer = replace(renewer(session), client=without_exchange)
    _another_api(at, session)


def another_api_by_token_exchange(at: OtherProvider) -> None:
    """The same by token exchange (RFC 8693), which leaves the refresh token alone."""
    session = _signed_in_for_apis(at)
    if TOKEN_EXCHANGE not in renewer(session).client.provider.grant_types_supported:
        session.for_audience("archive", api=APIS[1])
    kept = session.token["refresh_token"]
    _check_audience(at, session.for_audience(APIS[1]), APIS[1])
    assert stored(session).token["refresh_token"] == kept
    _another_api(at, session)


def scope_granted_in_part(at: OtherProvider) -> None:
    """The person withholds a scope; the session's token has the granted scope."""
    session = at.sign_in(withheld="email")
    if "email" in session.token["scope"].split():
        raise AuthnbError("not_supported", "Its pages ask for all or nothing.")
    assert session.user["name"] == "Ada Byron"
    assert "email" not in session.user


def revocation_by_a_public_client(at: OtherProvider) -> None:
    """Signing out revokes the tokens of a public client."""
    _revoked(at, "notebook")


def revocation_by_a_client_with_a_secret(at: OtherProvider) -> None:
    """The same for a confidential client."""
    _revoked(at, "hub")


def sign_out(at: OtherProvider) -> None:
    """The address that signing out names ends the provider's own session in the browser."""
    with Window() as person:
        session = at.sign_in(window=person)
        uri = session.logout().end_session_uri
        assert uri is not None
        person.sign_out(uri)
        again = renewer(session).client.authorization_request(f"http://127.0.0.1:{at.port}/callback")
        assert person.asks_who(again.uri)


def api_by_its_address_alone(at: OtherProvider) -> None:
    """An API names the provider (RFC 9728), which registers a client (RFC 7591), once for two sign-ins."""
    storage = MemoryStorage()
    with GuardedAPI.at(at) as api:
        for _ in range(2):
            _by_address(api, storage)
        assert len({str(claims.get("client_id") or claims["aud"]) for claims in api.accepted}) == 1


def api_by_its_address_and_a_device_code(at: OtherProvider) -> None:
    """The same without a way back for the browser (RFC 8628)."""
    with GuardedAPI.at(at) as api:
        _by_address(api, MemoryStorage(), mode="device")


def registration_deleted_by_us(at: OtherProvider) -> None:
    """What was registered is deleted at the provider (RFC 7592), which then knows the client no more."""
    provider = authnb.Provider.discover(at.issuer)
    made = register(provider, redirect_uris=[f"http://127.0.0.1:{at.port}/callback"])
    if made.registration_client_uri is None:
        raise AuthnbError("not_supported", "It says nothing of how a registration is changed.")
    assert read_registration(provider, made) is not None
    assert delete_registration(provider, made)
    assert read_registration(provider, made) is None


def sign_up(at: OtherProvider) -> None:
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
        person.visit(begun.verification(60).uri)
    assert begun.wait(60).user["sub"] == "bob"


def _by_address(api: GuardedAPI, storage: MemoryStorage, mode: str = "loopback") -> None:
    login = authnb.login(api=api.url, mode=mode, view=None, storage=storage)
    try:
        with Window() as person:
            asked = login.verification(60)
            code = {"user_code": asked.user_code} if asked.user_code else {}
            person.visit(asked.uri, **code)
        session = login.wait(60)
    finally:
        login.cancel()
    assert session.get("measurements").json() == ROWS
    storage.remove(renewer(session).account)  # but for the registration


def _signed_in_for_apis(at: OtherProvider) -> Session:
    return at.sign_in(scope=f"{SCOPE} measurements:read", resource=APIS, api=APIS)


def _another_api(at: OtherProvider, session: Session) -> None:
    """Both sessions have tokens for their own API, also after a renewal; another API is refused."""
    archive = session.for_audience(APIS[1])
    _check_audience(at, archive, APIS[1])
    archive.token = {**archive.token, "expires_at": 1}
    archive.ensure_active_token()
    _check_audience(at, archive, APIS[1])
    age(session)
    session.ensure_active_token()
    _check_audience(at, session, APIS[0])
    refusal = _refusal(lambda: session.for_audience("https://other.example"))
    assert refusal is not None, "a token for an API that the provider does not know"
    assert refusal.error == "invalid_target", refusal


def _check_audience(at: OtherProvider, session: Session, api: str) -> None:
    """Ask the provider which API the token is for, as that API would (RFC 7662)."""
    metadata = requests.get(f"{at.issuer}/.well-known/openid-configuration", timeout=20).json()
    if "introspection_endpoint" not in metadata:
        raise AuthnbError("not_supported", "Nobody can ask there which API a token is for.")
    answer = requests.post(
        metadata["introspection_endpoint"],
        {"token": session.token["access_token"]},
        auth=("hub", SECRET),
        timeout=20,
    ).json()
    if not answer["active"] or api not in answer["aud"]:
        raise AuthnbError("not_supported", "Its tokens are for no API in particular.")


def _outcome_of(at: OtherProvider, *, allow: bool = True, **options: Any) -> Session:
    """What a sign-in ends with. One that gets no answer is tried once more with little time, for its error."""
    try:
        return _signed_in(at, allow=allow, timeout=300.0, **options)
    except LoginTimeout:
        return _signed_in(at, allow=allow, timeout=SHORT, **options)


def _signed_in(at: OtherProvider, *, allow: bool, **options: Any) -> Session:
    login = at.login(**options)
    try:
        with Window() as person:
            asked = login.verification(60)
            code = {"user_code": asked.user_code} if asked.user_code else {}
            person.visit(asked.uri, allow=allow, **code)
        # A device is asked for at an interval
        return login.wait(60 if asked.user_code else ANSWER)
    finally:
        login.cancel()


def _declined(at: OtherProvider, **options: str) -> None:
    refusal = _refusal(lambda: _outcome_of(at, allow=False, **options))
    assert refusal is not None, "signed in after a no"
    if refusal.error != "access_denied":
        raise refusal


def _revoked(at: OtherProvider, client: str) -> None:
    session = at.sign_in(client)
    kept, token = renewer(session).client, session.token
    done = session.logout()
    if not done.revoked:
        raise AuthnbError("not_revoked", " ".join(done.problems))
    assert set(done.revoked) == {"refresh_token", "access_token"}
    assert not done.problems
    refusal = _refusal(lambda: kept.refresh(token))
    assert refusal is not None, "the revoked refresh token still gives tokens"
    assert refusal.error == "invalid_grant", refusal


def _refusal(action: Callable[[], object]) -> AuthnbError | None:
    """The error that authnb raises, or None."""
    try:
        action()
    except AuthnbError as error:
        return error
    return None


CAPABILITIES: tuple[Callable[[OtherProvider], None], ...] = (
    discovery,
    loopback_on_any_port,
    loopback_on_a_registered_port,
    public_client,
    client_secret_basic,
    client_secret_post,
    wrong_secret,
    device,
    denial_in_the_browser,
    denial_on_the_device,
    name_and_email,
    userinfo,
    refresh,
    token_for_one_api,
    another_api_by_refresh_token,
    another_api_by_token_exchange,
    scope_granted_in_part,
    revocation_by_a_public_client,
    revocation_by_a_client_with_a_secret,
    sign_out,
    sign_up,
    api_by_its_address_alone,
    api_by_its_address_and_a_device_code,
    registration_deleted_by_us,
)


def outcome(capability: Callable[[OtherProvider], None], at: OtherProvider) -> tuple[str, str]:
    """``works``, or the code of the error that a user sees; and the error's text, without port numbers."""
    try:
        capability(at)
    except AuthnbError as error:
        return error.error, re.sub(r"(?<=127\.0\.0\.1:)\d+|(?<=port )\d+", "PORT", error.description)
    return "works", ""
