"""Tests and notebooks run in the same environment everywhere, whatever the shell that starts them has set."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent
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

# Files that take a quarter of a minute or more, most of it in processes of their own. They begin first: the last file
# to end decides when all have ended, as one worker runs a whole file (--dist loadfile)
LONGEST = [
    "machines/test_machines.py",
    "cli/test_lab.py",
    "storage/test_kills.py",
    "bench/test_bench.py",
    "signin/test_nobody_there.py",
    "cli/test_agent.py",
    "signin/test_unanswered.py",
    "typed/test_typed.py",
    "project/test_sdist.py",
    "signin/test_topologies.py",
    "session/test_states.py",
    "signin/test_unattended.py",
]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, then those with the most tests, as pytest-xdist has it without this."""
    tests = Counter(item.path for item in items)
    first = {ROOT / "tests" / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: (first.get(item.path, len(first)), -tests[item.path]))


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave a notebook out where its libraries are missing."""
    library = WITH_OTHER_LIBRARIES.get(collection_path.name)
    return True if library is not None and find_spec(library) is None else None


def pytest_configure(config: pytest.Config) -> None:
    """Clear the environment; give the kernels of notebooks the scripted person as their browser."""
    config.option.loadscopereorder = False  # of pytest-xdist: files go to workers as sorted below
    proxy = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")
    for name in [name for name in os.environ if AMBIENT.fullmatch(name)]:
        del os.environ[name]
    os.environ["NETRC"] = os.devnull
    os.environ["LC_MESSAGES"] = "C"  # tests and saved outputs quote English
    if locale := os.environ.pop("LC_ALL", None):
        os.environ.setdefault("LANG", locale)
        os.environ["LC_CTYPE"] = locale
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # ignored where a shell started this in the background
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored under nohup
    if proxy:
        os.environ |= dict.fromkeys(FOR_INSTALLERS, proxy)
    if config.getoption("nbval", default=False) or config.getoption("nbval_lax", default=False):
        os.environ["BROWSER"] = f'"{sys.executable}" -m authnb.demo.person %s'
        config.option.nbval_sanitize_with = str(ROOT / "tests" / "kit" / "sanitize.cfg")
