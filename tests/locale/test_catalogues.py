"""The catalogues: of all sentences of the source, compiled, complete, and with the words of the glossary."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from string import Formatter

import catalogues
import pytest

GLOSSARY = tomllib.loads((Path(__file__).parent / "glossary.toml").read_text(encoding="utf-8"))
LANGUAGES = catalogues.languages()
CALLS = {"gettext": 1, "ngettext": 3, "N_": 1}  # and how many arguments are no values


def test_the_template_is_what_the_source_says() -> None:
    """If not: ``make messages``."""
    assert catalogues.TEMPLATE.read_bytes() == catalogues.text(catalogues.extracted())
    assert len(catalogues.extracted()) > 0
    assert "ko" in LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_catalogue_is_complete_and_compiled(language: str) -> None:
    """If not: ``make messages``, then translate what is empty in the .po, and ``make messages`` again."""
    path = LANGUAGES[language]
    catalogue = catalogues.load(path, language)
    assert path.read_bytes() == catalogues.text(catalogues.updated(path, language))
    assert path.with_suffix(".mo").read_bytes() == catalogues.compiled(catalogue)
    missing = [
        message.id for message in catalogue if message.id and (message.fuzzy or not all(strings(message)))
    ]
    assert missing == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_have_the_placeholders_of_their_sentence(language: str) -> None:
    """Each as often or more, with particles if need be; a form for one may name the number."""
    wrong = []
    for message in catalogues.load(LANGUAGES[language], language):
        wanted = placeholders(message.id[-1] if message.pluralizable else message.id)
        for translation in strings(message) if message.id else ():
            found = placeholders(translation)
            if {name for name, _ in found} != {name for name, _ in wanted} or {
                spec for _, spec in found if not re.fullmatch("[가-힣]+/[가-힣]+|", spec)
            }:
                wrong.append((message.id, translation))
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_use_the_words_of_the_glossary(language: str) -> None:
    """Where the English has a term, the translation has one of its words; and none that is to be avoided."""
    terms, avoided = GLOSSARY[language]["terms"], GLOSSARY[language]["avoid"]
    wrong = []
    for message in catalogues.load(LANGUAGES[language], language):
        english = " ".join(message.id) if message.pluralizable else message.id
        for translation in strings(message) if message.id else ():
            wrong += [
                (term, translation)
                for term, words in terms.items()
                if re.search(rf"\b{term}\b", english, re.IGNORECASE)
                and not any(word in translation for word in words)
            ]
            wrong += [(word, translation) for word in avoided if re.search(word, translation)]
    assert wrong == []


def test_the_source_gives_each_placeholder_its_value() -> None:
    """Sentences are literals, where pybabel finds them (in no f-string); placeholders are plain names with values."""
    wrong, extracted = [], catalogues.extracted()
    for path in sorted(catalogues.PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS):
                continue
            where = f"{path.name}:{node.lineno}"
            sentences = node.args[: CALLS[node.func.id] - (node.func.id == "ngettext")]
            literals = [each.value for each in sentences if isinstance(each, ast.Constant)]
            if len(literals) < len(sentences):
                if isinstance(node.args[0], (ast.JoinedStr, ast.BinOp)) or node.func.id == "N_":
                    wrong.append(f"{where} glues a sentence")
                continue
            if str(literals[0]) not in extracted:
                wrong.append(f"{where} is in an f-string")
            wanted = {name for sentence in literals for name, spec in placeholders(str(sentence)) if not spec}
            if any(spec for sentence in literals for _, spec in placeholders(str(sentence))):
                wrong.append(f"{where} formats in a sentence")
            given = {keyword.arg for keyword in node.keywords} | (
                {"n"} if node.func.id == "ngettext" else set()
            )
            if node.func.id != "N_" and None not in given and wanted | {"n"} != given | {"n"}:
                wrong.append(f"{where} wants {wanted} and has {given}")
    assert wrong == []
    assert len(extracted) > 0


def strings(message: catalogues.Message) -> tuple[str, ...]:
    """The translations of a sentence: one, or one for each form."""
    return message.string if isinstance(message.string, tuple) else (message.string,)


def placeholders(sentence: str) -> set[tuple[str, str]]:
    """Name and format of each placeholder."""
    return {(name, spec or "") for _, name, spec, _ in Formatter().parse(sentence) if name is not None}
