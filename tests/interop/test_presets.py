"""Presets: each oddity they know, against a small server that behaves as the provider's documentation says.

The first line of a test says the oddity, and the address above it where it is documented; docs/presets.md is made
of both.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests
from oddities import (
    CLIENT,
    SECRET,
    Auth0,
    Documented,
    Earthdata,
    Entra,
    GitHub,
    GitLab,
    Globus,
    Google,
    WithRegistration,
    moved,
)
from providers import free_port
from servers import Server

import authnb
from authnb.errors import InvalidToken, ProviderError
from authnb.presets import Preset, known
from authnb.storage import MemoryStorage, SignIn
from authnb.views.text import html, lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from authnb.provider import Provider
    from authnb.session import Session
    from authnb.signin import Login

ODDITIES: list[tuple[str, str, Callable[..., None]]] = []


def oddity(preset: str, documentation: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The test of something that this provider does its own way."""

    def note(test: Callable[..., None]) -> Callable[..., None]:
        ODDITIES.append((preset, documentation, test))
        return test

    return note


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as started:
        yield started


BEGUN: list[Login] = []


@pytest.fixture(autouse=True)
def _nobody_waits_on() -> Iterator[None]:
    """Sign-ins that a test only looked at are given up after it."""
    yield
    while BEGUN:
        BEGUN.pop().cancel()
    for thread in threading.enumerate():
        if thread.name == "authnb-login":
            thread.join(5)


def begin(at: Provider | Preset | str, *, sign_up: bool = False, **options: Any) -> Login:
    """Begin a sign-in that shows nothing and is kept nowhere."""
    provider = at.open() if isinstance(at, Preset) else at
    standard = {"client_id": CLIENT, "mode": "loopback", "view": None, "storage": MemoryStorage()}
    BEGUN.append((authnb.signup if sign_up else authnb.login)(provider, **(standard | options)))
    return BEGUN[-1]


def sign_in(at: Provider | Preset | str, **options: Any) -> Session:
    """Sign in as the browser of a person does, or wait until somebody entered the code."""
    login = begin(at, **options)
    address = login.verification().uri
    if login.mode != "device":
        assert requests.get(address, timeout=10).ok
    return login.wait(10)


GITHUB = "https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps"
GOOGLE_DEVICE = "https://developers.google.com/identity/protocols/oauth2/limited-input-device"
ENTRA_TOKENS = "https://learn.microsoft.com/entra/identity-platform/access-tokens#validate-the-issuer"


def github(server: Server) -> Preset:
    GitHub(server)
    return moved("github", "github.com", "api.github.com", to=server.url)


@oddity("github", GITHUB)
def test_github_device(server: Server) -> None:
    """Answers are form-encoded unless JSON is asked for; a pending device code is HTTP 200; no secret is needed."""
    session = sign_in(github(server), mode="device")
    assert session.token["scope"] == "read:user,user:email"
    assert server.paths().count("/login/oauth/access_token") == 3


@oddity("github", GITHUB)
def test_github_user(server: Server) -> None:
    """There is no ID token: `.user` is what the API tells of the person, with the number `id` as `sub`."""
    session = sign_in(github(server), client_secret=SECRET)
    assert session.user == {"login": "octocat", "id": 583231, "name": "The Octocat", "sub": "583231"}


@oddity("github", GITHUB)
def test_github_code_wants_the_secret(server: Server) -> None:
    """The authorization code wants the client's secret, in the body; without one the device flow is the way."""
    assert begin(github(server), mode="auto").verification().user_code == "WDJB-MJHT"
    session = sign_in(github(server), client_secret=SECRET)
    assert b"client_secret=s3cret" in next(
        r.body for r in server.requests if r.method == "POST" and b"code=" in r.body
    )
    assert session.user


@oddity("google", GOOGLE_DEVICE)
def test_google_device(server: Server) -> None:
    """The device flow wants the secret, names a `verification_url`, and says pending with HTTP 428."""
    Google(server)
    preset = moved("google", "accounts.google.com", to=server.url)
    login = begin(preset, mode="device", client_secret=SECRET)
    assert login.verification().uri == f"{server.url}/device"
    assert login.wait(10).user["sub"] == "248289761001"


@oddity("google", GOOGLE_DEVICE)
def test_google_wants_a_secret(server: Server) -> None:
    """Every kind of client has a secret; without it, the error says so and where to get one."""
    Google(server)
    with pytest.raises(ProviderError, match=r"console\.cloud.google.com") as refused:
        begin(moved("google", "accounts.google.com", to=server.url), mode="auto").verification()
    assert refused.value.error == "invalid_client"


@oddity("google", "https://developers.google.com/identity/openid-connect/openid-connect#an-id-tokens-payload")
def test_google_issuer_without_a_scheme(server: Server) -> None:
    """`iss` may be `accounts.google.com`; at any other provider that is refused."""
    provider = moved("google", "accounts.google.com", to=server.url)
    Google(server)
    assert sign_in(provider, client_secret=SECRET).user["iss"] == "accounts.google.com"
    with pytest.raises(InvalidToken):
        sign_in(server.url, client_secret=SECRET)


def entra(server: Server, tenant: str = "") -> tuple[Entra, Preset]:
    return Entra(server), moved("entra", "login.microsoftonline.com", to=server.url).at(tenant)


@oddity("entra", ENTRA_TOKENS)
def test_entra_common(server: Server) -> None:
    """The document for all tenants has `{tenantid}` in its issuer; a token's `iss` is that of its own `tid`."""
    provider, preset = entra(server)
    assert sign_in(preset).user["iss"] == provider.called(Entra.HOME)


@pytest.mark.parametrize("part", ["tenant", "named", "signing"])
@oddity("entra", ENTRA_TOKENS)
def test_entra_tenants_do_not_mix(server: Server, part: str) -> None:
    """`tid`, `iss` and the issuer that stands beside the signing key must be one and the same tenant's."""
    provider, preset = entra(server)
    setattr(provider, part, Entra.OTHER)
    with pytest.raises(InvalidToken):
        sign_in(preset)


@oddity("entra", ENTRA_TOKENS)
def test_entra_one_tenant(server: Server) -> None:
    """The document for one tenant's domain names that tenant; then a token of another is refused."""
    provider, preset = entra(server, "contoso.onmicrosoft.com")
    assert sign_in(preset).user["tid"] == Entra.HOME
    provider.tenant = provider.named = provider.signing = Entra.OTHER
    with pytest.raises(InvalidToken):
        sign_in(preset)


@oddity("entra", "https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow")
def test_entra_prompt(server: Server) -> None:
    """`offline_access` without `prompt=consent`, which would send some people to their administrator."""
    provider, preset = entra(server)
    sign_in(preset)
    assert provider.asked["prompt"] == "select_account"
    assert "offline_access" in provider.asked["scope"].split()


@oddity(
    "auth0",
    "https://auth0.com/docs/get-started/authentication-and-authorization-flow/device-authorization-flow",
)
def test_auth0_device(server: Server) -> None:
    """The issuer ends with a slash; a pending device code is HTTP 403."""
    Auth0(server)
    session = sign_in(f"auth0:{server.url}", mode="device")
    assert session.user["iss"] == f"{server.url}/"


@oddity("auth0", "https://auth0.com/docs/authenticate/login/auth0-universal-login")
def test_auth0_sign_up(server: Server) -> None:
    """Its page begins with a new account where `screen_hint=signup` stands in the request."""
    provider = Auth0(server)
    sign_in(f"auth0:{server.url}", sign_up=True)
    assert provider.asked["screen_hint"] == "signup"
    assert "prompt" not in provider.asked


@oddity("gitlab", "https://docs.gitlab.com/api/oauth2/#device-authorization-grant-flow")
def test_gitlab_device(server: Server) -> None:
    """The metadata may not name the device endpoint; the preset does."""
    GitLab(server)
    assert sign_in(f"gitlab:{server.url}", mode="device").user["sub"] == "248289761001"


@oddity("gitlab", "https://docs.gitlab.com/integration/openid_connect_provider/#shared-information")
def test_gitlab_claims(server: Server) -> None:
    """Name and e-mail address may stand only in what the userinfo endpoint answers."""
    GitLab(server)
    user = sign_in(f"gitlab:{server.url}").user
    assert (user["name"], user["email"]) == ("Ada Byron", "ada@example.org")


@oddity(
    "keycloak",
    "https://www.keycloak.org/docs/latest/server_admin/#con-user-registration_server_administration_guide",
)
def test_keycloak_sign_up(server: Server) -> None:
    """The issuer has a path; a page of its own takes the authorization request and begins with a new account."""
    provider = WithRegistration(server)
    assert sign_in(f"keycloak:{provider.issuer}", sign_up=True).user["sub"] == "248289761001"
    assert provider.registered[0]["code_challenge_method"] == "S256"


@oddity("copernicus", "https://documentation.dataspace.copernicus.eu/Registration.html")
def test_copernicus_sign_up(server: Server) -> None:
    """A Keycloak: its realm's page begins with a new account."""
    provider = WithRegistration(server)
    preset = replace(known()["copernicus"], issuer=provider.issuer)
    assert sign_in(preset, sign_up=True).user["sub"] == "248289761001"
    assert provider.registered


@oddity(
    "cognito",
    "https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-app-idp-settings.html",
)
def test_cognito_redirects(server: Server) -> None:
    """The only redirect address without https is `localhost`, with a port that is registered."""
    port = free_port()
    provider = Documented(server)
    sign_in(f"cognito:{server.url}", redirect_port=port)
    assert provider.asked["redirect_uri"] == f"http://localhost:{port}/callback"


@oddity("cognito", "https://docs.aws.amazon.com/cognito/latest/developerguide/federation-endpoints.html")
def test_cognito_device(server: Server) -> None:
    """There is no device flow; the error says so and what to use."""
    Documented(server)
    with pytest.raises(ProviderError, match=r"device_authorization_endpoint.*mode='loopback'"):
        begin(f"cognito:{server.url}", mode="device").verification()


@oddity("cognito", "https://docs.aws.amazon.com/cognito/latest/developerguide/managed-login-endpoints.html")
def test_cognito_sign_up(server: Server) -> None:
    """`/signup` beside the authorization endpoint takes its request and begins with a new account."""
    provider = WithRegistration(server)
    server.routes["/signup"] = provider.register
    sign_in(f"cognito:{provider.issuer}", sign_up=True)
    assert len(provider.registered) == 1


@oddity("okta", "https://developer.okta.com/docs/concepts/auth-servers/")
def test_okta_servers(server: Server) -> None:
    """One domain has several authorization servers, whose issuers have paths."""

    class Okta(Documented):
        path = "/oauth2/default"

    provider = Okta(server)
    assert sign_in(f"okta:{provider.issuer}", redirect_port=free_port()).user["iss"] == provider.issuer


@oddity("okta", "https://help.okta.com/en-us/content/topics/security/policies/configure-ssr.htm")
def test_okta_sign_up(server: Server) -> None:
    """Accounts are made by the organisation, or on its sign-in page; no request asks for that."""
    Documented(server)
    with pytest.raises(ProviderError, match="organisation") as refused:
        begin(f"okta:{server.url}", sign_up=True).verification()
    assert refused.value.error == "not_supported"


@oddity(
    "orcid", "https://info.orcid.org/documentation/api-tutorials/api-tutorial-get-and-authenticated-orcid-id/"
)
def test_orcid_wants_a_secret(server: Server) -> None:
    """Clients have a secret; without it, the error says where clients are registered."""
    Documented(server)
    with pytest.raises(ProviderError, match=r"https://orcid\.org/developer-tools"):
        begin(replace(known()["orcid"], issuer=server.url)).verification()


@oddity("globus", "https://docs.globus.org/api/auth/reference/")
def test_globus_offline(server: Server) -> None:
    """A refresh token needs `access_type=offline`; the answer holds tokens of other services beside its own."""
    Globus(server)
    assert "refresh_token" in sign_in(replace(known()["globus"], issuer=server.url)).token


@oddity("huggingface", "https://huggingface.co/docs/hub/oauth")
def test_hugging_face_device(server: Server) -> None:
    """A public client may enter a code, at an endpoint that stands in its documentation."""
    provider = Documented(server)
    provider.at("/oauth/device", lambda _: provider.device())
    preset = replace(moved("huggingface", "huggingface.co", to=server.url))
    assert sign_in(preset, mode="device").user["sub"] == "248289761001"


@oddity("cilogon", "https://www.cilogon.org/oidc")
def test_cilogon_sign_up(server: Server) -> None:
    """Accounts are those of institutions; signing up is refused with that sentence."""
    provider = Documented(server)
    preset = replace(known()["cilogon"], issuer=server.url)
    with pytest.raises(ProviderError, match="your institution"):
        begin(preset, sign_up=True).verification()
    sign_in(preset)
    assert "org.cilogon.userinfo" in provider.asked["scope"].split()


@oddity("earthdata", "https://urs.earthdata.nasa.gov/sso_client_impl")
def test_earthdata_user(server: Server) -> None:
    """No metadata, no scopes, no ID token; the secret in a header; the token answer says who it is, elsewhere."""
    provider = Earthdata(server)
    session = sign_in(moved("earthdata", "urs.earthdata.nasa.gov", to=server.url), client_secret=SECRET)
    assert session.user["sub"] == "ada"
    assert session.user["first_name"] == "Ada"
    assert "scope" not in provider.asked


def test_a_page_apart_comes_before_the_sign_in(server: Server) -> None:
    """Where the page for a new account is apart, it is shown first; the sign-in may be by device."""
    begun = begin(github(server), mode="auto", sign_up=True)
    asked = begun.verification()
    assert asked.sign_up_uri == f"{server.url}/signup"
    assert asked.user_code == "WDJB-MJHT"
    for shown in ("\n".join(lines(begun)), html(begun)):
        assert shown.index("/signup") < shown.index("/oauth/device") < shown.index("WDJB-MJHT")
    assert begun.wait(10).user["login"] == "octocat"


@pytest.mark.parametrize("name", sorted(known()))
def test_every_preset_is_whole(name: str) -> None:
    """Its addresses are addresses, and whatever it knows of a provider that has no metadata makes one."""
    preset = known()[name].at("example.org/x" if "{" in known()[name].issuer else "")
    assert urlsplit(preset.issuer).scheme == urlsplit(preset.documentation).scheme == "https"
    assert preset.quirks["client_page"]
    if not preset.discover:
        assert preset.open().token_endpoint
    assert {kind for kind, _, _ in ODDITIES} >= {name}, "what is odd about it has no test"


def test_names() -> None:
    """What is no name is said to be none, at once, with those that are; a colon says whose."""
    with pytest.raises(ValueError, match=r"'gitbuh' is neither an address.*github"):
        authnb.login("gitbuh", client_id=CLIENT)
    with pytest.raises(ValueError, match=r"Auth0 needs a domain"):
        authnb.login("auth0", client_id=CLIENT)
    with pytest.raises(ValueError, match="nothing follows its name"):
        authnb.login("github:example.org", client_id=CLIENT)
    with pytest.raises(ValueError, match="'nobody' is"):
        authnb.preset("nobody")
    assert authnb.preset("github").token_endpoint == "https://github.com/login/oauth/access_token"
    assert (
        known()["cognito"].at("eu-west-1_AbC").issuer
        == "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC"
    )
    assert known()["entra"].at("").issuer == "https://login.microsoftonline.com/common/v2.0"


def test_quirks_are_kept_with_a_sign_in(server: Server) -> None:
    """A sign-in that was kept is renewed by the same rules."""
    session = sign_in(github(server), client_secret=SECRET)
    provider = github(server).open()
    kept = SignIn.from_json(SignIn(token=session.token, provider=provider, scope="x").to_json())
    assert kept.provider == provider


def test_metadata_cannot_set_quirks(server: Server) -> None:
    """Or a provider could take the checks away that its answers go through."""
    provider = Documented(server)
    provider.metadata["quirks"] = {"openid": False, "issuers": ["https://elsewhere.example.org"]}
    assert authnb.Provider.discover(server.url).quirks.openid


def test_the_user_is_described_nowhere_else(server: Server) -> None:
    """An address of another host in the token answer is not asked."""
    Earthdata(server)

    class Elsewhere(Earthdata):
        def tokens(self, given: dict[str, str]) -> dict[str, Any]:
            elsewhere = server.url.replace("127.0.0.1", "localhost")
            return super().tokens(given) | {"endpoint": f"{elsewhere}/api/users/ada"}

    Elsewhere(server)
    assert (
        sign_in(moved("earthdata", "urs.earthdata.nasa.gov", to=server.url), client_secret=SECRET).user
        is None
    )


def test_the_document_is_up_to_date() -> None:
    """Made by `make interop`."""
    from presets_table import DOCUMENT, table  # noqa: PLC0415 - it reads this module

    assert DOCUMENT.read_text(encoding="utf-8") == table()
