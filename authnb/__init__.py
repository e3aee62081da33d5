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
    from authnb.adapters.source import AccessToken
    from authnb.api import login, signup
    from authnb.cli.checks import Finding
    from authnb.cli.doctor import Findings, doctor
    from authnb.cluster.share import Holder, Share
    from authnb.errors import (
        AuthnbError,
        InteractionRequired,
        InvalidToken,
        LoginFailed,
        LoginRequired,
        LoginTimeout,
        ProviderError,
        ShareError,
        StorageError,
    )
    from authnb.flows.steps import Field, Form, Verification
    from authnb.languages import language
    from authnb.oauth.client import Client
    from authnb.oauth.presets import preset
    from authnb.oauth.provider import Provider
    from authnb.oauth.quirks import Quirks
    from authnb.oauth.responses import Token
    from authnb.recording.recorder import Recording, record
    from authnb.recording.redact import Exchange
    from authnb.session.auth import Headers, TokenAuth
    from authnb.session.lifetime import Lifetime
    from authnb.session.refused import StepUpRequired
    from authnb.session.renewal import SignedOut
    from authnb.session.session import Session
    from authnb.signin.login import Login
    from authnb.signin.modes import LoginMode, SignUpMode, ViewName
    from authnb.storage.base import Account, MemoryStorage, SignIn, TokenStorage
    from authnb.storage.files import FileStorage

_MODULES = {
    "AccessToken": "adapters.source",
    "Account": "storage.base",
    "AuthnbError": "errors",
    "Client": "oauth.client",
    "Exchange": "recording.redact",
    "Field": "flows.steps",
    "FileStorage": "storage.files",
    "Finding": "cli.checks",
    "Findings": "cli.doctor",
    "Form": "flows.steps",
    "Headers": "session.auth",
    "Holder": "cluster.share",
    "InteractionRequired": "errors",
    "InvalidToken": "errors",
    "Lifetime": "session.lifetime",
    "Login": "signin.login",
    "LoginFailed": "errors",
    "LoginMode": "signin.modes",
    "LoginRequired": "errors",
    "LoginTimeout": "errors",
    "MemoryStorage": "storage.base",
    "Provider": "oauth.provider",
    "ProviderError": "errors",
    "Quirks": "oauth.quirks",
    "Recording": "recording.recorder",
    "Session": "session.session",
    "Share": "cluster.share",
    "ShareError": "errors",
    "SignIn": "storage.base",
    "SignUpMode": "signin.modes",
    "SignedOut": "session.renewal",
    "StepUpRequired": "session.refused",
    "StorageError": "errors",
    "Token": "oauth.responses",
    "TokenAuth": "session.auth",
    "TokenStorage": "storage.base",
    "Verification": "flows.steps",
    "ViewName": "signin.modes",
    "demo": "",
    "doctor": "cli.doctor",
    "flows": "",
    "language": "languages",
    "login": "api",
    "preset": "oauth.presets",
    "record": "recording.recorder",
    "signup": "api",
}

__all__ = [
    "AccessToken",
    "Account",
    "AuthnbError",
    "Client",
    "Exchange",
    "Field",
    "FileStorage",
    "Finding",
    "Findings",
    "Form",
    "Headers",
    "Holder",
    "InteractionRequired",
    "InvalidToken",
    "Lifetime",
    "Login",
    "LoginFailed",
    "LoginMode",
    "LoginRequired",
    "LoginTimeout",
    "MemoryStorage",
    "Provider",
    "ProviderError",
    "Quirks",
    "Recording",
    "Session",
    "Share",
    "ShareError",
    "SignIn",
    "SignUpMode",
    "SignedOut",
    "StepUpRequired",
    "StorageError",
    "Token",
    "TokenAuth",
    "TokenStorage",
    "Verification",
    "ViewName",
    "demo",
    "doctor",
    "flows",
    "language",
    "login",
    "preset",
    "record",
    "signup",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'authnb' has no attribute {name!r}")
    home = _MODULES[name]
    if not home:
        return import_module(f"authnb.{name}")
    value = getattr(import_module(f"authnb.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
