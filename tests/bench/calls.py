"""The overhead of a signed-in session on one request, and on many when the token expires."""

from __future__ import annotations

import threading
import time
import timeit
from functools import partial
from typing import TYPE_CHECKING, Any

import requests
from authlib.integrations.requests_client import OAuth2Session
from bench.measuring import Result, Sample, at_most, interleaved
from bench.serving import fast_api
from requests.adapters import HTTPAdapter

import authnb
from authnb.oauth.responses import Token
from authnb.session.session import Session
from authnb.storage.base import Account, MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.measuring import Bench

THREADS = 32
ALONE, TOGETHER = 25, 4  # calls of a thread before it is another session's turn
WHY = (
    "It is about 10 µs a call, to see that the token still lives and belongs to that address, and to be there for a "
    "401, 7 of them within requests for any auth with an answer to hear; the server here answers in less than 0.3 ms. "
    "Tried: working out once for each address whether it is secure, a hook only for records; and one "
    "signer for each token, which saved 1 µs and held a token after it was given up."
)
DISTANCE = 0.1  # seconds to the token endpoint, as over the internet


def measure(bench: Bench) -> Result:
    """The same requests with each session, interleaved, in this process; the API runs in another."""
    with fast_api() as url:
        sessions = {"requests, static header": bare(), "authnb": ours(url), "Authlib": authlibs(url)}
        one = interleaved(
            {name: partial(seconds_alone, session, url, ALONE) for name, session in sessions.items()},
            bench.times(200),
        )
        many = interleaved(
            {name: partial(seconds_together, session, url, TOGETHER) for name, session in sessions.items()},
            bench.times(60),
        )
        check = microseconds(sessions["authnb"].ensure_active_token, bench.times(20))
    with fast_api(DISTANCE) as url:
        stampede = interleaved(
            {"refresh": partial(seconds_to_refresh, url), "authnb": partial(seconds_of_stampede, url)},
            bench.times(15),
        )
    bare_one, bare_many = one["requests, static header"], many["requests, static header"]
    ratios = {name: (one[name].over(bare_one), many[name].over(bare_many)) for name in sessions}
    waited = stampede["authnb"].over(stampede["refresh"])
    rows = [
        (name, f"{scaled(one[name], 1e6 / ALONE):.0f}", f"{a:.3f}", f"{b:.3f}")
        for name, (a, b) in ratios.items()
    ]
    return Result(
        title="A call with a token",
        text=(
            "A GET over a connection kept alive, answered at once by a server on loopback: microseconds of one thread, "
            "then the ratios with 1 and with 32 threads. The check whether the token is still good takes "
            f"{check:.2f} µs. When it has just ended, with a token endpoint {DISTANCE * 1000:.0f} ms away, 32 threads "
            f"are done after {waited:.2f} times one renewal."
        ),
        head=("session", "µs", "1 thread", "32 threads"),
        rows=rows,
        goals=[
            at_most(
                "authenticated GET, 1 thread, bare session = 1",
                1.02,
                ratios["authnb"][0].median,
                spec=".3f",
                why=WHY,
            ),
            at_most(
                "authenticated GET, 32 threads, bare session = 1",
                1.02,
                ratios["authnb"][1].median,
                spec=".3f",
                why=WHY,
            ),
            at_most("is the token still good", 2, check.median, unit="µs"),
            at_most("stampede of 32 threads, one renewal = 1", 1.5, waited.median),
        ],
    )


def bare() -> requests.Session:
    """A bare `requests` session."""
    session = requests.Session()
    session.headers["Authorization"] = "Bearer a0"
    return with_room(session)


def authlibs(url: str) -> OAuth2Session:
    """Authlib's session."""
    return with_room(OAuth2Session("notebook", token=token(), token_endpoint=url + "/token"))


def ours(url: str, left: float = 3600) -> Session:
    """A session of authnb, without a sign-in by a person."""
    provider = authnb.Provider(url, token_endpoint=url + "/token")
    client = authnb.Client(provider, client_id="notebook", scope="read")
    account = Account(profile="default", issuer=url, client_id="notebook")
    kept = Token(token(left))
    return with_room(Session.from_sign_in(client, kept, account=account, storage=MemoryStorage(), api=url))


def token(left: float = 3600) -> dict[str, object]:
    """A token response that expires in so many seconds."""
    end = int(time.time() + left)
    return {
        "access_token": "a0",
        "refresh_token": "r0",
        "token_type": "Bearer",
        "expires_in": 3600,
        "expires_at": end,
    }


def with_room(session: Any) -> Any:
    """The session with a connection for each thread."""
    session.mount("http://", HTTPAdapter(pool_maxsize=THREADS))
    session.trust_env = False  # authnb looks up no proxy for loopback, which would count in its favour
    return session


def seconds_alone(session: requests.Session, url: str, calls: int) -> float:
    """Seconds for so many consecutive requests."""
    begin = time.perf_counter()
    for _ in range(calls):
        session.get(url)
    return time.perf_counter() - begin


def seconds_together(session: requests.Session, url: str, calls: int) -> float:
    """Seconds for so many requests in each thread."""
    return seconds_of_all(lambda: seconds_alone(session, url, calls))


def seconds_to_refresh(url: str) -> float:
    """Seconds for one renewal alone."""
    session = ours(url, left=-1)
    begin = time.perf_counter()
    session.ensure_active_token()
    return time.perf_counter() - begin


def seconds_of_stampede(url: str) -> float:
    """Seconds from when all threads send a request with an expired token until all have a response."""
    session = ours(url, left=-1)
    return seconds_of_all(lambda: session.get(url))


def seconds_of_all(work: Callable[[], object]) -> float:
    """Seconds until the last of so many threads has finished."""
    start = threading.Barrier(THREADS + 1)

    def one() -> None:
        start.wait()
        work()

    threads = [threading.Thread(target=one) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    start.wait()
    begin = time.perf_counter()
    for thread in threads:
        thread.join()
    return time.perf_counter() - begin


def microseconds(work: Callable[[], object], times: int) -> Sample:
    """Microseconds for one request."""
    number = 2000
    return scaled(Sample(tuple(timeit.repeat(work, number=number, repeat=times))), 1e6 / number)


def scaled(sample: Sample, by: float) -> Sample:
    """The sample in another unit."""
    return Sample(tuple(value * by for value in sample.values))
