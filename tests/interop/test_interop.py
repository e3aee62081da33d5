"""Third-party providers: each capability has the outcome in docs/interop.md, and each failure a reason there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from capabilities import CAPABILITIES, outcome
from joserfc import jws
from matrix import WHY, WORKS, kept
from providers import NAMES, OtherProvider, running

import authnb
from authnb.oauth.id_token import ALGORITHMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="module", params=NAMES)
def stranger(request: pytest.FixtureRequest) -> Iterator[OtherProvider]:
    with running(request.param) as started:
        yield started


@pytest.mark.parametrize("capability", CAPABILITIES, ids=lambda function: function.__name__)
def test_it_does_what_the_matrix_says(
    stranger: OtherProvider, capability: Callable[[OtherProvider], None]
) -> None:
    code, said = outcome(capability, stranger)
    assert code == kept()[stranger.name, capability.__name__], said


def test_every_gap_is_explained_and_nothing_else() -> None:
    assert {where for where, code in kept().items() if code != WORKS} == set(WHY)


@pytest.fixture(scope="module")
def oidc_provider() -> Iterator[OtherProvider]:
    with running("oidc-provider") as started:
        yield started


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_id_tokens_in_every_asymmetric_algorithm(oidc_provider: OtherProvider, algorithm: str) -> None:
    client = f"notebook-{algorithm}"
    session = oidc_provider.sign_in(client, redirect_port=0, client_secret=None)
    assert session.user["aud"] == client
    assert jws.extract_compact(session.token["id_token"].encode()).headers()["alg"] == algorithm


def test_explicit_endpoints_need_no_metadata(oidc_provider: OtherProvider) -> None:
    """A provider without discovery, with endpoints given by the caller."""
    found = authnb.Provider.discover(oidc_provider.issuer)
    given = authnb.Provider(
        found.issuer,
        authorization_endpoint=found.authorization_endpoint,
        token_endpoint=found.token_endpoint,
        jwks_uri=found.jwks_uri,
    )
    assert oidc_provider.sign_in(provider=given).user["sub"] == "ada"


def test_a_refresh_token_only_for_offline_access(oidc_provider: OtherProvider) -> None:
    assert "refresh_token" in oidc_provider.sign_in().token
    assert "refresh_token" not in oidc_provider.sign_in(scope="openid profile email").token
