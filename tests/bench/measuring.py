"""How to write a measure.

A measure is a module of this folder with one function, and its name in `MEASURES`::

    def measure(bench: Bench) -> Result: ...

It starts what it needs (a ``DemoProvider`` in this process, other libraries as processes of ``bench.python``), measures
times with `interleaved`, repeats ``bench.times(full)`` times, and returns one `Result`: a table, goals, and optionally
bars for a plot. Libraries for which `Bench.has` is false are left out. With ``bench.tiny`` it takes a second or two and
only shows that it works: the test suite runs it so, without the other libraries. Nothing here asserts on time.
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
    "proofs",
    "adapter_calls",
    "async_expiry",
    "served",
    "shares",
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
    """Repeated measurements of one quantity, in one unit."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median."""
        return statistics.median(self.values)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The first and third quartile."""
        if len(self.values) == 1:
            return self.values[0], self.values[0]
        low, _, high = statistics.quantiles(self.values, n=4, method="inclusive")
        return low, high

    def over(self, other: Sample) -> Sample:
        """The ratios of neighbours in time, so that the machine's load affects both alike."""
        return Sample(tuple(a / b for a, b in zip(self.values, other.values, strict=True)))

    def minus(self, other: Sample) -> Sample:
        """The differences between neighbours in time."""
        return Sample(tuple(a - b for a, b in zip(self.values, other.values, strict=True)))

    def __format__(self, spec: str) -> str:
        """``1.20 (1.10 to 1.30)``: the median and the quartiles, each in this format."""
        low, high = self.quartiles
        return f"{self.median:{spec}} ({low:{spec}} to {high:{spec}})"


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A goal and the measured value. ``why`` explains a missed goal and what was tried."""

    what: str
    to_reach: str
    measured: str
    reached: bool
    why: str = ""


def at_most(
    what: str, limit: float, measured: float, *, unit: str = "", spec: str = ".2f", why: str = ""
) -> Goal:
    """A goal with an upper limit; ``why`` explains if it is exceeded."""
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
    """The result of a measure: a Markdown table with ``text`` above it, and its goals.

    ``bars``: name and sample of each bar of the plot, in ``unit``; without bars there is no plot.
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
    """The environment with authnb and other libraries, and how thorough to be."""

    python: str
    tiny: bool = False

    def times(self, full: int) -> int:
        """How often to repeat."""
        return 1 if self.tiny else full

    def has(self, *distributions: str) -> bool:
        """Whether these libraries are installed."""
        return all(_plain(name) in _installed(self.python) for name in distributions)

    def version(self, distribution: str) -> str:
        """Name and version, for the first column of a table."""
        return f"{distribution} {_installed(self.python)[_plain(distribution)]}"

    def run(self, *arguments: str, input: str = "", timeout: float = 120, **environment: str) -> str:  # noqa: A002 - as subprocess has it
        """The output of a Python process of that environment. Raises `RuntimeError` with its output if it fails."""
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
    """The results of each function, called ``times`` times, interleaved, each round starting with another one."""
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
