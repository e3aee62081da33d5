"""Where we run is read from an environment, so each place is a test."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from authnb.place import look

ASKS = SimpleNamespace(_allow_stdin=True)
ASKS_NOT = SimpleNamespace(_allow_stdin=False)
PERSON = {"BROWSER": "person %s"}


@pytest.mark.parametrize(
    ("environ", "kernel", "tty", "front_end", "opens_pages"),
    [
        ({}, ASKS, False, "notebook", False),
        (PERSON, ASKS, False, "notebook", False),
        ({}, ASKS_NOT, False, None, False),
        (PERSON, ASKS_NOT, False, None, True),
        ({"AUTHNB_INTERACTIVE": "1"}, ASKS_NOT, False, "notebook", False),
        ({"AUTHNB_INTERACTIVE": "0"}, ASKS, False, None, False),
        ({"DISPLAY": ":0"}, None, True, "terminal", True),
        ({}, None, True, "terminal", False),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "1 2 3 4"}, None, True, "terminal", False),
        ({}, None, False, None, False),
        (PERSON, None, False, None, True),
        ({"DISPLAY": ":0"}, None, False, None, False),
    ],
)
def test_places(
    environ: dict[str, str],
    kernel: Any,
    tty: bool,  # noqa: FBT001
    front_end: str | None,
    opens_pages: bool,  # noqa: FBT001
) -> None:
    place = look(environ, kernel=kernel, tty=tty, platform="linux")
    assert (place.front_end, place.opens_pages) == (front_end, opens_pages)
    assert place.somebody_there == (front_end is not None or opens_pages)


@pytest.mark.parametrize("name", ["SSH_CONNECTION", "JUPYTERHUB_SERVICE_PREFIX", "CODESPACES"])
def test_remote_places_say_why(name: str) -> None:
    assert look({name: "x"}, kernel=ASKS, tty=False, platform="linux").remote
    assert look({}, kernel=ASKS, tty=False, platform="linux").remote is None
