"""Numbers with their nouns, as the commands print them."""

from __future__ import annotations


def counted(number: float, noun: str) -> str:
    """The number and the noun, in the plural unless the number is 1: ``1 notebook``, ``2.5 seconds``."""
    return f"{number:g} {noun}{'' if number == 1 else 's'}"
