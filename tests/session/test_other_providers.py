"""The stampede against a provider that authnb did not write: oidc-provider from npm, which revokes families."""

from __future__ import annotations

import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import installed
import pytest
import requests
from bs4 import BeautifulSoup
from demo_session import age, renewer
from token_endpoint_proxy import TokenEndpointProxy
from worker_processes import WorkerProcesses

import authnb
from authnb.errors import LoginRequired, ProviderError
from authnb.storage.files import FileStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.session.session import Session

HELPERS = Path(__file__).parents[1] / "helpers"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    place = installed.from_npm("oidc-provider@9.13.3")
    command = [installed.node(), str(HELPERS / "oidc_provider.mjs")]
    with subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        said = server.stdout.readline().strip()
        try:
            assert said, "the provider did not start; what it said is above"
            yield said
        finally:
            server.terminate()


def visit(url: str) -> None:
    """Sign in and say yes on its pages, up to the redirect to our listener."""
    with requests.Session() as browser:
        page = browser.get(url, timeout=10)
        for _ in range(4):
            if "/callback" in page.url:
                return
            form = BeautifulSoup(page.text, "html.parser").find("form")
            assert form is not None, page.text
            fields = {
                field["name"]: field.get("value", "") for field in form.find_all("input") if field.get("name")
            }
            fields |= {name: "ada" for name in ("login", "password") if name in fields}
            page = browser.post(urljoin(page.url, str(form["action"])), data=fields, timeout=10)
        raise AssertionError(page.url)


def sign_in(issuer: str, token_proxy: TokenEndpointProxy, storage: FileStorage) -> Session:
    provider = replace(authnb.Provider.discover(issuer), token_endpoint=token_proxy.url + "/token")
    login = authnb.login(
        provider,
        client_id="notebook",
        scope="openid offline_access",
        api=issuer,
        mode="loopback",
        view=None,
        storage=storage,
        dpop=False,  # a proof names the token endpoint, and this one is behind a proxy of the tests
    )
    visit(login.verification().uri)
    return login.wait(10)


def test_8_processes_over_several_expiries(issuer: str, tmp_path: Path) -> None:
    """One refresh an expiry, no failure, and the family is alive at the end."""
    with TokenEndpointProxy(issuer) as token_proxy:
        session = sign_in(issuer, token_proxy, FileStorage(tmp_path))
        assert session.get("/me").json()["sub"] == "ada"
        with WorkerProcesses(session, 8, "/me") as workers:
            assert token_proxy.wait_for(len(token_proxy.outcomes) + 4)
            reports = workers.stop()
        assert [failure for report in reports for failure in report["failures"]] == []
        assert [report["refused"] for report in reports] == [0] * 8
        assert sum(report["renewals"] for report in reports) == len(token_proxy.outcomes)
        assert sum(report["early"] for report in reports) == 0
        assert session.get("/me").ok


def test_32_threads(issuer: str, tmp_path: Path) -> None:
    """All at the same moment: one refresh, and 32 of 32 calls succeed."""
    with TokenEndpointProxy(issuer) as token_proxy:
        session = sign_in(issuer, token_proxy, FileStorage(tmp_path))
        age(session)
        start = threading.Barrier(32)

        def call(_: int) -> int:
            start.wait()
            return session.get("/me").status_code

        with ThreadPoolExecutor(32) as pool:
            assert list(pool.map(call, range(32))) == [200] * 32
        assert token_proxy.outcomes == ["pass"]


def test_it_does_revoke_families(issuer: str, tmp_path: Path) -> None:
    """Or the above would show nothing: a used refresh token that comes again ends the newest one too."""
    with TokenEndpointProxy(issuer) as token_proxy:
        session = sign_in(issuer, token_proxy, FileStorage(tmp_path))
        client, first = renewer(session).client, session.token
        newest = client.refresh(client.refresh(first))
        for token in (first, newest):
            with pytest.raises(ProviderError) as caught:
                client.refresh(token)
            assert caught.value.error == "invalid_grant"
        age(session)
        with pytest.raises(LoginRequired):
            session.get("/me")
