"""A provider that runs somewhere on this computer, and the one that notebooks use."""

from __future__ import annotations

import atexit
import json
import os
import threading
from typing import TYPE_CHECKING
from urllib.request import ProxyHandler, build_opener

from authnb.demo.person import Person

if TYPE_CHECKING:
    from authnb.demo.person import Page


known_issuers: set[str] = set()  # of providers for learning, started here or asked whether they are one


class RunningProvider:
    """The addresses of a provider that answers, and the verbs of the person who uses it."""

    client_id = "notebook"
    issuer: str

    def __init__(self, issuer: str) -> None:
        self._attach(issuer)

    def _attach(self, issuer: str) -> None:
        self.issuer = issuer
        self._person = Person(issuer)

    @property
    def api(self) -> str:
        """The base address of the protected API."""
        return f"{self.issuer}/api"

    def sign_up(self, name: str, password: str) -> None:
        """Create an account as a person does on the page; raises PersonError with what the page says."""
        self._person.sign_up(name, password)

    def visit(self, url: str, *, name: str = "ada", allow: bool = True) -> Page:
        """Open a sign-in link as that person and say yes, or no; follows it to the client and gives its page."""
        return self._person.visit(url, name=name, allow=allow)

    def approve(self, user_code: str, *, name: str = "ada") -> Page:
        """Enter a device's code and say yes."""
        return self._person.approve(user_code, name=name)

    def deny(self, user_code: str, *, name: str = "ada") -> Page:
        """Enter a device's code and say no."""
        return self._person.deny(user_code, name=name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {getattr(self, 'issuer', 'not running')}>"


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
