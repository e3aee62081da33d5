"""Stored sign-ins are encrypted, private, replaced atomically, and never lost to another failure."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from demo_session import SCOPE, age, renewer, sign_in, stored

import authnb
from authnb.errors import LoginRequired, StorageError
from authnb.oauth.provider import Provider
from authnb.oauth.responses import Token
from authnb.storage.base import Account, MemoryStorage, SignIn
from authnb.storage.files import FileStorage, home
from authnb.transport import documents

if TYPE_CHECKING:
    from authnb.demo import DemoProvider
    from authnb.storage.base import TokenStorage

ACCOUNT = Account(profile="default", issuer="https://id.example.org", client_id="notebook")
SECRET = "access-token-secret"
PATHS = [
    str(Path(__file__).parent),
    str(Path(__file__).parents[1] / "helpers"),
]  # of this module and what it imports


def some_sign_in(number: int = 0) -> SignIn:
    token = Token({"access_token": f"{SECRET}-{number}", "refresh_token": "r" * 40, "expires_at": 5})
    provider = Provider("https://id.example.org", token_endpoint="https://id.example.org/t")
    return SignIn(token=token, provider=provider, scope="openid")


def the_file(directory: Path) -> Path:
    (path,) = directory.glob("*.signin")
    return path


@pytest.fixture
def files(tmp_path: Path) -> FileStorage:
    return FileStorage(tmp_path / "authnb")


@pytest.fixture(params=["memory", "files"])
def any_storage(request: pytest.FixtureRequest, files: FileStorage) -> TokenStorage:
    return files if request.param == "files" else MemoryStorage()


def test_save_and_load(any_storage: TokenStorage) -> None:
    assert any_storage.load(ACCOUNT) is None
    for number in range(2):
        any_storage.save(ACCOUNT, some_sign_in(number))
        assert any_storage.load(ACCOUNT) == some_sign_in(number)
    assert any_storage.load(replace(ACCOUNT, profile="other")) is None
    any_storage.remove(ACCOUNT)
    any_storage.remove(ACCOUNT)
    assert any_storage.load(ACCOUNT) is None


def test_the_lock_is_exclusive(any_storage: TokenStorage) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(20):
            with any_storage.lock(ACCOUNT):
                inside.append(1)
                most.append(len(inside))
                any_storage.save(ACCOUNT, some_sign_in())
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    assert len(most) == 80


def test_files_are_encrypted(files: FileStorage, tmp_path: Path) -> None:
    files.save(ACCOUNT, some_sign_in())
    loaded = files.load(ACCOUNT)
    assert SECRET in str(dict(loaded.token)), "it is in the file"
    paths = list((tmp_path / "authnb").iterdir())
    assert [path.suffix for path in paths].count(".signin") == 1
    for path in paths:
        assert SECRET.encode() not in path.read_bytes()
    shown = repr(files) + repr(loaded)
    assert str(tmp_path / "authnb") in shown
    assert SECRET not in shown


def test_files_are_created_with_mode_0600(tmp_path: Path) -> None:
    """Even with umask 0, and from their creation on."""
    script = f"""
import os, stat, sys
os.umask(0)
seen = {{}}
def look(event, arguments):
    if event == "open" and str(arguments[0]).startswith({str(tmp_path / "authnb")!r}):
        seen[str(arguments[0])] = None
        for path in list(seen):
            if os.path.exists(path) and not os.path.isdir(path):
                assert stat.S_IMODE(os.stat(path).st_mode) == 0o600, path
sys.path[:0] = {PATHS!r}
from test_files import *
sys.addaudithook(look)
files = FileStorage({str(tmp_path / "authnb")!r})
for number in range(3):
    files.save(ACCOUNT, some_sign_in(number))
assert seen
for path in seen:
    assert not os.path.exists(path) or os.path.isdir(path) or stat.S_IMODE(os.stat(path).st_mode) == 0o600, path
assert stat.S_IMODE(os.stat({str(tmp_path / "authnb")!r}).st_mode) == 0o700
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "corrupt"),
        (b"{}", "corrupt"),
        (b"authnb sign-in 1\n", "corrupt"),
        (b"authnb sign-in 1\ngAAAA", "corrupt"),
        (b"authnb sign-in 2\nwho knows", "later_version"),
        (b"\0" * 5000, "corrupt"),
    ],
)
def test_a_damaged_file(files: FileStorage, tmp_path: Path, content: bytes, error: str) -> None:
    files.save(ACCOUNT, some_sign_in())
    the_file(tmp_path / "authnb").write_bytes(content)
    with pytest.raises(StorageError) as caught:
        files.load(ACCOUNT)
    assert caught.value.error == error


def test_decrypted_content_is_validated(files: FileStorage, tmp_path: Path) -> None:
    """Content encrypted with the right key that is no sign-in, or belongs to another account."""
    files.save(ACCOUNT, some_sign_in())
    cipher = files._files.cipher  # noqa: SLF001 - to write what authnb never writes
    assert cipher is not None
    path = the_file(tmp_path / "authnb")
    whole = json.loads(cipher.decrypt(path.read_bytes().partition(b"\n")[2]))
    sign_in_now = json.loads(whole["sign_in"])
    others = [
        {},
        [],
        {**whole, "sign_in": 5},
        {**whole, "sign_in": "{}"},
        {**whole, "sign_in": json.dumps({**sign_in_now, "token": 5})},
        {**whole, "sign_in": json.dumps({**sign_in_now, "provider": {}})},
        {**whole, "sign_in": json.dumps({**sign_in_now, "provider": {"issuer": "http://evil.example"}})},
        {**whole, "account": {**whole["account"], "profile": "other"}},
    ]
    for other in others:
        path.write_bytes(b"authnb sign-in 1\n" + cipher.encrypt(json.dumps(other).encode()))
        with pytest.raises(StorageError) as caught:
            files.load(ACCOUNT)
        assert caught.value.error == "corrupt"


def test_files_of_version_0_1_0_can_be_read(tmp_path: Path) -> None:
    """A key and a file as authnb 0.1.0 wrote them."""
    for path in (Path(__file__).parent / "stored_by_0.1.0").iterdir():
        shutil.copyfile(path, tmp_path / path.name)
        (tmp_path / path.name).chmod(0o600)
    assert FileStorage(tmp_path).load(ACCOUNT) == some_sign_in()


def test_unknown_and_missing_members_are_tolerated() -> None:
    """Provider fields that another version added or did not have yet."""
    text = json.loads(some_sign_in().to_json())
    text["provider"] |= {"an_endpoint_of_tomorrow": "https://id.example.org/new"}
    del text["provider"]["token_endpoint"]
    assert SignIn.from_json(json.dumps(text)).provider == Provider("https://id.example.org")


def test_a_symlink_is_not_followed(files: FileStorage, tmp_path: Path) -> None:
    files.save(ACCOUNT, some_sign_in())
    path = the_file(tmp_path / "authnb")
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError):
        files.load(ACCOUNT)


def test_a_lost_key_allows_a_new_sign_in(files: FileStorage, tmp_path: Path) -> None:
    files.save(ACCOUNT, some_sign_in())
    (tmp_path / "authnb" / "key").unlink()
    other = FileStorage(tmp_path / "authnb")
    with pytest.raises(StorageError) as caught:
        other.load(ACCOUNT)
    assert caught.value.error == "corrupt"
    other.save(ACCOUNT, some_sign_in(7))
    assert files.load(ACCOUNT) == other.load(ACCOUNT) == some_sign_in(7)


def test_authnb_home_of_an_unknown_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the variable; the cache of documents does without a folder."""
    monkeypatch.setenv("AUTHNB_HOME", "~no-such-user/authnb")
    with pytest.raises(StorageError, match="AUTHNB_HOME"):
        FileStorage().load(ACCOUNT)
    documents.invalidate("https://id.example.org/")


def test_authnb_home_sets_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTHNB_HOME", str(tmp_path / "here"))
    assert home() == tmp_path / "here"
    FileStorage().save(ACCOUNT, some_sign_in())
    assert the_file(tmp_path / "here").exists()
    monkeypatch.delenv("AUTHNB_HOME")
    assert "authnb" in str(home())


# A full disk, simulated by a limit on the size of files: the same system call fails


def in_a_process(script: str, directory: Path, **options: object) -> str:
    """The output of a script in another process, with this module's names and `files`."""
    start = (
        f"import sys; sys.path[:0] = {PATHS!r}\n"
        f"from test_files import *\nimport resource, signal\nfiles = FileStorage({str(directory)!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", start + script], capture_output=True, timeout=60, check=False, **options
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


FULL = "resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))\n"


def test_a_full_disk_keeps_the_stored_sign_in(files: FileStorage, tmp_path: Path) -> None:
    files.save(ACCOUNT, some_sign_in(1))
    script = """
try:
    files.save(ACCOUNT, some_sign_in(2))
except StorageError as error:
    print(error.error, files.load(ACCOUNT) == some_sign_in(1))
"""
    assert in_a_process(FULL + script, tmp_path / "authnb") == "not_stored True\n"
    assert files.load(ACCOUNT) == some_sign_in(1)


def test_on_a_full_disk_no_renewal_is_requested(demo: DemoProvider, tmp_path: Path) -> None:
    """A token that could not be stored would use up the stored refresh token for nothing."""
    session = sign_in(demo, storage=FileStorage(tmp_path / "authnb"))
    age(session)
    before = stored(session)
    script = (
        FULL
        + """
session = pickle.load(sys.stdin.buffer)
try:
    session.get("/stations")
except StorageError as error:
    print(error.error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(session.get("/stations").status_code)
"""
    )
    said = in_a_process(script, tmp_path / "authnb", input=pickle.dumps(session))
    assert said == "not_stored\n200\n"
    assert stored(session) != before


def test_on_a_full_disk_load_and_logout_work(demo: DemoProvider, tmp_path: Path) -> None:
    """A token stored by another process is loaded, logout removes the file, no partial file is left."""
    session = sign_in(demo, storage=FileStorage(tmp_path / "authnb"))
    whole = pickle.dumps(session)
    age(session)
    assert session.get("/stations").ok
    script = """
session = pickle.load(sys.stdin.buffer)
session.token = Token({**session.token, "access_token": "before", "expires_at": 1})
print(session.get("/stations").status_code, session.token["access_token"] != "before")
print(session.logout().problems, sorted(path.suffix for path in files._directory.iterdir()))
"""
    said = in_a_process(FULL + script, tmp_path / "authnb", input=whole)
    assert said == "200 True\n() ['', '.lock', '.lock']\n"


def test_space_is_reserved_during_a_renewal_only(files: FileStorage, tmp_path: Path) -> None:
    """One that ends without a new token leaves nothing behind."""
    files.save(ACCOUNT, some_sign_in())

    def names() -> set[str]:
        return {path.name for path in (tmp_path / "authnb").iterdir() if path.suffix != ".lock"}

    before = names()
    with files.lock(ACCOUNT):
        assert len(names() - before) == 1
    assert names() == before


def test_a_read_only_disk(demo: DemoProvider) -> None:
    """A stored token is used until it expires; then there is a clear error, and nothing is lost."""
    # Below /tmp, which the user nobody can enter
    with tempfile.TemporaryDirectory(dir=None if os.getuid() else "/tmp") as place:  # noqa: S108 - a folder of its own in it
        directory = Path(place) / "authnb"
        session = sign_in(demo, storage=FileStorage(directory))
        age(session)
        script = """
session = pickle.load(sys.stdin.buffer)
print(session.get("/stations").status_code)  # renewed, and all is loaded
nobody = 65534
for path in (files._directory.parent, files._directory, *files._directory.iterdir()):
    path.chmod(0o500 if path.is_dir() else 0o400)
    if os.getuid() == 0:  # root can write to read-only folders
        os.chown(path, nobody, nobody)
if os.getuid() == 0:
    os.setuid(nobody)
print(pickle.loads(pickle.dumps(session)).get("/stations").status_code)
session.token = Token({**session.token, "expires_at": 1})
try:
    session.get("/stations")
except StorageError as error:
    print(error.error)
"""
        said = in_a_process(script, directory, input=pickle.dumps(session))
        assert said == "200\n200\nnot_stored\n"
        for path in (directory.parent, directory, *directory.iterdir()):
            os.chown(path, os.getuid(), os.getgid())
            path.chmod(0o700 if path.is_dir() else 0o600)
        assert pickle.loads(pickle.dumps(session)).get("/stations").ok  # noqa: S301 - our own


class NoRoom(MemoryStorage):
    """A storage whose save always fails."""

    def save(self, account: Account, sign_in: SignIn) -> None:
        """Never."""
        raise StorageError("not_stored", f"No room for {account.profile} {sign_in.scope}.")


def test_a_sign_in_that_cannot_be_stored_succeeds(
    demo: DemoProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """The session works, and one line says why the sign-in is not remembered."""
    login = begin(demo, remember=False, storage=NoRoom())
    demo.visit(login.verification().uri, name="ada")
    session = login.wait(10)
    assert "will not be remembered. No room for default" in capsys.readouterr().err
    assert session.user["preferred_username"] == "ada"


def test_a_renewed_token_that_cannot_be_stored_is_used(demo: DemoProvider) -> None:
    """The old refresh token is used up, so the new token is used although it cannot be stored."""
    session = sign_in(demo, scope="openid measurements:read")
    its = renewer(session)
    its.storage = NoRoom()
    MemoryStorage.save(its.storage, its.account, replace(some_sign_in(), token=session.token))
    session.token = Token({**session.token, "expires_at": 1})
    with pytest.warns(UserWarning, match="not stored: No room"):
        assert session.get("/stations").ok


def test_a_sign_in_works_where_the_folder_cannot_be_used(
    demo: DemoProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In memory, where the next one finds it; the reason is told once. With nobody there it is an error."""
    (tmp_path / "authnb").write_text("a file where the folder should be")
    monkeypatch.setenv("AUTHNB_HOME", str(tmp_path / "authnb"))
    first = begin(demo, profile="unstored")
    demo.visit(first.verification().uri, name="ada")
    session = first.wait(10)
    assert capsys.readouterr().err.count("will not be remembered. Reading") == 1
    again = begin(demo, profile="unstored").wait(10)
    assert again.token == session.token
    assert "will not be remembered" not in capsys.readouterr().err
    (tmp_path / "authnb").unlink()
    third = begin(demo, profile="unstored")
    demo.visit(third.verification().uri, name="ada")
    third.wait(10)
    assert FileStorage().load(third.account) is not None, "it can be stored by now"
    (tmp_path / "authnb").rename(tmp_path / "away")
    (tmp_path / "authnb").write_text("again")
    monkeypatch.setenv("AUTHNB_INTERACTIVE", "0")
    with pytest.raises(StorageError, match="AUTHNB_HOME"):
        begin(demo, profile="unstored").wait(10)


# Remembered


def begin(demo: DemoProvider, **more: object) -> authnb.Login:
    options = {"client_id": demo.client_id, "mode": "loopback", "view": "text", "remember": True, **more}
    return authnb.login(demo.issuer, **options)


def test_a_remembered_sign_in_needs_no_person(
    demo: DemoProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One plain line says as whom; neither the person nor the provider is asked."""
    monkeypatch.setenv("AUTHNB_HOME", str(tmp_path))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    first = begin(demo)
    demo.visit(first.verification().uri, name="ada")
    first.wait(10)
    capsys.readouterr()
    monkeypatch.setenv("AUTHNB_INTERACTIVE", "0")
    again = begin(demo).wait(10)
    assert again.user["preferred_username"] == "ada"
    assert capsys.readouterr().err == "Signed in as Ada at 127.0.0.1 (remembered).\n"
    with pytest.raises(LoginRequired):
        begin(demo, profile="other").wait(10)
    the_file(tmp_path).write_bytes(b"damaged")
    with pytest.raises(LoginRequired):
        begin(demo).wait(10)
    the_file(tmp_path).write_bytes(b"authnb sign-in 9\n")
    with pytest.raises(StorageError, match="later authnb"):
        begin(demo).wait(10)


def test_nothing_is_stored_unless_asked(
    demo: DemoProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without ``remember=True`` a sign-in, a renewal and an API call write no file below HOME or AUTHNB_HOME."""
    monkeypatch.setenv("AUTHNB_HOME", str(tmp_path / "authnb"))
    monkeypatch.setenv("HOME", str(tmp_path))
    login = begin(demo, remember=False, profile="not stored", view=None, scope=SCOPE, api=demo.api)
    demo.visit(login.verification().uri, name="ada")
    session = login.wait(10)
    age(session)
    assert session.get("/stations").ok
    assert list(tmp_path.rglob("*")) == []
    session.logout()


# Keyring backends, found by the keyring library


KEYRING = """
import json, pathlib, threading
from keyring.backend import KeyringBackend

class {name}(KeyringBackend):
    priority = 5
    path = pathlib.Path({path!r})
    def get_password(self, service, name):
        {how}
        return json.loads(self.path.read_text())[service + name] if self.path.exists() else None
    def set_password(self, service, name, password):
        {how}
        self.path.write_text(json.dumps({{service + name: password}}))
"""


@pytest.mark.parametrize(
    ("how", "in_keyring"),
    [("pass", True), ("raise RuntimeError('locked')", False), ("threading.Event().wait()", False)],
)
def test_the_key_is_in_a_working_keyring(tmp_path: Path, how: str, in_keyring: bool) -> None:
    """A backend that fails or blocks counts as none."""
    code = KEYRING.format(name="Ring", path=str(tmp_path / "ring.json"), how=how)
    (tmp_path / "ring_for_tests.py").write_text(code)
    environment = {
        **os.environ,
        "PYTHON_KEYRING_BACKEND": "ring_for_tests.Ring",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]),
    }
    script = "files.save(ACCOUNT, some_sign_in()); print(FileStorage(files._directory).load(ACCOUNT) == some_sign_in())"
    assert in_a_process(script, tmp_path / "authnb", env=environment) == "True\n"
    assert ((tmp_path / "authnb" / "key").read_bytes() == b"keyring") is in_keyring
    assert (tmp_path / "ring.json").exists() is in_keyring
    if in_keyring:
        (tmp_path / "ring.json").unlink()
        script = """
for storage in (files, FileStorage(files._directory)):
    try:
        storage.load(ACCOUNT)
    except StorageError as error:
        print(error.error)
"""
        assert in_a_process(script, tmp_path / "authnb", env=environment) == "no_key\nno_key\n"


def test_concurrent_processes_generate_one_key(tmp_path: Path) -> None:
    script = """
account = Account(profile=sys.argv[1] if len(sys.argv) > 1 else str(os.getpid()), issuer="https://a", client_id="c")
files.save(account, some_sign_in())
print(files.load(account) == some_sign_in())
"""
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda: answers.append(in_a_process(script, tmp_path / "authnb")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["True\n"] * 4
    assert [isinstance(found, tuple) for found in FileStorage(tmp_path / "authnb").accounts()] == [True] * 4


# Pickled


def test_a_pickled_session_holds_no_token(demo: DemoProvider, tmp_path: Path) -> None:
    session = sign_in(demo, storage=FileStorage(tmp_path))
    whole = pickle.dumps(session)
    for name in ("access_token", "refresh_token", "id_token"):
        assert session.token[name].encode() not in whole
    assert pickle.loads(whole).get("/stations").ok  # noqa: S301 - our own
    renewer(session).storage.remove(renewer(session).account)
    with pytest.raises(LoginRequired, match="remember=True"):
        pickle.loads(whole)  # noqa: S301 - our own


def test_a_pickled_session_keeps_its_subject(demo: DemoProvider, tmp_path: Path) -> None:
    whole = pickle.dumps(sign_in(demo, storage=FileStorage(tmp_path)))
    sign_in(demo, storage=FileStorage(tmp_path), name="grace", profile="other")
    assert pickle.loads(whole).user["preferred_username"] == "ada"  # noqa: S301 - our own
    renewer(pickle.loads(whole)).storage.remove(renewer(pickle.loads(whole)).account)  # noqa: S301 - our own
    sign_in(demo, storage=FileStorage(tmp_path), name="grace")
    with pytest.raises(LoginRequired, match="Somebody else"):
        pickle.loads(whole)  # noqa: S301 - our own


def test_a_session_in_memory_cannot_be_pickled(demo: DemoProvider) -> None:
    with pytest.raises(TypeError, match="share_with"):
        pickle.dumps(sign_in(demo))
    with pytest.raises(TypeError, match="headers_for"):
        pickle.dumps(authnb.Session("client", token={"access_token": "secret"}))
    login = begin(demo, remember=False, profile="pickled", view=None)
    with pytest.raises(TypeError, match=r"login\.session"):
        pickle.dumps(login)
    login.cancel()
