"""One of several processes that use a stored sign-in: calls the API until its input ends, and reports in JSON."""

from __future__ import annotations

import gc
import json
import pickle
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter

from authnb.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.files import FileStorage
    from authnb.storage import Account

PACE = 0.05  # seconds between two calls
NEAR = 0.5  # seconds; the last quarter of a token that lives two


class Watched:
    """A storage that counts the renewals made under its lock, and those of tokens that were not near their end.

    ``was_over``: what it held when a renewal let go of its lock had ended; later another process may have written.
    """

    def __init__(self, storage: FileStorage) -> None:
        self._storage = storage
        self.load, self.save, self.remove = storage.load, storage.save, storage.remove
        self.was_over = False
        self.renewals = self.too_early = 0

    @contextmanager
    def lock(self, account: Account) -> Iterator[None]:
        """The storage's own."""
        with self._storage.lock(account):
            before = self.load(account)
            try:
                yield
            finally:
                kept = self.load(account)
                assert before
                assert kept
                self.was_over = kept.token["expires_at"] <= time.time()
                if kept.token["access_token"] != before.token["access_token"]:
                    self.renewals += 1
                    self.too_early += time.time() < before.token["expires_at"] - NEAR


class Timed(HTTPAdapter):
    """Knows when it last sent something, and how often for this call."""

    sent, times = 0.0, 0

    def send(self, *arguments: Any, **more: Any) -> requests.Response:
        """The answer."""
        self.sent, self.times = time.time(), self.times + 1
        return super().send(*arguments, **more)


def ended_on_the_way(error: requests.HTTPError) -> bool:
    """Whether the second token of this call was refused too, and it lived when sent and had ended since."""
    ends = session.token["expires_at"]
    return error.response.status_code == 401 and wire.times > 1 and wire.sent < ends <= time.time()


session = pickle.load(sys.stdin.buffer)  # noqa: S301 - the test that started us wrote it
storage = Watched(session.token_auth.keeper.storage)
session.token_auth.keeper = replace(session.token_auth.keeper, storage=storage)
wire = Timed()
session.mount("http://", wire)
over = threading.Event()


def listen() -> None:
    """Nothing more is said to us; but when it ends, so do we."""
    sys.stdin.buffer.read()
    over.set()


threading.Thread(target=listen, daemon=True).start()


def memory() -> int:
    """Kilobytes in use."""
    gc.collect()
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) for line in lines if line.startswith("VmRSS")), 0)


calls, refused, outrun, lost, used = 0, 0, 0, [], []
while not over.wait(PACE):
    calls += 1
    storage.was_over, wire.times = False, 0
    try:
        session.get(sys.argv[1]).raise_for_status()
    except ProviderError as error:
        # If no process had a token that still lived, the call could not have succeeded
        if storage.was_over:
            refused += 1
        else:
            lost.append(str(error))
    except requests.HTTPError as error:
        if ended_on_the_way(error):  # on a busy machine, in spite of a renewal for this call
            outrun += 1
        else:
            lost.append(f"{error}, {time.time() - session.token['expires_at']:.1f} s after its end")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
        lost.append(f"{type(error).__name__}: {error}")
    if calls == 1:
        print("at work", flush=True)
    if calls % 50 == 0:
        used.append(memory())
report = {
    "calls": calls,
    "refused": refused,
    "outrun": outrun,
    "lost": lost,
    "renewals": storage.renewals,
    "too early": storage.too_early,
    "memory": [*used, memory()],
}
json.dump(report, sys.stdout)
