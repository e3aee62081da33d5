"""One of several processes that use a stored sign-in: calls the API for a while, and reports in JSON."""

from __future__ import annotations

import gc
import hashlib
import json
import pickle
import sys
import time
from pathlib import Path

from authnb.errors import ProviderError

session = pickle.load(sys.stdin.buffer)  # noqa: S301 - the test that started us wrote it
keeper = session.token_auth.keeper
first = session.token["access_token"]


def was_over() -> bool:
    """Whether no process had a token that still lived: then a failed call could not have succeeded."""
    kept = keeper.storage.load(keeper.account)
    return kept is not None and kept.token["expires_at"] <= time.time()


def memory() -> int:
    """Kilobytes in use."""
    gc.collect()
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) for line in lines if line.startswith("VmRSS")), 0)


begin = time.monotonic()
seconds = float(sys.argv[1])
calls, refused, lost, tokens, used = 0, 0, [], set(), []
while (elapsed := time.monotonic() - begin) < seconds:
    calls += 1
    try:
        session.get("/stations").raise_for_status()
    except ProviderError as error:
        if was_over():
            refused += 1
        else:
            lost.append(str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
        lost.append(f"{type(error).__name__}: {error}")
    if session.token["access_token"] != first:
        tokens.add(hashlib.sha256(session.token["access_token"].encode()).hexdigest()[:12])
    if elapsed > (len(used) + 1) * seconds / 4:
        used.append(memory())
    time.sleep(0.05)
report = {
    "calls": calls,
    "refused": refused,
    "lost": lost,
    "tokens": sorted(tokens),
    "memory": [*used, memory()],
}
json.dump(report, sys.stdout)
