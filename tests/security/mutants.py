"""Mutation tests of the security checks: ``python tests/security/mutants.py [TEXT]`` (``make mutants ARGS=TEXT``).

Each check in ``mutations.toml``, or each whose name or file has TEXT in it, is disabled in a copy of the repository,
where one of its tests must then fail. Prints a table. Exits with 1 if a mutant survives, or could not be tried: its
text is not in the file, its tests do not exist, or they fail with nothing disabled.

The tests run in processes that are forked from one in which everything but authnb is imported already: POSIX only.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import cache_from_source
from itertools import groupby
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).parents[2]
WORKERS = 2
PATIENCE = 300  # seconds for the tests of one mutant
IMPORTED = (
    *("pytest", "IPython", "anywidget", "httpx", "requests", "cryptography.fernet", "joserfc.jwt", "trustme"),
    *("authlib.integrations.requests_client", "authlib.integrations.flask_oauth2"),
    *("flask", "flask_wtf", "sqlalchemy.orm", "waitress"),
)
PASSED, FAILED, NOT_FOUND = 0, 1, 4  # exit codes of pytest
NOTICED, SURVIVED, NOT_TRIED = "yes", "**no**", "**not tried**"

FORKSERVER = multiprocessing.get_context("forkserver")
FORKSERVER.set_forkserver_preload(list(IMPORTED))

_worker = threading.local()  # .copy is the repository's copy of this thread


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A disabled check: in ``file``, ``old`` is replaced by ``new``; one of ``tests`` must fail."""

    check: str
    file: str
    old: str
    new: str = "if False:"
    tests: tuple[str, ...]

    def apply(self, text: str) -> str:
        """The file's text without the check; `ValueError` or `SyntaxError` if there is no such text."""
        if (count := text.count(self.old)) != 1:
            raise ValueError(f"the text to replace is found {count} times: {self.old!r}")
        mutated = text.replace(self.old, self.new)
        if self.file.endswith(".py"):
            compile(mutated, self.file, "exec")
        return mutated


@dataclass(frozen=True, kw_only=True)
class Result:
    """The outcome for a mutant; ``by`` is the test that failed, or the reason why it was not tried."""

    mutant: Mutant
    outcome: str
    by: str
    seconds: float


def read_mutants() -> list[Mutant]:
    """All in ``mutations.toml``, where they are grouped by file."""
    files = tomllib.loads(Path(__file__).with_name("mutations.toml").read_text(encoding="utf-8"))
    return [
        Mutant(file=file, **{**one, "tests": tuple(one["tests"])}) for file in files for one in files[file]
    ]


MUTANTS = read_mutants()


def copy_repository(folder: str) -> None:
    """Give this thread a copy of everything that tests read."""
    _worker.copy = Path(tempfile.mkdtemp(dir=folder)) / "authnb"
    shutil.copytree(ROOT, _worker.copy, ignore=shutil.ignore_patterns(".*", "__pycache__", "node_modules"))


def run_pytest(*arguments: str) -> tuple[int, str]:
    """The exit code and the output of pytest in the copy; a run that takes too long has failed."""
    # A folder for each run: in one that is shared, pytest removes what earlier runs left, and fails if it cannot
    with tempfile.TemporaryDirectory(dir=_worker.copy.parents[1], ignore_cleanup_errors=True) as temporary:
        output = Path(temporary) / "output"
        process = FORKSERVER.Process(target=pytest_in, args=(_worker.copy, temporary, output, arguments))
        process.start()
        process.join(PATIENCE)
        if process.exitcode is None:
            os.killpg(process.pid, signal.SIGKILL)
            return FAILED, f"no end within {PATIENCE} s"  # a test that waits in vain has noticed
        return process.exitcode, output.read_text(encoding="utf-8", errors="replace")


def pytest_in(copy: Path, temporary: str, output: Path, arguments: tuple[str, ...]) -> NoReturn:
    """Run pytest in a copy of the repository, in a process of its own, with a folder for temporary files."""
    os.setsid()
    os.environ["TMPDIR"], tempfile.tempdir = temporary, None
    with output.open("w") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.chdir(copy)
    sys.path.insert(0, str(copy))
    sys.dont_write_bytecode = False  # the next run is faster
    os.environ["PYTHONPATH"] = str(copy)  # of the processes that tests start
    os.environ |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "pytest_asyncio.plugin"}
    import pytest  # noqa: PLC0415 - imported before this process was forked

    options = ("-q", "-rfE", "--tb=no", "-p", "no:cacheprovider")
    code = int(pytest.main([*options, *arguments]))
    sys.stdout.flush()
    os._exit(code)  # whatever threads a failed test left


def failed_tests(output: str) -> list[str]:
    """The tests that failed, by pytest's summary."""
    return re.findall(r"^(?:FAILED|ERROR) (tests/.*?)(?: - .*)?$", output, re.MULTILINE)


def unusable(selections: list[str]) -> dict[str, str]:
    """Those of the selected tests that do not exist, or fail with nothing disabled, with the reason."""
    code, output = run_pytest(*selections)
    reason = f"pytest ended with {code}: {output[-300:]}"
    if code == PASSED:
        return {}
    if code == FAILED and (failed := failed_tests(output)):
        return {
            selection: f"{test} fails with nothing disabled"
            for selection in selections
            for test in failed
            if re.match(rf"{re.escape(selection)}(\[|::|$)", test)
        }
    missing = [
        one for one in selections if re.search(rf"not found: .*/{re.escape(one)}$", output, re.MULTILINE)
    ]
    if code != NOT_FOUND or not missing:
        return dict.fromkeys(selections, reason)
    rest = [selection for selection in selections if selection not in missing]
    return {
        **{selection: f"{selection} selects no test" for selection in missing},
        **(unusable(rest) if rest else {}),
    }


def try_mutant(mutant: Mutant, reasons: dict[str, str]) -> Result:
    """Run a mutant's tests with its check disabled, unless there are ``reasons`` why they cannot tell."""
    began = time.monotonic()
    source = _worker.copy / "authnb" / mutant.file
    outcome, by = NOT_TRIED, next((reasons[test] for test in mutant.tests if test in reasons), "")
    if not by:
        try:
            text = source.read_text(encoding="utf-8")
            mutated = mutant.apply(text)
        except (OSError, ValueError, SyntaxError) as error:
            by = str(error)
        else:
            replace(source, mutated)
            code, output = run_pytest("-x", *mutant.tests)
            replace(source, text)
            if code == PASSED:
                outcome = SURVIVED
            elif code == FAILED:
                outcome, by = NOTICED, next(iter(failed_tests(output)), output.strip()[-100:])
            else:
                by = f"pytest ended with {code}: {output[-300:]}"
    result = Result(mutant=mutant, outcome=outcome, by=by, seconds=time.monotonic() - began)
    print(f"{result.outcome}: {mutant.check} ({result.seconds:.0f} s)", file=sys.stderr)
    return result


def replace(source: Path, text: str) -> None:
    """Write a module, without the bytecode of before, which may be of the same second and size."""
    Path(cache_from_source(str(source))).unlink(missing_ok=True)
    source.write_text(text, encoding="utf-8")


def main(wanted: str = "") -> int:
    """Try the mutants, `WORKERS` at a time; 1 unless all are noticed."""
    began = time.monotonic()
    mutants = [mutant for mutant in MUTANTS if wanted in f"{mutant.file} {mutant.check}"]
    selections = sorted({test for mutant in mutants for test in mutant.tests})
    by_file = [list(group) for _, group in groupby(selections, lambda test: test.partition("::")[0])]
    with (
        tempfile.TemporaryDirectory() as folder,
        ThreadPoolExecutor(WORKERS, initializer=copy_repository, initargs=(folder,)) as pool,
    ):
        reasons = {test: reason for found in pool.map(unusable, by_file) for test, reason in found.items()}
        results = list(pool.map(lambda mutant: try_mutant(mutant, reasons), mutants))
    print("| check disabled | in | noticed | by | seconds |\n| --- | --- | --- | --- | --- |")
    for result in results:
        by = " ".join(result.by.split()).replace("|", r"\|")
        print(
            f"| {result.mutant.check} | `{result.mutant.file}` | {result.outcome} | {by} | {result.seconds:.0f} |"
        )
    count = Counter(result.outcome for result in results)
    print(
        f"\n{len(results)} mutants: {count[NOTICED]} noticed, {count[SURVIVED]} survived, "
        f"{count[NOT_TRIED]} not tried; {time.monotonic() - began:.0f} seconds"
    )
    return 0 if count[NOTICED] == len(results) else 1


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:])))
