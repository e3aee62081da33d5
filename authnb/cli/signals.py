"""Signal handlers for as long as a command runs."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


@contextmanager
def handled(numbers: Iterable[int], handler: Callable[[int, object], object]) -> Iterator[None]:
    """Handle these signals until the block ends; then as before, for processes that are forked later inherit it."""
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, signal.SIG_DFL if previous is None else previous)
