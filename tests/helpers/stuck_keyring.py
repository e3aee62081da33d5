"""A keyring that never answers, as one does whose daemon hangs: ``PYTHON_KEYRING_BACKEND=stuck_keyring.Keyring``."""

from __future__ import annotations

import threading

from keyring.backends.null import Keyring as Nothing


class Keyring(Nothing):
    """Whoever asks for it waits."""

    def __init__(self) -> None:
        threading.Event().wait()
