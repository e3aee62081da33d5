"""Sign-in and sign-up flows as generators, and the ways in which a callback reaches them.

Imports `oauth`, `transport` and `errors`. Public names are imported when first used (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from authnb.flows.device import device_flow
    from authnb.flows.redirect import loopback_flow, redirect_flow
    from authnb.flows.steps import TIMEOUT, Field, Flow, Form, Pending, Verification, drive

__all__ = [
    "TIMEOUT",
    "Field",
    "Flow",
    "Form",
    "Pending",
    "Verification",
    "device_flow",
    "drive",
    "loopback_flow",
    "redirect_flow",
]

_MODULES = {"device_flow": "device", "loopback_flow": "redirect", "redirect_flow": "redirect"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'steps')}"), name)


def __dir__() -> list[str]:
    return __all__
