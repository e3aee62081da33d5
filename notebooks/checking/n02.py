"""The exercises of notebook 02."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any

from checking.judge import labels, no, text, yes
from checking.outcome import ensure, exercise


@exercise(
    "02",
    task="Hash the verifier with SHA-256, encode it with base64url, and drop the '=' at the end.",
    praise="This is what RFC 7636 calls S256. The provider can compare, and cannot compute the verifier back.",
)
def pkce_challenge(challenge: Any) -> None:
    _compare(challenge, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "For the example of RFC 7636, appendix B, something else comes out.")
    for verifier in (_verifier("-"), _verifier("_"), secrets.token_urlsafe(96)):
        _compare(challenge, verifier, f"For the verifier {verifier} something else comes out.")


def _s256(verifier: str) -> str:
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")


def _verifier(sign: str) -> str:
    """A random verifier whose challenge has this sign, which base64 and base64url write differently."""
    return next(one for one in iter(lambda: secrets.token_urlsafe(32), "") if sign in _s256(one))


def _compare(challenge: Any, verifier: str, why: str) -> None:
    got = challenge(verifier)
    got = text(got, f"It gives {type(got).__name__}; an address needs text. Try .decode().")
    ensure(got != verifier, "It gives the verifier itself. That is the method 'plain', and no protection.")
    ensure(not got.endswith("="), "Nearly: the '=' at the end has to go.")
    ensure("+" not in got and "/" not in got, "It uses the base64 alphabet with + and /; use urlsafe_b64encode.")
    ensure(len(got) not in {64, 86}, "That looks like hexdigest(). Encode the bytes of digest() instead.")
    ensure(got == _s256(verifier), why)


@exercise(
    "02",
    task="Refuse an answer without state, with an empty one, and with another one.",
    praise="Nobody can bring you an answer to a question that you did not ask.",
)
def state_matches(matches: Any) -> None:
    sent = secrets.token_urlsafe(24)
    same = "".join(list(sent))  # equal, and another object
    yes(matches(sent, same), "It refuses the state that was sent. Give True for that one.")
    no(matches(sent, secrets.token_urlsafe(24)), "It accepts the state of somebody else.")
    no(matches(sent, None), "It accepts an answer that has no state at all.")
    no(matches(sent, ""), "It accepts an empty state.")
    no(matches("", ""), "Two empty states are equal, and prove nothing: refuse them.")
    no(matches(None, None), "Without a sign-in of ours there is nothing to match: refuse None.")
    no(matches(None, sent), "Without a sign-in of ours there is nothing to match: refuse None.")
    for part, what in ((sent[:-1], "the beginning"), (sent[1:], "the end"), (sent + "x", "more than the state")):
        no(matches(sent, part), f"It accepts {what} as if it were the whole.")
    no(matches("Aa" + sent, "aA" + sent), "It accepts small letters for capital ones.")
    no(matches(sent, f" {sent} "), "It accepts blanks around the state.")
    yes(matches(same, sent), "Asked a second time it refuses the state that was sent.")


@exercise(
    "02",
    task="Put one of: 'state', 'nonce', 'code_challenge', 'scope' behind each sentence.",
    praise="Four parameters, four different promises.",
)
def who_protects_what(answer: Any) -> None:
    labels(
        answer,
        {
            "the answer belongs to this browser": ("state", "It goes out with the request, and comes back in the address."),
            "the ID token belongs to this sign-in": ("nonce", "It comes back inside something signed."),
            "a stolen code is worth nothing": ("code_challenge", "Its other half stays at home."),
            "the token opens no more than needed": ("scope", "It says what is asked for."),
        },
    )
