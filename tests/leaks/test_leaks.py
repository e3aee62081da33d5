"""No scenario leaves a secret in any outlet; one that leaks is found in each of them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import leaking_widget
import pytest
from harness import login
from outlets import OUTLETS, Run, WatchedLab
from scenarios import PERSON, SCENARIOS
from secret_collector import SecretCollector, count
from support import newcomer

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness import JupyterPage

    from authnb.demo import DemoProvider

    Note = Callable[[str, object], None]

# Expected by design, by (scenario or None for all, outlet, kind): why
ALLOWED = {
    (
        None,
        "iopub",
        "state",
    ): "the front end receives the authorization URL this way: SECURITY.md, kernel connections",
    (None, "iopub", "user_code"): "the same",
    ("papermill", "papermill", "state"): "an unattended run shows the URL as text, which --log-output keeps",
    ("bound to a key", "papermill", "state"): "the same",
    **dict.fromkeys(
        [("paste without a panel", outlet, "state") for outlet in ("notebook", "checkpoint")],
        "a text view shows the authorization URL while the sign-in waits",
    ),
    **dict.fromkeys(
        [("replay with values", "iopub", kind) for kind in SCENARIOS["replay with values"][1]],
        "values at the provider for learning go to the page as a message, and are kept nowhere",
    ),
    (
        "paste in a terminal",
        "terminal",
        "state",
    ): "the authorization URL is shown there; the pasted one is not",
    (
        "proxy",
        "server log",
        "state",
    ): "the callback passes through this server, which logs it: docs/anywhere.md",
    ("proxy", "server log", "code"): "the same; the code is used up, and needs the PKCE verifier",
    (
        "client credentials with nobody there",
        "processes",
        "client_secret",
    ): "AUTHNB_CLIENT_SECRET is in the environment in which the user set it",
}


def leaks(name: str, found: dict[str, dict[str, int]]) -> dict[tuple[str, str], int]:
    """The secrets found that are not expected by design."""
    return {
        (outlet, kind): number
        for outlet, kinds in found.items()
        for kind, number in kinds.items()
        if (None, outlet, kind) not in ALLOWED and (name, outlet, kind) not in ALLOWED
    }


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_secret_is_left(
    lab: WatchedLab,
    jupyter: JupyterPage,
    demo: DemoProvider,
    collector: SecretCollector,
    record_property: Note,
    name: str,
) -> None:
    scenario, kinds = SCENARIOS[name]
    collector.take()
    run = Run(lab, jupyter)
    scenario(run, demo)
    secrets = run.secrets(collector.take())
    assert kinds <= set(secrets), "the scenario did not run what it is to be judged by"
    found = {outlet: count(secrets, text) for outlet, text in run.all().items()}
    record_property("leaks", (name, found))
    assert leaks(name, found) == {}


def test_a_planted_leak_is_found_in_every_outlet(
    lab: WatchedLab, jupyter: JupyterPage, demo: DemoProvider, record_property: Note
) -> None:
    """The scan fails for every outlet."""
    run, password = Run(lab, jupyter), f"planted-{newcomer()}"
    with run.notebook(leaking_widget.CELL, "# Below", leaking_widget.END) as notebook:
        notebook.run(0)
        field = notebook.page.get_by_label("Leaky")
        field.fill(password)
        field.blur()
        notebook.output(password)
        lab.processes.look()
        notebook.run(2)
        notebook.idle()
    with SecretCollector() as papermill:
        run.papermill(login(demo), leaking_widget.PRINT, BROWSER=PERSON)
    with run.terminal(leaking_widget.SCRIPT) as terminal:
        terminal.read_until("password:")
        terminal.type(password, "Enter")
    texts = run.all()
    found = {outlet: count({"password": {password}}, text) for outlet, text in texts.items()}
    found["papermill"] = count({"access_token": papermill.secrets["access_token"]}, texts["papermill"])
    record_property("leaks", ("a leaking widget", found))
    assert {outlet for outlet in OUTLETS if leaks("", found) and found[outlet]} == set(OUTLETS)


@pytest.mark.parametrize("written", ["{}", "%7B{}%7D", "a{}", "ab{}", "abc{}"])
def test_a_secret_is_found_however_it_is_written(written: str) -> None:
    secret = "planted-4pZ9vQmT7rXw2LkE"
    text = base64.b64encode(written.format(secret).encode()).decode()
    for form in (written.format(secret), text, secret.encode().hex()):
        assert count({"code": {secret}}, f"x{form}x") == {"code": 1}
