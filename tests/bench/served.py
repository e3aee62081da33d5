"""What the proxy of `Session.serve` costs a program that reads much through it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import requests
from bench.calls import ours
from bench.measuring import HERE, Goal, Result, interleaved

if TYPE_CHECKING:
    from bench.measuring import Bench

GIGABYTE = 1 << 30
WHY = (
    "Reader, proxy and API share the two cores, over plain http on loopback, where a direct read costs the least that "
    "it can; half of the proxy's time is the system's, which takes each byte in and out. Tried: larger reads, a larger "
    "buffer and uvloop below aiohttp's reader, which gain nothing; buffers of 256 KiB, 512 KiB and 2 MiB."
)


def measure(bench: Bench) -> Result:
    """The same bytes directly and through the proxy, interleaved; API and readers are processes of their own."""
    size = 1 << 20 if bench.tiny else GIGABYTE
    command = [sys.executable, str(HERE / "bulk_api.py"), str(size)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as api:
        try:
            url = (api.stdout or sys.stdin).readline().strip()
            with ours(url).serve() as proxy:
                found = interleaved(
                    {
                        "directly": partial(seconds_to_read, url),
                        "authnb, through serve()": partial(seconds_to_read, proxy.base_url),
                    },
                    bench.times(7),
                )
        finally:
            api.kill()
    ratio = found["directly"].over(found["authnb, through serve()"])
    megabytes = size / 1e6
    return Result(
        title="Reading through the proxy",
        text=f"A response of {megabytes:.0f} MB over plain http on loopback: seconds, and the throughput beside a "
        "direct read.",
        head=("read", "s", "throughput, direct = 1"),
        rows=[
            ("directly", f"{found['directly']:.2f}", "1"),
            ("authnb, through serve()", f"{found['authnb, through serve()']:.2f}", f"{ratio:.2f}"),
        ],
        goals=[
            Goal(
                what="serve(): throughput of 1 GB, direct read = 1",
                to_reach="at least 0.7",
                measured=f"{ratio.median:.2f}",
                reached=ratio.median >= 0.7,
                why=WHY,
            )
        ],
    )


def seconds_to_read(url: str) -> float:
    """Seconds until curl, or where that is not installed this process, has read the response."""
    begin = time.perf_counter()
    if (curl := shutil.which("curl")) is not None:
        subprocess.run([curl, "--silent", "--fail", "--output", "/dev/null", url], check=True)
    else:
        with requests.get(url, stream=True, timeout=60) as response:
            for _ in response.iter_content(1 << 20):
                pass
    return time.perf_counter() - begin
