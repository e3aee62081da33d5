"""Expired rows are deleted: the database does not grow with every sign-in."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import requests
from demo_helpers import DEVICE_GRANT, api_status, get_tokens, refresh, signed_in_window, token_request

from authnb.demo import DemoProvider

if TYPE_CHECKING:
    from pathlib import Path

    from demo_helpers import Clock

DAY = 24 * 3600
GROWING = (
    "access_tokens",
    "attempts",
    "authorization_codes",
    "authorizations",
    "browsers",
    "device_codes",
    "refresh_tokens",
)


def rows(file: Path) -> dict[str, int]:
    """How many rows each table has in which rows come and go."""
    with closing(sqlite3.connect(file)) as database:
        return {
            table: database.execute(f"select count(*) from {table}").fetchone()[0]  # noqa: S608 - our own names
            for table in GROWING
        }


def device_code(demo: DemoProvider) -> str:
    """A device code without a decision."""
    url, data = f"{demo.issuer}/device_authorization", {"client_id": demo.client_id}
    return requests.post(url, data=data, timeout=20).json()["device_code"]


def test_expired_rows_are_deleted(tmp_path: Path, clock: Clock) -> None:
    file = tmp_path / "demo.sqlite3"
    with DemoProvider(file, clock=clock) as demo:
        refresh(demo, get_tokens(demo)["refresh_token"])
        device_code(demo)
        signed_in_window(demo).sign_in(password="a wrong passphrase")
    assert 0 not in rows(file).values(), "each table had something to delete"
    clock.turn(31 * DAY)
    with DemoProvider(file, clock=clock) as demo:
        requests.get(demo.issuer, timeout=20)
    assert set(rows(file).values()) == {0}
    with DemoProvider(file, clock=clock) as demo:
        assert get_tokens(demo), "ada's account is not among them"


def test_valid_rows_stay(tmp_path: Path, clock: Clock) -> None:
    """Also a used refresh token, which ends its family when it comes again."""
    file = tmp_path / "demo.sqlite3"
    with DemoProvider(file, clock=clock) as demo:
        port, window = int(demo.issuer.rsplit(":", 1)[1]), signed_in_window(demo)
        used = get_tokens(demo)["refresh_token"]
        tokens = refresh(demo, used).json()
    for seconds, gone in ((61, {"authorization_codes"}), (3600, {"authorization_codes", "access_tokens"})):
        clock.turn(seconds)
        with DemoProvider(file, port, clock=clock) as demo:
            requests.get(demo.issuer, timeout=20)
        assert {table for table in gone if rows(file)[table]} == set()
    with DemoProvider(file, port, clock=clock) as demo:
        assert window.get("/").title == "ada"
        tokens = refresh(demo, tokens["refresh_token"]).json()
        assert api_status(demo, tokens["access_token"]) == 200
        assert refresh(demo, used).json()["error"] == "invalid_grant"
        assert api_status(demo, tokens["access_token"]) == 401


def test_it_is_done_once_a_minute(tmp_path: Path, clock: Clock) -> None:
    """After an answer, on its connection: the next answer there comes when it is done."""
    file = tmp_path / "demo.sqlite3"
    with DemoProvider(file, clock=clock) as demo, requests.Session() as connection:
        left = []
        for seconds, then in ((0, None), (30, get_tokens), (31, None), (39, None), (22, None)):
            clock.turn(seconds)
            if then:
                then(demo)
            for _ in range(2):
                connection.get(demo.issuer, timeout=20)
            left.append(rows(file)["authorization_codes"])
    assert left == [0, 1, 1, 1, 0], "expired after 90 seconds, looked for after 61 and 122"


def test_an_expired_device_code_is_reported_for_an_hour(demo: DemoProvider, clock: Clock) -> None:
    code = device_code(demo)
    heard = []
    for seconds in (660, 2900, 3600):
        clock.turn(seconds)
        with requests.Session() as connection:
            for _ in range(2):
                connection.get(demo.issuer, timeout=20)
        heard.append(token_request(demo, grant_type=DEVICE_GRANT, device_code=code).json()["error"])
    assert heard == ["expired_token", "expired_token", "invalid_grant"]
