"""Type checkers of those who use authnb: what the README and the docs show passes them, and help is complete."""

from __future__ import annotations

import ast
import builtins
import importlib.util
import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from support import give_up

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
INSIDE_THE_DEMO = tuple(
    f"authnb.demo.{name}."
    for name in ("accounts", "app", "context", "database", "pages", "protocol", "resource")
)
ADAPTERS = tuple(
    f"authnb.adapters.{path.stem}."
    for path in (ROOT / "authnb" / "adapters").glob("*.py")
    if path.stem not in {"credentials", "source", "token_file"}
)
# What the text around an example says is there already
GIVEN = {
    "api": "api: authnb.Session",
    "c": "c: typing.Any",
    "client": "client: typing.Any",  # distributed is not installed here
    "issuer": "issuer: str",
    "url": "url: str",
    "pd": "import pandas as pd",
    **{
        name: f"import {name}"
        for name in (
            "authnb",
            "dataclasses",
            "duckdb",
            "fsspec",
            "httpx",
            "os",
            "pandas",
            "requests",
            "subprocess",
        )
    },
}


def blocks() -> list[tuple[str, str]]:
    """Each Python block of the README and the docs, after its name."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in re.finditer(r"```python\n(.*?)```", text, re.DOTALL):
            line = text.count("\n", 0, match.start()) + 2
            found.append((f"{page.stem.lower()}_{line}.py", textwrap.dedent(match[1])))
    return found


def as_module(code: str) -> str:
    """A block as a module: a cell may await, so it becomes the body of a coroutine function."""
    tree = compile(code, "block", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if isinstance(tree, ast.Module) and ast.get_docstring(tree):
        return code
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    bound = {node.id for node in names if isinstance(node.ctx, ast.Store)} | set(dir(builtins))
    bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)} - {"api"}  # also outside
    defined = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    bound |= {node.name for node in ast.walk(tree) if isinstance(node, defined)}
    bound |= {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    free = {node.id for node in names} - bound
    head = sorted(
        {"import authnb", "import typing", *(GIVEN[name] for name in free)},
        key=lambda line: not line.startswith("import"),
    )
    return "\n".join([*head, "", "async def cell() -> None:", textwrap.indent(code, "    ")])


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    for name, code in blocks():
        (tmp_path / name).write_text(as_module(code), encoding="utf-8")
    return tmp_path


def check(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    if importlib.util.find_spec(command[0]) is None:
        give_up(f"{command[0]} is not installed")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_examples_pass_mypy(examples: Path) -> None:
    """With --strict; libraries without types are those of others."""
    run = check(
        examples,
        "mypy",
        "--strict",
        "--ignore-missing-imports",
        "--cache-dir",
        str(ROOT / ".mypy_cache" / "examples"),
        ".",
    )
    assert run.returncode == 0, run.stdout


def test_examples_pass_pyright(examples: Path) -> None:
    """In its standard mode; that a cell ends in an expression is no mistake."""
    settings = {
        "typeCheckingMode": "standard",
        "reportUnusedExpression": "none",
        "reportMissingImports": "none",
        "reportMissingModuleSource": "none",
    }
    (examples / "pyrightconfig.json").write_text(json.dumps(settings))
    run = check(examples, "basedpyright", "--pythonpath", sys.executable)
    assert run.returncode == 0, run.stdout


def test_types_are_complete(tmp_path: Path) -> None:
    """Of what can be imported, more than 99 % has a type that every type checker sees alike.

    The inside of the provider for learning does not count: its tables, forms and grants have base classes of
    SQLAlchemy, Flask-WTF and Authlib, and nobody imports them. Nor do the adapters: theirs are classes of libraries
    that their users have.
    """
    run = check(
        tmp_path,
        "basedpyright",
        "--pythonpath",
        sys.executable,
        "--verifytypes",
        "authnb",
        "--ignoreexternal",
        "--outputjson",
    )
    found = json.loads(run.stdout)["typeCompleteness"]
    symbols = [
        symbol
        for symbol in found["symbols"]
        if symbol["isExported"] and not symbol["name"].startswith((*INSIDE_THE_DEMO, *ADAPTERS))
    ]
    unknown = [symbol["name"] for symbol in symbols if not symbol["isTypeKnown"]]
    assert len(symbols) > 500
    assert len(unknown) < 0.01 * len(symbols), unknown


def test_a_wrong_mode_is_noticed(tmp_path: Path) -> None:
    """Modes and views are literals: a misspelt one is found before it runs."""
    calls = {
        "mode": 'authnb.login("https://id.example.org", client_id="n", mode="devise")',
        "view": 'authnb.login("https://id.example.org", client_id="n", view="pannel")',
        "form": 'authnb.login("https://id.example.org", client_id="n", mode="form")',
        "right": 'authnb.signup("https://id.example.org", client_id="n", mode="form", view="text")',
    }
    for name, call in calls.items():
        (tmp_path / f"{name}.py").write_text(f"import authnb\n{call}\n")
    run = check(tmp_path, "mypy", "--strict", "--cache-dir", str(ROOT / ".mypy_cache" / "examples"), ".")
    assert {line.partition(".py")[0] for line in run.stdout.splitlines() if "error:" in line} == {
        "mode",
        "view",
        "form",
    }
