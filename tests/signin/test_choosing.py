"""Several providers: the person chooses, unless one was chosen before."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from terminal import Terminal

import authnb
from authnb.demo import DemoProvider
from authnb.errors import InteractionRequired

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authnb.signin.login import Login
    from authnb.storage.base import MemoryStorage


@pytest.fixture(scope="module")
def other() -> Iterator[DemoProvider]:
    with DemoProvider() as provider:
        yield provider


def begin(demo: DemoProvider, other: DemoProvider, storage: MemoryStorage, **more: Any) -> Login:
    several = {"University": demo.issuer, "Laboratory": other.issuer}
    return authnb.login(several, **{"client_id": demo.client_id, "view": None, "storage": storage, **more})


def test_the_person_chooses(demo: DemoProvider, other: DemoProvider, storage: MemoryStorage) -> None:
    login = begin(demo, other, storage)
    assert login.status == "choosing"
    assert list(login.choices) == ["University", "Laboratory"]
    login.choose("Laboratory")
    other.visit(login.verification().uri, name="ada")
    assert login.wait().user["iss"] == other.issuer  # type: ignore[index] # somebody is signed in


def test_another_after_a_failure(demo: DemoProvider, other: DemoProvider, storage: MemoryStorage) -> None:
    """Whoever waits goes on waiting."""
    login = begin(demo, other, storage)
    login.choose("Laboratory")
    login.verification()
    login.cancel()
    login.choose()
    assert login.status == "choosing"
    assert login.error is None
    login.choose("University")
    demo.visit(login.verification().uri, name="ada")
    assert login.wait().user["iss"] == demo.issuer  # type: ignore[index] # somebody is signed in


def test_whoever_chose_before_is_not_asked(
    demo: DemoProvider, other: DemoProvider, storage: MemoryStorage
) -> None:
    test_the_person_chooses(demo, other, storage)
    again = begin(demo, other, storage)
    assert again.wait().user["iss"] == other.issuer  # type: ignore[index] # somebody is signed in
    assert again.remembered


def test_cancelled_while_choosing(demo: DemoProvider, other: DemoProvider, storage: MemoryStorage) -> None:
    login = begin(demo, other, storage)
    login.cancel()
    assert login.status == "cancelled"
    with pytest.raises(authnb.LoginFailed, match="cancelled"):
        login.wait(1)


SCRIPT = """
import sys, authnb
several = {"University": sys.argv[1], "Laboratory": sys.argv[2]}
print("signed in at", authnb.login(several, client_id=sys.argv[3]).wait().user["iss"])
"""


def test_in_a_terminal_by_number(demo: DemoProvider, other: DemoProvider) -> None:
    """Whatever is no number of a provider is asked for again."""
    with Terminal() as terminal:
        terminal.start(sys.executable, "-c", SCRIPT, demo.issuer, other.issuer, demo.client_id)
        asked = r"1  University\n2  Laboratory\nNumber: "
        for answer in ("7", "none of these", "2"):
            terminal.read_until(f"{asked}$")
            terminal.type(answer, "Enter")
            asked += f"{answer}\nNumber: "
        other.visit(terminal.read_until(r"(http://127\S+authorize\S+)")[1], name="ada")
        terminal.read_until(f"signed in at {other.issuer}")


def test_nobody_there_to_choose(
    demo: DemoProvider, other: DemoProvider, storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTHNB_INTERACTIVE", "0")
    with pytest.raises(InteractionRequired, match="University and Laboratory"):
        begin(demo, other, storage, view="auto")


def test_lists_and_ids(demo: DemoProvider, other: DemoProvider, storage: MemoryStorage) -> None:
    """A list is shown by host; each may have a client id of its own, and none may lack one."""
    login = authnb.login([demo.issuer, other.issuer], client_id="n", view=None, storage=storage)
    assert list(login.choices) == [issuer.partition("://")[2] for issuer in (demo.issuer, other.issuer)]
    login.cancel()
    login = begin(demo, other, storage, client_id={"University": "one", "Laboratory": "two"})
    login.choose("Laboratory")
    assert login.account.client_id == "two"
    login.cancel()
    with pytest.raises(ValueError, match="none of 'University', 'Laboratory'"):
        login.choose("Library")
    for wrong in ({"University": "one"}, {}):
        with pytest.raises(ValueError, match="client_id= names"):
            begin(demo, other, storage, client_id=wrong)


def test_one_is_no_choice(demo: DemoProvider, storage: MemoryStorage) -> None:
    login = authnb.login([demo.issuer], client_id=demo.client_id, view=None, storage=storage)
    demo.visit(login.verification().uri, name="ada")
    assert login.wait().user is not None


def test_the_same_sub_at_another_provider_is_somebody_else(storage: MemoryStorage) -> None:
    """OpenID Connect Core section 5.7: a subject is one's own only together with its issuer."""
    with DemoProvider(seed="one") as first, DemoProvider(seed="one") as second:
        login = begin(first, second, storage)
        login.choose("University")
        first.visit(login.verification().uri, name="ada")
        session = login.wait(10)
        subject = session.user["sub"]  # type: ignore[index] # somebody is signed in
        session.logout()
        login.choose("Laboratory")
        second.visit(login.verification().uri, name="ada")
        other = login.wait(10)
        assert other.user["sub"] == subject  # type: ignore[index] # somebody is signed in
        assert other is not session
        assert login.leaves_session
        assert not session.signed_in
