"""A sign-in as each library stores it on disk, and the scripts in ``silent/`` that use it in a new process."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.signing_in import surroundings

import authnb
from authnb.storage.files import FileStorage

if TYPE_CHECKING:
    from bench.counted import Counted
    from bench.measuring import Bench

PEERS = {
    "authnb": "authnb",
    "authlib": "Authlib",
    "msal": "msal",
    "google_auth": "google-auth",
    "requests_oauthlib": "requests-oauthlib",
}
SCOPE = "openid profile email measurements:read"
HTTPS = "https://id.example.org/lab"


def keep(bench: Bench, demo: Counted, home: str) -> None:
    """Sign in and store the result in ``home`` for every library."""
    login = authnb.login(
        demo.issuer,
        client_id=demo.client_id,
        scope=SCOPE,
        mode="loopback",
        view=None,
        storage=FileStorage(home),
    )
    demo.visit(login.verification().uri)
    token = dict(login.wait(30).token)
    token.pop("userinfo")
    (Path(home) / "token.json").write_text(json.dumps(token))
    google = {
        "token": token["access_token"],
        "refresh_token": token["refresh_token"],
        "token_uri": demo.issuer + "/token",
        "client_id": demo.client_id,
        "client_secret": "",
        "expiry": datetime.fromtimestamp(token["expires_at"], UTC).replace(tzinfo=None).isoformat() + "Z",
    }
    (Path(home) / "google.json").write_text(json.dumps(google))
    if bench.has("msal"):
        event = {
            "client_id": demo.client_id,
            "scope": ["measurements:read"],
            "token_endpoint": HTTPS + "/token",
            "response": token,
        }
        code = (
            "import json, sys, msal\n"
            "cache = msal.SerializableTokenCache()\n"
            "cache.add(json.load(sys.stdin))\n"
            "print(cache.serialize())"
        )
        (Path(home) / "msal.json").write_text(bench.run("-c", code, input=json.dumps(event)))


def seconds_to_answer(bench: Bench, demo: Counted, library: str, home: str) -> float:
    """Seconds from the start of the process until it has an API response and exits."""
    environment: dict[str, Any] = {**surroundings(demo, home), "API": demo.api}
    begin = time.perf_counter()
    said = bench.run(str(Path(__file__).parent / "silent" / f"with_{library}.py"), **environment)
    seconds = time.perf_counter() - begin
    if said.strip() != "200":
        raise RuntimeError(f"{library}: {said}")
    return seconds
