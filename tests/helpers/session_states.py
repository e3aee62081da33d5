"""Each state of a session times each way in: what happens, as docs/states.md has it. Run: rewrites that table."""

from __future__ import annotations

import io
import os
import tempfile
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo_session import SCOPE, age
from token_endpoint_proxy import TokenEndpointProxy

import authnb
from authnb.cli.main import main
from authnb.demo import DemoProvider
from authnb.errors import AuthnbError, LoginFailed, StorageError
from authnb.flows import redirect_uris
from authnb.storage.files import FileStorage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from authnb.session.session import Session
    from authnb.signin.login import Login
    from authnb.storage.base import Account, SignIn

PAGE = Path(__file__).parents[2] / "docs" / "states.md"
DATA, SIGN_IN = "data", "a sign-in, then data"


class FullDisk(FileStorage):
    """Cannot save."""

    def save(self, account: Account, sign_in: SignIn) -> None:  # noqa: ARG002 - the signature of FileStorage
        raise StorageError("not_stored", "No space left.")


@dataclass
class Situation:
    """A session in one of the `STATES`, and how to sign in again."""

    demo: DemoProvider
    proxy: TokenEndpointProxy
    folder: Path
    storage: type[FileStorage] = FileStorage
    mode: str = "loopback"
    login: Login | None = None
    session: Session | None = None

    def start(self) -> Login:
        """Run the cell that signs in, with storage objects as a new kernel has them."""
        provider = authnb.Provider(
            self.demo.issuer,
            authorization_endpoint=self.demo.issuer + "/authorize",
            token_endpoint=self.proxy.url + "/token",
            jwks_uri=self.demo.issuer + "/jwks",
            revocation_endpoint=self.proxy.url + "/revoke",
        )
        job = self.mode == "client_credentials"
        client = {
            "client_id": self.demo.job_client_id if job else self.demo.client_id,
            "client_secret": self.demo.job_client_secret if job else None,
            "scope": "measurements:read" if job else SCOPE,
        }
        options: dict[str, Any] = {"mode": self.mode, "view": None, "api": self.demo.api, **client}
        return authnb.login(provider, storage=self.storage(self.folder), **options)

    def sign_in(self) -> None:
        """Sign in for the first time."""
        self.login = self.start()
        finish(self.demo, self.login)
        self.session = self.login.wait(10)


def finish(demo: DemoProvider, login: Login) -> str:
    """Do what the sign-in asks of a person; what it took, or the error."""
    try:
        demo.visit(login.verification(10).uri, name="ada")
        how = SIGN_IN
    except LoginFailed as error:
        how = DATA if error.error == "not_needed" else f"`{type(error).__name__}`"
    except AuthnbError as error:
        how = f"`{type(error).__name__}`"
    try:
        return how if login.wait(10).get("/measurements").ok else "HTTP error"
    except AuthnbError as error:
        return f"`{type(error).__name__}`"


def renewable(at: Situation) -> None:
    """The access token has expired, and the provider renews it."""
    at.sign_in()
    age(at.session)


def refused(at: Situation) -> None:
    """The provider refuses to renew, and a call found that out."""
    renewable(at)
    at.proxy.outcome = lambda: "bad_refresh_token"
    call(at)


def in_trouble(at: Situation) -> None:
    """The token endpoint answers HTTP 503."""
    renewable(at)
    at.proxy.outcome = lambda: "503"


def not_stored(at: Situation) -> None:
    """The disk was full when the person signed in."""
    at.storage = FullDisk
    renewable(at)


def signed_out(at: Situation) -> None:
    """The session was logged out."""
    at.sign_in()
    at.session.logout()


def from_a_file(at: Situation) -> None:
    """The token came from a file, has been revoked, and the file holds the next one."""
    file = at.folder / "token"
    os.environ["AUTHNB_TOKEN_FILE"] = str(file)
    tokens = []
    for _ in range(2):
        at.sign_in()
        tokens.append(at.session.token["access_token"])
        at.login.switch_account()
        at.login.cancel()
    second = Situation(at.demo, at.proxy, at.folder / "second")
    second.sign_in()
    at.mode = "token"
    file.write_text(tokens[0])
    at.login = at.start()
    at.session = at.login.wait(10)
    file.write_text(second.session.token["access_token"] + "\n")


def client_credentials(at: Situation) -> None:
    """The client signed in for itself, and its token has expired."""
    at.mode = "client_credentials"
    at.sign_in()
    age(at.session)


def call(at: Situation) -> str:
    """Use the session."""
    try:
        return DATA if at.session.get("/measurements").ok else "HTTP error"
    except AuthnbError as error:
        return f"`{type(error).__name__}`"


def cell(at: Situation) -> str:
    """Run the cell that signs in, in the same kernel."""
    return finish(at.demo, at.start())


def panel(at: Situation) -> str:
    """Click "Try again" or "Sign in again"."""
    at.login.start_over()
    return finish(at.demo, at.login)


def new_kernel(at: Situation) -> str:
    """Run the cell that signs in, in a new kernel."""
    at.login = at.session = None
    return finish(at.demo, at.start())


def command_line(at: Situation) -> str:
    """``authnb logout``, then the cell that signs in."""
    output = io.StringIO()
    with redirect_stdout(output):
        main(["status"])
        nobody = main(["logout"]) == 1
    after = finish(at.demo, at.start())
    return f"{'nothing to log out' if nobody else 'logged out'}; {after}"


STATES: dict[str, Callable[[Situation], None]] = {
    "renewable": renewable,
    "refused": refused,
    "in trouble": in_trouble,
    "not stored": not_stored,
    "signed out": signed_out,
    "from a file": from_a_file,
    "from client credentials": client_credentials,
}
WAYS: dict[str, Callable[[Situation], str]] = {
    "a call": call,
    "the cell again": cell,
    "the panel": panel,
    "a new kernel": new_kernel,
    "the command line": command_line,
}


@contextmanager
def situation(demo: DemoProvider, state: str) -> Iterator[Situation]:
    """A session in this state; what was set in the environment is undone."""
    names = ("AUTHNB_HOME", "AUTHNB_TOKEN_FILE", "AUTHNB_INTERACTIVE")
    before = {name: os.environ.get(name) for name in names}
    redirect_uris.forget()  # each situation is a process of its own
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        proxy = stack.enter_context(TokenEndpointProxy(demo.issuer))
        os.environ.update(AUTHNB_HOME=str(folder), AUTHNB_INTERACTIVE="1")
        try:
            at = Situation(demo, proxy, folder)
            STATES[state](at)
            yield at
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def outcome(demo: DemoProvider, state: str, way: str) -> str:
    """What happens in this state on this way; if that is an error, what a sign-in leads to after the outage."""
    with situation(demo, state) as at:
        came = WAYS[way](at)
        if came.endswith("data"):
            return came
        if state == "in trouble":
            at.proxy.outcome = lambda: "pass"
            return f"{came}; after the outage {WAYS['a call' if way == 'a call' else 'the cell again'](at)}"
        return f"{came}; the cell again: {cell(at)}"


def table(demo: DemoProvider) -> str:
    """The table in Markdown."""
    lines = [f"| the session | {' | '.join(WAYS)} |", "| --- |" + " --- |" * len(WAYS)]
    lines += [f"| {state} | {' | '.join(outcome(demo, state, way) for way in WAYS)} |" for state in STATES]
    return "\n".join(lines)


def documented() -> dict[tuple[str, str], str]:
    """The table of docs/states.md, by state and way."""
    rows = [
        line.strip("| \n").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")
    ]
    return {(row[0], way): value for row in rows[2:] for way, value in zip(rows[0][1:], row[1:], strict=True)}


if __name__ == "__main__":
    with DemoProvider() as provider:
        text = PAGE.read_text().partition("| the session")[0] + table(provider) + "\n"
    PAGE.write_text(text)
