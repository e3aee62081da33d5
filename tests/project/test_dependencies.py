"""What the package imports, it declares: in the dependencies, or in the extra whose part imports it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# Imported only where something else has installed them
FOUND_THERE = {
    "ipykernel": "where a kernel runs",
    "keyring": "the extra keyring, optional",
}


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(*extras: str) -> set[str]:
    requirements = [*PROJECT["dependencies"]]
    for extra in extras:
        requirements += PROJECT["optional-dependencies"][extra]
    return {normalized(re.split(r"[^\w.-]", requirement)[0]) for requirement in requirements}


def imported(path: Path) -> set[str]:
    """The top-level modules of others that a file imports, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(str(node.module))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            names |= {str(argument.value) for argument in node.args[:1] if isinstance(argument, ast.Constant)}
    return {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names) - {"authnb"}


def undeclared(folder: Path, names: set[str]) -> list[str]:
    """Imports of distributions that are not among these names."""
    distributions = packages_distributions()
    return sorted(
        f"{path.relative_to(folder)} imports {module}"
        for path in folder.rglob("*.py")
        for module in imported(path) - set(FOUND_THERE)
        if not names & {normalized(name) for name in distributions.get(module, [module])}
    )


def test_every_import_is_declared() -> None:
    """Adapters and clusters apart: each imports the library that its user has, as tests/clients and clusters do."""
    package = ROOT / "authnb"
    of_users = ("adapters/", "cluster/")
    assert [line for line in undeclared(package, declared("demo")) if not line.startswith(of_users)] == []
    elsewhere = (*of_users, "demo/")
    assert [line for line in undeclared(package, declared()) if not line.startswith(elsewhere)] == []


def test_every_dependency_is_imported() -> None:
    """Nothing is installed that nothing uses; the lab's own programs apart."""
    modules = {module for path in (ROOT / "authnb").rglob("*.py") for module in imported(path)}
    distributions = packages_distributions()
    used = {normalized(name) for module in modules for name in distributions.get(module, [])}
    behind_another = {
        "ipywidgets",
        "email-validator",
    }  # anywidget's base class; the e-mail validator of WTForms
    assert declared("demo") - used - behind_another == set()


def test_an_undeclared_import_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def f():\n    import werkzeug.exceptions\n    from json import loads\n")
    assert undeclared(tmp_path, declared()) == ["a.py imports werkzeug"]


def test_every_requirement_has_a_lower_bound() -> None:
    """`make lowest` runs the tests with these."""
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    assert [name for group in groups for name in group if ">=" not in name] == []
