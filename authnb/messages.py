"""The sentences that people read, in their language.

::

    raise ProviderError("unreachable", gettext("{host} cannot be reached. Check its address.", host=host))

`gettext` and `ngettext` make a `Message`: text in the language that is current when it is made, which can be had in
another one, as an error is made in a kernel and shown on a page. `N_` marks a sentence that is made later. Sentences
are whole, with named placeholders and nothing else in braces; a brace of the text is doubled. The catalogues are
those of GNU gettext, in `authnb/locale`; docs/languages.md says how to add a language.

Whatever a catalogue lacks or has wrong is shown in English.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

TYPE_CHECKING = False  # typing takes longer to load than this module

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from gettext import NullTranslations
    from typing import Any, Self

ENGLISH = "en"
FOLDERS = [os.path.join(os.path.dirname(__file__), "locale")]  # noqa: PTH118, PTH120 - pathlib is slow to load
_VARIABLES = (
    "LC_ALL",
    "LC_MESSAGES",
    "LANG",
)  # POSIX.1-2024 section 8.2: the first that is set and not empty
# Of this process: what `authnb.language` was given, and what the page of its front end says
_current: dict[str, str | None] = {"chosen": None, "front_end": None}
_speaking: ContextVar[str | None] = ContextVar("authnb_language", default=None)


class Message(str):
    """A sentence in one language, which knows how to say it in others.

    It holds no value that its text does not hold. Pickles and copies are messages too, with the same text.
    """

    __slots__ = ("_n", "_plural", "_singular", "_values")
    _singular: str
    _values: Mapping[str, str]
    _plural: str | None
    _n: int | None

    def __new__(
        cls, singular: str, values: Mapping[str, object], plural: str | None = None, n: int | None = None
    ) -> Self:
        """``plural``, ``n``: the sentence for several and how many there are, where it counts something."""
        sentence = _english(singular, plural, n)
        kept = {
            name: value if isinstance(value, Message) else str(value)
            for name, value in values.items()
            if f"{{{name}}}" in sentence
            or f"{{{name}!r}}" in sentence
            or (name == "n" and plural is not None)
        }
        return cls._restore(_text(singular, kept, plural, n, current_language()), singular, kept, plural, n)

    @classmethod
    def _restore(
        cls, text: str, singular: str, values: Mapping[str, str], plural: str | None, n: int | None
    ) -> Self:
        message = super().__new__(cls, text)
        message._singular, message._values, message._plural, message._n = singular, values, plural, n
        return message

    def __reduce__(self) -> tuple[Any, ...]:
        return self._restore, (str(self), self._singular, self._values, self._plural, self._n)

    def __str__(self) -> str:
        """The text as a plain string."""
        return str.__str__(self)

    def in_language(self, code: str) -> str:
        """The text in another language, such as ``ko``; in English if there is no such language."""
        return _text(self._singular, self._values, self._plural, self._n, match_language(code) or ENGLISH)


def gettext(message: str, /, **values: object) -> Message:
    """The sentence in the current language, with each ``{name}`` replaced by the value of that name."""
    return Message(message, values)


def ngettext(singular: str, plural: str, n: int, /, **values: object) -> Message:
    """The same for a sentence that counts ``n`` things; ``{n}`` stands for the number."""
    return Message(singular, {**values, "n": n}, plural, n)


def sentences(first: str, *more: str) -> str:
    """Sentences one after the other; those that are empty are left out."""
    for each in more:
        first = gettext("{first} {second}", first=first, second=each) if first and each else first or each
    return first


def N_(message: str) -> str:  # noqa: N802 - the name by which tools for gettext know it
    """A sentence to translate when it is shown: ``gettext(SENTENCES[name], host=host)``."""
    return message


def translated(tree: Any, code: str) -> Any:
    """Lists, dictionaries and what is in them, with each `Message` in this language."""
    if isinstance(tree, Message):
        return tree.in_language(code)
    if isinstance(tree, dict):
        return {name: translated(value, code) for name, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [translated(value, code) for value in tree]
    return tree


@contextmanager
def speaking(code: str | None) -> Iterator[str]:
    """Make messages in this language meanwhile, for one page of several, unless another was chosen; gives which it is.

    With None they are in the language of the process; for an unknown code in English.
    """
    token = _speaking.set(None if code is None else match_language(code) or ENGLISH)
    try:
        yield current_language()
    finally:
        _speaking.reset(token)


def current_language() -> str:
    """The language here: the chosen one, else that of `speaking`, of the front end, or of the environment."""
    for code in (_current["chosen"], _speaking.get(), _current["front_end"]):
        if code is not None:
            return code
    code = next(filter(None, map(os.environ.get, _VARIABLES)), "")
    return match_language(code) or ENGLISH


def choose_language(code: str | None) -> None:
    """Use a language that `match_language` gave, whatever the front end and environment say; None to stop that."""
    _current["chosen"] = code


def follow_front_end(code: str) -> None:
    """Use the language of the page that shows this kernel's notebook (BCP 47), unless another was chosen."""
    _current["front_end"] = match_language(code) or ENGLISH


def match_language(code: str) -> str | None:
    """The language there is for a tag or locale (``ko-KR``, ``ko_KR.UTF-8``), by its parts; None if there is none."""
    parts = code.partition(".")[0].partition("@")[0].replace("-", "_").lower().split("_")
    if parts[0] == ENGLISH:
        return ENGLISH
    known = {name.lower(): name for name in languages()} if parts[0] not in {"", "c", "posix"} else {}
    tags = ("_".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((known[tag] for tag in tags if tag in known), None)


def languages() -> list[str]:
    """The languages there are."""
    return _languages(tuple(FOLDERS))


@cache
def _languages(folders: Iterable[str]) -> list[str]:
    found = {ENGLISH}
    for folder in folders:
        if os.path.isdir(folder):  # noqa: PTH112 - as above
            found |= {name for name in os.listdir(folder) if os.path.isfile(_path(folder, name))}  # noqa: PTH113, PTH208 - as above
    return sorted(found)


def _path(folder: str, language: str) -> str:
    return os.path.join(folder, language, "LC_MESSAGES", "authnb.mo")  # noqa: PTH118 - as above


@cache
def _catalogue(language: str, folders: Iterable[str]) -> NullTranslations | None:
    """The sentences in a language; None if they cannot be read."""
    from gettext import GNUTranslations, NullTranslations  # noqa: PLC0415 - only for other languages than English

    class Missing(NullTranslations):
        def gettext(self, message: str) -> str:
            raise KeyError(message)

        def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
            raise KeyError(msgid1, msgid2, n)

    for folder in folders:
        try:
            with open(_path(folder, language), "rb") as file:  # noqa: PTH123 - as above
                catalogue = GNUTranslations(file)
        except Exception:  # noqa: BLE001, S112 - not there, or no catalogue: each part of it may be broken
            continue
        catalogue.add_fallback(Missing())
        return catalogue
    return None


def _text(singular: str, values: Mapping[str, str], plural: str | None, n: int | None, language: str) -> str:
    english = _english(singular, plural, n)
    if language != ENGLISH and english and (catalogue := _catalogue(language, tuple(FOLDERS))) is not None:
        try:
            found = (
                catalogue.gettext(singular)
                if plural is None or n is None
                else catalogue.ngettext(singular, plural, n)
            )
            return _filled(found, values, language)
        except Exception:  # noqa: BLE001, S110 - of a placeholder or of the plural's formula; English is right
            pass
    try:
        return _filled(english, values, ENGLISH)
    except (KeyError, ValueError, IndexError):
        return english  # a mistake of ours must not hide the error that was to be shown


def _english(singular: str, plural: str | None, n: int | None) -> str:
    return singular if plural is None or n == 1 else plural


def _filled(sentence: str, values: Mapping[str, str], language: str) -> str:
    if not values and "{" not in sentence and "}" not in sentence:
        return sentence
    texts = {
        name: _Value(value.in_language(language) if isinstance(value, Message) else value)
        for name, value in values.items()
    }
    return sentence.format_map(texts)


class _Value(str):
    """A value in a sentence: ``{host:은/는}`` puts the particle after it that its last letter asks for."""

    __slots__ = ()

    def __repr__(self) -> str:
        return _Value(super().__repr__())

    def __format__(self, spec: str) -> str:
        if "/" not in spec:
            return super().__format__(spec)
        from authnb.particles import with_particle  # noqa: PLC0415 - only for the languages that have them

        return with_particle(str(self), spec)
