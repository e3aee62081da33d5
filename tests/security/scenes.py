"""Ways to run into an error, each as a function that gives it. See `errors_page`."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from deed import EVIL, Deed, instead
from deeds import DEEDS
from filelock import FileLock
from outcome import played
from provider import CLIENT, Server, as_json
from world import World

import authnb
from authnb import private
from authnb.answers import Token
from authnb.errors import AuthnbError
from authnb.files import FileStorage
from authnb.provider import Provider
from authnb.storage import Account, MemoryStorage, SignIn
from authnb.transport import asking, provider_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ACCOUNT = Account(profile="default", issuer="https://id.example.org", client_id=CLIENT)
SIGN_IN = SignIn(token=Token({"access_token": "at"}), provider=Provider(ACCOUNT.issuer), scope="openid")
PORT = "8765"
ENDPOINTS = {
    "authorization_endpoint": f"{ACCOUNT.issuer}/authorize",
    "token_endpoint": f"{ACCOUNT.issuer}/token",
}


@dataclass(frozen=True)
class Scene:
    """Where errors are run into."""

    server: Server
    folder: Path
    patch: pytest.MonkeyPatch

    def deed(self, name: str) -> AuthnbError:
        """What this deed of a provider ends in."""
        return self.done(next(deed for deed in DEEDS if deed.name == name))

    def refused(self, code: str) -> AuthnbError:
        """What it ends in when the token endpoint answers with this code."""
        return self.done(
            Deed(name=code, error=code, do=instead("token", lambda: as_json({"error": code}, 400)))
        )

    def done(self, deed: Deed) -> AuthnbError:
        """What a deed ends in."""
        error = played(self.server, deed).login.error
        assert error is not None
        text = error.description.replace(EVIL, "https://evil.example")
        for mine in {play.issuer for play in self.server.plays.values()}:
            text = text.replace(mine, "https://id.example.org")
        text = text.replace(self.server.url.removeprefix("http://"), "id.example.org")
        return type(error)(error.error, re.sub(r"(?<!only on )127\.0\.0\.1", "id.example.org", text))

    def login(self, **options: object) -> authnb.Login:
        """A sign-in at a provider that nobody is asked about."""
        provider = Provider(ACCOUNT.issuer, **ENDPOINTS)
        asked: dict[str, object] = {
            "client_id": CLIENT,
            "mode": "loopback",
            "view": None,
            "storage": MemoryStorage(),
        }
        return authnb.login(provider, **{**asked, **options})  # type: ignore[arg-type] # as a scene has it

    def file(self, name: str, content: bytes, mode: int = 0o600) -> FileStorage:
        """A storage of which one file is this."""
        storage = FileStorage(self.folder)
        storage.save(ACCOUNT, SIGN_IN)
        path = next(self.folder.glob("*" + name))
        path.write_bytes(content)
        path.chmod(mode)
        return FileStorage(self.folder)


def raised(deed: Callable[[], object]) -> AuthnbError:
    """What the deed raises."""
    with pytest.raises(AuthnbError) as caught:
        deed()
    return caught.value


def with_port(error: AuthnbError) -> AuthnbError:
    """The error, with the same port each time."""
    return type(error)(error.error, re.sub(r"(?<=127\.0\.0\.1:)\d+", PORT, error.description))


def interaction_required(scene: Scene) -> AuthnbError:
    """Nobody is there."""
    scene.patch.setenv("AUTHNB_INTERACTIVE", "0")
    return raised(scene.login(mode="auto").wait)


def login_required(scene: Scene) -> AuthnbError:
    """Nobody is signed in yet."""
    login = scene.login()
    try:
        login.verification()
        return raised(lambda: login.session)
    finally:
        login.cancel()


def cancelled(scene: Scene) -> AuthnbError:
    """The person gave up."""
    login = scene.login()
    login.cancel()
    return raised(login.wait)


def expired_token(scene: Scene) -> AuthnbError:
    """Nobody came."""
    return with_port(raised(scene.login(timeout=1).wait))


def port_in_use(scene: Scene) -> AuthnbError:
    """Somebody else listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = raised(scene.login(redirect_port=port).wait)
    return type(error)(error.error, error.description.replace(str(port), PORT))


def invalid_request(scene: Scene) -> AuthnbError:
    """An address that is not ours is pasted."""
    login = scene.login()
    try:
        return with_port(raised(lambda: login.submit_redirect("https://id.example.org/somewhere")))
    finally:
        login.cancel()


def not_needed(scene: Scene) -> AuthnbError:
    """It was remembered, and nobody need be asked."""
    storage = MemoryStorage()
    storage.save(ACCOUNT, SIGN_IN)
    return raised(scene.login(storage=storage, scope="openid").verification)


def not_supported(_: Scene) -> AuthnbError:
    """A provider where nobody can sign up."""
    provider = Provider(ACCOUNT.issuer, **ENDPOINTS)
    return raised(authnb.signup(provider, client_id=CLIENT, view=None, mode="loopback").wait)


def unexpected(scene: Scene) -> AuthnbError:
    """A storage with a mistake."""

    class Mistaken(MemoryStorage):
        def load(self, account: Account) -> SignIn | None:
            raise ZeroDivisionError(account)

    error = raised(scene.login(storage=Mistaken()).wait)
    words = error.description.split()
    line = words[words.index("line") + 1]
    return type(error)(error.error, error.description.replace(f"line {line}", "line 7"))


def foreign_origin(_: Scene) -> AuthnbError:
    """The token would go to an API it is not for."""
    session = authnb.Session.signed_in(
        authnb.Client(SIGN_IN.provider, client_id=CLIENT),
        SIGN_IN.token,
        account=ACCOUNT,
        storage=MemoryStorage(),
        api="https://api.example.org",
    )
    return raised(lambda: session.get("https://elsewhere.example/data"))


def insecure_transport(_: Scene) -> AuthnbError:
    """The token would go where it can be read on the way."""
    session = authnb.Session(CLIENT, token={"access_token": "at", "token_type": "Bearer"})
    return raised(lambda: session.get("http://api.example.org/data"))


def timeout(scene: Scene) -> AuthnbError:
    """A provider that says nothing."""
    stopped = threading.Event()
    scene.server.play("silent").instead["jwks"] = lambda: as_json(stopped.wait(30))

    def ask() -> None:
        with asking("Reading the provider's keys", ACCOUNT.issuer), provider_session() as http:
            http.get(f"{scene.server.url}/silent/jwks", timeout=0.1)

    try:
        return raised(ask)
    finally:
        stopped.set()


def tls_error(scene: Scene) -> AuthnbError:
    """A certificate that nobody here knows."""
    with World(scene.folder) as world:
        scene.patch.setenv("HTTPS_PROXY", world.proxy)
        return raised(lambda: Provider.discover(ACCOUNT.issuer))


def no_key(scene: Scene) -> AuthnbError:
    """The keyring has lost it."""
    return raised(lambda: scene.file("key", b"keyring").load(ACCOUNT))


def not_stored(scene: Scene) -> AuthnbError:
    """There is a file where the folder should be."""
    (scene.folder / "file").write_bytes(b"")
    return raised(lambda: FileStorage(scene.folder / "file").save(ACCOUNT, SIGN_IN))


def locked(scene: Scene) -> AuthnbError:
    """Another process does not let go."""
    path = str(scene.folder / "id.example.org.signin.lock")

    def hold() -> None:
        with private.held(FileLock(path, timeout=0)):
            pass

    with FileLock(path):
        return raised(hold)


@contextmanager
def scene(folder: Path) -> Iterator[Scene]:
    """Where nothing of this machine shows."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "HTTPS_PROXY", "REQUESTS_CA_BUNDLE"):
            patch.delenv(name, raising=False)
        patch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
        yield Scene(stack.enter_context(Server()), folder, patch)
