"""Files are the user's alone, from the moment they exist, whatever lies in the folder and whatever the umask."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from support import give_up
from test_files import ACCOUNT, some_sign_in

from authnb.demo import DemoProvider
from authnb.errors import StorageError
from authnb.storage.files import FileStorage

ROOT = Path(__file__).parents[2]
NOBODY = 65534


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}


@pytest.mark.parametrize("mode", [0o1777, 0o775])
def test_a_folder_shared_with_others_is_not_used(tmp_path: Path, mode: int) -> None:
    """They could put a file of theirs in the place of ours. Its mode is left, for it has a purpose: /tmp, a project."""
    folder = tmp_path / "shared"
    folder.mkdir()
    if mode == 0o775:
        (folder / "thesis.txt").write_text("a draft")
    folder.chmod(mode)
    for use in (
        lambda: FileStorage(folder).save(ACCOUNT, some_sign_in()),
        lambda: FileStorage(folder).load(ACCOUNT),
    ):
        with pytest.raises(StorageError, match=r"shared or holds other files\. Set AUTHNB_HOME") as caught:
            use()
        assert caught.value.error == "not_private"
    assert stat.S_IMODE(folder.stat().st_mode) == mode


@pytest.mark.parametrize("folder_mode", [0o700, 0o777, 0o2770])
@pytest.mark.parametrize("file_mode", [0o600, 0o640, 0o666])
@pytest.mark.parametrize("wrong", ["*.signin", "key", "*"])
def test_modes_of_ones_own_files_are_put_right(
    tmp_path: Path, folder_mode: int, file_mode: int, wrong: str
) -> None:
    """The folder's and every file's, whichever of them is found first."""
    folder = tmp_path / "home"
    FileStorage(folder).save(ACCOUNT, some_sign_in())
    for path in folder.glob(wrong):
        path.chmod(file_mode)
    folder.chmod(folder_mode)
    exposed = bool(folder_mode & file_mode & 0o004)
    with pytest.warns(UserWarning, match="authnb logout") if exposed else nullcontext():
        assert FileStorage(folder).load(ACCOUNT) == some_sign_in()
    assert set(modes(folder).values()) == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    FileStorage(folder).save(ACCOUNT, some_sign_in(2))


def test_only_files_of_authnbs_are_put_right(tmp_path: Path) -> None:
    """And a link to another file is not followed."""
    folder = tmp_path / "home"
    FileStorage(folder).save(ACCOUNT, some_sign_in())
    (tmp_path / "thesis.txt").write_text("a draft")
    (tmp_path / "thesis.txt").chmod(0o644)
    (folder / "key.new").symlink_to(tmp_path / "thesis.txt")
    folder.chmod(0o770)
    assert FileStorage(folder).load(ACCOUNT) == some_sign_in()
    assert stat.S_IMODE((tmp_path / "thesis.txt").stat().st_mode) == 0o644


@pytest.mark.parametrize("mode", [0o700, 0o755])
def test_an_existing_folder_of_ones_own_is_used(tmp_path: Path, mode: int) -> None:
    """Its mode and its other files stay as they are."""
    (tmp_path / "thesis.txt").write_text("a draft")
    tmp_path.chmod(mode)
    FileStorage(tmp_path).save(ACCOUNT, some_sign_in())
    assert FileStorage(tmp_path).load(ACCOUNT) == some_sign_in()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == mode
    assert (tmp_path / "thesis.txt").read_text() == "a draft"


@pytest.mark.parametrize("part", ["*.signin", "key", "."])
def test_a_file_or_folder_of_another_user_is_not_used(tmp_path: Path, part: str) -> None:
    if os.geteuid() != 0:
        give_up("only root can give a file away")
    FileStorage(tmp_path / "home").save(ACCOUNT, some_sign_in())
    (path,) = (tmp_path / "home").glob(part) if part != "." else [tmp_path / "home"]
    os.chown(path, NOBODY, NOBODY)
    with pytest.raises(StorageError, match="belongs to") as caught:
        FileStorage(tmp_path / "home").load(ACCOUNT)
    assert caught.value.error == "not_private"


@pytest.mark.parametrize("umask", ["0o000", "0o777", "0o277"])
def test_no_umask_changes_a_mode(tmp_path: Path, umask: str) -> None:
    """Neither opens a file to others nor closes it to its owner."""
    script = (
        f"import os, sys; sys.path[:0] = {[str(ROOT / 'tests' / name) for name in ('storage', 'helpers')]!r}\n"
        "from test_files import *\n"
        f"os.umask({umask}); folder = Path({str(tmp_path / 'a' / 'b')!r})\n"
        "FileStorage(folder).save(ACCOUNT, some_sign_in()); print(FileStorage(folder).load(ACCOUNT) == some_sign_in())"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert run.stdout == "True\n", run.stderr
    found = modes(tmp_path)
    assert {name: mode for name, mode in found.items() if name in {"a", "b"}} == {"a": 0o700, "b": 0o700}
    assert {mode for name, mode in found.items() if name not in {"a", "b"}} == {0o600}


@pytest.mark.parametrize("suffix", [".new", ".lock"])
def test_a_link_in_place_of_a_new_file_is_not_followed(tmp_path: Path, suffix: str) -> None:
    """What it leads to stays as it is."""
    storage = FileStorage(tmp_path / "home")
    storage.save(ACCOUNT, some_sign_in())
    (path,) = (tmp_path / "home").glob("*.signin")
    target = tmp_path / "thesis.txt"
    target.write_text("a draft")
    link = path.with_name(path.name + suffix)
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    if suffix == ".lock":
        with pytest.raises(StorageError):
            FileStorage(tmp_path / "home").save(ACCOUNT, some_sign_in(2))
    else:
        storage.save(ACCOUNT, some_sign_in(2))
        assert storage.load(ACCOUNT) == some_sign_in(2)
        assert not path.is_symlink()
    assert target.read_text() == "a draft"


def test_what_a_killed_process_left_is_replaced(tmp_path: Path) -> None:
    storage = FileStorage(tmp_path / "home")
    storage.save(ACCOUNT, some_sign_in())
    (path,) = (tmp_path / "home").glob("*.signin")
    path.with_name(path.name + ".new").write_text("half a sign-in")
    storage.save(ACCOUNT, some_sign_in(2))
    assert storage.load(ACCOUNT) == some_sign_in(2)
    assert modes(tmp_path / "home")[path.name] == 0o600


def test_the_demos_database_is_its_owners_alone(tmp_path: Path) -> None:
    """It holds password hashes and signing keys; SQLite's files beside it too."""
    before = os.umask(0)
    try:
        with DemoProvider(tmp_path / "demo.sqlite3") as demo:
            demo.sign_up("carol", "a long passphrase")
            found = modes(tmp_path)
    finally:
        os.umask(before)
    assert {name.partition("-")[0] for name in found} == {"demo.sqlite3"}
    assert set(found.values()) == {0o600}


def test_an_older_database_is_closed_to_others_and_keeps_its_accounts(tmp_path: Path) -> None:
    path = tmp_path / "demo.sqlite3"
    with DemoProvider(path) as demo:
        demo.sign_up("carol", "a long passphrase")
    path.chmod(0o644)
    with DemoProvider(path) as demo, pytest.raises(Exception, match="taken"):
        demo.sign_up("carol", "a long passphrase")
    assert modes(tmp_path)["demo.sqlite3"] == 0o600
