"""Presets: the oddities of those that are not in test_presets.py."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from documented import CLIENT, SECRET, Documented, form, moved
from oddities import ORCID, Auth0, CILogon, Earthdata, GitLab, Globus, WithRegistration
from rows import begin, oddity, sign_in
from support import free_port

import authnb
from authnb.errors import LoginFailed, ProviderError
from authnb.flows import Pending, device_flow
from authnb.oauth.client import Client
from authnb.oauth.presets import known
from authnb.storage.base import MemoryStorage

if TYPE_CHECKING:
    from pathlib import Path

    from servers import Server

_AUTH0 = "https://github.com/auth0/docs-v2/blob/HEAD/main/docs/"
_AUTH0_DEVICE = (
    "get-started/authentication-and-authorization-flow/device-authorization-flow/"
    "call-your-api-using-the-device-authorization-flow"
)
AUTH0_DEVICE = (f"https://auth0.com/docs/{_AUTH0_DEVICE}", f"{_AUTH0}{_AUTH0_DEVICE}.mdx")
_AUTH0_PAGES = (
    "authenticate/login/auth0-universal-login/universal-login-vs-classic-login/universal-experience"
)
AUTH0_PAGES = (f"https://auth0.com/docs/{_AUTH0_PAGES}", f"{_AUTH0}{_AUTH0_PAGES}.mdx")
GITLAB = "https://github.com/gitlabhq/gitlabhq/blob/HEAD/doc/api/oauth2.md"
KEYCLOAK = (
    "https://www.keycloak.org/docs/latest/server_admin/#_registration-rc-client-flows",
    "Red Hat's edition of that page",
)
OKTA = "https://github.com/okta/okta-developer-docs/blob/HEAD/packages/%40okta/vuepress-site/docs/concepts/"
ORCID_SOURCE = "https://github.com/ORCID/ORCID-Source/blob/HEAD/"
HUGGING_FACE = (
    "https://huggingface.co/docs/hub/oauth",
    "https://github.com/huggingface/hub-docs/blob/HEAD/docs/hub/oauth.md",
)


@oddity("auth0", *AUTH0_DEVICE)
def test_auth0_device(server: Server) -> None:
    """The issuer ends with a slash; a pending device code is HTTP 403."""
    Auth0(server)
    session = sign_in(f"auth0:{server.url}", mode="device")
    assert session.user["iss"] == f"{server.url}/"


@oddity("auth0", *AUTH0_DEVICE)
def test_auth0_polled_too_fast(server: Server) -> None:
    """`slow_down` is HTTP 429; what ran out is `expired_token` once, with HTTP 403."""
    provider = Auth0(server)
    provider.refusals = (("slow_down", 429), ("expired_token", 403))
    flow = device_flow(Client(authnb.preset(f"auth0:{server.url}"), client_id=CLIENT))
    steps = [next(flow), next(flow), next(flow)]
    assert [step.wait for step in steps[1:] if isinstance(step, Pending)] == [1, 6]
    with pytest.raises(LoginFailed, match="Sign in again"):
        next(flow)


@pytest.mark.parametrize("mode", ["loopback", "device"])
@oddity("auth0", *AUTH0_DEVICE)
def test_auth0_audience(server: Server, mode: str) -> None:
    """A token for an API of one's own takes its name as `audience`, in the request for a device code too."""
    provider, there = Auth0(server), authnb.preset(f"auth0:{server.url}")
    quirks = replace(there.quirks, audience="https://api.example.org")
    sign_in(replace(there, quirks=quirks), mode=mode)
    assert provider.audience == "https://api.example.org"


@pytest.mark.parametrize("somebody", [False, True], ids=["nobody signed in there", "somebody is"])
@oddity("auth0", *AUTH0_PAGES)
def test_auth0_sign_up(server: Server, *, somebody: bool) -> None:
    """Its page begins with a new account by `screen_hint=signup`, and with somebody signed in by `prompt=login` too."""
    provider = Auth0(server)
    provider.somebody = somebody
    sign_in(f"auth0:{server.url}", sign_up=True)
    assert provider.shown == ["signup"]


@oddity("gitlab", "https://docs.gitlab.com/api/oauth2/#device-authorization-grant-flow", GITLAB)
def test_gitlab_device(server: Server) -> None:
    """A device code comes from an endpoint that its documentation names; the metadata need not."""
    GitLab(server)
    assert sign_in(f"gitlab:{server.url}", mode="device").user["sub"] == "248289761001"


@oddity(
    "gitlab",
    "https://docs.gitlab.com/17.6/integration/openid_connect_provider/#shared-information",
    "https://github.com/gitlabhq/gitlabhq/blob/HEAD/doc/integration/openid_connect_provider.md",
)
def test_gitlab_claims(server: Server) -> None:
    """In versions before the newest the name stands only in what the userinfo endpoint answers."""
    GitLab(server)
    user = sign_in(f"gitlab:{server.url}").user
    assert (user["name"], user["email"]) == ("Ada Byron", "ada@example.org")


@oddity("gitlab", "https://docs.gitlab.com/api/oauth2/", GITLAB)
def test_gitlab_renewal(server: Server) -> None:
    """A renewal ends the old token and the old refresh token, and brings new ones."""
    provider = GitLab(server)
    session = sign_in(f"gitlab:{server.url}")
    client = Client(authnb.preset(f"gitlab:{server.url}"), client_id=CLIENT)
    newest = client.refresh(client.refresh(session.token))
    assert (newest["refresh_token"], provider.renewals) == ("refresh-token-2", 2)
    with pytest.raises(ProviderError) as refused:
        client.refresh(session.token)
    assert refused.value.error == "invalid_grant"


def test_the_person_is_asked_for_with_a_token_of_seconds(server: Server) -> None:
    """A token in the last minute of its life is good enough for the userinfo endpoint."""
    GitLab(server).lifetime = 30
    assert sign_in(f"gitlab:{server.url}").user["name"] == "Ada Byron"


@oddity("keycloak", *KEYCLOAK)
def test_keycloak_sign_up(server: Server) -> None:
    """The issuer has a path; where the metadata lack `prompt=create`, the page `registrations` takes the request."""
    provider = WithRegistration(server)
    assert sign_in(f"keycloak:{provider.issuer}", sign_up=True).user["sub"] == "248289761001"
    assert provider.registered[0]["code_challenge_method"] == "S256"


@oddity("keycloak", *KEYCLOAK)
def test_keycloak_sign_up_by_the_standard(server: Server) -> None:
    """Where the metadata name `prompt=create`, that is taken: the page `registrations` is deprecated."""
    provider = WithRegistration(server)
    provider.metadata["prompt_values_supported"] = ["none", "login", "consent", "create"]
    sign_in(f"keycloak:{provider.issuer}", sign_up=True)
    assert provider.asked["prompt"] == "create"
    assert not provider.registered


@oddity(
    "copernicus",
    "https://documentation.dataspace.copernicus.eu/Registration.html",
    "https://github.com/eu-cdse/documentation/blob/HEAD/Registration.qmd",
)
def test_copernicus_sign_up(server: Server) -> None:
    """A Keycloak, with a button for it on its sign-in page: that realm's page `registrations` is asked for."""
    provider = WithRegistration(server)
    preset = replace(known()["copernicus"], issuer=provider.issuer)
    assert sign_in(preset, sign_up=True).user["sub"] == "248289761001"
    assert provider.registered


@oddity(
    "cognito",
    "https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-app-idp-settings.html",
    "https://docs.aws.amazon.com/sdk-for-kotlin/api/latest/cognitoidentityprovider/"
    "aws.sdk.kotlin.services.cognitoidentityprovider.model/-create-user-pool-client-request/callback-urls.html",
)
def test_cognito_redirects(server: Server) -> None:
    """The only redirect address without https is `localhost`, with a port that is registered."""
    port = free_port()
    provider = Documented(server)
    sign_in(f"cognito:{server.url}", redirect_port=port)
    assert provider.asked["redirect_uri"] == f"http://localhost:{port}/callback"


@oddity(
    "cognito",
    "https://docs.aws.amazon.com/cognito/latest/developerguide/federation-endpoints.html",
    "not the page itself; a copy of the API's reference: a client has the flows code, implicit, client_credentials",
)
def test_cognito_device(server: Server) -> None:
    """There is no device flow; the error says so and what to use."""
    Documented(server)
    with pytest.raises(ProviderError, match=r"device_authorization_endpoint.*mode='loopback'"):
        begin(f"cognito:{server.url}", mode="device").verification(60)


@oddity(
    "cognito",
    "https://docs.aws.amazon.com/cognito/latest/developerguide/logout-endpoint.html",
    "https://github.com/aws-amplify/amplify-js/blob/HEAD/packages/auth/src/providers/cognito/utils/oauth/oAuthSignOutRedirect.ts",
)
def test_cognito_logout(server: Server) -> None:
    """`/logout` wants `logout_uri`, a URL that is registered with the client; without one, signing out names it."""
    provider = Documented(server)
    provider.metadata["end_session_endpoint"] = f"{server.url}/logout"
    out = sign_in(f"cognito:{server.url}").logout()
    assert out.end_session_uri is None
    assert "only with logout_uri" in repr(out)
    found = authnb.preset(f"cognito:{server.url}")
    parameters = {"logout_uri": "https://app.example.org/bye"}
    known = replace(found, quirks=replace(found.quirks, end_session_parameters=parameters))
    uri = sign_in(known, storage=MemoryStorage()).logout().end_session_uri
    assert uri == f"{server.url}/logout?client_id={CLIENT}&logout_uri=https%3A%2F%2Fapp.example.org%2Fbye"


@oddity(
    "cognito",
    "https://docs.aws.amazon.com/cognito/latest/developerguide/managed-login-endpoints.html",
    "not found in documentation at hand; the page of /login beside it says that of /login",
)
def test_cognito_sign_up(server: Server) -> None:
    """`/signup` beside the authorization endpoint takes its request and begins with a new account."""
    provider = WithRegistration(server)
    server.routes["/signup"] = provider.register
    sign_in(f"cognito:{provider.issuer}", sign_up=True)
    assert len(provider.registered) == 1


@oddity("okta", "https://developer.okta.com/docs/concepts/auth-servers/", f"{OKTA}auth-servers/index.md")
def test_okta_servers(server: Server) -> None:
    """One domain has several authorization servers, whose issuers have paths."""

    class Okta(Documented):
        path = "/oauth2/default"

    provider = Okta(server)
    assert sign_in(f"okta:{provider.issuer}", redirect_port=free_port()).user["iss"] == provider.issuer


@oddity(
    "okta",
    "https://developer.okta.com/docs/concepts/self-service-registration/",
    f"{OKTA}self-service-registration/index.md",
)
def test_okta_sign_up(server: Server) -> None:
    """Accounts are made by the organisation, or on its sign-in page; no request asks for that."""
    Documented(server)
    with pytest.raises(ProviderError, match="organisation") as refused:
        begin(f"okta:{server.url}", sign_up=True).verification(60)
    assert refused.value.error == "not_supported"


@oddity(
    "orcid",
    "https://info.orcid.org/documentation/api-tutorials/api-tutorial-get-and-authenticated-orcid-id/",
    f"{ORCID_SOURCE}orcid-api-web/tutorial/get_id.md",
)
def test_orcid_wants_a_secret(server: Server) -> None:
    """Clients have a secret; without it, the error says where clients are registered."""
    Documented(server)
    with pytest.raises(ProviderError, match=r"https://orcid\.org/developer-tools"):
        begin(replace(known()["orcid"], issuer=server.url)).verification(60)


@oddity(
    "orcid",
    "https://info.orcid.org/documentation/api-tutorials/api-tutorial-get-and-authenticated-orcid-id/",
    f"{ORCID_SOURCE}orcid-core/src/main/java/org/orcid/core/oauth/openid/OpenIDConnectDiscoveryService.java",
)
def test_orcid_secret(server: Server) -> None:
    """The secret goes into the body, as its metadata say; the token lives for twenty years, cut to ten here."""
    ORCID(server)
    session = sign_in(replace(known()["orcid"], issuer=server.url), client_secret=SECRET)
    assert session.token["orcid"] == "0000-0001-2345-6789"
    assert session.token["expires_in"] == 315360000


GLOBUS = "https://github.com/globus/globus-sdk-python/blob/HEAD/src/globus_sdk/services/auth/"


@oddity("globus", "https://docs.globus.org/api/auth/reference/", f"{GLOBUS}flow_managers/native_app.py")
def test_globus_offline(server: Server) -> None:
    """A refresh token needs `access_type=offline`."""
    Globus(server)
    assert "refresh_token" in sign_in(replace(known()["globus"], issuer=server.url)).token


@oddity("globus", "https://docs.globus.org/api/auth/reference/", f"{GLOBUS}response/oauth.py")
def test_globus_other_tokens(server: Server, tmp_path: Path) -> None:
    """Tokens of other services stand in `other_tokens` of the answer; nothing that shows the token shows them."""
    Globus(server)
    with authnb.record() as record:
        token = sign_in(replace(known()["globus"], issuer=server.url)).token
    assert token["other_tokens"][0]["access_token"] == "the-transfer-token"
    for shown in (repr(token), repr(record), record.save(tmp_path / "report.md").read_text(encoding="utf-8")):
        assert "the-transfer-token" not in shown


@oddity("huggingface", *HUGGING_FACE)
def test_hugging_face_secret(server: Server) -> None:
    """A client that has a secret gives it in a header, with the request for a device code too."""
    provider = Documented(server)
    provider.at("/oauth/device", lambda _: provider.device())
    sign_in(moved("huggingface", "huggingface.co", to=server.url), mode="device", client_secret=SECRET)
    posted = [form(request) for request in server.requests if request.method == "POST"]
    assert [(given["client_secret"], given["by"]) for given in posted] == [(SECRET, "basic")] * 2


@oddity("huggingface", *HUGGING_FACE)
def test_hugging_face_device(server: Server) -> None:
    """A public client may enter a code, at an endpoint that stands in its documentation."""
    provider = Documented(server)
    provider.at("/oauth/device", lambda _: provider.device())
    preset = replace(moved("huggingface", "huggingface.co", to=server.url))
    assert sign_in(preset, mode="device").user["sub"] == "248289761001"


@oddity("cilogon", "https://www.cilogon.org/oidc", "https://www.cilogon.org/oidc")
def test_cilogon_sign_up(server: Server) -> None:
    """Accounts are those of institutions and of some others; signing up is refused with that sentence."""
    Documented(server)
    with pytest.raises(ProviderError, match="your institution"):
        begin(replace(known()["cilogon"], issuer=server.url), sign_up=True).verification(60)


@oddity(
    "cilogon",
    "https://www.cilogon.org/oidc",
    "https://github.com/cilogon/service/blob/HEAD/deviceflow.sh",
)
def test_cilogon_scopes(server: Server) -> None:
    """A client without a secret may ask for `openid` and nothing else."""
    provider, preset = CILogon(server), replace(known()["cilogon"], issuer=server.url)
    assert sign_in(preset).user["sub"] == "248289761001"
    sign_in(preset, client_secret=SECRET, storage=MemoryStorage())
    assert provider.asked["scope"] == "openid profile email org.cilogon.userinfo"


@oddity(
    "earthdata",
    "https://urs.earthdata.nasa.gov/sso_client_impl",
    "https://github.com/nasa/cumulus/blob/HEAD/packages/oauth-client/src/OAuthClient.ts",
)
def test_earthdata_user(server: Server) -> None:
    """No metadata, no scopes, no ID token; the secret in a header; the token answer says who it is, elsewhere."""
    provider = Earthdata(server)
    session = sign_in(moved("earthdata", "urs.earthdata.nasa.gov", to=server.url), client_secret=SECRET)
    assert session.user["sub"] == "ada"
    assert session.user["first_name"] == "Ada"
    assert "scope" not in provider.asked
