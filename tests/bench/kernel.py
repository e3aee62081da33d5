"""The first cell of a new kernel, until it shows the link."""

from __future__ import annotations

import os
import tempfile
import time
from typing import TYPE_CHECKING

from bench.measuring import HERE
from bench.signing_in import LINK, surroundings
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from bench.counted import Counted
    from bench.measuring import Bench

_CELL = """
import os
import authnb
api = await authnb.login(os.environ["ISSUER"], client_id=os.environ["CLIENT_ID"], mode="loopback", view={view!r})
"""
_CELLS = {"authnb_panel": _CELL.format(view="panel"), "authnb": _CELL.format(view="text")}


def seconds_to_link(bench: Bench, demo: Counted, library: str) -> float:
    """Seconds from sending the cell until any message with the link arrives at the front end."""
    script = HERE / "logins" / f"with_{library}.py"
    code = _CELLS.get(library) or script.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as home:
        manager = KernelManager()
        manager._kernel_spec = KernelSpec(  # noqa: SLF001 - a kernel that is not installed anywhere
            argv=[bench.python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        )
        manager.start_kernel(env={**os.environ, **surroundings(demo, home)})
        client = manager.client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=60)
            client.execute("0", reply=True)  # what comes once has come
            begin = time.perf_counter()
            client.execute(code)
            while True:
                message = client.get_iopub_msg(timeout=60)
                if message["msg_type"] != "execute_input" and LINK.search(str(message["content"])):
                    return time.perf_counter() - begin
                if message["msg_type"] == "error":
                    raise RuntimeError(message["content"]["evalue"])
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
