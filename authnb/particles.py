"""Korean particles, whose form depends on how the word before them ends when it is read aloud."""

from __future__ import annotations

import re
import unicodedata

_SYLLABLES = range(0xAC00, 0xD7A4)  # Unicode section 3.12: 28 endings each, the first of them open
_ENDINGS, _RIEUL = 28, 8
# How Koreans read a last digit: 영 일 이 삼 사 오 육 칠 팔 구; a letter by its name: 엘 엠 엔 알
_CLOSED, _LIQUID = "036mn", "178lr"
_LIQUID_WORD = re.compile(r"le?$")  # 메일, 구글, 파일
_CLOSED_WORD = re.compile(
    r"([mn]|ng|[aeiou][mn]e|(^|[^aeiou])[aeiou](ck|[pktc])|oo[pkt])$"
)  # 토큰, 라인, 슬랙, 노트북


def with_particle(word: str, particles: str) -> str:
    """The word and the one of two particles, ``은/는``, that fits; both, ``은(는)``, if nobody can tell.

    The first is for a word that ends in a consonant. Quotes, brackets, emoji and the like at the end are not read.
    """
    closed, open_ = particles.split("/")
    kind = _ending(word)
    if kind is None:
        both = f"({closed.removesuffix(open_)}){open_}" if closed.endswith(open_) else f"{closed}({open_})"
        return word + both
    if kind == "liquid" and closed.startswith("으"):  # 서울로, as after a vowel
        return word + open_
    return word + (open_ if kind == "open" else closed)


def _ending(word: str) -> str | None:
    """How a word ends: ``open`` in a vowel, ``liquid`` in ㄹ, ``closed`` in another consonant; None if unknown."""
    text = unicodedata.normalize("NFC", word)
    while text and not text[-1].isalnum():
        text = text[:-1]
    last = text[-1:].lower()
    if last and ord(last) in _SYLLABLES:
        ending = (ord(last) - _SYLLABLES[0]) % _ENDINGS
        return "liquid" if ending == _RIEUL else "closed" if ending else "open"
    if last.isascii() and last.isdigit():
        return _by_name(last)
    if last.isascii() and last:
        return _latin(re.findall("[A-Za-z]+$", text)[0])
    return None


def _latin(word: str) -> str:
    """Of a word in Latin letters; one in capitals or without vowels is spelled."""
    if len(word) == 1 or word.isupper() or not re.search("[aeiouy]", word, re.IGNORECASE):
        return _by_name(word[-1].lower())
    word = word.lower()
    return "liquid" if _LIQUID_WORD.search(word) else "closed" if _CLOSED_WORD.search(word) else "open"


def _by_name(character: str) -> str:
    return "liquid" if character in _LIQUID else "closed" if character in _CLOSED else "open"
