"""Begins a sign-in where Python runs in a browser: its platform, and no thread to be had. Prints the error."""

from __future__ import annotations

import resource
import sys
import threading

import authnb
from authnb.errors import AuthnbError

authnb.login("https://id.example.org", client_id="c", view=None, mode="device").cancel()  # all is imported
threading.stack_size(1 << 30)
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, resource.RLIM_INFINITY))
sys.platform = "emscripten"
try:
    authnb.login("https://id.example.org", client_id="c", view=None, mode="device").wait()
except AuthnbError as error:
    print(error)
