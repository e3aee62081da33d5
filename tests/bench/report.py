"""Results as Markdown and plots."""

from __future__ import annotations

import os
import platform
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from bench.measuring import Result, Sample


def written(results: Mapping[str, Result | None], loads: Sequence[float], history: str) -> str:
    """The report; a measure with the result None is listed as failed."""
    goals = [
        (
            goal.what,
            goal.to_reach,
            goal.measured,
            "yes" if goal.reached else f"**no** {goal.why}".strip(),
        )
        for result in results.values()
        if result is not None
        for goal in result.goals
    ]
    summary = table(("measure", "to reach", "measured", "reached"), goals)
    sections = [section(name, result) for name, result in results.items()]
    return "\n".join([_HEAD.format(machine=machine(loads), summary=summary), *sections, history])


_HEAD = """# Measured

`make bench` writes this report. All figures are of one run, taken in turn; they are medians with the quartiles in
parentheses, ratios are medians of ratios between neighbours in time.

{machine}

## What was to be reached

{summary}"""


def machine(loads: Sequence[float]) -> str:
    """Platform and date, without the machine's name."""
    load = " to ".join(f"{load:.1f}" for load in loads)
    return (
        f"{time.strftime('%Y-%m-%d')}, Python {platform.python_version()}, {os.cpu_count()} cores "
        f"({platform.system()}, {platform.machine()}), load from start to end {load}"
    )


def section(name: str, result: Result | None) -> str:
    """The section of one measure."""
    if result is None:
        return f"## {name}\n\nThis measure failed.\n"
    plot = f"![{result.title}](plots/{name}.png)\n" if result.bars else ""
    return f"## {result.title}\n\n{result.text}\n\n{table(result.head, result.rows)}\n{plot}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def draw(result: Result, path: Path) -> None:
    """A bar for each sample with its median, and a line between the quartiles."""
    import matplotlib as mpl  # noqa: PLC0415 - only where a plot is wanted

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - only where it draws

    names: list[str] = list(result.bars)
    samples: list[Sample] = list(result.bars.values())
    medians = [sample.median for sample in samples]
    low = [sample.median - sample.quartiles[0] for sample in samples]
    high = [sample.quartiles[1] - sample.median for sample in samples]
    figure, axes = plt.subplots(figsize=(8, 0.7 + 0.32 * len(names)), layout="constrained")
    ours = ["#1f6feb" if name.startswith("authnb") else "#b8c0cc" for name in names]
    bars = axes.barh(names, medians, xerr=(low, high), color=ours, ecolor="#57606a", capsize=2)
    axes.bar_label(bars, labels=[f"{median:.3g}" for median in medians], padding=6)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(result.unit)
    axes.set_title(result.title, loc="left")
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=100)
    plt.close(figure)
