"""Throughput of the embedded provider, compared with oidc-provider-mock (PyPI) and oidc-provider (npm)."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from bench import providers
from bench.load_driver import PASSWORD, repeat, visit
from bench.measuring import Goal, Result, Sample, interleaved
from werkzeug.security import generate_password_hash

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bench.load_driver import Site
    from bench.measuring import Bench
    from bench.providers import Server

    Step = Callable[[int], Awaitable[None]]

OURS, MOCK, NODE = "authnb", "oidc-provider-mock", "oidc-provider"
PEOPLE = 16
NAMES = itertools.count()
MUCH_IS_LEFT = (
    "what is left is SQLAlchemy, Werkzeug, Flask and Authlib in one interpreter: of a refresh's 1.2 ms inside the "
    "application RS256 takes 0.3, which both sides pay; a sign-in is six requests, 7 ms inside the application, in "
    "which nothing stands out; waitress and threads that take turns add 0.8 a request. With 8 threads "
    "for 32 it would take 5 to 20 % less, and people would wait while the passwords of others are hashed; to let one "
    "thread at a time into the application gave no more than that; see what was improved"
)
WHY = {
    (
        "token refreshes",
        MOCK,
    ): "it signs no ID token, keeps the refresh token as it is, and writes to no database",
    ("token refreshes", NODE): MUCH_IS_LEFT,
    ("sign-ins, nothing hashed", NODE): MUCH_IS_LEFT,
    ("userinfo reads", MOCK): "it looks into a dict, where we look into a database",
    ("userinfo reads", NODE): MUCH_IS_LEFT,
}
TEXT = """One process each, and the driver in another on the same cores; {people} people at once, each in a browser of
their own. A sign-in is all of it: link, sign-in form, consent page, code, tokens. How many a second, the
server's processor time for one, and the rate of {ours} over the other's.

- Passwords are the limit: this machine derives {hashes:.0f} keys a second with scrypt (N=2^15, r=8), which {ours} and
  {node} do once for each sign-up and each sign-in with a password. Without it: the people have accounts whose
  password is not hashed.
- {mock} has no passwords and no sign-up; it keeps all in memory, does not check PKCE, does not rotate refresh
  tokens, and gives no ID token for one. {node} rotates and signs as {ours} does, and keeps all in memory too.
- An API read gives 500 measurements. The peers have no API.
- The driver itself gets {ceiling:.0f} answers a second from a server that does nothing."""


@dataclass
class Load:
    """Operations per second of a server, and processor time for one."""

    server: Server
    work: Callable[[Site, int], Awaitable[Step]]
    people: int
    seconds: float
    milliseconds: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        """Operations per second."""
        return asyncio.run(self._run())

    async def _run(self) -> float:
        async with visit(self.server.name, self.server.issuer, self.server.secret) as site:
            step = await self.work(site, self.people)
            used, started = self.server.cpu, time.perf_counter()
            rate = await repeat(step, self.people, self.seconds)
            done = rate * (time.perf_counter() - started)
            self.milliseconds.append(1000 * (self.server.cpu - used) / done)
            return rate


async def signing_up(site: Site, _: int) -> Step:
    """Create accounts."""
    return lambda _: site.sign_up(f"new{next(NAMES)}")


async def signing_in(site: Site, people: int) -> Step:
    """Sign in people who have an account."""
    names = [f"new{next(NAMES)}" for _ in range(people)]
    await asyncio.gather(*map(site.sign_up, names))
    return _sign_in(site, names)


async def signing_in_unhashed(site: Site, people: int) -> Step:
    """Sign in people whose passwords are not hashed."""
    return _sign_in(site, [f"person{number}" for number in range(people)])


def _sign_in(site: Site, names: list[str]) -> Step:
    async def step(number: int) -> None:
        await site.sign_in(names[number])

    return step


async def refreshing(site: Site, people: int) -> Step:
    """Redeem refresh tokens."""
    tokens = [await site.sign_in(f"person{number}") for number in range(people)]

    async def step(number: int) -> None:
        tokens[number] = await site.refresh(tokens[number])

    return step


async def reading(site: Site, people: int, path: str = "") -> Step:
    """Read the userinfo, or that path, with an access token."""
    url = site.issuer + path if path else site.metadata["userinfo_endpoint"]
    tokens = [await site.sign_in(f"person{number}") for number in range(people)]
    return lambda number: site.read(url, tokens[number])


async def provider_errors(site: Site, _: int) -> Step:
    """Send any request."""
    return lambda _: site.read(site.issuer, {"access_token": "none"})


WORK = {
    "sign-ups": (signing_up, (OURS, NODE)),
    "sign-ins": (signing_in, (OURS, NODE)),
    "sign-ins, nothing hashed": (signing_in_unhashed, (OURS, MOCK, NODE)),
    "token refreshes": (refreshing, (OURS, MOCK, NODE)),
    "userinfo reads": (reading, (OURS, MOCK, NODE)),
    "API reads": (partial(reading, path="/api/measurements"), (OURS,)),
}


def measure(bench: Bench) -> Result:
    """Each operation at each provider, in turn."""
    people, seconds = (1, 0.1) if bench.tiny else (PEOPLE, 2.0)
    with ExitStack() as stack:
        servers = {OURS: stack.enter_context(providers.embedded(people))}
        if bench.has(MOCK):
            servers[MOCK] = stack.enter_context(providers.mock(bench.python))
        if not bench.tiny:
            servers[NODE] = stack.enter_context(providers.node(people))
        named = {OURS: OURS, MOCK: "", NODE: providers.NODE.replace("@", " ")}
        if MOCK in servers:
            named[MOCK] = bench.version(MOCK)
        driver = Load(stack.enter_context(providers.nothing()), provider_errors, people, seconds)
        fastest, rows, goals = 0.0, [], []
        for what, (work, able) in WORK.items():
            loads = {name: Load(servers[name], work, people, seconds) for name in able if name in servers}
            rates = interleaved(loads, bench.times(5))
            fastest = max(fastest, rates[OURS].median)
            ratios = {name: rates[OURS].over(rates[name]) for name in loads if name != OURS}
            rows += [
                (
                    what,
                    named[name],
                    f"{rates[name]:.0f}",
                    f"{median(load.milliseconds):.2f}",
                    f"{ratios[name]:.2f}" if name in ratios else "",
                )
                for name, load in loads.items()
            ]
            goals += [_goal(what, name, ratio) for name, ratio in ratios.items()]
        ceiling = driver()
    goals.append(
        Goal(
            what="the load's driver, the embedded provider's highest rate = 1",
            to_reach="at least 1.5",
            measured=f"{ceiling / fastest:.2f}",
            reached=ceiling / fastest >= 1.5,
        )
    )
    return Result(
        title="The embedded provider under load",
        text=TEXT.format(
            people=people, hashes=_hashes(seconds), ceiling=ceiling, ours=OURS, mock=MOCK, node=NODE
        ),
        head=("", "provider", "a second", "ms of processor", "authnb over it"),
        rows=rows,
        goals=goals,
    )


def _goal(what: str, peer: str, ratio: Sample) -> Goal:
    ahead = peer == MOCK
    reached = ratio.median > 1 if ahead else ratio.median >= 0.5
    return Goal(
        what=f"{what} a second, {peer} = 1",
        to_reach="more than 1" if ahead else "at least 0.5",
        measured=f"{ratio:.2f}",
        reached=reached,
        why="" if reached else WHY.get((what, peer), ""),
    )


def _hashes(seconds: float) -> float:
    """Password hashes per second on this machine."""
    cores = os.cpu_count() or 1
    deadline = time.perf_counter() + seconds

    def hash_on(_: int) -> int:
        done = 0
        while time.perf_counter() < deadline:
            generate_password_hash(PASSWORD)
            done += 1
        return done

    with ThreadPoolExecutor(cores) as pool:
        return sum(pool.map(hash_on, range(cores))) / seconds
