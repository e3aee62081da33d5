"""authnb at the provider for learning, with no argument but an API's address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import authnb
from authnb.demo import DemoProvider
from authnb.errors import AuthnbError
from authnb.storage.base import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.session.session import Session


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoProvider]:
    """A provider with this machine's clock, by which authnb judges its tokens."""
    with DemoProvider() as provider:
        yield provider


def sign_in(demo: DemoProvider, api: str, **options: Any) -> Session:
    login = authnb.login(api=api, mode="loopback", view=None, storage=MemoryStorage(), **options)
    demo.visit(login.verification().uri)
    return login.wait(20)


@pytest.mark.parametrize("jwt", [False, True])
def test_each_api_by_its_address(jwt: bool) -> None:
    """What may be read with the scope of its challenge; the token is for that API alone."""
    with DemoProvider(jwt_access_tokens=jwt) as demo:
        for api, path, other in ((demo.api, "stations", demo.archive), (demo.archive, "days", demo.api)):
            session = sign_in(demo, api)
            assert session.get(path).status_code == 200
            assert session.token["scope"] == "measurements:read"
            with pytest.raises(AuthnbError) as caught:
                session.for_audience(other).get("")
            assert caught.value.error == "invalid_target"


def test_one_sign_in_for_two_apis(demo: DemoProvider) -> None:
    """Where both are asked for at once, the person says yes to both, and the client that registered gets both."""
    session = sign_in(demo, demo.api, resource=[demo.api, demo.archive])
    assert session.get("stations").status_code == 200
    assert session.for_audience(demo.archive).get("days").status_code == 200


@pytest.mark.parametrize("where", ["challenge", "well-known"])
def test_wherever_its_metadata_are(where: Any) -> None:
    with DemoProvider(resource_metadata=where) as demo:
        assert sign_in(demo, demo.api).get("stations").status_code == 200


@pytest.mark.parametrize(
    ("missing", "error"),
    [
        ({"resource_metadata": None}, "no_metadata"),
        ({"registration": False}, "no_registration"),
        ({"most_registrations": 0}, "temporarily_unavailable"),
    ],
)
def test_what_is_missing_is_named(missing: dict[str, Any], error: str) -> None:
    with DemoProvider(**missing) as demo:
        login = authnb.login(api=demo.api, mode="loopback", view=None, storage=MemoryStorage())
        with pytest.raises(AuthnbError) as caught:
            login.wait(60)
        assert caught.value.error == error
