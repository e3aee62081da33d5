"""Each adapter imports the library that `Credentials` names for it, and nothing else."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from authnb import adapters
from authnb.adapters.credentials import Adapter, Credentials

FOLDER = Path(str(adapters.__file__)).parent
ADAPTERS = {name: each for name, each in vars(Credentials).items() if isinstance(each, Adapter)}


def imported(path: Path) -> set[str]:
    """The top-level modules of others that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(str(node.module).partition(".")[0])
    return names - set(sys.stdlib_module_names) - {"authnb", "requests"}  # which authnb depends on


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("name", ADAPTERS)
def test_an_adapter_imports_what_it_says(name: str) -> None:
    adapter = ADAPTERS[name]
    library = normalized(adapter.requirement.partition(">=")[0])
    for module in imported(FOLDER / f"{adapter.module}.py"):
        assert library in map(normalized, packages_distributions()[module]), module
