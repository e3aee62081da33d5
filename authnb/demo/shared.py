"""The provider that notebooks use: that of `authnb lab`, else one for this process."""

from __future__ import annotations

import atexit
import json
import os
import threading
from urllib.request import ProxyHandler, build_opener

from authnb.demo.running import RunningProvider, known_issuers

_lock = threading.Lock()
_own: RunningProvider | None = None


def demo_provider() -> RunningProvider:
    """Give the provider of `authnb lab` if there is one (`AUTHNB_DEMO`), else one of this process, started once."""
    issuer = os.environ.get("AUTHNB_DEMO", "").rstrip("/")
    if issuer and _is_for_learning(issuer):
        known_issuers.add(issuer)
        return RunningProvider(issuer)
    global _own  # noqa: PLW0603 - one for the process
    with _lock:
        if _own is None:
            from authnb.demo.server import DemoProvider  # noqa: PLC0415  heavy, and not needed in a lab

            own = DemoProvider().start()
            atexit.register(own.close)
            _own = own
        return _own


def _is_for_learning(issuer: str) -> bool:
    """Whether such a provider answers there, and not another one, or a tunnel to one."""
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(f"{issuer}/.well-known/openid-configuration", timeout=2) as response:
            metadata = json.load(response)
    except (OSError, ValueError):
        return False
    if not isinstance(metadata, dict):
        return False
    return metadata.get("issuer") == issuer and metadata.get("authnb_demo") is True
