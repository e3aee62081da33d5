"""What it costs to prove possession of a key with each call (RFC 9449)."""

from __future__ import annotations

import time
import timeit
from functools import partial
from typing import TYPE_CHECKING

from bench.calls import ALONE, bare, ours, scaled, seconds_alone, token, with_room
from bench.measuring import Result, Sample, at_most, interleaved
from bench.serving import fast_api
from joserfc import jwt
from joserfc.jwk import ECKey

from authnb.oauth.dpop import DPoPKey
from authnb.oauth.responses import Token

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.measuring import Bench

    from authnb.session.session import Session

URL = "https://api.example.org/measurements"
PROOFS = 100  # in a row
ACCESS_TOKEN = "a" * 43


def measure(bench: Bench) -> Result:
    """The same requests with a static header, a bearer token and a bound one; and a proof by itself."""
    with fast_api() as url:
        sessions = {
            "requests, static header": bare(),
            "authnb, bearer token": ours(url),
            "authnb, bound token": with_room(bound(url)),
        }
        calls = interleaved(
            {name: partial(seconds_alone, session, url, ALONE) for name, session in sessions.items()},
            bench.times(200),
        )
    proof, signed = proofs(bench)
    static = calls["requests, static header"]
    ratios = {name: sample.over(static) for name, sample in calls.items()}
    rows = [
        (name, f"{scaled(sample, 1e6 / ALONE):.0f}", f"{ratios[name]:.2f}") for name, sample in calls.items()
    ]
    return Result(
        title="A call with a proof",
        text=(
            "A GET over a connection kept alive, answered at once by a server on loopback, which asks for no nonce: "
            "microseconds, and the ratio to a static header. A proof by itself (DPoP, ES256) takes authnb "
            f"{proof:.0f} µs, {proof.over(signed):.2f} times what joserfc takes for a JWT with these claims."
        ),
        head=("session", "µs", "static header = 1"),
        rows=rows,
        goals=[
            at_most("a proof", 120, proof.median, unit="µs", spec=".0f"),
            at_most("GET with a proof, static header = 1", 1.4, ratios["authnb, bound token"].median),
        ],
    )


def bound(url: str) -> Session:
    """A session with a token that is bound to a key."""
    session = ours(url)
    session.token = Token({**token(), "token_type": "DPoP", "dpop_key": DPoPKey.generate()})
    return session


def proofs(bench: Bench) -> tuple[Sample, Sample]:
    """Microseconds for a proof, and for a JWT of joserfc's with the same claims."""
    key, other = DPoPKey.generate(), ECKey.generate_key("P-256")
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": other.as_dict(private=False)}
    claims = {"jti": "j" * 22, "htm": "GET", "htu": URL, "iat": 0, "ath": "a" * 43}

    def encode() -> str:
        return jwt.encode(header, claims, other, algorithms=["ES256"])

    measured = interleaved(
        {
            "proof": _timed(lambda: key.proof("GET", URL, time.time(), access_token=ACCESS_TOKEN)),
            "joserfc": _timed(encode),
        },
        bench.times(100),
    )
    return scaled(measured["proof"], 1e6 / PROOFS), scaled(measured["joserfc"], 1e6 / PROOFS)


def _timed(make: Callable[[], object]) -> Callable[[], float]:
    return lambda: timeit.timeit(make, number=PROOFS)
