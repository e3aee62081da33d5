"""The exercises of notebook 09."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from typing import Any

from checking.judge import labels, name, number, shuffled, text
from checking.outcome import ensure, exercise


_LOOKS = r"compar|check|look|verif|valid|match|ignor|forg[eo]t|examin|inspect|never read|never used|not used"
_FLAWS = {  # application -> what its flaw is about, what of it, and a question for those who are not there yet
    "one": (
        r"verifier|pkce",
        r"without|missing|empty|omit|skip|left out|leav\w+ (it )?out|absent|optional|only if|only when|nothing"
        r"|(sends?|has|have|with|is|given?) no(ne)?\b|not (sent|send|there|given|present|asked|required|demanded|needed)",
        "What happens to a request with a code and nothing else?",
    ),
    "two": (r"state", _LOOKS, "What does /login prepare, and who looks at it later?"),
    "three": (r"aud\b|audience", _LOOKS + r"|another|other|game|any", "The signature is good. For whom was the token made?"),
    "four": (
        r"iss\b|issuer|who (has |really )?answer|which provider (has |really )?answer",
        _LOOKS + r"|know|assum|believ|ask",
        "Either provider could have sent this answer. How does the client tell which one did?",
    ),
    "five": (
        r"key",
        r"public|source|code|repositor|program|known|knows|guess|hard|every(body|one)|any(body|one)|print|read|publish",
        "What makes the application believe its own cookie?",
    ),
}


@exercise(
    "09",
    task="Write a short sentence for each application: what is not looked at, or who knows too much.",
    praise="All five. Now watch each of them happen.",
)
def find_the_flaw(answer: Any) -> None:
    ensure(isinstance(answer, dict), f"Give a dictionary, not {type(answer).__name__}.")
    for app, (subject, flaw, question) in _FLAWS.items():
        ensure(dict.__contains__(answer, app), f"This one is missing: {app}.")
        said = text(dict.__getitem__(answer, app), f"{app}: write a short sentence.").lower().replace("_", " ")
        ensure(len(said.split()) >= 3, f"{app}: a word can be a guess. Say in a short sentence what is wrong.")
        about = sum(bool(re.search(rf"\b({other})", said)) for other, _, _ in _FLAWS.values())
        ensure(about <= 3 and len(said) <= 300, f"{app}: it has one flaw. Name that one, in a short sentence.")
        ensure(re.search(rf"\b({subject})", said) and re.search(rf"\b({flaw})", said), f"{app}: not yet. {question}")


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
            "a code is read in a log and traded first": ("PKCE", "Something that never left the client is missing."),
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
    ours = [{"kid": name(), "kty": "RSA", "n": str(number(1, 10**9)), "e": "AQAB"} for _ in range(number(3, 5))]
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
        *(({"alg": alg, "kid": kid}, f"It gives a key for {alg}; ours is RS256.") for alg in ("RS1", "RS512", "rs256", "ES256", "nOnE")),
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
