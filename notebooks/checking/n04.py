"""The exercises of notebook 04."""

from __future__ import annotations

import secrets
import time
from base64 import b64encode
from copy import deepcopy
from typing import Any

from checking.judge import labels, name, no, secret_in, shuffled, text, word, yes
from checking.outcome import ensure, exercise

_SLOW = 0.002  # seconds of a processor: a fast hash takes a hundredth of it, a slow one ten times as much and more


@exercise(
    "04",
    task="Give a sentence that says what is wrong with the password, or None if it will do.",
    praise="Long beats complicated, and nobody was asked for a sign and a capital.",
)
def password_problem(problem: Any) -> None:
    words = " ".join(word() for _ in range(4))
    fine = [
        (words, f"It refuses {words!r}, which is fine."),
        ("".join(words.split()), "It asks for more than length: small letters are fine."),
        (f"{secrets.randbelow(10**11):011}-{word()}", "It refuses a password that begins with digits, which is fine."),
        ("".join(shuffled("abcdefgh")), "It refuses 8 characters, which are enough."),
        (secrets.token_hex(64), "It refuses 128 characters, which are not too many."),
    ]
    for password, why in shuffled(fine):
        ensure(problem("ada", password) is None, why)
    three = "".join(shuffled("abcdefgh"))[:3]
    wrong = [
        ("ada", secrets.token_hex(8)[:7], "fewer than 8"),
        ("ada", secrets.token_hex(65)[:129], "some hashes get slow. Set an upper end of 128"),
        ("ada", secrets.token_hex(100), "200 characters; some hashes get slow. Set an upper end"),
        ("ada", "password", "the most common"),
        ("ada", (three * 4)[: 8 + secrets.randbelow(4)], "of three letters"),
        *((owner, owner, "the same as the name") for owner in [name()]),
    ]
    for owner, password, why in shuffled(wrong):
        said = problem(owner, password)
        ensure(said is not None, f"It takes {password!r}: {why}.")
        said = text(said, f"Give a sentence, or None, not {type(said).__name__}.")
        ensure(said.strip(), "Say in a sentence what is wrong; an empty text says nothing.")
        ensure(password == "password" or password not in said, "Do not repeat the password in the message: messages end up in logs.")


@exercise(
    "04",
    task="Give the pair (keep, fits): what to store of a password, and whether a password fits what was stored.",
    praise="Salted and slow: a stolen table is not a list of passwords.",
)
def keep_and_fits(functions: Any) -> None:
    keep, fits = functions
    password, other = (f"{word()} {secrets.token_hex(6)} {word()}" for _ in range(2))
    first, second = keep(password), keep(password)
    for kept in (first, second):
        ensure(isinstance(kept, (str, bytes, tuple, list, dict)), f"What is kept has to go into a table: give text, not {type(kept).__name__}.")
        readable = secret_in(kept, password, (str.upper, lambda text: text[::-1], _hex, _base64))
        ensure(not readable, "The password can be read in what is kept.")
    ensure(repr(first) != repr(second), "Two people with one password get the same entry: it has no salt.")
    for function in (keep, fits):
        ensure(not _remembers(function, password), "The program itself keeps the password; a thief reads that, too.")
    spent = [_seconds(fits, deepcopy(kept), password) for kept in (first, second)]
    for wrong in shuffled((password[:-1], password.swapcase(), other, "")):
        no(fits(deepcopy(first), wrong), "It takes a wrong password." if wrong else "It takes an empty password.")
    ensure(min(spent) > _SLOW, "The hash is a quick one: a thief tries millions a second. Take one that is slow on purpose.")


def _hex(text: str) -> str:
    return text.encode().hex()


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()[: len(text)]  # the end depends on what follows


def _seconds(fits: Any, kept: Any, password: str) -> float:
    """The processor's seconds, of which other programs take none away."""
    begin = time.thread_time()
    yes(fits(kept, password), "It does not know the right password again.")
    return time.thread_time() - begin


def _remembers(function: Any, password: str) -> bool:
    """Whether a function has the password in a container that outlives it."""
    code = getattr(function, "__code__", None)
    names = getattr(code, "co_names", ())
    space = getattr(function, "__globals__", {})
    cells = [cell.cell_contents for cell in getattr(function, "__closure__", None) or ()]
    held = [*(space[name] for name in names if name in space), *cells, *(getattr(function, "__defaults__", None) or ())]
    held.append(getattr(function, "__dict__", {}))
    return any(password in repr(one) for one in held if isinstance(one, (dict, list, set, tuple)))


@exercise(
    "04",
    task="Put one of: 'validation', 'unique column', 'salted hash', 'CSRF token' behind each danger.",
    praise="Each of the four is cheap; the lack of one is not.",
)
def what_helps(answer: Any) -> None:
    labels(
        answer,
        {
            "the table of accounts is stolen": ("salted hash", "What must the thief not be able to read off it?"),
            "two people take one name at the same moment": ("unique column", "Who decides when both have looked?"),
            "another site sends the form in your name": ("CSRF token", "What does our own page know that the other one cannot?"),
            "somebody chooses the password 'password'": ("validation", "It can be said before anything is stored."),
        },
    )
