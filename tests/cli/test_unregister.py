"""Clients that authnb registered itself: kept like sign-ins, listed by `status`, deleted by `logout --unregister`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from api_alone import CLIENT_SECRET, ISSUER_PATH, REGISTRATION_TOKEN, ApiAlone

import authnb
from authnb.cli.main import main
from authnb.errors import StorageError
from authnb.oauth.dynamic_registration import Registration
from authnb.storage.registration_files import RegistrationFiles
from authnb.storage.registrations import memory

if TYPE_CHECKING:
    from collections.abc import Iterator

MANAGED = f"{ISSUER_PATH}/register/c"
REGISTRATION = Registration(
    issuer="https://id.example.org", client_id="c-1", redirect_uris=("http://127.0.0.1:8765/callback",)
)


@pytest.fixture
def lab() -> Iterator[ApiAlone]:
    """One whose registrations can be managed."""
    with ApiAlone() as running:
        running.registration = {
            "registration_client_uri": f"{running.url}{MANAGED}",
            "registration_access_token": REGISTRATION_TOKEN,
        }
        running.json(MANAGED, {}, 204)
        yield running


def sign_in(lab: ApiAlone, **more: str) -> authnb.Session:
    login = authnb.login(api=lab.api, view=None, mode="loopback", remember=True, **more)  # type: ignore[arg-type] # texts
    lab.visit(login.verification().uri)
    return login.wait(30)


def run(capsys: pytest.CaptureFixture[str], *command: str) -> tuple[int, str]:
    code = main(command)
    said = capsys.readouterr()
    assert REGISTRATION_TOKEN not in said.out + said.err
    return code, said.out + said.err


def files() -> list[Path]:
    return sorted(Path(os.environ["AUTHNB_HOME"]).glob("*.registration"))


def test_status_lists_them(lab: ApiAlone, capsys: pytest.CaptureFixture[str]) -> None:
    session = sign_in(lab)
    code, said = run(capsys, "status")
    assert code == 0
    first, second = said.splitlines()
    assert f"at {lab.issuer} for {lab.api} (client client-1, profile default)" in first
    (uri,) = lab.clients[session.client_id]["redirect_uris"]
    assert second == (
        f"Registered at {lab.issuer} as the client client-1, for {uri}; authnb logout --unregister ends that"
    )


def test_logging_out_leaves_them(lab: ApiAlone, capsys: pytest.CaptureFixture[str]) -> None:
    """The next sign-in needs no new one."""
    sign_in(lab)
    assert run(capsys, "logout")[0] == 0
    assert len(files()) == 1
    assert sign_in(lab).client_id == "client-1"


@pytest.mark.parametrize("named", ["", "{issuer}", "{api}", "{host}"])
def test_unregistering(lab: ApiAlone, capsys: pytest.CaptureFixture[str], named: str) -> None:
    """By the issuer, its host, or the API that named it. The tokens are revoked first: then nobody knows the client."""
    lab.metadata["revocation_endpoint"] = f"{lab.issuer}/revoke"
    lab.text(f"{ISSUER_PATH}/revoke", "")
    sign_in(lab)
    lab.asked()
    given = named.format(issuer=lab.issuer, api=lab.api, host=lab.url.partition("://")[2])
    code, said = run(capsys, "logout", *filter(None, [given]), "--unregister")
    assert code == 0, said
    assert said.splitlines()[-1].endswith(": deleted.")
    request = lab.requests[-1]
    assert (request.method, request.headers["Authorization"]) == ("DELETE", f"Bearer {REGISTRATION_TOKEN}")
    assert lab.asked() == ["/revoke", "/revoke", "/register/c"]
    assert files() == []
    assert run(capsys, "status")[1] == "Nobody is remembered on this computer.\n"


def test_one_without_means_to_delete_it_is_forgotten(
    lab: ApiAlone, capsys: pytest.CaptureFixture[str]
) -> None:
    lab.registration = {}
    sign_in(lab)
    code, said = run(capsys, "logout", "--unregister")
    assert code == 0
    assert "forgotten here; the provider gave no means" in said
    assert files() == []


def test_one_that_cannot_be_deleted_is_kept(lab: ApiAlone, capsys: pytest.CaptureFixture[str]) -> None:
    """To be tried again."""
    sign_in(lab)
    lab.json(MANAGED, {"error": "temporarily_unavailable"}, 503)
    code, said = run(capsys, "logout", "--unregister")
    assert code == 1
    assert "not deleted. Deleting the registration" in said
    assert len(files()) == 1
    lab.json(MANAGED, {}, 204)
    assert run(capsys, "logout", "--unregister")[0] == 0


def test_nothing_to_delete(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = run(capsys, "logout", "--unregister", "https://id.example.org")
    assert (code, said.startswith("Nobody is remembered at https://id.example.org")) == (1, True)


def test_the_client_of_one_profile_is_that_of_all(lab: ApiAlone, capsys: pytest.CaptureFixture[str]) -> None:
    sign_in(lab)
    assert sign_in(lab, profile="work").client_id == "client-1"
    code, said = run(capsys, "logout", "--profile", "work", "--unregister")
    assert (code, "Leave --profile out" in said) == (2, True)


def test_the_files_are_encrypted_and_private(lab: ApiAlone) -> None:
    lab.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    lab.registration["client_secret"] = CLIENT_SECRET
    sign_in(lab)
    (path,) = files()
    for each in Path(os.environ["AUTHNB_HOME"]).iterdir():
        if each.is_file():
            content = each.read_bytes()
            assert REGISTRATION_TOKEN.encode() not in content
            assert CLIENT_SECRET.encode() not in content
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600
    assert "registrations" not in repr(RegistrationFiles())


def test_what_cannot_be_read_is_registered_anew(lab: ApiAlone, capsys: pytest.CaptureFixture[str]) -> None:
    sign_in(lab)
    run(capsys, "logout")
    files()[0].write_bytes(b"no registration of ours")
    code, said = run(capsys, "status")
    assert (code, "cannot be used" in said) == (0, True)
    assert run(capsys, "logout", "--unregister")[0] == 1
    assert sign_in(lab).client_id == "client-2"
    assert "client-2" in run(capsys, "status")[1]


def test_one_of_another_use_is_not_taken(tmp_path: Path) -> None:
    """A file that was renamed: a client is used for the redirect URIs that it was registered with."""
    storage = RegistrationFiles(tmp_path / "authnb")
    storage.save("http://127.0.0.1/callback", REGISTRATION)
    (path,) = (tmp_path / "authnb").glob("*.registration")
    other = storage._path(REGISTRATION.issuer, "")  # noqa: SLF001 - where one for the device flow would be
    path.rename(other)
    assert storage.load(REGISTRATION.issuer, "") is None
    assert storage.load(REGISTRATION.issuer, "http://127.0.0.1/callback") is None


def test_where_no_file_can_be_kept_memory_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    storage = RegistrationFiles(tmp_path / "file")
    storage.save("device", REGISTRATION)
    assert storage.load(REGISTRATION.issuer, "device") == REGISTRATION
    with pytest.raises(StorageError):
        storage.remove("device", REGISTRATION)
    assert memory.load(REGISTRATION.issuer, "device") is None
    monkeypatch.setenv("AUTHNB_HOME", "~nobody-of-that-name/x")
    assert RegistrationFiles().load(REGISTRATION.issuer, "device") is None
    with pytest.raises(StorageError):
        list(RegistrationFiles().entries())


def test_a_newer_registration_is_not_removed(tmp_path: Path) -> None:
    storage = RegistrationFiles(tmp_path / "authnb")
    newer = Registration(issuer=REGISTRATION.issuer, client_id="c-2")
    storage.save("device", newer)
    storage.remove("device", REGISTRATION)
    assert storage.load(REGISTRATION.issuer, "device") == newer
