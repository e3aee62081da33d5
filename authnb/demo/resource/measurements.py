"""The protected API: air measurements for those who may read them."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlencode

from flask import Blueprint, abort, jsonify, make_response, request, send_file

from authnb.demo.context import provider
from authnb.demo.protocol.bearer import access_token
from authnb.demo.protocol.resources import MEASUREMENTS
from authnb.demo.protocol.step_up import BY_ONE_TIME_CODE
from authnb.demo.resource.data import STATIONS, UNITS, measurements

if TYPE_CHECKING:
    from collections.abc import Collection

    from flask.typing import ResponseReturnValue

SCOPE = "measurements:read"
DEFAULT_LIMIT = 500
LARGEST_LIMIT = 1000
RECENT = 300  # seconds since the sign-in


api: Blueprint = Blueprint("api", __name__, url_prefix=MEASUREMENTS.path)


@api.get("")
@api.get("/")
def index() -> ResponseReturnValue:
    """What is here, for those who begin with the API's address."""
    access_token(SCOPE, MEASUREMENTS)
    _only_these(())
    paths = ("/stations", "/measurements", "/measurements.parquet", "/calibration", "/contacts")
    return jsonify(name=MEASUREMENTS.name, paths=paths)


@api.get("/stations")
def stations() -> ResponseReturnValue:
    """Where is measured."""
    access_token(SCOPE, MEASUREMENTS)
    _only_these(())
    shown = ("id", "name", "latitude", "longitude", "kind")
    return jsonify(stations=[{key: getattr(station, key) for key in shown} for station in STATIONS])


@api.get("/calibration")
def calibration() -> ResponseReturnValue:
    """How the instruments are set, for those who signed in with a second factor (RFC 9470)."""
    access_token(SCOPE, MEASUREMENTS, acr=BY_ONE_TIME_CODE)
    _only_these(())
    return jsonify(calibration=[{"station": station.id, "offset": 0.0} for station in STATIONS])


@api.get("/contacts")
def contacts() -> ResponseReturnValue:
    """Whom to call about a station, for those who signed in a short while ago (RFC 9470)."""
    access_token(SCOPE, MEASUREMENTS, max_age=RECENT)
    _only_these(())
    return jsonify(contacts=[{"station": station.id, "email": "duty@example.org"} for station in STATIONS])


@api.get("/measurements")
def list_measurements() -> ResponseReturnValue:
    """What was measured, filtered, one page at a time; `next` leads to the page after it."""
    access_token(SCOPE, MEASUREMENTS)
    _only_these(("station", "from", "to", "limit", "cursor"))
    wanted = _stations()
    start, end = _time("from"), _time("to")
    if start and end and end < start:
        _bad("to", "is before 'from'")
    limit = _number("limit", DEFAULT_LIMIT, smallest=1, largest=LARGEST_LIMIT)
    cursor = _number("cursor", 0, smallest=0, largest=len(measurements()))

    found = [
        row
        for row in measurements()
        if row.station in wanted and (not start or row.time >= start) and (not end or row.time < end)
    ]
    body = {
        "measurements": [row.as_json for row in found[cursor : cursor + limit]],
        "units": UNITS,
        "total": len(found),
        "next": None,
    }
    if cursor + limit >= len(found):
        return jsonify(body)
    query = {**request.args.to_dict(flat=False), "limit": limit, "cursor": cursor + limit}
    body["next"] = f"{provider().issuer}/api/measurements?{urlencode(query, doseq=True)}"
    response = make_response(jsonify(body))
    response.headers["Link"] = f'<{body["next"]}>; rel="next"'  # RFC 8288
    return response


@api.get("/measurements.parquet")
def parquet_file() -> ResponseReturnValue:
    """All of it as a file, for clients that read parts of it by range (RFC 9110 section 14)."""
    access_token(SCOPE, MEASUREMENTS)
    _only_these(())
    content = _parquet_file()
    return send_file(
        io.BytesIO(content),
        "application/vnd.apache.parquet",
        conditional=True,
        etag=sha256(content).hexdigest(),
    )


@cache
def _parquet_file() -> bytes:
    return (
        files(__package__ or "") / "measurements.parquet"
    ).read_bytes()  # the package may be in an archive


def _stations() -> Collection[str]:
    known = [station.id for station in STATIONS]
    wanted = request.args.getlist("station") or known
    if not set(wanted) <= set(known):
        _bad("station", f"is one of {', '.join(known)}; it may be given more than once")
    return set(wanted)


def _time(parameter: str) -> datetime | None:
    text = _one(parameter)
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        _bad(parameter, "is a date or a time such as 2025-06-01 or 2025-06-01T12:00:00Z")
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _number(parameter: str, default: int, *, smallest: int, largest: int) -> int:
    text = _one(parameter)
    if text is None:
        return default
    # a long row of digits is slow to turn into a number
    if not (text.isascii() and text.isdigit() and len(text) < 9 and smallest <= int(text) <= largest):  # noqa: PLR2004 - int() is slow for long ones
        _bad(parameter, f"is a whole number from {smallest} to {largest}")
    return int(text)


def _one(parameter: str) -> str | None:
    values = request.args.getlist(parameter)
    if len(values) > 1:
        _bad(parameter, "may be given once")
    return values[0] if values else None


def _only_these(parameters: Collection[str]) -> None:
    for parameter in request.args:
        if parameter not in parameters:
            _bad(parameter, f"is not a parameter here; there are: {', '.join(parameters) or 'none'}")


def _bad(parameter: str, rule: str) -> NoReturn:
    body = {"error": "invalid_request", "error_description": f"'{parameter}' {rule}.", "parameter": parameter}
    abort(make_response(jsonify(body), 400))
