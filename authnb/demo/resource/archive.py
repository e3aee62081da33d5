"""A second protected API, with access tokens of its own (RFC 8707): the daily means of the air measurements."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean
from typing import TYPE_CHECKING, Any

from flask import Blueprint, jsonify

from authnb.demo.protocol.bearer import access_token
from authnb.demo.protocol.resources import ARCHIVE
from authnb.demo.protocol.step_up import BY_ONE_TIME_CODE
from authnb.demo.resource.data import UNITS, measurements
from authnb.demo.resource.measurements import RECENT, SCOPE

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

WHOLE = "archive:read"

api: Blueprint = Blueprint("archive", __name__, url_prefix=ARCHIVE.path)


@api.get("")
@api.get("/")
def index() -> ResponseReturnValue:
    """What is here, for those who begin with the API's address."""
    access_token(SCOPE, ARCHIVE)
    return jsonify(name=ARCHIVE.name, paths=("/days", "/months", "/corrections"))


@api.get("/days")
def days() -> ResponseReturnValue:
    """What was measured at each station, averaged over each day."""
    access_token(SCOPE, ARCHIVE)
    return jsonify(days=_means("day", "%Y-%m-%d"), units=UNITS)


@api.get("/months")
def months() -> ResponseReturnValue:
    """The same for each month, for those who may read the whole archive: a scope of its own (RFC 6750 section 3.1)."""
    access_token(WHOLE, ARCHIVE)
    return jsonify(months=_means("month", "%Y-%m"), units=UNITS)


@api.get("/corrections")
def corrections() -> ResponseReturnValue:
    """What was corrected later, for those who signed in with a second factor a short while ago (RFC 9470)."""
    access_token(WHOLE, ARCHIVE, acr=BY_ONE_TIME_CODE, max_age=RECENT)
    return jsonify(corrections=[])


def _means(name: str, form: str) -> list[dict[str, Any]]:
    periods = defaultdict(list)
    for row in measurements():
        periods[row.time.strftime(form), row.station].append(row)
    return [
        {name: period, "station": station}
        | {name: round(fmean(getattr(row, name) for row in rows), 1) for name in UNITS}
        for (period, station), rows in periods.items()
    ]
