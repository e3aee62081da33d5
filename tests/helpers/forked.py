"""Runs code in a forked process, as multiprocessing, joblib and data loaders do."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING, Any

from authnb.errors import AuthnbError

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

_TIMEOUT = 60.0  # seconds until a process is taken to hang


class Hangs(Exception):
    """The forked process did not finish."""


def in_fork(work: Callable[[], Any]) -> Any:
    """What ``work`` returns in a forked process; the code of an `AuthnbError` that it raises."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_run, args=(work, sender))
    process.start()
    try:
        if not receiver.poll(_TIMEOUT):
            raise Hangs
        return receiver.recv()
    finally:
        process.kill()
        process.join()
        receiver.close()
        sender.close()


def _run(work: Callable[[], Any], sender: Connection) -> None:
    try:
        sender.send(work())
    except AuthnbError as error:
        sender.send(error.error)
