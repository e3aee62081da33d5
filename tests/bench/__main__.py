"""Compare authnb with other libraries: ``make bench``, or ``make bench ARGS=startup`` for one.

Running all measures writes ``REPORT.md`` and ``plots/``; running some only prints. How to write one: `bench.measuring`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).parent
# Not this folder: a measure may be named as a package is
sys.path[:1] = [str(HERE.parent), str(HERE.parent / "helpers"), str(HERE.parent / "browser")]

from bench import report  # noqa: E402 - found by the path above
from bench.measuring import MEASURES, ROOT, Bench  # noqa: E402 - the same
from installed import from_pypi  # noqa: E402 - found one folder up

if TYPE_CHECKING:
    from bench.measuring import Result


def environment() -> str:
    """The Python of an environment with the other libraries, created if needed, and the current authnb."""
    lines = (HERE / "requirements.txt").read_text(encoding="utf-8").splitlines()
    python = from_pypi(*(line for line in lines if line and not line.startswith("#")))
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    subprocess.run([*pip, str(ROOT)], check=True)
    return python


def measured(name: str, bench: Bench) -> Result | None:
    """The result of one measure; None if it failed, which is reported."""
    sys.stderr.write(f"{name} …\n")
    try:
        result: Result = import_module(f"bench.{name}").measure(bench)
    except Exception:  # noqa: BLE001 - the others are measured all the same
        traceback.print_exc()
        return None
    sys.stdout.write(report.section(name, result) + "\n")
    for goal in result.goals:
        sys.stdout.write(f"{goal.what}: {goal.measured} ({goal.to_reach})\n")
    sys.stdout.flush()
    return result


def load() -> float:
    """The load average, where the system reports one."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="measure", help=", ".join(MEASURES))
    parser.add_argument("--tiny", action="store_true", help="only see that they work")
    options = parser.parse_args()
    if unknown := set(options.names) - set(MEASURES):
        parser.error(f"{', '.join(unknown)}: there are {', '.join(MEASURES)}")
    bench = Bench(python=environment(), tiny=options.tiny)
    before = load()
    results = {name: measured(name, bench) for name in options.names or MEASURES}
    if not options.names and not options.tiny:
        history = (HERE / "history.md").read_text(encoding="utf-8")
        text = report.written(results, (before, load()), history)
        (HERE / "REPORT.md").write_text(text, encoding="utf-8")
        for name, result in results.items():
            if result is not None and result.bars:
                report.draw(result, HERE / "plots" / f"{name}.png")
    return int(None in results.values())


if __name__ == "__main__":
    sys.exit(main())
