"""Keeps the cells of a Jupyter kernel apart while a panel sends messages."""

from __future__ import annotations

import sys
import threading
from functools import cache
from typing import Any

from authnb.signin.presence import current_kernel, current_request


def keep_cells_apart() -> None:
    """Let each cell of this kernel end as the request that it is, from the running one on.

    ipykernel 7.4 processes a widget's message beside a cell that awaits something, and afterwards restores that cell's
    request as the current one, even if the next cell has begun meanwhile. The end of that one is then reported for the
    wrong request, and a notebook shows it as running (``[*]``) for ever.
    """
    ipykernel, kernel = sys.modules.get("ipykernel.kernelbase"), current_kernel()
    if ipykernel is not None and isinstance(kernel, ipykernel.Kernel) and hasattr(kernel, "_parent_ident"):
        _register(kernel)


@cache  # once for a kernel
def _register(kernel: Any) -> None:
    # Identity and request of the cell, by thread: a subshell has one of its own
    running: dict[int, tuple[bytes, Any]] = {}

    def begin(*_: object) -> None:
        request = current_request(kernel)
        if request.get("header", {}).get("msg_type") == "execute_request":
            running[threading.get_ident()] = kernel._parent_ident["shell"], request  # noqa: SLF001 - nothing public gives it

    def end(*_: object) -> None:
        identity, request = running.pop(threading.get_ident(), (b"", None))
        if request is not None and current_request(kernel) is not request:
            kernel.set_parent(identity, request)

    begin()
    kernel.shell.events.register("pre_run_cell", begin)
    kernel.shell.events.register("post_run_cell", end)
