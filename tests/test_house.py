"""The house in order: imports point one way, the files that repeat each other agree."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import yaml

import authnb

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "authnb"
# Each module may import those before it.
ORDER = [
    "errors",
    "exchange",
    "clock",
    "transport",
    "authlib_session",
    "answers",
    "quirks",
    "documents",
    "provider",
    "presets",
    "identity",
    "userinfo",
    "client",
    "redirects",
    "callbacks",
    "flows",
    "storage",
    "private",
    "cipher",
    "files",
    "keeper",
    "bearer",
    "httpx_auth",
    "session",
    "remembered",
    "record_explain",
    "record_redact",
    "record_show",
    "record",
    "place",
    "registration",
    "trusted",
    "ways",
    "diagnosis",
    "attempt",
    "signin",
    "views",
    "api",
    "scan",
    "lab",
    "__main__",
]


def imported(path: Path) -> set[str]:
    """The modules of authnb that a file imports, but for those it only names in annotations."""
    names: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "authnb":
            module = node.module or ""
            names |= {module} if "." in module else {f"authnb.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.split(".")[0] == "authnb"}
    return {name.split(".")[1] for name in names if "." in name}


def test_imports_point_down() -> None:
    modules = {path.stem: path for path in PACKAGE.glob("*.py") if path.stem != "__init__"}
    assert set(modules) | {"views"} == set(ORDER), "a module is missing from ORDER"
    for name, path in modules.items():
        allowed = set(ORDER[: ORDER.index(name)]) | ({"demo"} if name in {"lab", "__main__"} else set())
        assert imported(path) <= allowed, f"{name} imports {imported(path) - allowed}, which stands below it"


def test_views_know_nothing_of_http() -> None:
    for path in (PACKAGE / "views").rglob("*.py"):
        assert imported(path) <= {"views", "errors"}, path
        assert "requests" not in path.read_text(encoding="utf-8"), path


def test_the_demo_stands_alone() -> None:
    for path in (PACKAGE / "demo").rglob("*.py"):
        assert imported(path) <= {"demo"}, path


def test_environment_installs_what_pyproject_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["name"] == project["name"]
    assert f"python{project['requires-python']}" in environment["dependencies"]
    (pip,) = [part["pip"] for part in environment["dependencies"] if isinstance(part, dict)]
    extras = re.fullmatch(r"-e \.\[(.*)\]", pip[0])
    assert extras is not None
    assert set(extras[1].split(",")) == set(project["optional-dependencies"])


def test_every_page_is_linked() -> None:
    """From the README, or from a page that is."""
    pages = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}
    begin = "".join((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "SECURITY.md"))
    reached, more = set(), set(re.findall(r"\(docs/([\w-]+\.md)", begin))
    while more:
        reached |= more
        linked = {name for page in more for name in re.findall(r"\(([\w-]+\.md)", pages[page])}
        more = (linked & set(pages)) - reached
    assert reached == set(pages)


def test_public_names_are_there_and_lazy() -> None:
    for name in authnb.__all__:
        assert getattr(authnb, name) is not None
    assert set(dir(authnb)) == set(authnb.__all__)
    assert "Changelog" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_panels_script_is_small_and_needs_nothing() -> None:
    """All of it under 15 kB as people read it, no framework, nothing fetched from elsewhere."""
    scripts = sorted((PACKAGE / "views" / "static").glob("*.js"))
    assert sum(path.stat().st_size for path in scripts) < 15_000
    for path in scripts:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"https?://|\bimport\b|\brequire\(", text), path
        assert all(len(line) <= 160 for line in text.splitlines()), path
