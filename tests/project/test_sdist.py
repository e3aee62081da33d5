"""The sdist is a checkout: with its notebooks, its tests, and all that they need."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--nbval-lax", "notebooks/00_sign_in.ipynb"],
        ["tests/oauth/test_id_token.py", "tests/project/test_dependencies.py"],
    ],
    ids=["a notebook", "tests"],
)
def test_it_runs_from_the_sdist(unpacked: Path, arguments: list[str]) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(
        command,
        cwd=unpacked,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_it_has_the_set_up_and_nothing_that_was_built(unpacked: Path) -> None:
    names = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()}
    assert {
        "conftest.py",
        "Makefile",
        "tools/install.py",
        "environment.yml",
        ".pre-commit-config.yaml",
    } <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith((".venv", ".git/"))]
