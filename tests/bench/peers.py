"""How each library calls an API from many threads at once with an expired token.

Runs in an environment of its own (see stampede.py). Reads a job in JSON on standard input: the library, the token file,
URLs, threads. Each library is used as its documentation shows. Prints what succeeded.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Callable

    Call = Callable[[], int]

HTTPS = "https://id.example.org/lab"
SCOPE = "openid profile email measurements:read"


def authlib(job: dict[str, Any], token: dict[str, Any], save: Callable[[dict[str, Any]], None]) -> Call:
    """``update_token`` writes the file."""
    from authlib.integrations.requests_client import OAuth2Session  # noqa: PLC0415 - one peer a process

    session = OAuth2Session(
        job["client_id"],
        token={**token, "expires_at": 1},
        scope=SCOPE,
        token_endpoint=job["token_endpoint"],
        update_token=lambda token, **_: save(dict(token)),
    )
    return lambda: session.get(job["api"]).status_code


def requests_oauthlib(
    job: dict[str, Any], token: dict[str, Any], save: Callable[[dict[str, Any]], None]
) -> Call:
    """``auto_refresh_url`` and ``token_updater``."""
    from requests_oauthlib import OAuth2Session  # noqa: PLC0415 - one peer a process

    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # the provider is on this machine
    session = OAuth2Session(
        job["client_id"],
        token={**token, "expires_in": -30, "expires_at": 1},
        auto_refresh_url=job["token_endpoint"],
        auto_refresh_kwargs={"client_id": job["client_id"]},
        token_updater=save,
    )
    return lambda: session.get(job["api"]).status_code


def google_auth(job: dict[str, Any], token: dict[str, Any], save: Callable[[dict[str, Any]], None]) -> Call:
    """``AuthorizedSession``; the file is written after a call."""
    from google.auth.transport.requests import AuthorizedSession  # noqa: PLC0415 - one peer a process
    from google.oauth2.credentials import Credentials  # noqa: PLC0415 - a peer, perhaps not installed

    credentials = Credentials(
        token["access_token"],
        refresh_token=token["refresh_token"],
        token_uri=job["token_endpoint"],
        client_id=job["client_id"],
        client_secret="",
        expiry=(datetime.now(UTC) - timedelta(hours=1)).replace(tzinfo=None),
    )
    session = AuthorizedSession(credentials)

    def call() -> int:
        status = session.get(job["api"]).status_code
        save({"access_token": credentials.token, "refresh_token": credentials.refresh_token})
        return int(status)

    return call


def requests_oauth2client(
    job: dict[str, Any], token: dict[str, Any], save: Callable[[dict[str, Any]], None]
) -> Call:
    """``OAuth2AccessTokenAuth`` on a bare session."""
    from requests_oauth2client import (  # noqa: PLC0415 - one peer a process
        BearerToken,
        OAuth2AccessTokenAuth,
        OAuth2Client,
        PublicApp,
    )

    client = OAuth2Client(job["token_endpoint"], auth=PublicApp(job["client_id"]), testing=True)
    over = BearerToken(
        access_token=token["access_token"],
        refresh_token=token["refresh_token"],
        expires_at=datetime.now(UTC) - timedelta(hours=1),
    )
    auth = OAuth2AccessTokenAuth(client, over)

    def call() -> int:
        status = requests.get(job["api"], auth=auth, timeout=30).status_code
        save({"access_token": str(auth.token), "refresh_token": auth.token.refresh_token})
        return int(status)

    return call


def msal(job: dict[str, Any], token: dict[str, Any], save: Callable[[dict[str, Any]], None]) -> Call:
    """``acquire_token_silent`` before each call; its cache holds the refresh token."""
    from msal import PublicClientApplication, SerializableTokenCache  # noqa: PLC0415 - one peer a process

    class Through(requests.Session):
        """msal requires https and a path: its requests go to the provider, renewals to the proxy that counts them."""

        def request(self, method: str, url: str, **more: Any) -> requests.Response:  # type: ignore[override] # what msal calls
            """The response, with the provider's URL as msal knows it."""
            real = job["token_endpoint"] if url.endswith("/token") else url.replace(HTTPS, job["issuer"])
            response = super().request(method, real, **more)
            response._content = response.content.replace(job["issuer"].encode(), HTTPS.encode())  # noqa: SLF001 - no setter
            return response

    cache = SerializableTokenCache()
    application = PublicClientApplication(
        job["client_id"], oidc_authority=HTTPS, token_cache=cache, http_client=Through()
    )
    cache.add(
        {
            "client_id": job["client_id"],
            "scope": SCOPE.split(),
            "token_endpoint": HTTPS + "/token",
            "response": {**token, "expires_in": 1},
        }
    )
    (account,) = application.get_accounts()

    def call() -> int:
        found = application.acquire_token_silent_with_error(
            ["measurements:read"], account, force_refresh=job["first"]
        )
        if not found or "access_token" not in found:
            raise RuntimeError(str((found or {}).get("error")))
        headers = {"Authorization": "Bearer " + found["access_token"]}
        refreshed = cache.search("RefreshToken")
        secret = next(iter(refreshed), {}).get("secret", "")
        save({**token, "access_token": found["access_token"], "refresh_token": secret})
        return requests.get(job["api"], headers=headers, timeout=30).status_code

    return call


def authnb(job: dict[str, Any], token: dict[str, Any], save: Callable[[dict[str, Any]], None]) -> Call:  # noqa: ARG001 - it keeps its own
    """A remembered session."""
    import base64  # noqa: PLC0415 - one peer a process
    import pickle  # noqa: PLC0415 - only this peer's

    session = pickle.loads(base64.b64decode(job["session"]))  # noqa: S301 - our own
    return lambda: session.get(job["api"]).status_code


def run(job: dict[str, Any]) -> dict[str, Any]:
    """All threads send a request at the same moment, then one more each, in turn."""
    path = Path(job["file"])
    lock = threading.Lock()

    def save(token: dict[str, Any]) -> None:
        with lock:
            path.write_text(json.dumps(token))

    call = globals()[job["library"]](job, json.loads(path.read_text()), save)
    start = threading.Barrier(job["threads"])
    answers: list[int] = []
    errors: set[str] = set()

    def once() -> None:
        start.wait()
        try:
            answers.append(call())
        except Exception as error:  # noqa: BLE001 - each library fails in its own way
            answers.append(0)
            errors.add(type(error).__name__ if type(error) is not RuntimeError else str(error))

    threads = [threading.Thread(target=once) for _ in range(job["threads"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    job["first"] = False
    try:
        after = call()
    except Exception:  # noqa: BLE001 - as above
        after = 0
    return {"calls": len(answers), "succeeded": answers.count(200), "after": after, "errors": sorted(errors)}


if __name__ == "__main__":
    json.dump(run(json.load(sys.stdin)), sys.stdout)
