"""Messages between processes of this machine."""

from __future__ import annotations

import sys
import threading

import pytest

from authnb.cluster.local_socket import _mac

LONG_KEY = bytes(1 << 26)  # takes OpenSSL longer than another thread to wake up


@pytest.fixture
def _no_switch() -> object:
    """A thread that runs Python code goes on until it waits, or lets others run."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(60)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_no_switch")
def test_no_other_thread_runs_while_a_message_is_signed() -> None:
    """One that forks then would copy locks of OpenSSL to a process that waits for them for ever."""
    turns: list[float] = []
    started, over = threading.Event(), threading.Event()

    def run() -> None:
        started.set()
        while not over.wait(0.001):
            turns.append(0)

    other = threading.Thread(target=run)
    other.start()
    started.wait()
    before = len(turns)
    _mac(LONG_KEY, b"request", b"{}")
    after = len(turns)
    over.set()
    other.join()
    assert after == before
