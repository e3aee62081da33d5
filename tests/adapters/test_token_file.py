"""`Session.token_file`: one private file, fresh while the block runs, and gone after it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from demo_session import sign_in
from support import wait_for

from authnb.demo import DemoProvider
from authnb.errors import AuthnbError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from token_endpoint_proxy import TokenEndpointProxy

    from authnb.session.session import Session


@pytest.fixture
def short() -> Iterator[DemoProvider]:
    """A provider whose tokens live two seconds."""
    with DemoProvider(access_token_lifetime=2) as provider:
        yield provider


def read_in_a_program(path: Path) -> str:
    code = "import sys; print(open(sys.argv[1]).read())"
    return subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    ).stdout


def test_it_stays_fresh(short: DemoProvider) -> None:
    """Through two expiries, without a call of anybody's; each reader finds a whole token."""
    session = sign_in(short)
    with session.token_file() as path:
        seen = {path.read_text()}
        wait_for(lambda: seen.add(path.read_text()) or len(seen) == 3, "three tokens")
        assert path.read_text().strip() == read_in_a_program(path).strip()
        assert all(len(token) == len(session.token["access_token"]) for token in seen)
    assert not path.parent.exists()


def test_who_reads_it_has_one_token(short: DemoProvider) -> None:
    """It is replaced, not written over: an open file goes on holding the token it held."""
    session = sign_in(short)
    with session.token_file() as path, path.open() as held:
        before = held.read()
        wait_for(lambda: path.read_text() != before, "another token")
        held.seek(0)
        assert held.read() == before
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_is_private(session: Session) -> None:
    with session.token_file() as path:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_variables_for_the_block(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTHNB_TEST_SET", "before")
    names = ["AUTHNB_TEST_SET", "AUTHNB_TEST_UNSET"]
    with suppress(KeyError), session.token_file(variables=names) as path:
        assert [os.environ[name] for name in names] == [str(path)] * 2
        _ = {}["an error in the block"]
    assert os.environ["AUTHNB_TEST_SET"] == "before"
    assert "AUTHNB_TEST_UNSET" not in os.environ
    assert not path.exists()


def test_variables_that_cannot_be_set(session: Session) -> None:
    """Those that were set before are unset again."""
    with pytest.raises(ValueError, match="null byte"), session.token_file(variables=["AUTHNB_TEST", "A\0B"]):
        pass
    assert "AUTHNB_TEST" not in os.environ


def test_without_a_block(session: Session) -> None:
    """There is no file: whoever opens it, or hands it on, reads how it is written."""
    file = session.token_file()
    assert "with api.token_file() as path" in repr(file)
    with pytest.raises(TypeError, match=r"with api\.token_file\(\) as path"):
        open(file)  # noqa: PTH123, SIM115 - as people write it
    with pytest.raises(TypeError, match=r"with api\.token_file\(\) as path"):
        subprocess.run([sys.executable, file], check=False)


def test_an_address_outside_api(session: Session) -> None:
    with pytest.raises(AuthnbError, match="is not the API"), session.token_file("https://other.example"):
        pass


def test_after_logout_it_is_gone(short: DemoProvider) -> None:
    session = sign_in(short)
    with session.token_file() as path:
        session.logout()
        wait_for(lambda: not path.exists(), "the file to be removed")


def test_while_the_provider_is_down(short: DemoProvider, token_proxy: TokenEndpointProxy) -> None:
    """The old token stays until there is a new one."""
    token_proxy.host = short.issuer.removeprefix("http://")
    session = sign_in(short, token_proxy)
    token_proxy.outcome = lambda: "503"
    with session.token_file() as path:
        first = path.read_text()
        assert token_proxy.wait_for(2, "503")
        assert path.read_text() == first
        token_proxy.outcome = lambda: "pass"
        wait_for(lambda: path.read_text() != first, "another token")


@pytest.mark.skipif(os.name != "posix", reason="elsewhere folders have other modes")
def test_the_folder_of_a_killed_process_is_removed_by_the_next(
    short: DemoProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was used within the hour stays, as do those of others and links."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left, others, used = (
        tmp_path / f"authnb-token-{end}" for end in ("ab12_cd3", "notes about it", "ef45gh67")
    )
    for folder in (left, others, used):
        folder.mkdir(mode=0o700)
        (folder / "access_token").write_text("left behind")
    link = tmp_path / "authnb-token-zz11zz11"
    link.symlink_to(others)
    for folder in (left, others):
        os.utime(folder, (1, 1))
    os.utime(link, (1, 1), follow_symlinks=False)
    session = sign_in(short)
    with session.token_file() as path:
        assert not left.exists()
        assert (others / "access_token").exists()
        assert (used / "access_token").exists()
        assert link.is_symlink()
        os.utime(path.parent, (1, 1))
        wait_for(lambda: path.parent.stat().st_mtime > 1, "the folder to be in use")
