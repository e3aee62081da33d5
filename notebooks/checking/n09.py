"""The exercises of notebook 09."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from typing import Any

from checking.judge import labels, name, number, shuffled, text
from checking.outcome import ensure, exercise


_NOT = r"(\bnot\b|n't\b|\bnever\b|\bno\b|\bnobody\b|\bnothing\b|\bwithout\b|forg[eo]t|fail|neglect|skip|lack|\bmiss(es|ing)\b)"
_LOOK = r"(compar|check|look|verif|valid|match|examin|inspect|\breads?\b|\bused?\b|ask|test|tell|know|identif|bound|tied|care|protect)"
_UNSEEN = rf"{_NOT}.*{_LOOK}|{_LOOK}.*{_NOT}|ignor|\bun(check|us|verif|valid|test)ed"
_FLAWS = {  # application -> what its flaw is about, what of it, and a question for those who are not there yet
    "one": (
        r"verifier|pkce",
        r"(?<!nothing is )missing|without|empty|omit|skip|left out|\bleav\w+ .{0,20}(out|away)\b|absent|optional|mandatory|nothing else"
        r"|\bonly (\w+ ){0,3}(if|when|where)\b|(send(s|ing)?|has|have|with|is|given?|if) no(ne)?\b"
        r"|(\bnot|n't|\bnever)\b (\w+ ){0,3}(sen[dt]|there|given|present|asked|ask|requir|demand|need|insist|enforc|check)",
        "What happens to a request with a code and nothing else?",
    ),
    "two": (
        r"state|csrf",
        rf"{_UNSEEN}|(accept|tak|allow|work)\w* (with )?(any|every|an? (unknown|made.up|wrong|foreign))\b",
        "What does /login prepare, and who looks at it later?",
    ),
    "three": (
        r"aud\b|audience",
        rf"{_UNSEEN}|(accept|tak|trust|work|open|allow|good|made|meant|issued)\w*.*\b(another|other|game|any)\b"
        r"|\b(another|other|game|any)\b.*(accept|tak|trust|work|open|allow|good)|\bmay be (for )?(another|other|any)|wrong aud\w+ (is|are) (accept|tak)",
        "The signature is good. For whom was the token made?",
    ),
    "four": (
        r"iss\b|issuer|mix.?up|(who|which|one)\b.{0,30}\banswer|\b(to|by) the (attacker|bad|wrong)",
        rf"{_UNSEEN}|assum|believ|trust|\bsen(ds?|t)\b.*\b(attacker|bad|wrong)",
        "Either provider could have sent this answer. How does the client tell which one did?",
    ),
    "five": (
        r"key",
        r"public|source|(in|into) (the )?(code|git|repo)|repositor|program|known|guess|hard.?coded|every(body|one)|any(body|one)"
        r"|can (be )?(read|forge)|print|publish|commit",
        "What makes the application believe its own cookie?",
    ),
}
_HIDDEN = r"\b(nobody|no ?one) (else )?(knows|can|has)"  # a key that is none


@exercise(
    "09",
    task="Write a short sentence for each application: what is not looked at, or who knows too much.",
    praise="All five. Now watch each of them happen.",
)
def find_the_flaw(answer: Any) -> None:
    ensure(isinstance(answer, dict), f"Give a dictionary, not {type(answer).__name__}.")
    for app, (subject, flaw, question) in _FLAWS.items():
        ensure(dict.__contains__(answer, app), f"This one is missing: {app}.")
        said = text(dict.__getitem__(answer, app), f"{app}: write a short sentence.").lower()
        said = said.replace("_", " ").replace("\u2019", "'")
        ensure(
            len(said.split()) >= 3, f"{app}: a word can be a guess. Say in a short sentence what is wrong."
        )
        about = sum(bool(re.search(rf"\b({other})", said)) for other, _, _ in _FLAWS.values())
        ensure(
            about <= 3 and len(said) <= 300, f"{app}: it has one flaw. Name that one, in a short sentence."
        )
        found = re.search(rf"\b({subject})", said) and re.search(flaw, said)
        ensure(found and not re.search(_HIDDEN, said), f"{app}: not yet. {question}")


@exercise(
    "09",
    task="Put the defence behind each attack: 'state', 'PKCE', 'use once', 'signature', 'aud', 'iss'.",
    praise="For each attack there is one small thing that stops it.",
)
def attack_and_defence(answer: Any) -> None:
    labels(
        answer,
        {
            "a link signs you in as somebody else": ("state", "The answer did not belong to your browser."),
            "a code is read in a log and traded first": (
                "PKCE",
                "Something that never left the client is missing.",
            ),
            "a code is traded a second time": ("use once", "Here the thief has everything, but comes late."),
            "an ID token says alg none": ("signature", "Who vouches for what it says?"),
            "an ID token for another client is shown to us": ("aud", "It is real; for whom was it made?"),
            "an honest provider's code is sent to a bad one": ("iss", "The client mistook who had answered."),
        },
    )


@exercise(
    "09",
    task="Give the key of our list with the header's kid if the header's alg is RS256; else None.",
    praise="The header may ask; the client decides, and it never takes a key that came with the token.",
)
def pick_the_key(pick: Any) -> None:
    ours = [
        {"kid": name(), "kty": "RSA", "n": str(number(1, 10**9)), "e": "AQAB"} for _ in range(number(3, 5))
    ]
    evil = {"kid": name(), "kty": "RSA", "n": str(number(1, 10**9)), "e": "AQAB"}

    def got(header: dict[str, Any]) -> str:
        return json.dumps(pick(deepcopy(header), deepcopy(ours)), sort_keys=True)

    for key in shuffled(ours):
        found = got({"alg": "RS256", "kid": key["kid"]})
        ensure(found == json.dumps(key, sort_keys=True), "It does not find the key that the header names.")
    kid = ours[-1]["kid"]
    nothing: list[tuple[dict[str, Any], str]] = [
        ({"alg": "none", "kid": kid}, "It gives a key for alg 'none'."),
        ({"alg": "HS256", "kid": kid}, "It gives a public key for HS256: everybody has that key."),
        *(
            ({"alg": alg, "kid": kid}, f"It gives a key for {alg}; ours is RS256.")
            for alg in ("RS1", "RS512", "rs256", "ES256", "nOnE")
        ),
        ({"kid": kid}, "It gives a key to a header that names no algorithm."),
        ({"alg": "RS256", "kid": evil["kid"], "jwk": evil}, "It takes a key out of the token itself."),
        ({"alg": "RS256", "kid": name()}, "It gives some key for a kid that nobody has."),
        ({"alg": "RS256", "kid": kid[:-1]}, "It gives a key for a part of its kid."),
        ({"alg": "RS256", "kid": f"{kid}x"}, "It gives a key for a kid that only begins alike."),
    ]
    for header, why in nothing:
        ensure(got(header) == "null", why)
    found = got({"alg": "RS256", "kid": kid, "jwk": {**evil, "kid": kid}})
    ensure(found == json.dumps(ours[-1], sort_keys=True), "It takes a key out of the token itself.")
