"""What the documents on security name is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from mutations import MUTANTS

ROOT = Path(__file__).parents[2]
PAGES = ("SECURITY.md", "docs/rfc9700.md")


@pytest.mark.parametrize("page", PAGES)
def test_every_test_and_module_named_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    tests = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert len(tests) >= 8
    for file, name in tests:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        assert name in {
            node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }, name
    for file in re.findall(r"`([\w/]+\.(?:py|md))`", text) + re.findall(r"\]\((docs/[^)]+)\)", text):
        assert (ROOT / file).is_file(), file


def test_every_section_of_the_standard_is_there() -> None:
    """RFC 9700: 2.1 to 2.6, and 4.1 to 4.17."""
    rows = re.findall(
        r"^\| ([\d.]+) \|", (ROOT / "docs/rfc9700.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    named = {".".join(row.split(".")[:2]) for row in rows}
    assert named == {f"2.{n}" for n in range(1, 7)} | {f"4.{n}" for n in range(1, 18)}


def test_every_deed_named_is_done() -> None:
    done = (ROOT / "docs/hostile.md").read_text(encoding="utf-8")
    for deed in re.findall(r'\("(\w[^"]*)"\)', (ROOT / "docs/rfc9700.md").read_text(encoding="utf-8")):
        assert f"| {deed} |" in done


def test_every_check_to_switch_off_is_there_once() -> None:
    """Or ``make mutants`` could not."""
    for mutant in MUTANTS:
        text = (ROOT / "authnb" / mutant.file).read_text(encoding="utf-8")
        assert text.count(mutant.old) == 1, mutant.check
