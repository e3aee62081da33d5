"""The protected API: who may read, what comes, what a bad question gets."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from statistics import mean
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import requests
from demo_helpers import get_tokens
from parquet_file import FILE

from authnb.demo import DemoProvider
from authnb.demo.resource.data import measurements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="module")
def ask_api() -> Iterator[Callable[..., requests.Response]]:
    with DemoProvider() as demo, requests.Session() as http:
        http.headers["Authorization"] = f"Bearer {get_tokens(demo)['access_token']}"

        def ask(path: str, **query: Any) -> requests.Response:
            url = path if path.startswith("http") else f"{demo.api}{path}"
            return http.get(url, params=query, timeout=20)

        yield ask


def test_the_stations_and_their_measurements(ask_api: Callable[..., requests.Response]) -> None:
    stations = ask_api("/stations").json()["stations"]
    assert [station["id"] for station in stations] == ["harbour", "market", "park", "hill"]
    body = ask_api("/measurements").json()
    assert (body["total"], len(body["measurements"])) == (4 * 30 * 24, 500)
    assert body["measurements"][0].keys() == {"station", "time", "pm25", "no2", "o3", "temperature"}
    assert body["units"]["temperature"] == "°C"


def test_pages_follow_each_other_to_the_end(ask_api: Callable[..., requests.Response]) -> None:
    rows: list[dict[str, Any]] = []
    answer = ask_api("/measurements", station="park", limit=250)
    while True:
        rows += answer.json()["measurements"]
        following = answer.json()["next"]
        assert answer.links.get("next", {}).get("url") == following
        if not following:
            break
        answer = ask_api(following)
    assert len(rows) == 30 * 24
    times = [datetime.fromisoformat(row["time"]) for row in rows]
    assert {(later - earlier).seconds for earlier, later in pairwise(times)} == {3600}


def test_the_file_holds_the_same() -> None:
    """``python tests/demo/parquet_file.py`` writes it."""
    columns = 'station, epoch("time"), pm25, no2, o3, temperature'
    rows = duckdb.read_parquet(str(FILE)).project(columns).fetchall()
    expected = [
        (row.station, row.time.timestamp(), row.pm25, row.no2, row.o3, row.temperature)
        for row in measurements()
    ]
    assert sorted(rows) == sorted(expected)


def test_the_file_is_read_by_range(ask_api: Callable[..., requests.Response]) -> None:
    whole = ask_api("/measurements.parquet")
    assert whole.content == FILE.read_bytes()
    assert whole.headers["Accept-Ranges"] == "bytes"
    url, authorization = whole.url, whole.request.headers["Authorization"]

    def get(span: str) -> requests.Response:
        return requests.get(url, headers={"Authorization": authorization, "Range": span}, timeout=20)

    part = get("bytes=4-99")
    assert (part.status_code, part.content) == (206, whole.content[4:100])
    assert part.headers["Content-Range"] == f"bytes 4-99/{len(whole.content)}"
    assert get("bytes=-8").content == whole.content[-8:]
    assert get("bytes=99999999-").status_code == 416
    head = requests.head(url, headers={"Authorization": authorization}, timeout=20)
    assert (head.headers["Content-Length"], head.content) == (str(len(whole.content)), b"")
    assert requests.get(url, headers={"Range": "bytes=4-99"}, timeout=20).status_code == 401
    assert ask_api("/measurements.parquet", station="park").status_code == 400


def test_filters(ask_api: Callable[..., requests.Response]) -> None:
    day = ask_api("/measurements", station="market", **{"from": "2025-06-03", "to": "2025-06-04"}).json()
    assert day["total"] == 24
    assert day["measurements"][0]["time"] == "2025-06-03T00:00:00Z"
    assert day["measurements"][-1]["time"] == "2025-06-03T23:00:00Z"
    two = ask_api("/measurements", station=["park", "hill"], limit=4).json()["measurements"]
    assert [row["station"] for row in two] == ["park", "hill", "park", "hill"]
    zoned = {"from": "2025-06-03T02:00:00+02:00", "to": "2025-06-03T01:00:00Z"}
    assert ask_api("/measurements", station="park", **zoned).json()["total"] == 1
    assert ask_api("/measurements", **{"from": "2030-01-01"}).json()["measurements"] == []


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"station": "moon"}, "station"),
        ({"from": "yesterday"}, "from"),
        ({"from": "2025-06-31"}, "from"),
        ({"to": ""}, "to"),
        ({"from": "2025-06-02", "to": "2025-06-01"}, "to"),
        ({"from": ["2025-06-02", "2025-06-01"]}, "from"),
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"limit": "٣"}, "limit"),
        ({"limit": "9" * 10_000}, "limit"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "99999"}, "cursor"),
        ({"stations": "park"}, "stations"),
    ],
)
def test_a_bad_question_names_the_parameter(
    ask_api: Callable[..., requests.Response], query: dict[str, Any], parameter: str
) -> None:
    answer = ask_api("/measurements", **query)
    assert (answer.status_code, answer.json()["parameter"]) == (400, parameter)
    assert f"'{parameter}'" in answer.json()["error_description"]


def test_the_ends_of_time_are_no_server_error(ask_api: Callable[..., requests.Response]) -> None:
    for time in ("0001-01-01", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"):
        assert ask_api("/measurements", **{"from": time}).status_code == 200


def test_unknown_places_answer_in_json(ask_api: Callable[..., requests.Response]) -> None:
    answer = ask_api("/nowhere")
    assert (answer.status_code, answer.json()["error"]) == (404, "invalid_request")


@pytest.mark.parametrize("header", [None, "", "Basic eDp5", "Bearer", "nonsense"])
def test_without_a_token_there_is_a_challenge_without_an_error(
    demo: DemoProvider, header: str | None
) -> None:
    """RFC 6750 section 3.1."""
    answer = requests.get(
        f"{demo.api}/stations", headers={"Authorization": header} if header else {}, timeout=20
    )
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == (
        f'Bearer realm="authnb demo", resource_metadata="{demo.issuer}/.well-known/oauth-protected-resource/api", '
        'scope="measurements:read"'
    )


def test_a_bad_token_is_named_so(demo: DemoProvider) -> None:
    refresh_token = get_tokens(demo)["refresh_token"]
    for token in ("wrong", "a b", refresh_token):
        answer = requests.get(
            f"{demo.api}/stations", headers={"Authorization": f"Bearer {token}"}, timeout=20
        )
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_too_small_a_scope_is_told_what_is_missing(demo: DemoProvider) -> None:
    """RFC 6750 section 3.1, and in the body, which is what a cell shows."""
    token = get_tokens(demo, scope="openid")["access_token"]
    answer = requests.get(
        f"{demo.api}/measurements", headers={"Authorization": f"bearer {token}"}, timeout=20
    )
    assert (answer.status_code, answer.json()["error"]) == (403, "insufficient_scope")
    challenge = answer.headers["WWW-Authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="measurements:read"' in challenge
    assert "measurements:read" in answer.json()["error_description"]


def test_the_data_is_worth_a_plot() -> None:
    """Ozone peaks in the afternoon, traffic shows at rush hour, and the storm cleans the air."""
    market = [row for row in measurements() if row.station == "market"]

    def average(field: str, hour: int) -> float:
        return mean(getattr(row, field) for row in market if row.time.hour == hour)

    assert average("no2", 8) > 2 * average("no2", 3)
    assert average("o3", 14) > 1.5 * average("o3", 8)
    assert average("temperature", 13) > average("temperature", 4) + 5
    afternoon = {row.time.day: row.pm25 for row in market if row.time.hour == 17}
    assert afternoon[18] == min(afternoon.values())
    assert all(value > 0 for row in market for value in (row.pm25, row.no2, row.o3))
