"""The table of circumstances: every row names its source and a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "circumstances.md"
COLUMNS = 5


def rows() -> list[list[str]]:
    """The cells of each row, without the heading."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def names(path: Path) -> set[str]:
    """The tests in a file, as pytest names them below it."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
    return found


def test_every_row_names_a_test_that_exists() -> None:
    """A row without its test is a promise that nothing holds."""
    assert len(rows()) > COLUMNS
    for row in rows():
        assert len(row) == COLUMNS, row
        path, _, name = row[-1].strip("`").partition("::")
        assert name in names(ROOT / path), row[-1]


def test_every_row_names_its_source() -> None:
    """A repository with a number, a section of a standard, or a provider's documentation."""
    for row in rows():
        assert re.search(r"^[\w.-]+/[\w.-]+#\d+|^RFC \d|^OpenID|^POSIX|https://", row[2]), row[2]


def test_the_table_is_sorted_by_kind() -> None:
    """So that both ends of it can be found."""
    kinds = [int(row[0]) for row in rows()]
    assert kinds == sorted(kinds)
