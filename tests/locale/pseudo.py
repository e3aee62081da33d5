"""A language for tests: English that is marked and longer, so that what was not translated shows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import catalogues

if TYPE_CHECKING:
    from pathlib import Path

    from babel.messages import Catalog

LANGUAGE = "qps"  # reserved for local use (ISO 639-2)
BEGIN, END = "⟦", "⟧"
LONGER = 0.4
_RIGHT_TO_LEFT = str.maketrans(
    {letter: "אבגדהוזחטיךכלםמןנסעףפץצקרשת"[n] for n, letter in enumerate("abcdefghijklmnopqrstuvwxyz")}
)


def pseudo(sentence: str, *, right_to_left: bool = False) -> str:
    """The sentence, marked and 40 % longer; in Hebrew letters if it is to be written from the right."""
    parts = re.split(r"(\{\{|\}\}|\{\w+(?:!r)?\}|https?://\S+)", sentence)
    if right_to_left:
        parts[::2] = [part.lower().translate(_RIGHT_TO_LEFT) for part in parts[::2]]
    return f"{BEGIN}{''.join(parts)}{'~' * round(len(sentence) * LONGER)}{END}"


def write(folder: Path, *, right_to_left: bool = False) -> str:
    """Put the language's catalogue there, for `authnb.messages.FOLDERS`; the folder."""
    catalogue: Catalog = catalogues.extracted()
    catalogue.locale = "en"
    for message in catalogue:
        if isinstance(message.id, tuple):
            message.string = tuple(pseudo(each, right_to_left=right_to_left) for each in message.id)
        elif message.id:
            message.string = pseudo(message.id, right_to_left=right_to_left)
    path = folder / LANGUAGE / "LC_MESSAGES" / "authnb.mo"
    path.parent.mkdir(parents=True)
    path.write_bytes(catalogues.compiled(catalogue))
    return str(folder)


def untranslated(text: str) -> str:
    """What of a text is outside the marks."""
    while text != (left := re.sub(f"{BEGIN}[^{BEGIN}{END}]*{END}", "", text)):  # one may be in another
        text = left
    return text
