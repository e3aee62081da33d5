"""``authnb agent``: keeps a file with a fresh access token of a remembered sign-in, for jobs that outlive a kernel."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from authnb import compat
from authnb.adapters.source import AccessToken
from authnb.adapters.token_file import next_look, temporary_folder, touch
from authnb.cli.signals import handled
from authnb.cli.status import describe_account, find_sign_ins, nobody
from authnb.errors import AuthnbError, InvalidToken, LoginRequired, StorageError, unexpected_error
from authnb.flows.workload import SECRET, SECRET_FILE, client_key, client_secret, has_secret
from authnb.oauth.client_assertion import check_client_key
from authnb.session.lifetime import read_duration
from authnb.session.session import Session
from authnb.storage.files import FileStorage
from authnb.transport.failures import provider_errors
from authnb.transport.http import provider_session
from authnb.transport.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from authnb.oauth.client import Client
    from authnb.oauth.provider import Provider
    from authnb.storage.base import Account, SignIn

_LOOK = 2.0  # seconds between two looks at the stored sign-in, which authnb logout removes
_LONGEST_PAUSE = 30.0  # seconds between two attempts to renew, while the provider is in trouble
# Seconds between two looks at the clock and at signals: a computer may be suspended; and a signal that another thread
# receives, as after SIGCONT, which Slurm sends before SIGTERM, does not wake the main thread
_CLOCK_LOOK = 1.0
_LINE = 1000  # characters
_BOUND = (
    "The sign-in is bound to a key (DPoP, RFC 9449): a file with its token is no use to a job, which cannot prove "
    "possession of the key. Sign in for jobs with remember=True, dpop=False and a profile= of its own, if the provider "
    "allows that."
)


@dataclass(frozen=True)
class _End:
    """The agent's exit code, and why it ends."""

    code: int
    reason: str


def run(
    provider: str | None, *, profile: str | None, client_id: str | None, duration: str, file: Path | None
) -> int:
    """Keep the file for that long, or until the sign-in ends or a signal ends the process; the exit code.

    Its path is printed once it is there, then what happens, to standard error. Raises `ValueError` for arguments that
    cannot be, and `AuthnbError` if there is no sign-in to use or no place for the file.
    """
    seconds = read_duration(duration)
    storage = FileStorage()
    account, sign_in = _find(storage, provider, profile, client_id)
    if sign_in.token.dpop_key is not None:
        raise AuthnbError("not_supported", _BOUND)
    client = _client(account, sign_in)
    session = Session.from_sign_in(client, sign_in.token, account=account, storage=storage)
    events: SimpleQueue[_End | None] = SimpleQueue()
    with _place(file) as token_file, _ended_by_signals(events):
        keeper = _Keeper(session, client.provider, storage, account, token_file, events)
        threading.Thread(target=keeper.run, name="authnb-agent", daemon=True).start()
        if not (lasts := session.lasts(seconds)):
            _say(lasts.reason)
        end = _await_end(events, token_file.path, seconds)
    _say(f"{end.reason} {token_file.path} {'could not be' if token_file.path.exists() else 'is'} removed.")
    return end.code


def _find(
    storage: FileStorage, provider: str | None, profile: str | None, client_id: str | None
) -> tuple[Account, SignIn]:
    """The one stored sign-in that is meant."""
    found, unreadable = [], None
    for entry in find_sign_ins(storage, provider, profile):
        if isinstance(entry, StorageError):
            unreadable = entry
        elif client_id in {None, entry[0].client_id, entry[1].client_id}:
            found.append(entry)
    if len(found) == 1:
        return found[0]
    if found:
        names = "; ".join(describe_account(*each) for each in found)
        raise ValueError(
            f"Several sign-ins are remembered: {names}. Name one by its issuer, --profile or --client-id."
        )
    if unreadable is not None:
        raise unreadable
    raise LoginRequired(
        "login_required", f"{nobody(provider, profile)} Sign in with remember=True on this computer first."
    )


def _client(account: Account, sign_in: SignIn) -> Client:
    """The client that the kernel signed in with."""
    secret = None
    if sign_in.has_secret and sign_in.client_secret is None:
        if not has_secret(os.environ):
            raise ValueError(
                f"The client {account.client_id} has a secret, which is not stored. Set {SECRET}, or {SECRET_FILE} to "
                "the name of a file with it."
            )
        secret = client_secret(os.environ)
    client = sign_in.client(account, secret)
    if client.client_key is not None:
        client = replace(client, client_key=client_key(os.environ) or client.client_key)
        check_client_key(client)
    return client


def _ended_by_signals(events: SimpleQueue[_End | None]) -> AbstractContextManager[None]:
    """End the agent by the signals that end processes, but for those that are ignored, as nohup(1) does."""

    def end(number: int, _: object) -> None:
        events.put(_End(0, f"{signal.Signals(number).name} ended this."))

    numbers = (signal.SIGINT, *compat.END_SIGNALS)
    return handled([each for each in numbers if signal.getsignal(each) is not signal.SIG_IGN], end)


def _await_end(events: SimpleQueue[_End | None], path: Path, seconds: float) -> _End:
    """Print the path when the file is there; wait until the time is up by either clock, or something ends the agent."""
    wall, steady = time.time() + seconds, time.monotonic() + seconds
    while (left := min(wall - time.time(), steady - time.monotonic())) > 0:
        try:
            event = events.get(timeout=min(left, _CLOCK_LOOK))
        except Empty:
            continue
        if event is not None:
            return event
        with suppress(OSError):  # who started this may have ended
            print(path, flush=True)
    return _End(0, "The time is up.")


class _TokenFile:
    """The file, which only its owner can read. A write replaces it, and is none after `remove`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._removed = False
        self._lock = threading.Lock()

    def write(self, token: str) -> None:
        temporary = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")
        with self._lock:
            if self._removed:
                return
            descriptor = compat.open_private(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            try:
                with open(descriptor, "w", encoding="ascii") as file:  # noqa: PTH123 - opened above with flags
                    file.write(token)
                temporary.replace(self.path)
            except OSError:
                temporary.unlink(missing_ok=True)
                raise

    def remove(self) -> None:
        with self._lock:
            self._removed = True
            with suppress(OSError):
                self.path.unlink(missing_ok=True)


@contextmanager
def _place(given: Path | None) -> Iterator[_TokenFile]:
    """A place for the file, this agent's alone while the block runs; raises `StorageError` if it cannot be that."""
    if given is None:
        folder = temporary_folder()
        file = _TokenFile(folder / "access_token")
        try:
            yield file
        finally:
            file.remove()
            shutil.rmtree(folder, ignore_errors=True)
        return
    from filelock import FileLock, Timeout  # noqa: PLC0415 - slow to load

    path = given.expanduser().absolute()
    _check_folder(path)
    lock_file = path.with_name(f".{path.name}.lock")
    if path.exists() and not lock_file.exists():  # an agent that was killed leaves both
        raise StorageError(
            "not_stored", f"{path} is there and was not made by authnb agent. Name another file."
        )
    lock = FileLock(lock_file, timeout=0, mode=compat.OWNER_ONLY)
    try:
        lock.acquire()
    except Timeout:
        raise StorageError(
            "locked", f"Another agent keeps {path}. Use its file, or end it, or name another file."
        ) from None
    except (OSError, NotImplementedError) as error:
        raise StorageError(
            "not_stored", f"{lock_file} cannot be locked: {error}. Name another file."
        ) from None
    file = _TokenFile(path)
    try:
        yield file
    finally:
        file.remove()
        with suppress(OSError):
            lock_file.unlink()
        lock.release()


def _check_folder(path: Path) -> None:
    """Raise `StorageError` unless a file can be made there that nobody else can replace."""
    probe = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        os.close(compat.open_private(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        probe.unlink()
    except OSError as error:
        raise StorageError(
            "not_private" if isinstance(error, compat.NotPrivateError) else "not_stored",
            f"{error.filename or path.parent} was not used: {error.strerror}. Give --file= in a folder that is there, "
            "is yours, and that nobody else can write to: mkdir -m 700 makes one.",
        ) from None


class _Keeper:
    """Renews the token on a thread, and writes each new one; puts None when the first is written, then the end."""

    def __init__(
        self,
        session: Session,
        provider: Provider,
        storage: FileStorage,
        account: Account,
        file: _TokenFile,
        events: SimpleQueue[_End | None],
    ) -> None:
        self._session, self._storage, self._account = session, storage, account
        self._provider, self._file, self._events = provider, file, events
        self._written: str | None = None
        self._trouble: str | None = None

    def run(self) -> None:
        """Look again and again until the sign-in ends."""
        pause = 0.0
        _synchronize(self._provider)
        while True:
            time.sleep(pause)
            try:
                end = self._look()
            except (LoginRequired, InvalidToken) as error:
                end = _End(1, error.description)
            except (AuthnbError, OSError) as error:  # the provider or the disk: the next look may succeed
                self._report(error)
                pause = min(_LONGEST_PAUSE, max(_LOOK, 2 * pause))
                continue
            except Exception as error:  # noqa: BLE001 - a file that is no longer fresh must not stay
                end = _End(1, unexpected_error("authnb agent", error).description)
            if end is not None:
                self._events.put(end)
                return
            self._trouble = None
            token = AccessToken.from_response(self._session.token)
            pause = min(_LOOK, next_look(self._session, token))

    def _look(self) -> _End | None:
        """Renew the token if it expires soon, and write it if it is new; why the sign-in has ended, if so."""
        stored = self._storage.load(self._account)
        if stored is None:
            return _End(1, "The sign-in was ended: it is not stored any more.")
        if stored.refused:
            return _End(
                1, f"{stored.provider.host} no longer renews the sign-in. Sign in again with remember=True."
            )
        if _subject(stored.token) != _subject(self._session.token):
            return _End(1, f"Somebody else has signed in as profile {self._account.profile!r}.")
        if stored.token.get("issued_at", 0) > self._session.token.get("issued_at", 0):
            self._session.token = stored.token  # another process renewed it
        if self._session.token.dpop_key is not None:
            return _End(1, _BOUND)
        self._session.ensure_active_token()
        token = str(self._session.token["access_token"])
        touch(self._file.path.parent)
        if token != self._written:
            self._file.write(token)
            if self._written is None:
                self._events.put(None)
            self._written = token
        return None

    def _report(self, error: AuthnbError | OSError) -> None:
        """Say what is wrong, once."""
        if isinstance(error, AuthnbError):
            text = error.description
        else:
            text = f"{error.filename or self._file.path} could not be written: {error.strerror}."
        if text != self._trouble:
            _say(f"{text} Trying again.")
        self._trouble = text


def _synchronize(provider: Provider) -> None:
    """Learn the provider's time, by which tokens expire: no API call tells that one has expired early.

    By its token endpoint, whose responses are in no cache, whatever it answers to this.
    """
    operation, address = "Asking for the time", provider.token_endpoint or provider.issuer
    with (
        suppress(AuthnbError),
        provider_errors(operation, address),
        provider_session(provider.response_timeout) as http,
    ):
        sent_at = provider.clock.local_time()
        provider.clock.synchronize(http.get(address).headers.get("Date"), sent_at)


def _subject(token: dict[str, object]) -> object:
    userinfo = token.get("userinfo")
    return userinfo.get("sub") if isinstance(userinfo, dict) else None


def _say(line: str) -> None:
    """Print to standard error, which may have been closed since."""
    with suppress(OSError, ValueError):
        print(printable(line, _LINE), file=sys.stderr, flush=True)
