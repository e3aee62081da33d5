"""A real OpenID Provider with a protected API, for learning and for tests. It listens on this computer only.

    with DemoProvider() as demo:
        print(demo.issuer, demo.client_id, demo.api)

It stands alone: nothing else of authnb is imported here, so each side tests the other.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from authnb.demo.person import Person, PersonError
    from authnb.demo.running import RunningProvider
    from authnb.demo.server import DemoProvider, PortInUse
    from authnb.demo.shared import demo_provider

__all__ = ["DemoProvider", "Person", "PersonError", "PortInUse", "RunningProvider", "demo_provider"]

_HOMES = {
    "DemoProvider": "server",
    "PortInUse": "server",
    "Person": "person",
    "PersonError": "person",
    "RunningProvider": "running",
    "demo_provider": "shared",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
