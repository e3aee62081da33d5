"""Third-party providers, each started in a process of its own on a free port."""

from __future__ import annotations

import json
import subprocess
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import installed
from support import free_port
from window import Window

import authnb
from authnb.storage.base import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.session.session import Session
    from authnb.signin.login import Login

SECRET = "s3cret"
SCOPE = "openid profile email offline_access"
APIS = ("https://api.example.org", "https://archive.example.org")  # as oidc_provider.mjs knows them


@dataclass(frozen=True)
class OtherProvider:
    """A provider that runs, and the clients it knows: ``notebook`` without a secret, ``hub`` with one."""

    name: str
    _: KW_ONLY
    issuer: str
    port: int  # of the one redirect address that every client has
    client: str = "notebook"  # the one that all but the tests of clients use

    def secret(self, client: str) -> str | None:
        """The secret of that client."""
        return None if client == "notebook" else SECRET

    def login(self, client: str | None = None, **options: Any) -> Login:
        """Start a sign-in with a storage of its own."""
        client = client or self.client
        standard = {
            "client_id": client,
            "client_secret": self.secret(client),
            "scope": SCOPE,
            "mode": "loopback",
            "redirect_port": self.port,
            "view": None,
            "storage": MemoryStorage(),
        }
        return authnb.login(options.pop("provider", self.issuer), **(standard | options))

    def sign_in(self, client: str | None = None, *, window: Window | None = None, **options: Any) -> Session:
        """Sign ada in. Remaining options are entered into the provider's forms."""
        entered = {name: options.pop(name) for name in ("withheld",) if name in options}
        login = self.login(client, **options)
        try:
            with window or Window() as person:
                asked = login.verification(60)
                code = {"user_code": asked.user_code} if asked.user_code else {}
                person.visit(asked.uri, **code, **entered)
            return login.wait(60)
        finally:
            login.cancel()


HERE = Path(__file__).parent
CANAILLE, MOCK, OIDC_PROVIDER = (
    "canaille[front,oidc]==0.3.6",
    "oidc-provider-mock==0.3.4",
    "oidc-provider@9.13.3",
)


def _node(*arguments: str) -> tuple[list[str], Path]:
    place = installed.from_npm(OIDC_PROVIDER)
    return [installed.node(), str(HERE / "oidc_provider.mjs"), *arguments], place


def _python(script: str, *arguments: str) -> tuple[list[str], Path]:
    return [installed.from_pypi(CANAILLE, MOCK), "-W", "ignore", str(HERE / script), *arguments], HERE


_COMMANDS = {
    "oidc-provider": _node,
    "oidc-provider, pages of its own": lambda fixed: _node(fixed, "/realms/lab"),
    "canaille": lambda fixed: _python("canaille_server.py", fixed),
    "oidc-provider-mock": lambda _: _python("mock_server.py"),
}
NAMES = tuple(_COMMANDS)


@contextmanager
def running(name: str) -> Iterator[OtherProvider]:
    """The provider of that name, until the end of the block."""
    port = free_port()
    command, place = _COMMANDS[name](f"http://127.0.0.1:{port}/callback")
    with subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert said, f"{name} did not start; what it said is above"
            issuer = json.loads(said)["issuer"]
            stranger = OtherProvider(name, issuer=issuer, port=port)
            # This one knows only clients with a secret
            yield replace(stranger, client="hub") if name == "oidc-provider-mock" else stranger
        finally:
            process.terminate()
