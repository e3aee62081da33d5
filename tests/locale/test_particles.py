"""Korean particles follow how the word before them ends when a Korean reads it aloud."""

from __future__ import annotations

import unicodedata

import pytest

from authnb.messages import gettext
from authnb.particles import with_particle

PAIRS = ("은/는", "이/가", "을/를", "으로/로", "과/와")
OPEN = ["는", "가", "를", "로", "와"]
LIQUID = ["은", "이", "을", "로", "과"]
CLOSED = ["은", "이", "을", "으로", "과"]
UNKNOWN = ["은(는)", "이(가)", "을(를)", "(으)로", "과(와)"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        *((word, OPEN) for word in ("민지", "코드", "2", "14", "9", "A", "URI", "API", "ID", "HTTPS")),
        *(
            (word, OPEN)
            for word in ("GitHub", "server", "localhost", "id.example.org", "Ada", "week", "cloud")
        ),
        *(
            (word, LIQUID)
            for word in ("서울", "1", "127.0.0.1:8887", "8", "URL", "r", "Google", "Kaggle", "e-mail", "file")
        ),
        *(
            (word, CLOSED)
            for word in ("김밥", "토큰", "0", "10", "3", "6", "JSON", "M", "token", "example.com", "DPoP")
        ),
        *((word, CLOSED) for word in ("notebook", "Slack", "machine", "Chrome", "ping")),
        *((word, OPEN) for word in ("'민지'", "코드(code)", "민지😀", "민지 👩‍💻", "「URI」", "Ada…")),
        *((word, CLOSED) for word in ('"토큰"', "토큰(token)", "[JSON]")),
        *((word, UNKNOWN) for word in ("", "😀", "東京", "Οδυσσεύς", "ㅋ", "²", "é")),
    ],
)
def test_the_last_letter_decides(word: str, expected: list[str]) -> None:
    assert [with_particle(word, pair) for pair in PAIRS] == [word + particle for particle in expected]


@pytest.mark.parametrize("word", ["민지", "서울", "김밥"])
def test_macos_takes_syllables_apart(word: str) -> None:
    apart = unicodedata.normalize("NFD", word)
    assert apart != word
    for pair in PAIRS:
        assert unicodedata.normalize("NFC", with_particle(apart, pair)) == with_particle(word, pair)


def test_a_placeholder_asks_for_a_particle() -> None:
    """Also in a value that is quoted, and of one that was longer than any name."""
    assert (
        gettext("{name:이/가} {host!r:으로/로}", name="Ada", host="서울") == "{name:이/가} {host!r:으로/로}"
    )
    assert with_particle("가" * 100_000 + "…" * 10_000, "은/는").endswith("…는")
