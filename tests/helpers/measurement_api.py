"""An API of somebody else's: it answers whoever brings an access token that the provider knows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import requests
from servers import Server

from authnb.demo.resource.data import measurements

if TYPE_CHECKING:
    from servers import Request

ROWS = [row.as_json for row in measurements()[:24]]
COLUMNS = list(ROWS[0])


class MeasurementAPI(Server):
    """``/measurements`` as JSON and ``/measurements.csv``, for the tokens of one provider; 401 without one.

    ``tokens`` are those that were accepted, in order.
    """

    def __init__(self, issuer: str, **options: Any) -> None:
        super().__init__(**options)
        self._userinfo = f"{issuer}/userinfo"
        self.tokens: list[str] = []
        csv = "\n".join([",".join(COLUMNS), *(",".join(str(row[name]) for name in COLUMNS) for row in ROWS)])
        self._serve("/measurements", "application/json", json.dumps(ROWS).encode())
        self._serve("/measurements.csv", "text/csv", csv.encode())

    def _serve(self, path: str, media_type: str, body: bytes) -> None:
        def answer(request: Request) -> tuple[int, dict[str, str], bytes]:
            sent = request.headers.get("Authorization", "")
            known: Any = requests.get(self._userinfo, headers={"Authorization": sent}, timeout=20)
            if not known.ok:
                return 401, {"WWW-Authenticate": "Bearer"}, b""
            self.tokens.append(sent.partition(" ")[2])
            return 200, {"Content-Type": media_type}, body

        self.routes[path] = answer
