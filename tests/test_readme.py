"""What the README shows, works."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import authnb

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_with_the_provider_runs() -> None:
    (example,) = [
        block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "DemoProvider" in block
    ]
    exec(compile(example, "README.md", "exec"), {"authnb": authnb})  # noqa: S102 - our own README


def test_every_argument_of_the_table_exists() -> None:
    named = re.findall(r"^\| `(\w+)=", README, re.MULTILINE)
    assert len(named) >= 6
    parameters = authnb.login.__annotations__
    assert set(named) <= set(parameters)
    assert set(authnb.signup.__annotations__) == set(parameters)


def test_the_wheel_carries_the_notebooks(tmp_path: Path) -> None:
    """So that ``authnb lab`` works after a plain install."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(tmp_path), str(ROOT)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "authnb/_notebooks/00_sign_in.ipynb" in names
    assert {"authnb/py.typed", "authnb/presets.toml"} <= set(names)
    assert any(name.startswith("authnb/demo/templates/") for name in names)
    assert not any("checkpoint" in name or name.startswith("tests") for name in names)
