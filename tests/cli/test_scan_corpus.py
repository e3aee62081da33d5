"""`authnb scan` on lists of lines as people paste them. The values are made up.

In the lists ``¦`` is left out of a line, so that no file holds the format of a live token, and ``⏎`` is a line end.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from authnb.cli import secret_search
from authnb.cli.scan import scan
from authnb.cli.secret_rules import AZURE_FORMAT, FORMATS

HERE = Path(__file__).parent


def lines(name: str) -> list[str]:
    """The lines of a list."""
    text = (HERE / f"{name}.txt").read_text(encoding="utf-8").replace("¦", "")
    return [line.replace("⏎", "\n").replace("\\x1b", "\x1b") for line in text.splitlines()]


def is_found(folder: Path, line: str) -> bool:
    """Whether the scan finds a secret in a notebook with the line in a cell."""
    cell = {"cell_type": "code", "source": line, "outputs": [], "metadata": {}, "execution_count": None}
    path = folder / "n.ipynb"
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}))
    return bool(scan(path))


def test_every_secret_on_the_list_is_found(tmp_path: Path) -> None:
    """Recall is 100 %."""
    secrets = lines("scan_secrets")
    assert len(secrets) >= 100
    assert [line for line in secrets if not is_found(tmp_path, line)] == []


def test_no_ordinary_line_is_taken_for_a_secret(tmp_path: Path) -> None:
    """No false alarms."""
    ordinary = lines("scan_ordinary")
    assert len(ordinary) >= 100
    assert [line for line in ordinary if is_found(tmp_path, line)] == []


@pytest.mark.parametrize("name", ["scan_held_out", "scan_held_out_2"])
def test_the_figures_of_the_held_out_lists_are_the_published_ones(tmp_path: Path, name: str) -> None:
    """Each was measured before a rule was changed for its lines. A later change that finds more says so."""
    secrets, ordinary = lines(f"{name}_secrets"), lines(f"{name}_ordinary")
    found = sum(is_found(tmp_path, line) for line in secrets)
    false_alarms = sum(is_found(tmp_path, line) for line in ordinary)
    published = (HERE.parents[1] / "docs" / "scan.md").read_text(encoding="utf-8")
    row = next(line for line in published.splitlines() if f"`{name}_*.txt`" in line)
    assert f"| {found} of {len(secrets)} | {false_alarms} of {len(ordinary)} |" in row


def test_number_of_formats() -> None:
    assert len({reason for reason, _start, _rest in FORMATS}) > 50


def repeats_without_bound(pattern: str) -> bool:
    """Whether a regular expression has a ``*``, ``+`` or ``{n,}`` that is not possessive, and so may backtrack."""
    bare = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "x", pattern)  # without escapes and sets of characters
    possessive = re.sub(r"(?:[*+?]|\{\d*,?\d*\})\+", "", bare)
    return re.search(r"[*+]|\{\d*,\}", possessive) is not None


PATTERNS = [
    AZURE_FORMAT,
    *(rest for _reason, _start, rest in FORMATS),
    *(value.pattern for value in vars(secret_search).values() if isinstance(value, re.Pattern)),
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_pattern_repeats_without_bound(pattern: str) -> None:
    """A repetition that can give back characters takes more than linear time on lines made for it."""
    assert not repeats_without_bound(pattern)


@pytest.mark.parametrize("pattern", [r"a*b", r"\w+", r"(?:a{3,})", r"[^+]+x", r"[]*]*", r"\[*"])
def test_an_unbounded_repetition_is_noticed(pattern: str) -> None:
    assert repeats_without_bound(pattern)
