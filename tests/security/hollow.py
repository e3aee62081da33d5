"""Break each function of authnb in turn and see which tests notice: ``python tests/security/hollow.py FOLDER``.

A function whose breaking no test notices is held by no test; a test that fails whichever of the functions it calls is
broken, looks at something, and one that never fails looks at nothing. Three stages, each kept as JSON in FOLDER:

1. ``map``: every test runs once under coverage, with a context for each, which gives the functions it calls and the
   assertions it reaches;
2. ``functions``: each public function is broken, once so that it raises and once so that it does nothing and returns
   an empty value of its type, and the tests that call it run until one fails;
3. ``tests``: for each test that has not failed yet, the functions it calls are broken one after the other.

Nothing is written to the package: pytest collects once, and for each broken function a forked child replaces the
function's code and runs the chosen tests. Processes that a test starts are broken in the same way when they import the
module, by a ``sitecustomize`` on their ``PYTHONPATH``; a function that only they call is tried with the tests of its
folder. Needs ``os.fork``. A run that was interrupted goes on where it stopped; delete FOLDER to start anew.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import functools
import importlib
import inspect
import json
import os
import pkgutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import coverage
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
# What takes a browser, another provider, minutes, or reads files only.
LEFT_OUT = [
    *("tests/browser", "tests/bench", "tests/project", "tests/typed", "tests/kit/test_notebooks.py"),
    *("tests/interop/test_interop.py", "tests/interop/test_strangers_sign_in.py"),
    *("tests/session/test_soak.py", "tests/storage/test_kills.py", "tests/security/test_properties.py"),
]
PATIENCE = 90  # seconds for the tests of one broken function; a test that then still waits has noticed
BUDGET = 45  # seconds of tests, as the map measured them, for one broken function
BREAKINGS = 30  # functions tried for one test
KINDS = ("raises", "empty")
# Tests that start notebooks, terminals and command lines
IN_PROCESSES = (
    *("tests/views/", "tests/cli/", "tests/leaks/", "tests/storage/test_files.py"),
    *(
        "tests/signin/test_unattended.py",
        "tests/signin/test_topologies.py",
        "tests/signin/test_nobody_there.py",
    ),
)
CUSTOMIZE = """
import os, sys

name, _, kind = os.environ["AUTHNB_TESTS_BREAK"].rpartition(" ")


class Finder:
    def find_spec(self, fullname, path, target=None):
        if fullname != name.partition(":")[0]:
            return None
        sys.meta_path.remove(self)
        import importlib.util
        spec = importlib.util.find_spec(fullname)
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            sys.path.append(os.environ["AUTHNB_TESTS_HOLLOW"])
            import hollow
            for function in hollow.functions_of(module):
                if function.__qualname__ == name.partition(":")[2]:
                    function.__code__ = hollow.broken(function, kind)

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Finder())
"""


def functions() -> dict[str, FunctionType]:
    """Every function and method that is defined in the package, by ``module:qualified name``."""
    package = importlib.import_module("authnb")
    found: dict[str, FunctionType] = {}
    for info in pkgutil.walk_packages(package.__path__, "authnb."):
        if info.name.endswith("__main__"):
            continue
        try:
            module = importlib.import_module(info.name)
        except ImportError:
            if not info.name.startswith(
                ("authnb.adapters.", "authnb.cluster.")
            ):  # whose libraries need not be installed
                raise
            continue
        found |= {f"{info.name}:{function.__qualname__}": function for function in functions_of(module)}
    return found


def functions_of(module: ModuleType) -> Iterator[FunctionType]:
    """The functions and methods that are written in a module and do something."""
    for value in vars(module).values():
        for member in vars(value).values() if inspect.isclass(value) else [value]:
            function = underlying(member)
            if (
                function is not None
                and function.__code__.co_filename == module.__file__
                and not is_stub(function)
            ):
                yield function


def is_stub(function: FunctionType) -> bool:
    """Whether there is nothing in it but a docstring, as in a Protocol."""
    return function.__code__.co_code == (lambda: None).__code__.co_code and set(
        function.__code__.co_consts
    ) <= {
        None,
        function.__doc__,
    }


def underlying(member: Any) -> FunctionType | None:
    """The plain function behind a property, a class method, a cache or a decorator."""
    if isinstance(member, property):
        member = member.fget
    elif isinstance(member, functools.cached_property):
        member = member.func
    elif isinstance(member, classmethod | staticmethod):
        member = member.__func__
    if isinstance(member, FunctionType | functools._lru_cache_wrapper):  # noqa: SLF001 - it has no public name
        member = inspect.unwrap(member)
    return member if isinstance(member, FunctionType) else None


def is_public(name: str) -> bool:
    """Whether no part of the function's own name is private."""
    return not any(
        part.startswith("_") and not part.startswith("__") for part in name.partition(":")[2].split(".")
    )


# Source of an empty value of a type
EMPTY = {
    "str": "''",
    "bytes": "b''",
    "int": "0",
    "float": "0.0",
    "bool": "False",
    "list": "[]",
    "dict": "{}",
    "tuple": "()",
    "set": "set()",
    "frozenset": "frozenset()",
    "Sequence": "()",
    "Iterable": "()",
    "Collection": "()",
    "Mapping": "{}",
}


def broken(function: FunctionType, kind: str) -> CodeType:
    """Code for the function that raises, or that does nothing and returns an empty value."""
    names: dict[str, Any] = {}
    body = "raise NotImplementedError('broken on purpose')" if kind == "raises" else emptied(function)
    prefix = "async " if inspect.iscoroutinefunction(function) else ""
    exec(f"{prefix}def replacement(*args, **options): {body}", names)  # noqa: S102 - a line of our own
    code: CodeType = names["replacement"].__code__
    return code.replace(co_freevars=function.__code__.co_freevars)


def emptied(function: FunctionType) -> str:
    """The body of a function with that return type that does nothing."""
    returns = str(function.__annotations__.get("return", "None"))
    if is_context_manager(function):
        return "yield"
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return "return; yield"
    if returns == "Self":
        return "return args[0]"
    return f"return {None if 'None' in returns else EMPTY.get(returns.partition('[')[0])}"


@functools.cache
def decorated_as_context_manager() -> frozenset[tuple[str, int]]:
    """File and first line of each function under ``@contextmanager``."""
    found = set()
    for path in (ROOT / "authnb").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and any(
                "contextmanager" in ast.unparse(decorator) for decorator in node.decorator_list
            ):
                found.add((str(path), min(line.lineno for line in node.decorator_list)))
    return frozenset(found)


def is_context_manager(function: FunctionType) -> bool:
    """Whether the function is what ``with`` enters."""
    return (
        function.__code__.co_filename,
        function.__code__.co_firstlineno,
    ) in decorated_as_context_manager()


class Mapper:
    """Notes which functions each test calls, how long it takes, and whether it passes."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.coverage = coverage.Coverage(
            source_pkgs=["authnb"], config_file=False, data_file=None, messages=False
        )
        self.coverage.set_option("run:disable_warnings", ["module-not-measured", "no-data-collected"])
        self.took: dict[str, float] = {}
        self.reached: dict[str, list[int]] = defaultdict(list)

    def pytest_collection_finish(self) -> None:
        self.coverage.start()

    def pytest_assertion_pass(self, item: pytest.Item, lineno: int) -> None:
        self.reached[item.nodeid].append(lineno)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        self.coverage.switch_context(item.nodeid)
        began = time.monotonic()
        try:
            yield
            self.took[item.nodeid] = time.monotonic() - began
        finally:
            self.coverage.switch_context("outside")

    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        if nextitem is None or nextitem.path != item.path:
            self.save()  # what there is, after each file: it takes a while

    def save(self) -> None:
        """Write down what is known so far."""
        data = self.coverage.get_data()
        starts = {
            (function.__code__.co_filename, line): name
            for name, function in functions().items()
            for line in body_lines(function.__code__)
        }
        calls: dict[str, set[str]] = defaultdict(set)
        for file in data.measured_files():
            for line, contexts in data.contexts_by_lineno(file).items():
                name = starts.get((file, line))
                for context in contexts if name else ():
                    calls[context].add(str(name))
        result = {
            test: {
                "took": took,
                "calls": sorted(calls.get(test, ())),
                "reached": sorted(set(self.reached[test])),
            }
            for test, took in self.took.items()
        }
        self.output.write_text(json.dumps(result), encoding="utf-8")


def body_lines(code: CodeType) -> set[int]:
    """The lines that run when the function is called, not those that run when it is defined."""
    return {line for _, _, line in code.co_lines() if line is not None and line != code.co_firstlineno} or {
        code.co_firstlineno
    }


class Breaker:
    """Runs chosen tests in forked children, in each of which one function is broken."""

    def __init__(self, folder: Path, stage: str, shard: tuple[int, int], only: str) -> None:
        self.folder, self.stage, self.shard, self.only = folder, stage, shard, only
        self.seen = json.loads((folder / "map.json").read_text(encoding="utf-8"))
        self.output = folder / f"{stage}-{shard[0]}.jsonl"
        self.functions = functions()
        (folder / "customize").mkdir(exist_ok=True)
        (folder / "customize" / "sitecustomize.py").write_text(CUSTOMIZE, encoding="utf-8")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.items = {item.nodeid: item for item in session.items if item.nodeid in self.seen}
        session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined] # noqa: SLF001 - one for all children
        done = set()
        if self.output.exists():
            done = {json.loads(line)["key"] for line in self.output.read_text(encoding="utf-8").splitlines()}
        work = self.breakings() if self.stage == "functions" else self.unproven()
        number, count = self.shard
        for key, run in [pair for pair in work if pair[0] not in done][number::count]:
            line = {"key": key, **run(session)}
            with self.output.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        return True

    def breakings(self) -> list[tuple[str, Any]]:
        """Each function with each way to break it, and the tests that call it."""
        callers: dict[str, list[str]] = defaultdict(list)
        for test, seen in self.seen.items():
            for name in seen["calls"]:
                callers[name].append(test)
        return [
            (f"{name} {kind}", functools.partial(self.try_function, name, kind, callers[name]))
            for name in self.functions
            if is_public(name) and self.only in name
            for kind in KINDS
        ]

    def try_function(self, name: str, kind: str, tests: list[str], session: pytest.Session) -> dict[str, Any]:
        """Break one function and say which test noticed."""
        module = name.partition(":")[0].rpartition(".")[2]
        tests = sorted(
            {test for test in tests if test in self.items},
            key=lambda test: (module not in test, self.seen[test]["took"]),
        )
        if not tests:  # only processes that tests start call it
            folder = f"tests/{name.split('.')[1].partition(':')[0]}/"
            tests = [test for test in self.items if test.startswith((folder, *IN_PROCESSES))]
        chosen: list[str] = []
        left = float(BUDGET)
        for test in tests:
            left -= self.seen[test]["took"]
            if chosen and left < 0:
                break
            chosen.append(test)
        failed = self.run(session, name, kind, chosen) if chosen else None
        return {"callers": len(tests), "ran": len(chosen), "noticed_by": failed}

    def unproven(self) -> list[tuple[str, Any]]:
        """One of each test function that has not failed yet."""
        proven = set()
        for path in self.folder.glob("functions-*.jsonl"):
            for line in path.read_text(encoding="utf-8").splitlines():
                proven.add(str(json.loads(line)["noticed_by"]).partition("[")[0])
        first: dict[str, str] = {}
        for test in self.items:
            first.setdefault(test.partition("[")[0], test)
        return [
            (test, functools.partial(self.try_test, test))
            for name, test in sorted(first.items(), key=lambda pair: float(self.seen[pair[1]]["took"]))
            if name not in proven and self.only in name
        ]

    def try_test(self, test: str, session: pytest.Session) -> dict[str, Any]:
        """Break what a test calls, the functions that few tests call first, until it fails."""
        calls = self.seen[test]["calls"]
        number = {name: sum(name in seen["calls"] for seen in self.seen.values()) for name in calls}
        tried = sorted(calls, key=lambda name: (not is_public(name), number[name]))[:BREAKINGS]
        for name in tried:
            if self.run(session, name, "empty", [test]):
                return {"noticed": name, "calls": len(calls)}
        return {"noticed": None, "calls": len(calls), "tried": tried}

    def run(self, session: pytest.Session, name: str, kind: str, tests: list[str]) -> str | None:
        """The test that failed first in a child with the function broken; None if all passed."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.setpgid(0, 0)
            function = self.functions[name]
            function.__code__ = broken(function, kind)
            os.environ["AUTHNB_TESTS_BREAK"] = f"{name} {kind}"
            os.environ["AUTHNB_TESTS_HOLLOW"] = str(Path(__file__).parent)
            os.environ["PYTHONPATH"] = os.pathsep.join([str(self.folder / "customize"), str(ROOT)])
            session.items = [self.items[test] for test in tests]
            session.config.option.maxfail = 1
            session.config.pluginmanager.register(First(writer))
            with contextlib.suppress(BaseException):
                for item, following in zip(session.items, [*session.items[1:], None], strict=True):
                    item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            os.write(writer, b"\n")
            os._exit(0)
        os.close(writer)
        with contextlib.suppress(OSError):
            os.setpgid(child, child)
        signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(TimeoutError))
        signal.alarm(PATIENCE)
        try:
            said = os.read(reader, 4000)
            failed = said.decode().partition("\n")[0] or None
            if not said:
                failed = f"{tests[0]} (died)"
        except TimeoutError:
            failed = f"{tests[0]} (waits)" if len(tests) == 1 else "(waits)"
        finally:
            signal.alarm(0)
            os.close(reader)
            with contextlib.suppress(OSError):
                os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
        return failed


class First:
    """Tells the parent which test failed first, and ends."""

    def __init__(self, writer: int) -> None:
        self.writer = writer

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            os.write(
                self.writer,
                f"{report.nodeid}{'' if report.when == 'call' else f' ({report.when})'}\n".encode(),
            )
            os._exit(0)


def shards(folder: Path, stage: str, number: int, more: list[str]) -> None:
    """Run a stage in that many processes."""
    command = [sys.executable, __file__, str(folder), "--stage", stage, *more]
    processes = [
        subprocess.Popen(
            [*command, "--shard", f"{index}/{number}"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "pycache"), "PYTHONPATH": str(ROOT)},
            stdout=(folder / f"{stage}-{index}.log").open("w"),
            stderr=subprocess.STDOUT,
        )
        for index in range(number)
    ]
    for process in processes:
        process.wait()


def test_files(shard: tuple[int, int]) -> list[str]:
    """Every test file, or those of one shard."""
    files = sorted(
        (
            str(path.relative_to(ROOT))
            for path in (ROOT / "tests").rglob("test_*.py")
            if not str(path.relative_to(ROOT)).startswith(tuple(LEFT_OUT))
        ),
        key=lambda name: (name.startswith("tests/demo"), name),  # the provider's, which hash passwords, last
    )
    return files[shard[0] :: shard[1]]


def unreached(seen: dict[str, Any]) -> list[str]:
    """Assertions of the tests that ran which none of them reached."""
    lines: dict[str, set[int]] = defaultdict(set)
    ran = {test.partition("[")[0].rpartition("::")[2] for test in seen}
    for test, entry in seen.items():
        lines[test.partition("::")[0]] |= set(entry["reached"])
    found = []
    for file, reached in sorted(lines.items()):
        for function in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and function.name in ran:
                asserted = [node.lineno for node in ast.walk(function) if isinstance(node, ast.Assert)]
                found += [f"{file}:{line} {function.name}" for line in asserted if line not in reached]
    return found


def report(folder: Path) -> int:
    """Print the functions no test holds and the tests that look at nothing; 1 if there are any."""
    rows: dict[str, list[dict[str, Any]]] = {"functions": [], "tests": []}
    for stage, lines in rows.items():
        for path in sorted(folder.glob(f"{stage}-*.jsonl")):
            lines += [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    survived = [row for row in rows["functions"] if not row["noticed_by"]]
    blind = [row for row in rows["tests"] if not row["noticed"]]
    found = {
        "broken functions that no test noticed": [
            f"{row['key']} ({row['ran']} of {row['callers']} tests ran)" for row in survived
        ],
        "tests that noticed nothing": [f"{row['key']} (calls {row['calls']})" for row in blind],
        "assertions that no test reached": unreached(
            json.loads((folder / "map.json").read_text(encoding="utf-8"))
        ),
    }
    for title, lines_found in found.items():
        print(f"\n{len(lines_found)} {title}", *lines_found, sep="\n  ")
    print(f"\n{len(rows['functions'])} breakings, {len(rows['tests'])} tests tried one by one")
    return 1 if any(found.values()) else 0


def main() -> int:
    """Run the stages, or one of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--stage", choices=["map", "functions", "tests", "report"])
    parser.add_argument("--shard", default="")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", default="", help="a part of the names to try")
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    sys.path.insert(0, str(ROOT))
    if options.stage == "report":
        return report(folder)
    if not options.shard:
        for stage in [options.stage] if options.stage else ["map", "functions", "tests"]:
            shards(folder, stage, options.processes, ["--only", options.only])
            if stage == "map":
                parts = [json.loads(path.read_text("utf-8")) for path in folder.glob("map-*.json")]
                whole = {name: seen for part in parts for name, seen in part.items()}
                (folder / "map.json").write_text(json.dumps(whole), encoding="utf-8")
        return report(folder)
    index, count = map(int, options.shard.split("/"))
    arguments = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", str(ROOT)]
    arguments += ["-o", "enable_assertion_pass_hook=true"]
    if options.stage == "map":
        plugin: Any = Mapper(folder / f"map-{index}.json")
        files = test_files((index, count))
    else:
        plugin = Breaker(folder, options.stage, (index, count), options.only)
        files = test_files((0, 1))
    os.chdir(ROOT)
    return int(pytest.main([*arguments, *files], plugins=[plugin]))


if __name__ == "__main__":
    sys.exit(main())
