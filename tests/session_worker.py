"""One of several processes that use a stored sign-in: calls the API for a while, and reports."""

from __future__ import annotations

import hashlib
import json
import pickle
import sys
import time

session = pickle.load(sys.stdin.buffer)  # noqa: S301 - the test that started us wrote it
end = time.monotonic() + float(sys.argv[1])
calls, failures, tokens = 0, [], set()
first = session.token["access_token"]
while time.monotonic() < end:
    calls += 1
    try:
        session.get("/stations").raise_for_status()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
        failures.append(f"{type(error).__name__}: {error}")
    if session.token["access_token"] != first:
        tokens.add(hashlib.sha256(session.token["access_token"].encode()).hexdigest()[:12])
    time.sleep(0.05)
json.dump({"calls": calls, "failures": failures, "tokens": sorted(tokens)}, sys.stdout)
