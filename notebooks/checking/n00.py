"""The exercises of notebook 00."""

from __future__ import annotations

from typing import Any

from checking.judge import labels, whole
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
    task="Give the hour with the largest mean, a whole number from 0 to 23.",
    praise="On the way to work. In the evening there is a second, smaller one.",
)
def rush_hour(answer: Any) -> None:
    hour = whole(answer, f"Give the hour as a whole number, not {type(answer).__name__}.")
    ensure(hour != 18, "That is the second peak. Compare the two.")
    ensure(hour == 8, "Look at the plot: where is the highest line at its highest?")
