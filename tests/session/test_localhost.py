"""The cases of localhost_cases.py, in a mount namespace whose /etc/hosts gives localhost both addresses, ::1 first."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from support import require

ROOT = Path(__file__).parents[2]
CASES = Path(__file__).with_name("localhost_cases.py")
HOSTS = "::1 localhost\n127.0.0.1 localhost\n"
NAMESPACE = 'mount --bind "$0" /etc/hosts && exec "$@"'


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> list[ET.Element]:
    """The report of each case."""
    folder = tmp_path_factory.mktemp("localhost")
    (folder / "hosts").write_text(HOSTS)
    unshare = [require("unshare"), "--map-root-user", "--mount", "sh", "-c", NAMESPACE, str(folder / "hosts")]
    run = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--junitxml={folder / 'report.xml'}",
    ]
    done = subprocess.run(
        [*unshare, *run, str(CASES)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert (folder / "report.xml").exists(), done.stdout + done.stderr
    return list(ET.parse(folder / "report.xml").iter("testcase"))  # noqa: S314 - pytest wrote it


@pytest.mark.parametrize("case", re.findall(r"^def (test_\w+)", CASES.read_text(), re.MULTILINE))
def test_case(reports: list[ET.Element], case: str) -> None:
    """Its docstring in localhost_cases.py states the rule."""
    ran = [report for report in reports if str(report.get("name")).partition("[")[0] == case]
    assert ran
    problems = [
        found.text for report in ran for found in report if found.tag in {"failure", "error", "skipped"}
    ]
    assert not problems, "\n".join(map(str, problems))
