"""What other libraries are given is pickled as the session is: by the name of its share."""

from __future__ import annotations

import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests
from demo_session import sign_in

if TYPE_CHECKING:
    from authnb.demo import DemoProvider


def status(url: str, auth: Any) -> int:
    return requests.get(url, auth=auth, timeout=30).status_code


def test_auth_of_requests_in_another_process(demo: DemoProvider) -> None:
    api = sign_in(demo)
    with (
        api.share_with(multiprocessing),
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool,
    ):
        assert pool.submit(status, f"{demo.api}/stations", api.requests_auth).result() == 200


@pytest.mark.parametrize("name", ["aiohttp", "httpx"])
def test_an_adapter_is_of_the_same_session(demo: DemoProvider, name: str) -> None:
    api = sign_in(demo)
    with api.share_with(multiprocessing):
        adapter = getattr(api.credentials, name)
        text = pickle.dumps(adapter)
        copy = pickle.loads(text)  # noqa: S301 - made in the line before
        assert type(copy) is type(adapter)
        assert vars(copy)["_source"] is api
    assert api.token["access_token"].encode() not in text


def test_without_a_share_it_says_how(demo: DemoProvider) -> None:
    with pytest.raises(TypeError, match="share"):
        pickle.dumps(sign_in(demo).requests_auth)
