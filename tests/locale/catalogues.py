"""Keep the catalogues in `authnb/locale` at the sentences of the source: ``python tests/locale/catalogues.py``.

With other catalogues as arguments (``git show main:… > /tmp/main.po``) it takes what is translated there.

The template has every sentence of the source. A sentence that is new has no translation in a catalogue, one that is
gone leaves it, and one that was reworded starts afresh: nothing is guessed.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

PACKAGE = Path(__file__).parents[2] / "authnb"
LOCALE = PACKAGE / "locale"
TEMPLATE = LOCALE / "authnb.pot"
HEADER = "# Sentences of authnb. Made by make messages; docs/languages.md says how to translate them."


def extracted() -> Catalog:
    """Every sentence of the source, with the files it is in."""
    catalogue = Catalog(fuzzy=False)
    for name, _, message, comments, _ in extract_from_dir(
        PACKAGE, method_map=[("**.py", "python")], comment_tags=("Translators:",), strip_comment_tags=True
    ):
        catalogue.add(message, locations=[(f"authnb/{name}", 1)], auto_comments=comments)
    return catalogue


def languages() -> dict[str, Path]:
    """The catalogue of each language."""
    return {path.parts[-3]: path for path in sorted(LOCALE.glob("*/LC_MESSAGES/authnb.po"))}


def load(path: Path, language: str | None = None) -> Catalog:
    """A catalogue as it is in its file."""
    with path.open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def updated(path: Path, language: str) -> Catalog:
    """A catalogue with the sentences of the source, and the translations it has for them."""
    catalogue = load(path, language)
    catalogue.update(extracted(), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    return catalogue


def text(catalogue: Catalog) -> bytes:
    """A catalogue as its file holds it: without the numbers of lines, which change with every edit."""
    buffer = io.BytesIO()
    write_po(buffer, _Steady.of(catalogue), width=0, sort_by_file=True, include_lineno=False)
    return buffer.getvalue()


def compiled(catalogue: Catalog) -> bytes:
    """A catalogue as programs read it."""
    buffer = io.BytesIO()
    write_mo(buffer, _Steady.of(catalogue))
    return buffer.getvalue()


class _Steady(Catalog):
    """A catalogue whose header names no date and no version of Babel."""

    @classmethod
    def of(cls, catalogue: Catalog) -> Catalog:
        """The same sentences."""
        steady = cls(locale=catalogue.locale, header_comment=HEADER, fuzzy=False)
        for message in catalogue:
            if message.id:
                steady[message.id] = message
        return steady

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        """What programs need of the header."""
        fields = [("MIME-Version", "1.0"), ("Content-Type", "text/plain; charset=utf-8")]
        if self.locale is None:
            return fields
        return [("Language", str(self.locale)), *fields, ("Plural-Forms", self.plural_forms)]


def main(others: list[Path]) -> None:
    """Write every file anew; ``others``: catalogues from which a translation is taken where there is none."""
    TEMPLATE.write_bytes(text(extracted()))
    for language, path in languages().items():
        catalogue = updated(path, language)
        for other in others:
            if str((theirs := load(other)).locale) != language:
                continue
            for message in catalogue:
                if message.id and not any(message.string) and message.id in theirs:
                    message.string = theirs[message.id].string
        path.write_bytes(text(catalogue))
        catalogue = load(path, language)
        path.with_suffix(".mo").write_bytes(compiled(catalogue))
        missing = sum(not any(message.string) or message.fuzzy for message in catalogue if message.id)
        print(f"{language}: {len(catalogue)} sentences, {missing} to translate")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
