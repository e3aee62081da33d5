"""A sign-in shared with processes of this machine: they have access tokens, and this process renews them."""

from __future__ import annotations

import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from demo_session import age, sign_in
from forked import in_fork

import authnb

if TYPE_CHECKING:
    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.demo import DemoProvider

# From Python 3.12 on, of every fork in a process with threads
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


def status(api: Any, path: str) -> int:
    return int(api.get(path).status_code)


def members(api: Any) -> set[str]:
    """The names of what a task has of the token."""
    api.get("/stations")
    return set(api.token)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_tasks_of_a_pool_outlive_their_token(
    demo: DemoProvider, token_proxy: TokenEndpointProxy, method: str
) -> None:
    """It is renewed once for all of them, here."""
    api = sign_in(demo, token_proxy)
    context = multiprocessing.get_context(method)
    with api.share_with(multiprocessing), ProcessPoolExecutor(2, mp_context=context) as pool:
        assert set(pool.map(status, [api] * 8, ["/stations"] * 8)) == {200}
        assert token_proxy.outcomes == []
        age(api)
        assert set(pool.map(status, [api] * 8, ["/stations"] * 8)) == {200}
        assert "refresh_token" not in pool.submit(members, api).result()


def test_what_is_pickled_is_a_name(demo: DemoProvider) -> None:
    api = sign_in(demo)
    with api.share_with(multiprocessing):
        text = pickle.dumps(api)
    assert not any(
        str(api.token[name]).encode() in text for name in ("access_token", "refresh_token", "id_token")
    )


def test_in_this_process_the_name_is_the_session(demo: DemoProvider) -> None:
    api = sign_in(demo)
    with api.share_with(multiprocessing):
        assert pickle.loads(pickle.dumps(api)) is api  # noqa: S301 - made in this line


def test_a_forked_child_has_its_token_renewed(demo: DemoProvider, token_proxy: TokenEndpointProxy) -> None:
    """Which fails without a share (tests/session/test_fork.py)."""
    api = sign_in(demo, token_proxy)
    with api.share_with(multiprocessing):
        age(api)
        assert in_fork(lambda: (api.get("/stations").status_code, "refresh_token" in api.token)) == (
            200,
            False,
        )
        assert token_proxy.outcomes == ["pass"]


def test_after_the_end_a_call_says_so(demo: DemoProvider) -> None:
    """Whoever ended it."""
    api = sign_in(demo)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        share = api.share_with(multiprocessing)
        text = pickle.dumps(api)
        assert pool.submit(status, api, "/stations").result() == 200
        share.close()
        with pytest.raises(authnb.ShareError, match="share_"):
            pool.submit(_status_of, text).result()


def _status_of(text: bytes) -> int:
    return status(pickle.loads(text), "/stations")  # noqa: S301 - of this test
