"""Sign in and sign up from a Jupyter notebook with OAuth 2.0 and OpenID Connect.

::

    import authnb

    api = await authnb.login("https://id.example.org", client_id="my-notebook", api="https://api.example.org")
    api.get("/measurements").json()

Public names are imported when first used (PEP 562): ``import authnb`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as typing has it, which takes longer to load than this module

if TYPE_CHECKING:
    from typing import Any

    from authnb import demo, flows
    from authnb.api import login, signup
    from authnb.client import Client
    from authnb.diagnosis import doctor
    from authnb.errors import (
        AuthnbError,
        InteractionRequired,
        InvalidToken,
        LoginFailed,
        LoginRequired,
        ProviderError,
        StorageError,
    )
    from authnb.flows import Verification
    from authnb.presets import preset
    from authnb.provider import Provider
    from authnb.quirks import Quirks
    from authnb.record import record
    from authnb.session import Session
    from authnb.signin import Login
    from authnb.storage import TokenStorage

_HOME = {
    "login": "api",
    "signup": "api",
    "Client": "client",
    "doctor": "diagnosis",
    "AuthnbError": "errors",
    "InteractionRequired": "errors",
    "InvalidToken": "errors",
    "LoginFailed": "errors",
    "LoginRequired": "errors",
    "ProviderError": "errors",
    "StorageError": "errors",
    "Verification": "flows",
    "Login": "signin",
    "Provider": "provider",
    "Quirks": "quirks",
    "preset": "presets",
    "Session": "session",
    "TokenStorage": "storage",
    "record": "record",
    "demo": "",
    "flows": "",
}

__all__ = [
    "AuthnbError",
    "Client",
    "InteractionRequired",
    "InvalidToken",
    "Login",
    "LoginFailed",
    "LoginRequired",
    "Provider",
    "ProviderError",
    "Quirks",
    "Session",
    "StorageError",
    "TokenStorage",
    "Verification",
    "demo",
    "doctor",
    "flows",
    "login",
    "preset",
    "record",
    "signup",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'authnb' has no attribute {name!r}")
    home = _HOME[name]
    if not home:
        return import_module(f"authnb.{name}")
    value = getattr(import_module(f"authnb.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
