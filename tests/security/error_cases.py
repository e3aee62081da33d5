"""Ways to run into an error, each as a function that gives it. See `errors_page`."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from api_alone import jwt
from behaviour import EVIL, Behaviour, override
from behaviours import BEHAVIOURS
from filelock import FileLock
from network import Network
from provider import CLIENT, Server, as_json
from runner import browse, run
from servers import Server as Api

import authnb
from authnb.errors import AuthnbError, LoginFailed
from authnb.flows.redirect_uris import forget, reserve
from authnb.oauth.access_token import check_audience
from authnb.oauth.client import Client
from authnb.oauth.client_key import read_client_key
from authnb.oauth.dynamic_registration import register
from authnb.oauth.protected_resource import WELL_KNOWN, discover
from authnb.oauth.provider import Provider
from authnb.oauth.responses import Token
from authnb.session.renewal import TokenRenewer
from authnb.storage import owner_only
from authnb.storage.base import Account, MemoryStorage, SignIn
from authnb.storage.files import FileStorage
from authnb.transport.failures import provider_errors
from authnb.transport.http import provider_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ACCOUNT = Account(profile="default", issuer="https://id.example.org", client_id=CLIENT)
SIGN_IN = SignIn(token=Token({"access_token": "at"}), provider=Provider(ACCOUNT.issuer), scope="openid")
PORT = "8765"
API = "https://data.example.org/v1"
ENDPOINTS = {
    "authorization_endpoint": f"{ACCOUNT.issuer}/authorize",
    "token_endpoint": f"{ACCOUNT.issuer}/token",
}


@dataclass(frozen=True)
class ErrorCase:
    """Where errors are run into."""

    server: Server
    folder: Path
    patch: pytest.MonkeyPatch

    def behaviour(self, name: str) -> AuthnbError:
        """What this behaviour of a provider ends in."""
        return self.done(next(behaviour for behaviour in BEHAVIOURS if behaviour.name == name))

    def refused(self, code: str) -> AuthnbError:
        """What it ends in when the token endpoint answers with this code."""
        return self.done(
            Behaviour(name=code, error=code, do=override("token", lambda: as_json({"error": code}, 400)))
        )

    def done(self, behaviour: Behaviour) -> AuthnbError:
        """What a behaviour ends in."""
        error = run(self.server, behaviour).login.error
        assert error is not None
        text = error.description.replace(EVIL, "https://evil.example")
        for mine in {scenario.issuer for scenario in self.server.scenarios.values()}:
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
        return authnb.login(provider, **{**asked, **options})  # type: ignore[arg-type] # as a case has it

    def file(self, name: str, content: bytes, mode: int = 0o600) -> FileStorage:
        """A storage of which one file is this."""
        storage = FileStorage(self.folder)
        storage.save(ACCOUNT, SIGN_IN)
        path = next(self.folder.glob("*" + name))
        path.write_bytes(content)
        path.chmod(mode)
        return FileStorage(self.folder)


def raised(behaviour: Callable[[], object]) -> AuthnbError:
    """What the behaviour raises."""
    with pytest.raises(AuthnbError) as caught:
        behaviour()
    return caught.value


def with_port(error: AuthnbError) -> AuthnbError:
    """The error, with the same port each time."""
    return type(error)(error.error, re.sub(r"(?<=127\.0\.0\.1:)\d+", PORT, error.description))


def interaction_required(case: ErrorCase) -> AuthnbError:
    """Nobody can be asked."""
    case.patch.setenv("AUTHNB_INTERACTIVE", "0")
    return raised(case.login(mode="auto").wait)


def login_required(case: ErrorCase) -> AuthnbError:
    """Nobody is signed in yet."""
    login = case.login()
    try:
        login.verification()
        return raised(lambda: login.session)
    finally:
        login.cancel()


def cancelled(case: ErrorCase) -> AuthnbError:
    """The person gave up."""
    login = case.login()
    login.cancel()
    return raised(login.wait)


def unknown_language(_case: ErrorCase) -> AuthnbError:
    """A language for which there is no catalogue."""
    return raised(lambda: authnb.language("tlh"))


def expired_token(case: ErrorCase) -> AuthnbError:
    """Nobody signed in before the timeout."""
    return with_port(raised(case.login(timeout=1).wait))


def port_in_use(case: ErrorCase) -> AuthnbError:
    """Somebody else listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = raised(case.login(redirect_port=port).wait)
    return type(error)(error.error, error.description.replace(str(port), PORT))


def shared_redirect_uri(case: ErrorCase) -> AuthnbError:
    """Two providers that send no ``iss``."""
    del case
    forget()
    reserve(Provider("https://id.example.edu"), "http://127.0.0.1/callback")
    try:
        return raised(lambda: reserve(Provider(ACCOUNT.issuer), "http://127.0.0.1/callback"))
    finally:
        forget()


def invalid_request(case: ErrorCase) -> AuthnbError:
    """An address that is not ours is pasted."""
    login = case.login()
    try:
        return with_port(raised(lambda: login.submit_redirect("https://id.example.org/somewhere")))
    finally:
        login.cancel()


def not_needed(case: ErrorCase) -> AuthnbError:
    """It was remembered, and nobody need be asked."""
    storage = MemoryStorage()
    storage.save(ACCOUNT, SIGN_IN)
    return raised(case.login(storage=storage, scope="openid").verification)


def not_supported(_: ErrorCase) -> AuthnbError:
    """A provider where nobody can sign up."""
    provider = Provider(ACCOUNT.issuer, **ENDPOINTS)
    return raised(authnb.signup(provider, client_id=CLIENT, view=None, mode="loopback").wait)


def unexpected(case: ErrorCase) -> AuthnbError:
    """A storage with a mistake."""

    class Mistaken(MemoryStorage):
        def load(self, account: Account) -> SignIn | None:
            raise ZeroDivisionError(account)

    error = raised(case.login(storage=Mistaken()).wait)
    words = error.description.split()
    line = words[words.index("line") + 1]
    return type(error)(error.error, error.description.replace(f"line {line}", "line 7"))


def foreign_origin(_: ErrorCase) -> AuthnbError:
    """The token would go to an API it is not for."""
    session = authnb.Session.from_sign_in(
        authnb.Client(SIGN_IN.provider, client_id=CLIENT),
        SIGN_IN.token,
        account=ACCOUNT,
        storage=MemoryStorage(),
        api="https://api.example.org",
    )
    return raised(lambda: session.get("https://elsewhere.example/data"))


def invalid_report(case: ErrorCase) -> AuthnbError:
    """A file is loaded that `Recording.save` did not write."""
    path = case.folder / "shopping.md"
    path.write_text("- bread", encoding="utf-8")
    return raised(lambda: authnb.Recording.load(path))


def insecure_transport(_: ErrorCase) -> AuthnbError:
    """The token would go where it can be read on the way."""
    session = authnb.Session(CLIENT, token={"access_token": "at", "token_type": "Bearer"})
    return raised(lambda: session.get("http://api.example.org/data"))


def timeout(case: ErrorCase) -> AuthnbError:
    """A provider that says nothing."""
    stopped = threading.Event()
    case.server.scenario("silent").overrides["jwks"] = lambda: as_json(stopped.wait(30))

    def ask() -> None:
        with provider_errors("Reading the provider's keys", ACCOUNT.issuer), provider_session() as http:
            http.get(f"{case.server.url}/silent/jwks", timeout=0.1)

    try:
        return raised(ask)
    finally:
        stopped.set()


def tls_error(case: ErrorCase) -> AuthnbError:
    """A certificate of an unknown authority."""
    with Network(case.folder) as network:
        case.patch.setenv("HTTPS_PROXY", network.proxy)
        return raised(lambda: Provider.discover(ACCOUNT.issuer))


def no_metadata(case: ErrorCase) -> AuthnbError:
    """An API that says nothing."""
    return _of_api(case, {"": 200, f"{WELL_KNOWN}/v1": 404, WELL_KNOWN: 404})


def resource_mismatch(case: ErrorCase) -> AuthnbError:
    """An API with the metadata of another."""
    return _of_api(case, {}, resource="https://other.example.org/v1")


def no_registration(_case: ErrorCase) -> AuthnbError:
    """A provider that registers nobody."""
    return raised(lambda: register(Provider(ACCOUNT.issuer), redirect_uris=[]))


def audience_mismatch(_case: ErrorCase) -> AuthnbError:
    """A token for another API."""
    token = jwt({"aud": "https://bank.example.org"})
    return raised(lambda: check_audience(token, API, "id.example.org", "Trading the code for a token"))


def registration_refused(case: ErrorCase) -> AuthnbError:
    """A provider that registers another redirect address than it was asked to."""
    with Network(case.folder) as network:
        case.patch.setenv("HTTPS_PROXY", network.proxy)
        case.patch.setenv("REQUESTS_CA_BUNDLE", network.ca_file)
        answer = {"client_id": CLIENT, "redirect_uris": ["https://evil.example/callback"]}
        network.documents["https://id.example.org:443/register"] = json.dumps(answer).encode(), {}
        provider = Provider(ACCOUNT.issuer, registration_endpoint=f"{ACCOUNT.issuer}/register")
        return raised(lambda: register(provider, redirect_uris=[f"http://127.0.0.1:{PORT}/callback"]))


def _of_api(case: ErrorCase, statuses: dict[str, int], **metadata: str) -> AuthnbError:
    """What asking an API ends in whose addresses answer with these statuses."""
    with Network(case.folder) as network:
        case.patch.setenv("HTTPS_PROXY", network.proxy)
        case.patch.setenv("REQUESTS_CA_BUNDLE", network.ca_file)
        origin = f"{urlsplit(API).scheme}://{urlsplit(API).netloc}:443"
        network.redirects.update(
            {f"{origin}{path or urlsplit(API).path}": (status, "") for path, status in statuses.items()}
        )
        network.documents[f"{origin}{WELL_KNOWN}/v1"] = json.dumps(metadata).encode(), {}
        return raised(lambda: discover(API))


def no_key(case: ErrorCase) -> AuthnbError:
    """The keyring has lost it."""
    return raised(lambda: case.file("key", b"keyring").load(ACCOUNT))


def invalid_client_key(case: ErrorCase) -> AuthnbError:
    """Others can read it."""
    path = case.folder / "client.pem"
    path.write_bytes(b"")
    path.chmod(0o640)
    return raised(lambda: read_client_key(path))


def not_private(case: ErrorCase) -> AuthnbError:
    """The folder is shared with others."""
    (case.folder / "thesis.txt").write_bytes(b"")
    case.folder.chmod(0o775)
    return raised(lambda: FileStorage(case.folder).load(ACCOUNT))


def not_stored(case: ErrorCase) -> AuthnbError:
    """There is a file where the folder should be."""
    (case.folder / "file").write_bytes(b"")
    return raised(lambda: FileStorage(case.folder / "file").save(ACCOUNT, SIGN_IN))


def locked(case: ErrorCase) -> AuthnbError:
    """Another process does not let go."""
    path = str(case.folder / "id.example.org.signin.lock")

    def hold() -> None:
        with owner_only.acquire(FileLock(path, timeout=0)):
            pass

    with FileLock(path):
        return raised(hold)


def forked_process(_: ErrorCase) -> AuthnbError:
    """A token has expired in a forked process."""
    client = Client(SIGN_IN.provider, client_id=CLIENT)
    renewer = TokenRenewer(client=client, account=ACCOUNT, storage=MemoryStorage(), forked=True)
    return raised(lambda: renewer.renew(SIGN_IN.token))


@contextmanager
def case(folder: Path) -> Iterator[ErrorCase]:
    """Where nothing of this machine shows."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "HTTPS_PROXY", "REQUESTS_CA_BUNDLE"):
            patch.delenv(name, raising=False)
        patch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
        yield ErrorCase(stack.enter_context(Server()), folder, patch)


def refused_call(challenge: str) -> Callable[[ErrorCase], AuthnbError]:
    """An API answers with this challenge."""

    def call(case: ErrorCase) -> AuthnbError:
        with Api() as api:
            api.routes["/data"] = lambda _: (403, {"WWW-Authenticate": challenge}, b"")
            error = raised(signed_in(case, api.url).get("data").raise_for_status)
            text = error.description.replace(api.url, "https://api.example.org")
            text = text.replace(api.url.removeprefix("http://"), "api.example.org")
        return type(error)(error.error, text)

    return call


def step_up(case: ErrorCase, claims: dict[str, object], **asked: str) -> AuthnbError:
    """More is asked for, and the provider answers with these claims."""
    session = signed_in(case, None)
    next(iter(case.server.scenarios.values())).claims |= claims
    pending = session.ask_for(**asked)
    browse(pending)
    error = raised(pending.wait)
    return type(error)(error.error, error.description.replace("127.0.0.1", "id.example.org"))


def signed_in(case: ErrorCase, api: str | None) -> authnb.Session:
    """A session of somebody who signed in."""
    scenario = case.server.scenario("signed-in")
    login = authnb.login(
        scenario.issuer, client_id=CLIENT, mode="loopback", view=None, storage=MemoryStorage(), api=api
    )
    browse(login)
    return login.wait(60)


def no_threads(_: ErrorCase) -> AuthnbError:
    """The system refuses a thread to the listener."""
    command = [sys.executable, str(Path(__file__).parents[1] / "helpers" / "no_threads.py")]
    text = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()
    description, _, code = text.removesuffix("]").rpartition(" [")
    return LoginFailed(code, description)


class UnreadableStorage(MemoryStorage):
    """A storage of one's own that does not catch what the system raises."""

    def load(self, account: Account) -> SignIn | None:  # noqa: ARG002 - the protocol's signature
        Path("/").read_bytes()
        return None


def system_error(case: ErrorCase) -> AuthnbError:
    """The system refuses what a storage of one's own does."""
    return raised(case.login(storage=UnreadableStorage()).wait)
