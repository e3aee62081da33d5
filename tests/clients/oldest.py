"""Each adapter's test with the oldest version of its library that `Credentials` claims: ``make oldest ARGS=polars``.

A temporary environment has that version in front of those of .venv-clients, in which this runs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from clients_table import ROWS

from authnb.adapters.credentials import Adapter, Credentials

ROOT = Path(__file__).parents[2]
# What must fit the version of the library
COMPANIONS = {
    "aws": ["boto3", "s3fs"],  # whose range of botocore is narrow
    "aws_async": ["boto3", "s3fs"],
    "azure": ["azure-storage-blob"],
    "azure_async": ["azure-storage-blob"],
    "google": ["gcsfs", "google-auth-oauthlib", "google-cloud-storage"],
}
BY_CLIENT = {"test_http_clients"}  # modules whose tests are named after the client


def environment(folder: Path, requirements: list[str]) -> Path:
    """An environment with these, and behind them what this one has; its Python."""
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "-q", "--python", sys.executable, folder], check=True)
    program = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    subprocess.run([*uv, "pip", "install", "-q", "--python", program, *requirements], check=True)
    site = subprocess.run(
        [program, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    (Path(site) / "behind.pth").write_text(
        f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n", encoding="utf-8"
    )
    return program


def works(name: str, adapter: Adapter) -> bool:
    """Whether the first test of the adapter's row passes with the oldest version of its library."""
    row = next(row for row in ROWS if row.adapter == name)
    tests = ROOT / "tests" / "clients" / f"{row.module}.py"
    chosen = [f"{tests}::{row.survives_expiry}"]
    if row.module in BY_CLIENT:
        chosen = [f"{chosen[0]}[{name}]"]
    oldest = adapter.requirement.replace(">=", "==")
    with tempfile.TemporaryDirectory() as folder:
        program = environment(Path(folder), [oldest, *COMPANIONS.get(name, [])])
        library = oldest.partition("==")[0]
        version = f"from importlib.metadata import version; print('with', version({library!r}), flush=True)"
        subprocess.run([program, "-c", version], check=True)
        # old versions warn of what Python or their own libraries have become since
        run = subprocess.run(
            [program, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore", *chosen],
            cwd=ROOT,
            check=False,
        )
    return run.returncode == 0


def main(names: list[str]) -> int:
    """Try these adapters, or all; the number of those that do not work."""
    adapters = {name: each for name, each in vars(Credentials).items() if isinstance(each, Adapter)}
    failed = []
    for name in names or adapters:
        print(f"{name}: {adapters[name].requirement}", flush=True)
        if not works(name, adapters[name]):
            failed.append(name)
    print("All work." if not failed else f"Not with the oldest version: {', '.join(failed)}")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
