"""The logins in ``logins/`` as processes, until they show the link or, with a person, until they exit."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from bench.measuring import HERE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.counted import Counted
    from bench.measuring import Bench

# The page a person opens, to sign in or to enter a code
LINK = re.compile(r"http://127\.0\.0\.1:\d+/(?:authorize|device)\?[^\s\"'<>\\]*")

PEERS = {
    "authnb": "authnb",
    "authlib": "Authlib",
    "msal": "msal",
    "google_auth_oauthlib": "google-auth-oauthlib",
    "requests_oauth2client": "requests-oauth2client",
    "huggingface_hub": "huggingface-hub",
}


def surroundings(demo: Counted, home: str | Path) -> dict[str, str]:
    """The environment variables that the scripts read; they store their files in ``home``."""
    return {
        "ISSUER": demo.issuer,
        "CLIENT_ID": demo.client_id,
        "WEB_CLIENT_ID": demo.web_client_id,
        "WEB_CLIENT_SECRET": demo.web_client_secret,
        "HF_ENDPOINT": demo.issuer,
        "HF_DEVICE_CODE_OAUTH_CLIENT_ID": demo.client_id,
        "HF_HOME": str(home),
        "AUTHNB_HOME": str(home),
        "KEPT": str(home),
        "AUTHNB_INTERACTIVE": "1",
        "BROWSER": "",
        "PYTHONUNBUFFERED": "1",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }


@contextmanager
def running(bench: Bench, script: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """One script of this folder as a process."""
    process = subprocess.Popen(
        [bench.python, str(HERE / script)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def link_of(process: subprocess.Popen[str]) -> str:
    """The first link it shows; `RuntimeError` with its output if there is none within a minute."""
    said = []
    too_late = threading.Timer(60, process.kill)
    too_late.start()
    try:
        for line in process.stdout or ():
            said.append(line)
            if found := LINK.search(line):
                return found[0]
    finally:
        too_late.cancel()
    raise RuntimeError("".join(said))


def seconds_to_link(bench: Bench, demo: Counted, library: str) -> float:
    """Seconds from the start of the process until it shows the link."""
    with tempfile.TemporaryDirectory() as home:
        environment = surroundings(demo, home)
        begin = time.perf_counter()
        with running(bench, f"logins/with_{library}.py", environment) as process:
            link_of(process)
            return time.perf_counter() - begin


def sign_in(bench: Bench, demo: Counted, library: str, home: str | Path) -> None:
    """Seconds from the start of the process to its exit, with a person who consents."""
    with running(bench, f"logins/with_{library}.py", surroundings(demo, home)) as process:
        # msal expects response_mode=form_post, which the provider does not support
        page = demo.visit(link_of(process).replace("&response_mode=form_post", ""))
        if library == "msal":
            parts = urlsplit(page.url)
            answer = build_opener(ProxyHandler({}))
            answer.open(f"http://{parts.netloc}/", parts.query.encode(), timeout=10).close()
        said, _ = process.communicate(timeout=60)
        if process.returncode or "signed in" not in said:
            raise RuntimeError(said)
