"""Switch off each check of the client in a copy, and see that a test notices: ``python tests/security/mutants.py``.

A mutant that no test kills is a check that nothing holds in place. Prints a table; ends with 1 if one survives.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mutations import MUTANTS, Mutant

PATIENCE = 300  # seconds for the tests of one mutant
ROOT = Path(__file__).parent.parent.parent


def passes(tests: tuple[str, ...], mutant: Mutant | None = None) -> bool:
    """Whether these tests pass in a copy, with a check switched off or, without a mutant, as it is."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("authnb", "tests", "notebooks", "docs"):
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md", "CHANGELOG.md"):
            shutil.copy(ROOT / name, copy / name)
        if mutant is not None:
            switch_off(copy, mutant)
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
        env = {**os.environ, "PYTHONPATH": folder}
        try:
            done = subprocess.run(
                command, cwd=copy, env=env, capture_output=True, text=True, check=False, timeout=PATIENCE
            )
        except subprocess.TimeoutExpired:
            return False  # waiting for what never comes is noticing too
        if done.returncode not in {0, 1}:
            raise SystemExit(f"pytest could not run {tests}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.returncode == 0


def switch_off(copy: Path, mutant: Mutant) -> None:
    """Take the check out of the copy."""
    source = copy / "authnb" / mutant.file
    text = source.read_text(encoding="utf-8")
    if text.count(mutant.old) != 1:
        raise SystemExit(
            f"{mutant.check}: {mutant.old!r} stands {text.count(mutant.old)} times in {mutant.file}"
        )
    source.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")


def main() -> int:
    """Try every mutant, two at a time; 1 if one survives, or if tests fail with nothing switched off."""
    with ThreadPoolExecutor(2) as pool:
        suites = list(dict.fromkeys(mutant.tests for mutant in MUTANTS))
        for suite, passed in zip(suites, pool.map(passes, suites), strict=True):
            if not passed:
                raise SystemExit(f"With nothing switched off, {' '.join(suite)} fails.")
        results = list(pool.map(passes, [mutant.tests for mutant in MUTANTS], MUTANTS))
    print("| check switched off | in | noticed |\n| --- | --- | --- |")
    for mutant, survived in zip(MUTANTS, results, strict=True):
        print(f"| {mutant.check} | `{mutant.file}` | {'**no**' if survived else 'yes'} |")
    print(f"\n{len(results) - sum(results)} of {len(results)} noticed")
    return 1 if any(results) else 0


if __name__ == "__main__":
    sys.exit(main())
