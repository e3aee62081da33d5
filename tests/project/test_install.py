"""`make lab` and `make test` set themselves up: again after an interruption, and with a sentence where they cannot.

The checkout is a small one with our Makefile and our installer; its build backend needs nothing from an index.
"""

from __future__ import annotations

import ast
import ensurepip
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from support import require, wait_for

ROOT = Path(__file__).parents[2]
INSTALLER = ROOT / "tools" / "install.py"
BUNDLED = (
    sysconfig.get_config_var("WHEEL_PKG_DIR") or Path(ensurepip.__file__).parent / "_bundled"
)  # with pip
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "authnb"
version = "1"
[project.optional-dependencies]
lab = []
demo = []
keyring = []
proxy = []
test = []
"""
BACKEND = """
import pathlib, zipfile
pathlib.Path("building").touch()
hold = pathlib.Path("hold")  # a named pipe: reading it ends when a test closes its other end
if hold.exists():
    hold.read_bytes()

def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "authnb-1-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder) / name, "w") as wheel:
        wheel.writestr("authnb.py", "print('the lab runs')")
        wheel.writestr("authnb-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: authnb\\nVersion: 1\\n")
        wheel.writestr("authnb-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("authnb-1.dist-info/RECORD", "authnb.py,,\\nauthnb-1.dist-info/RECORD,,\\n")
    return name
"""


class Checkout:
    """A folder with our Makefile and installer, and the environment of a person who has uv, but no network."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "tools").mkdir(parents=True)
        shutil.copy(INSTALLER, folder / "tools")
        shutil.copy(ROOT / "Makefile", folder)
        (folder / "pyproject.toml").write_text(PYPROJECT)
        (folder / "backend.py").write_text(BACKEND)
        programs = folder / "programs"
        programs.mkdir()
        uv = shutil.which("uv", path=os.fspath(Path(sys.executable).parent)) or require("uv")
        (programs / "uv").symlink_to(uv)
        others = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
        self.environ = {
            **others,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PIP_CONFIG_FILE": os.devnull,
            "UV_CACHE_DIR": str(folder / "cache"),
            "UV_FIND_LINKS": str(BUNDLED),
            "UV_NO_INDEX": "1",
        }

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [require("make"), f"PYTHON={sys.executable}", *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=self.environ, capture_output=True, text=True, check=False
        )

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "tools/install.py", "lab"]
        return subprocess.Popen(command, cwd=self.folder, env=self.environ, start_new_session=True)

    def change_requirements(self) -> None:
        with (self.folder / "pyproject.toml").open("a") as file:
            file.write("# changed\n")

    def installed(self) -> list[str]:
        """The extras that the state file names, of an environment that works."""
        python = self.folder / ".venv" / "bin" / "python"
        said = subprocess.run(
            [python, "-I", "-c", "import authnb"], capture_output=True, text=True, check=True
        ).stdout
        assert said == "the lab runs\n"
        extras: list[str] = json.loads((self.folder / ".venv" / "authnb-installed").read_text())["extras"]
        return extras


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """One without .git, in a folder whose name is not an ASCII word."""
    return Checkout(tmp_path / "한글 and spaces")


def test_make_lab_installs_once_and_no_more_than_the_lab_needs(checkout: Checkout) -> None:
    first, second = checkout.make("lab"), checkout.make("lab")
    assert "the lab runs" in first.stdout
    assert "Setting up .venv for authnb[demo,lab]" in first.stdout
    assert "Setting up" not in second.stdout
    assert "the lab runs" in second.stdout
    assert checkout.installed() == ["demo", "lab"]


def test_what_the_tests_need_is_added_and_stays(checkout: Checkout) -> None:
    """Also when the requirements change and only the lab is started."""
    checkout.make("lab")
    assert "Setting up .venv for authnb[demo,keyring,lab,proxy,test]" in checkout.make("installed").stdout
    checkout.change_requirements()
    assert "Setting up" in checkout.make("lab").stdout
    assert checkout.installed() == ["demo", "keyring", "lab", "proxy", "test"]


def test_a_moved_checkout_is_set_up_again(checkout: Checkout, tmp_path: Path) -> None:
    """An editable installation names the folder it was made in."""
    checkout.make("lab")
    checkout.folder = checkout.folder.rename(tmp_path / "moved")
    checkout.environ["PATH"] = f"{tmp_path / 'moved' / 'programs'}{os.pathsep}{os.environ['PATH']}"
    assert "Setting up" in checkout.make("lab").stdout
    assert checkout.installed() == ["demo", "lab"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("before", ["nothing", "an older installation"])
def test_after_an_interruption_the_next_run_starts_afresh(
    checkout: Checkout, number: int, before: str
) -> None:
    """What was half installed is not built on, a new environment or one brought up to date."""
    if before != "nothing":
        checkout.make("lab")
        (checkout.folder / "building").unlink()
        checkout.change_requirements()
    os.mkfifo(checkout.folder / "hold")
    process = checkout.start()
    wait_for((checkout.folder / "building").exists, "the build")
    os.killpg(process.pid, number)
    process.wait(30)
    (checkout.folder / "hold").unlink()
    half = checkout.folder / ".venv" / "half"
    half.touch()
    assert "the lab runs" in checkout.make("lab").stdout
    assert not half.exists()
    assert checkout.installed() == ["demo", "lab"]


def test_an_interruption_while_the_environment_is_made(checkout: Checkout) -> None:
    """At any of its steps."""
    for state in ("authnb-installed", "pyvenv.cfg", "bin/python"):
        process = checkout.start()
        wait_for((checkout.folder / ".venv" / state).exists, "the state file")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
        (checkout.folder / ".venv" / "bin" / "python").unlink(missing_ok=True)
    assert "the lab runs" in checkout.make("lab").stdout


def test_an_installer_that_outlives_its_parent_is_waited_for(checkout: Checkout) -> None:
    os.mkfifo(checkout.folder / "hold")
    process = checkout.start()
    wait_for((checkout.folder / "building").exists, "the build")
    process.kill()
    process.wait(30)
    command = [sys.executable, "tools/install.py", "lab"]
    with subprocess.Popen(
        command, cwd=checkout.folder, env=checkout.environ, stdout=subprocess.PIPE
    ) as second:
        assert second.stdout
        assert second.stdout.readline() == b"Another installation into .venv is under way; waiting for it.\n"
        hold = checkout.folder / "hold"
        hold.open("wb").close()
        hold.unlink()
        second.stdout.read()
    assert checkout.installed() == ["demo", "lab"]


def test_an_environment_made_by_hand_is_kept(checkout: Checkout) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", checkout.folder / ".venv"], check=True)
    mine = checkout.folder / ".venv" / "mine"
    mine.touch()
    checkout.make("lab")
    assert mine.exists()
    assert checkout.installed() == ["demo", "lab"]


def test_uv_asks_the_index_that_pip_is_configured_to_ask(tmp_path: Path) -> None:
    """Not the further ones, which need not have everything; the environment overrides the files."""
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = https://file.example/simple\n")
    code = "import sys, install; print(install.settings([sys.executable, '-m', 'pip']))"
    environ = {
        **{name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"},
        "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"),
        "PIP_INDEX_URL": "https://one.example/simple",
        "PIP_EXTRA_INDEX_URL": "https://two.example/simple",
        "PIP_CERT": "/ca.pem",
        "PYTHONPATH": str(INSTALLER.parent),
    }
    printed = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    assert ast.literal_eval(printed.stdout) == {
        "UV_DEFAULT_INDEX": "https://one.example/simple",
        "SSL_CERT_FILE": "/ca.pem",
    }


@pytest.mark.parametrize("target", ["lab", "test"])
def test_no_network(tmp_path: Path, target: str) -> None:
    """Neither uv nor pip reaches the index: one sentence, at the end."""
    checkout = Checkout(tmp_path / "checkout")
    del checkout.environ["UV_NO_INDEX"]
    nobody = "http://127.0.0.1:9/simple"  # the discard port
    checkout.environ |= {"UV_DEFAULT_INDEX": nobody, "PIP_INDEX_URL": nobody, "UV_HTTP_RETRIES": "0"}
    project = checkout.folder / "pyproject.toml"
    project.write_text(project.read_text().replace("requires = []", 'requires = ["hatchling"]'))
    done = checkout.make(target)
    assert done.returncode == 2
    assert said(done) == (
        "The package index cannot be reached. See to the network, or to HTTPS_PROXY where there is a proxy. "
        "Then run the same command again."
    )


@pytest.mark.parametrize("target", ["lab", "test"])
def test_a_full_disk(tmp_path: Path, target: str) -> None:
    checkout = Checkout(tmp_path / "checkout")
    script = (
        'mount -t tmpfs -o size=200k tmpfs "$1" && cp -r "$2"/. "$1" && cd "$1" && exec make PYTHON="$3" "$4"'
    )
    (tmp_path / "small").mkdir()
    command = [require("unshare"), "--map-root-user", "--mount", "sh", "-c", script, "sh"]
    arguments = [str(tmp_path / "small"), str(checkout.folder), sys.executable, target]
    done = subprocess.run(
        [*command, *arguments], env=checkout.environ, capture_output=True, text=True, check=False
    )
    assert said(done).startswith("The disk is full: .venv needs up to ")
    assert said(done).endswith(" Make room. Then run the same command again.")


@pytest.mark.parametrize("target", ["lab", "test"])
def test_an_older_python(checkout: Checkout, target: str) -> None:
    """Its version is the first thing that is looked at, in words that Python 3.7 understands."""
    script = checkout.folder / "tools" / "install.py"
    text = script.read_text(encoding="utf-8")
    ast.parse(text, feature_version=(3, 7))
    script.write_text(text.replace("OLDEST = (3, 11)", "OLDEST = (9, 9)"), encoding="utf-8")
    assert said(checkout.make(target)).startswith("authnb needs Python 3.11 or later, and ")
    assert not (checkout.folder / ".venv").exists()


def said(done: subprocess.CompletedProcess[str]) -> str:
    """The last line before make's own."""
    assert done.stderr.splitlines()[-1].startswith("make: ***"), done
    return done.stderr.splitlines()[-2]
