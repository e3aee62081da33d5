"""What the notebooks state, and where a standard says so: ``python tests/kit/statements_page.py`` writes the page.

``tests/kit/statements/NN.toml`` has one ``[[statement]]`` for each statement of notebook NN that a standard decides:
``text`` (an excerpt of the notebook, word for word, but for white space), ``source`` (the URL of the section), ``says``
(what the source says, in other words), perhaps ``test`` (a test, as ``tests/….py::test_…``, or a line of a cell that
shows it) and ``was`` (what the notebook said before, if that was wrong).
"""

from __future__ import annotations

import ast
import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import urlsplit

import nbformat

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).with_name("statements")
PAGE = ROOT / "docs" / "statements.md"
STANDARDS = (
    "rfc-editor.org",
    "datatracker.ietf.org",
    "openid.net",
    "w3.org",
    "spec.whatwg.org",
    "pages.nist.gov",
    "cheatsheetseries.owasp.org",
    "modelcontextprotocol.io",
)
TEXT = """\
# What the notebooks state

Each statement of the notebooks that a standard decides, the section that says so, and what that section says, in other
words. A test finds each statement in its notebook, and a row here for each of a notebook's links to a standard. This
page is made from `tests/kit/statements` by `make statements`.
{sections}"""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A statement of a notebook, and the section of a standard that decides it."""

    text: str
    source: str
    says: str
    test: str = ""
    was: str = ""


def paths() -> list[Path]:
    """The notebooks, in order."""
    return sorted((ROOT / "notebooks").glob("*.ipynb"))


def statements(path: Path, folder: Path = FOLDER) -> list[Statement] | None:
    """The statements of a notebook; None if it has no file of them. Raises TypeError for an unknown or missing key."""
    file = folder / f"{path.name[:2]}.toml"
    if not file.exists():
        return None
    rows = tomllib.loads(file.read_text(encoding="utf-8"))["statement"]
    known = {field.name for field in fields(Statement)}
    wrong = [row for row in rows if not row.keys() <= known or not all(map(str.strip, row.values()))]
    if wrong:
        raise TypeError(f"{file.name}: {wrong}")
    return [Statement(**row) for row in rows]


def plain(text: str) -> str:
    """The text with one space for any white space."""
    return " ".join(text.split())


def texts(path: Path) -> list[str]:
    """What a notebook says: its text cells, its code, and the texts in the code, put together."""
    found = []
    for cell in nbformat.read(path, as_version=4).cells:
        found.append(cell.source)
        if cell.cell_type == "code":
            found += _strings(cell.source)
    return [plain(text) for text in found]


def _strings(source: str) -> list[str]:
    """The strings of a cell, such as answers that stand in several lines."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError:  # a magic
        return []
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def links(path: Path) -> set[str]:
    """The links of a notebook to a standard."""
    found = {link for text in texts(path) for link in re.findall(r"\]\((https://[^)\s]+)\)", text)}
    return {link for link in found if is_standard(link)}


def is_standard(link: str) -> bool:
    """Whether a link leads to one of the bodies that write standards."""
    host = urlsplit(link).hostname or ""
    return any(host == known or host.endswith(f".{known}") for known in STANDARDS)


def label(source: str) -> str:
    """A short name of a section: ``RFC 7636, 4.1``."""
    parts = urlsplit(source)
    document = parts.path.rstrip("/").rpartition("/")[2].removesuffix(".html") or parts.hostname or ""
    if rfc := re.fullmatch(r"rfc(\d+)", document):
        document = f"RFC {rfc[1]}"
    section = re.sub(r"^(section|appendix|name)-", "", parts.fragment)
    return f"{document}, {section}" if section else document


def page() -> str:
    """The page in the docs."""
    sections = []
    for path in paths():
        found = statements(path) or []
        rows = [
            f"| {_cell(one.text)} | [{label(one.source)}]({one.source}) | {_cell(one.says)} | {_shown(one.test)} |"
            for one in found
        ]
        if rows:
            head = ["| the notebook | section | which says | shown by |", "| --- | --- | --- | --- |"]
            sections.append("\n".join([f"\n## {path.stem}\n", *head, *rows, ""]))
    return TEXT.format(sections="".join(sections))


def _cell(text: str) -> str:
    """The text as a cell of a table: no link, no line end, no bar."""
    return re.sub(r"\[([^\]]+)\]\([^)\s]+\)", r"\1", plain(text)).replace("|", "\\|")


def _shown(test: str) -> str:
    return f"`{plain(test)}`".replace("|", "\\|") if test else ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
