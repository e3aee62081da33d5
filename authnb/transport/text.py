"""Text from outside: what a provider says is shown as one line of text, and never acts on a terminal or a page."""

from __future__ import annotations

import unicodedata
from typing import Any

_REPLACEMENT = {
    "Cf": "",
    "Cs": "\N{REPLACEMENT CHARACTER}",
}  # bidi and other format characters; lone surrogates


def printable(value: object, limit: int = 300) -> str:
    """A value as one line of at most ``limit`` characters that any UTF-8 terminal or page can show.

    Control characters (C0, C1) and line separators become spaces; format characters, bidi overrides among them, are
    removed; lone surrogates, which cannot be encoded, become U+FFFD.
    """
    characters = str(value)[: 4 * limit]
    if not characters.isprintable():
        characters = "".join(map(_printable, characters))
    return characters.strip()[:limit]


def printable_tree(value: Any, limit: int = 8000) -> Any:
    """A structure of dicts, lists and strings, as sent to a front end, with every string printable."""
    if isinstance(value, str):
        return value if value.isprintable() and len(value) <= limit else printable(value, limit)
    if isinstance(value, dict):
        return {key: printable_tree(item, limit) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [printable_tree(item, limit) for item in value]
    return value


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    return _REPLACEMENT.get(unicodedata.category(character), " ")
