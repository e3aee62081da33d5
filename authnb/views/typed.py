"""A line that a person types or pastes while a sign-in waits, where there is no panel. It is not echoed."""

from __future__ import annotations

import getpass
import os
import sys
from typing import TYPE_CHECKING

from authnb.errors import LoginFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from authnb.signin import Login

_LOOKING = 0.2  # seconds between two looks at whether the sign-in still waits


def take_address(login: Login, read_line: Callable[[Login], str | None]) -> None:
    """Hand over the address a person ended on, again if it was another; until one is taken or the sign-in ends."""
    while _waits(login) and (line := read_line(login)) is not None:
        try:
            if line.strip():
                return login.submit_redirect(line)
        except LoginFailed as error:
            print(error.description, file=sys.stderr, flush=True)  # noqa: T201 - the person who typed reads this
    return None


def terminal_line(login: Login) -> str | None:
    """A line from the terminal; None if there is none, or the sign-in ended first."""
    if not sys.stdin.isatty():
        return None
    if os.name != "posix":
        return getpass.getpass("Address: ")
    import select  # noqa: PLC0415 - not on Windows
    import termios  # noqa: PLC0415 - the same

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    silent = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
    termios.tcsetattr(terminal, termios.TCSADRAIN, silent)
    try:
        while _waits(login):
            if select.select([terminal], [], [], _LOOKING)[0]:
                return sys.stdin.readline() or None
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
    return None


def notebook_line(_: Login) -> str | None:
    """A line from the notebook's input box, which hides it; None where the front end has none."""
    try:
        return getpass.getpass("Address: ")
    except RuntimeError:  # ipykernel's StdinNotImplementedError
        return None


def _waits(login: Login) -> bool:
    return login.status == "waiting" and login.mode == "paste"
