"""32 threads, then 8 processes, find the token expired at the same moment.

The provider is the embedded one, with rotation and family revocation. A single thread comes first: if a library fails
there, it is used incorrectly and its figures mean nothing.
"""

from __future__ import annotations

import base64
import json
import pickle
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.measuring import HERE, Goal, Result
from demo_session import SCOPE, age, sign_in
from token_endpoint_proxy import TokenEndpointProxy

from authnb.demo import DemoProvider
from authnb.storage.files import FileStorage

if TYPE_CHECKING:
    from bench.measuring import Bench

PEERS = {
    "authnb": "authnb",
    "authlib": "Authlib",
    "requests_oauthlib": "requests-oauthlib",
    "google_auth": "google-auth",
    "requests_oauth2client": "requests-oauth2client",
    "msal": "msal",
}

HEAD = (
    "library",
    "1 thread: calls",
    "32 threads: refreshes",
    "calls",
    "8 processes: refreshes",
    "calls",
    "next calls",
    "errors",
)


def measure(bench: Bench) -> Result:
    """Each library in turn; counts, which do not depend on the machine's load."""
    found = {library: counts(bench, library) for library, name in PEERS.items() if bench.has(name)}
    ours = found["authnb"]
    return Result(
        title="A token that has just ended, and everybody calls",
        text=(
            "How many renewals reach the provider, which rotates refresh tokens and revokes the family of one that "
            "comes twice, and how many calls succeed. The next calls come one by one, after."
        ),
        head=HEAD,
        rows=[row(bench.version(PEERS[library]), *counted) for library, counted in found.items()],
        goals=[
            Goal(
                what=f"renewals of {how}",
                to_reach="1, no failure",
                measured=f"{run['refreshes']}, {run['calls'] - run['succeeded']} failures",
                reached=run["refreshes"] == 1 and run["calls"] == run["succeeded"],
            )
            for how, run in (("32 threads", ours[1]), ("8 processes", ours[2]))
        ],
    )


def counts(bench: Bench, library: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """One thread alone, many threads, many processes."""
    threads, processes = (2, 2) if bench.tiny else (32, 8)
    with DemoProvider() as demo:
        return (
            stampede(demo, library, bench, 1, 1),
            stampede(demo, library, bench, 1, threads),
            stampede(demo, library, bench, processes, 1),
        )


def stampede(demo: DemoProvider, library: str, bench: Bench, processes: int, threads: int) -> dict[str, Any]:
    """One library, so many processes of so many threads; counts over all."""
    with TokenEndpointProxy(demo.issuer) as token_proxy, tempfile.TemporaryDirectory() as place:
        work = {**job(demo, library, place, token_proxy), "threads": threads}

        def one(_: int) -> dict[str, Any]:
            report: dict[str, Any] = json.loads(bench.run(str(HERE / "peers.py"), input=json.dumps(work)))
            return report

        with ThreadPoolExecutor(processes) as pool:
            runs = list(pool.map(one, range(processes)))
        return {
            "refreshes": len(token_proxy.outcomes),
            "calls": sum(run["calls"] for run in runs),
            "succeeded": sum(run["succeeded"] for run in runs),
            "after": sum(run["after"] == 200 for run in runs),
            "errors": sorted({error for run in runs for error in run["errors"]}),
        }


def job(
    demo: DemoProvider, library: str, place: str, token_proxy: TokenEndpointProxy | None
) -> dict[str, Any]:
    """The job for ``peers.py``: call the API with an expired token."""
    session = sign_in(demo, token_proxy, storage=FileStorage(place), scope=f"{SCOPE} offline_access")
    age(session)
    file = Path(place) / "token.json"
    file.write_text(json.dumps({**session.token, "expires_in": 3600}))
    return {
        "library": library,
        "file": str(file),
        "issuer": demo.issuer,
        "token_endpoint": (token_proxy.url if token_proxy else demo.issuer) + "/token",
        "api": demo.api + "/stations",
        "client_id": demo.client_id,
        "threads": 1,
        "first": True,
        "session": base64.b64encode(pickle.dumps(session)).decode(),
    }


def row(name: str, alone: dict[str, Any], threads: dict[str, Any], processes: dict[str, Any]) -> list[str]:
    """The row of one library."""
    return [
        name,
        f"{alone['succeeded']} of {alone['calls']}",
        str(threads["refreshes"]),
        f"{threads['succeeded']} of {threads['calls']}",
        str(processes["refreshes"]),
        f"{processes['succeeded']} of {processes['calls']}",
        f"{threads['after'] + processes['after']} of {1 + processes['calls']}",
        ", ".join(sorted({*alone["errors"], *threads["errors"], *processes["errors"]})),
    ]
