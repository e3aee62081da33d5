"""Sentences in the reader's language: which that is, and what becomes of one that a catalogue has wrong."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import catalogues
import pseudo
import pytest
from babel.messages import Catalog

import authnb
from authnb import messages
from authnb.messages import (
    Message,
    gettext,
    match_language,
    ngettext,
    sentences,
    speaking,
    translated,
)

if TYPE_CHECKING:
    from pathlib import Path

TOOK = "{name} took {n} seconds."
SENTENCES = {
    "Signed in at {host}": "{host:에/에} 로그인했습니다",
    "{name} took the token of {host}": "{name:이/가} {host}의 토큰을 가져갔습니다",
    "One cell": "셀 하나",
    "lost a placeholder {host}": "그런 것은 없습니다: {hots}",
    "broken {host}": "{host",
    "positional {host}": "{} {0}",
    "an attribute {host}": "{host.no_such_attribute}",
    "a bad format {host}": "{host:d}",
    "braces {{x}} {host}": "중괄호 {{x}} {host}",
    "quoted {host!r}": "{host!r:은/는} 인용",
    "[{reason}]": "「{reason}」",
    "{first} {second}": "{first} {second}",
}


@pytest.fixture
def korean(tmp_path: Path) -> None:
    """A language of that name with these sentences, in place of the one that is shipped."""
    catalogue = Catalog(locale="ko", fuzzy=False)
    for sentence, translation in SENTENCES.items():
        catalogue.add(sentence, translation)
    catalogue.add((TOOK.replace("{n} seconds", "a second"), TOOK), ("{name:은/는} {n}초 걸렸습니다.",))
    path = tmp_path / "ko" / "LC_MESSAGES" / "authnb.mo"
    path.parent.mkdir(parents=True)
    path.write_bytes(catalogues.compiled(catalogue))
    messages.FOLDERS[:] = [str(tmp_path)]


@pytest.mark.usefixtures("korean")
def test_a_message_is_text_in_the_current_language_and_can_be_had_in_another() -> None:
    english = gettext("{name} took the token of {host}", name="민지", host="id.example.org")
    authnb.language("ko")
    korean = gettext("{name} took the token of {host}", name="민지", host="id.example.org")
    assert english == "민지 took the token of id.example.org"
    assert korean == english.in_language("ko-KR") == "민지가 id.example.org의 토큰을 가져갔습니다"
    assert korean.in_language("en") == korean.in_language("fr") == english
    assert type(english.in_language("en")) is type(str(english)) is str
    assert repr(korean) == repr(str(korean))
    for same in (pickle.loads(pickle.dumps(english)), copy.copy(english), copy.deepcopy({1: english})[1]):  # noqa: S301 - our own
        assert (type(same), same, same.in_language("ko")) == (Message, english, korean)


@pytest.mark.usefixtures("korean")
def test_a_count_has_its_own_forms() -> None:
    one, several = (ngettext(TOOK.replace("{n} seconds", "a second"), TOOK, n, name="Ada") for n in (1, 2))
    assert (one, several) == ("Ada took a second.", "Ada took 2 seconds.")
    assert [one.in_language("ko"), several.in_language("ko")] == [
        "Ada는 1초 걸렸습니다.",
        "Ada는 2초 걸렸습니다.",
    ]


@pytest.mark.usefixtures("korean")
def test_a_value_may_be_a_message() -> None:
    inner = gettext("Signed in at {host}", host="id.example.org")
    outer = gettext("[{reason}]", reason=inner)
    assert outer == "[Signed in at id.example.org]"
    assert outer.in_language("ko") == "「id.example.org에 로그인했습니다」"
    assert translated({"a": [outer, 1, None], "b": "as it is"}, "ko") == {
        "a": ["「id.example.org에 로그인했습니다」", 1, None],
        "b": "as it is",
    }


@pytest.mark.usefixtures("korean")
def test_sentences_follow_each_other() -> None:
    """Each in the language that it is to be had in; an empty one is none."""
    both = sentences(gettext("Signed in at {host}", host="H"), "", gettext("quoted {host!r}", host="H"))
    assert both == "Signed in at H quoted 'H'"
    assert isinstance(both, Message)
    assert both.in_language("ko") == "H에 로그인했습니다 'H'는 인용"
    assert sentences("", "one") == "one"


@pytest.mark.usefixtures("korean")
@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("not in the catalogue {host}", "not in the catalogue H"),
        ("lost a placeholder {host}", "lost a placeholder H"),
        ("broken {host}", "broken H"),
        ("positional {host}", "positional H"),
        ("an attribute {host}", "an attribute H"),
        ("a bad format {host}", "a bad format H"),
        ("braces {{x}} {host}", "중괄호 {x} H"),
        ("quoted {host!r}", "'H'는 인용"),
        ("", ""),
    ],
)
def test_what_a_catalogue_has_wrong_is_shown_in_english(sentence: str, expected: str) -> None:
    authnb.language("ko")
    assert gettext(sentence, host="H") == expected


def test_a_mistake_of_ours_does_not_hide_the_error() -> None:
    assert gettext("no value for {host}") == "no value for {host}"
    assert gettext("a lone { brace", host="H") == "a lone { brace"


@pytest.mark.parametrize("content", [b"", b"no catalogue", b"\xde\x12\x04\x95" + b"\xff" * 40])
def test_a_broken_catalogue_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ko" / "LC_MESSAGES" / "authnb.mo"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    messages.FOLDERS[:] = [str(tmp_path)]
    assert authnb.language("ko") == "ko"
    assert gettext("Signed in at {host}", host="H") == "Signed in at H"


def test_a_message_holds_what_its_text_holds() -> None:
    """Neither a value that the sentence does not name, nor more of one than it shows."""

    class Secret:
        def __str__(self) -> str:
            return "shown"

    message = gettext("{value}", value=Secret(), token="s3cret")
    assert b"s3cret" not in pickle.dumps(message)
    assert b"Secret" not in pickle.dumps(message)
    assert message == "shown"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ko", "ko"),
        ("ko-KR", "ko"),
        ("ko_KR.UTF-8", "ko"),
        ("KO_kr@x", "ko"),
        ("en", "en"),
        ("en-GB", "en"),
        ("C.UTF-8", None),
        ("fr_FR", None),
        ("", None),
        ("../ko", None),
        ("kok", None),
    ],
)
def test_a_region_is_left_out(code: str, expected: str | None) -> None:
    assert match_language(code) == expected


def test_an_unknown_language_names_those_there_are() -> None:
    with pytest.raises(authnb.AuthnbError, match=r"'fr'.*en, ko") as caught:
        authnb.language("fr")
    assert caught.value.error == "unknown_language"
    assert authnb.language() == "en"


def test_who_decides() -> None:
    """What was asked for, else the page, else the environment; one page of several for itself alone."""
    messages.follow_front_end("ko-KR")
    assert authnb.language() == "ko"
    with speaking("en"):
        assert authnb.language() == "en"
        with ThreadPoolExecutor(1) as other:
            assert other.submit(authnb.language).result() == "ko"
    with speaking("fr") as language:
        assert language == authnb.language() == "en"
    with speaking(None) as language:
        assert language == "ko"
    assert authnb.language("en") == authnb.language() == "en"
    with speaking("ko") as language:
        assert language == "en"


SHOW = "import authnb, sys; print(authnb.language(), 'json' in sys.modules, 'gettext' in sys.modules)"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "en"),
        ({"LANG": "ko_KR.UTF-8"}, "ko"),
        ({"LANG": "ko_KR.UTF-8", "LC_MESSAGES": "en_US.UTF-8"}, "en"),
        ({"LANG": "de_DE", "LC_MESSAGES": "de_DE", "LC_ALL": "ko_KR.eucKR"}, "ko"),
        ({"LANG": "ko_KR.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "ko_KR.UTF-8", "LC_ALL": ""}, "ko"),
        ({"LANG": "xx"}, "en"),
    ],
)
def test_the_environment_decides_in_a_terminal(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert authnb.language() == expected


RAISES = """
import authnb
try:
    authnb.language("fr")
except authnb.AuthnbError as error:
    print(error)
authnb.language("fr")
"""


@pytest.mark.parametrize("encoding", ["ascii", "cp949", "utf-8"])
def test_a_terminal_that_cannot_print_korean(encoding: str) -> None:
    """What it cannot show is replaced; nothing crashes, and the code and the names are there."""
    environment = {
        **os.environ,
        "LC_ALL": "ko_KR.UTF-8",
        "PYTHONIOENCODING": f"{encoding}:replace",
        "PYTHONUTF8": "0",
    }
    done = subprocess.run([sys.executable, "-c", RAISES], env=environment, capture_output=True, check=False)
    for shown in (done.stdout.decode(encoding), done.stderr.decode(encoding)):
        assert "[unknown_language]" in shown
        assert "en, ko" in shown
        assert ("언어" in shown) == (encoding != "ascii")
    assert done.returncode == 1


def test_english_loads_no_catalogue() -> None:
    """Nor does `import authnb` load the sentences."""
    program = (
        "import sys, authnb; assert 'authnb.messages' not in sys.modules; "
        "from authnb.messages import gettext; gettext('a {b}', b=1); "
        "assert not {'gettext', 'struct', 're', 'typing', 'authnb.particles'} & sys.modules.keys(), sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-S", "-c", program], cwd=catalogues.PACKAGE.parent, check=True)


def test_a_pseudo_language_marks_every_sentence(qps: str) -> None:
    authnb.language(qps)
    with pytest.raises(authnb.AuthnbError) as caught:
        authnb.language("fr")
    assert pseudo.untranslated(caught.value.description) == ""
    assert len(caught.value.description) > 1.3 * len(caught.value.description.in_language("en"))  # type: ignore[attr-defined] # a Message
