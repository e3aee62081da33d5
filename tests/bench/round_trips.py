"""Requests to the provider."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from typing import TYPE_CHECKING

from bench import remembered, signing_in, stampede
from bench.counted import Counted
from bench.measuring import HERE, Goal, Result

if TYPE_CHECKING:
    from bench.measuring import Bench

REACH = {"cold login": 3, "warm login": 1, "second process": 0, "refresh": 1}
_TOLD = {
    "/.well-known/openid-configuration": "metadata",
    "/jwks": "keys",
    "/token": "token",
    "/userinfo": "who",
}


def measure(bench: Bench) -> Result:
    """Every library signs in twice in new processes, then uses the stored sign-in in another, then renews it."""
    rows, ours = [], {}
    for library, name in {**signing_in.PEERS, **remembered.PEERS}.items():
        # The Hub asks until the person is done; google-auth is what google-auth-oauthlib signs in for
        if library in {"huggingface_hub", "google_auth"} or not bench.has(name):
            continue
        with Counted() as demo, tempfile.TemporaryDirectory() as home:
            counted = counts(bench, demo, library, home)
        ours = ours or counted
        rows.append([bench.version(name), *(told(counted.get(what)) for what in REACH)])
    return Result(
        title="Requests to the provider",
        text=(
            "Requests of the client until it is signed in, in new processes; the browser's are not counted. The "
            "provider lets its metadata and keys be kept for an hour. authnb, Authlib (by hand) and "
            "requests-oauth2client check the ID token's signature; google-auth-oauthlib is given the addresses."
        ),
        head=("library", *REACH),
        rows=rows,
        goals=[
            Goal(
                what=f"requests to the provider: {what}",
                to_reach=str(most),
                measured=str(len(ours[what])),
                reached=len(ours[what]) <= most,
            )
            for what, most in REACH.items()
        ],
    )


def counts(bench: Bench, demo: Counted, library: str, home: str) -> dict[str, list[str]]:
    """The requests in each case, without the cases a library does not support."""
    found = {}

    def asked(what: str) -> None:
        found[what] = [_TOLD.get(path, path) for path in demo.asked]
        demo.asked.clear()

    if library in signing_in.PEERS:
        for what in ("cold login", "warm login"):
            signing_in.sign_in(bench, demo, library, home)
            asked(what)
    library = "google_auth" if library == "google_auth_oauthlib" else library
    if library in remembered.PEERS:
        remembered.keep(bench, demo, home)
        demo.asked.clear()
        remembered.seconds_to_answer(bench, demo, library, home)
        asked("second process")
    if library in stampede.PEERS:
        job = stampede.job(demo, library, home, None)
        demo.asked.clear()
        bench.run(str(HERE / "peers.py"), input=json.dumps(job))
        asked("refresh")
    return found


def told(asked: list[str] | None) -> str:
    """``3 (metadata, keys, token)``."""
    if asked is None:
        return ""
    each = [f"{name} {n} times" if n > 1 else name for name, n in Counter(asked).items()]
    return f"{len(asked)} ({', '.join(each)})" if asked else "0"
