"""A second protected API, with access tokens of its own (RFC 8707): the daily means of the air measurements."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean
from typing import TYPE_CHECKING

from flask import Blueprint, jsonify

from authnb.demo.protocol.bearer import bearer_token
from authnb.demo.protocol.resources import ARCHIVE
from authnb.demo.resource.data import UNITS, measurements
from authnb.demo.resource.measurements import SCOPE

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

api: Blueprint = Blueprint("archive", __name__, url_prefix=ARCHIVE.path)


@api.get("")
@api.get("/")
def index() -> ResponseReturnValue:
    """What is here, for those who begin with the API's address."""
    bearer_token(SCOPE, ARCHIVE)
    return jsonify(name=ARCHIVE.name, paths=("/days",))


@api.get("/days")
def days() -> ResponseReturnValue:
    """What was measured at each station, averaged over each day."""
    bearer_token(SCOPE, ARCHIVE)
    hours = defaultdict(list)
    for row in measurements():
        hours[f"{row.time:%Y-%m-%d}", row.station].append(row)
    means = [
        {"day": day, "station": station}
        | {name: round(fmean(getattr(row, name) for row in rows), 1) for name in UNITS}
        for (day, station), rows in hours.items()
    ]
    return jsonify(days=means, units=UNITS)
