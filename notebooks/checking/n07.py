"""The exercises of notebook 07."""

from __future__ import annotations

import json
from statistics import fmean
from typing import Any

from checking.judge import name, near, number, pair, shuffled, text, word
from checking.outcome import ensure, exercise


@exercise(
    "07",
    task="Follow `next` until there is none, and give all rows in one list.",
    praise="It works for one page and for a thousand.",
)
def all_rows(rows: Any) -> None:
    _compare(rows, [1], "With a single page it gives something else than its rows.")
    _compare(rows, [2, 1], "Follow `next`, and give the rows of all pages.")
    _compare(rows, [2, 0, 1], "A page may be empty and still have a next one.")
    _compare(rows, [0], "With one empty page there are no rows: give an empty list.")
    for _ in range(3):
        sizes = [number(1, 3), *(number(0, 3) for _ in range(number(1, 6)))]
        _compare(rows, sizes, "Rows are missing, or there are too many, or they are in another order.")


def _compare(rows: Any, sizes: list[int], why: str) -> None:
    """Pages of these sizes, at addresses and with rows that nobody can know."""
    addresses = [f"/{name()}" for _ in sizes]
    pages = [[{"station": word(), "no2": number(1, 9)} for _ in range(size)] for size in sizes]
    if len(sizes) > 1 and pages[0]:
        pages[-1] += pages[0][:1]  # the same measurement twice is two measurements
    following = dict(zip(addresses, [*addresses[1:], None], strict=True))
    held = dict(zip(addresses, pages, strict=True))
    asked: list[str] = []

    def get(address: str) -> dict[str, Any]:
        asked.append(address)
        ensure(len(asked) <= len(sizes) + 3, "It goes on asking and never stops.")
        ensure(address in held, f"It asks for {address!r}, which no page named.")
        return {"measurements": [dict(row) for row in held[address]], "next": following[address]}

    got = json.dumps(list(rows(get, addresses[0])))
    ensure(not any(sizes[1:2]) or got != json.dumps(pages[0]), "Only the first page: follow `next`.")
    ensure(got == json.dumps([row for page in pages for row in page]), why)
    ensure(asked == addresses, "It asks for a page more than once.")


@exercise(
    "07",
    task="Which station has the highest mean of no2? Give its id as text, and that mean.",
    praise="Traffic makes it.",
)
def busiest(answer: Any) -> None:
    station, mean = pair(answer, "Give both: the id, and its mean.")
    station = text(station, f"Give the id as text, not {type(station).__name__}.")
    means = _means()
    highest = max(means, key=means.__getitem__)
    ensure(station == highest, "Group by station, take the mean of no2, and look for the largest (idxmax).")
    right = near(mean, means[station], "Give the mean as a number.")
    ensure(right, "Its mean over the whole month is another one: take all rows, group by station, and take max().")


def _means() -> dict[str, float]:
    """The mean of no2 at each station, as the API's data has it."""
    from authnb.demo.resource.data import measurements

    found: dict[str, list[float]] = {}
    for one in measurements():
        found.setdefault(one.station, []).append(one.no2)
    return {station: fmean(values) for station, values in found.items()}
