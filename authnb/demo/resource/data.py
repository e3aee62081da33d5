"""A month of hourly air measurements at four stations: made up, the same for everybody, and worth a plot."""

from __future__ import annotations

import math
import random
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property

START = datetime(2025, 6, 1, tzinfo=UTC)
HOURS = 30 * 24
STORM = datetime(2025, 6, 18, tzinfo=UTC)
UNITS = {"pm25": "µg/m³", "no2": "µg/m³", "o3": "µg/m³", "temperature": "°C"}


@dataclass(frozen=True, kw_only=True)
class Station:
    """A place where air is measured; `traffic` says how much of the city's traffic passes it, from 0 to 1."""

    id: str
    name: str
    latitude: float
    longitude: float
    kind: str
    traffic: float


STATIONS = (
    Station(id="harbour", name="Harbour", latitude=53.545, longitude=9.966, kind="industrial", traffic=0.6),
    Station(
        id="market", name="Market Square", latitude=53.551, longitude=9.993, kind="urban traffic", traffic=1.0
    ),
    Station(
        id="park", name="City Park", latitude=53.596, longitude=10.012, kind="urban background", traffic=0.35
    ),
    Station(id="hill", name="Hill Farm", latitude=53.471, longitude=9.872, kind="rural", traffic=0.1),
)


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What one station measured in one hour, which begins at `time`."""

    station: str
    time: datetime
    pm25: float
    no2: float
    o3: float
    temperature: float

    @cached_property
    def as_json(self) -> dict[str, object]:
        """The measurement with its time in RFC 3339 form."""
        return asdict(self) | {"time": self.time.strftime("%Y-%m-%dT%H:%M:%SZ")}


@cache
def measurements() -> tuple[Measurement, ...]:
    """All measurements by time, and by station within an hour."""
    noise = {station.id: random.Random(station.id) for station in STATIONS}  # noqa: S311  no secret in it
    hours = (START + timedelta(hours=hour) for hour in range(HOURS))
    return tuple(_measure(station, time, noise[station.id]) for time in hours for station in STATIONS)


def _measure(station: Station, time: datetime, noise: random.Random) -> Measurement:
    day = (time - START) / timedelta(days=1)
    sun = max(0.0, math.sin(math.pi * (time.hour - 5) / 16)) if 5 <= time.hour <= 21 else 0.0  # noqa: PLR2004 - from sunrise to sunset
    storm = _bump((time - STORM) / timedelta(hours=1), at=15, width=7)
    rush = _bump(time.hour, at=8, width=1.6) + 0.8 * _bump(time.hour, at=18, width=2.2)
    if time.weekday() >= 5:  # noqa: PLR2004 - Saturday and Sunday
        rush *= 0.35
    still_air = 1 + 0.5 * math.sin(2 * math.pi * day / 9 + 1)
    washed = 1 - 0.85 * storm

    temperature = 15 + 3 * math.sin(2 * math.pi * day / 11) + 9 * (sun - 0.35) * (1 - 0.8 * storm) - 5 * storm
    no2 = (6 + 52 * rush * station.traffic + 8 * station.traffic) * still_air * washed
    o3 = (38 + 62 * sun * (1 - 0.7 * storm)) - 0.45 * no2
    pm25 = (5 + 13 * rush * station.traffic + 4 * still_air) * still_air * washed
    return Measurement(
        station=station.id,
        time=time,
        pm25=round(max(0.5, pm25 * noise.uniform(0.9, 1.1)), 1),
        no2=round(max(0.5, no2 * noise.uniform(0.9, 1.1)), 1),
        o3=round(max(0.5, o3 * noise.uniform(0.95, 1.05)), 1),
        temperature=round(
            temperature + noise.uniform(-0.5, 0.5) - (1.5 if station.kind == "rural" else 0), 1
        ),
    )


def _bump(x: float, *, at: float, width: float) -> float:
    return math.exp(-(((x - at) / width) ** 2))
