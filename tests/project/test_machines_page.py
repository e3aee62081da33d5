"""The table of machines: every row names a test that exists, and every test of a machine has its row."""

from __future__ import annotations

from test_circumstances import ROOT, names

PAGE = ROOT / "docs" / "machines.md"
FOLDER = ROOT / "tests" / "machines"


def named() -> list[str]:
    """The test of each row."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return [line.rstrip(" |").rpartition("|")[2].strip(" `") for line in lines[2:]]


def test_every_row_names_a_test_that_exists() -> None:
    assert named()
    for test in named():
        path, _, name = test.partition("::")
        assert name in names(ROOT / path), test


def test_every_machine_has_a_row() -> None:
    tests = {
        f"tests/machines/{path.name}::{name}" for path in FOLDER.glob("test_*.py") for name in names(path)
    }
    assert {test for test in tests if "::test_" in test} <= set(named())
