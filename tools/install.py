"""Set up a virtual environment in this checkout, a set of `SETS`: ``python3 tools/install.py lab``.

Needs Python with venv and nothing else. uv installs the packages; pip takes its place where uv does not run. The
state file in the environment names what is installed. It is empty while an installation runs, and so after one that
was interrupted: the next run then starts afresh.
"""

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
if sys.version_info < OLDEST:
    found = f"{sys.executable} is Python {sys.version_info[0]}.{sys.version_info[1]}"
    sys.exit(f"authnb needs Python 3.11 or later, and {found}. Name a later one: make lab PYTHON=python3.13")

from collections.abc import Iterator  # noqa: E402 - an older Python must get as far as the sentence above
from contextlib import contextmanager  # noqa: E402 - as above
from typing import Any  # noqa: E402 - as above

try:
    import fcntl
except ImportError:  # Windows: two installations at once are not kept apart there
    fcntl = None  # type: ignore[assignment] # which is no module

ROOT = Path(__file__).resolve().parents[1]
EVERYTHING = ["demo", "keyring", "lab", "proxy", "test"]
# Environment, extras, options of uv, and megabytes that the whole takes on disk
SETS: dict[str, tuple[str, list[str], list[str], int]] = {
    "lab": (".venv", ["demo", "lab"], [], 550),
    "test": (".venv", EVERYTHING, [], 1100),
    "lowest": (".venv-lowest", EVERYTHING, ["--resolution", "lowest-direct"], 1100),
    "clients": (".venv-clients", EVERYTHING, ["--requirement", "tests/clients/requirements.txt"], 2500),
    "clusters": (".venv-clusters", EVERYTHING, ["--requirement", "tests/clusters/requirements.txt"], 2000),
    "places": (".venv-places", EVERYTHING, ["--requirement", "tests/places/requirements.txt"], 2500),
}
DISK = re.compile(r"no space left|not enough space|disk quota|(os error|errno) (28|112|122)\b", re.IGNORECASE)
NETWORK = re.compile(
    r"retrying|connection|connect error|dns|name resolution|unreachable|timed? ?out|error sending request",
    re.IGNORECASE,
)


class Failed(Exception):
    """A command that did not succeed; its text is what it printed."""


def main(name: str) -> None:
    """Install a set, unless it is there already."""
    folder, extras, options, megabytes = SETS[name]
    environment = ROOT / folder
    state, program = environment / "authnb-installed", python(environment)
    try:
        environment.mkdir(exist_ok=True)
        interrupted = state.exists()
        with locked(state):
            installed = read(state)
            wanted = sorted({*extras, *installed.get("extras", [])})
            now = {"extras": wanted, "from": fingerprint(options)}
            if installed == now and works(program):
                return
            os.truncate(state, 0)
            print(f"Setting up {folder} for authnb[{','.join(wanted)}]: up to {megabytes} MB.", flush=True)
            if not works(program) or (interrupted and not installed):
                create(environment, keep=state)
            install(program, wanted, options)
            state.write_text(json.dumps(now), encoding="utf-8")
    except KeyboardInterrupt:
        sys.exit(f"\nInterrupted. The next run sets up {folder} afresh; what was downloaded is kept.")
    except (Failed, OSError) as error:
        sys.exit(f"\n{explained(str(error), folder, megabytes)} Then run the same command again.")


@contextmanager
def locked(state: Path) -> Iterator[None]:
    """Keep other installations out, as long as this process or an installer that it started runs."""
    with state.open("a", encoding="utf-8") as file:
        if fcntl is not None:
            os.set_inheritable(file.fileno(), True)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(
                    f"Another installation into {state.parent.name} is under way; waiting for it.", flush=True
                )
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def read(state: Path) -> dict[str, Any]:
    """What is installed: extras, and the fingerprint of what they were installed from."""
    try:
        return dict(json.loads(state.read_text(encoding="utf-8")))
    except ValueError:
        return {}


def fingerprint(options: list[str]) -> str:
    """What an installation depends on: the requirements, and where the checkout is."""
    files = [ROOT / "pyproject.toml", *(ROOT / option for option in options if option.endswith(".txt"))]
    return hashlib.sha256(b"".join(map(Path.read_bytes, files)) + os.fsencode(ROOT)).hexdigest()


def python(environment: Path) -> Path:
    """The Python of an environment."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def works(program: Path) -> bool:
    """Whether an environment's Python runs, is late enough, and is the one that the environment was made with."""
    code = f"""if True:
        import os, sys, sysconfig
        sys.exit(sys.version_info < {OLDEST} or not os.path.isdir(sysconfig.get_path("purelib")))"""
    return (
        program.exists()
        and subprocess.run([program, "-c", code], capture_output=True, check=False).returncode == 0
    )


def create(environment: Path, keep: Path) -> None:
    """Make the virtual environment in place of what is there, all but the state file."""
    for path in environment.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path != keep:
            path.unlink()
    run([sys.executable, "-m", "venv", "--without-pip", str(environment)])


def install(program: Path, extras: list[str], options: list[str]) -> None:
    """Install authnb from this checkout with these extras, and pip, for ``%pip`` in a notebook."""
    packages = ["pip>=23", "--editable", f".[{','.join(extras)}]"]
    try:
        uv, variables = find_uv(program)
        run([uv, "pip", "install", "--python", str(program), *options, *packages], **variables)
    except Failed as error:
        if options or DISK.search(str(error)):
            raise
        print("uv could not; trying pip, which takes longer.", flush=True)
        run([*bundled_pip(program), "install", "--retries", "2", *packages])


def find_uv(program: Path) -> tuple[str, dict[str, str]]:
    """The path of uv, installed into the environment if it is nowhere, and what its environment adds to ours."""
    ours = os.pathsep.join(os.fspath(python(ROOT / folder).parent) for folder, *_ in SETS.values())
    found = shutil.which("uv") or shutil.which("uv", path=ours)
    if found is not None:
        return found, {}
    pip = bundled_pip(program)
    run([*pip, "install", "--quiet", "--retries", "2", "--only-binary=:all:", "uv"])
    return shutil.which("uv", path=ours) or "uv", settings(pip)


def bundled_pip(program: Path) -> list[str]:
    """The command of the pip that comes with Python."""
    if importlib.util.find_spec("ensurepip") is None:
        raise Failed(f"{sys.executable} has no venv (on Debian and Ubuntu: apt-get install python3-venv).")
    run([str(program), "-m", "ensurepip"])
    return [str(program), "-m", "pip", "--disable-pip-version-check"]


def settings(pip: list[str]) -> dict[str, str]:
    """The package index and certificates that pip is configured to use, as uv wants them."""
    listed = subprocess.run([*pip, "config", "list"], capture_output=True, text=True, check=False).stdout
    found = re.findall(r"^(.*)\.(index-url|cert)='(.*)'$", listed, re.MULTILINE)
    in_order = sorted(found, key=lambda line: line[0] == ":env:")  # PIP_INDEX_URL overrides the files
    given = {key: value for _, key, value in in_order}
    names = {"index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE"}
    return {names[key]: value for key, value in given.items() if names[key] not in os.environ}


def run(command: list[str], **variables: str) -> None:
    """Run a command in the checkout, showing what it prints."""
    shown: list[str] = []
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        close_fds=False,
    ) as process:
        for line in process.stdout or ():
            shown.append(line)
            if not line.startswith((" + ", "Using Python")):  # a line for each package
                print(line, end="", flush=True)
    if process.returncode:
        raise Failed("".join(shown[-30:]))


def explained(printed: str, folder: str, megabytes: int) -> str:
    """The cause of a failure, and what to do."""
    if DISK.search(printed):
        return (
            f"The disk is full: {folder} needs up to {megabytes} MB, here or in the cache of uv. Make room."
        )
    if NETWORK.search(printed):
        return "The package index cannot be reached. See to the network, or to HTTPS_PROXY where there is a proxy."
    return f"{folder} could not be set up: {printed.strip().rpartition(chr(10))[2]}"


if __name__ == "__main__":
    if sys.argv[1:] not in [[name] for name in SETS]:
        sys.exit(f"usage: {sys.argv[0]} {'|'.join(SETS)}")
    main(sys.argv[1])
