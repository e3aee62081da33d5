"""`Session.access_token`: fresh, for one address, and told to nobody else; the roof over the adapters."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from demo_session import age, sign_in

from authnb.adapters.credentials import Adapter, Credentials
from authnb.errors import AuthnbError, LoginRequired

if TYPE_CHECKING:
    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.demo import DemoProvider
    from authnb.session.session import Session


def test_each_token_is_fresh(demo: DemoProvider, session: Session, token_proxy: TokenEndpointProxy) -> None:
    first = session.access_token(demo.api)
    assert session.access_token("/stations") == session.access_token() == first
    age(session)
    second = session.access_token()
    assert second.token == session.token["access_token"] != first.token
    assert second.expires_at == session.token["expires_at"]
    assert token_proxy.outcomes == ["pass"]


def test_it_is_shown_and_pickled_nowhere(session: Session) -> None:
    token = session.access_token()
    assert token.token not in f"{token!r} {token!s}"
    with pytest.raises(TypeError, match=r"in \.token"):
        f"Bearer {token}"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(token)


@pytest.mark.parametrize(
    "url", ["://other.example/", "other.example:443/", "1://other.example", "//other.example"]
)
def test_an_address_without_a_scheme_is_not_the_apis(session: Session, url: str) -> None:
    """A library may name another server so, as gRPC does: this is no path below ``api``."""
    with pytest.raises(AuthnbError, match="was not sent"):
        session.access_token(url)


@pytest.mark.parametrize("url", ["stations", "/stations?at=12:00", "?at=12:00", "#a:b", "", "stations/a:b"])
def test_a_relative_address(session: Session, url: str) -> None:
    assert session.access_token(url).token == session.token["access_token"]


async def test_an_address_outside_api(session: Session) -> None:
    with pytest.raises(AuthnbError, match="is not the API"):
        session.access_token("https://other.example/")
    with pytest.raises(AuthnbError, match="is not the API"):
        await session.access_token_async("https://other.example/")


def test_no_address(demo: DemoProvider) -> None:
    """Without ``api=``, or with several, there is none to assume."""
    for api in (None, [demo.api, "https://other.example"]):
        with pytest.raises(ValueError, match="Name the address"):
            sign_in(demo, api=api).access_token()


def test_a_relative_address_without_api(demo: DemoProvider) -> None:
    with pytest.raises(AuthnbError, match=r"'/stations' names no host, .* sign in with api="):
        sign_in(demo, api=None).access_token("/stations?id=1")


def test_after_logout(session: Session) -> None:
    """Nor does the session hold the token any more."""
    session.access_token()
    token = session.token
    session.logout()
    with pytest.raises(LoginRequired):
        session.access_token()
    assert token["access_token"]
    assert token not in [*vars(session).values(), *vars(session.token_auth).values()]


async def test_the_event_loop_runs_on_while_a_token_is_renewed(
    session: Session, token_proxy: TokenEndpointProxy
) -> None:
    loop_ran = asyncio.Event()
    loop = asyncio.get_running_loop()

    def outcome() -> str:
        """The provider answers once the event loop has run."""
        asyncio.run_coroutine_threadsafe(signal(), loop).result(30)
        return "pass"

    async def signal() -> None:
        loop_ran.set()

    token_proxy.outcome = outcome
    age(session)
    first = session.token["access_token"]
    tokens = await asyncio.gather(*(session.access_token_async() for _ in range(8)))
    assert loop_ran.is_set()
    assert {token.token for token in tokens} == {session.token["access_token"]} != {first}
    assert token_proxy.outcomes == ["pass"]


def test_a_library_that_is_not_installed(session: Session) -> None:
    """Completion, ``inspect`` and ``copy`` pass over it; whoever asks for it reads what to install."""

    class More(Credentials):
        absent = Adapter("absent", "auth", "absent-library>=2")

    credentials = More(session)
    assert "absent" in dir(credentials)
    assert "absent" not in dict(inspect.getmembers(credentials))
    assert copy.copy(credentials).source is session
    with pytest.raises(
        AttributeError, match=r"absent-library is not installed .*pip install 'absent-library>=2'"
    ):
        _ = credentials.absent


def test_a_library_that_is_too_old(session: Session) -> None:
    """Whatever it does when it is used: the version that is needed is told."""

    class More(Credentials):
        outdated = Adapter("httpx", "auth", "requests>=1000")

    with pytest.raises(AttributeError, match=r"requests [\d.]+ is too old\. .*pip install 'requests>=1000'"):
        _ = More(session).outdated


def test_a_library_that_cannot_be_loaded(session: Session) -> None:
    """Without the attribute that an adapter needs, or by an error of its own."""

    class More(Credentials):
        incomplete = Adapter("httpx", "no_such_function", "requests>=2")

    with pytest.raises(AttributeError, match=r"requests [\d.]+ cannot be loaded .*no_such_function"):
        _ = More(session).incomplete


def test_without_any_of_the_libraries() -> None:
    """In a process that has none of them, ``dir``, ``hasattr``, ``inspect`` and ``copy`` trip over nothing."""
    subprocess.run([sys.executable, "-c", WITHOUT_LIBRARIES], check=True)


WITHOUT_LIBRARIES = """
import copy, importlib.abc, inspect, sys

class OnlyOurs(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top != "authnb" and top not in sys.stdlib_module_names and top not in OURS:
            raise ModuleNotFoundError(name, name=name)

import authnb.session.session  # with what authnb itself depends on
from authnb.adapters.credentials import Adapter, Credentials
OURS = {name.partition(".")[0] for name in sys.modules}
sys.meta_path.insert(0, OnlyOurs())

credentials = Credentials("source")
names = {name for name, each in vars(Credentials).items() if isinstance(each, Adapter)}
made_of_nothing = {"confluent_kafka", "openai", "openai_async", "pystac"}  # functions, without an import of theirs
assert names <= set(dir(credentials))
assert {name for name in names if hasattr(credentials, name)} <= made_of_nothing
assert {name for name, _ in inspect.getmembers(credentials)} & names <= made_of_nothing
assert copy.copy(credentials).source == copy.deepcopy(credentials).source == "source"
try:
    credentials.httpx
except AttributeError as error:
    assert "pip install 'httpx>=" in str(error), error
else:
    raise AssertionError
"""
