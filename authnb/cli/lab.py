"""``authnb lab``: JupyterLab on a writable copy of the notebooks, with the embedded provider running.

Both run in this process, so that nothing is left when it ends, however it ends.
"""

from __future__ import annotations

import errno
import json
import os
import runpy
import signal
import sys
import threading
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from authnb import compat

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FIRST_NOTEBOOK = "00_sign_in.ipynb"
_COLLAPSED = "# Run this cell to see what happens"
_MANIFEST = ".authnb-lab.json"  # SHA-256 of each file as it was copied
_IGNORED = {".ipynb_checkpoints", "__pycache__", ".progress.json"}
_POLL_INTERVAL = 0.5  # seconds between two looks at the parent process


def run(folder: Path, arguments: Sequence[str]) -> int:
    """Run JupyterLab with these ``arguments``; returns its exit code.

    It ends on SIGTERM and SIGHUP, also as process 1 of a container, and with the parent process. Under ``nohup``, which
    has SIGHUP ignored, it outlives the terminal and the parent.
    """
    from authnb.demo import DemoProvider  # noqa: PLC0415 - only this command needs a provider

    for number in compat.END_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)
    if not compat.outlives_its_parent():
        threading.Thread(target=_end_with, args=(os.getppid(),), name="authnb-parent", daemon=True).start()
    update_notebooks(folder)
    with DemoProvider() as demo:
        os.environ["AUTHNB_DEMO"] = demo.issuer  # for the kernels
        # Not localhost: browsers treat it as another site and withhold cookies from a notebook's iframes
        own = [
            f"--ServerApp.root_dir={folder.resolve()}",
            "--ServerApp.ip=127.0.0.1",
            f"--LabApp.default_url=/lab/tree/{FIRST_NOTEBOOK}",
            # Otherwise any user of the machine can read what kernels send, authorization URLs included
            "--MappingKernelManager.transport_encryption=auto",
            *_as_root(),
        ]
        print(f"The provider for learning runs at {demo.issuer}; the notebooks are in {folder}.", flush=True)
        return _run_jupyterlab([*own, *arguments])


def update_notebooks(folder: Path) -> None:
    """Copy the notebooks into a folder, and print which modified ones were kept."""
    for name in copy_notebooks(notebooks(), folder):
        print(
            f"Kept your changed {name}; the new version is beside it as {_new_version_path(Path(name)).name}."
        )


def notebooks() -> Path:
    """The folder of notebooks: inside the wheel, or next to the package in a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "_notebooks"
    beside = package.parent / "notebooks"
    found = next((folder for folder in (inside, beside) if folder.is_dir()), None)
    if found is None:
        raise FileNotFoundError(errno.ENOENT, "no notebooks here; install authnb as a package", str(beside))
    return found


def copy_notebooks(source: Path, folder: Path) -> list[str]:
    """Update a folder with the notebooks; returns the names of modified ones, which were kept.

    A file unmodified since it was copied is replaced. Next to a modified one the new version is written. Outputs are
    not copied: they would give the predictions away, and say "Signed in" where nobody is. The input of a comparison
    is collapsed, as the answer is in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / _MANIFEST
    copied = _read_manifest(manifest)
    kept = []
    for path in _files(source):
        name = path.relative_to(source).as_posix()
        target, content = folder / name, _for_learners(path)
        new = _digest(content)
        if not target.exists() or _digest(target.read_bytes()) in {copied.get(name), new}:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        elif copied.get(name) != new:
            _new_version_path(target).write_bytes(content)
            kept.append(name)
        copied[name] = new
    manifest.write_text(json.dumps(copied, indent=1), encoding="utf-8")
    return kept


def _read_manifest(path: Path) -> dict[str, str]:
    """The digests in it; none where it is damaged: what differs from the new version counts as changed then."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _files(source: Path) -> Iterator[Path]:
    for path in sorted(source.rglob("*")):
        if path.is_file() and not _IGNORED & set(path.parts):
            yield path


def _new_version_path(path: Path) -> Path:
    return path.with_suffix(f".new{path.suffix}")


def _for_learners(path: Path) -> bytes:
    """The content of a file; of a notebook, without its outputs and with no answer in sight."""
    if path.suffix != ".ipynb":
        return path.read_bytes()
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell.update(execution_count=None, outputs=[])
            source = "".join(cell["source"])
            if source.startswith("kit.compare("):
                # JupyterLab shows the first line of a collapsed input
                cell["source"] = [f"{_COLLAPSED}\n", *source.splitlines(keepends=True)]
                cell.setdefault("metadata", {})["jupyter"] = {"source_hidden": True}
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def _as_root() -> list[str]:
    # Jupyter refuses to run as root without it, and containers often have no other user
    return ["--allow-root"] if compat.is_root() else []


def _run_jupyterlab(arguments: list[str]) -> int:
    """Its exit code, once it has shut down; it asks for confirmation after Ctrl-C."""
    sys.argv = ["jupyter-lab", *arguments]
    try:
        runpy.run_module("jupyterlab", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


def _end(number: int, _: object) -> None:
    """End this process in order. JupyterLab has a handler of its own for SIGTERM, and takes that."""
    own = signal.getsignal(signal.SIGTERM)
    if own is _end:
        sys.exit(128 + number)
    signal.raise_signal(signal.SIGTERM)


def _end_with(parent: int) -> None:
    """End this process when its parent does, from a thread."""
    while os.getppid() == parent:
        threading.Event().wait(_POLL_INTERVAL)
    os.kill(os.getpid(), signal.SIGTERM)
