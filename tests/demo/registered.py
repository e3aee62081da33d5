"""Clients that register themselves at the provider for learning, for its tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from authnb.demo import RunningProvider

METADATA = {
    "client_name": "A notebook",
    "redirect_uris": ["http://127.0.0.1/callback"],
    "grant_types": [
        "authorization_code",
        "refresh_token",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:token-exchange",
    ],
    "token_endpoint_auth_method": "none",
}


def post(demo: RunningProvider, **changes: Any) -> requests.Response:
    """Ask to register METADATA with these changes."""
    return requests.post(f"{demo.issuer}/register", json={**METADATA, **changes}, timeout=20)


def register(demo: RunningProvider, **changes: Any) -> dict[str, Any]:
    """Register, and give the answer."""
    answer = post(demo, **changes)
    assert answer.status_code == 201, answer.text
    return answer.json()


def manage(
    registered: dict[str, Any], method: str = "GET", token: str | None = None, **more: Any
) -> requests.Response:
    """Read, change or delete a registration, with its own token or another."""
    token = registered["registration_access_token"] if token is None else token
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.request(
        method, registered["registration_client_uri"], headers=headers, timeout=20, **more
    )
