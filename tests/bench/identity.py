"""The overhead of validating an ID token over decoding it."""

from __future__ import annotations

import time
import timeit
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.measuring import Result, Sample, at_most, interleaved
from joserfc import jwk, jwt

import authnb
from authnb.demo import DemoProvider
from authnb.oauth.id_token import verify_id_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.measuring import Bench

NUMBER = 25
WHY = (
    "Besides the signature: which key, issuer, audience, nonce, times, the hash of the access token, and how deep the "
    "claims are nested. Tried: taking the token namespaced once, importing each key once."
)


def measure(bench: Bench) -> Result:
    """Joserfc's decode with the key given, and authnb's decode with every check, of the same ID token."""
    with DemoProvider() as demo:
        provider = authnb.Provider.discover(demo.issuer)
        login = authnb.login(provider, client_id=demo.client_id, mode="loopback", view=None)
        demo.visit(login.verification().uri)
        token = login.wait(30).token
        keys = provider.keys.current()
    key = jwk.import_key(dict(keys[0]))

    def decode() -> Any:
        return jwt.decode(token["id_token"], key, algorithms=["RS256"])

    def verify() -> Any:
        return verify_id_token(
            token["id_token"],
            keys=provider.keys,
            issuer=provider.issuer,
            client_id=demo.client_id,
            nonce=token["userinfo"]["nonce"],
            access_token=token["access_token"],
            now=time.time(),
        )

    verify()
    taken = interleaved(
        {"joserfc, decode alone": partial(seconds, decode), "authnb, every check": partial(seconds, verify)},
        bench.times(200),
    )
    bare, ours = taken["joserfc, decode alone"], taken["authnb, every check"]
    return Result(
        title="Verifying an ID token",
        text="Microseconds of one, RS256 with a key of 2048 bits; the same ID token for both.",
        head=("what", "µs", "ratio"),
        rows=[(name, f"{micro(sample):.0f}", f"{sample.over(bare):.2f}") for name, sample in taken.items()],
        goals=[at_most("ID-token verification, joserfc's decode = 1", 1.5, ours.over(bare).median, why=WHY)],
    )


def seconds(work: Callable[[], Any]) -> float:
    """Seconds for so many."""
    return timeit.timeit(work, number=NUMBER)


def micro(sample: Sample) -> Sample:
    """Microseconds for one."""
    return Sample(tuple(value * 1e6 / NUMBER for value in sample.values))
