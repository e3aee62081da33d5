"""The exercises of notebook 00."""

from __future__ import annotations

from statistics import fmean
from typing import Any

from checking.judge import labels, near, pair, whole
from checking.outcome import ensure, exercise


@exercise(
    "00",
    task="Put 'the provider', 'the notebook' or 'the API' behind each.",
    praise="Each goes to one place, and the others have no use for it.",
)
def meant_for(answer: Any) -> None:
    labels(
        answer,
        {
            "your password": ("the provider", "Into whose page did you type it?"),
            "the ID token": ("the notebook", "It answers the question: who signed in here?"),
            "the access token": ("the API", "It goes along with each call."),
        },
    )


@exercise(
    "00",
    task="Give the hour with the largest mean, a whole number from 0 to 23, and that mean.",
    praise="On the way to work. In the evening there is a second, smaller one.",
)
def rush_hour(answer: Any) -> None:
    hour, mean = pair(answer, "Give both: the hour, and its mean.")
    hour = whole(hour, f"Give the hour as a whole number, not {type(hour).__name__}.")
    means = market_by_hour()
    largest = max(range(24), key=means.__getitem__)
    evening = max(range(12, 24), key=means.__getitem__)
    ensure(hour != evening, "That is the second peak. Compare the two.")
    ensure(hour == largest, "Look at the plot: where is the highest line at its highest?")
    ensure(near(mean, means[hour], "Give the mean as a number."), "The mean is another one: .max() gives it.")


def market_by_hour() -> list[float]:
    """The means of nitrogen dioxide at the market for each hour of the day, as the API's data has them."""
    from authnb.demo.resource.data import measurements

    found: list[list[float]] = [[] for _ in range(24)]
    for one in measurements():
        if one.station == "market":
            found[one.time.hour].append(one.no2)
    return [fmean(values) for values in found]
