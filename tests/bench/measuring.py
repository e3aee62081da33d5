"""How a measure is written.

A measure is a module of this folder with one function, and its name in `MEASURES`::

    def measure(bench: Bench) -> Result: ...

It starts what it needs (a ``DemoProvider`` in this process, peers as processes of ``bench.python``), takes
times with `interleaved`, counts with ``bench.times(full)``, and gives one `Result`: a table, what was to be
reached, and bars for a plot if people would rather look. Peers that `Bench.has` does not know are left out. With
``bench.tiny`` it only shows that it works, within a second or two: the test suite runs it so, without the peers.
Nothing here asserts on time.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

MEASURES = (
    "startup",
    "round_trips",
    "latency",
    "calls",
    "stampede",
    "memory",
    "identity",
    "clicks",
    "unattended",
    "provider_load",
    "class_of_300",
)


@dataclass(frozen=True)
class Sample:
    """What was measured of one thing, again and again, in one unit."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    @property
    def quartiles(self) -> tuple[float, float]:
        """Between these two lies half of them: the spread."""
        if len(self.values) == 1:
            return self.values[0], self.values[0]
        low, _, high = statistics.quantiles(self.values, n=4, method="inclusive")
        return low, high

    def over(self, other: Sample) -> Sample:
        """The ratios, each with its neighbour in time: what slows the machine slows both."""
        return Sample(tuple(a / b for a, b in zip(self.values, other.values, strict=True)))

    def __format__(self, spec: str) -> str:
        """``1.20 (1.10 to 1.30)``: the median and the quartiles, each in this format."""
        low, high = self.quartiles
        return f"{self.median:{spec}} ({low:{spec}} to {high:{spec}})"


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A line of what is to be reached, and what was. ``why`` is told if it was not, with what was tried."""

    what: str
    to_reach: str
    measured: str
    reached: bool
    why: str = ""


def at_most(
    what: str, limit: float, measured: float, *, unit: str = "", spec: str = ".2f", why: str = ""
) -> Goal:
    """A goal that is a figure not to be exceeded; ``why`` it is, should it be."""
    unit = unit and f" {unit}"
    return Goal(
        what=what,
        to_reach=f"at most {limit:g}{unit}",
        measured=f"{measured:{spec}}{unit}",
        reached=measured <= limit,
        why=why,
    )


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a measure gives: a table in Markdown's terms, with ``text`` above it, and its goals.

    ``bars``: name and sample of each bar of the plot, ``unit`` what they are in; no bars, no plot.
    """

    title: str
    text: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    goals: Sequence[Goal] = ()
    bars: Mapping[str, Sample] = field(default_factory=dict)
    unit: str = ""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The environment with authnb and its peers, and how thorough to be."""

    python: str
    tiny: bool = False

    def times(self, full: int) -> int:
        """How often to do it."""
        return 1 if self.tiny else full

    def has(self, *distributions: str) -> bool:
        """Whether these peers are installed."""
        return all(_plain(name) in _installed(self.python) for name in distributions)

    def version(self, distribution: str) -> str:
        """Name and version, as a table's first column has it."""
        return f"{distribution} {_installed(self.python)[_plain(distribution)]}"

    def run(self, *arguments: str, input: str = "", timeout: float = 120, **environment: str) -> str:  # noqa: A002 - as subprocess has it
        """What a Python of that environment prints. Raises `RuntimeError` with what it said if it fails."""
        done = subprocess.run(
            [self.python, *arguments],
            input=input,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            env={**os.environ, **environment},
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout


def interleaved(runs: Mapping[str, Callable[[], float]], times: int) -> dict[str, Sample]:
    """What each of these gives, ``times`` times, in turn, each round beginning with another."""
    names = list(runs)
    found: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(times):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            found[name].append(runs[name]())
    return {name: Sample(tuple(values)) for name, values in found.items()}


@cache
def _installed(python: str) -> dict[str, str]:
    code = (
        "import json; from importlib.metadata import distributions\n"
        "print(json.dumps({d.metadata['Name']: d.version for d in distributions()}))"
    )
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return {_plain(name): version for name, version in found.items()}


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")
