"""Processes that are killed (SIGKILL) while they save or renew, and what their successors find.

``steps``: at each line in turn. ``saves COUNT``, ``renewals COUNT``: at random moments; a pickled session comes on
standard input. A report in JSON goes to standard output.
"""

from __future__ import annotations

import json
import os
import pickle
import random
import select
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import authnb
from authnb.errors import LoginRequired, ProviderError
from authnb.oauth.provider import Provider
from authnb.oauth.responses import Token
from authnb.storage.base import Account, SignIn
from authnb.storage.files import FileStorage

if TYPE_CHECKING:
    from collections.abc import Callable

ACCOUNT = Account(profile="default", issuer="https://id.example.org", client_id="notebook")
AUTHNB = str(Path(authnb.__file__).parent)


def sign_in(number: int) -> SignIn:
    """A sign-in that can be told from others."""
    token = Token({"access_token": f"a{number}", "number": number})
    return SignIn(token=token, provider=Provider(ACCOUNT.issuer), scope="openid")


def number(files: FileStorage) -> int:
    """The number of what is stored, 0 for nothing; anything unreadable raises."""
    kept = files.load(ACCOUNT)
    return kept.token["number"] if kept else 0


def child(action: Callable[[], None]) -> int:
    """The process id of one that does this, then ends."""
    pid = os.fork()
    if pid == 0:
        try:
            action()
        except BaseException:  # noqa: BLE001 - nothing of this process may go on in the other
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return pid


def was_killed(pid: int) -> bool:
    """Wait for its end."""
    status = os.waitpid(pid, 0)[1]
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise RuntimeError("the child failed")
    return os.WIFSIGNALED(status)


def kill_after(seconds: float, action: Callable[[], None]) -> None:
    """Do this in another process, and kill it so long after it began, in the midst of it."""
    said, says = os.pipe()

    def begin() -> None:
        os.write(says, b"begun")
        action()

    pid = child(begin)
    os.close(says)
    os.read(said, 5)
    early = select.select([said], [], [], seconds)[0]
    os.kill(pid, signal.SIGKILL)
    os.close(said)
    if not was_killed(pid) or early:
        raise RuntimeError("the child ended by itself")


def took(action: Callable[[], None]) -> float:
    """Seconds it takes here and now, so that a kill can come in the midst of it."""
    begun = time.monotonic()
    action()
    return time.monotonic() - begun


def kill_at(line: int) -> None:
    """From now on, count lines of authnb; at this one the process is killed."""
    left = [line]

    def trace(frame: Any, event: str, _: Any) -> Any:
        if event == "call" and not frame.f_code.co_filename.startswith(AUTHNB):
            return None
        if event == "line":
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)


def steps(directory: Path) -> dict[str, Any]:
    """Kill at each line of a first save (it makes the key) and of a later one."""
    report = {}
    for kind in ("first", "later"):
        found = {0: 0, 1: 0, 2: 0}
        line = 0
        killed = True
        while killed:
            line += 1
            files = FileStorage(directory / f"{kind}-{line}")
            if kind == "later":
                files.save(ACCOUNT, sign_in(1))

            def save(files: FileStorage = files, line: int = line) -> None:
                kill_at(line)
                with files.lock(ACCOUNT):
                    files.save(ACCOUNT, sign_in(2))
                sys.settrace(None)

            killed = was_killed(child(save))
            found[number(FileStorage(directory / f"{kind}-{line}"))] += 1
            files.save(ACCOUNT, sign_in(3))
            if number(files) != 3:
                raise RuntimeError("what was saved after a kill is not there")
        report[kind] = {"steps": line - 1, "found": found}
    if report["later"]["found"][0]:
        raise RuntimeError("a sign-in was lost")
    return report


def saves(directory: Path, count: int) -> dict[str, Any]:
    """Kill at random moments of many saves in a row."""
    FileStorage(directory).save(ACCOUNT, sign_in(0))
    one = took(lambda: FileStorage(directory).save(ACCOUNT, sign_in(1)))
    before, written = 1, 0
    chance = random.Random(4)  # noqa: S311 - reproducible
    for _ in range(count):

        def save(start: int = before) -> None:
            for following in range(start + 1, start + 10_000):
                FileStorage(directory).save(ACCOUNT, sign_in(following))

        kill_after(chance.uniform(0, 3 * one), save)
        after = number(FileStorage(directory))
        if after < before:
            raise RuntimeError("an older sign-in came back")
        written += after - before
        before = after
    return {"kills": count, "saved": written, "unreadable": 0}


def renewals(count: int) -> dict[str, Any]:
    """Kill at random moments of many renewals in a row; the parent then signs in again only where it must."""
    session = pickle.load(sys.stdin.buffer)  # noqa: S301 - the test that started us wrote it
    renewer = session.token_auth.renewer
    chance = random.Random(4)  # noqa: S311 - reproducible
    ask_again = renewed = 0
    one = took(lambda: renewer.renew(session.token))
    session.token = renewer.storage.load(renewer.account).token
    for _ in range(count):

        def renew() -> None:
            while True:
                session.token, _ = renewer.renew(session.token)

        kill_after(chance.uniform(0, 3 * one), renew)
        kept = renewer.storage.load(renewer.account)
        renewed += kept.token["access_token"] != session.token["access_token"]
        session.token = kept.token
        try:
            session.token, _ = renewer.renew(session.token)
            session.get("/stations").raise_for_status()
        except LoginRequired:
            ask_again += 1
            renewer.storage.save(renewer.account, next_sign_in(kept))
            session.token = renewer.storage.load(renewer.account).token
            session.get("/stations").raise_for_status()
        except ProviderError as error:
            raise RuntimeError(str(error)) from None
    return {"kills": count, "renewed": renewed, "unreadable": 0, "sign-ins needed": ask_again}


def next_sign_in(kept: SignIn) -> SignIn:
    """Ask the test, line by line, for one more sign-in."""
    sys.stderr.write("sign in\n")
    sys.stderr.flush()
    token = Token(json.loads(sys.stdin.buffer.readline()))
    return SignIn(token=token, provider=kept.provider, scope=kept.scope)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        if sys.argv[1] == "steps":
            report = steps(Path(place))
        elif sys.argv[1] == "saves":
            report = saves(Path(place), int(sys.argv[2]))
        else:
            report = renewals(int(sys.argv[2]))
    json.dump(report, sys.stdout)
