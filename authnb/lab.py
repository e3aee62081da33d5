"""``authnb lab``: JupyterLab on a writable copy of the notebooks, with the embedded provider running."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FIRST = "00_sign_in.ipynb"
_RECORD = ".authnb-lab.json"  # which version of each file was copied, by its SHA-256
_LEFT_OUT = {".ipynb_checkpoints", "__pycache__", ".progress.json"}


def run(folder: Path, arguments: Sequence[str]) -> int:
    """Run JupyterLab until it ends; its exit code. ``arguments`` are passed on to it."""
    from authnb.demo import DemoProvider  # noqa: PLC0415 - only this command needs a provider

    bring_up_to_date(folder)
    with DemoProvider() as demo:
        command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder.resolve()}"]
        # Not localhost: to a browser that is another site, which keeps cookies out of a notebook's frames
        command += ["--ServerApp.ip=127.0.0.1", f"--LabApp.default_url=/lab/tree/{FIRST}", *_as_root()]
        command += arguments
        environment = {**os.environ, "AUTHNB_DEMO": demo.issuer}
        print(f"The provider for learning runs at {demo.issuer}; the notebooks are in {folder}.", flush=True)
        return _until_it_ends(command, environment)


def bring_up_to_date(folder: Path) -> None:
    """Copy the notebooks into a folder, and print which of a person's changed ones were kept."""
    for name in copy_notebooks(notebooks(), folder):
        print(f"Kept your changed {name}; the new version is beside it as {_beside(Path(name)).name}.")


def notebooks() -> Path:
    """Where the notebooks came with the package: inside the wheel, or beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "_notebooks"
    return inside if inside.is_dir() else package.parent / "notebooks"


def copy_notebooks(source: Path, folder: Path) -> list[str]:
    """Bring a folder up to date with the notebooks; the names of those a person changed, which were kept.

    A file that was not changed since it was copied is replaced. Of one that was, the new version is put
    beside it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / _RECORD
    copied: dict[str, str] = json.loads(record.read_text()) if record.exists() else {}
    kept = []
    for path in _files(source):
        name = path.relative_to(source).as_posix()
        target, new = folder / name, _digest(path)
        if not target.exists() or _digest(target) in {copied.get(name), new}:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        elif copied.get(name) != new:
            shutil.copyfile(path, _beside(target))
            kept.append(name)
        copied[name] = new
    record.write_text(json.dumps(copied, indent=1))
    return kept


def _files(source: Path) -> Iterator[Path]:
    for path in sorted(source.rglob("*")):
        if path.is_file() and not _LEFT_OUT & set(path.parts):
            yield path


def _beside(path: Path) -> Path:
    return path.with_suffix(f".new{path.suffix}")


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _as_root() -> list[str]:
    # Jupyter refuses root unless told; in a container there is nobody else
    return ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []


def _until_it_ends(command: list[str], environment: dict[str, str]) -> int:
    process = subprocess.Popen(command, env=environment)  # noqa: S603 - our own interpreter
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # JupyterLab has got it too, and asks whether it is meant
