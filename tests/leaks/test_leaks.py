"""Every scenario, then every place: no secret is left in any; and one that leaks is found in each of them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import leaky
import pytest
from harness import login
from places import PLACES, Ground, Play
from scenarios import PERSON, SCENARIOS
from support import newcomer
from witness import Witness, count

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness import Desk

    from authnb.demo import DemoProvider

    Note = Callable[[str, object], None]

# What is there by design: (scenario or None for all, place, kind): why
ALLOWED = {
    (
        None,
        "iopub",
        "state",
    ): "the address reaches the browser this way; whoever hears this can run code here",
    (
        "papermill",
        "papermill",
        "state",
    ): "with nobody there the address is shown as text, which --log-output keeps",
    **dict.fromkeys(
        [("paste without a panel", place, "state") for place in ("notebook", "checkpoint")],
        "while it waits the address to open stands in the output, for a person to click",
    ),
    (
        "paste in a terminal",
        "terminal",
        "state",
    ): "the address to open is shown there; the one that was pasted is not",
    (
        "proxy",
        "server log",
        "state",
    ): "the answer comes through this server, which writes down addresses: docs/anywhere.md says so",
    (
        "proxy",
        "server log",
        "code",
    ): "the same; the code has been used, and is of no use without its verifier",
    (
        "client credentials with nobody there",
        "processes",
        "client_secret",
    ): "AUTHNB_CLIENT_SECRET is in the environment it was put into",
}


def leaks(name: str, found: dict[str, dict[str, int]]) -> dict[tuple[str, str], int]:
    """What was found and is not there by design."""
    return {
        (place, kind): number
        for place, kinds in found.items()
        for kind, number in kinds.items()
        if (None, place, kind) not in ALLOWED and (name, place, kind) not in ALLOWED
    }


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_left(
    ground: Ground, desk: Desk, demo: DemoProvider, witness: Witness, record_property: Note, name: str
) -> None:
    scenario, kinds = SCENARIOS[name]
    witness.take()
    play = Play(ground, desk)
    scenario(play, demo)
    secrets = play.secrets(witness.take())
    assert kinds <= set(secrets), "the scenario did not play what it is to be judged by"
    found = {place: count(secrets, text) for place, text in play.all().items()}
    record_property("leaks", (name, found))
    assert leaks(name, found) == {}


def test_a_leak_is_found_in_every_place(
    ground: Ground, desk: Desk, demo: DemoProvider, record_property: Note
) -> None:
    """The scan can fail, everywhere."""
    play, password = Play(ground, desk), f"planted-{newcomer()}"
    with play.notebook(leaky.CELL, "# Below", leaky.END) as notebook:
        notebook.run(0)
        field = notebook.page.get_by_label("Leaky")
        field.fill(password)
        field.blur()
        notebook.said(password)
        ground.processes.look()
        notebook.run(2)
        notebook.idle()
    with Witness() as papermill:
        play.papermill(login(demo), leaky.PRINT, BROWSER=PERSON)
    with play.terminal(leaky.SCRIPT) as terminal:
        terminal.read_until("password:")
        terminal.type(password, "Enter")
    texts = play.all()
    found = {place: count({"password": {password}}, text) for place, text in texts.items()}
    found["papermill"] = count({"access_token": papermill.secrets["access_token"]}, texts["papermill"])
    record_property("leaks", ("a leaking widget", found))
    assert {place for place in PLACES if leaks("", found) and found[place]} == set(PLACES)


@pytest.mark.parametrize("written", ["{}", "%7B{}%7D", "a{}", "ab{}", "abc{}"])
def test_a_secret_is_found_however_it_is_written(written: str) -> None:
    secret = "planted-4pZ9vQmT7rXw2LkE"
    text = base64.b64encode(written.format(secret).encode()).decode()
    for form in (written.format(secret), text, secret.encode().hex()):
        assert count({"code": {secret}}, f"x{form}x") == {"code": 1}
