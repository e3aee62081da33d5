"""What a person sees of a view that writes text."""

from __future__ import annotations

import threading
from io import StringIO


class Screen(StringIO):
    """Shows a person the address to open."""

    def __init__(self) -> None:
        super().__init__()
        self.shows_address = threading.Event()

    def write(self, text: str) -> int:
        written = super().write(text)
        if "open this address" in text:
            self.shows_address.set()
        return written
