"""A class of 300 people signs in at the embedded provider within a minute."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import quantiles
from typing import TYPE_CHECKING

from bench import providers
from bench.load_driver import Failed, visit
from bench.measuring import Goal, Result, at_most

if TYPE_CHECKING:
    from bench.load_driver import Site
    from bench.measuring import Bench
    from bench.providers import Server

LEARNERS, MINUTE = 300, 60.0


@dataclass
class Lesson:
    """The seconds of each response, those of each learner from the first page to the API response, and errors."""

    answers: list[float] = field(default_factory=list)
    learners: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def measure(bench: Bench) -> Result:
    """The same class with the same arrival times at each provider."""
    learners, within = (3, 0.1) if bench.tiny else (LEARNERS, MINUTE)
    rows, goals = [], []
    with ExitStack() as stack:
        servers = [stack.enter_context(providers.embedded())]
        if not bench.tiny:
            servers.append(stack.enter_context(providers.node()))
        for server in servers:
            lesson = asyncio.run(held(server, learners, within))
            rows.append(
                (server.name, str(len(lesson.errors)), *_times(lesson.answers), *_times(lesson.learners))
            )
            if server.name == "authnb":
                goals = _goals(lesson)
    return Result(
        title="A class of 300 within a minute",
        text=(
            "300 learners arrive at random moments of a minute. Each creates an account, signs in with its password, "
            "allows the client, gets tokens and reads the userinfo: 10 answers, two of them with a password hashed. "
            "Seconds for an answer, and for all of a learner's."
        ),
        head=("provider", "errors", "answer: p50", "p99", "longest", "learner: p50", "p99", "longest"),
        rows=rows,
        goals=goals,
    )


async def held(server: Server, learners: int, within: float) -> Lesson:
    """Run one class at one provider."""
    dice = random.Random(300)  # noqa: S311 - the same class again and again
    lesson = Lesson()
    async with visit(server.name, server.issuer) as site:
        await asyncio.gather(
            *(_learn(site, lesson, f"learner{number}", within * dice.random()) for number in range(learners))
        )
        lesson.answers += site.seconds
    return lesson


async def _learn(site: Site, lesson: Lesson, name: str, arrival: float) -> None:
    await asyncio.sleep(arrival)
    started = time.perf_counter()
    try:
        await site.sign_up(name)
        await site.read(site.metadata["userinfo_endpoint"], await site.sign_in(name))
    except (TimeoutError, Failed, OSError) as error:
        lesson.errors.append(f"{name}: {error}")
    lesson.learners.append(time.perf_counter() - started)


def _times(seconds: list[float]) -> tuple[str, str, str]:
    return f"{_percentile(seconds, 50):.3f}", f"{_percentile(seconds, 99):.3f}", f"{max(seconds):.3f}"


def _percentile(seconds: list[float], percent: int) -> float:
    return quantiles(seconds, n=100, method="inclusive")[percent - 1]


def _goals(lesson: Lesson) -> list[Goal]:
    errors = at_most("class of 300 within a minute: errors", 0, len(lesson.errors), spec="d")
    slow = at_most(
        "class of 300 within a minute: p99 of an answer",
        2,
        _percentile(lesson.answers, 99),
        unit="s",
        spec=".2f",
    )
    return [errors, slow]
