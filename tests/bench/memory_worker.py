"""Signs in with the given script, then sends requests and renews; prints its peak memory in KiB.

Arguments: the script, the number of requests and of renewals. Prints after the login and each quarter of the requests.
"""

import os
import resource
import runpy
import sys
import time
from pathlib import Path

done = runpy.run_path(sys.argv[1])
calls, renewals = int(sys.argv[2]), int(sys.argv[3])
session = done.get("api") or done["session"]
api = os.environ["API"]


def notify() -> None:
    # Where there is no /proc, ru_maxrss; elsewhere that may be the parent's
    status = Path("/proc/self/status")
    if status.exists():
        used = next(
            int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")
        )
    else:
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print("memory", used, flush=True)


def end_token() -> None:
    if "api" in done:
        from authnb.oauth.responses import Token  # noqa: PLC0415 - not where Authlib is measured alone

        session.token = Token({**session.token, "expires_at": int(time.time()) - 1})
    else:
        session.token["expires_at"] = 1


session.get(api)
notify()
for _ in range(4):
    for call in range(calls // 4):
        if call % (calls // renewals) == 0:
            end_token()
        session.get(api)
    notify()
