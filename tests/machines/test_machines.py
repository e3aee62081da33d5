"""Machines unlike most: a sign-in works in memory, remembering works or says once why not, no command traces back.

Each is the real thing, made of namespaces, modes, limits and small shared libraries; docs/machines.md is their table.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from support import require

ROOT = Path(__file__).parents[2]
SIGN_IN = Path(__file__).with_name("sign_in.py")
USER = [
    "unshare",
    "--user",
    "--map-user=12345",
    "--map-group=0",
]  # a number without an entry; our files are its own
COMMANDS = [
    ["status"],
    ["logout"],
    ["doctor"],
    ["scan", "missing.ipynb"],
    ["notebooks", "/dev/null/x"],
    ["--version"],
]


def run(*command: str | Path, cwd: Path, **variables: str | None) -> subprocess.CompletedProcess[str]:
    """Run a program of the tests' Python; a variable that is None is not set."""
    if command[0] in {"unshare", "prlimit"}:
        require(str(command[0]))
    unset = {"AUTHNB_HOME": None, "XDG_DATA_HOME": None, "XDG_CACHE_HOME": None}
    given = {"HOME": str(cwd), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "AUTHNB_REMOTE": "0"}
    environ = {**os.environ, **given, **unset, **variables}
    environ = {name: value for name, value in environ.items() if value is not None}
    return subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="backslashreplace",
        check=False,
        timeout=120,
    )


def sign_in(
    *before: str | Path, cwd: Path, options: tuple[str, ...] = (), **variables: str | None
) -> dict[str, Any]:
    """What came of `sign_in.py`, started by the command ``before``."""
    done = run(*before, sys.executable, "-W", "error", *options, SIGN_IN, cwd=cwd, **variables)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["forgotten"], found["remembered"], found["found"]) == ("Ada", "Ada", True)
    assert (found["kept"] is True) is (found["why"] is None), found
    return dict(found)


def check_commands(*before: str | Path, cwd: Path, **variables: str | None) -> None:
    """Every command ends with a sentence."""
    for command in COMMANDS:
        done = run(*before, sys.executable, "-m", "authnb", *command, cwd=cwd, **variables)
        said = done.stdout + done.stderr
        assert done.returncode in {0, 1, 2}, said
        assert said, command
        assert "Traceback" not in said, said
        assert "Please report it" not in said, said


@pytest.fixture(scope="session")
def preload(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Compiles C code to a shared library, and returns the variable that loads it before the C library."""
    folder = tmp_path_factory.mktemp("preload")

    def build(code: str) -> dict[str, str]:
        source = folder / f"{abs(hash(code))}.c"
        library = source.with_suffix(".so")
        source.write_text(
            "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <errno.h>\n#include <stdlib.h>\n" + code
        )
        command = [require("gcc"), "-shared", "-fPIC", "-w", "-o", str(library), str(source), "-ldl"]
        subprocess.run(command, check=True, timeout=60)
        return {"LD_PRELOAD": str(library)}

    return build


def test_a_user_without_home_and_entry(tmp_path: Path) -> None:
    """As a container's random UID: nothing to keep a sign-in in, unless AUTHNB_HOME names a folder."""
    found = sign_in(*USER, cwd=tmp_path, HOME=None)
    assert "HOME is not set" in found["why"]
    assert "AUTHNB_HOME" in found["why"]
    check_commands(*USER, cwd=tmp_path, HOME=None)
    assert sign_in(*USER, cwd=tmp_path, HOME=None, AUTHNB_HOME=str(tmp_path / "own"))["kept"] is True


def test_the_root_folder_as_home_and_read_only(tmp_path: Path) -> None:
    """``HOME=/`` on a read-only root file system, as containers have it."""
    script = 'mount -o remount,bind,ro / && exec "$@"'
    before = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", *USER]
    found = sign_in(*before, cwd=tmp_path, HOME="/")
    assert "Read-only file system" in found["why"]
    check_commands(*before, cwd=tmp_path, HOME="/")


def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home").chmod(0o555)
    found = sign_in(*USER, cwd=tmp_path, HOME=str(tmp_path / "home"))
    assert "Permission denied" in found["why"]
    assert "AUTHNB_HOME" in found["why"]
    check_commands(*USER, cwd=tmp_path, HOME=str(tmp_path / "home"))


def open_to_the_group(folder: Path) -> None:
    """What Kubernetes does to a volume with ``fsGroup`` when a pod starts."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(stat.S_IMODE(path.stat().st_mode) | (0o2770 if path.is_dir() else 0o660))


def test_a_volume_that_kubernetes_opens_to_its_group(tmp_path: Path) -> None:
    """All modes are put right in one go, and what was remembered before the restart is found."""
    assert sign_in(*USER, cwd=tmp_path, HOME=str(tmp_path / "home"))["kept"] is True
    folder = tmp_path / "home/.local/share/authnb"
    open_to_the_group(tmp_path / "home")
    done = run(
        *USER,
        sys.executable,
        "-W",
        "error",
        "-m",
        "authnb",
        "status",
        cwd=tmp_path,
        HOME=str(tmp_path / "home"),
    )
    assert "Ada at http://127.0.0.1" in done.stdout, done.stderr
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    open_to_the_group(tmp_path / "home")
    assert sign_in(*USER, cwd=tmp_path, HOME=str(tmp_path / "home"))["kept"] is True


DRVFS = """
#include <sys/stat.h>
int chmod(const char *path, mode_t mode) { return 0; }
int fchmod(int descriptor, mode_t mode) { return 0; }
int fchmodat(int folder, const char *path, mode_t mode, int flags) { return 0; }
int fstat(int descriptor, struct stat *found) {
    int (*real)(int, struct stat *) = dlsym(RTLD_NEXT, "fstat");
    int result = real(descriptor, found);
    found->st_mode |= 0777;
    return result;
}
int fstat64(int descriptor, struct stat64 *found) { return fstat(descriptor, (struct stat *) found); }
"""


def test_a_file_system_that_ignores_chmod(tmp_path: Path, preload: Any) -> None:
    """As Windows' disks in WSL: all is open to everybody, and stays so. Nothing is kept there."""
    found = sign_in(cwd=tmp_path, **preload(DRVFS))
    assert "ignores chmod" in found["why"]
    assert "Set AUTHNB_HOME" in found["why"]
    check_commands(cwd=tmp_path, **preload(DRVFS))
    assert not list(tmp_path.rglob("*.signin"))


FSYNC = 'int fsync(int descriptor) { errno = atoi(getenv("FSYNC_ERRNO")); return -1; }\n'


@pytest.mark.parametrize(("name", "kept"), [("EINVAL", True), ("EIO", False)])
def test_fsync_fails(tmp_path: Path, preload: Any, name: str, kept: bool) -> None:
    """A file system without it is used; a disk that reports an error is not, and its error is told."""
    number = str(getattr(errno, name))
    found = sign_in(cwd=tmp_path, FSYNC_ERRNO=number, **preload(FSYNC))
    assert (found["kept"] is True) is kept
    assert kept or "Input/output error" in found["why"]
    check_commands(cwd=tmp_path, FSYNC_ERRNO=number, **preload(FSYNC))


NO_THREADS = "int pthread_create() { return EAGAIN; }\n"
REFUSED = """
import sys, authnb
try:
    authnb.login("https://id.example.org", client_id="c", view=None).wait(60)
except authnb.AuthnbError as error:
    sys.stdout.write(error.error)
"""


def test_no_more_threads(tmp_path: Path, preload: Any) -> None:
    """The sign-in says so."""
    done = run(sys.executable, "-W", "error", "-c", REFUSED, cwd=tmp_path, **preload(NO_THREADS))
    assert done.stdout == "no_threads", done.stderr
    check_commands(cwd=tmp_path, **preload(NO_THREADS))
    lab = run(sys.executable, "-m", "authnb", "lab", "notebooks", cwd=tmp_path, **preload(NO_THREADS))
    assert (lab.returncode, lab.stderr.count("\n")) == (1, 1), lab.stderr
    assert "refuses another thread" in lab.stderr


def test_from_an_archive(tmp_path: Path) -> None:
    """Imported from a zip file (`zipimport`)."""
    archive = tmp_path / "authnb.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in (ROOT / "authnb").rglob("*"):
            if "__pycache__" not in path.parts:
                file.write(path, path.relative_to(ROOT))
    found = sign_in(cwd=tmp_path, PYTHONPATH=str(archive))
    assert found["from"].startswith(str(archive))
    assert found["kept"] is True
    check_commands(cwd=tmp_path, PYTHONPATH=str(archive))
    code = "import authnb, authnb.views.panel; print(authnb.preset('github').issuer)"
    done = run(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(archive))
    assert done.stdout == "https://github.com/login/oauth\n", done.stderr
    copied = run(sys.executable, "-m", "authnb", "notebooks", "copy", cwd=tmp_path, PYTHONPATH=str(archive))
    assert "Traceback" not in copied.stderr
    assert copied.returncode == 0 or copied.stderr.count("\n") == 1


def test_without_docstrings_and_assertions(tmp_path: Path) -> None:
    """``python -OO``."""
    assert sign_in(cwd=tmp_path, options=("-OO",))["kept"] is True
    check_commands(cwd=tmp_path, PYTHONOPTIMIZE="2")


ALL_COMMANDS = """
import sys
from authnb.cli.main import main
for line in sys.argv[1:]:
    try:
        main(line.split())
    except SystemExit:
        pass
"""


@pytest.mark.parametrize("encoding", ["cp1252", "cp949", "latin-1", "ascii"])
def test_output_that_cannot_show_every_character(tmp_path: Path, encoding: str) -> None:
    """What the encoding lacks is escaped, for every command; also where the locale is C, and files are named so."""
    save = (
        "from authnb import Account, Provider, Token; from authnb.storage.base import SignIn\n"
        "from authnb.storage.files import FileStorage; issuer = 'https://id.example.org'\n"
        "token = Token({'access_token': 'at', 'userinfo': {'name': 'Zoë 光 ✓'}})\n"
        "account = Account(profile='p', issuer=issuer, client_id='c')\n"
        "FileStorage().save(account, SignIn(token=token, provider=Provider(issuer), scope='openid'))\n"
    )
    assert run(sys.executable, "-c", save, cwd=tmp_path).returncode == 0
    lines = [
        "doctor",
        "status",
        "logout",
        "scan ノート.ipynb",
        "notebooks ノート",
        "notebooks ノート",
        "lab /dev/null/ノート",
    ]
    lines += ["demo --database /dev/null/ノート", "logout 光", "--help", "--version", "demo --help"]
    locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = run(
        sys.executable,
        "-W",
        "error",
        "-c",
        ALL_COMMANDS,
        *lines,
        cwd=tmp_path,
        PYTHONIOENCODING=encoding,
        **locale,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "Please report it" not in done.stderr
    assert "Nobody is remembered at" in done.stdout


NO_IPV4 = 'ip link set lo up && ip addr del 127.0.0.1/8 dev lo && exec "$@"'
ON_IPV6 = """
import sys, requests, authnb
from urllib.parse import parse_qs, urlsplit
from servers import Server
with Server("::1") as server:
    endpoints = {"authorization_endpoint": server.url + "/authorize", "token_endpoint": server.url + "/token"}
    server.json("/token", {"access_token": "at", "token_type": "Bearer"})
    provider = authnb.Provider(server.url, **endpoints)
    login = authnb.login(provider, client_id="c", scope="read", mode="loopback", view=None)
    query = parse_qs(urlsplit(login.verification(60).uri).query)
    redirect_uri = query["redirect_uri"][0]
    requests.get(redirect_uri, params={"code": "c", "state": query["state"][0]}, timeout=60).raise_for_status()
    login.wait(60)
    sys.stdout.write(redirect_uri)
"""


def test_ipv6_only(tmp_path: Path) -> None:
    """The callback comes to ``[::1]`` where there is no 127.0.0.1 (RFC 8252 section 7.3)."""
    before = ["unshare", "--map-root-user", "--net", "sh", "-c", NO_IPV4, "sh"]
    require("ip")
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests/helpers")])
    done = run(*before, sys.executable, "-W", "error", "-c", ON_IPV6, cwd=tmp_path, PYTHONPATH=path)
    assert re.fullmatch(r"http://\[::1\]:\d+/callback", done.stdout), done.stderr
    check_commands(*before, cwd=tmp_path)


def test_installed_for_one_user(tmp_path: Path) -> None:
    """``pip install --user``: the command runs, and Jupyter finds the callback page."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    python = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    base, packages = tmp_path / "base", str(Path(pytest.__file__).parents[1])
    pip = [python, "-m", "pip", "install", "--user", "--no-deps", "--no-index", "--no-warn-script-location"]
    user = {"PYTHONUSERBASE": str(base), "PYTHONPATH": None, "PIP_BREAK_SYSTEM_PACKAGES": "1"}
    done = run(*pip, "--quiet", wheel, cwd=tmp_path, **user)
    assert done.returncode == 0, done.stderr
    user["PYTHONPATH"] = packages
    assert run(base / "bin" / "authnb", "--version", cwd=tmp_path, **user).stdout.startswith("authnb ")
    assert run(base / "bin" / "authnb", "notebooks", "copy", cwd=tmp_path, **user).returncode == 0
    code = "from jupyter_core.paths import jupyter_path; print(*jupyter_path('labextensions'), sep='\\n')"
    folders = run(python, "-c", code, cwd=tmp_path, **user).stdout.splitlines()
    assert any((Path(folder) / "authnb" / "callback.html").exists() for folder in folders), folders
    shutil.rmtree(base)
