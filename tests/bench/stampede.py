"""32 threads, then 8 processes, find the token ended at the same moment.

``python tests/bench/stampede.py`` prints what each library does as a table in Markdown. The provider is the
embedded one, with rotation and family revocation. Peers are installed at the versions in requirements.txt into
``.cache/bench``. One thread alone comes first: a library that fails there is not used as it wants to be, and its
figures mean nothing.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import pickle
import platform
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))

from between import Between  # noqa: E402 - found beside us
from signed_in import SCOPE, age, sign_in  # noqa: E402

from authnb.demo import DemoProvider  # noqa: E402
from authnb.files import FileStorage  # noqa: E402

PEERS = {
    "authnb": "authnb",
    "authlib": "Authlib",
    "requests_oauthlib": "requests-oauthlib",
    "google_auth": "google-auth",
    "requests_oauth2client": "requests-oauth2client",
    "msal": "msal",
}


def environment() -> str:
    """The Python of the environment with the peers, made when needed."""
    place = ROOT / ".cache" / "bench"
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wanted = (HERE / "requirements.txt").read_text()
    done = place / "installed.txt"
    if not done.exists() or done.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]
        subprocess.run([str(python), *install, str(HERE / "requirements.txt")], check=True)
        done.write_text(wanted)
    return str(python)


def stampede(demo: DemoProvider, library: str, python: str, processes: int, threads: int) -> dict[str, Any]:
    """One library, so many processes of so many threads; counts over all."""
    with Between(demo.issuer) as between, tempfile.TemporaryDirectory() as place:
        session = sign_in(demo, between, storage=FileStorage(place), scope=f"{SCOPE} offline_access")
        age(session)
        file = Path(place) / "token.json"
        file.write_text(json.dumps({**session.token, "expires_in": 3600}))
        job = {
            "library": library,
            "file": str(file),
            "issuer": demo.issuer,
            "token_endpoint": between.url + "/token",
            "api": demo.api + "/stations",
            "client_id": demo.client_id,
            "threads": threads,
            "first": True,
            "session": base64.b64encode(pickle.dumps(session)).decode(),
        }
        runs = work(sys.executable if library == "authnb" else python, job, processes)
        return {
            "refreshes": len(between.fates),
            "calls": sum(run["calls"] for run in runs),
            "succeeded": sum(run["succeeded"] for run in runs),
            "after": sum(run["after"] == 200 for run in runs),
            "errors": sorted({error for run in runs for error in run["errors"]}),
        }


def work(python: str, job: dict[str, Any], processes: int) -> list[dict[str, Any]]:
    """What each process reports."""

    def one(_: int) -> dict[str, Any]:
        done = subprocess.run(
            [python, str(HERE / "peers.py")],
            input=json.dumps(job),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    with ThreadPoolExecutor(processes) as pool:
        return list(pool.map(one, range(processes)))


def named(library: str, python: str) -> str:
    """The library and its version."""
    name = PEERS[library]
    if library == "authnb":
        return f"authnb {version('authnb')}"
    ask = f"from importlib.metadata import version; print(version({name!r}))"
    done = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True)
    return f"{name} {done.stdout.strip()}"


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


def row(library: str, python: str) -> list[str]:
    """One library's figures."""
    with DemoProvider() as demo:
        alone, threads, processes = (
            stampede(demo, library, python, *size) for size in ((1, 1), (1, 32), (8, 1))
        )
    return [
        named(library, python),
        f"{alone['succeeded']} of 1",
        str(threads["refreshes"]),
        f"{threads['succeeded']} of {threads['calls']}",
        str(processes["refreshes"]),
        f"{processes['succeeded']} of {processes['calls']}",
        f"{threads['after'] + processes['after']} of 9",
        ", ".join(sorted({*alone["errors"], *threads["errors"], *processes["errors"]})),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PEERS, action="append")
    options = parser.parse_args()
    python = environment()

    def say(*cells: str) -> None:
        sys.stdout.write("| " + " | ".join(cells) + " |\n")
        sys.stdout.flush()

    sys.stdout.write(
        f"{time.strftime('%Y-%m-%d')}, Python {platform.python_version()}, {os.cpu_count()} cores\n\n"
    )
    say(*HEAD)
    say(*["---"] * len(HEAD))
    for library in options.only or PEERS:
        say(*row(library, python))


if __name__ == "__main__":
    main()
