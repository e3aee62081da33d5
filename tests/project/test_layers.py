"""The layers of the package: imports point down. Files that repeat each other agree."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import yaml

import authnb

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "authnb"
# Each layer may import those before it, for types too. A name is a folder, or a module beside the folders.
LAYERS = [
    "particles",
    "messages",
    "errors",
    "languages",
    "compat",
    "transport",
    "oauth",
    "flows",
    "storage",
    "adapters",
    "cluster",
    "session",
    "recording",
    "signin",
    "views",
    "api",
    "cli",
    "__main__",
]
DEMO_LAYERS = [
    "database",
    "values",
    "registration_limits",
    "proof_nonces",
    "context",
    "accounts",
    "protocol",
    "pages",
    "resource",
    "app",
    "person",
    "running",
    "server",
    "shared",
]


def imports(path: Path, package: str) -> set[tuple[str, ...]]:
    """The modules of a package that a file imports, those for type checking included, as parts of their names."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module") and node.args:
            names |= {str(argument.value) for argument in node.args if isinstance(argument, ast.Constant)}
    inside = (name.removeprefix(f"{package}.") for name in names if name.startswith(f"{package}."))
    return {tuple(name.split(".")) for name in inside}


def climbs(folder: Path, layers: list[str], package: str, also: dict[str, set[str]]) -> list[str]:
    """Each import of a layer that does not stand below the importing one."""
    found = []
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if parts[0] in {"__init__", "demo"}:
            continue
        allowed = {*layers[: layers.index(parts[0]) + 1], *also.get(parts[0], set())}
        wrong = {name[0] for name in imports(path, package)} - allowed
        found += [f"{'.'.join(parts)} imports {package}.{name}" for name in sorted(wrong)]
    return found


def circles(folder: Path, package: str) -> list[str]:
    """Modules that import each other, directly or by way of others; what only types need counts too."""
    paths = {
        path.relative_to(folder).with_suffix("").parts: path
        for path in folder.rglob("*.py")
        if path.stem != "__init__"
    }
    edges = {
        name: {end for found in imports(path, package) for end in (found, found[:-1]) if end in paths}
        - {name}
        for name, path in paths.items()
    }
    found, done = [], set()

    def visit(name: tuple[str, ...], trail: list[tuple[str, ...]]) -> None:
        if name in trail:
            found.append(" -> ".join(".".join(step) for step in [*trail[trail.index(name) :], name]))
        elif name not in done:
            for target in sorted(edges[name]):
                visit(target, [*trail, name])
            done.add(name)

    for name in sorted(edges):
        visit(name, [])
    return found


def test_imports_point_down() -> None:
    modules = {
        path.name.removesuffix(".py")
        for path in PACKAGE.iterdir()
        if list(path.glob("*.py")) or path.suffix == ".py"
    }
    assert modules - {"__init__", "demo"} == set(LAYERS), "a folder is missing from LAYERS"
    assert climbs(PACKAGE, LAYERS, "authnb", {"cli": {"demo"}}) == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert circles(PACKAGE, "authnb") == []


def test_the_demo_stands_alone_and_has_layers_of_its_own() -> None:
    demo = PACKAGE / "demo"
    paths = list(demo.rglob("*.py"))
    assert paths
    for path in paths:
        assert {name[0] for name in imports(path, "authnb")} <= {"demo"}, path
    assert climbs(demo, DEMO_LAYERS, "authnb.demo", {}) == []


def test_a_climb_and_a_circle_are_noticed(tmp_path: Path) -> None:
    for name, line in {"low": "import authnb.high.b", "high": "from authnb.low import a"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / {"low": "a.py", "high": "b.py"}[name]).write_text(line)
    assert circles(tmp_path, "authnb") == ["high.b -> low.a -> high.b"]
    assert climbs(tmp_path, ["low", "high"], "authnb", {}) == ["low.a imports authnb.high"]
    assert climbs(tmp_path, ["low", "high"], "authnb", {"low": {"high"}}) == []


def test_each_folder_says_what_lives_there() -> None:
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert PACKAGE / "demo" / "resource" in folders
    for folder in folders:
        text = (folder / "__init__.py").read_text(encoding="utf-8")
        assert ast.get_docstring(ast.parse(text)), folder


def test_only_compat_asks_for_the_platform() -> None:
    """What Windows lacks is named in `authnb.compat` alone, beside what takes its place."""
    only_posix = re.compile(
        r"\bos\.name\b|\bsys\.platform\s*[!=]=|\bos\.(?:geteuid|getuid|fchmod|fork|register_at_fork|killpg)\b|"
        r"\bos\.O_\w*NO\w+|\b(?:import|from) (?:fcntl|pwd|resource|termios|tty)\b|\bsignal\.SIG(?:HUP|KILL|USR\d)\b|"
        r"hasattr\((?:os|signal),"
    )
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path != PACKAGE / "compat.py"
        for match in only_posix.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_views_know_nothing_of_http() -> None:
    paths = list((PACKAGE / "views").rglob("*.py"))
    assert paths
    # Checks of what is shown, and of what a browser was given in a file: they send nothing
    checks = {("transport", "text"), ("transport", "addresses"), ("storage", "leftovers")}
    for path in paths:
        assert {name[0] for name in imports(path, "authnb") if name[:2] not in checks} <= {
            "views",
            "signin",
            "flows",
            "errors",
            "messages",
            "compat",
        }, path
        assert "requests" not in path.read_text(encoding="utf-8"), path


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
    """All of it under 20 kB as people read it, no framework, nothing fetched from elsewhere."""
    scripts = sorted((PACKAGE / "views" / "static").glob("*.js"))
    assert 5_000 < sum(path.stat().st_size for path in scripts) < 20_000
    for path in scripts:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"https?://|\bimport\b|\brequire\(", text), path
        assert all(len(line) <= 160 for line in text.splitlines()), path


def test_the_replays_script_is_small_and_needs_nothing() -> None:
    """Under a bound of its own; what was recorded is put into the page as text."""
    script = (PACKAGE / "recording" / "static" / "replay.js").read_text(encoding="utf-8")
    assert 5_000 < len(script.encode()) < 20_000
    assert not re.search(r"\bimport\b|\brequire\(|innerHTML|insertAdjacentHTML|document\.write", script)
    assert re.findall(r"https?://[^\s\"]*", script) == [
        "http://www.w3.org/2000/svg"
    ]  # the name of SVG's elements
    assert all(len(line) <= 160 for line in script.splitlines())
