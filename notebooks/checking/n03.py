"""The exercises of notebook 03."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from copy import deepcopy
from hashlib import sha256
from typing import Any

from checking.judge import name, number, patient, shuffled, text
from checking.outcome import ensure, exercise


@exercise(
    "03",
    task="Put the four names into the order in which they must be looked at.",
    praise="First whether it is ours, then who says it, then what they say.",
)
def callback_order(answer: Any) -> None:
    ensure(isinstance(answer, (list, tuple)), f"Give a list, not {type(answer).__name__}.")
    order = [text(name) for name in answer]
    ensure(sorted(order) == ["code", "error", "iss", "state"], "Use each of 'state', 'iss', 'error', 'code' once.")
    right = ["state", "iss", "error", "code"]
    if order != right:
        patient(tuple(right), tuple(order))
    ensure(order[0] == "state", "Whoever is not even part of this sign-in should not be listened to any further.")
    ensure(order.index("iss") < order.index("error"), "An error, too, should come from the provider that was asked.")
    ensure(order == right, "A code is used only when there is no error.")


@exercise(
    "03",
    task="SHA-256 of the token, its first 16 bytes, base64url, without '='.",
    praise="An access token cannot be swapped for another one unnoticed.",
)
def half_hash(at_hash: Any) -> None:
    example = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
    _compare(at_hash, example, "For the example of OpenID Connect another value comes out.")
    for token in (_token("-"), _token("_"), secrets.token_hex(60)):
        _compare(at_hash, token, f"For the token {token} another value comes out.")


def _half(token: str) -> str:
    return urlsafe_b64encode(sha256(token.encode()).digest()[:16]).decode().rstrip("=")


def _token(sign: str) -> str:
    """A random token whose hash has this sign, which base64 and base64url write differently."""
    return next(one for one in iter(lambda: secrets.token_urlsafe(32), "") if sign in _half(one))


def _compare(at_hash: Any, token: str, why: str) -> None:
    got = text(at_hash(token), "Give text: .decode() what base64 gives.")
    ensure(not got.endswith("="), "The '=' at the end has to go.")
    ensure("+" not in got and "/" not in got, "It uses the base64 alphabet with + and /; use urlsafe_b64encode.")
    ensure(len(got) != 43, "That is the whole hash; take its left half, 16 of 32 bytes.")
    ensure(got == _half(token), why)


@exercise(
    "03",
    task="Give the reason as text, or None if the claims may be believed.",
    praise="That is the heart of what a library does for you at each sign-in.",
)
def why_refuse(why: Any) -> None:
    issuer, me, you, nonce = f"https://{name()}.example", name(), name(), secrets.token_urlsafe(16)
    now = number(1_000, 2_000_000_000)
    good = {"iss": issuer, "sub": name(), "aud": me, "exp": now + number(1, 900), "nonce": nonce}

    def asked(without: str = "", **changed: Any) -> Any:
        claims = {key: value for key, value in {**good, **changed}.items() if key != without}
        return why(deepcopy(claims), issuer=issuer, client_id=me, nonce=nonce, now=now)

    def refused(what: str, without: str = "", **changed: Any) -> None:
        said = asked(without, **changed)
        ensure(said is not None and said is not False, f"It believes {what}.")
        ensure(text(said, "Give the reason as text.").strip(), "Give the reason as text, not an empty one.")

    ensure(asked() is None, "It refuses claims that are all right.")
    ensure(asked(aud=[me]) is None, "`aud` may be a list that holds us.")
    cases: list[tuple[str, dict[str, Any]]] = [
        ("another issuer", {"iss": f"https://{name()}.example"}),
        ("an issuer whose address only begins like ours: compare the whole", {"iss": f"{issuer}.evil.example"}),
        ("a token for another client", {"aud": you}),
        ("a token for other clients, in a list", {"aud": [you]}),
        (f"a token for '{me}-too': compare the whole name", {"aud": f"{me}-too"}),
        (f"a token for '{me}-too', in a list: compare the whole name", {"aud": [f"{me}-too"]}),
        ("a token that has ended", {"exp": now - 1}),
        ("a token that ends at this second", {"exp": now}),
        ("a token of an earlier sign-in", {"nonce": secrets.token_urlsafe(16)}),
        ("a token without a nonce", {"nonce": None}),
    ]
    for what, changed in shuffled(cases):
        refused(what, **changed)
    for claim in ("iss", "aud", "exp", "nonce"):
        refused(f"claims without `{claim}`", claim)
    ensure(asked() is None, "Asked a second time it refuses claims that are all right.")
