"""Signs in repeatedly and reports when each sign-in is done. Arguments: the mode, the number of sign-ins.

Prints a line in JSON for each ``Verification``, then one with the time (``time.monotonic``, the same in all
processes) at which ``await`` returned. A line on standard input starts the next.
"""

import asyncio
import json
import os
import sys
import time

import authnb
from authnb.storage.base import MemoryStorage


async def main() -> None:
    for _ in range(int(sys.argv[2])):
        login = authnb.login(
            os.environ["ISSUER"],
            client_id=os.environ["CLIENT_ID"],
            mode=sys.argv[1],
            view=None,
            storage=MemoryStorage(),
        )
        asked = await asyncio.to_thread(login.verification)
        print(json.dumps([asked.uri, asked.user_code]), flush=True)
        await login
        print(json.dumps(time.monotonic()), flush=True)
        sys.stdin.readline()


asyncio.run(main())
