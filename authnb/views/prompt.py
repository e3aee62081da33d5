"""Asks for what a person types where there is no panel: which provider, and the pasted redirect, without echo."""

from __future__ import annotations

import getpass
import sys
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

from authnb import compat
from authnb.errors import LoginFailed
from authnb.messages import gettext
from authnb.signin.presence import is_terminal, text_stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from authnb.compat import ReadLine
    from authnb.signin.login import Login


def say(lines: list[str]) -> None:
    """Print lines where a person reads them, else to standard error, whatever became of it."""
    with suppress(
        AttributeError, ValueError, OSError
    ):  # closed, or replaced with something that is no stream
        print("\n".join(lines), file=text_stream() or sys.stderr, flush=True)


def ask_choice(login: Login) -> None:
    """Choose by a number or name that the person types; the sign-in fails where nobody can be asked."""
    names = list(login.choices)
    with suppress(
        EOFError, RuntimeError
    ):  # RuntimeError: no standard input; ipykernel's StdinNotImplementedError
        while login.status == "choosing":
            answer = input(gettext("Number: ")).strip()
            if answer.isdecimal() and 0 < int(answer) <= len(names):
                answer = names[int(answer) - 1]
            if answer in names:
                return login.choose(answer)
    return login.fail(
        LoginFailed(
            "not_supported",
            gettext(
                "Nobody can be asked here whether to sign in at {providers}: no text can be typed. Name one provider "
                "in the call.",
                providers=_either(names),
            ),
        )
    )


def prompt_for_address(login: Login, lines: AbstractContextManager[ReadLine]) -> None:
    """Submit pasted addresses until one is accepted or the sign-in ends."""
    with lines as read_line:
        while _waits(login) and (line := read_line()) is not None:
            try:
                if line.strip():
                    return login.submit_redirect(line)
            except LoginFailed as error:
                say([error.description])
    return None


def terminal_lines(login: Login, show: Callable[[Login], None]) -> AbstractContextManager[ReadLine]:
    """Reads lines from the terminal; None without a terminal, or if the sign-in ended first.

    ``show`` is called meanwhile, as the address to open may change; not on Windows.
    """
    if not is_terminal(sys.stdin):
        return nullcontext(lambda: None)

    def wanted() -> bool:
        show(login)
        return _waits(login)

    return compat.hidden_lines(gettext("Address: "), wanted)


def notebook_lines() -> AbstractContextManager[ReadLine]:
    """Reads lines from the notebook's password input; None where the front end has none."""
    return nullcontext(_notebook_line)


def _notebook_line() -> str | None:
    try:
        return getpass.getpass(gettext("Address: "))
    except RuntimeError:  # ipykernel's StdinNotImplementedError
        return None


def _waits(login: Login) -> bool:
    return login.status == "waiting" and login.mode == "paste"


def _either(names: list[str]) -> str:
    listed = names[0]
    for name in names[1:]:
        listed = gettext("{first} or {second}", first=listed, second=name)
    return listed
