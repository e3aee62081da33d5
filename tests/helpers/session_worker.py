"""Calls an API with a pickled session until standard input ends, then reports in JSON."""

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

    from authnb.storage.base import Account
    from authnb.storage.files import FileStorage

CALL_INTERVAL = 0.05  # seconds
LEEWAY = 0.5  # seconds; the last quarter of a two-second token


class CountingStorage:
    """A storage that counts the renewals made under its lock, and how many of them were early.

    ``expired``: whether the token stored when the lock was last released had expired; another process may have
    written since.
    """

    def __init__(self, storage: FileStorage) -> None:
        self._storage = storage
        self.load, self.save, self.remove = storage.load, storage.save, storage.remove
        self.expired = False
        self.renewals = self.early = 0

    @contextmanager
    def lock(self, account: Account) -> Iterator[None]:
        """The lock of the wrapped storage."""
        with self._storage.lock(account):
            before = self.load(account)
            try:
                yield
            finally:
                after = self.load(account)
                assert before
                assert after
                self.expired = after.token["expires_at"] <= time.time()
                if after.token["access_token"] != before.token["access_token"]:
                    self.renewals += 1
                    self.early += time.time() < before.token["expires_at"] - LEEWAY


class TimedAdapter(HTTPAdapter):
    """Knows when it last sent a request, and how many it sent for this call."""

    sent_at, count = 0.0, 0

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Send it, and take the time."""
        self.sent_at, self.count = time.time(), self.count + 1
        return super().send(*args, **kwargs)


def expired_in_transit(error: requests.HTTPError) -> bool:
    """Whether the retry was refused too, with a token that was valid when sent and has expired since."""
    expires_at = session.token["expires_at"]
    return (
        error.response.status_code == 401
        and adapter.count > 1
        and adapter.sent_at < expires_at <= time.time()
    )


session = pickle.load(sys.stdin.buffer)  # noqa: S301 - the test that started us wrote it
storage = CountingStorage(session.token_auth.renewer.storage)
session.token_auth.renewer = replace(session.token_auth.renewer, storage=storage)
adapter = TimedAdapter()
session.mount("http://", adapter)
stopped = threading.Event()


def watch_stdin() -> None:
    """Stop when standard input is closed."""
    sys.stdin.buffer.read()
    stopped.set()


threading.Thread(target=watch_stdin, daemon=True).start()


def memory() -> int:
    """Resident memory in kilobytes."""
    gc.collect()
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) for line in lines if line.startswith("VmRSS")), 0)


calls, refused, expired_calls, failures, memory_used = 0, 0, 0, [], []
while not stopped.wait(CALL_INTERVAL):
    calls += 1
    storage.expired, adapter.count = False, 0
    try:
        session.get(sys.argv[1]).raise_for_status()
    except ProviderError as error:
        # With no valid token in any process the call could not have succeeded
        if storage.expired:
            refused += 1
        else:
            failures.append(str(error))
    except requests.HTTPError as error:
        if expired_in_transit(
            error
        ):  # possible on a busy machine, although the token was renewed for this call
            expired_calls += 1
        else:
            failures.append(
                f"{error}, {time.time() - session.token['expires_at']:.1f} s after it expired; request "
                f"{adapter.count}, sent {adapter.sent_at - session.token['expires_at']:.1f} s after"
            )
    except Exception as error:  # noqa: BLE001 - any failure is counted
        failures.append(f"{type(error).__name__}: {error}")
    if calls == 1:
        print("ready", flush=True)
    if calls % 50 == 0:
        memory_used.append(memory())
report = {
    "calls": calls,
    "refused": refused,
    "expired_calls": expired_calls,
    "failures": failures,
    "renewals": storage.renewals,
    "early": storage.early,
    "memory": [*memory_used, memory()],
}
json.dump(report, sys.stdout)
