"""The package as a wheel: the callback page comes with a plain install and goes with it."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_callback_page_is_installed_and_removed(tmp_path: Path) -> None:
    """No build step: it lies where a Jupyter server of that environment looks for it."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "fresh", with_pip=True, symlinks=os.name != "nt")
    python = tmp_path / "fresh" / ("Scripts" if os.name == "nt" else "bin") / "python"
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], check=True, capture_output=True)
    installed = tmp_path / "fresh" / "share" / "jupyter" / "labextensions" / "authnb"
    source = ROOT / "share" / "jupyter" / "labextensions" / "authnb"
    for name in ("callback.html", "callback.js"):
        assert (installed / name).read_bytes() == (source / name).read_bytes()
    assert not list(installed.glob("package.json")), "nothing that JupyterLab would load"
    subprocess.run([*pip, "uninstall", "--yes", "authnb"], check=True, capture_output=True)
    assert not installed.exists()
