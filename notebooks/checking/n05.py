"""The exercises of notebook 05."""

from __future__ import annotations

from typing import Any

from checking.judge import labels, name, number, shuffled, whole
from checking.outcome import ensure, exercise


@exercise(
    "05",
    task="Give the seconds until the next poll after this error, or None if there is no use in another one.",
    praise="Patient with those who ask for patience, and done when it is over.",
)
def next_wait(wait: Any) -> None:
    waits = [
        (5, "authorization_pending", 5, "While the person is still busy, keep the interval."),
        (5, "slow_down", 10, "After slow_down, five seconds more (RFC 8628, 3.5)."),
        (10, "slow_down", 15, "After each slow_down five seconds more, not always ten."),
    ]
    for _ in range(3):
        interval = number(11, 90)
        waits.append((interval, "authorization_pending", interval, "Once slowed down it stays slow."))
        waits.append((interval, "slow_down", interval + 5, "After each slow_down five seconds more, not twice as many."))
    for interval, error, right, why in waits[:3] + shuffled(waits[3:]):
        got = wait(interval, error)
        ensure(got is not None, f"After {error} another poll is of use. {why}")
        ensure(whole(got, "Give seconds, as a whole number.") == right, why)
    over = [
        ("access_denied", "The person said no: stop."),
        ("expired_token", "The code has ended: stop."),
        ("invalid_grant", "After an error that says nothing of waiting, stop."),
        (name(), "After an error that nobody knows, stop."),
    ]
    for error, why in shuffled(over):
        ensure(wait(number(5, 60), error) is None, f"{why} Give None.")


@exercise(
    "05",
    task="Say who may see it: put 'the person' or 'the client' behind each.",
    praise="What the person types is short and dies soon; what buys the token never shows.",
)
def who_sees_what(answer: Any) -> None:
    labels(
        answer,
        {
            "user_code": ("the person", "It is short enough to type."),
            "device_code": ("the client", "It buys the token."),
            "verification_uri": ("the person", "Somebody has to open it."),
            "access_token": ("the client", "It opens the API to whoever holds it."),
        },
    )
