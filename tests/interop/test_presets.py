"""Presets: each oddity they know, against a small server that behaves as the provider's documentation says.

The first line of a test says the oddity; above it stand the address where it is documented, and what was read of
it. docs/presets.md is made of these. Here GitHub, Google and Entra, and what holds for all; the others are in
test_presets_others.py.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from documented import CLIENT, SECRET, Documented, moved
from oddities import Earthdata, Entra, GitHub, Google
from presets_table import COMPARED, DOCUMENT, FACTS, rows, table
from rows import begin, oddity, sign_in

import authnb
from authnb.errors import InvalidToken, LoginFailed, ProviderError
from authnb.oauth.presets import Preset, known
from authnb.storage.base import MemoryStorage, SignIn
from authnb.views.text import html, text_lines

if TYPE_CHECKING:
    from servers import Server

GITHUB = (
    "https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps",
    "https://github.com/github/docs/blob/HEAD/content/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps.md",
)
GOOGLE_DEVICE = (
    "https://developers.google.com/identity/protocols/oauth2/limited-input-device",
    "https://developers.google.com/youtube/v3/live/guides/auth/devices",
)
_ENTRA = "https://github.com/MicrosoftDocs/entra-docs/blob/HEAD/docs/identity-platform/"
ENTRA_TOKENS = (
    "https://learn.microsoft.com/entra/identity-platform/access-tokens#validate-the-issuer",
    f"{_ENTRA}access-tokens.md",
)


def github(server: Server) -> Preset:
    GitHub(server)
    return moved("github", "github.com", "api.github.com", to=server.url)


@oddity("github", *GITHUB)
def test_github_device(server: Server) -> None:
    """Answers are form-encoded unless JSON is asked for; a pending device code is HTTP 200; no secret is needed."""
    session = sign_in(github(server), mode="device")
    assert session.token["scope"] == "read:user,user:email"
    assert server.paths().count("/login/oauth/access_token") == 3


@oddity("github", *GITHUB)
def test_github_user(server: Server) -> None:
    """There is no ID token: `.user` is what the API tells of the person, with the number `id` as `sub`."""
    session = sign_in(github(server), client_secret=SECRET)
    assert session.user == {"login": "octocat", "id": 583231, "name": "The Octocat", "sub": "583231"}


@oddity("github", *GITHUB)
def test_github_code_wants_the_secret(server: Server) -> None:
    """The authorization code wants the client's secret, in the body; without one the device flow is the way."""
    assert begin(github(server), mode="auto").verification(60).user_code == "WDJB-MJHT"
    session = sign_in(github(server), client_secret=SECRET)
    assert b"client_secret=s3cret" in next(
        r.body for r in server.requests if r.method == "POST" and b"code=" in r.body
    )
    assert session.user


@pytest.mark.parametrize(
    ("refusal", "meaning"), [("token_expired", "expired_token"), ("access_denied", "access_denied")]
)
@oddity("github", *GITHUB)
def test_github_refuses_a_code(server: Server, refusal: str, meaning: str) -> None:
    """A device code that ran out is `token_expired`, in GitHub's word; a refusal too is HTTP 200."""
    provider, preset = GitHub(server), moved("github", "github.com", "api.github.com", to=server.url)
    provider.refusal = refusal
    with pytest.raises(LoginFailed) as refused:
        sign_in(preset, mode="device")
    assert refused.value.error == meaning


@oddity("github", *GITHUB)
def test_github_device_flow_disabled(server: Server) -> None:
    """Where the app does not enable the device flow, `device_flow_disabled` leads to another way, if one works."""
    provider, preset = GitHub(server), moved("github", "github.com", "api.github.com", to=server.url)
    provider.disabled = True
    with pytest.raises(ProviderError, match="'device_flow_disabled'") as refused:
        begin(preset, mode="device").verification(60)
    assert refused.value.error == "unauthorized_client"


@oddity("google", *GOOGLE_DEVICE)
def test_google_device(server: Server) -> None:
    """The device flow wants the secret, names a `verification_url`, and says pending with HTTP 428."""
    Google(server)
    preset = moved("google", "accounts.google.com", to=server.url)
    login = begin(preset, mode="device", client_secret=SECRET)
    assert login.verification(60).uri == f"{server.url}/device"
    assert login.wait(60).user["sub"] == "248289761001"


@oddity("google", *GOOGLE_DEVICE)
def test_google_device_without_an_id_token(server: Server) -> None:
    """The answer for a device code shows no ID token, and scopes under other names: `.user` is asked for."""
    Google(server)
    preset = moved("google", "accounts.google.com", to=server.url)
    session = sign_in(preset, mode="device", client_secret=SECRET)
    assert "id_token" not in session.token
    assert session.user == {"sub": "248289761001", "name": "Ada Byron", "email": "ada@example.org"}


@oddity("google", *GOOGLE_DEVICE)
def test_google_wants_a_secret(server: Server) -> None:
    """Clients for desktops and devices have a secret; without it, the error says so and where to get one."""
    Google(server)
    with pytest.raises(ProviderError, match=r"console\.developers\.google\.com") as refused:
        begin(moved("google", "accounts.google.com", to=server.url), mode="auto").verification(60)
    assert refused.value.error == "invalid_client"


@oddity(
    "google",
    "https://developers.google.com/identity/openid-connect/openid-connect#an-id-tokens-payload",
    "not the page itself; its sentence, as several libraries quote it",
)
def test_google_issuer_without_a_scheme(server: Server) -> None:
    """`iss` may be `accounts.google.com`; at any other provider that is refused."""
    provider = moved("google", "accounts.google.com", to=server.url)
    Google(server)
    assert sign_in(provider, client_secret=SECRET).user["iss"] == "accounts.google.com"
    with pytest.raises(InvalidToken):
        sign_in(server.url, client_secret=SECRET)


def entra(server: Server, tenant: str = "") -> tuple[Entra, Preset]:
    return Entra(server), moved("entra", "login.microsoftonline.com", to=server.url).at(tenant)


@oddity("entra", *ENTRA_TOKENS)
def test_entra_common(server: Server) -> None:
    """The document for all tenants has `{tenantid}` in its issuer; a token's `iss` is that of its own `tid`."""
    provider, preset = entra(server)
    assert sign_in(preset).user["iss"] == provider.called(Entra.HOME)


@pytest.mark.parametrize("part", ["tenant", "named", "signing"])
@oddity("entra", *ENTRA_TOKENS)
def test_entra_tenants_do_not_mix(server: Server, part: str) -> None:
    """`tid`, `iss` and the issuer that stands beside the signing key must be one and the same tenant's."""
    provider, preset = entra(server)
    setattr(provider, part, Entra.OTHER)
    with pytest.raises(InvalidToken):
        sign_in(preset)


@oddity("entra", *ENTRA_TOKENS)
def test_entra_keys(server: Server) -> None:
    """A key whose issuer holds `{tenantid}` signs for every tenant; one that names a tenant, for that one alone."""
    provider, preset = entra(server)
    provider.signing = Entra.EVERY
    assert sign_in(preset).user["tid"] == Entra.HOME


@oddity(
    "entra",
    "https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code",
    f"{_ENTRA}v2-oauth2-device-code.md",
)
def test_entra_device(server: Server) -> None:
    """A device code comes without `verification_uri_complete`; a person's no is `authorization_declined`."""
    provider, preset = entra(server)
    login = begin(preset, mode="device")
    assert login.verification(60).uri_complete is None
    assert login.wait(60).user["tid"] == Entra.HOME
    provider.polls, provider.refusal = 0, "authorization_declined"
    with pytest.raises(LoginFailed) as declined:
        sign_in(preset, mode="device", storage=MemoryStorage())
    assert declined.value.error == "access_denied"


@oddity("entra", *ENTRA_TOKENS)
def test_entra_one_tenant(server: Server) -> None:
    """The document for one tenant's domain names that tenant; then a token of another is refused."""
    provider, preset = entra(server, "contoso.onmicrosoft.com")
    assert sign_in(preset).user["tid"] == Entra.HOME
    provider.tenant = provider.named = provider.signing = Entra.OTHER
    with pytest.raises(InvalidToken):
        sign_in(preset)


@oddity(
    "entra",
    "https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow",
    f"{_ENTRA}v2-oauth2-auth-code-flow.md",
)
def test_entra_prompt(server: Server) -> None:
    """`offline_access` without `prompt=consent`, which would send some people to their administrator."""
    provider, preset = entra(server)
    sign_in(preset)
    assert provider.asked["prompt"] == "select_account"
    assert "offline_access" in provider.asked["scope"].split()


def test_a_page_apart_comes_before_the_sign_in(server: Server) -> None:
    """Where the page for a new account is apart, it is shown first; the sign-in may be by device."""
    begun = begin(github(server), mode="auto", sign_up=True)
    asked = begun.verification(60)
    assert asked.sign_up_uri == f"{server.url}/signup"
    assert asked.user_code == "WDJB-MJHT"
    for shown in ("\n".join(text_lines(begun)), html(begun)):
        assert shown.index("/signup") < shown.index("/oauth/device") < shown.index("WDJB-MJHT")
    assert begun.wait(60).user["login"] == "octocat"


@pytest.mark.parametrize("name", sorted(known()))
def test_every_preset_is_whole(name: str) -> None:
    """Its addresses are addresses, and whatever it knows of a provider that has no metadata makes one."""
    preset = known()[name].at("example.org/x" if "{" in known()[name].issuer else "")
    assert urlsplit(preset.issuer).scheme == urlsplit(preset.documentation).scheme == "https"
    assert preset.quirks["client_page"]
    if not preset.discover:
        assert preset.open().token_endpoint
    assert {kind for kind, *_ in rows()} >= {name}, "what is odd about it has no test"


def test_every_fact_was_compared() -> None:
    """With something that is named, or it is said that nothing was found."""
    with_what = tomllib.loads(COMPARED.read_text(encoding="utf-8"))
    assert list(with_what) == list(known())
    for facts in with_what.values():
        assert list(facts) == list(FACTS)
        assert all(facts.values())


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
    """Made by `make tables`."""
    assert DOCUMENT.read_text(encoding="utf-8") == table()
