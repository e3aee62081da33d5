"""Tests and notebooks run in the same environment everywhere, whatever the shell that starts them has set."""

from __future__ import annotations

import os
import re
import signal
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

# What authnb, requests and Jupyter read, and tests set themselves
AMBIENT = re.compile(
    r"(AUTHNB(?!_REQUIRE_ALL$)|ACTIONS|BINDER|COLAB|DATABRICKS|DEEPNOTE|GITPOD|IPYTHON|JPY|JUPYTER|KAGGLE|KUBERNETES"
    r"|REMOTE_CONTAINERS|SAGEMAKER|SSH|VOILA|VSCODE|WSL)\w*"
    r"|MAKE(FLAGS|LEVEL)|MFLAGS|BROWSER|DISPLAY|WAYLAND_DISPLAY|container|NETRC|(http|https|all|no)_proxy",
    re.IGNORECASE,
)
# Programs that install what tests need may need the proxy
FOR_INSTALLERS = ("PIP_PROXY", "npm_config_https_proxy")
# Run by `make clients` and `make clusters`, in the environments that have these libraries
WITH_OTHER_LIBRARIES = {"12_one_sign_in.ipynb": "mcp", "13_workers.ipynb": "distributed"}


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave a notebook out where its libraries are missing."""
    library = WITH_OTHER_LIBRARIES.get(collection_path.name)
    return True if library is not None and find_spec(library) is None else None


def pytest_configure(config: pytest.Config) -> None:
    """Clear the environment; give the kernels of notebooks the scripted person as their browser."""
    proxy = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")
    for name in [name for name in os.environ if AMBIENT.fullmatch(name)]:
        del os.environ[name]
    os.environ["NETRC"] = os.devnull
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # ignored where a shell started this in the background
    if proxy:
        os.environ |= dict.fromkeys(FOR_INSTALLERS, proxy)
    if config.getoption("nbval", default=False) or config.getoption("nbval_lax", default=False):
        os.environ["BROWSER"] = f'"{sys.executable}" -m authnb.demo.person %s'
