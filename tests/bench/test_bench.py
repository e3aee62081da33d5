"""The measures of tests/bench run; no time is asserted. Libraries that are not installed are left out."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest
from bench import report
from bench.measuring import HERE, MEASURES, Bench, Sample


@pytest.mark.parametrize("name", MEASURES)
def test_each_measure_gives_a_table(name: str) -> None:
    result = import_module(f"bench.{name}").measure(Bench(python=sys.executable, tiny=True))
    assert any("authnb" in cell for row in result.rows for cell in row)
    assert all(len(row) == len(result.head) for row in result.rows)
    assert result.goals
    assert result.title in report.section(name, result)


def test_every_measure_is_measured() -> None:
    written = {
        path.stem for path in HERE.glob("*.py") if "\ndef measure(" in path.read_text(encoding="utf-8")
    }
    assert written == set(MEASURES)


def test_a_ratio_is_between_neighbours_in_time() -> None:
    busy = Sample((1.0, 10.0, 1.0)), Sample((2.0, 20.0, 2.0))
    assert busy[0].over(busy[1]).values == (0.5, 0.5, 0.5)
