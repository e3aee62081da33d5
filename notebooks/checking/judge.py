"""What the exercises are judged with: exact types, random values, labels, and sentences.

A value is compared with an operation of the type that is expected, never with one of the answer's: an object that says
it equals everything is no answer.
"""

from __future__ import annotations

import numbers
import operator
import random
import re
import secrets
import unicodedata
from typing import Any, Callable, Iterable

from checking.outcome import Wrong, ensure

_random = random.SystemRandom()
_PATIENCE = 3  # from this try on it is said which label is wrong
_ROUNDED = 0.051  # how far a number may be from the right one: as far as rounding to one decimal takes it
tries: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
_WORDS = "amber birch cedar delta ember fjord grove heron inlet jetty knoll larch maple north otter pearl quartz river".split()
_NOT = {"not", "no", "never", "none", "nobody", "nothing", "neither", "nor", "without", "cannot", "isnt", "doesnt", "dont", "wont"}
_BUT = re.compile(r"[.,;:()]|\b(?:but|instead|rather)\b")


def text(got: Any, why: str = "") -> str:
    """The answer as a `str` of Python's own; raises `Wrong` if it is no text."""
    ensure(isinstance(got, str), why or f"Give text, not {type(got).__name__}.")
    return str.__str__(got)


def whole(got: Any, why: str = "") -> int:
    """The answer as an `int` of Python's own; raises `Wrong` if it is no whole number."""
    ensure(not isinstance(got, bool) and hasattr(type(got), "__index__"), why or f"Give a whole number, not {type(got).__name__}.")
    return operator.index(got)


def near(got: Any, right: float, why: str) -> bool:
    """Whether a number is this one, rounded to one decimal or not; raises `Wrong` if it is no number."""
    ensure(isinstance(got, numbers.Real) and not isinstance(got, bool), why)
    return abs(float(got) - right) < _ROUNDED


def pair(got: Any, why: str) -> tuple[Any, Any]:
    """The two parts of an answer; raises `Wrong` if it is no pair."""
    ensure(isinstance(got, (list, tuple)) and len(got) == 2, why)
    first, second = got
    return first, second


def yes(got: Any, why: str) -> None:
    """Raise `Wrong` unless the answer is True."""
    ensure(got is True, why if got is False or got is None else f"Give True or False, not {type(got).__name__}.")


def no(got: Any, why: str) -> None:
    """Raise `Wrong` unless the answer is False, or None."""
    ensure(got is False or got is None, why)


def word() -> str:
    """A random word."""
    return _random.choice(_WORDS)


def name() -> str:
    """A random name that nobody can know: a word and eight hexadecimal digits."""
    return f"{word()}-{secrets.token_hex(4)}"


def number(least: int, most: int) -> int:
    """A random whole number."""
    return _random.randint(least, most)


def shuffled(values: Iterable[Any]) -> list[Any]:
    """The values in a random order."""
    found = list(values)
    _random.shuffle(found)
    return found


def labels(answer: Any, right: dict[str, tuple[Any, str]], *, choices: Iterable[str] = ()) -> None:
    """Raise `Wrong` unless each name has its label, of these choices (or those that occur).

    Which one is wrong, and a word about it, is said from the third answer on: before, it would be quicker to try than
    to think.
    """
    ensure(isinstance(answer, dict), f"Give a dictionary, not {type(answer).__name__}.")
    known = set(choices) or {label for label, _ in right.values()}
    given = {}
    for key in right:
        ensure(dict.__contains__(answer, key), f"This one is missing: {key}.")
        given[key] = text(dict.__getitem__(answer, key), f"Give a text for: {key}.")
        ensure(given[key] in known, f"Choose from {', '.join(map(repr, sorted(known)))} for: {key}.")
    wrong = [key for key, (label, _) in right.items() if given[key] != label]
    if wrong:
        patient(tuple(right), tuple(given.values()))
        raise Wrong(f"Think again about: {wrong[0]}. {right[wrong[0]][1]}")


def patient(exercise: tuple[str, ...], answer: tuple[str, ...]) -> None:
    """Raise `Wrong` that says little, until this is the third different wrong answer to an exercise."""
    given = tries.setdefault(exercise, set())
    given.add(answer)
    left = _PATIENCE - len(given)
    again = "with your next answer" if left == 1 else f"with the next answer but {left - 1}"
    ensure(left <= 0, f"Not all of it is right yet. Say aloud why each is as it is, and change what you doubt; {again}, this check says what is wrong.")


def mentions(sentence: str, keys: Iterable[str]) -> bool:
    """Whether a sentence says one of these things: regular expressions, each not behind a "not" in its part of it."""
    plain = unicodedata.normalize("NFKC", sentence).casefold().replace("’", "'").replace("'", "").replace("not only", "")
    for part in _BUT.split(plain):
        words = re.findall(r"\w+", part)
        for key in keys:
            found = re.search(rf"\b(?:{key})", " ".join(words))
            if found and not _NOT & set(" ".join(words)[: found.start()].split()):
                return True
    return False


def secret_in(value: Any, secret: str, forms: Iterable[Callable[[str], str]]) -> bool:
    """Whether a secret stands in a value: as it is, or in one of these forms."""
    shown = repr(value)
    return any(form(secret) in shown for form in (str, *forms))
