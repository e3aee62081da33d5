"""The provider under an address that is not its own: as a service of a JupyterHub, for a class."""

from __future__ import annotations

import pytest
import requests
from support import free_port

import authnb
from authnb.demo import DemoProvider
from authnb.storage.base import MemoryStorage


@pytest.mark.parametrize("mode", ["loopback", "device"])
def test_a_person_signs_up_and_in_below_a_path(mode: str) -> None:
    """Every link, form, redirect and cookie stays below the issuer's path."""
    port = free_port()
    issuer = f"http://127.0.0.1:{port}/services/authnb"
    with DemoProvider(port=port, issuer=f"{issuer}/", device_interval=1) as demo:
        assert (demo.issuer, demo.api) == (issuer, f"{issuer}/api")
        login = authnb.login(
            issuer, client_id=demo.client_id, api=demo.api, mode=mode, view=None, storage=MemoryStorage(),
            scope="openid profile measurements:read",
        )  # fmt: skip
        asked = login.verification()
        page = demo.approve(asked.user_code) if asked.user_code else demo.visit(asked.uri)
        assert all(link.startswith(f"{issuer}/") for link in page.links if mode == "device")
        session = login.wait(30)
        page_of_data = session.get("/measurements?limit=1").json()
        assert session.get(page_of_data["next"]).status_code == 200
        assert page_of_data["next"].startswith(f"{issuer}/api/")
        assert session.logout().revoked == ("refresh_token", "access_token")
        assert requests.get(f"{issuer}/login", timeout=20).cookies.list_paths() == ["/services/authnb"]


def test_behind_https_it_answers_to_that_name_and_its_own() -> None:
    with DemoProvider(port=(port := free_port()), issuer="https://hub.example.org/services/authnb") as demo:
        own = f"http://127.0.0.1:{port}/services/authnb"
        for host, status in {
            "hub.example.org": 200,
            f"127.0.0.1:{port}": 200,
            "evil.example.org": 400,
        }.items():
            answer = requests.get(f"{own}/login", headers={"Host": host}, timeout=20)
            assert answer.status_code == status
        metadata = requests.get(f"{own}/.well-known/openid-configuration", timeout=20).json()
        assert metadata["issuer"] == demo.issuer == "https://hub.example.org/services/authnb"
        assert "Secure" in requests.get(f"{own}/login", timeout=20).headers["Set-Cookie"]
        home = requests.get(f"{own}/", headers={"Host": "hub.example.org"}, timeout=20)
        assert 'href="/services/authnb/signup"' in home.text


@pytest.mark.parametrize(
    "issuer", ["http://hub.example.org", "hub.example.org", "https://", "https://h/?a=b"]
)
def test_no_issuer_that_clients_would_refuse(issuer: str) -> None:
    with pytest.raises(ValueError, match="cannot be an issuer"):
        DemoProvider(issuer=issuer)
