"""The exercises of notebook 14."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any

from checking.judge import labels, name, number, shuffled, text
from checking.outcome import ensure, exercise


@exercise(
    "14",
    task="Put what stops it behind each attempt: 'ath', 'htu', 'iat', 'jti', 'the thumbprint', or 'nothing'.",
    praise="Each claim closes one way, and none of them stops code that has the key.",
)
def what_stops(answer: Any) -> None:
    labels(
        answer,
        {
            "a proof made with the thief's own key": ("the thumbprint", "What did the provider write beside the token?"),
            "a copied proof, sent a second time": ("jti", "Everything in it is right: what shows that it is not new?"),
            "a copied proof, at another address of the API": ("htu", "Which claim has the address?"),
            "a proof that was made for another of her tokens": ("ath", "Which claim has to do with the token?"),
            "a proof from yesterday": ("iat", "Which claim says when it was made?"),
            "a package in her kernel that makes proofs": ("nothing", "It has the key: look at part 6."),
        },
    )


@exercise(
    "14",
    task="Give 'htm', 'htu', 'ath' or 'iat', whichever is wrong first, or None if the proof is good.",
    praise="An API checks typ, alg, the signature, the nonce and the thumbprint, too (RFC 9449, 4.3), and takes each jti once (11.1).",
)
def why_not(why: Any) -> None:
    method, other = shuffled(["GET", "POST", "PUT"])[:2]
    url, token = f"https://{name()}.example/{name()}", secrets.token_urlsafe(24)
    now = number(1_000_000, 2_000_000_000)
    ath = urlsafe_b64encode(sha256(token.encode()).digest()).decode().rstrip("=")
    good = {"htm": method, "htu": url, "ath": ath, "iat": now - number(1, 20), "jti": name()}

    def said(*, used: str = method, at: str = url, held: str = token, without: str = "", **changed: Any) -> Any:
        claims = {name: value for name, value in (good | changed).items() if name != without}
        return why(claims, used, at, held, now)

    def fine(why: str, **changed: Any) -> None:
        ensure(said(**changed) is None, why)

    def wrong(claim: str, why: str, **changed: Any) -> None:
        got = said(**changed)
        ensure(got is not None, f"It takes this proof. {why}")
        ensure(text(got, "Give the name of a claim as text, or None.") == claim, why)

    fine("This proof is good: there is nothing to name. (ath is in base64url, without '='.)")
    fine("htu has no query: compare it with the URL up to the '?'.", at=f"{url}?limit={number(1, 99)}")
    wrong("htm", f"A proof for {method} does not allow a {other}.", used=other)
    wrong("htu", "A proof for /stations is not one for /stations/hill.", at=f"{url}/hill")
    wrong("htu", "A proof for one host is not one for another.", htu=url.replace(".example", ".evil.example"))
    wrong("ath", "The proof was made for another access token.", held=secrets.token_urlsafe(24))
    wrong("ath", "ath is a hash of the token, not the token.", ath=token)
    fine("It is not a minute old yet.", iat=now - 58)
    for seconds in (-62, -3600, 3600):
        later = "A proof from the future would be good for too long."
        wrong("iat", later if seconds > 0 else "A proof that is more than a minute old was copied.", iat=now + seconds)
    wrong("htm", "Several are wrong: name the first, in the order given.", used=other, held="another")
    wrong("htu", "Several are wrong: name the first, in the order given.", at=f"{url}/x", iat=now - 3600)
    for claim in ("htm", "htu", "ath", "iat"):
        wrong(claim, "A claim that is not there is wrong, too.", without=claim)
