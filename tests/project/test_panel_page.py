"""The table of lost panels: every name in it is a test that exists, and every such test is in it."""

from __future__ import annotations

import re

from test_circumstances import ROOT, names

PAGE = ROOT / "docs" / "panel.md"
FILES = [ROOT / "tests" / path for path in ("browser/test_lost_panel.py", "places/test_lost_marimo.py")]


def columns() -> list[set[str]]:
    """The tests named in each column but the first."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if "(`test_" in line]
    cells = [line.strip("| ").split(" | ")[1:] for line in lines if line.startswith("| ")]
    return [set(re.findall(r"`(test_\w+)`", " ".join(column))) for column in zip(*cells, strict=True)]


def test_the_table_names_the_tests() -> None:
    found = columns()
    assert len(found) == len(FILES)
    for named, path in zip(found, FILES, strict=True):
        assert named == {name for name in names(path) if name.startswith("test_")}
